"""Looking at the result of a redaction: which faces, seen there, are neither covered nor spared. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.footage.following import SURE_SCORE, Sightings
from habeas.footage.redaction import Plan, heads_of
from habeas.geometry import areas, clip_box, iou
from habeas.types import F32

_COVERED: Final = 0.8
"""A detection that is so much covered is of a shape, not of a face."""
_SAME: Final = 0.6
"""A detection is the spared face where one lies by this share in the other."""


def uncovered(plan: Plan, picture: int, boxes_xyxy_px: F32, scores: F32) -> npt.NDArray[np.bool_]:
    """Tell which faces, seen in a picture of the result, are neither covered nor spared: (n,) bool.

    What is faint, and has its middle in the head of somebody spared, is taken for a part of it: a collar, a hand.

    Args:
        plan: by which the result was made.
        picture: number of it.
        boxes_xyxy_px: (n, 4) float32, what a detector saw in the result.
        scores: (n,) float32.
    """
    shapes, spared = plan.shapes.of(picture).boxes_xyxy_px, plan.spared.of(picture).boxes_xyxy_px
    shares = np.array([covered_share(box, shapes, plan.size_wh) for box in boxes_xyxy_px])
    free = np.asarray(shares < _COVERED, np.bool_).reshape(len(boxes_xyxy_px))
    if len(spared) and len(boxes_xyxy_px):
        same = _shared(boxes_xyxy_px, spared).max(axis=1) >= _SAME
        free &= ~same & ~((scores < SURE_SCORE) & _in_any(boxes_xyxy_px, heads_of(spared)))
    return free


def _in_any(boxes_xyxy_px: F32, heads_xyxy_px: F32) -> npt.NDArray[np.bool_]:
    """Tell which boxes have their middle in one of the heads: (n,) bool."""
    middles = ((boxes_xyxy_px[:, :2] + boxes_xyxy_px[:, 2:]) / 2)[:, None]
    inside = (heads_xyxy_px[None, :, :2] <= middles) & (middles < heads_xyxy_px[None, :, 2:])
    return np.asarray(np.any(np.all(inside, axis=2), axis=1), np.bool_)


def _shared(one_xyxy_px: F32, other_xyxy_px: F32) -> F32:
    """Return the intersection of every pair, as a share of the smaller box: (n, k) float32."""
    both = areas(one_xyxy_px)[:, None] + areas(other_xyxy_px)[None]
    overlap = iou(one_xyxy_px, other_xyxy_px)
    smaller = np.minimum(areas(one_xyxy_px)[:, None], areas(other_xyxy_px)[None])
    return np.asarray(overlap / (1 + overlap) * both / np.maximum(smaller, 1), np.float32)


def covered_share(box_xyxy_px: F32, shapes_xyxy_px: F32, size_wh: tuple[int, int]) -> float:
    """Return how much of a box, where it is in the picture, shapes cover: 0 to 1; 1 where none of it is."""
    left, top, right, bottom = clip_box(box_xyxy_px, size_wh)
    if right <= left or bottom <= top:
        return 1.0
    free = np.ones((bottom - top, right - left), np.bool_)
    for x0, y0, x1, y1 in shapes_xyxy_px.astype(int).tolist():
        free[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = False
    return 1.0 - float(free.mean())


def found_in(plan: Plan, seen: Sequence[tuple[F32, F32]]) -> Sightings:
    """Return the faces of a result that are neither covered nor spared.

    Args:
        plan: by which it was made.
        seen: for each picture, boxes (n, 4) and scores (n,) of what a detector saw.
    """
    free = [uncovered(plan, picture, boxes, scores) for picture, (boxes, scores) in enumerate(seen)]
    return sightings_of([(boxes[rows], scores[rows]) for rows, (boxes, scores) in zip(free, seen, strict=True)])


def sightings_of(seen: Sequence[tuple[F32, F32]]) -> Sightings:
    """Return what was seen as one record: for each picture, boxes (n, 4) and scores (n,)."""
    counts = [len(boxes) for boxes, _ in seen]
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    boxes, scores = (np.concatenate(part) for part in zip(empty, *seen, strict=True))
    return Sightings(np.repeat(np.arange(len(seen)), counts), boxes.astype(np.float32), scores.astype(np.float32))
