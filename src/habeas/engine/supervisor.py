"""The node's workers: one a core, many cameras each; for images to enrol, for a camera inspected, for those recorded.

A worker that stalls, floods or talks nonsense is killed, counted and started again, with new epochs for its cameras;
the others do not notice. Nothing that a worker may not know goes into one: `engine.spawning` says what does.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Self

from habeas.engine.enrolment import Enrolment, EnrolResult
from habeas.engine.inspection import Inspection, StreamReport
from habeas.engine.messages import Counters
from habeas.engine.orders import (
    CAMERAS_PER_WORKER,
    RECORDED_PER_WORKER,
    REENCODED_PER_WORKER,
    CameraOrder,
    CameraReport,
    Hearers,
    Timing,
    WorkerNews,
)
from habeas.engine.relay import Relay
from habeas.engine.run import TrackEnd
from habeas.engine.slot import Slot, Wiring
from habeas.engine.spawning import PROGRAM
from habeas.errors import InputError
from habeas.ports import Clock
from habeas.settings import Settings
from habeas.types import Flaw, Probe
from habeas.video.address import CameraAddress, recheck, rules_with
from habeas.video.parts import Part

_CLOSE_S = 4.0
"""What closing may take until workers are killed; with that, and their threads' end, it stays below 5 s."""
_KILLED_S = 0.5
"""What the ends of their threads may take then, all together."""


@dataclass(frozen=True)
class WorkerReport:
    """How a worker stands.

    Args:
        worker: which, from 0.
        pid: of its process; None: it waits to be started again.
        cameras: assigned to it.
        starts: how often it said hello.
        kills: how often it was killed.
    """

    worker: int
    pid: int | None
    cameras: int
    starts: int
    kills: int


