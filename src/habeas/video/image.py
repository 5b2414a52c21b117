"""Still images as pictures: whatever Pillow opens safely becomes 8-bit RGB, upright."""

import struct
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from habeas.errors import ImageError
from habeas.types import U8

MAX_PIXELS: Final = 60_000_000
"""Larger images are refused before decoding: a 60-megapixel RGB picture takes 180 MB."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What is opened, whatever the ending says. Pillow knows more: for one (EPS) it runs a program on what it is given."""
_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_DAMAGE: Final = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)
"""What Pillow raises on damaged data."""
_WIDE: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})


def is_image_name(path: Path) -> bool:
    """Tell by its ending whether a file is taken for a still image."""
    return path.suffix.lower() in _ENDINGS


def load_image(path: Path) -> U8:
    """Read one still image.

    EXIF rotation is applied, transparency laid on white, CMYK, grey, palette and 16-bit converted.

    Args:
        path: the file.

    Returns:
        (h, w, 3) uint8, RGB.

    Raises:
        ImageError: missing, unreadable, empty, animated, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags, and of sizes that our own, stricter bound refuses
            if path.exists() and not path.is_file():
                raise ImageError(f"{path}: is not a plain file", remedy="give a file")
            with Image.open(path, formats=_FORMATS) as image:
                _check(path, image)
                return _as_rgb(image)
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file", remedy="check the path") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image", remedy="give a JPEG, PNG, WebP, BMP or TIFF file") from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except _DAMAGE as error:
        raise ImageError(f"{path}: cannot be read ({error})", remedy="export the image again") from error


def _check(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{path}: has no pixels ({width}x{height})", remedy="give another image")
    if width * height > MAX_PIXELS:
        raise _too_large(path)
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # MPO: a phone's photograph with extras behind it
        raise ImageError(f"{path}: animated ({image.n_frames} pictures)", remedy="give one still picture of it")  # type: ignore[attr-defined]


def _too_large(path: Path) -> ImageError:
    return ImageError(f"{path}: over {MAX_PIXELS // 1_000_000} megapixels", remedy="reduce it; a face needs far less")


def _as_rgb(image: Image.Image) -> U8:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _WIDE:
        upright = _from_wide(upright)
    if upright.has_transparency_data:
        layered = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    return np.asarray(upright.convert("RGB"))


def _from_wide(image: Image.Image) -> Image.Image:
    """Return 16-bit or float brightness as 8-bit, its own range stretched to 0..255 where it exceeds that."""
    values = np.asarray(image, np.float64)
    top = 65535.0 if image.mode != "F" else max(float(np.nanmax(values)), 255.0)
    if values.max(initial=0) <= 255:  # noqa: PLR2004 - 8-bit values in a wide container
        top = 255.0
    return Image.fromarray(np.clip(np.nan_to_num(values) / top * 255, 0, 255).astype(np.uint8))


class ArrayPicture:
    """A picture whose RGB pixels are in memory: a still image, or an array handed to the API.

    Args:
        image_rgb: (h, w, 3) uint8.
    """

    def __init__(self, image_rgb: U8) -> None:
        if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8 or image_rgb.size == 0:  # noqa: PLR2004 - (h, w, 3)
            raise ImageError(
                f"an image is {image_rgb.dtype} {image_rgb.shape}", remedy="give (h, w, 3) uint8, RGB, not empty"
            )
        self._image_rgb = image_rgb
        self._luma: U8 | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self._image_rgb.shape[:2]
        return width, height

    @property
    def luma(self) -> U8:
        """(h, w) uint8, brightness (BT.601)."""
        if self._luma is None:
            self._luma = np.asarray(Image.fromarray(self._image_rgb).convert("L"))
        return self._luma

    def rgb(self, box_xyxy_px: tuple[int, int, int, int], size_wh: tuple[int, int]) -> U8:
        """Return the box scaled to `size_wh`: (h, w, 3) uint8."""
        x0, y0, x1, y1 = box_xyxy_px
        if (x1 - x0, y1 - y0) == size_wh:
            return self._image_rgb[y0:y1, x0:x1]
        image = Image.fromarray(self._image_rgb[y0:y1, x0:x1])
        return np.asarray(image.resize(size_wh, Image.Resampling.BILINEAR))
