"""What a verifier begins with: the logs that it is shown, and the checkpoints that it believed earlier."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.fetching import EPOCHS, Source
from habeas.audit.note import parse_key
from habeas.errors import FormatError

_MAX_EPOCHS: Final = 10_000
_BETWEEN_NOTES: Final = re.compile("(?<=\\n)\\n(?!\\N{EM DASH} )")
_COPY: Final = "compare with another copy of the log; keep this one, it is evidence"


@dataclass(frozen=True)
class EpochLog:
    """The log of one epoch, and what the list of epochs says of it.

    Args:
        source: its files.
        number: from 1.
        first_seq: number of its first entry.
        prior: text of the checkpoint of the epoch before; empty: none was signed.
        vkey: its key, as the list says; empty: there is no list.
        origin: as the list says.
    """

    source: Source
    number: int = 1
    first_seq: int = 0
    prior: str = ""
    vkey: str = ""
    origin: str = ""

    @property
    def facts(self) -> dict[str, object]:
        """What the entry that begins the epoch says too."""
        return {
            "first_seq": self.first_seq,
            "number": self.number,
            "origin": self.origin,
            "prior": self.prior,
            "vkey": self.vkey,
        }


def parse_since(data: bytes) -> tuple[SignedCheckpoint, ...]:
    """Return the checkpoints that a verifier keeps: one after the other, an empty line between them.

    Raises:
        FormatError: these are none.
    """
    try:
        notes = _BETWEEN_NOTES.split(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise FormatError("what was seen before is not UTF-8", remedy="give the file of an earlier run") from None
    return tuple(parse_checkpoint(note.encode()) for note in notes)


def encode_since(checkpoints: Sequence[SignedCheckpoint]) -> bytes:
    """Return the bytes that `parse_since` reads."""
    return b"\n".join(one.note.encode() for one in checkpoints)


def logs_at(source: Source, below: Callable[[str], Source]) -> tuple[EpochLog, ...]:
    """Return the logs of an installation, or the one log, that is there.

    Args:
        source: a folder or address.
        below: returns the files of a folder in it.

    Raises:
        FormatError: the list of epochs is none.
        InputError: it cannot be fetched.
    """
    if not source.has(EPOCHS):
        return (EpochLog(source),)
    try:
        told = json.loads(source.read(EPOCHS))
        logs = tuple(_epoch(one, below) for one in told)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FormatError(f"{EPOCHS} is no list of epochs", remedy=_COPY) from None
    if [log.number for log in logs] != list(range(1, len(logs) + 1)) or not 0 < len(logs) <= _MAX_EPOCHS:
        raise FormatError(f"{EPOCHS} does not count its epochs from 1", remedy=_COPY)
    if (logs[0].first_seq, logs[0].prior) != (0, ""):
        raise FormatError("the first epoch does not begin with entry 0", remedy=_COPY)
    return logs


def _epoch(told: Any, below: Callable[[str], Source]) -> EpochLog:
    number, first_seq = told["number"], told["first_seq"]
    texts = [told[name] for name in ("prior", "vkey", "origin")]
    if not (type(number) is int and type(first_seq) is int and all(isinstance(text, str) for text in texts)):
        raise TypeError
    parse_key(texts[1])
    return EpochLog(below(str(number)), number, first_seq, *texts)
