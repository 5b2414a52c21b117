"""What was handed over open, where a path is expected: a sealed worker can open nothing."""

import io
import os
from pathlib import Path
from typing import IO, Any, cast


class _Given(io.BytesIO):
    """Bytes that answer what `video.image.load_image` asks of a path."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(data)
        self._name = name

    def exists(self) -> bool:
        """They do."""
        return True

    def is_file(self) -> bool:
        """They were one."""
        return True

    def __str__(self) -> str:
        return self._name


def given_image(name: str, data: bytes) -> Path:
    """Return the bytes of an image as `load_image` takes them.

    Args:
        name: for messages.
        data: the image file's content.
    """
    return cast("Path", _Given(name, data))


class _GivenFile:
    """A descriptor that answers what `video.file.VideoFile` asks of a path. Opened once."""

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._descriptor = descriptor

    def exists(self) -> bool:
        """It does."""
        return True

    def is_dir(self) -> bool:
        """Folders are not handed over."""
        return False

    def is_file(self) -> bool:
        """It is one."""
        return True

    def open(self, mode: str) -> IO[Any]:
        """Return the descriptor as a file, which owns it."""
        return os.fdopen(self._descriptor, mode)

    def __str__(self) -> str:
        return self._name


def given_video(name: str, descriptor: int) -> Path:
    """Return an open video file as `VideoFile` takes it, which owns the descriptor from then on.

    Args:
        name: of the camera that it stands for.
        descriptor: open for reading, at its beginning.
    """
    return cast("Path", _GivenFile(name, descriptor))
