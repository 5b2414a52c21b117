"""What the clock asks of holds: copies of what was approved, at once, and the end of each, at its own.

A hold ends in three ways, each without the others: every look at it asks for its end; its key, which is the key of all
its copies, carries that end in the key store, whose reapers ask for no row; and `end_due` here destroys what is due by
the rows, and waits for no copying. Then `sweep` removes the files, which are noise by then.

Copying stands in no transaction: a crash in the middle leaves an approved hold and whole segments, and it is done
again.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from habeas.errors import DiskError, HabeasError, KeyDestroyed
from habeas.footage.copying import Copied, Source, copy_found, found_in, under
from habeas.footage.files import SUFFIX, FootageFolder, read_start
from habeas.footage.form import Header
from habeas.footage.holding import OVER, RUNNING, SETTLE_NS, State, covered_ns, due_ns, overlap, spans
from habeas.footage.reading import Window
from habeas.keys import KeyStore, Scope
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.footage_records import Hold, PublicRequest
from habeas.store.queries import footage_deadline
from habeas.types import HOUR_NS, seconds

ACTOR: Final = "clock"
AT_END: Final = "its end"
KEY_GONE: Final = "its key is gone"
NOTHING: Final = "nothing of it is there"
_OPEN: Final = [state.value for state in set(State) - OVER]
_RUNNING: Final = [state.value for state in RUNNING]


class Keeping:
    """Copies and ends holds. Its three methods that the clock calls are called by one thread each.

    Args:
        store: the database.
        keys: the key store.
        footage: where what is recorded lies.
        held: where what is preserved lies: a folder each hold.
        clock: the store's.
        reserve_bytes: room on the disk that copies leave to alerts and the log.
    """

    def __init__(
        self, store: Store, keys: KeyStore, footage: FootageFolder, held: Path, clock: Clock, *, reserve_bytes: int
    ) -> None:
        self._store = store
        self._keys = keys
        self._footage = footage
        self._held = held
        self._clock = clock
        self._reserve_bytes = reserve_bytes

    def folder(self, object_id: str) -> FootageFolder:
        """Return where the copies of a hold lie."""
        return FootageFolder(self._held / object_id)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def end_due(self) -> None:
        """Lapse proposals, end holds, and note that the keys of all that are over are gone.

        Raises:
            DiskError: a key could not be destroyed on the disk, or the database failed: call it again.
        """
        with self._store.read() as tx:
            due = [hold for hold in tx.find(Hold, state=_OPEN) if self._is_due(hold, tx.now_ns)]
            over = tx.find(Hold, state=[state.value for state in OVER], destroyed_at_ns=None)
        running = [hold for hold in due if State(hold.state) in RUNNING]
        self._keys.destroy([hold.key_id for hold in (*running, *over)])
        if due or over:
            with self._store.write() as tx:
                self._write_ends(tx, due, over)

    def _write_ends(self, tx: Tx, due: Sequence[Hold], over: Sequence[Hold]) -> None:
        for hold in over:
            _note_destroyed(tx, hold)
        for hold in tx.find(Hold, hold_id={one.hold_id for one in due}, state=_OPEN):
            if not self._is_due(hold, tx.now_ns):
                continue
            if State(hold.state) in RUNNING:
                _finish(tx, hold, AT_END if tx.now_ns >= hold.ends_at_ns else KEY_GONE)
            else:
                _lapse(tx, hold)

    def _is_due(self, hold: Hold, now_ns: int) -> bool:
        return now_ns >= due_ns(hold) or not self._keys.has(hold.key_id)

    # --- copies -------------------------------------------------------------------------------------------------------

    def copy_approved(self) -> None:
        """Copy what was approved, those first whose footage goes first; one that fails keeps no other from it.

        Raises:
            DiskError: a copy could not be written, or the database failed: call it again.
        """
        with ExitStack() as failures:
            for hold in reversed(self._to_copy()):
                failures.callback(self._copy, hold)

    def _to_copy(self) -> list[Hold]:
        """Return the approved holds whose interval is written, those first whose footage goes first."""
        with self._store.read() as tx:
            approved = tx.find(Hold, state=State.APPROVED.value)
            now_ns = tx.now_ns
            deadlines = {hold.hold_id: footage_deadline(tx, hold.cameras, hold.from_ns) for hold in approved}
        written = [hold for hold in approved if now_ns >= hold.until_ns + SETTLE_NS]
        return sorted(written, key=lambda hold: (deadlines[hold.hold_id], hold.hold_id))

    def _copy(self, hold: Hold) -> None:
        """Copy a hold's footage, and write down what there was of it."""
        try:
            self._keys.reschedule(hold.key_id, hold.ends_at_ns)
            copied = self._copied(hold)
        except KeyDestroyed:
            return  # it was released, or has ended
        if not copied.parts:
            self._keys.destroy([hold.key_id])
        with self._store.write() as tx:
            for row in tx.find(Hold, hold_id=hold.hold_id, state=State.APPROVED.value):
                _finish(tx, row, NOTHING) if not copied.parts else _note_kept(tx, row, copied)

    def _copied(self, hold: Hold) -> Copied:
        copied, to = Copied(), self.folder(hold.hold_id)
        if to.free_bytes() < self._reserve_bytes:
            raise DiskError(
                "a hold is not copied: the disk is full", remedy="make room at once: its footage goes on time"
            )
        sources = self._sources(hold)

        def header_of(header: Header) -> Header:
            return under(header, hold.key_id, hold.ends_at_ns)

        for hour in _hours(hold):  # all cameras' first hours go first
            window = Window(hour.camera_id, hold.from_ns, hold.until_ns)
            found = found_in(sources, self._keys, hour, self._clock.now_ns())
            copy_found(found, to, self._keys, header_of, window, copied)
        return copied

    def _sources(self, hold: Hold) -> list[Source]:
        """Return where a hold's footage may lie: in copies made before, as it was recorded, kept for others."""
        about = hold.cameras, hold.from_ns, hold.until_ns
        with self._store.read() as tx:
            requests = [one.request_id for one in tx.find(PublicRequest, destroyed_at_ns=None) if one.graces]
            holds = [one.hold_id for one in tx.find(Hold, state=_RUNNING) if overlap(one, *about)]
        return [
            Source(self.folder(hold.hold_id), Scope.HOLD),
            Source(self._footage, Scope.FOOTAGE),
            *(Source(self.folder(one), Scope.GRACE) for one in requests),
            *(Source(self.folder(one), Scope.HOLD) for one in holds if one != hold.hold_id),
        ]

    # --- files --------------------------------------------------------------------------------------------------------

    def sweep(self) -> list[Path]:
        """Remove the files whose key is gone; return those that were. One that cannot be removed keeps no other.

        Raises:
            DiskError: some could not be removed: call it again.
        """
        folders = sorted(self._held.glob("*"))  # before the rows: a folder is never there before its row
        with self._store.read() as tx:
            running = {hold.hold_id for hold in tx.find(Hold, state=_RUNNING)}
            running |= {request.request_id for request in tx.find(PublicRequest, destroyed_at_ns=None)}
        removed: list[Path] = []
        with ExitStack() as failures:
            for folder in folders:
                failures.callback(self._sweep, folder, removed, over=folder.name not in running)
        return removed

    def _sweep(self, folder: Path, removed: list[Path], *, over: bool) -> None:
        files = sorted(folder.glob(f"*/*/*{SUFFIX}"))
        gone = [path for path in files if self._is_noise(path)]
        for path in gone:
            FootageFolder.remove_file(path)
            removed.append(path)
        if over and len(gone) == len(files):
            FootageFolder.remove(folder)

    def _is_noise(self, path: Path) -> bool:
        try:
            return not self._keys.has(read_start(path).key)
        except HabeasError:
            return False


