"""One worker's cameras as the node knows them, epoch by epoch; what the worker says is checked against it.

Guarded by one lock, which is never held while a hearer is called: a hearer may block for long, and nobody else waits
for it. What is to be heard is queued under the lock and handed over by the worker's thread alone, in order. Whether a
camera is still wanted is asked under the lock, for each probe and flaw, just before it is handed over. So once `remove`
returned, at most one of its probes or flaws is still heard: the one that was being handed over at that moment.
"""

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from habeas.engine.messages import (
    CameraEnded,
    CameraFlaw,
    CanaryDone,
    Counters,
    Listening,
    Message,
    PartMade,
    ProbeMade,
    TrackEnded,
)
from habeas.engine.orders import CameraOrder, CameraReport, CameraState, Hearers
from habeas.engine.run import TrackEnd
from habeas.errors import InputError
from habeas.ports import Clock
from habeas.types import NS_PER_S, ClosedTrack, Flaw, Origin, OriginKind, Probe, Templates
from habeas.video.canary import canary_origin
from habeas.video.edge import origin
from habeas.video.parts import Part

_MOST_OPEN_TRACKS: Final = 4096
_GRACE_S: Final = 2.0
"""Counters come once a second: a stall is seen here so much later than in the worker."""
_OLDEST_NS: Final = 120 * NS_PER_S
"""A probe's picture is at most so old when it is heard, beside the time in which hearers kept the worker waiting."""
_AHEAD_NS: Final = 5 * NS_PER_S
_LONGEST_LAG_NS: Final = 600 * NS_PER_S
_REMEDY: Final = "the worker is started again; report this if it repeats"
_MOST_FRAMES_A_S: Final = 1000
_COUNT_SLACK_NS: Final = 60 * NS_PER_S
"""What a stream may have sent at once when it began."""
_TOTALS: Final = ("decoded", "analysed", "gated", "dropped", "faces", "tracks", "analysed_ns")

CameraMessage = Listening | ProbeMade | TrackEnded | CanaryDone | PartMade | Counters | CameraFlaw | CameraEnded


@dataclass(eq=False)
class Watch:
    """One epoch of a camera.

    `wanted`: nobody removed it. `told`: the worker knows of it. `over`: it ended, and is not started again.
    `canary_due`: the worker is to composite one. `canary_shown`: it was told to, and did not say that it is out again.
    """

    order: CameraOrder
    epoch: int
    origin: Origin
    canary_origin: Origin
    changed_ns: int
    due_ns: int = 0
    told_ns: int = 0
    failures: int = 0
    wanted: bool = True
    told: bool = False
    let_go: bool = False
    over: bool = False
    canary_due: bool = False
    canary_shown: bool = False
    counters: Counters | None = None
    flaw: str = ""
    tracks: dict[int, ClosedTrack] = field(default_factory=dict)


@dataclass(frozen=True)
class _Saying:
    """What a hearer is to be told. `of`: only while this is wanted; None: in any case."""

    of: Watch | None
    tell: Callable[[], None]


