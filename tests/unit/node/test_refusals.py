"""Refusals of callers nobody knows cannot flood the log, and none of them is lost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import new_database

from habeas.clock import ManualClock
from habeas.errors import DiskError
from habeas.node.refusals import EVERY_NS, Refusals
from habeas.store import Store, open_store
from habeas.store.records import Entry

LOGIN = ("login.refused", "acc-1", "login")


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with open_store(new_database("sqlite", tmp_path), clock) as made:
        yield made


@pytest.fixture
def refusals(store: Store, clock: ManualClock) -> Refusals:
    return Refusals(store, clock)


def entries(store: Store) -> list[tuple[str, str, str, int]]:
    with store.read() as tx:
        bodies = [(entry, json.loads(entry.body)) for entry in tx.find(Entry)]
    return [(entry.kind, entry.actor, body["rule"], body["times"]) for entry, body in bodies]


def test_the_first_at_once_then_their_number_each_minute(refusals: Refusals, store: Store, clock: ManualClock) -> None:
    for _ in range(1000):
        refusals.note(*LOGIN)
    assert entries(store) == [(*LOGIN, 1)]
    clock.advance(EVERY_NS - 1)
    refusals.write_due()
    assert len(entries(store)) == 1
    clock.advance(1)
    refusals.write_due()
    assert entries(store) == [(*LOGIN, 1), (*LOGIN, 999)]
    refusals.note(*LOGIN)
    assert len(entries(store)) == 2, "a minute from the last entry"
    refusals.write_due(everything=True)
    assert [times for *_, times in entries(store)] == [1, 999, 1], "the node stops"


def test_after_a_quiet_minute_the_next_is_told_at_once(refusals: Refusals, store: Store, clock: ManualClock) -> None:
    refusals.note(*LOGIN)
    clock.advance(EVERY_NS)
    refusals.write_due()
    assert len(entries(store)) == 1, "nothing came, nothing is written"
    refusals.note(*LOGIN)
    assert len(entries(store)) == 2


def test_each_account_and_rule_is_told_of(refusals: Refusals, store: Store) -> None:
    kinds = [LOGIN, ("login.refused", "acc-2", "login"), ("login.refused", "acc-1", "login-locked")]
    kinds.append(("refused", "unknown", "not-logged-in"))
    for one in kinds * 3:
        refusals.note(*one)
    assert entries(store) == [(*one, 1) for one in kinds]


def test_what_could_not_be_written_is_with_the_next(
    refusals: Refusals, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Store) -> None:
        raise DiskError("no room", remedy="none")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", full)
        with pytest.raises(DiskError):
            refusals.note(*LOGIN)
    refusals.note(*LOGIN)
    assert entries(store) == [(*LOGIN, 2)]
