"""One worker's place in the node: a thread that starts the worker, hears it, and starts it again.

Whatever a worker does wrong costs only its own cameras, and those only until it runs again. The thread owns the
process, its doors and all sending; other threads say what is wanted (`engine.watches`) and wake it.
"""

import os
import random
import select
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from habeas.clock import SystemClock
from habeas.engine.channel import Received
from habeas.engine.messages import (
    CameraEnded,
    CameraFlaw,
    CanaryDone,
    Counters,
    Failed,
    Heartbeat,
    Hello,
    Listening,
    PartMade,
    ProbeMade,
    ShowCanary,
    Shutdown,
    StopCamera,
    TrackEnded,
)
from habeas.engine.orders import DOORS_PER_WORKER, CameraOrder, CameraReport, Hearers, Timing, WorkerChange, WorkerNews
from habeas.engine.relay import Relay
from habeas.engine.session import Session
from habeas.engine.spawning import PROGRAM, Process, configure_for, spawn
from habeas.engine.watches import Watch, Watches
from habeas.errors import HabeasError, InputError
from habeas.ports import Clock
from habeas.settings import ModelSettings
from habeas.types import NS_PER_S

_BOTH: Final = Listening | Counters | CameraFlaw | CameraEnded
_RECORDS: Final = _BOTH | PartMade
_SAYS: Final = {"watch": _BOTH | ProbeMade | TrackEnded | CanaryDone, "record": _RECORDS, "reencode": _RECORDS}
"""What a worker says of cameras, by what it is for."""
_REMEDY: Final = "it is started again; report this if it repeats"


@dataclass(frozen=True)
class Wiring:
    """What all slots share.

    Args:
        models: where they are, already fetched.
        clock: for deadlines; those of single messages are real time.
        relay: opens the way to cameras.
        hearers: who hears of what.
        timing: how long a worker is waited for.
        program: what is run.
        machine: the clock of this machine, which workers have, too.
    """

    models: ModelSettings
    clock: Clock
    relay: Relay
    hearers: Hearers
    timing: Timing
    program: Sequence[str] = PROGRAM
    machine: Clock = field(default_factory=SystemClock)


