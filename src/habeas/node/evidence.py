"""Takes evidence in, and ends it. The node never looks into a file.

It is encrypted as it comes, and a sealed worker says how long it is.

While a file comes, its key is in no row, and known to this process only: what a crash leaves is destroyed at the next
start, as whatever no row knows.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from habeas.accounts.credentials import new_id
from habeas.authority import evidence
from habeas.authority.evidence import Given, Why
from habeas.authority.requests import OVER
from habeas.engine.screening import Reel
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.footage.evidence_files import PIECE_BYTES, EvidenceFiles
from habeas.footage.files import SegmentFile
from habeas.footage.rows import kept_for_ns
from habeas.keys import KeyStore, Scope
from habeas.node.alerting import Means
from habeas.store import Tx
from habeas.store.footage_records import Evidence
from habeas.store.records import Authorisation
from habeas.types import HOUR_NS, NS_PER_S
from habeas.video.film import Place

MAX_BYTES: Final = 512 << 20
"""Of one file."""
AT_ONCE: Final = 4
"""Files that come at the same time: each takes a thread."""
SPARE_BYTES: Final = 5_000_000_000
"""Room that evidence leaves beside the reserve, at which recording stops."""
_SLOWEST_NS: Final = HOUR_NS
"""From the first byte to the last."""
_SILENT_NS: Final = 30 * NS_PER_S
"""Without a byte."""
_OVER: Final = [state.value for state in OVER]
Measure = Callable[[int], int]
"""Says how long the video file of a descriptor is, ns."""


class Arrival:
    """A file that comes. Used by one thread.

    Args:
        means: the key store and the time.
        files: where it goes.
        length: says how long it is, ns, once it lies on the disk, by its id and SHA-256.
        reserve_bytes: room on the disk that it leaves to alerts and the log.
        stated: when its first picture was taken, Unix ns; where it comes from.
        key: id of its key, and when that expires.
    """

    def __init__(
        self,
        means: Means,
        files: EvidenceFiles,
        length: Callable[[str, str], int],
        reserve_bytes: int,
        stated: tuple[int, str],
        key: tuple[str, int],
    ) -> None:
        self.evidence_id: Final = new_id(evidence.PREFIX)
        self.kept = False
        """It is in a row: from there on the row decides when it ends."""
        self._means = means
        self._files = files
        self._length = length
        self._reserve_bytes = reserve_bytes
        self._from_ns, self._note = stated
        self._key_id, self._deadline_ns = key
        self._began_ns = means.time.monotonic_ns()
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._waiting = bytearray()
        self._file: SegmentFile | None = None

    def wait_s(self) -> float:
        """Return for how long the next byte may be waited for, seconds; 0: the file came too slowly."""
        left_ns = _SLOWEST_NS - (self._means.time.monotonic_ns() - self._began_ns)
        return max(0, min(left_ns, _SILENT_NS)) / NS_PER_S

    def write(self, data: bytes) -> None:
        """Take the next bytes of it.

        Raises:
            InputError: it is too large, or comes too slowly.
            DiskError: it cannot be written.
            KeyDestroyed: its deadline came meanwhile.
        """
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise InputError("it is larger than 512 MB", remedy="cut it, and hand in what is needed")
        if self._means.time.monotonic_ns() - self._began_ns > _SLOWEST_NS:
            raise InputError("it came too slowly", remedy="copy it to this machine first, then hand it in")
        self._waiting += data
        while len(self._waiting) >= PIECE_BYTES:
            self._put(bytes(self._waiting[:PIECE_BYTES]))
            del self._waiting[:PIECE_BYTES]

    def _put(self, piece: bytes) -> None:
        keys = self._means.keys
        self._files.folder(self.evidence_id).check_room(self._reserve_bytes)
        if self._file is None:
            self._file = self._files.begin(keys, self.evidence_id, self._key_id, self._deadline_ns, self._from_ns)
        self._digest.update(piece)
        self._file.append(self._from_ns, 0, piece)

    def finish(self) -> Given:
        """Return what came, all of it durable, once a sealed worker has read how long it is.

        Raises:
            InputError: it is empty, or was changed on the disk.
            SourceError: it is no video.
            DiskError: it cannot be written or read.
            KeyDestroyed: its deadline came meanwhile.
        """
        if self._waiting:
            self._put(bytes(self._waiting))
            self._waiting.clear()
        if self._file is None:
            raise InputError("this file is empty", remedy="hand in a video")
        self._file.end(self._means.time.now_ns())
        sha256 = self._digest.hexdigest()
        lasts_ns = self._length(self.evidence_id, sha256)
        return Given(
            evidence_id=self.evidence_id,
            key_id=self._key_id,
            deadline_ns=self._deadline_ns,
            sha256=sha256,
            size_bytes=self._bytes,
            from_ns=self._from_ns,
            lasts_ns=lasts_ns,
            note=self._note,
        )

    def keep(self) -> None:
        """Hear that a row of it was committed."""
        self.kept = True

    def abandon(self) -> None:
        """Destroy what came of it."""
        if self._file is not None:
            self._file.close()
        with suppress(DiskError):  # unusable here already: no row knows it, and `end_due` tries again
            self._means.keys.destroy([self._key_id])
        with suppress(DiskError):
            self._files.remove(self.evidence_id)


class EvidenceWork:
    """Takes evidence in, from several threads; `end_due` and `sweep` are called by one thread each.

    Args:
        means: the database, keys, the time.
        files: where evidence lies.
        measure: asks a sealed worker how long a file is.
        reserve_bytes: room on the disk that evidence leaves to alerts and the log.
    """

    def __init__(self, means: Means, files: EvidenceFiles, measure: Measure, *, reserve_bytes: int) -> None:
        self._means = means
        self._files = files
        self._measure = measure
        self._reserve_bytes = reserve_bytes
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        """One file is read back at a time: each is in memory meanwhile."""
        self._coming: dict[str, tuple[str, frozenset[str]]] = {}
        """Of each file that comes, by the key: its id, and the accounts of whoever hands it in."""

    @contextmanager
    def arrival(self, from_ns: int, note: str, kept_ns: int, accounts: frozenset[str]) -> Iterator[Arrival]:
        """Hand out what takes a file in; after the block it is kept by a row, or destroyed.

        Args:
            from_ns: when its first picture was taken, Unix ns.
            note: where it comes from.
            kept_ns: for how long it may be kept, from now.
            accounts: of the person who hands it in.

        Raises:
            RuleError: too many come at the same time, or another of that person.
            DiskError: its key could not be made durable.
        """
        arrival = self._begin(from_ns, note, kept_ns, accounts)
        try:
            yield arrival
        finally:
            if not arrival.kept:
                arrival.abandon()
            with self._lock:
                self._coming = {key: one for key, one in self._coming.items() if one[0] != arrival.evidence_id}

    def _begin(self, from_ns: int, note: str, kept_ns: int, accounts: frozenset[str]) -> Arrival:
        means = self._means
        with self._lock:
            if len(self._files.there()) >= evidence.MOST:  # a minute longer than in rows
                raise RuleError(
                    f"{evidence.MOST} files of evidence are on the disk",
                    rule="evidence-number",
                    remedy="try again in a minute, or discard what is not needed: habeas footage evidence discard ID",
                )
            if len(self._coming) >= AT_ONCE:
                raise RuleError(
                    f"{AT_ONCE} files are handed in at this moment", rule="evidence-number", remedy="try again soon"
                )
            if any(accounts & others for _name, others in self._coming.values()):
                raise RuleError(
                    "another file of yours is handed in at this moment",
                    rule="evidence-number",
                    remedy="wait until it is there",
                )
            deadline_ns = means.time.now_ns() + kept_ns
            key_id = means.keys.new(Scope.EVIDENCE, deadline_ns)
            about = (from_ns, note), (key_id, deadline_ns)
            arrival = Arrival(means, self._files, self._length, self._reserve_bytes, *about)
            self._coming[key_id] = arrival.evidence_id, accounts
        return arrival

    def _length(self, evidence_id: str, sha256: str) -> int:
        with self._reading:
            descriptor = self._files.in_memory(self._means.keys, evidence_id, sha256, self._means.time.now_ns())
            try:
                return self._measure(descriptor)
            finally:
                os.close(descriptor)

    def _known(self) -> tuple[set[str], frozenset[str]]:
        """Return what comes, by id, and the keys of evidence beside theirs; rows are to be read after this."""
        with self._lock:
            return {name for name, _accounts in self._coming.values()}, self._means.keys.ids(
                Scope.EVIDENCE
            ) - self._coming.keys()

    # --- ends ---------------------------------------------------------------------------------------------------------

    def end_due(self) -> None:
        """Destroy the keys of what is over, and write that they are gone; shorten what the policy shortens.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        means = self._means
        _coming, known = self._known()
        with means.store.read() as tx:
            rows = tx.find(Evidence, without=("note_sealed",))
            there = [row for row in rows if row.destroyed_at_ns is None]
            over = {row.evidence_id: why for row in there if (why := _why(tx, means.keys, row)) is not None}
            kept_ns = kept_for_ns(tx)
        stray = known - {row.key_id for row in rows}
        gone = [row.key_id for row in there if row.evidence_id in over]
        if stray or gone:
            means.keys.destroy([*stray, *gone])
        if over:
            with means.store.write() as tx:
                for row in tx.find(Evidence, evidence_id=set(over), destroyed_at_ns=None):
                    evidence.note_destroyed(tx, row, over[row.evidence_id])
        self._shorten([row for row in there if row.evidence_id not in over], kept_ns)

    def _shorten(self, rows: list[Evidence], kept_ns: int) -> None:
        """Shorten what the policy lets be kept for less than when it came: its key first."""
        for row in rows:
            ends_ns = row.uploaded_at_ns + kept_ns
            if ends_ns < row.deadline_ns:
                with suppress(KeyDestroyed):  # the next call ends it
                    self._means.keys.reschedule(row.key_id, ends_ns)
                with self._means.store.write() as tx:
                    for now in tx.find(Evidence, evidence_id=row.evidence_id, state=evidence.State.KEPT.value):
                        if ends_ns < now.deadline_ns:  # it may have changed meanwhile
                            evidence.shorten(tx, now, ends_ns)

    def sweep(self) -> None:
        """Remove the files of what is over, or in no row.

        Raises:
            DiskError: some could not be removed: call it again.
        """
        there = self._files.there()  # before what comes, and that before the rows: each is there before the next
        coming, _known = self._known()
        with self._means.store.read() as tx:
            kept = {row.evidence_id for row in tx.find(Evidence, without=("note_sealed",), destroyed_at_ns=None)}
        for evidence_id in there:
            if evidence_id not in kept | coming:
                self._files.remove(evidence_id)


