"""The end of footage: at its deadline nothing of it can be read; its key is destroyed, then its files are removed.

Three things end it, each without the others: every read asks for the deadline; every key carries it in the key store
(`KeyStore.reap`, which two threads of the node call); and `step` here destroys what is due by the rows. Lowering the
policy's `footage_h` shortens what exists; raising it lengthens nothing.

What is due goes in this order: its keys, at once; then rows and entries, in a transaction that waits for no disk but
the database's; then `sweep`, in a thread of its own, removes the files, which are noise by then, and tries again where
that fails.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from habeas.authority.policy import MAX_FOOTAGE_H
from habeas.errors import DiskError, FormatError, KeyDestroyed
from habeas.footage.files import SUFFIX, FootageFolder, hour_of, read_start
from habeas.footage.rows import kept_for_ns
from habeas.keys import KeyStore, Scope
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.footage_records import Footage
from habeas.store.queries import footage_beyond, footage_due, footage_names
from habeas.types import HOUR_NS, utc

ACTOR: Final = "clock"
LONGEST_NS: Final = MAX_FOOTAGE_H * HOUR_NS
"""No footage is kept for longer, whatever a policy says."""
_SOME: Final = 200
"""Camera-hours in a transaction."""


class Retention:
    """Ends footage. Its two methods are called by one thread each.

    Args:
        store: the database.
        keys: the key store.
        folder: where the files are.
        clock: the store's.
    """

    def __init__(self, store: Store, keys: KeyStore, folder: FootageFolder, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._folder = folder
        self._clock = clock
        self._looked_ns: int | None = None

    def step(self) -> list[str]:
        """Shorten what the policy shortens, and end the camera-hours whose deadline has come; return these.

        Raises:
            DiskError: a key could not be destroyed on the disk, or the database failed: call it again.
        """
        over = self._end_lost()
        while ended := self._end_some():
            over += ended
        while self._shorten_some():
            pass
        return over

    def _end_lost(self) -> list[str]:
        """End the camera-hours whose key is gone: at the start, and each hour, as nothing else looks for them."""
        now_ns = self._clock.monotonic_ns()
        if self._looked_ns is not None and now_ns - self._looked_ns < HOUR_NS:
            return []
        with self._store.read() as tx:
            lost = [row for row in tx.find(Footage) if not self._keys.has(row.key_id)]
        for start in range(0, len(lost), _SOME):
            self._end(lost[start : start + _SOME])
        self._looked_ns = now_ns
        return [row.footage_id for row in lost]

    def _end_some(self) -> list[str]:
        with self._store.read() as tx:
            kept_ns = kept_for_ns(tx)
            due = footage_due(tx, kept_ns=kept_ns, limit=_SOME)
        self._keys.destroy([row.key_id for row in due])
        self._end(due)
        return [row.footage_id for row in due]

    def _end(self, rows: Sequence[Footage]) -> None:
        """Take camera-hours, whose keys are gone, out of the database."""
        if not rows:
            return
        with self._store.write() as tx:
            kept_ns = kept_for_ns(tx)
            for row in rows:
                if row.deadline_ns > tx.now_ns and row.hour_ns + kept_ns < row.deadline_ns:
                    _note_shorter(tx, row, max(row.hour_ns + kept_ns, tx.now_ns))
                tx.remove(row)
                tx.entry("footage.destroyed", ACTOR, _facts(row))

    def _shorten_some(self) -> int:
        """Shorten camera-hours that the policy shortens; return how many. Their keys are first."""
        with self._store.read() as tx:
            kept_ns = kept_for_ns(tx)
            rows = footage_beyond(tx, kept_ns=kept_ns, limit=_SOME)
        ends = {row.key_id: row.hour_ns + kept_ns for row in rows}
        self._keys.reschedule_many({key: end_ns for key, end_ns in ends.items() if _is_later(self._keys, key, end_ns)})
        if rows:
            with self._store.write() as tx:
                for row in rows:
                    _note_shorter(tx, row, row.hour_ns + kept_ns)
                    tx.change(row, deadline_ns=row.hour_ns + kept_ns)
        return len(rows)

    # --- files --------------------------------------------------------------------------------------------------------

    def sweep(self) -> list[Path]:
        """Remove the files of camera-hours that are over and in no row; return those that were.

        They are over when their key is gone, or 120 hours after the hour by which their folder is named. One that
        cannot be removed keeps no other.

        Raises:
            DiskError: some could not be removed: call it again.
        """
        folders = list(self._folder.path.glob("*/*"))  # before the rows: a folder is never there before its row
        with self._store.read() as tx:
            names, now_ns = footage_names(tx), tx.now_ns
        removed: list[Path] = []
        failures: list[DiskError] = []
        for folder in folders:
            if f"{folder.parent.name}/{folder.name}" not in names:
                try:
                    removed += self._sweep_hour(folder, now_ns)
                except DiskError as error:
                    failures.append(error)
        if failures:
            raise failures[0]
        return removed

    def _sweep_hour(self, folder: Path, now_ns: int) -> list[Path]:
        hour_ns = hour_of(folder.name)
        if hour_ns is not None and hour_ns + LONGEST_NS <= now_ns:
            self._folder.remove(folder)
            return [folder]
        gone = [path for path in sorted(folder.glob(f"*{SUFFIX}")) if _is_noise(path, self._keys)]
        for path in gone:
            self._folder.remove_file(path)
        return gone


def _is_noise(path: Path, keys: KeyStore) -> bool:
    """Tell whether the key of a file is gone; what cannot be told is left for the deadline."""
    try:
        key_id = read_start(path).key
        keys.expires_at_ns(key_id)
    except KeyDestroyed:
        return key_id.startswith(f"{Scope.FOOTAGE.value}-")
    except FormatError:
        return False
    return False


def _is_later(keys: KeyStore, key_id: str, end_ns: int) -> bool:
    try:
        return keys.expires_at_ns(key_id) > end_ns
    except KeyDestroyed:
        return False


def _note_shorter(tx: Tx, row: Footage, deadline_ns: int) -> None:
    body = {"camera": row.camera_id, "deadline": utc(deadline_ns), "hour": utc(row.hour_ns)}
    tx.entry("footage.shortened", ACTOR, body)


def _facts(row: Footage) -> dict[str, object]:
    return {"bytes": row.bytes_stored, "camera": row.camera_id, "hour": utc(row.hour_ns), "segments": row.segments}
