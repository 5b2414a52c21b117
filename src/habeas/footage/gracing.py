"""What the clock asks of requests of the public: copies of those that are verified, and the end of each.

The copies of an hour have a key of their own, which ends a day after the hour's deadline, whatever becomes of the rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from habeas.errors import DiskError, KeyDestroyed
from habeas.footage.copying import Copied, copy_found, under
from habeas.footage.files import FootageFolder
from habeas.footage.form import Header
from habeas.footage.holding import SETTLE_NS, RequestState
from habeas.footage.reading import Damage, Stretch, Window, read_window
from habeas.keys import KeyStore, Scope
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.footage_records import PublicRequest

ACTOR: Final = "clock"
_LAPSING: Final = frozenset({RequestState.RECEIVED.value, RequestState.VERIFIED.value, RequestState.GRACED.value})


class Gracing:
    """Copies and ends requests of the public. Used by one thread.

    Args:
        store: the database.
        keys: the key store.
        footage: where what is recorded lies.
        held: where what is preserved lies: a folder each request.
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

    def step(self) -> None:
        """End what is due, then copy what was verified; what fails keeps nothing else from being done.

        Raises:
            DiskError: a key could not be destroyed or a copy not be written, or the database failed: call it again.
        """
        self._end_due()
        with self._store.read() as tx:
            verified = tx.find(PublicRequest, state=RequestState.VERIFIED.value)
            written = [one for one in verified if tx.now_ns >= one.until_ns + SETTLE_NS]
        with ExitStack() as failures:
            for request in written:
                failures.callback(self._copy, request)

    def _end_due(self) -> None:
        with self._store.read() as tx:
            due = [one for one in tx.find(PublicRequest, destroyed_at_ns=None) if _is_due(one, tx.now_ns)]
        self._keys.destroy([key_id for one in due for key_id in _keys_of(one)])
        if due:
            with self._store.write() as tx:
                for one in tx.find(PublicRequest, request_id={row.request_id for row in due}):
                    _end(tx, one)

    def _copy(self, request: PublicRequest) -> None:
        try:
            self._keys.reschedule(request.key_id, request.due_ns)
            copied = self._copied(request)
        except KeyDestroyed:
            return  # it has ended
        with self._store.write() as tx:
            for row in tx.find(PublicRequest, request_id=request.request_id, state=RequestState.VERIFIED.value):
                tx.change(row, state=RequestState.GRACED.value, segments=tuple(sorted(copied.parts)))
                body = {"damaged": len(copied.damaged), "request": row.request_id, "segments": len(copied.parts)}
                tx.entry("request.graced", ACTOR, body)

    def _copied(self, request: PublicRequest) -> Copied:
        copied, to, key_of = Copied(), FootageFolder(self._held / request.request_id), dict(request.graces)
        if to.free_bytes() < self._reserve_bytes:
            raise DiskError("a request is not copied: the disk is full", remedy="make room: its footage goes on time")

        def header_of(header: Header) -> Header:
            key_id = key_of[header.hour_ns]
            return under(header, key_id, self._keys.expires_at_ns(key_id))

        for camera_id in request.cameras:
            window = Window(camera_id, request.from_ns, request.until_ns)
            copy_found(self._found(request, window), to, self._keys, header_of, window, copied)
        return copied

    def _found(self, request: PublicRequest, window: Window) -> Iterator[Stretch | Damage]:
        """Yield the segments that a request gives a day more, each up to its end."""
        now_ns = self._clock.now_ns()
        for one in read_window(self._footage, self._keys, Scope.FOOTAGE, window, now_ns, whole=True):
            if isinstance(one, Damage) or one.header.segment in request.segments:
                yield one


def _is_due(request: PublicRequest, now_ns: int) -> bool:
    return now_ns >= request.due_ns or request.over_at_ns is not None


def _keys_of(request: PublicRequest) -> Sequence[str]:
    return [request.key_id, *(key_id for _, key_id in request.graces)]


def _end(tx: Tx, request: PublicRequest) -> None:
    """Write that the contact and the copies of a request are gone; it lapses, unless it was refused or is a hold's."""
    ended = {"asked_sealed": None, "destroyed_at_ns": tx.now_ns, "over_at_ns": request.over_at_ns or tx.now_ns}
    body = {"request": request.request_id, "verified": request.verified_at_ns is not None}
    if request.state in _LAPSING:
        tx.change(request, state=RequestState.LAPSED.value, **ended)
        tx.entry("request.lapsed", ACTOR, body)
    else:
        tx.change(request, **ended)
        tx.entry("request.destroyed", ACTOR, body)
