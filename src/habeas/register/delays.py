"""What the register shows when, and how coarse ("Proof" in product.md). Pure.

1. Everything but suspensions and the log's head is as of a day ago: the cut.
2. Zones of fewer than five cameras are shown together, as they stood on each day; evidence, which has none, with them.
3. A day of a zone with fewer than 100 tracks or five alerts is shown only in the sum of its month, once that is over. A
   sum of one such day would be that day: its numbers are withheld.
4. Details of an authorisation are shown seven days after its end.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

DELAY_NS: Final = DAY_NS
DETAILS_NS: Final = 7 * DAY_NS
MIN_CAMERAS: Final = 5
MIN_TRACKS: Final = 100
MIN_ALERTS: Final = 5
LATE_NS: Final = HOUR_NS
"""A day's counters are written in the hour after it."""
OTHERS: Final = "other zones"
ALL: Final = "all zones"
EVIDENCE: Final = "evidence"
"""Zone of what was handed in: no camera is there."""
_T = TypeVar("_T")


def cut_ns(made_ns: int) -> int:
    """Return the first instant that a register made then does not show: the hour, a day ago."""
    return (made_ns - DELAY_NS) // HOUR_NS * HOUR_NS


def details_due(ended_ns: int | None, made_ns: int) -> bool:
    """Tell whether the details of an authorisation are shown: it ended at least seven days ago."""
    return ended_ns is not None and made_ns - ended_ns >= DETAILS_NS


def zones_shown(cameras: Mapping[str, int]) -> dict[str, str]:
    """Return under which name each zone is shown.

    Small zones are put together; where they are still too few cameras, the smallest of the others joins them; where all
    of them are, no zone is shown apart.

    Args:
        cameras: number of cameras, by zone.
    """
    pooled = {zone for zone, count in cameras.items() if count < MIN_CAMERAS}
    rest = sorted(cameras.keys() - pooled, key=lambda zone: (cameras[zone], zone))
    while pooled and rest and sum(cameras[zone] for zone in pooled) < MIN_CAMERAS:
        pooled.add(rest.pop(0))
    name = OTHERS if rest else ALL
    return {zone: name if zone in pooled else zone for zone in cameras}


def is_shown_by_day(tracks: int, alerts: int) -> bool:
    """Tell whether a day of a zone is shown by itself."""
    return tracks >= MIN_TRACKS and alerts >= MIN_ALERTS


def by_month(days: Iterable[tuple[str, _T]]) -> dict[str, list[_T]]:
    """Return what is not shown by day, by month.

    Args:
        days: `YYYY-MM-DD`, and whatever is of that day.
    """
    months: dict[str, list[_T]] = {}
    for day, one in days:
        months.setdefault(day[:7], []).append(one)
    return months


def day_of(ns: int) -> str:
    """Return the UTC day of an instant, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).date().isoformat()


def day_start_ns(day: str) -> int:
    """Return the first instant of a day, `YYYY-MM-DD`.

    Raises:
        ValueError: it is none.
    """
    return round(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) * NS_PER_S


def month_end_ns(month: str) -> int:
    """Return the first instant after a month, `YYYY-MM`."""
    year, number = int(month[:4]), int(month[5:7])
    after = f"{year + number // 12:04d}-{number % 12 + 1:02d}"
    return day_start_ns(f"{after}-01")
