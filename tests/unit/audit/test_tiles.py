from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audit.logs import Files, entries, naive_files

from habeas.audit.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_SIZE,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from habeas.audit.tiles import (
    MAX_BUNDLE_BYTES,
    MAX_ENTRY_BYTES,
    Tile,
    VerifiedTiles,
    decode_bundle,
    encode_bundle,
    grow,
    tile_reader,
    tiles_of,
    verified_entries,
    written_tiles,
)
from habeas.errors import FormatError, InputError, ProofError

SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65536, 70000]
BIG = 70_000
BIG_FILES = naive_files(entries(BIG))
BIG_HASHES = [leaf_hash(entry) for entry in entries(BIG)]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999, 1), "tile/0/999.p/1"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(7, 1234067, 255), "tile/7/x001/x234/067.p/255"),
        (Tile(0, (1 << 56) - 1), "tile/0/x072/x057/x594/x037/x927/935"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tile.bundle_path == path.replace(f"tile/{tile.level}/", "tile/entries/")


def test_the_example_of_the_specification() -> None:
    """A tree of 70,000: 273 full tiles and one of 112, one full and one of 17, one of 1."""
    tiles = list(written_tiles(0, BIG))
    assert [(tile.level, tile.width) for tile in tiles if tile.width < 256] == [(0, 112), (1, 17), (2, 1)]
    assert [tile.level for tile in tiles if tile.width == 256] == [0] * 273 + [1]
    assert [tile.path for tile in written_tiles(0, 256)] == ["tile/0/000", "tile/1/000.p/1"]


@pytest.mark.parametrize("size", SIZES)
def test_the_tiles_of_a_tree_are_all_that_the_definition_names(size: int) -> None:
    files = naive_files(entries(size))
    bundles = [tile.bundle_path for tile in tiles_of(0, 0, size)]
    assert sorted([tile.path for tile in written_tiles(0, size)] + bundles) == sorted(files)
    assert {tile.path: data for tile, data in grow(0, BIG_HASHES[:size], Files({}))}.items() <= files.items()


@given(st.integers(0, 1400), st.integers(0, 900))
@settings(max_examples=40)
def test_growing_writes_what_is_new_and_reads_only_partial_tiles(old: int, added: int) -> None:
    files = Files(naive_files(entries(old)))
    written = list(grow(old, BIG_HASHES[old : old + added], files))
    assert [tile for tile, _ in written] == list(written_tiles(old, old + added))
    assert all(".p/" in path for path in files.asked)
    after = naive_files(entries(old + added))
    assert all(after[tile.path] == data for tile, data in written)
    missing = set(after) - set(files.data) - {tile.path for tile, _ in written}
    assert missing == {tile.bundle_path for tile in tiles_of(0, old, old + added)}


def test_growing_over_a_higher_tile_reads_one_partial_tile_a_level() -> None:
    old = 65_500
    files = Files(naive_files(entries(old)))
    written = dict(grow(old, BIG_HASHES[old:], files))
    assert files.asked == [f"tile/0/255.p/{old % 256}", "tile/1/000.p/255"]
    assert {tile.path: data for tile, data in written.items()}.items() <= BIG_FILES.items()


def test_growing_from_a_damaged_partial_tile_is_refused() -> None:
    with pytest.raises(FormatError, match="has 31 bytes, not 96") as refused:
        list(grow(3, BIG_HASHES[:1], Files({"tile/0/000.p/3": bytes(31)})))
    assert refused.value.tile == "tile/0/000.p/3"


def test_the_largest_growth_is_named_without_walking_it() -> None:
    tiles = written_tiles(MAX_SIZE - 1, MAX_SIZE)
    assert [tile.width for tile in tiles] == [255]
    first = next(written_tiles(0, MAX_SIZE))
    assert first == Tile(0, 0)
    high = list(tiles_of(7, 0, MAX_SIZE))
    assert high == [Tile(7, 0, 255)]


# Bundles


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=256))
def test_bundles_are_decoded_as_they_were_encoded(some: list[bytes]) -> None:
    tile = Tile(0, 3, len(some))
    data = encode_bundle(some)
    assert decode_bundle(tile, data) == tuple(some)
    for wrong in (data[:-1], data + b"\0", data + data, b""):
        with pytest.raises(FormatError) as refused:
            decode_bundle(tile, wrong)
        assert refused.value.index is not None
        assert 768 <= refused.value.index <= 768 + len(some)


def test_the_longest_entry_fits_and_no_longer_one() -> None:
    longest = b"\xff" * MAX_ENTRY_BYTES
    assert decode_bundle(Tile(0, 0), encode_bundle([longest] * 256)) == (longest,) * 256
    assert len(encode_bundle([longest] * 256)) == MAX_BUNDLE_BYTES
    with pytest.raises(InputError, match="an entry of 65536 bytes does not fit") as refused:
        encode_bundle([b"", longest + b"!"])
    assert refused.value.remedy


def test_entries_are_bytes_whatever_their_text() -> None:
    some = [b"\xc3\x28", b"\xff\xfe", b"", b"\xed\xa0\x80"]
    assert decode_bundle(Tile(0, 0, 4), encode_bundle(some)) == tuple(some)


# Readers


