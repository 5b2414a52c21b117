"""Which frames and which part of them are looked at, how often and how closely: chosen per stream. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.geometry import clip_box
from habeas.settings import DetectSettings
from habeas.types import F32, NS_PER_S

_DETECTOR_FACE_PX: Final = 20.0
"""Width a face should have in the detector's picture; below about 16 its landmarks become too coarse to align by."""
_GRID_PX: Final = 64
"""Looked-at parts are rounded to this, so that the detector sees few different sizes."""
_AROUND_MOTION: Final = 0.25
"""Margin around what moved: a face may stand still while the hand moves."""


@dataclass(frozen=True)
class StreamPlan:
    """How one stream is looked at.

    Args:
        size_wh: of its pictures.
        scale: detector pixels per picture pixel, at most 1.
        every_ns: least time between two looks while something happens.
        idle_every_ns: least time between two looks while nothing does.
    """

    size_wh: tuple[int, int]
    scale: float
    every_ns: int
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
        every_ns=round(NS_PER_S / rate),
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


def region(
    plan: StreamPlan, moved_xyxy_px: tuple[int, int, int, int], tracked_xyxy_px: F32
) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Return the part to look at and the detector's size of it: what moved and what is tracked, with margin.

    Args:
        plan: of the stream.
        moved_xyxy_px: what moved; empty: nothing.
        tracked_xyxy_px: (n, 4) float32, where tracked faces are expected.

    Returns:
        Box inside the picture, and (width, height) of the detector's picture.
    """
    boxes = (
        [_grown(np.asarray(moved_xyxy_px, np.float32), _AROUND_MOTION)] if moved_xyxy_px[2] > moved_xyxy_px[0] else []
    )
    boxes += [_grown(box, 1.0) for box in tracked_xyxy_px]
    if not boxes:
        box = (0, 0, *plan.size_wh)
    else:
        stacked = np.stack(boxes)
        around = np.concatenate([stacked[:, :2].min(axis=0), stacked[:, 2:].max(axis=0)])
        box = _on_grid(clip_box(around, plan.size_wh), plan)
    return box, detector_size(plan, box)


def detector_size(plan: StreamPlan, box_xyxy_px: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the size of the detector's picture of a part."""
    x0, y0, x1, y1 = box_xyxy_px
    return max(1, round((x1 - x0) * plan.scale)), max(1, round((y1 - y0) * plan.scale))


def _grown(box_xyxy_px: F32, margin: float) -> F32:
    sides = np.maximum(box_xyxy_px[2:] - box_xyxy_px[:2], _GRID_PX)
    return np.concatenate([box_xyxy_px[:2] - margin * sides, box_xyxy_px[2:] + margin * sides])


def _on_grid(box_xyxy_px: tuple[int, int, int, int], plan: StreamPlan) -> tuple[int, int, int, int]:
    """Grow a box to whole steps of the detector's grid, shifted to stay inside the picture."""
    low: list[int] = []
    high: list[int] = []
    for start, end, limit in zip(box_xyxy_px[:2], box_xyxy_px[2:], plan.size_wh, strict=True):
        step = _GRID_PX / plan.scale
        side = min(limit, round(-(-(end - start) // step) * step))
        first = max(0, min(start, limit - side))
        low.append(first)
        high.append(first + side)
    return low[0], low[1], high[0], high[1]
