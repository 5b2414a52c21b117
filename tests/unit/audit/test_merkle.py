import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.audit.merkle import (
    EMPTY_ROOT,
    MAX_PROOF_HASHES,
    MAX_SIZE,
    Frontier,
    HashReader,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from habeas.errors import FormatError, InputError, ProofError

ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Test data of the reference implementation of Certificate Transparency: eight entries, the roots of 0 to 8 of them."""


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def naive_climb(m: int, n: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that PATH(m, D[n]) leads to from a leaf, read backwards; None for another length."""
    if n == 1 or not proof:
        return leaf if n == 1 and not proof else None
    k = 1 << (n - 1).bit_length() - 1
    below = naive_climb(m, k, leaf, proof[:-1]) if m < k else naive_climb(m - k, n - k, leaf, proof[:-1])
    if below is None:
        return None
    return node_hash(below, proof[-1]) if m < k else node_hash(proof[-1], below)


def naive_roots(m: int, n: int, proof: Sequence[bytes], known: bytes | None) -> tuple[bytes, bytes] | None:
    """The two roots that SUBPROOF(m, D[n], b) leads to, read backwards; `known` is the old root while b is true."""
    if m == n:
        whole = [known] if known else [*proof]
        return (whole[0], whole[0]) if len(whole) == 1 and not (known and proof) else None
    if not proof:
        return None
    k = 1 << (n - 1).bit_length() - 1
    below = naive_roots(m, k, proof[:-1], known) if m <= k else naive_roots(m - k, n - k, proof[:-1], None)
    if below is None:
        return None
    old, new = below
    return (old, node_hash(new, proof[-1])) if m <= k else (node_hash(proof[-1], old), node_hash(proof[-1], new))


def leaves(n: int, seed: int = 0) -> list[bytes]:
    return [leaf_hash(b"%d of %d" % (index, seed)) for index in range(n)]


def reader_of(leaf_hashes: Sequence[bytes]) -> HashReader:
    def read(level: int, index: int) -> bytes:
        part = leaf_hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "asked for a subtree that is not perfect"
        return naive_root(part)

    return read


def alike(level: int, index: int) -> bytes:
    """A reader of the tree of 2^64 - 1 leaves that are all the same."""
    del index
    value = leaf_hash(b"")
    for _ in range(level):
        value = node_hash(value, value)
    return value


def test_the_published_roots() -> None:
    assert [root([leaf_hash(entry) for entry in ENTRIES[:n]]).hex() for n in range(9)] == ROOTS
    assert EMPTY_ROOT.hex() == ROOTS[0]


def test_the_published_proofs() -> None:
    """From the same test data: paths by (leaf, size) and proofs by (old size, size)."""
    read = reader_of([leaf_hash(entry) for entry in ENTRIES])
    assert [one.hex() for one in inclusion_proof(read, 5, 8)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [one.hex() for one in consistency_proof(read, 6, 8)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.integers(0, 300), st.integers(0, 300))
def test_growing_in_steps_is_the_same_as_at_once(first: int, second: int) -> None:
    all_leaves = leaves(first + second)
    grown = Frontier().extended(all_leaves[:first]).extended(all_leaves[first:])
    assert grown == Frontier().extended(all_leaves) == Frontier.read(first + second, reader_of(all_leaves))
    assert grown.root() == naive_root(all_leaves) == root(all_leaves)
    assert Frontier.decode(grown.encode()) == grown


def test_a_frontier_of_another_length_is_refused() -> None:
    data = Frontier().extended(leaves(5)).encode()
    for wrong in (b"", data[:7], data[:-1], data + b"\0", b"\0" * 8 + data[8:]):
        with pytest.raises(FormatError):
            Frontier.decode(wrong)
    with pytest.raises(InputError, match="2 subtrees"):
        Frontier(5, (EMPTY_ROOT,))
    with pytest.raises(InputError, match="2 subtrees"):
        Frontier(5, (EMPTY_ROOT, b""))
    with pytest.raises(InputError, match=r"2\^64"):
        Frontier(MAX_SIZE, tuple(alike(63 - n, 0) for n in range(64))).extended(leaves(1))


@given(st.integers(1, 130).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_proofs_are_those_of_the_rfc_and_hold(place: tuple[int, int]) -> None:
    index, size = place
    all_leaves = leaves(size)
    proof = inclusion_proof(reader_of(all_leaves), index, size)
    assert list(proof) == naive_path(index, all_leaves)
    verify_inclusion(index, size, all_leaves[index], proof, naive_root(all_leaves))


@given(st.integers(1, 130).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
def test_consistency_proofs_are_those_of_the_rfc_and_hold(place: tuple[int, int]) -> None:
    old, size = place
    all_leaves = leaves(size)
    proof = consistency_proof(reader_of(all_leaves), old, size)
    assert list(proof) == naive_subproof(old, all_leaves, whole=True)
    verify_consistency(old, size, naive_root(all_leaves[:old]), naive_root(all_leaves), proof)


changes = st.sampled_from(["bit", "drop", "double", "swap", "index", "size", "leaf", "root"])


@given(st.data(), st.integers(2, 70), changes)
def test_a_changed_inclusion_proof_is_refused(data: st.DataObject, size: int, change: str) -> None:
    all_leaves = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    good = inclusion_proof(reader_of(all_leaves), index, size)
    given_proof = _changed(good, change, data)
    claimed_index = data.draw(st.integers(0, size - 1)) if change == "index" else index
    claimed_size = data.draw(st.integers(0, 100)) if change == "size" else size
    leaf = leaf_hash(b"another") if change == "leaf" else all_leaves[index]
    top = leaf_hash(b"another") if change == "root" else naive_root(all_leaves)
    if (claimed_index, claimed_size, given_proof, leaf, top) == (
        index,
        size,
        good,
        all_leaves[index],
        naive_root(all_leaves),
    ):
        return
    if change == "size" and _same_path(index, size, claimed_size):
        return
    with pytest.raises(ProofError):
        verify_inclusion(claimed_index, claimed_size, leaf, given_proof, top)


def _changed(proof: tuple[bytes, ...], change: str, data: st.DataObject) -> tuple[bytes, ...]:
    at = data.draw(st.integers(0, len(proof) - 1))
    if change == "bit":
        return (*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :])
    if change == "drop":
        return (*proof[:at], *proof[at + 1 :])
    if change == "double":
        return (*proof[: at + 1], *proof[at:])
    if change == "swap":
        other = data.draw(st.integers(0, len(proof) - 1))
        moved = list(proof)
        moved[at], moved[other] = moved[other], moved[at]
        return tuple(moved)
    return proof


def _same_path(index: int, size: int, other: int) -> bool:
    """Whether a leaf's way to the root takes the same turns: then the size is not what this proof is about.

    A root says nothing of the size by itself; that is why a checkpoint signs both.
    """
    return index < other and _turns(index, size) == _turns(index, other)


def _turns(index: int, size: int) -> list[bool]:
    start, end, turns = 0, size, []
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        turns.append(index < middle)
        start, end = (start, middle) if index < middle else (middle, end)
    return turns


@given(st.data(), st.integers(3, 70), st.sampled_from(["bit", "drop", "double", "swap", "leaf", "root"]))
def test_a_changed_consistency_proof_is_refused(data: st.DataObject, size: int, change: str) -> None:
    all_leaves = leaves(size)
    old = data.draw(st.integers(1, size - 1))
    good = consistency_proof(reader_of(all_leaves), old, size)
    given_proof = _changed(good, change, data)
    old_root = leaf_hash(b"another") if change == "leaf" else naive_root(all_leaves[:old])
    top = leaf_hash(b"another") if change == "root" else naive_root(all_leaves)
    if given_proof == good and change == "swap":
        return
    with pytest.raises(ProofError):
        verify_consistency(old, size, old_root, top, given_proof)


def accepts(check: Callable[[], None]) -> bool:
    try:
        check()
    except ProofError:
        return False
    return True


def test_whatever_index_and_size_are_claimed_the_rfc_read_backwards_agrees() -> None:
    """Each proof of trees up to 9, with each claim up to 11: some hold, since a root says nothing of the size."""
    held = 0
    for size in range(1, 10):
        all_leaves = leaves(size)
        top = naive_root(all_leaves)
        for index, claimed_index, claimed in itertools.product(range(size), range(11), range(12)):
            leaf, proof = all_leaves[index], naive_path(index, all_leaves)
            expected = claimed_index < claimed and naive_climb(claimed_index, claimed, leaf, proof) == top
            check = partial(verify_inclusion, claimed_index, claimed, leaf, proof, top)
            assert accepts(check) == expected, (index, size, claimed_index, claimed)
            held += expected
    assert held > 45


def test_whatever_sizes_are_claimed_the_rfc_read_backwards_agrees() -> None:
    held = 0
    for size in range(1, 10):
        all_leaves = leaves(size)
        top = naive_root(all_leaves)
        for old, claimed_old, claimed in itertools.product(range(1, size + 1), range(11), range(12)):
            proof, root_then = naive_subproof(old, all_leaves, whole=True), naive_root(all_leaves[:old])
            possible = 0 < claimed_old <= claimed
            expected = possible and naive_roots(claimed_old, claimed, proof, root_then) == (root_then, top)
            check = partial(verify_consistency, claimed_old, claimed, root_then, top, proof)
            assert accepts(check) == expected, (old, size, claimed_old, claimed)
            held += expected
    assert held > 45


def test_growth_that_says_nothing_has_no_proof() -> None:
    """Equal sizes need none and take none; from no leaves everything grows, which is no statement to check."""
    verify_consistency(5, 5, EMPTY_ROOT, EMPTY_ROOT, [])
    for old, size, proof in ((5, 5, [EMPTY_ROOT]), (0, 0, []), (0, 5, []), (0, 5, [EMPTY_ROOT])):
        with pytest.raises(ProofError):
            verify_consistency(old, size, EMPTY_ROOT, EMPTY_ROOT, proof)


@pytest.mark.parametrize("old", [0, 1, 5, 64])
def test_a_rewritten_beginning_is_refused(old: int) -> None:
    """The control: the proof of another log, correct by itself, does not continue this one."""
    other = [*leaves(old, seed=1), *leaves(70)]
    proof = consistency_proof(reader_of(other), old, 70)
    with pytest.raises(ProofError):
        verify_consistency(old, 70, naive_root(leaves(old)), naive_root(other[:70]), proof)


@pytest.mark.parametrize("index", [0, 1, MAX_SIZE // 2, MAX_SIZE - 2, MAX_SIZE - 1])
@pytest.mark.parametrize("size", [MAX_SIZE, MAX_SIZE - 255, (1 << 63) + 1])
def test_the_largest_trees_cost_no_more_than_their_height(index: int, size: int) -> None:
    index = min(index, size - 1)
    reads = []

    def counted(level: int, place: int) -> bytes:
        reads.append((level, place))
        return alike(level, place)

    top = Frontier.read(size, alike).root()
    proof = inclusion_proof(counted, index, size)
    verify_inclusion(index, size, leaf_hash(b""), proof, top)
    growth = consistency_proof(counted, index + 1, size)
    verify_consistency(index + 1, size, Frontier.read(index + 1, alike).root(), top, growth)
    assert max(len(proof), len(growth)) <= MAX_PROOF_HASHES
    assert len(reads) <= 4 * MAX_PROOF_HASHES


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5), (0, MAX_SIZE + 1), (MAX_SIZE, MAX_SIZE)])
def test_leaves_that_are_not_there_have_no_proof(index: int, size: int) -> None:
    with pytest.raises(InputError):
        inclusion_proof(alike, index, size)
    with pytest.raises(ProofError, match="has no leaf"):
        verify_inclusion(index, size, EMPTY_ROOT, [], EMPTY_ROOT)


@pytest.mark.parametrize(("old", "size"), [(6, 5), (-1, 5), (1, MAX_SIZE + 1)])
def test_a_tree_does_not_begin_with_a_larger_one(old: int, size: int) -> None:
    with pytest.raises(InputError):
        consistency_proof(alike, old, size)
    with pytest.raises(ProofError, match="does not begin"):
        verify_consistency(old, size, EMPTY_ROOT, EMPTY_ROOT, [])


def test_hashes_of_another_length_are_refused() -> None:
    for proof in ([b""], [EMPTY_ROOT[:31]], [EMPTY_ROOT + b"\0"]):
        with pytest.raises(FormatError, match="32 bytes"):
            verify_inclusion(0, 2, EMPTY_ROOT, proof, EMPTY_ROOT)
        with pytest.raises(FormatError, match="32 bytes"):
            verify_consistency(1, 2, EMPTY_ROOT, EMPTY_ROOT, proof)


def test_ten_million_hashes_are_refused_by_the_first_that_is_too_many() -> None:
    with pytest.raises(ProofError, match="does not lead"):
        verify_inclusion(0, 2, EMPTY_ROOT, [EMPTY_ROOT] * 100_000, EMPTY_ROOT)


@pytest.mark.shared
def test_the_vectors_of_transparency_dev(shared_data: Path) -> None:
    files = sorted((shared_data / "vectors" / "merkle").rglob("*.json"))
    assert len(files) == 196
    wrong = [file for file in files if _holds(json.loads(file.read_text())) == json.loads(file.read_text())["wantErr"]]
    assert not wrong


def _holds(vector: dict[str, object]) -> bool:
    def hashes(name: str) -> list[bytes]:
        found = vector[name]
        return [
            base64.b64decode(one)
            for one in (found if isinstance(found, list) else [found] if isinstance(found, str) else [])
        ]

    def number(name: str) -> int:
        found = vector[name]
        assert isinstance(found, int)
        return found

    try:
        if "leafIdx" in vector:
            verify_inclusion(
                number("leafIdx"), number("treeSize"), hashes("leafHash")[0], hashes("proof"), hashes("root")[0]
            )
        else:
            verify_consistency(
                number("size1"), number("size2"), hashes("root1")[0], hashes("root2")[0], hashes("proof")
            )
    except ProofError:
        return False
    return True
