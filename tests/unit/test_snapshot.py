"""The crop of an alert shows the person found and nobody beside them."""

import numpy as np
import pytest

from habeas.pipeline import _PAINT, snapshot
from habeas.types import Faces, Frame, OriginKind
from habeas.video import ArrayPicture
from habeas.video.edge import origin


def _frame() -> Frame:
    image_rgb = np.full((200, 300, 3), 200, np.uint8)
    image_rgb[60:120, 60:110] = (255, 0, 0)  # the one found
    image_rgb[60:120, 125:175] = (0, 255, 0)  # the neighbour
    return Frame(origin(OriginKind.STILLS, "street"), 0, 0, 0, ArrayPicture(image_rgb))


def _faces(*boxes: tuple[int, int, int, int]) -> Faces:
    n = len(boxes)
    ones = np.ones(n, np.float32)
    return Faces(np.array(boxes, np.float32), ones, np.zeros((n, 5, 2), np.float32), ones)


ME = (60, 60, 110, 120)
NEIGHBOUR = (125, 60, 175, 120)


def _greens(crop_rgb: np.ndarray) -> int:  # type: ignore[type-arg]
    return int(((crop_rgb[..., 1] > 230) & (crop_rgb[..., 0] < 100)).sum())


@pytest.mark.rule("N1")
def test_a_neighbour_is_painted_over() -> None:
    crop_rgb = snapshot(_frame(), _faces(ME, NEIGHBOUR), 0)
    assert _greens(crop_rgb) == 0
    assert (crop_rgb == _PAINT).all(axis=2).any()
    assert ((crop_rgb[..., 0] > 230) & (crop_rgb[..., 1] < 100)).sum() >= 50 * 60, "the one found is whole"


def test_control_the_margin_alone_would_show_the_neighbour() -> None:
    assert _greens(snapshot(_frame(), _faces(ME), 0)) > 0


@pytest.mark.parametrize("outside", [(-190, 60, -120, 120), (60, 300, 110, 400), (900, 900, 901, 901)])
def test_a_box_beside_the_picture_shows_nothing_and_breaks_nothing(outside: tuple[int, int, int, int]) -> None:
    crop_rgb = snapshot(_frame(), _faces(outside, ME), 0)
    assert crop_rgb.shape == (1, 1, 3)
    assert (crop_rgb == _PAINT).all()


@pytest.mark.parametrize("edge", [(-20, -20, 10, 10), (290, 190, 400, 300), (-50, -50, 400, 300), (299, 199, 300, 200)])
def test_a_box_at_the_edge_is_cut(edge: tuple[int, int, int, int]) -> None:
    crop_rgb = snapshot(_frame(), _faces(edge, ME), 0)
    assert 1 <= crop_rgb.shape[1] <= 256
    assert crop_rgb.shape[0] >= 1


def test_who_stands_in_front_stays_visible_inside_the_found_box_only() -> None:
    crop_rgb = snapshot(_frame(), _faces(ME, (100, 60, 150, 120)), 0)
    assert ((crop_rgb[..., 0] > 230) & (crop_rgb[..., 1] < 100)).sum() >= 50 * 60
