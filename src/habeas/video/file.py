"""Recorded video: every frame in order, survived flaws noted."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S, Frame, Origin, OriginKind, Picture
from habeas.video.edge import FILE_OPTIONS, origin, quiet, translated
from habeas.video.image import ArrayPicture
from habeas.video.picture import DecodedPicture, planar

_FALLBACK_RATE_HZ = 25.0
_MAX_SIDE_PX = 8192
"""Larger pictures are refused: no camera makes them, and one frame would take 100 MB."""


class VideoFile:
    """A video file. Nothing that the file names is ever opened.

    Args:
        path: of the file.
        clock: tells when it was opened.

    Raises:
        SourceError: missing, unreadable, or without video.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        quiet()
        name = str(path)
        self._path = path
        self._origin = origin(OriginKind.FILE, name)
        self._opened_at_ns = clock.now_ns()
        self._flaws: list[str] = []
        self._lock = threading.Lock()
        self._closed = False
        with ExitStack() as stack, translated(name):
            self._container = _open(path, stack)
            if not self._container.streams.video:
                raise SourceError(f"{name}: has no video", remedy="give a file with a video stream")
            self._stream = self._container.streams.video[0]
            self._stream.thread_count = 1
            _check_size(name, self._stream.width, self._stream.height)
            self._close = stack.pop_all()

    @property
    def origin(self) -> Origin:
        """The file."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """Nominal frames per second."""
        return float(self._stream.average_rate or self._stream.guessed_rate or _FALLBACK_RATE_HZ)

    @property
    def duration_ns(self) -> int | None:
        """Length as the file's header says."""
        ticks = self._container.duration
        return None if ticks is None or ticks <= 0 else ticks * (NS_PER_S // av.time_base)

    @property
    def flaws(self) -> tuple[str, ...]:
        """Truncation, damaged packets, changes of size."""
        return tuple(self._flaws)

    def frames(self) -> Iterator[Frame]:
        """Yield every frame that can be decoded; damage is skipped and noted.

        Raises:
            SourceError: not one frame could be decoded.
        """
        numbered = FrameNumbering(self._origin, self.rate_hz, self._flaws)
        for decoded in self._decoded():
            yield numbered.frame(decoded, self._opened_at_ns)
        if not numbered.count:
            raise SourceError(f"{self._path}: holds no picture that can be decoded", remedy="check it in a player")

    def _decoded(self) -> Iterator[av.VideoFrame]:
        damaged = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                decoded = self._step(packets)
            except av.error.InvalidDataError:
                damaged += 1
                continue
            except av.error.FFmpegError as error:
                self._flaws.append(f"ends early: {error.strerror}")
                break
            if decoded is None:
                break
            damaged += sum(picture.is_corrupt for picture in decoded)
            yield from decoded
        if damaged:
            self._flaws.append(f"{damaged} damaged packets or pictures")

    def _step(self, packets: Iterator[av.Packet]) -> list[av.VideoFrame] | None:
        """Decode one packet; None at the end, or once the file was closed, from whichever thread."""
        with self._lock:
            packet = None if self._closed else next(packets, None)
            return None if packet is None else [p for p in packet.decode() if isinstance(p, av.VideoFrame)]

    def close(self) -> None:
        """Close the file; a `frames()` in another thread ends."""
        with self._lock:
            self._closed = True
            self._close.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _open(path: Path, stack: ExitStack) -> "av.container.InputContainer":
    opened: IO[bytes] = stack.enter_context(path.open("rb"))
    return stack.enter_context(av.open(opened, mode="r", options=dict(FILE_OPTIONS), metadata_errors="replace"))


def _check_size(name: str, width: int, height: int) -> None:
    if width > _MAX_SIDE_PX or height > _MAX_SIDE_PX:
        raise SourceError(f"{name}: {width}x{height} is over {_MAX_SIDE_PX} px a side", remedy="reduce the video")


class FrameNumbering:
    """Gives decoded pictures their index and time, and notes changes of size.

    Time never runs backwards: a stream whose timestamps do is shifted from there on.

    Args:
        origin: of the frames.
        rate_hz: for pictures without a timestamp.
        flaws: where what was noticed is noted.
    """

    def __init__(self, origin: Origin, rate_hz: float, flaws: list[str]) -> None:
        self._origin = origin
        self._step_ns = round(NS_PER_S / max(rate_hz, 0.01))
        self._flaws = flaws
        self._shift_ns = 0
        self._last_ns: int | None = None
        self._size_wh: tuple[int, int] | None = None
        self._to_planar = VideoReformatter()
        self._to_rgb = VideoReformatter()
        self._restarted = False
        self.count = 0

    def frame(self, decoded: av.VideoFrame, captured_at_ns: int) -> Frame:
        """Return the record of a decoded picture."""
        pts_ns = self._time(decoded)
        picture = self._upright(decoded)
        self._note_size(picture.size_wh, pts_ns)
        self.count += 1
        return Frame(self._origin, self.count - 1, captured_at_ns, pts_ns, picture)

    def restart(self) -> None:
        """Expect a new time base: the stream was opened again; its time goes on from the last picture."""
        self._shift_ns = 0
        self._restarted = True

    def _time(self, decoded: av.VideoFrame) -> int:
        following = 0 if self._last_ns is None else self._last_ns + self._step_ns
        if decoded.pts is None or decoded.time_base is None:
            stamp = following
        else:
            stamp = round(decoded.pts * decoded.time_base * NS_PER_S) + self._shift_ns
        backwards = self._last_ns is not None and stamp < self._last_ns
        if backwards or self._restarted:
            self._shift_ns += following - stamp
            if backwards and not self._restarted:
                self._flaws.append(f"time runs backwards at {(self._last_ns or 0) / NS_PER_S:.2f} s")
            self._restarted = False
            stamp = following
        self._last_ns = stamp
        return stamp

    def _note_size(self, size_wh: tuple[int, int], pts_ns: int) -> None:
        if self._size_wh is not None and size_wh != self._size_wh:
            before, after = (f"{width}x{height}" for width, height in (self._size_wh, size_wh))
            self._flaws.append(f"picture size changes from {before} to {after} at {pts_ns / NS_PER_S:.2f} s")
        self._size_wh = size_wh

    def _upright(self, decoded: av.VideoFrame) -> Picture:
        """Return the picture as it is meant to be seen: phones store a rotation beside the pixels."""
        _check_size(self._origin.camera_id, decoded.width, decoded.height)
        quarter_turns = round(decoded.rotation / 90) % 4
        if not quarter_turns:
            return DecodedPicture(planar(decoded, self._to_planar), self._to_rgb)
        turned = np.rot90(decoded.to_ndarray(format="rgb24"), quarter_turns)
        return ArrayPicture(np.ascontiguousarray(turned, np.uint8))
