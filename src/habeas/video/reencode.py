"""Recording with the masks in the pixels: pictures are decoded, painted, and encoded anew as H.264.

    1. `Covering` decodes the packets of a connection and paints each picture. From there on nothing is there of what is
       under a mask: pictures are made anew, with their planes and their time, and nothing that came beside them.
    2. `Waiting` holds a few of them between the thread that reads a camera and the one that encodes.
    3. `Encoding` makes H.264 of them, and cuts that into parts as it came from a camera (`video.remux`).

A decoder that guesses what is missing may draw what is under a mask where none is. So what FFmpeg finds damaged is left
out, and what needs a picture that did not come (`video.references`), and all that follows until a picture that stands
alone; nothing is recorded of a stream that cannot be decoded.

Inside pictures of H.265 and MJPEG FFmpeg finds no damage: only H.264 is encoded anew. There it finds a slice that is
lost or cut short, and most where bytes in the middle are missing or wrong. A few bytes may go unnoticed, where what is
left can be read to its end: RTSP over TCP loses none on the way.
"""

import itertools
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import av
import av.error
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from habeas.errors import SourceError
from habeas.types import NS_PER_S, U8
from habeas.video.edge import FILE_OPTIONS, Flaws, translated
from habeas.video.file import check_size, video_stream
from habeas.video.masks import GREY, Box, Mask
from habeas.video.parts import Lost, Part
from habeas.video.picture import planar
from habeas.video.references import References
from habeas.video.remux import Remux

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    Packet: TypeAlias = "av.Packet[VideoStream]"

_CODEC: Final = "h264"
"""The one whose damage is found."""
_COLOURLESS: Final = 128
_TICK: Final = Fraction(1, 90_000)
"""RTP's, where none is said."""
_HELD_BACK: Final = 64
"""A decoder of which no picture comes for so many packets gives out none at all."""
_MOST_WAITING: Final = 25
"""Pictures between decoder and encoder: a stream that begins may send half a second at once."""
_MOST_WAITING_BYTES: Final = 64 << 20
"""Of them: 21 pictures of 1920x1080."""
_KEY_NS: Final = 2 * NS_PER_S
"""A picture that stands alone comes at least so often."""
_GAP_NS: Final = 2 * NS_PER_S
"""Where so much time is left out, a segment ends: what is missing is a gap between two, which is told."""
_BACK_NS: Final = NS_PER_S
"""Where time runs back further, too. Smaller steps back are put in order."""
_MOST_BITS_A_PIXEL: Final = 3
"""A second: 6 Mbit/s at 1920x1080. Noise at night would take any number."""


@dataclass(frozen=True, repr=False)
class Covered:
    """A picture whose masks are in its pixels.

    Args:
        frame: 8-bit planar 4:2:0, of even size, with its time.
        captured_at_ns: wall clock when its packet came, Unix ns.
        aspect: width of a pixel by its height; None: square.
        lost: why pictures before it were left out; empty: none were.
    """

    frame: av.VideoFrame
    captured_at_ns: int
    aspect: Fraction | None = None
    lost: Lost = ""


# --- decode and paint -------------------------------------------------------------------------------------------------


