"""The motion gate on pictures drawn here: what moves, what only flickers, what is a cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.types import F32, U8
from habeas.video import Motion, MotionGate
from habeas.video.gate import CELL_PX, is_cut

SIZE_HW = (240, 320)


def street(seed: int = 0, low: int = 40, high: int = 200) -> F32:
    """A still picture with layout."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(low, high, (SIZE_HW[0] // 16, SIZE_HW[1] // 16)).astype(np.float32)
    return blocks.repeat(16, axis=0).repeat(16, axis=1)


def shown(picture: F32, noise: float = 0.0, seed: int = 0) -> U8:
    grain = np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else 0
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def with_person(picture: F32, x: int, y: int = 80, size: int = 48) -> F32:
    picture = picture.copy()
    picture[y : y + size, x : x + size] = 250
    return picture


def watched(pictures: list[U8]) -> list[Motion]:
    gate = MotionGate()
    return [gate.look(picture) for picture in pictures]


def inside(point_xy: tuple[int, int], motion: Motion) -> bool:
    x, y = point_xy
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in motion.boxes_xyxy_px)


def test_the_first_picture_is_new_all_over() -> None:
    (first,) = watched([shown(street())])
    assert first.cut
    assert first.moved
    assert first.boxes_xyxy_px == ((0, 0, 320, 240),)


@pytest.mark.parametrize("noise", [0, 4, 12])
def test_a_still_street_does_not_move_however_grainy(noise: float) -> None:
    seen = watched([shown(street(), noise, seed) for seed in range(30)])[1:]
    assert not any(motion.cut for motion in seen)
    assert sum(motion.moved for motion in seen) <= 1


@pytest.mark.parametrize("noise", [0, 4, 12])
def test_a_person_who_walks_moves_and_is_inside_what_moved(noise: float) -> None:
    calm = [shown(street(), noise, seed) for seed in range(10)]
    walk = [shown(with_person(street(), x), noise, 100 + x) for x in range(40, 200, 8)]
    seen = watched(calm + walk)[len(calm) :]
    assert all(motion.moved for motion in seen)
    assert not any(motion.cut for motion in seen)
    for motion, x in zip(seen, range(40, 200, 8), strict=True):
        assert inside((x + 44, 104), motion)  # where it goes
        assert sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in motion.boxes_xyxy_px) < 320 * 240 / 2


def test_two_people_far_apart_are_two_things() -> None:
    calm = [shown(street())] * 5
    both = shown(with_person(with_person(street(), 16, 16, 40), 256, 180, 40))
    motion = watched([*calm, both])[-1]
    assert len(motion.boxes_xyxy_px) == 2
    assert inside((36, 36), motion)
    assert inside((276, 200), motion)


def test_another_shot_is_a_cut() -> None:
    seen = watched([shown(street(1))] * 3 + [shown(street(2, 0, 110))] * 3)
    assert [motion.cut for motion in seen] == [True, False, False, True, False, False]
    assert seen[3].boxes_xyxy_px == ((0, 0, 320, 240),)


def test_a_change_of_size_is_a_cut() -> None:
    small = shown(street())[:120, :160]
    seen = watched([shown(street()), small, np.ascontiguousarray(small)])
    assert [motion.cut for motion in seen] == [True, True, False]
    assert seen[1].boxes_xyxy_px == ((0, 0, 160, 120),)


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.25])
def test_light_that_changes_is_no_cut(gain: float) -> None:
    seen = watched([shown(street())] * 3 + [shown(street() * gain)] * 3)
    assert [motion.cut for motion in seen] == [True] + [False] * 5
    # The control: what changed in brightness alone is a cut where the layout changes as well.
    assert watched([shown(street())] * 3 + [shown(street(7) * 0.3)])[-1].cut


def test_a_person_who_fills_the_picture_and_moves_is_no_cut() -> None:
    near = [shown(with_person(street(), x, 20, 200)) for x in (0, 40, 80, 120)]
    assert not any(motion.cut for motion in watched(near)[1:])


@given(seed=st.integers(0, 999), gain=st.floats(0.2, 1.2), offset=st.floats(-20, 20))
@PROPERTY
def test_no_change_of_light_is_ever_a_cut(seed: int, gain: float, offset: float) -> None:
    before = street(seed)[::CELL_PX, ::CELL_PX]
    assert not is_cut(before, before * np.float32(gain) + np.float32(offset))


@given(
    size_wh=st.tuples(st.integers(1, 300), st.integers(1, 200)),
    seed=st.integers(0, 2**32 - 1),
    patches=st.integers(1, 6),
)
@PROPERTY
def test_what_moved_is_always_inside_the_picture(size_wh: tuple[int, int], seed: int, patches: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = size_wh
    gate = MotionGate()
    picture = rng.integers(0, 256, (height, width), np.uint8)
    for _ in range(4):
        motion = gate.look(picture)
        assert motion.moved == bool(motion.boxes_xyxy_px)
        for x0, y0, x1, y1 in motion.boxes_xyxy_px:
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
        picture = picture.copy()
        for _ in range(patches):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            picture[y : y + 60, x : x + 60] = rng.integers(256)


def test_the_gate_keeps_small_grey_pictures_only() -> None:
    gate = MotionGate()
    for seed in range(3):
        gate.look(shown(street(), 5, seed))
    kept = [value for value in vars(gate).values() if isinstance(value, np.ndarray)]
    assert kept
    assert all(value.shape == (SIZE_HW[0] // CELL_PX, SIZE_HW[1] // CELL_PX) for value in kept)
