"""The monitors: they seldom alarm while the promise is kept, however often one looks; and soon if it is not."""

import math
from typing import Final

import numpy as np
import pytest

from habeas.errors import HabeasError
from habeas.review.drift import ALPHA, EXPONENTS, RATIOS, Bets, rate_pays, similarity_pays
from habeas.types import F64

RUNS: Final = 300
DAYS: Final = 400
FPIR: Final = 1e-4
TRACKS: Final = 5000
"""A day: half a false alert is promised."""
MOST: Final = round(RUNS * ALPHA + 4 * math.sqrt(RUNS * ALPHA))
"""Of the runs that may alarm: alpha of them, and four standard deviations."""


def alarm_days(times: float, *, good_days: int = 0, days: int = DAYS, seed: int = 1) -> list[int]:
    """The days after the good ones on which each run alarms, looked at every day; those that never do are left out."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(RUNS):
        bets = Bets()
        for day in range(good_days + days):
            rate = FPIR * (times if day >= good_days else 1)
            bets = bets.stepped(rate_pays(FPIR * TRACKS, int(chance.binomial(TRACKS, rate))))
            if bets.alarms:
                found.append(day - good_days)
                break
    return found


def oracle(pays: F64) -> float:
    """The wealth, by its definition: every bet begun on every day, each with its stake; rows are days, columns bets."""
    days, bets = pays.shape
    wealth = 0.0
    for bet in range(bets):
        for begun in range(days):
            stake = 1 / ((begun + 1) * (begun + 2))
            wealth += stake * math.exp(float(pays[begun:, bet].sum())) / bets
    return wealth + 1 / (days + 1)


@pytest.mark.parametrize("times", [1.0, 0.3])
def test_while_the_promise_is_kept_few_runs_ever_alarm_though_one_looks_each_day(times: float) -> None:
    assert len(alarm_days(times)) <= MOST


@pytest.mark.parametrize(("times", "within_days"), [(2.0, 200), (5.0, 25)])
def test_a_higher_rate_alarms_within_so_many_tracks(times: float, within_days: int) -> None:
    """Twice the rate: a million tracks; five times: 125,000."""
    found = alarm_days(times, days=within_days)
    assert len(found) >= 0.95 * RUNS


def test_after_a_good_year_a_higher_rate_alarms_nearly_as_soon() -> None:
    found = alarm_days(5.0, good_days=365, days=60)
    assert len([day for day in found if day >= 0]) >= 0.9 * RUNS


def test_a_test_that_does_not_hold_at_every_look_alarms_too_often() -> None:
    """The control: the usual test of a rate at the same level, looked at every day, breaks what ours keeps."""
    chance = np.random.default_rng(1)
    alarms = 0
    for _ in range(RUNS):
        found = np.cumsum(chance.binomial(TRACKS, FPIR, DAYS))
        expected = FPIR * TRACKS * np.arange(1, DAYS + 1)
        alarms += bool(((found - expected) / np.sqrt(expected) > 2.33)[10:].any())
    assert alarms > 3 * MOST


def test_stopping_whenever_it_looks_best_gains_nothing() -> None:
    """Who stops at the first day on which the wealth is above 2, or at the end, has 1 on average at most."""
    chance = np.random.default_rng(2)
    ends = []
    for _ in range(RUNS):
        bets = Bets()
        for _day in range(100):
            bets = bets.stepped(rate_pays(FPIR * TRACKS, int(chance.binomial(TRACKS, FPIR))))
            if bets.log_wealth > math.log(2):
                break
        ends.append(math.exp(bets.log_wealth))
    assert np.mean(ends) <= 1 + 4 * np.std(ends) / math.sqrt(RUNS)


@pytest.mark.parametrize("expected", [0.001, 0.5, 20.0])
def test_each_bet_pays_one_on_average_at_most(expected: float) -> None:
    tracks = 200_000
    chance = np.random.default_rng(3).binomial(tracks, expected / tracks, 200_000)
    counts, often = np.unique(chance, return_counts=True)
    pays = np.array([rate_pays(expected, int(count)) for count in counts])
    for bet in range(2):  # the higher ratios pay off too seldom to be averaged
        paid = np.repeat(np.exp(pays[:, bet]), often)
        assert paid.mean() <= 1 + 5 * paid.std() / math.sqrt(len(paid))


@pytest.mark.parametrize("exponent", range(len(EXPONENTS)))
def test_a_bet_on_similarities_pays_one_for_uniform_shares(exponent: int) -> None:
    """The integral over (0, 1), on a grid that is finer near 0."""
    edges = np.logspace(-20, 0, 20_001)
    shares = np.sqrt(edges[1:] * edges[:-1])
    pays = np.array([math.exp(similarity_pays(float(share))[exponent]) for share in shares])
    assert float((pays * np.diff(edges)).sum()) == pytest.approx(1, abs=1e-3)


def test_similarities_alarm_when_strangers_come_near_and_seldom_else() -> None:
    chance = np.random.default_rng(4)

    def alarm(power: float, alerts: int) -> bool:
        bets = Bets()
        for share in chance.random(alerts) ** power:
            bets = bets.stepped(similarity_pays(max(float(share), 1e-12)))
            if bets.alarms:
                return True
        return False

    assert sum(alarm(1, 400) for _ in range(RUNS)) <= MOST
    assert sum(alarm(0.5, 400) for _ in range(RUNS)) <= MOST, "less alike than promised"
    assert sum(alarm(4, 60) for _ in range(RUNS)) >= 0.95 * RUNS


def test_the_wealth_is_that_of_its_definition() -> None:
    chance = np.random.default_rng(5)
    for days in (1, 2, 7, 40):
        pays = np.array([rate_pays(0.5, int(chance.poisson(1.0))) for _ in range(days)])
        bets = Bets()
        for row in pays:
            bets = bets.stepped(tuple(row.tolist()))
        assert math.exp(bets.log_wealth) == pytest.approx(oracle(pays))
    assert Bets().log_wealth == 0


def test_a_million_good_days_leave_finite_numbers() -> None:
    bets = Bets(10**6, (-1e9,) * len(RATIOS)).stepped(rate_pays(1e6, 0))
    assert all(math.isfinite(one) for one in bets.logs)
    assert not bets.alarms


def test_what_cannot_be_counted_is_a_fault() -> None:
    for expected, found in ((-1.0, 0), (math.nan, 0), (1.0, -1)):
        with pytest.raises(HabeasError):
            rate_pays(expected, found)
    for share in (0.0, 1.1, math.nan):
        with pytest.raises(HabeasError):
            similarity_pays(share)
    with pytest.raises(HabeasError):
        Bets(1, (0.0,)).stepped((0.0, 0.0))