class Covering:
    """Decodes the packets of one connection and paints masks over each picture. Used by one thread.

    Args:
        stream: as it was opened.
        name: of the camera, for messages.
        masks: what is covered.
        flaws: hears of what is survived.

    Raises:
        SourceError: damage in its codec is not found.
    """

    def __init__(self, stream: "VideoStream", name: str, masks: Sequence[Mask], flaws: Flaws) -> None:
        self._aspect = stream.codec_context.sample_aspect_ratio
        self._name = name
        self._masks = tuple(masks)
        self._flaws = flaws
        self._reformatter = VideoReformatter()
        self._came_ns: dict[int, int] = {}
        self._gave = False
        self._stands = False
        self._before: set[int | None] = set()
        self._lost: Lost = ""
        self._references = _references(stream, name)

    def take(self, packet: "Packet", captured_at_ns: int) -> Iterator[Covered]:
        """Yield the pictures that can be given out with this packet.

        Args:
            packet: the next one.
            captured_at_ns: wall clock when it came.

        Raises:
            SourceError: its pictures are larger than any that is read.
        """
        if len(self._came_ns) > _HELD_BACK:
            self._broken()
            self._came_ns.clear()
        if packet.pts is not None:
            self._came_ns[packet.pts] = captured_at_ns
        for decoded in self._decoded(packet):
            came_ns = self._when(decoded.pts, captured_at_ns)
            if not self._follows(decoded):
                self._leave_out()
                continue
            lost, self._lost, self._gave = self._lost, "", True
            yield Covered(self._painted(decoded), came_ns, self._aspect, lost)

    def _when(self, pts: int | None, now_ns: int) -> int:
        """Return when the packet of a picture came. Of those that are shown before it, none comes any more."""
        if pts is None:
            return now_ns
        came_ns = self._came_ns.pop(pts, now_ns)
        if self._gave and any(earlier < pts for earlier in self._came_ns):
            self._leave_out()
        self._came_ns = {later: at_ns for later, at_ns in self._came_ns.items() if later > pts}
        return came_ns

    def finish(self) -> Iterator[None]:
        """Say that the connection ended, if a picture came of it."""
        if self._gave:
            yield None

    def _decoded(self, packet: "Packet") -> list[av.VideoFrame]:
        at = packet.dts if packet.dts is not None else packet.pts
        if packet.size and self._references.misses(bytes(packet), at):
            self._broken()
        try:
            return packet.decode()
        except av.error.InvalidDataError:
            self._broken()
            return []

    def _follows(self, decoded: av.VideoFrame) -> bool:
        """Tell whether nothing of a picture was guessed: it stands alone, or follows one that does."""
        alone = decoded.key_frame and decoded.pts not in self._before
        self._before.discard(decoded.pts)
        self._stands = not decoded.is_corrupt and (self._stands or alone)
        return self._stands

    def _broken(self) -> None:
        """Let nothing follow what the decoder holds back: what stands alone there is no base for what comes."""
        self._stands, self._before = False, set(self._came_ns)
        self._leave_out()

    def _leave_out(self) -> None:
        self._lost = "damaged"
        self._flaws.note("it cannot be decoded: nothing is recorded until a picture that stands alone")

    def _painted(self, decoded: av.VideoFrame) -> av.VideoFrame:
        """Return the picture upright and anew, with grey where the masks are. The decoder still needs its own."""
        check_size(self._name, decoded.width, decoded.height)
        turns = round(decoded.rotation / 90) % 4
        if turns:
            turned = np.ascontiguousarray(np.rot90(decoded.to_ndarray(format="rgb24"), turns), np.uint8)
            source = self._reformatter.reformat(av.VideoFrame.from_ndarray(turned, format="rgb24"), format="yuv420p")
        else:
            source = planar(decoded, self._reformatter)
        boxes = [mask.box_xyxy_px((source.width, source.height)) for mask in self._masks]
        covered = _copied(source, boxes)
        covered.pts = decoded.pts if decoded.pts is not None else decoded.dts
        covered.time_base = decoded.time_base or _TICK
        return covered


def _references(stream: "VideoStream", name: str) -> References:
    context = stream.codec_context
    codec = context.codec.canonical_name
    if codec != _CODEC:
        why = f"damage in {codec} is not found, so that it is not encoded anew: set the camera to H.264"
        raise SourceError(f"{name}: {why}", remedy="set the camera to H.264")
    rate_hz, tick_s = stream.average_rate, stream.time_base
    return References(context.extradata or b"", float(1 / (rate_hz * tick_s)) if rate_hz and tick_s else None)


