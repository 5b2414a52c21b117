import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from tests.strategies import PROPERTY, seeds

from habeas.faces.align import CROP_PX, TARGET_XY_PX
from habeas.faces.quality import eye_distances_px, nose_positions, quality, sharpness
from habeas.types import U8


def blurred(crop: U8, radius: float) -> U8:
    return np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(radius)))


def noise(seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX, 3), np.uint8)


def one(**changes: tuple[float, float]) -> np.ndarray:
    """Landmarks of one frontal face, some moved."""
    names = ["left", "right", "nose", "mouth_left", "mouth_right"]
    points = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)
    for name, place in changes.items():
        points[names.index(name)] = place
    return points[None]


def test_eye_distance_and_nose_by_hand() -> None:
    assert eye_distances_px(one(right=(60, 80))).tolist() == [50]
    for x, expected in [(30, 0), (50, 0.5), (70, 1), (20, -0.25), (80, 1.25)]:
        np.testing.assert_allclose(nose_positions(one(nose=(x, 77))), [expected], atol=1e-6)


@PROPERTY
@given(seed=seeds, angle=st.floats(-3, 3), scale=st.floats(0.3, 9))
def test_where_the_nose_stands_does_not_depend_on_tilt_or_size(seed: int, angle: float, scale: float) -> None:
    points = TARGET_XY_PX + np.random.default_rng(seed).normal(0, 4, (5, 2)).astype(np.float32)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (points @ turn.T).astype(np.float32)
    np.testing.assert_allclose(nose_positions(turned[None]), nose_positions(points[None]), atol=1e-3)
    np.testing.assert_allclose(eye_distances_px(turned[None]), scale * eye_distances_px(points[None]), rtol=1e-3)


def test_eyes_that_coincide_break_nothing() -> None:
    assert np.isfinite(nose_positions(np.zeros((1, 5, 2), np.float32))).all()


def test_sharpness_falls_with_blur_and_is_zero_when_flat() -> None:
    assert sharpness(np.full((CROP_PX, CROP_PX, 3), 90, np.uint8)) == 0
    values = [sharpness(blurred(noise(), radius)) for radius in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.1 * values[0]


def test_sharpness_does_not_depend_on_exposure() -> None:
    crop = blurred(noise(), 1.5)
    darker = (crop * 0.6).round().astype(np.uint8)
    assert sharpness(darker) == pytest.approx(sharpness(crop), rel=0.15)


@PROPERTY
@given(
    seed=seeds,
    score=st.floats(0, 1, width=32),
    sharp=st.floats(0, 500, width=32),
)
def test_quality_is_a_share_and_each_part_can_only_lower_it(seed: int, score: float, sharp: float) -> None:
    landmarks = np.random.default_rng(seed).uniform(0, 120, (1, 5, 2)).astype(np.float32)
    scores, sharps = np.array([score], np.float32), np.array([sharp], np.float32)
    (value,) = quality(landmarks, scores, sharps)
    assert 0 <= value <= min(1, score + 1e-6)
    assert quality(landmarks, scores * np.float32(0.5), sharps)[0] <= value
    assert quality(landmarks, scores, sharps * np.float32(0.5))[0] <= value
    assert quality(landmarks * np.float32(0.5), scores, sharps)[0] <= value + 1e-6


def test_a_good_face_is_worth_its_score_and_a_profile_nothing() -> None:
    full = np.array([100.0], np.float32)
    ones = np.ones(1, np.float32)
    np.testing.assert_allclose(quality(one(), ones, full), [1], rtol=1e-6)
    assert quality(one(nose=(10, 60)), ones, full)[0] == 0
    assert np.isnan(quality(one() * np.nan, ones, full)[0])
