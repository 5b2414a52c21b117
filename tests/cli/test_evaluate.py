"""`habeas evaluate` on a small folder of invented people."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Habeas, empty_street

from habeas.app import App
from habeas.measure.dataset import Maker, central_face
from habeas.measure.degrade import Conditions, degraded
from habeas.measure.heads import cut_out
from habeas.measure.strangers import strangers
from habeas.types import U8, Frame
from habeas.video import ArrayPicture

OPEN_SET = ["protocol", "gallery", "mates", "nonmates", "rank1", "fnir"]
MISS = ["fpir", "fnir", "low", "high", "fnir_by_identity"]
IMAGES = (2, 3, 2, 1, 1, 1)


@pytest.fixture(scope="session")
def people(app: App, portraits: Mapping[str, U8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six invented people: three with several images, three with one."""
    folder = tmp_path_factory.mktemp("people")
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    heads = {}
    for name, image_rgb in portraits.items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
        heads[name] = cut_out(image_rgb, face.landmarks_xy_px[0])
    conditions = Conditions(face_px=100, gamma=1.0, gain=1.0, blur_px=0.3, noise=2.0, jpeg=85)
    for number, head in enumerate(strangers(heads, len(IMAGES), seed=8)):
        person = folder / f"person-{number}"
        person.mkdir()
        alpha = head.image_rgba[..., 3:] / 255
        still = np.pad((head.image_rgba[..., :3] * alpha + 110 * (1 - alpha)).astype(np.uint8), ((20,), (40,), (0,)))
        for shot in range(IMAGES[number]):
            rng = np.random.default_rng([number, shot])
            Image.fromarray(degraded(still, 118, conditions, rng)).save(person / f"{shot}.png")
    (folder / "notes.txt").write_text("not a person")
    return folder


def test_open_set_in_json(habeas: Habeas, people: Path) -> None:
    ran = habeas("evaluate", "open-set", people, "--json")
    assert ran.status == 0
    (result,) = ran.events
    assert list(result)[: len(OPEN_SET)] == OPEN_SET
    assert result["protocol"] == "open-set"
    assert (result["gallery"], result["mates"], result["nonmates"]) == (3, 4, 3)
    assert 0.5 <= result["rank1"] <= 1
    assert [miss["fpir"] for miss in result["fnir"]] == [0.1, 0.03, 0.01, 0.003]
    for miss in result["fnir"]:
        assert list(miss)[: len(MISS)] == MISS
        assert 0 <= miss["low"] <= miss["fnir"] <= miss["high"] <= 1
        assert 0 <= miss["fnir_by_identity"] <= 1


def test_open_set_for_people_and_its_curve(habeas: Habeas, people: Path, tmp_path: Path) -> None:
    ran = habeas("evaluate", "open-set", people, "--plot", tmp_path / "det.png")
    assert ran.status == 0
    assert "gallery 3, mates 4, non-mates 3" in ran.out
    with Image.open(tmp_path / "det.png") as image:
        assert image.format == "PNG"


def test_pairs(habeas: Habeas, people: Path) -> None:
    (result,) = habeas("evaluate", "pairs", people, "--json").events
    assert result["protocol"] == "pairs"
    assert result["pairs"] == 6000
    assert result["accuracy"] > 0.8
    assert {far for far, _ in result["tar"]} == {0.01, 0.001}
    told = habeas("evaluate", "pairs", people)
    assert told.status == 0
    assert "accuracy" in told.out


@pytest.mark.rule("W8")
def test_measuring_writes_nothing(
    habeas: Habeas, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(people.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert habeas("evaluate", "pairs", people, "--json").status == 0
    assert sorted(people.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", ["pairs", "open-set", "calibrate"])
def test_folders_that_will_not_do(habeas: Habeas, tmp_path: Path, protocol: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "flat").mkdir()
    Image.fromarray(empty_street(1)).save(tmp_path / "flat" / "1.png")
    (tmp_path / "file").touch()
    for name, said in (
        ("missing", "no such folder"),
        ("file", "no such folder"),
        ("empty", "PERSON/IMAGE"),
        ("flat", "PERSON/IMAGE"),
    ):
        ran = habeas("evaluate", protocol, tmp_path / name, "--json")
        assert (ran.status, ran.error["kind"]) == (4, "input")
        assert name in ran.error["message"]
        assert said in ran.error["message"]
        assert ran.error["remedy"]


@pytest.mark.parametrize("protocol", ["pairs", "open-set"])
def test_people_of_whom_no_face_is_found(habeas: Habeas, tmp_path: Path, protocol: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(empty_street(1)).save(tmp_path / name / "1.png")
    ran = habeas("evaluate", protocol, tmp_path, "--json")
    assert (ran.status, ran.error["kind"]) == (4, "input")


@pytest.mark.parametrize("protocol", ["pairs", "open-set"])
def test_one_person_is_not_enough(habeas: Habeas, people: Path, tmp_path: Path, protocol: str) -> None:
    (tmp_path / "person-1").symlink_to(people / "person-1")
    ran = habeas("evaluate", protocol, tmp_path, "--json")
    assert (ran.status, ran.error["kind"]) == (4, "input")
    assert "need" in ran.error["message"]


@pytest.mark.parametrize("protocol", ["pairs", "open-set"])
def test_an_unreadable_image_is_named(habeas: Habeas, people: Path, tmp_path: Path, protocol: str) -> None:
    for person in people.glob("person-*"):
        (tmp_path / person.name).symlink_to(person)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.jpg").write_bytes(b"\xff\xd8\xff no picture")
    ran = habeas("evaluate", protocol, tmp_path, "--json")
    assert (ran.status, ran.error["kind"]) == (4, "image")
    assert "broken/1.jpg" in ran.error["message"]


def test_pairs_all_of_whose_faces_of_two_people_are_lost(habeas: Habeas, people: Path, tmp_path: Path) -> None:
    """One person keeps faces, the other has none: no pair of two people is left."""
    (tmp_path / "person-1").symlink_to(people / "person-1")
    (tmp_path / "street").mkdir()
    Image.fromarray(empty_street(1)).save(tmp_path / "street" / "1.png")
    ran = habeas("evaluate", "pairs", tmp_path, "--json")
    assert (ran.status, ran.error["kind"]) == (4, "input")


@pytest.mark.parametrize("command", [["open-set", "--plot"], ["calibrate", "--out"]], ids=" ".join)
def test_an_output_below_a_file_is_a_disk_error(
    habeas: Habeas, people: Path, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "file").touch()
    protocol, option = command
    ran = habeas("evaluate", protocol, people, option, tmp_path / "file" / "x.png", "--json")
    assert (ran.status, ran.error["kind"]) == (6, "disk")
