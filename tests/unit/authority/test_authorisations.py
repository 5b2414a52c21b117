"""The life of an authorisation: who it takes, what they bind, and when it is over."""

import contextlib
import hashlib
from collections.abc import Callable
from datetime import date

import pytest
from tests.installation import ADULT, DAY, HOUR, Installation, person, rule_of, vector

from habeas.accounts.roles import Actor, Role
from habeas.authority import authorisations, notices, reading
from habeas.authority.listing import all_tags, listings
from habeas.authority.purposes import Purpose
from habeas.authority.requests import EnrolledImage, Person
from habeas.errors import InputError, RuleError
from habeas.keys import Scope
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera, Entry, Meta

CHILD = date(2012, 1, 1)  # the clock stands in November 2023


class Undone(Exception):
    """Ends a transaction of which nothing is to remain."""


def cameras(place: Installation, count: int) -> tuple[Camera, ...]:
    """As many cameras, made where there are none."""
    for number in range(len(place.look(Camera)), count):
        place.camera(f"c{number + 1}")
    return tuple(place.look(Camera, removed_at_ns=None)[:count])


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A1")
def test_a_draft_is_submitted_approved_and_expires(place: Installation) -> None:
    row = place.draft()
    states = [row.state]
    for step in (place.submit, lambda i: place.approve(i, "abe"), lambda i: place.approve(i, "bea")):
        assert place.compared("c1") == set()
        states.append(step(row.authorisation_id).state)
    assert place.compared("c1") == {row.authorisation_id}
    place.advance(2 * HOUR)
    states.append(place.row(row.authorisation_id).state)
    assert states == ["draft", "submitted", "submitted", "active", "expired"]


STEPS: dict[str, Callable[[Installation, str], object]] = {
    "amend": lambda place, i: place.amend(i, until_ns=place.clock.now_ns() + HOUR, names=["c1"]),
    "submit": lambda place, i: place.submit(i),
    "approve": lambda place, i: place.approve(i, "cid"),
    "refuse": lambda place, i: place.refuse(i, "cid"),
    "revoke": lambda place, i: place.revoke(i),
    "renew": lambda place, i: place.renew(i, until_ns=place.clock.now_ns() + 5 * HOUR),
}
MAY: dict[str, set[str]] = {
    "draft": {"amend", "submit", "revoke", "renew"},
    "submitted": {"amend", "approve", "refuse", "revoke", "renew"},
    "active": {"revoke", "renew"},
    "expired": set(),
    "refused": set(),
    "revoked": set(),
}


@pytest.mark.rule("A1")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", MAY)
def test_no_other_way_leads_from_a_state(place: Installation, state: str, step: str) -> None:
    row = place.draft()
    if state != "draft":
        place.submit(row.authorisation_id)
    if state in {"active", "expired"}:
        place.approve(row.authorisation_id, "abe")
        place.approve(row.authorisation_id, "bea")
    if state == "expired":
        place.advance(2 * HOUR)
    if state == "refused":
        place.refuse(row.authorisation_id)
    if state == "revoked":
        place.revoke(row.authorisation_id)
    assert place.row(row.authorisation_id).state == state
    assert (rule_of(lambda: STEPS[step](place, row.authorisation_id)) == "") is (step in MAY[state])


@pytest.mark.rule("A1")
@pytest.mark.parametrize("step", [step for step in STEPS if step not in {"refuse", "revoke"}])
@pytest.mark.parametrize("state", ["draft", "submitted", "active", "urgent"])
def test_what_the_clock_ended_goes_on_by_nobodys_hand(place: Installation, state: str, step: str) -> None:
    """The instant counts, not the tick that comes after it."""
    row = place.draft(urgent=state == "urgent")
    if state != "draft":
        place.submit(row.authorisation_id)
    for approver in {"active": ["abe", "bea"], "urgent": ["abe"]}.get(state, []):
        place.approve(row.authorisation_id, approver)
    place.advance(2 * HOUR, tick=False)
    assert rule_of(lambda: STEPS[step](place, row.authorisation_id)) == "state"
    assert place.compared("c1") == set()


