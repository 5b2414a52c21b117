"""Whose signatures a checkpoint needs before it is believed: the log's, and those of enough witnesses.

A checkpoint is believed when, in this order:

1. the log's key signed it, and the origin is that key's name;
2. every line of a known key verifies, and no known key has two (`habeas.audit.note`, rules 3 and 4);
3. at least as many witnesses as the quorum says signed it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from habeas.audit.checkpoint import Checkpoint, SignedCheckpoint, parse_checkpoint
from habeas.audit.note import Algorithm, Verified, VerifierKey, parse_key, verify_note
from habeas.audit.text import shown
from habeas.errors import InputError, ProofError

MAX_WITNESSES: Final = 64


@dataclass(frozen=True)
class WitnessPolicy:
    """The witnesses that are known, and how many of them must have signed.

    Args:
        witnesses: their keys, each of another name and another key.
        quorum: how many; 0 asks for none, and proves nothing against two views of one log.

    Raises:
        InputError: a key is no witness's, two are alike, or there are fewer than the quorum.
    """

    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        for witness in self.witnesses:
            if witness.algorithm is not Algorithm.COSIGNATURE:
                raise InputError(f"{shown(witness.name)} is not the key of a witness", remedy="ask for its witness key")
        names = {witness.name for witness in self.witnesses}
        keys = {witness.public_bytes for witness in self.witnesses}
        if min(len(names), len(keys)) < len(self.witnesses):
            raise InputError("two witnesses have one name or one key", remedy="list each witness once")
        if not 0 <= self.quorum <= len(self.witnesses) <= MAX_WITNESSES:
            raise InputError(
                f"{self.quorum} of {len(self.witnesses)} witnesses is no quorum",
                remedy=f"list up to {MAX_WITNESSES}, and ask for no more than are listed",
            )

    def as_json(self) -> dict[str, object]:
        """Return the object that `parse_policy` reads."""
        return {"quorum": self.quorum, "witnesses": [witness.encode() for witness in self.witnesses]}


def parse_policy(told: object) -> WitnessPolicy:
    """Return the policy of `{"quorum": 2, "witnesses": ["name+id+key", ...]}`, from JSON.

    Raises:
        InputError: it is none.
    """
    if not isinstance(told, Mapping) or set(told) != {"quorum", "witnesses"}:
        raise _no_policy("it has a quorum and witnesses, and nothing else")
    quorum, witnesses = told["quorum"], told["witnesses"]
    if type(quorum) is not int or not isinstance(witnesses, list):
        raise _no_policy("the quorum is a whole number, the witnesses are a list")
    if len(witnesses) > MAX_WITNESSES or not all(isinstance(one, str) for one in witnesses):
        raise _no_policy(f"a witness is a line name+id+key, and there are at most {MAX_WITNESSES}")
    return WitnessPolicy(tuple(parse_key(one) for one in witnesses), quorum)


def _no_policy(why: str) -> InputError:
    return InputError(f"that is no witness policy: {why}", remedy="write it as habeas prints it")


@dataclass(frozen=True)
class Believed:
    """A checkpoint that was verified.

    Args:
        checkpoint: what the log says.
        cosignatures: of known witnesses, in the order of the note, each with its time.
    """

    checkpoint: Checkpoint
    cosignatures: tuple[Verified, ...]


def verify_checkpoint(data: bytes, log_key: VerifierKey, policy: WitnessPolicy) -> Believed:
    """Return a checkpoint once enough of the right keys signed it.

    Args:
        data: the note.
        log_key: the log's; its name is the log's origin.
        policy: the witnesses'.

    Raises:
        FormatError: it is no checkpoint.
        ProofError: it is not to be believed.
        InputError: the log's key is a witness's, or of another kind.
    """
    return believe(parse_checkpoint(data), log_key, policy)


def believe(signed: SignedCheckpoint, log_key: VerifierKey, policy: WitnessPolicy) -> Believed:
    """As `verify_checkpoint`, of a checkpoint that is parsed already."""
    if log_key.algorithm is not Algorithm.ED25519 or log_key.public_bytes in {w.public_bytes for w in policy.witnesses}:
        raise InputError(f"{shown(log_key.name)} is not the key of a log alone", remedy="give the log its own key")
    verified = verify_note(signed.note, (log_key, *policy.witnesses))  # 2
    if signed.checkpoint.origin != log_key.name:  # 1
        raise ProofError(
            f"the checkpoint is of the log {shown(signed.checkpoint.origin)}, not of {shown(log_key.name)}",
            remedy="give the key of that log, or the right checkpoint",
        )
    if all(one.key != log_key for one in verified):  # 1
        raise ProofError(f"the log {shown(log_key.name)} did not sign this", remedy="check the log's key")
    cosignatures = tuple(one for one in verified if one.key != log_key)
    if len(cosignatures) < policy.quorum:  # 3
        raise ProofError(
            f"{len(cosignatures)} of the {policy.quorum} witnesses that it needs signed this checkpoint",
            remedy="ask for a later one, or ask the witnesses",
        )
    return Believed(signed.checkpoint, cosignatures)
