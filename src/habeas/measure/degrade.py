"""A still image as a camera might have seen it over a few frames: smaller, blurred, dimmer, noisy, compressed."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from habeas.types import U8

FRAMES: Final = 5
FACE_PX: Final = (28.0, 120.0)
"""Face widths drawn, log-uniformly, one a track: what cameras give."""


@dataclass(frozen=True)
class Conditions:
    """What one track's frames have in common.

    Args:
        face_px: width of the face in the degraded picture.
        gamma: of the light.
        gain: of the light.
        blur_px: radius of defocus.
        noise: standard deviation of sensor noise, grey levels.
        jpeg: quality, 0 to 100.
    """

    face_px: float
    gamma: float
    gain: float
    blur_px: float
    noise: float
    jpeg: int


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Draw the conditions of one track."""
    return Conditions(
        face_px=float(np.exp(rng.uniform(*np.log(FACE_PX)))),
        gamma=float(np.exp(rng.normal(0, 0.25))),
        gain=float(rng.uniform(0.6, 1.2)),
        blur_px=float(rng.gamma(1.5, 0.4)),
        noise=float(rng.gamma(2.0, 2.0)),
        jpeg=int(rng.integers(35, 90)),
    )


def degraded(image_rgb: U8, face_width_px: float, conditions: Conditions, rng: np.random.Generator) -> U8:
    """Return one frame of the track: the conditions, and what changes from frame to frame (turn, light, noise).

    Args:
        image_rgb: (h, w, 3) uint8.
        face_width_px: of the face in it.
        conditions: of the track.
        rng: draws what changes.

    Returns:
        (h', w', 3) uint8, scaled so that the face has the width of the conditions.
    """
    scale = conditions.face_px / max(face_width_px, 1.0) * float(np.exp(rng.normal(0, 0.05)))
    image = Image.fromarray(image_rgb)
    image = image.rotate(float(rng.normal(0, 5)), Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    size = max(32, round(image.width * scale)), max(32, round(image.height * scale))
    image = image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.GaussianBlur(conditions.blur_px * float(rng.uniform(0.6, 1.4))))
    light = np.asarray(image, np.float32) / 255
    light = conditions.gain * float(rng.uniform(0.9, 1.1)) * light**conditions.gamma * 255
    noisy = light + rng.normal(0, conditions.noise, light.shape).astype(np.float32)
    packed = BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(packed, "JPEG", quality=conditions.jpeg)
    return np.asarray(Image.open(packed).convert("RGB"))
