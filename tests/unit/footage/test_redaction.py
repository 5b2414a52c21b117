"""Everybody is covered in every picture in which they may be; who is spared is said by a person; others' shapes win."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY
from tests.unit.footage.films import SIZE_WH, STEP_NS, film, is_painted, sightings, timeline, walk
from tests.unit.footage.test_following import COUNT, anything

from habeas.errors import InputError
from habeas.footage.following import between
from habeas.footage.redaction import EXTEND_NS, HEAD, ByHand, Rows, Why, Wish, follow, on_grid, plan

NOBODY = Wish()
Seen = list[tuple[int, tuple[float, float, float, float], float]]


@pytest.mark.rule("E1")
@PROPERTY
@given(seen=anything(), cuts=st.lists(st.integers(1, COUNT - 1), max_size=3))
def test_every_face_is_covered_where_it_was_seen_and_between_and_nobody_is_spared(seen: Seen, cuts: list[int]) -> None:
    followed = follow(timeline(COUNT, cuts), sightings(*seen))
    made = plan(followed, NOBODY)
    assert len(made.spared) == 0
    for picture, box, _ in seen:
        assert is_painted(made, picture, box)
    for path in followed.paths:
        pictures, boxes, _ = between(followed.timeline, followed.sightings, path)
        for picture, box in zip(pictures.tolist(), boxes.tolist(), strict=True):
            assert is_painted(made, picture, tuple(box))


@PROPERTY
@given(seen=anything(), keep=st.sets(st.integers(1, 25), max_size=3))
def test_a_kept_track_is_covered_by_others_only(seen: Seen, keep: set[int]) -> None:
    followed = follow(timeline(COUNT), sightings(*seen))
    kept = frozenset(keep & {track.track_id for track in followed.tracks})
    made, everybody = plan(followed, Wish(kept)), plan(followed, NOBODY)
    assert not kept & set(made.shapes.tracks.tolist())
    assert _told(made.shapes) <= _told(everybody.shapes)  # whoever is kept takes away shapes, and moves none
    spared_paths = {track.path for track in followed.tracks if track.track_id in kept}
    for track in followed.tracks:
        for row in track.rows if track.path not in spared_paths else ():
            picture, box = int(followed.sightings.pictures[row]), followed.sightings.boxes_xyxy_px[row]
            assert is_painted(made, picture, tuple(box.tolist()))


def _told(rows: Rows) -> Counter[tuple[int, tuple[float, ...]]]:
    return Counter(zip(rows.pictures.tolist(), map(tuple, rows.boxes_xyxy_px.tolist()), strict=True))


@pytest.mark.rule("E1")
def test_shapes_hold_the_head_and_reach_beyond_both_ends() -> None:
    made = plan(film(COUNT, walk(range(20, 30), 100, pace=0)), NOBODY)
    (shape,) = made.shapes.of(25).boxes_xyxy_px.tolist()
    left, top, right, bottom = (100 - 40 * HEAD[0], 100 - 40 * HEAD[1], 140 + 40 * HEAD[2], 140 + 40 * HEAD[3])
    assert shape[0] <= left
    assert shape[1] <= top
    assert shape[2] >= right
    assert shape[3] >= bottom
    reach = EXTEND_NS // STEP_NS
    painted = sorted(set(made.shapes.pictures.tolist()))
    assert painted == list(range(20 - reach, 30 + reach))
    widths = [float(np.ptp(made.shapes.of(at).boxes_xyxy_px[0, [0, 2]])) for at in range(29, 30 + reach)]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0] + 20
    assert [made.shapes.count(why) for why in (Why.DETECTED, Why.BETWEEN, Why.BEYOND)] == [10, 0, 2 * reach]


def test_beyond_its_ends_a_face_is_covered_where_it_was_and_where_it_goes() -> None:
    made = plan(film(COUNT, walk(range(20), 100, pace=4)), NOBODY)
    last = walk([19], 100, pace=4)[0][1]
    for later in range(1, 10):
        assert is_painted(made, 19 + later, last)
        assert is_painted(made, 19 + later, walk([19 + later], 100, pace=4)[0][1])


def test_nothing_is_painted_beyond_a_cut() -> None:
    made = plan(film(COUNT, walk(range(10, 20), 100), cuts=[10, 20]), NOBODY)
    assert set(made.shapes.pictures.tolist()) == set(range(10, 20))


def test_what_was_never_surely_a_face_is_covered_for_less_long() -> None:
    sure, faint = (plan(film(COUNT, walk(range(20, 30), 100, score=score)), NOBODY) for score in (0.9, 0.3))
    assert len(faint.shapes) < len(sure.shapes)


@pytest.mark.rule("E2")
def test_where_a_shape_of_another_reaches_into_the_kept_face_the_shape_wins() -> None:
    followed = film(COUNT, walk(range(40), 100, pace=0), walk(range(40), 152, pace=0))
    kept = next(track for track in followed.tracks if followed.sightings.boxes_xyxy_px[track.rows[0], 0] == 100)
    made = plan(followed, Wish(frozenset({kept.track_id})))
    assert is_painted(made, 20, (152, 100, 192, 140))
    assert not is_painted(made, 20, (100, 100, 140, 140))
    assert is_painted(made, 20, (138, 100, 140, 140))
    assert (made.spared.boxes_xyxy_px == (100, 100, 140, 140)).all(axis=1)[made.spared.pictures == 20].all()


@pytest.mark.rule("E2")
def test_a_person_is_spared_only_between_tracks_that_are_both_kept() -> None:
    followed = film(COUNT, walk([*range(10), *range(25, 40)], 100, pace=0.5))
    first, second = (track.track_id for track in followed.tracks)
    alone, both = plan(followed, Wish(frozenset({first}))), plan(followed, Wish(frozenset({first, second})))
    assert is_painted(alone, 17, walk([17], 100, pace=0.5)[0][1])
    assert is_painted(alone, 30, walk([30], 100, pace=0.5)[0][1])
    assert not len(alone.shapes.of(5))
    assert not len(both.shapes)


def test_who_is_not_in_the_film_cannot_be_kept() -> None:
    with pytest.raises(InputError, match="no track 7"):
        plan(film(COUNT, walk(range(9), 100)), Wish(frozenset({7})))


def test_a_box_by_hand_is_painted_in_its_time_only() -> None:
    followed = film(COUNT)
    box = ByHand(int(followed.timeline.times_ns[5]), int(followed.timeline.times_ns[8]), (10.5, 20.0, 31.0, 41.0))
    made = plan(followed, Wish(by_hand=(box,)))
    assert set(made.shapes.pictures.tolist()) == {5, 6, 7}
    assert made.shapes.boxes_xyxy_px[0].tolist() == [8, 18, 34, 44]
    assert made.shapes.count(Why.BY_HAND) == 3


@pytest.mark.rule("E2")
def test_a_box_by_hand_spares_the_face_in_it_and_no_other() -> None:
    followed = film(COUNT, walk(range(40), 100, pace=0), walk(range(40), 400, pace=0))
    times_ns = followed.timeline.times_ns
    box = ByHand(int(times_ns[10]), int(times_ns[20]), (90, 90, 150, 150), spare=True)
    made = plan(followed, Wish(by_hand=(box,)))
    for picture in range(40):
        assert is_painted(made, picture, (100, 100, 140, 140)) is not (10 <= picture < 20)
        assert is_painted(made, picture, (400, 100, 440, 140))


def test_an_empty_box_by_hand_is_refused() -> None:
    for edges in ((1.0, 1.0, 1.0, 5.0), (1.0, 5.0, 4.0, 5.0), (float("nan"), 0.0, 1.0, 1.0)):
        with pytest.raises(InputError):
            ByHand(0, 1, edges)
    for from_ns, until_ns, right in ((1, 1, 1.0), (-1, 1, 1.0), (0, 1, 1e7)):
        with pytest.raises(InputError):
            ByHand(from_ns, until_ns, (0.0, 0.0, right, 1.0))
    with pytest.raises(InputError):
        Wish(by_hand=(ByHand(0, 1, (0.0, 0.0, 1.0, 1.0)),) * 301)
    with pytest.raises(InputError):
        Wish(frozenset(range(5000)))


def test_faces_seen_again_are_painted_and_never_spared() -> None:
    followed = film(COUNT, walk(range(40), 100, pace=0))
    again = film(COUNT, walk(range(10, 15), 300, pace=0))
    made = plan(followed, Wish(frozenset({1})), again)
    assert is_painted(made, 12, (300, 100, 340, 140))
    assert made.shapes.count(Why.SEEN_AGAIN) == len(made.shapes) > 5


@PROPERTY
@given(
    edges=st.tuples(*[st.floats(-100, 700)] * 4).map(
        lambda e: (min(e[0], e[2]), min(e[1], e[3]), max(e[0], e[2]), max(e[1], e[3]))
    )
)
def test_shapes_end_between_samples_of_colour(edges: tuple[float, float, float, float]) -> None:
    (grown,) = on_grid(np.array([edges], np.float32), SIZE_WH).tolist()
    assert all(edge % 2 == 0 for edge in grown)
    assert 0 <= grown[0] <= grown[2] <= SIZE_WH[0]
    assert 0 <= grown[1] <= grown[3] <= SIZE_WH[1]
    for low, given_low in ((grown[0], edges[0]), (grown[1], edges[1])):
        assert low == 0 or low <= given_low - 2 or low in SIZE_WH
