"""A street as a camera on a wall sees it: houses, road, pavement, trees, cars. Pure and seeded."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from habeas.measure.paint import shade, smooth_noise
from habeas.types import F32

CAMERA_HEIGHT_M: Final = 2.35
FACADE_Z_M: Final = 12.5
CAR_Z_M: Final = 10.8
KERB_Z_M: Final = 9.6


@dataclass(frozen=True)
class Camera:
    """A camera on a wall, looking along a street; 1 m at depth z is `focal_px / z` pixels.

    Args:
        size_wh: of its pictures, pixels.
    """

    size_wh: tuple[int, int]

    @property
    def focal_px(self) -> float:
        """Focal length."""
        return 0.86 * self.size_wh[0]

    @property
    def horizon_px(self) -> float:
        """Row of the horizon."""
        return 0.15 * self.size_wh[1]

    def project(self, x_m: float, height_m: float, z_m: float) -> tuple[float, float, float]:
        """Return column, row, and pixels per metre at a point."""
        scale = self.focal_px / z_m
        return self.size_wh[0] / 2 + x_m * scale, self.horizon_px + (CAMERA_HEIGHT_M - height_m) * scale, scale


def shade_at(x_m: float | F32) -> F32:
    """Tell how bright the ground is at a lateral position: a house throws its shadow on the left, 0.6 to 1."""
    return np.asarray(0.6 + 0.4 / (1 + np.exp(np.clip(-5 * (np.asarray(x_m) + 1.1), -30, 30))), np.float32)


def street(camera: Camera, rng: np.random.Generator) -> Image.Image:
    """Draw the street without anybody: houses, road, pavement. RGB."""
    width, height = camera.size_wh
    image = Image.new("RGB", camera.size_wh, (168, 182, 198))
    pen = ImageDraw.Draw(image)
    base = camera.project(0, 0, FACADE_Z_M)[1]
    _houses(pen, width, base, rng)
    kerb = camera.project(0, 0, KERB_Z_M)[1]
    pen.rectangle((0, base, width, base + 0.01 * height), fill=(120, 116, 110))
    pen.rectangle((0, base + 0.01 * height, width, kerb), fill=(74, 76, 80))
    pen.rectangle((0, kerb, width, height), fill=(140, 136, 128))
    pen.rectangle((0, kerb, width, kerb + 0.012 * height), fill=(166, 162, 154))
    _slabs(pen, camera)
    return _weather(image, camera, rng)


def _houses(pen: ImageDraw.ImageDraw, width: int, base: float, rng: np.random.Generator) -> None:
    """A row of fronts with windows above and shops below."""
    left = -0.05 * width
    while left < width:
        wide = width * rng.uniform(0.16, 0.3)
        wall = tuple(int(v) for v in np.array([146, 122, 104]) * rng.uniform(0.7, 1.2) + rng.normal(0, 9, 3))
        pen.rectangle((left, 0, left + wide, base), fill=wall)
        shop = base * 0.6
        columns = int(rng.integers(3, 6))
        for column in range(columns):
            x = left + wide * (column + 0.2) / columns
            pane = (x, base * 0.1, x + wide * 0.6 / columns, base * 0.42)
            glass = shade((70, 84, 98), rng.uniform(0.6, 1.3))
            pen.rectangle(pane, fill=glass, outline=(180, 176, 169), width=3)
        pen.rectangle((left + 4, shop, left + wide - 4, base), fill=shade((60, 66, 70), rng.uniform(0.6, 1.2)))
        awning = shade(((150, 50, 46), (46, 84, 70), (60, 70, 110), (150, 126, 70))[int(rng.integers(4))], 0.9)
        pen.rectangle((left + 4, shop - base * 0.1, left + wide - 4, shop), fill=awning)
        door = left + wide * rng.uniform(0.2, 0.7)
        pen.rectangle((door, shop + 6, door + wide * 0.16, base), fill=shade((92, 74, 58), rng.uniform(0.6, 1.1)))
        left += wide


def _slabs(pen: ImageDraw.ImageDraw, camera: Camera) -> None:
    """Joints of the pavement and a dashed line on the road, in perspective."""
    joint = (118, 114, 108)
    for x in np.arange(-9, 9.1, 0.9):
        near, far = camera.project(float(x), 0, 1.2), camera.project(float(x), 0, KERB_Z_M - 0.2)
        pen.line([near[:2], far[:2]], fill=joint, width=2)
    for z in np.arange(2.2, KERB_Z_M, 0.9):
        row = camera.project(0, 0, float(z))[1]
        pen.line([(0, row), (camera.size_wh[0], row)], fill=joint, width=2)
    for x in np.arange(-9, 9, 2.4):
        start, end = camera.project(float(x), 0, 11.1), camera.project(float(x) + 1.2, 0, 11.1)
        pen.line([start[:2], end[:2]], fill=(196, 196, 190), width=3)


def _weather(image: Image.Image, camera: Camera, rng: np.random.Generator) -> Image.Image:
    """Stain, grain and shade what was drawn flat."""
    width, height = camera.size_wh
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    stains = 1 + 0.05 * smooth_noise((height, width), 24, rng) + 0.045 * smooth_noise((height, width), 260, rng)
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(camera.horizon_px)
    columns = np.arange(width, dtype=np.float32)[None] - np.float32(width / 2)
    below = rows * CAMERA_HEIGHT_M > 0
    ground = shade_at(np.where(below, columns * np.float32(CAMERA_HEIGHT_M) / np.maximum(rows, 1), columns * 0.008))
    base = camera.project(0, 0, FACADE_Z_M)[1] - camera.horizon_px
    ground = np.where(rows < base, np.float32(0.92), ground)
    return Image.fromarray(np.clip(pixels * (stains * ground)[..., None], 0, 255).astype(np.uint8), "RGB")


def tree(size_px: int, sway: float, seed: int) -> Image.Image:
    """Draw a tree whose crown leans by `sway` of its width: (size, size) RGBA. The same seed is the same tree."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (size_px, size_px), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.rectangle((size_px * 0.46, size_px * 0.5, size_px * 0.53, size_px), fill=(64, 52, 42, 255))
    for _ in range(1500):
        x, y = rng.normal(0.5, 0.15), rng.normal(0.34, 0.115)
        flutter = sway * (1.2 - y) + 0.012 * np.sin(sway * 40 + x * 50)
        radius = size_px * rng.uniform(0.006, 0.02)
        colour = shade((74, 94, 56), rng.uniform(0.45, 1.05) + 0.5 * (0.4 - y))
        cx, cy = (x + flutter) * size_px, y * size_px
        pen.ellipse((cx - radius, cy - radius * 0.8, cx + radius, cy + radius * 0.8), fill=(*colour, 255))
    return image.filter(ImageFilter.GaussianBlur(0.9))


