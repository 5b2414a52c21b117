"""Is anything happening, and where? A motion gate on the decoder's brightness plane, and the detection of scene cuts.

Cells of 8 x 8 pixels are compared with a slowly following background. A cell has moved when it differs by more than
the picture's own noise, and by more than that cell usually does: a tree that waves all day moves nobody. Single cells
are noise. A cut is a picture that is laid out and lit differently from the one before.
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
_LEARN: Final = 0.05
"""Share of each new difference that enters what is usual for a cell."""
_LEAK: Final = 50
"""What counts as motion is learnt so many times slower: people who pass all day must not become usual."""
_UNUSUAL: Final = 4.0
"""So many times its usual difference is motion."""
_MIN_STEP: Final = 6.0
"""Grey levels below which a difference is never motion."""
_NOISE_FACTOR: Final = 5.0
_MIN_CELLS: Final = 3
_BLOCK_CELLS: Final = 6
"""Moved cells are gathered into blocks of 48 x 48 pixels; blocks that touch are one thing."""
_CUT_LIKENESS: Final = 0.35
_CUT_HISTOGRAM: Final = 0.15
_BINS: Final = 32

Box = tuple[int, int, int, int]
Cells = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Motion:
    """What the gate saw in one picture.

    Args:
        cut: the shot changed; tracks end here.
        boxes_xyxy_px: around each thing that moved; none when nothing did.
    """

    cut: bool
    boxes_xyxy_px: tuple[Box, ...]

    @property
    def moved(self) -> bool:
        """Whether anything moved."""
        return bool(self.boxes_xyxy_px)


class MotionGate:
    """Watches one stream. Its state is three small grey pictures; no frame is kept."""

    def __init__(self) -> None:
        self._background: F32 | None = None
        self._usual: F32 | None = None
        self._previous: F32 | None = None

    def look(self, luma: U8) -> Motion:
        """Compare a picture with those before it.

        Args:
            luma: (h, w) uint8.
        """
        cells = np.asarray(Image.fromarray(luma).reduce(CELL_PX), np.float32)
        height, width = luma.shape
        before, self._previous = self._previous, cells
        if before is None or before.shape != cells.shape or is_cut(before, cells):
            self._background, self._usual = cells, np.zeros_like(cells)
            return Motion(cut=True, boxes_xyxy_px=((0, 0, width, height),))
        moved = _solid(self._unusual(cells))
        boxes = _boxes(moved, width, height) if int(moved.sum()) >= _MIN_CELLS else ()
        return Motion(cut=False, boxes_xyxy_px=boxes)

    def _unusual(self, cells: F32) -> Cells:
        """Return the cells that differ unusually, and learn from the picture."""
        background = cells if self._background is None else self._background
        usual = np.zeros_like(cells) if self._usual is None else self._usual
        difference = np.abs(cells - background)
        noise = float(np.median(difference))
        limit = np.maximum(max(_MIN_STEP, _NOISE_FACTOR * noise), _UNUSUAL * usual)
        self._background = background + _FOLLOW * (cells - background)
        moved = difference > limit
        self._usual = usual + np.where(moved, _LEARN / _LEAK, _LEARN).astype(np.float32) * (difference - usual)
        return np.asarray(moved, np.bool_)


def is_cut(before: F32, after: F32) -> bool:
    """Tell whether two reduced pictures belong to different shots: neither the layout nor the brightness agrees.

    Light that changes keeps the layout; a person who fills the picture and moves keeps the brightness.

    Args:
        before: (h, w) float32, grey levels.
        after: same shape.
    """
    if _likeness(before, after) >= _CUT_LIKENESS:
        return False
    spread = float(np.abs(_histogram(after) - _histogram(before)).sum()) / 2
    return spread > _CUT_HISTOGRAM


def _likeness(before: F32, after: F32) -> float:
    """Return the correlation of two pictures; 1 where either is flat, since light may have gone out."""
    a, b = before - before.mean(), after - after.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length > 1 else 1.0


def _histogram(cells: F32) -> npt.NDArray[np.float64]:
    counts, _ = np.histogram(cells, _BINS, (0, 256))
    return np.asarray(counts / cells.size, np.float64)


def _near(moved: Cells) -> Cells:
    """Return the cells beside, above or below a moved one."""
    near = np.zeros_like(moved)
    near[1:] |= moved[:-1]
    near[:-1] |= moved[1:]
    near[:, 1:] |= moved[:, :-1]
    near[:, :-1] |= moved[:, 1:]
    return near


def _solid(moved: Cells) -> Cells:
    return np.asarray(moved & _near(moved), np.bool_)


def _boxes(moved: Cells, width: int, height: int) -> tuple[Box, ...]:
    """Return a box around each group of touching blocks that hold moved cells."""
    tall, wide = (-(-side // _BLOCK_CELLS) for side in moved.shape)
    padded = np.zeros((tall * _BLOCK_CELLS, wide * _BLOCK_CELLS), np.bool_)
    padded[: moved.shape[0], : moved.shape[1]] = moved
    blocks: Cells = np.asarray(padded.reshape(tall, _BLOCK_CELLS, wide, _BLOCK_CELLS).any(axis=(1, 3)), np.bool_)
    side_px = _BLOCK_CELLS * CELL_PX
    boxes = []
    while blocks.any():
        group = _group(blocks)
        blocks &= ~group
        ys, xs = np.nonzero(group)
        x1, y1 = (int(xs.max()) + 1) * side_px, (int(ys.max()) + 1) * side_px
        boxes.append((int(xs.min()) * side_px, int(ys.min()) * side_px, min(x1, width), min(y1, height)))
    return tuple(boxes)


def _group(blocks: Cells) -> Cells:
    """Return the blocks that touch the first one, directly or through others."""
    group = np.zeros_like(blocks)
    group.flat[int(np.argmax(blocks))] = True
    while True:
        grown = (group | _near(group)) & blocks
        if (grown == group).all():
            return np.asarray(group, np.bool_)
        group = grown
