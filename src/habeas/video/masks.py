"""Privacy masks: parts of a camera's picture that nobody and nothing may look at.

A camera's purpose ends somewhere: a neighbour's window, a doorway. What is under a mask is grey before anything looks,
so it moves no gate, shows no face and is in no crop. Masks cover what is analysed and shown, and what is recorded of a
camera that is encoded anew (`video.reencode`); other recorded packets stay as the camera sent them.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from PIL import Image

from habeas.errors import InputError
from habeas.types import U8, Frame, Picture

Box: TypeAlias = tuple[int, int, int, int]

GREY: Final = 51
_GRID_PX: Final = 2
"""Two pixels share one colour sample (4:2:0), and where a picture has odd sides, FFmpeg mixes each with its neighbour:
a mask ends between samples, one sample further out, or colour would come through.
"""


@dataclass(frozen=True)
class Mask:
    """A rectangle, relative to the upright picture, so that it holds for every stream of the camera.

    Args:
        x0: left edge, 0 to 1.
        y0: upper edge, 0 to 1.
        x1: right edge, above `x0`.
        y1: lower edge, above `y0`.

    Raises:
        InputError: outside the picture, empty, or not finite.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 <= 1 and 0 <= self.y0 < self.y1 <= 1):  # false for NaN, too
            raise InputError(
                f"a mask from ({self.x0}, {self.y0}) to ({self.x1}, {self.y1}) is no part of the picture",
                remedy="give left, upper, right, lower edge between 0 and 1, the first two smaller",
            )

    def box_xyxy_px(self, size_wh: tuple[int, int]) -> Box:
        """Return what it covers of a picture of this size: half-open, 2 to 4 px beyond it on each side (`_GRID_PX`)."""
        width, height = size_wh
        x0, x1 = _outwards(self.x0, self.x1, width)
        y0, y1 = _outwards(self.y0, self.y1, height)
        return x0, y0, x1, y1


def _outwards(low: float, high: float, length_px: int) -> tuple[int, int]:
    first = math.floor(low * length_px / _GRID_PX) - 1
    last = math.ceil(high * length_px / _GRID_PX) + 1
    return max(0, first * _GRID_PX), min(last * _GRID_PX, length_px)


class MaskedPicture:
    """A picture with masks painted over it, before anything is scaled.

    Args:
        picture: the pixels; nothing under a mask is ever passed on.
        masks: what to cover.
    """

    def __init__(self, picture: Picture, masks: Sequence[Mask]) -> None:
        self._picture = picture
        self._boxes = tuple(mask.box_xyxy_px(picture.size_wh) for mask in masks)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._picture.size_wh

    @cached_property
    def luma(self) -> U8:
        """(h, w) uint8, brightness, 51 under the masks."""
        width, height = self.size_wh
        return self._painted(self._picture.luma, (0, 0, width, height))

    def rgb(self, box_xyxy_px: Box, size_wh: tuple[int, int]) -> U8:
        """Return the box scaled to `size_wh`: (h, w, 3) uint8, 51 under the masks.

        A box that no mask touches is the wrapped picture's own business. Another one is cut at full size, painted, and
        scaled after, so that no scaler sees what is hidden.
        """
        if not any(_overlap(box_xyxy_px, covered) for covered in self._boxes):
            return self._picture.rgb(box_xyxy_px, size_wh)
        x0, y0, x1, y1 = box_xyxy_px
        own_wh = x1 - x0, y1 - y0
        painted = self._painted(self._picture.rgb(box_xyxy_px, own_wh), box_xyxy_px)
        return painted if size_wh == own_wh else _scaled(painted, size_wh)

    def _painted(self, pixels: U8, box_xyxy_px: Box) -> U8:
        x0, y0, _, _ = box_xyxy_px
        painted = pixels.copy()
        for left, top, right, bottom in self._boxes:
            painted[max(0, top - y0) : max(0, bottom - y0), max(0, left - x0) : max(0, right - x0)] = GREY
        return painted

    def __repr__(self) -> str:
        return f"MaskedPicture(size_wh={self.size_wh}, masks={len(self._boxes)})"


def _scaled(image_rgb: U8, size_wh: tuple[int, int]) -> U8:
    """Return the image scaled, whole pixels averaged first: five times as fast as one filter over all of them."""
    image = Image.fromarray(image_rgb)
    return np.asarray(image.resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=1.0))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def masked(frame: Frame, masks: Sequence[Mask]) -> Frame:
    """Return the frame with the masks over its picture; the same frame where there are none."""
    if not masks:
        return frame
    return dataclasses.replace(frame, picture=MaskedPicture(frame.picture, masks))