class Slot:
    """Keeps one worker running. Begins at once.

    Args:
        number: of the worker, from 0.
        wiring: what all slots share.
        next_epoch: never gives the same number twice.
        task: watches cameras, or records them, as they come or encoded anew.
    """

    def __init__(
        self,
        number: int,
        wiring: Wiring,
        next_epoch: Callable[[], int],
        task: Literal["watch", "record", "reencode"] = "watch",
    ) -> None:
        self.number = number
        self.task: Final = task
        self.cameras: set[str] = set()
        self.kills = 0
        self.starts = 0
        self._wiring = wiring
        self._watches = Watches(wiring.hearers, wiring.clock, wiring.machine, next_epoch)
        self._closing = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._wake_closed = False
        self._running: Process | None = None
        self._jitter = random.Random()  # noqa: S311 - spreads new starts, guards nothing
        self._thread = threading.Thread(target=self._live, name=f"worker-{number}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the worker, where one runs."""
        process = self._running
        return None if process is None else process.pid

    def add(self, order: CameraOrder) -> None:
        """Watch a camera, from now on and through every new start of the worker."""
        self.cameras.add(order.camera_id)
        self._watches.add(order)
        self._wake_up()

    def remove(self, camera_id: str) -> None:
        """Let a camera go; `Watches.remove` says what is heard of it afterwards. Never waits for a hearer."""
        self.cameras.discard(camera_id)
        self._watches.remove(camera_id)
        self._wake_up()

    def show_canary(self, camera_id: str) -> None:
        """Have a canary composited into the pictures of a camera, if the worker has it. Never waits."""
        self._watches.show_canary(camera_id)
        self._wake_up()

    def reports(self) -> list[CameraReport]:
        """Return how its cameras stand."""
        return self._watches.reports(self.pid)

    def ask_to_end(self) -> None:
        """Ask the worker and the thread to end; `join` waits."""
        self._closing.set()
        self._wake_up()

    def _wake_up(self) -> None:
        """Have the thread look at what is wanted; once it was joined, its descriptor's number may be another file's."""
        with self._wake_lock:
            if not self._wake_closed:
                os.eventfd_write(self._wake, 1)

    def join(self, within_s: float) -> bool:
        """Wait for the thread, at most so long; return whether it ended.

        One that does not end is in a hearer, or waits for its worker: `kill` helps against the latter.
        """
        self._thread.join(max(0.0, within_s))
        if self._thread.is_alive():
            return False
        with self._wake_lock:
            if not self._wake_closed:
                self._wake_closed = True
                os.close(self._wake)
        return True

    def kill(self) -> None:
        """Kill the worker, whatever its thread does."""
        process = self._running
        if process is not None:
            process.popen.kill()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        failures = 0
        while not self._closing.is_set():
            began_ns = self._wiring.clock.monotonic_ns()
            with suppress(Exception):  # worker top loop: a hearer that fails, as told, must not end the watching
                self._one_life()
            healthy_ns = self._wiring.timing.healthy_s * NS_PER_S
            failures = 1 if self._wiring.clock.monotonic_ns() - began_ns >= healthy_ns else failures + 1
            if not self._closing.is_set():
                self._closing.wait(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """Full jitter: any wait below a ceiling that doubles with every failure in a row."""
        timing = self._wiring.timing
        ceiling_s = min(timing.backoff_max_s, timing.backoff_s * 2.0 ** min(failures - 1, 16))
        return self._jitter.uniform(0.0, ceiling_s)

    def _one_life(self) -> None:
        """Start the worker, hear it to its end, and tell what that was."""
        process: Process | None = None
        change, why = WorkerChange.KILLED, ""
        try:
            process = spawn(
                configure_for(self._wiring.models, self.task, doors=DOORS_PER_WORKER),
                self._wiring.timing.message_s,
                self._wiring.program,
            )
            self._running = process
            change, why = WorkerChange.STOPPED, self._hear_all(process)
        except InputError as error:
            why = error.message
        except HabeasError as error:
            change, why = WorkerChange.STOPPED, error.message
        except Exception as error:
            why = f"{type(error).__name__} while its message was taken in: {error}"
            raise
        finally:
            self._running = None
            if process is not None:
                process.kill()
            self.kills += change is WorkerChange.KILLED
            self._watches.worker_ended()
            self._tell(change, why, process.pid if process else 0)

    def _hear_all(self, process: Process) -> str:
        """Hear a worker until it ends; return why it did.

        Only waiting counts as silence: not the time in which its last message is taken in.

        Raises:
            InputError: it is silent, or says what it may not.
            HabeasError: it could not start, and says why.
        """
        clock, timing = self._wiring.clock, self._wiring.timing
        with Session(process, self._wiring.relay) as session:
            heard_ns = clock.monotonic_ns()
            while not self._closing.is_set():
                within_s = timing.silence_s if session.greeted else timing.start_s
                left_s = within_s - (clock.monotonic_ns() - heard_ns) / NS_PER_S
                ready = self._poll(process, max(0.0, left_s))
                if not ready:
                    raise InputError(f"it was silent for {within_s:g} s", remedy=_REMEDY)
                if process.channel.fileno() in ready:
                    received = process.channel.receive()
                    if received is None:
                        return process.ending()
                    self._hear(session, received)
                    heard_ns = clock.monotonic_ns()
                self._watches.tell()
                if session.greeted:
                    self._order_all(session)
            if session.greeted:  # one that still loads models would not listen
                self._farewell(process)
        return "asked to end"

    def _poll(self, process: Process, within_s: float) -> set[int]:
        """Wait for the worker or for an order; return the descriptors that are ready, none where time is up."""
        poll = select.poll()
        poll.register(process.channel.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(within_s * 1000)}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        return ready

    def _hear(self, session: Session, received: Received) -> None:
        message = received.message
        session.count(self._wiring.clock.monotonic_ns())
        if isinstance(message, Failed):
            raise HabeasError(message.text, remedy=message.remedy)
        if isinstance(message, Hello) and not session.greeted:
            session.greet(message, received)
            self.starts += 1
            self._tell(WorkerChange.STARTED, "", session.process.pid, message)
        elif isinstance(message, _SAYS[self.task]) and session.greeted:
            ended = self._watches.hear(message, session.model_id)
            if ended is not None:
                session.shut(ended.epoch)
        elif isinstance(message, Heartbeat) and session.greeted:
            for epoch, what in session.new_flaws():
                self._watches.note_flaw(epoch, what)
        else:
            received.close()
            raise InputError(f"a worker says {type(message).__name__} where it may not", remedy=_REMEDY)

    def _order_all(self, session: Session) -> None:
        """Tell the worker what is new: first what it is to let go, whose doors are shut at once."""
        for watch in self._watches.to_let_go():
            session.cut(watch.epoch)
            session.process.channel.send(StopCamera(camera_id=watch.order.camera_id, epoch=watch.epoch))
        for watch in self._watches.to_start():
            if watch.order.address.file is None and not session.room:
                break  # those that were let go give their doors back
            self._start(session, watch)
        for watch in self._watches.to_plant():
            session.process.channel.send(ShowCanary(camera_id=watch.order.camera_id, epoch=watch.epoch))

    def _start(self, session: Session, watch: Watch) -> None:
        try:
            order, file = session.prepare(watch)
        except InputError as error:
            self._watches.failed(watch, error.message, over=watch.order.address.file is not None)
            return
        try:
            if self._watches.telling(watch):
                session.process.channel.send(order, file)
            else:
                session.shut(watch.epoch)
        finally:
            for descriptor in file:
                os.close(descriptor)

    def _farewell(self, process: Process) -> None:
        """Ask the worker to end, and wait a little; what it still says is not heard."""
        try:
            process.channel.send(Shutdown())
            process.popen.wait(self._wiring.timing.farewell_s)
        except (InputError, subprocess.TimeoutExpired):
            return

    def _tell(self, change: WorkerChange, why: str, pid: int, hello: Hello | None = None) -> None:
        posture, model_id = (None, "") if hello is None else (hello.posture(), hello.model_id)
        self._wiring.hearers.on_worker(WorkerNews(self.number, change, why, pid, posture, model_id))
