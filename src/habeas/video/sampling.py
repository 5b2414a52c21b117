"""Which frames and which part of them are looked at, how often and how closely: chosen per stream. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.geometry import clip_box
from habeas.settings import DetectSettings
from habeas.types import F32, NS_PER_S

_DETECTOR_FACE_PX: Final = 20.0
"""Width a face should have in the detector's picture; below about 16 its landmarks become too coarse to align by."""
_STEPS: Final = ((512, 256), (-1, 128))
"""Above which side of the detector's picture, sides grow in which steps: the network keeps 4 MB for each size that it
has seen, and takes 30 ms to get ready for it (docs/decisions/0008).
"""
_GRID_PX: Final = 64
"""Least side that what moved or is tracked is taken to have, before its margin."""
_AROUND_MOTION: Final = 0.25
"""Margin around what moved: a face may stand still while the hand moves."""
_MAX_PARTS: Final = 6
_NEARLY_WHOLE: Final = 0.7
"""From this share of the picture on, one look at all of it is simpler."""
_NEARLY_A_SIDE: Final = 0.9
"""A part that is so wide or tall is as wide or tall as the picture: one size less."""
_JOIN_COST: Final = 1.15
"""Two parts are joined where the box around both is hardly larger than they are."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class StreamPlan:
    """How one stream is looked at.

    Args:
        size_wh: of its pictures.
        scale: detector pixels per picture pixel, at most 1.
        idle_every_ns: time between two looks at the whole picture, whatever moves.
    """

    size_wh: tuple[int, int]
    scale: float
    idle_every_ns: int


def plan_stream(size_wh: tuple[int, int], rate_hz: float, settings: DetectSettings) -> StreamPlan:
    """Choose detection size and rate for a stream.

    The detector's picture is as small as the smallest wanted face allows: that face is `_DETECTOR_FACE_PX` wide in it.
    """
    scale = min(1.0, _DETECTOR_FACE_PX / settings.min_face_px, settings.max_side_px / max(size_wh))
    rate = min(settings.rate_hz, rate_hz) if rate_hz > 0 else settings.rate_hz
    return StreamPlan(
        size_wh=size_wh,
        scale=scale,
        idle_every_ns=round(NS_PER_S / min(settings.idle_rate_hz, rate)),
    )


class Sampler:
    """Picks the frames of one stream that are worth a look: one in each interval of the plan."""

    def __init__(self, every_ns: int) -> None:
        self._every_ns = every_ns
        self._due_ns: int | None = None

    def due(self, pts_ns: int) -> bool:
        """Tell whether the frame at `pts_ns` is to be looked at. Time that jumps back starts a new interval."""
        if self._due_ns is not None and self._due_ns - self._every_ns <= pts_ns < self._due_ns:
            return False
        late = self._due_ns is None or not 0 <= pts_ns - self._due_ns < self._every_ns
        self._due_ns = (pts_ns if late or self._due_ns is None else self._due_ns) + self._every_ns
        return True


def regions(plan: StreamPlan, moved: Sequence[Box], tracked_xyxy_px: F32) -> list[tuple[Box, tuple[int, int]]]:
    """Return the parts to look at: what moved and what is tracked, with margin; the whole picture if neither.

    Args:
        plan: of the stream.
        moved: boxes around what moved.
        tracked_xyxy_px: (n, 4) float32, where tracked faces are expected.

    Returns:
        Each part's box inside the picture, and (width, height) of the detector's picture of it.
    """
    boxes = [_grown(np.asarray(box, np.float32), _AROUND_MOTION) for box in moved]
    boxes += [_grown(box, 1.0) for box in tracked_xyxy_px]
    inside = [clip_box(box, plan.size_wh) for box in boxes]
    parts = [_on_grid(box, plan) for box in merged([box for box in inside if _area(box)], plan)]
    whole = (0, 0, *plan.size_wh)
    if not parts or len(parts) > _MAX_PARTS or sum(map(_area, parts)) > _NEARLY_WHOLE * _area(whole):
        parts = [whole]
    return [(box, detector_size(plan, box)) for box in parts]


def merged(boxes: Sequence[Box], plan: StreamPlan) -> list[Box]:
    """Join boxes until no two are cheaper to look at as one, once each is on the detector's grid."""
    parts = list(boxes)
    index = 0
    while index < len(parts):
        other = next((k for k in range(index + 1, len(parts)) if _worth_joining(parts[index], parts[k], plan)), None)
        if other is None:
            index += 1
        else:
            parts[index] = _around(parts[index], parts.pop(other))
            index = 0
    return parts


def _worth_joining(one: Box, other: Box, plan: StreamPlan) -> bool:
    joined, *apart = (_area(_on_grid(box, plan)) for box in (_around(one, other), one, other))
    return joined <= _JOIN_COST * sum(apart)


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def detector_size(plan: StreamPlan, box: Box) -> tuple[int, int]:
    """Return the size of the detector's picture of a part."""
    x0, y0, x1, y1 = box
    return max(1, round((x1 - x0) * plan.scale)), max(1, round((y1 - y0) * plan.scale))


def _grown(box_xyxy_px: F32, margin: float) -> F32:
    sides = np.maximum(box_xyxy_px[2:] - box_xyxy_px[:2], _GRID_PX)
    return np.concatenate([box_xyxy_px[:2] - margin * sides, box_xyxy_px[2:] + margin * sides])


def _on_ladder(side_px: float) -> int:
    """Return the next side that the detector's pictures have."""
    step = next(step for above, step in _STEPS if side_px > above)
    return int(-(-side_px // step) * step)


def _on_grid(box: Box, plan: StreamPlan) -> Box:
    """Grow a box to whole steps of the detector's grid, on even pixels, inside the picture."""
    x0, y0, x1, y1 = box
    width, height = plan.size_wh
    left, right = _span(x0, x1, width, plan.scale)
    top, bottom = _span(y0, y1, height, plan.scale)
    return left, top, right, bottom


def _span(start: int, end: int, limit: int, scale: float) -> tuple[int, int]:
    """Return a stretch that is one of few lengths in the detector's picture, with all but 3 px of a margin.

    The length is rounded down to even pixels: one pixel more in the detector's picture would be another length there.
    """
    side = int(_on_ladder((end - start) * scale) / scale) & ~1
    if side > _NEARLY_A_SIDE * limit:
        return 0, limit
    first = limit - side if end == limit else min(start + start % 2, limit - side)
    return first, first + side
