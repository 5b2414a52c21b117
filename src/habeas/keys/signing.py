"""Ed25519 signatures (RFC 8032), over bytes."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from habeas.errors import InputError

PUBLIC_KEY_BYTES: Final = 32
PRIVATE_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class SigningKey:
    """A private key. It is never shown.

    Args:
        private_bytes: 32, as from `secret_bytes`.

    Raises:
        InputError: they are of another length.
    """

    def __init__(self, private_bytes: bytes) -> None:
        if len(private_bytes) != PRIVATE_KEY_BYTES:
            raise InputError(
                f"a signing key has {PRIVATE_KEY_BYTES} bytes, not {len(private_bytes)}",
                remedy="give the key as it was made",
            )
        self._key = Ed25519PrivateKey.from_private_bytes(private_bytes)
        self.public_bytes: Final = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a key at random."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    def secret_bytes(self) -> bytes:
        """Return the 32 private bytes, to be kept under another key."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public_bytes.hex()})"


def verify(public_bytes: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the signature is of this message and made by the key's holder.

    Args:
        public_bytes: 32.
        message: any bytes.
        signature: 64 bytes; of another length, or not canonical, it is no signature.

    Raises:
        InputError: the public key has another length.
    """
    if len(public_bytes) != PUBLIC_KEY_BYTES:
        raise InputError(
            f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_bytes)}", remedy="give an Ed25519 key"
        )
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes).verify(signature, message)
    except InvalidSignature:
        return False
    return True
