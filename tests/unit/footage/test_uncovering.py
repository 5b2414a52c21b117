"""What is uncovered of an alert's film: one head, as far as nothing could have exchanged it; each doubt covers."""

from collections.abc import Sequence

import numpy as np
import pytest

from habeas.footage.uncovering import NOBODY, Looked, Open, Uncovering, Where, around, confirmed, heads
from habeas.tracks import Tracker
from habeas.types import NS_PER_S, Faces

SIZE_WH = (640, 360)
STEP_NS = NS_PER_S // 10
Box = tuple[float, float, float, float]
Seen = tuple[int, Box]


def walk(look: int, left: float = 100) -> Box:
    return left + 2 * look, 100, left + 2 * look + 40, 150


def looks(*seen: Sequence[Seen]) -> list[Looked]:
    """Return looks a tenth of a second apart, each at these tracks and boxes."""
    return [
        Looked(
            number * STEP_NS,
            np.array([box for _track, box in each], np.float32).reshape(-1, 4),
            np.array([track for track, _box in each], np.int64),
        )
        for number, each in enumerate(seen)
    ]


def where(look: int, box: Box) -> Where:
    width, height = SIZE_WH
    left, top, right, bottom = box
    return Where(look * STEP_NS, (left / width, top / height, right / width, bottom / height))


def uncovering(*seen: Sequence[Seen], look: int = 5, box: Box | None = None) -> Uncovering:
    return Uncovering(looks(*seen), where(look, box or walk(look)), SIZE_WH, STEP_NS)


def shown(made: Uncovering) -> list[int]:
    """Return the looks at which something can be seen."""
    return [number for number in range(-10, 40) if made.at(number * STEP_NS) is not None]


def alone(count: int = 11) -> list[list[Seen]]:
    return [[(1, walk(number))] for number in range(count)]


def opened(made: Uncovering, look: float) -> Open:
    found = made.at(round(look * STEP_NS))
    assert found is not None
    return found


@pytest.mark.rule("E10")
def test_the_head_of_the_track_is_shown_from_its_first_to_its_last_sighting() -> None:
    made = uncovering(*alone())
    assert shown(made) == list(range(11))
    for look in (0, 3.5, 10):
        left, top, right, bottom = opened(made, look).head
        head = heads(np.array([walk(0)], np.float32))[0] + np.array([2, 0, 2, 0], np.float32) * look
        assert (np.array([left, top]) >= head[:2]).all()
        assert (np.array([right, bottom]) <= head[2:]).all(), "nothing beyond the head"
        assert np.abs(np.array([left, top, right, bottom]) - head).max() <= 4
        assert all(edge % 2 == 0 for edge in (left, top, right, bottom))


@pytest.mark.rule("E10")
def test_nobody_is_shown_where_no_track_was_or_two() -> None:
    assert shown(uncovering(*alone(), box=(500, 100, 540, 150))) == []
    assert shown(uncovering(*alone(), look=30)) == []
    assert shown(uncovering(*[[(NOBODY, walk(number))] for number in range(11)])) == []
    other = [[*each, (2, walk(number, 105))] for number, each in enumerate(alone())]
    assert shown(uncovering(*other)) == []
    assert shown(uncovering()) == []


@pytest.mark.rule("E10")
def test_it_ends_where_the_face_was_not_seen_for_long_and_shows_nothing_where_it_was_not() -> None:
    seen = alone(20)
    seen[8:11] = [[], [], []]
    made = uncovering(*seen)
    assert shown(made) == [*range(8), *range(11, 20)], "control: 0.4 s between two sightings"
    assert [made.at(round(look * STEP_NS)) for look in (7.5, 8.5, 10.5)] == [None] * 3
    seen[11] = []
    assert shown(uncovering(*seen)) == list(range(8))


@pytest.mark.rule("E10")
@pytest.mark.parametrize("again", [6, 9])
def test_it_ends_where_its_track_goes_on_elsewhere_than_it_moved(again: int) -> None:
    seen = alone(20)
    for number in range(6, 20):
        seen[number] = [] if number < again else [(1, walk(number, 155))]
    assert shown(uncovering(*seen, look=3)) == list(range(6))
    walking = [[(1, walk(number, 100 + 18 * number))] for number in range(11)]
    assert shown(uncovering(*walking, box=walk(5, 190))) == list(range(11)), "control: half a face each look"


A, BESIDE, FARTHER = (300.0, 100.0, 340.0, 150.0), (350.0, 100.0, 390.0, 150.0), (362.0, 100.0, 402.0, 150.0)


