"""Moments as people type them, and as they read them. Pure but for the machine's own time zone.

Typed: RFC 3339 with its zone, `YYYY-MM-DD HH:MM` in the zone of this machine, `now`, `+2h`, `-30m`, `+3d`. A local time
that the clocks skip, or show twice, is refused, with what to write instead: a window of recognition has one meaning.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from habeas.errors import UsageError
from habeas.types import NS_PER_S

_FORMS: Final = "write 2026-05-01T10:00:00+02:00, '2026-05-01 10:00', now, +2h, -30m or +3d"
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})"
    r"(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_RELATIVE: Final = re.compile(r"([+-])([0-9]{1,6})(m|h|d)")
_UNIT_S: Final = {"m": 60, "h": 3600, "d": 86400}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_NS: Final = 2**62
"""What the API takes; the year 2116."""


def parse_moment(text: str, now_ns: int, zone: tzinfo | None = None) -> int:
    """Return the moment that a text means, Unix nanoseconds.

    Args:
        text: as in the module's docstring; `d` is 24 hours.
        now_ns: what `now` is, Unix nanoseconds.
        zone: of times without one; None: this machine's.

    Raises:
        UsageError: none of the forms, no such time, or one that the clocks show twice.
    """
    text = text.strip()
    relative = _RELATIVE.fullmatch(text)
    if text == "now":
        ns = now_ns
    elif relative is not None:
        sign, number, unit = relative.groups()
        ns = now_ns + int(sign + number) * _UNIT_S[unit] * NS_PER_S
    else:
        ns = _absolute(text, zone)
    if not 0 <= ns < _MOST_NS:
        raise UsageError(f"{text}: too far away", remedy=_FORMS)
    return ns


def _absolute(text: str, zone: tzinfo | None) -> int:
    matched = _MOMENT.fullmatch(text)
    if matched is None:
        raise UsageError(f"{text!r} is no time", remedy=_FORMS)
    day, minute, second, fraction, offset = matched.groups()
    try:
        naive = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}")
        moment = naive.replace(tzinfo=UTC) - _offset(offset) if offset else _local(naive, zone, text)
        whole_s = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r}: there is no such time", remedy=_FORMS) from None
    return whole_s * NS_PER_S + int((fraction or "0").ljust(9, "0"))


def _offset(text: str) -> timedelta:
    """Return what `+02:00` is ahead of UTC.

    Raises:
        ValueError: more than a day.
    """
    if text in "Zz":
        return timedelta(0)
    hours, minutes = time.fromisoformat(text[1:]).hour, time.fromisoformat(text[1:]).minute
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if text[0] == "-" else ahead


def _local(naive: datetime, zone: tzinfo | None, text: str) -> datetime:
    """Return the one moment at which clocks of a zone show this.

    Raises:
        UsageError: none, or two.
    """
    found = moments_of(naive, zone)
    if not found:
        raise UsageError(
            f"{text}: clocks here skip this time",
            remedy=f"write another, or with its zone: {_with_offset(naive, zone)}",
        )
    if len(found) > 1:
        first, second = (show_offset(one, zone) for one in found)
        raise UsageError(
            f"{text}: clocks here show this time twice",
            remedy=f"write which: {naive:%Y-%m-%dT%H:%M:%S}{first} or {naive:%Y-%m-%dT%H:%M:%S}{second}",
        )
    return found[0]


def _with_offset(naive: datetime, zone: tzinfo | None) -> str:
    before = _as_utc(naive - timedelta(days=1), zone, 0)
    return f"{naive:%Y-%m-%dT%H:%M:%S}{show_offset(before, zone)}"


def moments_of(naive: datetime, zone: tzinfo | None) -> list[datetime]:
    """Return the moments, UTC, at which clocks of a zone show a time: none where they skip it, two where they go back.

    Args:
        naive: what the clocks show.
        zone: None: this machine's.
    """
    wanted = naive.replace(fold=0)
    both = {_as_utc(naive, zone, fold) for fold in (0, 1)}
    return sorted(one for one in both if one.astimezone(zone).replace(tzinfo=None, fold=0) == wanted)


def widest(naive: datetime, zone: tzinfo | None, *, end: bool) -> datetime:
    """Return the moment that a time means where it begins or ends a protection: unclear ones make it longer.

    Args:
        naive: what the clocks show.
        zone: None: this machine's.
        end: it ends; else it begins.
    """
    both = sorted(_as_utc(naive, zone, fold) for fold in (0, 1))
    return both[-1] if end else both[0]


def _as_utc(naive: datetime, zone: tzinfo | None, fold: int) -> datetime:
    shown = naive.replace(fold=fold)
    return (shown if zone is None else shown.replace(tzinfo=zone)).astimezone(UTC)


def start_of_day(day: date, zone: tzinfo | None, *, end: bool) -> datetime:
    """Return the midnight with which a day begins, UTC; `end`: where it ends what was before."""
    return widest(datetime.combine(day, time()), zone, end=end)


def show_offset(moment: datetime, zone: tzinfo | None = None) -> str:
    """Return how far a zone is ahead of UTC then: `+02:00`."""
    text = moment.astimezone(zone).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def show_moment(ns: int, zone: tzinfo | None = None) -> str:
    """Return a moment for people: `2026-05-01 10:00:00 +02:00`, in the zone of this machine."""
    moment = _EPOCH + timedelta(seconds=ns // NS_PER_S)
    try:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S} {show_offset(moment, zone)}"
    except (OverflowError, ValueError):  # a zone's clocks may reach beyond the years that dates have
        return f"{moment:%Y-%m-%d %H:%M:%S} +00:00"


def ns_of(told: str) -> int:
    """Return the nanoseconds of a moment that the node told (`types.utc`).

    Raises:
        UsageError: it is none.
    """
    return _absolute(told, UTC)


def show_told(told: object, zone: tzinfo | None = None) -> str:
    """Return a moment that the node told, for people; nothing for none."""
    return show_moment(ns_of(told), zone) if isinstance(told, str) else "-"


def window(from_text: str, until_text: str, now_ns: int, zone: tzinfo | None = None) -> tuple[int, int]:
    """Return both ends of a window; a relative one counts from now.

    Raises:
        UsageError: an end that is no moment, or the window is empty.
    """
    from_ns, until_ns = parse_moment(from_text, now_ns, zone), parse_moment(until_text, now_ns, zone)
    if until_ns <= from_ns:
        raise UsageError(
            f"this window ends before it begins: {show_moment(from_ns, zone)} to {show_moment(until_ns, zone)}",
            remedy="give --until after --from",
        )
    return from_ns, until_ns
