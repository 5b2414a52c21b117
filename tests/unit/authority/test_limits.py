"""Limits that cannot be had by spelling, in slices, ahead of time, or because a tighter policy came too late."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.installation import ADULT, DAY, HOUR, Installation, person, rule_of
from tests.strategies import PROPERTY

from habeas.accounts.roles import Actor
from habeas.authority import authorisations, discard, reading
from habeas.authority.listing import _said, day_of
from habeas.authority.purposes import Purpose
from habeas.keys import Scope
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera

CONSENT = {"purpose": Purpose.CONSENT}


def cameras(place: Installation, *names: str) -> tuple[Camera, ...]:
    for name in names:
        if not place.look(Camera, camera_id=name):
            place.camera(name)
    return tuple(place.look(Camera, camera_id=list(names)))


def shown(place: Installation, who: str, authorisation_id: str) -> dict[str, object]:
    def command(tx: Tx, actor: Actor) -> dict[str, object]:
        return reading.shown(tx, place.keys, actor, tx.get(Authorisation, authorisation_id))

    return place.do(who, command)


def tighten(place: Installation, **changes: object) -> None:
    proposed = place.propose_policy("pia", **changes)
    for approver in ("abe", "bea"):
        place.approve_policy(proposed.policy_id, approver)
    place.tick()


# --- one person, however spelled --------------------------------------------------------------------------------------

SPELLINGS = (
    "Doe, Kim",
    "KIM DOE.",
    "Kim D\u200boe",
    "Kim\u2011Doe",
    "Kim D\u00adoe",
    "Kim D\u2060oe",
    "Kim D\u3164oe",
    "Kim D\ufe0foe",
    "Kim\u2028Doe",
    "\uff2bim (Doe)",
)


@pytest.mark.rule("A12")
@pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
def test_a_name_has_one_tag_however_it_is_spelled(place: Installation, name: str) -> None:
    row = place.started(by=["abe"], urgent=True)
    place.revoke(row.authorisation_id)
    assert rule_of(lambda: place.submitted(people=(person(name),), urgent=True)) == "urgent"
    place.submitted(people=(person("Kim Roe"),), urgent=True)  # control: somebody else


@PROPERTY
@given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.text(st.characters(categories=["Cf", "M"])))
def test_what_nobody_sees_changes_no_tag(word: str, unseen: str) -> None:
    plain = _said(word, ADULT)
    assert _said(word[:1] + unseen + word[1:], ADULT) == plain
    assert _said(f" {word.casefold()}, ", ADULT) == plain


# --- ahead of time ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("A10")
def test_nobody_is_listed_for_years_ahead(place: Installation) -> None:
    now, year = place.clock.now_ns(), 365 * DAY
    assert rule_of(lambda: place.draft(from_ns=now + year, until_ns=now + year + HOUR)) == "authorisation-ceiling"
    row = place.draft(from_ns=now + 29 * DAY, until_ns=now + 30 * DAY)
    later = {"until_ns": now + 30 * DAY + 1, "names": ["c1"]}
    assert rule_of(lambda: place.amend(row.authorisation_id, **later)) == "authorisation-ceiling"  # type: ignore[arg-type]
    place.submit(row.authorisation_id)
    tighten(place, authorisation_h=24 * 20)
    assert rule_of(lambda: place.approve(row.authorisation_id, "cid")) == "authorisation-ceiling"


@pytest.mark.rule("A19")
def test_whoever_is_a_minor_now_is_one(place: Installation) -> None:
    now = place.clock.now_ns()
    today = day_of(now + 29 * DAY)
    teen = (person("Teen", date(today.year - 18, today.month, today.day)),)
    ahead = {"from_ns": now + 29 * DAY, "until_ns": now + 30 * DAY, "people": teen}
    assert rule_of(lambda: place.draft(**CONSENT, **ahead)) == "minor"
    assert rule_of(lambda: place.draft(**CONSENT, **ahead, minor=True)) == "minor"


@pytest.mark.rule("A19")
@pytest.mark.parametrize("step", ["submit", "approve"])
def test_a_minor_drafted_by_a_wrong_clock_is_one_by_the_right_one(place: Installation, step: str) -> None:
    right = place.clock.now_ns()
    born = day_of(right) - timedelta(days=18 * 365 - 200)
    place.advance(300 * DAY)
    row = place.draft(**CONSENT, people=(person("Teen", born),))
    if step == "approve":
        place.submit(row.authorisation_id)
    assert not place.subjects(row.authorisation_id)[0].minor

    def by_the_right_clock() -> None:
        with place.store.write() as tx:
            tx.now_ns = right
            asked = tx.change(row, created_at_ns=right, from_ns=right, until_ns=right + HOUR)
            if step == "submit":
                authorisations.submit(tx, place.keys, place.actor(tx, "rob"), row.authorisation_id)
            else:
                shown_hash = authorisations.hash_of(tx, asked)
                authorisations.approve(tx, place.keys, place.actor(tx, "abe"), row.authorisation_id, shown_hash)

    assert rule_of(by_the_right_clock) == "minor"


# --- in slices --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A7")
def test_consent_in_slices_takes_two(place: Installation) -> None:
    now = place.clock.now_ns()
    first = place.started(by=["abe"], **CONSENT, cameras=cameras(place, "c1", "c2"), until_ns=now + 12 * HOUR)
    assert first.state == "active"
    same = place.submitted("rita", **CONSENT, cameras=cameras(place, "c2", "c3"), until_ns=now + 12 * HOUR)
    wider = place.submitted("rita", **CONSENT, cameras=cameras(place, "c3", "c4"), until_ns=now + HOUR)
    other = place.submitted(**CONSENT, cameras=cameras(place, "c3", "c4"), people=(person("Lee Roe"),))
    assert place.approve(wider.authorisation_id, "abe").state == "submitted", "four cameras in all"
    assert place.approve(other.authorisation_id, "abe").state == "active", "control: somebody else"
    place.refuse(wider.authorisation_id, "bea")
    assert place.approve(same.authorisation_id, "abe").state == "active", "control: three cameras, 24 h"
    more = place.submitted(**CONSENT, until_ns=now + HOUR)
    assert place.approve(more.authorisation_id, "abe").state == "submitted", "25 h in all"
    assert place.approve(more.authorisation_id, "bea").state == "active"


@pytest.mark.rule("A7")
def test_what_began_within_a_day_counts_though_it_is_over(place: Installation) -> None:
    first = place.started(by=["abe"], **CONSENT, cameras=cameras(place, "c1", "c2", "c3"))
    place.revoke(first.authorisation_id)
    next_one = place.submitted(**CONSENT, cameras=cameras(place, "c4"), until_ns=place.clock.now_ns() + 2 * DAY)
    place.clock.advance(DAY - 1)
    assert place.approve(next_one.authorisation_id, "abe").state == "submitted"
    place.clock.advance(1)
    fresh = place.submitted(**CONSENT, cameras=cameras(place, "c5"))
    place.refuse(next_one.authorisation_id, "bea")
    assert place.approve(fresh.authorisation_id, "abe").state == "active", "control: a day later it does not"


@pytest.mark.rule("A7")
def test_nobody_consents_to_more_than_ten_cameras_in_slices(place: Installation) -> None:
    for number in range(60):
        place.camera(f"d{number}", host=f"3.{number + 1}")
    six, five = cameras(place, *(f"d{n}" for n in range(6))), cameras(place, *(f"d{n}" for n in range(6, 11)))
    place.started(**CONSENT, cameras=six)
    waiting = place.draft("rita", **CONSENT, cameras=five)
    assert rule_of(lambda: place.submit(waiting.authorisation_id, "rita")) == "consent-scope"
    place.submitted("rita", **CONSENT, cameras=five[:4])  # control: ten


# --- a tighter policy reaches what runs -------------------------------------------------------------------------------


@pytest.mark.rule("P3")
def test_what_ran_longer_than_a_tighter_policy_permits_ends(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + 10 * DAY)
    short = place.started("rita", until_ns=place.clock.now_ns() + 10 * DAY, people=(person("Lee Roe"),))
    tighten(place, authorisation_h=48)
    place.advance(2 * DAY - 1)
    assert place.row(row.authorisation_id).state == "active"
    place.advance(1)
    assert {place.row(one.authorisation_id).state for one in (row, short)} == {"expired"}
    assert place.keys.ids(Scope.SUBJECT) == frozenset()


@pytest.mark.rule("P3")
@pytest.mark.parametrize("changes", [{"subjects": 2}, {"cameras_all": 2, "share_all": 0.0}])
def test_the_newest_over_a_tighter_ceiling_end(place: Installation, changes: dict[str, object]) -> None:
    rows = []
    for number, name in enumerate(("c1", "c2", "c3")):
        asked = {"cameras": cameras(place, name), "purpose": Purpose.COURT_ORDER}
        rows.append(place.started(**asked, people=(person(f"Kim {number}", seed=number),)))
        place.clock.advance(1)
    place.tick()
    assert all(place.row(one.authorisation_id).state == "active" for one in rows), "control"
    tighten(place, **changes)
    assert [place.row(one.authorisation_id).state for one in rows] == ["active", "active", "expired"]
    assert place.compared("c3") == set()


@pytest.mark.rule("P3")
def test_one_with_more_cameras_than_a_tighter_policy_permits_ends(place: Installation) -> None:
    row = place.started(cameras=cameras(place, "c1", "c2"), purpose=Purpose.COURT_ORDER)
    place.clock.advance(1)
    for_life = place.started(cameras=cameras(place, "c1", "c2", "c3"), people=(person("Lee Roe"),))
    place.clock.advance(1)
    tighten(place, cameras_one=1, share_one=0.0)
    assert place.row(row.authorisation_id).state == "expired"
    assert place.row(for_life.authorisation_id).state == "active", "a small installation, for life"


@pytest.mark.rule("P8")
def test_cameras_that_fall_silent_end_nothing(place: Installation) -> None:
    for number in range(60):
        place.camera(f"d{number}", host=f"3.{number + 1}")
    asked = {"purpose": Purpose.COURT_ORDER, "until_ns": place.clock.now_ns() + 9 * DAY}
    row = place.started(cameras=cameras(place, *(f"d{n}" for n in range(6))), **asked)
    place.clock.advance(1)
    tighten(place, fpir=1e-6)
    place.advance(2 * DAY)
    assert place.row(row.authorisation_id).state == "active"


# --- what is told, and left -------------------------------------------------------------------------------------------


@pytest.mark.rule("A21")
def test_one_face_twice_in_a_request_is_shown_to_approvers_only(place: Installation) -> None:
    row = place.submitted(people=(person("Kim Doe"), person("Kim Other"), person("Lee Roe", seed=5)))
    twins = sorted(one.subject_id for one in place.subjects(row.authorisation_id))
    for who in ("rob", "rita", "pia", "aud"):
        assert "look_alikes" not in shown(place, who, row.authorisation_id)
    found = shown(place, "abe", row.authorisation_id)["look_alikes"]
    assert isinstance(found, list)
    assert len(found) == 1
    assert found[0]["other_authorisation"] == row.authorisation_id
    assert {found[0]["subject"], found[0]["other_subject"]} < set(twins)


@pytest.mark.rule("A17")
@pytest.mark.rule("O13")
def test_why_it_ended_is_for_those_who_see_people_and_goes(place: Installation) -> None:
    row = place.started()

    def revoke(tx: Tx, actor: Actor) -> Authorisation:
        return authorisations.revoke(tx, place.keys, actor, row.authorisation_id, "found Kim Doe at home")

    place.do("rob", revoke)
    assert {one.report for one in place.references(row.authorisation_id)} == {"{}"}
    for who, sees in (("rob", True), ("abe", True), ("rita", False), ("aud", False), ("pia", False)):
        assert (shown(place, who, row.authorisation_id)["why_ended"] is not None) is sees, who
    with place.store.write() as tx:
        discard.tick(tx, place.keys)
    assert shown(place, "rob", row.authorisation_id)["why_ended"] is None
    assert "Kim" not in repr(place.row(row.authorisation_id))
    assert place.row(row.authorisation_id).reference == "MP-1", "the file number stays"