def _copied(source: av.VideoFrame, boxes_xyxy_px: Sequence[Box]) -> av.VideoFrame:
    """Return a picture of the same pixels but those in the boxes, which end on even pixels; an odd side is cut."""
    covered = av.VideoFrame(source.width & ~1, source.height & ~1, source.format.name)
    for number, (step, grey) in enumerate(((1, GREY), (2, _COLOURLESS), (2, _COLOURLESS))):
        target = _pixels(covered, number)
        height, width = target.shape
        target[:] = _pixels(source, number)[:height, :width]
        for left, top, right, bottom in boxes_xyxy_px:
            target[top // step : -(-bottom // step), left // step : -(-right // step)] = grey
    covered.colorspace, covered.color_range = source.colorspace, source.color_range
    covered.color_primaries, covered.color_trc = source.color_primaries, source.color_trc
    return covered


def _pixels(frame: av.VideoFrame, number: int) -> U8:
    """Return a plane's pixels, (h, w) uint8, without what pads its rows; writing there writes the frame."""
    plane = frame.planes[number]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


# --- between two threads ----------------------------------------------------------------------------------------------


class Waiting:
    """Pictures between the thread that reads a camera and the one that encodes: a few, or the oldest is dropped.

    An end of a connection (None) is never dropped.
    """

    def __init__(self) -> None:
        self.pictures = 0
        """That were handed over."""
        self.dropped = 0
        """Of them, because the encoder was slower than the camera."""
        self._changed = threading.Condition()
        self._items: deque[Covered | None] = deque()
        self._over = False

    def put(self, item: Covered | None) -> None:
        """Hand over a picture, or that the connection ended. Never waits."""
        with self._changed:
            self.pictures += item is not None
            self._items.append(item)
            while self._is_too_much():
                self._drop_oldest()
            self._changed.notify()

    def _is_too_much(self) -> bool:
        sizes = [one.frame.width * one.frame.height * 3 // 2 for one in self._items if one is not None]
        return len(sizes) > _MOST_WAITING or (len(sizes) > 1 and sum(sizes) > _MOST_WAITING_BYTES)

    def _drop_oldest(self) -> None:
        """Drop the oldest picture; the next one tells."""
        oldest = next(at for at, one in enumerate(self._items) if one is not None)
        del self._items[oldest]
        self.dropped += 1
        following = self._items[oldest]
        if following is not None:
            self._items[oldest] = replace(following, lost="overload")

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def __iter__(self) -> Iterator[Covered | None]:
        """Yield what was handed over, waiting for it, until the end."""
        while True:
            with self._changed:
                while not self._items and not self._over:
                    self._changed.wait()
                if not self._items:
                    return
                item = self._items.popleft()
            yield item
            del item


# --- encode -----------------------------------------------------------------------------------------------------------


class Encoding:
    """Makes parts of pictures: H.264, whose pictures stand alone every two seconds. Used by one thread.

    Why pictures are missing is said where a segment begins after them: after two seconds or more, which are a gap. What
    is missing within a segment, no part says; of damage the flaws do, of what was dropped the counts.

    Args:
        name: of the camera, for messages.
        flaws: hears of what is survived.
    """

    def __init__(self, name: str, flaws: Flaws) -> None:
        self._name = name
        self._flaws = flaws
        self._numbers = itertools.count()
        self._encoder: _Encoder | None = None
        self._remux: Remux | None = None
        self._lost: Lost = ""

    def take(self, picture: Covered) -> Iterator[Part]:
        """Add a picture; yield the parts that are whole with it.

        Raises:
            SourceError: it cannot be encoded, or a part is larger than any may be.
        """
        self._lost = picture.lost or self._lost
        if self._encoder is None or not self._encoder.fits(picture):
            yield from self._begin(picture)
        assert self._encoder is not None
        assert self._remux is not None
        with translated(self._name):
            packets = self._encoder.encode(picture.frame)
        for packet in packets:
            for part in self._remux.take(packet, picture.captured_at_ns):
                yield part if part.index else replace(part, lost=self._lost)
                self._lost = ""

    def _begin(self, picture: Covered) -> Iterator[Part]:
        """Begin an encoder for pictures like this one."""
        with translated(self._name):
            self._encoder = _Encoder(picture)
        if self._remux is None:
            self._remux = Remux(self._encoder.stream, self._name, self._flaws, self._numbers)
        else:
            yield from self._remux.follow(self._encoder.stream)

    def finish(self) -> Iterator[Part]:
        """End the segment; yield its last part. What comes then is another stream."""
        self._encoder = None
        if self._remux is not None:
            yield from self._remux.finish()


class _Nowhere:
    """Where FFmpeg writes to: packets are taken before."""

    def write(self, data: bytes) -> int:
        return len(data)


class _Encoder:
    """x264, one thread, no picture held back: each comes out with the packet that it went in."""

    def __init__(self, picture: Covered) -> None:
        self._like = _kind(picture)
        frame, time_base = picture.frame, picture.frame.time_base
        assert time_base is not None
        most = _MOST_BITS_A_PIXEL * frame.width * frame.height
        options = {"crf": "23", "maxrate": str(most), "bufsize": str(2 * most)}
        self._container = av.open(_Nowhere(), "w", format="h264")
        stream = self._container.add_stream(
            "libx264", options={"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", **options}
        )
        stream.thread_count = 1
        stream.pix_fmt = "yuv420p"
        stream.width, stream.height = frame.width, frame.height
        stream.time_base = stream.codec_context.time_base = time_base
        context = stream.codec_context
        context.colorspace, context.color_range = frame.colorspace, frame.color_range
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
        if picture.aspect:
            context.sample_aspect_ratio = picture.aspect
        self._container.start_encoding()
        self.stream: Final = stream
        self._tick_ns = float(time_base) * NS_PER_S
        self._last: int | None = None
        self._key = self._step = 0

    def fits(self, picture: Covered) -> bool:
        """Tell whether a picture can follow those before: it is like them, and its time is near theirs."""
        last, pts = self._last, picture.frame.pts
        near = last is None or pts is None or -_BACK_NS <= (pts - last) * self._tick_ns <= _GAP_NS
        return near and _kind(picture) == self._like

    def encode(self, frame: av.VideoFrame) -> "list[Packet]":
        """Return what a picture becomes; one without a time follows the last."""
        last = self._last
        at = frame.pts if frame.pts is not None else (last or 0) + self._step
        if last is not None:
            at = max(at, last + 1)
            self._step = at - last
        if last is None or (at + self._step - self._key) * self._tick_ns > _KEY_NS:
            frame.pict_type, self._key = PictureType.I, at
        frame.pts = self._last = at
        return self.stream.encode(frame)


def _kind(picture: Covered) -> tuple[object, ...]:
    """Return what pictures of one stream have in common."""
    frame = picture.frame
    colours = frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc
    return frame.width, frame.height, frame.time_base, picture.aspect, *colours


def reencode_file(path: Path, masks: Sequence[Mask]) -> Iterator[Part]:
    """Yield the parts of a video file encoded anew, each picture as if it had come at its own time.

    Raises:
        SourceError: it cannot be read.
    """
    flaws = Flaws()
    with translated(str(path)), path.open("rb") as file, av.open(file, "r", options=dict(FILE_OPTIONS)) as container:
        stream = video_stream(container, str(path))
        covering, encoding = Covering(stream, str(path), masks, flaws), Encoding(str(path), flaws)
        for packet in container.demux(stream):
            at_ns = round((packet.dts or 0) * float(packet.time_base or 0) * NS_PER_S)
            for picture in covering.take(packet, at_ns):
                yield from encoding.take(picture)
        yield from encoding.finish()
