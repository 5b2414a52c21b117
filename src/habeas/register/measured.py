"""How well a model pack was measured to do: what `bench/results/open-set.json` says, and the calibration that ships."""

from dataclasses import dataclass
from typing import Final

from habeas.comparison.calibration import load_calibration
from habeas.errors import ModelError, RuleError


@dataclass(frozen=True)
class Missed:
    """People enrolled whom the recogniser missed, at a share of people not enrolled whom it took for them.

    Args:
        fpir: 0 to 1, of still images.
        fnir: 0 to 1.
        low: of its 95 % interval.
        high: of its 95 % interval.
        gallery_size: people enrolled.
        data: on which.
    """

    fpir: float
    fnir: float
    low: float
    high: float
    gallery_size: int
    data: str


@dataclass(frozen=True)
class Promised:
    """What a similarity was measured to mean, of tracks. `gallery_size`: of references; `low`, `high`: 95 %."""

    gallery_size: int
    similarity: float
    fpir: float
    low: float
    high: float
    extrapolated: bool


_LFW: Final = "half of Labeled Faces in the Wild (deep-funneled), still images"
MISSED: Final = {
    "centerface-mfn-fr-d8ba40c087aacdfe-f32": (
        Missed(0.1, 0.0196, 0.0139, 0.0261, 826, _LFW),
        Missed(0.03, 0.0295, 0.0221, 0.0385, 826, _LFW),
        Missed(0.01, 0.0438, 0.0324, 0.0569, 826, _LFW),
        Missed(0.003, 0.0581, 0.0457, 0.133, 826, _LFW),
    )
}
"""By model pack. A test compares it with the committed results."""


def promised(model_id: str, fpir: float) -> tuple[Promised, ...]:
    """Return what the shipped calibration promises at each of its gallery sizes; empty: it says nothing of this."""
    try:
        calibration = load_calibration(model_id)
        met = [calibration.threshold(fpir, size) for size, _points in calibration.rows]
    except (ModelError, RuleError):
        return ()
    return tuple(
        Promised(one.gallery_size, round(one.similarity, 4), fpir, one.fpir_low, one.fpir_high, one.extrapolated)
        for one in met
    )
