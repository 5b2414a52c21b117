"""Suspensions through a running node, and assemblies out of calendars, honest and hostile."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.nodes import RunningNode
from tests.strategies import PROPERTY

from habeas.cli.assemblies import MAX_EVENTS, MAX_RULES, MAX_WINDOWS, assemblies
from habeas.cli.suspend import _state
from habeas.cli.times import show_moment, show_told
from habeas.errors import InputError
from habeas.types import NS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
NOW_NS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * NS_PER_S
EVENT = "SUMMARY:March\r\nDTSTART:20260501T100000Z\r\nDTEND:20260501T120000Z"


def calendar(*events: str, before: str = "") -> bytes:
    """An iCalendar file with these events; `before`: other components."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Town hall//Assemblies//EN"]
    lines += [before] if before else []
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@town", "DTSTAMP:20260101T000000Z", event, "END:VEVENT"]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def read(*events: str, before: str = "") -> list[tuple[str, str, str]]:
    found = assemblies(calendar(*events, before=before), NOW_NS, BERLIN)
    return [(show_moment(one.from_ns, BERLIN), show_moment(one.until_ns, BERLIN), one.title) for one in found]


# --- commands ---------------------------------------------------------------------------------------------------------


def test_one_officer_imposes_and_two_lift(node: RunningNode) -> None:
    node.camera("plaza-1", zone="plaza")
    words = ["suspend", "new", "--zone", "plaza", "--from", "-2h", "--until", "+6h", "--why", "Vigil"]
    refused = node.run(*words, who="ann")
    assert (refused.status, refused.error["rule"]) == (3, "role")
    row = node.run(*words, who="pia").row
    assert (row["state"], row["zones"]) == ("in force", ["plaza"])
    cameras = {one["camera"]: one for one in node.run("camera", "list", who="pia").rows}
    assert cameras["plaza-1"]["state"] == "suspended"
    assert cameras["plaza-1"]["suspended_by"] == [{"suspension": row["suspension"], "ends": row["ends"]}]
    assert f"suspended by {row['suspension']} until {show_told(row['ends'])}" in node.text("camera", "list", who="pia")
    ahead = node.run(*words[:5], "+1h", *words[6:], who="pia").row["suspension"]
    assert ahead not in node.text("camera", "list", who="pia"), "one that binds later does not bind now"
    assert node.run("suspend", "lift", row["suspension"], who="pia").row["lift"] == "proposed"
    again = node.run("suspend", "lift", row["suspension"], who="pia")
    assert (again.status, again.error["rule"]) == (3, "two-persons")
    assert node.run("suspend", "lift", row["suspension"], who="paul").row["lift"] == "lifted"
    assert "in force, until the lift" in node.text("suspend", "list", who="rita")
    assert row["suspension"] not in node.text("suspend", "list", "--ended", who="rita")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--from", "now", "--until", "+1h"], 2),
        (["--zone", "plaza", "--from", "-130h", "--until", "+1h"], 3),
        (["--zone", "plaza", "--from", "now", "--until", "+400d"], 4),
        (["--zone", "nowhere", "--from", "now", "--until", "+1h"], 4),
    ],
)
def test_a_suspension_that_cannot_be(node: RunningNode, words: list[str], status: int) -> None:
    assert node.run("suspend", "new", *words, "--why", "Vigil", who="pia").status == status


def test_a_calendar_is_listed_first_and_imposed_once(node: RunningNode, tmp_path: Path) -> None:
    node.camera("market-1", zone="market")
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    form = "%Y%m%dT%H%M%SZ"
    rally = f"SUMMARY:Rally\r\nDTSTART:{soon:{form}}\r\nDTEND:{soon + timedelta(hours=2):{form}}"
    again = f"SUMMARY:Watch\r\nDTSTART:{soon:{form}}\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3"
    file = tmp_path / "assemblies.ics"
    file.write_bytes(calendar(rally, again))
    words = ["suspend", "import", file, "--zone", "market"]
    dry = node.run(*words, who="pia")
    assert [row["imposed"] for row in dry.rows] == [False] * 4
    assert "market" not in node.text("suspend", "list", who="pia")
    assert "Rally" in node.text(*words, who="pia")
    rows = node.run(*words, "--yes", who="pia").rows
    assert sorted(row["why"] for row in rows) == ["Rally", "Watch", "Watch", "Watch"]
    assert {row["zones"][0] for row in rows} == {"market"}
    assert node.run(*words, "--yes", who="pia").rows == [], "imposed already"
    assert "4 of them are imposed already" in node.text(*words, "--yes", who="pia")
    refused = node.run(*words, "--camera", "market-1", "--yes", who="rita")
    assert (refused.status, refused.error["rule"]) == (3, "role")


