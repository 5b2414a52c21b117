import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import oracles
from tests.strategies import PROPERTY, boxes

from habeas.geometry import areas, expand, iou
from habeas.tracks.association import associate

MARGIN, MIN_OVERLAP, MAX_AREA_RATIO = 0.75, 0.08, 4.0
"""The association's rules, written down a second time."""


def rules(seen: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Overlap of grown boxes, and which pairs may be joined at all."""
    overlap = iou(expand(seen, MARGIN), expand(predicted, MARGIN)).astype(np.float64)
    ratio = np.maximum(areas(seen), 1)[:, None] / np.maximum(areas(predicted), 1)[None, :]
    return overlap, (overlap >= MIN_OVERLAP) & (np.maximum(ratio, 1 / ratio) <= MAX_AREA_RATIO)


@settings(PROPERTY, max_examples=120)
@given(predicted=boxes(high=4), seen=boxes(high=4))
def test_the_assignment_is_the_best_of_all(predicted: np.ndarray, seen: np.ndarray) -> None:
    given_rows = associate(predicted, seen)
    assert given_rows.dtype == np.int64
    assert given_rows.shape == (len(seen),)
    taken = given_rows[given_rows >= 0]
    assert len(set(taken.tolist())) == len(taken)
    if not len(predicted) or not len(seen):
        assert (given_rows == -1).all()
        return
    overlap, possible = rules(seen, predicted)
    pairs = [(row, column) for row, column in enumerate(given_rows.tolist()) if column >= 0]
    assert all(possible[pair] for pair in pairs)
    total = sum(overlap[pair] for pair in pairs)
    assert total == pytest.approx(oracles.best_overlap(overlap, possible), abs=1e-5)


@PROPERTY
@given(seen=boxes(low=1, high=6), data=st.data())
def test_the_order_of_boxes_does_not_matter(seen: np.ndarray, data: st.DataObject) -> None:
    predicted = seen + np.float32(1)
    overlap, possible = rules(seen, predicted)
    first = associate(predicted, seen)
    order = np.array(data.draw(st.permutations(range(len(seen)))))
    second = associate(predicted, seen[order])
    gained = [
        sum(overlap[row, column] for row, column in enumerate(rows) if column >= 0)
        for rows in (first, second[np.argsort(order)])
    ]
    assert gained[0] == pytest.approx(gained[1], abs=1e-5)
    assert possible.shape == overlap.shape


def test_two_that_cross_are_told_apart_by_the_whole_not_by_the_first() -> None:
    """Greedy would give the first box its best overlap and leave the second with nothing."""
    predicted = np.array([[0, 0, 40, 40], [50, 0, 90, 40]], np.float32)
    seen = np.array([[30, 0, 70, 40], [-10, 0, 30, 40]], np.float32)
    assert associate(predicted, seen).tolist() == [1, 0]


def test_a_face_four_times_as_large_is_another() -> None:
    predicted = np.array([[0, 0, 20, 20]], np.float32)
    assert associate(predicted, np.array([[-5, -5, 33, 33]], np.float32)).tolist() == [0]
    assert associate(predicted, np.array([[-11, -11, 31, 31]], np.float32)).tolist() == [-1]
