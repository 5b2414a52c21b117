"""Draw people and streets: heads cut from portraits, invented faces, walking figures, a street. Pure and seeded.

Nothing here reads or writes a file. Heads live on one canvas, upright, eyes `EYE_DISTANCE_PX` apart, so that every
later step knows where a face is. Invented faces ("strangers") are drawn from several portraits: each is warped to one
random geometry, mixed region by region with random weights, and recoloured; they depict nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from habeas.errors import InputError
from habeas.geometry import apply_affine, invert_affine, similarity_transform
from habeas.types import F32, U8

Colour: TypeAlias = tuple[int, int, int]
F64: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

EYE_DISTANCE_PX: Final = 56.0
HEAD_SIZE_WH: Final = (240, 288)
EYES_XY_PX: Final = (120.0, 124.0)
"""Midpoint between the eyes on the head canvas."""
FACE_BOX_EYES: Final = (-1.05, -0.95, 1.05, 1.75)
"""The face box relative to the eyes' midpoint, in eye distances (measured: what CenterFace returns for portraits)."""
_TEMPLATE_EYES: Final = np.array([(-0.5, 0), (0.5, 0), (0, 0.52), (-0.41, 0.98), (0.41, 0.98)], np.float64)
_COARSE: Final = 4
_HAIR: Final = np.array(
    [(38, 30, 26), (74, 50, 34), (120, 82, 50), (158, 130, 92), (150, 146, 142), (60, 44, 38), (104, 62, 42)]
)
_CLOTH: Final = np.array(
    [(40, 44, 52), (92, 82, 70), (34, 52, 88), (112, 40, 42), (70, 84, 62), (150, 140, 124), (24, 24, 28)]
)
_BALD, _BEARDED, _MOUSTACHED, _BESPECTACLED = 0.08, 0.22, 0.15, 0.22
"""Shares of the invented people."""
_JAW, _CHIN = 0.9, 1.45
"""How far below the eyes, in eye distances."""
_SURE, _BEYOND = 0.72, 1.15
"""Inside this share of the head's oval all is head; outside that, all is background."""
_CHEEKS: Final = (0.65, 0.2, 1.0)
"""Half width, upper and lower edge of where skin is measured, in eye distances."""
_SMALLEST_EYES_PX: Final = 8.0
_LANDMARKS_SHAPE: Final = (5, 2)


@dataclass(frozen=True, repr=False, eq=False)
class Head:
    """A head on the canvas, its surroundings transparent.

    Args:
        image_rgba: (288, 240, 4) uint8.
        landmarks_xy_px: (5, 2) float32 on that canvas: the image's left eye, right eye, nose, mouth corners.
    """

    image_rgba: U8
    landmarks_xy_px: F32

    def __repr__(self) -> str:
        return "Head()"


# --- heads ----------------------------------------------------------------------------------------------------------


def cut_out(portrait_rgb: U8, landmarks_xy_px: F32) -> Head:
    """Cut the head out of a portrait: hair, chin and neck in, background out, edges soft.

    Args:
        portrait_rgb: (h, w, 3) uint8.
        landmarks_xy_px: (5, 2) float: the image's left eye, right eye, nose, left and right mouth corner.

    Raises:
        InputError: not five finite landmarks, or the eyes are less than 8 px apart.
    """
    points = np.asarray(landmarks_xy_px, np.float64)
    if points.shape != _LANDMARKS_SHAPE or not np.isfinite(points).all():
        raise InputError("a head needs five finite landmarks", remedy="give the landmarks of one detected face")
    if np.hypot(*(points[1] - points[0])) < _SMALLEST_EYES_PX:
        raise InputError("the face in the portrait is too small", remedy="use a portrait with eyes 32 px apart or more")
    to_portrait = similarity_transform(_canvas(_TEMPLATE_EYES), points.astype(np.float32))
    canvas = _transformed(portrait_rgb, to_portrait)
    alpha = _head_mask(canvas[..., :3].astype(np.float32)) * (canvas[..., 3] / np.float32(255))
    canvas[..., 3] = np.round(alpha * 255).astype(np.uint8)
    return Head(canvas, apply_affine(invert_affine(to_portrait), points).astype(np.float32))


