"""Connections on which a commit lasts, and the begin and end of what happens on them.

SQLite: WAL, `synchronous=FULL`, `BEGIN IMMEDIATE`, deleted content overwritten. PostgreSQL: one advisory lock makes
writers take turns, so that both behave alike and the numbers of entries have no gaps. Settings under which a commit
could be lost are refused. Whatever is waited for has an end: a turn, a statement, a server that stops answering.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from habeas.errors import DiskError, InputError
from habeas.store.transaction import translated

_PRIVATE: Final = 0o600
_BUSY_S: Final = 30
"""How long a writer waits for its turn among other processes."""
_STATEMENT_S: Final = 50
"""How long one statement of a writer may take on a server."""
_ANSWER_S: Final = 60.0
"""How long a server may say nothing while it is waited for: longer than a turn, or a statement, may take."""
_UNKNOWN: Final = "see that its disk has room and its server runs; look whether this step was kept before repeating it"
_SQLITE: Final = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}
"""What each connection sets, and must read back: 2 is FULL."""
_POSTGRES_WRITES: Final = f"""
SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'remote_apply'
                  THEN 'remote_apply' ELSE 'on' END, true),
       set_config('lock_timeout', '{_BUSY_S}s', true),
       set_config('statement_timeout', '{_STATEMENT_S}s', true),
       pg_advisory_xact_lock({0x48616265}),
       current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding')
"""
"""In this order: the lock's time is limited before it is waited for."""
_READ: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_WRITE: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {"habeas_write": True},
    "postgresql": {"isolation_level": "READ COMMITTED", "habeas_write": True},
}
"""A writer sees what was committed before its turn came, not before it asked."""


@contextmanager
def _begun(engine: Engine, options: dict[str, dict[str, Any]]) -> Iterator[tuple[Connection, RootTransaction]]:
    with (
        translated(),
        engine.connect() as connection,
        connection.execution_options(**options[engine.dialect.name]).begin() as begun,
    ):
        yield connection, begun


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Hand out a connection that sees one moment.

    Raises:
        DiskError: the database failed.
    """
    with _begun(engine, _READ) as (connection, begun):
        yield connection
        begun.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Hand out a connection that nobody else writes beside, and commit.

    Raises:
        DiskError: it could not be made durable.
    """
    with _begun(engine, _WRITE) as (connection, begun):
        yield connection
        with translated(_UNKNOWN):
            begun.commit()


def connect(url: str, *, answer_s: float = _ANSWER_S) -> Engine:
    """Return an engine with the durability that an installation needs.

    Args:
        url: `sqlite:///PATH` or `postgresql+psycopg://...`.
        answer_s: how long a server may say nothing while it is waited for; then the connection is closed.

    Raises:
        InputError: another kind of URL, or PostgreSQL's driver is not installed.
    """
    try:
        kind = make_url(url).drivername
    except ArgumentError:
        kind = "none"
    if kind not in {"sqlite", "postgresql+psycopg"}:
        raise InputError("this is no database that can be used", remedy="give sqlite:///PATH or postgresql+psycopg://")
    if kind == "sqlite":
        engine = create_engine(url, connect_args={"timeout": _BUSY_S}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        from habeas.store import postgres  # noqa: PLC0415 - its driver is an extra
    except ImportError as error:
        raise InputError("the driver of PostgreSQL is missing", remedy="pip install 'habeas[scale]'") from error
    engine = create_engine(url, connect_args=postgres.ARGUMENTS, pool_pre_ping=True, hide_parameters=True)
    postgres.limit(engine, answer_s)
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says so, not where the driver guesses
    for name, value in _SQLITE.items():
        connection.execute(f"PRAGMA {name}={value}")
        _check_setting(name, connection.execute(f"PRAGMA {name}").fetchone()[0], value)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("habeas_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("habeas_write", False):
        synchronous, _turn, _statement, _lock, fsync, full_pages, encoding = connection.exec_driver_sql(
            _POSTGRES_WRITES
        ).one()
        _check_setting("synchronous_commit", synchronous != "off", True)
        _check_setting("fsync", fsync, "on")
        _check_setting("full_page_writes", full_pages, "on")
        _check_setting("server_encoding", encoding, "UTF8")


def _check_setting(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise DiskError(
            f"the database has {name}={found}, not {wanted}: what it confirms could be lost",
            remedy="put it on a local disk, with the server's durable settings and encoding UTF8",
        )


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None: it is on a server."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.drivername == "sqlite" else None


def make_file(url: str) -> None:
    """Make the empty file of a SQLite database that is not there, readable by its owner only.

    Raises:
        DiskError: it cannot be made.
    """
    file = database_file(url)
    if file is None:
        return
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, _PRIVATE))
    except OSError as error:
        raise DiskError(f"{file} cannot be made: {error.strerror}", remedy="see that its folder is there") from error
