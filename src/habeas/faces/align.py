"""Aligned face crops: a similarity transform from five landmarks to the usual 112 x 112 positions."""

from typing import Final

import numpy as np
from PIL import Image

from habeas.geometry import apply_affine, clip_box, invert_affine, similarity_transform
from habeas.types import F32, F64, U8, Picture

CROP_PX: Final = 112
TARGET_XY_PX: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""Left eye, right eye, nose, mouth corners: the alignment of ArcFace, which both networks were trained with."""
_MAX_REDUCTION: Final = 2.0
"""Bilinear sampling aliases when it skips pixels: larger faces are area-averaged down to twice the crop first."""


def align(picture: Picture, landmarks_xy_px: F32) -> U8:
    """Return one aligned crop; parts outside the picture are black.

    Args:
        picture: the frame's pixels.
        landmarks_xy_px: (5, 2) float32, full frame.

    Returns:
        (112, 112, 3) uint8, RGB.
    """
    to_picture = invert_affine(similarity_transform(landmarks_xy_px, TARGET_XY_PX))
    corners = apply_affine(to_picture, np.array([[0, 0], [CROP_PX, 0], [0, CROP_PX], [CROP_PX, CROP_PX]], np.float64))
    around = np.concatenate([corners.min(axis=0) - 1, corners.max(axis=0) + 1]).astype(np.float32)
    x0, y0, x1, y1 = clip_box(around, picture.size_wh)
    x0, y0 = x0 & ~1, y0 & ~1  # even corners: a camera's colour is stored for two pixels at a time
    if x1 <= x0 or y1 <= y0:
        return np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
    scale = min(1.0, _MAX_REDUCTION / max(float(np.hypot(*to_picture[:, 0])), 1e-6))
    size_wh = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    patch = picture.rgb((x0, y0, x1, y1), size_wh)
    ratio_xy = np.array([size_wh[0] / (x1 - x0), size_wh[1] / (y1 - y0)])
    return _sample(patch, _into_patch(to_picture, np.array([x0, y0], np.float64), ratio_xy))


def _into_patch(to_picture: F64, corner_xy: F64, ratio_xy: F64) -> F64:
    matrix = to_picture.copy()
    matrix[:, 2] -= corner_xy
    return np.asarray(matrix * ratio_xy[:, None])


def _sample(patch_rgb: U8, matrix: F64) -> U8:
    """Sample bilinearly. Pillow maps pixel centres; the landmarks' convention puts a pixel's centre at its index."""
    shifted = matrix.copy()
    shifted[:, 2] += 0.5 - matrix[:, :2].sum(axis=1) * 0.5
    image = Image.fromarray(patch_rgb)
    data = tuple(shifted.ravel().tolist())
    crop = image.transform((CROP_PX, CROP_PX), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(crop)
