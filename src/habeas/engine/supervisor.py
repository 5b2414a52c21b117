"""The node's workers: one for each core, many cameras each, and one for images to enrol.

A worker that stalls, floods or talks nonsense is killed, counted and started again, with new epochs for its cameras;
the others do not notice. Nothing that a worker may not know goes into one: `engine.spawning` says what does.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from habeas.engine.enrolment import Enrolment, EnrolResult
from habeas.engine.messages import Counters
from habeas.engine.orders import (
    CAMERAS_PER_WORKER,
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

_CLOSE_S = 4.0
"""What closing may take until workers are killed; with that, and their threads' end, it stays below 5 s."""


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
        on_end: hears of the end of a track, after all its probes; of every track of which there was one.
        on_counters: hears of the totals of an epoch, about once a second, also of its last after `stop`.
        on_flaw: hears of what went wrong with a camera.
        on_worker: hears of a worker that started or ended.
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
        timing: Timing | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        if workers < 1:
            raise InputError("an installation has no worker", remedy="set at least one")
        timing = timing or Timing()
        hearers = Hearers(on_probe, on_end, on_counters, on_flaw, on_worker)
        wiring = Wiring(settings.models, clock, relay, hearers, timing, program)
        epochs = itertools.count(1)
        self._lock = threading.Lock()
        self._assigned: dict[str, Slot] = {}
        self._closed = False
        self._enrolment = Enrolment(settings.models, timing, program)
        self._slots = [Slot(number, wiring, lambda: next(epochs)) for number in range(workers)]

    def start(self, order: CameraOrder) -> None:
        """Watch a camera, with the worker that has fewest, from now on and through every new start of it.

        Raises:
            InputError: it is watched already, or no worker has room.
        """
        with self._lock:
            if self._closed or order.camera_id in self._assigned:
                raise InputError(f"{order.camera_id} is watched already", remedy="stop it first")
            slot = min(self._slots, key=lambda each: len(each.cameras))
            if len(slot.cameras) >= CAMERAS_PER_WORKER:
                raise InputError(
                    f"each of {len(self._slots)} workers has {CAMERAS_PER_WORKER} cameras", remedy="set more workers"
                )
            self._assigned[order.camera_id] = slot
            slot.add(order)

    def stop(self, camera_id: str) -> None:
        """Let a camera go. Once this returned, no probe and no flaw of it is heard; its open tracks have ended.

        Raises:
            InputError: it is not watched.
        """
        with self._lock:
            slot = self._assigned.pop(camera_id, None)
            if slot is None:
                raise InputError(f"{camera_id} is not watched", remedy="start it first")
            slot.remove(camera_id)

    def running(self) -> frozenset[str]:
        """Return the cameras that are wanted, whatever their state."""
        with self._lock:
            return frozenset(self._assigned)

    def states(self) -> dict[str, CameraReport]:
        """Return how each camera stands, by id."""
        return {report.camera_id: report for slot in self._slots for report in slot.reports()}

    def workers(self) -> list[WorkerReport]:
        """Return how each worker stands."""
        return [WorkerReport(slot.number, slot.pid, len(slot.cameras), slot.starts, slot.kills) for slot in self._slots]

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

    def close(self) -> None:
        """Ask the workers to end, kill those that do not, within 5 s in all. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for slot in self._slots:
            slot.ask_to_end()
        self._enrolment.close()
        deadline_s = time.monotonic() + _CLOSE_S
        for slot in self._slots:
            slot.join(deadline_s - time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
