"""Known assemblies, as iCalendar: each occurrence in the days ahead is a window of suspension.

A calendar is somebody else's file. Its size, its number of events and what its rules may ask for are bounded before a
package reads it; a time zone that nobody knows is refused, since an hour off would be an hour unprotected. Where a
local time is skipped or shown twice, the window is the longer one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import recurring_ical_events
from icalendar import Calendar

from habeas.cli.times import start_of_day, widest
from habeas.errors import InputError
from habeas.types import NS_PER_S

AHEAD: Final = timedelta(days=366)
MAX_BYTES: Final = 1 << 20
MAX_EVENTS: Final = 2000
MAX_RULES: Final = 100
MAX_WINDOWS: Final = 1000
_EARLIEST_YEAR: Final = 1970
_MAX_TEXT: Final = 200
_SLOW: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_PARTS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "WKST", "BYSETPOS"})
_INTERVAL: Final = re.compile(r"[1-9][0-9]{0,3}")
"""Every nought days would be for ever."""
_RULE: Final = re.compile(r"^(?:RRULE|EXRULE)[^:\n]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MALFORMED: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What the packages raise on a calendar that lacks a part or has a wrong one."""
_NAMED: Final = ("DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE")


@dataclass(frozen=True)
class Assembly:
    """One occurrence.

    Args:
        title: of the event, printable, at most 200 characters.
        from_ns: first instant.
        until_ns: first instant after.
    """

    title: str
    from_ns: int
    until_ns: int


def assemblies(data: bytes, now_ns: int, zone: tzinfo | None = None) -> list[Assembly]:
    """Return what takes place from now on, up to 366 days ahead, in order of beginning.

    Args:
        data: of the iCalendar file (RFC 5545).
        now_ns: Unix nanoseconds.
        zone: of days, and of times without a zone; None: this machine's.

    Raises:
        InputError: not a calendar, too much of one, or an event whose time is not clear.
    """
    calendar = _read(data)
    now = _EPOCH + timedelta(microseconds=now_ns // 1000)
    found = set()
    try:
        for event in calendar.walk("VEVENT"):
            _check_event(event)
        for event in _occurrences(calendar, now):
            window = _window(event, zone)
            if window.until_ns > now_ns:
                found.add(window)
            if len(found) > MAX_WINDOWS:
                raise _too_much(f"more than {MAX_WINDOWS} occurrences in {AHEAD.days} days")
    except _MALFORMED as error:
        raise _bad(f"cannot be followed ({type(error).__name__})") from None
    return sorted(found, key=lambda one: (one.from_ns, one.until_ns, one.title))


def _read(data: bytes) -> Calendar:
    """Return the calendar, once its text asks for nothing endless."""
    if len(data) > MAX_BYTES:
        raise _too_much(f"more than {MAX_BYTES >> 20} MB")
    try:
        text = _FOLD.sub("", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _bad("is not UTF-8") from None
    _check_rules(text)
    try:
        calendar = Calendar.from_ical(text)
        events = list(calendar.walk("VEVENT"))
    except _MALFORMED as error:
        raise _bad(f"cannot be read ({type(error).__name__})") from None
    if calendar.name != "VCALENDAR" or len(events) > MAX_EVENTS:
        raise _too_much(f"more than {MAX_EVENTS} events") if events else _bad("is no calendar")
    return calendar


def _check_rules(text: str) -> None:
    """Check every rule of repetition before anything follows one, those of time zones too."""
    rules = _RULE.findall(text)
    if len(rules) > MAX_RULES:
        raise _too_much(f"more than {MAX_RULES} rules of repetition")
    for rule in rules:
        parts = dict(part.upper().partition("=")[::2] for part in rule.strip().split(";") if part)
        if not _is_bounded(parts):
            raise _too_much(f"an event that repeats in a way assemblies do not ({rule.strip()[:60]!r})")


def _is_bounded(parts: dict[str, str]) -> bool:
    """Tell whether a rule can be followed quickly: packages count days up to the year 9999 for one that never comes."""
    known = parts.get("FREQ") in _SLOW and set(parts) <= _PARTS
    narrow = {"DAILY": {"BYMONTH", "BYMONTHDAY", "BYSETPOS"}, "WEEKLY": {"BYMONTHDAY", "BYSETPOS"}}
    searching = not narrow.get(parts.get("FREQ", ""), set()).isdisjoint(parts)
    return known and not searching and _INTERVAL.fullmatch(parts.get("INTERVAL", "1")) is not None


def _check_event(event: Any) -> None:
    """Check what an event says of its time.

    Raises:
        InputError: an unknown time zone, no beginning or no length, or a broken part.
    """
    title = _title(event)
    if event.errors:
        raise _bad(f"{title}: {event.errors[0][0]} cannot be read")
    for name in _NAMED:
        given = event.get(name)
        for one in given if isinstance(given, list) else [given]:
            _check_zone(title, one)
    start = event.get("DTSTART")
    if start is None or not hasattr(start, "dt"):
        raise _bad(f"{title}: has no beginning")
    if start.dt.year < _EARLIEST_YEAR:
        raise _too_much(f"an event that began before {_EARLIEST_YEAR} ({title})")
    if isinstance(start.dt, datetime) and "DTEND" not in event and "DURATION" not in event:
        raise _bad(f"{title}: has no end")
    if "DTEND" in event and event["DTEND"].dt < start.dt:
        raise _bad(f"{title}: ends before it begins")


def _check_zone(title: str, given: Any) -> None:
    """Check that a zone which is named is known: the packages would take its times for local ones."""
    named = getattr(given, "params", {}).get("TZID")
    if named is None:
        return
    values = [one.dt for one in given.dts] if hasattr(given, "dts") else [given.dt]
    moments = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    if any(isinstance(one, datetime) and one.tzinfo is None for one in moments):
        raise _bad(f"{title}: the time zone {str(named)[:60]!r} is not known")


def _occurrences(calendar: Calendar, now: datetime) -> Iterator[Any]:
    # A day before and after: days and times without a zone are read as UTC here.
    margin = timedelta(days=1)
    found = recurring_ical_events.of(calendar, components=["VEVENT"]).between(now - margin, now + AHEAD + margin)
    for event in found:
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield event


def _window(event: Any, zone: tzinfo | None) -> Assembly:
    from_ns, until_ns = _ns(event.start, zone, end=False), _ns(event.end, zone, end=True)
    if until_ns <= from_ns:
        raise _bad(f"{_title(event)}: has no length")
    return Assembly(_title(event), from_ns, until_ns)


def _ns(when: date | datetime, zone: tzinfo | None, *, end: bool) -> int:
    if not isinstance(when, datetime):
        moment = start_of_day(when, zone, end=end)
    elif when.tzinfo is None:
        moment = widest(when, zone, end=end)
    else:
        both = sorted(when.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        moment = both[-1] if end else both[0]
    return (moment - _EPOCH) // timedelta(microseconds=1) * (NS_PER_S // 1_000_000)


def _title(event: Any) -> str:
    text = "".join(filter(str.isprintable, str(event.get("SUMMARY", "")))).strip()
    return text[:_MAX_TEXT] or "assembly"


def _bad(what: str) -> InputError:
    return InputError(f"the calendar: {what}", remedy="correct it, or impose it by hand: habeas suspend new")


def _too_much(what: str) -> InputError:
    return InputError(f"the calendar holds {what}", remedy="give only assemblies, with the days that they take place")
