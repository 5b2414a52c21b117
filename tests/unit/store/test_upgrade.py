"""The schema: made, checked, brought up to date, and left alone by a step that fails."""

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, MetaData, Table, Text, inspect, text
from tests.databases import empty_database

import habeas.store.migrations
from habeas.clock import ManualClock
from habeas.errors import DiskError, InputError
from habeas.store import open_store
from habeas.store.archive import backup, opened
from habeas.store.connection import connect, reading, writing
from habeas.store.migrate import program_version, schema_version
from habeas.store.records import Account, Meta
from habeas.store.restore import restore
from habeas.store.schema import METADATA
from habeas.store.upgrade import upgrade

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table("extras", sa.Column("name", sa.Text(), primary_key=True))
    op.execute("UPDATE metas SET value = 'changed'")
    {then}
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """This program's steps, to which tests add one."""
    folder = tmp_path / "scripts"
    shutil.copytree(Path(habeas.store.migrations.__file__).parent, folder)
    return folder


def plant(scripts: Path, then: str = "pass") -> str:
    (scripts / "versions" / "v0002_planted.py").write_text(STEP.format(then=then))
    return str(scripts)


def metas(url: str) -> list[tuple[str, str]]:
    engine = connect(url)
    with reading(engine) as connection:
        found = [(row[0], row[1]) for row in connection.execute(text("SELECT name, value FROM metas"))]
    engine.dispose()
    return found


def tables(url: str) -> set[str]:
    engine = connect(url)
    with reading(engine) as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def add_meta(url: str, clock: ManualClock) -> None:
    with open_store(url, clock) as store, store.write() as tx:
        tx.add(Meta("id", "kept"))


def test_the_steps_make_what_the_records_say(url: str) -> None:
    engine = connect(url)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert schema_version(connection) == program_version()
        planted = MetaData()
        for table in METADATA.tables.values():
            table.to_metadata(planted)
        Table("accounts", planted, Column("planted", Text), extend_existing=True)
        assert compare_metadata(MigrationContext.configure(connection), planted) != []  # the control
    engine.dispose()


def test_a_new_database_is_made_and_is_private(kind: str, tmp_path: Path, clock: ManualClock) -> None:
    url = empty_database(kind, tmp_path)
    assert upgrade(url, tmp_path, clock) is None
    assert upgrade(url, tmp_path, clock) is None  # a second time changes nothing
    with open_store(url, clock) as store, store.read() as tx:
        assert tx.find(Account) == []
    if kind == "sqlite":
        (file,) = tmp_path.glob("*.db")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_database_that_is_empty_or_not_there_is_not_opened(kind: str, tmp_path: Path, clock: ManualClock) -> None:
    url = empty_database(kind, tmp_path)
    with pytest.raises(InputError, match="empty" if kind == "postgresql" else "no database here"):
        open_store(url, clock)
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


def test_an_older_database_is_backed_up_then_upgraded(
    url: str, tmp_path: Path, scripts: Path, clock: ManualClock
) -> None:
    add_meta(url, clock)
    planted = plant(scripts)
    backup = upgrade(url, tmp_path, clock, planted)
    assert backup == tmp_path / "before-schema-0002-20231114T221320Z.habeas"
    assert metas(url) == [("id", "changed")]
    assert "extras" in tables(url)
    with opened(backup) as archive, archive.table("metas") as lines:
        assert archive.schema == "0001"
        assert list(lines) == [b'["name","value"]\n', b'["id","kept"]\n']


def test_a_newer_database_is_refused(url: str, tmp_path: Path, scripts: Path, clock: ManualClock) -> None:
    upgrade(url, tmp_path, clock, plant(scripts))
    for refused in (lambda: open_store(url, clock), lambda: upgrade(url, tmp_path, clock)):
        with pytest.raises(InputError, match=r"newer Habeas \(schema 0002\)"):
            refused()


def test_an_older_database_is_not_opened(
    url: str, clock: ManualClock, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = plant(scripts)
    for function in ("program_version", "check_known"):
        monkeypatch.setattr(f"habeas.store.migrate.{function}.__defaults__", (planted,))
    assert program_version() == "0002"
    with pytest.raises(InputError, match="older schema 0001"):
        open_store(url, clock)


@pytest.mark.parametrize("then", ["raise ZeroDivisionError", 'op.execute("SELECT * FROM nowhere")'])
def test_a_step_that_fails_leaves_the_old_database(
    url: str, tmp_path: Path, scripts: Path, clock: ManualClock, then: str
) -> None:
    add_meta(url, clock)
    before = tables(url)
    with pytest.raises((ZeroDivisionError, DiskError)):
        upgrade(url, tmp_path, clock, plant(scripts, then))
    assert tables(url) == before
    assert metas(url) == [("id", "kept")]
    add = ManualClock(clock.now_ns())
    with open_store(url, add) as store, store.write() as tx:
        tx.entry("test.after", "ann", {})
    assert len(list(tmp_path.glob("before-schema-*"))) == 1


def test_without_a_backup_nothing_is_upgraded(url: str, tmp_path: Path, scripts: Path, clock: ManualClock) -> None:
    add_meta(url, clock)
    with pytest.raises(DiskError, match="cannot write"):
        upgrade(url, tmp_path / "nowhere", clock, plant(scripts))
    assert metas(url) == [("id", "kept")]
    assert "extras" not in tables(url)


def test_what_was_written_before_the_upgrade_is_in_it(
    url: str, tmp_path: Path, scripts: Path, clock: ManualClock
) -> None:
    engine = connect(url)
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO metas (name, value) VALUES ('late', 'x')"))
    engine.dispose()
    upgrade(url, tmp_path, clock, plant(scripts))
    assert metas(url) == [("late", "changed")]


def test_databases_are_made_at_once_by_many_threads(tmp_path: Path, clock: ManualClock) -> None:
    urls = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda url: upgrade(url, tmp_path, clock), urls)) == [None] * 8
    assert all("entries" in tables(url) for url in urls)


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    url: str, kind: str, tmp_path: Path, scripts: Path, clock: ManualClock
) -> None:
    add_meta(url, clock)
    saved, other = tmp_path / "saved.habeas", empty_database(kind, tmp_path)
    backup(url, tmp_path / "habeas.yaml", saved, clock)
    assert restore(saved, other, tmp_path / "habeas.yaml", clock, plant(scripts)) == ()
    assert metas(other) == [("id", "changed")]
    assert "extras" in tables(other)
    assert not (tmp_path / "habeas.yaml").exists()
