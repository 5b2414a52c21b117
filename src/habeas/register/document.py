"""The register as one JSON document, `register.json`: what pages are made of, and what is checked against the log."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any, Final

from habeas.errors import FormatError
from habeas.register.figures import SCHEMA, Register, Stated

NAME: Final = "register.json"
MAX_BYTES: Final = 256 << 20
Document = dict[str, Any]
"""JSON values."""


def as_json(register: Register) -> Document:
    """Return the document: the fields of `figures.Register` under their names."""
    document: Document = json.loads(json.dumps(asdict(register), allow_nan=False))
    return document


def encode(document: Document) -> bytes:
    """Return its bytes: JSON, indented, for people too."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def parse(data: bytes) -> Document:
    """Return a document that somebody published.

    Raises:
        FormatError: it is none, or of a schema that this version does not know.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    known = {field.name for field in fields(Register)}
    if not isinstance(document, dict) or not known <= document.keys() or document["schema"] != SCHEMA:
        raise FormatError(
            f"this is no register of schema {SCHEMA}", remedy="give register.json, or use the version that wrote it"
        )
    return document


def stated_of(document: Document) -> Stated:
    """Return what its operator stated, which no log can show.

    Raises:
        FormatError: it is not of the form that it should be.
    """
    told = document["stated"]
    names = {field.name for field in fields(Stated)}
    if not isinstance(told, dict) or told.keys() != names or not all(isinstance(one, str) for one in told.values()):
        raise FormatError("what the operator states is not of the form that it should be", remedy="ask the operator")
    return Stated(**told)


def first_difference(published: object, computed: object) -> str | None:
    """Return where a published document first differs from the one computed, and how; None: nowhere.

    A path of names and numbers, as `statistics/3/alerts: it says 7, the log says 9`.
    """
    return next(_differences("", published, computed), None)


def _differences(path: str, one: object, other: object) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*other, *one)):
            yield from _differences(f"{path}/{name}", one.get(name, _MISSING), other.get(name, _MISSING))
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            pair = (some[index] if index < len(some) else _MISSING for some in (one, other))
            yield from _differences(f"{path}/{index}", *pair)
    elif one != other or type(one) is not type(other):
        yield f"{path.removeprefix('/')}: it says {_told(one)}, the log says {_told(other)}"


_MISSING: Final = object()
_LONGEST: Final = 80


def _told(value: object) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
