"""A DET curve as a picture: FNIR against FPIR, both logarithmic."""

import math
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from habeas.errors import DiskError

_SIZE_PX: Final = 720
_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 40, 690, 640
_DECADES_X: Final = (-3.5, 0.0)
_DECADES_Y: Final = (-3.0, 0.0)


def draw_det(curve: list[tuple[float, float]], path: Path) -> None:
    """Draw a DET curve.

    Args:
        curve: (FPIR, FNIR) points.
        path: of the PNG.

    Raises:
        DiskError: it cannot be written.
    """
    image = Image.new("RGB", (_SIZE_PX, _SIZE_PX), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(16)
    for exponent in (-3, -2, -1, 0):
        x, y = _at(10.0**exponent, 10.0**exponent)
        draw.line([(x, _TOP), (x, _BOTTOM)], "#dddddd")
        draw.line([(_LEFT, y), (_RIGHT, y)], "#dddddd")
        draw.text((x, _BOTTOM + 12), f"{10.0 ** (exponent + 2):g} %", "black", font, anchor="ma")
        draw.text((_LEFT - 8, y), f"{10.0 ** (exponent + 2):g} %", "black", font, anchor="rm")
    draw.rectangle((_LEFT, _TOP, _RIGHT, _BOTTOM), outline="black")
    draw.line([_at(fpir, fnir) for fpir, fnir in curve if fpir > 0], "#1f4fa3", 3)
    middle = (_LEFT + _RIGHT) / 2
    draw.text((middle, _BOTTOM + 44), "FPIR: strangers who return a candidate", "black", font, anchor="ma")
    draw.text((_LEFT, _TOP - 28), "FNIR: enrolled people who are missed", "black", font)
    try:
        image.save(path, "PNG")
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="choose another place") from error


def _at(fpir: float, fnir: float) -> tuple[float, float]:
    x = _share(fpir, _DECADES_X)
    y = _share(fnir, _DECADES_Y)
    return _LEFT + x * (_RIGHT - _LEFT), _BOTTOM - y * (_BOTTOM - _TOP)


def _share(value: float, decades: tuple[float, float]) -> float:
    low, high = decades
    return (max(low, min(high, math.log10(max(value, 1e-9)))) - low) / (high - low)