def _transformed(image_rgb: U8, to_image: npt.NDArray[np.float64]) -> U8:
    """Resample an image onto the head canvas; alpha is 0 where the image does not reach."""
    image = Image.fromarray(image_rgb, "RGB")
    shrink = max(1, int(np.hypot(to_image[0, 0], to_image[1, 0])))
    image = image.reduce(shrink) if shrink > 1 else image
    rows = tuple((to_image / shrink).ravel().tolist())
    layered = image.convert("RGBA")
    return np.array(layered.transform(HEAD_SIZE_WH, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC))


def _canvas(points_eyes: F64) -> F32:
    return np.asarray(points_eyes * EYE_DISTANCE_PX + np.array(EYES_XY_PX), np.float32)


def _grid_eyes() -> tuple[F32, F32]:
    """Coordinates of every canvas pixel, in eye distances from the eyes' midpoint."""
    width, height = HEAD_SIZE_WH
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x - EYES_XY_PX[0]) / np.float32(EYE_DISTANCE_PX), (y - EYES_XY_PX[1]) / np.float32(EYE_DISTANCE_PX)


def _cheeks() -> Mask:
    x, y = _grid_eyes()
    wide, top, bottom = _CHEEKS
    return np.asarray((np.abs(x) < wide) & (y > top) & (y < bottom))


def _head_mask(image_rgb: F32) -> F32:
    """Opacity, 0 to 1: an oval with a neck, its edge moved to where the colours say the background begins."""
    x, y = _grid_eyes()
    oval = np.hypot(x / (1.38 - 0.26 * np.clip(y - 0.2, 0, 1.5)), (y - 0.05) / np.where(y < 0, 2.0, 1.95))
    neck = np.where(y > _JAW, np.hypot(x / 0.85, np.maximum(y - 2.3, 0) / 0.6), 9.0)
    distance = np.minimum(oval, neck)
    evidence = _blur(_colour_evidence(image_rgb, distance < _SURE, (oval > _BEYOND) & (y < _CHIN)), 2.5, -3.5, 3.5)
    logit = (1.0 - distance) * 16 + np.where(y > _CHIN, 0, evidence)
    return _blur(1 / (1 + np.exp(np.clip(-2.2 * logit, -40, 40))), 2, 0, 1)


def _colour_evidence(image_rgb: F32, inside: Mask, outside: Mask) -> F32:
    """Log-likelihood ratio of each pixel's colour being of the head, from histograms with 10 steps a channel."""
    cell = (image_rgb / 25.6).astype(np.int64) @ np.array([100, 10, 1])
    head = np.bincount(cell[inside], minlength=1000) / max(1, int(inside.sum()))
    background = np.bincount(cell[outside], minlength=1000) / max(1, int(outside.sum()))
    ratio = np.log((head + 1e-3) / (background + 1e-3))
    return np.asarray(ratio[cell], np.float32)


def _blur(plane: F32, radius_px: float, low: float, high: float) -> F32:
    """Smooth an array of values between `low` and `high`, in steps of a 255th of that range."""
    steps = np.round((np.clip(plane, low, high) - low) * (255 / (high - low))).astype(np.uint8)
    smooth = Image.fromarray(steps).filter(ImageFilter.GaussianBlur(radius_px))
    return np.asarray(smooth, np.float32) * np.float32((high - low) / 255) + np.float32(low)


# --- invented faces -------------------------------------------------------------------------------------------------


