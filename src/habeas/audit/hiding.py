"""The hidden part of an entry: what links a person listed to a place or a time. It goes with a key; the log stays.

The entry commits to SHA-256 of what is hidden, which holds 128 random bits of its own, so that the hash tells nothing
once it cannot be opened any more. What is hidden is kept encrypted beside the entry, under the key that ends with what
it is about: an alert's, a subject's.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

import rfc8785

from habeas.keys import KeyStore
from habeas.store.records import Entry
from habeas.store.transaction import Hidden

_SALT_BYTES: Final = 16


def hide(keys: KeyStore, key_id: str, fields: Mapping[str, object]) -> Hidden:
    """Return the hidden part of an entry, for `Tx.entry`.

    Args:
        keys: the key store.
        key_id: with which it goes.
        fields: JSON values; times as text (`types.utc`).

    Raises:
        KeyDestroyed: there is no such key.
    """
    salted = {"salt": secrets.token_hex(_SALT_BYTES), **fields}
    plain = rfc8785.dumps(cast("Any", salted))
    sha256 = hashlib.sha256(plain).hexdigest()
    return Hidden(sha256, key_id, keys.encrypt(key_id, plain, _context(sha256)))


def uncover(keys: KeyStore, entry: Entry) -> bytes:
    """Return what an entry hides, as it was committed to: canonical JSON. Empty: it hides nothing.

    Raises:
        KeyDestroyed: it is gone.
        InputError: what is kept of it is damaged.
    """
    if entry.hidden_sha256 is None:
        return b""
    return keys.decrypt(entry.hidden_key or "", entry.hidden_sealed or b"", _context(entry.hidden_sha256))


def _context(sha256: str) -> bytes:
    return f"entry hidden {sha256}".encode()
