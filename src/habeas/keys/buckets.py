"""The files of the key store: one bucket of keys per expiry hour, each under a wrapping key in a file of its own.

::

    store                  under the master key: the store's own random id
    2026112305.7.kek       under the master key: the wrapping key of generation 7
    2026112305.7.bucket    under that wrapping key: the keys that expire between 05:00 and 06:00 UTC
    2026112305.6.dead      a wrapping key on its way out: to be overwritten and removed, whatever happens
    memory                 under the master key: the last that the audit log signed, in no backup and no database

Adding a key rewrites the bucket under its wrapping key. Destroying one is a new generation:

1. the new wrapping key is written, synced, renamed to its name, the folder synced;
2. so is the bucket with the survivors. The rename is the moment from which generation 7 is the one that counts;
3. the old `kek` is renamed to `dead`, the folder synced, its bytes overwritten in place and synced; its bucket is
   removed, the folder synced; then `dead` is removed.

Without survivors there is only step 3. Whoever opens the store takes the highest generation that has both files, and
finishes step 3 for everything else: a crash between any two steps leaves either the old keys or the new ones.
A bucket whose wrapping key is neither there nor dead was not left by any crash, and is refused.
"""

import enum
import os
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from habeas.errors import InputError
from habeas.keys import frame
from habeas.keys.disk import Disk
from habeas.keys.frame import KEY_BYTES, Kind
from habeas.keys.master import MasterKey
from habeas.types import HOUR_NS

MAX_KEYS: Final = 1_000_000
"""In one bucket: what fits into a file that is still read."""
STORE_NAME: Final = "store"
MEMORY_NAME: Final = "memory"

_ID_BYTES: Final = 16
_ENTRY: Final = struct.Struct(f">B{_ID_BYTES}sq{KEY_BYTES}s")
_COUNT: Final = struct.Struct(">I")
_NAME: Final = re.compile(r"(\d{10})\.(\d{1,18})\.(kek|bucket|dead)(\.tmp)?", re.ASCII)


class Scope(enum.Enum):
    """What a key is for. Its value begins the key's id."""

    SUBJECT = "subject"
    ALERT = "alert"
    CAMERA = "camera"
    TAG = "tag"
    IDENTITY = "identity"
    LOG = "log"
    STAFF = "staff"
    FOOTAGE = "footage"
    HOLD = "hold"
    GRACE = "grace"
    ACCESS = "access"
    EXPORT = "export"
    EVIDENCE = "evidence"
    PLAYBACK = "playback"


_CODES: Final = {
    Scope.SUBJECT: 1,
    Scope.ALERT: 2,
    Scope.CAMERA: 3,
    Scope.TAG: 4,
    Scope.IDENTITY: 5,
    Scope.LOG: 6,
    Scope.STAFF: 7,
    Scope.FOOTAGE: 8,
    Scope.HOLD: 9,
    Scope.GRACE: 10,
    Scope.ACCESS: 11,
    Scope.EXPORT: 12,
    Scope.EVIDENCE: 13,
    Scope.PLAYBACK: 14,
}
_SCOPES: Final = {code: scope for scope, code in _CODES.items()}


@dataclass(frozen=True, repr=False)
class Entry:
    """One key.

    Args:
        scope: what it is for.
        number: 16 random bytes, in hexadecimal.
        expires_at_ns: Unix nanoseconds.
        key: 32 bytes.
    """

    scope: Scope
    number: str
    expires_at_ns: int
    key: bytes

    @property
    def key_id(self) -> str:
        """The name that everybody else knows it by."""
        return f"{self.scope.value}-{self.number}"

    @property
    def hour(self) -> int:
        """Hours since 1970 UTC, of its bucket."""
        return self.expires_at_ns // HOUR_NS


def new_entry(scope: Scope, expires_at_ns: int) -> Entry:
    """Make a key at random."""
    return Entry(scope, os.urandom(_ID_BYTES).hex(), expires_at_ns, os.urandom(KEY_BYTES))


@dataclass
class Bucket:
    """The keys of one expiry hour, and the state of their files.

    Args:
        hour: hours since 1970 UTC.
        generation: the highest that was tried; 0 before the first.
        wrapping_key: of that generation, once settled.
        entries: by key id, what should be in the file.
        settled: the files hold exactly `entries`. Otherwise a write failed half-way, and the next makes a generation.
    """

    hour: int
    generation: int
    wrapping_key: bytes
    entries: dict[str, Entry]
    settled: bool

    def __repr__(self) -> str:
        return f"Bucket({_hour_text(self.hour)}, generation={self.generation}, keys={len(self.entries)})"


