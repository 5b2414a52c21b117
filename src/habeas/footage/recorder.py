"""The one thread that writes footage: parts come in, records go to the disk. Nobody else writes there.

Parts wait in a queue of at most `_WAITING_BYTES`; while it is full whoever hands over waits, and so does the camera.
Footage gives way first: below the reserve, or where the disk fails, parts are dropped, which is an alarm and an entry,
while alerts and the log go on from the reserve. A gap in what is recorded of a camera is an entry, whatever its cause.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from habeas.authority.policy import Ceilings, policy_now
from habeas.errors import DiskError, HabeasError, InputError, KeyDestroyed
from habeas.footage.files import FootageFolder, SegmentFile, compact, new_segment_id
from habeas.footage.form import Header
from habeas.keys import KeyStore, Scope
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.records import Camera, Footage
from habeas.types import HOUR_NS, NS_PER_S, utc
from habeas.video.parts import Part

ACTOR: Final = "recorder"
_WAITING_BYTES: Final = 64 << 20
_PATIENCE_S: Final = 0.5
_GAP_NS: Final = 2 * NS_PER_S
_ROOM_NS: Final = 5 * NS_PER_S
_FAREWELL_S: Final = 5.0
FULL: Final = "below the reserve that alerts and the log need"
_REMEDY: Final = "free space on the disk of the workspace, or lower footage_h by policy: recording goes on by itself"


def footage_id(camera_id: str, hour_ns: int) -> str:
    """Return the name of a camera-hour."""
    return f"{camera_id}/{compact(hour_ns)[:11]}"


@dataclass(frozen=True, repr=False)
class _Item:
    camera_id: str
    epoch: int
    part: Part


@dataclass
class _Open:
    """A segment that is being written: of which start of the camera, and which part comes next."""

    epoch: int
    segment: int
    file: SegmentFile
    following: int = 1


class Recorder:
    """Writes footage. A context manager; owns its thread.

    Args:
        store: the database.
        keys: one for each camera-hour.
        clock: the store's.
        folder: where footage is.
        reserve_bytes: room that it leaves on the disk.
        tell: hears of what could not be recorded.
    """

    def __init__(
        self,
        store: Store,
        keys: KeyStore,
        clock: Clock,
        folder: FootageFolder,
        *,
        reserve_bytes: int,
        tell: Callable[[HabeasError], None],
    ) -> None:
        self.stopped = ""
        """Why nothing is recorded; empty: it is."""
        self._store = store
        self._keys = keys
        self._clock = clock
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._tell = tell
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting = 0
        self._closed = False
        self._open: dict[str, _Open] = {}
        self._looked_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def take(self, camera_id: str, epoch: int, part: Part) -> None:
        """Hand over a part; waits while there is no room."""
        with self._changed:
            while self._waiting > _WAITING_BYTES and not self._closed:
                self._changed.wait(_PATIENCE_S)
            if not self._closed:
                self._items.append(_Item(camera_id, epoch, part))
                self._waiting += len(part.data)
                self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, end all segments, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_FAREWELL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._guarded(item)
        for camera_id in list(self._open):
            with suppress(HabeasError):  # ended when the node starts again
                self._end(camera_id)

    def _next(self) -> _Item | None:
        with self._changed:
            while not self._items:
                if self._closed:
                    return None
                self._changed.wait()
            item = self._items.popleft()
            self._waiting -= len(item.part.data)
            self._changed.notify_all()
            return item

    def _guarded(self, item: _Item) -> None:
        try:
            self._write(item)
        except KeyDestroyed:
            self._abandon(item.camera_id)  # its hour's deadline has passed; the next segment has another key
        except DiskError as error:
            self._abandon(item.camera_id)
            self._stop(error.message)
        except Exception as error:  # noqa: BLE001 - recorder top loop: one part never ends the recording of others
            self._abandon(item.camera_id)
            self._tell(HabeasError(f"{type(error).__name__}: {error}", remedy="report this bug"))

    def _write(self, item: _Item) -> None:
        camera_id, part = item.camera_id, item.part
        if not self._has_room():
            self._drop(camera_id)
            return
        if part.index == 0:
            self._end(camera_id)
            self._begin(item)
            return
        open_ = self._open.get(camera_id)
        if open_ is None or (open_.epoch, open_.segment, open_.following) != (item.epoch, part.segment, part.index):
            self._end(camera_id)  # parts are missing: the segment ends, and the next begins with a header
            return
        open_.file.append(part.captured_at_ns, part.lasts_ns, part.data)
        open_.following += 1

    def _begin(self, item: _Item) -> None:
        part = item.part
        hour_ns = part.captured_at_ns - part.captured_at_ns % HOUR_NS
        with self._store.write() as tx:
            row = _row_of(tx, self._keys, item.camera_id, hour_ns)
            _note_gap(tx, row, part.captured_at_ns)
        header = Header(
            camera=item.camera_id,
            hour_ns=hour_ns,
            deadline_ns=row.deadline_ns,
            key=row.key_id,
            segment=new_segment_id(),
            codec=part.codec,
            size_wh=part.size_wh,
            began_ns=part.captured_at_ns,
        )
        file = self._folder.begin(self._keys, header)
        self._open[item.camera_id] = _Open(item.epoch, part.segment, file)
        file.append(part.captured_at_ns, 0, part.data)

    def _end(self, camera_id: str) -> None:
        """End the camera's segment, and add it to the row of its hour."""
        open_ = self._open.pop(camera_id, None)
        if open_ is None:
            return
        with suppress(KeyDestroyed):
            open_.file.end(self._clock.now_ns())
        with self._store.write() as tx:
            _count_segment(tx, open_.file)

    def _abandon(self, camera_id: str) -> None:
        """Leave the camera's segment as it is: what was written of it can be read."""
        open_ = self._open.pop(camera_id, None)
        if open_ is not None:
            open_.file.close()
            with suppress(DiskError), self._store.write() as tx:  # else it is counted when the node starts again
                _count_segment(tx, open_.file)

    def _drop(self, camera_id: str) -> None:
        if camera_id in self._open:
            self._end(camera_id)

    def _has_room(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        if self._looked_ns is None or now_ns - self._looked_ns >= _ROOM_NS:
            self._looked_ns = now_ns
            if self._folder.free_bytes() < self._reserve_bytes:
                self._stop(f"its disk is {FULL}")
            elif self.stopped:
                self._go_on()
        return not self.stopped

    def _stop(self, why: str) -> None:
        """Record nothing for now; said once, and written down where that can be done."""
        if not self.stopped:
            self._tell(HabeasError(f"footage is not recorded: {why}", remedy=_REMEDY))
            with suppress(DiskError), self._store.write() as tx:
                tx.entry("footage.stopped", ACTOR, {"why": why})
        self.stopped = why

    def _go_on(self) -> None:
        with self._store.write() as tx:
            tx.entry("footage.resumed", ACTOR, {})
        self.stopped = ""


def _row_of(tx: Tx, keys: KeyStore, camera_id: str, hour_ns: int) -> Footage:
    """Return the row of a camera-hour; the first segment of an hour makes its key, with the deadline that holds.

    Raises:
        InputError: its deadline has passed already.
    """
    for row in tx.find(Footage, footage_id=footage_id(camera_id, hour_ns)):
        return row
    deadline_ns = hour_ns + Ceilings.load(policy_now(tx).body).footage_h * HOUR_NS
    if deadline_ns <= tx.now_ns:
        raise InputError(f"{camera_id}: a picture of {utc(hour_ns)} comes after its deadline", remedy="see the clock")
    key_id = keys.new(Scope.FOOTAGE, deadline_ns)
    row = Footage(footage_id(camera_id, hour_ns), camera_id, hour_ns, key_id, deadline_ns, hour_ns)
    tx.add(row)
    body = {"camera": camera_id, "deadline": utc(deadline_ns), "hour": utc(hour_ns), "zone": _zone(tx, camera_id)}
    tx.entry("footage.began", ACTOR, body)
    return row


def _note_gap(tx: Tx, row: Footage, captured_at_ns: int) -> None:
    """Write an entry where nothing was recorded since the last part of the camera, if that was lately."""
    rows = [row, *tx.find(Footage, footage_id=footage_id(row.camera_id, row.hour_ns - HOUR_NS))]
    last_ns = max((one.until_ns for one in rows if one.segments), default=None)
    if last_ns is not None and captured_at_ns - last_ns > _GAP_NS:
        body = {"camera": row.camera_id, "from": utc(last_ns), "until": utc(captured_at_ns)}
        tx.entry("footage.gap", ACTOR, {**body, "zone": _zone(tx, row.camera_id)})


def _count_segment(tx: Tx, file: SegmentFile) -> None:
    for row in tx.find(Footage, footage_id=footage_id(file.header.camera, file.header.hour_ns)):
        tx.change(
            row,
            until_ns=max(row.until_ns, file.until_ns),
            lasts_ns=row.lasts_ns + file.lasts_ns,
            bytes_stored=row.bytes_stored + file.bytes,
            segments=row.segments + 1,
        )


def _zone(tx: Tx, camera_id: str) -> str:
    return next((one.zone for one in tx.find(Camera, without=("record_sealed",), camera_id=camera_id)), "")
