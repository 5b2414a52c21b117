"""What a camera's stream is good for: how far away faces are large enough, and what looking costs. Pure.

Both are estimates, and say on what they rest. The distance takes an ordinary lens. The cost is scaled from one
measurement (`bench/results/concert.json`: 275 frames of 640x360 and 58 looks took 0.98 s of one AMD EPYC core, of which
bare decoding takes 0.077 s): so much a decoded pixel, so much a pixel of the detector's picture.
"""

import math
from dataclasses import dataclass
from typing import Final

from habeas.settings import DetectSettings
from habeas.video.sampling import plan_stream

LENS_DEG: Final = 70.0
"""Angle of view across the picture of an ordinary fixed camera."""
FACE_M: Final = 0.16
"""Width of a face."""
NEAR_M: Final = 2.0
"""People hardly pass a camera nearer than this."""
_DECODE_S_PER_PX: Final = 0.077 / (275 * 640 * 360)
_LOOK_S_PER_PX: Final = (0.98 - 0.077) / (58 * 400 * 225)
BASIS: Final = "scaled from bench/results/concert.json (640x360, one AMD EPYC core); your cores differ"


@dataclass(frozen=True)
class Reach:
    """What a stream is good for.

    Args:
        face_px: width a face needs here, in pixels of the stream's picture.
        farthest_m: where a face is that wide, with an ordinary lens.
        idle_cores: processor cores, while nothing moves.
        busy_cores: while something moves everywhere.
    """

    face_px: float
    farthest_m: float
    idle_cores: float
    busy_cores: float

    @property
    def enough(self) -> bool:
        """Whether faces of passers-by can be large enough."""
        return self.farthest_m >= NEAR_M

    def as_text(self) -> str:
        """Return a sentence for people."""
        return (
            f"{'faces' if self.enough else 'only faces'} up to {self.farthest_m:.1f} m away are {self.face_px:.0f} px "
            f"wide (with a {LENS_DEG:.0f} degree lens)"
        )

    def remedy(self) -> str:
        """Return what to do where faces are too small; empty: they are not."""
        if self.enough:
            return ""
        return "take a larger stream of this camera, raise detect.max_side_px, or use a longer lens, nearer to people"


def reach_of(size_wh: tuple[int, int], rate_hz: float, detect: DetectSettings) -> Reach:
    """Say what a stream is good for.

    Args:
        size_wh: of its pictures.
        rate_hz: of its pictures; 0: not known, then 25.
        detect: how faces are looked for on this camera.
    """
    width, height = size_wh
    plan = plan_stream(size_wh, 0.0, detect)  # for its scale, on which the rate has no influence
    # A picture that is reduced more than the smallest face asks for needs larger faces.
    unreduced = plan_stream((1, 1), 0.0, detect).scale
    face_px = detect.min_face_px * unreduced / plan.scale
    focal_px = width / 2 / math.tan(math.radians(LENS_DEG / 2))
    decoding = width * height * (rate_hz or 25.0) * _DECODE_S_PER_PX
    look_s = width * height * plan.scale**2 * _LOOK_S_PER_PX
    rate = min(detect.rate_hz, rate_hz or detect.rate_hz)
    return Reach(
        face_px=face_px,
        farthest_m=FACE_M * focal_px / face_px,
        idle_cores=decoding + look_s * min(detect.idle_rate_hz, rate),
        busy_cores=decoding + look_s * rate,
    )
