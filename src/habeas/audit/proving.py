"""Making a proof file of one entry from a log's files, wherever they are."""

from collections.abc import Sequence

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.inputs import EpochLog
from habeas.audit.log import CHECKPOINT
from habeas.audit.merkle import inclusion_proof
from habeas.audit.proof import InclusionProof
from habeas.audit.tiles import TILE_WIDTH, VerifiedTiles
from habeas.errors import InputError


def prove(logs: Sequence[EpochLog], seq: int) -> InclusionProof:
    """Return the proof that an entry is in the log, with its leaf as the extra data.

    Args:
        logs: one an epoch, in their order.
        seq: the entry's number.

    Raises:
        InputError: there is no such entry, or its leaf is not public yet.
        ProofError: the files do not lead to the root of the checkpoint.
    """
    log = max((one for one in logs if one.first_seq <= seq), key=lambda one: one.number, default=None)
    if log is None:
        raise InputError(f"there is no entry {seq}", remedy="count from 0")
    signed = parse_checkpoint(log.source.read(CHECKPOINT))
    head, index = signed.checkpoint, seq - log.first_seq
    if index >= head.size:
        raise InputError(f"the log has {head.size} entries from {log.first_seq} on", remedy="wait, or count from 0")
    tiles = VerifiedTiles(head.size, head.root, log.source.read)
    hashes = inclusion_proof(tiles.reader, index, head.size)
    leaf = tiles.entries(index // TILE_WIDTH)[index % TILE_WIDTH]
    return InclusionProof(index, hashes, signed, leaf)
