"""Segments of footage as files: appended record by record, each durable, and read whole.

    footage/CAMERA/HOUR/BEGAN-SEGMENT.habf      HOUR and BEGAN in UTC: 20261126T14, 20261126T141500

A file is written once, from its beginning to its end. What a crash cut is ended when the node starts again.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from habeas.errors import DiskError, FormatError, InputError, KeyDestroyed
from habeas.footage.form import (
    MAX_HEADER_BYTES,
    Header,
    Kind,
    Record,
    is_cut_header,
    open_record,
    read_header,
    read_records,
    seal_record,
    split_records,
)
from habeas.keys import KeyStore
from habeas.types import NS_PER_S, utc

_PRIVATE: Final = 0o700
SUFFIX: Final = ".habf"
FOOTAGE: Final = "footage"
"""The folder of footage in a workspace."""
HELD: Final = "held"
"""The folder of what is preserved of it: a folder each hold or request of the public, with folders as of footage."""
EXPORTS: Final = "exports"
"""The folder of films of exports: a folder each, with folders as of footage."""
PLAYBACKS: Final = "playbacks"
"""The folder of films of alerts: a folder each, with folders as of footage."""
ACCESS: Final = "access"
"""The folder of copies for access requests: a folder each, with folders as of footage."""
EVIDENCE: Final = "evidence"
"""The folder of video files that requesters handed in: a folder each, with folders as of footage."""
_HOUR_TEXT: Final = 11
_SECOND_TEXT: Final = 15
_MAX_FILE_BYTES: Final = 1 << 30
_REMEDY: Final = "free space on the disk of the workspace, or repair it; recording goes on by itself"


def compact(ns: int) -> str:
    """Return a time as names of files carry it: `20261126T141500`."""
    return re.sub(r"[-:]", "", utc(ns))[:_SECOND_TEXT]


def hour_text(hour_ns: int) -> str:
    """Return an hour as names of folders carry it: `20261126T14`."""
    return compact(hour_ns)[:_HOUR_TEXT]


def hour_of(text: str) -> int | None:
    """Return the hour that `hour_text` wrote, Unix ns; None: it wrote no such text."""
    try:
        hour_ns = int(datetime.strptime(f"{text}+0000", "%Y%m%dT%H%z").timestamp()) * NS_PER_S
    except ValueError:
        return None
    return hour_ns if hour_text(hour_ns) == text else None


def new_segment_id() -> str:
    """Return a random id."""
    return secrets.token_hex(8)


def _name(header: Header) -> str:
    return f"{compact(header.began_ns)}-{header.segment}{SUFFIX}"


class FootageFolder:
    """Where footage is. One process writes.

    Args:
        path: of the folder; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def hour(self, camera_id: str, hour_ns: int) -> Path:
        """Return the folder of a camera-hour."""
        return self.path / camera_id / hour_text(hour_ns)

    def segments(self, camera_id: str, hour_ns: int) -> list[Path]:
        """Return the files of a camera-hour, in the order of their times."""
        return sorted(self.hour(camera_id, hour_ns).glob(f"*{SUFFIX}"))

    def hours(self) -> list[Path]:
        """Return the folders of all camera-hours that have files."""
        return sorted({path.parent for path in self.path.glob(f"*/*/*{SUFFIX}")})

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove a folder of a camera-hour, if it is there.

        Raises:
            DiskError: it cannot be done; try again.
        """
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed("footage cannot be removed", error) from error

    @staticmethod
    def remove_file(path: Path) -> None:
        """Remove a file, if it is there.

        Raises:
            DiskError: it cannot be done; try again.
        """
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("footage cannot be removed", error) from error

    def free_bytes(self) -> int:
        """Return how much room the disk has.

        Raises:
            DiskError: it cannot be told.
        """
        try:
            _make(self.path)
            return shutil.disk_usage(self.path).free
        except OSError as error:
            raise _failed("the room for footage cannot be told", error) from error

    def check_room(self, reserve_bytes: int) -> None:
        """Check that copies leave the room that alerts and the log need.

        Raises:
            DiskError: they would not, or it cannot be told.
        """
        if self.free_bytes() < reserve_bytes:
            raise DiskError("footage is not copied: the disk is full", remedy="make room, then try again")

    def begin(self, keys: KeyStore, header: Header) -> "SegmentFile":
        """Begin a segment: its name and its header are durable when this returns.

        Raises:
            DiskError: that cannot be done; nothing of it is left, unless the disk keeps that from being removed.
        """
        folder = self.hour(header.camera, header.hour_ns)
        path = folder / _name(header)
        try:
            is_new = not folder.exists()
            _make(folder)
            file = path.open("xb", buffering=0)
        except OSError as error:
            raise _failed("a segment of footage cannot be begun", error) from error
        made = SegmentFile(file, keys, header, 0)
        try:
            made.write(header.dump())
            self.sync_names([folder, folder.parent, self.path, self.path.parent] if is_new else [folder])
        except DiskError:
            made.close()
            with suppress(OSError):
                path.unlink()
            raise
        return made

    def put(self, keys: KeyStore, header: Header, records: Iterable[Record]) -> Path:
        """Write a whole segment at once, in the place of one of the same name: durable, or not there.

        Raises:
            KeyDestroyed: its deadline has passed.
            DiskError: it cannot be written.
        """
        path = self.hour(header.camera, header.hour_ns) / _name(header)
        sealed = [seal_record(keys, header, number, record) for number, record in enumerate(records)]
        part = path.with_name(f".{path.name}.part")
        try:
            _make(path.parent)
            with part.open("wb") as file:
                file.write(header.dump() + b"".join(sealed))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise _failed("a copy of footage cannot be written", error) from error
        self.sync_names([path.parent, path.parent.parent, self.path, self.path.parent])
        return path

    def sync_names(self, folders: Iterable[Path]) -> None:
        """Make the names in folders durable.

        Raises:
            DiskError: that failed.
        """
        try:
            for folder in folders:
                handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
        except OSError as error:
            raise _failed("a segment of footage cannot be begun", error) from error


class SegmentFile:
    """A segment that is being written. Used by one thread.

    Args:
        file: at its end.
        keys: for its records.
        header: of the segment.
        records: that it has.
    """

    def __init__(self, file: IO[bytes], keys: KeyStore, header: Header, records: int) -> None:
        self._file = file
        self._keys = keys
        self.header: Final = header
        self.records = records
        self.bytes = 0
        self.lasts_ns = 0
        self.until_ns = header.began_ns

    def append(self, captured_at_ns: int, lasts_ns: int, data: bytes) -> None:
        """Add a part; it is durable when this returns.

        Raises:
            KeyDestroyed: its deadline has passed.
            DiskError: it could not be written; the segment is closed, and ends with the part before.
        """
        self._seal(Record(Kind.PART, captured_at_ns, lasts_ns, data))
        self.lasts_ns += lasts_ns
        self.until_ns = max(self.until_ns, captured_at_ns + lasts_ns)

    def end(self, now_ns: int) -> None:
        """End the segment, and close it: it is whole.

        Raises:
            KeyDestroyed: its deadline has passed.
            DiskError: that could not be written.
        """
        try:
            self._seal(Record(Kind.END, now_ns, self.records, b""))
        finally:
            self.close()

    def _seal(self, record: Record) -> None:
        self.write(seal_record(self._keys, self.header, self.records, record))
        self.records += 1

    def write(self, data: bytes) -> None:
        """Write bytes at the end, durable when this returns.

        Raises:
            DiskError: it could not be done; the file has no more of them than before, and is closed.
        """
        before = self._file.tell()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self._undo(before)
            raise _failed("footage cannot be written", error) from error
        self.bytes += len(data)

    def _undo(self, length: int) -> None:
        try:
            self._file.truncate(length)
        except OSError:
            return  # readers leave out a record that is not whole
        finally:
            self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


def stream_parts(path: Path, keys: KeyStore, now_ns: int) -> Iterator[Record]:
    """Yield the parts of a segment that was ended, as of `Stored.parts`, with one of them in memory.

    Args:
        path: of the file.
        keys: the key store.
        now_ns: Unix ns, of a clock that cannot be set back.

    Raises:
        FormatError: it is no segment, or of an unknown version.
        KeyDestroyed: its deadline has passed.
        InputError: a part was changed, belongs elsewhere, or some are missing.
        DiskError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            header, begin = read_header(file.read(MAX_HEADER_BYTES))
            if keys.expires_at_ns(header.key) <= now_ns:
                raise KeyDestroyed("the deadline of this has passed", remedy="nothing of it can be read any more")
            file.seek(begin)
            for number, sealed in enumerate(read_records(file)):
                record = open_record(keys, header, number, sealed)
                if record.kind is Kind.END and record.lasts_ns == number:
                    return
                yield record
    except OSError as error:
        raise _failed("footage cannot be read", error) from error
    raise InputError(f"{path.name} has no end", remedy="look who else writes there")