@pytest.mark.rule("A1")
def test_a_request_that_nobody_decides_lapses(place: Installation) -> None:
    long = {"until_ns": place.clock.now_ns() + 20 * DAY}
    drafted, submitted = place.draft(**long), place.submitted(**long)
    place.advance(7 * DAY - 1)
    assert place.row(submitted.authorisation_id).state == "submitted"
    place.advance(1)
    assert place.row(submitted.authorisation_id).state == "refused"
    assert place.row(drafted.authorisation_id).state == "expired"


@pytest.mark.rule("A1")
def test_who_may_end_one(place: Installation) -> None:
    for who in ("rob", "abe", "pia"):
        place.revoke(place.started().authorisation_id, who)
    row = place.started()
    for who in ("rita", "opal", "ann", "aud"):
        assert rule_of(lambda who=who: place.revoke(row.authorisation_id, who)) == "role"  # type: ignore[misc]
    assert rule_of(lambda: place.submit(place.draft().authorisation_id, "rita")) == "own-draft"


# --- approvals --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A6")
def test_two_distinct_approvers_neither_the_requester(place: Installation) -> None:
    row = place.submitted()
    assert place.approve(row.authorisation_id, "abe").state == "submitted"
    assert rule_of(lambda: place.approve(row.authorisation_id, "abe")) == "two-persons"
    assert rule_of(lambda: place.approve(row.authorisation_id, "rob")) == "role"
    assert place.approve(row.authorisation_id, "bea").state == "active"
    place.grant("rob", Role.APPROVER, "abe")  # he becomes an approver too
    place.grant("rob", Role.APPROVER, "rita")
    place.advance(DAY)
    mine = place.submitted()
    assert rule_of(lambda: place.approve(mine.authorisation_id, "rob")) == "own-request"
    assert rule_of(lambda: place.refuse(mine.authorisation_id, "rob")) == "own-request"
    theirs = place.submitted("rita")
    assert place.approve(theirs.authorisation_id, "rob").state == "submitted", "control"


@pytest.mark.rule("A2")
def test_an_approval_is_of_what_was_shown(place: Installation) -> None:
    row = place.submitted()
    assert rule_of(lambda: place.approve(row.authorisation_id, "abe", "0" * 64)) == "content-changed"
    place.approve(row.authorisation_id, "abe", row.content_hash)
    edited = place.amend(row.authorisation_id, until_ns=row.until_ns + HOUR, names=["c1", "c2"])
    assert rule_of(lambda: place.approve(row.authorisation_id, "bea", row.content_hash)) == "content-changed"
    assert place.approve(row.authorisation_id, "bea", edited.content_hash).state == "submitted", "the first is void"
    assert place.approve(row.authorisation_id, "abe", edited.content_hash).state == "active"


@pytest.mark.rule("A2")
def test_amending_back_revives_no_approval(place: Installation) -> None:
    row = place.submitted()
    place.approve(row.authorisation_id, "abe", row.content_hash)
    place.amend(row.authorisation_id, until_ns=row.until_ns + HOUR, names=["c1"])
    back = place.amend(row.authorisation_id, until_ns=row.until_ns, names=["c1"])
    assert (back.until_ns, back.cameras) == (row.until_ns, row.cameras)
    assert back.content_hash != row.content_hash
    assert place.approve(row.authorisation_id, "bea", back.content_hash).state == "submitted"
    assert place.approve(row.authorisation_id, "abe", back.content_hash).state == "active"


@pytest.mark.rule("A2")
def test_the_hash_binds_whom_where_when_and_why(place: Installation) -> None:
    row = place.submitted(people=(person("Kim Doe"), person("Lee Roe", seed=9)))
    (first, _second), references = place.subjects(row.authorisation_id), place.references(row.authorisation_id)
    changes: list[tuple[object, dict[str, object]]] = [
        (row, {name: value})
        for name, value in {
            "cameras": (("c1", "other"),),
            "from_ns": row.from_ns + 1,
            "until_ns": row.until_ns + 1,
            "purpose": "threat-to-life",
            "kind": "retrospective",
            "authority": "Another",
            "reference": "X-2",
            "decision_sha256": "0" * 64,
            "urgent": True,
            "minor": True,
            "requester": "another",
            "revision": 1,
        }.items()
    ]
    changes += [(first, {"commitment": "x"}), (references[0], {"commitment": "x"}), (references[0], {"model_id": "n"})]
    for record, change in changes:
        with contextlib.suppress(Undone), place.store.write() as tx:
            tx.change(record, **change)
            changed = tx.get(Authorisation, row.authorisation_id)
            assert authorisations.hash_of(tx, changed) != row.content_hash, change
            raise Undone
    place.approve(row.authorisation_id, "abe", row.content_hash)


