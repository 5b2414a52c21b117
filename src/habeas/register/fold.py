"""Openings gathered for the register: the state as of the cut, and the one of now. Kept in memory, entry by entry."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from habeas.audit.entry import PADDING
from habeas.audit.facts import RESTORED
from habeas.audit.replay import Opened, take_later
from habeas.audit.state import Count, State
from habeas.clock import ns_of_utc
from habeas.errors import FormatError, InputError
from habeas.register.delays import day_of

_SEARCHED: Final = "search.counted"


NOW: Final = frozenset(
    {
        RESTORED,
        "log.epoch",
        "policy.approved",
        "policy.carried",
        "policy.first",
        "policy.proposed",
        "policy.void",
        "suspension.carried",
        "suspension.imposed",
        "suspension.lift-proposed",
        "suspension.lifted",
    }
)
"""Types of entries of which the register shows more than a day-old state."""


@dataclass
class Counted:
    """What the cameras of a zone came to on a day."""

    analysed_ns: int = 0
    faces: int = 0
    tracks: int = 0


@dataclass
class Fold:
    """What entries came to. Owned by one thread. Counters are added up by zone: cameras are many, and days.

    Args:
        kinds: types of entries that are taken; None: all.
        state: replayed; without `counts`.
        counts: by zone and UTC day.
        galleries: fewest and most references that were compared with, by zone and UTC day.
    """

    kinds: frozenset[str] | None = None
    state: State = field(default_factory=State)
    counts: dict[tuple[str, str], Counted] = field(default_factory=dict)
    galleries: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def take(self, opened: Opened) -> None:
        """Take the next entry; padding may be left out.

        Raises:
            FormatError: it lacks what its type always says.
        """
        opening = opened["opening"]
        if opening["type"] == PADDING:
            return
        if self.kinds is not None and opening["type"] not in self.kinds:
            self.state.taken = opening["seq"] + 1
            return
        take_later(self.state, opened)
        while self.state.counts:
            self._counted(self.state.counts.popitem()[1])
        if opening["type"] == _SEARCHED:
            self._searched(opening["body"])

    def _counted(self, count: Count) -> None:
        total = self.counts.setdefault((count.zone, count.day), Counted())
        total.analysed_ns += count.analysed_ns
        total.faces += count.faces
        total.tracks += count.tracks

    def _searched(self, body: dict[str, object]) -> None:
        zone, size, since = body.get("zone"), body.get("gallery_size"), body.get("hour")
        if not isinstance(zone, str) or type(size) is not int or not isinstance(since, str):
            raise FormatError("a search that does not say where and in how many references", remedy="verify the log")
        key = zone, day_of(ns_of_utc(since))
        least, most = self.galleries.get(key, (size, size))
        self.galleries[key] = min(least, size), max(most, size)


def at_of(opened: Opened) -> int:
    """Return when an entry was made, Unix nanoseconds.

    Raises:
        FormatError: it does not say.
    """
    try:
        return ns_of_utc(opened["opening"]["at"])
    except (KeyError, TypeError, InputError):
        raise FormatError("an entry without a time", remedy="verify the log first: habeas audit verify") from None


@dataclass(frozen=True)
class Folds:
    """The two states that a register is made of.

    Args:
        cut: as of the cut.
        now: of now: of this, only suspensions, the policy's witnesses and the epochs are shown.
    """

    cut: Fold
    now: Fold


def folds(opened: Iterable[Opened], until_ns: int) -> Folds:
    """Return both states of an export.

    Args:
        opened: every entry, in order.
        until_ns: the cut: what came from the first entry of that time or later on is not in its state.
    """
    cut, now, over = Fold(), Fold(NOW), False
    for one in opened:
        if one["opening"]["type"] == PADDING:
            continue
        now.take(one)
        over = over or at_of(one) >= until_ns
        if not over:
            cut.take(one)
    return Folds(cut, now)