def _hours(hold: Hold) -> list[Window]:
    """Return the time of a hold's cameras by hours, as footage has its deadlines, in their order."""
    ends = [*range(hold.from_ns - hold.from_ns % HOUR_NS + HOUR_NS, hold.until_ns, HOUR_NS), hold.until_ns]
    begins = [hold.from_ns, *ends[:-1]]
    pairs = zip(begins, ends, strict=True)
    return [Window(camera_id, *pair) for pair in pairs for camera_id in hold.cameras]


def _note_destroyed(tx: Tx, hold: Hold) -> None:
    """Write that the key of a hold which is over is gone."""
    tx.change(hold, destroyed_at_ns=tx.now_ns)
    if hold.approved_at_ns is not None:
        tx.entry("hold.ended", ACTOR, {"hold": hold.hold_id, "why": hold.state})


def _finish(tx: Tx, hold: Hold, why: str) -> None:
    """End a hold whose key is gone."""
    at_ns = tx.now_ns
    tx.change(hold, state=State.ENDED.value, over_at_ns=at_ns, destroyed_at_ns=at_ns, asked_sealed=None)
    tx.entry("hold.ended", ACTOR, {"hold": hold.hold_id, "why": why})


def _lapse(tx: Tx, hold: Hold) -> None:
    tx.change(hold, state=State.LAPSED.value, over_at_ns=tx.now_ns, asked_sealed=None)
    tx.entry("hold.lapsed", ACTOR, {"hold": hold.hold_id})


def _note_kept(tx: Tx, hold: Hold, copied: Copied) -> None:
    asked_ns = covered_ns(spans(hold.cameras, hold.from_ns, hold.until_ns))
    told = {
        "lasts_ns": copied.lasts_ns,
        "missing_ns": asked_ns - copied.lasts_ns,
        "segments": len(copied.parts),
        "damaged": len(copied.damaged),
    }
    tx.change(hold, state=State.HELD.value, kept_at_ns=tx.now_ns, **told)
    body = {
        "damaged": told["damaged"],
        "hold": hold.hold_id,
        "missing_s": seconds(told["missing_ns"]),
        "seconds": seconds(told["lasts_ns"]),
        "segments": told["segments"],
    }
    tx.entry("hold.kept", ACTOR, body)