@pytest.mark.rule("A3")
def test_a_camera_whose_source_changed_drops_out(place: Installation) -> None:
    row = place.started(cameras=cameras(place, 2))
    assert place.compared("c1") == place.compared("c2") == {row.authorisation_id}
    with place.store.write() as tx:
        tx.change(tx.get(Camera, "c2"), source_digest="another")
    place.refresh()
    assert place.compared("c2") == set()
    assert place.compared("c1") == {row.authorisation_id}, "control"
    place.remove_camera("c1")
    assert place.compared("c1") == set()
    with pytest.raises(InputError, match="used before"):
        place.camera("c1")
    place.camera("c9", host="0.2")
    assert place.compared("c9") == set(), "the same source under another name is another camera"


@pytest.mark.rule("A6")
@pytest.mark.parametrize("how", ["revoked", "disabled", "granted-anew"])
def test_an_approval_counts_while_its_giver_is_an_approver(place: Installation, how: str) -> None:
    row = place.submitted(until_ns=place.clock.now_ns() + 3 * DAY)
    place.approve(row.authorisation_id, "abe")
    if how == "disabled":
        place.disable("abe")
    else:
        place.revoke_role("abe", Role.APPROVER)
    if how == "granted-anew":
        place.grant("abe", Role.APPROVER, "bea")
        place.grant("abe", Role.APPROVER, "rita")
        place.advance(DAY)
    assert place.approve(row.authorisation_id, "bea").state == "submitted"
    assert place.approve(row.authorisation_id, "cid").state == "active"


@pytest.mark.rule("A6")
@pytest.mark.rule("O7")
def test_one_person_counts_once_whatever_becomes_of_the_accounts(place: Installation) -> None:
    """Approve by one account, lose that role, approve by the other, get the role back: still one person."""
    place.hire("abe2", Role.APPROVER, person_name="abe")
    row = place.submitted(until_ns=place.clock.now_ns() + 3 * DAY)
    place.approve(row.authorisation_id, "abe")
    place.revoke_role("abe", Role.APPROVER)
    place.approve(row.authorisation_id, "abe2")
    place.grant("abe", Role.APPROVER, "bea")
    place.grant("abe", Role.APPROVER, "rita")
    place.advance(DAY)
    assert rule_of(lambda: place.approve(row.authorisation_id, "abe")) == "two-persons"
    assert place.row(row.authorisation_id).state == "submitted"


@pytest.mark.rule("A4")
def test_a_policy_that_shortens_purposes_binds_what_waits_and_what_runs(place: Installation) -> None:
    running, waiting = place.started(), place.submitted()
    changed = place.propose_policy("pia", purposes=["consent"])
    for approver in ("abe", "bea"):
        place.approve_policy(changed.policy_id, approver)
    assert rule_of(lambda: place.approve(waiting.authorisation_id, "abe")) == "purpose"
    assert place.compared("c1") == set()
    place.tick()
    assert place.row(running.authorisation_id).state == "expired"


@pytest.mark.rule("A5")
@pytest.mark.parametrize("purpose", [Purpose.SERIOUS_OFFENCE_SUSPECT, Purpose.COURT_ORDER])
def test_a_decision_is_kept_as_its_hash(place: Installation, purpose: Purpose) -> None:
    row = place.draft(purpose=purpose, decision=b"In the name of")
    assert row.decision_sha256 == hashlib.sha256(b"In the name of").hexdigest()
    assert row.decision_status == "uploaded"
    assert place.draft(purpose=purpose).decision_status == "missing"
    assert place.draft(purpose=Purpose.MISSING_PERSON).decision_status == "not needed", "nothing is missing"
    with pytest.raises(InputError, match="empty"):
        place.draft(purpose=purpose, decision=b"")