@pytest.mark.rule("E10")
@pytest.mark.parametrize("step_ns", [STEP_NS, NS_PER_S * 16 // 100])
@pytest.mark.parametrize("after", [[(A, 0.3), (BESIDE, 0.9)], [(BESIDE, 0.9)], [(FARTHER, 0.9)]])
def test_whoever_the_tracker_takes_for_the_face_is_not_shown(after: list[tuple[Box, float]], step_ns: int) -> None:
    tracker, made = Tracker(), []
    for number in range(12):
        seen = [(A, 0.9)] if number < 6 else after
        boxes, scores = (np.array([one[part] for one in seen], np.float32) for part in (0, 1))
        faces = Faces(boxes, scores, np.zeros((len(seen), 5, 2), np.float32), np.zeros(len(seen), np.float32))
        tracks = np.full(len(seen), NOBODY, np.int64)
        tracks[scores >= 0.5] = tracker.update(faces[scores >= 0.5], number * step_ns).track_ids
        made.append(Looked(number * step_ns, boxes, tracks))
    assert 1 in made[-1].track_ids, "the tracker takes the other for the same"
    place = Where(3 * step_ns, (300 / 640, 100 / 360, 340 / 640, 150 / 360))
    film = Uncovering(made, place, SIZE_WH, step_ns)
    instants = range(0, 12 * step_ns, step_ns // 4)
    assert max(at_ns for at_ns in instants if film.at(at_ns) is not None) == 5 * step_ns


@pytest.mark.rule("E10")
def test_it_ends_where_another_face_comes_close_enough_to_be_exchanged() -> None:
    seen = alone(20)
    for number in range(12, 20):
        seen[number] = [*seen[number], (2, walk(number, 145))]
    assert shown(uncovering(*seen)) == list(range(12))
    assert shown(uncovering(*seen, look=15)) == [15], "and where it is close already, nothing around that look"


@pytest.mark.rule("E10")
@pytest.mark.parametrize("when", [9, 12])
def test_what_is_too_faint_to_be_followed_ends_it_as_well(when: int) -> None:
    seen = alone(20)
    seen[12] = []
    seen[when] = [*seen[when], (NOBODY, walk(when, 145))]
    assert shown(uncovering(*seen)) == list(range(when)), "also where it takes the place of the face"


@pytest.mark.rule("E10")
@pytest.mark.parametrize("tracks", [(NOBODY, NOBODY), (2, 2), (2, 3), (NOBODY, 3)])
def test_whatever_else_may_be_a_face_stays_covered_in_the_head_also_between_two_looks(tracks: tuple[int, int]) -> None:
    seen = alone()
    faint: dict[int, Box] = {5: (100, 168, 110, 180), 6: (140, 168, 150, 180)}
    for (look, box), track in zip(faint.items(), tracks, strict=True):
        seen[look] = [*seen[look], (track, box)]
    made = uncovering(*seen)
    assert shown(made) == list(range(11)), "they are not so near that it ends"
    one, other = heads(np.array([faint[5], faint[6]], np.float32))
    both = np.concatenate([one[:2], other[2:]])
    for at, boxes in ((5.0, [one]), (5.5, [one, other, both]), (6.0, [other])):
        others = np.array(opened(made, at).others)
        for box in boxes:
            assert ((others[:, :2] <= box[:2]) & (others[:, 2:] >= box[2:])).all(axis=1).any(), (at, box)
    assert opened(made, 2).others == ()


@pytest.mark.rule("E10")
def test_a_picture_shows_the_head_only_where_it_has_one_face_and_where_that_should_be() -> None:
    made = opened(uncovering(*alone()), 5)
    own = np.array([walk(5)], np.float32)

    def again(*boxes: Box) -> Open | None:
        return confirmed(made, np.array(boxes, np.float32).reshape(-1, 4), SIZE_WH)

    assert again(walk(5)) == made
    assert again() is None
    assert again(walk(5, 125)) is None, "one, beside where it should be"
    assert again(walk(5), walk(5, 145)) is None, "two"
    beside = again(walk(5), walk(5, 165))
    assert beside is not None
    ((left, _top, _right, _bottom),) = beside.others
    assert left < made.head[2], "the head of whoever is beside it is covered"
    x0, y0, x1, y1 = around(made, SIZE_WH)
    assert (np.array([x0, y0]) < heads(own)[0, :2]).all()
    assert (np.array([x1, y1]) > heads(own)[0, 2:]).all()


def test_a_head_at_the_edge_is_cut_to_the_picture_and_one_outside_is_none() -> None:
    edge = [[(1, (-20.0, 100.0, 20.0, 150.0))] for _ in range(11)]
    made = uncovering(*edge, box=(0, 100, 20, 150))
    assert opened(made, 5).head[0] >= 0
    low = [[(1, (300.0, 340.0, 340.0, 380.0))] for _ in range(11)]
    head = opened(uncovering(*low, box=(300, 340, 340, 360)), 5).head
    assert head[3] <= SIZE_WH[1]
