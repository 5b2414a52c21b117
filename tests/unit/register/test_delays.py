"""What is shown when, and how coarse: each bound from both sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.register.delays import (
    ALL,
    OTHERS,
    cut_ns,
    details_due,
    is_shown_by_day,
    month_end_ns,
    zones_shown,
)
from habeas.types import DAY_NS, HOUR_NS, utc

NOW = 1_795_702_512 * 1_000_000_000


def test_the_cut_is_the_hour_a_day_ago() -> None:
    assert utc(NOW).startswith("2026-11-26T14:15:12")
    assert utc(cut_ns(NOW)).startswith("2026-11-25T14:00:00")


@pytest.mark.rule("G4")
@pytest.mark.parametrize(
    ("ago_ns", "shown"), [(6 * DAY_NS, False), (7 * DAY_NS - 1, False), (7 * DAY_NS, True), (8 * DAY_NS, True)]
)
def test_details_come_seven_days_after_the_end(ago_ns: int, shown: bool) -> None:
    assert details_due(NOW - ago_ns, NOW) is shown


def test_what_runs_has_no_details() -> None:
    assert not details_due(None, NOW)


@pytest.mark.rule("G2")
@pytest.mark.parametrize(
    ("cameras", "shown"),
    [
        ({"a": 5, "b": 5}, {"a": "a", "b": "b"}),
        ({"a": 9, "b": 4, "c": 1}, {"a": "a", "b": OTHERS, "c": OTHERS}),
        ({"a": 9, "b": 4, "c": 6}, {"a": "a", "b": OTHERS, "c": OTHERS}),
        ({"a": 9, "b": 4}, {"a": ALL, "b": ALL}),
        ({"a": 4}, {"a": ALL}),
        ({"a": 2, "b": 1}, {"a": ALL, "b": ALL}),
        ({"a": 5, "b": 0}, {"a": ALL, "b": ALL}),
        ({}, {}),
    ],
)
def test_small_zones_are_shown_together(cameras: dict[str, int], shown: dict[str, str]) -> None:
    assert zones_shown(cameras) == shown


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 12)))
def test_nothing_that_is_shown_apart_is_small(cameras: dict[str, int]) -> None:
    names = zones_shown(cameras)
    sums: dict[str, int] = {}
    for zone, name in names.items():
        sums[name] = sums.get(name, 0) + cameras[zone]
    assert names.keys() == cameras.keys()
    assert all(count >= 5 for name, count in sums.items() if name != ALL)
    assert len(sums) <= 1 or ALL not in sums


@pytest.mark.rule("G3")
@pytest.mark.parametrize(("tracks", "alerts", "shown"), [(99, 5, False), (100, 4, False), (100, 5, True)])
def test_a_quiet_day_is_not_shown_by_itself(tracks: int, alerts: int, shown: bool) -> None:
    assert is_shown_by_day(tracks, alerts) is shown


def test_months_end() -> None:
    assert utc(month_end_ns("2026-11")).startswith("2026-12-01T00:00:00")
    assert utc(month_end_ns("2026-12")).startswith("2027-01-01T00:00:00")
    assert utc(month_end_ns("2028-02") - HOUR_NS).startswith("2028-02-29T23")
