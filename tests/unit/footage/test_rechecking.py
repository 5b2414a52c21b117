"""A result is looked at again: what is neither covered nor spared is found, in the control too."""

import numpy as np
import pytest
from tests.unit.footage.films import SIZE_WH, film, walk

from habeas.footage.rechecking import covered_share, found_in, sightings_of, uncovered
from habeas.footage.redaction import Wish, plan

FACE = (100.0, 100.0, 140.0, 140.0)


def boxes(*edges: tuple[float, float, float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(edges, np.float32).reshape(-1, 4)


def scores(count: int, score: float = 0.3) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.full(count, score, np.float32)


@pytest.mark.rule("E4")
def test_a_face_that_the_plan_left_out_is_found_and_others_are_not() -> None:
    followed = film(30, walk(range(30), 100, pace=0), walk(range(30), 300, pace=0))
    made = plan(followed, Wish(frozenset({2})))
    seen = boxes(FACE, (300, 100, 340, 140), (500, 200, 540, 240))  # covered, spared, planted
    assert uncovered(made, 10, seen, scores(3)).tolist() == [False, False, True]
    found = found_in(made, [(seen, np.full(3, 0.3, np.float32))] * 30)
    assert len(found) == 30
    assert (found.boxes_xyxy_px == (500, 200, 540, 240)).all()


def test_a_face_half_covered_is_found() -> None:
    made = plan(film(30, walk(range(30), 100, pace=0)), Wish())
    right = float(made.shapes.of(5).boxes_xyxy_px[0, 2])
    assert uncovered(made, 5, boxes((right - 20, 100, right + 20, 140)), scores(1)).tolist() == [True]


def test_part_of_the_spared_face_is_the_spared_face_and_one_beside_it_is_not() -> None:
    made = plan(film(30, walk(range(30), 100, pace=0)), Wish(frozenset({1})))
    assert uncovered(made, 5, boxes((105, 110, 130, 145), (90, 90, 150, 150)), scores(2, 0.9)).tolist() == [False] * 2
    beside, collar = (130, 100, 170, 140), (110, 132, 135, 165)
    assert uncovered(made, 5, boxes(beside, collar), scores(2, 0.9)).tolist() == [True, True]
    assert uncovered(made, 5, boxes(collar, (170, 100, 210, 140)), scores(2, 0.3)).tolist() == [False, True]


def test_the_covered_share_is_of_what_is_in_the_picture() -> None:
    assert covered_share(boxes((-20, 0, 20, 40))[0], boxes((0, 0, 20, 40)), SIZE_WH) == 1.0
    assert covered_share(boxes((0, 0, 40, 40))[0], boxes((0, 0, 20, 40), (0, 0, 10, 40)), SIZE_WH) == 0.5
    assert covered_share(boxes((700, 0, 740, 40))[0], boxes(), SIZE_WH) == 1.0
    assert covered_share(boxes(FACE)[0], boxes(), SIZE_WH) == 0.0


def test_sightings_are_one_record() -> None:
    none = boxes(), np.zeros(0, np.float32)
    made = sightings_of([none, (boxes(FACE, FACE), np.array([0.5, 0.4], np.float32)), none])
    assert made.pictures.tolist() == [1, 1]
    assert len(sightings_of([])) == 0
