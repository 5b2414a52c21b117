"""What is uncovered of an alert's film: one head, as far as nothing could have exchanged it; each doubt covers."""

from collections.abc import Sequence

import numpy as np
import pytest

from habeas.footage.uncovering import NOBODY, Looked, Open, Uncovering, Where, heads
from habeas.types import NS_PER_S

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
    assert made.is_found
    assert shown(made) == list(range(11))
    assert made.shown_ns == 10 * STEP_NS
    for look in (0, 3.5, 10):
        left, top, right, bottom = opened(made, look).head
        head = heads(np.array([walk(0)], np.float32))[0] + np.array([2, 0, 2, 0], np.float32) * look
        assert (np.array([left, top]) >= head[:2]).all()
        assert (np.array([right, bottom]) <= head[2:]).all(), "nothing beyond the head"
        assert np.abs(np.array([left, top, right, bottom]) - head).max() <= 4
        assert all(edge % 2 == 0 for edge in (left, top, right, bottom))


@pytest.mark.rule("E10")
def test_nobody_is_shown_where_no_track_was_or_two() -> None:
    assert not uncovering(*alone(), box=(500, 100, 540, 150)).is_found
    assert not uncovering(*alone(), look=30).is_found
    assert not uncovering(*[[(NOBODY, walk(number))] for number in range(11)]).is_found
    other = [[*each, (2, walk(number, 105))] for number, each in enumerate(alone())]
    assert not uncovering(*other).is_found
    assert shown(uncovering(*other)) == []
    assert not uncovering().is_found


@pytest.mark.rule("E10")
def test_it_ends_where_the_face_was_not_seen_for_long() -> None:
    seen = alone(20)
    seen[8:11] = [[], [], []]
    assert shown(uncovering(*seen)) == list(range(20)), "control: 0.4 s between two sightings"
    seen[11] = []
    assert shown(uncovering(*seen)) == list(range(8))


@pytest.mark.rule("E10")
def test_it_ends_where_another_face_comes_close_enough_to_be_exchanged() -> None:
    seen = alone(20)
    for number in range(12, 20):
        seen[number] = [*seen[number], (2, walk(number, 145))]
    assert shown(uncovering(*seen)) == list(range(12))
    assert shown(uncovering(*seen, look=15)) == [15], "and where it is close already, nothing around that look"


@pytest.mark.rule("E10")
def test_whatever_else_may_be_a_face_stays_covered_in_the_head_also_between_two_looks() -> None:
    seen = alone()
    faint: dict[int, Box] = {5: (130, 140, 150, 165), 6: (150, 140, 170, 165)}
    for look, box in faint.items():
        seen[look] = [*seen[look], (NOBODY, box)]
    made = uncovering(*seen)
    assert shown(made) == list(range(11)), "what is too faint to be followed is exchanged with nobody"
    one, other = heads(np.array([faint[5], faint[6]], np.float32))
    both = np.concatenate([one[:2], other[2:]])
    for at, boxes in ((5.0, [one]), (5.5, [one, other, both]), (6.0, [other])):
        others = np.array(opened(made, at).others)
        for box in boxes:
            assert ((others[:, :2] <= box[:2]) & (others[:, 2:] >= box[2:])).all(axis=1).any(), (at, box)
    assert opened(made, 2).others == ()


def test_a_head_at_the_edge_is_cut_to_the_picture_and_one_outside_is_none() -> None:
    edge = [[(1, (-20.0, 100.0, 20.0, 150.0))] for _ in range(11)]
    made = uncovering(*edge, box=(0, 100, 20, 150))
    assert opened(made, 5).head[0] >= 0
    low = [[(1, (300.0, 340.0, 340.0, 380.0))] for _ in range(11)]
    head = opened(uncovering(*low, box=(300, 340, 340, 360)), 5).head
    assert head[3] <= SIZE_WH[1]
