"""The tree of the epoch in force, opened beside the database whose entries it is made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from habeas.audit.checkpoint import Checkpoint, parse_checkpoint
from habeas.audit.entry import leaf_of
from habeas.audit.folder import LogFolder
from habeas.audit.log import CHECKPOINT, TREE, Log, remembered
from habeas.audit.merkle import Frontier
from habeas.audit.note import Note
from habeas.audit.tiles import TILE_WIDTH, Tile, decode_bundle
from habeas.authority.epochs import Ended, signing_key
from habeas.errors import ProofError
from habeas.keys import KeyStore
from habeas.store import Store, queries
from habeas.store.records import Entry, Epoch

LOGS: Final = "log"
"""Folder in the workspace with the logs, one folder an epoch."""


@dataclass(frozen=True)
class Tree:
    """One epoch's tree, open.

    Args:
        epoch: whose.
        files: in which folder.
        log: that grows it.
    """

    epoch: Epoch
    files: LogFolder
    log: Log

    @property
    def next_seq(self) -> int:
        """Number of the first entry that is not integrated."""
        return self.epoch.first_seq + self.log.size

    def signed_last(self) -> Note | None:
        """Return the checkpoint that was signed last, and may have been cosigned; None: none was.

        A crash may have come between the witnesses and publishing: they then know more than was published.
        """
        published = parse_checkpoint(self.files.read(CHECKPOINT)) if self.files.has(CHECKPOINT) else None
        if self.log.signed.size > (published.checkpoint.size if published else 0):
            return self.log.sign_again()
        return published.note if published else None


def files_of(folder: Path, epoch: Epoch) -> LogFolder:
    """Return where an epoch's files are, below the folder of all logs."""
    return LogFolder(folder / str(epoch.number))


def open_tree(folder: Path, epoch: Epoch, keys: KeyStore, store: Store) -> Tree:
    """Open an epoch's tree, and check that it is made of the entries of this database.

    Raises:
        ProofError: it is not the tree that was signed, or the database is an older one, or another.
        FormatError: a file is damaged.
    """
    files = files_of(folder, epoch)
    tree = Tree(epoch, files, Log(files, epoch.origin, signing_key(keys, epoch), keys))
    size = tree.log.size
    first = max(0, size - 1) // TILE_WIDTH * TILE_WIDTH
    leaves = tree.log.leaves(first // TILE_WIDTH) if size else ()
    if _rows(store, epoch, first, len(leaves)) != list(leaves):
        raise ProofError(
            f"the database does not have the {size} entries of the log: it is an older one, or another",
            remedy="see `habeas audit status`; alerts and deadlines go on meanwhile",
        )
    return tree


def _rows(store: Store, epoch: Epoch, first: int, count: int) -> list[bytes]:
    with store.read() as tx:
        return [leaf_of(row) for row in queries.entries_from(tx, epoch.first_seq + first, count)]


def ended_epoch(folder: Path, epoch: Epoch, keys: KeyStore, store: Store) -> Ended:
    """Return how far an epoch was seen that does not go on, and which entries of the database are not in it.

    The database may be older than the log, and have grown apart from it since: the entries that both have come first.
    """
    last, files = remembered(keys), files_of(folder, epoch)
    signed = last.size if last is not None and last.origin == epoch.origin else 0
    text = Checkpoint(last.origin, last.size, last.root).body if last is not None and signed else ""
    if files.has(CHECKPOINT):
        seen = parse_checkpoint(files.read(CHECKPOINT))
        text = seen.note.text if seen.checkpoint.size >= signed else text
    size = Frontier.decode(files.read(TREE)).size if files.has(TREE) else 0
    return Ended(text, epoch.first_seq + _in_common(files, epoch, store, min(size, signed), size))


def _in_common(files: LogFolder, epoch: Epoch, store: Store, most: int, size: int) -> int:
    """Return how many entries the database and the log have in common, at most `most`: once apart, they stay so."""
    least = 0
    while least < most:
        middle = (least + most) // 2
        if _same(files, epoch, store, middle, size):
            least = middle + 1
        else:
            most = middle
    return least


def _same(files: LogFolder, epoch: Epoch, store: Store, index: int, size: int) -> bool:
    with store.read() as tx:
        rows = queries.entries_from(tx, epoch.first_seq + index, 1)
    leaves = _bundle(files, index // TILE_WIDTH, size)
    return bool(rows) and leaf_of(rows[0]) == leaves[index % TILE_WIDTH]


def _bundle(files: LogFolder, index: int, size: int) -> tuple[bytes, ...]:
    tile = Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH))
    return decode_bundle(tile, files.read(tile.bundle_path))


def entries_in(files: LogFolder, epoch: Epoch, rows: Iterable[Entry]) -> Iterator[Entry]:
    """Yield those entries that the files of an epoch's log have.

    Args:
        files: of the log.
        epoch: whose log.
        rows: in their order; none of an earlier epoch.

    Raises:
        HabeasError: a file is damaged, or not there.
    """
    size = Frontier.decode(files.read(TREE)).size if files.has(TREE) else 0
    bundle = lru_cache(1)(lambda index: _bundle(files, index, size))
    for row in rows:
        index = row.seq - epoch.first_seq
        if index >= size:
            return
        if leaf_of(row) == bundle(index // TILE_WIDTH)[index % TILE_WIDTH]:
            yield row
