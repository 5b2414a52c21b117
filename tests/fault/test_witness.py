"""A witness that is killed, or whose disk fails, at any call: afterwards it is never behind what it answered."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.fault.crashes import STRACE, Sweep, cuts, record, sweep
from tests.histories import FORK, TRUE
from tests.unit.audit.signers import LOG

from habeas.audit.witness import KEY_FILE, Witness
from habeas.clock import ManualClock

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = str(Path(__file__).parent / "drivers" / "witness.py")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def driver(kind: str = "careful") -> list[str]:
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({SCRIPT!r}, run_name='__main__')"
    return [sys.executable, "-c", code, kind]


def never_behind(folder: Path, acked: Sequence[str]) -> list[str]:
    """Start it again: it knows what it answered for, refuses every other history, and goes on with the true one."""
    answered = max(map(int, acked), default=0)
    if not (folder / KEY_FILE).exists():
        return [f"the witness is gone, and had answered for {answered}"] if answered else []
    witness = Witness(folder, ManualClock())
    logs = witness.logs()
    if not logs:
        return [f"the log is forgotten, and {answered} was answered for"] if answered else []
    if logs[0].key != LOG.verifier:
        return ["the log's file is damaged"]
    size = logs[0].size
    problems = [f"it knows {size}, and answered for {answered}"] if size < answered else []
    if size > 2 and witness.answer(FORK.request(size)).status == 200:
        problems.append("another history was cosigned")
    if answered and witness.answer(FORK.request(0, answered)).status == 200:
        problems.append("a history from nothing was cosigned")
    if witness.answer(TRUE.request(size)).status != 200:
        problems.append("it does not go on")
    return problems


def assert_never_behind(swept: Sweep, struck_share: float) -> None:
    assert swept.problems == ()
    assert swept.struck >= struck_share * swept.runs
    assert swept.acked > 0


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_struck_at_some_calls(tmp_path: Path, fault: str) -> None:
    swept = sweep(driver(), tmp_path, never_behind, fault=fault, calls=("rename", "fsync"), every=6)
    assert_never_behind(swept, 1 if "KILL" in fault else 0)


def test_a_power_cut_after_any_call(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    trace = record(driver(), tmp_path / "record")
    problems = []
    for number, cut in enumerate(cuts(trace, seed=3)):
        folder = tmp_path / str(number)
        folder.mkdir(0o700)
        cut.put(folder)
        for key in folder.glob(KEY_FILE):
            key.chmod(0o600)
        problems += [f"after call {cut.after}, {cut.kept}: {problem}" for problem in never_behind(folder, cut.acked)]
    assert problems == []
    assert trace.calls


def test_a_witness_that_answers_before_it_keeps_is_caught(tmp_path: Path) -> None:
    swept = sweep(driver("careless"), tmp_path, never_behind, calls=("rename",), every=3)
    assert any("it knows" in problem for problem in swept.problems)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_struck_at_every_call(tmp_path: Path, fault: str) -> None:
    swept = sweep(driver(), tmp_path, never_behind, fault=fault)
    print(f"{fault}: runs {swept.runs}, struck {swept.struck}, answered {swept.acked}")  # noqa: T201
    assert_never_behind(swept, 0.9 if "KILL" in fault else 0)
