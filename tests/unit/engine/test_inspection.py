"""Inspecting cameras: a real worker without models, sealed, through the relay; and workers that misbehave."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cameras import CLIP_RATE_HZ, RtspCamera, ScriptedServer, free_port, moving_pictures, write_video
from tests.workers import FAKE, QUICK, Heard, camera, film, supervisor, until

from habeas.engine.inspection import Inspection
from habeas.engine.orders import Timing
from habeas.engine.relay import Relay
from habeas.engine.spawning import configure_for, spawn
from habeas.errors import HabeasError, InputError
from habeas.settings import ModelSettings, Settings
from habeas.video.address import CameraAddress

NEVER = (sys.executable, "-I", "-c", "import threading; threading.Event().wait(60)")
LATER = r"""
import os, socket, sys
from habeas.engine.channel import Channel
from habeas.engine.messages import *
from habeas.engine.vocabulary import TO_WORKER
from habeas.engine.relay import open_door
from habeas.engine.sandbox import Posture
channel = Channel(socket.socket(fileno=int(sys.argv[1])), TO_WORKER)
channel.receive()
door = open_door()
guards = dict.fromkeys(Posture.__dataclass_fields__, "unavailable: a fake")
channel.send(Hello(pid=os.getpid(), model_id="none", guards=guards, ports=(door.getsockname()[1],)), [door.fileno()])
order = channel.receive().message
"""
HOSTILE = {
    "dies": "os._exit(3)",
    "is killed": "os.kill(os.getpid(), 9)",
    "says something else": "channel.send(Heartbeat())",
    "answers another": "channel.send(Inspected(request_id=7, size_wh=(1, 1), rate_hz=1.0, codec='h264', packets=9, "
    "seconds=1.0, flaw=''))",
    "is silent": "import threading; threading.Event().wait(60)",
    "sends garbage": "os.write(int(sys.argv[1]), os.urandom(4096)); channel.receive()",
}


def address(url: str) -> CameraAddress:
    return camera("gate", url).address


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture
def inspection(relay: Relay, tmp_path: Path) -> Iterator[Inspection]:
    """No model is where this one's workers look for models."""
    made = Inspection(ModelSettings(folder=tmp_path / "no-models"), Timing(), relay)
    yield made
    made.close()


def faking(relay: Relay, program: tuple[str, ...]) -> Inspection:
    return Inspection(ModelSettings(), QUICK, relay, program)


def test_a_camera_is_told_without_any_model(inspection: Inspection) -> None:
    with RtspCamera() as there:
        report = inspection.inspect(address(there.url), 9)
        again = inspection.inspect(address(there.url), 9)
    assert (report.size_wh, report.codec, report.flaw) == ((160, 120), "h264", "")
    assert report.rate_hz == pytest.approx(CLIP_RATE_HZ, rel=0.1)
    assert report.packets > 20
    assert again.packets > 20
    assert inspection._process is None


