import numpy as np
import pytest
from PIL import Image, ImageDraw

from habeas.errors import InputError
from habeas.measure.heads import EYE_DISTANCE_PX, EYES_XY_PX, HEAD_SIZE_WH, Head, cut_out
from habeas.types import F32, U8


def portrait(skin: tuple[int, int, int] = (210, 160, 130), turn_deg: float = 0.0) -> tuple[U8, F32]:
    """A drawn face on a green wall, with its landmarks."""
    image = Image.new("RGB", (400, 400), (40, 150, 60))
    pen = ImageDraw.Draw(image)
    pen.ellipse((120, 90, 280, 320), fill=skin)
    pen.rectangle((165, 300, 235, 400), fill=skin)
    landmarks = np.array([(165, 180), (235, 180), (200, 215), (172, 255), (228, 255)], np.float32)
    for x, y in landmarks[:2]:
        pen.ellipse((x - 9, y - 6, x + 9, y + 6), fill=(30, 30, 40))
    pen.rectangle((172, 250, 228, 260), fill=(150, 40, 50))
    turned = image.rotate(turn_deg, Image.Resampling.BICUBIC)
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    points = (landmarks - 200) @ np.array([[c, -s], [s, c]]) + 200
    return np.asarray(turned), points.astype(np.float32)


def head(skin: tuple[int, int, int] = (210, 160, 130)) -> Head:
    return cut_out(*portrait(skin))


@pytest.mark.parametrize("turn_deg", [0, 17, -40])
def test_a_head_is_cut_out_upright_with_its_eyes_in_place(turn_deg: float) -> None:
    cut = cut_out(*portrait(turn_deg=turn_deg))
    width, height = HEAD_SIZE_WH
    assert cut.image_rgba.shape == (height, width, 4)
    assert cut.image_rgba.dtype == np.uint8
    left, right = cut.landmarks_xy_px[:2]
    assert abs(left[1] - right[1]) < 1
    assert right[0] - left[0] == pytest.approx(EYE_DISTANCE_PX, rel=0.15)
    x, y = left.round().astype(int)
    assert cut.image_rgba[y, x, :3].max() < 80, "the pixels of the eye are where its landmark is"


def test_the_face_is_opaque_the_wall_is_gone_and_the_edge_is_soft() -> None:
    alpha = head().image_rgba[..., 3]
    x, y = (round(c) for c in EYES_XY_PX)
    assert alpha[y + 20, x] > 250
    assert alpha[5, 5] == alpha[5, -5] == alpha[y, 2] == 0
    assert len(np.unique(alpha)) > 50


def test_a_head_at_the_edge_of_its_portrait_is_transparent_beyond_it() -> None:
    image_rgb, points = portrait()
    cut = cut_out(np.ascontiguousarray(image_rgb[:, 150:]), points - np.array([150, 0], np.float32))
    assert cut.image_rgba[140, :60, 3].max() == 0
    assert cut.image_rgba[140, 120, 3] > 250


def test_a_second_colour_behind_the_head_is_gone_close_to_it() -> None:
    image_rgb, points = portrait()
    image = Image.fromarray(image_rgb)
    ImageDraw.Draw(image).rectangle((0, 0, 110, 400), fill=(30, 30, 40))
    alpha = cut_out(np.asarray(image), points).image_rgba[..., 3]
    x, y = (round(c) for c in EYES_XY_PX)
    assert alpha[y, x] > 250
    assert alpha[y - 60 : y + 40, : x - 66].max() < 30


def test_a_turned_head_lies_on_the_side_that_the_nose_points_away_from() -> None:
    grey, points = np.full((400, 400, 3), 128, np.uint8), portrait()[1]
    straight, turned = (cut_out(grey, points - [(0, 0), (0, 0), (dx, 0), (0, 0), (0, 0)]) for dx in (0, 12))
    y = round(EYES_XY_PX[1])
    reach = [np.flatnonzero(cut.image_rgba[y, :, 3] > 128)[[0, -1]] for cut in (straight, turned)]
    assert (reach[1] > reach[0] + 10).all()


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((4, 2), np.float32),
        np.full((5, 2), np.nan, np.float32),
        np.array([(0, 0), (3, 0), (1, 2), (0, 4), (3, 4)], np.float32),
    ],
)
def test_a_portrait_without_usable_landmarks_is_refused(landmarks: F32) -> None:
    with pytest.raises(InputError) as caught:
        cut_out(portrait()[0], landmarks)
    assert caught.value.remedy


def test_the_repr_of_a_head_shows_nothing() -> None:
    assert repr(head()) == "Head()"
