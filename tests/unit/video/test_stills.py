"""Still images, good and bad: every kind becomes 8-bit RGB, upright, or a one-line refusal."""

import io
import struct
import subprocess
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cameras import moving_pictures

from habeas.errors import ImageError, SourceError
from habeas.types import U8
from habeas.video import ArrayPicture, load_image, open_source
from habeas.video.image import MAX_PIXELS

RED, GREEN = (220, 20, 20), (20, 220, 20)


def halves(size_wh: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red on the left, green on the right."""
    image = Image.new("RGB", size_wh, RED)
    image.paste(GREEN, (size_wh[0] // 2, 0, *size_wh))
    return image


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def near(pixel: U8, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= 12)


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert caught.value.exit_code == 4
    assert caught.value.remedy
    return caught.value.message


# --- what is converted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif"])
def test_every_kind_becomes_rgb(tmp_path: Path, ending: str) -> None:
    image = load_image(saved(tmp_path / f"x.{ending}", halves()))
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    assert near(image[24, 8], RED)
    assert near(image[24, 56], GREEN)


@pytest.mark.parametrize(
    ("orientation", "red_at"), [(1, (24, 8)), (3, (24, 56)), (6, (8, 24)), (8, (56, 24)), (2, (24, 56))]
)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_the_rotation_in_exif_is_applied(
    tmp_path: Path, ending: str, orientation: int, red_at: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = load_image(saved(tmp_path / f"x.{ending}", halves(), exif=exif, quality=95))
    assert image.shape == ((64, 48, 3) if orientation in {6, 8} else (48, 64, 3))
    assert near(image[red_at], RED)


def test_cmyk(tmp_path: Path) -> None:
    image = load_image(saved(tmp_path / "x.jpg", halves().convert("CMYK"), quality=95))
    assert near(image[24, 8], RED)
    assert near(image[24, 56], GREEN)


def test_16_bit_grey_is_scaled_and_8_bit_values_in_it_are_not(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    image = load_image(saved(tmp_path / "x.png", Image.fromarray(ramp)))
    assert image.shape == (48, 64, 3)
    assert np.abs(image[..., 0].astype(int) - ramp // 257).max() <= 1
    image = load_image(saved(tmp_path / "x.tif", Image.fromarray(ramp)))
    assert np.abs(image[..., 0].astype(int) - ramp // 257).max() <= 1
    narrow = (ramp // 257).astype(np.uint16)
    image = load_image(saved(tmp_path / "y.png", Image.fromarray(narrow)))
    assert (image[..., 0] == narrow).all()


def test_float_images_with_gaps(tmp_path: Path) -> None:
    values = np.full((8, 8), 100.0, np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    path = saved(tmp_path / "x.tif", Image.fromarray(values))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(path).shape == (8, 8, 3)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = halves().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    for ending in ("png", "webp"):
        opaque = load_image(saved(tmp_path / f"x.{ending}", image, lossless=True))
        assert near(opaque[24, 8], (255, 255, 255))
        assert near(opaque[24, 56], GREEN)


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    palette = halves().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    assert near(load_image(saved(tmp_path / "x.png", palette))[24, 8], RED)
    red = int(np.asarray(palette)[24, 8])
    image = load_image(saved(tmp_path / "y.png", palette, transparency=red))
    assert near(image[24, 8], (255, 255, 255))
    assert near(image[24, 56], GREEN)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "YCbCr", "I", "F"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    image = load_image(saved(tmp_path / "x.tif", halves().convert("L").convert(mode)))
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)


def test_one_pixel_and_a_wrong_ending(tmp_path: Path) -> None:
    assert load_image(saved(tmp_path / "x.png", Image.new("RGB", (1, 1), RED))).tolist() == [[list(RED)]]
    saved(tmp_path / "y.jpg", halves(), quality=95).rename(tmp_path / "y.png")
    assert near(load_image(tmp_path / "y.png")[24, 8], RED)


def test_a_phone_photograph_with_a_second_picture_behind_it_is_not_animated(tmp_path: Path) -> None:
    saved(
        tmp_path / "x.jpg",
        halves(),
        format="MPO",
        save_all=True,
        append_images=[Image.new("RGB", (64, 48))],
        quality=95,
    )
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]
    assert near(load_image(tmp_path / "x.jpg")[24, 8], RED)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_no_image(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "x.png")
    assert "not a plain file" in refusal(tmp_path)
    for content in (b"", b"\0", b"hello" * 99, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"):
        (tmp_path / "x.png").write_bytes(content)
        refusal(tmp_path / "x.png")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif"])
def test_a_truncated_image(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path = saved(tmp_path / f"x.{ending}", Image.fromarray(noise))
    load_image(path)
    data = path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        refusal(path)


def png(size_wh: tuple[int, int], rows: bytes) -> bytes:
    """A PNG whose header says one size and whose data are what they are."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size_wh, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size_wh", [(50000, 50000), (12000, 9000), (8000, 7600), (1, 60_000_001)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    (tmp_path / "x.png").write_bytes(png(size_wh, bytes(1000)))
    assert f"over {MAX_PIXELS // 1_000_000} megapixels" in refusal(tmp_path / "x.png")


def test_the_bombs_shell_is_a_good_png(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png((2, 2), (b"\0" + bytes([*RED, *GREEN])) * 2))
    assert load_image(tmp_path / "x.png")[0].tolist() == [list(RED), list(GREEN)]


def test_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png((0, 0), b""))
    refusal(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animated_image(tmp_path: Path, kind: str) -> None:
    pictures = [Image.fromarray(picture) for picture in moving_pictures(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(tmp_path / "x.png", format=kind, save_all=True, append_images=pictures[1:], **options)  # type: ignore[arg-type]
    assert "animated (3 pictures)" in refusal(tmp_path / "x.png")
    pictures[0].save(tmp_path / "x.png", format=kind)
    assert load_image(tmp_path / "x.png").shape == (120, 160, 3)


def test_what_pillow_would_run_a_program_for_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    halves().save(buffer, "EPS")
    (tmp_path / "x.png").write_bytes(buffer.getvalue())
    ran = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "gs").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    subprocess.run(["gs"], check=True)  # noqa: S607 - the control: this one would be run
    assert ran.exists()
    ran.unlink()
    assert "not an image" in refusal(tmp_path / "x.png")
    assert not ran.exists()


def as_file(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    halves((24, 16)).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


EXIF = Image.Exif()
EXIF[274] = 6


@pytest.mark.parametrize(
    "whole",
    [
        as_file("JPEG", exif=EXIF),
        as_file("PNG", exif=EXIF),
        as_file("WEBP", exif=EXIF),
        as_file("BMP"),
        as_file("TIFF", exif=EXIF),
        as_file("GIF"),
    ],
    ids=["jpeg", "png", "webp", "bmp", "tiff", "gif"],
)
def test_whatever_bytes_are_wrong_it_is_an_image_or_a_refusal(tmp_path: Path, whole: bytes) -> None:
    rng = np.random.default_rng(1)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(150):
            data = bytearray(whole)
            if number % 3:
                for where in rng.integers(0, len(data), 1 + number % 5):
                    data[where] = rng.integers(256)
            else:
                del data[rng.integers(len(data)) :]
            (tmp_path / "x.png").write_bytes(bytes(data))
            try:
                image = load_image(tmp_path / "x.png")
            except ImageError:
                refused += 1
            else:
                assert image.ndim == 3
    assert 10 < refused < 150


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_skips_and_notes_what_cannot_be_read(tmp_path: Path) -> None:
    saved(tmp_path / "b.png", halves())
    saved(tmp_path / "d.JPG", halves())
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "c.png").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    with open_source(str(tmp_path)) as source:
        frames = list(source.frames())
    assert [frame.pts_ns // 1_000_000_000 for frame in frames] == [1, 3]
    assert [flaw.split(": ")[0].rsplit("/", 1)[1] for flaw in source.flaws] == ["a.png", "c.png"]
    assert source.duration_ns == 4_000_000_000


def test_a_folder_without_one_readable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with open_source(str(tmp_path)) as source, pytest.raises(SourceError, match="not an image"):
        list(source.frames())


# --- arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        lambda: np.zeros((0, 0, 3), np.uint8),
        lambda: np.zeros((4, 4), np.uint8),
        lambda: np.zeros((4, 4, 4), np.uint8),
        lambda: np.zeros((4, 4, 3), np.float32),
    ],
)
def test_arrays_that_are_no_picture(array: Callable[[], U8]) -> None:
    with pytest.raises(ImageError, match="an image is"):
        ArrayPicture(array())
