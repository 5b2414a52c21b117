"""Recorded footage as one source: segments one after another, each picture at the instant at which it was captured."""

import dataclasses
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self, cast

from habeas.errors import InputError, SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S, Frame, OriginKind
from habeas.video.edge import Flaws, origin
from habeas.video.file import VideoFile
from habeas.video.masks import Mask, masked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_FALLBACK_RATE_HZ: Final = 25.0
_READ_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Place:
    """Where a segment is.

    Args:
        first_byte: of it, in the film's file.
        size_bytes: of it.
        began_ns: wall clock of its first picture, Unix ns.
    """

    first_byte: int
    size_bytes: int
    began_ns: int


class _Part(io.RawIOBase):
    """A part of a file, read as it is asked for: nobody else's place in the file is moved.

    Args:
        file: closed by whoever opened it: then this ends.
        place: of the part.
    """

    def __init__(self, file: IO[bytes], place: Place) -> None:
        self._file = file
        self._place = place
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        size = max(0, min(len(view), self._place.size_bytes - self._at))
        if self._file.closed or not size:
            return 0
        data = os.pread(self._file.fileno(), size, self._place.first_byte + self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin_at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._place.size_bytes}[whence]
        self._at = max(0, origin_at + offset)
        return self._at


class _Segment:
    """Bytes that answer what `VideoFile` asks of a path; opened once."""

    def __init__(self, name: str, opened: IO[bytes]) -> None:
        self._name = name
        self._opened = opened

    def exists(self) -> bool:
        return True

    def is_dir(self) -> bool:
        return False

    def is_file(self) -> bool:
        return True

    def open(self, _mode: str) -> IO[bytes]:
        return self._opened

    def __str__(self) -> str:
        return self._name


def video_of(name: str, data: bytes, clock: Clock, looks_hz: float = math.inf) -> VideoFile:
    """Return a video that is in memory.

    Args:
        name: for messages.
        data: the file's content.
        clock: for `VideoFile`.
        looks_hz: for `VideoFile`.

    Raises:
        SourceError: it cannot be read as video.
    """
    return VideoFile(cast("Path", _Segment(name, io.BytesIO(data))), clock, looks_hz)


class Film:
    """What was recorded of a camera in an interval. Segments that cannot be read are left out, and noted.

    Args:
        camera_id: that recorded it.
        descriptor: of the file that holds the segments; owned.
        places: of the segments, in the order of their times.
        from_ns: pictures before this instant are left out, Unix ns.
        until_ns: and those from this one on.
        masks: what is covered in every picture.
        clock: for `VideoFile`.
        looks_hz: for `VideoFile`.
    """

    def __init__(
        self,
        camera_id: str,
        descriptor: int,
        places: Sequence[Place],
        *,
        from_ns: int,
        until_ns: int,
        masks: Sequence[Mask],
        clock: Clock,
        looks_hz: float = math.inf,
    ) -> None:
        if not places:
            raise InputError(f"there is no footage of {camera_id}", remedy="see: habeas footage list")
        self.origin: Final = origin(OriginKind.FOOTAGE, camera_id)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._places = tuple(places)
        self._from_ns = from_ns
        self._until_ns = until_ns
        self._masks = tuple(masks)
        self._clock = clock
        self._looks_hz = looks_hz
        self._flaws = Flaws()
        self._closed = False
        self._last_ns: int | None = None
        self.watched_ns = 0
        """How much time of it was decoded so far."""

    @property
    def rate_hz(self) -> float:
        """Nominal frames per second, of its first segment that can be read."""
        for place in self._places:
            try:
                with self._segment(place) as video:
                    return video.rate_hz
            except SourceError:
                continue
        return _FALLBACK_RATE_HZ

    @property
    def duration_ns(self) -> int | None:
        """Length of the interval."""
        return self._until_ns - self._from_ns

    @property
    def flaws(self) -> tuple[str, ...]:
        """Segments that could not be read or are damaged."""
        return self._flaws.noted()

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures of the interval; `pts_ns` counts from the first segment's beginning."""
        count = 0
        for place in self._places:
            for frame in self._pictures(place):
                yield dataclasses.replace(frame, index=count)
                count += 1
            if self._closed:
                return

    def _pictures(self, place: Place) -> Iterator[Frame]:
        try:
            with self._segment(place) as video:
                yield from self._timed(video, place)
                for flaw in video.flaws:
                    self._flaws.note(f"{flaw} of the segment")
        except SourceError as error:
            self._flaws.note(error.message)

    def _segment(self, place: Place) -> VideoFile:
        part = io.BufferedReader(_Part(self._file, place), _READ_BYTES)
        return VideoFile(cast("Path", _Segment(self.origin.camera_id, part)), self._clock, self._looks_hz)

    def _timed(self, video: VideoFile, place: Place) -> Iterator[Frame]:
        zero_ns: int | None = None
        for frame in video.frames():
            zero_ns = frame.pts_ns if zero_ns is None else zero_ns
            captured_at_ns = place.began_ns + frame.pts_ns - zero_ns
            if captured_at_ns >= self._until_ns or self._closed:
                return
            if captured_at_ns >= self._from_ns:
                yield self._given_out(frame, captured_at_ns)

    def _given_out(self, frame: Frame, captured_at_ns: int) -> Frame:
        """Return the frame under this source's name and time, which never stands still."""
        pts_ns = max(0, captured_at_ns - self._places[0].began_ns)
        if self._last_ns is not None:
            pts_ns = max(pts_ns, self._last_ns + 1)
            self.watched_ns += min(pts_ns - self._last_ns, NS_PER_S)  # what is missing was not watched
        self._last_ns = pts_ns
        named = dataclasses.replace(frame, origin=self.origin, captured_at_ns=captured_at_ns, pts_ns=pts_ns)
        return masked(named, self._masks)

    def close(self) -> None:
        """Stop."""
        self._closed = True
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
