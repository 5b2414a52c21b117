"""What a field may hold, and the conditions of a search: the same on SQLite and PostgreSQL, or refused before either.

Left alone, SQLite stores what a column's type forbids and turns NaN into nothing; PostgreSQL refuses NUL in text.
"""

import math
import typing
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

from habeas.errors import HabeasError, InputError
from habeas.store.schema import TABLE_OF

_INT_BITS: Final = 63
_CHOICES: Final = (list, set, frozenset)


@cache
def _allowed(kind: type) -> dict[str, tuple[type, ...]]:
    """The types that each field of a record may hold; an int may stand for a float, as in the annotations."""
    hints = typing.get_type_hints(kind)
    return {name: _types(annotation) for name, annotation in hints.items()}


def _types(annotation: Any) -> tuple[type, ...]:
    if typing.get_origin(annotation) is UnionType:
        return tuple(single for part in typing.get_args(annotation) for single in _types(part))
    single = typing.get_origin(annotation) or annotation
    return (float, int) if single is float else (single,)


def checked(kind: type, values: Mapping[str, object]) -> dict[str, object]:
    """Return these values of a record's fields, checked.

    Raises:
        InputError: text that no database keeps as it is, or a number too large.
        HabeasError: no such field, or a value of another type: a fault of ours.
    """
    for name, value in values.items():
        allowed = _allowed(kind).get(name)
        wrong = allowed is None or not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
        if wrong:
            raise HabeasError(f"{kind.__name__}.{name} cannot hold a {type(value).__name__}", remedy="report this")
        _check(f"{kind.__name__.lower()}.{name}", value)
    return dict(values)


def _check(name: str, value: object) -> None:
    if isinstance(value, str):
        _check_text(name, value)
    elif isinstance(value, int) and not -(1 << _INT_BITS) <= value < 1 << _INT_BITS:
        raise InputError(f"{name} is too large a number", remedy="give one below 2^63")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} is {value}", remedy="give a finite number")
    elif isinstance(value, tuple):
        for item in value:
            _check(name, item)
    elif not isinstance(value, (int, float, bytes, NoneType)):
        raise HabeasError(f"{name} cannot hold a {type(value).__name__}", remedy="report this")


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise InputError(f"{name} holds a NUL character", remedy="leave it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name} holds half a character", remedy="give proper Unicode text") from None


def matching(kind: type, equal: Mapping[str, object]) -> ColumnElement[bool]:
    """Return the condition that fields equal these values (a list or set: one of them; None: nothing there).

    Raises:
        InputError: a value that no field holds.
    """
    table = TABLE_OF[kind]
    conditions = [_condition(kind, table.c[name], value) for name, value in equal.items()]
    return and_(True, *conditions)


def _condition(kind: type, column: Any, value: object) -> ColumnElement[bool]:
    choices = list(value) if isinstance(value, _CHOICES) else [value]
    known = [choice for choice in choices if choice is not None]
    for choice in known:
        checked(kind, {column.name: choice})
    among = column.in_(known) if len(known) != 1 else column == known[0]
    return or_(column.is_(None), among) if len(known) < len(choices) else among
