"""A witness: another organisation's small program that cosigns what a log publishes, and never two histories of it.

Its folder holds a key of its own and, of each log it knows, the key and the last checkpoint that it cosigned::

    witness.key                    its secret key and name; mode 0600. Whoever decides holds a lock on it
    logs/<sha256 of the origin>    `habeas-witness-log/v1` and the SHA-256 of what follows: the log's verifier key, then
                                   the last checkpoint as it came, none before the first
    evidence/<log>-<checkpoint>    a signed request that was refused because the log's history does not hold, and in
                                   `.cosigned` what was cosigned before; at most 16 of a log

Deciding and keeping are one step under a lock that other processes see, and what is kept is durable before anything is
answered: a witness that was killed, or runs twice, never goes back. A file that is damaged refuses its log. A witness
whose folder was restored from a backup does go back, and cannot know it: it must be given a new name and key.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.folder import LogFolder
from habeas.audit.note import Algorithm, VerifierKey, cosign, parse_key
from habeas.audit.witnessing import (
    UNKNOWN_LOG,
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
EVIDENCE: Final = "evidence"
MAX_EVIDENCE: Final = 16
"""Refused requests that are kept of one log; the first ones say it all."""
_LOGS: Final = "logs"
_MAGIC: Final = b"habeas-witness-log/v1"
_OTHERS: Final = 0o077
_HISTORY: Final = frozenset({409, 422})
"""Refusals of a request that the log signed, over its history."""
_RETIRE: Final = "leave the folder as it is, and begin a witness with a new name and key (docs/witness.md)"


@dataclass(frozen=True)
class Told:
    """What a witness answers.

    Args:
        status: of HTTP.
        body: bytes.
        is_size: the body is the size of the tree that it cosigned last.
        evidence: name of the file in its folder in which a refused request was kept now; empty: none was.
    """

    status: int
    body: bytes
    is_size: bool = False
    evidence: str = ""


@dataclass(frozen=True)
class Cosigned:
    """What a witness knows of a log.

    Args:
        log: its name; of a damaged file, the file's.
        key: the log's; None: the file is damaged.
        size: entries of the last tree that it cosigned.
        evidence: how many refused requests are kept.
    """

    log: str
    key: VerifierKey | None
    size: int
    evidence: int


@dataclass(frozen=True)
class _Kept:
    """The file of a log."""

    key: VerifierKey
    note: bytes

    @property
    def known(self) -> KnownLog:
        if not self.note:
            return KnownLog((self.key,))
        checkpoint = parse_checkpoint(self.note).checkpoint
        return KnownLog((self.key,), checkpoint.size, checkpoint.root)

    def dump(self) -> bytes:
        content = self.key.encode().encode() + b"\n" + self.note
        return b"%s %s\n%s" % (_MAGIC, hashlib.sha256(content).hexdigest().encode(), content)


class Witness:
    """One witness. Thread-safe, and safe beside other processes.

    Args:
        folder: made by `found`.
        clock: its time goes into what it signs.

    Raises:
        UsageError: there is no witness, or others may read its key.
        FormatError: its key is damaged.
        DiskError: it cannot be read.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._files = LogFolder(folder)
        self._clock = clock
        self.name, self._key = _read_key(folder)
        self.key: Final = VerifierKey(self.name, Algorithm.COSIGNATURE, self._key.public_bytes)
        with self._alone():  # what looks half written may be another process's, at this moment
            self._files.tidy()

    @classmethod
    def found(cls, folder: Path, name: str, clock: Clock) -> "Witness":
        """Make a witness with a new key.

        Args:
            folder: new, or without a witness in it.
            name: of its key, such as `witness.example.org/habeas`.
            clock: see above.

        Raises:
            InputError: there is one, or what one left, or that is no name for a key.
            DiskError: it cannot be written.
        """
        key = SigningKey.generate()
        VerifierKey(name, Algorithm.COSIGNATURE, key.public_bytes)
        files = LogFolder(folder)
        if files.has(KEY_FILE) or (folder / _LOGS).exists():
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
            self._files.write({_place(key.name): _Kept(key, b"").dump()})

    def logs(self) -> list[Cosigned]:
        """Return the logs it knows, by name.

        Raises:
            DiskError: one cannot be read.
        """
        names = sorted(path.name for path in (self._files.path / _LOGS).glob("*") if not path.name.startswith("."))
        return sorted((self._looked_at(f"{_LOGS}/{name}") for name in names), key=lambda one: one.log)

    def _looked_at(self, place: str) -> Cosigned:
        evidence = len(self._evidence_of(place))
        try:
            kept = self._read(place)
            return Cosigned(kept.key.name, kept.key, kept.known.size, evidence)
        except (FormatError, InputError):
            return Cosigned(place, None, 0, evidence)

    def answer(self, data: bytes) -> Told:
        """Decide on the body of `POST /add-checkpoint`, and keep what is cosigned before this returns.

        Raises:
            DiskError: it could not be kept: nothing was cosigned.
            FormatError: what is kept of that log is damaged: nothing is cosigned for it any more.
            InputError: the machine's clock is no time of a cosignature.
        """
        try:
            request = parse_request(data)
        except (FormatError, InputError) as error:
            return _refused(Refuse(400, error.message))
        place = _place(request.signed.checkpoint.origin)
        with self._alone():
            if not self._files.has(place):
                return _refused(UNKNOWN_LOG)
            kept = self._read(place)
            decided = decide(request, kept.known)
            if isinstance(decided, Cosign):
                return self._cosign(place, kept, request)
            if isinstance(decided, Conflict):
                evidence = self._keep(place, kept, request, keep=_is_fork(request, kept.known))
                return Told(409, encode_size(decided.size), is_size=True, evidence=evidence)
            return _refused(decided, self._keep(place, kept, request, keep=decided.status in _HISTORY))

    def _cosign(self, place: str, kept: _Kept, request: Request) -> Told:
        self._files.write({place: _Kept(kept.key, request.signed.note.encode()).dump()})
        signature = cosign(self.name, self._key, request.signed.note.text, self._clock.now_ns() // NS_PER_S)
        return Told(200, encode_answer([signature]))

    def _keep(self, place: str, kept: _Kept, request: Request, *, keep: bool) -> str:
        """Keep a refused request beside what was cosigned before; return the file's name; empty: not kept now."""
        if not keep:
            return ""
        text = hashlib.sha256(request.signed.note.text.encode()).hexdigest()
        name = f"{_evidence(place)}-{text[:16]}"
        if self._files.has(name) or len(self._evidence_of(place)) >= MAX_EVIDENCE:
            return ""
        self._files.write({f"{name}.cosigned": kept.note, name: request.encode()})
        return name

    def _evidence_of(self, place: str) -> list[Path]:
        pattern = f"{_evidence(place).removeprefix(f'{EVIDENCE}/')}-*"
        return [path for path in (self._files.path / EVIDENCE).glob(pattern) if not path.suffix]

    def _read(self, place: str) -> _Kept:
        """Read what is kept of a log.

        Raises:
            FormatError: it is damaged. The witness does not begin that log anew.
        """
        head, _newline, content = self._files.read(place).partition(b"\n")
        key_line, newline, note = content.partition(b"\n")
        whole = head == b"%s %s" % (_MAGIC, hashlib.sha256(content).hexdigest().encode())
        if not whole or not newline:
            raise FormatError(f"what this witness keeps in {place} is damaged", remedy=_RETIRE)
        kept = _Kept(parse_key(key_line.decode()), note)
        if _place(kept.key.name) != place:
            raise FormatError(f"what this witness keeps in {place} is of another log", remedy=_RETIRE)
        return kept

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold back other threads and other processes of this witness."""
        handle = -1
        try:
            handle = os.open(self._files.path / KEY_FILE, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            _close(handle)
            raise DiskError(f"the witness's lock: {error.strerror}", remedy="repair the disk that it is on") from error
        try:
            yield
        finally:
            _close(handle)

    def __repr__(self) -> str:
        return f"Witness({self.name!r})"


def _close(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def _is_fork(request: Request, known: KnownLog) -> bool:
    checkpoint = request.signed.checkpoint
    return checkpoint.size == known.size and checkpoint.root != known.root


def _refused(decided: Refuse, evidence: str = "") -> Told:
    return Told(decided.status, f"{decided.reason}\n".encode("ascii", "backslashreplace"), evidence=evidence)


def _place(origin: str) -> str:
    return f"{_LOGS}/{hashlib.sha256(origin.encode()).hexdigest()}"


def _evidence(place: str) -> str:
    return f"{EVIDENCE}/{place.removeprefix(f'{_LOGS}/')[:16]}"


def _read_key(folder: Path) -> tuple[str, SigningKey]:
    path = folder / KEY_FILE
    if not LogFolder(folder).has(KEY_FILE):
        raise UsageError(f"there is no witness in {folder}", remedy="make one: habeas witness init DIR --name NAME")
    if path.stat().st_mode & _OTHERS:
        raise UsageError(f"others may read {path}", remedy=f"chmod 0600 {path}; if they did, make a new witness")
    try:
        fields = json.loads(LogFolder(folder).read(KEY_FILE))
        if fields["v"] != 1:
            raise FormatError(f"{path} is of another version", remedy="use the program that made it, or a later one")
        return str(fields["name"]), SigningKey(bytes.fromhex(fields["secret"]))
    except (ValueError, KeyError, TypeError, InputError):
        raise FormatError(f"{path} is damaged", remedy="make a new witness, with a new name") from None
