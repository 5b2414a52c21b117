"""Packets into fragmented MP4, as they come: nothing is decoded, and nothing encoded anew.

A segment begins with a picture that needs none before it (IDR): it plays alone, and no open group of pictures is cut.
It ends before such a picture, once it is long enough, or where another hour begins, the codec's parameters change, or
time jumps. H.265 is tagged `hvc1`, which browsers play. Only video is recorded.

Ten seconds at least are between the beginnings of two segments of an hour: a camera whose parameters or times change
with every picture makes no file of each. What comes earlier is not recorded.

A camera that sends no IDR picture for long gets segments that begin with a key picture: players leave out the few that
follow it and need others. What comes while no segment can begin is not recorded, and counted as a gap by its times.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import av
import av.error

from habeas.errors import SourceError
from habeas.types import HOUR_NS, NS_PER_S
from habeas.video.edge import FILE_OPTIONS, Flaws, translated
from habeas.video.parts import CODECS, MAX_PART_BYTES, PART_NS, SEGMENT_NS, Part

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    Packet: TypeAlias = "av.Packet[VideoStream]"

_START_CODE: Final = re.compile(b"\x00\x00\x01")
_LENGTH_BYTES: Final = 4
_MP4_PARAMETERS: Final = b"\x01"
"""What begins parameters as MP4 has them (avcC, hvcC); those with start codes begin with zeros."""
_BOX_BYTES: Final = 8
_IDR: Final = {"h264": frozenset({5}), "hevc": frozenset({16, 17, 18, 19, 20})}
"""Types of NAL units of pictures that nothing before is needed for (H.264 table 7-1; H.265 table 7-1, BLA and IDR)."""
_PARAMETERS: Final = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}
_JUMP_NS: Final = 10 * NS_PER_S
"""Time that stands still for longer, or runs backwards, ends a segment."""
_APART_NS: Final = 10 * NS_PER_S
"""Between the beginnings of two segments of an hour."""
_PATIENCE_NS: Final = 60 * NS_PER_S
"""So long after its time a segment, or the next one, waits for an IDR picture, then for any key picture."""
_LONGEST_NS: Final = 300 * NS_PER_S
"""A segment in which no key picture comes ends then."""
_OPTIONS: Final = {
    "movflags": "empty_moov+default_base_moof",
    "frag_duration": str(PART_NS // 1000),
    "frag_size": str(MAX_PART_BYTES // 2),
}


# --- what a packet is -------------------------------------------------------------------------------------------------


def nal_units(data: bytes, *, lengths: bool) -> Iterator[bytes]:
    """Yield the NAL units of a packet. Pure.

    Args:
        data: the packet.
        lengths: four bytes of length are before each, as in MP4; else start codes (Annex B).
    """
    if not lengths:
        starts = [found.end() for found in _START_CODE.finditer(data)]
        ends = [at - len(_START_CODE.pattern) for at in starts[1:]]
        for start, end in zip_longest(starts, ends, fillvalue=len(data)):
            yield data[start:end].rstrip(b"\x00")
        return
    at = 0
    while at + _LENGTH_BYTES <= len(data):
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        yield data[at + _LENGTH_BYTES : end]
        at = end


def nal_type(unit: bytes, codec: str) -> int:
    """Return the type of a NAL unit that is not empty. Pure."""
    return (unit[0] >> 1) & 0x3F if codec == "hevc" else unit[0] & 0x1F


@dataclass(frozen=True)
class Picture:
    """What a packet is to those before and after it.

    Args:
        key: a decoder may begin with it, leaving out some that follow.
        begins: nothing that follows needs anything before it.
        parameters: the parameter sets that it brings along, with start codes; empty: none.
    """

    key: bool
    begins: bool
    parameters: bytes


def picture_of(data: bytes, codec: str, *, lengths: bool) -> Picture:
    """Return what a packet is that FFmpeg calls a key picture; arguments as of `nal_units`. Pure."""
    units = [(nal_type(unit, codec), unit) for unit in nal_units(data, lengths=lengths) if unit]
    sets = [b"\x00\x00\x00\x01" + unit for kind, unit in units if kind in _PARAMETERS[codec]]
    return Picture(key=True, begins=any(kind in _IDR[codec] for kind, _ in units), parameters=b"".join(sets))


_NO_KEY: Final = Picture(key=False, begins=False, parameters=b"")


# --- cutting ----------------------------------------------------------------------------------------------------------


class Remux:
    """Cuts the packets of one connection into segments and parts. Used by one thread.

    Args:
        stream: as it was opened.
        name: of the camera, for messages.
        flaws: hears of what is survived.
        numbers: of the segments that begin.

    Raises:
        SourceError: its codec is not recorded.
    """

    def __init__(self, stream: "VideoStream", name: str, flaws: Flaws, numbers: Iterator[int]) -> None:
        self._stream = stream
        self._name = name
        self._flaws = flaws
        self._codec = stream.codec_context.codec.canonical_name
        if self._codec not in CODECS:
            raise SourceError(f"{name}: {self._codec} is not recorded", remedy="set the camera to H.264 or H.265")
        self._lengths = (stream.codec_context.extradata or b"").startswith(_MP4_PARAMETERS)
        self._segment: _Segment | None = None
        self._waits_since_ns: int | None = None
        self._numbers = numbers
        self._began_ns: int | None = None
        self._hurries = False

    def take(self, packet: "Packet", captured_at_ns: int) -> Iterator[Part]:
        """Add a packet; yield the parts that are whole with it.

        Args:
            packet: the next one.
            captured_at_ns: wall clock when it came.

        Raises:
            SourceError: a part is larger than any may be, or FFmpeg does not take the packet.
        """
        if not packet.size or (packet.dts is None and packet.pts is None):
            return
        picture = picture_of(bytes(packet), self._codec, lengths=self._lengths) if packet.is_keyframe else _NO_KEY
        segment = self._segment
        if segment is not None:
            if segment.breaks(packet):
                self._flaws.note("the stream's time jumped: a segment of the recording ended early")
                yield from self.finish()
            elif segment.is_over(picture, captured_at_ns):
                self._waits_since_ns = segment.captured_at_ns + SEGMENT_NS
                yield from self.finish()
        if self._segment is None and self._begins(picture, captured_at_ns):
            number, self._began_ns = next(self._numbers), captured_at_ns
            self._segment = _Segment(self._stream, picture.parameters, number, self._name, captured_at_ns)
        if self._segment is not None:
            yield from self._segment.take(packet, captured_at_ns)

    def _begins(self, picture: Picture, now_ns: int) -> bool:
        """Tell whether a segment begins with this picture: an IDR picture, and after a long wait any key picture."""
        self._waits_since_ns = now_ns if self._waits_since_ns is None else self._waits_since_ns
        late = now_ns - self._waits_since_ns >= _PATIENCE_NS
        if not (picture.begins or (late and picture.key)) or self._is_too_soon(now_ns):
            return False
        if not picture.begins:
            self._flaws.note("it sends no IDR pictures: segments of the recording begin with others")
        self._waits_since_ns = None
        return True

    def _is_too_soon(self, now_ns: int) -> bool:
        """Tell whether the last segment of this hour began a moment ago; a camera of which that is so is told once."""
        began_ns = self._began_ns
        if began_ns is None or now_ns // HOUR_NS != began_ns // HOUR_NS or not 0 <= now_ns - began_ns < _APART_NS:
            return False
        if not self._hurries:
            self._hurries = True
            self._flaws.note("it begins anew within seconds: some of it is not recorded")
        return True

    def follow(self, stream: "VideoStream") -> Iterator[Part]:
        """End the segment; yield its last part. The packets that come then are of another stream, of the same codec."""
        yield from self.finish()
        self._stream = stream

    def finish(self) -> Iterator[Part]:
        """End the segment; yield its last part."""
        segment, self._segment = self._segment, None
        if segment is not None:
            yield from segment.finish()


def remux_file(path: Path) -> Iterator[Part]:
    """Yield the parts of a video file, as if it had come in one instant: what a worker that records tries first.

    Raises:
        SourceError: it cannot be read, or its codec is not recorded.
    """
    with translated(str(path)), path.open("rb") as file, av.open(file, "r", options=dict(FILE_OPTIONS)) as container:
        stream = container.streams.video[0]
        remux = Remux(stream, str(path), Flaws(), itertools.count())
        for packet in container.demux(stream):
            yield from remux.take(packet, 0)
        yield from remux.finish()


class _Segment:
    """One MP4 that is being written, its times from 0."""

    def __init__(self, stream: "VideoStream", parameters: bytes, number: int, name: str, captured_at_ns: int) -> None:
        self.captured_at_ns = captured_at_ns
        self._parameters = parameters
        self._number = number
        self._name = name
        self._codec = stream.codec_context.codec.canonical_name
        self._size_wh = stream.codec_context.width, stream.codec_context.height
        self._sink = _Sink()
        with translated(name):
            self._container = av.open(self._sink, "w", format="mp4", options=_OPTIONS)
            self._stream = self._container.add_stream_from_template(stream)
        if parameters:
            self._stream.codec_context.extradata = parameters
        if self._codec == "hevc":
            self._stream.codec_context.codec_tag = "hvc1"
        self._first: int | None = None
        self._last_dts = 0
        self._step = 1
        self._parts = 0
        self._pending_ns: int = captured_at_ns
        self._part_dts = 0
        self._tick_ns = 0.0

    def breaks(self, packet: "Packet") -> bool:
        """Tell whether this packet's time does not follow the last one's."""
        if self._first is None or packet.dts is None:
            return False
        ahead_ns = (packet.dts - self._first - self._last_dts) * self._tick_ns
        other_base = float(packet.time_base) * NS_PER_S != self._tick_ns
        return other_base or not -_JUMP_NS / 10 <= ahead_ns <= _JUMP_NS

    def is_over(self, picture: Picture, now_ns: int) -> bool:
        """Tell whether the next segment begins with this picture, or this one has waited for it for too long."""
        lasted_ns = now_ns - self.captured_at_ns
        other_hour = now_ns // HOUR_NS != self.captured_at_ns // HOUR_NS
        if picture.begins:
            changed = bool(picture.parameters) and picture.parameters != self._parameters
            return changed or other_hour or lasted_ns >= SEGMENT_NS
        return lasted_ns >= (SEGMENT_NS + _PATIENCE_NS if picture.key else _LONGEST_NS)

    def take(self, packet: "Packet", captured_at_ns: int) -> Iterator[Part]:
        self._rebase(packet)
        packet.stream = self._stream
        with translated(self._name):
            self._container.mux(packet)
        written = self._sink.taken()
        if written:
            yield from self._part(written, captured_at_ns)

    def _rebase(self, packet: "Packet") -> None:
        """Give the packet times from 0 that never stand still, as MP4 wants; a picture without one follows the last."""
        dts = packet.dts if packet.dts is not None else packet.pts
        assert dts is not None
        if self._first is None:
            self._first = dts
            self._tick_ns = float(packet.time_base) * NS_PER_S
            self._last_dts = -1
        pts = (packet.pts if packet.pts is not None else dts) - self._first
        own = packet.dts - self._first if packet.dts is not None else self._last_dts + 1
        own = max(own, self._last_dts + 1)
        self._step, self._last_dts = own - self._last_dts, own
        packet.dts = own
        packet.pts = max(pts, packet.dts)

    def _part(self, data: bytes, captured_at_ns: int) -> Iterator[Part]:
        """Yield what FFmpeg wrote: first the header, later what came before this packet."""
        for header, boxes in _split(data):
            lasts_ns = 0 if header else round((self._last_dts - self._part_dts) * self._tick_ns)
            if len(boxes) > MAX_PART_BYTES:
                raise SourceError(f"{self._name}: a picture of {len(boxes)} bytes", remedy="lower its bit rate")
            yield Part(self._number, self._parts, self._pending_ns, lasts_ns, self._codec, self._size_wh, boxes)
            self._parts += 1
            if not header:
                self._pending_ns, self._part_dts = captured_at_ns, self._last_dts

    def finish(self) -> Iterator[Part]:
        with translated(self._name):
            self._container.close()
        self._last_dts += self._step  # the last picture is shown for as long as the one before
        yield from self._part(self._sink.taken(), self._pending_ns)


class _Sink:
    """Where FFmpeg writes to."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


def _split(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yield header boxes together, then fragments; the index that FFmpeg writes at the end is left out."""
    header, fragments, at = b"", b"", 0
    while at + _BOX_BYTES <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + _BOX_BYTES]
        if kind in (b"ftyp", b"moov"):
            header += data[at : at + size]
        elif kind in (b"moof", b"mdat"):
            fragments += data[at : at + size]
        at += size
    if header:
        yield True, header
    if fragments:
        yield False, fragments
