"""After a crash, or with another database: what files hold that no row counts is counted, and what was cut is ended.

Nothing of a file is believed before it was checked: a header names the camera and the hour of its folder, a camera that
there is, a key of footage, and a deadline of at most 120 hours. What is not so is left where it is until its deadline,
and told; it keeps no other from being counted, and the node from nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.errors import DiskError, FormatError, InputError, KeyDestroyed
from habeas.footage.files import SUFFIX, FootageFolder, finish_cut, hour_of, is_torn, read_segment, read_start
from habeas.footage.form import Header
from habeas.footage.retention import ACTOR, LONGEST_NS
from habeas.footage.rows import footage_id
from habeas.keys import KeyStore, Scope
from habeas.store import Store, Tx
from habeas.store.footage_records import Footage
from habeas.store.records import Camera
from habeas.types import utc

_REMEDY: Final = "look who else writes there; it goes 120 hours after its hour"


@dataclass(frozen=True)
class _Found:
    """What a segment's file came to: of what it is, until when, stream time and bytes."""

    header: Header
    until_ns: int
    lasts_ns: int
    bytes_stored: int


@dataclass(frozen=True)
class _Hour:
    """A folder, and what is known of it."""

    path: Path
    camera_id: str
    hour_ns: int
    row: Footage | None


def take_over(store: Store, keys: KeyStore, folder: FootageFolder) -> list[str]:
    """End what a crash cut, and make rows say what files hold; before anything is recorded.

    Files whose key is gone, and those that a crash left without a whole header, are removed. Rows that are missing, as
    in an older database, are made of the files: what is not due yet is found again.

    Returns:
        what is wrong with files, a line each.
    """
    problems: list[str] = []
    for path in folder.hours():
        try:
            problems += _take_over_hour(store, keys, folder, path)
        except (InputError, FormatError, DiskError) as error:
            problems.append(f"{path.parent.name}/{path.name}: {error.message}")
    return problems


def _take_over_hour(store: Store, keys: KeyStore, folder: FootageFolder, path: Path) -> list[str]:
    with store.read() as tx:
        hour, now_ns = _known(tx, path), tx.now_ns
    files = sorted(path.glob(f"*{SUFFIX}"))
    if hour.row is not None and hour.row.segments == len(files):
        return []
    found, problems = list[_Found](), list[str]()
    fresh = _uncounted(hour, files)
    for file in files if fresh is None else fresh:
        try:
            found += _looked_at(file, hour, keys, folder, now_ns)
        except (InputError, FormatError, DiskError) as error:
            problems.append(f"{path.parent.name}/{path.name}/{file.name}: {error.message}")
    with store.write() as tx:
        _write(tx, keys, hour, found, anew=fresh is None)
    return problems


def _known(tx: Tx, path: Path) -> _Hour:
    """Return what is known of a folder.

    Raises:
        InputError: it is no folder of a camera-hour, or of a camera that there is not.
    """
    camera_id, hour_ns = path.parent.name, hour_of(path.name)
    if hour_ns is None or not tx.find(Camera, without=("record_sealed",), camera_id=camera_id):
        raise InputError("there is no such camera or hour", remedy=_REMEDY)
    rows = tx.find(Footage, footage_id=footage_id(camera_id, hour_ns))
    return _Hour(path, camera_id, hour_ns, rows[0] if rows else None)


def _uncounted(hour: _Hour, files: Sequence[Path]) -> list[Path] | None:
    """Return the files that the row does not count, where that is plain; None: all are to be counted anew.

    It is where those that began before the row's end are as many as it counts: segments follow one another.
    """
    if hour.row is None:
        return None
    later = [file for file in files if _may_begin_after(file, hour.row.until_ns)]
    return later if len(files) - len(later) == hour.row.segments else None


def _may_begin_after(file: Path, ns: int) -> bool:
    try:
        return read_start(file).began_ns >= ns
    except (FormatError, DiskError):
        return True


def _looked_at(file: Path, hour: _Hour, keys: KeyStore, folder: FootageFolder, now_ns: int) -> list[_Found]:
    """Return what a file holds, ended if it was not; nothing where it is noise, and removed.

    Raises:
        InputError: it is not what it should be, or damaged.
        FormatError: it is no segment.
        DiskError: it cannot be read, ended or removed.
    """
    if is_torn(file):
        folder.remove_file(file)
        return []
    header = read_start(file)
    _check(header, hour)
    try:
        if keys.expires_at_ns(header.key) <= now_ns:
            return []  # its key goes in a moment, and it with it
    except KeyDestroyed:
        folder.remove_file(file)
        return []
    if hour.row is not None and hour.row.key_id != header.key:
        raise InputError("its key is not the one of its hour", remedy=_REMEDY)
    return [_counted(file, keys, hour, now_ns)]


def _check(header: Header, hour: _Hour) -> None:
    """Check what a header says.

    Raises:
        InputError: it is not so.
    """
    if (header.camera, header.hour_ns) != (hour.camera_id, hour.hour_ns):
        raise InputError(f"it is of {header.camera}, {utc(header.hour_ns)}", remedy=_REMEDY)
    if not header.key.startswith(f"{Scope.FOOTAGE.value}-"):
        raise InputError("its key is none of footage", remedy=_REMEDY)
    if header.deadline_ns > header.hour_ns + LONGEST_NS:
        raise InputError("it says a deadline after 120 hours", remedy=_REMEDY)


def _counted(file: Path, keys: KeyStore, hour: _Hour, now_ns: int) -> _Found:
    stored = read_segment(file, hour.camera_id, hour.hour_ns)
    parts = list(stored.parts(keys, now_ns))
    whole_bytes = stored.whole_bytes if stored.is_ended(keys) else finish_cut(file, keys, stored, now_ns)
    lasts_ns = sum(part.lasts_ns for part in parts)
    until_ns = max((part.captured_at_ns + part.lasts_ns for part in parts), default=stored.header.began_ns)
    return _Found(stored.header, until_ns, lasts_ns, whole_bytes)


def _write(tx: Tx, keys: KeyStore, hour: _Hour, found: Sequence[_Found], *, anew: bool) -> None:
    """Make the row say what was found, beside what it counts already unless it is counted anew."""
    row = hour.row
    if row is None:
        if not found:
            return
        row = _new_row(tx, keys, found[0].header)
    tx.change(
        row,
        until_ns=max([row.until_ns, *(one.until_ns for one in found)]),
        lasts_ns=sum((one.lasts_ns for one in found), 0 if anew else row.lasts_ns),
        bytes_stored=sum((one.bytes_stored for one in found), 0 if anew else row.bytes_stored),
        segments=len(found) + (0 if anew else row.segments),
    )


def _new_row(tx: Tx, keys: KeyStore, header: Header) -> Footage:
    """Make the row of a camera-hour that this database does not know, with the end that its key has."""
    deadline_ns = min(header.deadline_ns, keys.expires_at_ns(header.key))
    name = footage_id(header.camera, header.hour_ns)
    row = Footage(name, header.camera, header.hour_ns, header.key, deadline_ns, header.hour_ns)
    tx.add(row)
    body = {"camera": header.camera, "deadline": utc(deadline_ns), "hour": utc(header.hour_ns)}
    tx.entry("footage.found", ACTOR, body)
    return row
