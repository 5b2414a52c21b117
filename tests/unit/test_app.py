import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from habeas.app import App
from habeas.clock import ManualClock
from habeas.errors import ImageError, InputError, ModelError, NetworkError, ReferenceRefused, RuleError
from habeas.models.manifest import CENTERFACE, DEFAULT_PACK, PackagedFile
from habeas.models.pull import Report
from habeas.settings import ModelSettings, Settings
from habeas.types import U8, GalleryView, Origin

NOWHERE = "http://127.0.0.1:9"


def nobody(_origin: Origin) -> GalleryView:
    raise AssertionError("nothing is compared here")


@pytest.mark.parametrize("fpir", [0.0, -1.0, 1.0001e-3, 0.5, float("nan")])
def test_nothing_is_compared_above_the_highest_fpir(app: App, fpir: float) -> None:
    with pytest.raises(RuleError) as refused:
        app.matcher(nobody, fpir)
    assert refused.value.rule == "fpir"
    assert app.matcher(nobody, 1e-3).fpir == 1e-3
    assert app.matcher(nobody).fpir == 1e-4


def test_each_run_counts_its_own_templates(app: App) -> None:
    assert app.stages().ledger is not app.stages().ledger


def test_images_are_enrolled_from_files_and_arrays(app: App, portraits: dict[str, U8], tmp_path: Path) -> None:
    Image.fromarray(portraits["astronaut"]).save(tmp_path / "a.png")
    people = app.enrol({"ada": [tmp_path / "a.png", portraits["astronaut"]], "joe": [portraits["biden"]]})
    assert [person.subject_id for person in people] == ["ada", "joe"]
    one, two = people[0].references
    np.testing.assert_allclose(one.vector, two.vector, atol=1e-5)
    assert one.model_id == app.pack.model_id


@pytest.mark.parametrize(("name", "images"), [("", ["a"]), ("  ", ["a"]), ("ada", [])])
def test_a_subject_needs_a_name_and_an_image(app: App, portraits: dict[str, U8], name: str, images: list[str]) -> None:
    with pytest.raises(InputError, match="name and an image"):
        app.enrol({name: [portraits["biden"] for _ in images]})


def test_what_is_wrong_with_an_image_names_it(app: App, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png"):
        app.enrol({"ada": [tmp_path / "none.png"]})
    Image.new("RGB", (300, 300)).save(tmp_path / "black.png")
    with pytest.raises(ReferenceRefused, match=r"black\.png: no face"):
        app.enrol({"ada": [tmp_path / "black.png"]})
    with pytest.raises(ReferenceRefused, match="ada: no face"):
        app.enrol({"ada": [np.zeros((300, 300, 3), np.uint8)]})
    with pytest.raises(ImageError, match="uint8"):
        app.enrol({"ada": [np.zeros((300, 300), np.uint8)]})


def test_what_is_missing_is_told_before_it_is_fetched(tmp_path: Path, settings: Settings) -> None:
    told: list[list[PackagedFile]] = []

    def before(files: list[PackagedFile]) -> Report:
        told.append(files)
        return lambda _progress: None

    shutil.copy(settings.models.folder / CENTERFACE.name, tmp_path)
    lonely = Settings(models=ModelSettings(folder=tmp_path, base_url=NOWHERE))
    with pytest.raises(NetworkError):
        App(lonely, ManualClock(), before_pull=before)
    assert told == [[file for file in DEFAULT_PACK.files if file is not CENTERFACE]]


def test_a_model_file_that_was_changed_is_never_loaded(tmp_path: Path, settings: Settings) -> None:
    for file in DEFAULT_PACK.files:
        shutil.copy(settings.models.folder / file.name, tmp_path)
    path = tmp_path / CENTERFACE.name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError):
        App(Settings(models=ModelSettings(folder=tmp_path, base_url=NOWHERE)))


def test_the_model_id_names_what_makes_templates(app: App) -> None:
    assert app.pack.model_id.startswith(DEFAULT_PACK.name)
    assert app.pack.model_id.endswith("-f32")
    assert app.pack.mobilefacenet.precision == app.pack.fr_feature.precision == "f32"
    assert app.templater.model_id == app.pack.model_id
