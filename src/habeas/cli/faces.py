"""An alert's pictures as a reviewer looks at them: references left, the live face right, in one PNG for this user only.

Where no folder is named it lies in the memory of the user's session (`XDG_RUNTIME_DIR`), or in the user's cache where
there is none, and goes with the verdict or the logout.
"""

import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import platformdirs
from PIL import Image, ImageDraw, ImageFont, ImageOps

from habeas.cli.files import save_private
from habeas.cli.logins import check_name
from habeas.errors import ImageError

TILE_PX: Final = 320
_PAD_PX: Final = 12
_LABEL_PX: Final = 24
_COLUMNS: Final = 3
"""Of references; the live face is in a column of its own."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""As for references that are enrolled."""


def side_by_side(references: Sequence[bytes], face: bytes | None) -> bytes:
    """Draw the pictures of an alert next to each other, each with what it is; returns a PNG.

    Args:
        references: image files of the subject, at least one.
        face: the image file of the live face; None: there is none.

    Raises:
        ImageError: one of them is no image.
    """
    columns = min(len(references), _COLUMNS)
    rows = -(-len(references) // columns)
    pitch_px = TILE_PX + _PAD_PX
    size_wh = _PAD_PX + (columns + (face is not None)) * pitch_px, _PAD_PX + rows * (pitch_px + _LABEL_PX)
    sheet = Image.new("RGB", size_wh, "white")
    for number, reference in enumerate(references):
        place = number % columns, number // columns
        _tile(sheet, place, reference, "reference" if len(references) == 1 else f"reference {number + 1}")
    if face is not None:
        _tile(sheet, (columns, 0), face, "camera")
    with io.BytesIO() as file:
        sheet.save(file, "PNG")
        return file.getvalue()


def _tile(sheet: Image.Image, place: tuple[int, int], data: bytes, label: str) -> None:
    x = _PAD_PX + place[0] * (TILE_PX + _PAD_PX)
    y = _PAD_PX + place[1] * (TILE_PX + _PAD_PX + _LABEL_PX)
    ImageDraw.Draw(sheet).text((x, y), label, "black", ImageFont.load_default(15))
    picture = _read(data)
    sheet.paste(ImageOps.contain(picture, (TILE_PX, TILE_PX), Image.Resampling.LANCZOS), (x, y + _LABEL_PX))


def _read(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ImageError(
            "a picture of this alert cannot be read", remedy="use a client of the same version as the node"
        ) from None


def _folder(account: str) -> Path:
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    own = session.is_absolute() and session.is_dir() and session.stat().st_uid == os.getuid()
    root = session / "habeas" if own else platformdirs.user_cache_path("habeas")
    return root / "faces" / check_name(account)


def keep_for_now(account: str, alert_id: str, picture: bytes) -> Path:
    """Write a picture that goes with the verdict or the logout, in place of an older one; returns the file.

    Raises:
        DiskError: it cannot be written.
        InputError: the node gave a name that is none.
    """
    drop(account, alert_id)
    return save_private(_folder(account), alert_id, picture)


def drop(account: str, alert_id: str) -> None:
    """Remove the picture of an alert, if it is there."""
    if (path := _folder(account) / f"{alert_id}.png").parent == _folder(account):
        path.unlink(missing_ok=True)


def drop_all(account: str) -> None:
    """Remove what an account has looked at on this machine."""
    shutil.rmtree(_folder(account), ignore_errors=True)