def test_a_file_that_stands_for_a_camera_is_told_too(inspection: Inspection, tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", moving_pictures(30, (320, 176)))
    report = inspection.inspect(film("gate", path).address, 9)
    assert (report.size_wh, report.packets, report.flaw) == ((320, 176), 30, "")
    gone = film("gate", path).address
    path.unlink()
    assert "cannot be opened" in inspection.inspect(gone, 9).flaw


def test_the_supervisor_inspects_what_it_does_not_watch(relay: Relay, settings: Settings) -> None:
    heard = Heard()
    with RtspCamera() as there, supervisor(heard, relay, settings=settings, timing=Timing()) as workers:
        assert workers.inspect(address(there.url), 9).packets > 20
        assert workers.running() == frozenset()
    assert heard.probes == []
    assert heard.counters == []


def test_a_camera_that_is_not_there_has_a_flaw_that_says_why(inspection: Inspection) -> None:
    report = inspection.inspect(address(f"rtsp://viewer:hunter2@127.0.0.1:{free_port()}/x"), 9)
    assert report.flaw == "cannot connect: connection refused"
    assert report.packets == 0
    assert "hunter2" not in repr(report)


def test_a_silent_camera_takes_no_longer_than_it_may(inspection: Inspection) -> None:
    with ScriptedServer(lambda _request, _connection: b"") as silent:
        began = time.monotonic()
        report = inspection.inspect(address(f"rtsp://127.0.0.1:{silent.port}/x"), 3)
        assert report.flaw
        assert time.monotonic() - began < 3 + 10  # the worker's start is beside it


def test_the_worker_is_as_sealed_as_those_that_watch(settings: Settings) -> None:
    postures = []
    for task in ("inspect", "watch"):
        process = spawn(configure_for(settings.models, task, doors=1), 60)
        try:
            process.await_message(60)
            hello, received = process.hello()
            received.close()
            postures.append(hello.posture())
        finally:
            process.kill()
    assert postures[0] == postures[1]


def test_it_takes_no_order_to_watch(settings: Settings) -> None:
    process = spawn(configure_for(settings.models, "inspect", doors=1), 60)
    try:
        process.await_message(60)
        _, received = process.hello()
        received.close()
        from habeas.engine.messages import Failed, StartCamera  # noqa: PLC0415 - used here only

        process.channel.send(
            StartCamera(
                camera_id="gate",
                epoch=1,
                url="rtsp://127.0.0.1:1/x",
                detect=settings.detect,
                live=settings.live,
            )
        )
        process.await_message(10)
        answer = process.channel.receive()
        assert answer is not None
        assert isinstance(answer.message, Failed)
        assert "not for this worker" in answer.message.text
    finally:
        process.kill()


@pytest.mark.parametrize("what", HOSTILE)
def test_a_stream_that_breaks_its_worker_is_a_flaw_and_breaks_nothing_else(what: str, relay: Relay) -> None:
    inspection = faking(relay, (sys.executable, "-I", "-c", LATER + HOSTILE[what]))
    began = time.monotonic()
    report = inspection.inspect(address("rtsp://127.0.0.1:554/x"), 1.5)
    assert "cannot be inspected" in report.flaw
    assert report.packets == 0
    assert time.monotonic() - began < 15
    assert inspection._process is None


def test_a_worker_with_other_doors_is_refused(relay: Relay) -> None:
    with pytest.raises(InputError, match="one door"):
        faking(relay, FAKE).inspect(address("rtsp://127.0.0.1:554/x"), 1)


def test_a_worker_that_cannot_start_is_an_error(relay: Relay) -> None:
    with pytest.raises(HabeasError, match="no worker can be started"):
        faking(relay, ("/nonexistent",)).inspect(address("rtsp://127.0.0.1:554/x"), 1)


def test_closing_does_not_wait_for_an_inspection(relay: Relay) -> None:
    inspection = Inspection(ModelSettings(), Timing(), relay, NEVER)
    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(inspection.inspect, address("rtsp://127.0.0.1:554/x"), 1)
        until(lambda: inspection._process is not None)
        pid = inspection._process.pid if inspection._process else 0
        began = time.monotonic()
        inspection.close()
        assert isinstance(asked.exception(5), InputError)
        assert time.monotonic() - began < 5
        assert not Path(f"/proc/{pid}").exists()
        with pytest.raises(InputError):
            inspection.inspect(address("rtsp://127.0.0.1:554/x"), 1)


def test_two_are_inspected_one_after_the_other(inspection: Inspection) -> None:
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            process = inspection._process
            if process is not None and os.path.exists(f"/proc/{process.pid}"):  # noqa: PTH110 - in a tight loop
                seen.append(process.pid)

    watching = threading.Thread(target=look)
    watching.start()
    with RtspCamera() as there, ThreadPoolExecutor(2) as asking:
        reports = list(asking.map(lambda _: inspection.inspect(address(there.url), 6), range(2)))
    over.set()
    watching.join()
    assert all(report.packets for report in reports)
    assert len(set(seen)) == 2
