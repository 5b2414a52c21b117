"""Moments as people type them: one meaning each, or a refusal."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.cli.times import (
    moments_of,
    ns_of,
    parse_moment,
    show_moment,
    show_told,
    start_of_day,
    widest,
    window,
)
from habeas.errors import UsageError
from habeas.types import NS_PER_S, utc

BERLIN = ZoneInfo("Europe/Berlin")
NOW_NS = 1_780_000_000 * NS_PER_S + 123
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca"])
AHEAD = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2110, 1, 1))  # noqa: DTZ001 - zones are added


def whole_ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


@PROPERTY
@given(MOMENTS, AHEAD)
def test_rfc_3339_means_what_the_library_says(naive: datetime, zone: timezone) -> None:
    moment = naive.replace(tzinfo=zone)
    assert parse_moment(moment.isoformat(), NOW_NS, BERLIN) == whole_ns(moment)


@PROPERTY
@given(st.integers(0, 2**62 - 1))
def test_what_the_node_tells_comes_back_to_the_nanosecond(ns: int) -> None:
    assert ns_of(utc(ns)) == parse_moment(utc(ns), 0) == ns


@PROPERTY
@given(MOMENTS, ZONES)
def test_a_local_time_is_the_one_moment_that_clocks_show_so_or_refused(naive: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    naive = naive.replace(second=0, microsecond=0)
    shown = [moment for moment in _around(naive, zone) if moment.astimezone(zone).replace(tzinfo=None) == naive]
    text = f"{naive:%Y-%m-%d %H:%M}"
    if len(shown) == 1:
        assert parse_moment(text, NOW_NS, zone) == whole_ns(shown[0])
    else:
        with pytest.raises(UsageError, match="clocks here"):
            parse_moment(text, NOW_NS, zone)


def _around(naive: datetime, zone: ZoneInfo) -> list[datetime]:
    """Oracle: every offset that the zone has within two days."""
    middle = naive.replace(tzinfo=UTC)
    offsets = {(middle + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-48, 49)}
    return [middle - offset for offset in offsets if offset is not None]


@PROPERTY
@given(st.integers(0, 99999), st.sampled_from("mhd"), st.sampled_from("+-"))
def test_relative_times_count_from_now(number: int, unit: str, sign: str) -> None:
    seconds = number * {"m": 60, "h": 3600, "d": 86400}[unit] * (1 if sign == "+" else -1)
    wanted = NOW_NS + seconds * NS_PER_S
    if 0 <= wanted < 2**62:
        assert parse_moment(f"{sign}{number}{unit}", NOW_NS) == wanted
    else:
        with pytest.raises(UsageError, match="far away"):
            parse_moment(f"{sign}{number}{unit}", NOW_NS)


@PROPERTY
@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert 0 <= parse_moment(text, NOW_NS, BERLIN) < 2**62


@PROPERTY
@given(st.integers(0, 2**62 - 1), ZONES)
def test_what_is_shown_is_read_back(ns: int, name: str) -> None:
    shown = show_moment(ns, ZoneInfo(name))
    day, minute, offset = shown.split()
    assert parse_moment(f"{day}T{minute}{offset}", 0) == ns // NS_PER_S * NS_PER_S


def test_now_is_now() -> None:
    assert parse_moment("now", NOW_NS) == parse_moment(" now ", NOW_NS) == NOW_NS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-05-01",
        "10:00",
        "2026-13-01 10:00",
        "2026-02-30T10:00Z",
        "2026-05-01T24:30Z",
        "2026-05-01T10:00:60Z",
        "2026-05-01T10:00+25:00",
        "2026-05-01T10:00:00.1234567890Z",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "1969-12-31T23:59Z",
        "+2w",
        "2h",
        "+2.5h",
        "+9999999h",
        "٢٠٢٦-05-01T10:00Z",
        "2026-W18-5T10:00Z",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_moment(text, NOW_NS, BERLIN)


def test_a_skipped_time_is_refused_with_what_to_write() -> None:
    with pytest.raises(UsageError, match="skip") as caught:
        parse_moment("2026-03-29 02:30", NOW_NS, BERLIN)
    assert "2026-03-29T02:30:00+01:00" in caught.value.remedy


def test_a_time_shown_twice_is_refused_with_both() -> None:
    with pytest.raises(UsageError, match="twice") as caught:
        parse_moment("2026-10-25 02:30", NOW_NS, BERLIN)
    first, second = "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"
    assert f"{first} or {second}" in caught.value.remedy
    assert parse_moment(second, 0) - parse_moment(first, 0) == 3600 * NS_PER_S


def test_protection_takes_the_longer_of_two_readings() -> None:
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - what clocks show
    assert moments_of(twice, BERLIN) == [widest(twice, BERLIN, end=False), widest(twice, BERLIN, end=True)]
    skipped = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - what clocks show
    assert not moments_of(skipped, BERLIN)
    assert widest(skipped, BERLIN, end=True) - widest(skipped, BERLIN, end=False) == timedelta(hours=1)


def test_a_day_begins_where_midnight_is_skipped() -> None:
    zone = ZoneInfo("Africa/Cairo")  # 2026-04-24: clocks go from 00:00 to 01:00
    begins = start_of_day(datetime(2026, 4, 24).date(), zone, end=False)  # noqa: DTZ001 - a day
    assert begins.astimezone(zone).date() <= datetime(2026, 4, 24).date()  # noqa: DTZ001 - a day


def test_a_window_has_a_length() -> None:
    assert window("now", "+2h", NOW_NS) == (NOW_NS, NOW_NS + 7200 * NS_PER_S)
    with pytest.raises(UsageError, match="ends before it begins"):
        window("+2h", "now", NOW_NS)
    with pytest.raises(UsageError, match="ends before it begins"):
        window("now", "now", NOW_NS)


def test_nothing_is_shown_for_no_moment() -> None:
    assert show_told(None) == "-"
    assert show_told(utc(0), UTC) == "1970-01-01 00:00:00 +00:00"
