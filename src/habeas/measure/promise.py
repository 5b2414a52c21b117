"""Is the promise kept? Thresholds made on half of the people, false candidates counted on the other half."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.measure.calibrate import GRID, Impostors, chance_of_error, exceeding_all, fpir_curve, similarity_at
from habeas.types import F64

_RATES: Final = (0.03, 0.01)
_LOW_RATES: Final = (*_RATES, 0.001, 0.0001)
CELLS: Final = MappingProxyType({1: _LOW_RATES, 3: _LOW_RATES, 10: _RATES, 100: _RATES, 400: _RATES})
"""FPIRs checked at each gallery size: as low as half of the people can tell."""
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
    """Split the people 200 times; calibrate on one half, search the other half's tracks in galleries of N others.

    The chance that a track errs is exact over all galleries of its half, as in the calibration.

    Args:
        impostors: the comparisons.
        seed: of the splits.
    """
    rng = np.random.default_rng(seed)
    people = len(impostors.people)
    cells = {size: fpirs for size, fpirs in CELLS.items() if size < people // 4}
    errors = {(size, fpir): np.zeros(people) for size, fpirs in cells.items() for fpir in fpirs}
    tests = np.zeros(people)
    for _ in range(_SPLITS):
        order = rng.permutation(people)
        half, rest = order[: people // 2], order[people // 2 :]
        tests[rest] += 1
        made, held = (exceeding_all(_among(impostors, rows)) for rows in (half, rest))
        for size, fpirs in cells.items():
            curve = fpir_curve(made, np.ones(len(half)), size)
            chances = chance_of_error(held, np.ones(len(rest)), size)
            for fpir in fpirs:
                errors[size, fpir][rest] += _at(chances, similarity_at(curve, fpir))
    return [_promise(size, fpir, chances, tests, rng) for (size, fpir), chances in errors.items()]


def _among(impostors: Impostors, rows: npt.NDArray[np.int64]) -> Impostors:
    names = tuple(impostors.people[row] for row in rows.tolist())
    return Impostors(impostors.similarities[np.ix_(rows, rows)], names, impostors.face_px[rows])


def _at(chances: F64, similarity: float) -> F64:
    """Return each track's chance at a similarity between two steps of the grid: (p,) float64."""
    step = (similarity - GRID[0]) / (GRID[1] - GRID[0])
    low = int(np.clip(np.floor(step), 0, len(GRID) - 2))
    share = float(np.clip(step - low, 0, 1))
    return np.asarray((1 - share) * chances[:, low] + share * chances[:, low + 1], np.float64)


def _promise(size: int, fpir: float, errors: F64, tests: F64, rng: np.random.Generator) -> Promise:
    rates = []
    for _ in range(1000):
        drawn = rng.integers(0, len(errors), len(errors))
        rates.append(errors[drawn].sum() / max(tests[drawn].sum(), 1))
    low, high = np.percentile(rates, _INTERVAL)
    return Promise(size, fpir, float(errors.sum() / tests.sum()), float(low), float(high))