def car(px_per_m: float, rng: np.random.Generator) -> Image.Image:
    """Draw a car from the side, 4.2 m by 1.5 m: RGBA."""
    unit = px_per_m * 2
    image = Image.new("RGBA", (round(4.2 * unit), round(1.5 * unit)), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    paint = ((135, 27, 29), (162, 166, 169), (27, 47, 86), (36, 38, 41), (176, 171, 153))[int(rng.integers(5))]
    cabin = [(0.9, 0.72), (1.4, 0.12), (2.9, 0.12), (3.5, 0.72)]
    glass = [(1.12, 0.7), (1.5, 0.22), (2.8, 0.22), (3.25, 0.7)]
    pen.polygon([(x * unit, y * unit) for x, y in cabin], fill=(*shade(paint, 0.85), 255))
    pen.polygon([(x * unit, y * unit) for x, y in glass], fill=(52, 62, 70, 255))
    pen.rounded_rectangle((0.05 * unit, 0.62 * unit, 4.15 * unit, 1.2 * unit), 0.2 * unit, fill=(*paint, 255))
    for x in (0.9, 3.3):
        pen.ellipse(((x - 0.32) * unit, 0.86 * unit, (x + 0.32) * unit, 1.5 * unit), fill=(22, 22, 24, 255))
        pen.ellipse(((x - 0.17) * unit, 1.01 * unit, (x + 0.17) * unit, 1.35 * unit), fill=(120, 122, 126, 255))
    return image.reduce(2)
