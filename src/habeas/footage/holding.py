"""What a hold, and a request of the public, may ask for (product.md, "Footage"). Pure.

Camera time is counted once, however many holds preserve it, by the clock: gaps in what was recorded count too.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from habeas.errors import InputError, RuleError
from habeas.store.footage_records import Hold
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S, utc

LONGEST_NS: Final = 31 * DAY_NS
"""Of one hold, from now."""
CHAIN_NS: Final = 93 * DAY_NS
"""From when preserving of any of this footage began; longer only by court document."""
OPEN_NS: Final = 7 * DAY_NS
"""A proposal that nobody decides lapses."""
SHARE: Final = 100
"""One part in so many of what is recorded may be held; and as much be given a grace."""
GRACE_NS: Final = DAY_NS
"""What a public request adds to the deadline of a segment, once."""
REQUEST_NS: Final = 2 * HOUR_NS
"""Camera time that one public request asks for at most."""
SETTLE_NS: Final = 15 * NS_PER_S
"""After this all of an interval that is recorded is written."""
AROUND_NS: Final = 30 * NS_PER_S
"""Before and after an alert."""
_NARROWER: Final = "ask for fewer cameras or a shorter interval"


class State(enum.Enum):
    """Where a hold is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    """By two; its copies are being made."""
    HELD = "held"
    REFUSED = "refused"
    LAPSED = "lapsed"
    RELEASED = "released"
    ENDED = "ended"


RUNNING: Final = frozenset({State.APPROVED, State.HELD})
OVER: Final = frozenset({State.REFUSED, State.LAPSED, State.RELEASED, State.ENDED})


class RequestState(enum.Enum):
    """Where a request of the public is."""

    RECEIVED = "received"
    VERIFIED = "verified"
    """Who asks is known; the copies that last a day longer are being made."""
    GRACED = "graced"
    HELD = "held"
    """A hold that names it was approved."""
    REFUSED = "refused"
    LAPSED = "lapsed"


REQUEST_OVER: Final = frozenset({RequestState.REFUSED, RequestState.LAPSED})


@dataclass(frozen=True)
class Span:
    """Some of a camera's time: `from_ns` is its first instant, `until_ns` the first after it; Unix ns."""

    camera_id: str
    from_ns: int
    until_ns: int


def spans(cameras: Iterable[str], from_ns: int, until_ns: int) -> list[Span]:
    """Return an interval of cameras as spans."""
    return [Span(camera, from_ns, until_ns) for camera in cameras]


def covered_ns(asked: Iterable[Span]) -> int:
    """Return for how much camera time there is a span; what several cover counts once."""
    by_camera: defaultdict[str, list[Span]] = defaultdict(list)
    for one in asked:
        by_camera[one.camera_id].append(one)
    return sum(_union_ns(theirs) for theirs in by_camera.values())


def _union_ns(theirs: Iterable[Span]) -> int:
    total, reached_ns = 0, 0
    for one in sorted(theirs, key=lambda one: one.from_ns):
        total += max(0, one.until_ns - max(one.from_ns, reached_ns))
        reached_ns = max(reached_ns, one.until_ns)
    return total


def overlap(hold: Hold, cameras: Iterable[str], from_ns: int, until_ns: int) -> bool:
    """Tell whether a hold is about any of this camera time."""
    return not set(hold.cameras).isdisjoint(cameras) and hold.from_ns < until_ns and from_ns < hold.until_ns


def began_ns(running: Iterable[Hold], hold: Hold, now_ns: int) -> int:
    """Return when preserving of any of a hold's footage began: what it may be copied from counts, or now.

    Args:
        running: holds that run.
        hold: one that is about to run.
        now_ns: Unix ns.
    """
    others = (one for one in running if one.hold_id != hold.hold_id)
    same = [one.since_ns for one in others if overlap(one, hold.cameras, hold.from_ns, hold.until_ns)]
    return min((since_ns for since_ns in same if since_ns is not None), default=now_ns)


