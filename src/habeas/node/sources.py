"""The cameras of this user's installations, for what runs without one: `watch` and the Python API refuse them.

Kept in the user's state folder as salted digests, which tell no address: who has one can only ask whether it is there.
Another user, another machine or a copied stream is not noticed (threat model).
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import platformdirs

from habeas.errors import DiskError, InputError

_NAME: Final = "sources.json"


def note_source(workspace_id: str, digest: str) -> None:
    """Note that a source is an installation's camera. Durable before it returns.

    Args:
        workspace_id: of the installation.
        digest: of the source (`CameraAddress.digest`).

    Raises:
        InputError: what was noted before cannot be read.
        DiskError: it cannot be written.
    """
    with _alone():
        known = _noted()
        salted = _salted(workspace_id, digest)
        if salted not in known:
            _write([*known, salted])


def is_workspace_source(digest: str) -> bool:
    """Tell whether a source is a camera of an installation of this user.

    Raises:
        InputError: what was noted cannot be read.
    """
    return any(_salted(entry.partition(":")[0], digest) == entry for entry in _noted())


def _salted(workspace_id: str, digest: str) -> str:
    return f"{workspace_id}:{hashlib.sha256(f'{workspace_id} {digest}'.encode()).hexdigest()}"


def _file() -> Path:
    return Path(platformdirs.user_state_path("habeas")) / _NAME


def _noted() -> list[str]:
    try:
        noted = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        noted = None
    if not isinstance(noted, list):
        raise InputError(f"{_file()} cannot be read", remedy="repair it from a backup; it says which cameras are whose")
    return [str(entry) for entry in noted]


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other installations of this user from writing at the same time."""
    try:
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(_file().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(error) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(entries: list[str]) -> None:
    new = _file().with_name(f".{_NAME}.new")  # one writer at a time
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as out:
            json.dump(sorted(entries), out)
            out.flush()
            os.fsync(out.fileno())
        new.replace(_file())
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> DiskError:
    return DiskError(
        f"{_file()} cannot be written: {error.strerror}", remedy="make room, or set its folder's modes right"
    )
