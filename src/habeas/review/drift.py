"""Whether false alerts come as often, and as alike, as the calibration promises: tests that hold at every look. Pure.

A monitor bets against its promise. Its wealth begins at 1; while the promise is kept it is a supermartingale, whatever
happens and whenever somebody looks, so that it *ever* reaches 1/alpha with a chance of at most alpha (Ville 1939).
These are e-processes: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86
(2024); Ramdas, Gruenwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference", Stat. Sci. 38
(2023).

Rate
    A track of a stranger raises a false alert with a chance of at most `expected_fpir`. For a block of tracks with
    `expected` false alerts promised in all and `found` of them, one bet pays ``r**found * exp(-(r - 1) * expected)``
    for each factor ``r`` of `RATIOS`: since ``1 + p (r - 1) <= exp(p (r - 1))``, it pays 1 at most on average.
Similarity
    Of strangers above the threshold t, the share that is at least s alike is FPIR(s) / FPIR(t) by the calibration. That
    share, of each false alert, is uniform or larger while it holds, and small when strangers come too near. One bet
    pays ``e * share**(e - 1)`` for each exponent ``e`` of `EXPONENTS`, which is 1 on average for a uniform one and less
    for a larger (Shafer, Shen, Vereshchagin and Vovk, "Test martingales, Bayes factors and p-values",
    Stat. Sci. 26, 2011; Vovk and Wang, "E-values", Ann. Stat. 49, 2021).

Each stake is divided over the blocks at which a bet may begin, ``1 / (j (j + 1))`` on block j: a long good time before
a drift costs 2 log j, and not all that was lost in it. A mixture of supermartingales is one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.errors import HabeasError

ALPHA: Final = 0.01
"""The chance that a monitor ever alarms while its promise is kept, from its begin, or from an alarm, on."""
RATIOS: Final = (1.5, 2.0, 4.0, 10.0)
"""So many times the promised rate are bet on, with equal stakes."""
EXPONENTS: Final = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Bets:
    """How far the bets of a monitor have come.

    Args:
        steps: blocks so far.
        logs: natural logarithm of what each bet is worth, of the stakes that were placed so far; none before the first.
    """

    steps: int = 0
    logs: tuple[float, ...] = ()

    @property
    def log_wealth(self) -> float:
        """Natural logarithm of the wealth, with the stakes that still wait."""
        waiting = -math.log(self.steps + 1)
        return _log_sum([_log_sum([one, waiting]) for one in self.logs or (-math.inf,)]) - math.log(len(self.logs) or 1)

    @property
    def alarms(self) -> bool:
        """Whether the wealth is 1/alpha or more."""
        return self.log_wealth >= -math.log(ALPHA)

    def stepped(self, log_pays: Sequence[float]) -> "Bets":
        """Return the bets after a block.

        Args:
            log_pays: natural logarithm of what each bet pays for it, finite, as many as ever.

        Raises:
            HabeasError: as many they are not: a fault of ours.
        """
        if self.steps and len(log_pays) != len(self.logs):
            raise HabeasError(f"{len(log_pays)} bets where there were {len(self.logs)}", remedy="report this")
        steps = self.steps + 1
        stake = -math.log(steps * (steps + 1))
        had = self.logs or (-math.inf,) * len(log_pays)
        return Bets(steps, tuple(_log_sum([one, stake]) + pays for one, pays in zip(had, log_pays, strict=True)))


def rate_pays(expected: float, found: int) -> tuple[float, ...]:
    """Return the logarithm of what each bet on a higher rate pays for a block of tracks.

    Args:
        expected: false alerts promised at most: the sum of `expected_fpir` over its tracks.
        found: false alerts among them.

    Raises:
        HabeasError: a negative number, or one that is not finite.
    """
    if not 0 <= expected < math.inf or found < 0:
        raise HabeasError(f"{found} false alerts where {expected} were promised", remedy="report this")
    return tuple(found * math.log(ratio) - (ratio - 1) * expected for ratio in RATIOS)


def similarity_pays(share: float) -> tuple[float, ...]:
    """Return the logarithm of what each bet on nearer strangers pays for a false alert.

    Args:
        share: of strangers above the threshold who are at least as alike, by the calibration; above 0, at most 1.

    Raises:
        HabeasError: it is not.
    """
    if not 0 < share <= 1:
        raise HabeasError(f"a share of {share}", remedy="report this")
    return tuple(math.log(exponent) + (exponent - 1) * math.log(share) for exponent in EXPONENTS)


def _log_sum(logs: Sequence[float]) -> float:
    """Return the logarithm of the sum of numbers given by their logarithms."""
    most = max(logs)
    return most if most == -math.inf else most + math.log(sum(math.exp(one - most) for one in logs))
