"""The files of one log in a folder: written so that a power cut leaves the old file or the new one, never a part.

tree             how far the log is integrated: size and frontier (`Frontier.encode`)
tile/..., tile/entries/...   as in tlog-tiles
checkpoint       the last one published, with its cosignatures
witnessed        the last one that had a quorum
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from habeas.audit.tiles import MAX_BUNDLE_BYTES
from habeas.errors import DiskError, InputError

_PRIVATE: Final = 0o700
_TEMPORARY: Final = ".new-"


class LogFolder:
    """A log's files, by name. One process writes; anybody may read at the same time.

    Args:
        path: the folder; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: there is none, or it is longer than any that a log has.
            DiskError: it cannot be read.
        """
        try:
            with (self.path / name).open("rb") as file:
                data = file.read(MAX_BUNDLE_BYTES + 1)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise InputError(f"the log has no file {name}", remedy="bring the file back") from None
        except OSError as error:
            raise _failed(f"read {name}", error) from error
        if len(data) > MAX_BUNDLE_BYTES:
            raise InputError(f"{name} is longer than any file of a log", remedy="look who else writes there")
        return data

    def has(self, name: str) -> bool:
        """Tell whether there is such a file.

        Raises:
            DiskError: that cannot be told, which is not to say that there is none.
        """
        try:
            return stat.S_ISREG((self.path / name).stat().st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed(f"look for {name}", error) from error

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files in this order; all are durable, bytes and names, when this returns.

        Raises:
            DiskError: they could not be written; each is the old or the new.
        """
        with _translated("write"):
            changed: set[Path] = set()
            for name, data in files.items():
                changed |= self._put(self.path / PurePosixPath(name), data)
            for folder in sorted(changed, key=lambda path: len(path.parts), reverse=True):
                _sync(folder)

    def _put(self, target: Path, data: bytes) -> set[Path]:
        """Write one file; return the folders that have to be synced for its name to last."""
        changed = _made(target.parent)
        handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, target)  # noqa: PTH104 - a name of this folder over another
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise
        return changed | {target.parent}

    def drop(self, names: Iterator[str]) -> None:
        """Remove folders that nobody needs any more, if they are there. It need not last.

        Raises:
            DiskError: one cannot be removed.
        """
        with _translated("tidy up"):
            for name in names:
                with suppress(FileNotFoundError):
                    shutil.rmtree(self.path / name)

    def tidy(self) -> None:
        """Remove what a crash left half written. Called before anything is written.

        Raises:
            DiskError: it cannot be removed.
        """
        with _translated("tidy up"):
            for leftover in self.path.rglob(f"{_TEMPORARY}*"):
                leftover.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"LogFolder({str(self.path)!r})"


def _made(folder: Path) -> set[Path]:
    """Make a folder and those above it; return the ones in which a name is new."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(_PRIVATE, parents=True, exist_ok=True)
    return {path.parent for path in new}


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(what, error) from error


def _failed(what: str, error: OSError) -> DiskError:
    return DiskError(
        f"the log could not {what}: {error.strerror or error}",
        remedy="free space on its disk or repair it; nothing acknowledged was lost, and it goes on by itself",
    )
