"""How useful a face is for comparison: size, pose, sharpness, detector score. Pure."""

from typing import Final

import numpy as np

from habeas.types import F32, U8

_EYES_FULL_PX: Final = 40.0
"""Eye distance from which more pixels add nothing: the networks see 35 px."""
_SHARP_FULL: Final = 60.0
"""Sharpness (below) of an ordinary photograph; the median of the measurement set is about this."""


def eye_distances_px(landmarks_xy_px: F32) -> F32:
    """Return (n,) float32, pixels between the eyes.

    Args:
        landmarks_xy_px: (n, 5, 2) float32.
    """
    return np.asarray(np.linalg.norm(landmarks_xy_px[:, 1] - landmarks_xy_px[:, 0], axis=1), np.float32)


def nose_positions(landmarks_xy_px: F32) -> F32:
    """Return where the nose stands between the eyes: 0 at the image's left eye, 1 at the right, 0.5 when frontal.

    Args:
        landmarks_xy_px: (n, 5, 2) float32.

    Returns:
        (n,) float32; beyond 0 or 1 in profile.
    """
    left, right, nose = landmarks_xy_px[:, 0], landmarks_xy_px[:, 1], landmarks_xy_px[:, 2]
    axis = right - left
    square = np.maximum((axis**2).sum(axis=1), 1e-6)
    return np.asarray(((nose - left) * axis).sum(axis=1) / square, np.float32)


def sharpness(crop_rgb: U8) -> float:
    """Return the variance of the Laplacian of an aligned crop's brightness, relative to its contrast.

    Args:
        crop_rgb: (112, 112, 3) uint8.

    Returns:
        0 for a flat or fully blurred crop; about 5 for a face blurred to the edge of use, 60 for a sharp one.
    """
    grey = crop_rgb.astype(np.float32).mean(axis=2)[16:-8, 16:-16]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    contrast = float(grey.var())
    return float(laplacian.var() / max(contrast, 25.0) * 1000)


def quality(landmarks_xy_px: F32, scores: F32, sharpnesses: F32) -> F32:
    """Combine what is known of each face into one number.

    Args:
        landmarks_xy_px: (n, 5, 2) float32, full frame.
        scores: (n,) float32, detector.
        sharpnesses: (n,) float32, of the aligned crops.

    Returns:
        (n,) float32 in [0, 1]: product of size, pose, sharpness and score, each at most 1.
    """
    size = np.minimum(eye_distances_px(landmarks_xy_px) / _EYES_FULL_PX, 1)
    pose = np.clip(1 - 1.6 * np.abs(nose_positions(landmarks_xy_px) - 0.5), 0, 1)
    sharp = np.minimum(sharpnesses / _SHARP_FULL, 1) ** 0.5
    return np.asarray(size * pose * sharp * scores, np.float32)
