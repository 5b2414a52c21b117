"""Bring a database up to this program's schema: backed up first, in one transaction, or not at all."""

from pathlib import Path

from habeas.ports import Clock
from habeas.store.archive import dump, stamp
from habeas.store.connection import connect, make_file, writing
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
