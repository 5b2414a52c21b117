"""A worker: the process that decodes strangers' video, and the only kind that does.

    1. Read what it is to be.  2. Cut network and privileges.  3. Open doors, load the models, and run everything once,
    since nothing can be imported or opened later.  4. Seal.  5. Say hello.  6. Watch cameras, or examine images, or
    read a camera's headers or a file's length, for which no model is loaded.

It has no database, no key, no gallery and no disk. The thread that analyses is the one that tells: where the node does
not read, it waits, and the cameras' queues drop their oldest frames and count them. Nothing is told out of order.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from habeas.clock import SystemClock
from habeas.engine import filming, recording
from habeas.engine.cameras import Camera, FileCamera, LiveCamera, flaw_of, source_name
from habeas.engine.channel import Channel, Received
from habeas.engine.enrolling import Examiner
from habeas.engine.film_messages import MeasureFilm
from habeas.engine.inspecting import inspect, measure, prepare
from habeas.engine.messages import (
    CameraEnded,
    CanaryDone,
    Configure,
    Counters,
    EnrolImage,
    Failed,
    Heartbeat,
    Hello,
    InspectCamera,
    Listening,
    Message,
    ShowCanary,
    Shutdown,
    StartCamera,
    StopCamera,
    one_line,
)
from habeas.engine.recording import NO_MODEL, Recording
from habeas.engine.relay import open_door
from habeas.engine.run import Found, Run, SourceReport, TrackEnd, _Feed
from habeas.engine.sandbox import Isolation, isolate, seal
from habeas.engine.telling import probe_made, track_ended
from habeas.engine.vocabulary import TO_WORKER
from habeas.engine.warming import warm_up
from habeas.errors import HabeasError, InputError, ModelError
from habeas.faces import Detector, Templater
from habeas.models.manifest import PackagedFile
from habeas.models.pack import LoadedPack, load_pack
from habeas.models.pull import Report
from habeas.pipeline import Line, Stages
from habeas.ports import Clock, FrameSource, Session
from habeas.settings import DetectSettings, ModelSettings
from habeas.types import NS_PER_S, Flaw, Probe
from habeas.video.canary import CanaryShown

_TELL_EVERY_NS: Final = NS_PER_S


def main(descriptor: int) -> int:
    """Be a worker, until told to end or the node is gone; return the exit status.

    Args:
        descriptor: of the socket to the node.
    """
    channel = Channel(socket.socket(fileno=descriptor), TO_WORKER)
    try:
        _serve(channel)
    except HabeasError as error:
        return _fail(channel, error.message, error.remedy, error.exit_code)
    except Exception as error:
        _fail(channel, f"{type(error).__name__}: {error}", "this is a bug: report it", HabeasError.exit_code)
        raise
    return 0


def _fail(channel: Channel, what: str, remedy: str, status: int) -> int:
    try:
        channel.send(Failed(text=one_line(what), remedy=one_line(remedy)))
    except InputError:  # the node is gone, too
        return status
    return status


def _serve(channel: Channel) -> None:
    first = channel.receive()
    if first is None:
        return
    configure = first.message
    if not isinstance(configure, Configure):
        raise InputError("a worker is first told what it is to be", remedy="start workers through the node")
    isolation = isolate(configure.parent_pid)
    doors = [open_door() for _ in range(configure.doors)]
    clock = SystemClock()
    if configure.task == "inspect":
        prepare(clock)
        _hello(channel, isolation, NO_MODEL, doors)
        _inspect(channel, clock)
        return
    if configure.task in ("record", "reencode"):
        recording.prepare()
        _hello(channel, isolation, NO_MODEL, doors)
        Recording(channel, clock, reencodes=configure.task == "reencode").serve()
        return
    pack = load_pack(_models(configure), before_pull=_never_pull)
    templater = Templater(pack.mobilefacenet, pack.fr_feature, pack.model_id)
    warm_up(pack, templater)
    _hello(channel, isolation, pack.model_id, doors)
    if configure.task == "enrol":
        _examine(channel, Examiner(pack, templater, clock))
    elif configure.task == "film":
        filming.serve(channel, pack, templater, clock)
    else:
        Watch(channel, pack, templater, clock).serve()


def _models(configure: Configure) -> ModelSettings:
    return ModelSettings(folder=Path(configure.models), detector_precision=configure.detector_precision)


def _never_pull(_files: list[PackagedFile]) -> Report:
    raise ModelError("model files are missing", remedy="run: habeas models pull")


def _hello(channel: Channel, isolation: Isolation, model_id: str, doors: list[socket.socket]) -> None:
    """Seal, say so, and hand the doors over: who accepts at them is the node."""
    ports = tuple(int(door.getsockname()[1]) for door in doors)
    posture = seal(isolation, ports)
    hello = Hello(pid=os.getpid(), model_id=model_id, guards=posture.as_json(), ports=ports)
    channel.send(hello, [door.fileno() for door in doors])
    for door in doors:
        door.close()


def _examine(channel: Channel, examiner: Examiner) -> None:
    while (received := channel.receive()) is not None and not isinstance(received.message, Shutdown):
        if not isinstance(received.message, EnrolImage):
            raise _unexpected(received.message)
        (descriptor,) = received.descriptors
        channel.send(examiner.examine(received.message, descriptor))


def _inspect(channel: Channel, clock: Clock) -> None:
    while (received := channel.receive()) is not None and not isinstance(received.message, Shutdown):
        if isinstance(received.message, InspectCamera):
            channel.send(inspect(received.message, received.descriptors, clock))
        elif isinstance(received.message, MeasureFilm):
            channel.send(measure(received.message, received.descriptors[0], clock))
        else:
            received.close()
            raise _unexpected(received.message)


def _unexpected(message: Message) -> InputError:
    return InputError(f"{type(message).__name__} is not for this worker", remedy="start workers through the node")


class CameraRun(Run):
    """A run whose cameras are each looked at in their own way; it goes on without any.

    Args:
        detector: the network that finds faces.
        templater: shared by all cameras.
        on_turn: as `Run` says.
    """

    def __init__(self, detector: Session, templater: Templater, on_turn: Callable[[], None]) -> None:
        detect = DetectSettings()
        super().__init__([], Stages(Detector(detector, detect.min_score), templater, detect), on_turn, stays=True)
        self._session = detector
        self._readers: dict[str, _Feed] = {}
        self._leaving: list[SourceReport] = []

    def _feed(self, source: FrameSource) -> _Feed:
        feed = super()._feed(source)
        if isinstance(source, Camera):
            feed.line = Line(source.origin, source.rate_hz, self._stages_for(source.order.detect))
            feed.report.counts = feed.line.counts
            self._readers[feed.report.camera_id] = feed
        return feed

    def _stages_for(self, detect: DetectSettings) -> Stages:
        return replace(self._stages, detector=Detector(self._session, detect.min_score), detect=detect)

    def over(self) -> list[SourceReport]:
        """Return the reports of the cameras that ended by themselves, and were not removed yet."""
        with self._changed:
            return [feed.report for feed in self._feeds if feed.finished and not feed.removed]

    def pop_gone(self) -> list[SourceReport]:
        """Return the reports of the removed cameras whose readers have ended, too: nothing stands at their doors."""
        self._leaving += self.pop_removed()
        gone = [report for report in self._leaving if self._readers[report.camera_id].ended]
        self._leaving = [report for report in self._leaving if report not in gone]
        for report in gone:
            del self._readers[report.camera_id]
        return gone


class Watch:
    """Watches cameras as the node says.

    Args:
        channel: to the node.
        pack: the networks.
        templater: of that pack.
        clock: of this process.
    """

    def __init__(self, channel: Channel, pack: LoadedPack, templater: Templater, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._run = CameraRun(pack.detector, templater, self._on_turn)
        self._lock = threading.Lock()
        self._cameras: dict[str, Camera] = {}
        self._told_ns = clock.monotonic_ns()
        self._failed: set[str] = set()
        self._failure: HabeasError | None = None

    def serve(self) -> None:
        """Watch until told to end. Analyses in this thread; orders come in another, readers in theirs.

        Raises:
            InputError: the node said something that it does not say.
        """
        threading.Thread(target=self._obey, name="orders", daemon=True).start()
        for found in self._run.events():
            self._tell(found)
            del found  # a probe is gone once it was told
        if self._failure is not None:
            raise self._failure

    # --- orders -------------------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        try:
            while (received := self._channel.receive()) is not None and not isinstance(received.message, Shutdown):
                self._order(received)
        except HabeasError as error:
            self._failure = error
        finally:
            self._run.stop()

    def _order(self, received: Received) -> None:
        order = received.message
        if isinstance(order, StartCamera):
            self._start(order, received)
        elif isinstance(order, StopCamera):
            self._stop(source_name(order))
        elif isinstance(order, ShowCanary):
            self._run.plant(source_name(order))
        else:
            received.close()
            raise _unexpected(order)

    def _start(self, order: StartCamera, received: Received) -> None:
        try:
            camera: Camera
            if order.url:
                camera = LiveCamera(order, self._clock)
            else:
                camera = FileCamera(order, received.descriptors[0], self._clock)
        except InputError as error:
            self._channel.send(flaw_of(order, error.message))
            self._channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=True))
            return
        self._channel.send(Listening(camera_id=order.camera_id, epoch=order.epoch))
        with self._lock:
            self._cameras[source_name(order)] = camera
        self._run.add(camera)

    def _stop(self, name: str) -> None:
        """Let a camera go; one that ended by itself is gone already."""
        with self._lock:
            known = name in self._cameras
        if known:
            self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            self._run.remove(name)
        except InputError:  # the other thread was quicker
            return

    # --- the analysing thread -----------------------------------------------------------------------------------------

    def _tell(self, found: Found) -> None:
        name = found.camera_id if isinstance(found, Flaw) else found.origin.camera_id
        with self._lock:
            order = self._cameras[name].order
        if isinstance(found, Probe):
            self._channel.send(probe_made(order.camera_id, order.epoch, found))
        elif isinstance(found, TrackEnd):
            self._channel.send(track_ended(order.camera_id, order.epoch, found.track))
        elif isinstance(found, CanaryShown):
            self._channel.send(CanaryDone(camera_id=order.camera_id, epoch=order.epoch, found=found.found))
        else:
            self._channel.send(flaw_of(order, found.what.removeprefix(f"{name}: "), found.at_ns))

    def _on_turn(self) -> None:
        for report in self._run.over():
            if report.failure is not None:
                self._failed.add(report.camera_id)
            self._remove(report.camera_id)
        for report in self._run.pop_gone():
            self._end(report)
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns >= _TELL_EVERY_NS:
            self._told_ns = now_ns
            self._channel.send(Heartbeat())
            for report in self._run.reports:
                with self._lock:
                    camera = self._cameras[report.camera_id]
                self._channel.send(_counters(camera, report))

    def _end(self, report: SourceReport) -> None:
        with self._lock:
            camera = self._cameras.pop(report.camera_id)
        self._channel.send(_counters(camera, report))
        failed = report.camera_id in self._failed
        self._failed.discard(report.camera_id)
        self._channel.send(CameraEnded(camera_id=camera.order.camera_id, epoch=camera.order.epoch, failed=failed))


def _counters(camera: Camera, report: SourceReport) -> Counters:
    """Return what came of a camera so far. What was decoded is read last: its reader goes on counting."""
    analysed, gated, dropped = report.frames_analysed, report.frames_gated, report.frames_dropped
    return Counters(
        camera_id=camera.order.camera_id,
        epoch=camera.order.epoch,
        analysed=analysed,
        gated=gated,
        dropped=dropped,
        decoded=report.frames_decoded,
        faces=report.counts.faces_detected,
        tracks=report.counts.tracks,
        analysed_ns=camera.watched_ns,
    )


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1])))  # readers that hang in a socket are not waited for