@dataclass(frozen=True)
class Stored:
    """A segment as it was read.

    Args:
        header: what it is of.
        records: sealed, those that are whole.
        whole_bytes: up to the end of the last of them.
    """

    header: Header
    records: tuple[bytes, ...]
    whole_bytes: int

    def parts(self, keys: KeyStore, now_ns: int) -> Iterator[Record]:
        """Yield its parts, unless its deadline has come, whether its key is still there or not.

        Args:
            keys: the key store.
            now_ns: Unix ns, of a clock that cannot be set back.

        Raises:
            KeyDestroyed: its deadline has passed.
            InputError: one was changed, belongs elsewhere, or some are missing.
        """
        if keys.expires_at_ns(self.header.key) <= now_ns:
            raise KeyDestroyed("the deadline of this footage has passed", remedy="nothing of it can be read any more")
        for number, sealed in enumerate(self.records):
            record = open_record(keys, self.header, number, sealed)
            if record.kind is Kind.END:
                if record.lasts_ns != number or number + 1 != len(self.records):
                    raise InputError("a segment of footage goes on after its end", remedy="look who writes there")
                return
            yield record

    def is_ended(self, keys: KeyStore) -> bool:
        """Tell whether it was ended: no crash cut it.

        Raises:
            KeyDestroyed: its deadline has passed.
            InputError: its last record was changed, or belongs elsewhere.
        """
        last = len(self.records) - 1
        return last >= 0 and open_record(keys, self.header, last, self.records[last]).kind is Kind.END


