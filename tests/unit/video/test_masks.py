"""Privacy masks: what is under one is grey in everything, and changes nothing in anything."""

import math

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY, seeds, still

from habeas.app import App
from habeas.errors import InputError
from habeas.faces import Look
from habeas.types import U8, Picture
from habeas.video import ArrayPicture
from habeas.video.masks import GREY, Mask, MaskedPicture, masked
from habeas.video.picture import DecodedPicture

SIZE_WH = (160, 120)
Planes = tuple[U8, U8, U8]


def picture_of(planes: Planes) -> DecodedPicture:
    """A decoded frame with these planes (4:2:0)."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = values
        plane.update(rows)  # type: ignore[arg-type]  # any buffer will do
    return DecodedPicture(frame, VideoReformatter())


def noise(rng: np.random.Generator, size_wh: tuple[int, int]) -> Planes:
    width, height = size_wh
    half = -(-height // 2), -(-width // 2)
    y, u, v = (rng.integers(16, 236, shape, np.uint8) for shape in ((height, width), half, half))
    return y, u, v


def hidden_changed(planes: Planes, masks: list[Mask], rng: np.random.Generator) -> Planes:
    """The same planes with other values under the masks: every pixel that one touches, with its colour sample."""
    height, width = planes[0].shape
    y, u, v = (plane.copy() for plane in planes)
    for mask in masks:
        x0, y0 = (math.floor(low * length / 2) * 2 for low, length in ((mask.x0, width), (mask.y0, height)))
        x1, y1 = (
            min(math.ceil(high * length / 2) * 2, length) for high, length in ((mask.x1, width), (mask.y1, height))
        )
        y[y0:y1, x0:x1] = rng.integers(0, 256, (y1 - y0, x1 - x0))
        for plane in (u, v):
            part = plane[y0 // 2 : -(-y1 // 2), x0 // 2 : -(-x1 // 2)]
            part[:] = rng.integers(0, 256, part.shape)
    return y, u, v


def painted(image_rgb: U8, masks: list[Mask]) -> U8:
    """The oracle: paint every pixel that a mask touches, one at a time, widened to even edges and two pixels more."""
    image = image_rgb.copy()
    height, width = image.shape[:2]
    for mask in masks:
        for y in range(height):
            for x in range(width):
                left, top = x - x % 2, y - y % 2
                wide = left + 4 > mask.x0 * width and left - 2 < mask.x1 * width
                tall = top + 4 > mask.y0 * height and top - 2 < mask.y1 * height
                if wide and tall:
                    image[y, x] = 51
    return image


@st.composite
def a_mask(draw: st.DrawFn) -> Mask:
    edges = st.floats(0, 1, width=32)
    low_x, high_x = sorted((draw(edges), draw(edges)))
    low_y, high_y = sorted((draw(edges), draw(edges)))
    return Mask(low_x * 0.99, low_y * 0.99, max(high_x, low_x * 0.99 + 0.01), max(high_y, low_y * 0.99 + 0.01))


masks_drawn = st.lists(a_mask(), min_size=1, max_size=3)


@st.composite
def a_box(draw: st.DrawFn, size_wh: tuple[int, int] = SIZE_WH) -> tuple[int, int, int, int]:
    width, height = size_wh
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))


sizes = st.tuples(st.integers(1, 200), st.integers(1, 200))


# --- the rectangle ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edges",
    [
        (-0.1, 0, 1, 1),
        (0, -0.001, 1, 1),
        (0, 0, 1.001, 1),
        (0, 0, 1, 2),
        (0.5, 0, 0.5, 1),
        (0, 0.6, 1, 0.5),
        (math.nan, 0, 1, 1),
        (0, 0, 1, math.nan),
        (0, 0, math.inf, 1),
    ],
)
def test_a_mask_is_a_part_of_the_picture(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError) as refused:
        Mask(*edges)
    assert refused.value.remedy


@given(a_mask(), st.tuples(st.integers(1, 4000), st.integers(1, 4000)))
@PROPERTY
def test_rounding_is_outwards_and_stays_inside(mask: Mask, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    x0, y0, x1, y1 = mask.box_xyxy_px(size_wh)
    assert 0 <= x0 <= mask.x0 * width
    assert 0 <= y0 <= mask.y0 * height
    assert mask.x1 * width <= x1 + 1e-9
    assert mask.y1 * height <= y1 + 1e-9
    assert x0 < x1 <= width
    assert y0 < y1 <= height
    assert mask.x0 * width - x0 < 4
    assert x1 - mask.x1 * width < 4


# --- the picture ------------------------------------------------------------------------------------------------------


@given(masks_drawn, a_box(), seeds)
@PROPERTY
def test_a_cut_is_what_painting_first_gives(masks: list[Mask], box: tuple[int, int, int, int], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    x0, y0, x1, y1 = box
    covered = MaskedPicture(ArrayPicture(image), masks)
    np.testing.assert_array_equal(covered.rgb(box, (x1 - x0, y1 - y0)), painted(image, masks)[y0:y1, x0:x1])


@given(masks_drawn, a_box(), seeds)
@PROPERTY
def test_so_is_a_cut_of_a_decoded_picture(masks: list[Mask], box: tuple[int, int, int, int], seed: int) -> None:
    picture = picture_of(noise(np.random.default_rng(seed), SIZE_WH))
    x0, y0, x1, y1 = box
    whole = painted(picture.rgb((0, 0, *SIZE_WH), SIZE_WH), masks)
    found = MaskedPicture(picture, masks).rgb(box, (x1 - x0, y1 - y0))
    np.testing.assert_array_equal(found, whole[y0:y1, x0:x1])


@given(masks_drawn, a_box(), sizes, seeds)
@PROPERTY
def test_nothing_hidden_changes_anything(
    masks: list[Mask], box: tuple[int, int, int, int], size_wh: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planes = noise(rng, SIZE_WH)
    one, other = (MaskedPicture(picture_of(p), masks) for p in (planes, hidden_changed(planes, masks, rng)))
    np.testing.assert_array_equal(one.luma, other.luma)
    np.testing.assert_array_equal(one.rgb(box, size_wh), other.rgb(box, size_wh))


@pytest.mark.parametrize("size_wh", [(161, 121), (161, 120), (160, 121), (7, 5)])
def test_nor_where_the_picture_has_odd_sides(size_wh: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    masks = [Mask(0.35, 0.35, 1, 1), Mask(0, 0, 0.1, 0.2)]
    planes = noise(rng, size_wh)
    one, other = (MaskedPicture(picture_of(p), masks) for p in (planes, hidden_changed(planes, masks, rng)))
    for wanted in (size_wh, (40, 30), (300, 200)):
        np.testing.assert_array_equal(one.rgb((0, 0, *size_wh), wanted), other.rgb((0, 0, *size_wh), wanted))


def test_without_the_mask_it_would() -> None:
    rng = np.random.default_rng(1)
    planes, masks = noise(rng, SIZE_WH), [Mask(0.4, 0.4, 0.6, 0.6)]
    one, other = (picture_of(p) for p in (planes, hidden_changed(planes, masks, rng)))
    assert (one.rgb((0, 0, *SIZE_WH), (40, 30)) != other.rgb((0, 0, *SIZE_WH), (40, 30))).any()


class WithoutMargin(MaskedPicture):
    """The fault that odd sides are for: a mask that ends at the first even pixel."""

    def __init__(self, picture: Picture, masks: list[Mask]) -> None:
        super().__init__(picture, masks)
        self._boxes = tuple((x0 + 2, y0 + 2, x1 - 2, y1 - 2) for x0, y0, x1, y1 in self._boxes)


def test_colour_that_reaches_out_from_under_a_mask_is_noticed() -> None:
    rng = np.random.default_rng(1)
    planes, masks = noise(rng, (161, 121)), [Mask(0.4, 0.4, 0.6, 0.6)]
    one, other = (WithoutMargin(picture_of(p), masks) for p in (planes, hidden_changed(planes, masks, rng)))
    whole = (0, 0, 161, 121)
    assert (one.rgb(whole, (161, 121)) != other.rgb(whole, (161, 121))).any()


class PaintsAfterScaling(MaskedPicture):
    """The fault that the test above is for: scaling first lets what is hidden bleed into its border."""

    def rgb(self, box_xyxy_px: tuple[int, int, int, int], size_wh: tuple[int, int]) -> U8:
        image = self._picture.rgb(box_xyxy_px, size_wh).copy()
        scale = np.array([*size_wh, *size_wh]) / np.array([*self.size_wh, *self.size_wh])
        for covered in self._boxes:
            (x0, y0, _, _), (_, _, x1, y1) = (rounded(np.array(covered) * scale) for rounded in (np.ceil, np.floor))
            image[int(y0) : int(y1), int(x0) : int(x1)] = GREY
        return image


def test_scaling_before_painting_is_noticed() -> None:
    rng = np.random.default_rng(1)
    planes, masks = noise(rng, SIZE_WH), [Mask(0.41, 0.41, 0.59, 0.59)]
    one, other = (PaintsAfterScaling(picture_of(p), masks) for p in (planes, hidden_changed(planes, masks, rng)))
    assert (one.rgb((0, 0, *SIZE_WH), (19, 13)) != other.rgb((0, 0, *SIZE_WH), (19, 13))).any()


@pytest.mark.parametrize("size_wh", [SIZE_WH, (80, 60), (53, 40), (37, 91), (320, 240), (411, 333)])
def test_scaled_the_inside_is_grey_and_the_outside_is_as_before(size_wh: tuple[int, int]) -> None:
    gradient = np.add.outer(np.arange(120), np.arange(160)).astype(np.float32)
    planes = (gradient * 0.7 + 20).astype(np.uint8), np.full((60, 80), 110, np.uint8), np.full((60, 80), 140, np.uint8)
    picture, mask = picture_of(planes), Mask(0.25, 0.25, 0.75, 0.75)
    plain = picture.rgb((0, 0, *SIZE_WH), size_wh).astype(int)
    covered = MaskedPicture(picture, [mask]).rgb((0, 0, *SIZE_WH), size_wh).astype(int)
    assert covered.shape == (size_wh[1], size_wh[0], 3)
    centres_y, centres_x = (np.indices((size_wh[1], size_wh[0])) + 0.5) / np.array([[[size_wh[1]]], [[size_wh[0]]]])
    border = 0.06
    inside = (abs(centres_x - 0.5) < 0.25 - border) & (abs(centres_y - 0.5) < 0.25 - border)
    outside = (abs(centres_x - 0.5) > 0.25 + border) | (abs(centres_y - 0.5) > 0.25 + border)
    assert (covered[inside] == GREY).all()
    assert abs(covered[outside] - plain[outside]).max() <= 3


def test_brightness_is_grey_under_the_mask_and_untouched_elsewhere() -> None:
    planes = noise(np.random.default_rng(2), SIZE_WH)
    luma = MaskedPicture(picture_of(planes), [Mask(0.5, 0, 1, 0.5)]).luma
    assert (luma[:62, 78:] == 51).all()
    np.testing.assert_array_equal(luma[:, :78], planes[0][:, :78])
    np.testing.assert_array_equal(luma[62:], planes[0][62:])


def test_a_cut_that_no_mask_touches_is_the_pictures_own() -> None:
    picture = picture_of(noise(np.random.default_rng(2), SIZE_WH))
    covered = MaskedPicture(picture, [Mask(0.5, 0.5, 1, 1)])
    np.testing.assert_array_equal(covered.rgb((0, 0, 78, 58), (31, 17)), picture.rgb((0, 0, 78, 58), (31, 17)))


def test_the_wrapped_picture_is_not_painted() -> None:
    image = np.full((20, 20, 3), 200, np.uint8)
    picture = ArrayPicture(image)
    covered = MaskedPicture(picture, [Mask(0, 0, 1, 1)])
    assert (covered.rgb((0, 0, 20, 20), (20, 20)) == GREY).all()
    assert (covered.luma == GREY).all()
    assert (image == 200).all()
    assert (picture.luma == 200).all()


# --- the frame --------------------------------------------------------------------------------------------------------


def test_a_masked_frame_is_the_same_frame_otherwise() -> None:
    frame = still(np.zeros((20, 20, 3), np.uint8))
    covered = masked(frame, [Mask(0, 0, 0.5, 0.5)])
    assert (covered.origin, covered.index, covered.pts_ns, covered.size_wh) == (frame.origin, 0, 0, (20, 20))
    assert (covered.image_rgb[:12, :12] == GREY).all()
    assert covered.image_rgb[12:].max() == 0
    picture: Picture = covered.picture
    assert repr(picture) == "MaskedPicture(size_wh=(20, 20), masks=1)"
    assert masked(frame, []) is frame


def test_a_face_under_a_mask_is_not_found(app: App, portraits: dict[str, U8]) -> None:
    image = portraits["astronaut"]
    height, width = image.shape[:2]
    frame, look = still(image), Look((0, 0, width, height), (320, round(height * 320 / width)))
    (seen,) = app.detector().detect(frame, [look]).boxes_xyxy_px
    x0, y0, x1, y1 = (float(value) for value in seen)
    mask = Mask(max(0, x0 / width), max(0, y0 / height), min(1, x1 / width), min(1, y1 / height))
    for looks in ([look], [Look((0, 0, width, height), (width, height))]):
        assert len(app.detector().detect(masked(frame, [mask]), looks)) == 0
    elsewhere = Mask(0, 0.9, 1, 1)
    assert len(app.detector().detect(masked(frame, [elsewhere]), [look])) == 1
