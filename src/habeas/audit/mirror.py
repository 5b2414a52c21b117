"""The public copy of a log: checkpoint and hash tiles at once, entry bundles a day after their last entry.

A leaf says what happened and in which hour. Published at once, it would tell whoever looks that somebody is being
looked for, or was just found; the hashes tell nothing. Bundles are released whole, so that none of them ever changes.
"""

import os
from pathlib import Path
from typing import Final

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.entry import Leaf
from habeas.audit.folder import LogFolder
from habeas.audit.log import CHECKPOINT
from habeas.audit.tiles import TILE_WIDTH, Tile, decode_bundle, written_tiles
from habeas.clock import ns_of_utc
from habeas.errors import DiskError
from habeas.types import DAY_NS, HOUR_NS

DELAY_NS: Final = DAY_NS
"""From the end of the hour of a bundle's last entry until it is public."""
_READABLE: Final = 0o644
_ENTERABLE: Final = 0o755


def mirror(log: LogFolder, public: Path, now_ns: int) -> int:
    """Bring a public copy up to date; return how many entries are released.

    Args:
        log: the whole log.
        public: folder of the copy, which others serve; made here.
        now_ns: Unix nanoseconds.

    Raises:
        DiskError: it cannot be written.
        HabeasError: the log cannot be read.
    """
    data = log.read(CHECKPOINT)
    size = parse_checkpoint(data).checkpoint.size
    old = public / CHECKPOINT
    old_size = parse_checkpoint(old.read_bytes()).checkpoint.size if old.is_file() else 0
    try:
        for tile in written_tiles(old_size, size):
            put(public / tile.path, log.read(tile.path))
        released = _release(log, public, size // TILE_WIDTH, now_ns)
        put(old, data)
    except OSError as error:
        raise DiskError(f"the public log: {error.strerror}", remedy="see that its disk has room") from error
    return released


def _release(log: LogFolder, public: Path, full: int, now_ns: int) -> int:
    """Copy the bundles whose time has come; return how many entries are public then."""
    index = _released(public)
    while index < full:
        tile = Tile(0, index)
        bundle = log.read(tile.bundle_path)
        hour_ns = ns_of_utc(Leaf.parse(decode_bundle(tile, bundle)[-1]).hour)
        if hour_ns + HOUR_NS + DELAY_NS > now_ns:
            break
        put(public / tile.bundle_path, bundle)
        index += 1
    return index * TILE_WIDTH


def _released(public: Path) -> int:
    """Return how many bundles are public: they were released in order, so the first that is missing tells."""
    least, most = 0, 1
    while (public / Tile(0, most - 1).bundle_path).is_file():
        least, most = most, most * 2
    while least < most - 1:
        middle = (least + most) // 2
        least, most = (middle, most) if (public / Tile(0, middle - 1).bundle_path).is_file() else (least, middle)
    return least


def put(path: Path, data: bytes) -> None:
    """Write a file that others may read; whoever reads meanwhile sees the old one or the new one.

    Raises:
        OSError: it cannot be written.
    """
    _make(path.parent)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.chmod(_READABLE)
    os.replace(temporary, path)  # noqa: PTH105 - as a name over another


def _make(folder: Path) -> None:
    """Make a folder that others may enter, whatever the process's mask says."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir()
        folder.chmod(_ENTERABLE)
