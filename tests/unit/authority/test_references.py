import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests import strategies
from tests.strategies import still

from habeas.app import App
from habeas.authority import Reference, make_reference
from habeas.authority.references import MIN_EYES_PX, MIN_SCORE, MIN_SHARPNESS, NOSE_BETWEEN, Subject, look_alikes
from habeas.errors import InputError, ReferenceRefused
from habeas.faces import Detector
from habeas.types import F32, U8


def enrolled(app: App, image: U8) -> Reference:
    return make_reference("ada.jpg", still(image), app.detector(), app.templater)


def resized(image: U8, factor: float) -> U8:
    height, width = image.shape[:2]
    return np.asarray(Image.fromarray(image).resize((round(width * factor), round(height * factor))))


def refused(app: App, image: U8) -> str:
    """Why an image is refused; the message names it, and there is a remedy."""
    with pytest.raises(ReferenceRefused) as error:
        enrolled(app, image)
    assert error.value.message.startswith("ada.jpg: ")
    assert "\n" not in error.value.message
    assert error.value.remedy
    return error.value.message


def test_each_portrait_may_become_a_reference(app: App, portraits: dict[str, U8]) -> None:
    for name, image in portraits.items():
        reference = enrolled(app, image)
        assert reference.model_id == app.pack.model_id, name
        np.testing.assert_allclose(np.linalg.norm(reference.vector), 1, atol=1e-5)


def test_two_photographs_of_one_person_agree(app: App, portraits: dict[str, U8]) -> None:
    one, two, other = (enrolled(app, portraits[name]).vector for name in ("obama", "obama-2", "biden"))
    assert one @ two > 0.5 > one @ other


def test_no_face(app: App) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    assert "no face" in refused(app, noise)
    assert "no face" in refused(app, np.zeros((1, 1, 3), np.uint8))


def test_two_faces(app: App, portraits: dict[str, U8]) -> None:
    both = [np.asarray(Image.fromarray(portraits[name]).resize((400, 500))) for name in ("obama", "biden")]
    assert "2 faces" in refused(app, np.concatenate(both, axis=1))


def test_a_passer_by_far_behind_does_not_count(app: App, portraits: dict[str, U8]) -> None:
    image = portraits["obama"].copy()
    small = np.asarray(Image.fromarray(portraits["biden"]).resize((100, 125)))
    image[:125, :100] = small
    enrolled(app, image)


def test_too_small(app: App, portraits: dict[str, U8]) -> None:
    astronaut = portraits["astronaut"]
    enrolled(app, astronaut)
    message = refused(app, resized(astronaut, 0.6))
    assert "too small" in message
    assert f"{MIN_EYES_PX:.0f} needed" in message


def test_too_blurred(app: App, portraits: dict[str, U8]) -> None:
    image = Image.fromarray(resized(portraits["grace-hopper"], 1.5)).filter(ImageFilter.GaussianBlur(9))
    assert "too blurred" in refused(app, np.asarray(image))


def test_turned_away(app: App, portraits: dict[str, U8]) -> None:
    """A face turned away has its nose beside the middle: one half of the picture is squeezed, the other stretched."""
    image = resized(portraits["grace-hopper"], 1.5)
    found = app.detector().detect(still(image))
    nose = round(float(found.landmarks_xy_px[0, 2, 0]))
    height, width = image.shape[:2]
    left = np.asarray(Image.fromarray(image[:, :nose]).resize((round(nose * 0.3), height)))
    right = np.asarray(Image.fromarray(image[:, nose:]).resize((round((width - nose) * 1.5), height)))
    assert "turned away" in refused(app, np.concatenate([left, right], axis=1))


class Pose:
    """A detector's network that sees one frontal face, its nose where told."""

    precision = "f32"

    def __init__(self, nose: float, score: float = 0.9, share: float = 0.5) -> None:
        self.share = share
        self.nose = nose
        self.score = score

    def infer(self, batch: F32) -> dict[str, F32]:
        high, wide = (side // 4 for side in batch.shape[2:])
        channels = {"537": 1, "538": 2, "539": 2, "540": 10}
        outputs = {name: np.zeros((1, count, high, wide), np.float32) for name, count in channels.items()}
        y, x = high // 2, wide // 2
        outputs["537"][0, 0, y, x] = self.score
        outputs["538"][0, :, y, x] = np.log(self.share * wide)  # the same share of the picture at every scale
        points = [(0.4, 0.25), (0.4, 0.75), (0.6, 0.25 + 0.5 * self.nose), (0.8, 0.35), (0.8, 0.65)]
        outputs["540"][0, :, y, x] = np.ravel(points)
        return outputs


@pytest.mark.parametrize(("nose", "accepted"), [(0.0, False), (0.2, False), (0.3, True), (0.7, True), (0.8, False)])
def test_the_nose_must_stand_in_the_middle_half(app: App, nose: float, accepted: bool) -> None:
    sharp = still(np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8))
    detector = Detector(Pose(nose), 0.3)
    if accepted:
        make_reference("x", sharp, detector, app.templater)
        return
    with pytest.raises(ReferenceRefused, match="turned away"):
        make_reference("x", sharp, detector, app.templater)


def test_a_face_that_the_detector_doubts_is_none(app: App) -> None:
    sharp = still(np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8))
    with pytest.raises(ReferenceRefused, match="no face"):
        make_reference("x", sharp, Detector(Pose(0.5, score=0.49), 0.3), app.templater)


def test_the_gate_is_the_products() -> None:
    """product.md, "Authorisation"."""
    assert (MIN_SCORE, MIN_EYES_PX, NOSE_BETWEEN) == (0.5, 32.0, (0.25, 0.75))
    assert MIN_SHARPNESS > 0


@pytest.mark.parametrize("bad", [np.zeros(4), np.full(4, np.nan), np.ones(4)])
def test_a_vector_that_is_no_template_is_no_reference(bad: F32) -> None:
    with pytest.raises(InputError):
        Reference(bad.astype(np.float32), "m")


def test_a_face_wider_than_nine_tenths_of_the_picture_is_refused(app: App) -> None:
    sharp = still(np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8))
    make_reference("x", sharp, Detector(Pose(0.5, share=0.85), 0.3), app.templater)
    with pytest.raises(ReferenceRefused, match="fills the whole picture"):
        make_reference("x", sharp, Detector(Pose(0.5, share=0.95), 0.3), app.templater)


# --- look-alikes ----------------------------------------------------------------------------------------------------


def subject(name: str, *vectors: F32) -> Subject:
    return Subject(name, tuple(Reference(vector, "m") for vector in vectors))


def test_the_same_face_under_two_names_is_found_whichever_picture_shows_it() -> None:
    rng = np.random.default_rng(0)
    a, b, c, d = strategies.unit_rows(rng, 4, 64)
    near = (a + 0.3 * b) / np.linalg.norm(a + 0.3 * b)
    people = [subject("one", b, a), subject("two", c), subject("three", d, near.astype(np.float32))]
    ((one, other, similarity),) = look_alikes(people, 0.5)
    assert {one, other} == {"one", "three"}
    assert similarity == pytest.approx(float(a @ near), abs=1e-5)
    assert look_alikes(people, 0.99) == []


def test_neither_shows_what_it_holds() -> None:
    person = subject("Erika Mustermann", np.full(4, 0.5, np.float32))
    assert "Erika" not in repr(person)
    assert "0.5" not in repr(person) + repr(person.references)
