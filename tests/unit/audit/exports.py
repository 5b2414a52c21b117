"""Logs in memory as a verifier meets them: signed, witnessed, with openings; entries of every kind, by hand."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rfc8785
from tests.unit.audit.logs import naive_files
from tests.unit.audit.signers import LOG, WITNESSES, Log, Witness

from habeas.audit.checkpoint import Checkpoint, SignedCheckpoint, parse_checkpoint
from habeas.audit.entry import Leaf
from habeas.audit.inputs import EpochLog
from habeas.audit.merkle import leaf_hash, root
from habeas.audit.note import Note
from habeas.audit.policy import WitnessPolicy
from habeas.audit.verify import Step, Trust, Verified, verify
from habeas.errors import InputError
from habeas.types import NS_PER_S, utc

BEGAN_NS = 1_795_702_512 * NS_PER_S
"""2026-11-26T14:15:12Z"""
WITNESSED_S = BEGAN_NS // NS_PER_S + 3 * 86_400
"""When witnesses sign, unless a test says otherwise: all entries should be public."""
POLICY = WitnessPolicy(tuple(witness.verifier for witness in WITNESSES[:3]), 2)


@dataclass(frozen=True)
class Memory:
    """The files of a log, by name."""

    files: Mapping[str, bytes]

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise InputError(f"there is no {name}")
        return self.files[name]

    def has(self, name: str) -> bool:
        return name in self.files


@dataclass
class Book:
    """Entries with their openings, written one after the other."""

    first_seq: int = 0
    now_ns: int = BEGAN_NS
    openings: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[dict[str, Any] | None] = field(default_factory=list)

    def add(
        self,
        kind: str,
        actor: str,
        body: Mapping[str, Any],
        hidden: Mapping[str, Any] | None = None,
        after_s: float = 1,
    ) -> int:
        """Write an entry, a while after the one before; return its number."""
        self.now_ns += round(after_s * NS_PER_S)
        seq = self.first_seq + len(self.openings)
        said = None if hidden is None else {"salt": f"{seq:032x}", **hidden}
        digest = None if said is None else hashlib.sha256(rfc8785.dumps(said)).hexdigest()
        salt = hashlib.sha256(b"%d" % seq).hexdigest()[:32]
        self.openings.append(
            {
                "actor": actor,
                "at": utc(self.now_ns),
                "body": dict(body),
                "hidden": digest,
                "salt": salt,
                "seq": seq,
                "type": kind,
                "v": 1,
            }
        )
        self.hidden.append(said)
        return seq

    def pad(self, minutes: float) -> None:
        """Let time pass in a node that runs."""
        for _ in range(round(minutes)):
            self.add("padding", "log", {}, after_s=60)

    def leaves(self) -> list[bytes]:
        return [
            Leaf(one["type"], one["at"][:13] + ":00:00Z", hashlib.sha256(rfc8785.dumps(one)).hexdigest()).dump()
            for one in self.openings
        ]

    def lines(self, seq: int) -> Iterator[bytes]:
        for opening, hidden in zip(self.openings[seq:], self.hidden[seq:], strict=True):
            yield json.dumps({"opening": opening, "hidden": hidden}).encode() + b"\n"

    def left_behind(self, number: int) -> Iterator[bytes]:
        raise AssertionError(number)


def note_of(
    leaves: Sequence[bytes], log: Log = LOG, witnesses: Sequence[Witness] = WITNESSES[:3], time_s: int = 0
) -> SignedCheckpoint:
    """A checkpoint of these leaves, signed and cosigned."""
    head = Checkpoint(log.name, len(leaves), root([leaf_hash(leaf) for leaf in leaves]))
    at_s = time_s or WITNESSED_S
    lines = (log.sign(head.body), *(witness.sign(head.body, at_s) for witness in witnesses))
    return parse_checkpoint(Note(head.body, lines).encode())


def files_of(leaves: Sequence[bytes], signed: SignedCheckpoint | None = None) -> dict[str, bytes]:
    """All files of a log."""
    return {**naive_files(leaves), "checkpoint": (signed or note_of(leaves)).note.encode()}


def plain_leaves(count: int) -> list[bytes]:
    """Leaves of padding, half a minute apart."""
    hours = [f"{utc(BEGAN_NS + index * 30 * NS_PER_S)[:13]}:00:00Z" for index in range(count)]
    return [Leaf("padding", hour, hashlib.sha256(b"%d" % n).hexdigest()).dump() for n, hour in enumerate(hours)]


def verified(
    *logs: EpochLog,
    keys: Sequence[Log] = (LOG,),
    policy: WitnessPolicy = POLICY,
    since: Sequence[SignedCheckpoint] = (),
    book: Any = None,
    steps: list[Step] | None = None,
) -> Verified:
    """Verify with these keys and witnesses."""
    trust = Trust(tuple(key.verifier for key in keys), policy, tuple(since))
    told = [] if steps is None else steps
    return verify(logs, trust, book, told.append, lambda _done, _total: None)
