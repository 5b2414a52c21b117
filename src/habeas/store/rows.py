"""Rows as lines of JSON, the same from SQLite and PostgreSQL: how a backup holds a table of any known schema."""

import base64
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeEngine

from habeas.errors import InputError
from habeas.store.migrate import upgrade_schema

MAX_LINE_BYTES: Final = 1 << 26
"""A row is shorter than this, or no backup."""
VERSIONS: Final = "alembic_version"
_BATCH: Final = 200
_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], type[TypeEngine[Any]], tuple[type, ...]], ...]] = (
    (Boolean, Boolean, (bool,)),
    (LargeBinary, LargeBinary, (str,)),
    (Integer, BigInteger, (int,)),
    (Numeric, Float, (float, int)),
    (Float, Float, (float, int)),
    (String, Text, (str,)),
)
"""What a column is in some database, what it is for us, and what JSON holds for it."""


@cache
def tables_of(version: str, scripts: str) -> Mapping[str, Table]:
    """Return the tables of a schema version, by name: made in memory, then read back.

    Args:
        version: that the scripts know.
        scripts: the schema's steps.
    """
    engine = create_engine("sqlite://")
    found = MetaData()
    with engine.connect() as connection:
        upgrade_schema(connection, scripts, version)
        found.reflect(connection)
    engine.dispose()
    plain = MetaData()
    for name, table in sorted(found.tables.items()):
        if name != VERSIONS:
            Table(name, plain, *(Column(c.name, _plain(c), primary_key=c.primary_key) for c in table.columns))
    return plain.tables


def _plain(column: Column[Any]) -> TypeEngine[Any]:
    return next(ours for theirs, ours, _ in _KINDS if isinstance(column.type, theirs))()


def lines(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield a table: a line with the columns' names, then a line for each row, in the order of its key."""
    yield _line([column.name for column in table.columns])
    statement = select(table).order_by(*table.primary_key).execution_options(yield_per=_BATCH)
    for row in connection.execute(statement):
        yield _line([base64.b64encode(value).decode() if isinstance(value, bytes) else value for value in row])


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def put(connection: Connection, table: Table, given: Iterator[bytes]) -> None:
    """Insert what `lines` yielded.

    Args:
        connection: in a transaction.
        table: empty.
        given: the lines.

    Raises:
        InputError: they are not rows of this table.
    """
    if json.loads(next(given, b"null")) != [column.name for column in table.columns]:
        raise InputError(f"the backup's table {table.name} has other columns", remedy="use another backup")
    batch: list[dict[str, Any]] = []
    for line in given:
        batch.append(_row(table, json.loads(line)))
        if len(batch) == _BATCH:
            _insert(connection, table, batch)
            batch = []
    if batch:
        _insert(connection, table, batch)


def _row(table: Table, values: Any) -> dict[str, Any]:
    if not isinstance(values, list):
        raise InputError(f"the backup's table {table.name} is damaged", remedy="use another backup")
    return {column.name: _value(column, value) for column, value in zip(table.columns, values, strict=True)}


def _value(column: Column[Any], value: Any) -> Any:
    allowed = next(types for _, ours, types in _KINDS if type(column.type) is ours)
    if value is None:
        return None
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise InputError(f"the backup's {column.table.name}.{column.name} is damaged", remedy="use another backup")
    return base64.b64decode(str(value), validate=True) if isinstance(column.type, LargeBinary) else value


def _insert(connection: Connection, table: Table, batch: list[dict[str, Any]]) -> None:
    try:
        connection.execute(insert(table), batch)
    except IntegrityError:
        raise InputError(f"the backup's table {table.name} contradicts itself", remedy="use another backup") from None