# --- checks -----------------------------------------------------------------------------------------------------------


def check_interval(now_ns: int, from_ns: int, until_ns: int) -> None:
    """Check the interval of a hold or of a request of the public.

    Raises:
        InputError: it ends before it begins.
        RuleError: it is not over.
    """
    if until_ns <= from_ns:
        raise InputError("this interval ends before it begins", remedy="give --until after --from")
    if until_ns > now_ns:
        raise RuleError(
            "only what is recorded already can be preserved", rule="hold-interval", remedy="ask once it is over"
        )


def check_term(now_ns: int, since_ns: int, ends_at_ns: int, *, has_decision: bool) -> None:
    """Check for how long a hold is to last.

    Args:
        now_ns: Unix ns.
        since_ns: when preserving of any of its footage began.
        ends_at_ns: when it is to end.
        has_decision: a court document orders it.

    Raises:
        InputError: its end has passed.
        RuleError: it is too long.
    """
    if ends_at_ns <= now_ns:
        raise InputError("the end of this hold has passed", remedy="give a later end")
    if ends_at_ns > now_ns + LONGEST_NS:
        raise RuleError(
            "a hold lasts 31 days at most",
            rule="hold-term",
            remedy=f"let it end by {utc(now_ns + LONGEST_NS)}, and ask anew before that",
        )
    if ends_at_ns > since_ns + CHAIN_NS and not has_decision:
        raise RuleError(
            "this footage would be held for more than 93 days in all",
            rule="hold-chain",
            remedy=f"let it end by {utc(since_ns + CHAIN_NS)}, or give the court document: --decision",
        )


def check_share(held_ns: int, recorded_ns: int) -> None:
    """Check how much is held.

    Args:
        held_ns: camera time of all holds that run, with the one that is about to.
        recorded_ns: camera time that is recorded.

    Raises:
        RuleError: more than one part in a hundred.
    """
    if held_ns * SHARE > recorded_ns:
        raise RuleError(
            f"{_min(held_ns)} would be held of {_min(recorded_ns)} recorded, more than 1 %",
            rule="hold-share",
            remedy=f"{_NARROWER}, release a hold, or wait until more is recorded",
        )


def check_request(asked_ns: int) -> None:
    """Check how much a request of the public asks for.

    Raises:
        RuleError: more than two camera-hours.
    """
    if asked_ns > REQUEST_NS:
        raise RuleError(
            f"a request is for two camera-hours at most, this is for {_min(asked_ns)}",
            rule="request-size",
            remedy=_NARROWER,
        )


def check_graces(graced_ns: int, recorded_ns: int) -> None:
    """Check how much the public has asked for, with the request that is about to be verified.

    Raises:
        RuleError: more than one part in a hundred.
    """
    if graced_ns * SHARE > recorded_ns:
        raise RuleError(
            f"{_min(graced_ns)} would be kept for a day longer of {_min(recorded_ns)} recorded, more than 1 %",
            rule="request-share",
            remedy="wait until more is recorded or an earlier request is over, or propose a hold of a part of it",
        )


def _min(ns: int) -> str:
    return f"{ns / (60 * NS_PER_S):.1f} min"


# --- what may be done with a hold -------------------------------------------------------------------------------------


def due_ns(hold: Hold) -> int:
    """Return when the clock ends a hold that is not over."""
    if hold.state == State.PROPOSED.value:
        return min(hold.proposed_at_ns + OPEN_NS, hold.ends_at_ns)
    return hold.ends_at_ns


def is_kept(hold: Hold, now_ns: int) -> bool:
    """Tell whether there is footage of a hold that may be looked at now."""
    return hold.state == State.HELD.value and now_ns < hold.ends_at_ns


def searchable(hold: Hold, authorisation_id: str, now_ns: int) -> bool:
    """Tell whether this authorisation may search a hold's footage: the one that it names, and no other."""
    return is_kept(hold, now_ns) and hold.authorisation_id == authorisation_id
