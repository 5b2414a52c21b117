"""The schema's history, by alembic: which version a database has, which this program knows, the steps between."""

import threading
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from habeas.errors import InputError

SCRIPTS: Final = "habeas:store/migrations"
"""Where the steps are. Tests plant others."""

_alembic: Final = threading.Lock()
"""Alembic keeps the connection that steps run on for the whole process, not for each thread."""


def _config(connection: Connection | None = None, scripts: str = SCRIPTS) -> Config:
    config = Config()
    config.set_main_option("script_location", scripts)
    config.attributes["connection"] = connection
    return config


def upgrade_schema(connection: Connection, scripts: str = SCRIPTS, version: str = "head") -> None:
    """Make the tables, or bring them up to a version, in the transaction of this connection."""
    with _alembic:
        command.upgrade(_config(connection, scripts), version)


def schema_version(connection: Connection) -> str | None:
    """Return the version that a database has; None: it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def program_version(scripts: str = SCRIPTS) -> str:
    """Return the newest version that this program knows."""
    return ScriptDirectory.from_config(_config(scripts=scripts)).get_current_head() or ""


def check_known(version: str, scripts: str = SCRIPTS) -> None:
    """Check that this program knows a version.

    Raises:
        InputError: it is newer.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config(scripts=scripts)).walk_revisions()}
    if version not in known:
        raise InputError(
            f"this database was written by a newer Habeas (schema {version})", remedy="install that version, or newer"
        )


def check_schema(connection: Connection) -> None:
    """Check that a database has this program's schema.

    Raises:
        InputError: it is empty, older, or newer.
    """
    version = schema_version(connection)
    if version is None:
        raise InputError("this database is empty", remedy="make an installation with `habeas init DIR`")
    check_known(version)
    if version != program_version():
        raise InputError(
            f"this database has the older schema {version}", remedy="run `habeas serve`: it backs up and upgrades it"
        )