def test_a_calendar_that_is_not_there(node: RunningNode, tmp_path: Path) -> None:
    said = node.run("suspend", "import", tmp_path / "none.ics", "--zone", "market", who="pia")
    assert (said.status, said.error["kind"]) == (4, "input")


# --- calendars --------------------------------------------------------------------------------------------------------


def test_times_are_those_of_their_zone() -> None:
    berlin = "DTSTART;TZID=Europe/Berlin:20260501T100000\r\nDTEND;TZID=Europe/Berlin:20260501T120000"
    wanted = [("2026-05-01 10:00:00 +02:00", "2026-05-01 12:00:00 +02:00", "assembly")]
    assert read(berlin) == wanted
    assert read(berlin.replace("Europe/Berlin", "W. Europe Standard Time")) == wanted
    assert read("DTSTART:20260501T080000Z\r\nDURATION:PT2H") == wanted
    assert read("DTSTART:20260501T100000\r\nDTEND:20260501T120000") == wanted, "without a zone: here"
    assert read(berlin.replace("Europe/Berlin", "Asia/Kathmandu"))[0][0] == "2026-05-01 06:15:00 +02:00"


def test_a_zone_of_the_file_itself() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Town Time\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0500\r\n"
        "TZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE"
    )
    event = "DTSTART;TZID=Town Time:20260501T100000\r\nDTEND;TZID=Town Time:20260501T120000"
    assert read(event, before=zone)[0][0] == "2026-05-01 07:00:00 +02:00"


def test_a_day_is_the_whole_local_day() -> None:
    wanted = [("2026-05-01 00:00:00 +02:00", "2026-05-02 00:00:00 +02:00", "Day")]
    assert read("SUMMARY:Day\r\nDTSTART;VALUE=DATE:20260501\r\nDTEND;VALUE=DATE:20260502") == wanted
    assert read("SUMMARY:Day\r\nDTSTART;VALUE=DATE:20260501") == wanted
    short = read("DTSTART;VALUE=DATE:20260329")[0]
    assert short[:2] == ("2026-03-29 00:00:00 +01:00", "2026-03-30 00:00:00 +02:00"), "23 hours"


def test_recurrences_keep_their_local_hour_and_their_exceptions() -> None:
    weekly = "DTSTART;TZID=Europe/Berlin:20200106T180000\r\nDURATION:PT2H\r\nRRULE:FREQ=WEEKLY;BYDAY=MO"
    found = read(weekly + "\r\nEXDATE;TZID=Europe/Berlin:20260302T180000")
    assert found[0][0] == "2026-03-09 18:00:00 +01:00"
    assert found[3][0] == "2026-03-30 18:00:00 +02:00"
    assert len(found) == 52


def test_unclear_times_make_it_longer() -> None:
    skipped = read("DTSTART:20260329T023000\r\nDTEND:20260329T050000")[0]
    assert skipped[0] == "2026-03-29 01:30:00 +01:00"
    twice = read("DTSTART;TZID=Europe/Berlin:20261025T023000\r\nDTEND;TZID=Europe/Berlin:20261025T023500")[0]
    assert twice[:2] == ("2026-10-25 02:30:00 +02:00", "2026-10-25 02:35:00 +01:00")


def test_what_is_over_cancelled_or_far_is_left_out_and_what_runs_is_not() -> None:
    assert read("DTSTART:20260101T100000Z\r\nDTEND:20260101T120000Z") == []
    assert read(EVENT + "\r\nSTATUS:CANCELLED") == []
    assert read("DTSTART:20290101T100000Z\r\nDTEND:20290101T120000Z") == []
    assert len(read("DTSTART:20260228T100000Z\r\nDTEND:20260302T120000Z")) == 1


