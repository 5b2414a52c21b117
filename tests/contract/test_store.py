"""The store, on both of its databases: real files, and a real PostgreSQL."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.databases import KINDS, new_database

from habeas.clock import ManualClock
from habeas.errors import DiskError, HabeasError, InputError
from habeas.store import Store, Tx, open_store, queries
from habeas.store.records import Account, Alert, Camera, Count, Entry, Meta, Suspension
from habeas.store.tables import TABLES

THREADS, EACH, PROCESSES = 8, 25, 2
WRITER = """
import sys
from habeas.clock import SystemClock
from habeas.store import open_store
with open_store(sys.argv[1], SystemClock()) as store:
    for number in range(int(sys.argv[2])):
        with store.write() as tx:
            tx.entry("test.process", sys.argv[3], {"number": number})
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    return new_database(kind, tmp_path)


@pytest.fixture
def store(url: str, clock: ManualClock) -> Iterator[Store]:
    with open_store(url, clock) as store:
        yield store


def account(name: str, **values: Any) -> Account:
    return replace(Account(f"id-{name}", name, 1, "init"), **values)


def camera(camera_id: str, **values: Any) -> Camera:
    plain = Camera(camera_id, "gate", "counting", "rtsp://host", b"\x00\xff", None, "key", "digest", (), 40, 1, "ann")
    return replace(plain, **values)


def filled(kind: type[Any], **given: Any) -> Any:
    """A record of some kind, whatever fields it has: those not given hold a plain value of their type."""
    plain: dict[Any, Any] = {int: 1, float: 0.5, bool: False, str: "x", bytes: b"x", tuple: ()}
    hints = get_type_hints(kind).items()
    return kind(**{**{name: plain.get(get_origin(hint) or hint) for name, hint in hints}, **given})


def alert(alert_id: str, camera_id: str, captured_at_ns: int, state: str = "open") -> Alert:
    made: Alert = filled(Alert, alert_id=alert_id, camera_id=camera_id, captured_at_ns=captured_at_ns, state=state)
    return made


def all_of(store: Store, kind: type[Any]) -> list[Any]:
    with store.read() as tx:
        return tx.find(kind)


@contextmanager
def undone(store: Store) -> Iterator[Tx]:
    """A transaction that an error ends."""
    with suppress(ZeroDivisionError), store.write() as tx:
        yield tx
        raise ZeroDivisionError


# --- one transaction ------------------------------------------------------------------------------------------------


def test_what_is_added_is_found_changed_and_removed(store: Store) -> None:
    with store.write() as tx:
        tx.add(account("ann"))
        tx.add(account("bea"))
        changed = tx.change(tx.get(Account, "id-ann"), disabled_at_ns=7, setup_until_ns=2)
        assert changed == account("ann", disabled_at_ns=7, setup_until_ns=2)
        assert tx.get(Account, "id-ann") == changed  # a transaction sees what it did
    with store.write() as tx:
        tx.remove(account("bea"))
        tx.remove(account("nobody"))
    assert all_of(store, Account) == [changed]


def test_find_takes_one_value_several_or_none_and_keeps_the_order_of_keys(store: Store) -> None:
    names = ["b", "B", "a", "é", "z", "_", "10", "9"]
    with store.write() as tx:
        for number, name in enumerate(names):
            tx.add(account(name, disabled_at_ns=number % 2 or None))
    with store.read() as tx:
        assert [found.name_key for found in tx.find(Account)] == sorted(names, key=str.encode)
        assert [found.name_key for found in tx.find(Account, name_key="é")] == ["é"]
        assert [found.name_key for found in tx.find(Account, name_key=["z", "a", "nobody"])] == ["a", "z"]
        assert tx.find(Account, name_key=[]) == []
        enabled, some = (
            tx.find(Account, disabled_at_ns=None),
            tx.find(Account, disabled_at_ns={None, 1}, name_key={"z"}),
        )
        assert {found.name_key for found in enabled} == set(names[::2])
        assert [found.name_key for found in some] == ["z"]


