import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.faces.centerface import decode, network_input
from habeas.types import F32

Maps = dict[str, F32]


def maps(height: int = 16, width: int = 20) -> Maps:
    """Outputs without a face, at stride 4."""
    channels = {"537": 1, "538": 2, "539": 2, "540": 10}
    return {name: np.zeros((1, count, height, width), np.float32) for name, count in channels.items()}


def put(
    outputs: Maps,
    cell_yx: tuple[int, int],
    score: float,
    size_hw: tuple[float, float],
    offset_yx: tuple[float, float] = (0.0, 0.0),
    points_yx: list[tuple[float, float]] | None = None,
) -> None:
    """Write one face as the network does: log sizes, offsets, landmarks in units of the box."""
    y, x = cell_yx
    outputs["537"][0, 0, y, x] = score
    outputs["538"][0, :, y, x] = np.log(np.array(size_hw) / 4)
    outputs["539"][0, :, y, x] = offset_yx
    outputs["540"][0, :, y, x] = np.ravel(points_yx or [(0.5, 0.5)] * 5)


def test_one_peak_gives_the_box_and_landmarks_of_the_formulas() -> None:
    outputs = maps()
    points = [(0.3, 0.2), (0.31, 0.8), (0.55, 0.5), (0.75, 0.3), (0.76, 0.7)]
    put(outputs, (6, 9), 0.8, (24.0, 18.0), (0.25, -0.1), points)
    boxes, scores, landmarks = decode(outputs, 0.5)
    x0, y0 = (9 - 0.1 + 0.5) * 4 - 9, (6 + 0.25 + 0.5) * 4 - 12
    np.testing.assert_allclose(boxes, [[x0, y0, x0 + 18, y0 + 24]], rtol=1e-5)
    np.testing.assert_allclose(scores, [0.8], rtol=1e-6)
    np.testing.assert_allclose(landmarks[0], [(x * 18 + x0, y * 24 + y0) for y, x in points], rtol=1e-5)
    assert [array.dtype for array in (boxes, scores, landmarks)] == [np.float32] * 3


def test_the_landmarks_keep_their_order() -> None:
    outputs = maps()
    put(outputs, (8, 10), 0.9, (40.0, 40.0), points_yx=[(0.3, 0.2), (0.3, 0.8), (0.5, 0.5), (0.8, 0.3), (0.8, 0.7)])
    left, right, nose, mouth_left, mouth_right = decode(outputs, 0.5)[2][0]
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert left[1] < nose[1] < mouth_left[1]


def test_the_score_must_be_exceeded() -> None:
    outputs = maps()
    put(outputs, (3, 3), 0.5, (8.0, 8.0))
    assert len(decode(outputs, 0.5)[0]) == 0
    assert len(decode(outputs, 0.49)[0]) == 1


def test_of_two_peaks_on_one_face_the_better_stays_and_faces_apart_both_do() -> None:
    outputs = maps()
    put(outputs, (6, 6), 0.7, (24.0, 24.0))
    put(outputs, (6, 7), 0.9, (24.0, 24.0))
    put(outputs, (6, 16), 0.6, (24.0, 24.0))
    boxes, scores, landmarks = decode(outputs, 0.5)
    np.testing.assert_allclose(scores, [0.9, 0.6], rtol=1e-6)
    np.testing.assert_allclose(boxes[:, 0], [7.5 * 4 - 12, 16.5 * 4 - 12], rtol=1e-5)
    np.testing.assert_allclose(landmarks[:, 2, 0], [30, 66], rtol=1e-5)


def test_no_peak_gives_empty_arrays_of_the_right_shape() -> None:
    boxes, scores, landmarks = decode(maps(), 0.5)
    assert (boxes.shape, scores.shape, landmarks.shape) == ((0, 4), (0,), (0, 5, 2))


@pytest.mark.parametrize("name", ["538", "539", "540"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_cell_that_is_no_number_is_no_face_and_hides_none(name: str, value: float) -> None:
    outputs = maps()
    put(outputs, (3, 3), 0.9, (12.0, 12.0))
    put(outputs, (10, 14), 0.6, (12.0, 12.0))
    outputs[name][0, 0, 3, 3] = value
    boxes, scores, landmarks = decode(outputs, 0.5)
    np.testing.assert_allclose(scores, [0.6], rtol=1e-6)
    assert np.isfinite(boxes).all()
    assert np.isfinite(landmarks).all()


def test_a_heat_map_of_nan_holds_no_face() -> None:
    outputs = maps()
    outputs["537"][:] = np.nan
    assert len(decode(outputs, 0.3)[0]) == 0


@PROPERTY
@given(height=st.integers(1, 130), width=st.integers(1, 130))
def test_the_networks_input_is_the_picture_padded_with_black(height: int, width: int) -> None:
    image = np.random.default_rng(height * 200 + width).integers(1, 256, (height, width, 3), np.uint8)
    batch = network_input(image)
    assert batch.dtype == np.float32
    assert batch.shape[:2] == (1, 3)
    assert all(
        side % 32 == 0 and 0 <= side - given < 32 for side, given in zip(batch.shape[2:], image.shape, strict=False)
    )
    for channel in range(3):
        np.testing.assert_array_equal(batch[0, channel, :height, :width], image[..., channel])
    assert batch.sum() == image.sum(dtype=np.float64)
