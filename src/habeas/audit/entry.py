"""What the log holds of an entry: three layers, each committed to by the one above it.

::

    leaf      public   type, hour, SHA-256 of the opening
    opening   auditors who acted, when, what happened; a salt; SHA-256 of what is hidden
    hidden    auditors what links a person listed to a place or a time, while its key is there (`audit.hiding`)

All are canonical JSON (RFC 8785) with a schema version. The salt of 128 random bits keeps a leaf from telling what it
commits to, to whoever can guess it.

::

    leaf      {"commitment":"<64 hex>","hour":"2026-11-26T14:00:00Z","type":"alert.decided","v":1}
    opening   {"actor":"...","at":"...","body":{...},"hidden":"<64 hex>" or null,"salt":"<32 hex>",
               "seq":7,"type":"...","v":1}
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import rfc8785

from habeas.errors import InputError
from habeas.store.records import Entry
from habeas.types import utc

PADDING: Final = "padding"
"""The type of entries that say nothing: they make every step of the log equally long."""
VERSION: Final = 1
_LEAF: Final = re.compile(
    rb'\{"commitment":"([0-9a-f]{64})","hour":"(\d{4}-\d\d-\d\dT\d\d:00:00Z)","type":"([a-z][a-z0-9.-]{0,63})","v":1\}'
)
"""All leaves that there are, in their one canonical form: verifying reads millions."""


@dataclass(frozen=True)
class Leaf:
    """What everybody may see of an entry.

    Args:
        kind: its type.
        hour: UTC, the hour's first instant, `YYYY-MM-DDTHH:00:00Z`.
        commitment: SHA-256 of the opening, hexadecimal.
    """

    kind: str
    hour: str
    commitment: str

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a leaf.

        Raises:
            InputError: it is none, of another version, or not in canonical form.
        """
        found = _LEAF.fullmatch(data)
        if found is None:
            raise InputError(f"no leaf of version {VERSION}", remedy="use the version of habeas that wrote this log")
        commitment, hour, kind = found.groups()
        return cls(kind.decode("ascii"), hour.decode("ascii"), commitment.decode("ascii"))

    def dump(self) -> bytes:
        """Return the leaf's bytes."""
        return rfc8785.dumps({"commitment": self.commitment, "hour": self.hour, "type": self.kind, "v": VERSION})


def leaf_of(entry: Entry) -> bytes:
    """Return the leaf of an entry: what is hashed into the tree."""
    commitment = hashlib.sha256(opening_of(entry)).hexdigest()
    return Leaf(entry.kind, hour_text(entry.at_ns), commitment).dump()


def hour_text(ns: int) -> str:
    """Return the hour of an instant, `YYYY-MM-DDTHH:00:00Z`."""
    return f"{utc(ns)[:13]}:00:00Z"


def opening_of(entry: Entry) -> bytes:
    """Return the opening of an entry."""
    body = cast("Any", json.loads(entry.body))
    return rfc8785.dumps(
        {
            "actor": entry.actor,
            "at": utc(entry.at_ns),
            "body": body,
            "hidden": entry.hidden_sha256,
            "salt": entry.salt.hex(),
            "seq": entry.seq,
            "type": entry.kind,
            "v": VERSION,
        }
    )
