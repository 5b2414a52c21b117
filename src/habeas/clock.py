"""Clocks: the machine's, and one that tests and replays move by hand."""

import time

from habeas.types import NS_PER_S


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return wall-clock time, Unix nanoseconds."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return a time that never jumps, nanoseconds."""
        return time.monotonic_ns()

    def wait(self, duration_ns: int) -> None:
        """Sleep."""
        time.sleep(max(0, duration_ns) / NS_PER_S)


class ManualClock:
    """A clock that stands still until it is moved; `wait` moves it.

    Args:
        now_ns: where it starts.
    """

    def __init__(self, now_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = now_ns
        self._start_ns = now_ns

    def now_ns(self) -> int:
        """Return the time it was moved to."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return how far it was moved."""
        return self._now_ns - self._start_ns

    def wait(self, duration_ns: int) -> None:
        """Move it."""
        self.advance(duration_ns)

    def advance(self, duration_ns: int) -> None:
        """Move it by `duration_ns`."""
        self._now_ns += duration_ns
