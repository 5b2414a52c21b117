"""A picture as a coarse mosaic: where something moves and in which colours can be seen.

A head that fills a tenth of it is two or three cells, of which nobody is known. Of one that fills all of the picture it
does not promise that: it is a portrait of `CELLS` by some cells, by which somebody who knows the person may know them.
"""

from typing import Final

import numpy as np
from PIL import Image

from habeas.types import U8

CELLS: Final = 24
"""Across the longer side of a picture, whatever its size."""


def mosaic(image_rgb: U8) -> U8:
    """Return a picture of equal cells, each of the mean of what it covers.

    Args:
        image_rgb: (h, w, 3) uint8.

    Returns:
        (h, w, 3) uint8, of which each cell is one colour.
    """
    height, width = image_rgb.shape[:2]
    side = -(-max(height, width) // CELLS)
    cells = np.asarray(Image.fromarray(image_rgb).reduce(side), np.uint8)
    return cells.repeat(side, axis=1).repeat(side, axis=0)[:height, :width]
