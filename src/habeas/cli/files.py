"""Files that clients send and write: images of people, for their user's eyes only."""

import base64
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from habeas.cli.output import say
from habeas.cli.times import show_told
from habeas.errors import DiskError, InputError

MAX_BYTES: Final = 20 << 20
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_KINDS: Final = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"age-encryption.org/", ".age"))


def file_text(path: Path) -> str:
    """Return a file's bytes as base64.

    Raises:
        InputError: it cannot be read, is empty, or larger than 20 MB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", remedy="check the name") from None
    if not data or len(data) > MAX_BYTES:
        what = "is empty" if not data else f"is larger than {MAX_BYTES >> 20} MB"
        raise InputError(f"{path}: {what}", remedy="give another file")
    return base64.b64encode(data).decode()


def say_copies(saved: Sequence[object], until: object) -> None:
    """Warn whoever saved pictures that nothing here destroys these copies.

    Args:
        saved: the files; none: nothing is said.
        until: when the pictures are destroyed at the latest, as the node told.
    """
    if saved:
        say(
            f"What you saved is yours to destroy, at once when the authorisation ends, and by "
            f"{show_told(until)} at the latest: nothing here can reach them."
        )


def save_private(folder: Path, name: str, data: bytes) -> Path:
    """Write an image into a folder, readable by this user alone; an older file stays as it is.

    Args:
        folder: made where it is missing.
        name: without the ending, which the content decides.
        data: of the image.

    Returns:
        the file.

    Raises:
        DiskError: it cannot be written, or is there already.
        InputError: the node gave a name that is none.
    """
    if not _SAFE.fullmatch(name):
        raise InputError("the node gave a name that is none", remedy="use a client of the same version as the node")
    path = folder / f"{name}{next((ending for magic, ending in _KINDS if data.startswith(magic)), '.bin')}"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({error.strerror})", remedy="give an empty folder") from None
    return path
