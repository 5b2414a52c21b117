"""The interval of a rate. Pure."""

import math
from typing import Final

_Z: Final = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(errors: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a rate (Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1.1).

    Args:
        errors: at most `trials`.
        trials: at least 1.
    """
    share, square = errors / trials, _Z * _Z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    low = 0.0 if errors == 0 else max(0.0, middle - half)
    high = 1.0 if errors == trials else min(1.0, middle + half)
    return low, high
