"""Merkle trees as in RFC 6962, section 2.1, with SHA-256: roots, growing, proofs, and the checking of proofs.

A tree is a sequence of leaf hashes. A *perfect* subtree of level l covers the 2^l leaves from index * 2^l on; a
*hash reader* returns its root, given (l, index). Proofs are made from such readers, so that a tree of 2^64 - 1 leaves
costs a few hundred reads; where the hashes lie is the reader's business (`habeas.audit.tiles`).

Making proofs follows RFC 6962, sections 2.1.1 and 2.1.2; checking them the algorithms of RFC 9162, sections 2.1.3.2
and 2.1.4.2, which speak of the same trees.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from habeas.errors import FormatError, InputError, ProofError

HASH_BYTES: Final = 32
MAX_SIZE: Final = (1 << 64) - 1
"""Leaves in a tree: what the formats can write down."""
MAX_PROOF_HASHES: Final = 64
"""In one proof: the height of the highest tree, and for a consistency proof one hash more or less."""
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

HashReader = Callable[[int, int], bytes]
"""(level, index) of a perfect subtree -> its root, 32 bytes. It raises what its source raises."""

_SIZE: Final = struct.Struct(">Q")
_REMEDY: Final = "take it for what it is: not of this log, or changed"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry, 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two, 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _paired(nodes: Sequence[bytes]) -> list[bytes]:
    """Return the nodes above each two; a last one without partner has none."""
    sha256 = hashlib.sha256
    pairs = iter(nodes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root of a whole tree, 32 bytes; of no leaves too."""
    return Frontier().extended(leaf_hashes).root()