class BucketFiles:
    """Writes and reads buckets on a disk.

    Args:
        disk: that holds a store.
        master: its master key.

    Raises:
        InputError: it holds none, another master key made it, or its `store` file is damaged.
        DiskError: it cannot be read.
    """

    def __init__(self, disk: Disk, master: MasterKey) -> None:
        self._disk = disk
        self._master = master.secret_bytes()
        names = disk.names()
        if STORE_NAME not in names:
            raise InputError("the folder holds no key store", remedy="name its folder, or make one: init")
        self._store_id = frame.read(STORE_NAME, disk.read(STORE_NAME), Kind.STORE, self._master, b"")
        for leftover in {_temporary(STORE_NAME), _temporary(MEMORY_NAME)}.intersection(names):
            disk.remove(leftover)

    def save(self, bucket: Bucket, entries: dict[str, Entry], *, rotate: bool) -> None:
        """Make the files of a bucket hold exactly `entries`, and wait until a power cut cannot undo it.

        Args:
            bucket: whose `entries` are set once they are on the disk.
            entries: by key id; none removes the files.
            rotate: under a new wrapping key, destroying the old one.

        Raises:
            DiskError: it failed half-way; `settled` is false, and the next `save` puts it right.
        """
        rotate = rotate or not bucket.settled
        bucket.settled = False
        if entries and rotate:
            self._new_wrapping_key(bucket)
        if entries:
            place = _place(bucket.hour, bucket.generation)
            data = frame.build(Kind.BUCKET, bucket.wrapping_key, _pack(entries), self._store_id + place)
            self._replace(_file(bucket.hour, bucket.generation, "bucket"), data)
        if rotate:
            self._erase(bucket.hour, bucket.generation if entries else bucket.generation + 1)
        bucket.entries = entries
        bucket.settled = True

    def _new_wrapping_key(self, bucket: Bucket) -> None:
        bucket.generation += 1
        wrapping_key = os.urandom(KEY_BYTES)
        place = _place(bucket.hour, bucket.generation)
        data = frame.build(Kind.WRAPPING_KEY, self._master, wrapping_key, self._store_id + place)
        self._replace(_file(bucket.hour, bucket.generation, "kek"), data)
        bucket.wrapping_key = wrapping_key

    def _replace(self, name: str, data: bytes) -> None:
        replace(self._disk, name, data)

    def remember(self, data: bytes) -> None:
        """Replace what is remembered; a power cut leaves the old or the new.

        Raises:
            DiskError: it could not be written.
        """
        self._replace(MEMORY_NAME, frame.build(Kind.MEMORY, self._master, data, self._store_id))

    def recall(self) -> bytes:
        """Return what was last remembered; empty: nothing was.

        Raises:
            InputError: it is damaged, or another store's.
            DiskError: it cannot be read.
        """
        if MEMORY_NAME not in self._disk.names():
            return b""
        return frame.read(MEMORY_NAME, self._disk.read(MEMORY_NAME), Kind.MEMORY, self._master, self._store_id)

    def load(self) -> dict[int, Bucket]:
        """Read every bucket, by hour; then finish what a crash left unfinished.

        Raises:
            InputError: a file is damaged, unknown, or belongs to another store.
            DiskError: it cannot be read or finished.
        """
        files = self._files()
        buckets = {}
        for hour, generations in files.items():
            current = max((number for number, kinds in generations.items() if {"kek", "bucket"} <= kinds), default=0)
            _check_orphans(hour, current, generations)
            if current:
                buckets[hour] = self._read(hour, current)
        for hour, generations in files.items():
            current = buckets[hour].generation if hour in buckets else 0
            self._finish(hour, current, generations)
        return buckets

    def _files(self) -> dict[int, dict[int, set[str]]]:
        """Return the endings of the files, by hour and generation."""
        files: dict[int, dict[int, set[str]]] = {}
        for name in self._disk.names():
            if name in {STORE_NAME, MEMORY_NAME}:
                continue
            hour, generation, kind = _parsed(name)
            files.setdefault(hour, {}).setdefault(generation, set()).add(kind)
        return files

    def _read(self, hour: int, generation: int) -> Bucket:
        bound = self._store_id + _place(hour, generation)
        kek, bucket = _file(hour, generation, "kek"), _file(hour, generation, "bucket")
        wrapping_key = frame.read(kek, self._disk.read(kek), Kind.WRAPPING_KEY, self._master, bound)
        packed = frame.read(bucket, self._disk.read(bucket), Kind.BUCKET, wrapping_key, bound)
        entries = {entry.key_id: entry for entry in _unpack(bucket, packed)}
        if any(entry.hour != hour for entry in entries.values()):
            raise frame.damaged(bucket, "it holds a key of another hour")
        return Bucket(hour, generation, wrapping_key, entries, settled=True)

    def _finish(self, hour: int, current: int, generations: dict[int, set[str]]) -> None:
        for number in sorted(generations):
            if number != current:
                self._erase_generation(hour, number, generations[number])
            elif "bucket.tmp" in generations[number]:
                self._disk.remove(_file(hour, number, "bucket.tmp"))

    def _erase(self, hour: int, below: int) -> None:
        """Destroy every generation below one, the lowest first: the highest whole one counts until its turn."""
        generations = self._files().get(hour, {})
        for number in sorted(generations):
            if number < below:
                self._erase_generation(hour, number, generations[number])

    def _erase_generation(self, hour: int, number: int, kinds: set[str]) -> None:
        disk = self._disk
        dead = _file(hour, number, "dead")
        if "kek.tmp" in kinds:
            disk.blank(_file(hour, number, "kek.tmp"))
            disk.remove(_file(hour, number, "kek.tmp"))
        if "kek" in kinds:
            disk.rename(_file(hour, number, "kek"), dead)
            disk.sync()
        if kinds & {"kek", "dead"}:
            disk.blank(dead)
        for kind in sorted(kinds & {"bucket", "bucket.tmp"}):
            disk.remove(_file(hour, number, kind))
        disk.sync()
        if kinds & {"kek", "dead"}:
            disk.remove(dead)
            disk.sync()

    def __repr__(self) -> str:
        return "BucketFiles()"


