"""What may be asked for, at every edge. Pure."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import NOW_NS, PROPERTY

from habeas.authority.listing import Listing, camera_hours, is_minor, listed_days
from habeas.authority.policy import Ceilings
from habeas.authority.purposes import FOR_LIFE, Purpose
from habeas.authority.scope import (
    Ask,
    Consented,
    Others,
    approvals_needed,
    check_ask,
    check_ceilings,
    check_chain,
    check_consented,
    check_urgent,
    over_chain,
)
from habeas.errors import InputError, RuleError
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

NOW = NOW_NS - NOW_NS % DAY_NS
ASK = Ask(
    live=True,
    purpose=Purpose.MISSING_PERSON,
    cameras=1,
    from_ns=NOW,
    until_ns=NOW + HOUR_NS,
    urgent=False,
    minors=0,
    subjects=1,
    has_decision=False,
)
OTHERS = Others(delivering=0, installed=100, cameras=1, subjects=1)


def ask(**changes: object) -> Ask:
    return replace(ASK, **changes)  # type: ignore[arg-type]


def refused(asked: Ask, ceilings: Ceilings | None = None, now_ns: int = NOW, asked_at_ns: int = NOW) -> str:
    """The rule that refuses it; `input` where it cannot be; empty: nothing does."""
    try:
        check_ask(asked, ceilings or Ceilings(), now_ns, asked_at_ns=asked_at_ns)
    except RuleError as error:
        return error.rule
    except InputError:
        return "input"
    return ""


@pytest.mark.rule("A9")
def test_it_names_somebody_somewhere_until_some_time() -> None:
    assert refused(ask()) == ""
    assert refused(ask(subjects=0)) == "input"
    assert refused(ask(cameras=0)) == "input"
    assert refused(ask(until_ns=NOW)) == "input"
    assert refused(ask(until_ns=NOW - 1)) == "input"


@pytest.mark.rule("A9")
def test_live_looks_ahead() -> None:
    five_minutes = 300 * NS_PER_S
    assert refused(ask(from_ns=NOW - five_minutes)) == ""
    assert refused(ask(from_ns=NOW - five_minutes - 1)) == "input"
    later = NOW + HOUR_NS - 1
    assert refused(ask(), now_ns=later, asked_at_ns=later) == "input", "it began too long ago"
    assert refused(ask(), now_ns=later) == "", "waiting for approval spoils nothing"
    assert refused(ask(), now_ns=later + 1) == "input", "it is over"
    assert refused(ask(from_ns=NOW - 1, until_ns=NOW)) == "input"


@pytest.mark.rule("A10")
def test_a_window_ends_within_what_the_policy_permits_from_now() -> None:
    day = Ceilings(authorisation_h=24)
    ahead = ask(from_ns=NOW + 23 * HOUR_NS, until_ns=NOW + 24 * HOUR_NS)
    assert refused(ahead, day) == ""
    assert refused(replace(ahead, until_ns=ahead.until_ns + 1), day) == "authorisation-ceiling"
    assert refused(ask(from_ns=NOW + 400 * DAY_NS, until_ns=NOW + 401 * DAY_NS)) == "authorisation-ceiling"


@pytest.mark.rule("A10")
@pytest.mark.parametrize("hours", [1, 24, 720])
def test_a_window_is_as_long_as_the_policy_permits(hours: int) -> None:
    ceilings = Ceilings(authorisation_h=hours)
    assert refused(ask(until_ns=NOW + hours * HOUR_NS), ceilings) == ""
    assert refused(ask(until_ns=NOW + hours * HOUR_NS + 1), ceilings) == "authorisation-ceiling"


@pytest.mark.rule("A18")
def test_retrospective_is_an_interval_of_the_last_120_hours() -> None:
    back = ask(live=False, from_ns=NOW - 120 * HOUR_NS, until_ns=NOW)
    assert refused(back) == ""
    assert refused(replace(back, from_ns=back.from_ns - 1)) == "input"
    assert refused(replace(back, until_ns=NOW + 1)) == "input"
    assert refused(replace(back, until_ns=back.from_ns)) == "input"
    assert refused(back, now_ns=NOW + 1) == "input", "its footage is gone"


@pytest.mark.rule("A4")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_policy_shortens_the_list_of_purposes(purpose: Purpose) -> None:
    asked = ask(purpose=purpose, has_decision=True)
    assert refused(asked) == ""
    others = tuple(one.value for one in Purpose if one is not purpose)
    assert refused(asked, Ceilings(purposes=others)) == "purpose"


@pytest.mark.rule("A4")
def test_the_list_of_purposes_is_closed() -> None:
    assert {purpose.value for purpose in Purpose} == {
        "consent",
        "missing-person",
        "threat-to-life",
        "serious-offence-suspect",
        "court-order",
    }


@pytest.mark.rule("A19")
@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("live", [True, False])
def test_minors_only_for_their_life(purpose: Purpose, live: bool) -> None:
    asked = ask(purpose=purpose, minors=1)
    if not live:
        asked = replace(asked, live=False, from_ns=NOW - HOUR_NS, until_ns=NOW)
    assert refused(asked) == ("" if purpose in FOR_LIFE else "minor")


@pytest.mark.rule("A19")
@pytest.mark.parametrize(
    ("born", "today", "minor"),
    [
        (date(2005, 11, 14), date(2023, 11, 14), False),
        (date(2005, 11, 15), date(2023, 11, 14), True),
        (date(2005, 11, 14), date(2023, 11, 13), True),
        (date(2008, 2, 29), date(2026, 2, 28), True),
        (date(2008, 2, 29), date(2026, 3, 1), False),
        (date(2006, 1, 1), date(2023, 12, 31), True),
        (date(2006, 1, 1), date(2024, 1, 1), False),
    ],
)
def test_of_age_on_the_eighteenth_birthday(born: date, today: date, minor: bool) -> None:
    first_ns = (today - date(1970, 1, 1)).days * DAY_NS
    assert is_minor(born, first_ns) is minor
    assert is_minor(born, first_ns + DAY_NS - 1) is minor


# --- consent ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A7")
@pytest.mark.parametrize(
    ("cameras", "lasts_ns", "rule", "needed"),
    [
        (1, HOUR_NS, "", 1),
        (3, 24 * HOUR_NS, "", 1),
        (3, 24 * HOUR_NS + 1, "", 2),
        (4, 24 * HOUR_NS, "", 2),
        (10, 30 * DAY_NS, "", 2),
        (11, HOUR_NS, "consent-scope", None),
        (10, 30 * DAY_NS + 1, "authorisation-ceiling", None),
    ],
)
def test_consent_is_small_or_takes_two(cameras: int, lasts_ns: int, rule: str, needed: int | None) -> None:
    asked = ask(purpose=Purpose.CONSENT, cameras=cameras, until_ns=NOW + lasts_ns)
    assert refused(asked) == rule
    if needed is not None:
        assert approvals_needed(asked, Consented(cameras, lasts_ns), chained=False) == needed


@pytest.mark.rule("A7")
def test_slices_of_consent_count_together() -> None:
    asked = ask(purpose=Purpose.CONSENT)
    day = 24 * HOUR_NS
    for cameras, lasts_ns, needed in ((3, day, 1), (4, day, 2), (3, day + 1, 2), (10, 90 * DAY_NS, 2)):
        check_consented(Consented(cameras, lasts_ns))
        assert approvals_needed(asked, Consented(cameras, lasts_ns), chained=False) == needed
    with pytest.raises(RuleError) as error:
        check_consented(Consented(11, HOUR_NS))
    assert error.value.rule == "consent-scope"


@pytest.mark.rule("A7")
def test_consent_is_live_of_adults_and_never_urgent() -> None:
    assert refused(ask(purpose=Purpose.CONSENT)) == ""
    back = ask(purpose=Purpose.CONSENT, live=False, from_ns=NOW - HOUR_NS, until_ns=NOW)
    assert refused(back) == "consent-scope"
    assert refused(ask(purpose=Purpose.CONSENT, urgent=True)) == "urgent"
    assert refused(ask(purpose=Purpose.CONSENT, minors=1)) == "minor"


@pytest.mark.rule("A6")
@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.CONSENT])
def test_everything_else_takes_two_a_minor_and_a_chain_one_more_each(purpose: Purpose) -> None:
    asked, small = ask(purpose=purpose), Consented(1, HOUR_NS)
    assert approvals_needed(asked, small, chained=False) == 2
    assert approvals_needed(asked, small, chained=True) == 3
    assert approvals_needed(replace(asked, minors=2), small, chained=False) == 3
    assert approvals_needed(replace(asked, minors=1), small, chained=True) == 4
    assert approvals_needed(replace(asked, urgent=True), small, chained=False) == 2
    assert approvals_needed(ask(purpose=Purpose.CONSENT), small, chained=True) == 3


# --- ceilings ---------------------------------------------------------------------------------------------------------


def over(asked: Ask, others: Others, ceilings: Ceilings | None = None) -> str:
    try:
        check_ceilings(asked, ceilings or Ceilings(), others)
    except RuleError as error:
        return error.rule
    return ""


@pytest.mark.rule("P6")
@pytest.mark.parametrize(("delivering", "allowed"), [(0, 5), (50, 5), (59, 5), (60, 6), (69, 6), (70, 7), (1000, 100)])
def test_one_names_five_cameras_or_a_tenth(delivering: int, allowed: int) -> None:
    asked = ask(purpose=Purpose.COURT_ORDER, cameras=allowed)
    others = replace(OTHERS, delivering=delivering, cameras=allowed)
    assert over(asked, others) == ""
    assert over(replace(asked, cameras=allowed + 1), others) == "camera-ceiling"


@pytest.mark.rule("P7")
@pytest.mark.parametrize(("delivering", "allowed"), [(0, 5), (20, 5), (23, 5), (24, 6), (100, 25), (1000, 250)])
def test_all_together_search_five_cameras_or_a_quarter(delivering: int, allowed: int) -> None:
    others = replace(OTHERS, delivering=delivering, cameras=allowed)
    assert over(ask(), others) == ""
    assert over(ask(), replace(others, cameras=allowed + 1)) == "camera-ceiling-all"
    assert over(ask(live=False), replace(others, cameras=allowed + 1)) == "", "watches nothing"


@pytest.mark.rule("P9")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_small_installation_may_use_all_cameras_for_life(purpose: Purpose) -> None:
    all_of_them = replace(OTHERS, installed=19, cameras=19)
    asked = ask(purpose=purpose, cameras=19, until_ns=NOW + 72 * HOUR_NS)
    assert (over(asked, all_of_them) == "") is (purpose in FOR_LIFE)
    assert over(replace(asked, until_ns=asked.until_ns + 1), all_of_them) == "camera-ceiling"
    assert over(asked, replace(all_of_them, installed=20)) == "camera-ceiling"


@pytest.mark.rule("P10")
def test_a_hundred_people_at_most() -> None:
    assert over(ask(), replace(OTHERS, subjects=100)) == ""
    assert over(ask(), replace(OTHERS, subjects=101)) == "subject-ceiling"
    assert over(ask(live=False), replace(OTHERS, subjects=101)) == "subject-ceiling"
    assert over(ask(), replace(OTHERS, subjects=8), Ceilings(subjects=7)) == "subject-ceiling"


@PROPERTY
@given(st.integers(0, 5), st.floats(0, 0.1), st.integers(0, 500), st.integers(0, 200))
def test_no_ceiling_is_looser_than_the_law(cameras_one: int, share: float, delivering: int, asked: int) -> None:
    ceilings = Ceilings(cameras_one=cameras_one, share_one=share)
    wanted = ask(purpose=Purpose.COURT_ORDER, cameras=asked)
    if over(wanted, replace(OTHERS, delivering=delivering, cameras=1), ceilings) == "":
        assert asked <= max(5, delivering // 10)


# --- urgent and chains ------------------------------------------------------------------------------------------------


def listing(from_ns: int, until_ns: int, *, live: bool = True, urgent: bool = False, hours: float = 0) -> Listing:
    return Listing("other", live, urgent, from_ns, until_ns, hours)


@pytest.mark.rule("A12")
def test_urgent_once_in_thirty_days() -> None:
    before = listing(NOW - 30 * DAY_NS, NOW - 29 * DAY_NS, urgent=True)
    check_urgent([before], NOW)
    with pytest.raises(RuleError) as error:
        check_urgent([replace(before, from_ns=before.from_ns + 1)], NOW)
    assert error.value.rule == "urgent"
    check_urgent([replace(before, from_ns=NOW - 1, urgent=False)], NOW)


@pytest.mark.rule("A13")
def test_sixty_days_in_365() -> None:
    twice = [listing(NOW - (n + 1) * 40 * DAY_NS, NOW - (n + 1) * 40 * DAY_NS + 30 * DAY_NS) for n in range(2)]
    one_day, two_days = ask(until_ns=NOW + DAY_NS), ask(until_ns=NOW + 2 * DAY_NS)
    assert not over_chain(one_day, twice[:1], NOW)
    assert over_chain(one_day, twice, NOW), "61"
    short = replace(twice[1], until_ns=twice[1].until_ns - DAY_NS)
    assert not over_chain(one_day, [twice[0], short], NOW), "60"
    assert over_chain(two_days, [twice[0], short], NOW)


@pytest.mark.rule("A13")
def test_days_are_counted_once_and_only_within_a_year() -> None:
    month = listing(NOW - 31 * DAY_NS, NOW - DAY_NS)
    assert not over_chain(ask(until_ns=NOW + 30 * DAY_NS), [month, month, month], NOW)
    old = listing(NOW - 400 * DAY_NS, NOW - 365 * DAY_NS)
    assert not over_chain(ask(until_ns=NOW + DAY_NS), [month, old], NOW)
    ahead = listing(NOW + 30 * DAY_NS, NOW + 60 * DAY_NS)
    assert over_chain(ask(until_ns=NOW + DAY_NS), [month, ahead], NOW), "those that are approved for later count"


@pytest.mark.rule("A13")
def test_what_a_confirmed_urgent_one_was_listed_already_counts() -> None:
    before = listing(NOW - 100 * DAY_NS, NOW - 41 * DAY_NS)
    asked = ask(from_ns=NOW - DAY_NS, until_ns=NOW + DAY_NS)
    assert over_chain(asked, [before], NOW - DAY_NS)
    assert not over_chain(asked, [before], NOW), "control: counted from now, a day is missed"


@pytest.mark.rule("A14")
def test_a_hundred_and_twenty_camera_hours_in_thirty_days() -> None:
    back = ask(live=False, cameras=2, from_ns=NOW - 30 * HOUR_NS, until_ns=NOW)
    earlier = listing(NOW - 30 * DAY_NS + 1, 0, live=False, hours=60)
    assert camera_hours(2, back.from_ns, back.until_ns) == 60
    assert not over_chain(back, [earlier], NOW)
    assert over_chain(back, [replace(earlier, camera_hours=60.01)], NOW)
    assert not over_chain(back, [replace(earlier, from_ns=earlier.from_ns - 1, camera_hours=999)], NOW)
    assert over_chain(replace(back, cameras=5), [], NOW)


@pytest.mark.rule("A13")
@pytest.mark.rule("A14")
def test_beyond_a_chain_it_takes_a_document_and_time() -> None:
    check_chain(ask(has_decision=True))
    for asked in (ask(), ask(has_decision=True, urgent=True)):
        with pytest.raises(RuleError) as error:
            check_chain(asked)
        assert error.value.rule == "chain"


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=8))
def test_listed_days_are_those_of_a_calendar(windows: list[tuple[int, int]]) -> None:
    hours = {hour for start, end in windows for hour in range(start, end)}
    counted = listed_days((start * HOUR_NS, end * HOUR_NS) for start, end in windows)
    assert counted == len({hour // 24 for hour in hours})
