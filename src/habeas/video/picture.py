"""Decoded pictures: the decoder's planes stay as they are, RGB is made of the part that is looked at."""

from typing import Final

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from habeas.types import U8

_PLANAR: Final = frozenset({"yuv420p", "yuvj420p"})


def planar(decoded: av.VideoFrame, reformatter: VideoReformatter) -> av.VideoFrame:
    """Return the frame as 8-bit planar 4:2:0, as nearly every camera sends it; others are converted."""
    if decoded.format.name in _PLANAR:
        return decoded
    return reformatter.reformat(decoded, format="yuv420p")


class DecodedPicture:
    """One decoded frame.

    Args:
        decoded: the frame, upright, 8-bit planar 4:2:0 (`planar`).
        reformatter: libswscale context, shared by the pictures of one source; belongs to the thread that looks at them.
    """

    def __init__(self, decoded: av.VideoFrame, reformatter: VideoReformatter) -> None:
        self._reformatter = reformatter
        self._decoded = decoded

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._decoded.width, self._decoded.height

    @property
    def luma(self) -> U8:
        """(h, w) uint8, the decoder's own brightness plane."""
        return self._plane(0)

    def rgb(self, box_xyxy_px: tuple[int, int, int, int], size_wh: tuple[int, int]) -> U8:
        """Return the box scaled to `size_wh`: (h, w, 3) uint8. Odd edges widen to the chroma grid and are cut after."""
        x0, y0, x1, y1 = box_xyxy_px
        width, height = self.size_wh
        if box_xyxy_px == (0, 0, width, height):
            return self._scaled(self._decoded, size_wh)
        even = x0 & ~1, y0 & ~1, min(x1 + (x1 & 1), width), min(y1 + (y1 & 1), height)
        if even == box_xyxy_px:
            return self._scaled(self._cut(even), size_wh)
        whole = self._scaled(self._cut(even), (even[2] - even[0], even[3] - even[1]))
        part = whole[y0 - even[1] : y1 - even[1], x0 - even[0] : x1 - even[0]]
        if size_wh == (x1 - x0, y1 - y0):
            return part
        return self._scaled(av.VideoFrame.from_ndarray(np.ascontiguousarray(part), format="rgb24"), size_wh)

    def _plane(self, number: int) -> U8:
        plane = self._decoded.planes[number]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return np.asarray(rows[:, : plane.width], np.uint8)

    def _cut(self, box_xyxy_px: tuple[int, int, int, int]) -> av.VideoFrame:
        x0, y0, x1, y1 = box_xyxy_px
        part = av.VideoFrame(x1 - x0, y1 - y0, "yuv420p")
        for number, step in enumerate((1, 2, 2)):
            target = part.planes[number]
            rows = np.zeros((target.height, target.line_size), np.uint8)
            source = self._plane(number)[y0 // step : -(-y1 // step), x0 // step : -(-x1 // step)]
            rows[:, : target.width] = source
            target.update(rows)  # type: ignore[arg-type]  # any buffer will do, av's annotation is too narrow
        part.colorspace = self._decoded.colorspace
        part.color_range = self._decoded.color_range
        return part

    def _scaled(self, frame: av.VideoFrame, size_wh: tuple[int, int]) -> U8:
        width, height = size_wh
        how = Interpolation.AREA if width < frame.width else Interpolation.BILINEAR
        scaled = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=how)
        return np.asarray(scaled.to_ndarray(), np.uint8)