def blend(heads: Sequence[Head], rng: np.random.Generator) -> Head:
    """Invent a face from several: the rendering of somebody who does not exist.

    Args:
        heads: at least one; the more, the more different the results.
        rng: decides everything; the same state gives the same face.

    Raises:
        InputError: no head.
    """
    if not heads:
        raise InputError("a face cannot be invented from none", remedy="give at least one head")
    geometry = _Geometry.draw(rng)
    order = rng.permutation(len(heads))
    warped = [_warp(heads[i], geometry, mirror=bool(rng.integers(2))) for i in order]
    tone = _skin_tone(rng)
    layers = [_retone(layer, tone, rng) for layer in warped]
    weights = _region_weights(len(layers), rng)
    face = sum((w[..., None] * layer[..., :3] for w, layer in zip(weights, layers, strict=True)), np.float32(0))
    face = _detail(np.asarray(face, np.float32), rng)
    alpha = layers[0][..., 3]
    face = _hair(face, alpha, tone, rng)
    face = _features(face, geometry, rng)
    rgba = np.concatenate([np.clip(face, 0, 255), alpha[..., None]], axis=2)
    return Head(np.round(rgba).astype(np.uint8), geometry.landmarks_xy_px)


@dataclass(frozen=True, eq=False)
class _Geometry:
    """Where the invented face has its landmarks, and how its parts are stretched.

    Args:
        landmarks_xy_px: (5, 2) float32 on the canvas.
        bend_xy_px: (h, w, 2) float32, added to the canvas grid before the landmarks are matched.
    """

    landmarks_xy_px: F32
    bend_xy_px: F32

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Geometry":
        eyes = rng.normal(0.5, 0.055)
        eye_y, nose_y, mouth_y = rng.normal(0, 0.055), 0.52 + rng.normal(0, 0.085), 0.98 + rng.normal(0, 0.1)
        mouth = rng.normal(0.41, 0.075)
        nose = rng.normal(0, 0.02), nose_y
        points = np.array([(-eyes, eye_y), (eyes, eye_y), nose, (-mouth, mouth_y), (mouth, mouth_y)])
        return cls(_canvas(points), _bend(points, rng))


def _bend(points_eyes: F64, rng: np.random.Generator) -> F32:
    """Stretch eyes, nose, mouth, jaw and brow apart from each other, and add a smooth random field."""
    x, y = _grid_eyes()
    left, right, nose, mouth = *points_eyes[:3], points_eyes[3:].mean(0)
    eye, spread = rng.uniform(-0.3, 0.3, 2), rng.uniform(-0.34, 0.34, 8)
    parts = [(left, eye, 0.34), (right, eye, 0.34), (nose, spread[0:2], 0.4), (mouth, spread[2:4] * 0.9, 0.5)]
    parts += [(np.array([0, 1.5]), spread[4:6] * 0.75, 0.9), (np.array([0, -0.75]), spread[6:8] * 0.7, 0.75)]
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    for centre, (sx, sy), radius in parts:
        u, v = x - np.float32(centre[0]), y - np.float32(centre[1])
        near = np.exp(-(u * u + v * v) / np.float32(2 * radius * radius))
        dx, dy = dx - np.float32(sx) * u * near, dy - np.float32(sy) * v * near
    field = [smooth_noise((x.shape[0], x.shape[1]), 5, rng) for _ in range(2)]
    return np.stack([dx + 0.035 * field[0], dy + 0.035 * field[1]], 2) * np.float32(EYE_DISTANCE_PX)


def _warp(head: Head, geometry: _Geometry, *, mirror: bool) -> F32:
    """Bring a head's landmarks to those of `geometry`: (h, w, 4) float32."""
    image, points = head.image_rgba.astype(np.float32), head.landmarks_xy_px.astype(np.float64)
    if mirror:
        image = image[:, ::-1]
        points = (points * (-1, 1) + (image.shape[1] - 1, 0))[[1, 0, 2, 4, 3]]
    x, y = _grid_eyes()
    grid = np.stack([x, y], 2) * np.float32(EYE_DISTANCE_PX) + np.array(EYES_XY_PX, np.float32) + geometry.bend_xy_px
    reach = 2 * (0.55 * EYE_DISTANCE_PX) ** 2
    mutual = np.exp(-_squares(geometry.landmarks_xy_px) / reach)
    pulls = np.linalg.solve(mutual, points - geometry.landmarks_xy_px).astype(np.float32)
    coarse = grid[::_COARSE, ::_COARSE]
    moved = np.zeros_like(coarse)
    for centre, pull in zip(geometry.landmarks_xy_px, pulls, strict=True):
        moved += pull * np.exp(-((coarse - centre) ** 2).sum(2, keepdims=True) / np.float32(reach))
    return _sample(image, grid + _enlarge(moved, HEAD_SIZE_WH))


