"""The canary: a drawn face that depicts nobody, composited into decoded pictures, to see whether it is recognised.

It is drawn here, the same to the last pixel each time: no photograph is needed, and none can be put in its place. A
patch with the face in its middle covers a part of the picture where nobody is tracked, for well under a second.
"""

import dataclasses
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from habeas.geometry import expand
from habeas.types import F32, U8, Frame, Origin, OriginKind, Picture
from habeas.video.edge import origin

SIDE_PX: Final = 192
"""Of the drawing."""
FACE_SHARE: Final = 0.47
"""How much of the patch's width the face takes."""
_MOST_OF_PICTURE: Final = 0.12
"""Share of the picture that a patch covers at most, if faces may be so small: less than a cut changes."""
_WANTED, _LEAST = 1.5, 0.8
"""How wide its face is, in smallest faces that are looked for: where there is room, and in any case."""
_GRID: Final = 4, 3
_APART: Final = 1.0
"""Of a tracked face's own size, on each side: so far away from it nothing is composited."""
_SUPERSAMPLING: Final = 2
_WALL: Final = 176, 182, 188
_SKIN: Final = 222, 178, 152
_HAIR: Final = 54, 38, 30
_SHADE: Final = 160, 108, 88
_LIPS: Final = 180, 94, 86
_DARK: Final = 60, 40, 34

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


def canary_origin(camera_id: str) -> Origin:
    """Return the origin of what is composited into a camera's pictures: no view of listed people admits it."""
    return origin(OriginKind.CANARY, camera_id)


@dataclass(frozen=True)
class CanaryShown:
    """A canary was composited into a source's pictures, and is gone again.

    Args:
        origin: the source.
        found: a probe was made of it, and came before.
    """

    origin: Origin
    found: bool


# --- where ------------------------------------------------------------------------------------------------------------


def patch_side_px(size_wh: tuple[int, int], min_face_px: int) -> int:
    """Return the side of a patch whose face is large enough to be looked for.

    Args:
        size_wh: of the picture.
        min_face_px: as set for the camera.
    """
    width, height = size_wh
    wanted, least = (round(share * min_face_px / FACE_SHARE) for share in (_WANTED, _LEAST))
    small = min(wanted, int((_MOST_OF_PICTURE * width * height) ** 0.5))
    return min(max(small, least), width, height)


def free_place(size_wh: tuple[int, int], side_px: int, tracked_xyxy_px: F32, turn: int) -> Box | None:
    """Return where a patch hides nobody who is tracked; None: nowhere now. Pure.

    Args:
        size_wh: of the picture.
        side_px: of the patch.
        tracked_xyxy_px: (t, 4) float32, where tracked faces are expected.
        turn: which canary of this camera it is: each begins at another place.
    """
    width, height = size_wh
    across, down = _GRID
    near = expand(tracked_xyxy_px, _APART) if len(tracked_xyxy_px) else tracked_xyxy_px
    for number in range(across * down):
        row, column = divmod((number + turn) % (across * down), across)
        x0 = round(column * (width - side_px) / (across - 1))
        y0 = round(row * (height - side_px) / (down - 1))
        x1, y1 = x0 + side_px, y0 + side_px
        hides = (near[:, 0] < x1) & (x0 < near[:, 2]) & (near[:, 1] < y1) & (y0 < near[:, 3])
        if not hides.any():
            return x0, y0, x1, y1
    return None


def planted(frame: Frame, box_xyxy_px: Box) -> Frame:
    """Return the frame with the canary composited into its picture.

    Args:
        frame: as decoded.
        box_xyxy_px: a square, inside the picture.
    """
    return dataclasses.replace(frame, picture=PlantedPicture(frame.picture, box_xyxy_px))


class PlantedPicture:
    """A picture with the canary's patch over a part of it.

    Args:
        picture: the pixels.
        box_xyxy_px: where the patch is, a square inside the picture.
    """

    def __init__(self, picture: Picture, box_xyxy_px: Box) -> None:
        self._picture = picture
        self._box_xyxy_px = box_xyxy_px
        self._patch_rgb = canary_rgb(box_xyxy_px[2] - box_xyxy_px[0])

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._picture.size_wh

    @cached_property
    def luma(self) -> U8:
        """(h, w) uint8, brightness, the patch's in its place."""
        x0, y0, x1, y1 = self._box_xyxy_px
        luma = self._picture.luma.copy()
        luma[y0:y1, x0:x1] = np.asarray(Image.fromarray(self._patch_rgb).convert("L"))
        return luma

    def rgb(self, box_xyxy_px: Box, size_wh: tuple[int, int]) -> U8:
        """Return the box scaled to `size_wh`: (h, w, 3) uint8. Scaled after the patch is in it, as a camera's would."""
        x0, y0, x1, y1 = box_xyxy_px
        left, top, right, bottom = self._box_xyxy_px
        if left >= x1 or x0 >= right or top >= y1 or y0 >= bottom:
            return self._picture.rgb(box_xyxy_px, size_wh)
        whole = self._picture.rgb(box_xyxy_px, (x1 - x0, y1 - y0)).copy()
        part = self._patch_rgb[max(0, y0 - top) : y1 - top, max(0, x0 - left) : x1 - left]
        at_y, at_x = max(0, top - y0), max(0, left - x0)
        whole[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]] = part
        if size_wh == (x1 - x0, y1 - y0):
            return whole
        return np.asarray(Image.fromarray(whole).resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=1.0))

    def __repr__(self) -> str:
        return f"PlantedPicture(size_wh={self.size_wh}, box_xyxy_px={self._box_xyxy_px})"


# --- the drawing ------------------------------------------------------------------------------------------------------


