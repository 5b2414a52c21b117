import numpy as np
import pytest
from PIL import Image, ImageDraw

from habeas.errors import InputError
from habeas.measure import render
from habeas.measure.render import Head, blend, cut_out
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


HEADS = (head(), head((120, 80, 60)), head((230, 190, 170)))


@pytest.mark.parametrize("turn_deg", [0, 17, -40])
def test_a_head_is_cut_out_upright_with_its_eyes_in_place(turn_deg: float) -> None:
    cut = cut_out(*portrait(turn_deg=turn_deg))
    width, height = render.HEAD_SIZE_WH
    assert cut.image_rgba.shape == (height, width, 4)
    assert cut.image_rgba.dtype == np.uint8
    left, right = cut.landmarks_xy_px[:2]
    assert abs(left[1] - right[1]) < 1
    assert right[0] - left[0] == pytest.approx(render.EYE_DISTANCE_PX, rel=0.15)
    x, y = left.round().astype(int)
    assert cut.image_rgba[y, x, :3].max() < 80, "the pixels of the eye are where its landmark is"


def test_the_face_is_opaque_the_wall_is_gone_and_the_edge_is_soft() -> None:
    alpha = head().image_rgba[..., 3]
    x, y = (round(c) for c in render.EYES_XY_PX)
    assert alpha[y + 20, x] > 250
    assert alpha[5, 5] == alpha[5, -5] == alpha[y, 2] == 0
    assert len(np.unique(alpha)) > 50


def test_a_head_at_the_edge_of_its_portrait_is_transparent_beyond_it() -> None:
    image_rgb, points = portrait()
    cut = cut_out(np.ascontiguousarray(image_rgb[:, 150:]), points - np.array([150, 0], np.float32))
    assert cut.image_rgba[140, :60, 3].max() == 0
    assert cut.image_rgba[140, 120, 3] > 250


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


def test_an_invented_face_is_decided_by_its_generator_alone() -> None:
    first, again, other = (blend(HEADS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.image_rgba, again.image_rgba)
    assert np.array_equal(first.landmarks_xy_px, again.landmarks_xy_px)
    x, y = (round(c) for c in render.EYES_XY_PX)
    middle = np.s_[y - 30 : y + 80, x - 40 : x + 40, :3]
    assert np.abs(first.image_rgba[middle].astype(int) - other.image_rgba[middle]).mean() > 3


def test_invented_faces_differ_in_geometry_and_stay_on_the_canvas() -> None:
    faces = [blend(HEADS, np.random.default_rng(seed)) for seed in range(8)]
    points = np.stack([face.landmarks_xy_px for face in faces])
    assert points.std(axis=0).max() > 2
    assert (points > 0).all()
    assert (points < np.array(render.HEAD_SIZE_WH)).all()
    assert all(face.image_rgba[130, 120, 3] > 240 for face in faces)


def test_one_head_is_enough_and_none_is_refused() -> None:
    assert blend(HEADS[:1], np.random.default_rng(1)).image_rgba.any()
    with pytest.raises(InputError, match="none"):
        blend([], np.random.default_rng(1))


def test_the_repr_of_a_head_shows_nothing() -> None:
    assert repr(HEADS[0]) == "Head()"


def test_a_bust_has_a_neck_in_the_colour_of_the_face_and_nothing_of_the_collar() -> None:
    pixels = np.asarray(render.bust(head((200, 100, 50))))
    bottom = pixels[-8, round(render.EYES_XY_PX[0])].astype(int)
    assert bottom[3] > 250
    assert bottom[0] > bottom[1] > bottom[2]


def test_a_figure_moves_its_legs_and_keeps_its_clothes() -> None:
    clothes = render.Clothes.draw(np.random.default_rng(5))
    first, later = (np.asarray(render.figure(clothes, phase, 1.0)) for phase in (0.0, np.pi / 2))
    knees = np.s_[230:330]
    assert np.abs(first[knees].astype(int) - later[knees]).mean() > 2
    chest = np.s_[60:100, 110:130]
    assert np.array_equal(first[chest], later[chest])


def test_nearer_things_are_larger_and_lower() -> None:
    camera = render.Camera((1280, 720))
    far, near = camera.project(0, 0, 9), camera.project(0, 0, 3)
    assert near[2] == pytest.approx(3 * far[2])
    assert near[1] > far[1] > camera.horizon_px


def test_the_street_is_the_same_for_the_same_seed() -> None:
    camera = render.Camera((320, 180))
    first, again = (np.asarray(render.street(camera, np.random.default_rng(9))) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.std() > 10


def test_the_shadow_of_the_house_darkens_one_side_smoothly() -> None:
    light = render.shade_at(np.linspace(-1e4, 1e4, 101).astype(np.float32))
    assert light[0] == pytest.approx(0.6, abs=0.01)
    assert light[-1] == pytest.approx(1.0, abs=0.01)
    assert (np.diff(light) >= 0).all()
