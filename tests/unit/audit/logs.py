"""A log in memory, written the slow way: the whole tree anew for each level."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from habeas.audit.merkle import leaf_hash, root
from habeas.audit.tiles import encode_bundle


def entries(n: int) -> list[bytes]:
    return [b"entry %d" % index for index in range(n)]


@dataclass
class Files:
    """Files by path, and which were asked for."""

    data: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def __call__(self, path: str) -> bytes:
        self.asked.append(path)
        return self.data[path]


def naive_files(all_entries: Sequence[bytes]) -> dict[str, bytes]:
    """Every tile and bundle of a log of that size, from the definition of tlog-tiles."""
    files = {}
    hashes = [leaf_hash(entry) for entry in all_entries]
    for start in range(0, len(all_entries), 256):
        part = all_entries[start : start + 256]
        files["tile/entries/" + _name(start // 256, len(part))] = encode_bundle(part)
    level = 0
    while hashes:
        tiles = [hashes[start : start + 256] for start in range(0, len(hashes), 256)]
        files |= {f"tile/{level}/{_name(index, len(tile))}": b"".join(tile) for index, tile in enumerate(tiles)}
        hashes = [root(tile) for tile in tiles if len(tile) == 256]
        level += 1
    return files


def _name(index: int, width: int) -> str:
    digits = f"{index:015d}"
    groups = [digits[at : at + 3] for at in range(0, 15, 3)]
    while len(groups) > 1 and groups[0] == "000":
        del groups[0]
    return "/".join([*("x" + group for group in groups[:-1]), groups[-1]]) + (f".p/{width}" if width < 256 else "")