def test_a_title_is_one_plain_line() -> None:
    ((_, _, title),) = read(EVENT.replace("March", "A\\nB\x1b[31m\u202e" + "x" * 500))
    assert title.isprintable()
    assert len(title) == 200


@pytest.mark.parametrize(
    "event",
    [
        "DTSTART;TZID=Mars/Base:20260501T100000\r\nDTEND;TZID=Mars/Base:20260501T120000",
        "DTSTART:20260506T180000Z\r\nDTEND;TZID=Mars/Base:20260506T190000",
        EVENT + "\r\nRRULE:FREQ=WEEKLY;COUNT=9\r\nEXDATE;TZID=Mars/Base:20260508T100000",
        "DTSTART:20260506T180000Z",
        "DTSTART:20260506T180000Z\r\nDTEND:20260506T180000Z",
        "DTSTART:20260506T180000Z\r\nDTEND:20260506T170000Z",
        "DTSTART:2026XX06T180000Z\r\nDTEND:20260506T190000Z",
        "DTEND:20260506T190000Z",
        "DTSTART:15000101T000000Z\r\nDTEND:15000101T010000Z",
        EVENT.replace("DTEND:20260501T120000Z", "DURATION:P99999999D"),
        EVENT + "\r\nRRULE:FREQ=WEEKLY;BYDAY=ZZ",
        EVENT + "\r\nEXDATE:garbage",
        "DTSTART:20260506T180000\r\nDTEND:20260506T190000Z",
    ],
)
def test_a_time_that_is_not_clear_is_refused(event: str) -> None:
    assert read(EVENT), "positive control"
    with pytest.raises(InputError):
        read(EVENT, event)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;COUNT=1000000",
        "FREQ=MINUTELY",
        "FREQ=HOURLY",
        "FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,1,2,3;BYSECOND=0,1,2,3",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "COUNT=3",
        "freq=secondly",
    ],
)
def test_endless_rules_are_refused_before_anything_follows_them(rule: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match="repeats in a way"):
        read(f"{EVENT}\r\nRRULE:{rule}")
    with pytest.raises(InputError, match="repeats in a way"):
        read(f"{EVENT}\r\nRRULE;X-A=b:{rule[:6]}\r\n {rule[6:]}")
    zone = (
        f"BEGIN:VTIMEZONE\r\nTZID:T\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:{rule}\r\nTZOFFSETFROM:+0100"
    )
    with pytest.raises(InputError, match="repeats in a way"):
        read(EVENT, before=f"{zone}\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE")
    assert time.monotonic() - began < 5


def test_a_million_recurrences_end() -> None:
    assert len(read("DTSTART:19700106T180000Z\r\nDURATION:PT2H\r\nRRULE:FREQ=DAILY;COUNT=1000000")) == 367
    many = [
        f"DTSTART:202601{day:02}T{hour:02}0000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY"
        for day, hour in ((1, 1), (1, 2), (1, 3))
    ]
    with pytest.raises(InputError, match=f"more than {MAX_WINDOWS}"):
        read(*many)
    with pytest.raises(InputError, match="rules"):
        read(*[f"{EVENT}\r\nRRULE:FREQ=YEARLY"] * (MAX_RULES + 1))
    with pytest.raises(InputError, match="events"):
        read(*[EVENT] * (MAX_EVENTS + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR\r\n" * 20000,
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        b"x" * (2 << 20),
    ],
)
def test_what_is_no_calendar_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        assemblies(data, NOW_NS, BERLIN)


@PROPERTY
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_calendar_is_read_or_refused(at: int, damage: bytes) -> None:
    data = calendar(EVENT + "\r\nRRULE:FREQ=WEEKLY;COUNT=3")
    with suppress(InputError):
        assemblies(data[:at] + damage + data[at + len(damage) :], NOW_NS, BERLIN)


@pytest.mark.parametrize(
    ("state", "lift", "said"),
    [
        ("in force", None, "in force"),
        ("in force", "proposed", "in force; lift proposed: one more officer lifts it"),
        ("in force", "lifted", "in force, until the lift"),
        ("over", "lifted", "lifted early"),
        ("over", None, "over"),
    ],
)
def test_a_state_says_what_became_of_a_lift(state: str, lift: str | None, said: str) -> None:
    assert _state({"state": state, "lift": lift}) == said
