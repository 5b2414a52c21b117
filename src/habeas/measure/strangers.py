"""Invented people ("strangers"), drawn from several heads; they depict nobody. Pure and seeded.

Each head is warped to one random geometry, the results are mixed region by region with random weights, and recoloured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from habeas.errors import InputError
from habeas.measure.heads import EYE_DISTANCE_PX, EYES_XY_PX, F64, HEAD_SIZE_WH, Head, canvas_points, cheeks, grid_eyes
from habeas.measure.paint import blur, smooth_noise
from habeas.types import F32

_COARSE: Final = 4
_LEADING: Final = 2
"""How much more the leading layer of a region counts; at 1, hats and glasses of the others show through."""
_HAIR: Final = np.array(
    [(38, 30, 26), (74, 50, 34), (120, 82, 50), (158, 130, 92), (150, 146, 142), (60, 44, 38), (104, 62, 42)]
)
_BALD, _BEARDED, _MOUSTACHED, _BESPECTACLED = 0.08, 0.22, 0.15, 0.22
"""Shares of the invented people."""


def strangers(heads: Mapping[str, Head], count: int, seed: int) -> Iterator[Head]:
    """Invent `count` people from the heads given; the same seed gives the same people.

    Raises:
        InputError: no heads.
    """
    sources = list(heads.values())
    for number in range(count):
        yield blend(sources, np.random.default_rng([seed, 3, number]))


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
    weights = _seen_only(_region_weights(len(layers), rng), layers)
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
        return cls(canvas_points(points), _bend(points, rng))


def _bend(points_eyes: F64, rng: np.random.Generator) -> F32:
    """Stretch eyes, nose, mouth, jaw and brow apart from each other, and add a smooth random field."""
    x, y = grid_eyes()
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
    x, y = grid_eyes()
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
    skin = cheeks()
    colour = layer[..., :3]
    mean = colour[skin].mean(0)
    brighter = np.clip(tone.mean() / max(float(mean.mean()), 1.0), 0.5, 1.5)
    contrast = np.float32(rng.uniform(0.85, 1.15) * (0.45 + 0.55 * brighter))
    out = layer.copy()
    out[..., :3] = np.clip((colour - mean) * contrast + tone, 0, 255)
    return out


def _region_weights(count: int, rng: np.random.Generator) -> F32:
    """Weights of each layer at each pixel, (count, h, w) summing to 1; the outside belongs to the first layer."""
    x, y = grid_eyes()
    regions = [
        np.exp(-((x / 1.05) ** 4) - ((y + 0.02) / 0.4) ** 4),
        np.exp(-((x / 0.42) ** 4) - ((y - 0.42) / 0.42) ** 4),
        np.exp(-((x / 0.75) ** 4) - ((y - 1.05) / 0.36) ** 4),
        np.exp(-((x / 1.15) ** 4) - ((y - 0.65) / 1.0) ** 4) * 0.35,
        np.full_like(x, 0.02),
    ]
    mixes = rng.dirichlet(np.full(count, 0.6), len(regions)).astype(np.float32)
    main = np.resize(rng.permutation(count), len(regions))
    lead = rng.uniform(0.55, 0.95, (len(regions), 1)).astype(np.float32)
    mixes = mixes * (1 - lead) + np.eye(count, dtype=np.float32)[main] * lead
    mixes[-1] = np.eye(count, dtype=np.float32)[0]
    weights = np.tensordot(mixes.T, np.stack(regions), 1)
    return np.asarray(weights / weights.sum(0), np.float32)


def _seen_only(weights: F32, layers: Sequence[F32]) -> F32:
    """Give hardly any weight to a layer where it is transparent, and more to the leading one: no edge shows through."""
    opaque = np.stack([layer[..., 3] for layer in layers]) / np.float32(255)
    sharp = weights**_LEADING * (opaque**4 + np.float32(1e-4))
    return np.asarray(sharp / sharp.sum(0), np.float32)


def _detail(face: F32, rng: np.random.Generator) -> F32:
    """Make the skin smoother or rougher (younger or older), and bend its tones."""
    fine = face - blur(face, 2, 0, 255)
    coarse = blur(face, 9, 0, 255) - blur(face, 22, 0, 255)
    gain = rng.uniform(-0.55, 0.6), rng.uniform(-0.35, 0.45)
    bent = np.clip(face + np.float32(gain[0]) * fine + np.float32(gain[1]) * coarse, 0, 255) / np.float32(255)
    return np.asarray(255 * bent ** np.float32(np.exp(rng.normal(0, 0.12))), np.float32)


def _hair(face: F32, alpha: F32, tone: F32, rng: np.random.Generator) -> F32:
    """Colour what surrounds the face, above and beside it, keeping its light and shade."""
    x, y = grid_eyes()
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
    x, y = grid_eyes()
    lift, thick, slope = rng.uniform(0.3, 0.44), rng.uniform(0.045, 0.1), rng.uniform(-0.15, 0.25)
    out = np.zeros_like(x)
    for side, (ex, ey) in zip((-1, 1), points[:2], strict=True):
        outward = (x - ex) * side
        bow = y - (ey - lift - slope * outward + 0.35 * outward**2)
        out += np.exp(-((bow / thick) ** 2) - (outward / 0.36) ** 4)
    return np.asarray(np.clip(out, 0, 1), np.float32)


def _beard(points: F64) -> F32:
    x, y = grid_eyes()
    mouth_y = points[3:, 1].mean()
    jaw = np.exp(-((x / 0.9) ** 6) - ((y - mouth_y - 0.35) / 0.48) ** 6)
    lips = np.exp(-((x / 0.42) ** 4) - ((y - mouth_y - 0.02) / 0.15) ** 4)
    return np.asarray(jaw * (1 - lips), np.float32)


def _moustache(points: F64) -> F32:
    x, y = grid_eyes()
    level = 0.55 * points[3:, 1].mean() + 0.45 * points[2, 1]
    return np.asarray(np.exp(-((x / 0.42) ** 4) - ((y - level - 0.08 - 0.25 * x * x) / 0.085) ** 4), np.float32)


def _glasses(points: F64, rng: np.random.Generator) -> F32:
    x, y = grid_eyes()
    wide, high, power = rng.uniform(0.34, 0.43), rng.uniform(0.24, 0.36), rng.uniform(2, 4)
    width = rng.uniform(0.035, 0.07)
    out = np.exp(-((x / 0.13) ** 4) - ((y - points[0, 1] + 0.06) / width) ** 2)
    for ex, ey in points[:2]:
        ring = (np.abs((x - ex) / wide) ** power + np.abs((y - ey - 0.04) / high) ** power) ** (1 / power)
        out = np.maximum(out, np.exp(-(((ring - 1) * wide / width) ** 2)))
    return np.asarray(out, np.float32)
