import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.decision import Decision, decide
from habeas.types import Candidates, Threshold


def threshold(similarity: float) -> Threshold:
    return Threshold(similarity, 1e-4, 1, extrapolated=False, fpir_low=0, fpir_high=1)


def candidates(rows: list[list[float]]) -> Candidates:
    similarities = np.array(rows, np.float32).reshape(len(rows), len(rows[0]) if rows else 1)
    ids = np.array([[f"p{column}" for column in range(similarities.shape[1])]] * len(rows), np.str_)
    return Candidates(ids.reshape(similarities.shape), similarities, 3, "v", "m")


def test_only_strictly_above_is_a_match() -> None:
    level = float(np.float32(0.4))
    above = float(np.nextafter(np.float32(0.4), np.float32(1)))
    found = decide(candidates([[level], [above], [0.1]]), threshold(level))
    assert found == [Decision(1, "p0", above)]


def test_nan_matches_nobody_on_either_side() -> None:
    assert decide(candidates([[math.nan], [math.nan]]), threshold(-1.0)) == []
    assert decide(candidates([[1.0]]), threshold(math.nan)) == []


def test_no_candidate_is_no_match() -> None:
    assert decide(candidates([[], []]), threshold(-1.0)) == []
    assert decide(Candidates(np.zeros((0, 1), np.str_), np.zeros((0, 1), np.float32), 1, "v", "m"), threshold(0)) == []


def test_everybody_above_is_a_match_the_best_first() -> None:
    found = decide(candidates([[0.9, 0.8, 0.4], [0.3, 0.2, 0.1]]), threshold(0.5))
    assert [(match.row, match.subject_id) for match in found] == [(0, "p0"), (0, "p1")]


@PROPERTY
@given(rows=st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), max_size=8), level=st.floats(-1, 1))
def test_as_many_tracks_match_as_by_their_best_alone(rows: list[list[float]], level: float) -> None:
    """What the FPIR promises is a share of tracks: those that match anybody are those whose best one matches."""
    ordered = [sorted(row, reverse=True) for row in rows]
    every, best = (decide(candidates(some), threshold(level)) for some in (ordered, [row[:1] for row in ordered]))
    assert {match.row for match in every} == {match.row for match in best}


@PROPERTY
@given(
    values=st.lists(st.floats(-1, 1, width=32) | st.just(math.nan), max_size=8),
    level=st.floats(-1, 1, width=32),
)
def test_a_higher_threshold_never_adds_a_match(values: list[float], level: float) -> None:
    given_rows = candidates([[value] for value in values])
    rows = [match.row for match in decide(given_rows, threshold(level))]
    assert rows == [row for row, value in enumerate(values) if value > level]
    assert {match.row for match in decide(given_rows, threshold(level + 0.1))} <= set(rows)
