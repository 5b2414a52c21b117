"""What the key store does to its folder, in single steps: the seam where faults and power cuts are tried.

Two implementations: `FolderDisk` here, and `habeas.keys.memory.MemoryDisk`, which can fail at any step.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from habeas.errors import DiskError, InputError, UsageError
from habeas.keys.frame import MAX_FILE_BYTES

LOCK_NAME: Final = "lock"
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_OTHERS: Final = 0o077


class Disk(Protocol):
    """One flat folder that this process has to itself. Each method may raise `DiskError`."""

    def names(self) -> list[str]:
        """Return the names of its files, without the lock's."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; at most `MAX_FILE_BYTES`, or `InputError`."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file from its beginning; its bytes, but not yet its name, survive a power cut."""

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file over whatever has the new name; survives a power cut after `sync`."""

    def blank(self, name: str) -> None:
        """Overwrite a file's bytes in place, and wait until they are on the disk."""

    def remove(self, name: str) -> None:
        """Remove a file's name; survives a power cut after `sync`."""

    def sync(self) -> None:
        """Wait until every change of names is on the disk."""

    def close(self) -> None:
        """Give the folder back."""


class FolderDisk:
    """A real folder, held by a lock until it is closed or the process ends.

    Args:
        folder: of this user, with mode 0700.

    Raises:
        InputError: there is no such folder, or others may read it.
        UsageError: another process, or this one, has it open.
        DiskError: it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder_fd = _open_private(folder)
        try:
            self._lock_fd = self._lock(folder)
        except BaseException:
            os.close(self._folder_fd)
            raise

    def _lock(self, folder: Path) -> int:
        with _translated("lock the folder"):
            lock_fd = self._open(LOCK_NAME, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            raise UsageError(
                f"the key store {folder} is open already",
                remedy="one process at a time: stop the other habeas, or let it do the work",
            ) from None
        return lock_fd

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, _PRIVATE_FILE, dir_fd=self._folder_fd)

    def names(self) -> list[str]:
        """Return the names of its files, without the lock's."""
        with _translated("list its files"):
            names = os.listdir(self._folder_fd)  # noqa: PTH208 - of the open folder, whatever its path is now
        return [name for name in names if name != LOCK_NAME]

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: it is no ordinary file, or longer than any that the store writes.
            DiskError: it cannot be read.
        """
        with _translated(f"read {name}"), os.fdopen(self._open(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                raise InputError(
                    f"{name} of the key store is no file that habeas wrote", remedy="look who else writes there"
                )
            return file.read(MAX_FILE_BYTES)

    def write(self, name: str, data: bytes) -> None:
        """Write a file from its beginning; its bytes, but not yet its name, survive a power cut."""
        with _translated(f"write {name}"):
            self._put(self._open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), data)

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file over whatever has the new name."""
        with _translated(f"rename {name}"):
            os.rename(name, new_name, src_dir_fd=self._folder_fd, dst_dir_fd=self._folder_fd)

    def blank(self, name: str) -> None:
        """Overwrite a file's bytes in place, and wait until they are on the disk."""
        with _translated(f"overwrite {name}"):
            fd = self._open(name, os.O_WRONLY)
            self._put(fd, bytes(os.fstat(fd).st_size))

    @staticmethod
    def _put(fd: int, data: bytes) -> None:
        with os.fdopen(fd, "wb", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())

    def remove(self, name: str) -> None:
        """Remove a file's name."""
        with _translated(f"remove {name}"):
            os.unlink(name, dir_fd=self._folder_fd)

    def sync(self) -> None:
        """Wait until every change of names is on the disk."""
        with _translated("sync its folder"):
            os.fsync(self._folder_fd)

    def close(self) -> None:
        """Give the folder back."""
        with _translated("close its folder"):
            os.close(self._lock_fd)
            os.close(self._folder_fd)


def make_folder(folder: Path) -> None:
    """Make the folder with mode 0700, or accept one that is there.

    Raises:
        DiskError: it cannot be made.
    """
    with _translated(f"make {folder}"):
        folder.mkdir(_PRIVATE_FOLDER, exist_ok=True)
        parent_fd = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent_fd)
        finally:
            os.close(parent_fd)


def _open_private(folder: Path) -> int:
    try:
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no key store at {folder}", remedy="name its folder, or make one: init") from None
    except OSError as error:
        raise DiskError(
            f"the key store {folder} cannot be opened: {error.strerror}", remedy="run as its user"
        ) from None
    status = os.fstat(folder_fd)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS:
        os.close(folder_fd)
        raise InputError(
            f"others may enter the key store {folder}", remedy=f"make it yours alone: chown, then chmod 0700 {folder}"
        )
    return folder_fd


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"the key store could not {what}: {error.strerror or error}",
            remedy="free space on its disk or repair it, then try again; nothing acknowledged was lost",
        ) from error
