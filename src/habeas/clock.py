"""Clocks: the machine's, and one that tests and replays move by hand; and times read from text."""

import functools
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from habeas.errors import InputError
from habeas.types import NS_PER_S

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return wall-clock time, Unix nanoseconds."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return a time that never jumps, nanoseconds."""
        return time.monotonic_ns()

    def boot_ns(self) -> int:
        """Return the time since the machine started, sleep included, nanoseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return the kernel's identifier of this start."""
        return _BOOT_ID.read_text().strip()

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
        self._passed_ns = 0
        self._boots = 0

    def now_ns(self) -> int:
        """Return the time it was moved to."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return how far it was moved."""
        return self._passed_ns

    def boot_ns(self) -> int:
        """Return how far it was moved."""
        return self._passed_ns

    def boot_id(self) -> str:
        """Return which start of the machine this is."""
        return f"boot-{self._boots}"

    def wait(self, duration_ns: int) -> None:
        """Move it."""
        self.advance(duration_ns)

    def advance(self, duration_ns: int) -> None:
        """Move it by `duration_ns`."""
        self._now_ns += duration_ns
        self._passed_ns += duration_ns

    def jump(self, duration_ns: int) -> None:
        """Set the wall clock forward or back, as an operator or a time server may; no time passes."""
        self._now_ns += duration_ns

    def reboot(self, off_ns: int) -> None:
        """Switch the machine off for `off_ns`, and on again."""
        self._now_ns += off_ns
        self._passed_ns = 0
        self._boots += 1


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{9}))?Z", re.ASCII)


def ns_of_utc(text: str) -> int:
    """Return the Unix nanoseconds of a text that `utc` wrote, or of one in whole seconds.

    Raises:
        InputError: it is neither.
    """
    found = _UTC.fullmatch(text)
    try:
        second_ns = _second_ns(found[1]) if found else None
    except ValueError:
        second_ns = None
    if found is None or second_ns is None:
        raise InputError("this is no time in UTC", remedy="write it as 2026-11-26T14:00:00Z")
    return second_ns + int(found[2] or 0)


@functools.lru_cache(256)
def _second_ns(text: str) -> int:
    """Return the Unix nanoseconds of a second. Remembered: entries that are read in order share them."""
    return (datetime.fromisoformat(f"{text}+00:00") - _EPOCH) // timedelta(seconds=1) * NS_PER_S