@pytest.mark.parametrize("size", SIZES[1:])
def test_hashes_read_from_tiles_are_those_of_the_tree(size: int) -> None:
    read = tile_reader(size, Files(naive_files(entries(size))))
    for level in range(size.bit_length()):
        for index in {0, (size >> level) // 2, (size >> level) - 1}:
            assert read(level, index) == root(BIG_HASHES[index << level : (index + 1) << level])
        with pytest.raises(InputError, match="has no subtree"):
            read(level, size >> level)


@pytest.mark.parametrize("size", SIZES)
def test_an_untouched_log_is_read_whole(size: int) -> None:
    files = Files(naive_files(entries(size)))
    top = root(BIG_HASHES[:size])
    found = [entry for bundle in verified_entries(size, top, files) for entry in bundle]
    assert found == entries(size)
    assert set(files.asked) == set(files.data)


@given(st.data(), st.integers(1, BIG))
@settings(max_examples=12)
def test_proofs_from_verified_tiles_hold_and_read_few_files(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    whole = Files(BIG_FILES | naive_files(entries(size)))
    top = Frontier().extended(BIG_HASHES[:size]).root()
    tiles = VerifiedTiles(size, top, whole)
    proof = inclusion_proof(tiles.reader, index, size)
    verify_inclusion(index, size, BIG_HASHES[index], proof, top)
    growth = consistency_proof(tiles.reader, index + 1, size)
    verify_consistency(index + 1, size, root(BIG_HASHES[: index + 1]), top, growth)
    assert proof == inclusion_proof(tile_reader(size, whole), index, size)
    assert len(whole.asked) < 200


def damaged(size: int, path: str, at: int) -> Files:
    files = naive_files(entries(size))
    data = bytearray(files[path])
    data[at] ^= 1
    return Files(files | {path: bytes(data)})


WHERE = [
    ("tile/entries/000", 2, 0),
    ("tile/entries/001", 5, 256),
    ("tile/entries/002.p/188", -1, 699),
    ("tile/0/000", 0, 0),
    ("tile/0/001", 40, 256),
    ("tile/0/001", 8191, 256),
    ("tile/0/002.p/188", HASH_BYTES * 3, 515),
    ("tile/1/000.p/2", 0, 0),
    ("tile/1/000.p/2", HASH_BYTES, 256),
]


@pytest.mark.parametrize(("path", "at", "index"), WHERE)
def test_a_flipped_bit_is_found_and_placed(path: str, at: int, index: int) -> None:
    files = damaged(700, path, at)
    with pytest.raises(ProofError) as refused:
        list(verified_entries(700, root(BIG_HASHES[:700]), files))
    assert refused.value.index == index
    assert refused.value.tile.startswith("tile/")
    assert refused.value.remedy


def test_a_proof_is_never_made_of_a_wrong_tile() -> None:
    files = damaged(700, "tile/0/001", 40)
    tiles = VerifiedTiles(700, root(BIG_HASHES[:700]), files)
    assert inclusion_proof(tiles.reader, 699, 700)
    with pytest.raises(ProofError, match="tile/0/001 does not agree"):
        inclusion_proof(tiles.reader, 300, 700)
    with pytest.raises(ProofError, match="tile/0/001 does not agree"):
        tiles.entries(1)
    assert inclusion_proof(tile_reader(700, files), 300, 700), "the control: the other reader trusts what it reads"


def swapped(some: Sequence[bytes], first: int, second: int) -> list[bytes]:
    moved = list(some)
    moved[first], moved[second] = moved[second], moved[first]
    return moved


@pytest.mark.parametrize(
    "other",
    [
        swapped(entries(700), 3, 400),
        [*entries(100), *entries(701)[101:]],
        [*entries(5), b"one more", *entries(699)[5:]],
        [*entries(10), *entries(10)[-1:], *entries(700)[10:699]],
        [*entries(300), b"another", *entries(700)[301:]],
    ],
    ids=["swapped", "removed", "inserted", "doubled", "replaced"],
)
def test_a_log_hashed_anew_is_not_the_one_that_was_signed(other: list[bytes]) -> None:
    files = Files(naive_files(entries(700)) | naive_files(other))
    with pytest.raises(ProofError, match=r"not the entry|do not lead to the root|does not agree"):
        list(verified_entries(700, root(BIG_HASHES[:700]), files))


@pytest.mark.parametrize("length", [0, 31, 188 * 32 - 1, 188 * 32 + 32])
def test_a_tile_of_another_length_is_named(length: int) -> None:
    files = Files(naive_files(entries(700)) | {"tile/0/002.p/188": bytes(length)})
    with pytest.raises(FormatError, match=rf"tile/0/002.p/188 has {length} bytes"):
        VerifiedTiles(700, EMPTY_ROOT, files)


def test_bundles_that_are_not_there_are_refused() -> None:
    tiles = VerifiedTiles(700, root(BIG_HASHES[:700]), Files(naive_files(entries(700))))
    assert len(tiles.entries(2)) == 188
    for index in (-1, 3, MAX_SIZE):
        with pytest.raises(InputError, match="has no bundle"):
            tiles.entries(index)
    empty = VerifiedTiles(0, EMPTY_ROOT, Files({}))
    with pytest.raises(InputError, match="has no bundle"):
        empty.entries(0)


def test_a_tree_of_the_largest_size_costs_eight_tiles() -> None:
    """All leaves alike, so that the tiles of each level are one tile."""
    hashes, value = [], leaf_hash(b"")
    for level in range(64):
        if level % 8 == 0:
            hashes.append(value)
        value = node_hash(value, value)
    asked = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        width = int(path.partition(".p/")[2] or 256)
        return hashes[int(path.split("/")[1])] * width

    top = Frontier.read(MAX_SIZE, tile_reader(MAX_SIZE, fetch)).root()
    asked.clear()
    tiles = VerifiedTiles(MAX_SIZE, top, fetch)
    assert len(asked) == 8
    proof = inclusion_proof(tiles.reader, 12345, MAX_SIZE)
    verify_inclusion(12345, MAX_SIZE, leaf_hash(b""), proof, top)
    assert len(asked) < 40
