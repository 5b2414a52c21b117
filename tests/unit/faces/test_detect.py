import numpy as np
import pytest
from PIL import Image
from tests.strategies import still

from habeas.app import App
from habeas.faces import Detector, Look
from habeas.faces.centerface import network_input
from habeas.types import F32, U8


class Maps:
    """A session that answers every picture with the same outputs, and remembers what it was given."""

    precision = "f32"

    def __init__(self, outputs: dict[str, F32]) -> None:
        self.outputs = outputs
        self.batches: list[F32] = []

    def infer(self, batch: F32) -> dict[str, F32]:
        self.batches.append(batch.copy())
        return self.outputs


def one_face(cell_yx: tuple[int, int], size_px: float) -> dict[str, F32]:
    channels = {"537": 1, "538": 2, "539": 2, "540": 10}
    outputs = {name: np.zeros((1, count, 16, 16), np.float32) for name, count in channels.items()}
    y, x = cell_yx
    outputs["537"][0, 0, y, x] = 0.9
    outputs["538"][0, :, y, x] = np.log(size_px / 4)
    outputs["540"][0, :, y, x] = np.ravel([(0.3, 0.3), (0.3, 0.7), (0.5, 0.5), (0.8, 0.35), (0.8, 0.65)])
    return outputs


NOISE = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)


def test_a_look_is_at_its_part_and_answers_in_pixels_of_the_frame() -> None:
    session = Maps(one_face((4, 6), 16.0))
    found = Detector(session, 0.5).detect(still(NOISE), [Look((40, 20, 168, 84), (64, 32))])
    (batch,) = session.batches
    assert batch.shape == (1, 3, 32, 64)
    np.testing.assert_array_equal(batch, network_input(still(NOISE).picture.rgb((40, 20, 168, 84), (64, 32))))
    # In the look: centre (26, 18), side 16. The look is at half scale and begins at (40, 20).
    np.testing.assert_allclose(found.boxes_xyxy_px, [[40 + 36, 20 + 20, 40 + 68, 20 + 52]], atol=1e-3)
    np.testing.assert_allclose(found.landmarks_xy_px[0, 2], [40 + 52, 20 + 36], atol=1e-3)


def test_without_a_look_the_whole_frame_is_seen_at_its_own_size() -> None:
    session = Maps(one_face((4, 6), 16.0))
    Detector(session, 0.5).detect(still(NOISE))
    np.testing.assert_array_equal(session.batches[0], network_input(NOISE))


@pytest.mark.parametrize(("least", "count"), [(0, 1), (15.9, 1), (16.1, 0)])
def test_narrower_faces_are_left_out(least: float, count: int) -> None:
    assert len(Detector(Maps(one_face((4, 6), 16.0)), 0.5).detect(still(NOISE), min_face_px=least)) == count


@pytest.mark.parametrize("name", ["537", "538", "539", "540"])
def test_a_network_that_answers_nan_finds_nobody(name: str) -> None:
    outputs = one_face((4, 6), 16.0)
    outputs[name][:] = np.nan
    assert len(Detector(Maps(outputs), 0.5).detect(still(NOISE))) == 0


def test_a_network_that_answers_huge_numbers_breaks_nothing() -> None:
    outputs = one_face((4, 6), 16.0)
    outputs["538"][0, :, 4, 6] = 1e30
    found = Detector(Maps(outputs), 0.5).detect(still(NOISE))
    assert np.isfinite(found.boxes_xyxy_px).all()


# --- real pictures --------------------------------------------------------------------------------------------------


def reduced(image: U8, longest: int) -> Look:
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(width, height))
    return Look((0, 0, width, height), (round(width * scale), round(height * scale)))


def test_each_portrait_has_a_face_where_a_face_can_be(app: App, portraits: dict[str, U8]) -> None:
    for name, image in portraits.items():
        found = app.detector().detect(still(image), [reduced(image, 640)])
        assert len(found), name
        box, landmarks = found.boxes_xyxy_px[0], found.landmarks_xy_px[0]
        height, width = image.shape[:2]
        assert -5 < box[0] < box[2] < width + 5, name
        assert -5 < box[1] < box[3] < height * 0.9, name
        assert ((landmarks > box[:2]) & (landmarks < box[2:])).all(), name
        left, right, nose, mouth_left, mouth_right = landmarks
        assert left[0] < right[0], name
        assert mouth_left[0] < mouth_right[0], name
        assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1]), name
        assert found.quality[0] > 0.3, name


def test_the_astronauts_eyes_are_where_they_are(app: App, portraits: dict[str, U8]) -> None:
    found = app.detector().detect(still(portraits["astronaut"]))
    # Pupils and the tip of the nose, read off the enlarged picture by eye.
    np.testing.assert_allclose(found.landmarks_xy_px[0, :3], [[203.5, 101], [247.5, 103], [224, 126]], atol=3)


def test_a_picture_moved_moves_its_face(app: App, portraits: dict[str, U8]) -> None:
    image = portraits["astronaut"]
    moved = np.pad(image, ((32, 0), (64, 0), (0, 0)))
    before, after = (app.detector().detect(still(picture)) for picture in (image, moved))
    np.testing.assert_allclose(after.landmarks_xy_px[0] - before.landmarks_xy_px[0], [[64, 32]] * 5, atol=1.5)


def test_a_mirrored_picture_has_the_mirrored_face(app: App, portraits: dict[str, U8]) -> None:
    image = portraits["astronaut"]
    before, after = (app.detector().detect(still(picture)) for picture in (image, image[:, ::-1].copy()))
    width = image.shape[1]
    box = before.boxes_xyxy_px[0]
    np.testing.assert_allclose(after.boxes_xyxy_px[0], [width - box[2], box[1], width - box[0], box[3]], atol=5)
    eyes = before.landmarks_xy_px[0, [1, 0]]
    np.testing.assert_allclose(after.landmarks_xy_px[0, :2, 0], width - eyes[:, 0], atol=4)


def test_two_people_are_two_faces(app: App, portraits: dict[str, U8]) -> None:
    sides = [np.asarray(Image.fromarray(portraits[name]).resize((320, 400))) for name in ("obama", "biden")]
    found = app.detector().detect(still(np.concatenate(sides, axis=1)))
    assert len(found) == 2
    assert sorted((found.boxes_xyxy_px[:, 0] > 300).tolist()) == [False, True]


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_nobody(app: App, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (256, 256, 3), np.uint8)
    assert len(app.detector().detect(still(image))) == 0
    assert len(app.detector().detect(still(np.full((64, 96, 3), 120, np.uint8)))) == 0


def test_a_picture_of_one_pixel_is_nobody(app: App) -> None:
    assert len(app.detector().detect(still(np.zeros((1, 1, 3), np.uint8)))) == 0
