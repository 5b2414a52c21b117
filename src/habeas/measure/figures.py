"""Walking people: bodies in clothes, and heads put on necks. Pure and seeded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from habeas.measure.heads import JAW_EYES, Head, cheeks, grid_eyes
from habeas.measure.paint import Colour, shade, smooth_noise
from habeas.types import F32

BODY_PX_PER_M: Final = 240
BODY_SIZE_M: Final = (1.0, 1.58)
"""Width and height of a figure's canvas, its feet 0.08 m above the lower edge."""
BODY_FEET_M: Final = 0.08
STANDARD_HEIGHT_M: Final = 1.75
EYES_HEIGHT_M: Final = 1.63
EYE_DISTANCE_M: Final = 0.067
PHASES: Final = 12
_DRAW: Final = BODY_PX_PER_M * 2
_CLOTH: Final = np.array(
    [(40, 44, 52), (92, 82, 70), (34, 52, 88), (112, 40, 42), (70, 84, 62), (150, 140, 124), (24, 24, 28)]
)


@dataclass(frozen=True, eq=False)
class Clothes:
    """What a figure wears.

    Args:
        coat: RGB.
        trousers: RGB.
        scarf: RGB.
        hem_m: how far above the ground the coat ends.
        grain: (h, w) float32, folds of the cloth, around 1.
    """

    coat: Colour
    trousers: Colour
    scarf: Colour
    hem_m: float
    grain: F32

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Clothes":
        """Choose at random."""
        tint = rng.normal(0, 12, (3, 1)) + rng.normal(0, 4, (3, 3))
        picked = np.clip(_CLOTH[rng.integers(len(_CLOTH), size=3)] + tint, 8, 225).astype(int).tolist()
        coat, trousers, scarf = (tuple(colour) for colour in picked)
        shape = (round(BODY_SIZE_M[1] * BODY_PX_PER_M), round(BODY_SIZE_M[0] * BODY_PX_PER_M))
        grain = 1 + 0.09 * smooth_noise(shape, 18, rng) + 0.04 * smooth_noise(shape, 120, rng)
        return cls(coat, trousers, scarf, float(rng.uniform(0.5, 0.88)), grain.astype(np.float32))


def figure(clothes: Clothes, phase: float, sideways: float) -> Image.Image:
    """Draw a body without its head.

    Args:
        clothes: what it wears.
        phase: of the step, radians.
        sideways: 0 walking towards the camera, 1 across.

    Returns:
        RGBA, `BODY_SIZE_M` at `BODY_PX_PER_M`; the neck's lower end is at the top.
    """
    width, height = (round(side * _DRAW) for side in BODY_SIZE_M)
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    _shadow(pen)
    for side in (-1, 1):
        _leg(pen, clothes, side, phase, sideways)
    _arm(pen, clothes.coat, -1, phase, sideways)
    _arm(pen, clothes.coat, 1, phase, sideways)
    hem = clothes.hem_m
    half = [(0.06, 1.455), (0.165, 1.395), (0.19, 1.32), (0.16, 1.0), (0.18, hem)]
    outline = [_point(-x, y) for x, y in half] + [_point(x, y) for x, y in reversed(half)]
    pen.polygon(outline, fill=(*clothes.coat, 255))
    pen.line([_point(0, 1.36), _point(0, hem)], fill=(*shade(clothes.coat, 0.6), 255), width=5)
    scarf = [(-0.07, 1.492), (-0.105, 1.42), (0, 1.36), (0.105, 1.42), (0.07, 1.492), (0.03, 1.462), (-0.03, 1.462)]
    pen.polygon([_point(*p) for p in scarf], fill=(*clothes.scarf, 255))
    return _clothe(image.reduce(2), clothes.grain)


def _point(x_m: float, y_m: float) -> tuple[float, float]:
    return (x_m + BODY_SIZE_M[0] / 2) * _DRAW, (BODY_SIZE_M[1] - BODY_FEET_M - y_m) * _DRAW


