"""The store keeps what it confirmed, through kills and power cuts at any call; a control shows that losses are seen."""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.fault.crashes import STRACE, Sweep, Trace, cuts, die, record, sweep

from habeas.clock import ManualClock
from habeas.store import open_store
from habeas.store.records import Entry
from habeas.store.upgrade import upgrade

SCRIPT: Final = str(Path(__file__).parent / "drivers" / "store.py")
NEEDS_STRACE: Final = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def driver(syncs: str = "full", count: int = 9) -> list[str]:
    return [sys.executable, SCRIPT, syncs, str(count)]


def intact(folder: Path, acked: Sequence[str]) -> list[str]:
    """Look with SQLite alone: whole, without gaps, and with every entry that was confirmed."""
    file = folder / "habeas.db"
    if not file.exists():
        return [f"{len(acked)} lost with the database"] if acked else []
    connection = sqlite3.connect(file)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchall()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        seqs = [seq for (seq,) in connection.execute("SELECT seq FROM entries")] if "entries" in tables else []
    except sqlite3.DatabaseError as error:
        return [f"{error} ({len(acked)} confirmed)"]
    finally:
        connection.close()
    lost = {int(token) for token in acked} - set(seqs)
    problems = [f"{len(lost)} of {len(acked)} lost"] if lost else []
    gaps = sorted(seqs) != list(range(len(seqs)))
    return problems + (["gaps"] if gaps else []) + ([] if whole == [("ok",)] else [f"integrity: {whole[:2]}"])


def starts_again(folder: Path, acked: Sequence[str]) -> list[str]:
    """Look, then start the program again on what is there, and write one more."""
    problems = intact(folder, acked)
    url, clock = f"sqlite:///{folder / 'habeas.db'}", ManualClock()
    upgrade(url, folder, clock)
    with open_store(url, clock) as store, store.write() as tx:
        seq = tx.entry("test.again", "test", {})
        return problems + ([] if len(tx.find(Entry)) == seq + 1 > len(acked) else ["a gap after starting again"])


def powerless(trace: Trace, work: Path, *, every: int, restart_every: int = 25) -> tuple[int, list[str]]:
    """Check the disks of a trace; returns how many, and what is wrong."""
    problems, number = [], 0
    for number, cut in enumerate(cuts(trace, seed=7, every=every), 1):
        folder = work / str(number)
        folder.mkdir()
        cut.put(folder)
        check = starts_again if number % restart_every == 0 else intact
        problems += [f"after call {cut.after}, {cut.kept}: {problem}" for problem in check(folder, cut.acked)]
    return number, problems


def recorded(tmp_path: Path, syncs: str, count: int) -> Trace:
    (tmp_path / "record").mkdir()
    (tmp_path / "disks").mkdir()
    return record(driver(syncs, count), tmp_path / "record")


def assert_nothing_lost(swept: Sweep, struck_share: float = 0.9) -> None:
    assert swept.problems == ()
    assert swept.struck >= struck_share * swept.runs
    assert swept.acked > 0


# --- power cuts -----------------------------------------------------------------------------------------------------


@NEEDS_STRACE
def test_the_replayed_disk_is_the_real_one(tmp_path: Path) -> None:
    trace = recorded(tmp_path, "full", 5)
    *_, last = cuts(trace, seed=1, parts=0)
    assert last.acked == ("0", "1", "2", "3", "4")
    assert {*last.files} >= {"habeas.db"}
    assert last.files["habeas.db"] == (tmp_path / "record" / "habeas.db").read_bytes()


@NEEDS_STRACE
def test_a_power_cut_loses_nothing_confirmed(tmp_path: Path) -> None:
    trace = recorded(tmp_path, "full", 9)
    disks, problems = powerless(trace, tmp_path / "disks", every=5)
    assert disks > 150
    assert problems == []


@NEEDS_STRACE
def test_a_store_that_syncs_too_seldom_is_caught(tmp_path: Path) -> None:
    trace = recorded(tmp_path, "normal", 9)
    _, problems = powerless(trace, tmp_path / "disks", every=5, restart_every=1_000_000)
    assert any("lost" in problem for problem in problems)


@pytest.mark.long
@pytest.mark.timeout(1200)
@NEEDS_STRACE
def test_a_thousand_power_cuts_lose_nothing_confirmed(tmp_path: Path) -> None:
    trace = recorded(tmp_path, "full", 100)
    disks, problems = powerless(trace, tmp_path / "disks", every=1)
    print(f"calls {len(trace.calls)}, disks {disks}, problems {len(problems)}")  # noqa: T201
    assert disks >= 1000
    assert problems == []


# --- kills ----------------------------------------------------------------------------------------------------------


def test_a_program_that_dies_between_and_inside_statements_loses_nothing_confirmed(tmp_path: Path) -> None:
    assert_nothing_lost(die([SCRIPT, "full", "9"], tmp_path, starts_again, count=6))


@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO"])
def test_a_program_struck_at_some_calls_loses_nothing_confirmed(tmp_path: Path, fault: str) -> None:
    swept = sweep(driver(count=3), tmp_path, starts_again, fault=fault, calls=("fdatasync",), every=6)
    assert_nothing_lost(swept, 1 if "KILL" in fault else 0.2)


@pytest.mark.long
@pytest.mark.timeout(1200)
@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_a_program_struck_at_every_call_loses_nothing_confirmed(tmp_path: Path, fault: str) -> None:
    swept = sweep(driver(count=12), tmp_path, starts_again, fault=fault)
    print(f"{fault}: runs {swept.runs}, struck {swept.struck}, confirmed {swept.acked}")  # noqa: T201
    assert_nothing_lost(swept, 0.9 if "KILL" in fault else 0.1)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_program_that_dies_in_two_hundred_places_loses_nothing_confirmed(tmp_path: Path) -> None:
    assert_nothing_lost(die([SCRIPT, "full", "30"], tmp_path, starts_again, count=200))
