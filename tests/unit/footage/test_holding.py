"""What a hold may ask for: each limit to the nanosecond, and camera time that is counted once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.installation import rule_of

from habeas.errors import InputError
from habeas.footage.holding import (
    Span,
    State,
    began_ns,
    check_graces,
    check_interval,
    check_request,
    check_share,
    check_term,
    covered_ns,
    due_ns,
    is_kept,
    searchable,
    spans,
)
from habeas.store.footage_records import Hold
from habeas.types import DAY_NS, HOUR_NS

NOW = 1_800_000_000 * 10**9
SPANS = st.lists(
    st.builds(
        lambda camera, from_ns, lasts_ns: Span(camera, from_ns, from_ns + lasts_ns),
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.integers(0, 12),
    ),
    max_size=8,
)


def hold(**changes: object) -> Hold:
    told: dict[str, object] = {
        "hold_id": "hold-1",
        "state": State.HELD.value,
        "requester": "acc-1",
        "cameras": ("c1",),
        "from_ns": NOW - HOUR_NS,
        "until_ns": NOW,
        "ends_at_ns": NOW + DAY_NS,
        "proposed_at_ns": NOW,
        "key_id": "hold-k",
        "asked_sealed": None,
        "commitment": "",
        "since_ns": NOW,
    }
    return Hold(**{**told, **changes})  # type: ignore[arg-type]  # by name


@given(SPANS)
def test_camera_time_counts_once_however_often_it_is_named(asked: list[Span]) -> None:
    instants = {(one.camera_id, ns) for one in asked for ns in range(one.from_ns, one.until_ns)}
    assert covered_ns(asked) == len(instants)


def test_an_interval_of_cameras_counts_for_each() -> None:
    assert covered_ns(spans(("a", "b"), 5, 8)) == 6
    assert covered_ns([]) == 0


@pytest.mark.rule("T7")
def test_terms_to_the_nanosecond() -> None:
    def refused(since_ns: int, ends_ns: int, *, has_decision: bool = False) -> str:
        return rule_of(lambda: check_term(NOW, since_ns, ends_ns, has_decision=has_decision))

    assert refused(NOW, NOW + 31 * DAY_NS) == ""
    assert refused(NOW, NOW + 31 * DAY_NS + 1) == "hold-term"
    assert refused(NOW, NOW + 31 * DAY_NS + 1, has_decision=True) == "hold-term", "31 days each, whoever orders it"
    long_ns = NOW - 92 * DAY_NS
    assert refused(long_ns, NOW + DAY_NS) == ""
    assert refused(long_ns, NOW + DAY_NS + 1) == "hold-chain"
    assert refused(long_ns, NOW + DAY_NS + 1, has_decision=True) == ""
    with pytest.raises(InputError, match="has passed"):
        check_term(NOW, NOW, NOW, has_decision=True)


@pytest.mark.rule("T8")
@pytest.mark.rule("T12")
def test_shares_to_the_nanosecond() -> None:
    for check, rule in ((check_share, "hold-share"), (check_graces, "request-share")):
        assert rule_of(lambda check=check: check(10, 1000)) == ""
        assert rule_of(lambda check=check: check(10, 999)) == rule
        assert rule_of(lambda check=check: check(1, 0)) == rule
    assert rule_of(lambda: check_request(2 * HOUR_NS)) == ""
    assert rule_of(lambda: check_request(2 * HOUR_NS + 1)) == "request-size"


def test_intervals_that_are_not_over_or_turned_round() -> None:
    check_interval(NOW, NOW - 1, NOW)
    assert rule_of(lambda: check_interval(NOW, NOW - 1, NOW + 1)) == "hold-interval"
    with pytest.raises(InputError, match="before it begins"):
        check_interval(NOW, NOW, NOW)


@pytest.mark.rule("T7")
def test_footage_is_held_since_the_first_hold_it_may_be_copied_from() -> None:
    early, other = hold(hold_id="hold-0", since_ns=NOW - DAY_NS), hold(hold_id="hold-2", cameras=("c2",), since_ns=1)
    before, after = hold(until_ns=NOW - HOUR_NS, since_ns=2), hold(from_ns=NOW, until_ns=NOW + 1, since_ns=3)
    new = hold(hold_id="hold-9", from_ns=NOW - HOUR_NS, until_ns=NOW)
    assert began_ns([early, other, before, after], new, NOW) == NOW - DAY_NS
    assert began_ns([other, before, after], new, NOW) == NOW, "of other footage"
    assert began_ns([hold(since_ns=5)], hold(), NOW) == NOW, "itself"


@pytest.mark.rule("T9")
def test_a_hold_is_looked_at_while_it_is_kept_and_searched_by_whom_it_names() -> None:
    assert is_kept(hold(), NOW + DAY_NS - 1)
    assert not is_kept(hold(), NOW + DAY_NS)
    for state in set(State) - {State.HELD}:
        assert not is_kept(hold(state=state.value), NOW)
    assert searchable(hold(authorisation_id="aut-1"), "aut-1", NOW)
    assert not searchable(hold(authorisation_id="aut-1"), "aut-2", NOW)
    assert not searchable(hold(authorisation_id="aut-1", state=State.APPROVED.value), "aut-1", NOW)


def test_a_proposal_lapses_in_seven_days_or_at_its_end() -> None:
    proposed = {"state": State.PROPOSED.value, "proposed_at_ns": NOW}
    assert due_ns(hold(**proposed)) == NOW + DAY_NS
    assert due_ns(hold(**proposed, ends_at_ns=NOW + 20 * DAY_NS)) == NOW + 7 * DAY_NS
    assert due_ns(hold(ends_at_ns=NOW + 20 * DAY_NS)) == NOW + 20 * DAY_NS
