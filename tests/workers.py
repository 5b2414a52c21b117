"""What tests of workers share: who hears, how a supervisor is made, and workers that misbehave on request."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from habeas.clock import SystemClock
from habeas.engine.messages import Counters
from habeas.engine.orders import CameraOrder, Timing, WorkerChange, WorkerNews
from habeas.engine.relay import Relay
from habeas.engine.run import TrackEnd
from habeas.engine.spawning import PROGRAM
from habeas.engine.supervisor import Supervisor
from habeas.settings import DetectSettings, LiveSettings, Settings
from habeas.types import Flaw, Probe
from habeas.video.address import parse_address, rules_with
from habeas.video.parts import Part

QUICK: Final = Timing(silence_s=1.5, message_s=1.0, farewell_s=1.0, backoff_s=0.1, backoff_max_s=0.3)
LIVE: Final = LiveSettings(stall_s=2.0, backoff_s=0.1, backoff_max_s=0.3)

FAKE: Final = (
    sys.executable,
    "-I",
    "-c",
    r"""
import array, os, signal, socket, struct, sys, threading, time
import numpy as np
from habeas.engine.channel import Channel
from habeas.engine.messages import *
from habeas.engine.vocabulary import TO_WORKER
from habeas.engine.relay import open_door
from habeas.engine.sandbox import Posture
from habeas.engine.wire import encode

end = socket.socket(fileno=int(sys.argv[1]))
channel = Channel(end, TO_WORKER)
channel.receive()
doors = [open_door() for _ in range(3)]
guards = dict.fromkeys(Posture.__dataclass_fields__, "unavailable: a fake")
hello = Hello(pid=os.getpid(), model_id="fake", guards=guards, ports=tuple(d.getsockname()[1] for d in doors))
channel.send(hello, [d.fileno() for d in doors])
alive = threading.Event()
alive.set()
pause = threading.Event().wait
watched = {}
began = time.monotonic_ns()

def beat():
    while True:
        if alive.is_set():
            channel.send(Heartbeat())
            for order in list(watched.values()):
                count(order)
        pause(0.05)

def count(order, decoded=None, analysed=0):
    decoded = (time.monotonic_ns() - began) // 10_000_000 if decoded is None else decoded
    channel.send(Counters(camera_id=order.camera_id, epoch=order.epoch, decoded=decoded, analysed=analysed, gated=0,
                          dropped=0, faces=0, tracks=0, analysed_ns=0))

def probe(order, track=1, camera=None, epoch=None, payload=None, off_s=0, canary=False):
    made = ProbeMade(camera_id=camera or order.camera_id, epoch=epoch or order.epoch, track_id=track, at_ns=5,
                     first_seen_ns=1, captured_at_ns=time.time_ns() + off_s * 10**9,
                     box_xyxy_px=(0., 0., 2., 2.), dimensions=4, face_wh=(2, 2), canary=canary)
    good = payload_of(np.array([1, 0, 0, 0], np.float32), np.zeros((2, 2, 3), np.uint8))
    made._payload = payload or good
    channel.send(made)

def raw(data):
    with channel._sending:
        end.sendall(data)

def lead(kind, header, payload):
    return struct.pack("<4sBBHQII", b"HBSW", 1, kind, 0, channel._sent, header, payload)

def chatter(order):
    while order.camera_id in watched:
        probe(order, track=int(time.monotonic() * 20))
        pause(0.001)

def start(order):
    what = order.camera_id.partition("-")[0]
    channel.send(Listening(camera_id=order.camera_id, epoch=order.epoch))
    if what in ("good", "chatty", "stubborn"):
        probe(order)
        watched[order.camera_id] = order
        if what != "good":
            threading.Thread(target=chatter, args=(order,), daemon=True).start()
    elif what == "garbage":
        raw(os.urandom(4096))
    elif what == "huge":
        raw(lead(41, 2, 2**32 - 1))
    elif what == "unknown":
        raw(lead(99, 2, 0) + b"{}")
    elif what == "nan":
        probe(order, payload=payload_of(np.full(4, np.nan, np.float32), np.zeros((2, 2, 3), np.uint8)))
    elif what == "stranger":
        probe(order, camera="somebody else's")
    elif what == "future":
        probe(order, epoch=order.epoch + 1)
    elif what == "late":
        probe(order, off_s=-130)
    elif what == "canary":
        probe(order, canary=True)
    elif what == "canaries":
        channel.send(CanaryDone(camera_id=order.camera_id, epoch=order.epoch, found=True))
    elif what == "early":
        probe(order, off_s=15)
    elif what == "skipping":
        channel._sent += 1
        channel.send(Heartbeat())
    elif what == "backwards":
        count(order, 10)
        count(order, 9)
    elif what == "greeting":
        channel.send(hello, [d.fileno() for d in doors])
    elif what == "giving":
        with channel._sending:
            socket.send_fds(end, [encode(Heartbeat(), channel._sent)], [d.fileno() for d in doors])
    elif what == "crowded":
        for track in range(4200):
            probe(order, track=track)
    elif what == "flooding":
        while True:
            channel.send(Heartbeat())
    elif what == "silent":
        alive.clear()
    elif what == "dripping":
        raw(lead(41, 2, 0)[:5])
        channel._sending.acquire()
    elif what == "crashing":
        os._exit(3)
    elif what == "aborting":
        os.kill(os.getpid(), signal.SIGABRT)
    elif what == "failing":
        channel.send(Failed(text="out of luck", remedy="none"))
    elif what == "ending":
        channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=True))
    elif what == "undead":
        channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=True))
        probe(order)

