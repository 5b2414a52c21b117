import numpy as np
import pytest
from PIL import Image, ImageDraw

from habeas.errors import InputError
from habeas.measure.heads import EYES_XY_PX, HEAD_SIZE_WH, Head
from habeas.measure.strangers import blend, strangers


def head(colour: tuple[int, int, int], behind: tuple[int, int, int] = (0, 0, 0), narrower_px: int = 0) -> Head:
    """An oval with eyes and a mouth, on transparent ground of the colour `behind`."""
    image = Image.new("RGBA", HEAD_SIZE_WH, (*behind, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((50 + narrower_px, 30, 190 - narrower_px, 240), fill=(*colour, 255))
    x, y = EYES_XY_PX
    points = np.array([(x - 28, y), (x + 28, y), (x, y + 29), (x - 23, y + 55), (x + 23, y + 55)], np.float32)
    for left, top in points[:2]:
        pen.ellipse((left - 8, top - 5, left + 8, top + 5), fill=(30, 30, 40, 255))
    pen.rectangle((x - 23, y + 51, x + 23, y + 59), fill=(150, 40, 50, 255))
    return Head(np.array(image), points)


HEADS = (head((210, 160, 130)), head((120, 80, 60)), head((230, 190, 170)))


def test_strangers_are_as_many_as_asked_for_and_repeatable() -> None:
    heads = {"a": head((220, 60, 60)), "b": head((90, 60, 40))}
    first, again = ([h.image_rgba for h in strangers(heads, 3, seed=5)] for _ in range(2))
    assert len(first) == 3
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])


def test_an_invented_face_is_decided_by_its_generator_alone() -> None:
    first, again, other = (blend(HEADS, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.image_rgba, again.image_rgba)
    assert np.array_equal(first.landmarks_xy_px, again.landmarks_xy_px)
    x, y = (round(c) for c in EYES_XY_PX)
    middle = np.s_[y - 30 : y + 80, x - 40 : x + 40, :3]
    assert np.abs(first.image_rgba[middle].astype(int) - other.image_rgba[middle]).mean() > 3


def test_invented_faces_differ_in_geometry_and_stay_on_the_canvas() -> None:
    faces = [blend(HEADS, np.random.default_rng(seed)) for seed in range(8)]
    points = np.stack([face.landmarks_xy_px for face in faces])
    assert points.std(axis=0).max() > 2
    assert (points > 0).all()
    assert (points < np.array(HEAD_SIZE_WH)).all()
    assert all(face.image_rgba[130, 120, 3] > 240 for face in faces)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_behind_a_head_does_not_show_in_the_face_invented_from_it(seed: int) -> None:
    dark, green = ((head((210, 160, 130), behind, 25), head((200, 150, 120))) for behind in ((0, 0, 0), (0, 255, 0)))
    first, other = (blend(pair, np.random.default_rng(seed)).image_rgba.astype(int) for pair in (dark, green))
    opaque = first[..., 3] > 250
    assert np.abs(first - other)[opaque].mean() < 1.5


def test_one_head_is_enough_and_none_is_refused() -> None:
    assert blend(HEADS[:1], np.random.default_rng(1)).image_rgba.any()
    with pytest.raises(InputError, match="none"):
        blend([], np.random.default_rng(1))
