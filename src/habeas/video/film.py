"""Recorded footage as one source: segments one after another, each picture at the instant at which it was captured."""

import dataclasses
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self, cast

from habeas.errors import InputError, SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S, Frame, OriginKind
from habeas.video.edge import Flaws, origin
from habeas.video.file import VideoFile
from habeas.video.masks import Mask, masked

_FALLBACK_RATE_HZ: Final = 25.0


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


class _Segment:
    """Bytes that answer what `VideoFile` asks of a path."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data

    def exists(self) -> bool:
        return True

    def is_dir(self) -> bool:
        return False

    def is_file(self) -> bool:
        return True

    def open(self, _mode: str) -> IO[bytes]:
        return io.BytesIO(self._data)

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
    return VideoFile(cast("Path", _Segment(name, data)), clock, looks_hz)


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
        data = os.pread(self._file.fileno(), place.size_bytes, place.first_byte)
        return video_of(self.origin.camera_id, data, self._clock, self._looks_hz)

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