threading.Thread(target=beat, daemon=True).start()
while (received := channel.receive()) is not None:
    order = received.message
    if isinstance(order, Shutdown):
        if any(camera.startswith("stubborn") for camera in watched):
            pause(60)
        break
    if isinstance(order, StartCamera):
        start(order)
    elif isinstance(order, ShowCanary):
        probe(order, canary=True)
        channel.send(CanaryDone(camera_id=order.camera_id, epoch=order.epoch, found=True))
    elif isinstance(order, StopCamera):
        watched.pop(order.camera_id, None)
        pause(0.1)
        channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=False))
os._exit(0)
""",
)
"""A worker that speaks the protocol, and breaks it in the way that a camera's name asks for."""


@dataclass
class Heard:
    """Remembers what a supervisor told."""

    probes: list[Probe] = field(default_factory=list)
    ends: list[TrackEnd] = field(default_factory=list)
    counters: list[Counters] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    news: list[WorkerNews] = field(default_factory=list)
    canaries: list[tuple[str, bool]] = field(default_factory=list)
    parts: list[tuple[str, int, Part]] = field(default_factory=list)

    def of(self, change: WorkerChange, worker: int | None = None) -> list[WorkerNews]:
        return [news for news in self.news if news.change is change and worker in (None, news.worker)]

    def last(self, camera_id: str) -> Counters:
        return [each for each in self.counters if each.camera_id == camera_id][-1]

    def decoded(self, camera_id: str) -> int:
        """Frames of all epochs."""
        most: dict[int, int] = {}
        for each in list(self.counters):
            if each.camera_id == camera_id:
                most[each.epoch] = each.decoded
        return sum(most.values())


def until(holds: Callable[[], bool], within_s: float = 15.0, told: Callable[[], object] = str) -> float:
    """Wait until something holds, and return how long that took: looked at often at first, since most is soon so."""
    began = time.monotonic()
    pause = threading.Event()
    next_s = 0.0005
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {told()}"
        pause.wait(next_s)
        next_s = min(2 * next_s, 0.02)
    return time.monotonic() - began


def supervisor(
    heard: Heard,
    relay: Relay,
    *,
    workers: int = 1,
    settings: Settings | None = None,
    timing: Timing = QUICK,
    program: tuple[str, ...] = PROGRAM,
    on_probe: Callable[[Probe], None] | None = None,
) -> Supervisor:
    return Supervisor(
        workers=workers,
        settings=settings or Settings(),
        clock=SystemClock(),
        relay=relay,
        on_probe=on_probe or heard.probes.append,
        on_end=heard.ends.append,
        on_counters=heard.counters.append,
        on_flaw=heard.flaws.append,
        on_worker=heard.news.append,
        on_canary=lambda camera_id, found: heard.canaries.append((camera_id, found)),
        on_part=lambda *heard_: heard.parts.append(heard_),
        timing=timing,
        program=program,
    )


def faked(
    heard: Heard,
    relay: Relay,
    workers: int = 1,
    timing: Timing = QUICK,
    on_probe: Callable[[Probe], None] | None = None,
) -> AbstractContextManager[Supervisor]:
    """Return a supervisor whose workers are fakes."""
    return supervisor(heard, relay, workers=workers, timing=timing, program=FAKE, on_probe=on_probe)


def camera(camera_id: str, url: str = "rtsp://127.0.0.1:554/x", detect: DetectSettings | None = None) -> CameraOrder:
    """Return an order for a camera on loopback."""
    rules = rules_with(["127.0.0.1/32"], [urlsplit(url).port or 554])
    return CameraOrder(camera_id, parse_address(url, rules, resolve=None), rules, detect or DetectSettings(), LIVE)


def film(camera_id: str, path: Path, detect: DetectSettings | None = None) -> CameraOrder:
    """Return an order for a video file that stands for a camera."""
    rules = rules_with(folders=[path.parent])
    return CameraOrder(
        camera_id, parse_address(f"file://{quote(str(path))}", rules), rules, detect or DetectSettings(), LIVE
    )
