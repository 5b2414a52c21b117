"""Signed notes: c2sp.org/signed-note@v1.0.0, with Ed25519 (type 0x01) and witness cosignatures (type 0x04).

A note is a text and lines of signatures under it. The rules, numbered as in the code:

1. At most 1,000,000 bytes and 100 signature lines, refused before any of them is looked at; UTF-8, without control
   characters but newlines; the last empty line ends the text. The specification asks for at least 16 lines.
2. A signature line of a key that is not known is ignored, whatever it says.
3. Each line of a known key must verify, or the whole note is refused.
4. Two lines of one known key refuse the note: which of them counts would be the writer's choice, and a quorum counts
   keys. The specification leaves this open.
5. A note without a line of a known key is refused.
"""

import enum
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from habeas.audit import cosignature
from habeas.audit.text import MALFORMED, encode_base64, is_text, parse_base64, parse_text, shown
from habeas.errors import FormatError, InputError, ProofError
from habeas.keys.signing import PUBLIC_KEY_BYTES, SigningKey, verify

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
KEY_ID_BYTES: Final = 4

_LINE_START: Final = "\N{EM DASH} "
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class Algorithm(enum.IntEnum):
    """How a key signs; the number is the specification's."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


def name_fault(name: str) -> str:
    """Return what is wrong with the name of a key, or nothing."""
    if not name:
        return "is empty"
    if not is_text(name) or any(one.isspace() or one == "+" for one in name):
        return "has a space, a plus or a control character"
    return ""


@dataclass(frozen=True)
class Signature:
    """A line under a note.

    Args:
        name: of the key.
        key_id: 4 bytes, which tell keys of one name apart.
        signed: what the algorithm made, at least a byte.

    Raises:
        InputError: one of them cannot be.
    """

    name: str
    key_id: bytes
    signed: bytes

    def __post_init__(self) -> None:
        if fault := name_fault(self.name):
            raise InputError(f"the key name {shown(self.name)} {fault}", remedy="name it like a host and a path")
        if len(self.key_id) != KEY_ID_BYTES or not self.signed:
            raise InputError("a signature has a key id of 4 bytes and something behind it", remedy=MALFORMED)

    @property
    def line(self) -> str:
        """As it stands under the text, with its newline."""
        return f"{_LINE_START}{self.name} {encode_base64(self.key_id + self.signed)}\n"


def parse_signatures(text: str) -> tuple[Signature, ...]:
    """Return the signatures of lines that each end in a newline.

    Raises:
        FormatError: there are none, more than 100, or one is none.
    """
    count = text.count("\n")
    if count > MAX_SIGNATURES:  # 1
        raise FormatError(f"{count} signature lines, {MAX_SIGNATURES} at most are read", remedy=MALFORMED)
    if not text.endswith("\n"):
        raise FormatError("the last signature line does not end", remedy=MALFORMED)
    return tuple(_parse_signature(line) for line in text[:-1].split("\n"))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_LINE_START).partition(" ")
    if not line.startswith(_LINE_START) or not space or name_fault(name):
        raise FormatError(f"{shown(line)} is no signature line", remedy=MALFORMED)
    data = parse_base64(encoded, "the signature")
    if len(data) <= KEY_ID_BYTES:
        raise FormatError(f"the signature of {shown(name)} is too short", remedy=MALFORMED)
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


@dataclass(frozen=True)
class Note:
    """A text and its signatures, none of them verified.

    Args:
        text: ends in a newline.
        signatures: at least one, at most 100.

    Raises:
        InputError: the text or the number of signatures cannot be.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or not is_text(self.text):
            raise InputError(
                "a note's text ends in a newline and has no other control characters", remedy="end it, clean it"
            )
        if not 0 < len(self.signatures) <= MAX_SIGNATURES:
            raise InputError(
                f"a note has 1 to {MAX_SIGNATURES} signatures, not {len(self.signatures)}", remedy="leave some out"
            )

    def encode(self) -> bytes:
        """Return its bytes."""
        return f"{self.text}\n{''.join(one.line for one in self.signatures)}".encode()


def parse_note(data: bytes) -> Note:
    """Return a note that nobody has verified yet.

    Raises:
        FormatError: it is none, or too large; see rule 1.
    """
    whole = parse_text(data, "the note", MAX_NOTE_BYTES)  # 1
    text, empty_line, lines = whole.rpartition("\n\n")
    if not empty_line or not lines:
        raise FormatError("the note has no signatures under an empty line", remedy=MALFORMED)
    return Note(text + "\n", parse_signatures(lines))


