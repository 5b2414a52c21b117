from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from habeas.errors import ImageError, InputError
from habeas.measure.portraits import PORTRAITS, load_faces_dir, load_portraits


def save(path: Path, colour: tuple[int, int, int], mode: str = "RGB") -> None:
    Image.new("RGB", (12, 10), colour).convert(mode).save(path)


def test_every_portrait_is_pinned_and_says_where_it_is_from() -> None:
    assert len({p.portrait_id for p in PORTRAITS}) == len({p.file.name for p in PORTRAITS}) == len(PORTRAITS)
    for portrait in PORTRAITS:
        assert len(portrait.file.sha256) == 64
        assert portrait.file.size > 0
        assert "==" in portrait.file.requirement
        assert portrait.source
        assert portrait.terms


def test_the_documentation_lists_every_portrait() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "portraits.md").read_text(encoding="utf-8")
    for portrait in PORTRAITS:
        assert f"`{portrait.portrait_id}`" in page


def test_portraits_are_read_in_order(tmp_path: Path) -> None:
    for shade, portrait in enumerate(PORTRAITS):
        save(tmp_path / portrait.file.name, (shade * 20, 0, 0))
    images = load_portraits(tmp_path)
    assert list(images) == [p.portrait_id for p in PORTRAITS]
    assert all(image.shape == (10, 12, 3) and image.dtype == np.uint8 for image in images.values())


def test_a_missing_portrait_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"astronaut\.png"):
        load_portraits(tmp_path)


def test_a_folder_of_faces_is_named_by_its_files(tmp_path: Path) -> None:
    save(tmp_path / "zoe.png", (1, 2, 3))
    save(tmp_path / "adam.jpg", (200, 2, 3), mode="CMYK")
    (tmp_path / "notes.txt").write_text("not an image")
    faces = load_faces_dir(tmp_path)
    assert list(faces) == ["adam", "zoe"]
    assert faces["zoe"][0, 0].tolist() == [1, 2, 3]


def test_an_unusable_folder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    twice = tmp_path / "twice"
    twice.mkdir()
    save(twice / "eve.png", (0, 0, 0))
    save(twice / "eve.jpg", (0, 0, 0))
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "bob.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    for name in ("twice", "broken", "empty", "absent"):
        with pytest.raises(InputError) as caught:
            load_faces_dir(tmp_path / name)
        assert caught.value.remedy, name
