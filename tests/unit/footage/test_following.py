"""Which sightings are one face: through gaps, in both directions, never over a cut, cut where two could be one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY
from tests.unit.footage.films import film, sightings, timeline, walk

from habeas.footage.following import GAP_NS, between, link, merged, movement_px_s, no_sightings, split
from habeas.types import NS_PER_S

COUNT = 60


@st.composite
def anything(draw: st.DrawFn) -> list[tuple[int, tuple[float, float, float, float], float]]:
    """Any sightings at all, near each other and far, beside the picture too."""
    edge, side = st.floats(-50, 650, width=16), st.floats(1, 200, width=16)
    one = st.tuples(st.integers(0, COUNT - 1), edge, edge, side, side, st.floats(0.25, 1, width=16))
    return [(at, (x, y, x + w, y + h), score) for at, x, y, w, h, score in draw(st.lists(one, max_size=25))]


@PROPERTY
@given(seen=anything(), cuts=st.lists(st.integers(1, COUNT - 1), max_size=3))
def test_each_sighting_is_in_one_path_and_one_track(
    seen: list[tuple[int, tuple[float, float, float, float], float]], cuts: list[int]
) -> None:
    line, found = timeline(COUNT, cuts), sightings(*seen)
    paths = link(line, found)
    tracks = split(line, found, paths)
    for parts in (paths, [track.rows for track in tracks]):
        rows = np.concatenate([np.zeros(0, np.int64), *parts])
        assert sorted(rows.tolist()) == list(range(len(found)))
    assert [track.track_id for track in tracks] == list(range(1, len(tracks) + 1))
    for path in paths:
        pictures = found.pictures[path]
        assert (np.diff(pictures) > 0).all()
        assert len(set(line.shots[pictures].tolist())) == 1
        assert (np.diff(line.times_ns[pictures]) <= GAP_NS).all()
    assert all(set(track.rows.tolist()) <= set(paths[track.path].tolist()) for track in tracks)


def test_a_face_is_followed_through_a_gap_and_its_track_ends_where_the_gap_is_long() -> None:
    short = film(COUNT, walk([*range(10), *range(16, 30)], 100))
    assert (len(short.paths), len(short.tracks)) == (1, 1)
    long = film(COUNT, walk([*range(10), *range(25, 40)], 100, pace=0.5))
    assert (len(long.paths), len(long.tracks)) == (1, 2)
    assert len(film(COUNT, walk([*range(10), *range(40, 50)], 100, pace=0)).paths) == 2


def test_a_face_that_came_from_where_another_went_is_the_same() -> None:
    # It stands, turns, and is seen again while it runs: forward it is too far away, backward it comes from there.
    stood = walk(range(10), 100, pace=0, side=20)
    ran = [(at, (100 + 12 * (at - 12), 100.0, 120 + 12 * (at - 12), 120.0), 0.9) for at in range(22, 32)]
    assert len(film(COUNT, stood, ran).paths) == 1


def test_no_face_is_followed_over_a_cut() -> None:
    assert len(film(COUNT, walk(range(20), 100), cuts=[10]).paths) == 2


def test_two_who_cross_are_told_apart_again_only_by_a_person() -> None:
    there = walk(range(50), 100, pace=4)
    back = [(at, (300.0 - 4 * at, 100.0, 340.0 - 4 * at, 140.0), 0.8) for at in range(50)]
    crossing = film(COUNT, there, back)
    assert len(crossing.tracks) >= 6  # before, while they touch, and after, each
    apart = film(COUNT, there, [(at, (300.0, 250.0, 340.0, 290.0), 0.8) for at in range(50)])
    assert len(apart.tracks) == 2


def test_faint_sightings_continue_a_path_and_begin_one() -> None:
    faint = film(COUNT, walk(range(10), 100), walk(range(10, 20), 100, score=0.22), walk(range(5), 400, score=0.21))
    assert sorted(len(path) for path in faint.paths) == [5, 20]


def test_between_sightings_a_face_moves_in_a_straight_line() -> None:
    followed = film(COUNT, walk([0, 1, 2, 8, 9], 100, pace=3))
    pictures, boxes, rows = between(followed.timeline, followed.sightings, followed.paths[0])
    assert pictures.tolist() == list(range(10))
    np.testing.assert_allclose(boxes[:, 0], [100 + 3 * at for at in range(10)], atol=1e-3)
    assert (rows >= 0).tolist() == [True, True, True, *[False] * 5, True, True]


def test_movement_needs_sightings_enough_to_tell() -> None:
    followed = film(COUNT, walk(range(6), 100, pace=2))
    times, boxes = followed.timeline.times_ns[:6], followed.sightings.boxes_xyxy_px
    np.testing.assert_allclose(movement_px_s(times, boxes), [50, 0, 50, 0], atol=1e-3)
    assert not movement_px_s(times[:3], boxes[:3]).any()
    assert times[1] - times[0] == NS_PER_S // 25


def test_merged_sightings_are_in_order() -> None:
    both = merged(sightings(*walk([3, 5], 0)), sightings(*walk([1, 4], 9)))
    assert both.pictures.tolist() == [1, 3, 4, 5]
    assert len(merged(no_sightings(), no_sightings())) == 0
