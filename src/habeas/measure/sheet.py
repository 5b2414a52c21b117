"""The contact sheet of a demo: the reference, each alert, and the street with everybody else painted over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from habeas.geometry import iou
from habeas.measure.walks import FaceTruth
from habeas.types import U8, Alert, seconds

_WIDTH_PX: Final = 1080
_TILE_PX: Final = 200
_PAD_PX: Final = 20
_INK: Final = "#14213d"
_FOUND: Final = "#c1121f"
_SAME_PLACE: Final = 0.3


@dataclass(frozen=True, repr=False)
class Found:
    """An alert, and the scene at that moment.

    Args:
        alert: what was found.
        image_rgb: (h, w, 3) uint8, the picture.
        others_xyxy_px: faces of everybody but the subject, which are painted over.
        right: whether the subject truly is where the alert says.
    """

    alert: Alert
    image_rgb: U8
    others_xyxy_px: tuple[tuple[float, float, float, float], ...]
    right: bool

    @classmethod
    def judged(cls, alert: Alert, image_rgb: U8, truth: Sequence[FaceTruth]) -> Self:
        """Hold an alert against the truth of its picture."""
        meant = [face.box_xyxy_px for face in truth if face.person_id == alert.subject_id]
        others = tuple(face.box_xyxy_px for face in truth if face.person_id != alert.subject_id)
        overlap = iou(alert.box_xyxy_px[None], np.array(meant, np.float32).reshape(-1, 4))
        return cls(alert, image_rgb, others, bool((overlap > _SAME_PLACE).any()))


def contact_sheet(title: str, reference_rgb: U8, found: Sequence[Found]) -> Image.Image:
    """Draw the sheet: the reference, the first three alerts, and the street at the first of them.

    Args:
        title: one line above.
        reference_rgb: (h, w, 3) uint8.
        found: in order.
    """
    large = [_street(one) for one in found[:1]]
    height = 3 * _PAD_PX + 28 + _TILE_PX + 30 + sum(picture.height + _PAD_PX for picture in large)
    sheet = Image.new("RGB", (_WIDTH_PX, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_PAD_PX, _PAD_PX), title, _INK, ImageFont.load_default(22))
    _tile(sheet, draw, 0, reference_rgb, "reference")
    for number, one in enumerate(found[:3], start=1):
        text = f"{seconds(one.alert.at_ns):.1f} s  similarity {one.alert.similarity:.2f}"
        _tile(sheet, draw, number, one.alert.face_rgb, text if one.right else f"{text}  FALSE")
    y = 2 * _PAD_PX + 28 + _TILE_PX + 30
    for picture in large:
        sheet.paste(picture, (_PAD_PX, y))
        y += picture.height + _PAD_PX
    return sheet


def _tile(sheet: Image.Image, draw: ImageDraw.ImageDraw, number: int, image_rgb: U8, text: str) -> None:
    picture = Image.fromarray(image_rgb)
    picture.thumbnail((_TILE_PX, _TILE_PX), Image.Resampling.LANCZOS)
    if picture.height < _TILE_PX and picture.width < _TILE_PX:
        scale = _TILE_PX / max(picture.size)
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    x, y = _PAD_PX + number * (_TILE_PX + _PAD_PX), 2 * _PAD_PX + 28
    sheet.paste(picture, (x, y))
    draw.text((x, y + _TILE_PX + 4), text, _INK, ImageFont.load_default(15))


def _street(one: Found) -> Image.Image:
    image = Image.fromarray(np.array(one.image_rgb))
    draw = ImageDraw.Draw(image)
    for x0, y0, x1, y1 in one.others_xyxy_px:
        margin = 0.35 * (x1 - x0)
        draw.ellipse((x0 - margin, y0 - margin, x1 + margin, y1 + margin), fill="#333333")
    x0, y0, x1, y1 = (float(edge) for edge in one.alert.box_xyxy_px)
    draw.rectangle((x0 - 6, y0 - 6, x1 + 6, y1 + 6), outline=_FOUND, width=4)
    width = _WIDTH_PX - 2 * _PAD_PX
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