def read_segment(path: Path, camera_id: str, hour_ns: int) -> Stored:
    """Read a segment.

    Args:
        path: of the file.
        camera_id: whose it should be.
        hour_ns: of which hour.

    Raises:
        FormatError: it is none, or of an unknown version.
        InputError: it is of another camera or hour, or damaged.
        DiskError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _failed("footage cannot be read", error) from error
    if len(data) > _MAX_FILE_BYTES:
        raise FormatError(f"{path.name} is longer than any segment", remedy="look who else writes there")
    header, begin = read_header(data)
    if (header.camera, header.hour_ns) != (camera_id, hour_ns):
        what = f"{path.name} is of {header.camera}, {compact(header.hour_ns)}, and lies under {camera_id}"
        raise InputError(what, remedy="put it back, or remove it")
    records = tuple(split_records(data, begin))
    return Stored(header, records, begin + sum(4 + len(record) for record in records))


def read_start(path: Path) -> Header:
    """Return what a segment's file is of.

    Raises:
        FormatError: it is no segment, or of an unknown version.
        DiskError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return read_header(file.read(MAX_HEADER_BYTES))[0]
    except OSError as error:
        raise _failed("footage cannot be read", error) from error


def is_torn(path: Path) -> bool:
    """Tell whether a file ends within its header: a crash left it so, and nothing was recorded into it.

    Raises:
        DiskError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return is_cut_header(file.read(MAX_HEADER_BYTES))
    except OSError as error:
        raise _failed("footage cannot be read", error) from error


def finish_cut(path: Path, keys: KeyStore, stored: Stored, now_ns: int) -> int:
    """End a segment that a crash cut: what is not whole is taken off, and the end written; return its bytes then.

    Raises:
        KeyDestroyed: its deadline has passed.
        DiskError: it cannot be written.
    """
    try:
        file = path.open("r+b", buffering=0)
        file.truncate(stored.whole_bytes)
        file.seek(0, os.SEEK_END)
    except OSError as error:
        raise _failed("a segment of footage cannot be ended", error) from error
    ended = SegmentFile(file, keys, stored.header, len(stored.records))
    ended.end(now_ns)
    return stored.whole_bytes + ended.bytes


def _make(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only: names say what is recorded and held."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(_PRIVATE, exist_ok=True)


def _failed(what: str, error: OSError) -> DiskError:
    return DiskError(f"{what}: {error.strerror or error}", remedy=_REMEDY)