def _enlarge(planes: F32, size_wh: tuple[int, int]) -> F32:
    """Scale (h, w, 2) up to `size_wh`."""
    parts = [Image.fromarray(planes[..., i]).resize(size_wh, Image.Resampling.BILINEAR) for i in range(2)]
    return np.stack([np.asarray(part, np.float32) for part in parts], 2)


def _squares(points: F32) -> F32:
    return np.asarray(((points[:, None] - points[None]) ** 2).sum(2))


def _sample(image: F32, at_xy_px: F32) -> F32:
    """Bilinear lookup, clamped at the edges."""
    height, width = image.shape[:2]
    x = np.clip(at_xy_px[..., 0], 0, width - 1.001)
    y = np.clip(at_xy_px[..., 1], 0, height - 1.001)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy, np.float32)


def _skin_tone(rng: np.random.Generator) -> F32:
    light, dark = np.array([226, 184, 160], np.float32), np.array([104, 70, 52], np.float32)
    share = np.float32(rng.beta(1.1, 1.3))
    return light * (1 - share) + dark * share + rng.normal(0, 5, 3).astype(np.float32)


def _retone(layer: F32, tone: F32, rng: np.random.Generator) -> F32:
    """Give the skin of a layer the mean colour `tone`, so that layers mix without seams."""
    skin = _cheeks()
    colour = layer[..., :3]
    mean = colour[skin].mean(0)
    brighter = np.clip(tone.mean() / max(float(mean.mean()), 1.0), 0.5, 1.5)
    contrast = np.float32(rng.uniform(0.85, 1.15) * (0.45 + 0.55 * brighter))
    out = layer.copy()
    out[..., :3] = np.clip((colour - mean) * contrast + tone, 0, 255)
    return out


def _region_weights(count: int, rng: np.random.Generator) -> F32:
    """Weights of each layer at each pixel, (count, h, w) summing to 1; the outside belongs to the first layer."""
    x, y = _grid_eyes()
    regions = [
        np.exp(-((x / 1.05) ** 4) - ((y + 0.12) / 0.5) ** 4),
        np.exp(-((x / 0.42) ** 4) - ((y - 0.42) / 0.42) ** 4),
        np.exp(-((x / 0.75) ** 4) - ((y - 1.05) / 0.36) ** 4),
        np.exp(-((x / 1.15) ** 4) - ((y - 0.6) / 1.1) ** 4) * 0.35,
        np.full_like(x, 0.02),
    ]
    mixes = rng.dirichlet(np.full(count, 0.6), len(regions)).astype(np.float32)
    main = np.resize(rng.permutation(count), len(regions))
    lead = rng.uniform(0.55, 0.95, (len(regions), 1)).astype(np.float32)
    mixes = mixes * (1 - lead) + np.eye(count, dtype=np.float32)[main] * lead
    mixes[-1] = np.eye(count, dtype=np.float32)[0]
    weights = np.tensordot(mixes.T, np.stack(regions), 1)
    return np.asarray(weights / weights.sum(0), np.float32)


