"""The form of every file of the key store: magic, version, kind, length, encrypted body, checksum.

::

    magic 8 | version 1 | kind 1 | body length 4 | nonce 12 | AES-256-GCM ciphertext and tag | SHA-256 of all before 32

The checksum tells damage from a wrong key, so that the reader can be told which; the tag alone is what is trusted.
Big-endian. AES-GCM as in NIST SP 800-38D, with a random 96-bit nonce.
"""

import enum
import hashlib
import os
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from habeas.errors import InputError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
MAX_FILE_BYTES: Final = 64 << 20
"""No file of the store is longer; a longer one is not read."""

_MAGIC: Final = b"HABKEYS\n"
_VERSION: Final = 1
_HEADER: Final = struct.Struct(">8sBBI")
_CHECKSUM_BYTES: Final = 32
_LEAST_BYTES: Final = _HEADER.size + NONCE_BYTES + TAG_BYTES + _CHECKSUM_BYTES


class Kind(enum.IntEnum):
    """What a file holds."""

    STORE = 1
    WRAPPING_KEY = 2
    BUCKET = 3
    MEMORY = 4


def build(kind: Kind, key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """Return a file's bytes.

    Args:
        kind: what it holds.
        key: 32 bytes that encrypt it.
        plaintext: what it says.
        bound: bytes that the reader must know too: whose and which file it is.
    """
    nonce = os.urandom(NONCE_BYTES)
    header = _HEADER.pack(_MAGIC, _VERSION, kind, NONCE_BYTES + len(plaintext) + TAG_BYTES)
    framed = header + nonce + AESGCM(key).encrypt(nonce, plaintext, header + bound)
    return framed + hashlib.sha256(framed).digest()


def read(name: str, data: bytes, kind: Kind, key: bytes, bound: bytes) -> bytes:
    """Return what a file says.

    Args:
        name: of the file, for the message.
        data: its bytes.
        kind: what it should hold.
        key: 32 bytes that encrypted it.
        bound: as given to `build`.

    Raises:
        InputError: it is not such a file, of another version, damaged, or encrypted under another key.
    """
    _check(name, data, kind)
    header, rest = data[: _HEADER.size], data[_HEADER.size : -_CHECKSUM_BYTES]
    try:
        return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + bound)
    except InvalidTag:
        raise InputError(
            f"{name} of the key store does not open: the master key is the wrong one, or the file another store's",
            remedy="use the master key that the key store was made with",
        ) from None


def _check(name: str, data: bytes, kind: Kind) -> None:
    if len(data) < _LEAST_BYTES:
        raise damaged(name, "it is too short")
    magic, version, found, body_bytes = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise damaged(name, "it is not a file of a key store")
    if version != _VERSION:
        raise InputError(
            f"{name} has version {version}, this program reads {_VERSION}",
            remedy="use the version of habeas that wrote it",
        )
    if body_bytes != len(data) - _HEADER.size - _CHECKSUM_BYTES:
        raise damaged(name, "its length is not the length it states")
    if hashlib.sha256(data[:-_CHECKSUM_BYTES]).digest() != data[-_CHECKSUM_BYTES:]:
        raise damaged(name, "its checksum does not match")
    if found != kind:
        raise damaged(name, f"it is of kind {found}, should be {kind.value}")


def damaged(name: str, why: str) -> InputError:
    """Return the error for a file that cannot be used."""
    return InputError(
        f"{name} of the key store is damaged: {why}",
        remedy="look for a failing disk; moving the file away gives up the keys in it",
    )
