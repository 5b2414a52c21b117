"""Bring a database up to this program's schema: backed up first, in one transaction, or not at all."""

from pathlib import Path

from habeas.errors import InputError
from habeas.ports import Clock
from habeas.store.archive import dump, stamp
from habeas.store.connection import connect, database_file, make_file, reading, writing
from habeas.store.migrate import SCRIPTS, check_known, program_version, schema_version, upgrade_schema


def upgrade(url: str, backup_folder: Path, clock: Clock, scripts: str = SCRIPTS) -> Path | None:
    """Make the tables of an empty database, or bring an older one up to this program's schema.

    Nobody writes between the backup and the last step.

    Args:
        url: of the database; a file that is not there is made, readable by its owner only.
        backup_folder: gets `before-schema-VERSION-TIME.habeas`, made like any backup, without the settings.
        clock: names the backup.
        scripts: the steps.

    Returns:
        The backup; None: there was nothing to back up.

    Raises:
        InputError: the database is newer than this program.
        DiskError: no backup could be made, or a step failed; the database is as it was.
    """
    make_file(url)
    engine = connect(url)
    try:
        with writing(engine) as connection:
            version, newest = schema_version(connection), program_version(scripts)
            if version == newest:
                return None
            backup = None
            if version is not None:
                check_known(version, scripts)
                backup = backup_folder / f"before-schema-{newest}-{stamp(clock)}.habeas"
                dump(connection, backup, clock)
            upgrade_schema(connection, scripts)
            return backup
    finally:
        engine.dispose()


def bring_up(url: str, backup_folder: Path, clock: Clock, scripts: str = SCRIPTS) -> Path | None:
    """Do what `upgrade` does to the database of an installation, which has to be there: an empty one is none.

    Raises:
        InputError: there is none, or it is newer than this program.
        DiskError: no backup could be made, or a step failed; the database is as it was.
    """
    file = database_file(url)
    there = file is None or file.is_file()
    if there:
        engine = connect(url)
        try:
            with reading(engine) as connection:
                there = schema_version(connection) is not None
        finally:
            engine.dispose()
    if not there:
        raise InputError("the database of this installation is not there", remedy="bring it back: habeas restore FILE")
    return upgrade(url, backup_folder, clock, scripts)