def _shadow(pen: ImageDraw.ImageDraw) -> None:
    for ring in range(6):
        reach = 1 - ring * 0.12
        box = (*_point(-0.34 * reach, 0.06 * reach), *_point(0.34 * reach, -0.06 * reach))
        pen.ellipse(box, fill=(10, 10, 12, 18 + 18 * ring))


def _limb(pen: ImageDraw.ImageDraw, points_m: Sequence[tuple[float, float]], colour: Colour, thick_m: float) -> None:
    """A thick line with round joints."""
    points = [_point(*p) for p in points_m]
    pen.line(points, fill=(*colour, 255), width=round(thick_m * _DRAW))
    radius = thick_m * _DRAW / 2
    for x, y in points:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*colour, 255))


def _leg(pen: ImageDraw.ImageDraw, clothes: Clothes, side: int, phase: float, sideways: float) -> None:
    swing = side * np.sin(phase)
    bend = max(0.0, side * np.cos(phase))
    reach = 0.26 * swing * (0.15 + 0.85 * sideways)
    lift = 0.09 * bend + 0.03 * (1 - sideways) * max(0.0, swing)
    hip = (side * 0.085 * (1 - 0.6 * sideways), 0.86)
    foot = (hip[0] + reach * 1.25, 0.07 + lift)
    knee = (hip[0] + reach * 0.6 + 0.07 * bend * sideways, 0.46 + lift * 0.6)
    _limb(pen, [hip, knee, foot], shade(clothes.trousers, 1.0 if side > 0 else 0.8), 0.125)
    shoe = (foot[0] + 0.05 * sideways, foot[1] - 0.03)
    _limb(pen, [(foot[0], foot[1] - 0.03), shoe], (28, 24, 22), 0.085)


def _arm(pen: ImageDraw.ImageDraw, coat: Colour, side: int, phase: float, sideways: float) -> None:
    swing = -side * np.sin(phase) * 0.22
    shoulder = (side * 0.178 * (1 - 0.4 * sideways), 1.345)
    elbow = (shoulder[0] + side * 0.04 + swing * 0.5 * sideways, 1.06)
    hand = (elbow[0] + swing * sideways, 0.82 + 0.2 * abs(swing) + 0.1 * swing * (1 - sideways))
    _limb(pen, [elbow, hand], (150, 110, 92), 0.06)
    _limb(pen, [shoulder, elbow, (hand[0] * 0.9 + elbow[0] * 0.1, hand[1] + 0.06)], shade(coat, 0.82), 0.1)


def _clothe(image: Image.Image, grain: F32) -> Image.Image:
    """Round the body by light, and give the cloth its folds."""
    rgba = np.array(image)
    x = np.linspace(-1, 1, rgba.shape[1], dtype=np.float32) * np.float32(BODY_SIZE_M[0] / 2)
    light = (1.08 - 4.2 * (x + 0.04) ** 2).clip(0.5, 1.1)
    rgba[..., :3] = np.clip(rgba[..., :3] * (grain * light)[..., None], 0, 255).astype(np.uint8)
    return Image.fromarray(rgba, "RGBA")


def bust(head: Head) -> Image.Image:
    """Put a head on a bare neck, without what the portrait shows below the chin: RGBA of the head canvas's size."""
    x, y = grid_eyes()
    rgba = head.image_rgba.astype(np.float32)
    skin = np.median(rgba[cheeks()][:, :3], axis=0)
    neck = np.clip((0.66 - np.abs(x)) * 12, 0, 1) * (y > JAW_EYES + 0.3)
    ink = skin * (0.86 - 0.3 * (x / 0.7)[..., None] ** 2) * np.clip(0.1 + 0.38 * y, 0.72, 1)[..., None]
    own = rgba[..., 3:] / 255 * np.clip((2.02 - y - 0.25 * x * x) * 6, 0, 1)[..., None]
    alpha = own + (1 - own) * neck[..., None]
    colour = np.where(alpha > 0, (rgba[..., :3] * own + ink * neck[..., None] * (1 - own)) / np.maximum(alpha, 1e-3), 0)
    return Image.fromarray(np.concatenate([colour, alpha * 255], 2).clip(0, 255).astype(np.uint8), "RGBA")
