"""Is the promise kept? Thresholds made on half of the people, false candidates counted on the other half."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.measure.calibrate import Impostors
from habeas.types import F64

FPIRS: Final = (0.03, 0.01)
GALLERY_SIZES: Final = (10, 100, 400)
_SPLITS: Final = 200
_INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Promise:
    """FPIR observed against FPIR promised.

    Args:
        gallery_size: N.
        fpir: promised.
        observed: on people the threshold was not made with, pooled over the splits.
        low: lower end of its 95 % interval, bootstrap by identity.
        high: upper end.
    """

    gallery_size: int
    fpir: float
    observed: float
    low: float
    high: float

    @property
    def held(self) -> bool:
        """Whether the promise lies inside the interval."""
        return self.low <= self.fpir <= self.high


def check_promise(impostors: Impostors, seed: int = 0) -> list[Promise]:
    """Split the people 200 times; calibrate on one half, search the other half's tracks in a gallery of N others.

    Args:
        impostors: the comparisons, suspected label errors taken out.
        seed: of the splits.
    """
    rng = np.random.default_rng(seed)
    people = len(impostors.people)
    sizes = [size for size in GALLERY_SIZES if size < people // 4]
    errors = {(size, fpir): np.zeros(people) for size in sizes for fpir in FPIRS}
    tests = np.zeros(people)
    for _ in range(_SPLITS):
        order = rng.permutation(people)
        made_on, tested_on = order[: people // 2], order[people // 2 :]
        tests[tested_on] += 1
        for size in sizes:
            reference = _maxima(impostors, made_on, size, rng)
            observed = _maxima(impostors, tested_on, size, rng)
            for fpir in FPIRS:
                threshold = np.sort(reference)[::-1][int(fpir * len(reference))]
                errors[size, fpir][tested_on] += observed > threshold
    return [_promise(size, fpir, errors[size, fpir], tests, rng) for size in sizes for fpir in FPIRS]


def _maxima(impostors: Impostors, probes: npt.NDArray[np.intp], size: int, rng: np.random.Generator) -> F64:
    """Return each probe's best similarity in a gallery of `size` people of the same half, never the probe itself."""
    gallery = rng.choice(probes, size, replace=False)
    return np.asarray(impostors.similarities[np.ix_(probes, gallery)].max(axis=1), np.float64)


def _promise(size: int, fpir: float, errors: F64, tests: F64, rng: np.random.Generator) -> Promise:
    rates = []
    for _ in range(1000):
        drawn = rng.integers(0, len(errors), len(errors))
        rates.append(errors[drawn].sum() / max(tests[drawn].sum(), 1))
    low, high = np.percentile(rates, _INTERVAL)
    return Promise(size, fpir, float(errors.sum() / tests.sum()), float(low), float(high))