class Watches:
    """The cameras of one worker.

    Args:
        hearers: who hears of what.
        clock: tells when cameras last came on.
        machine: the clock that the worker's process has, too; the installation's may deliberately differ from it.
        next_epoch: never gives the same number twice.
    """

    def __init__(self, hearers: Hearers, clock: Clock, machine: Clock, next_epoch: Callable[[], int]) -> None:
        self._hearers = hearers
        self._clock = clock
        self._machine = machine
        self._sayings: deque[_Saying] = deque()
        self._lag_ns = 0
        self._lag_at_ns = machine.monotonic_ns()
        self._next_epoch = next_epoch
        self._lock = threading.Lock()
        self._cameras: dict[str, Watch] = {}
        self._told: dict[int, Watch] = {}
        self._jitter = random.Random()  # noqa: S311 - spreads new starts, guards nothing

    # --- what is wanted, from any thread ------------------------------------------------------------------------------

    def add(self, order: CameraOrder) -> None:
        """Want a camera."""
        with self._lock:
            self._cameras[order.camera_id] = self._watch(order)

    def remove(self, camera_id: str) -> None:
        """Want it no more: its open tracks end, and beside that only its last counters are heard.

        The worker's thread tells of the ends (`tell`), after what it is handing over at this moment.
        """
        with self._lock:
            watch = self._cameras.pop(camera_id)
            watch.wanted = False
            self._end_tracks(watch)

    def show_canary(self, camera_id: str) -> None:
        """Want a canary in the pictures of a camera, if the worker has it."""
        with self._lock:
            watch = self._cameras.get(camera_id)
            if watch is not None:
                watch.canary_due = True

    def reports(self, worker_pid: int | None) -> list[CameraReport]:
        """Return how each camera stands; `worker_pid` None: no worker runs."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            return [
                CameraReport(
                    camera_id=watch.order.camera_id,
                    state=_state(watch, now_ns, running=worker_pid is not None),
                    epoch=watch.epoch,
                    worker_pid=worker_pid,
                    counters=watch.counters,
                    flaw=watch.flaw,
                )
                for watch in self._cameras.values()
            ]

    # --- the worker's thread ------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Hand over what is to be heard, oldest first. Takes as long as the hearers do."""
        while (saying := self._next_saying()) is not None:
            began_ns = self._machine.monotonic_ns()
            try:
                saying.tell()
            finally:
                self._lagged(self._machine.monotonic_ns() - began_ns)

    def to_start(self) -> list[Watch]:
        """Return what the worker is to be told of now."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            return [
                watch
                for watch in self._cameras.values()
                if not watch.told and not watch.over and watch.due_ns <= now_ns
            ]

    def to_let_go(self) -> list[Watch]:
        """Return what the worker is to let go; each once."""
        with self._lock:
            leaving = [watch for watch in self._told.values() if not watch.wanted and not watch.let_go]
            for watch in leaving:
                watch.let_go = True
        return leaving

    def to_plant(self) -> list[Watch]:
        """Return the cameras in whose pictures the worker is to composite a canary; each once."""
        with self._lock:
            due = [watch for watch in self._told.values() if watch.canary_due and watch.wanted]
            for watch in due:
                watch.canary_due, watch.canary_shown = False, True
        return due

    def telling(self, watch: Watch) -> bool:
        """Note that the worker is about to be told; False where nobody wants the camera any more."""
        with self._lock:
            if watch.wanted:
                watch.told, watch.changed_ns = True, self._clock.monotonic_ns()
                watch.told_ns = watch.changed_ns
                self._told[watch.epoch] = watch
            return watch.wanted

    def failed(self, watch: Watch, what: str, *, over: bool) -> None:
        """Note that a camera could not be started: it is tried again, unless it is `over`."""
        with self._lock:
            self._told.pop(watch.epoch, None)
            if watch.wanted:
                self._note_flaw(watch, what, 0)
                self._renew(watch, over=over)
        self.tell()

    def hear(self, message: CameraMessage, model_id: str) -> Watch | None:
        """Take in what the worker says of a camera, and hand it over; return the watch if that was its last word.

        Raises:
            InputError: of a camera or epoch that it was not told of, of a time that cannot be, or contradicting what it
                said before.
        """
        with self._lock:
            watch = self._take_in(message, model_id)
        self.tell()
        return watch

    def note_flaw(self, epoch: int, what: str) -> None:
        """Tell what went wrong on the way to a camera."""
        with self._lock:
            watch = self._told.get(epoch)
            if watch is not None and watch.wanted:
                self._note_flaw(watch, what, 0)
        self.tell()

    def worker_ended(self) -> None:
        """Note that the worker is gone: open tracks end, and every camera waits for its next epoch."""
        with self._lock:
            self._told.clear()
            gone = list(self._cameras.values())
            for watch in gone:
                if watch.told and not watch.over:
                    self._cameras[watch.order.camera_id] = self._watch(watch.order, flaw=watch.flaw)
            for watch in gone:
                self._end_tracks(watch)
        self.tell()  # last: a hearer that fails leaves no camera behind

    # --- under the lock -----------------------------------------------------------------------------------------------

    def _watch(self, order: CameraOrder, *, flaw: str = "", failures: int = 0, due_ns: int = 0) -> Watch:
        kind = OriginKind.LIVE if order.address.file is None else OriginKind.FILE
        return Watch(
            order=order,
            epoch=self._next_epoch(),
            origin=origin(kind, order.camera_id),
            canary_origin=canary_origin(order.camera_id),
            changed_ns=self._clock.monotonic_ns(),
            due_ns=due_ns,
            failures=failures,
            flaw=flaw,
        )

    def _take_in(self, message: CameraMessage, model_id: str) -> Watch | None:
        watch = self._told.get(message.epoch)
        if watch is None or watch.order.camera_id != message.camera_id:
            raise InputError("a worker speaks of a camera or epoch that it does not have", remedy=_REMEDY)
        if isinstance(message, Counters):
            self._count(watch, message)
        elif isinstance(message, CameraEnded):
            del self._told[message.epoch]
            self._ended(watch, failed=message.failed)
            return watch
        elif watch.wanted:
            self._hear_wanted(watch, message, model_id)
        return None

    def _hear_wanted(self, watch: Watch, message: Message, model_id: str) -> None:
        if isinstance(message, ProbeMade):
            self._probe(watch, message, model_id)
        elif isinstance(message, TrackEnded):
            track = ClosedTrack(message.track_id, message.first_seen_ns, message.last_seen_ns)
            watch.tracks.pop(track.track_id, None)
            self._say_end(watch, track)
        elif isinstance(message, PartMade):
            self._part(watch, message)
        elif isinstance(message, CanaryDone):
            self._canary_done(watch, message)
        elif isinstance(message, CameraFlaw):
            self._note_flaw(watch, message.text, message.at_ns)

    def _part(self, watch: Watch, message: PartMade) -> None:
        self._check_capture(message.captured_at_ns)
        part = Part(
            segment=message.segment,
            index=message.index,
            captured_at_ns=message.captured_at_ns,
            lasts_ns=message.lasts_ns,
            codec=message.codec,
            size_wh=message.size_wh,
            data=message.payload,
            lost=message.lost,
        )
        self._sayings.append(_Saying(watch, lambda: self._hearers.on_part(watch.order.camera_id, watch.epoch, part)))

    def _canary_done(self, watch: Watch, message: CanaryDone) -> None:
        self._expect_canary(watch)
        watch.canary_shown = False
        self._sayings.append(_Saying(watch, lambda: self._hearers.on_canary(message.camera_id, message.found)))

    def _expect_canary(self, watch: Watch) -> None:
        if not watch.canary_shown:
            raise InputError("a worker speaks of a canary that it was not asked for", remedy=_REMEDY)

    def _probe(self, watch: Watch, message: ProbeMade, model_id: str) -> None:
        self._check_capture(message.captured_at_ns)
        if message.canary:
            self._expect_canary(watch)
            self._say_probe(watch, watch.canary_origin, message, model_id)
            return
        watch.tracks[message.track_id] = ClosedTrack(message.track_id, message.first_seen_ns, message.at_ns)
        if len(watch.tracks) > _MOST_OPEN_TRACKS:
            raise InputError("a worker has more open tracks than a street has faces", remedy=_REMEDY)
        self._say_probe(watch, watch.origin, message, model_id)

    def _say_probe(self, watch: Watch, of: Origin, message: ProbeMade, model_id: str) -> None:
        probe = Probe(
            origin=of,
            track_id=message.track_id,
            templates=Templates(message.vector[None], model_id, of),
            box_xyxy_px=np.array(message.box_xyxy_px, np.float32),
            face_rgb=message.face_rgb,
            at_ns=message.at_ns,
            first_seen_ns=message.first_seen_ns,
            captured_at_ns=message.captured_at_ns,
            size_wh=message.size_wh,
        )
        self._sayings.append(_Saying(watch, lambda: self._hearers.on_probe(probe)))

    def _check_capture(self, captured_at_ns: int) -> None:
        """Suspensions bind the time of capture, so a worker may not make it up."""
        age_ns = self._machine.now_ns() - captured_at_ns
        if not -_AHEAD_NS <= age_ns <= _OLDEST_NS + self._lag():
            what = f"a worker's picture is of {age_ns / NS_PER_S:.0f} s ago"
            raise InputError(what, remedy=_REMEDY)

    def _lag(self) -> int:
        """Return for how long hearers lately kept the worker waiting: caught up with in as long as it took."""
        now_ns = self._machine.monotonic_ns()
        self._lag_ns = max(0, self._lag_ns - (now_ns - self._lag_at_ns))
        self._lag_at_ns = now_ns
        return self._lag_ns

    def _lagged(self, took_ns: int) -> None:
        """Note that a hearer took so long, until now."""
        with self._lock:
            self._lag_at_ns += took_ns  # meanwhile nothing was caught up with
            self._lag_ns = min(_LONGEST_LAG_NS, self._lag() + took_ns)

    def _count(self, watch: Watch, counters: Counters) -> None:
        before = watch.counters
        since_ns = self._clock.monotonic_ns() - watch.told_ns + self._lag() + _COUNT_SLACK_NS
        if counters.analysed_ns > since_ns or counters.decoded > _MOST_FRAMES_A_S * since_ns // NS_PER_S:
            raise InputError("a worker counts more than there can have been", remedy=_REMEDY)
        if before is not None and any(getattr(counters, name) < getattr(before, name) for name in _TOTALS):
            raise InputError("a worker's totals run backwards", remedy=_REMEDY)
        if counters.decoded > (before.decoded if before is not None else 0):
            watch.changed_ns = self._clock.monotonic_ns()
            watch.failures = 0
        watch.counters = counters
        self._sayings.append(_Saying(None, lambda: self._hearers.on_counters(counters)))

    def _ended(self, watch: Watch, *, failed: bool) -> None:
        """A file that ended is over, and so is one that cannot be read; a stream has no end, and is started again."""
        if watch.wanted:
            if failed and not watch.flaw:
                self._note_flaw(watch, "failed", 0)
            self._renew(watch, over=watch.order.address.file is not None)

    def _renew(self, watch: Watch, *, over: bool) -> None:
        self._end_tracks(watch)
        if over:
            watch.over = True
            return
        live, failures = watch.order.live, watch.failures + 1
        pause_s = self._jitter.uniform(0.1, 1.0) * min(live.backoff_max_s, live.backoff_s * 2.0 ** min(failures, 16))
        due_ns = self._clock.monotonic_ns() + round(pause_s * NS_PER_S)
        renewed = self._watch(watch.order, flaw=watch.flaw, failures=failures, due_ns=due_ns)
        self._cameras[watch.order.camera_id] = renewed

    def _note_flaw(self, watch: Watch, what: str, at_ns: int) -> None:
        watch.flaw = what
        flaw = Flaw(watch.order.camera_id, what, at_ns)
        self._sayings.append(_Saying(watch, lambda: self._hearers.on_flaw(flaw)))

    def _end_tracks(self, watch: Watch) -> None:
        """End the tracks of which probes were heard: whoever keeps something of them lets go of it."""
        while watch.tracks:
            _, track = watch.tracks.popitem()
            self._say_end(watch, track)

    def _say_end(self, watch: Watch, track: ClosedTrack) -> None:
        end = TrackEnd(watch.origin, track)
        self._sayings.append(_Saying(None, lambda: self._hearers.on_end(end)))

    def _next_saying(self) -> _Saying | None:
        """Return what is to be heard next; what is not wanted any more is passed over."""
        with self._lock:
            while self._sayings:
                saying = self._sayings.popleft()
                if saying.of is None or self._still_wanted(saying.of):
                    return saying
        return None

    def _still_wanted(self, watch: Watch) -> bool:
        """Tell whether nobody removed a camera, in this epoch or in one that came after it."""
        current = self._cameras.get(watch.order.camera_id)
        return watch.wanted and current is not None and current.order is watch.order


def _state(watch: Watch, now_ns: int, *, running: bool) -> CameraState:
    if watch.over:
        return CameraState.ENDED
    if not running or watch.due_ns > now_ns:
        return CameraState.BACKOFF
    if not watch.told:
        return CameraState.STARTING
    if now_ns - watch.changed_ns > (watch.order.live.stall_s + _GRACE_S) * NS_PER_S:
        return CameraState.STALLED
    seen = watch.counters is not None and watch.counters.decoded > 0
    return CameraState.RUNNING if seen else CameraState.STARTING
