"""Real processes on a real folder: two at once, and one killed or failed at every system call that it makes."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.keys.ledger import Ledger

from habeas.errors import UsageError
from habeas.keys import KeyStore, MasterKey

DRIVER = Path(__file__).with_name("driver.py")
CALLS = ("openat", "write", "fsync", "rename", "renameat", "renameat2", "unlinkat", "getdents64", "close")
STRACE = shutil.which("strace")


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    folder, key_file = tmp_path / "keys", tmp_path / "master"
    KeyStore.create(folder, MasterKey.create_file(key_file)).close()
    return folder, key_file


def command(place: tuple[Path, Path], mode: str) -> list[str]:
    return [sys.executable, str(DRIVER), str(place[0]), str(place[1]), mode]


def test_a_second_process_is_refused_until_the_first_is_dead(place: tuple[Path, Path]) -> None:
    folder, key_file = place
    master = MasterKey.from_file(key_file)
    with subprocess.Popen(command(place, "hold"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout
        try:
            assert first.stdout.readline() == b"begin\n"
            with pytest.raises(UsageError, match="open already") as refused:
                KeyStore(folder, master)
            assert "one process" in refused.value.remedy
        finally:
            first.kill()
    KeyStore(folder, master).close()


def test_the_same_process_cannot_open_it_twice_either(place: tuple[Path, Path]) -> None:
    master = MasterKey.from_file(place[1])
    with KeyStore(place[0], master), pytest.raises(UsageError, match="open already"):
        KeyStore(place[0], master)
    KeyStore(place[0], master).close()


def told(output: str) -> Ledger:
    """What the program acknowledged before it stopped."""
    ledger = Ledger()
    for line in output.splitlines():
        word, *rest = line.split()
        if word == "new":
            ledger.alive[rest[0]] = {int(rest[1])}
        elif word == "ending":
            ledger.doubtful = set(rest)
            for key_id in rest:
                ledger.alive.pop(key_id)
        elif word == "ended":
            ledger.gone |= set(rest)
            ledger.doubtful = set()
        elif word == "moving":
            ledger.alive[rest[0]].add(int(rest[1]))
        elif word == "moved":
            ledger.alive[rest[0]] = {int(rest[1])}
    return ledger


def kept(place: tuple[Path, Path], output: str) -> None:
    ledger = told(output)
    with KeyStore(place[0], MasterKey.from_file(place[1])) as store:
        ids = store.ids()
        assert ledger.alive.keys() <= ids
        assert not ledger.gone & ids
        assert all(store.expires_at_ns(key_id) in expiries for key_id, expiries in ledger.alive.items())


def traced(place: tuple[Path, Path], *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [str(STRACE), "-f", *options, *command(place, "work")],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


def work_calls(place: tuple[Path, Path], trace: Path) -> Iterator[tuple[str, int]]:
    """Each call that the work makes: its name, and its number since the program began."""
    assert traced(place, "-o", str(trace), "-e", f"trace={','.join(CALLS)}").returncode == 0
    numbers: Counter[str] = Counter()
    working = False
    for line in trace.read_text().splitlines():
        found = re.match(r"\d+\s+(\w+)\(", line)
        if found:
            numbers[found[1]] += 1
            working = (working or '"begin' in line) and '"end\\n' not in line
            if working:
                yield found[1], numbers[found[1]]


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_a_fault_at_any_system_call_loses_nothing(place: tuple[Path, Path], tmp_path: Path, fault: str) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(place[0], empty)
    calls = list(work_calls(place, tmp_path / "trace"))
    assert len(calls) > 150
    for name, number in calls:
        shutil.rmtree(place[0])
        shutil.copytree(empty, place[0])
        done = traced(place, "-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={number}")
        assert ("KILL" in fault) <= (done.returncode != 0), (name, number)
        kept(place, done.stdout)
