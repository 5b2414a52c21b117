"""What a restore loses of the log is kept: exactly what was signed, once, however often is restored."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.databases import KINDS, postgres
from tests.founded import founded

from habeas.audit.entry import leaf_of
from habeas.authority.epochs import current_epoch, first_epoch
from habeas.clock import ManualClock
from habeas.node.losing import entry_of
from habeas.node.restoring import back_up, bring_back
from habeas.node.trees import LOGS, open_tree
from habeas.node.workspace import Workspace
from habeas.store import Tx, open_store, queries
from habeas.store.records import Entry, LostEntry

T = TypeVar("T")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=KINDS)
def workspace(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Workspace:
    url = postgres().empty() if request.param == "postgresql" else ""
    made = founded(tmp_path, clock, database=url)
    with made.open_keys() as keys, open_store(made.database_url, clock) as store, store.write() as tx:
        first_epoch(tx, keys, "example.org/log")
    return made


def act(workspace: Workspace, clock: ManualClock, *names: str) -> None:
    """Write entries that no tree has yet."""
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        tx.entries("test.act", "ann", ({"name": name} for name in names))


def integrate(workspace: Workspace, clock: ManualClock) -> None:
    """Put all entries into the log."""
    with workspace.open_keys() as keys, open_store(workspace.database_url, clock) as store:
        with store.read() as tx:
            epoch = current_epoch(tx)
        assert epoch is not None
        tree = open_tree(workspace.folder / LOGS, epoch, keys, store)
        with store.read() as tx:
            rows = queries.entries_from(tx, tree.next_seq, 10_000)
        tree.log.integrate([leaf_of(row) for row in rows])
        tree.log.sign()


def look(workspace: Workspace, clock: ManualClock, what: Callable[[Tx], T]) -> T:
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        return what(tx)


def lost(workspace: Workspace, clock: ManualClock) -> list[Entry]:
    return [entry_of(one) for one in look(workspace, clock, lambda tx: tx.find(LostEntry))]


def restore(workspace: Workspace, clock: ManualClock, archive: Path) -> None:
    clock.advance(1_000_000_000)  # what is moved aside is named by the second
    bring_back(workspace, archive, clock)


def test_what_was_signed_since_is_kept_as_it_was(workspace: Workspace, clock: ManualClock, tmp_path: Path) -> None:
    act(workspace, clock, "before")
    integrate(workspace, clock)
    back_up(workspace, tmp_path / "b.habeas", clock)
    act(workspace, clock, *(f"since-{number}" for number in range(300)))
    integrate(workspace, clock)
    act(workspace, clock, "in no tree")
    since = look(workspace, clock, lambda tx: tx.find(Entry, kind="test.act"))[1:-1]
    restore(workspace, clock, tmp_path / "b.habeas")
    assert len(since) == 300
    assert lost(workspace, clock) == since
    assert {one.epoch for one in look(workspace, clock, lambda tx: tx.find(LostEntry))} == {1}
    some = look(workspace, clock, lambda tx: queries.lost_entries(tx, 1, since[7].seq, 2))
    assert [one.seq for one in some] == [since[7].seq, since[8].seq]
    assert look(workspace, clock, lambda tx: queries.lost_entries(tx, 2, 0, 9)) == []


def test_they_stay_over_further_restores_but_for_what_is_there_again(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    back_up(workspace, tmp_path / "early.habeas", clock)
    act(workspace, clock, "one")
    back_up(workspace, tmp_path / "late.habeas", clock)
    act(workspace, clock, "two")
    integrate(workspace, clock)
    one, two = look(workspace, clock, lambda tx: tx.find(Entry, kind="test.act"))
    restore(workspace, clock, tmp_path / "early.habeas")
    assert lost(workspace, clock) == [one, two]
    act(workspace, clock, "signed by nobody")
    back_up(workspace, tmp_path / "again.habeas", clock)
    restore(workspace, clock, tmp_path / "again.habeas")
    assert lost(workspace, clock) == [one, two]
    restore(workspace, clock, tmp_path / "late.habeas")
    assert lost(workspace, clock) == [two]


def test_a_damaged_log_keeps_no_restore_from_being_made(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    back_up(workspace, tmp_path / "b.habeas", clock)
    act(workspace, clock, "since")
    integrate(workspace, clock)
    (workspace.folder / LOGS / "1" / "tree").write_bytes(b"damaged")
    restore(workspace, clock, tmp_path / "b.habeas")
    assert lost(workspace, clock) == []
    assert look(workspace, clock, lambda tx: tx.find(Entry)[-1].kind) == "database.restored"
