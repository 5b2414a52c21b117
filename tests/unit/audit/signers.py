"""Keys, the same in every run, and what they sign."""

from dataclasses import dataclass

from habeas.audit.checkpoint import Checkpoint, SignedCheckpoint
from habeas.audit.merkle import root
from habeas.audit.note import Algorithm, Note, Signature, VerifierKey, cosign, sign
from habeas.keys.signing import SigningKey

NOW_S = 1_700_000_000


@dataclass(frozen=True)
class Log:
    """A log's key."""

    key: SigningKey
    name: str = "example.org/log"

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, Algorithm.ED25519, self.key.public_bytes)

    def sign(self, text: str) -> Signature:
        return sign(self.name, self.key, text)


@dataclass(frozen=True)
class Witness:
    """A witness's key."""

    key: SigningKey
    name: str

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, Algorithm.COSIGNATURE, self.key.public_bytes)

    def sign(self, text: str, time_s: int = NOW_S) -> Signature:
        return cosign(self.name, self.key, text, time_s)


LOG = Log(SigningKey(b"L" * 32))
OTHER_LOG = Log(SigningKey(b"O" * 32), "example.org/other")
THIEF = Log(SigningKey(b"T" * 32))
"""Has the log's name and not its key."""
WITNESSES = [Witness(SigningKey(bytes([number]) * 32), f"witness{number}.example") for number in range(1, 5)]


def signed(checkpoint: Checkpoint, *signers: Log | Witness) -> SignedCheckpoint:
    return SignedCheckpoint(checkpoint, Note(checkpoint.body, tuple(one.sign(checkpoint.body) for one in signers)))


def head(leaf_hashes: list[bytes], log: Log = LOG) -> Checkpoint:
    return Checkpoint(log.name, len(leaf_hashes), root(leaf_hashes))
