import dataclasses

import numpy as np
import pytest
from hypothesis import given
from tests.strategies import PROPERTY, seeds

from habeas.measure.degrade import FACE_PX, Conditions, degraded, draw_conditions
from habeas.types import U8

PLAIN = Conditions(face_px=60, gamma=1, gain=1, blur_px=0.01, noise=0, jpeg=95)


@pytest.fixture(scope="module")
def image() -> U8:
    yy, xx = np.mgrid[0:120, 0:100]
    return np.stack([xx * 2, yy * 2, (xx // 8 + yy // 8) % 2 * 200], axis=2).astype(np.uint8)


def rough(image: U8) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(np.diff(image[20:-20, 20:-20].astype(float), axis=1)).mean())


def frame(image: U8, seed: int = 0, **changes: float) -> U8:
    return degraded(image, 60.0, dataclasses.replace(PLAIN, **changes), np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_frame_and_the_next_another(image: U8) -> None:
    rng = np.random.default_rng(1)
    one, two = (degraded(image, 60.0, PLAIN, rng) for _ in range(2))
    np.testing.assert_array_equal(one, degraded(image, 60.0, PLAIN, np.random.default_rng(1)))
    assert one.shape != two.shape or not np.array_equal(one, two)


@pytest.mark.parametrize("face_px", [30.0, 60.0, 120.0])
def test_the_face_has_the_width_of_the_conditions(image: U8, face_px: float) -> None:
    widths = [frame(image, seed, face_px=face_px).shape[1] for seed in range(30)]
    assert np.mean(widths) == pytest.approx(max(32, 100 * face_px / 60), rel=0.06)


def test_each_condition_does_what_it_says(image: U8) -> None:
    assert rough(frame(image, blur_px=3)) < 0.7 * rough(frame(image))
    assert rough(frame(image, noise=20)) > 1.3 * rough(frame(image))
    assert frame(image, gain=0.6).mean() < 0.8 * frame(image).mean()
    assert frame(image, gamma=2).mean() < 0.9 * frame(image).mean()


@PROPERTY
@given(seed=seeds)
def test_drawn_conditions_are_such_as_cameras_give(seed: int) -> None:
    drawn = draw_conditions(np.random.default_rng(seed))
    assert FACE_PX[0] <= drawn.face_px <= FACE_PX[1]
    assert 0.6 <= drawn.gain <= 1.2
    assert 35 <= drawn.jpeg < 90
    assert min(drawn.gamma, drawn.blur_px, drawn.noise) > 0
    made = degraded(np.full((40, 40, 3), 128, np.uint8), 40.0, drawn, np.random.default_rng(seed))
    assert (made.dtype, made.shape[2]) == (np.uint8, 3)


def test_a_face_without_width_and_a_tiny_picture_break_nothing() -> None:
    made = degraded(np.zeros((1, 1, 3), np.uint8), 50.0, PLAIN, np.random.default_rng(0))
    assert made.shape[0] >= 32
