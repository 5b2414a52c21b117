"""The key store: makes keys, uses them for its callers without handing them out, and destroys them."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from habeas.errors import DiskError, HabeasError, InputError, KeyDestroyed, UsageError
from habeas.keys import sealed
from habeas.keys.buckets import MAX_KEYS, Bucket, BucketFiles, Entry, Scope, make_store, new_entry
from habeas.keys.disk import Disk, FolderDisk, make_folder
from habeas.keys.master import MasterKey
from habeas.types import HOUR_NS

_LAST_NS: Final = 1 << 63
"""Times are stored in 64 bits: until the year 2262."""


class KeyStore:
    """Keys by id, on a disk of their own. A context manager; one process at a time; safe to use from threads.

    Whatever changes it is on the disk, beyond a power cut, before the call returns. A call that raises `DiskError` may
    have happened or not: `new` then returned no id, `destroy` has made the keys unusable here and must be called again
    (with any ids, or `reap`), which first finishes what was left.

    Args:
        folder: made by `create`.
        master: the master key it was made with.
        disk: instead of the folder's files; for tests.

    Raises:
        InputError: no such store, another master key, or damaged, foreign or unknown files.
        UsageError: it is open already.
        DiskError: it cannot be read.
    """

    def __init__(self, folder: Path, master: MasterKey, *, disk: Disk | None = None) -> None:
        self.folder = folder
        self._writing = threading.Lock()
        """Held while files change: one change at a time. Guards `_buckets`."""
        self._guard = threading.Lock()
        """Held for an instant. Guards `_keys` and `_open`, so that reading never waits for the disk."""
        with ExitStack() as undo:
            self._disk = FolderDisk(folder) if disk is None else disk
            undo.callback(self._disk.close)
            self._files = BucketFiles(self._disk, master)
            self._buckets = self._files.load()
            self._keys = self._one_bucket_each()
            with suppress(DiskError):  # a full disk keeps nobody from reading; `reap` tries again, and says so
                self._settle()
            undo.pop_all()
        self._open = True

    @classmethod
    def create(cls, folder: Path, master: MasterKey, *, disk: Disk | None = None) -> Self:
        """Make an empty store and open it. The folder gets mode 0700; it must be new or empty.

        Raises:
            InputError: the folder holds something, or others may enter it.
            DiskError: it cannot be made.
        """
        if disk is None:
            make_folder(folder)
        with ExitStack() as stack:
            if disk is None:
                opened = FolderDisk(folder)
                stack.callback(opened.close)
            make_store(opened if disk is None else disk, master)
        return cls(folder, master, disk=disk)

    def _one_bucket_each(self) -> dict[str, Entry]:
        """Return the keys; one found twice was being rescheduled, and keeps the earlier expiry."""
        keys: dict[str, Entry] = {}
        for _, bucket in sorted(self._buckets.items()):
            twice = bucket.entries.keys() & keys.keys()
            if twice:
                _forget(bucket, twice)
            keys |= bucket.entries
        return keys

    # --- making -----------------------------------------------------------------------------------------------------

    def new(self, scope: Scope, expires_at_ns: int) -> str:
        """Make a key, and return its id once it is durable.

        Args:
            scope: what it is for.
            expires_at_ns: Unix nanoseconds from which `reap` destroys it.

        Raises:
            InputError: no such time, or too many keys in that hour.
            DiskError: it could not be written.
        """
        return self.new_many(scope, [expires_at_ns])[0]

    def new_many(self, scope: Scope, expires_at_ns: Sequence[int]) -> list[str]:
        """Make keys, one for each expiry, with one write for each hour; all or, to the caller, none.

        Raises:
            InputError: no such time, or too many keys in an hour.
            DiskError: they could not be written.
        """
        made = [new_entry(scope, _checked(when_ns)) for when_ns in expires_at_ns]
        by_hour: defaultdict[int, dict[str, Entry]] = defaultdict(dict)
        for entry in made:
            by_hour[entry.hour][entry.key_id] = entry
        with self._changing(), ExitStack() as undo:
            undo.callback(self._withdraw, by_hour)
            for hour, entries in by_hour.items():
                self._add(hour, entries)
            with self._guard:
                self._keys |= {entry.key_id: entry for entry in made}
            undo.pop_all()
        return [entry.key_id for entry in made]

    def _withdraw(self, by_hour: Mapping[int, Mapping[str, Entry]]) -> None:
        """Forget keys of which a later hour's could not be written; nobody was told their ids."""
        for hour, entries in by_hour.items():
            if hour in self._buckets:
                _forget(self._buckets[hour], set(entries))

    def _add(self, hour: int, entries: Mapping[str, Entry]) -> None:
        bucket = self._buckets.get(hour)
        if bucket is None:
            bucket = self._buckets[hour] = Bucket(hour, 0, b"", {}, settled=False)
        together = {**bucket.entries, **entries}
        if len(together) > MAX_KEYS:
            raise InputError(f"more than {MAX_KEYS} keys expire in one hour", remedy="spread their expiry")
        self._files.save(bucket, together, rotate=False)

    # --- using ------------------------------------------------------------------------------------------------------

    def encrypt(self, key_id: str, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt under a key.

        Args:
            key_id: from `new`.
            plaintext: at most 1 GiB.
            context: what and where it is (table, row, kind); `decrypt` must be given the same.

        Raises:
            KeyDestroyed: there is no such key.
            InputError: it is too long.
        """
        return sealed.encrypt(self._entry(key_id).key, key_id, plaintext, context)

    def decrypt(self, key_id: str, ciphertext: bytes, context: bytes) -> bytes:
        """Decrypt what `encrypt` returned.

        Raises:
            KeyDestroyed: there is no such key, any more.
            InputError: changed, of another key or context, or of an unknown version.
        """
        return sealed.decrypt(self._entry(key_id).key, key_id, ciphertext, context)

    def hmac(self, key_id: str, message: bytes) -> bytes:
        """Return HMAC-SHA-256 of a message, 32 bytes: the same for the same key and message.

        Raises:
            KeyDestroyed: there is no such key.
        """
        return sealed.tag(self._entry(key_id).key, message)

    def expires_at_ns(self, key_id: str) -> int:
        """Return when a key expires, Unix nanoseconds.

        Raises:
            KeyDestroyed: there is no such key.
        """
        return self._entry(key_id).expires_at_ns

    def ids(self, scope: Scope | None = None) -> frozenset[str]:
        """Return the ids of all keys, or of one scope."""
        with self._guard:
            self._check_open()
            return frozenset(key for key, entry in self._keys.items() if scope in (None, entry.scope))

    def has(self, key_id: str) -> bool:
        """Tell whether there is such a key."""
        with self._guard:
            self._check_open()
            return key_id in self._keys

    def _entry(self, key_id: str) -> Entry:
        with self._guard:
            self._check_open()
            entry = self._keys.get(key_id)
        if entry is None:
            raise KeyDestroyed(f"the key {key_id} is destroyed", remedy="nothing encrypted under it can be read again")
        return entry

    # --- ending -----------------------------------------------------------------------------------------------------

    def reschedule(self, key_id: str, expires_at_ns: int) -> None:
        """Let a key expire earlier or later. The old bucket no longer opens it.

        A crash before it returns leaves one of the two times; a crash in the middle, the earlier.

        Raises:
            KeyDestroyed: there is no such key.
            InputError: no such time.
            DiskError: it could not be written.
        """
        self.reschedule_many({key_id: expires_at_ns})

    def reschedule_many(self, expires_at_ns: Mapping[str, int]) -> None:
        """Let keys expire earlier or later, with few writes for each hour; each as `reschedule` does.

        Args:
            expires_at_ns: by key id.

        Raises:
            KeyDestroyed: there is no such key; all are as they were.
            InputError: no such time, and all are as they were; or too many keys in an hour.
            DiskError: not all could be written: call it again.
        """
        for when_ns in expires_at_ns.values():
            _checked(when_ns)
        with self._changing():
            self._settle()  # a failed attempt's copy must not outlive this one's
            by_hour: defaultdict[int, list[tuple[Entry, Entry]]] = defaultdict(list)
            for key_id, when_ns in expires_at_ns.items():
                before = self._entry(key_id)
                after = Entry(before.scope, before.number, when_ns, before.key)
                by_hour[after.hour].append((before, after))
            for hour, moves in by_hour.items():
                self._move(hour, moves)
            self._settle()

    def _move(self, hour: int, moves: Sequence[tuple[Entry, Entry]]) -> None:
        """Add keys to an hour's bucket with their new times, and take them out of their old ones."""
        moved = {after.key_id: after for _, after in moves}
        self._add(hour, moved)
        with self._guard:
            self._keys |= moved
        left: defaultdict[int, set[str]] = defaultdict(set)
        for before, after in moves:
            if before.hour != hour:
                left[before.hour].add(after.key_id)
        for old, key_ids in left.items():
            _forget(self._buckets[old], key_ids)

    def destroy(self, key_ids: Iterable[str]) -> None:
        """Destroy keys: what was encrypted under them can never be read again. Unknown ids are fine.

        Raises:
            DiskError: not everything could be written; call it again.
        """
        with self._changing():
            self._destroy(key_ids)

    def reap(self, now_ns: int) -> list[str]:
        """Destroy every key that has expired, and return their ids, sorted. Also retries what failed before.

        Args:
            now_ns: Unix nanoseconds, of a clock that the caller trusts.

        Raises:
            DiskError: not everything could be written; call it again. `ids` says what is left.
        """
        with self._changing():
            due = [bucket for hour, bucket in self._buckets.items() if hour * HOUR_NS <= now_ns]
            expired = sorted(
                key for bucket in due for key, entry in bucket.entries.items() if entry.expires_at_ns <= now_ns
            )
            self._destroy(expired)
        return expired

    def _destroy(self, key_ids: Iterable[str]) -> None:
        by_hour: defaultdict[int, set[str]] = defaultdict(set)
        with self._guard:
            for key_id in set(key_ids) & self._keys.keys():
                by_hour[self._keys.pop(key_id).hour].add(key_id)
        for hour, gone in by_hour.items():
            _forget(self._buckets[hour], gone)
        self._settle()

    def _settle(self) -> None:
        """Make the files of every bucket what they should be. One that fails does not stop the others."""
        failures: list[HabeasError] = []
        for hour, bucket in list(self._buckets.items()):
            try:
                if not bucket.settled:
                    self._files.save(bucket, bucket.entries, rotate=True)
            except HabeasError as error:
                failures.append(error)
                continue
            if not bucket.entries:
                del self._buckets[hour]
        if failures:
            raise failures[0]

    # --- memory -----------------------------------------------------------------------------------------------------

    def remember(self, data: bytes) -> None:
        """Replace what is remembered beside the keys, durable before this returns: it is in no backup of the database.

        Raises:
            DiskError: it could not be written; the old or the new is remembered.
        """
        with self._changing():
            self._files.remember(data)

    def recall(self) -> bytes:
        """Return what was last remembered; empty: nothing was.

        Raises:
            InputError: it is damaged, or another store's.
            DiskError: it cannot be read.
        """
        with self._changing():
            return self._files.recall()

    # --- lifetime ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._writing:
            with self._guard:
                self._check_open()
            yield

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("the key store is closed", remedy="use it inside its with block")

    def close(self) -> None:
        """Forget the keys and give the folder back."""
        with self._writing, self._guard:
            if self._open:
                self._open = False
                self._keys = {}
                self._buckets = {}
                self._disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        with self._guard:
            counts = Counter(entry.scope.value for entry in self._keys.values())
        return (
            f"KeyStore({', '.join([repr(str(self.folder)), *(f'{name}={counts[name]}' for name in sorted(counts))])})"
        )


def _forget(bucket: Bucket, key_ids: set[str]) -> None:
    """Take keys out of a bucket; its files follow at the next `_settle`."""
    bucket.entries = {key_id: entry for key_id, entry in bucket.entries.items() if key_id not in key_ids}
    bucket.settled = False


def _checked(expires_at_ns: int) -> int:
    if not 0 <= expires_at_ns < _LAST_NS:
        raise InputError(f"a key cannot expire at {expires_at_ns} ns", remedy="give Unix nanoseconds, until 2262")
    return expires_at_ns
