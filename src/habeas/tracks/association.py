"""Which face of this frame is which face of the last: one assignment a frame.

Boxes are grown before they are compared, since faces move about their own width between two looks (the idea of
F. Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It Easier by Buffering the
Matching Space", 2023). Prediction is constant velocity. The assignment itself is `lap`'s.
"""

from typing import Final

import lap
import numpy as np

from habeas.geometry import areas, expand, iou
from habeas.types import F32, I64

_MARGIN: Final = 0.75
_MIN_OVERLAP: Final = 0.08
_MAX_AREA_RATIO: Final = 4.0


def associate(predicted_xyxy_px: F32, seen_xyxy_px: F32) -> I64:
    """Assign seen boxes to predicted ones.

    Args:
        predicted_xyxy_px: (t, 4) float32, one open track each.
        seen_xyxy_px: (n, 4) float32.

    Returns:
        (n,) int64: row of the prediction for each seen box, -1 for none.
    """
    if not len(predicted_xyxy_px) or not len(seen_xyxy_px):
        return np.full(len(seen_xyxy_px), -1, np.int64)
    overlap = iou(expand(seen_xyxy_px, _MARGIN), expand(predicted_xyxy_px, _MARGIN))
    ratio = np.maximum(areas(seen_xyxy_px), 1)[:, None] / np.maximum(areas(predicted_xyxy_px), 1)[None, :]
    possible = (overlap >= _MIN_OVERLAP) & (np.maximum(ratio, 1 / ratio) <= _MAX_AREA_RATIO)
    cost = np.where(possible, 1 - overlap, 2.0).astype(np.float64)
    _, column_of_row, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0)
    return np.asarray(column_of_row, np.int64)
