"""Cameras as a worker sees them: a stream behind a door, for ever; or a video file, handed over, at its own pace."""

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator
from typing import Final, Self, TypeVar

from habeas.engine.given import given_video
from habeas.engine.messages import CameraFlaw, ShowCanary, StartCamera, StopCamera, one_line
from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S, Frame, Origin, OriginKind
from habeas.video.edge import Flaws, origin
from habeas.video.file import VideoFile
from habeas.video.live import LiveStream
from habeas.video.masks import masked
from habeas.video.parts import Part
from habeas.video.reencode import Covered

_T = TypeVar("_T")
_LONGEST_STEP_NS: Final = NS_PER_S
"""A longer time without a picture was not watched."""
_NAP_NS: Final = NS_PER_S // 10


def source_name(order: StartCamera | StopCamera | ShowCanary) -> str:
    """Return what a worker calls a camera: two starts of it are never taken for one another."""
    return f"{order.camera_id}#{order.epoch}"


def flaw_of(order: StartCamera, what: str, at_ns: int = 0) -> CameraFlaw:
    """Return what a worker says of something that went wrong with a camera, at this time of its stream."""
    return CameraFlaw(camera_id=order.camera_id, epoch=order.epoch, text=one_line(what), at_ns=max(0, at_ns))


class _Pictures:
    """What both kinds of camera do with a picture: put the masks on, name it, count the time.

    Args:
        kind: of the source.
        order: the camera.
        clock: no more of the stream was watched than time went by, whatever its own times say.
    """

    def __init__(self, kind: OriginKind, order: StartCamera, clock: Clock) -> None:
        self.origin: Origin = origin(kind, source_name(order))
        self.watched_ns = 0
        self._clock = clock
        self._began_ns: int | None = None
        self._masks = order.covers()
        self._last_ns: int | None = None

    def given_out(self, frame: Frame, captured_at_ns: int) -> Frame:
        """Return the frame as the line gets it."""
        now_ns = self._clock.monotonic_ns()
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        if self._last_ns is not None:
            step_ns = min(max(0, frame.pts_ns - self._last_ns), _LONGEST_STEP_NS)
            self.watched_ns = min(self.watched_ns + step_ns, max(self.watched_ns, now_ns - self._began_ns))
        self._last_ns = frame.pts_ns
        named = dataclasses.replace(frame, origin=self.origin, captured_at_ns=captured_at_ns)
        return masked(named, self._masks)


class LiveCamera:
    """A camera's stream. It has no end but `close`: a camera that is not there is waited for.

    Args:
        order: the camera, with the address of its door.
        clock: stamps frames.

    Raises:
        SourceError: the address cannot be one.
        InputError: a mask is no part of the picture.
    """

    def __init__(self, order: StartCamera, clock: Clock) -> None:
        self.order = order
        self._pictures = _Pictures(OriginKind.LIVE, order, clock)
        self._clock = clock
        self._live = order.live.model_copy(update={"transport": "tcp"})  # nothing else goes through a door
        self._stream = LiveStream(order.url, self._live, clock)
        self._flaws = Flaws()
        self._told = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._jitter = random.Random()  # noqa: S311 - spreads reconnections, guards nothing

    @property
    def origin(self) -> Origin:
        """The camera, in this epoch."""
        return self._pictures.origin

    @property
    def rate_hz(self) -> float:
        """Nominal rate; cameras do not say reliably."""
        return self._stream.rate_hz

    @property
    def duration_ns(self) -> int | None:
        """None: it has no end."""
        return None

    @property
    def watched_ns(self) -> int:
        """The stream's time that was watched, outages left out."""
        return self._pictures.watched_ns

    @property
    def flaws(self) -> tuple[str, ...]:
        """Stalls and reconnections, oldest first; the same one again is not repeated."""
        with self._lock:
            self._take_flaws()
            return self._flaws.noted()

    def frames(self) -> Iterator[Frame]:
        """Yield frames until `close`."""
        for frame in self._forever(LiveStream.frames):
            yield self._pictures.given_out(frame, frame.captured_at_ns)

    def parts(self) -> Iterator[Part]:
        """Yield what is recorded, instead of frames, until `close`: as the camera sends it, without its masks."""
        segment = -1
        for part in self._forever(LiveStream.parts):  # each stream counts its segments from 0
            segment += part.index == 0
            yield dataclasses.replace(part, segment=segment)

    def covered(self) -> Iterator[Covered | None]:
        """Yield pictures with the masks in their pixels, instead of frames, until `close`; None: a connection ended."""
        masks = self.order.covers()
        return self._forever(lambda stream: stream.covered(masks))

    def _forever(self, read: Callable[[LiveStream], Iterator[_T]]) -> Iterator[_T]:
        while not self._closed.is_set():
            try:
                yield from read(self._stream)
            except SourceError as error:
                self._again(error)

    def _again(self, error: SourceError) -> None:
        """Wait, and open the stream anew: it gives up where nothing ever came. Never having seen it, go on slowly."""
        slow = self._live.model_copy(update={"backoff_s": self._live.backoff_max_s})
        why = error.message.removeprefix(f"{self._stream.origin.camera_id}: ")
        with self._lock:
            self._take_flaws()
            self._flaws.note(f"cannot connect, trying again: {why}")
        self._closed.wait(self._jitter.uniform(0.1, 1.0) * slow.backoff_max_s)
        with self._lock:
            self._told = 0
            self._stream = LiveStream(self.order.url, slow, self._clock)
            if self._closed.is_set():
                self._stream.close()

    def _take_flaws(self) -> None:
        noted = self._stream.flaws
        for flaw in noted[self._told :]:
            self._flaws.note(flaw)
        self._told = len(noted)

    def close(self) -> None:
        """Stop; a read in progress ends when the door is shut, or within the stall limit."""
        with self._lock:
            self._closed.set()
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class FileCamera:
    """A video file that stands for a camera: each picture is given out when its time has come; then it ends.

    Args:
        order: the camera.
        descriptor: of the file; owned.
        clock: what real time is, and when pictures are captured.

    Raises:
        SourceError: not a video.
        InputError: a mask is no part of the picture.
    """

    def __init__(self, order: StartCamera, descriptor: int, clock: Clock) -> None:
        self.order = order
        self._file = VideoFile(given_video(order.camera_id, descriptor), clock)
        self._pictures = _Pictures(OriginKind.FILE, order, clock)
        self._clock = clock
        self._closed = threading.Event()

    @property
    def origin(self) -> Origin:
        """The camera, in this epoch."""
        return self._pictures.origin

    @property
    def rate_hz(self) -> float:
        """Nominal frames per second."""
        return self._file.rate_hz

    @property
    def duration_ns(self) -> int | None:
        """Length as the file's header says."""
        return self._file.duration_ns

    @property
    def watched_ns(self) -> int:
        """The file's time that was watched."""
        return self._pictures.watched_ns

    @property
    def flaws(self) -> tuple[str, ...]:
        """Truncation, damaged packets, missing pictures, changes of size."""
        return self._file.flaws

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, each at its time.

        Raises:
            SourceError: not one could be decoded.
        """
        start_ns: int | None = None
        for frame in self._file.frames():
            start_ns = self._clock.monotonic_ns() - frame.pts_ns if start_ns is None else start_ns
            while not self._closed.is_set() and (early_ns := start_ns + frame.pts_ns - self._clock.monotonic_ns()) > 0:
                self._clock.wait(min(early_ns, _NAP_NS))
            if self._closed.is_set():
                return
            yield self._pictures.given_out(frame, self._clock.now_ns())

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


Camera = LiveCamera | FileCamera
