import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY, boxes, faces

from habeas.tracks import Tracker
from habeas.tracks.best_shot import MAX_SHOTS
from habeas.tracks.tracker import MAX_GAP_NS
from habeas.types import NS_PER_S, Faces, Tracks

STEP_NS = NS_PER_S // 8


def box(x: float, y: float, side: float = 40) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def seen(*places: list[float], quality: float = 0.9) -> Faces:
    return faces(np.array(places, np.float32).reshape(-1, 4), quality)


def test_a_face_that_stays_is_one_track() -> None:
    tracker = Tracker()
    ids = {tracker.update(seen(box(100, 100)), step * STEP_NS).track_ids[0] for step in range(20)}
    assert ids == {1}
    assert tracker.count == 1


@pytest.mark.parametrize("speed", [-320, -90, 0, 90, 320])
def test_a_face_that_moves_keeps_its_track_at_up_to_its_own_width_a_look(speed: float) -> None:
    tracker = Tracker()
    for step in range(12):
        result = tracker.update(seen(box(500 + speed * step / 8, 100)), step * STEP_NS)
        assert result.track_ids.tolist() == [1]
        assert result.first_seen_ns.tolist() == [0]


def test_two_that_cross_keep_their_tracks() -> None:
    tracker = Tracker()
    order = np.random.default_rng(0)
    for step in range(17):
        left_to_right, right_to_left = box(100 + 20 * step, 100), box(420 - 20 * step, 112)
        places = [left_to_right, right_to_left]
        rows = order.permutation(2)
        result = tracker.update(seen(*(places[row] for row in rows)), step * STEP_NS)
        if step == 0:
            names = {int(row): int(track) for row, track in zip(rows, result.track_ids, strict=True)}
        assert [names[int(row)] for row in rows] == result.track_ids.tolist(), step
    assert tracker.count == 2


def test_a_gap_shorter_than_a_second_is_bridged_where_the_face_is_expected() -> None:
    tracker = Tracker()
    for step in range(4):
        tracker.update(seen(box(100 + 15 * step, 100)), step * STEP_NS)
    for step in (4, 5, 6):
        assert tracker.update(seen(), step * STEP_NS).closed == ()
    assert tracker.update(seen(box(100 + 15 * 7, 100)), 7 * STEP_NS).track_ids.tolist() == [1]


def test_a_track_ends_when_it_was_not_seen_for_a_second() -> None:
    tracker = Tracker()
    tracker.update(seen(box(100, 100)), 0)
    tracker.update(seen(box(100, 100)), STEP_NS)
    assert tracker.update(seen(), STEP_NS + MAX_GAP_NS - 1).closed == ()
    assert len(tracker.expected_xyxy_px(STEP_NS + MAX_GAP_NS - 1)) == 1
    (closed,) = tracker.update(seen(), STEP_NS + MAX_GAP_NS).closed
    assert (closed.track_id, closed.first_seen_ns, closed.last_seen_ns) == (1, 0, STEP_NS)
    assert len(tracker.expected_xyxy_px(STEP_NS + MAX_GAP_NS)) == 0
    assert tracker.update(seen(box(100, 100)), 2 * NS_PER_S).track_ids.tolist() == [2]


def test_whoever_stands_there_after_the_stream_stalled_is_not_taken_for_who_stood_there() -> None:
    tracker = Tracker()
    tracker.update(seen(box(100, 100)), 0)
    result = tracker.update(seen(box(100, 100)), 30 * NS_PER_S)
    assert result.track_ids.tolist() == [2]
    assert [closed.track_id for closed in result.closed] == [1]
    assert result.best_shots.tolist() == [True]


def test_at_the_slowest_rate_a_face_is_still_one_track() -> None:
    """One look in two seconds (`detect.rate_hz` 0.5): the gap is between looks, not between sightings."""
    tracker = Tracker()
    ids = [tracker.update(seen(box(100, 100)), 2 * step * NS_PER_S).track_ids[0] for step in range(5)]
    assert ids == [1] * 5


def test_close_all_ends_every_track_once() -> None:
    tracker = Tracker()
    tracker.update(seen(box(100, 100), box(300, 100)), 0)
    assert sorted(closed.track_id for closed in tracker.close_all()) == [1, 2]
    assert tracker.close_all() == ()
    assert tracker.update(seen(box(100, 100)), STEP_NS).track_ids.tolist() == [3]


def test_prediction_stops_after_half_a_second() -> None:
    tracker = Tracker()
    for step in range(3):
        tracker.update(seen(box(100 + 10 * step, 100)), step * STEP_NS)
    (soon,) = tracker.expected_xyxy_px(3 * STEP_NS)
    np.testing.assert_allclose(soon, box(130, 100), atol=0.1)
    (half,) = tracker.expected_xyxy_px(2 * STEP_NS + NS_PER_S // 2)
    (late,) = tracker.expected_xyxy_px(2 * STEP_NS + 9 * NS_PER_S // 10)
    np.testing.assert_array_equal(half, late)


def test_two_faces_of_one_instant_are_never_one_track() -> None:
    tracker = Tracker()
    result = tracker.update(seen(box(100, 100), box(100, 100), box(102, 100)), 0)
    assert len(set(result.track_ids.tolist())) == 3
    assert tracker.update(seen(box(101, 100), box(100, 100)), 0).track_ids.shape == (2,)


def checked(results: list[Tracks], at_the_end: list[int]) -> None:
    """What must hold of any run."""
    shots: dict[int, int] = {}
    began: dict[int, int] = {}
    closed: list[int] = []
    for result in results:
        ids = result.track_ids.tolist()
        assert len(set(ids)) == len(ids) == len(result.faces)
        assert not set(ids) & set(closed)
        for track, first, shot in zip(ids, result.first_seen_ns.tolist(), result.best_shots.tolist(), strict=True):
            assert began.setdefault(track, first) == first
            shots[track] = shots.get(track, 0) + shot
        for ended in result.closed:
            assert ended.first_seen_ns == began[ended.track_id]
            assert ended.first_seen_ns <= ended.last_seen_ns
            closed.append(ended.track_id)
    assert all(count <= MAX_SHOTS for count in shots.values())
    assert sorted(closed + at_the_end) == sorted(began)
    assert sorted(began) == list(range(1, len(began) + 1))


@PROPERTY
@given(looks=st.lists(st.tuples(boxes(high=4), st.integers(0, 5), st.floats(0, 1, width=32)), max_size=12))
def test_whatever_comes_each_face_has_one_track_and_each_track_one_end(
    looks: list[tuple[np.ndarray, int, float]],
) -> None:
    tracker, now, results = Tracker(), 0, []
    for places, wait, quality in looks:
        now += wait * 2 * STEP_NS
        results.append(tracker.update(faces(places, quality), now))
    checked(results, [ended.track_id for ended in tracker.close_all()])


def test_that_check_sees_a_track_that_ended_twice() -> None:
    tracker = Tracker()
    results = [tracker.update(seen(box(100, 100)), 0), tracker.update(seen(), 2 * NS_PER_S)]
    with pytest.raises(AssertionError):
        checked(results, [1])
