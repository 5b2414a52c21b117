"""Put a backup in the place of a database. What was there is moved aside, never overwritten."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateSchema

from habeas.errors import InputError
from habeas.ports import Clock
from habeas.store.archive import Archive, on_disk, opened, stamp, sync_folder, write_durably
from habeas.store.connection import connect, database_file, make_file, writing
from habeas.store.migrate import SCRIPTS, upgrade_schema
from habeas.store.rows import VERSIONS, put, tables_of
from habeas.store.transaction import Tx

_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY: Final = 0xFF
"""The low byte of SQLite's extended error codes."""


def _as_it_is(_tx: Tx) -> None:
    """Change nothing."""


def restore(
    archive: Path,
    url: str,
    settings_file: Path,
    clock: Clock,
    scripts: str = SCRIPTS,
    *,
    first: Callable[[Tx], None] = _as_it_is,
) -> tuple[str, ...]:
    """Put a backup in the place of a database and its settings, brought up to this program's schema.

    The whole backup is checked before anything is touched. A database in a file appears in one step; one on a server
    in one transaction, the old tables being moved into a schema of their own.

    Args:
        archive: what `backup` wrote, from either kind of database.
        url: of the database to be.
        settings_file: the workspace's `habeas.yaml`; stays, if the backup has none.
        clock: names what is moved aside.
        scripts: the schema's steps.
        first: changes what was restored before anybody can see it, or refuses it, so that nothing is changed.

    Returns:
        What was moved aside: files, or a schema of the server.

    Raises:
        InputError: the backup is damaged, hostile, or newer than this program; or the database is in use.
        DiskError: it could not be done; what was there is as it was.
    """
    with opened(archive, scripts) as checked:
        suffix = f"before-restore-{stamp(clock)}"
        file = database_file(url)

        def load(connection: Connection) -> None:
            _load(checked, connection, scripts)
            tx = Tx(connection, clock.now_ns(), writes=True)
            first(tx)
            tx.check()

        aside = _restore_server(url, suffix, load) if file is None else _restore_file(file, suffix, load)
        return (*aside, *_restore_settings(checked, settings_file, suffix))


def _restore_file(file: Path, suffix: str, load: Callable[[Connection], None]) -> list[str]:
    new, old = file.with_name(f".{file.name}.restoring"), file.with_name(f"{file.name}.{suffix}")
    if old.exists():
        raise InputError(f"there is a file {old} already", remedy="try again in a second")
    with on_disk(f"write {new}"):
        _remove(new)
        try:
            _fill(f"sqlite:///{new}", load)
            had = file.exists()
            if had:
                _move_aside(file, old)
            new.replace(file)
        finally:
            _remove(new)
        sync_folder(file.parent)
    return [str(old)] if had else []


def _remove(file: Path) -> None:
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)


def _fill(url: str, load: Callable[[Connection], None]) -> None:
    make_file(url)
    engine = connect(url)
    try:
        with writing(engine) as connection:
            load(connection)
    finally:
        engine.dispose()  # the last connection folds the write-ahead log in and syncs


def _move_aside(file: Path, old: Path) -> None:
    """Give a database a second name, so that the first is there until the new one takes it."""
    log, log_aside = (path.with_name(f"{path.name}-wal") for path in (file, old))
    if log.exists():  # SQLite removes the log of a database that is too damaged to be opened
        shutil.copyfile(log, log_aside)
    try:
        folded = _fold_in(file)
    except InputError:
        log_aside.unlink(missing_ok=True)
        raise
    if folded:
        log_aside.unlink(missing_ok=True)
    for tail in ("-wal", "-shm"):
        file.with_name(file.name + tail).unlink(missing_ok=True)
    os.link(file, old)
    sync_folder(file.parent)


def _fold_in(file: Path) -> bool:
    """Bring a database's write-ahead log into its file, which works only while nobody else has it open.

    Returns:
        Whether it could; not if it is damaged.

    Raises:
        InputError: somebody has it open.
    """
    connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _BUSY:
            raise InputError(f"{file} is in use", remedy="stop `habeas serve`, then restore") from error
        return False
    finally:
        connection.close()
    return True


def _restore_server(url: str, suffix: str, load: Callable[[Connection], None]) -> list[str]:
    engine = connect(url)
    try:
        with writing(engine) as connection:
            aside = _tables_aside(connection, suffix.replace("-", "_").lower())
            load(connection)
    finally:
        engine.dispose()
    return aside


def _tables_aside(connection: Connection, schema: str) -> list[str]:
    names = inspect(connection).get_table_names()
    if VERSIONS not in names:
        return []
    connection.execute(CreateSchema(schema))
    quote = connection.dialect.identifier_preparer.quote
    for name in names:
        connection.execute(text(f"ALTER TABLE {quote(name)} SET SCHEMA {quote(schema)}"))
    return [schema]


def _load(archive: Archive, connection: Connection, scripts: str) -> None:
    """Make the tables as the backup knew them, fill them, and bring them up to date."""
    upgrade_schema(connection, scripts, archive.schema)
    for name, table in tables_of(archive.schema, scripts).items():
        with archive.table(name) as given:
            put(connection, table, given)
    upgrade_schema(connection, scripts)


def _restore_settings(archive: Archive, settings_file: Path, suffix: str) -> list[str]:
    settings = archive.settings
    with on_disk(f"write {settings_file}"):
        had = settings_file.read_bytes() if settings_file.exists() else None
        if settings is None or had == settings:
            return []
        old = settings_file.with_name(f"{settings_file.name}.{suffix}")
        if had is not None:
            os.link(settings_file, old)
        write_durably(settings_file, lambda out: out.write(settings))
        return [str(old)] if had is not None else []
