"""A witness: another organisation's small program that cosigns what a log publishes, and never two histories of it.

Its folder holds a key of its own and, of each log it knows, the key and the last checkpoint that it cosigned::

    witness.key             its secret key and name; mode 0600
    logs/<sha256 of the origin>    the log's verifier key, then the last checkpoint as it came

Deciding and keeping are one step under a lock that other processes see, and what is kept is durable before anything is
answered: a witness that was killed, or runs twice, never goes back. A witness whose folder was restored from a backup
does: it must be given a new name and key.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.folder import LogFolder
from habeas.audit.merkle import EMPTY_ROOT
from habeas.audit.note import Algorithm, VerifierKey, cosign, parse_key
from habeas.audit.witnessing import (
    Conflict,
    Cosign,
    KnownLog,
    Refuse,
    Request,
    decide,
    encode_answer,
    encode_size,
    parse_request,
)
from habeas.errors import DiskError, FormatError, InputError, UsageError
from habeas.keys.signing import SigningKey
from habeas.ports import Clock
from habeas.types import NS_PER_S

KEY_FILE: Final = "witness.key"
_LOCK: Final = "lock"
_OTHERS: Final = 0o077


@dataclass(frozen=True)
class Told:
    """What a witness answers.

    Args:
        status: of HTTP.
        body: bytes.
        is_size: the body is the size of the tree that it cosigned last.
    """

    status: int
    body: bytes
    is_size: bool = False


@dataclass(frozen=True)
class Cosigned:
    """What a witness knows of a log.

    Args:
        key: the log's.
        size: entries of the last tree that it cosigned.
    """

    key: VerifierKey
    size: int


class Witness:
    """One witness. Thread-safe, and safe beside other processes.

    Args:
        folder: made by `found`.
        clock: its time goes into what it signs.

    Raises:
        UsageError: there is no witness, or others may read its key.
        DiskError: it cannot be read.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._files = LogFolder(folder)
        self._clock = clock
        self._turn = threading.Lock()
        self.name, self._key = _read_key(folder)
        self.key: Final = VerifierKey(self.name, Algorithm.COSIGNATURE, self._key.public_bytes)
        self._files.tidy()

    @classmethod
    def found(cls, folder: Path, name: str, clock: Clock) -> "Witness":
        """Make a witness with a new key.

        Args:
            folder: new, or empty.
            name: of its key, such as `witness.example.org/habeas`.
            clock: see above.

        Raises:
            InputError: there is one, or that is no name for a key.
            DiskError: it cannot be written.
        """
        key = SigningKey.generate()
        VerifierKey(name, Algorithm.COSIGNATURE, key.public_bytes)
        files = LogFolder(folder)
        if files.has(KEY_FILE):
            raise InputError(f"there is a witness in {folder}", remedy="choose another folder: its key is in use")
        data = json.dumps({"name": name, "secret": key.secret_bytes().hex(), "v": 1}).encode()
        files.write({KEY_FILE: data})  # 0600, as every file of such a folder
        return cls(folder, clock)

    def add_log(self, key: VerifierKey) -> None:
        """Get to know a log by its verifier key, whose name is its origin.

        Raises:
            InputError: it is known already, or this is no key of a log.
            DiskError: it could not be written.
        """
        if key.algorithm is not Algorithm.ED25519:
            raise InputError(f"{key.name} is not the key of a log", remedy="take the line of `habeas audit key`")
        with self._alone():
            if self._files.has(_place(key.name)):
                raise InputError(f"{key.name} is known already", remedy="a log that begins anew has a new name")
            self._files.write({_place(key.name): f"{key.encode()}\n".encode()})

    def logs(self) -> list[Cosigned]:
        """Return the logs it knows, by origin."""
        places = sorted((self._files.path / "logs").glob("*")) if (self._files.path / "logs").is_dir() else []
        known = [_parsed(self._files.read(f"logs/{place.name}")) for place in places if not place.name.startswith(".")]
        return sorted((Cosigned(one.keys[0], one.size) for one in known), key=lambda one: one.key.name)

    def answer(self, data: bytes) -> Told:
        """Decide on the body of `POST /add-checkpoint`, and keep what is cosigned before this returns.

        Raises:
            DiskError: it could not be kept: nothing was cosigned.
        """
        try:
            request = parse_request(data)
        except (FormatError, InputError) as error:
            return Told(400, f"{error.message}\n".encode())
        with self._alone():
            decided = decide(request, self._known(request.signed.checkpoint.origin))
            if isinstance(decided, Cosign):
                return self._cosign(request)
        if isinstance(decided, Conflict):
            return Told(409, encode_size(decided.size), is_size=True)
        return _refused(decided)

    def _cosign(self, request: Request) -> Told:
        place = _place(request.signed.checkpoint.origin)
        key_line = self._files.read(place).partition(b"\n")[0]
        self._files.write({place: key_line + b"\n" + request.signed.note.encode()})
        signature = cosign(self.name, self._key, request.signed.note.text, self._clock.now_ns() // NS_PER_S)
        return Told(200, encode_answer([signature]))

    def _known(self, origin: str) -> KnownLog | None:
        place = _place(origin)
        return _parsed(self._files.read(place)) if self._files.has(place) else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold back other threads and other processes of this witness."""
        with self._turn:
            try:
                handle = os.open(self._files.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise DiskError(f"the witness's lock: {error.strerror}", remedy="see that its disk has room") from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)

    def __repr__(self) -> str:
        return f"Witness({self.name!r})"


def _refused(decided: Refuse) -> Told:
    return Told(decided.status, f"{decided.reason}\n".encode("ascii", "backslashreplace"))


def _place(origin: str) -> str:
    return f"logs/{hashlib.sha256(origin.encode()).hexdigest()}"


def _parsed(data: bytes) -> KnownLog:
    """Read what is kept of a log.

    Raises:
        FormatError: it is damaged. The witness does not begin that log anew.
    """
    key_line, _newline, note = data.partition(b"\n")
    key = parse_key(key_line.decode("utf-8", "replace"))
    if not note:
        return KnownLog((key,), 0, EMPTY_ROOT)
    checkpoint = parse_checkpoint(note).checkpoint
    return KnownLog((key,), checkpoint.size, checkpoint.root)


def _read_key(folder: Path) -> tuple[str, SigningKey]:
    path = folder / KEY_FILE
    if not path.is_file():
        raise UsageError(f"there is no witness in {folder}", remedy="make one: habeas witness init DIR --name NAME")
    if path.stat().st_mode & _OTHERS:
        raise UsageError(f"others may read {path}", remedy=f"chmod 0600 {path}; if they did, make a new witness")
    fields = json.loads(LogFolder(folder).read(KEY_FILE))
    return fields["name"], SigningKey(bytes.fromhex(fields["secret"]))