def _detail(face: F32, rng: np.random.Generator) -> F32:
    """Make the skin smoother or rougher (younger or older), and bend its tones."""
    fine = face - _blur(face, 2, 0, 255)
    coarse = _blur(face, 9, 0, 255) - _blur(face, 22, 0, 255)
    gain = rng.uniform(-0.55, 0.6), rng.uniform(-0.35, 0.45)
    bent = np.clip(face + np.float32(gain[0]) * fine + np.float32(gain[1]) * coarse, 0, 255) / np.float32(255)
    return np.asarray(255 * bent ** np.float32(np.exp(rng.normal(0, 0.12))), np.float32)


def _hair(face: F32, alpha: F32, tone: F32, rng: np.random.Generator) -> F32:
    """Colour what surrounds the face, above and beside it, keeping its light and shade."""
    x, y = _grid_eyes()
    hairline = rng.uniform(-1.25, -0.75)
    oval = np.hypot(x / 1.08, (y - 0.3) / (0.3 - hairline))
    share = np.clip((oval - 1.0) * 6, 0, 1) * np.clip((0.75 - y) * 3, 0, 1) * (alpha > 0)
    colour = _HAIR[rng.integers(len(_HAIR))].astype(np.float32) + rng.normal(0, 3, 3).astype(np.float32)
    colour = tone * np.float32(0.85) if rng.random() < _BALD else colour
    light = face.mean(2, keepdims=True)
    strands = light / max(float((light[..., 0] * share).sum() / max(share.sum(), 1)), 1.0)
    grain = 1 + 0.1 * smooth_noise((face.shape[0], face.shape[1]), 60, rng)[..., None]
    hair = np.clip(colour * np.clip(strands, 0.5, 1.5) * grain, 0, 255)
    mixed = face * (1 - share[..., None]) + hair * share[..., None]
    return np.asarray(mixed, np.float32)


def _features(face: F32, geometry: _Geometry, rng: np.random.Generator) -> F32:
    """Add brows, and at random a beard, a moustache, or glasses."""
    points = (geometry.landmarks_xy_px - np.array(EYES_XY_PX)) / EYE_DISTANCE_PX
    chance = rng.random(3)
    face = _darken(face, _brows(points, rng), rng.uniform(0.1, 0.7), rng)
    if chance[0] < _BEARDED:
        face = _darken(face, _beard(points), rng.uniform(0.3, 0.75), rng)
    if chance[1] < _MOUSTACHED:
        face = _darken(face, _moustache(points), rng.uniform(0.4, 0.8), rng)
    if chance[2] < _BESPECTACLED:
        face = _darken(face, _glasses(points, rng), 0.85, rng)
    return face


def _darken(face: F32, where: F32, strength: float, rng: np.random.Generator) -> F32:
    """Paint hair or frame: dark, with grain."""
    grain = np.clip(1 + 0.25 * smooth_noise((face.shape[0], face.shape[1]), 90, rng), 0, 1.5)
    share = np.clip(where * np.float32(strength) * grain, 0, 1)[..., None]
    ink = np.array([44, 34, 30], np.float32)
    return np.asarray(face * (1 - share) + ink * share, np.float32)


def _brows(points: F64, rng: np.random.Generator) -> F32:
    x, y = _grid_eyes()
    lift, thick, slope = rng.uniform(0.3, 0.44), rng.uniform(0.045, 0.1), rng.uniform(-0.15, 0.25)
    out = np.zeros_like(x)
    for side, (ex, ey) in zip((-1, 1), points[:2], strict=True):
        outward = (x - ex) * side
        bow = y - (ey - lift - slope * outward + 0.35 * outward**2)
        out += np.exp(-((bow / thick) ** 2) - (outward / 0.36) ** 4)
    return np.asarray(np.clip(out, 0, 1), np.float32)


def _beard(points: F64) -> F32:
    x, y = _grid_eyes()
    mouth_y = points[3:, 1].mean()
    jaw = np.exp(-((x / 0.9) ** 6) - ((y - mouth_y - 0.35) / 0.48) ** 6)
    lips = np.exp(-((x / 0.42) ** 4) - ((y - mouth_y - 0.02) / 0.15) ** 4)
    return np.asarray(jaw * (1 - lips), np.float32)


