"""The time an installation goes by: elapsed time, which nobody can set, checked against the wall clock.

A wall clock that jumps stops comparing and reading at once, and neither postpones nor hastens any destruction: the
time here goes on as it elapses. Two people, or witnesses, say that the jump is right; only then it is taken over.

    wall clock agrees          time follows it, a thousandth at a time
    wall clock jumped          time elapses from where it was; nothing is compared or read; ends and destruction go on
    jump confirmed by two      time is the wall clock's again

A restored database is in doubt in the same way, whatever the wall clock says: it is an old one.

Across a restart of the program on the same boot, elapsed time is known. Across a restart of the machine it is not: a
wall clock behind what it last showed has jumped; ahead of that, the machine is taken to have been off so long.
"""

import threading
from typing import Final

from habeas.errors import RuleError
from habeas.ports import Clock
from habeas.store import Tx
from habeas.store.records import Entry, Heartbeat
from habeas.types import NS_PER_S, utc

TOLERANCE_NS: Final = 5 * NS_PER_S
"""A wall clock further off than this has jumped. Time servers correct in smaller steps."""
CONFIRM: Final = "two approvers confirm: habeas clock confirm"
_SLEW: Final = 1000
"""Time follows the wall clock by a thousandth of what elapsed, so that many small steps come to no jump unseen."""
_NAME: Final = "node"


class Timekeeper:
    """A clock for everything that has a deadline. Thread-safe.

    Args:
        clock: the machine's.
        last: what was known when the installation last ran.
        restored: its database was restored, and nobody has said yet that this is right.
    """

    def __init__(self, clock: Clock, last: Heartbeat | None, *, restored: bool = False) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._boot_ns = self._checked_ns = clock.boot_ns()
        self._steady_ns = _resumed(clock, last)
        self._jumped = last.jumped if last is not None else False
        self._restored = restored
        self.check()

    def now_ns(self) -> int:
        """Return the time that deadlines go by, Unix nanoseconds. It never stands still and never jumps."""
        with self._lock:
            return self._now()

    def _now(self) -> int:
        return self._steady_ns + self._clock.boot_ns() - self._boot_ns

    def monotonic_ns(self) -> int:
        """Return a time that never jumps."""
        return self._clock.monotonic_ns()

    def boot_ns(self) -> int:
        """Return the time since the machine started."""
        return self._clock.boot_ns()

    def boot_id(self) -> str:
        """Return which start of the machine this is."""
        return self._clock.boot_id()

    def wait(self, duration_ns: int) -> None:
        """Return after this much time."""
        self._clock.wait(duration_ns)

    @property
    def jumped(self) -> bool:
        """Tell whether the wall clock is in doubt."""
        with self._lock:
            return self._jumped

    @property
    def restored(self) -> bool:
        """Tell whether it is in doubt because the database was restored."""
        with self._lock:
            return self._jumped and self._restored

    def off_by_ns(self) -> int:
        """Return how far the wall clock is ahead of elapsed time."""
        with self._lock:
            return self._clock.now_ns() - self._now()

    def check(self) -> bool:
        """Compare with the wall clock; return whether it may be trusted. Called before anything is compared or read."""
        with self._lock:
            off_ns = self._clock.now_ns() - self._now()
            if abs(off_ns) > TOLERANCE_NS:
                self._jumped = True
            elif not self._jumped:
                most_ns = (self._clock.boot_ns() - self._checked_ns) // _SLEW
                self._steady_ns += max(-most_ns, min(off_ns, most_ns))
            self._checked_ns = self._clock.boot_ns()
            return not self._jumped

    def require_trust(self) -> None:
        """Check that the clock may be trusted.

        Raises:
            RuleError: it jumped, or the database was restored, and nobody has said that this is right.
        """
        trusted = self.check()
        if self.restored:
            raise RuleError(
                "this installation was restored: nothing is compared, started or shown",
                rule="restored",
                remedy=CONFIRM,
            )
        if not trusted:
            raise RuleError(
                f"the clock jumped by {self.off_by_ns() / NS_PER_S:.0f} s: nothing is compared, started or shown",
                rule="clock-jump",
                remedy=f"set the clock right; then {CONFIRM}",
            )

    def jumped_rightly(self, witnessed_ns: int) -> bool:
        """Tell whether the wall clock is in doubt only because it jumped, and says what the witnesses say.

        Args:
            witnessed_ns: their median time, Unix ns. They say nothing of a database that was restored.
        """
        with self._lock:
            near = abs(self._clock.now_ns() - witnessed_ns) <= TOLERANCE_NS
            return self._jumped and not self._restored and near

    def distrust(self) -> None:
        """Take the time for doubtful until two people confirm it: the database is an old one."""
        with self._lock:
            self._jumped = True

    def confirm(self) -> None:
        """Take over the wall clock: two people, or witnesses, said that it is right."""
        with self._lock:
            self._steady_ns = self._clock.now_ns()
            self._boot_ns = self._clock.boot_ns()
            self._jumped = self._restored = False

    def beat(self, tx: Tx) -> None:
        """Write down what the time is, for the next start."""
        with self._lock:
            now = Heartbeat(
                _NAME,
                self._clock.now_ns(),
                self._clock.boot_ns(),
                self._clock.boot_id(),
                self._now(),
                self._jumped,
            )
        found = tx.find(Heartbeat, name=_NAME)
        if found:
            tx.remove(found[0])
        tx.add(now)

    def __repr__(self) -> str:
        return f"Timekeeper({utc(self.now_ns())}, jumped={self.jumped})"


def last_beat(tx: Tx) -> Heartbeat | None:
    """Return what was known when the installation last ran."""
    found = tx.find(Heartbeat, name=_NAME)
    return found[0] if found else None


def restored(tx: Tx) -> bool:
    """Tell whether the database was restored, and two people have not said yet that this is right."""
    found = tx.find(Entry, kind=["database.restored", "clock.confirmed"])
    return bool(found) and found[-1].kind == "database.restored"


def _resumed(clock: Clock, last: Heartbeat | None) -> int:
    if last is None:
        return clock.now_ns()
    if last.boot_id == clock.boot_id():
        return last.steady_ns + clock.boot_ns() - last.boot_ns
    return last.steady_ns + max(0, clock.now_ns() - last.wall_ns)  # by one clock: a jump in doubt stays in doubt
