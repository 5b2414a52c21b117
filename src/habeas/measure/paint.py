"""What everything drawn has in common: colours, smooth noise, blurring. Pure and seeded."""

from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from habeas.types import F32

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


def shade(colour: Colour, gain: float) -> Colour:
    """Return a colour made brighter or darker by `gain`."""
    red, green, blue = (int(max(0, min(255, part * gain))) for part in colour)
    return red, green, blue


def smooth_noise(shape_hw: tuple[int, int], cells: int, rng: np.random.Generator) -> F32:
    """Return a smooth random plane of `shape_hw`, unit variance, about `cells` bumps along its longer side."""
    height, width = shape_hw
    size = (max(2, cells * width // max(shape_hw)), max(2, cells * height // max(shape_hw)))
    plane = Image.fromarray(rng.standard_normal(size[::-1]).astype(np.float32))
    return np.array(plane.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def blur(plane: F32, radius_px: float, low: float, high: float) -> F32:
    """Smooth an array of values between `low` and `high`, in steps of a 255th of that range."""
    steps = np.round((np.clip(plane, low, high) - low) * (255 / (high - low))).astype(np.uint8)
    smooth = Image.fromarray(steps).filter(ImageFilter.GaussianBlur(radius_px))
    return np.asarray(smooth, np.float32) * np.float32((high - low) / 255) + np.float32(low)
