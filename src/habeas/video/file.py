"""Recorded video: every frame in order, survived flaws noted."""

import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Self

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.types import DAY_NS, NS_PER_S, Frame, Origin, OriginKind, Picture
from habeas.video.edge import FILE_OPTIONS, Flaws, origin, quiet, translated
from habeas.video.image import ArrayPicture
from habeas.video.picture import DecodedPicture, planar

_FALLBACK_RATE_HZ: Final = 25.0
_MAX_SIDE_PX: Final = 8192
"""Larger pictures are refused: no camera makes them, and one frame would take 100 MB."""
_GAP_STEPS: Final = 8
"""So many pictures missing in a row are worth a note: transport streams lose damaged parts without an error."""
_PLENTY: Final = 4.0
_LEAP_NS: Final = DAY_NS
"""Timestamps that leap further than this are damaged, and would overflow in the end."""


class VideoFile:
    """A video file. Nothing that the file names is ever opened.

    Args:
        path: of the file.
        clock: tells when it was opened.
        looks_hz: at so many pictures a second is looked. Where the file has `_PLENTY` times as many, those on which no
            other depends are left out: of what many encoders write they are half, and half of the work. Where that
            leaves fewer than are looked at, none is left out from there on.

    Raises:
        SourceError: missing, unreadable, or without video.
    """

    def __init__(self, path: Path, clock: Clock, looks_hz: float = math.inf) -> None:
        quiet()
        name = str(path)
        self._path = path
        self._origin = origin(OriginKind.FILE, name)
        self._opened_at_ns = clock.now_ns()
        self._flaws = Flaws()
        self._lock = threading.Lock()
        self._closed = False
        with ExitStack() as stack, translated(name):
            self._container = _open(path, stack)
            self._stream = video_stream(self._container, name)
            check_size(name, self._stream.width, self._stream.height)
            self._rate_hz = float(self._stream.average_rate or self._stream.guessed_rate or _FALLBACK_RATE_HZ)
            self._sparing = self._rate_hz >= _PLENTY * looks_hz
            self._look_ns = round(NS_PER_S / looks_hz)
            if self._sparing:
                self._stream.codec_context.skip_frame = "NONREF"
            ticks = self._container.duration
            self._duration_ns = None if ticks is None or ticks <= 0 else ticks * (NS_PER_S // av.time_base)
            self._end_ns = (self._container.start_time or 0) * (NS_PER_S // av.time_base) + (self._duration_ns or 0)
            self._close = stack.pop_all()

    @property
    def origin(self) -> Origin:
        """The file."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """Nominal frames per second."""
        return self._rate_hz

    @property
    def duration_ns(self) -> int | None:
        """Length as the file's header says."""
        return self._duration_ns

    @property
    def flaws(self) -> tuple[str, ...]:
        """Truncation, damaged packets, missing pictures, changes of size."""
        return self._flaws.noted()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame that can be decoded and is not left out; damage is skipped and noted.

        Raises:
            SourceError: not one frame could be decoded.
        """
        numbered = FrameNumbering(self._origin, self.rate_hz, self._flaws)
        step_ns = round(NS_PER_S / self.rate_hz)
        expected_ns: int | None = None
        for decoded in self._decoded():
            frame = numbered.frame(decoded, self._opened_at_ns)
            due_ns = frame.pts_ns if expected_ns is None else expected_ns
            missing_ns = frame.pts_ns - due_ns
            if self._sparing and missing_ns + step_ns > self._look_ns:
                self._spare_none()
            elif missing_ns > _GAP_STEPS * step_ns:
                self._flaws.note(f"no picture from {due_ns / NS_PER_S:.2f} s to {frame.pts_ns / NS_PER_S:.2f} s")
            expected_ns = frame.pts_ns + step_ns
            yield frame
        if self._closed:
            return
        if not numbered.count:
            raise SourceError(f"{self._path}: holds no picture that can be decoded", remedy="check it in a player")
        if expected_ns is not None and self._end_ns - expected_ns > max(NS_PER_S, _GAP_STEPS * step_ns):
            self._flaws.note(f"ends at {expected_ns / NS_PER_S:.2f} s of {self._end_ns / NS_PER_S:.2f} s")

    def _spare_none(self) -> None:
        self._sparing = False
        with self._lock:
            if not self._closed:
                self._stream.codec_context.skip_frame = "DEFAULT"

    def _decoded(self) -> Iterator[av.VideoFrame]:
        damaged = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                decoded = self._step(packets)
            except av.error.InvalidDataError:
                damaged += 1
                continue
            except (av.error.FFmpegError, OSError) as error:  # OSError: the disk or share under the file
                self._flaws.note(f"ends early: {error.strerror}")
                break
            if decoded is None:
                break
            damaged += sum(picture.is_corrupt for picture in decoded)
            yield from decoded
        if damaged:
            self._flaws.note(f"{damaged} damaged packets or pictures")

    def _step(self, packets: "Iterator[av.Packet[av.VideoStream]]") -> list[av.VideoFrame] | None:
        """Decode one packet; None at the end, or once the file was closed, from whichever thread."""
        with self._lock:
            packet = None if self._closed else next(packets, None)
            return None if packet is None else packet.decode()

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
    if path.exists() and not path.is_dir() and not path.is_file():
        raise SourceError(f"{path}: is not a plain file", remedy="give a file: pipes and devices are not read")
    opened: IO[bytes] = stack.enter_context(path.open("rb"))
    return stack.enter_context(av.open(opened, mode="r", options=dict(FILE_OPTIONS), metadata_errors="replace"))


def video_stream(container: "av.container.InputContainer", name: str) -> av.VideoStream:
    """Return the stream to watch: the main one, never a cover picture beside it.

    Raises:
        SourceError: there is none, or none that can be decoded.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream):
        raise SourceError(f"{name}: has no video", remedy="give a file or address with a video stream")
    if stream.codec_context is None:
        raise SourceError(f"{name}: its video codec is unknown", remedy="convert it to H.264")
    stream.thread_count = 1
    return stream


def check_size(name: str, width: int, height: int) -> None:
    """Refuse pictures that no camera makes.

    Raises:
        SourceError: they are too large.
    """
    if width > _MAX_SIDE_PX or height > _MAX_SIDE_PX:
        raise SourceError(f"{name}: {width}x{height} is over {_MAX_SIDE_PX} px a side", remedy="reduce the video")


def _stamp_ns(decoded: av.VideoFrame) -> int | None:
    if decoded.pts is None or decoded.time_base is None:
        return None
    return round(decoded.pts * decoded.time_base * NS_PER_S)


class FrameNumbering:
    """Gives decoded pictures their index and time, and notes changes of size.

    Time is the stream's own, and never runs backwards: a stream whose timestamps do, or leap, is shifted from there on.

    Args:
        origin: of the frames.
        rate_hz: for pictures without a timestamp.
        flaws: where what was noticed is noted.
    """

    def __init__(self, origin: Origin, rate_hz: float, flaws: Flaws) -> None:
        self._origin = origin
        self._step_ns = round(NS_PER_S / max(rate_hz, 0.01))
        self._flaws = flaws
        self._shift_ns: int | None = None  # None until the first timestamp of the connection
        self._last_ns: int | None = None
        self._last_captured_ns = 0
        self._size_wh: tuple[int, int] | None = None
        self._to_planar = VideoReformatter()
        self._to_rgb = VideoReformatter()
        self._restarted = False
        self.count = 0

    def frame(self, decoded: av.VideoFrame, captured_at_ns: int) -> Frame:
        """Return the record of a decoded picture."""
        pts_ns = self._time(decoded, captured_at_ns)
        picture = self._upright(decoded)
        self._note_size(picture.size_wh, pts_ns)
        self.count += 1
        return Frame(self._origin, self.count - 1, captured_at_ns, pts_ns, picture)

    def restart(self) -> None:
        """Expect a new time base: the stream was opened again. Its time goes on by as long as it was away."""
        self._shift_ns = None
        self._restarted = True

    def _time(self, decoded: av.VideoFrame, captured_at_ns: int) -> int:
        following_ns = self._following(captured_at_ns)
        stamp_ns, pts_ns = _stamp_ns(decoded), following_ns
        if stamp_ns is not None and self._last_ns is None and 0 <= stamp_ns < _LEAP_NS:
            self._shift_ns, pts_ns = 0, stamp_ns
        elif stamp_ns is not None and self._shift_ns is None:
            self._shift_ns = following_ns - stamp_ns
        elif stamp_ns is not None and self._shift_ns is not None:
            pts_ns = stamp_ns + self._shift_ns
            last_ns = self._last_ns or 0
            if not 0 <= pts_ns - last_ns < _LEAP_NS:
                how = "runs backwards" if pts_ns < last_ns else "leaps"
                self._flaws.note(f"time {how} at {last_ns / NS_PER_S:.2f} s")
                self._shift_ns += following_ns - pts_ns
                pts_ns = following_ns
        self._last_ns, self._last_captured_ns, self._restarted = pts_ns, captured_at_ns, False
        return pts_ns

    def _following(self, captured_at_ns: int) -> int:
        """Return when the next picture is due: a step after the last, or after the outage of a stream that is back."""
        if self._last_ns is None:
            return 0
        away_ns = captured_at_ns - self._last_captured_ns if self._restarted else 0
        return self._last_ns + max(self._step_ns, away_ns)

    def _note_size(self, size_wh: tuple[int, int], pts_ns: int) -> None:
        if self._size_wh is not None and size_wh != self._size_wh:
            before, after = (f"{width}x{height}" for width, height in (self._size_wh, size_wh))
            self._flaws.note(f"picture size changes from {before} to {after} at {pts_ns / NS_PER_S:.2f} s")
        self._size_wh = size_wh

    def _upright(self, decoded: av.VideoFrame) -> Picture:
        """Return the picture as it is meant to be seen: phones store a rotation beside the pixels."""
        check_size(self._origin.camera_id, decoded.width, decoded.height)
        quarter_turns = round(decoded.rotation / 90) % 4
        if not quarter_turns:
            return DecodedPicture(planar(decoded, self._to_planar), self._to_rgb)
        turned = np.rot90(decoded.to_ndarray(format="rgb24"), quarter_turns)
        return ArrayPicture(np.ascontiguousarray(turned, np.uint8))