@dataclass(frozen=True)
class VerifierKey:
    """A public key, its name and what it signs: `name+id+key`, as it is configured.

    Args:
        name: like a host and a path, `example.org/log`.
        algorithm: how it signs.
        public_bytes: 32, Ed25519.

    Raises:
        InputError: the name or the length cannot be.
    """

    name: str
    algorithm: Algorithm
    public_bytes: bytes

    def __post_init__(self) -> None:
        if fault := name_fault(self.name):
            raise InputError(f"the key name {shown(self.name)} {fault}", remedy="name it like a host and a path")
        if len(self.public_bytes) != PUBLIC_KEY_BYTES:
            raise InputError(f"a public key has {PUBLIC_KEY_BYTES} bytes", remedy="give an Ed25519 key")

    @property
    def key_id(self) -> bytes:
        """4 bytes of a hash of all three. They tell keys apart, they prove nothing."""
        typed = bytes([self.algorithm]) + self.public_bytes
        return hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:KEY_ID_BYTES]

    def encode(self) -> str:
        """Return `name+id+key`."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.algorithm]) + self.public_bytes)}"


def parse_key(text: str) -> VerifierKey:
    """Return the key of `name+id+key`.

    Raises:
        InputError: it is none, its id is another key's, or it is of a kind that is not used here.
    """
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        typed = parse_base64(encoded, "the key")
        algorithm = Algorithm(typed[0])
    except (FormatError, IndexError):
        raise _no_key(name, "it is not name+id+key") from None
    except ValueError:
        raise _no_key(name, "it is not of Ed25519") from None
    if name_fault(name) or not _KEY_ID.fullmatch(key_id) or len(typed) != 1 + PUBLIC_KEY_BYTES:
        raise _no_key(name, "it is not name+id+key")
    key = VerifierKey(name, algorithm, typed[1:])
    if key.key_id.hex() != key_id:
        raise _no_key(name, "the id is not that of this name and key")
    return key


def _no_key(name: str, why: str) -> InputError:
    """Return the error; it shows no more than the name, since what was given may be a private key."""
    return InputError(f"{shown(name)} is no verifier key: {why}", remedy="copy the whole public line from its owner")


def sign(name: str, key: SigningKey, text: str) -> Signature:
    """Return the signature of a text with an Ed25519 key.

    Args:
        name: of the key.
        key: that signs.
        text: ends in a newline.
    """
    verifier = VerifierKey(name, Algorithm.ED25519, key.public_bytes)
    return Signature(name, verifier.key_id, key.sign(text.encode()))


def cosign(name: str, key: SigningKey, text: str, time_s: int) -> Signature:
    """Return a witness's signature of a checkpoint.

    Args:
        name: of the witness's key.
        key: that signs, and signs nothing else: the message does not hold its name.
        text: of the checkpoint, ends in a newline.
        time_s: now, seconds since 1970 UTC.

    Raises:
        InputError: that is no time.
    """
    verifier = VerifierKey(name, Algorithm.COSIGNATURE, key.public_bytes)
    return Signature(name, verifier.key_id, cosignature.cosign(key, text, time_s))


@dataclass(frozen=True)
class Verified:
    """A signature that holds.

    Args:
        key: whose.
        signature: the line.
        time_s: when a witness says that it signed, seconds since 1970 UTC; None for other keys.
    """

    key: VerifierKey
    signature: Signature
    time_s: int | None


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[Verified, ...]:
    """Return the signatures of known keys, in their order; all of them hold, and each is of another key.

    Args:
        note: from `parse_note`.
        keys: known ones; each note costs at most one verification a key.

    Raises:
        ProofError: rule 3, 4 or 5 is broken.
        InputError: two of the known keys have the same name and id.
    """
    known = _by_id(keys)
    signed: dict[VerifierKey, Signature] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:  # 2
            continue
        if key in signed:  # 4
            raise ProofError(f"two signature lines of the key {shown(key.name)}", remedy=MALFORMED)
        signed[key] = signature
    if not signed:  # 5
        raise ProofError("no known key signed this", remedy="check the key that you were given, and its name")
    return tuple(_verified(note.text, key, signature) for key, signature in signed.items())


def _by_id(keys: Iterable[VerifierKey]) -> dict[tuple[str, bytes], VerifierKey]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise InputError(f"two keys have the name {shown(key.name)} and one id", remedy="rename one of them")
    return known


def _verified(text: str, key: VerifierKey, signature: Signature) -> Verified:
    """Check one signature of a known key (rule 3)."""
    if key.algorithm is Algorithm.COSIGNATURE:
        return Verified(key, signature, cosignature.check(key.public_bytes, text, signature.signed))
    if not verify(key.public_bytes, text.encode(), signature.signed):
        raise ProofError(f"the signature of {shown(key.name)} does not hold", remedy="the text or the line was changed")
    return Verified(key, signature, None)
