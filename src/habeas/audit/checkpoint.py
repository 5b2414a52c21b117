"""The head of a log: c2sp.org/tlog-checkpoint@v1.0.0.

::

    example.org/camera-log                            origin: which log
    20852163                                          leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root

A log signs it as a note, with a key that has the origin as its name; witnesses add their lines.
"""

from dataclasses import dataclass
from typing import Final

from habeas.audit.merkle import HASH_BYTES, MAX_SIZE
from habeas.audit.note import Note, parse_note
from habeas.audit.text import MALFORMED, encode_base64, is_text, parse_decimal, parse_hash, shown
from habeas.errors import FormatError, InputError

_HEAD_LINES: Final = 3


@dataclass(frozen=True)
class Checkpoint:
    """A tree that a log says it has.

    Args:
        origin: names the log; one line.
        size: leaves, at most 2^64 - 1.
        root: 32 bytes.
        extensions: further lines, opaque. This program writes none, and understands none.

    Raises:
        InputError: one of them cannot be written down.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if any(not line or "\n" in line or not is_text(line) for line in lines):
            raise InputError(f"the origin {shown(self.origin)} or a line after the root is no line", remedy=MALFORMED)
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise InputError(f"a tree of {self.size} leaves and its root cannot be written down", remedy=MALFORMED)

    @property
    def body(self) -> str:
        """The text that is signed."""
        return "\n".join((self.origin, str(self.size), encode_base64(self.root), *self.extensions, ""))


def parse_body(text: str) -> Checkpoint:
    """Return the checkpoint of a note's text.

    Raises:
        FormatError: it is none.
    """
    *lines, rest = text.split("\n")
    if rest or len(lines) < _HEAD_LINES or not all(lines):
        raise FormatError("a checkpoint has three lines or more, none of them empty, each ended", remedy=MALFORMED)
    if not is_text(text):
        raise FormatError("a checkpoint has no control characters", remedy=MALFORMED)
    origin, size, root, *extensions = lines
    return Checkpoint(origin, parse_decimal(size, "the tree size"), parse_hash(root, "the root"), tuple(extensions))


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint with the note that it came in. Nothing of it is verified yet.

    Args:
        checkpoint: what the note says.
        note: its text and signatures.
    """

    checkpoint: Checkpoint
    note: Note


def parse_checkpoint(data: bytes) -> SignedCheckpoint:
    """Return a signed checkpoint that nobody has verified yet.

    Raises:
        FormatError: it is none.
    """
    note = parse_note(data)
    return SignedCheckpoint(parse_body(note.text), note)
