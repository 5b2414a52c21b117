"""What was acknowledged gets into the log, and what was signed stays in it, through kills and failing disks."""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.fault.crashes import STRACE, cuts, die, record, sweep
from tests.fault.drivers.log import MASTER, publishing

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.entry import leaf_of
from habeas.audit.folder import LogFolder
from habeas.audit.log import CHECKPOINT, remembered
from habeas.audit.merkle import leaf_hash, root
from habeas.audit.tiles import verified_entries
from habeas.clock import ManualClock
from habeas.errors import HabeasError
from habeas.keys import KeyStore
from habeas.store import open_store
from habeas.store.records import Entry

SCRIPT: Final = str(Path(__file__).parent / "drivers" / "log.py")
NEEDS_STRACE: Final = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def goes_on(folder: Path, acked: Sequence[str]) -> list[str]:
    """Start again, let the log beat, then verify all of it and look for everything that was confirmed."""
    if not acked:
        return []
    (folder / "keys").chmod(0o700)  # a replayed disk has contents and names, no modes
    clock = ManualClock()
    try:
        with (
            KeyStore(folder / "keys", MASTER) as keys,
            open_store(f"sqlite:///{folder / 'habeas.db'}", clock) as store,
            publishing(store, keys, clock, folder) as log,
        ):
            before = remembered(keys)
            log.beat()
            log.beat()
            with store.read() as tx:
                rows = [leaf_of(row) for row in tx.find(Entry)]
        leaves = verified(folder)
    except (HabeasError, sqlite3.DatabaseError) as error:
        return [f"{error} ({len(acked)} confirmed)"]
    if before is not None and root([leaf_hash(leaf) for leaf in leaves[: before.size]]) != before.root:
        return ["what was signed is not there any more"]
    return ([] if leaves == rows[: len(leaves)] else ["other entries"]) + missing(leaves, acked)


def verified(folder: Path) -> list[bytes]:
    files = LogFolder(folder / "log" / "1")
    checkpoint = parse_checkpoint(files.read(CHECKPOINT)).checkpoint
    return [leaf for bundle in verified_entries(checkpoint.size, checkpoint.root, files.read) for leaf in bundle]


def missing(leaves: Sequence[bytes], acked: Sequence[str]) -> list[str]:
    """An entry's number, and the size of a signed tree, are both less than there is now."""
    return [f"{token} lost" for token in acked if int(token.partition(":")[2]) > len(leaves)]


def test_the_check_sees_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    swept = die([SCRIPT], tmp_path, goes_on, count=1)
    assert swept.problems == ()
    whole = tmp_path / "whole"
    assert goes_on(whole, ["entry:100000"]) == ["entry:100000 lost"]
    (whole / "log" / "1" / "tile" / "entries" / "000").write_bytes(b"")
    assert goes_on(whole, ["entry:1"]) != []


@pytest.mark.rule("L2")
@NEEDS_STRACE
def test_a_power_cut_at_some_calls_loses_nothing(tmp_path: Path) -> None:
    disks, problems = powerless(tmp_path, every=60)
    assert disks > 20
    assert problems == []


@pytest.mark.rule("L2")
@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO"])
def test_a_log_struck_at_some_renames_loses_nothing(tmp_path: Path, fault: str) -> None:
    swept = sweep([sys.executable, SCRIPT], tmp_path, goes_on, fault=fault, calls=("rename",), every=4)
    assert swept.problems == ()
    assert swept.struck > 3


@pytest.mark.long
@NEEDS_STRACE
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO"])
def test_a_log_struck_at_every_call_loses_nothing(tmp_path: Path, fault: str) -> None:
    swept = sweep([sys.executable, SCRIPT], tmp_path, goes_on, fault=fault)
    print(f"{fault}: {swept.runs} runs, {swept.struck} struck, {swept.acked} confirmed")  # noqa: T201
    assert swept.problems == ()
    assert swept.struck > 0.5 * swept.runs if "KILL" in fault else swept.struck > 0


@pytest.mark.long
@NEEDS_STRACE
@pytest.mark.timeout(3600)
def test_a_thousand_power_cuts_lose_nothing(tmp_path: Path) -> None:
    disks, problems = powerless(tmp_path, every=1)
    print(f"disks {disks}, problems {len(problems)}")  # noqa: T201
    assert disks >= 1000
    assert problems == []


def powerless(tmp_path: Path, every: int) -> tuple[int, list[str]]:
    (tmp_path / "record").mkdir()
    trace = record([sys.executable, SCRIPT], tmp_path / "record")
    problems, number = [], 0
    for number, cut in enumerate(cuts(trace, seed=5, every=every), 1):
        folder = tmp_path / "disks" / str(number)
        folder.mkdir(parents=True)
        cut.put(folder)
        problems += [f"after call {cut.after}, {cut.kept}: {problem}" for problem in goes_on(folder, cut.acked)]
    return number, problems