def test_a_key_of_two_fields(store: Store) -> None:
    with store.write() as tx:
        for day in ("2026-01-02", "2026-01-01"):
            tx.add(Count("north", day))
        tx.change(tx.get(Count, "north", "2026-01-02"), faces=3)
    assert all_of(store, Count) == [Count("north", "2026-01-01"), Count("north", "2026-01-02", faces=3)]


def test_what_is_not_there_is_refused(store: Store) -> None:
    with store.write() as tx:
        with pytest.raises(InputError, match="no such account: nobody"):
            tx.get(Account, "nobody")
        with pytest.raises(InputError, match="not there any more"):
            tx.change(account("nobody"), setup_until_ns=1)


def test_names_are_unique_and_a_refusal_leaves_the_transaction_usable(store: Store) -> None:
    with store.write() as tx:
        tx.add(account("ann"))
        tx.add(account("bea"))
        with pytest.raises(InputError, match="there is such a account already"):
            tx.add(account("ann"))
        with pytest.raises(InputError, match="already"):
            tx.add(account("ann", account_id="another"))
        with pytest.raises(InputError, match="already"):
            tx.change(account("bea"), name_key="ann")
        tx.add(account("cleo"))
    assert [found.name_key for found in all_of(store, Account)] == ["ann", "bea", "cleo"]


def test_an_error_rolls_everything_back_and_the_next_transaction_works(store: Store) -> None:
    with undone(store) as tx:
        tx.add(account("ann"))
        tx.entry("test.lost", "ann", {})
    with store.write() as tx:
        assert tx.entry("test.kept", "ann", {}) == 0
    assert all_of(store, Account) == []
    assert [entry.kind for entry in all_of(store, Entry)] == ["test.kept"]


def test_a_reading_transaction_cannot_write(store: Store) -> None:
    def never() -> None:
        raise AssertionError

    writes: list[Callable[[Tx], object]] = [
        lambda tx: tx.add(account("ann")),
        lambda tx: tx.change(account("ann"), setup_until_ns=1),
        lambda tx: tx.remove(account("ann")),
        lambda tx: tx.entry("test.read", "ann", {}),
        lambda tx: tx.after_commit(never),
    ]
    for write in writes:
        with store.read() as tx, pytest.raises(HabeasError, match="cannot write"):
            write(tx)
    assert all_of(store, Account) == []


def test_every_transaction_has_one_time(store: Store, clock: ManualClock) -> None:
    with store.write() as tx:
        clock.advance(5)
        tx.entry("test.time", "ann", {})
        began_ns = tx.now_ns
    assert all_of(store, Entry)[0].at_ns == began_ns == clock.now_ns() - 5


def test_every_table_can_be_searched(store: Store) -> None:
    with store.read() as tx:
        for record in TABLES:
            assert tx.find(record) == []


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"masks": ((0.1, 0.2, 1e-300, 1.0), (0.0, 0.0, 0.5, 2 / 3))},
        {"added_at_ns": 2**63 - 1, "removed_at_ns": -(2**63)},
        {"detect_sealed": bytes(range(256)) * 300, "record_sealed": b""},
        {"purpose": "Straße 東京 \U0001f3a5 e\u0301 \ufeff\ufffe \x01\r\n\t'\"\\;--", "public_url": ""},
        {"record_sealed": None, "removed_at_ns": None},
    ],
)
def test_values_come_back_as_they_went_in(store: Store, values: dict[str, Any]) -> None:
    with store.write() as tx:
        tx.add(camera("north", **values))
        tx.add(replace(camera("south"), **{name: value for name, value in values.items() if name != "camera_id"}))
    with store.read() as tx:
        assert tx.find(Camera, **values) == [camera("north", **values), camera("south", **values)]
        assert [type(value) for value in vars(tx.get(Camera, "north")).values()] == [
            type(value) for value in vars(camera("north", **values)).values()
        ]


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 2**63, -(2**63) - 1])
def test_values_that_no_database_keeps_are_refused_everywhere(store: Store, value: object) -> None:
    field = "created_by" if isinstance(value, str) else "setup_until_ns"
    with store.write() as tx:
        tx.add(account("ann"))
        for refused in (
            lambda: tx.add(account("bea", **{field: value})),
            lambda: tx.change(account("ann"), **{field: value}),
            lambda: tx.find(Account, **{field: value}),
            lambda: tx.find(Account, **{field: [value]}),
        ):
            with pytest.raises(InputError, match=f"account.{field}"):
                refused()
        with pytest.raises(InputError, match="suspension"):
            tx.add(filled(Suspension, zones=(value,)))
    assert all_of(store, Account) == [account("ann")]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(store: Store, value: float) -> None:
    with store.write() as tx, pytest.raises(InputError, match=r"alert\.similarity is"):
        tx.add(replace(alert("a", "north", 1), similarity=value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 7),
        ("name", None),
        ("setup_until_ns", "7"),
        ("setup_until_ns", True),
        ("setup_until_ns", 1.0),
        ("nothing", 1),
    ],
)
def test_a_value_of_another_type_is_a_fault_of_ours(store: Store, field: str, value: object) -> None:
    with store.write() as tx:
        tx.add(account("ann"))
        with pytest.raises(HabeasError, match="cannot hold") as refused:
            tx.change(account("ann"), **{field: value})
        assert type(refused.value) is HabeasError
        with pytest.raises(HabeasError, match="cannot hold"):
            tx.add(camera("north", masks=([1.0],)))


