"""The form of everything encrypted under a key of the store.

::

    magic "HABS" 4 | version 1 | nonce 12 | AES-256-GCM ciphertext and tag

Nonces are random, which NIST SP 800-38D allows for 2^32 messages under one key; no scope comes near.
Associated data are magic, version, the key's id and the caller's context: what is moved to another place does not open.
"""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from habeas.errors import InputError
from habeas.keys.frame import NONCE_BYTES, TAG_BYTES

MAX_PLAINTEXT_BYTES: Final = 1 << 30
_MAGIC: Final = b"HABS"
_VERSION: Final = 1
_HEADER: Final = _MAGIC + bytes([_VERSION])
_BODY_AT: Final = len(_HEADER) + NONCE_BYTES
_TAG_PURPOSE: Final = b"habeas keys v1: listing tag"


def encrypt(key: bytes, key_id: str, plaintext: bytes, context: bytes) -> bytes:
    """Encrypt under a key.

    Raises:
        InputError: it is longer than 1 GiB.
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise InputError(f"{len(plaintext)} bytes are too many to encrypt at once", remedy="store it in parts")
    nonce = os.urandom(NONCE_BYTES)
    return _HEADER + nonce + AESGCM(key).encrypt(nonce, plaintext, _bound(key_id, context))


def decrypt(key: bytes, key_id: str, sealed: bytes, context: bytes) -> bytes:
    """Decrypt what `encrypt` returned.

    Raises:
        InputError: it is not such bytes, of another version, changed, or of another key or context.
    """
    if len(sealed) < _BODY_AT + TAG_BYTES or not sealed.startswith(_MAGIC):
        raise InputError("these are no bytes that habeas encrypted", remedy="look for a failing disk")
    if sealed[len(_MAGIC)] != _VERSION:
        raise InputError(
            f"encrypted bytes of version {sealed[len(_MAGIC)]}, this program reads {_VERSION}",
            remedy="use the version of habeas that wrote them",
        )
    nonce, body = sealed[len(_HEADER) : _BODY_AT], sealed[_BODY_AT:]
    try:
        return AESGCM(key).decrypt(nonce, body, _bound(key_id, context))
    except InvalidTag:
        raise InputError(
            f"these bytes are damaged, or were not encrypted under {key_id} for this place",
            remedy="look for a failing disk, or for rows that were moved",
        ) from None


def tag(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA-256 (RFC 2104) of a message: 32 bytes, under a key derived for this one purpose."""
    return hmac.digest(hmac.digest(key, _TAG_PURPOSE, "sha256"), message, "sha256")


def _bound(key_id: str, context: bytes) -> bytes:
    name = key_id.encode()
    return _HEADER + len(name).to_bytes(2, "big") + name + context