def _why(tx: Tx, keys: KeyStore, row: Evidence) -> Why | None:
    """Return why evidence is over; None: it is not."""
    if row.state != evidence.State.KEPT.value:
        return Why(row.why)
    if tx.now_ns >= row.deadline_ns:
        return Why.DEADLINE
    if not keys.has(row.key_id):
        return Why.KEY_GONE
    if row.authorisation_id is not None:
        named = tx.find(Authorisation, authorisation_id=row.authorisation_id)
        if not named or named[0].state in _OVER:
            return Why.AUTHORISATION
    return None


def reel_of(means: Means, files: EvidenceFiles, evidence_id: str) -> Reel:
    """Return evidence as one reel.

    Raises:
        KeyDestroyed: it is over.
        InputError: it is missing, or was changed.
        DiskError: it cannot be read.
    """
    with means.store.read() as tx:
        row = tx.get(Evidence, evidence_id)
        if not evidence.is_kept(row, tx.now_ns):
            raise KeyDestroyed("this evidence is gone", remedy="see `habeas footage evidence list`")
        now_ns = tx.now_ns
    descriptor = files.in_memory(means.keys, evidence_id, row.sha256, now_ns)
    return Reel(descriptor, (Place(0, row.size_bytes, row.from_ns),), row.until_ns, frozenset({row.key_id}))