def make_store(disk: Disk, master: MasterKey) -> None:
    """Make an empty store on an empty disk.

    Raises:
        InputError: it is not empty.
        DiskError: it cannot be written.
    """
    if set(disk.names()) - {_temporary(STORE_NAME)}:
        raise InputError("the folder of a new key store must be empty", remedy="name a folder that does not exist")
    store_id = os.urandom(_ID_BYTES)
    replace(disk, STORE_NAME, frame.build(Kind.STORE, master.secret_bytes(), store_id, b""))


def replace(disk: Disk, name: str, data: bytes) -> None:
    """Write a file so that a power cut leaves the old one or the new one."""
    disk.write(_temporary(name), data)
    disk.rename(_temporary(name), name)
    disk.sync()


def _temporary(name: str) -> str:
    return name + ".tmp"


def _check_orphans(hour: int, current: int, generations: dict[int, set[str]]) -> None:
    for number, kinds in generations.items():
        if number > current and "bucket" in kinds and not kinds & {"kek", "dead"}:
            raise frame.damaged(_file(hour, number, "bucket"), "its wrapping key is missing")


def _file(hour: int, generation: int, kind: str) -> str:
    return f"{_hour_text(hour)}.{generation}.{kind}"


def _hour_text(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y%m%d%H")


def _place(hour: int, generation: int) -> bytes:
    return struct.pack(">qq", hour, generation)


def _parsed(name: str) -> tuple[int, int, str]:
    found = _NAME.fullmatch(name)
    try:
        moment = datetime.strptime(f"{found[1]}+0000" if found else "", "%Y%m%d%H%z")
    except ValueError:
        found = None
    if found is None:
        raise InputError(
            f"{name!r} in the key store's folder is not its own",
            remedy="move it away; a copy of a key there would outlive the key's destruction",
        )
    return int(moment.timestamp()) // 3600, int(found[2]), found[3] + (found[4] or "")


def _pack(entries: dict[str, Entry]) -> bytes:
    rows = (
        _ENTRY.pack(_CODES[entry.scope], bytes.fromhex(entry.number), entry.expires_at_ns, entry.key)
        for entry in entries.values()
    )
    return _COUNT.pack(len(entries)) + b"".join(rows)


def _unpack(name: str, packed: bytes) -> list[Entry]:
    count = _COUNT.unpack_from(packed)[0] if len(packed) >= _COUNT.size else -1
    if len(packed) != _COUNT.size + count * _ENTRY.size:
        raise frame.damaged(name, "its count does not match its length")
    rows = list(_ENTRY.iter_unpack(packed[_COUNT.size :]))
    if any(code not in _SCOPES for code, *_ in rows):
        raise InputError(f"{name} holds keys of an unknown scope", remedy="use the version of habeas that wrote it")
    return [Entry(_SCOPES[code], number.hex(), expires_at_ns, key) for code, number, expires_at_ns, key in rows]