def _moustache(points: F64) -> F32:
    x, y = _grid_eyes()
    level = 0.55 * points[3:, 1].mean() + 0.45 * points[2, 1]
    return np.asarray(np.exp(-((x / 0.42) ** 4) - ((y - level - 0.08 - 0.25 * x * x) / 0.085) ** 4), np.float32)


def _glasses(points: F64, rng: np.random.Generator) -> F32:
    x, y = _grid_eyes()
    wide, high, power = rng.uniform(0.34, 0.43), rng.uniform(0.24, 0.36), rng.uniform(2, 4)
    width = rng.uniform(0.035, 0.07)
    out = np.exp(-((x / 0.13) ** 4) - ((y - points[0, 1] + 0.06) / width) ** 2)
    for ex, ey in points[:2]:
        ring = (np.abs((x - ex) / wide) ** power + np.abs((y - ey - 0.04) / high) ** power) ** (1 / power)
        out = np.maximum(out, np.exp(-(((ring - 1) * wide / width) ** 2)))
    return np.asarray(out, np.float32)


def smooth_noise(shape_hw: tuple[int, int], cells: int, rng: np.random.Generator) -> F32:
    """Return a smooth random plane of `shape_hw`, unit variance, about `cells` bumps along its longer side."""
    height, width = shape_hw
    size = (max(2, cells * width // max(shape_hw)), max(2, cells * height // max(shape_hw)))
    plane = Image.fromarray(rng.standard_normal(size[::-1]).astype(np.float32))
    return np.array(plane.resize((width, height), Image.Resampling.BICUBIC), np.float32)


# --- walking figures ------------------------------------------------------------------------------------------------

BODY_PX_PER_M: Final = 240
BODY_SIZE_M: Final = (1.0, 1.58)
"""Width and height of a figure's canvas, its feet 0.08 m above the lower edge."""
BODY_FEET_M: Final = 0.08
STANDARD_HEIGHT_M: Final = 1.75
EYES_HEIGHT_M: Final = 1.63
EYE_DISTANCE_M: Final = 0.067
PHASES: Final = 12
_DRAW: Final = BODY_PX_PER_M * 2


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
    pen.line([_point(0, 1.36), _point(0, hem)], fill=(*_shade(clothes.coat, 0.6), 255), width=5)
    scarf = [(-0.07, 1.492), (-0.105, 1.42), (0, 1.36), (0.105, 1.42), (0.07, 1.492), (0.03, 1.462), (-0.03, 1.462)]
    pen.polygon([_point(*p) for p in scarf], fill=(*clothes.scarf, 255))
    return _clothe(image.reduce(2), clothes.grain)


def _point(x_m: float, y_m: float) -> tuple[float, float]:
    return (x_m + BODY_SIZE_M[0] / 2) * _DRAW, (BODY_SIZE_M[1] - BODY_FEET_M - y_m) * _DRAW


def _shade(colour: Colour, gain: float) -> Colour:
    red, green, blue = (int(max(0, min(255, part * gain))) for part in colour)
    return red, green, blue


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
    _limb(pen, [hip, knee, foot], _shade(clothes.trousers, 1.0 if side > 0 else 0.8), 0.125)
    shoe = (foot[0] + 0.05 * sideways, foot[1] - 0.03)
    _limb(pen, [(foot[0], foot[1] - 0.03), shoe], (28, 24, 22), 0.085)


def _arm(pen: ImageDraw.ImageDraw, coat: Colour, side: int, phase: float, sideways: float) -> None:
    swing = -side * np.sin(phase) * 0.22
    shoulder = (side * 0.178 * (1 - 0.4 * sideways), 1.345)
    elbow = (shoulder[0] + side * 0.04 + swing * 0.5 * sideways, 1.06)
    hand = (elbow[0] + swing * sideways, 0.82 + 0.2 * abs(swing) + 0.1 * swing * (1 - sideways))
    _limb(pen, [elbow, hand], (150, 110, 92), 0.06)
    _limb(pen, [shoulder, elbow, (hand[0] * 0.9 + elbow[0] * 0.1, hand[1] + 0.06)], _shade(coat, 0.82), 0.1)


def _clothe(image: Image.Image, grain: F32) -> Image.Image:
    """Round the body by light, and give the cloth its folds."""
    rgba = np.array(image)
    x = np.linspace(-1, 1, rgba.shape[1], dtype=np.float32) * np.float32(BODY_SIZE_M[0] / 2)
    light = (1.08 - 4.2 * (x + 0.04) ** 2).clip(0.5, 1.1)
    rgba[..., :3] = np.clip(rgba[..., :3] * (grain * light)[..., None], 0, 255).astype(np.uint8)
    return Image.fromarray(rgba, "RGBA")


def bust(head: Head) -> Image.Image:
    """Put a head on a bare neck, without what the portrait shows below the chin: RGBA of the head canvas's size."""
    x, y = _grid_eyes()
    rgba = head.image_rgba.astype(np.float32)
    skin = np.median(rgba[_cheeks()][:, :3], axis=0)
    neck = np.clip((0.66 - np.abs(x)) * 12, 0, 1) * (y > _JAW + 0.3)
    ink = skin * (0.86 - 0.3 * (x / 0.7)[..., None] ** 2) * np.clip(0.1 + 0.38 * y, 0.72, 1)[..., None]
    own = rgba[..., 3:] / 255 * np.clip((2.02 - y - 0.25 * x * x) * 6, 0, 1)[..., None]
    alpha = own + (1 - own) * neck[..., None]
    colour = np.where(alpha > 0, (rgba[..., :3] * own + ink * neck[..., None] * (1 - own)) / np.maximum(alpha, 1e-3), 0)
    return Image.fromarray(np.concatenate([colour, alpha * 255], 2).clip(0, 255).astype(np.uint8), "RGBA")


# --- a street -------------------------------------------------------------------------------------------------------


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


CAMERA_HEIGHT_M: Final = 2.35
FACADE_Z_M: Final = 12.5
CAR_Z_M: Final = 10.8
KERB_Z_M: Final = 9.6


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
            glass = _shade((70, 84, 98), rng.uniform(0.6, 1.3))
            pen.rectangle(pane, fill=glass, outline=(180, 176, 169), width=3)
        pen.rectangle((left + 4, shop, left + wide - 4, base), fill=_shade((60, 66, 70), rng.uniform(0.6, 1.2)))
        awning = _shade(((150, 50, 46), (46, 84, 70), (60, 70, 110), (150, 126, 70))[int(rng.integers(4))], 0.9)
        pen.rectangle((left + 4, shop - base * 0.1, left + wide - 4, shop), fill=awning)
        door = left + wide * rng.uniform(0.2, 0.7)
        pen.rectangle((door, shop + 6, door + wide * 0.16, base), fill=_shade((92, 74, 58), rng.uniform(0.6, 1.1)))
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
        colour = _shade((74, 94, 56), rng.uniform(0.45, 1.05) + 0.5 * (0.4 - y))
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
    pen.polygon([(x * unit, y * unit) for x, y in cabin], fill=(*_shade(paint, 0.85), 255))
    pen.polygon([(x * unit, y * unit) for x, y in glass], fill=(52, 62, 70, 255))
    pen.rounded_rectangle((0.05 * unit, 0.62 * unit, 4.15 * unit, 1.2 * unit), 0.2 * unit, fill=(*paint, 255))
    for x in (0.9, 3.3):
        pen.ellipse(((x - 0.32) * unit, 0.86 * unit, (x + 0.32) * unit, 1.5 * unit), fill=(22, 22, 24, 255))
        pen.ellipse(((x - 0.17) * unit, 1.01 * unit, (x + 0.17) * unit, 1.35 * unit), fill=(120, 122, 126, 255))
    return image.reduce(2)
