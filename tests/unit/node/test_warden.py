"""While no node runs the warden destroys what is due; while one runs it keeps out of its way."""

import shutil
from pathlib import Path

import pytest
from tests.founded import founded

from habeas.clock import ManualClock
from habeas.errors import UsageError
from habeas.keys import Scope
from habeas.node.timekeeper import Timekeeper
from habeas.node.warden import EVERY_NS, Warden
from habeas.node.workspace import Workspace
from habeas.store import open_store
from habeas.store.connection import database_file
from habeas.types import HOUR_NS, NS_PER_S

DEADLINE_NS = 5 * 60 * NS_PER_S


@pytest.fixture
def workspace(tmp_path: Path, clock: ManualClock) -> Workspace:
    return founded(tmp_path, clock)


def made(workspace: Workspace, expires_at_ns: int) -> str:
    with workspace.open_keys() as keys:
        return keys.new(Scope.FOOTAGE, expires_at_ns)


def there(workspace: Workspace, key_id: str) -> bool:
    with workspace.open_keys() as keys:
        return keys.has(key_id)


@pytest.mark.rule("T2")
def test_what_is_due_is_destroyed_and_the_rest_is_not(workspace: Workspace, clock: ManualClock) -> None:
    due, later = (made(workspace, clock.now_ns() + hours * HOUR_NS) for hours in (1, 2))
    warden = Warden(workspace, clock)
    assert warden.step() == []
    clock.advance(HOUR_NS)
    assert EVERY_NS < DEADLINE_NS
    assert warden.step() == [due]
    assert (there(workspace, due), there(workspace, later)) == (False, True)


def test_while_a_node_has_the_keys_it_does_nothing(workspace: Workspace, clock: ManualClock) -> None:
    due = made(workspace, clock.now_ns() + HOUR_NS)
    warden = Warden(workspace, clock)
    clock.advance(2 * HOUR_NS)
    with workspace.open_keys():
        assert warden.step() is None
    assert warden.step() == [due]


def test_time_goes_on_from_what_the_node_wrote_down_whatever_the_clock_is_set_to(
    workspace: Workspace, clock: ManualClock
) -> None:
    due = made(workspace, clock.now_ns() + HOUR_NS)
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        Timekeeper(clock, None).beat(tx)
    warden = Warden(workspace, clock)
    clock.jump(100 * HOUR_NS)
    assert warden.step() == [], "a clock set forward destroys nothing"
    clock.jump(-200 * HOUR_NS)
    clock.advance(HOUR_NS)
    assert warden.step() == [due], "and one set back keeps nothing"


@pytest.mark.rule("T2")
def test_without_a_database_what_is_due_goes_all_the_same(workspace: Workspace, clock: ManualClock) -> None:
    due = made(workspace, clock.now_ns() + HOUR_NS)
    warden = Warden(workspace, clock)
    file = database_file(workspace.database_url)
    assert file is not None
    shutil.move(file, file.with_suffix(".gone"))
    clock.advance(HOUR_NS)
    assert warden.step() == [due]
    assert not file.exists(), "none is made in its place"


def test_whoever_is_patient_gets_the_keys_after_the_warden(workspace: Workspace) -> None:
    with workspace.open_keys(), pytest.raises(UsageError):
        workspace.open_keys(0.2)
    with workspace.open_keys(3.0) as keys:
        assert keys.ids() is not None
