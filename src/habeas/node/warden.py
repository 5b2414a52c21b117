"""The warden: destroys keys that have expired while no node runs. A process of its own, with nothing else to do.

While a node runs it holds the key store, and the warden only looks whether it still does. Time is the node's: it goes
on from when the node last wrote it down, by what elapsed. Where the database cannot be read, by what elapsed since the
warden began, from the machine's clock then.
"""

from typing import Final

from habeas.errors import HabeasError, UsageError
from habeas.node.timekeeper import Timekeeper, last_beat
from habeas.node.workspace import Workspace
from habeas.ports import Clock
from habeas.store import open_store
from habeas.types import NS_PER_S

EVERY_NS: Final = 60 * NS_PER_S
"""Between two looks: what is due is gone within five minutes, with some to spare."""


class Warden:
    """Looks after the keys of one installation.

    Args:
        workspace: whose.
        clock: the machine's.
    """

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._own = Timekeeper(clock, None)
        self._after_node: Timekeeper | None = None

    def step(self) -> list[str] | None:
        """Destroy what has expired, and return the ids of those keys; None: a node has the key store.

        Raises:
            InputError: the master key is another's, or the key store is damaged.
            DiskError: not everything could be destroyed: call it again.
        """
        try:
            with self._workspace.open_keys() as keys:
                return keys.reap(self._time().now_ns())
        except UsageError:
            self._after_node = None  # whoever has the store writes the time down meanwhile
            return None

    def _time(self) -> Timekeeper:
        if self._after_node is None:
            try:
                with open_store(self._workspace.database_url, self._clock) as store, store.read() as tx:
                    self._after_node = Timekeeper(self._clock, last_beat(tx))
            except HabeasError:  # no database: what is due is due all the same
                return self._own
        return self._after_node
