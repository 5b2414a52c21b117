from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from tests.strategies import still

from habeas.app import App
from habeas.clock import ManualClock
from habeas.errors import ImageError, InputError
from habeas.measure.dataset import Image, Maker, central_face, list_images, templates_of
from habeas.types import U8, OriginKind


def small(image: U8, longest: int = 400) -> Pillow.Image:
    picture = Pillow.fromarray(image)
    picture.thumbnail((longest, longest))
    return picture


def test_people_and_images_come_in_order_of_name(tmp_path: Path) -> None:
    for name in ("zoe/2.jpg", "zoe/10.PNG", "adam/1.jpeg", "adam/notes.txt", "loose.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    found = [(image.person, image.path.name) for image in list_images(tmp_path)]
    assert found == [("adam", "1.jpeg"), ("zoe", "10.PNG"), ("zoe", "2.jpg")]


def test_a_folder_that_is_not_laid_out_so_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        list_images(tmp_path / "none")
    (tmp_path / "loose.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="PERSON/IMAGE"):
        list_images(tmp_path)


def test_the_central_face_is_taken_not_the_largest(app: App, portraits: dict[str, U8]) -> None:
    canvas = np.full((400, 900, 3), 128, np.uint8)
    large, little = small(portraits["biden"], 390), small(portraits["obama"], 220)
    canvas[: large.height, : large.width] = np.asarray(large)
    left, top = 450 - little.width // 2, 220 - little.height // 2
    canvas[top : top + little.height, left : left + little.width] = np.asarray(little)
    face = central_face(still(canvas), app.detector(0.3))
    assert len(face) == 1
    assert left < face.boxes_xyxy_px[0, 0] < left + little.width
    assert len(central_face(still(np.full((90, 90, 3), 128, np.uint8)), app.detector(0.3))) == 0


def test_templates_are_in_order_and_images_without_a_face_are_named(
    app: App, portraits: dict[str, U8], tmp_path: Path, clock: ManualClock
) -> None:
    images = []
    for person, portrait in [("a", "obama"), ("b", None), ("c", "astronaut"), ("c", "astronaut")]:
        picture = small(portraits[portrait]) if portrait else Pillow.new("RGB", (200, 200))
        path = tmp_path / f"{len(images)}.png"
        picture.save(path)
        images.append(Image(person, path))
    maker = Maker.of(tmp_path, app.detector(0.3), app.templater, clock)
    told: list[int] = []
    data = templates_of(images, maker, told.append)
    assert data.people.tolist() == ["a", "c", "c"]
    assert data.missed == (images[1],)
    assert told == [1, 2, 3, 4]
    assert data.templates.origin is maker.origin
    assert maker.origin.kind is OriginKind.STILLS
    np.testing.assert_array_equal(data.templates.vectors[1], data.templates.vectors[2])
    with pytest.raises(InputError, match="no face in any image"):
        templates_of([images[1]], maker)
    (tmp_path / "1.png").write_bytes(b"not an image")
    with pytest.raises(ImageError):
        templates_of([images[1]], maker)
