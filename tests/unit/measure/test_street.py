import numpy as np
import pytest

from habeas.measure.street import Camera, shade_at, street


def test_nearer_things_are_larger_and_lower() -> None:
    camera = Camera((1280, 720))
    far, near = camera.project(0, 0, 9), camera.project(0, 0, 3)
    assert near[2] == pytest.approx(3 * far[2])
    assert near[1] > far[1] > camera.horizon_px


def test_the_street_is_the_same_for_the_same_seed() -> None:
    camera = Camera((320, 180))
    first, again = (np.asarray(street(camera, np.random.default_rng(9))) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.std() > 10


def test_the_shadow_of_the_house_darkens_one_side_smoothly() -> None:
    light = shade_at(np.linspace(-1e4, 1e4, 101).astype(np.float32))
    assert light[0] == pytest.approx(0.6, abs=0.01)
    assert light[-1] == pytest.approx(1.0, abs=0.01)
    assert (np.diff(light) >= 0).all()