def test_an_entry_without_canonical_form_is_refused(store: Store) -> None:
    with store.write() as tx:
        for value in (2**53, float("nan"), "\ud800", {1: 2}, object()):
            with pytest.raises(InputError, match="no entry test"):
                tx.entry("test.odd", "ann", {"value": value})
        assert tx.entry("test.plain", "ann", {"b": 1, "a": "\0é"}) == 0
    assert all_of(store, Entry)[0].body == '{"a":"\\u0000é","b":1,"v":1}'


# --- after the commit -----------------------------------------------------------------------------------------------


def test_what_is_told_is_durable_already_and_told_in_order(store: Store, url: str, clock: ManualClock) -> None:
    told: list[tuple[str, int]] = []

    def tell(name: str) -> None:
        with open_store(url, clock) as other:
            told.append((name, len(all_of(other, Account))))

    with store.write() as tx:
        tx.after_commit(lambda: tell("first"))
        tx.add(account("ann"))
        tx.after_commit(lambda: tell("second"))
        assert told == []
    assert told == [("first", 1), ("second", 1)]


def test_nothing_is_told_of_what_was_rolled_back(store: Store) -> None:
    told: list[str] = []
    with undone(store) as tx:
        tx.after_commit(lambda: told.append("lost"))
    with store.write() as tx:
        tx.after_commit(lambda: told.append("kept"))
    assert told == ["kept"]


def test_who_is_told_may_write_and_all_are_told_though_one_fails(store: Store) -> None:
    told: list[str] = []

    def write() -> None:
        with store.write() as tx:
            tx.entry("test.told", "ann", {})

    def fail() -> None:
        raise ZeroDivisionError

    def commit() -> None:
        with store.write() as tx:
            tx.after_commit(fail)
            tx.after_commit(write)
            tx.after_commit(lambda: told.append("last"))
            tx.add(account("ann"))

    with pytest.raises(ZeroDivisionError):
        commit()
    assert told == ["last"]
    assert len(all_of(store, Entry)) == len(all_of(store, Account)) == 1


def test_a_write_inside_a_write_is_refused_at_once(store: Store) -> None:
    with store.write() as tx:
        tx.add(account("ann"))
        with pytest.raises(HabeasError, match="inside a write"), store.write():
            raise AssertionError
        tx.add(account("bea"))
    assert len(all_of(store, Account)) == 2


# --- many at once ---------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_moment_while_others_write(store: Store) -> None:
    with store.write() as tx:
        tx.add(account("ann"))
    with store.read() as reader:
        assert len(reader.find(Account)) == 1
        with store.write() as tx:
            tx.add(account("bea"))
            assert len(all_of(store, Account)) == 1  # nobody sees what is not committed
        assert len(reader.find(Account)) == 1
    assert len(all_of(store, Account)) == 2


