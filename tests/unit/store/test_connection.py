"""Settings under which a commit could be lost are refused; a lost connection is an error once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from tests.databases import Postgres, new_database, postgres

from habeas.clock import ManualClock
from habeas.errors import DiskError, InputError
from habeas.store import Store, connection, open_store
from habeas.store.connection import connect, writing
from habeas.store.database import database_url
from habeas.store.records import Entry, Meta
from habeas.store.upgrade import upgrade


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server of its own, for tests that break it."""
    server = Postgres()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "memory"), ("synchronous", 1), ("synchronous", 0), ("foreign_keys", 0)]
)
def test_sqlite_that_does_not_take_a_setting_is_refused(
    tmp_path: Path, clock: ManualClock, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database("sqlite", tmp_path)

    class Deaf:
        """A connection on which one setting has no effect."""

        def __init__(self) -> None:
            self.isolation_level = ""
            self.said = ""

        def execute(self, statement: str) -> "Deaf":
            self.said = statement.removeprefix("PRAGMA ")
            return self

        def fetchone(self) -> list[object]:
            return [value if self.said == name else connection._SQLITE[self.said]]

    with pytest.raises(DiskError, match=f"{name}={value}"):
        connection._prepare_sqlite(Deaf(), None)
    monkeypatch.setitem(connection._SQLITE, "synchronous", "FULL")  # read back as a number: not what was asked for
    with pytest.raises(DiskError, match="synchronous=2"):
        open_store(url, clock)


def test_sqlite_in_memory_is_refused() -> None:
    with pytest.raises(DiskError, match="journal_mode=memory"), writing(connect("sqlite://")):
        raise AssertionError


@pytest.mark.parametrize(("setting", "value"), [("fsync", "off"), ("full_page_writes", "off")])
def test_postgresql_that_does_not_sync_is_refused_at_opening_and_while_it_runs(
    clock: ManualClock, setting: str, value: str, tmp_path: Path
) -> None:
    url = new_database("postgresql", tmp_path)
    with open_store(url, clock) as store:
        try:
            postgres().sql(f"ALTER SYSTEM SET {setting} = {value}")
            postgres().sql("SELECT pg_reload_conf()")
            reloaded(setting, value)
            with pytest.raises(DiskError, match=f"{setting}={value}"), store.write():
                raise AssertionError
            with pytest.raises(DiskError, match=f"{setting}={value}"):
                open_store(url, clock)
            with store.read() as tx:
                assert tx.find(Meta) == []
        finally:
            postgres().sql(f"ALTER SYSTEM RESET {setting}")
            postgres().sql("SELECT pg_reload_conf()")
            reloaded(setting, "on")
        with store.write() as tx:
            tx.add(Meta("a", "b"))


def reloaded(setting: str, value: str) -> None:
    """Wait until new connections have a setting: the server reads its file a moment after it was told to."""
    for _ in range(1000):
        if postgres().sql(f"SHOW {setting}") == [(value,)]:
            return
    raise AssertionError


def test_postgresql_commits_synchronously_whatever_the_login_says(tmp_path: Path) -> None:
    url = new_database("postgresql", tmp_path)
    name = make_url(url).database
    postgres().sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert postgres().sql("SHOW synchronous_commit", name) == [("off",)]
    engine = connect(url)
    with writing(engine) as begun:
        assert begun.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    engine.dispose()


def test_a_writer_waits_its_turn_only_so_long(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("sqlite", "postgresql"):
        url = new_database(kind, tmp_path)
        monkeypatch.setattr(connection, "_BUSY_S", 0.3)
        shorter = connection._POSTGRES_WRITES.replace("'30s'", "'300ms'")
        monkeypatch.setattr(connection, "_POSTGRES_WRITES", shorter)
        with open_store(url, clock) as one, open_store(url, clock) as other:
            with one.write() as tx:
                tx.add(Meta("a", "b"))
                with pytest.raises(DiskError, match=r"locked|lock timeout"), other.write():
                    raise AssertionError
            with other.write() as tx:
                tx.entry("test.turn", "ann", {})


def test_a_connection_that_is_lost_is_an_error_and_the_next_transaction_works(
    clock: ManualClock, tmp_path: Path
) -> None:
    url = new_database("postgresql", tmp_path)
    told: list[str] = []

    def lose() -> None:
        with store.write() as tx:
            tx.add(Meta("lost", ""))
            tx.after_commit(lambda: told.append("lost"))
            postgres().sql(f"SELECT pg_terminate_backend({tx.execute(pid).scalar_one()})")
            tx.add(Meta("lost too", ""))

    pid = text("SELECT pg_backend_pid()")
    with open_store(url, clock) as store:
        with pytest.raises(DiskError, match="the database failed"):
            lose()
        with store.write() as tx:
            assert tx.entry("test.next", "ann", {}) == 0
            assert tx.find(Meta) == []
        with store.read() as tx:
            here = tx.execute(pid).scalar_one()
        postgres().sql(f"SELECT pg_terminate_backend({here})")  # while nobody uses it
        with store.read() as tx:
            assert [entry.kind for entry in tx.find(Entry)] == ["test.next"]
    assert told == []


def test_a_connection_lost_in_the_commit_is_said_to_be_unknown(clock: ManualClock, tmp_path: Path) -> None:
    url = new_database("postgresql", tmp_path)

    def lose() -> None:
        with store.write() as tx:
            tx.add(Meta("lost", ""))
            postgres().sql(f"SELECT pg_terminate_backend({tx.execute(text('SELECT pg_backend_pid()')).scalar_one()})")

    with open_store(url, clock) as store:
        with pytest.raises(DiskError) as lost:
            lose()
        assert "look whether this step was kept" in lost.value.remedy
        with store.read() as tx:
            assert tx.find(Meta) == []


def test_a_server_that_stops_and_returns(server: Postgres, clock: ManualClock, tmp_path: Path) -> None:
    url = server.empty()
    upgrade(url, tmp_path, clock)
    with open_store(url, clock) as store:
        with store.write() as tx:
            tx.entry("test.before", "ann", {})
        server.stop()
        with pytest.raises(DiskError), store.write():
            raise AssertionError
        with pytest.raises(DiskError):
            open_store(url, clock)
        server.start()
        with store.write() as tx:
            assert tx.entry("test.after", "ann", {}) == 1


def test_a_disk_that_is_full_is_an_error_and_what_was_kept_stays(tmp_path: Path, clock: ManualClock) -> None:
    url = new_database("sqlite", tmp_path)
    with open_store(url, clock) as store:
        with store.write() as tx:
            tx.add(Meta("a", "b"))

        def fill() -> None:
            with store.write() as tx:
                tx.execute(limit)
                tx.add(Meta("b", "x" * 10_000_000))

        limit = text("PRAGMA max_page_count=100")
        with pytest.raises(DiskError, match="full"):
            fill()
        with store.read() as tx:
            assert tx.find(Meta) == [Meta("a", "b")]


def test_what_is_no_database_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    for url in ("mysql://ann:hunter2@host/x", "postgresql://ann:hunter2@host/x", "nonsense", ""):
        with pytest.raises(InputError, match="no database that can be used") as refused:
            open_store(url, clock)
        assert "hunter2" not in f"{refused.value}"
    file = tmp_path / "habeas.db"
    file.write_bytes(b"not a database, but long enough to be looked at " * 100)
    with pytest.raises(DiskError, match="not a database"):
        open_store(f"sqlite:///{file}", clock)
    with pytest.raises(DiskError) as refused_server:
        open_store("postgresql+psycopg://ann:hunter2@127.0.0.1:1/x", clock)
    assert "hunter2" not in f"{refused_server.value}{refused_server.value.remedy}"


def test_the_setting_names_a_server_or_the_workspace_holds_a_file(tmp_path: Path) -> None:
    assert database_url("", tmp_path) == f"sqlite:///{tmp_path}/habeas.db"
    assert database_url("postgresql+psycopg://host/x", tmp_path) == "postgresql+psycopg://host/x"


def test_a_store_is_used_by_many_threads_at_once(tmp_path: Path, clock: ManualClock) -> None:
    url = new_database("sqlite", tmp_path)
    together = threading.Barrier(8)
    seen: list[int] = []
    with open_store(url, clock) as store:

        def read() -> None:
            with store.read() as tx:
                together.wait(20)
                seen.append(len(tx.find(Meta)))

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert seen == [0] * 8


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """Stop a process of the server, as a hanging disk does: its kernel goes on answering for it."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_server_that_stops_answering_is_an_error_and_the_next_transaction_works(
    clock: ManualClock, tmp_path: Path
) -> None:
    """Without the limit this would hang for ever: the control is the time that a test may take."""
    pid = text("SELECT pg_backend_pid()")
    engine = connect(new_database("postgresql", tmp_path), answer_s=0.3)
    with Store(engine, clock) as store:
        with store.read() as tx:
            process = int(tx.execute(pid).scalar_one())
            with frozen(process), pytest.raises(DiskError, match=r"not answered for 0\.3 s"):
                tx.find(Meta)
        with store.write() as tx:
            process = int(tx.execute(pid).scalar_one())
            tx.add(Meta("a", "b"))
        with frozen(process), store.write() as tx:  # noticed before it begins: another connection is taken
            tx.add(Meta("c", "d"))
        with store.read() as tx:
            assert [one.name for one in tx.find(Meta)] == ["a", "c"]


def test_a_commit_that_is_not_answered_may_have_been_kept(clock: ManualClock, tmp_path: Path) -> None:
    engine = connect(new_database("postgresql", tmp_path), answer_s=0.3)
    with ExitStack() as later, Store(engine, clock) as store:

        def write() -> None:
            with store.write() as tx:
                tx.add(Meta("a", "b"))
                later.enter_context(frozen(int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())))

        with pytest.raises(DiskError) as refused:
            write()
    assert "look whether this step was kept" in refused.value.remedy


def test_a_broken_network_is_noticed_by_the_kernel(tmp_path: Path) -> None:
    engine = connect(new_database("postgresql", tmp_path))
    with writing(engine) as begun:
        info = begun.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        assert {"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"} <= set(info)
        assert info["connect_timeout"] == "10"
        assert begun.exec_driver_sql("SHOW statement_timeout").scalar_one() == "50s"
    engine.dispose()
