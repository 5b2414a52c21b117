"""One epoch's log on this machine, which it grows and signs: from entries to a checkpoint.

::

    sequenced    a row of the database, durable with its effect
    integrated   in the tiles: `Log.integrate`; `tree` says how far
    signed       `Log.sign` read back what it will vouch for, and remembered it where no backup reaches
    published    `Log.publish`: in `checkpoint`, with the cosignatures that came

Each step can be done again: the same leaves make the same tiles, and the same tree the same signature. A log never
signs a tree that does not contain what it remembers to have signed:

1. The files lead to the root that `tree` says.
2. The remembered tree is no larger than that, and of the same origin.
3. The remembered root is the root of the first leaves of that tree.
4. New tiles and bundles are read back, and lead from what was signed before to the root that is signed now.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from habeas.audit.checkpoint import Checkpoint
from habeas.audit.folder import LogFolder
from habeas.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from habeas.audit.note import Note, sign
from habeas.audit.tiles import TILE_WIDTH, Tile, decode_bundle, encode_bundle, grow, tile_reader, tiles_of
from habeas.errors import ProofError
from habeas.keys.signing import SigningKey

TREE: Final = "tree"
CHECKPOINT: Final = "checkpoint"
WITNESSED: Final = "witnessed"
_FORKED: Final = (
    "do not go on: a new epoch takes two approvals (habeas audit epoch); keep these files, they are evidence"
)


class Memory(Protocol):
    """Where the log remembers what it signed: apart from database and log, in no backup. `keys.KeyStore` is one."""

    def recall(self) -> bytes:
        """Return what was remembered last; empty: nothing was."""

    def remember(self, data: bytes) -> None:
        """Remember; durable when it returns."""


@dataclass(frozen=True)
class Signed:
    """A tree that was signed."""

    origin: str
    size: int
    root: bytes

    def dump(self) -> bytes:
        """Return bytes to remember."""
        return json.dumps({"origin": self.origin, "root": self.root.hex(), "size": self.size, "v": 1}).encode()


def remembered(memory: Memory) -> Signed | None:
    """Return the tree that was signed last; None: none was.

    Raises:
        InputError: what is remembered is damaged, or another installation's.
        DiskError: it cannot be read.
    """
    data = memory.recall()
    if not data:
        return None
    fields = json.loads(data)
    return Signed(fields["origin"], fields["size"], bytes.fromhex(fields["root"]))


class Log:
    """The tree of one epoch. Thread-safe: one step at a time.

    Args:
        folder: its files.
        origin: names it.
        key: signs it; its name is the origin.
        memory: see there.

    Raises:
        ProofError: rule 1, 2 or 3 is broken: this folder, or this machine, is an older or another one.
        FormatError: a file is damaged.
        InputError: a file is missing.
        DiskError: it cannot be read.
    """

    def __init__(self, folder: LogFolder, origin: str, key: SigningKey, memory: Memory) -> None:
        self.origin: Final = origin
        self._folder = folder
        self._key = key
        self._memory = memory
        self._turn = threading.Lock()
        folder.tidy()
        self._tree = Frontier.decode(folder.read(TREE)) if folder.has(TREE) else Frontier()
        self._check_files()
        last = remembered(memory)
        self._signed = last if last is not None and last.origin == origin else Signed(origin, 0, EMPTY_ROOT)
        self._check_memory()

    def _check_files(self) -> None:
        if self._frontier(self._tree.size) != self._tree:  # 1
            raise ProofError("the tiles of the log are not those that its tree was made of", remedy=_FORKED)

    def _check_memory(self) -> None:
        signed = self._signed
        if signed.size > self._tree.size:  # 2
            raise ProofError(
                f"{signed.size} entries were signed, and the log has {self._tree.size}: it is an older copy",
                remedy=_FORKED,
            )
        if self._frontier(signed.size).root() != signed.root:  # 3
            raise ProofError(
                f"the first {signed.size} entries of the log are not those that were signed", remedy=_FORKED
            )

    def _frontier(self, size: int) -> Frontier:
        return Frontier.read(size, tile_reader(self._tree.size, self._folder.read))

    @property
    def size(self) -> int:
        """How many entries are integrated."""
        return self._tree.size

    @property
    def signed(self) -> Signed:
        """What was signed last."""
        return self._signed

    def leaves(self, index: int) -> tuple[bytes, ...]:
        """Return the leaves of bundle `index`, as they are on the disk.

        Raises:
            FormatError: it is damaged.
            InputError: there is none.
        """
        width = min(TILE_WIDTH, self.size - index * TILE_WIDTH)
        tile = Tile(0, index, width)
        return decode_bundle(tile, self._folder.read(tile.bundle_path))

    def integrate(self, leaves: Sequence[bytes]) -> None:
        """Put further leaves into the tiles; durable when this returns. A crash leaves the log as it was before.

        Raises:
            DiskError: they could not be written.
            InputError: a leaf is longer than 65,535 bytes.
        """
        with self._turn:
            if not leaves:
                return
            old = self._tree
            hashes = [leaf_hash(leaf) for leaf in leaves]
            new = old.extended(hashes)
            self._folder.write(dict(self._bundles(old.size, leaves)))
            self._folder.write({tile.path: data for tile, data in grow(old.size, hashes, self._folder.read)})
            self._folder.write({TREE: new.encode()})
            self._tree = new
            self._folder.drop(_outgrown(old.size, new.size))

    def _bundles(self, old_size: int, leaves: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
        index, had = divmod(old_size, TILE_WIDTH)
        before = self.leaves(index) if had else ()
        entries = [*before, *leaves]
        for tile in tiles_of(0, old_size, old_size + len(leaves)):
            start = (tile.index - index) * TILE_WIDTH
            yield tile.bundle_path, encode_bundle(entries[start : start + tile.width])

    def sign(self) -> Note:
        """Return the signed checkpoint of the tree as it is, having read back what is new of it (rule 4).

        Raises:
            ProofError: what is on the disk is not what was integrated.
            FormatError: a file is damaged.
            DiskError: it cannot be read, or what is signed not remembered: then nothing is signed.
        """
        with self._turn:
            self._check_memory()
            self._check_stored()
            signed = Signed(self.origin, self._tree.size, self._tree.root())
            self._memory.remember(signed.dump())
            self._signed = signed
            return self._note(signed)

    def sign_again(self) -> Note:
        """Return the signed checkpoint of the tree that was signed last: a crash may have come before it was published.

        Raises:
            ProofError: the log does not contain that tree.
        """
        with self._turn:
            self._check_memory()
            return self._note(self._signed)

    def _note(self, signed: Signed) -> Note:
        body = Checkpoint(signed.origin, signed.size, signed.root).body
        return Note(body, (sign(self.origin, self._key, body),))

    def _check_stored(self) -> None:
        """Hash the bundles from the last one that was signed on, and compare with the tiles."""
        first = self._signed.size // TILE_WIDTH
        stored = self._frontier(first * TILE_WIDTH)
        for index in range(first, -(-self.size // TILE_WIDTH)):
            stored = stored.extended(leaf_hash(leaf) for leaf in self.leaves(index))
        if stored != self._tree or self._frontier(self.size) != self._tree:  # 4
            raise ProofError("the log on the disk is not what was written to it", remedy=_FORKED)

    def publish(self, note: Note, *, witnessed: bool) -> None:
        """Make a signed checkpoint the one that others see; durable when this returns.

        Args:
            note: from `sign`, with the cosignatures that came.
            witnessed: they make up the quorum.

        Raises:
            DiskError: it could not be written.
        """
        data = note.encode()
        with self._turn:
            self._folder.write({WITNESSED: data, CHECKPOINT: data} if witnessed else {CHECKPOINT: data})

    def __repr__(self) -> str:
        return f"Log({self.origin!r}, size={self.size})"


def _outgrown(old_size: int, size: int) -> Iterator[str]:
    """Yield the folders of partial tiles and bundles that a full one replaces."""
    level = 0
    while old_size >> 8 * level != size >> 8 * level:
        for tile in tiles_of(level, old_size, size):
            if tile.width == TILE_WIDTH:
                yield f"{tile.path}.p"
                if level == 0:
                    yield f"{tile.bundle_path}.p"
        level += 1