# --- consent ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A7")
def test_a_small_consent_takes_one_a_larger_one_two(place: Installation) -> None:
    small = place.submitted(purpose=Purpose.CONSENT, cameras=cameras(place, 3))
    assert place.approve(small.authorisation_id, "abe").state == "active"
    larger = place.submitted(purpose=Purpose.CONSENT, cameras=cameras(place, 4))
    assert place.approve(larger.authorisation_id, "abe").state == "submitted"
    assert place.approve(larger.authorisation_id, "bea").state == "active"


@pytest.mark.rule("A8")
def test_its_subject_ends_a_consent_with_a_code(place: Installation) -> None:
    made = place.drafted(purpose=Purpose.CONSENT)
    row, code = made.authorisation, made.consent_code or ""
    place.submit(row.authorisation_id)
    place.approve(row.authorisation_id, "abe")
    with pytest.raises(RuleError):
        place.end_consent("AAAAA-AAAAA-AAAAA-AAAAA")
    assert place.compared("c1") == {row.authorisation_id}
    place.end_consent(code.lower().replace("-", " "))
    assert place.compared("c1") == set()
    assert place.row(row.authorisation_id).state == "revoked"
    assert rule_of(lambda: place.end_consent(code)) == "consent-code"
    assert code not in repr(place.look(Authorisation)) + repr(made)
    assert place.drafted().consent_code is None


@pytest.mark.rule("A8")
def test_the_code_ends_what_renewed_the_consent_too(place: Installation) -> None:
    made = place.drafted(purpose=Purpose.CONSENT)
    place.submit(made.authorisation.authorisation_id)
    place.approve(made.authorisation.authorisation_id, "abe")
    again = place.renew(made.authorisation.authorisation_id, until_ns=place.clock.now_ns() + 9 * HOUR)
    place.submit(again.authorisation.authorisation_id)
    place.approve(again.authorisation.authorisation_id, "abe")
    place.advance(3 * HOUR)
    assert place.compared("c1") == {again.authorisation.authorisation_id}
    place.end_consent(made.consent_code or "")
    assert place.compared("c1") == set()


# --- urgent -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("A11")
def test_urgent_starts_with_one_and_is_refused_by_the_clock(place: Installation) -> None:
    row = place.started(by=["abe"], urgent=True, until_ns=place.clock.now_ns() + 3 * DAY)
    assert place.compared("c1") == {row.authorisation_id}
    assert row.ends_at_ns == place.clock.now_ns() + DAY
    place.advance(DAY - 1)
    assert place.compared("c1") == {row.authorisation_id}
    place.advance(1, tick=False)
    assert place.compared("c1") == set()
    place.tick()
    assert place.row(row.authorisation_id).state == "refused"


@pytest.mark.rule("A11")
def test_urgent_goes_on_once_the_second_approves(place: Installation) -> None:
    row = place.started(by=["abe"], urgent=True, until_ns=place.clock.now_ns() + 3 * DAY)
    place.advance(DAY - 1)
    place.approve(row.authorisation_id, "bea")
    place.advance(2 * DAY)
    assert place.compared("c1") == {row.authorisation_id}
    assert all(place.keys.expires_at_ns(one.key_id) == row.until_ns for one in place.subjects(row.authorisation_id))
    place.advance(1)
    assert place.row(row.authorisation_id).state == "expired"


@pytest.mark.rule("A11")
def test_one_approver_is_enough_to_refuse_it(place: Installation) -> None:
    row = place.started(by=["abe"], urgent=True)
    place.refuse(row.authorisation_id, "bea")
    assert place.compared("c1") == set()


@pytest.mark.rule("A12")
def test_urgent_once_in_thirty_days_for_a_person(place: Installation) -> None:
    urgent = {"urgent": True}
    row = place.started(by=["abe"], **urgent)
    place.revoke(row.authorisation_id)
    same = (person("DOE, Kím".replace(",", "")),)
    waiting = place.draft(people=same, **urgent)
    assert rule_of(lambda: place.submit(waiting.authorisation_id)) == "urgent"
    place.started(people=(person("Kim Doe", date(1980, 5, 18)),), by=["abe"], **urgent)  # control: somebody else
    place.advance(30 * DAY - 1)
    assert rule_of(lambda: place.submitted(**urgent)) == "urgent"
    place.advance(1)
    place.submitted(**urgent)