class Supervisor:
    """Runs the workers. A context manager; they start at once.

    The hearers are called in the threads that read from the workers: they return soon, and never call the supervisor.

    Args:
        workers: how many, beside the one for images.
        settings: where the models are; they were fetched before.
        clock: for deadlines.
        relay: opens the way to cameras; its owner closes it after the supervisor.
        on_probe: hears of what is to be compared.
        on_end: hears of the end of a track, after all its probes; of every track of which there was one, and soon after
            `stop` of those that were open.
        on_counters: hears of the totals of an epoch, about once a second, also of its last after `stop`.
        on_flaw: hears of what went wrong with a camera.
        on_worker: hears of a worker that started or ended.
        on_canary: hears, by camera, that a canary was in its pictures, and whether a probe was made of it.
        on_part: hears, by camera and epoch, what was recorded.
        timing: how long a worker is waited for.
        program: what a worker runs.

    Raises:
        InputError: no worker is asked for.
    """

    def __init__(
        self,
        *,
        workers: int,
        settings: Settings,
        clock: Clock,
        relay: Relay,
        on_probe: Callable[[Probe], None],
        on_end: Callable[[TrackEnd], None],
        on_counters: Callable[[Counters], None],
        on_flaw: Callable[[Flaw], None],
        on_worker: Callable[[WorkerNews], None],
        on_canary: Callable[[str, bool], None],
        on_part: Callable[[str, int, Part], None],
        timing: Timing | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        if workers < 1:
            raise InputError("an installation has no worker", remedy="set at least one")
        timing = timing or Timing()
        hearers = Hearers(on_probe, on_end, on_counters, on_flaw, on_worker, on_canary, on_part)
        self._recording = Wiring(
            settings.models, clock, relay, replace(hearers, on_counters=_not_counted), timing, program
        )
        wiring = Wiring(settings.models, clock, relay, hearers, timing, program)
        cameras = settings.cameras
        self._rules = rules_with(cameras.networks, cameras.ports, cameras.folders)
        epochs = self._epochs = itertools.count(1)
        self._lock = threading.Lock()
        self._assigned: dict[str, Slot] = {}
        self._leaving: set[str] = set()
        self._recorded: dict[str, Slot] = {}
        self._closed = False
        self._enrolment = Enrolment(settings.models, timing, program)
        self._inspection = Inspection(settings.models, timing, relay, program)
        self._recorders: list[Slot] = []
        self._slots = [Slot(number, wiring, lambda: next(epochs)) for number in range(workers)]

    def start(self, order: CameraOrder) -> None:
        """Watch a camera, with the worker that has fewest, from now on and through every new start of it.

        Raises:
            InputError: it is watched already, or no worker has room, or the workers have ended.
        """
        with self._lock:
            if self._closed:
                raise InputError("the workers have ended", remedy="start the node again")
            if order.camera_id in self._assigned:
                raise InputError(f"{order.camera_id} is watched already", remedy="stop it first")
            slot = min(self._slots, key=lambda each: len(each.cameras))
            if len(slot.cameras) >= CAMERAS_PER_WORKER:
                raise InputError(
                    f"each of {len(self._slots)} workers has {CAMERAS_PER_WORKER} cameras", remedy="set more workers"
                )
            self._assigned[order.camera_id] = slot
            slot.add(order)

    def stop(self, camera_id: str) -> None:
        """Let a camera go. Never waits for a hearer.

        Once this returned, no probe and no flaw of it begins to be handed over. One at most, that was being handed over
        at that moment, may still be in its hearer, or reach it: whoever compares asks what may be compared anyway. The
        ends of its open tracks, and its last counters, are heard after that.

        Raises:
            InputError: it is not watched.
        """
        with self._lock:
            slot = self._assigned.get(camera_id)
            if slot is None or camera_id in self._leaving:
                raise InputError(f"{camera_id} is not watched", remedy="start it first")
            self._leaving.add(camera_id)  # nobody starts it again before its slot has let it go
        slot.remove(camera_id)
        with self._lock:
            del self._assigned[camera_id]
            self._leaving.discard(camera_id)

    def show_canary(self, camera_id: str) -> None:
        """Have a canary composited into the pictures of a camera, once; nothing where it is not watched."""
        with self._lock:
            slot = self._assigned.get(camera_id)
        if slot is not None:
            slot.show_canary(camera_id)

    def record(self, order: CameraOrder, *, reencode: bool = False) -> None:
        """Record a camera from now on, through every new start of it; the first of them starts a worker for that.

        Args:
            order: the camera.
            reencode: encoded anew, with its masks in the pixels, by a worker that records nothing as it comes.

        Raises:
            InputError: it is recorded already, or is a file, or the workers have ended.
        """
        with self._lock:
            if self._closed or order.camera_id in self._recorded or order.address.file is not None:
                raise InputError(f"{order.camera_id} cannot be recorded", remedy="record a stream, once")
            slot = self._recorder_for(reencode=reencode)
            self._recorded[order.camera_id] = slot
            slot.add(order)

    def _recorder_for(self, *, reencode: bool) -> Slot:
        """Return the worker with fewest cameras of those that record so, a new one where none has room."""
        most = REENCODED_PER_WORKER if reencode else RECORDED_PER_WORKER
        alike = [slot for slot in self._recorders if (slot.task == "reencode") == reencode]
        slot = min(alike, key=lambda each: len(each.cameras), default=None)
        if slot is None or len(slot.cameras) >= most:
            number = len(self._slots) + len(self._recorders)
            slot = Slot(number, self._recording, lambda: next(self._epochs), "reencode" if reencode else "record")
            self._recorders.append(slot)
        return slot

    def stop_recording(self, camera_id: str) -> None:
        """Record a camera no more; what was being handed over is still heard.

        Raises:
            InputError: it is not recorded.
        """
        with self._lock:
            slot = self._recorded.pop(camera_id, None)
        if slot is None:
            raise InputError(f"{camera_id} is not recorded", remedy="record it first")
        slot.remove(camera_id)

    def recorded(self) -> frozenset[str]:
        """Return the cameras that are to be recorded, whatever their state."""
        with self._lock:
            return frozenset(self._recorded)

    def recordings(self) -> dict[str, CameraReport]:
        """Return how the recording of each camera stands, by id."""
        return {report.camera_id: report for slot in list(self._recorders) for report in slot.reports()}

    def running(self) -> frozenset[str]:
        """Return the cameras that are wanted, whatever their state."""
        with self._lock:
            return frozenset(self._assigned)

    def states(self) -> dict[str, CameraReport]:
        """Return how each camera stands, by id."""
        return {report.camera_id: report for slot in self._slots for report in slot.reports()}

    def workers(self) -> list[WorkerReport]:
        """Return how each worker stands."""
        slots = [*self._slots, *self._recorders]
        return [WorkerReport(slot.number, slot.pid, len(slot.cameras), slot.starts, slot.kills) for slot in slots]

    def enrol(self, image: bytes, timeout_s: float) -> EnrolResult:
        """Have an image examined, by a worker that has no cameras and is started when it is first needed.

        Args:
            image: the file's content, at most 20 MB.
            timeout_s: for the examination, beside starting the worker and waiting for other images.

        Raises:
            ImageError: too large or empty, or its examination ended the worker or took too long.
            HabeasError: no worker can be started.
        """
        return self._enrolment.enrol(image, timeout_s)

    def enrolling(self) -> AbstractContextManager[None]:
        """Keep the images of one request together, and apart from others': see `Enrolment.batch`."""
        return self._enrolment.batch()

    def inspect(self, address: CameraAddress, timeout_s: float) -> StreamReport:
        """Say what a camera's stream is, from headers and packets; nothing is decoded for analysis, nobody looked for.

        Args:
            address: checked just now, but that its name need not have been asked for.
            timeout_s: for the inspection, beside starting a worker and waiting for other inspections.

        Raises:
            InputError: its name is unknown, or leads to where no camera may be.
            HabeasError: no worker can be started.
        """
        if address.file is None and not address.addresses:
            address = recheck(address, self._rules)
        return self._inspection.inspect(address, timeout_s)

    def close(self) -> None:
        """Ask the workers to end, kill those that do not, within 5 s in all. A second call does nothing.

        A hearer that blocks is left alone, with the thread that called it.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        deadline_s = time.monotonic() + _CLOSE_S
        slots = [*self._slots, *self._recorders]
        for slot in slots:
            slot.ask_to_end()
        self._enrolment.close()
        self._inspection.close()
        late = _not_joined(slots, deadline_s - time.monotonic())
        for slot in late:
            slot.kill()
        _not_joined(late, _KILLED_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _not_counted(_counters: Counters) -> None:
    """Hear that a recording goes on: nothing is analysed by it."""


def _not_joined(slots: Sequence[Slot], within_s: float) -> list[Slot]:
    """Wait for slots, for so long in all; return those that did not end."""
    deadline_s = time.monotonic() + within_s
    return [slot for slot in slots if not slot.join(deadline_s - time.monotonic())]
