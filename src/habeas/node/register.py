"""The node's part of the public register: made after each beat of the log, of the entries that came since.

What came is kept folded in memory; each entry is read twice in the life of a node, once when it is made and once when a
day is over, and padding never. What entries hide is not read: it gets into no register. Pages are written every five
minutes, and at once where a suspension changed.
"""

import json
from pathlib import Path
from typing import Final

from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.entry import opening_of
from habeas.audit.log import CHECKPOINT
from habeas.audit.mirror import mirror
from habeas.audit.state import Suspension
from habeas.node.trees import files_of
from habeas.ports import Clock
from habeas.register.delays import cut_ns
from habeas.register.document import as_json
from habeas.register.figures import Stated, register_of
from habeas.register.fold import NOW, Fold, Folds
from habeas.register.publish import LOG, publish, publish_epochs
from habeas.settings import PublicSettings
from habeas.store import Store, queries
from habeas.store.records import Epoch
from habeas.types import NS_PER_S

PUBLIC: Final = "public"
"""Folder in the workspace that is served."""
EVERY_NS: Final = 5 * 60 * NS_PER_S
_CHUNK: Final = 4096


class Registering:
    """Keeps the public folder up to date. Owned by the thread of the log.

    Args:
        store: the database.
        clock: tells when.
        logs: folder of the trees of the log.
        public: the folder that is served.
        settings: what the operator states.
    """

    def __init__(self, store: Store, clock: Clock, logs: Path, public: Path, settings: PublicSettings) -> None:
        self._store = store
        self._clock = clock
        self._logs = logs
        self._public = public
        self._stated = Stated(settings.operator, settings.contact, settings.url, settings.description)
        self._folds = Folds(Fold(), Fold(NOW))
        self._shown: dict[str, Suspension] = {}
        self._made_ns: int | None = None
        """By the clock that never jumps; None: nothing was written since the start."""

    def step(self) -> None:
        """Copy what the log may show, and write the pages where they are due.

        Raises:
            HabeasError: the log or the database cannot be read, or the folder not written; the next step tries again.
        """
        now_ns = self._clock.now_ns() // NS_PER_S * NS_PER_S
        head = self._mirrored(now_ns)
        self._take(self._folds.now, None)
        if self._is_due():
            self._take(self._folds.cut, cut_ns(now_ns))
            publish(self._public, as_json(register_of(self._folds, now_ns, self._stated, head)))
            self._made_ns, self._shown = self._clock.monotonic_ns(), dict(self._folds.now.state.suspensions)

    def _is_due(self) -> bool:
        made_ns = self._made_ns
        stale = made_ns is None or self._clock.monotonic_ns() - made_ns >= EVERY_NS
        return stale or self._shown != self._folds.now.state.suspensions

    def _take(self, fold: Fold, until_ns: int | None) -> None:
        """Read the entries from where a fold is, up to the first one of that time or later."""
        while True:
            with self._store.read() as tx:
                rows = queries.entries_told(tx, fold.state.taken, _CHUNK)
            for row in rows:
                if until_ns is not None and row.at_ns >= until_ns:
                    return
                fold.take({"opening": json.loads(opening_of(row)), "hidden": None})
            if len(rows) < _CHUNK:
                return

    def _mirrored(self, now_ns: int) -> SignedCheckpoint | None:
        """Copy each epoch's log as far as it is public; return the last checkpoint, None: there is none."""
        with self._store.read() as tx:
            epochs = sorted(tx.find(Epoch), key=lambda epoch: epoch.number)
        head = None
        for epoch in epochs:
            files = files_of(self._logs, epoch)
            if files.has(CHECKPOINT):
                mirror(files, self._public / LOG / str(epoch.number), now_ns)
                head = parse_checkpoint(files.read(CHECKPOINT))
        if epochs:
            publish_epochs(self._public, _listed(epochs))
        return head


def _listed(epochs: list[Epoch]) -> bytes:
    names = ("number", "origin", "vkey", "first_seq", "prior")
    return json.dumps([{name: getattr(epoch, name) for name in names} for epoch in epochs], indent=1).encode() + b"\n"