def canary_rgb(side_px: int) -> U8:
    """Return the patch with the drawn face: (side, side, 3) uint8, RGB."""
    size_wh = side_px, side_px
    return np.asarray(Image.fromarray(_drawing()).resize(size_wh, Image.Resampling.BICUBIC, reducing_gap=2.0))


@cache
def _drawing() -> U8:
    """Return the face at its own size: (h, w, 3) uint8. Lengths are in about twice the distance of its eyes."""
    side = SIDE_PX * _SUPERSAMPLING
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    x, y = (columns / side - 0.5) * 3.2, (rows / side - 0.44) * 3.2
    painting = _Painting(x, y)
    painting.lay((54, 66, 88), painting.oval(0, 2.35, 1.75, 1.0, 0.02))  # shoulders
    painting.lay(_HAIR, painting.oval(0, -0.28, 0.98, 1.12, 0.02))
    painting.lay((178, 132, 110), painting.oval(0, 1.15, 0.42, 0.7, 0.04))  # neck
    _paint_skin(painting)
    for side_of_face in (-1, 1):
        _paint_eye(painting, side_of_face)
    _paint_nose(painting)
    _paint_mouth(painting)
    hairline = 1 / (1 + np.exp(np.clip((y + 0.62 + 0.25 * x * x + 0.06 * np.sin(3 * x)) / 0.03, -50, 50)))
    painting.lay(_HAIR, painting.oval(0, -0.28, 0.98, 1.12, 0.02) * hairline)
    image = Image.fromarray(np.clip(painting.rgb, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.0))
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


class _Painting:
    """Layers of colour on a plane with coordinates."""

    def __init__(self, x: F32, y: F32) -> None:
        self.x, self.y = x, y
        self.rgb: F32 = np.array(_WALL, np.float32) - np.float32(10) * y[..., None]

    def lay(self, colour: Colour, share: F32) -> None:
        opaque = np.clip(share, 0, 1)[..., None]
        self.rgb = np.asarray(self.rgb * (1 - opaque) + np.array(colour, np.float32) * opaque, np.float32)

    def oval(self, x: float, y: float, wide: float, high: float, soft: float) -> F32:
        """Return 1 inside an ellipse, 0 outside, and between on its edge."""
        far = np.hypot((self.x - np.float32(x)) / wide, (self.y - np.float32(y)) / high)
        return np.asarray(1 / (1 + np.exp(np.clip((far - 1) / soft, -50, 50))), np.float32)

    def spot(self, x: float, y: float, wide: float, high: float) -> F32:
        """Return a smooth spot, 1 in its middle."""
        across, down = (self.x - np.float32(x)) / wide, (self.y - np.float32(y)) / high
        return np.asarray(np.exp(-across * across - down * down), np.float32)


def _paint_skin(painting: _Painting) -> None:
    x, y = painting.x, painting.y
    far = np.hypot(x / (0.80 - 0.16 * np.clip(y, 0, 1.2)), (y - 0.08) / 1.08)
    inside = (1 / (1 + np.exp(np.clip((far - 1) / 0.02, -50, 50))))[..., None]
    light = (1 - 0.22 * np.clip(far, 0, 1) ** 3 - 0.08 * x)[..., None]
    painting.rgb = np.asarray(painting.rgb * (1 - inside) + np.array(_SKIN, np.float32) * light * inside, np.float32)
    for cheek in (-0.46, 0.46):
        painting.lay((214, 146, 124), 0.35 * painting.spot(cheek, 0.38, 0.24, 0.2))


def _paint_eye(painting: _Painting, side: int) -> None:
    centre_x, centre_y = side * 0.36, -0.14
    painting.lay(_SHADE, 0.45 * painting.spot(centre_x, -0.18, 0.26, 0.16))
    outwards = painting.x * side - 0.36
    bow = painting.y + 0.36 - 0.10 * outwards + 0.5 * outwards**2
    painting.lay(_DARK, np.asarray(0.9 * np.exp(-((bow / 0.055) ** 2) - (outwards / 0.25) ** 4), np.float32))
    opened = painting.oval(centre_x, centre_y, 0.185, 0.085, 0.05)
    painting.lay((238, 234, 230), opened)
    painting.lay((70, 52, 38), painting.oval(centre_x, centre_y, 0.088, 0.088, 0.06) * opened)
    painting.lay((14, 12, 12), painting.oval(centre_x, centre_y, 0.045, 0.045, 0.08) * opened)
    along = (painting.x - np.float32(centre_x)) / 0.2
    lid = painting.y - (centre_y - 0.085 * np.sqrt(np.clip(1 - along**2, 0, 1)))
    painting.lay(_DARK, np.asarray(0.85 * np.exp(-((lid / 0.026) ** 2)) * (np.abs(along) < 1), np.float32))


def _paint_nose(painting: _Painting) -> None:
    painting.lay((244, 206, 182), 0.5 * painting.spot(0, 0.1, 0.055, 0.26))
    painting.lay(_SHADE, 0.4 * painting.spot(0.11, 0.12, 0.045, 0.24))
    painting.lay(_SHADE, 0.55 * painting.spot(0, 0.37, 0.2, 0.06))
    for side in (-1, 1):
        painting.lay((92, 54, 44), 0.9 * painting.spot(side * 0.09, 0.35, 0.042, 0.026))


def _paint_mouth(painting: _Painting) -> None:
    painting.lay(_LIPS, 0.9 * painting.oval(0, 0.655, 0.31, 0.075, 0.05))
    painting.lay(_LIPS, 0.9 * painting.oval(0, 0.70, 0.27, 0.085, 0.05))
    painting.lay((96, 42, 42), 0.9 * painting.spot(0, 0.668, 0.27, 0.018))
    painting.lay(_SHADE, 0.35 * painting.spot(0, 0.83, 0.22, 0.05))
