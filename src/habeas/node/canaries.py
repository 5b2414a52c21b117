"""The canary: whether recognition answers where it may, at least hourly, and is silent where it may not.

*Seen.* On each camera that is analysed a drawn face is composited into the pictures, takes the way of every other face
from there on, and must match the reserved view, which ends with the camera's own. What does not is told: once it may be
a moment without room for it, twice in a row recognition is blind there.

*Silent.* On each camera on which nothing may be compared the canary's own template is handed to the matcher, as a
worker's would be, at least hourly and as soon as it was closed. An answer is a breach: nothing is compared from then
on, until two approvers who have looked say so.

A canary is no alert: no row, no picture, no message to reviewers, and it is in no count.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.authority.breaches import is_breached
from habeas.authority.gallery import Gallery
from habeas.authority.requests import State
from habeas.authority.suspensions import suspended
from habeas.engine.orders import CameraReport, CameraState
from habeas.errors import HabeasError
from habeas.node.timekeeper import TOLERANCE_NS
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.records import Authorisation, Camera, Canary, Suspension
from habeas.types import F32, HOUR_NS, NS_PER_S, Alert, Origin, Probe, Templates, utc
from habeas.video.canary import canary_origin

ACTOR: Final = "canary"
ALARM: Final = 2
"""So many missed in a row are an alarm."""
REMEDY: Final = "see `habeas camera list` and `habeas status`; restart the node; report it if it stays"
BREACH: Final = "look at the entry `canary.leaked` and report it; two approvers who did run `habeas canary clear`"
_AGAIN_NS: Final = 55 * 60 * NS_PER_S
"""From one that was seen to the next: one an hour, however long it takes."""
_RETRY_NS: Final = 2 * 60 * NS_PER_S
_ANSWER_NS: Final = 15 * NS_PER_S
"""From its last picture until the matcher must have answered."""
_ROOM_NS: Final = 10 * 60 * NS_PER_S
"""For so long a picture may be too full of people to composite anything."""
_BEGUN: Final = frozenset({CameraState.STARTING, CameraState.RUNNING})
"""A camera that begins is asked for a canary at once: it is in its first pictures."""
_BATCH: Final = 5
_LIST: Final = 100
"""Cameras in one entry."""


@dataclass
class _Round:
    """A canary on its way. Times are of the clock that never jumps.

    `epoch` is of the camera's start in which it was asked for, `since_ns` when that had pictures, `done_ns` when it was
    out of them again.
    """

    epoch: int
    since_ns: int | None = None
    done_ns: int | None = None
    found: bool = False
    match: Alert | None = None


@dataclass(frozen=True)
class _Asked:
    """The canary's template was handed to the matcher where nothing might be compared.

    `at_ns` is of the clock that never jumps, `captured_at_ns` what its probe says.
    """

    origin: Origin
    at_ns: int
    captured_at_ns: int


@dataclass(frozen=True)
class _Missed:
    camera_id: str
    why: str


def why_missed(one: _Round, now_ns: int) -> str:
    """Say why a canary counts as missed; empty: it does not, yet. Pure."""
    if one.done_ns is None:
        waited_ns = 0 if one.since_ns is None else now_ns - one.since_ns
        return "there was no room for it in the picture" if waited_ns > _ROOM_NS else ""
    if not one.found:
        return "no face was found where it was"
    return "it was found, and not recognised" if now_ns - one.done_ns > _ANSWER_NS else ""


class Canaries:
    """Keeps the canaries of an installation. `step` is called each second, by one thread; the rest by any.

    Args:
        store: the database.
        clock: the store's.
        gallery: says where anything may be compared.
        reference: (d,) float32, the canary's shipped template.
        tell: hears of alarms.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        gallery: Gallery,
        reference: F32,
        tell: Callable[[HabeasError], None],
    ) -> None:
        with store.read() as tx:
            self.breached = is_breached(tx)
        """Recognition answered where it must not: nothing may be compared until two approvers clear that."""
        self._store = store
        self._clock = clock
        self._gallery = gallery
        self._reference = reference
        self._tell = tell
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}
        self._next_ns: dict[str, int] = {}
        self._asked: dict[str, _Asked] = {}
        self._answers: list[tuple[_Asked, Alert | None]] = []
        self._tested_ns: dict[str, int] = {}
        self._silent: Counter[str] = Counter()

    # --- what is heard ------------------------------------------------------------------------------------------------

    def shown(self, camera_id: str, found: bool) -> None:
        """Hear that a canary was in a camera's pictures, and whether a probe was made of it, which came before."""
        with self._lock:
            one = self._rounds.get(camera_id)
            if one is not None:
                one.done_ns, one.found = self._clock.monotonic_ns(), found

    def answered(self, origin: Origin, match: Alert | None) -> None:
        """Hear what the matcher says of a canary; None: nothing. Two of one camera are told apart by their origins."""
        with self._lock:
            asked, one = self._asked.get(origin.camera_id), self._rounds.get(origin.camera_id)
            if asked is not None and asked.origin is origin:
                del self._asked[origin.camera_id]
                self._answers.append((asked, match))
            elif one is not None and match is not None:
                one.match = match

    def clear(self) -> None:
        """Compare again: two approvers said so."""
        self.breached = False

    # --- each second --------------------------------------------------------------------------------------------------

    def step(
        self,
        states: Mapping[str, CameraReport],
        show: Callable[[str], None],
        compare: Callable[[Probe], None] | None,
    ) -> None:
        """Write what became of canaries, and send those that are due.

        Args:
            states: how each camera stands.
            show: has a canary composited into a camera's pictures.
            compare: hands a probe to the matcher, without waiting; None: it has no room now.

        Raises:
            DiskError: the database failed; what became of them is written next time.
        """
        watched = self._gallery.watched(self._clock.now_ns())
        self._hear_silence()
        for name in self._see({name: one for name, one in states.items() if name in watched}):
            show(name)
        if compare is not None:
            for asked in self._closed(self._gallery.cameras() - watched):
                compare(self._probe(asked))

    def _see(self, states: Mapping[str, CameraReport]) -> list[str]:
        """Write what became of canaries on cameras that are watched, and return those on which one is due."""
        begun = {name: one.epoch for name, one in states.items() if one.state in _BEGUN}
        now_ns = self._clock.monotonic_ns()
        with self._lock:  # what was not of this start of the camera is begun anew
            self._rounds = {name: one for name, one in self._rounds.items() if begun.get(name) == one.epoch}
            for name, one in self._rounds.items():
                if one.since_ns is None and states[name].state is CameraState.RUNNING:
                    one.since_ns = now_ns
            seen = {name: one.match for name, one in self._rounds.items() if one.match is not None}
            open_rounds = [(name, one) for name, one in self._rounds.items() if name not in seen]
            missed = [_Missed(name, why) for name, one in open_rounds if (why := why_missed(one, now_ns))]
        if seen or missed:
            self._write(seen, missed)
        with self._lock:
            for name in seen:
                self._end(name, now_ns + _AGAIN_NS)
            for each in missed:
                self._end(each.camera_id, now_ns + _RETRY_NS)
            due = [name for name in begun if name not in self._rounds and self._next_ns.get(name, now_ns) <= now_ns]
            self._rounds |= {name: _Round(begun[name]) for name in due}
        return due

    def _end(self, camera_id: str, next_ns: int) -> None:
        self._rounds.pop(camera_id, None)
        self._next_ns[camera_id] = next_ns

    def _write(self, seen: Mapping[str, Alert], missed: Sequence[_Missed]) -> None:
        with self._store.write() as tx:
            names = [name for name in sorted(seen) if _permitted(tx, name, seen[name].captured_at_ns)]
            for start in range(0, len(names), _LIST):
                _write_seen(tx, {name: seen[name] for name in names[start : start + _LIST]})
            for each in missed:
                self._write_missed(tx, each)

    def _write_missed(self, tx: Tx, missed: _Missed) -> None:
        row = _row(tx, missed.camera_id)
        count = row.missed + 1
        tx.change(row, missed=count, missed_at_ns=tx.now_ns)
        zone = _zone(tx, missed.camera_id)
        body = {"alarm": count >= ALARM, "camera": missed.camera_id, "in_a_row": count, "why": missed.why, "zone": zone}
        tx.entry("canary.missed", ACTOR, body)
        if count == ALARM:
            what = f"{missed.camera_id}: two canaries in a row were missed: {missed.why}"
            tx.after_commit(lambda: self._tell(HabeasError(what, remedy=REMEDY)))

    # --- where it must be silent --------------------------------------------------------------------------------------

    def _closed(self, closed: frozenset[str]) -> list[_Asked]:
        """Return what to ask on cameras on which nothing may be compared, and whose silence is due: a few at a time."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            self._tested_ns = {name: at_ns for name, at_ns in self._tested_ns.items() if name in closed}
            self._asked = {name: one for name, one in self._asked.items() if now_ns - one.at_ns <= _ANSWER_NS}
            due = [name for name in sorted(closed) if now_ns - self._tested_ns.get(name, -HOUR_NS) >= HOUR_NS]
            chosen = due[: _BATCH - len(self._asked)]
            for name in chosen:
                self._tested_ns[name] = now_ns
                self._asked[name] = _Asked(canary_origin(name), now_ns, self._clock.now_ns())
            return [self._asked[name] for name in chosen]

    def _probe(self, asked: _Asked) -> Probe:
        return Probe(
            origin=asked.origin,
            track_id=0,
            templates=Templates(self._reference[None], self._gallery.model_id, asked.origin),
            box_xyxy_px=np.zeros(4, np.float32),
            face_rgb=np.zeros((1, 1, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=asked.captured_at_ns,
        )

    def _hear_silence(self) -> None:
        with self._lock:
            waiting = bool(self._asked)
        heard = 0
        while (answer := self._first_answer()) is not None:
            asked, match = answer
            if match is not None:
                self._check_breach(asked, match)
            else:
                self._silent[self._why_closed(asked.origin.camera_id)] += 1
            with self._lock:
                self._answers.pop(0)  # once it is written: where that fails, it is looked at again
            heard += 1
        if self._silent and not heard and not waiting:
            with self._store.write() as tx:
                tx.entry("canary.silent", ACTOR, {name: self._silent[name] for name in ("suspended", "unauthorised")})
            self._silent.clear()

    def _first_answer(self) -> tuple[_Asked, Alert | None] | None:
        with self._lock:
            return self._answers[0] if self._answers else None

    def _why_closed(self, camera_id: str) -> str:
        free = self._gallery.captured_freely(camera_id, self._clock.now_ns())
        return "unauthorised" if free else "suspended"

    def _check_breach(self, asked: _Asked, match: Alert) -> None:
        """An answer where nothing might be compared when it was asked for: was it by right, by the rows, since then?"""
        camera_id = asked.origin.camera_id
        self._gallery.stop()  # the next tick lets it go on, unless this is a breach
        with self._store.write() as tx:
            if _might_be_permitted(tx, camera_id, asked.captured_at_ns):
                return
            self.breached = True
            tx.change(_row(tx, camera_id), leaked_at_ns=tx.now_ns)
            tx.entry("canary.leaked", ACTOR, {"similarity": match.similarity, **_about(tx, camera_id, match)})
        what = f"{camera_id}: recognition answered where nothing may be compared; nothing is compared any more"
        self._tell(HabeasError(what, remedy=BREACH))


def _permitted(tx: Tx, camera_id: str, captured_at_ns: int) -> bool:
    """Tell whether what was captured then may be compared now: by the rows, not by what was compiled of them."""
    found = tx.find(Camera, camera_id=camera_id, removed_at_ns=None)
    if not found or suspended(tx.find(Suspension), found[0], captured_at_ns):
        return False
    source = (camera_id, found[0].source_digest)
    running = tx.find(Authorisation, state=State.ACTIVE.value, kind="live")
    return any(
        source in row.cameras
        and max(row.from_ns, (row.started_at_ns or 0) - TOLERANCE_NS) <= captured_at_ns < row.until_ns
        for row in running
    )


def _might_be_permitted(tx: Tx, camera_id: str, since_ns: int) -> bool:
    """Tell whether what was captured then might be compared at any moment since: by what began and ended meanwhile."""
    found = tx.find(Camera, camera_id=camera_id)
    if not found:
        return False
    rows = [row for row in tx.find(Suspension) if row.imposed_at_ns <= since_ns]  # a later one may have come after it
    if suspended(rows, found[0], since_ns):
        return False
    source = (camera_id, found[0].source_digest)
    return any(
        source in row.cameras
        and row.started_at_ns is not None
        and row.from_ns <= tx.now_ns
        and since_ns < row.until_ns
        and (row.ended_at_ns is None or row.ended_at_ns >= since_ns)
        for row in tx.find(Authorisation, kind="live")
    )


def _write_seen(tx: Tx, seen: Mapping[str, Alert]) -> None:
    first = next(iter(seen.values()))
    cameras = [{**_about(tx, name, match), "similarity": round(match.similarity, 4)} for name, match in seen.items()]
    tx.entry("canary.seen", ACTOR, {"cameras": cameras, "model": first.model_id})
    for name, match in seen.items():
        tx.change(_row(tx, name), seen_at_ns=tx.now_ns, similarity=match.similarity, missed=0)


def _about(tx: Tx, camera_id: str, match: Alert) -> dict[str, object]:
    return {
        "camera": camera_id,
        "captured_at": utc(match.captured_at_ns),
        "threshold": round(match.threshold.similarity, 4),
        "view": match.view_id,
        "zone": _zone(tx, camera_id),
    }


def _zone(tx: Tx, camera_id: str) -> str:
    return next((one.zone for one in tx.find(Camera, without=("record_sealed",), camera_id=camera_id)), "")


def _row(tx: Tx, camera_id: str) -> Canary:
    for row in tx.find(Canary, camera_id=camera_id):
        return row
    row = Canary(camera_id)
    tx.add(row)
    return row


def told_canaries(tx: Tx) -> dict[str, dict[str, object]]:
    """Return how the canaries of each camera stand, JSON values."""
    return {
        row.camera_id: {
            "seen": None if row.seen_at_ns is None else utc(row.seen_at_ns),
            "similarity": row.similarity,
            "missed": row.missed,
            "leaked": None if row.leaked_at_ns is None else utc(row.leaked_at_ns),
        }
        for row in tx.find(Canary)
    }
