"""What the machine is unsure of is listed."""

import pytest
from tests.unit.footage.films import film, walk

from habeas.footage.doubts import What, doubts_of_film, doubts_of_plan, doubts_of_result
from habeas.footage.redaction import Wish, plan

COUNT = 60


@pytest.mark.rule("E4")
def test_what_is_unsure_about_faces_is_listed() -> None:
    through = film(COUNT, walk(range(COUNT), 10, pace=10))  # from edge to edge
    assert list(doubts_of_film(through)) == []
    faint = film(COUNT, walk(range(COUNT), 300, pace=0, score=0.3))
    assert [doubt.what for doubt in doubts_of_film(faint)] == [What.FAINT]
    inside = film(COUNT, walk(range(10, 50), 300, pace=0))
    assert [doubt.what for doubt in doubts_of_film(inside)] == [What.BEGINS_INSIDE, What.ENDS_INSIDE]
    gap = film(COUNT, walk([*range(20), *range(30, COUNT)], 300, pace=0))
    (doubt,) = doubts_of_film(gap)
    times_ns = gap.timeline.times_ns
    assert (doubt.what, doubt.from_ns, doubt.until_ns) == (What.LONG_GAP, times_ns[19], times_ns[30])
    assert doubt.box_xyxy_px == (300, 100, 340, 140)


def test_a_shape_in_a_spared_face_is_a_doubt_once_a_run() -> None:
    near = walk([*range(10, 20), *range(45, 55)], 152, pace=0, score=0.3)
    followed = film(COUNT, walk(range(COUNT), 100, pace=0), near)
    kept = frozenset(
        track.track_id for track in followed.tracks if followed.sightings.boxes_xyxy_px[track.rows[0], 0] == 100
    )
    doubts = list(doubts_of_plan(followed, plan(followed, Wish(kept))))
    assert {doubt.what for doubt in doubts} == {What.MEETS_KEPT}
    assert {doubt.track_id for doubt in doubts} <= kept
    assert list(doubts_of_plan(followed, plan(followed, Wish()))) == []


def test_what_is_seen_in_the_result_is_a_doubt() -> None:
    again = film(COUNT, walk(range(3), 100), walk([30], 400))
    assert [doubt.what for doubt in doubts_of_result(again)] == [What.SEEN_AGAIN] * 2
