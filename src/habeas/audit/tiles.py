"""A log as files: c2sp.org/tlog-tiles@v0.1.0.

A tile holds up to 256 hashes of one level. Level 0 has the leaf hashes; each hash of a level above is the root of a
full tile below. The last tile of a level may be partial: it is then a file of its own, and never changes either. Entry
bundles are cut as tiles of level 0 are, each entry behind its length in two bytes, big-endian.

Two readers make hashes of tiles. `tile_reader` trusts them: it is for a log's own files, before their root is compared
with what was signed. `VerifiedTiles` trusts the root alone.
"""

import functools
import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.audit.merkle import HASH_BYTES, Frontier, HashReader, leaf_hash, root
from habeas.errors import FormatError, InputError, ProofError

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_ENTRY_BYTES: Final = (1 << 16) - 1
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

Fetch = Callable[[str], bytes]
"""Path of a tile or bundle -> its bytes. It raises what its source raises, bounds what it reads, and may cache."""

_LENGTH: Final = struct.Struct(">H")
_CACHED_TILES: Final = 64
_REMEDY: Final = "compare with another copy of the log; keep this one, it is evidence"


@dataclass(frozen=True, order=True)
class Tile:
    """Which tile.

    Args:
        level: 0 has leaf hashes; at most 7 in a tree of 2^64 - 1 leaves.
        index: within the level.
        width: hashes in it, 1 to 256; fewer than 256 make it partial.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Under the log's prefix, such as `tile/0/x001/x234/067.p/8`."""
        return f"tile/{self.level}/{_numbered(self.index, self.width)}"

    @property
    def bundle_path(self) -> str:
        """Path of the entries that a tile of level 0 is about."""
        return f"tile/entries/{_numbered(self.index, self.width)}"

    @property
    def start(self) -> int:
        """The first leaf that it covers."""
        return self.index << TILE_HEIGHT * (self.level + 1)


def _numbered(index: int, width: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups) + ("" if width == TILE_WIDTH else f".p/{width}")


def _count(level: int, size: int) -> int:
    """Return how many hashes a level of a tree has."""
    return size >> TILE_HEIGHT * level


def _tile(level: int, index: int, size: int) -> Tile:
    """Return the tile in a tree of that size. Its width is 0 or less where it has none."""
    return Tile(level, index, min(TILE_WIDTH, _count(level, size) - index * TILE_WIDTH))


