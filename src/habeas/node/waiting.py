"""What waits for the one thread that compares: bounded in number and, where it is a face, in time.

Nearly every probe is of somebody whom nobody looks for. While the thread cannot go on, as when an alert cannot be
written, their templates must not lie in memory for as long as that takes: `_LONGEST_NS` after it was handed over, a
probe is dropped, and counted. Ends of tracks carry no face, and are kept.
"""

import threading
from collections import deque
from typing import Final

from habeas.engine.run import TrackEnd
from habeas.ports import Clock
from habeas.types import NS_PER_S, Probe

_LONGEST_NS: Final = 10 * NS_PER_S


class Waiting:
    """A queue. Thread-safe; one thread takes from it.

    Args:
        most: items that wait at most.
        clock: whose time never jumps.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._changed = threading.Condition()
        self._items: deque[tuple[int, Probe | TrackEnd]] = deque()
        self._closed = False
        self.dropped = 0

    def put(self, item: Probe | TrackEnd, patience_s: float) -> None:
        """Hand over an item. While there is no room, it waits: an end until there is, a probe until it is too old.

        Args:
            item: a probe, or the end of a track.
            patience_s: how long one look at the clock lasts.
        """
        since_ns = self._clock.monotonic_ns()
        with self._changed:
            while not self._closed:
                self._forget_old()
                if self._old(since_ns, item):
                    self.dropped += 1
                    return
                if len(self._items) < self._most:
                    self._items.append((since_ns, item))
                    self._changed.notify_all()
                    return
                self._changed.wait(patience_s)

    def get(self) -> Probe | TrackEnd | None:
        """Return the next item, waiting for one; None: it is closed, and empty."""
        with self._changed:
            while True:
                self._forget_old()
                if self._items:
                    _since_ns, item = self._items.popleft()
                    self._changed.notify_all()
                    return item
                if self._closed:
                    return None
                self._changed.wait()

    def forget_old(self) -> None:
        """Drop the probes that have waited too long; whoever knows that nobody takes calls it now and then."""
        with self._changed:
            self._forget_old()

    def _forget_old(self) -> None:
        kept = [(since_ns, item) for since_ns, item in self._items if not self._old(since_ns, item)]
        if len(kept) < len(self._items):
            self.dropped += len(self._items) - len(kept)
            self._items = deque(kept)
            self._changed.notify_all()

    def _old(self, since_ns: int, item: Probe | TrackEnd) -> bool:
        return isinstance(item, Probe) and self._clock.monotonic_ns() - since_ns > _LONGEST_NS

    def close(self) -> None:
        """Take nothing more; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)