@pytest.mark.rule("A12")
def test_two_urgent_ones_asked_for_at_once_do_not_both_start(place: Installation) -> None:
    first, second = place.submitted(urgent=True), place.submitted("rita", urgent=True)
    place.approve(first.authorisation_id, "abe")
    assert rule_of(lambda: place.approve(second.authorisation_id, "abe")) == "urgent"


# --- chains -----------------------------------------------------------------------------------------------------------


def list_days(place: Installation, days: int) -> None:
    """List Kim for so many days, by one authorisation after another."""
    while days:
        part = min(days, 30)
        row = place.started(purpose=Purpose.COURT_ORDER, until_ns=place.clock.now_ns() + part * DAY)
        place.advance((part - 1) * DAY)
        place.advance(DAY)
        assert place.row(row.authorisation_id).state == "expired"
        days -= part


@pytest.mark.rule("A13")
def test_a_person_is_listed_sixty_days_a_year(place: Installation) -> None:
    place.clock.advance(DAY - place.clock.now_ns() % DAY)  # midnight, so that days are whole
    list_days(place, 59)
    place.submitted(until_ns=place.clock.now_ns() + DAY)
    assert rule_of(lambda: place.submitted(until_ns=place.clock.now_ns() + DAY + 1)) == "chain"
    more = place.submitted(until_ns=place.clock.now_ns() + 2 * DAY, decision=b"order", purpose=Purpose.COURT_ORDER)
    states = [place.approve(more.authorisation_id, who).state for who in ("abe", "bea", "cid")]
    assert states == ["submitted", "submitted", "active"]
    place.submitted(until_ns=place.clock.now_ns() + 9 * DAY, people=(person("Lee Roe"),))  # control


@pytest.mark.rule("A13")
@pytest.mark.rule("A17")
def test_listed_days_are_remembered_for_a_year_and_no_tag_key_longer(place: Installation) -> None:
    """A tag is made anew each day of its listing, so that no key is needed beyond its twelve months."""
    place.clock.advance(DAY - place.clock.now_ns() % DAY)

    def remembered() -> int:
        with place.store.read() as tx:
            return len(listings(tx, all_tags(place.keys, "Kim Doe", ADULT)))

    list_days(place, 60)  # two listings, of thirty days each
    assert all(place.keys.expires_at_ns(key) <= place.clock.now_ns() + 365 * DAY for key in place.keys.ids(Scope.TAG))
    place.advance(334 * DAY - 1)  # the last day of the first one began 365 days ago, its draft was 394 days ago
    assert remembered() == 2
    place.advance(30 * DAY)
    assert remembered() == 1
    place.advance(30 * DAY)
    assert remembered() == 0
    assert place.keys.ids(Scope.TAG) == frozenset()


@pytest.mark.rule("A17")
def test_a_restored_database_makes_a_new_tag_key(place: Installation) -> None:
    place.draft()
    place.keys.destroy(place.keys.ids(Scope.TAG))
    place.draft()
    (meta,) = [one for one in place.look(Meta) if one.name.startswith("tag-key-")]
    assert {meta.value} == place.keys.ids(Scope.TAG)


@pytest.mark.rule("A14")
@pytest.mark.rule("A18")
def test_a_hundred_and_twenty_camera_hours_of_footage(place: Installation) -> None:
    now = place.clock.now_ns()
    back = {"live": False, "from_ns": now - 60 * HOUR, "until_ns": now, "cameras": cameras(place, 2)}
    row = place.started(**back)
    assert row.state == "active"
    assert place.compared("c1") == set(), "it watches nothing"
    assert rule_of(lambda: place.submitted(**{**back, "from_ns": now - 1})) == "chain"
    place.submitted(**back, people=(person("Lee Roe"),))
    place.advance(72 * HOUR)
    assert place.row(row.authorisation_id).state == "expired", "it waits three days to be run"


