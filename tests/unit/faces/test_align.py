import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import PROPERTY, seeds

from habeas.faces.align import CROP_PX, TARGET_XY_PX, align
from habeas.geometry import apply_affine, similarity_transform
from habeas.types import U8
from habeas.video import ArrayPicture

REACH = 7


def dots(points_xy: np.ndarray, size_wh: tuple[int, int], radius: float) -> U8:
    """White dots with soft edges on black; a pixel's centre is at its index."""
    width, height = size_wh
    image = np.zeros((height, width), np.float32)
    for x, y in points_xy:
        x0, x1 = (int(np.clip(edge, 0, width)) for edge in (x - 4 * radius, x + 4 * radius + 1))
        y0, y1 = (int(np.clip(edge, 0, height)) for edge in (y - 4 * radius, y + 4 * radius + 1))
        if x1 > x0 and y1 > y0:
            yy, xx = np.mgrid[y0:y1, x0:x1]
            part = 255 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * radius**2))
            image[y0:y1, x0:x1] = np.maximum(image[y0:y1, x0:x1], part)
    return np.repeat(image.round().astype(np.uint8)[..., None], 3, axis=2)


def centre_near(crop: U8, target_xy: np.ndarray) -> np.ndarray:
    """Centre of brightness around a place."""
    x0, y0 = np.maximum(np.round(target_xy).astype(int) - REACH, 0)
    part = crop[y0 : y0 + 2 * REACH + 1, x0 : x0 + 2 * REACH + 1, 0].astype(np.float64)
    yy, xx = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
    return np.array([(xx * part).sum(), (yy * part).sum()]) / part.sum()


def placed(scale: float, angle: float, centre_xy: tuple[float, float]) -> np.ndarray:
    """The five target points in a picture: scaled, turned, moved."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((TARGET_XY_PX - 56) @ turn.T + centre_xy).astype(np.float32)


@settings(PROPERTY, max_examples=25)
@given(scale=st.floats(0.35, 6), angle=st.floats(-1.2, 1.2), shift=st.floats(-20, 20))
def test_the_landmarks_land_on_their_places(scale: float, angle: float, shift: float) -> None:
    points = placed(scale, angle, (400 + shift, 380 - shift))
    crop = align(ArrayPicture(dots(points, (800, 760), 1.5 * max(scale, 0.7))), points)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert crop.dtype == np.uint8
    for target in TARGET_XY_PX:
        assert np.linalg.norm(centre_near(crop, target) - target) < 0.5


@pytest.mark.parametrize("scale", [2.5, 5.0, 10.0])
def test_a_large_face_is_averaged_before_it_is_sampled(scale: float) -> None:
    """A pattern of one pixel is grey in the crop, not stripes of aliasing."""
    side = round(150 * scale)
    stripes = np.zeros((side, side, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align(ArrayPicture(stripes), placed(scale, 0.1, (side / 2, side / 2)))[20:-20, 20:-20]
    assert crop.astype(float).mean() == pytest.approx(127.5, abs=4)
    assert crop.astype(float).std() < 30


def test_a_face_partly_outside_is_black_there_and_right_elsewhere() -> None:
    points = placed(1.5, 0.0, (10.0, 120.0))
    image = np.maximum(dots(points, (300, 240), 2.0), 40)
    crop = align(ArrayPicture(image), points)
    inside = [index for index, (x, _) in enumerate(points) if x > 10]
    assert inside
    for index in inside:
        target = TARGET_XY_PX[index]
        part = np.where(crop > 40, crop, 0).astype(np.uint8)
        assert np.linalg.norm(centre_near(part, target) - target) < 0.6
    left_edge = apply_affine(similarity_transform(points, TARGET_XY_PX), np.array([[0.0, 120.0]]))[0, 0]
    assert not crop[:, : int(left_edge) - 2].any()
    assert (crop[:, int(left_edge) + 3 :] > 0).all()


@pytest.mark.parametrize("centre", [(-500.0, 100.0), (100.0, 900.0), (5000.0, -5000.0)])
def test_a_face_wholly_outside_is_black(centre: tuple[float, float]) -> None:
    crop = align(ArrayPicture(np.full((200, 200, 3), 255, np.uint8)), placed(1.0, 0.0, centre))
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert not crop.any()


def test_landmarks_that_coincide_give_a_crop_all_the_same() -> None:
    crop = align(ArrayPicture(np.full((50, 50, 3), 9, np.uint8)), np.full((5, 2), 20, np.float32))
    assert crop.shape == (CROP_PX, CROP_PX, 3)


@settings(PROPERTY, max_examples=20)
@given(seed=seeds, side=st.integers(1, 90))
def test_any_picture_and_any_landmarks_give_a_crop(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    picture = ArrayPicture(rng.integers(0, 256, (side, side + 3, 3), np.uint8))
    crop = align(picture, rng.uniform(-100, 200, (5, 2)).astype(np.float32))
    assert crop.shape == (CROP_PX, CROP_PX, 3)
