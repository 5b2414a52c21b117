"""What a restore loses of the log: entries that were signed, and are in the database in force and not in the backup.

They are kept beside the entries of the restored database, so that an auditor's export holds what every checkpoint
commits to, and whoever restores an old database hides nothing by it. What they hide stays under its key.
"""

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from habeas.errors import HabeasError
from habeas.node.trees import entries_in, files_of
from habeas.store import Tx, queries
from habeas.store.archive import opened
from habeas.store.records import Entry, Epoch, LostEntry

_CHUNK: Final = 4096
_ENTRY: Final = tuple(field.name for field in fields(Entry))


def lost_entries(present: Tx, archive: Path, logs: Path) -> list[LostEntry]:
    """Return what restoring a backup loses of the logs; nothing where their files are damaged: a restore goes on.

    Args:
        present: reads the database in force.
        archive: the backup.
        logs: folder of the logs.
    """
    lost = present.find(LostEntry)
    try:
        first = _apart(present, archive)
        epochs = sorted(present.find(Epoch), key=lambda epoch: epoch.number)
        for epoch, after in itertools.zip_longest(epochs, epochs[1:]):
            rows = _rows(present, max(first, epoch.first_seq), None if after is None else after.first_seq)
            lost += [_as_lost(epoch, row) for row in entries_in(files_of(logs, epoch), epoch, rows)]
    except HabeasError:
        return lost
    return lost


def keep_lost(tx: Tx, lost: list[LostEntry]) -> None:
    """Keep lost entries in the restored database, but those that it has.

    Args:
        tx: the transaction that restores.
        lost: from `lost_entries`.
    """
    known = {(one.epoch, one.seq) for one in tx.find(LostEntry)}
    for start in range(0, len(lost), _CHUNK):
        some = lost[start : start + _CHUNK]
        there = {entry.salt for entry in tx.find(Entry, seq={one.seq for one in some})}
        for one in some:
            if one.salt not in there and (one.epoch, one.seq) not in known:
                tx.add(one)


def entry_of(lost: LostEntry) -> Entry:
    """Return a lost entry as it was."""
    return Entry(**{name: getattr(lost, name) for name in _ENTRY})


def _as_lost(epoch: Epoch, row: Entry) -> LostEntry:
    return LostEntry(epoch.number, **{name: getattr(row, name) for name in _ENTRY})


def _rows(tx: Tx, seq: int, end: int | None = None) -> Iterator[Entry]:
    """Yield the entries of a database from a number on, up to another."""
    while rows := queries.entries_from(tx, seq, _CHUNK if end is None else max(0, min(_CHUNK, end - seq))):
        yield from rows
        seq += len(rows)


def _apart(present: Tx, archive: Path) -> int:
    """Return how many entries a backup and the database in force have in common: once apart, they stay so."""
    salts = (row.salt for row in _rows(present, 0))
    with opened(archive) as checked, checked.table("entries") as lines:
        at = json.loads(next(lines)).index("salt")
        theirs = (base64.b64decode(json.loads(line)[at]) for line in lines)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(theirs, salts, strict=False)))