# --- minors, renewal, ceilings ----------------------------------------------------------------------------------------


@pytest.mark.rule("A19")
def test_a_minor_takes_three_and_to_be_told_of(place: Installation) -> None:
    child = (person("Tim Doe", CHILD),)
    assert rule_of(lambda: place.draft(people=child)) == "minor"
    assert rule_of(lambda: place.draft(people=child, minor=True, purpose=Purpose.COURT_ORDER)) == "minor"
    assert rule_of(lambda: place.draft(people=child, minor=True, purpose=Purpose.CONSENT)) == "minor"
    row = place.submitted(people=child, minor=True)
    states = [place.approve(row.authorisation_id, who).state for who in ("abe", "bea", "cid")]
    assert states == ["submitted", "submitted", "active"]
    assert not place.draft(people=(person("Kim Doe"),), minor=True).minor


@pytest.mark.rule("A9")
def test_what_cannot_be_asked(place: Installation) -> None:
    tomorrow = date(2023, 11, 16)
    for changes in (
        {"people": (person("Kim", tomorrow),)},
        {"people": (person("Kim", date(1889, 12, 31)),)},
        {"people": (Person("Kim", ADULT, ()),)},
        {"people": (Person(" ", ADULT, (EnrolledImage(b"i", vector(0), "m", {}),)),)},
        {"people": ()},
        {"cameras": ()},
        {"authority": " a "},
        {"reference": ""},
    ):
        with pytest.raises(InputError):
            place.draft(**changes)
    assert place.look(Authorisation) == []


@pytest.mark.rule("A20")
def test_a_renewal_is_a_new_request(place: Installation) -> None:
    row = place.started()
    again = place.renew(row.authorisation_id, until_ns=row.until_ns + HOUR).authorisation
    assert (again.state, again.from_ns, again.renews) == ("draft", row.until_ns, row.authorisation_id)
    assert rule_of(lambda: place.renew(row.authorisation_id, "rita", until_ns=row.until_ns + HOUR)) == "own-draft"
    old, new = place.subjects(row.authorisation_id)[0], place.subjects(again.authorisation_id)[0]
    assert old.key_id != new.key_id
    place.submit(again.authorisation_id)
    assert place.approve(again.authorisation_id, "abe").state == "submitted", "approvals of its own"
    place.approve(again.authorisation_id, "bea")
    place.advance(2 * HOUR)
    assert place.compared("c1") == {again.authorisation_id}
    assert rule_of(lambda: place.renew(row.authorisation_id, until_ns=again.until_ns)) == "state"


@pytest.mark.rule("P7")
@pytest.mark.rule("P8")
def test_all_running_ones_together_by_source(place: Installation) -> None:
    all_six = cameras(place, 6)
    order = {"purpose": Purpose.COURT_ORDER}
    over = place.submitted(cameras=all_six[5:], **order)
    first = place.started(cameras=all_six[:5], **order)
    assert rule_of(lambda: place.approve(over.authorisation_id, "abe")) == "camera-ceiling-all"
    place.started(cameras=all_six[:2], **order)
    place.revoke(first.authorisation_id)
    place.approve(over.authorisation_id, "abe")


@pytest.mark.rule("P8")
def test_shares_count_sources_that_delivered_within_a_day(place: Installation) -> None:
    for number in range(57):
        place.camera(f"d{number}", host=f"2.{number + 1}")
    six = {"cameras": cameras(place, 6), "purpose": Purpose.COURT_ORDER, "until_ns": place.clock.now_ns() + 3 * DAY}
    place.submitted(**six)  # 60 deliver: a tenth is 6
    place.advance(DAY, tick=False)
    assert rule_of(lambda: place.submitted(**{**six, "from_ns": place.clock.now_ns()})) == "camera-ceiling", "silent"


@pytest.mark.rule("P8")
@pytest.mark.parametrize("dummy", ["silent", "same source", "file"])
def test_dummies_raise_no_ceiling(place: Installation, dummy: str) -> None:
    (place.folder / "film.mp4").touch()
    for number in range(60):
        name = f"d{number}"
        if dummy == "silent":
            place.camera(name, delivers=False)
        elif dummy == "same source":
            place.camera(name, host="9.9")
        else:
            file = place.folder / f"film{number}.mp4"
            file.touch()
            place.camera_at(name, f"file://{file}")
    six = {"cameras": cameras(place, 6), "purpose": Purpose.COURT_ORDER}
    assert rule_of(lambda: place.draft(**six)) == "camera-ceiling"


