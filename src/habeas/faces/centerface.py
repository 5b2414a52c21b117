"""CenterFace's outputs as boxes and landmarks. Pure.

Source: Star-Clouds/CenterFace ("CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019); layout in
docs/model-card.md. Outputs at stride 4: heat map, log sizes (h, w), offsets (y, x), landmarks (y, x) in units of the
box.
"""

from typing import Final

import numpy as np

from habeas.geometry import suppress
from habeas.types import F32, U8

STRIDE: Final = 4
MULTIPLE: Final = 32
"""Input height and width must be multiples of this."""
MAX_OVERLAP: Final = 0.3

_HEAT, _SIZE, _OFFSET, _POINTS = "537", "538", "539", "540"


def network_input(image_rgb: U8) -> F32:
    """Return the picture in the network's layout.

    Args:
        image_rgb: (h, w, 3) uint8, RGB.

    Returns:
        (1, 3, H, W) float32, 0 to 255, padded with black to the next multiple of 32.
    """
    height, width = image_rgb.shape[:2]
    tall, wide = (-(-side // MULTIPLE) * MULTIPLE for side in (height, width))
    batch = np.zeros((1, 3, tall, wide), np.float32)
    batch[0, :, :height, :width] = image_rgb.transpose(2, 0, 1)
    return batch


def decode(outputs: dict[str, F32], min_score: float) -> tuple[F32, F32, F32]:
    """Turn outputs into faces, best first.

    Args:
        outputs: the four output maps by name.
        min_score: heat a face needs.

    Returns:
        boxes_xyxy_px (n, 4), scores (n,), landmarks_xy_px (n, 5, 2): float32, in pixels of the network's input.
    """
    heat = outputs[_HEAT][0, 0]
    ys, xs = np.nonzero(heat > min_score)
    # A cell that is not all numbers would hide every other face from the suppression: NaN overlaps nothing and all.
    cells = np.concatenate([outputs[name][0][:, ys, xs] for name in (_HEAT, _SIZE, _OFFSET, _POINTS)])
    finite = np.isfinite(cells).all(axis=0)
    ys, xs = ys[finite], xs[finite]
    scores = heat[ys, xs]
    tall, wide = np.exp(np.minimum(outputs[_SIZE][0][:, ys, xs], 10)) * STRIDE
    off_y, off_x = outputs[_OFFSET][0][:, ys, xs]
    x0 = (xs + off_x + 0.5) * STRIDE - wide / 2
    y0 = (ys + off_y + 0.5) * STRIDE - tall / 2
    boxes = np.stack([x0, y0, x0 + wide, y0 + tall], axis=1).astype(np.float32)
    kept = suppress(boxes, scores, MAX_OVERLAP)
    points = outputs[_POINTS][0][:, ys[kept], xs[kept]].reshape(5, 2, -1).transpose(2, 0, 1)
    side_wh = (boxes[kept, 2:] - boxes[kept, :2])[:, None, :]
    landmarks = points[..., ::-1] * side_wh + boxes[kept, None, :2]
    return boxes[kept], scores[kept].astype(np.float32), landmarks.astype(np.float32)
