"""The public copy: hashes and checkpoint at once, leaves a day later, whole bundles only, none ever changed."""

from pathlib import Path

import pytest
from tests.unit.audit.test_log import Remembering, files_of, opened

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.entry import Leaf
from habeas.audit.folder import LogFolder
from habeas.audit.log import Log
from habeas.audit.mirror import mirror
from habeas.audit.tiles import verified_entries
from habeas.errors import InputError
from habeas.types import HOUR_NS, utc

START_NS = 500_000 * HOUR_NS


def grown(path: Path, count: int, start_ns: int = START_NS) -> Log:
    """A log with one leaf a minute from then on."""
    log = opened(path, Remembering())
    leaves = [
        Leaf("padding", f"{utc(start_ns + HOUR_NS // 60 * n)[:13]}:00:00Z", f"{n:064x}").dump() for n in range(count)
    ]
    log.integrate(leaves)
    log.publish(log.sign(), witnessed=False)
    return log


def bundles(public: Path) -> list[str]:
    return sorted(name for name in files_of(public) if "entries" in name)


@pytest.mark.rule("L4")
def test_hashes_are_public_at_once_and_leaves_a_day_after_their_hour(tmp_path: Path) -> None:
    grown(tmp_path / "log", 600)
    log, public = LogFolder(tmp_path / "log"), tmp_path / "public"
    last_of_first_ns = START_NS + 5 * HOUR_NS  # 256 minutes are 4 h 16 min: the fifth hour's end
    assert mirror(log, public, START_NS) == 0
    assert files_of(public)["checkpoint"] == log.read("checkpoint")
    assert {"tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"} <= set(files_of(public))
    assert mirror(log, public, last_of_first_ns + 24 * HOUR_NS - 1) == 0
    assert bundles(public) == []
    assert mirror(log, public, last_of_first_ns + 24 * HOUR_NS) == 256
    assert bundles(public) == ["tile/entries/000"]
    assert mirror(log, public, START_NS + 100 * HOUR_NS) == 512
    assert bundles(public) == ["tile/entries/000", "tile/entries/001"], "the rest is not a whole bundle"


def test_the_copy_follows_the_log(tmp_path: Path) -> None:
    log, public = LogFolder(tmp_path / "log"), tmp_path / "public"
    memory = Remembering()
    growing = opened(tmp_path / "log", memory)
    for _step in range(40):
        growing.integrate([Leaf("padding", "2026-11-26T14:00:00Z", "0" * 64).dump()] * 32)
        growing.publish(growing.sign(), witnessed=False)
        mirror(log, public, 0)
    mirror(log, public, 2**62)
    checkpoint = parse_checkpoint((public / "checkpoint").read_bytes()).checkpoint
    assert checkpoint.size == 1280
    assert sum(map(len, verified_entries(1280, checkpoint.root, LogFolder(public).read))) == 1280


@pytest.mark.parametrize("released", [0, 1, 2, 3, 7])
def test_what_is_released_is_known_from_the_files(tmp_path: Path, released: int) -> None:
    grown(tmp_path / "log", 256 * 7)
    log, public = LogFolder(tmp_path / "log"), tmp_path / "public"
    until_ns = START_NS + 256 * released * HOUR_NS // 60 + 25 * HOUR_NS
    assert mirror(log, public, until_ns) == mirror(log, public, until_ns) == 256 * released


def test_others_may_read_the_copy_and_nothing_else(tmp_path: Path) -> None:
    grown(tmp_path / "log", 600)
    mirror(LogFolder(tmp_path / "log"), tmp_path / "public", 2**62)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "public").rglob("*") if path.is_file()} == {0o644}
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "log").rglob("*") if path.is_file()} == {0}


def test_without_a_checkpoint_nothing_is_public(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        mirror(LogFolder(tmp_path / "log"), tmp_path / "public", 0)
    assert not (tmp_path / "public").exists()
