"""Asking a witness, and a witness's decision: c2sp.org/tlog-witness@v1.0.0, `POST <prefix>/add-checkpoint`.

::

    old 20852014                                      the last size that this witness cosigned
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=      the consistency proof from there
                                                      (an empty line)
    example.org/camera-log                            the new checkpoint, signed by the log
    ...

The rules of a witness, numbered as in `decide`:

1. A body that is none: 400 (`parse_request` says so).
2. A log that it does not know: 404.
3. No signature of a key that it knows for this log, or one that does not hold: 403.
4. An old size above the new one: 400.
5. An old size other than the one it cosigned last (0 before the first): 409, and the body is that size.
6. The same size with another root: 409. It is proof that the log has two histories, and worth keeping.
7. A consistency proof that does not hold: 422. From nothing it is empty; and the tree of no leaves has one root.
8. Otherwise it keeps the checkpoint, then cosigns it. Reading what it cosigned last, deciding and keeping are one step:
   two requests at once must not both be decided by the same state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.audit.checkpoint import Checkpoint, SignedCheckpoint, parse_checkpoint
from habeas.audit.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, verify_consistency
from habeas.audit.note import MAX_NOTE_BYTES, Signature, VerifierKey, parse_signatures, verify_note
from habeas.audit.text import MALFORMED, encode_base64, parse_decimal, parse_hash, parse_text
from habeas.errors import FormatError, InputError, ProofError

MAX_PROOF_LINES: Final = 63
SIZE_CONTENT_TYPE: Final = "text/x.tlog.size"

_MAX_HEAD_CHARS: Final = 4096
MAX_REQUEST_BYTES: Final = _MAX_HEAD_CHARS + MAX_NOTE_BYTES
MAX_ANSWER_BYTES: Final = MAX_NOTE_BYTES
"""What a client reads of an answer; a longer one is none."""
_MAX_SIZE_BYTES: Final = 21


@dataclass(frozen=True)
class Request:
    """What a log asks a witness.

    Args:
        old_size: of the tree that this witness cosigned last; 0 for none.
        proof: that the new tree begins with that one, at most 63 hashes of 32 bytes.
        signed: the new checkpoint.

    Raises:
        InputError: one of them cannot be written down.
    """

    old_size: int
    proof: tuple[bytes, ...]
    signed: SignedCheckpoint

    def __post_init__(self) -> None:
        fits = 0 <= self.old_size <= MAX_SIZE and len(self.proof) <= MAX_PROOF_LINES
        if not fits or any(len(one) != HASH_BYTES for one in self.proof):
            raise InputError(
                f"an old size and up to {MAX_PROOF_LINES} hashes are what a witness is asked with", remedy=MALFORMED
            )

    def encode(self) -> bytes:
        """Return the body of the request."""
        head = (f"old {self.old_size}", *map(encode_base64, self.proof), "", "")
        return "\n".join(head).encode() + self.signed.note.encode()


def parse_request(data: bytes) -> Request:
    """Return a request that nobody has decided on yet.

    Raises:
        FormatError: it is none (rule 1).
    """
    text = parse_text(data, "the request", MAX_REQUEST_BYTES)
    head, empty_line, note = text.partition("\n\n")
    if not empty_line or len(head) > _MAX_HEAD_CHARS:
        raise FormatError("the request has no checkpoint under an empty line", remedy=MALFORMED)
    old, *lines = head.split("\n")
    if not old.startswith("old "):
        raise FormatError("the request does not begin with the old size", remedy=MALFORMED)
    if len(lines) > MAX_PROOF_LINES:
        raise FormatError(f"{len(lines)} lines of proof, {MAX_PROOF_LINES} at most are read", remedy=MALFORMED)
    old_size = parse_decimal(old.removeprefix("old "), "the old size")
    proof = tuple(parse_hash(line, "a hash of the proof") for line in lines)
    return Request(old_size, proof, parse_checkpoint(note.encode()))


@dataclass(frozen=True)
class KnownLog:
    """What a witness knows of a log.

    Args:
        keys: the log's, one or more.
        size: of the tree that it cosigned last; 0 before the first.
        root: of that tree, 32 bytes.
    """

    keys: tuple[VerifierKey, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True)
class Cosign:
    """Keep this checkpoint, then cosign it: 200, with signature lines as the body.

    Args:
        checkpoint: the new one.
    """

    checkpoint: Checkpoint


@dataclass(frozen=True)
class Conflict:
    """The log and the witness remember different sizes: 409, `SIZE_CONTENT_TYPE`.

    Args:
        size: the witness's.
    """

    size: int


@dataclass(frozen=True)
class Refuse:
    """Nothing is cosigned.

    Args:
        status: of HTTP.
        reason: one line, for the log's operator.
        forked: the log signed two trees that cannot both be its history, and the request shows it.
    """

    status: int
    reason: str
    forked: bool = False


UNKNOWN_LOG: Final = Refuse(404, "this witness does not know that log")


def decide(request: Request, known: KnownLog | None) -> Cosign | Conflict | Refuse:
    """Return what a witness does with a request, by the rules above.

    Args:
        request: from `parse_request`.
        known: of the log that the checkpoint names, read in the transaction that will keep the new checkpoint; None for
            a log that is not known.
    """
    if known is None:  # 2
        return UNKNOWN_LOG
    try:
        verify_note(request.signed.note, known.keys)
    except ProofError as refused:  # 3
        return Refuse(403, refused.message)
    if request.old_size > request.signed.checkpoint.size:  # 4
        return Refuse(400, "the old size is above the new one")
    if request.old_size != known.size:  # 5
        return Conflict(known.size)
    return _decide_growth(request, known.root)


def _decide_growth(request: Request, old_root: bytes) -> Cosign | Refuse:
    checkpoint = request.signed.checkpoint
    if request.old_size == checkpoint.size and checkpoint.root != old_root:
        if checkpoint.size:  # 6
            return Refuse(409, "the log has another root at the size that was cosigned", forked=True)
        return Refuse(422, "the tree of no leaves has another root")  # 7
    try:
        _check_growth(request, old_root)
    except ProofError as refused:  # 7
        return Refuse(422, refused.message)
    return Cosign(checkpoint)  # 8


def _check_growth(request: Request, old_root: bytes) -> None:
    checkpoint = request.signed.checkpoint
    if request.old_size:
        verify_consistency(request.old_size, checkpoint.size, old_root, checkpoint.root, request.proof)
    elif request.proof:
        raise ProofError("the proof from nothing is empty", remedy="send no hashes")


def encode_answer(signatures: Sequence[Signature]) -> bytes:
    """Return the body of a 200: the witness's signature lines."""
    return "".join(signature.line for signature in signatures).encode()


def parse_answer(data: bytes) -> tuple[Signature, ...]:
    """Return the signatures of a 200, none verified yet; those of unknown keys are to be ignored.

    Raises:
        FormatError: there are none, or too many.
    """
    return parse_signatures(parse_text(data, "the answer", MAX_ANSWER_BYTES))


def encode_size(size: int) -> bytes:
    """Return the body of a 409."""
    return f"{size}\n".encode()


def parse_size(data: bytes) -> int:
    """Return the size of a 409 with `SIZE_CONTENT_TYPE`.

    Raises:
        FormatError: it is none.
    """
    text = parse_text(data, "the answer", _MAX_SIZE_BYTES)
    if not text.endswith("\n"):
        raise FormatError("the size in the answer does not end", remedy=MALFORMED)
    return parse_decimal(text[:-1], "the size in the answer")
