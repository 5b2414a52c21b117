"""Heads, cut out of portraits: on one canvas, upright, eyes `EYE_DISTANCE_PX` apart, so that later steps know the face.

Pure: nothing here reads or writes a file.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from habeas.errors import InputError
from habeas.geometry import apply_affine, invert_affine, similarity_transform
from habeas.measure.paint import blur
from habeas.types import F32, U8

F64: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

EYE_DISTANCE_PX: Final = 56.0
HEAD_SIZE_WH: Final = (240, 288)
EYES_XY_PX: Final = (120.0, 124.0)
"""Midpoint between the eyes on the head canvas."""
FACE_BOX_EYES: Final = (-1.05, -0.95, 1.05, 1.75)
"""The face box relative to the eyes' midpoint, in eye distances (measured: what CenterFace returns for portraits)."""
_TEMPLATE_EYES: Final = np.array([(-0.5, 0), (0.5, 0), (0, 0.52), (-0.41, 0.98), (0.41, 0.98)], np.float64)
JAW_EYES, _MOUTH, _CHIN = 0.9, 1.0, 1.45
"""How far below the eyes, in eye distances."""
_TURN: Final = 2.2
"""How far the head lies beside the eyes for each eye distance that the nose lies to the other side."""
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
    to_portrait = similarity_transform(canvas_points(_TEMPLATE_EYES), points.astype(np.float32))
    canvas = _transformed(portrait_rgb, to_portrait)
    landmarks = apply_affine(invert_affine(to_portrait), points)
    alpha = _head_mask(canvas[..., :3].astype(np.float32), landmarks) * (canvas[..., 3] / np.float32(255))
    canvas[..., 3] = np.round(alpha * 255).astype(np.uint8)
    return Head(canvas, landmarks.astype(np.float32))


def _transformed(image_rgb: U8, to_image: npt.NDArray[np.float64]) -> U8:
    """Resample an image onto the head canvas; alpha is 0 where the image does not reach."""
    image = Image.fromarray(image_rgb, "RGB")
    shrink = max(1, int(np.hypot(to_image[0, 0], to_image[1, 0])))
    image = image.reduce(shrink) if shrink > 1 else image
    rows = tuple((to_image / shrink).ravel().tolist())
    layered = image.convert("RGBA")
    return np.array(layered.transform(HEAD_SIZE_WH, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC))


def canvas_points(points_eyes: F64) -> F32:
    """Bring (n, 2) points from eye distances, origin between the eyes, to pixels of the canvas."""
    return np.asarray(points_eyes * EYE_DISTANCE_PX + np.array(EYES_XY_PX), np.float32)


def grid_eyes() -> tuple[F32, F32]:
    """Return x and y, (288, 240) float32, of every canvas pixel, in eye distances from the eyes' midpoint."""
    width, height = HEAD_SIZE_WH
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x - EYES_XY_PX[0]) / np.float32(EYE_DISTANCE_PX), (y - EYES_XY_PX[1]) / np.float32(EYE_DISTANCE_PX)


def cheeks() -> Mask:
    """Mark where the canvas shows skin and little else: (288, 240) bool."""
    x, y = grid_eyes()
    wide, top, bottom = _CHEEKS
    return np.asarray((np.abs(x) < wide) & (y > top) & (y < bottom))


def _head_mask(image_rgb: F32, landmarks_xy_px: F64) -> F32:
    """Opacity, 0 to 1: an oval with a neck, its edge moved to where the colours say the background begins.

    The colours of head and background are learnt twice: from the oval alone, then from the mask that this gave.
    """
    _, y = grid_eyes()
    oval, distance = _oval(landmarks_xy_px)
    head, background = (oval < _SURE) & (y < _MOUTH), (oval > _BEYOND) & (y < _CHIN)
    mask = _mask(image_rgb, distance, head.astype(np.float32), background.astype(np.float32))
    return _mask(image_rgb, distance, mask * (y < _MOUTH), (1 - mask) * (y < _CHIN))


def _oval(landmarks_xy_px: F64) -> tuple[F32, F32]:
    """Distance from the middle of the head, 1 at its edge: without and with the neck."""
    x, y = grid_eyes()
    nose = (landmarks_xy_px[2, 0] - landmarks_xy_px[:2, 0].mean()) / EYE_DISTANCE_PX
    turned = np.float32(np.clip(_TURN * nose, -0.4, 0.4)) * np.clip(1 - 0.7 * y, 0, 1)
    oval = np.hypot((x + turned) / (1.24 - 0.34 * np.clip(y - 0.2, 0, 1.5)), (y - 0.05) / np.where(y < 0, 1.87, 1.85))
    neck = np.where(y > JAW_EYES, np.hypot(x / 0.68, np.maximum(y - 2.3, 0) / 0.6), 9.0)
    return oval, np.minimum(oval, neck)


def _mask(image_rgb: F32, distance: F32, head: F32, background: F32) -> F32:
    """Opacity from the distance and from the colours of what is held for head and for background."""
    _, y = grid_eyes()
    evidence = blur(_colour_evidence(image_rgb, head, background), 1.5, -5, 5)
    logit = (1.0 - distance) * 16 + np.where(y > _CHIN, 0, evidence)
    return blur(1 / (1 + np.exp(np.clip(-2.2 * logit, -40, 40))), 1.5, 0, 1)


def _colour_evidence(image_rgb: F32, head: F32, background: F32) -> F32:
    """Log-likelihood ratio of each pixel's colour being of the head, from weighted histograms, 10 steps a channel."""
    cell = (image_rgb / 25.6).astype(np.int64) @ np.array([100, 10, 1])
    shares = [
        np.bincount(cell.ravel(), weights.ravel(), minlength=1000) / max(1.0, float(weights.sum()))
        for weights in (head, background)
    ]
    ratio = np.log((shares[0] + 1e-3) / (shares[1] + 1e-3))
    return np.asarray(ratio[cell], np.float32)
