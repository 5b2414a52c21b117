"""Entries of refusals: the first of a caller by a rule at once, then how many came, once a minute.

Whoever reaches the socket, or is logged in without any role, can be refused as often as they like; so many entries they
cannot write. A node that is killed loses up to a minute of these counts.
"""

import threading
from dataclasses import dataclass
from typing import Final

from habeas.ports import Clock
from habeas.store import Store
from habeas.types import NS_PER_S

EVERY_NS: Final = 60 * NS_PER_S
Refusal = tuple[str, str, str]
"""Kind of entry, who is concerned, rule: of each there are few."""


@dataclass
class _Told:
    next_ns: int
    waiting: int = 0


class Refusals:
    """Writes them. Thread-safe.

    Args:
        store: gets the entries.
        time: monotonic.
    """

    def __init__(self, store: Store, time: Clock) -> None:
        self._store = store
        self._time = time
        self._lock = threading.Lock()
        self._told: dict[Refusal, _Told] = {}

    def note(self, kind: str, actor: str, rule: str) -> None:
        """Write a refusal down, at once or with those of its minute.

        Args:
            kind: of the entry.
            actor: the account that was asked for; `unknown`: none.
            rule: that refused.

        Raises:
            DiskError: the entry could not be written; it is with the next.
        """
        with self._lock:
            told = self._told.setdefault((kind, actor, rule), _Told(self._time.monotonic_ns()))
            told.waiting += 1
        self.write_due()

    def write_due(self, *, everything: bool = False) -> None:
        """Write what waited for its minute; `everything`: what waits at all, as when the node stops.

        Raises:
            DiskError: as for `note`.
        """
        with self._lock:
            now_ns = self._time.monotonic_ns()
            due = {one: told for one, told in self._told.items() if everything or now_ns >= told.next_ns}
            waiting = {one: told for one, told in due.items() if told.waiting}
            if waiting:
                with self._store.write() as tx:
                    for (kind, actor, rule), told in waiting.items():
                        tx.entry(kind, actor, {"rule": rule, "times": told.waiting})
            for one in due:
                if one in waiting:
                    self._told[one] = _Told(now_ns + EVERY_NS)
                else:
                    del self._told[one]
