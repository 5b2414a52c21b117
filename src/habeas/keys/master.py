"""The master key: the one secret that is not in the key store, and that opens it."""

import base64
import binascii
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, Self

from habeas.errors import DiskError, InputError, RuleError
from habeas.keys.frame import KEY_BYTES

COMMAND_TIMEOUT_S: Final = 30
_PRIVATE_MODES: Final = (0o600, 0o400)
_MAX_TEXT_BYTES: Final = 1024


class MasterKey:
    """32 random bytes. Written down, they are base64 on one line, wherever they come from.

    Args:
        secret: 32 bytes.

    Raises:
        InputError: of another length.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise InputError(f"a master key has {KEY_BYTES} bytes, not {len(secret)}", remedy="make one: init")
        self._secret = secret

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read it from a file of this user with mode 0600 or 0400. Creates nothing.

        Raises:
            InputError: there is no such file, others may read it, or it holds no key.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not keep the start waiting
            with os.fdopen(fd, "rb") as file:
                _check_private(path, os.fstat(file.fileno()))
                text = file.read(_MAX_TEXT_BYTES)
        except OSError as error:
            raise InputError(
                f"the master key {path} cannot be read: {error.strerror}", remedy="name the file, or make one: init"
            ) from error
        return cls._from_text(text, f"the file {path}")

    @classmethod
    def create_file(cls, path: Path) -> Self:
        """Make a new one and write it to a new file with mode 0600.

        Raises:
            DiskError: the file exists, or cannot be written.
        """
        master = cls(os.urandom(KEY_BYTES))
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(base64.b64encode(master.secret_bytes()) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except OSError as error:
            raise DiskError(
                f"the master key {path} cannot be written: {error.strerror}",
                remedy="name a new file in a folder of yours; an existing key is never overwritten",
            ) from error
        return master

    @classmethod
    def from_environment(cls, name: str) -> Self:
        """Take it from an environment variable, and take the variable away: no worker started later inherits it.

        Raises:
            InputError: it is not set, or holds no key.
        """
        text = os.environ.pop(name, None)
        if text is None:
            raise InputError(f"the environment variable {name} is not set", remedy="set it to the master key")
        return cls._from_text(os.fsencode(text), f"the environment variable {name}")

    @classmethod
    def from_command(cls, argv: Sequence[str], *, timeout_s: float = COMMAND_TIMEOUT_S) -> Self:
        """Run a command that prints it, such as a key management service's client. No shell is involved.

        Args:
            argv: program and arguments, from the operator's configuration.
            timeout_s: after which it is killed.

        Raises:
            InputError: it cannot be run, fails, takes too long, or prints no key. What it printed is not repeated.
        """
        program = argv[0] if argv else ""
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, no shell
                list(argv), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=True
            )
        except (OSError, ValueError, IndexError) as error:
            raise _command_failed(program, "cannot be run") from error
        except subprocess.TimeoutExpired:
            raise _command_failed(program, f"did not end within {timeout_s:g} s") from None
        except subprocess.CalledProcessError as error:
            raise _command_failed(program, f"ended with status {error.returncode}") from None
        return cls._from_text(done.stdout, f"the output of {program}")

    @classmethod
    def _from_text(cls, text: bytes, where: str) -> Self:
        try:
            secret = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise InputError(
                f"{where} holds no master key", remedy=f"it must be one line of base64 of {KEY_BYTES} bytes"
            )
        return cls(secret)

    def secret_bytes(self) -> bytes:
        """Return the 32 bytes; only the key store asks."""
        return self._secret

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise RuleError("a master key cannot be copied or stored", rule="seal", remedy="pass it on as it is")

    def __repr__(self) -> str:
        return "MasterKey()"


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"the master key {path} is not a file", remedy="name the file that holds it")
    if status.st_uid != os.geteuid():
        raise InputError(f"the master key {path} belongs to another user", remedy="run as its user, or chown it")
    if stat.S_IMODE(status.st_mode) not in _PRIVATE_MODES:
        raise InputError(
            f"the master key {path} has mode {stat.S_IMODE(status.st_mode):04o}", remedy=f"chmod 0600 {path}"
        )


def _sync_folder(folder: Path) -> None:
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)


def _command_failed(program: str, how: str) -> InputError:
    return InputError(f"the master key command {program!r} {how}", remedy="run it by hand and repair it")
