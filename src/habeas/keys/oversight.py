"""Sealing to somebody outside, who holds the only key: the format of age (C2SP, age-encryption.org/v1)."""

from dataclasses import dataclass, field
from typing import Final

import pyrage

from habeas.errors import InputError

MIN_PASSPHRASE: Final = 12


@dataclass(frozen=True)
class Identity:
    """A pair of keys for whoever opens what was sealed.

    Args:
        secret: `AGE-SECRET-KEY-1...`; kept by them alone, on paper or off this machine.
        recipient: `age1...`; given to the installation.
    """

    secret: str = field(repr=False)
    recipient: str


def new_identity() -> Identity:
    """Make a pair of keys."""
    identity = pyrage.x25519.Identity.generate()
    return Identity(secret=str(identity), recipient=str(identity.to_public()))


def seal(recipient: str, plaintext: bytes) -> bytes:
    """Encrypt so that only the recipient can read it; this machine cannot any more.

    Args:
        recipient: `age1...`.
        plaintext: any bytes.

    Raises:
        InputError: that is no age recipient.
    """
    try:
        known = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise InputError("that is no age recipient", remedy="give the public key, age1...") from None
    sealed: bytes = pyrage.encrypt(plaintext, [known])
    return sealed


def unseal(identity: str, sealed: bytes) -> bytes:
    """Decrypt what was sealed to an identity.

    Args:
        identity: `AGE-SECRET-KEY-1...`.
        sealed: from `seal`, or any other age program.

    Raises:
        InputError: that is no identity, the bytes were sealed to another one, or they were changed.
    """
    try:
        known = pyrage.x25519.Identity.from_str(identity)
    except pyrage.IdentityError:
        raise InputError("that is no age identity", remedy="give the secret key, AGE-SECRET-KEY-1...") from None
    try:
        plaintext: bytes = pyrage.decrypt(sealed, [known])
    except pyrage.DecryptError:
        raise InputError(
            "this was not sealed to that identity, or was changed", remedy="use the identity it was sealed to"
        ) from None
    return plaintext


def seal_with_passphrase(passphrase: str, plaintext: bytes) -> bytes:
    """Encrypt so that whoever knows the passphrase can read it; age derives the key by scrypt.

    Raises:
        InputError: it is shorter than 12 characters.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise InputError(f"a passphrase of {len(passphrase)} characters", remedy=f"give at least {MIN_PASSPHRASE}")
    sealed: bytes = pyrage.passphrase.encrypt(plaintext, passphrase)
    return sealed


def unseal_with_passphrase(passphrase: str, sealed: bytes) -> bytes:
    """Decrypt what was sealed with a passphrase.

    Raises:
        InputError: it is another passphrase, or the bytes were changed.
    """
    try:
        plaintext: bytes = pyrage.passphrase.decrypt(sealed, passphrase)
    except pyrage.DecryptError:
        raise InputError(
            "this was not sealed with that passphrase, or was changed", remedy="type it as it was given"
        ) from None
    return plaintext