def assert_no_gaps(entries: list[Entry], actors: int) -> None:
    assert [entry.seq for entry in entries] == list(range(actors * EACH))
    for actor in {entry.actor for entry in entries}:
        own = [int(entry.body.split(":")[1].split(",")[0]) for entry in entries if entry.actor == actor]
        assert own == list(range(EACH))


def test_entries_of_many_threads_have_no_gaps_and_are_told_in_their_order(store: Store) -> None:
    told: list[int] = []
    failures: list[BaseException] = []

    def work(actor: str) -> None:
        try:
            for number in range(EACH):
                with undone(store) as tx:
                    tx.entry("test.lost", actor, {"number": number})
                with store.write() as tx:
                    seq = tx.entry("test.kept", actor, {"number": number})
                    tx.after_commit(lambda seq=seq: told.append(seq))  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 - any of them fails the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert_no_gaps(all_of(store, Entry), THREADS)
    assert told == list(range(THREADS * EACH))


def test_entries_of_several_processes_have_no_gaps(store: Store, url: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(EACH), str(number)]) for number in range(PROCESSES)
    ]
    for number in range(EACH):
        with store.write() as tx:
            tx.entry("test.here", "here", {"number": number})
    assert [writer.wait(60) for writer in writers] == [0] * PROCESSES
    entries = all_of(store, Entry)
    assert_no_gaps(entries, PROCESSES + 1)
    assert all(before.seq < after.seq for before, after in pairwise(entries))


# --- queries --------------------------------------------------------------------------------------------------------


def test_alerts_are_found_by_their_time_of_capture(store: Store) -> None:
    with store.write() as tx:
        for number, (camera_id, state) in enumerate([("n", "open"), ("s", "open"), ("n", "false"), ("n", "open")]):
            tx.add(alert(f"a{number}", camera_id, 10 * number, state))
        tx.add(alert("b", "n", 30))

    def found(**limits: Any) -> list[str]:
        every: dict[str, Any] = {"cameras": None, "from_ns": 0, "until_ns": 100, "states": None, "limit": None}
        with store.read() as tx:
            return [one.alert_id for one in queries.alerts_between(tx, **{**every, **limits})]

    assert found() == ["a3", "b", "a2", "a1", "a0"]
    assert found(from_ns=10, until_ns=30) == ["a2", "a1"]
    assert found(cameras=["n"], states=["open"]) == ["a3", "b", "a0"]
    assert found(limit=2) == ["a3", "b"]
    assert found(cameras=[]) == []


# --- against an oracle ----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove", "commit", "rollback"]), NAMES, st.text(max_size=5)),
    max_size=30,
)


