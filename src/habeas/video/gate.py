"""Is anything happening? A motion gate on the decoder's brightness plane, and the detection of scene cuts. Pure arrays.

Cells of 8 x 8 pixels are compared with a slowly following background. A cell has moved when it differs by more than
the picture's own noise explains; single cells are noise. A cut is a picture that is laid out and lit differently from
the one before.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from habeas.types import F32, U8

CELL_PX: Final = 8
_FOLLOW: Final = 0.1
"""Share of each new picture that enters the background."""
_MIN_STEP: Final = 6.0
"""Grey levels below which a difference is never motion."""
_NOISE_FACTOR: Final = 5.0
_MIN_CELLS: Final = 3
_CUT_LIKENESS: Final = 0.35
_CUT_HISTOGRAM: Final = 0.15
_BINS: Final = 32


@dataclass(frozen=True)
class Motion:
    """What the gate saw in one picture.

    Args:
        moved: something moved.
        cut: the shot changed; tracks end here.
        box_xyxy_px: around everything that moved; empty when nothing did.
    """

    moved: bool
    cut: bool
    box_xyxy_px: tuple[int, int, int, int]


class MotionGate:
    """Watches one stream. Its state is one small grey picture; no frame is kept."""

    def __init__(self) -> None:
        self._background: F32 | None = None
        self._previous: F32 | None = None

    def look(self, luma: U8) -> Motion:
        """Compare a picture with those before it.

        Args:
            luma: (h, w) uint8.
        """
        cells = np.asarray(Image.fromarray(luma).reduce(CELL_PX), np.float32)
        height, width = luma.shape
        whole = (0, 0, width, height)
        if self._background is None or self._previous is None or self._background.shape != cells.shape:
            self._background = self._previous = cells
            return Motion(moved=True, cut=True, box_xyxy_px=whole)
        cut = is_cut(self._previous, cells)
        moved = _solid(_differs(self._background, cells))
        self._previous = cells
        self._background = cells if cut else self._background + _FOLLOW * (cells - self._background)
        if cut:
            return Motion(moved=True, cut=True, box_xyxy_px=whole)
        if int(moved.sum()) < _MIN_CELLS:
            return Motion(moved=False, cut=False, box_xyxy_px=(0, 0, 0, 0))
        return Motion(moved=True, cut=False, box_xyxy_px=_around(moved, width, height))


def is_cut(before: F32, after: F32) -> bool:
    """Tell whether two reduced pictures belong to different shots: neither the layout nor the brightness agrees.

    Light that changes keeps the layout; a person who fills the picture and moves keeps the brightness.

    Args:
        before: (h, w) float32, grey levels.
        after: same shape.
    """
    spread = float(np.abs(_histogram(after) - _histogram(before)).sum()) / 2
    return spread > _CUT_HISTOGRAM and _likeness(before, after) < _CUT_LIKENESS


def _likeness(before: F32, after: F32) -> float:
    """Return the correlation of two pictures; 1 where either is flat, since light may have gone out."""
    a, b = before - before.mean(), after - after.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length > 1 else 1.0


def _histogram(cells: F32) -> npt.NDArray[np.float64]:
    counts, _ = np.histogram(cells, _BINS, (0, 256))
    return np.asarray(counts / cells.size, np.float64)


def _differs(background: F32, cells: F32) -> npt.NDArray[np.bool_]:
    difference = np.abs(cells - background)
    noise = float(np.median(difference))
    return np.asarray(difference > max(_MIN_STEP, _NOISE_FACTOR * noise))


def _solid(moved: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep cells with a moving neighbour beside, above or below."""
    near = np.zeros_like(moved)
    near[1:] |= moved[:-1]
    near[:-1] |= moved[1:]
    near[:, 1:] |= moved[:, :-1]
    near[:, :-1] |= moved[:, 1:]
    return moved & near


def _around(moved: npt.NDArray[np.bool_], width: int, height: int) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(moved)
    x0, y0 = int(xs.min()) * CELL_PX, int(ys.min()) * CELL_PX
    return x0, y0, min((int(xs.max()) + 1) * CELL_PX, width), min((int(ys.max()) + 1) * CELL_PX, height)
