"""What a database says of itself, for `habeas doctor`."""

from dataclasses import dataclass
from typing import Final

from habeas.errors import InputError
from habeas.store.connection import connect, database_file, writing
from habeas.store.migrate import check_schema, schema_version

_SQLITE: Final = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
_POSTGRES: Final = ("server_version", "synchronous_commit", "fsync", "full_page_writes", "server_encoding")


@dataclass(frozen=True)
class Health:
    """A database that can be used.

    Args:
        kind: `sqlite` or `postgresql`.
        schema: its version, which is this program's.
        durability: the settings that make a commit last, as a writer reads them back.
    """

    kind: str
    schema: str
    durability: dict[str, str]


def health(url: str) -> Health:
    """Begin to write as the node does, read the settings back, and change nothing.

    Raises:
        InputError: there is none, or its schema is another than this program's.
        DiskError: it cannot be opened, or does not keep what it confirms.
    """
    file = database_file(url)
    if file is not None and not file.is_file():  # connecting would make it
        raise InputError("there is no database here", remedy="bring it back: habeas restore FILE")
    engine = connect(url)
    sqlite = file is not None
    query, names = ("PRAGMA {}", _SQLITE) if sqlite else ("SHOW {}", _POSTGRES)
    try:
        with writing(engine) as connection:  # refuses settings under which a commit could be lost
            check_schema(connection)
            read = {name: str(connection.exec_driver_sql(query.format(name)).scalar_one()) for name in names}
            return Health(engine.dialect.name, schema_version(connection) or "", read)
    finally:
        engine.dispose()
