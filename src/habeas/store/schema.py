"""Tables made of the records: a field is a column, its annotation the type, its metadata the keys."""

import dataclasses
import json
import types
import typing
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from habeas.store.tables import INDEXES, TABLES

METADATA: Final = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


class Tuples(TypeDecorator[Any]):
    """Tuples of plain values, as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        """Write."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Read."""
        return None if value is None else _tupled(json.loads(value))


_TYPES: Final[dict[type, type[TypeEngine[Any]]]] = {
    str: Text,
    int: BigInteger,
    bool: Boolean,
    float: Float,
    bytes: LargeBinary,
    tuple: Tuples,
}


def _column(field: dataclasses.Field[Any], annotation: Any) -> Column[Any]:
    union = typing.get_origin(annotation) is types.UnionType
    bare = next(part for part in typing.get_args(annotation) if part is not type(None)) if union else annotation
    return Column(
        field.name,
        _TYPES[typing.get_origin(bare) or bare](),
        primary_key="key" in field.metadata,
        index="index" in field.metadata or None,
        unique="unique" in field.metadata or None,
        nullable=union,
        autoincrement=False,
    )


def _table(record: type) -> Table:
    """Return a record's table. Bytes come last in a row: SQLite reads all of an image to reach what lies behind it."""
    hints = typing.get_type_hints(record)
    columns = [_column(field, hints[field.name]) for field in dataclasses.fields(record)]
    columns.sort(key=lambda column: isinstance(column.type, LargeBinary))
    indexes = [Index(None, *names) for names in INDEXES.get(record, ())]
    return Table(_plural(record.__name__.lower()), METADATA, *columns, *indexes)


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("rch") else f"{name}s"


TABLE_OF: Final[dict[type, Table]] = {record: _table(record) for record in TABLES}
"""The table of each record."""
