"""A log as a witness meets it: requests for a history that grows, and for others that its operator might tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.unit.audit.logs import Files, entries, naive_files
from tests.unit.audit.signers import LOG, Log, head, signed

from habeas.audit.merkle import consistency_proof, leaf_hash, root
from habeas.audit.tiles import tile_reader
from habeas.audit.witnessing import Request


@dataclass(frozen=True)
class History:
    """Leaves of a log, in order."""

    leaves: tuple[bytes, ...]

    def grown(self, *leaves: bytes) -> "History":
        return History((*self.leaves, *leaves))

    def root(self, size: int) -> bytes:
        return root([leaf_hash(leaf) for leaf in self.leaves[:size]])

    def request(
        self, old: int, size: int | None = None, *, log: Log = LOG, proof: Sequence[bytes] | None = None
    ) -> bytes:
        """What the log asks its witness, who it thinks cosigned `old` leaves."""
        leaves = self.leaves[:size]
        if proof is None:
            reader = tile_reader(len(leaves), Files(naive_files(leaves)))
            proof = consistency_proof(reader, old, len(leaves)) if 0 < old <= len(leaves) else ()
        return Request(old, tuple(proof), signed(head([leaf_hash(leaf) for leaf in leaves], log), log)).encode()


TRUE = History(tuple(entries(40)))
FORK = History((*entries(2), b"another history", *entries(40)[3:]))
"""Parts from the true one at leaf 2."""
