"""The end of footage: at its deadline nothing of it can be read; its key is destroyed, then its files are removed.

Three things end it, each without the others: every read asks for the deadline; every key carries it in the key store
(`KeyStore.reap`, which two threads of the node call); and `step` here destroys what is due by the rows. Lowering the
policy's `footage_h` shortens what exists, at once; raising it lengthens nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.authority.policy import Ceilings, policy_now
from habeas.errors import DiskError, InputError, KeyDestroyed
from habeas.footage.files import SUFFIX, FootageFolder, finish_cut, read_segment, read_start
from habeas.footage.form import Header
from habeas.footage.recorder import footage_id
from habeas.keys import KeyStore
from habeas.store import Store, Tx
from habeas.store.records import Footage
from habeas.types import HOUR_NS, utc

ACTOR: Final = "clock"


def step(store: Store, keys: KeyStore, folder: FootageFolder) -> list[str]:
    """Shorten what the policy shortens, and end the camera-hours whose deadline has come; return these.

    Each end is a transaction of its own, and waits for no other.

    Args:
        store: the database.
        keys: the key store.
        folder: where the files are.

    Raises:
        DiskError: a key could not be destroyed on the disk, or files not removed: call it again.
    """
    with store.read() as tx:
        latest_ns = Ceilings.load(policy_now(tx).body).footage_h * HOUR_NS
        rows = [row for row in tx.find(Footage) if _is_due(keys, row, row.hour_ns + latest_ns, tx.now_ns)]
    over, failures = [], []
    for row in rows:
        try:
            with store.write() as tx:
                over += _end(tx, keys, folder, row, row.hour_ns + latest_ns)
        except DiskError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return over


def _is_due(keys: KeyStore, row: Footage, latest_ns: int, now_ns: int) -> bool:
    return row.deadline_ns <= now_ns or row.deadline_ns > latest_ns or not keys.has(row.key_id)


def _end(tx: Tx, keys: KeyStore, folder: FootageFolder, row: Footage, latest_ns: int) -> list[str]:
    """Shorten a camera-hour, and end it if that is due with it."""
    shorter = row if row.deadline_ns <= latest_ns else _shorten(tx, keys, row, max(latest_ns, tx.now_ns))
    if shorter.deadline_ns > tx.now_ns and keys.has(row.key_id):
        return []
    _destroy(tx, keys, folder, shorter)
    return [row.footage_id]


def _shorten(tx: Tx, keys: KeyStore, row: Footage, deadline_ns: int) -> Footage:
    body = {"camera": row.camera_id, "deadline": utc(deadline_ns), "hour": utc(row.hour_ns)}
    tx.entry("footage.shortened", ACTOR, body)
    if deadline_ns > tx.now_ns and keys.has(row.key_id):
        keys.reschedule(row.key_id, deadline_ns)
    return tx.change(row, deadline_ns=deadline_ns)


def _destroy(tx: Tx, keys: KeyStore, folder: FootageFolder, row: Footage) -> None:
    keys.destroy([row.key_id])
    folder.remove_hour(row.camera_id, row.hour_ns)
    tx.remove(row)
    body = {"bytes": row.bytes_stored, "camera": row.camera_id, "hour": utc(row.hour_ns), "segments": row.segments}
    tx.entry("footage.destroyed", ACTOR, body)


# --- after a crash, or with another database --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """What a segment's file came to: when it began, until when, stream time and bytes."""

    header: Header
    until_ns: int
    lasts_ns: int
    bytes_stored: int


def take_over(store: Store, keys: KeyStore, folder: FootageFolder) -> list[str]:
    """End what a crash cut, and add to the rows what files hold that no row counts; before anything is recorded.

    Folders whose key is gone are removed. Rows that are missing, as in an older database, are made of the files: what
    is not due yet is found again. What is damaged is left where it is until its deadline, and told.

    Returns:
        what is wrong with files, a line each.

    Raises:
        DiskError: a file cannot be read, written or removed, or the database failed.
    """
    problems: list[str] = []
    for path in folder.hours():
        with store.write() as tx:
            try:
                _take_over_hour(tx, keys, path)
            except KeyDestroyed:
                folder.remove(path)
            except InputError as error:
                problems.append(f"{path.parent.name}/{path.name}: {error.message}")
    return problems


def _take_over_hour(tx: Tx, keys: KeyStore, path: Path) -> None:
    files = sorted(path.glob(f"*{SUFFIX}"))
    rows = tx.find(Footage, footage_id=f"{path.parent.name}/{path.name}")
    uncounted = files[rows[0].segments :] if rows else files
    if not uncounted:
        return
    first = read_start(uncounted[0])
    keys.expires_at_ns(first.key)  # or it is destroyed
    row = rows[0] if rows else _row(tx, keys, first)
    found = [_counted(file, keys, row, tx.now_ns, cut=file == files[-1]) for file in uncounted]
    tx.change(
        row,
        until_ns=max([row.until_ns, *(one.until_ns for one in found)]),
        lasts_ns=row.lasts_ns + sum(one.lasts_ns for one in found),
        bytes_stored=row.bytes_stored + sum(one.bytes_stored for one in found),
        segments=row.segments + len(found),
    )


def _row(tx: Tx, keys: KeyStore, header: Header) -> Footage:
    """Make the row of a camera-hour that this database does not know, with the end that its key has."""
    deadline_ns = min(header.deadline_ns, keys.expires_at_ns(header.key))
    name = footage_id(header.camera, header.hour_ns)
    row = Footage(name, header.camera, header.hour_ns, header.key, deadline_ns, header.hour_ns)
    tx.add(row)
    body = {"camera": header.camera, "deadline": utc(deadline_ns), "hour": utc(header.hour_ns)}
    tx.entry("footage.found", ACTOR, body)
    return row


def _counted(file: Path, keys: KeyStore, row: Footage, now_ns: int, *, cut: bool) -> _Found:
    """Return what a file holds; the last of its hour, which a crash may have cut, is ended first."""
    stored = read_segment(file, row.camera_id, row.hour_ns)
    parts = list(stored.parts(keys, now_ns))
    if cut and not stored.is_ended(keys):
        finish_cut(file, keys, stored, now_ns)
    lasts_ns = sum(part.lasts_ns for part in parts)
    until_ns = max((part.captured_at_ns + part.lasts_ns for part in parts), default=stored.header.began_ns)
    return _Found(stored.header, until_ns, lasts_ns, stored.whole_bytes)
