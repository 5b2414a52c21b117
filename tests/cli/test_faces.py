"""The picture that a reviewer looks at: what is where in it, and where it lies."""

import io
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from habeas.cli.faces import TILE_PX, drop, drop_all, keep_for_now, side_by_side
from habeas.errors import ImageError, InputError, UsageError


def plain(color: str, size_wh: tuple[int, int] = (64, 64), kind: str = "PNG") -> bytes:
    """An image file of one colour."""
    with io.BytesIO() as file:
        Image.new("RGB", size_wh, color).save(file, kind)
        return file.getvalue()


def drawn(references: list[bytes], face: bytes) -> Image.Image:
    return Image.open(io.BytesIO(side_by_side(references, face))).convert("RGB")


def where(picture: Image.Image, color: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(h, w) bool: where a colour is."""
    return (np.asarray(picture) == color).all(axis=2)


def leftmost(picture: Image.Image, color: tuple[int, int, int]) -> int:
    """The first column, px, in which a colour is."""
    return int(where(picture, color).any(axis=0).argmax())


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("references", [1, 2, 3, 4, 20])
def test_the_references_are_left_and_the_live_face_right(references: int) -> None:
    picture = drawn([plain("red")] * references, plain("blue", (400, 300)))
    assert leftmost(picture, RED) < TILE_PX
    assert leftmost(picture, BLUE) == 12 + min(references, 3) * (TILE_PX + 12)
    assert where(picture, RED).sum() == references * TILE_PX * TILE_PX, "each is whole"


def test_a_large_picture_fits_its_tile() -> None:
    picture = drawn([plain("red", (2000, 500))], plain("blue", (8, 8)))
    assert picture.size[0] == 12 + 2 * (TILE_PX + 12)


@pytest.mark.parametrize("data", [b"", b"no image", plain("red")[:60]])
def test_what_is_no_image_is_said(data: bytes) -> None:
    with pytest.raises(ImageError):
        side_by_side([data], plain("blue"))


@pytest.mark.parametrize("session", [True, False])
def test_it_lies_with_its_user_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: bool) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("run" if session else "not there")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = keep_for_now("oli", "alert-1", plain("red"))
    assert path.is_relative_to(tmp_path / ("run" if session else "cache"))
    assert keep_for_now("oli", "alert-1", plain("blue")) == path, "in place of the older one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    other = keep_for_now("ava", "alert-1", plain("red"))
    drop("oli", "alert-1")
    drop("oli", "alert-1")
    assert (path.exists(), other.exists()) == (False, True)
    drop_all("ava")
    drop_all("ava")
    assert not other.exists()


def test_no_name_leads_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    victim = tmp_path / "victim.png"
    victim.touch()
    drop("oli", "../../../victim")
    assert victim.exists()
    with pytest.raises(InputError):
        keep_for_now("oli", "../victim", b"")
    with pytest.raises(UsageError):
        drop_all("../..")