@dataclass(frozen=True)
class Frontier:
    """All that growing a tree needs: the roots of the perfect subtrees that it is made of, the largest first.

    Args:
        size: leaves in the tree, at most 2^64 - 1.
        hashes: one for each bit that is set in `size`, 32 bytes each.

    Raises:
        InputError: they do not fit.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise InputError("a tree has at most 2^64 - 1 leaves", remedy="begin another log")
        if len(self.hashes) != self.size.bit_count() or any(len(one) != HASH_BYTES for one in self.hashes):
            raise InputError(
                f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees of {HASH_BYTES} bytes each",
                remedy="read the frontier from the tiles again",
            )

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the frontier after appending leaf hashes, 32 bytes each."""
        nodes = list(leaf_hashes)
        size = self.size + len(nodes)
        kept, added = list(self.hashes), []
        level = 0
        while nodes:
            if self.size >> level & 1:
                nodes.insert(0, kept.pop())
            if len(nodes) % 2:
                added.append(nodes.pop())
            nodes = _paired(nodes)
            level += 1
        return Frontier(size, (*kept, *reversed(added)))

    def root(self) -> bytes:
        """Return the root of the tree, 32 bytes."""
        return _folded(self.hashes)

    def encode(self) -> bytes:
        """Return the size in eight bytes, big-endian, and the hashes."""
        return _SIZE.pack(self.size) + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what `encode` wrote.

        Raises:
            FormatError: the length is not the one that the size asks for.
        """
        if len(data) < _SIZE.size:
            raise FormatError("a frontier begins with eight bytes of size", remedy=_REMEDY)
        (size,) = _SIZE.unpack_from(data)
        if len(data) != _SIZE.size + size.bit_count() * HASH_BYTES:
            raise FormatError(f"a frontier of {size} leaves has another length", remedy=_REMEDY)
        starts = range(_SIZE.size, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))

    @classmethod
    def read(cls, size: int, reader: HashReader) -> Self:
        """Return the frontier of a tree's first leaves.

        Args:
            size: how many.
            reader: of that tree.
        """
        return cls(size, tuple(_perfect(reader, 0, size)))


def _folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root above perfect subtrees, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _perfect(reader: HashReader, start: int, end: int) -> list[bytes]:
    """Return the perfect subtrees of the leaves [start, end), the largest first; `start` is a multiple of that."""
    hashes = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(reader(level, start >> level))
        start += 1 << level
    return hashes


def _range_root(reader: HashReader, start: int, end: int) -> bytes:
    return _folded(_perfect(reader, start, end))


def _split(start: int, end: int) -> int:
    """Return where a tree of at least two leaves divides: its left side is the largest power of two below its size."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_proof(reader: HashReader, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that a leaf is in a tree: the siblings on its way to the root, the leaf's first.

    Args:
        reader: of a tree with at least `size` leaves.
        index: of the leaf, from 0.
        size: leaves in the tree.

    Raises:
        InputError: there is no such leaf.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise InputError(f"a tree of {size} leaves has no leaf {index}", remedy="count from 0")
    start, end = 0, size
    proof = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            proof.append(_range_root(reader, middle, end))
            end = middle
        else:
            proof.append(_range_root(reader, start, middle))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(reader: HashReader, old_size: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that a tree begins with all leaves of an older one. It is empty where either says nothing.

    Args:
        reader: of a tree with at least `size` leaves.
        old_size: leaves in the older tree.
        size: leaves in the tree.

    Raises:
        InputError: the older tree is the larger one.
    """
    if not 0 <= old_size <= size <= MAX_SIZE:
        raise InputError(f"a tree of {size} leaves has no beginning of {old_size}", remedy="give the older size first")
    if old_size == 0:
        return ()
    start, end = 0, size
    proof = []
    while old_size < end:
        middle = _split(start, end)
        if old_size <= middle:
            proof.append(_range_root(reader, middle, end))
            end = middle
        else:
            proof.append(_range_root(reader, start, middle))
            start = middle
    if start > 0:
        proof.append(_range_root(reader, start, end))
    return tuple(reversed(proof))


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], tree_root: bytes) -> None:
    """Check that a leaf is in a tree (RFC 9162, section 2.1.3.2; the step's numbers are its own).

    Args:
        index: of the leaf, from 0.
        size: leaves in the tree.
        leaf: hash of the leaf, 32 bytes.
        proof: as `inclusion_proof` makes it.
        tree_root: 32 bytes.

    Raises:
        ProofError: it is not, as far as this proof shows; its `index` is the leaf's.
    """
    _check_hashes((leaf, tree_root, *proof))
    if not 0 <= index < size <= MAX_SIZE:  # 1
        raise ProofError(f"a tree of {size} leaves has no leaf {index}", remedy=_REMEDY)
    fn, sn, r = index, size - 1, leaf  # 2, 3
    for p in proof:  # 4
        if sn == 0:  # 4a
            raise _refused_leaf(index)
        if fn & 1 or fn == sn:  # 4b
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1  # 4c
    if sn != 0 or r != tree_root:  # 5
        raise _refused_leaf(index)


def _refused_leaf(index: int) -> ProofError:
    return ProofError(f"the proof does not lead from leaf {index} to the root", remedy=_REMEDY, index=index)


def verify_consistency(old_size: int, size: int, old_root: bytes, tree_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree begins with an older one (RFC 9162, section 2.1.4.2; the step's numbers are its own).

    Nothing can be said of an older tree without leaves: that is refused, and the caller has to know its rule.

    Args:
        old_size: leaves in the older tree.
        size: leaves in the tree.
        old_root: of the older tree, 32 bytes.
        tree_root: of the tree, 32 bytes.
        proof: as `consistency_proof` makes it.

    Raises:
        ProofError: it does not, as far as this proof shows.
    """
    if not 0 < old_size <= size <= MAX_SIZE:
        raise ProofError(f"a tree of {size} leaves does not begin with one of {old_size}", remedy=_REMEDY)
    if old_size == size:
        if proof or old_root != tree_root:
            raise _refused_growth(old_size, size)
        return
    _check_hashes((old_root, tree_root, *proof))
    if not proof:  # 1
        raise _refused_growth(old_size, size)
    nodes = list(proof)
    if old_size & (old_size - 1) == 0:  # 2
        nodes.insert(0, old_root)
    if _grown(old_size, size, nodes) != (old_root, tree_root):
        raise _refused_growth(old_size, size)


def _grown(old_size: int, size: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the two roots that a consistency proof leads to, or None where it has another length."""
    fn, sn = old_size - 1, size - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]  # 5
    for c in nodes[1:]:  # 6
        if sn == 0:  # 6a
            return None
        if fn & 1 or fn == sn:  # 6b
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1  # 6c
    return (fr, sr) if sn == 0 else None  # 7


def _refused_growth(old_size: int, size: int) -> ProofError:
    return ProofError(f"the tree of {size} leaves is not shown to begin with that of {old_size}", remedy=_REMEDY)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise FormatError(f"a hash has {HASH_BYTES} bytes", remedy=_REMEDY)
