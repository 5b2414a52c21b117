"""Boxes and transforms. Pure; float32; boxes are half-open (x0, y0, x1, y1) in pixels, y down."""

from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.types import F32, I64

_TINY: Final = 1e-9


def areas(boxes_xyxy_px: F32) -> F32:
    """Return the area of each box.

    Args:
        boxes_xyxy_px: (n, 4) float32.

    Returns:
        (n,) float32, square pixels, never negative.
    """
    sides = np.maximum(boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def iou(a_xyxy_px: F32, b_xyxy_px: F32) -> F32:
    """Return intersection over union of every pair.

    Args:
        a_xyxy_px: (n, 4) float32.
        b_xyxy_px: (k, 4) float32.

    Returns:
        (n, k) float32 in [0, 1]; 0 where both boxes are empty.
    """
    low = np.maximum(a_xyxy_px[:, None, :2], b_xyxy_px[None, :, :2])
    high = np.minimum(a_xyxy_px[:, None, 2:], b_xyxy_px[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = areas(a_xyxy_px)[:, None] + areas(b_xyxy_px)[None, :] - shared
    return np.asarray(shared / np.maximum(union, _TINY), np.float32)


def expand(boxes_xyxy_px: F32, margin: float) -> F32:
    """Return each box grown by `margin` of its own size on every side.

    Args:
        boxes_xyxy_px: (n, 4) float32.
        margin: 0.5 doubles width and height.

    Returns:
        (n, 4) float32.
    """
    sides = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    return np.concatenate([boxes_xyxy_px[:, :2] - margin * sides, boxes_xyxy_px[:, 2:] + margin * sides], axis=1)


def clip_box(box_xyxy_px: F32, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the box rounded outwards and cut to the picture; empty (zero sides) where it lies outside.

    Args:
        box_xyxy_px: (4,) float32.
        size_wh: of the picture.
    """
    width, height = size_wh
    x0 = int(np.clip(np.floor(box_xyxy_px[0]), 0, width))
    y0 = int(np.clip(np.floor(box_xyxy_px[1]), 0, height))
    x1 = int(np.clip(np.ceil(box_xyxy_px[2]), x0, width))
    y1 = int(np.clip(np.ceil(box_xyxy_px[3]), y0, height))
    return x0, y0, x1, y1


def suppress(boxes_xyxy_px: F32, scores: F32, max_iou: float) -> I64:
    """Keep the highest-scoring box of each overlapping group (greedy non-maximum suppression).

    Args:
        boxes_xyxy_px: (n, 4) float32.
        scores: (n,) float32.
        max_iou: boxes that overlap a kept one by more than this go.

    Returns:
        Kept rows, best first, int64; equal scores in row order.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        overlap = iou(boxes_xyxy_px[best][None], boxes_xyxy_px[order])[0]
        order = order[overlap <= max_iou]
    return np.asarray(kept, np.int64)


def similarity_transform(from_xy_px: F32, to_xy_px: F32) -> npt.NDArray[np.float64]:
    """Return the least-squares rotation, uniform scale and shift that takes one point set to another.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991,
    without reflection.

    Args:
        from_xy_px: (p, 2) float32.
        to_xy_px: (p, 2) float32.

    Returns:
        (2, 3) float64: `to = matrix[:, :2] @ from + matrix[:, 2]`.
    """
    a = from_xy_px.astype(np.float64)
    b = to_xy_px.astype(np.float64)
    a0, b0 = a - a.mean(axis=0), b - b.mean(axis=0)
    # In two dimensions the rotation and scale are one complex number: conj(a) . b / |a|^2.
    spread = max(float((a0**2).sum()), _TINY)
    cos = float((a0 * b0).sum()) / spread
    sin = float((a0[:, 0] * b0[:, 1] - a0[:, 1] * b0[:, 0]).sum()) / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = b.mean(axis=0) - turn @ a.mean(axis=0)
    return np.concatenate([turn, shift[:, None]], axis=1)


def invert_affine(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the inverse of a (2, 3) affine matrix; identity scale where it is singular."""
    turn = matrix[:, :2]
    if abs(np.linalg.det(turn)) < _TINY:
        turn = np.eye(2)
    back = np.linalg.inv(turn)
    return np.concatenate([back, -(back @ matrix[:, 2:])], axis=1)


def apply_affine(matrix: npt.NDArray[np.float64], points_xy_px: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return (p, 2) points moved by a (2, 3) matrix."""
    return np.asarray(points_xy_px @ matrix[:, :2].T + matrix[:, 2], np.float64)
