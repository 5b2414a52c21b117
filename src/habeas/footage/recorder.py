"""The one thread that writes footage: parts come in, records go to the disk. Nobody else writes there.

Parts wait in a queue of at most `_WAITING_BYTES`; while it is full whoever hands over waits, and so does the camera.
Footage gives way first: below the reserve, or where the disk fails, parts are dropped, which is an alarm and an entry,
while alerts and the log go on from the reserve. It is tried again after a pause, longer after each failure; that it
goes on is an entry once a segment was written again. A gap in what is recorded of a camera is an entry, whatever its
cause. No part is later than the node's time: a wall clock set forward lengthens nothing.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self

from habeas.errors import DiskError, HabeasError, InputError, KeyDestroyed
from habeas.footage.files import FootageFolder, SegmentFile, new_segment_id
from habeas.footage.form import Header
from habeas.footage.rows import ACTOR, count_segment, note_gap, row_of
from habeas.keys import KeyStore
from habeas.ports import Clock
from habeas.store import Store, Tx
from habeas.store.queries import last_entry_of
from habeas.types import HOUR_NS, NS_PER_S
from habeas.video.parts import Part

STOPPED: Final = "footage.stopped"
RESUMED: Final = "footage.resumed"
_WAITING_BYTES: Final = 64 << 20
_PATIENCE_S: Final = 0.5
_ROOM_NS: Final = 5 * NS_PER_S
"""Between two looks at the room; also the first pause after a failure."""
_LONGEST_NS: Final = 300 * NS_PER_S
"""The longest pause after failures that follow one another."""
_IDLE_NS: Final = 10 * NS_PER_S
"""A segment that gets no part for so long has ended."""
_FAREWELL_S: Final = 5.0
FULL: Final = "its disk is below the reserve that alerts and the log need"
DEAD: Final = "the thread that writes it died"
_REMEDY: Final = "see `habeas doctor`: free space, or repair disk or clock; recording goes on by itself"


@dataclass(frozen=True, repr=False)
class _Item:
    camera_id: str
    epoch: int
    part: Part


@dataclass
class _Open:
    """A segment that is being written: of which start of the camera, and which part comes next.

    Args:
        epoch: of the camera's start.
        segment: of that connection.
        file: that is written.
        taken_ns: when its last part came, by elapsed time.
        again: recording had stopped when it began.
        following: number of the next part.
    """

    epoch: int
    segment: int
    file: SegmentFile
    taken_ns: int
    again: bool
    following: int = 1


def stopped_why(tx: Tx) -> tuple[int, str] | None:
    """Return when recording stopped, Unix ns, and why, where no segment was written since."""
    last = last_entry_of(tx, STOPPED, RESUMED)
    if last is None or last.kind != STOPPED:
        return None
    return last.at_ns, str(json.loads(last.body)["why"])


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
        self._roomy = True
        self._failed_ns: int | None = None
        self._pause_ns = _ROOM_NS
        self._again_ns = 0
        with store.read() as tx:
            self._owes_resumed = stopped_why(tx) is not None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def take(self, camera_id: str, epoch: int, part: Part) -> None:
        """Hand over a part; waits while there is no room."""
        with self._changed:
            while self._waiting > _WAITING_BYTES and self._lives():
                self._changed.wait(_PATIENCE_S)
            if self._lives():
                self._items.append(_Item(camera_id, epoch, part))
                self._waiting += len(part.data)
                self._changed.notify_all()

    def _lives(self) -> bool:
        return not self._closed and self._thread.is_alive()

    def check(self) -> None:
        """Say and write down, once, that the thread died: nothing is recorded until the node starts again."""
        if not self._closed and not self._thread.is_alive() and self.stopped != DEAD:
            self.stopped = ""  # whatever it was stopped for before is not the reason any more
            self._stop(DEAD)

    def close(self) -> None:
        """Write what waits, end all segments, and stop; what could not be written within seconds is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_FAREWELL_S)
        with self._changed:
            lost = len(self._items)
            self._items.clear()
        if lost:
            what = f"{lost} parts of footage were not written when recording ended"
            self._tell(HabeasError(what, remedy="look for a disk that is slow or failing"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait():
            item = self._popped()
            if item is not None:
                self._guarded(item.camera_id, partial(self._write, item))
            for camera_id in self._idle():
                self._guarded(camera_id, partial(self._end, camera_id))
        for camera_id in list(self._open):
            self._guarded(camera_id, partial(self._end, camera_id))

    def _wait(self) -> bool:
        """Wait for a part, but not for long; return whether there is more to do."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(_PATIENCE_S)
            return bool(self._items) or not self._closed

    def _popped(self) -> _Item | None:
        with self._changed:
            if not self._items:
                return None
            item = self._items.popleft()
            self._waiting -= len(item.part.data)
            self._changed.notify_all()
            return item

    def _idle(self) -> list[str]:
        """Return the cameras whose segment gets no part any more: they are silent, or not recorded any more."""
        before_ns = self._clock.monotonic_ns() - _IDLE_NS
        return [camera_id for camera_id, open_ in self._open.items() if open_.taken_ns <= before_ns]

    def _guarded(self, camera_id: str, step: Callable[[], None]) -> None:
        try:
            self._survived(camera_id, step)
        except Exception as error:  # noqa: BLE001 - recorder top loop: one part never ends the recording of others
            open_ = self._open.pop(camera_id, None)
            if open_ is not None:
                with suppress(OSError):
                    open_.file.close()
            self._tell(HabeasError(f"{type(error).__name__}: {error}", remedy="report this bug"))

    def _survived(self, camera_id: str, step: Callable[[], None]) -> None:
        try:
            step()
        except KeyDestroyed:
            self._abandon(camera_id)  # its hour's deadline has passed; the next segment has another key
        except (DiskError, InputError) as error:
            self._abandon(camera_id)
            self._stop(error.message)

    def _write(self, item: _Item) -> None:
        camera_id, part = item.camera_id, item.part
        if not self._has_room():
            self._end(camera_id, gives_way=True)
            return
        part = replace(part, captured_at_ns=min(part.captured_at_ns, self._clock.now_ns()))
        if part.index == 0:
            self._end(camera_id)
            if not self.stopped or self._clock.monotonic_ns() >= self._again_ns:
                self._begin(camera_id, item.epoch, part)
            return
        open_ = self._open.get(camera_id)
        if open_ is None or (open_.epoch, open_.segment, open_.following) != (item.epoch, part.segment, part.index):
            self._end(camera_id)  # parts are missing: the segment ends, and the next begins with a header
            return
        open_.file.append(part.captured_at_ns, part.lasts_ns, part.data)
        open_.following += 1
        open_.taken_ns = self._clock.monotonic_ns()

    def _begin(self, camera_id: str, epoch: int, part: Part) -> None:
        hour_ns = part.captured_at_ns - part.captured_at_ns % HOUR_NS
        with self._store.write() as tx:
            row = row_of(tx, self._keys, camera_id, hour_ns)
            if row is None:
                return
            note_gap(tx, camera_id, part.captured_at_ns, part.lost)
        header = Header(
            camera=camera_id,
            hour_ns=hour_ns,
            deadline_ns=row.deadline_ns,
            key=row.key_id,
            segment=new_segment_id(),
            codec=part.codec,
            size_wh=part.size_wh,
            began_ns=part.captured_at_ns,
        )
        file = self._folder.begin(self._keys, header)
        again = bool(self.stopped) or self._owes_resumed
        self._open[camera_id] = _Open(epoch, part.segment, file, self._clock.monotonic_ns(), again)
        file.append(part.captured_at_ns, 0, part.data)

    def _end(self, camera_id: str, *, gives_way: bool = False) -> None:
        """End the camera's segment, if it has one, and add it to the row of its hour."""
        open_ = self._open.pop(camera_id, None)
        if open_ is None:
            return
        try:
            with suppress(KeyDestroyed):
                open_.file.end(self._clock.now_ns())
        finally:
            self._count(open_)
        if open_.again and open_.following > 1 and not gives_way:
            self._go_on()

    def _count(self, open_: _Open) -> None:
        with self._store.write() as tx:
            count_segment(tx, open_.file)

    def _abandon(self, camera_id: str) -> None:
        """Leave the camera's segment as it is: what was written of it can be read."""
        open_ = self._open.pop(camera_id, None)
        if open_ is not None:
            open_.file.close()
            with suppress(DiskError):  # else it is counted when the node starts again
                self._count(open_)

    # --- stopping -----------------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        if self._looked_ns is None or now_ns - self._looked_ns >= _ROOM_NS:
            self._looked_ns = now_ns
            self._roomy = self._folder.free_bytes() >= self._reserve_bytes
            if not self._roomy:
                self._stop(FULL)
        return self._roomy

    def _stop(self, why: str) -> None:
        """Begin no segment for a while; said once, and written down where that can be done."""
        was, self.stopped = self.stopped, why
        if not was:
            self._owes_resumed = True
            self._tell(HabeasError(f"footage is not recorded: {why}", remedy=_REMEDY))
            with suppress(DiskError), self._store.write() as tx:
                tx.entry(STOPPED, ACTOR, {"why": why})
        now_ns = self._clock.monotonic_ns()
        if was and (why == FULL or now_ns < self._again_ns):
            return  # nothing was tried anew
        calm = self._failed_ns is None or now_ns - self._failed_ns > 2 * _LONGEST_NS
        self._pause_ns = _ROOM_NS if calm else min(2 * self._pause_ns, _LONGEST_NS)
        self._failed_ns, self._again_ns = now_ns, now_ns + self._pause_ns

    def _go_on(self) -> None:
        """Write down, once, that it is recorded again."""
        if self._owes_resumed:
            with self._store.write() as tx:
                tx.entry(RESUMED, ACTOR, {})
        self.stopped, self._owes_resumed = "", False
