from fractions import Fraction

import numpy as np
import pytest
from tests import oracles, strategies
from tests.strategies import probes

from habeas.clock import ManualClock
from habeas.errors import InputError
from habeas.measure.dataset import TemplateSet
from habeas.measure.open_set import FPIRS, Scores, curve, open_set, search_all, threshold_at


def made(people: list[str], vectors: np.ndarray) -> TemplateSet:
    return TemplateSet(probes(vectors), np.array(people), ())


def at_angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_an_example_worked_by_hand(clock: ManualClock) -> None:
    """Ann is enrolled at 0 degrees, Bob at 180.

    Mates: Ann at 10 and 50, Bob at 150, and Bob at 60, who is taken for Ann. Ten others: one at 20 degrees, nine
    between 80 and 100. At FPIR 10 % exactly one of ten may exceed the threshold: it is cos 80, the second best. So
    only the Bob who looks like Ann is missed: 1 of 4 images, 0 of Ann's and 1 of 2 of Bob's. At 3 % none may exceed
    cos 20, so that only Ann at 10 is found.
    """
    others = [20, 80, 82, 84, 86, 88, 90, 92, 94, 96]
    people = ["ann"] * 3 + ["bob"] * 3 + [f"other{number}" for number in range(10)]
    vectors = at_angles(0, 10, 50, 180, 150, 60, *others)
    result = open_set(search_all(made(people, vectors), clock))
    assert (result.gallery, result.mates, result.nonmates, result.rank1) == (2, 4, 10, 0.75)
    at = {miss.fpir: miss for miss in result.fnir}
    # Bob at 180 is 80 degrees from 100: the second best of the others is cos 80 all the same.
    assert at[0.1].threshold == pytest.approx(np.cos(np.deg2rad(80)), abs=1e-6)
    assert (at[0.1].fnir, at[0.1].fnir_by_identity) == (0.25, 0.25)
    assert at[0.03].threshold == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-6)
    assert (at[0.03].fnir, at[0.03].fnir_by_identity) == (0.75, 0.75)


@pytest.mark.parametrize("seed", range(4))
def test_the_protocol_is_that_of_plain_loops(seed: int, clock: ManualClock) -> None:
    rng = np.random.default_rng(seed)
    people = sorted(f"p{rng.integers(60):02d}" for _ in range(150)) + [f"q{number:03d}" for number in range(90)]
    vectors = near(people, seed)
    result = open_set(search_all(made(people, vectors), clock))
    shares = {0.1: Fraction(1, 10), 0.03: Fraction(3, 100), 0.01: Fraction(1, 100), 0.003: Fraction(3, 1000)}
    for miss in result.fnir:
        threshold, fnir, by_person, rank1 = oracles.open_set(people, vectors, shares[miss.fpir])
        assert miss.threshold == pytest.approx(threshold, abs=1e-6)
        assert miss.fnir == pytest.approx(fnir)
        assert miss.fnir_by_identity == pytest.approx(by_person)
        assert result.rank1 == pytest.approx(rank1)
        assert miss.low <= miss.fnir <= miss.high
    assert [miss.fpir for miss in result.fnir] == list(FPIRS)


def near(people: list[str], seed: int) -> np.ndarray:
    """Templates near one place for each person."""
    rng = np.random.default_rng(seed)
    centres = dict(zip(sorted(set(people)), strategies.unit_rows(rng, 300, 12), strict=False))
    vectors = np.stack([centres[person] + rng.normal(0, 0.16, 12) for person in people])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_the_same_seed_gives_the_same_intervals(clock: ManualClock) -> None:
    people = [f"p{number // 2:02d}" for number in range(80)] + [f"q{number}" for number in range(30)]
    scores = search_all(made(people, near(people, 0)), clock)
    assert open_set(scores) == open_set(scores)
    assert open_set(scores, seed=1) != open_set(scores)


def test_a_mate_at_the_threshold_is_missed() -> None:
    scores = Scores(
        found=np.array([0.5, 0.75], np.float32),
        person=np.array([0, 1]),
        people=2,
        nonmated=np.array([0.5, 0.25], np.float32),
    )
    assert [(miss.threshold, miss.fnir) for miss in open_set(scores).fnir] == [(0.5, 0.5)] * len(FPIRS)


@pytest.mark.parametrize("fpir", FPIRS)
@pytest.mark.parametrize("n", [1, 9, 10, 99, 100, 333, 1000, 2001])
def test_exactly_the_promised_number_exceeds_the_threshold(n: int, fpir: float) -> None:
    maxima = np.random.default_rng(n).permutation(n).astype(np.float32)
    assert (maxima > threshold_at(maxima, fpir)).sum() == Fraction(str(fpir)) * n // 1


def test_the_curve_falls_and_meets_the_table(clock: ManualClock) -> None:
    rng = np.random.default_rng(5)
    people = [f"p{number // 3}" for number in range(60)] + [f"q{number}" for number in range(100)]
    scores = search_all(made(people, strategies.unit_rows(rng, 160, 6)), clock)
    points = curve(scores)
    misses = [fnir for _, fnir in points]
    assert misses == sorted(misses, reverse=True)
    table = {miss.fpir: miss.fnir for miss in open_set(scores).fnir}
    assert dict(points)[0.1] == table[0.1]
    assert dict(points)[0.01] == table[0.01]


@pytest.mark.parametrize("people", [["a", "a", "b", "b"], ["a", "b", "c", "d"]])
def test_a_folder_without_mates_or_others_is_refused(people: list[str], clock: ManualClock) -> None:
    with pytest.raises(InputError, match="open-set needs") as refused:
        search_all(made(people, at_angles(0, 30, 60, 90)), clock)
    assert refused.value.remedy