class Oracle:
    """What a database is meant to be: two dictionaries, of which one can be forgotten."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.now: dict[str, str] = {}

    def step(self, what: str, name: str, value: str) -> bool:
        """Do it; returns whether it is refused."""
        fine = name not in self.now if what == "add" else what == "remove" or name in self.now
        if "\0" in value and what != "remove":
            fine = False
        if fine and what == "remove":
            self.now.pop(name, None)
        elif fine:
            self.now[name] = value
        return not fine


def one_transaction(store: Store, oracle: Oracle, steps: list[tuple[str, str, str]], keeps: bool) -> None:
    with store.write() if keeps else undone(store) as tx:
        for what, name, value in steps:
            does: Callable[[], object] = {
                "add": partial(tx.add, Meta(name, value)),
                "change": partial(tx.change, Meta(name, ""), value=value),
                "remove": partial(tx.remove, Meta(name, "")),
            }[what]
            if oracle.step(what, name, value):
                with pytest.raises(InputError):
                    does()
            else:
                does()
            assert {found.name: found.value for found in tx.find(Meta)} == oracle.now
    if keeps:
        oracle.kept = dict(oracle.now)
    oracle.now = dict(oracle.kept)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_steps_leaves_what_two_dictionaries_would(
    store: Store, steps: list[tuple[str, str, str]]
) -> None:
    with store.write() as tx:
        for left in tx.find(Meta):
            tx.remove(left)
    oracle, waiting = Oracle(), list[tuple[str, str, str]]()
    for step in [*steps, ("commit", "", "")]:
        if step[0] in {"commit", "rollback"}:
            one_transaction(store, oracle, waiting, keeps=step[0] == "commit")
            waiting = []
            assert {found.name: found.value for found in all_of(store, Meta)} == oracle.kept
        else:
            waiting.append(step)


# --- failing --------------------------------------------------------------------------------------------------------


def failing() -> Any:
    return text("SELECT * FROM no_such_table WHERE secret = 'hunter2'")


def test_a_statement_that_failed_ends_its_transaction_whoever_caught_the_error(store: Store) -> None:
    told: list[str] = []

    def commit() -> None:
        with store.write() as tx:
            tx.add(account("ann"))
            tx.after_commit(lambda: told.append("lost"))
            with pytest.raises(DiskError, match="the database failed"):
                tx.execute(failing())
            with pytest.raises(DiskError, match="earlier in this step"):
                tx.add(account("bea"))

    with pytest.raises(DiskError, match="earlier in this step"):
        commit()
    assert told == all_of(store, Account) == []


def test_messages_say_no_statement_and_no_value(store: Store) -> None:
    with store.read() as tx, pytest.raises(DiskError) as refused:
        tx.execute(failing())
    assert "hunter2" not in f"{refused.value}{refused.value.remedy}"
    assert repr(store).startswith("Store(")
    assert "/" not in repr(store)


MANY = 1203


def test_many_are_changed_and_told_as_one_after_the_other(store: Store) -> None:
    rows = [Meta(f"m{number:05}", "before") for number in range(MANY)]
    with store.write() as tx:
        for row in rows:
            tx.add(row)
        tx.entry("test.one", "ann", {})
    with store.write() as tx:
        tx.change_all(rows[1:], value="after")
        tx.change_all([], value="never")
        tx.entries("test.many", "ann", [{"number": number} for number in range(MANY)])
        tx.entries("test.none", "ann", [])
        assert tx.entry("test.one", "ann", {}) == MANY + 1
    assert [row.value for row in all_of(store, Meta)] == ["before", *["after"] * (MANY - 1)]
    entries = all_of(store, Entry)
    assert [entry.seq for entry in entries] == list(range(MANY + 2))
    assert [entry.body for entry in entries[1:-1]] == [f'{{"number":{number},"v":1}}' for number in range(MANY)]


def test_one_of_many_that_is_not_there_is_refused_and_nothing_kept(store: Store) -> None:
    def change() -> None:
        with store.write() as tx:
            tx.change_all([Meta("a", "b"), Meta("gone", "b")], value="c")

    with store.write() as tx:
        tx.add(Meta("a", "b"))
    with pytest.raises(InputError, match="not there any more"):
        change()
    assert all_of(store, Meta) == [Meta("a", "b")]
    with pytest.raises(HabeasError), store.write() as tx:
        tx.change_all([Meta("a", "b")], value=1)


def test_commits_are_counted_by_the_kinds_they_may_have_changed(store: Store) -> None:
    def counted() -> tuple[int, ...]:
        return store.commits(Meta, Account)

    def fail() -> None:
        with store.write() as tx:
            tx.add(Meta("b", ""))
            raise ZeroDivisionError

    told: list[tuple[int, ...]] = []
    assert counted() == (0, 0)
    with store.write() as tx:
        tx.add(Meta("a", ""))
        tx.add(account("ann"))
        assert counted() == (0, 0), "whoever reads now sees nothing of it yet"
        tx.after_commit(lambda: told.append(counted()))
    assert told == [counted()] == [(1, 1)]
    with store.write() as tx:
        tx.find(Meta)
        tx.change(account("ann"), setup_until_ns=1)
    assert counted() == (1, 2)
    with pytest.raises(ZeroDivisionError):
        fail()
    assert counted() == (2, 2), "nobody may know whether a commit that failed was kept"
    with store.write() as tx:
        tx.remove(Meta("a", ""))
    assert counted() == (3, 2)
