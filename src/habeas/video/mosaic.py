"""A picture as a coarse mosaic: where something moves and in which colours can be seen, and nobody can be known."""

from typing import Final

import numpy as np

from habeas.types import U8

CELLS: Final = 24
"""Across the longer side of a picture, whatever its size: a head that fills a tenth of it is two or three of them."""


def mosaic(image_rgb: U8) -> U8:
    """Return a picture of equal cells, each of the mean of what it covers.

    Args:
        image_rgb: (h, w, 3) uint8.

    Returns:
        (h, w, 3) uint8, of which each cell is one colour.
    """
    height, width = image_rgb.shape[:2]
    side = -(-max(height, width) // CELLS)
    tops, lefts = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(image_rgb, tops, axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, lefts, axis=1)
    counts = np.outer(np.diff(np.append(tops, height)), np.diff(np.append(lefts, width)))
    cells = (sums / counts[:, :, None]).round().astype(np.uint8)
    return np.asarray(cells.repeat(side, axis=0)[:height].repeat(side, axis=1)[:, :width], np.uint8)
