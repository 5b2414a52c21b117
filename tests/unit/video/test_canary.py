"""The canary's picture: where it is put, and that nothing else of a frame changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.types import F32, U8, Frame, OriginKind
from habeas.video import ArrayPicture
from habeas.video.canary import (
    FACE_SHARE,
    PlantedPicture,
    canary_origin,
    canary_rgb,
    free_place,
    patch_side_px,
    planted,
)
from habeas.video.edge import origin

SIZE_WH = 320, 240
BOX = 100, 60, 180, 140
coordinates = st.integers(-50, 400)
boxes = st.lists(st.tuples(coordinates, coordinates, st.integers(1, 120), st.integers(1, 120)), max_size=8)


def picture() -> ArrayPicture:
    width, height = SIZE_WH
    return ArrayPicture(np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8))


def xyxy(drawn: list[tuple[int, int, int, int]]) -> F32:
    rows = [(x, y, x + wide, y + high) for x, y, wide, high in drawn]
    return np.array(rows, np.float32).reshape(-1, 4)


@given(tracked=boxes, turn=st.integers(0, 100), side_px=st.integers(2, 240))
def test_a_patch_hides_nobody_who_is_tracked(tracked: list[tuple[int, int, int, int]], turn: int, side_px: int) -> None:
    faces = xyxy(tracked)
    place = free_place(SIZE_WH, side_px, faces, turn)
    if place is None:
        assert len(faces)
        return
    left, top, right, bottom = place
    assert (right - left, bottom - top) == (side_px, side_px)
    assert 0 <= left < right <= SIZE_WH[0]
    assert 0 <= top < bottom <= SIZE_WH[1]
    for x0, y0, x1, y1 in faces.tolist():
        assert x1 <= left or right <= x0 or y1 <= top or bottom <= y0


def test_where_faces_are_everywhere_there_is_no_place() -> None:
    assert free_place(SIZE_WH, 96, np.array([[0, 0, 320, 240]], np.float32), 0) is None
    assert free_place(SIZE_WH, 96, np.zeros((0, 4), np.float32), 0) == (0, 0, 96, 96)


def test_each_canary_begins_at_another_place() -> None:
    nobody = np.zeros((0, 4), np.float32)
    assert len({free_place((1280, 720), 100, nobody, turn) for turn in range(12)}) == 12


@given(st.integers(64, 4000), st.integers(64, 4000), st.sampled_from([16, 32, 64, 128, 512]))
def test_its_face_is_large_enough_to_be_looked_for_and_the_picture_mostly_free(
    width: int, height: int, min_face_px: int
) -> None:
    side_px = patch_side_px((width, height), min_face_px)
    assert side_px <= min(width, height)
    if side_px < min(width, height):
        assert FACE_SHARE * side_px >= 0.75 * min_face_px
    if side_px > 0.8 * min_face_px / FACE_SHARE + 1:
        assert side_px * side_px <= 0.12 * width * height


@pytest.mark.parametrize(
    "box", [(0, 0, 320, 240), (100, 60, 180, 140), (120, 70, 150, 100), (90, 130, 200, 200), (170, 0, 320, 61)]
)
def test_every_part_of_a_planted_picture_is_that_part_of_the_whole(box: tuple[int, int, int, int]) -> None:
    whole = np.array(picture().rgb((0, 0, *SIZE_WH), SIZE_WH))
    whole[60:140, 100:180] = canary_rgb(80)
    x0, y0, x1, y1 = box
    part = PlantedPicture(picture(), BOX).rgb(box, (x1 - x0, y1 - y0))
    assert (part == whole[y0:y1, x0:x1]).all()


def test_what_the_patch_does_not_touch_is_the_pictures_own_business() -> None:
    shown = picture()
    assert (PlantedPicture(shown, BOX).rgb((0, 0, 90, 50), (45, 25)) == shown.rgb((0, 0, 90, 50), (45, 25))).all()


def test_a_part_that_is_scaled_shows_the_patch_too() -> None:
    whole_px = PlantedPicture(picture(), BOX).rgb((80, 40, 200, 160), (120, 120)).astype(int)
    half_px = PlantedPicture(picture(), BOX).rgb((80, 40, 200, 160), (60, 60)).astype(int)
    averaged = whole_px.reshape(60, 2, 60, 2, 3).mean((1, 3))
    assert np.abs(half_px - averaged)[10:50, 10:50].mean() < 3


def test_its_brightness_is_in_the_gates_picture_and_the_decoders_own_is_left_alone() -> None:
    shown = picture()
    before: U8 = shown.luma.copy()
    luma = PlantedPicture(shown, BOX).luma
    assert (luma != before)[60:140, 100:180].mean() > 0.9
    luma = luma.copy()
    luma[60:140, 100:180] = before[60:140, 100:180]
    assert (luma == before).all()
    assert (shown.luma == before).all()


def test_a_planted_frame_is_the_same_frame_but_for_its_picture() -> None:
    frame = Frame(origin(OriginKind.FILE, "gate"), 3, 4, 5, picture())
    made = planted(frame, BOX)
    assert (made.origin, made.index, made.captured_at_ns, made.pts_ns) == (frame.origin, 3, 4, 5)
    assert made.size_wh == SIZE_WH
    assert "PlantedPicture" in repr(made.picture)


def test_the_drawing_is_the_same_each_time_and_its_origin_is_no_cameras() -> None:
    assert (canary_rgb(192) == canary_rgb(192)).all()
    assert canary_rgb(100).shape == (100, 100, 3)
    assert canary_origin("gate").kind is OriginKind.CANARY
