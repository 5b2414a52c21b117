"""What auditors get beside the leaves: of each entry its opening, and what it hides as far as that can be read."""

import json
from dataclasses import dataclass
from typing import Any, Final

from habeas.audit.entry import opening_of
from habeas.audit.hiding import uncover
from habeas.errors import KeyDestroyed
from habeas.keys import KeyStore
from habeas.store.records import Entry

A_FILE: Final = 65_536
"""Openings in one file of an export."""


@dataclass(frozen=True, repr=False)
class Opened:
    """One entry, opened.

    Args:
        opening: canonical JSON; its SHA-256 is the commitment of the leaf.
        hidden: canonical JSON; its SHA-256 is in the opening. None: nothing is hidden, or its key is destroyed.
    """

    opening: bytes
    hidden: bytes | None

    def as_json(self) -> dict[str, Any]:
        """Return the object that a line of an export holds."""
        return {
            "opening": json.loads(self.opening),
            "hidden": None if self.hidden is None else json.loads(self.hidden),
        }


def open_entry(keys: KeyStore, entry: Entry) -> Opened:
    """Open an entry as far as the keys that are there open it.

    Raises:
        InputError: what is hidden is damaged.
    """
    try:
        hidden = uncover(keys, entry)
    except KeyDestroyed:
        hidden = b""
    return Opened(opening_of(entry), hidden or None)


def openings_file(seq: int) -> str:
    """Return the name of the file of an export that an entry's opening is in."""
    return f"openings/{seq // A_FILE:06d}.jsonl"


def left_file(number: int) -> str:
    """Return the name of the file, in an auditor's folder, with what only this epoch has: a later one began before it.

    Where the database that was restored over could not be read, only older exports have it.
    """
    return f"{number}/left-behind.jsonl"
