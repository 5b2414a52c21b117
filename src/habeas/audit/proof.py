"""A proof that an entry is in a log, in one file that needs nothing else: c2sp.org/tlog-proof@v1.

::

    c2sp.org/tlog-proof@v1
    extra aGludA==                                    optional, and proven by nothing
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=      the leaf's sibling first
                                                      (an empty line)
    example.org/camera-log                            a checkpoint, as it was published
    ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.merkle import HASH_BYTES, MAX_PROOF_HASHES, MAX_SIZE, leaf_hash, verify_inclusion
from habeas.audit.note import MAX_NOTE_BYTES, VerifierKey
from habeas.audit.policy import Believed, WitnessPolicy, believe
from habeas.audit.text import MALFORMED, encode_base64, parse_base64, parse_decimal, parse_hash, parse_text
from habeas.errors import FormatError, InputError

MAX_EXTRA_BYTES: Final = 1 << 16

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_MAX_HEAD_CHARS: Final = 2 * MAX_EXTRA_BYTES
MAX_PROOF_BYTES: Final = _MAX_HEAD_CHARS + MAX_NOTE_BYTES


@dataclass(frozen=True)
class InclusionProof:
    """What a proof file says. Nothing of it is verified yet.

    Args:
        index: of the entry, from 0.
        hashes: from the leaf's sibling to the root's child, 32 bytes each.
        signed: the checkpoint.
        extra: a hint for whoever reads the file; nothing proves it. None for no such line.

    Raises:
        InputError: one of them cannot be written down.
    """

    index: int
    hashes: tuple[bytes, ...]
    signed: SignedCheckpoint
    extra: bytes | None = None

    def __post_init__(self) -> None:
        fits = 0 <= self.index <= MAX_SIZE and len(self.hashes) <= MAX_PROOF_HASHES
        if not fits or any(len(one) != HASH_BYTES for one in self.hashes):
            raise InputError("the index or the hashes cannot be written down", remedy=MALFORMED)
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA_BYTES:
            raise InputError(f"the extra data has 1 to {MAX_EXTRA_BYTES} bytes", remedy="leave it out")

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        extra = [] if self.extra is None else [f"extra {encode_base64(self.extra)}"]
        head = (_HEADER, *extra, f"index {self.index}", *map(encode_base64, self.hashes), "", "")
        return "\n".join(head).encode() + self.signed.note.encode()


def parse_proof(data: bytes) -> InclusionProof:
    """Return a proof that nobody has verified yet.

    Raises:
        FormatError: it is none.
    """
    text = parse_text(data, "the proof", MAX_PROOF_BYTES)
    head, empty_line, note = text.partition("\n\n")
    if not empty_line or len(head) > _MAX_HEAD_CHARS:
        raise FormatError("the proof has no checkpoint under an empty line", remedy=MALFORMED)
    header, *lines = head.split("\n")
    if header != _HEADER:
        raise FormatError(f"the proof does not begin with {_HEADER}", remedy="use the program that it was made for")
    extra = _parse_extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else None
    index, hashes = _parse_path(lines)
    return InclusionProof(index, hashes, parse_checkpoint(note.encode()), extra)


def _parse_extra(line: str) -> bytes:
    extra = parse_base64(line.removeprefix("extra "), "the extra data")
    if not 0 < len(extra) <= MAX_EXTRA_BYTES:
        raise FormatError(f"the extra data has 1 to {MAX_EXTRA_BYTES} bytes", remedy=MALFORMED)
    return extra


def _parse_path(lines: Sequence[str]) -> tuple[int, tuple[bytes, ...]]:
    if not lines or not lines[0].startswith("index "):
        raise FormatError("the proof has no index", remedy=MALFORMED)
    if len(lines) > 1 + MAX_PROOF_HASHES:
        raise FormatError(f"the proof has {len(lines) - 1} hashes, {MAX_PROOF_HASHES} at most", remedy=MALFORMED)
    index = parse_decimal(lines[0].removeprefix("index "), "the index")
    return index, tuple(parse_hash(line, "a hash of the proof") for line in lines[1:])


def verify_proof(proof: InclusionProof, entry: bytes, log_key: VerifierKey, policy: WitnessPolicy) -> Believed:
    """Return the checkpoint of the log that holds this entry, by this proof alone and without a network.

    1. The checkpoint is to be believed (`habeas.audit.policy`).
    2. The proof leads from the hash of this entry to its root.

    Args:
        proof: from `parse_proof`.
        entry: the bytes that should be in the log.
        log_key: the log's.
        policy: the witnesses that are known, and how many must have signed.

    Raises:
        ProofError: the log does not hold it, as far as this proof shows.
    """
    believed = believe(proof.signed, log_key, policy)  # 1
    checkpoint = believed.checkpoint
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.hashes, checkpoint.root)  # 2
    return believed
