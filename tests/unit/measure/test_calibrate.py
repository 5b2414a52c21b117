import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import oracles
from tests.strategies import PROPERTY, seeds

from habeas.comparison.calibration import MIN_ERRORS, Calibration
from habeas.errors import InputError
from habeas.measure.calibrate import (
    GRID,
    SUSPECT,
    Impostors,
    calibrate,
    exceeding_all,
    fpir_curve,
    similarity_at,
    suspects,
    without,
)
from habeas.types import F32


def impostors(similarities: np.ndarray) -> Impostors:
    values = np.asarray(similarities, np.float32).copy()
    np.fill_diagonal(values, -1)
    people = len(values)
    return Impostors(values, tuple(f"p{number:03d}" for number in range(people)), np.full(people, 60.0))


PEOPLE: Final = 1200


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """The width of an interval is not what these tests are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("habeas.measure.calibrate._RESAMPLES", 20)
        yield


def normal(people: int, seed: int, spread: float = 0.12) -> F32:
    return np.random.default_rng(seed).normal(0, spread, (people, people)).astype(np.float32)


# --- exact FPIR -----------------------------------------------------------------------------------------------------


@PROPERTY
@given(seed=seeds, people=st.integers(2, 9), size=st.integers(1, 12))
def test_the_curve_is_the_chance_over_every_gallery(seed: int, people: int, size: int) -> None:
    drawn = np.random.default_rng(seed).uniform(-0.2, 1, (people, people))
    data = impostors(drawn)
    made = fpir_curve(exceeding_all(data), np.ones(people), size)
    for column in range(0, len(GRID), 16):
        reached = [
            sum(float(value) > GRID[column] for other, value in enumerate(row) if other != probe)
            for probe, row in enumerate(data.similarities)
        ]
        assert made[column] == pytest.approx(oracles.fpir(reached, people - 1, size), abs=1e-9)


def test_the_curve_is_what_drawing_galleries_gives() -> None:
    people, size, level = 40, 5, 40
    data = impostors(normal(people, 3))
    rng = np.random.default_rng(0)
    hits, draws = 0, 400
    for probe in range(people):
        others = np.delete(data.similarities[probe], probe)
        for _ in range(draws):
            hits += rng.choice(others, size, replace=False).max() > GRID[level]
    made = fpir_curve(exceeding_all(data), np.ones(people), size)[level]
    observed = hits / (people * draws)
    assert made == pytest.approx(observed, abs=4 * math.sqrt(made / (people * draws)))
    assert 0.01 < made < 0.5


def test_the_curve_falls_with_similarity_and_rises_with_the_gallery() -> None:
    counts = exceeding_all(impostors(normal(60, 1)))
    curves = [fpir_curve(counts, np.ones(60), size) for size in (1, 3, 10, 30, 1000)]
    for curve in curves:
        assert (np.diff(curve) <= 1e-12).all()
    for small, large in pairwise(curves):
        assert (small <= large + 1e-12).all()


def test_a_person_is_never_their_own_impostor() -> None:
    alone = impostors(np.full((5, 5), -0.5))
    assert not exceeding_all(alone).any()


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Calibration:
    return calibrate(impostors(normal(PEOPLE, 7)), "m", "synthetic")


def true_fpir(similarity: float, size: int, spread: float = 0.12) -> float:
    """Share of strangers who reach a gallery of N when every similarity is drawn from one normal distribution."""
    one = 0.5 * math.erfc(similarity / spread / math.sqrt(2))
    return 1 - (1 - one) ** size


def test_a_threshold_meets_its_fpir_on_people_it_was_not_made_of(table: Calibration) -> None:
    held_out = exceeding_all(impostors(normal(PEOPLE, 8)))
    for size, points in table.rows:
        if size > 100:
            continue
        curve = fpir_curve(held_out, np.ones(PEOPLE), size)
        for point in points:
            if not point.extrapolated and point.fpir <= 0.03:
                observed = math.exp(np.interp(point.similarity, GRID, np.log(np.maximum(curve, 1e-9))))
                assert observed == pytest.approx(point.fpir, rel=0.5), (size, point)


def test_a_threshold_is_the_distributions_quantile(table: Calibration) -> None:
    checked = 0
    for size, points in table.rows:
        for point in points:
            if not point.extrapolated and size <= 100:
                rel = max(0.25, 3 / math.sqrt(point.errors))  # three standard deviations of a count
                assert true_fpir(point.similarity, size) == pytest.approx(point.fpir, rel=rel), (size, point)
                checked += 1
    assert checked > 15


def test_an_extrapolated_threshold_errs_to_the_safe_side(table: Calibration) -> None:
    """A straight line lies above a tail that bends down: the true FPIR is no higher than promised."""
    for size, points in table.rows:
        for point in points:
            if point.extrapolated and size <= 10:
                assert true_fpir(point.similarity, size) <= 1.5 * point.fpir, (size, point)


def test_what_few_errors_stand_behind_is_called_extrapolated(table: Calibration) -> None:
    flags = [point.extrapolated for _, points in table.rows for point in points]
    assert any(flags)
    assert not all(flags)
    counts = (exceeding_all(impostors(normal(PEOPLE, 7))) > 0).sum(axis=0)
    for _, points in table.rows:
        for point in points:
            assert point.extrapolated is (point.errors < MIN_ERRORS)
            at = np.searchsorted(GRID, point.similarity)
            if 0 < at < len(GRID):
                assert counts[at] - 1 <= point.errors <= counts[at - 1] + 1
        flags = [point.extrapolated for point in points]
        assert flags == sorted(flags)


def test_the_table_is_in_the_order_that_thresholds_need(table: Calibration) -> None:
    for _, points in table.rows:
        assert [point.fpir for point in points] == sorted((point.fpir for point in points), reverse=True)
        assert [point.similarity for point in points] == sorted(point.similarity for point in points)
        assert all(0 < point.fpir_low < point.fpir_high for point in points)


def test_the_same_seed_gives_the_same_table() -> None:
    data = impostors(normal(PEOPLE, 7))
    assert calibrate(data, "m", "x") == calibrate(data, "m", "x")


@pytest.mark.parametrize("people", [3, 40, 200])
def test_too_few_people_are_refused_in_words(people: int) -> None:
    with pytest.raises(InputError):
        calibrate(impostors(normal(people, 7)), "m", "x")


def test_a_falling_curve_is_read_backwards() -> None:
    curve = np.exp(-10 * GRID)
    for fpir in (0.2, 0.05, 1e-3, 2e-4, 1e-6):
        assert similarity_at(curve, fpir) == pytest.approx(-math.log(fpir) / 10, abs=1e-3)


# --- suspected label errors -----------------------------------------------------------------------------------------


def test_pairs_that_look_like_one_person_are_listed_once_the_most_alike_first() -> None:
    similarities = np.full((5, 5), 0.1)
    similarities[0, 3], similarities[3, 0] = 0.7, 0.8
    similarities[4, 1] = 0.9
    similarities[2, 4] = SUSPECT
    listed = suspects(impostors(similarities))
    assert [(one.one, one.other) for one in listed] == [("p001", "p004"), ("p000", "p003")]
    assert [one.similarity for one in listed] == pytest.approx([0.9, 0.8])


def test_without_them_nothing_of_the_pair_counts_and_the_rest_does() -> None:
    similarities = np.full((4, 4), 0.2)
    similarities[0, 3] = 0.9
    data = impostors(similarities)
    cleaned = without(data, suspects(data))
    assert suspects(cleaned) == []
    assert cleaned.similarities[0, 3] == cleaned.similarities[3, 0] == -1
    assert data.similarities[0, 3] == np.float32(0.9)
    assert (cleaned.similarities == np.float32(0.2)).sum() == 10
    assert cleaned.people == data.people