def tiles_of(level: int, old_size: int, size: int) -> Iterator[Tile]:
    """Yield the tiles of a level that a tree has and a smaller one lacked, in order.

    Args:
        level: 0 also says which bundles.
        old_size: leaves before; 0 for all tiles.
        size: leaves now.
    """
    old_count, count = _count(level, old_size), _count(level, size)
    if old_count < count:
        for index in range(old_count // TILE_WIDTH, -(-count // TILE_WIDTH)):
            yield _tile(level, index, size)


def written_tiles(old_size: int, size: int) -> Iterator[Tile]:
    """Yield every tile that a log writes when it grows, the lowest level first.

    Args:
        old_size: leaves before.
        size: leaves after.
    """
    for level in itertools.count():
        if not _count(level, size):
            return
        yield from tiles_of(level, old_size, size)


def grow(old_size: int, leaf_hashes: Sequence[bytes], fetch: Fetch) -> Iterator[tuple[Tile, bytes]]:
    """Yield the tiles to write when leaves are appended, with their bytes, in the order of `written_tiles`.

    Args:
        old_size: leaves before.
        leaf_hashes: of the new ones, 32 bytes each.
        fetch: the log so far; only partial tiles are asked for, one a level at most.

    Raises:
        FormatError: a partial tile has another length.
    """
    added = leaf_hashes
    for level in itertools.count():
        count = _count(level, old_size)
        last = Tile(level, count // TILE_WIDTH, count % TILE_WIDTH)
        hashes = [*(_fetched(last, fetch) if last.width and added else ()), *added]
        if not hashes:
            return
        added = []
        for index, start in enumerate(range(0, len(hashes), TILE_WIDTH), last.index):
            part = hashes[start : start + TILE_WIDTH]
            yield Tile(level, index, len(part)), b"".join(part)
            if len(part) == TILE_WIDTH:
                added.append(root(part))


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return the bytes of a bundle.

    Raises:
        InputError: an entry is longer than 65,535 bytes.
    """
    return b"".join(_prefixed(entry) for entry in entries)


def _prefixed(entry: bytes) -> bytes:
    if len(entry) > MAX_ENTRY_BYTES:
        raise InputError(
            f"an entry of {len(entry)} bytes does not fit into the log, {MAX_ENTRY_BYTES} do",
            remedy="log the hash of what is long, and keep that apart",
        )
    return _LENGTH.pack(len(entry)) + entry


def decode_bundle(tile: Tile, data: bytes) -> tuple[bytes, ...]:
    """Return the entries of a bundle.

    Args:
        tile: of level 0; its width says how many there are.
        data: the bytes.

    Raises:
        FormatError: there are fewer, or bytes after them. Its `index` is the first leaf without a whole entry, or the
            one after the last.
    """
    entries: list[bytes] = []
    start = 0
    while len(entries) < tile.width:
        begin = start + _LENGTH.size
        end = begin + _LENGTH.unpack_from(data, start)[0] if begin <= len(data) else begin
        if end > len(data):
            raise _bad_bundle(tile, len(entries), "ends before")
        entries.append(data[begin:end])
        start = end
    if start != len(data):
        raise _bad_bundle(tile, len(entries), "goes on at")
    return tuple(entries)


def _bad_bundle(tile: Tile, position: int, what: str) -> FormatError:
    index = tile.start + position
    return FormatError(f"{tile.bundle_path} {what} leaf {index}", remedy=_REMEDY, index=index, tile=tile.bundle_path)


def _fetched(tile: Tile, fetch: Fetch) -> tuple[bytes, ...]:
    data = fetch(tile.path)
    if len(data) != tile.width * HASH_BYTES:
        raise FormatError(
            f"{tile.path} has {len(data)} bytes, not {tile.width * HASH_BYTES}",
            remedy=_REMEDY,
            index=tile.start,
            tile=tile.path,
        )
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))


def _reader(size: int, hashes_of: Callable[[Tile], tuple[bytes, ...]]) -> HashReader:
    """Return a hash reader of a tree, given the hashes of its tiles."""

    def read(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        tile = _tile(tile_level, first // TILE_WIDTH, size)
        within = first % TILE_WIDTH
        if within + (1 << height) > tile.width:
            raise InputError(
                f"a tree of {size} leaves has no subtree {index} of level {level}", remedy="read a larger tree"
            )
        return root(hashes_of(tile)[within : within + (1 << height)])

    return read


def tile_reader(size: int, fetch: Fetch) -> HashReader:
    """Return a reader of the hashes that tiles say, which checks nothing but their lengths.

    Args:
        size: leaves in the tree.
        fetch: its tiles.
    """
    return _reader(size, lambda tile: _fetched(tile, fetch))


class VerifiedTiles:
    """Tiles and entries of a tree, each handed out only when it leads to the root.

    1. The last tile of each level, as far as it is partial, makes up the root: they are compared with it at once.
    2. Any other tile is full. Its root is a hash of the tile above it, which is verified first.
    3. An entry's hash is a hash of its tile of level 0.

    Args:
        size: leaves in the tree.
        tree_root: its root, 32 bytes, from a checkpoint that was verified.
        fetch: its tiles and bundles, from anywhere.

    Raises:
        FormatError: a partial tile has another length.
        ProofError: the partial tiles do not lead to the root. Which of them is wrong cannot be told from them.
    """

    def __init__(self, size: int, tree_root: bytes, fetch: Fetch) -> None:
        self.size: Final = size
        self._fetch = fetch
        self._hashes = functools.lru_cache(_CACHED_TILES)(self._verified)
        self._edge = self._partial_tiles()
        if Frontier.read(size, _reader(size, self._edge_hashes)).root() != tree_root:
            raise ProofError(f"the tiles of the {size} leaves do not lead to the root that was signed", remedy=_REMEDY)

    def _partial_tiles(self) -> dict[Tile, tuple[bytes, ...]]:
        levels = range((self.size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT)
        last = [_tile(level, _count(level, self.size) // TILE_WIDTH, self.size) for level in levels]
        return {tile: _fetched(tile, self._fetch) for tile in last if tile.width}

    def _edge_hashes(self, tile: Tile) -> tuple[bytes, ...]:
        return self._edge[tile]

    def _verified(self, tile: Tile) -> tuple[bytes, ...]:
        if tile in self._edge:
            return self._edge[tile]
        hashes = _fetched(tile, self._fetch)
        above = self._hashes(_tile(tile.level + 1, tile.index // TILE_WIDTH, self.size))
        if root(hashes) != above[tile.index % TILE_WIDTH]:
            raise _bad_tile(tile)
        return hashes

    @property
    def reader(self) -> HashReader:
        """A reader of verified hashes. It raises `ProofError` with the path of the first tile that is wrong."""
        return _reader(self.size, self._hashes)

    def entries(self, index: int) -> tuple[bytes, ...]:
        """Return the entries of a bundle, each verified.

        Args:
            index: of the bundle.

        Raises:
            InputError: there is no such bundle.
            FormatError: it is none.
            ProofError: an entry, or a tile on its way to the root, is wrong. `index` is the first leaf.
        """
        tile = _tile(0, index, self.size)
        if index < 0 or tile.width <= 0:
            raise InputError(f"a log of {self.size} entries has no bundle {index}", remedy="count from 0")
        return _agreed(tile, self._hashes(tile), self._fetch)


def _agreed(tile: Tile, hashes: Sequence[bytes], fetch: Fetch) -> tuple[bytes, ...]:
    """Return a bundle's entries if they are those of a tile of level 0."""
    entries = decode_bundle(tile, fetch(tile.bundle_path))
    if [leaf_hash(entry) for entry in entries] != list(hashes):
        pairs = zip(entries, hashes, strict=True)
        index = tile.start + next(n for n, (entry, known) in enumerate(pairs) if leaf_hash(entry) != known)
        raise ProofError(
            f"leaf {index} is not the entry that was hashed", remedy=_REMEDY, index=index, tile=tile.bundle_path
        )
    return entries


def _bad_tile(tile: Tile) -> ProofError:
    return ProofError(
        f"{tile.path} does not agree with the tile above it", remedy=_REMEDY, index=tile.start, tile=tile.path
    )


def verified_entries(size: int, tree_root: bytes, fetch: Fetch) -> Iterator[tuple[bytes, ...]]:
    """Yield every bundle's entries in order, having read and compared every tile and entry of a tree.

    Args:
        size: leaves in the tree.
        tree_root: its root, 32 bytes.
        fetch: its tiles and bundles.

    Raises:
        ProofError: something is wrong. Where tiles and entries disagree among themselves, it names the first place.
    """
    try:
        tiles = VerifiedTiles(size, tree_root, fetch)
    except ProofError:
        check_agreement(size, fetch, size)
        raise
    for tile in tiles_of(0, 0, size):
        yield tiles.entries(tile.index)


def check_agreement(size: int, fetch: Fetch, released: int) -> None:
    """Find the first place where a log's files disagree among themselves, whatever the root is.

    Args:
        size: leaves in the tree.
        fetch: its tiles and bundles.
        released: leaves whose bundles are there.

    Raises:
        ProofError: there is one.
    """
    hashes_of = functools.lru_cache(_CACHED_TILES)(lambda tile: _fetched(tile, fetch))
    for bundle in tiles_of(0, 0, size):
        if bundle.start < released:
            _agreed(bundle, hashes_of(bundle), fetch)
        for tile in _completed(bundle):
            above = _tile(tile.level + 1, tile.index // TILE_WIDTH, size)
            if root(hashes_of(tile)) != hashes_of(above)[tile.index % TILE_WIDTH]:
                raise _bad_tile(tile)


def _completed(bundle: Tile) -> Iterator[Tile]:
    """Yield the full tiles that are whole once this one of level 0 is."""
    tile = bundle
    while tile.width == TILE_WIDTH:
        yield tile
        above = tile.index // TILE_WIDTH
        tile = Tile(tile.level + 1, above, tile.index % TILE_WIDTH + 1)
