"""Approvals, alerts, verdicts and suspensions that were confirmed survive kills and power cuts at any call.

So does destruction: what was confirmed as revoked cannot be opened once the node has started again. And after each of
them, replaying the entries of the log comes to what the database holds.
"""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.fault.crashes import STRACE, Sweep, cuts, die, record, sweep
from tests.fault.drivers.life import MASTER
from tests.replaying import differences, replayed

from habeas.authority import discard
from habeas.authority.authorisations import subjects_of
from habeas.authority.opened import open_template
from habeas.authority.requests import State
from habeas.clock import ManualClock
from habeas.errors import HabeasError, KeyDestroyed
from habeas.keys import KeyStore
from habeas.review import ending
from habeas.review.images import image_context
from habeas.store import Tx, open_store
from habeas.store.records import Alert, Approval, Authorisation, Reference, Suspension, Verdict
from habeas.types import NS_PER_S

SCRIPT: Final = str(Path(__file__).parent / "drivers" / "life.py")
NEEDS_STRACE: Final = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def driver(syncs: str = "full") -> list[str]:
    return [sys.executable, SCRIPT, syncs]


def alive(folder: Path, acked: Sequence[str]) -> list[str]:
    """Start as the node does, then look for everything that was confirmed."""
    if not acked:
        return []
    (folder / "keys").chmod(0o700)  # a replayed disk has contents and names, no modes
    clock = ManualClock()
    clock.advance(5 * NS_PER_S)
    try:
        with (
            KeyStore(folder / "keys", MASTER) as keys,
            open_store(f"sqlite:///{folder / 'habeas.db'}", clock) as store,
        ):
            keys.reap(clock.now_ns())
            with store.write() as tx:
                discard.tick(tx, keys)
                discard.reconcile(tx, keys)
                ending.tick(tx, keys)
            with store.read() as tx:
                kinds = [token.partition(":") for token in acked]
                over = {name for kind, _, name in kinds if kind == "revoked"}
                problems = [
                    f"{kind} {name}: {problem}"
                    for kind, _, name in kinds
                    for problem in lost(tx, keys, kind, name, over)
                ]
                return problems + [
                    f"the log says another thing: {one}" for one in differences(replayed(tx, keys), tx, keys)
                ]
    except (HabeasError, sqlite3.DatabaseError) as error:
        return [f"{error} ({len(acked)} confirmed)"]


def lost(tx: Tx, keys: KeyStore, kind: str, name: str, over: set[str]) -> list[str]:
    if kind == "alert":
        return alert_lost(tx, keys, name, over)
    if kind.startswith("verdict"):
        return [] if len(tx.find(Verdict, alert_id=name)) >= {"oli": 1, "ola": 2}[kind[-3:]] else ["lost"]
    if kind == "suspended":
        return [] if tx.find(Suspension, suspension_id=name) else ["lost"]
    row = tx.get(Authorisation, name)
    if kind == "revoked":
        readable = [subject for subject in subjects_of(tx, row) if subject.key_id in keys.ids()]
        return [] if row.state == State.REVOKED.value and not readable else ["still opens"]
    given = len(tx.find(Approval, object_id=name)) >= {"ava": 1, "abe": 2}[kind[-3:]]
    problems = [] if given else ["approval lost"]
    if kind.endswith("abe") and name not in over and row.state == State.ACTIVE.value:
        problems += [] if opens(tx, keys, row) else ["a live reference does not open"]
        problems += [] if ends_on_time(tx, keys, row) else ["its key has another end"]
    elif kind.endswith("abe") and row.state not in (State.ACTIVE.value, State.REVOKED.value):
        problems.append(f"it is {row.state}")
    return problems


def alert_lost(tx: Tx, keys: KeyStore, name: str, over: set[str]) -> list[str]:
    alert = tx.get(Alert, name)
    if alert.authorisation_id is None:  # forgotten with an authorisation that ended: one did, and its key is gone
        ended = tx.find(Authorisation, state=State.REVOKED.value)
        return [] if ended and alert.key_id not in keys.ids() else ["it is forgotten, and nothing ended"]
    if alert.authorisation_id in over or tx.get(Authorisation, alert.authorisation_id).state != State.ACTIVE.value:
        return [] if alert.key_id not in keys.ids() else ["its image still opens"]
    if alert.image_sealed is None:  # an ending before the confirmation reached us
        return ["its image is gone"]
    return [] if keys.decrypt(alert.key_id, alert.image_sealed, image_context(name)) == b"a face" else ["other bytes"]


def opens(tx: Tx, keys: KeyStore, row: Authorisation) -> bool:
    try:
        for subject in subjects_of(tx, row):
            for reference in tx.find(Reference, subject_id=subject.subject_id):
                open_template(keys, subject, reference)
    except KeyDestroyed:
        return False
    return True


def ends_on_time(tx: Tx, keys: KeyStore, row: Authorisation) -> bool:
    return all(keys.expires_at_ns(subject.key_id) == row.ends_at_ns for subject in subjects_of(tx, row))


def powerless(tmp_path: Path, syncs: str, every: int) -> tuple[int, list[str]]:
    (tmp_path / "record").mkdir()
    trace = record(driver(syncs), tmp_path / "record")
    problems, number = [], 0
    for number, cut in enumerate(cuts(trace, seed=11, every=every), 1):
        folder = tmp_path / "disks" / str(number)
        folder.mkdir(parents=True)
        cut.put(folder)
        problems += [f"after call {cut.after}, {cut.kept}: {problem}" for problem in alive(folder, cut.acked)]
    return number, problems


def assert_nothing_lost(swept: Sweep) -> None:
    assert swept.problems == ()
    assert swept.acked > 0


def test_the_whole_life_is_there_afterwards(tmp_path: Path) -> None:
    """Control of the check itself: it sees what is there, and that something is missing."""
    swept = die([SCRIPT, "full"], tmp_path, alive, count=1)
    assert swept.problems == ()
    whole = tmp_path / "whole"
    everything = [f"alert:{name}" for name in ("alert-none",)]
    assert alive(whole, everything) != []


@NEEDS_STRACE
def test_a_power_cut_loses_nothing_confirmed(tmp_path: Path) -> None:
    disks, problems = powerless(tmp_path, "full", every=40)
    assert disks > 50
    assert problems == []


@NEEDS_STRACE
def test_a_store_that_syncs_too_seldom_is_caught(tmp_path: Path) -> None:
    _, problems = powerless(tmp_path, "normal", every=20)
    assert problems != []


@pytest.mark.long
@NEEDS_STRACE
@pytest.mark.timeout(3600)
def test_a_thousand_power_cuts_lose_nothing_confirmed(tmp_path: Path) -> None:
    disks, problems = powerless(tmp_path, "full", every=1)
    print(f"disks {disks}, problems {len(problems)}")  # noqa: T201
    assert disks >= 1000
    assert problems == []


@pytest.mark.long
@NEEDS_STRACE
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO"])
def test_a_kill_or_a_failing_disk_at_every_write_loses_nothing_confirmed(tmp_path: Path, fault: str) -> None:
    swept = sweep(driver(), tmp_path, alive, fault=fault, calls=("pwrite64", "write", "fsync", "fdatasync", "rename"))
    print(f"{fault}: {swept.runs} runs, {swept.struck} struck, {swept.acked} confirmed")  # noqa: T201
    assert_nothing_lost(swept)
