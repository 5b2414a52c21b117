"""Guessing of passwords, slowed for each name and caller. In memory: whoever ends the node may do more than guess.

After five attempts the next ones wait: a second, two, four, at most a minute; a login that succeeds clears that, and so
does an hour without an attempt. An attempt is counted before its password is compared, so that none is free because
many come at once, and one that comes too early is refused without comparing.

Callers are told apart by the user that the kernel says they are (`SO_PEERCRED`): who guesses at somebody's password
from another user of the machine keeps nobody out. Where both are one user, a minute's wait is the worst.

Guessing stays hopeless: 17 callers a name are counted apart (whoever has 65,536 subordinate users has no more), each
with an attempt a minute: 24,480 a day, 9 million a year. Of passwords of 40 random bits, such as four words from a list
of 1,024, half are tried in 61,000 years. What is compared is Argon2id with 64 MiB, whoever steals the database.
"""

import threading
from dataclasses import dataclass
from typing import Final

from habeas.errors import RuleError
from habeas.types import HOUR_NS, NS_PER_S

FREE: Final = 5
"""Attempts that do not make the next one wait."""
LONGEST_NS: Final = 60 * NS_PER_S
FORGOTTEN_NS: Final = HOUR_NS
MOST_CALLERS: Final = 16
"""Callers counted apart at one name; all others are counted together."""
MOST_UNKNOWN: Final = 1000
"""Names without an account that are remembered; the oldest goes."""
_OTHERS: Final = -1
_FIRST_NS: Final = NS_PER_S
_DOUBLED_MOST: Final = 6


@dataclass(frozen=True)
class _Tries:
    count: int = 0
    free_from_ns: int = 0
    last_ns: int = 0


class Throttle:
    """Counts attempts at names. Thread-safe; times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[int, _Tries]] = {}
        self._unknown: dict[str, dict[int, _Tries]] = {}

    def attempt(self, name: str, *, known: bool, caller: int, now_ns: int) -> None:
        """Count an attempt, before its password is compared.

        Args:
            name: as given.
            known: there is such an account: it is never forgotten for others' sake.
            caller: user id.
            now_ns: monotonic.

        Raises:
            RuleError: it comes too early; it is not counted.
        """
        with self._lock:
            tries = self._tries(name, known=known)
            for who in [who for who, one in tries.items() if now_ns - one.last_ns >= FORGOTTEN_NS]:
                del tries[who]
            who = caller if caller in tries or len(tries) < MOST_CALLERS else _OTHERS
            made = tries.get(who, _Tries())
            if now_ns < made.free_from_ns:
                wait_s = -(-(made.free_from_ns - now_ns) // NS_PER_S)
                raise RuleError(
                    "too many attempts failed: this one waits", rule="login-locked", remedy=f"try again in {wait_s} s"
                )
            count = made.count + 1
            tries[who] = _Tries(count, now_ns + _wait_ns(count), now_ns)

    def succeeded(self, name: str, *, caller: int) -> None:
        """Forget the attempts of whoever knew the password."""
        with self._lock:
            tries = self._known.get(name, {})
            tries.pop(caller if caller in tries else _OTHERS, None)

    def _tries(self, name: str, *, known: bool) -> dict[int, _Tries]:
        if known:
            return self._known.setdefault(name, {})
        tries = self._unknown[name] = self._unknown.pop(name, {})
        while len(self._unknown) > MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        return tries


def _wait_ns(count: int) -> int:
    """Return how long the next attempt waits after so many."""
    over = count - FREE
    return min(_FIRST_NS << min(over, _DOUBLED_MOST), LONGEST_NS) if over >= 0 else 0
