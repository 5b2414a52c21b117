"""Encoding: what scenes and test clips are written with, and films that are given away."""

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from habeas.types import F32, NS_PER_S, U8
from habeas.video.edge import quiet
from habeas.video.masks import GREY

_TICKS_PER_S: Final = 90_000
_NO_SEI: Final = "filter_units=remove_types=6"
"""x264 writes its name, version and options beside the pictures."""


def encode_h264(images: Iterable[U8], path: Path, rate_hz: int, crf: int = 23) -> None:
    """Write pictures as H.264 in MP4.

    Args:
        images: (h, w, 3) uint8 RGB, all of one even size.
        path: of the file.
        rate_hz: pictures a second.
        crf: x264's constant rate factor, 0 (best) to 51.
    """
    quiet()
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate_hz, options={"preset": "veryfast", "crf": str(crf)})
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if not index:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def painted(image_rgb: U8, boxes_xyxy_px: F32) -> U8:
    """Return a picture with solid shapes over it; nothing of what they cover is left.

    Args:
        image_rgb: (h, w, 3) uint8.
        boxes_xyxy_px: (n, 4) float32, whole pixels inside the picture.
    """
    covered = image_rgb.copy()
    for left, top, right, bottom in boxes_xyxy_px.astype(int).tolist():
        covered[top:bottom, left:right] = GREY
    return covered


class FilmWriter:
    """Writes pictures as H.264 in MP4, in memory: pictures and their times, and nothing else.

    No sound, no metadata, no time of making, no name of a program. BT.709, limited range, which is said in the stream.

    Args:
        size_wh: of all pictures; an odd side gets a grey row or column more, which H.264 needs.
        crf: x264's constant rate factor, 0 (best) to 51.
    """

    def __init__(self, size_wh: tuple[int, int], crf: int = 20) -> None:
        quiet()
        self._sink = io.BytesIO()
        self._container = av.open(self._sink, "w", format="mp4", options={"fflags": "+bitexact"})
        options = {"preset": "veryfast", "crf": str(crf), "flags": "+bitexact"}
        self._stream = self._container.add_stream("libx264", options=options)
        self._stream.thread_count = 1
        self._stream.pix_fmt = "yuv420p"
        self._stream.width, self._stream.height = (side + side % 2 for side in size_wh)
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._stream.codec_context.colorspace = Colorspace.ITU709
        self._stream.codec_context.color_range = ColorRange.MPEG
        self._reformatter = VideoReformatter()
        self._filter: BitStreamFilterContext | None = None
        self._zero_ns: int | None = None
        self._last = -1

    @property
    def size_bytes(self) -> int:
        """How much was written so far."""
        return self._sink.tell()

    def add(self, image_rgb: U8, at_ns: int) -> None:
        """Add a picture.

        Args:
            image_rgb: (h, w, 3) uint8.
            at_ns: its time, above the last one's; the first one's becomes 0.
        """
        height, width = image_rgb.shape[:2]
        even = np.pad(image_rgb, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=GREY)
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        self._zero_ns = at_ns if self._zero_ns is None else self._zero_ns
        self._last = max(self._last + 1, round((at_ns - self._zero_ns) * _TICKS_PER_S / NS_PER_S))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS_PER_S)
        self._write(self._stream.encode(frame))

    def finish(self) -> bytes:
        """Return the film. Nothing can be added afterwards."""
        self._write(self._stream.encode(None))
        self._container.close()
        return self._sink.getvalue()

    def _write(self, packets: "Iterable[av.Packet[av.VideoStream]]") -> None:
        for packet in packets:
            if self._filter is None:
                self._filter = BitStreamFilterContext(_NO_SEI, self._stream)
            for filtered in self._filter.filter(packet):
                filtered.stream = self._stream
                self._container.mux(filtered)