@pytest.mark.rule("P10")
def test_no_more_people_than_the_ceiling(place: Installation) -> None:
    people = tuple(person(f"Person {n}", seed=n) for n in range(100))
    place.started(people=people)
    one_more = place.draft()
    assert rule_of(lambda: place.submit(one_more.authorisation_id)) == "subject-ceiling"


# --- afterwards -------------------------------------------------------------------------------------------------------


def defer(place: Installation, authorisation_id: str, who: str, days: int = 90, why: str = "an inquiry") -> int:
    row = place.do(who, lambda tx, actor: notices.defer(tx, actor, authorisation_id, days, why))
    return row.notify_due_ns or 0


@pytest.mark.rule("A22")
def test_the_person_is_told_or_two_defer_it(place: Installation) -> None:
    row = place.started()
    place.revoke(row.authorisation_id)
    unstarted = place.submitted()
    place.refuse(unstarted.authorisation_id)
    with place.store.read() as tx:
        assert [one.authorisation_id for one in notices.due(tx)] == [row.authorisation_id], (
            "who was never listed is not"
        )
    before = place.row(row.authorisation_id).notify_due_ns
    assert defer(place, row.authorisation_id, "abe") == before
    assert rule_of(lambda: defer(place, row.authorisation_id, "abe")) == "two-persons"
    assert defer(place, row.authorisation_id, "bea", 89) == before, "other days are another deferral"
    assert defer(place, row.authorisation_id, "bea") == place.clock.now_ns() + 90 * DAY
    assert rule_of(lambda: defer(place, row.authorisation_id, "cid", 91)) == "notice-deferral"
    assert defer(place, row.authorisation_id, "abe") != 0, "each time anew"


@pytest.mark.rule("A22")
def test_who_says_that_they_were_told(place: Installation) -> None:
    row = place.started()

    def tell(who: str) -> object:
        return place.do(who, lambda tx, actor: notices.note_notified(tx, actor, row.authorisation_id))

    assert rule_of(lambda: tell("rob")) == "state", "it runs"
    place.revoke(row.authorisation_id)
    assert rule_of(lambda: tell("rita")) == "role"
    tell("rob")
    assert rule_of(lambda: tell("pia")) == "state"


@pytest.mark.rule("A21")
def test_only_approvers_see_who_looks_alike(place: Installation) -> None:
    twin, other = place.submitted(people=(person("Kim Twin"),)), place.submitted(people=(person("Lee Roe", seed=5),))
    row = place.submitted()
    foreign = place.submitted(people=(person("Kim Other", model_id="n"),))

    def shown(tx: Tx, actor: Actor) -> dict[str, object]:
        return reading.shown(tx, place.keys, actor, tx.get(Authorisation, row.authorisation_id))

    for who in ("rob", "rita", "pia", "aud", "opal", "ann", "token:abe"):
        assert "look_alikes" not in place.do(who, shown)
    found = place.do("abe", shown)["look_alikes"]
    assert isinstance(found, list)
    assert [one["other_authorisation"] for one in found] == [twin.authorisation_id]
    assert other.authorisation_id not in repr(found)
    assert foreign.authorisation_id not in repr(found), "templates of another model say nothing"


@pytest.mark.rule("A17")
def test_the_log_keeps_that_it_existed_and_no_name(place: Installation) -> None:
    row = place.started()
    tag = place.subjects(row.authorisation_id)[0].tag
    place.revoke(row.authorisation_id)
    kept = [entry.kind for entry in place.look(Entry) if row.authorisation_id in entry.body]
    assert kept[:2] == ["authorisation.drafted", "authorisation.submitted"]
    assert "authorisation.revoked" in kept
    assert len(place.subjects(row.authorisation_id)[0].tag) == len(tag) == 64
    assert "Kim" not in repr(place.look(Entry))
