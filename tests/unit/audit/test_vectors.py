"""What other people's programs make of the same input, kept in `vectors.json`.

- `roots`, `inclusion`, `consistency`, `paths`, `grown`, `notes`: golang.org/x/mod/sumdb, packages `tlog` and `note`, in
  the version that Go 1.27.3 carries (v0.36.1-0.20260813213634-8569e2639ca1). The leaves are `entry 0`, `entry 1`, ... A
  key's private half is its `seed` as a byte, 32 times. Go writes `tile/8/0/000` and `tile/8/data/000` where tlog-tiles
  has `tile/0/000` and `tile/entries/000`: the paths were renamed so.
- `cosignatures`: aics-tlog 0.2.1, of the checkpoint of 700 such leaves of `example.org/log`.

The other way round, by hand when these were made: Go's `tlog` and `note`, aics-tlog 0.2.1 and tlog-scales 0.0.3
read logs of 1, 5, 255, 256, 257, 700 and 66,000 entries that `grow` and `encode_bundle` wrote, with checkpoint,
cosignatures and proofs, and found nothing to object to.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.audit.logs import Files, entries, naive_files

from habeas.audit.checkpoint import Checkpoint
from habeas.audit.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from habeas.audit.note import Note, cosign, parse_key, parse_note, parse_signatures, sign, verify_note
from habeas.audit.tiles import Tile, tile_reader, written_tiles
from habeas.keys.signing import SigningKey

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
HASHES = [leaf_hash(entry) for entry in entries(700)]
FILES = Files(naive_files(entries(700)))


def key_of(vector: dict[str, Any]) -> SigningKey:
    return SigningKey(bytes([vector["seed"]]) * 32)


def hashes(encoded: list[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(one) for one in encoded)


def test_roots() -> None:
    assert {size: base64.b64encode(root(HASHES[: int(size)])).decode() for size in VECTORS["roots"]} == VECTORS["roots"]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda one: f"{one['index']}-of-{one['size']}")
def test_inclusion(vector: dict[str, Any]) -> None:
    index, size, proof = vector["index"], vector["size"], hashes(vector["proof"])
    read = tile_reader(size, Files(naive_files(entries(size))))
    assert inclusion_proof(read, index, size) == proof
    verify_inclusion(index, size, HASHES[index], proof, root(HASHES[:size]))


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda one: f"{one['old_size']}-to-{one['size']}")
def test_consistency(vector: dict[str, Any]) -> None:
    old, size, proof = vector["old_size"], vector["size"], hashes(vector["proof"])
    read = tile_reader(size, Files(naive_files(entries(size))))
    assert consistency_proof(read, old, size) == proof
    verify_consistency(old, size, root(HASHES[:old]), root(HASHES[:size]), proof)


@pytest.mark.parametrize("vector", VECTORS["paths"], ids=lambda one: one["path"])
def test_paths(vector: dict[str, Any]) -> None:
    tile = Tile(max(vector["level"], 0), vector["index"], vector["width"])
    assert (tile.bundle_path if vector["level"] < 0 else tile.path) == vector["path"]


@pytest.mark.parametrize("vector", VECTORS["grown"], ids=lambda one: f"{one['old_size']}-to-{one['size']}")
def test_the_tiles_that_growing_writes(vector: dict[str, Any]) -> None:
    assert [tile.path for tile in written_tiles(vector["old_size"], vector["size"])] == vector["paths"]


@pytest.mark.parametrize("vector", VECTORS["notes"])
def test_notes(vector: dict[str, Any]) -> None:
    key = parse_key(vector["key"])
    note = parse_note(vector["note"].encode())
    assert [one.key for one in verify_note(note, [key])] == [key]
    ours = Note(note.text, (sign(vector["name"], key_of(vector), note.text),))
    assert ours.encode() == vector["note"].encode()
    assert key.encode() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["cosignatures"], ids=lambda one: str(one["time_s"]))
def test_cosignatures(vector: dict[str, Any]) -> None:
    body = Checkpoint("example.org/log", 700, root(HASHES)).body
    lines = parse_signatures(vector["line"])
    found = verify_note(Note(body, lines), [parse_key(vector["key"])])
    assert [one.time_s for one in found] == [vector["time_s"]]
    assert (cosign(vector["name"], key_of(vector), body, vector["time_s"]),) == lines
