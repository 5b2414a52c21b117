"""With many alerts: what is done each second, and what people list, reads no face, and no more rows than it needs."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, event
from tests.installation import DAY, Installation

from habeas.errors import HabeasError
from habeas.keys import Scope
from habeas.review import ending, queue
from habeas.store import Tx
from habeas.store.queries import FACES
from habeas.store.records import Alert, Entry
from habeas.types import NS_PER_S

MANY: Final = 60
MINUTE: Final = 60 * NS_PER_S
Seen = list[tuple[str, list[str]]]
"""Statements that read alerts, and how SQLite goes about each."""


@pytest.fixture
def many(place: Installation) -> Alert:
    """One alert of a running authorisation, and sixty like it in every state, each with a key of its own."""
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)
    plain = place.alert(row.authorisation_id)
    with place.store.write() as tx:
        for number in range(MANY):
            made = replace(plain, alert_id=f"alert-{number:03}", key_id=_key(place, plain), state=_state(number))
            tx.add(replace(made, called_at_ns=1, captured_at_ns=plain.captured_at_ns - number))
    return plain


def _state(number: int) -> str:
    return ("open", "unconfirmed", "confirmed")[number % 3]


def _key(place: Installation, alert: Alert) -> str:
    return place.keys.new(Scope.ALERT, alert.expires_at_ns)


@contextmanager
def watched() -> Iterator[Seen]:
    """Note every statement of this thread that reads alerts, with its plan: others may end what they began before."""
    seen: Seen = []
    own = threading.get_ident()

    def note(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if threading.get_ident() == own and statement.startswith("SELECT") and "alerts" in statement:
            cursor = connection.connection.cursor()
            plan = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            seen.append((statement, [str(step[-1]) for step in plan]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def faces_in(seen: Seen) -> list[str]:
    return [statement for statement, _ in seen if any(name in statement for name in FACES)]


def scans_in(seen: Seen) -> list[str]:
    return [step for _, plan in seen for step in plan if step.startswith("SCAN alerts")]


def tick(tx: Tx, place: Installation) -> object:
    return ending.tick(tx, place.keys)


def listed(tx: Tx, place: Installation) -> object:
    return queue.queue(tx, place.actor(tx, "opal"))


def found(tx: Tx, place: Installation) -> object:
    return queue.search(tx, place.actor(tx, "opal"), cameras=["c1"], from_ns=0, until_ns=place.clock.now_ns() + 1)


def suspended(tx: Tx, place: Installation) -> object:
    return ending.destroy_captured(tx, ["c1", "c2"], place.clock.now_ns() - 5, place.clock.now_ns())


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("act", [tick, listed, found, suspended])
def test_no_face_is_read_and_no_table_walked(place: Installation, act: Callable[[Tx, Installation], Any]) -> None:
    with place.store.write() as tx, watched() as seen:
        act(tx, place)
    assert seen
    assert faces_in(seen) == []
    assert scans_in(seen) == []


@pytest.mark.usefixtures("many")
def test_the_watch_sees_what_it_looks_for(place: Installation) -> None:
    with place.store.read() as tx, watched() as seen:
        tx.find(Alert, threshold=0.5)
    assert faces_in(seen)
    assert scans_in(seen)


def test_an_ending_authorisation_reads_no_face(place: Installation, many: Alert) -> None:
    with place.store.write() as tx, watched() as seen:
        gone = ending.destroy_for_authorisation(tx, many.authorisation_id)
    assert len(gone) == MANY + 1
    assert faces_in(seen) == scans_in(seen) == []


def test_a_new_alert_reads_no_face(place: Installation, many: Alert) -> None:
    with watched() as seen:
        place.alert(many.authorisation_id, track_id=2)
    assert seen
    assert faces_in(seen) == scans_in(seen) == []


@pytest.mark.usefixtures("many")
def test_a_tick_on_which_nothing_is_due_returns_no_alert(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []
    select = Tx.select

    def counted(self: Tx, kind: type[Any], *conditions: Any, **rest: Any) -> list[Any]:
        rows = select(self, kind, *conditions, **rest)
        loaded.append(len(rows) if kind is Alert else 0)
        return rows

    monkeypatch.setattr(Tx, "select", counted)
    place.tick()
    assert sum(loaded) == 0
    place.advance(30 * MINUTE)
    assert sum(loaded) == MANY // 3 + 2, "the control: all that are open, and the one to call for besides"


def test_what_is_left_out_is_none_only_in_what_is_returned(place: Installation, many: Alert) -> None:
    with place.store.write() as tx:
        (bare,) = tx.find(Alert, without=FACES, alert_id=many.alert_id)
        assert bare == replace(many, image_sealed=None, place_sealed=None)
        tx.change(bare, sightings=7)
        assert tx.get(Alert, many.alert_id) == replace(many, sightings=7), "the row keeps it"
        with pytest.raises(HabeasError, match="cannot be without"):
            tx.find(Alert, without=("alert_id",))


def test_a_lost_key_is_found_among_many(place: Installation, many: Alert) -> None:
    (other,) = place.look(Alert, alert_id="alert-007")
    place.keys.destroy([other.key_id])
    place.tick()
    gone = [alert.alert_id for alert in place.look(Alert) if alert.image_sealed is None]
    assert gone == ["alert-007"]
    assert many.key_id in place.keys.ids()


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note every statement."""
    seen: list[str] = []

    def note(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.rule("V7")
def test_many_end_in_one_transaction_of_few_statements(place: Installation, many: Alert) -> None:
    """All at the same instant, and other writers need not wait for each."""
    with counted() as seen:
        place.revoke(many.authorisation_id, "abe")
    assert len(seen) < MANY, "fewer than one for each alert"
    rows = place.look(Alert)
    assert {row.image_sealed for row in rows} == {None}
    assert {row.destroyed_at_ns is not None for row in rows} == {True}
    told = [json.loads(entry.body) for entry in place.look(Entry) if entry.kind == "alert.destroyed"]
    assert sorted((one["alert"], one["state"]) for one in told) == sorted((row.alert_id, row.state) for row in rows)
    assert not place.keys.ids() & {row.key_id for row in rows}


@pytest.mark.rule("A16")
def test_a_crash_after_many_ended_leaves_no_key_to_them(place: Installation, many: Alert) -> None:
    """The commit was kept, what follows it was not done: the next second does it."""
    with place.store.write() as tx:
        gone = ending.destroy_for_authorisation(tx, many.authorisation_id)
    assert place.keys.ids() >= set(gone)
    place.tick()
    assert not place.keys.ids() & set(gone)
