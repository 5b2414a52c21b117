"""Passwords and the random secrets that stand for people: made, hashed, compared."""

import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from habeas.errors import InputError

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 1024
_HASHER: Final = PasswordHasher()
"""Argon2id with the library's parameters, RFC 9106's second recommendation."""


def new_id(prefix: str) -> str:
    """Return a random identifier that says only what kind it is of."""
    return f"{prefix}-{secrets.token_hex(8)}"


def new_secret(prefix: str) -> str:
    """Return 256 random bits for somebody to hold."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def new_code() -> str:
    """Return a code that a person can read out: 100 random bits in groups of five."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    letters = "".join(secrets.choice(alphabet) for _ in range(20))
    return "-".join(letters[start : start + 5] for start in range(0, 20, 5))


def digest(secret: str) -> str:
    """Return what is kept of a random secret: SHA-256; it has entropy enough to need no salt."""
    return hashlib.sha256(secret.strip().encode()).hexdigest()


def code_digest(code: str) -> str:
    """Return what is kept of a code, however it was typed."""
    return digest(code.upper().replace("-", "").replace(" ", ""))


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password.

    Raises:
        InputError: too short or too long.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InputError(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", remedy="take several words; length counts"
        )
    return _HASHER.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Tell whether a password is the one; takes as long where there is none to compare with."""
    try:
        _HASHER.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


_NOBODY: Final = _HASHER.hash(secrets.token_hex(16))
