"""Who may do what, and how a role comes and goes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.installation import DAY, HOUR, STAFF, Installation, rule_of
from tests.strategies import PROPERTY

from habeas.accounts import grants, people, tokens
from habeas.accounts.roles import ALONE, Actor, Role, check_combination
from habeas.authority import cameras, jumps, notices, policy, reading
from habeas.errors import HabeasError, InputError, RuleError
from habeas.review.rights import Act, check_act
from habeas.store import Tx
from habeas.store.records import Authorisation, Entry, Grant

EVERYBODY = frozenset(STAFF)


@pytest.mark.rule("O6")
@PROPERTY
@given(st.sets(st.sampled_from(Role)))
def test_admin_and_privacy_stand_alone(roles: set[Role]) -> None:
    fine = not roles & ALONE or len(roles) == 1
    assert (rule_of(lambda: check_combination(roles)) == "") is fine


@pytest.mark.rule("O6")
def test_neither_do_they_over_two_accounts_of_a_person(place: Installation) -> None:
    place.hire("pia2", person_name=" PIA ")
    assert rule_of(lambda: place.grant("pia2", Role.APPROVER, "abe")) == "role-combination"
    place.hire("new")
    place.grant("new", Role.APPROVER, "abe")
    place.grant("new", Role.PRIVACY, "abe")
    place.grant("new", Role.APPROVER, "rob")
    assert rule_of(lambda: place.grant("new", Role.PRIVACY, "rob")) == "role-combination", "proposed before"
    with place.store.write() as tx, pytest.raises(RuleError):
        grants.grant_first(tx, place.keys, place.accounts["ann"], Role.APPROVER)


@pytest.mark.rule("O8")
def test_an_admin_makes_accounts_without_roles(place: Installation) -> None:
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "new"))
    assert place.look(Grant, account_id=made.account_id) == []
    with place.store.read() as tx:
        place.accounts["new"] = made.account_id
        assert place.actor(tx, "new").roles == {}
    for name in EVERYBODY - {"ann"}:
        assert (
            rule_of(lambda name=name: place.do(name, lambda tx, a: people.add_account(tx, place.keys, a, "other")))
            == "role"
        )  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "a b", "-a", ".", "ä", "a" * 65, "a\n"])
def test_bad_account_names(place: Installation, name: str) -> None:
    with pytest.raises(InputError):
        place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, name))
    with pytest.raises(InputError):
        place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "rob"))


@pytest.mark.rule("O9")
def test_two_holders_who_are_not_admins_grant_a_role(place: Installation) -> None:
    place.hire("new")
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "ann")) == "role-granters"
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "new")) == "role-granters"
    assert rule_of(lambda: place.grant("rob", Role.OPERATOR, "rob")) == "own-request"
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "token:rob")) == "login-needed"
    assert place.grant("new", Role.OPERATOR, "rob").approved_by is None
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "rob")) == "two-persons"
    place.hire("rob2", Role.AUDITOR, person_name="Rob")
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "rob2")) == "two-persons"
    assert rule_of(lambda: place.grant("new", Role.OPERATOR, "ann")) == "role-granters"
    assert place.grant("new", Role.OPERATOR, "aud").approved_by is not None, "control"


@pytest.mark.rule("O9")
@pytest.mark.parametrize("how", ["revoked", "disabled", "lapsed"])
def test_a_proposal_counts_while_its_proposer_holds_a_role(place: Installation, how: str) -> None:
    place.hire("new")
    place.grant("new", Role.OPERATOR, "rob")
    if how == "revoked":
        place.revoke_role("rob", Role.REQUESTER)
    elif how == "disabled":
        place.disable("rob")
    else:
        place.advance(7 * DAY + 1)
    if how == "lapsed":
        assert place.grant("new", Role.OPERATOR, "aud").approved_by is None, "a proposal of its own"
    else:
        assert rule_of(lambda: place.grant("new", Role.OPERATOR, "aud")) == "role-granters"


@pytest.mark.rule("O10")
def test_a_granted_role_waits_a_day(place: Installation) -> None:
    place.hire("new")
    place.grant("new", Role.APPROVER, "abe")
    place.grant("new", Role.APPROVER, "rob")
    row = place.submitted(until_ns=place.clock.now_ns() + 3 * DAY)
    place.advance(DAY - 1)
    assert rule_of(lambda: place.approve(row.authorisation_id, "new")) == "role"
    place.advance(1)
    place.approve(row.authorisation_id, "new")
    kinds = [entry.kind for entry in place.look(Entry)]
    assert kinds.count("role.granted-first") == len(STAFF), "the first ones at once, logged"
    assert {"role.proposed", "role.granted"} <= set(kinds)


def test_zones_are_for_roles_that_have_them(place: Installation) -> None:
    place.hire("new")
    for role in set(Role) - {Role.OPERATOR}:  # who reads a part of the log cannot verify it
        with pytest.raises(InputError, match="every zone"):
            place.grant("new", role, "abe", ["gate"])
    assert place.grant("new", Role.OPERATOR, "abe", ["gate", "gate"]).zones == ("gate",)


@pytest.mark.rule("O1")
def test_an_operators_zones(place: Installation) -> None:
    actor = Actor("a", frozenset({"a"}), {Role.OPERATOR: ("gate",)})
    check_act(actor, Act.JUDGE, "gate")
    assert rule_of(lambda: check_act(actor, Act.JUDGE, "hall")) == "zone"
    assert rule_of(lambda: check_act(Actor("a", frozenset({"a"}), {Role.APPROVER: ()}), Act.JUDGE, "gate")) == "role"
    check_act(Actor("a", frozenset({"a"}), {Role.OPERATOR: ()}), Act.JUDGE, "hall")
    place.hire("new")
    place.grant("new", Role.OPERATOR, "abe")
    assert place.grant("new", Role.OPERATOR, "rob", ["gate"]).approved_by is None, "other zones: another proposal"


@pytest.mark.rule("O10")
def test_a_role_granted_again_holds_as_it_was_until_the_new_grant_is_usable(place: Installation) -> None:
    def zones(name: str) -> tuple[str, ...] | None:
        with place.store.read() as tx:
            return place.actor(tx, name).roles.get(Role.OPERATOR)

    for asked in (["gate"], ["hall"], ["gate", "hall"]):  # one after the other: ids are in no order
        before = zones("opal")
        for who in ("abe", "rob"):
            place.grant("opal", Role.OPERATOR, who, asked)
        place.advance(DAY - 1)
        assert zones("opal") == before
        place.advance(1)
        assert zones("opal") == tuple(asked)
    place.revoke_role("opal", Role.OPERATOR)
    assert zones("opal") is None, "all of it"


@pytest.mark.rule("A6")
def test_an_approver_granted_again_has_been_one_without_a_break(place: Installation) -> None:
    row = place.submitted(until_ns=place.clock.now_ns() + 3 * DAY)
    place.approve(row.authorisation_id, "abe")
    for who in ("cid", "rob"):
        place.grant("abe", Role.APPROVER, who)
    place.advance(DAY)
    assert place.approve(row.authorisation_id, "bea").state == "active"


def test_a_role_is_taken_away_by_an_admin_or_its_holder(place: Installation) -> None:
    assert rule_of(lambda: place.revoke_role("rob", Role.REQUESTER, "abe")) == "role"
    place.revoke_role("rob", Role.REQUESTER, "rob")
    assert rule_of(lambda: place.draft("rob")) == "role"
    place.revoke_role("abe", Role.APPROVER, "ann")
    with pytest.raises(InputError):
        place.revoke_role("abe", Role.APPROVER, "ann")


@pytest.mark.rule("O11")
def test_an_admin_cannot_take_over_an_account_unnoticed(place: Installation) -> None:
    place.hire("new")
    place.grant("new", Role.APPROVER, "abe")  # proposed for whoever held the account before
    for name in ("abe", "new"):
        made = place.do("ann", lambda tx, actor, name=name: people.renew_setup(tx, place.keys, actor, name))  # type: ignore[misc]
        place.clock.advance(1)
        with place.store.write() as tx:
            people.set_password(tx, place.keys, name, made.setup_code, "a long enough password")
        with place.store.read() as tx:
            assert place.actor(tx, name).roles == {}
    assert place.grant("new", Role.APPROVER, "rob").approved_by is None, "the older proposal does not count"
    assert "account.reset" in [entry.kind for entry in place.look(Entry)]


@pytest.mark.rule("O11")
def test_roles_wait_for_the_holders_own_password(place: Installation) -> None:
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "new"))
    with pytest.raises(InputError):
        place.grant("new", Role.OPERATOR, "rob")
    with place.store.write() as tx:
        people.set_password(tx, place.keys, "new", made.setup_code, "a long enough password")
    place.grant("new", Role.OPERATOR, "rob")


def test_closing_an_account_ends_everything_of_it(place: Installation) -> None:
    token = place.do("rob", lambda tx, actor: tokens.make_token(tx, actor, ["read"], DAY))
    assert token.secret
    place.disable("rob")
    with place.store.read() as tx, pytest.raises(RuleError):
        place.actor(tx, "rob")
    assert place.look(Grant, account_id=place.accounts["rob"], revoked_at_ns=None) == []
    assert rule_of(lambda: place.disable("abe", "rita")) == "role"


@pytest.mark.rule("O3")
@pytest.mark.rule("O7")
def test_two_accounts_are_one_person(place: Installation) -> None:
    place.hire("rob2", Role.APPROVER, person_name="ROB")
    place.hire("abe2", Role.APPROVER, person_name="  Abe ")
    row = place.submitted()
    assert rule_of(lambda: place.approve(row.authorisation_id, "rob2")) == "own-request"
    assert rule_of(lambda: place.refuse(row.authorisation_id, "rob2")) == "own-request"
    place.approve(row.authorisation_id, "abe")
    assert rule_of(lambda: place.approve(row.authorisation_id, "abe2")) == "two-persons"
    assert place.approve(row.authorisation_id, "bea").state == "active", "control"


def test_a_person_is_one_however_typed(place: Installation) -> None:
    for number, said in enumerate(("Ann Lee", "ann  lee", "ANN\tLEE", "\uff21nn Lee", "Ann\u200b Lee.")):
        place.hire(f"p{number}", person_name=said)
    with place.store.read() as tx:
        assert place.actor(tx, "p0").accounts == {place.accounts[f"p{n}"] for n in range(5)}


TWO_PERSON_COMMANDS: dict[str, Callable[[Installation, str], object]] = {
    "approve": lambda place, who: place.approve(place.submitted().authorisation_id, who),
    "refuse": lambda place, who: place.refuse(place.submitted().authorisation_id, who),
    "policy": lambda place, who: place.approve_policy(place.propose_policy("pia", fpir=1e-5).policy_id, who),
}


@pytest.mark.rule("O12")
@pytest.mark.rule("O5")
@pytest.mark.parametrize("what", TWO_PERSON_COMMANDS)
def test_only_approvers_approve_and_never_by_token(place: Installation, what: str) -> None:
    command = TWO_PERSON_COMMANDS[what]
    assert rule_of(lambda: command(place, "token:abe")) == "login-needed"
    for name, role in STAFF.items():
        if name not in {"rob", "pia"}:
            assert rule_of(lambda name=name: command(place, name)) == ("" if role is Role.APPROVER else "role")  # type: ignore[misc]


@pytest.mark.rule("O12")
def test_a_token_drafts_and_no_more(place: Installation) -> None:
    row = place.draft("token:rob")
    later = {"until_ns": row.until_ns + HOUR, "names": ["c2"]}
    place.amend(row.authorisation_id, "token:rob", **later)  # type: ignore[arg-type]
    assert rule_of(lambda: place.submit(row.authorisation_id, "token:rob")) == "login-needed"
    place.submit(row.authorisation_id)
    assert rule_of(lambda: place.amend(row.authorisation_id, "token:rob", **later)) == "login-needed"  # type: ignore[arg-type]
    assert rule_of(lambda: place.revoke(row.authorisation_id, "token:rob")) == "login-needed"
    assert rule_of(lambda: place.do("token:rob", lambda tx, a: tokens.make_token(tx, a, ["read"], 1))) == "login-needed"
    assert rule_of(lambda: place.propose_policy("token:abe", fpir=1e-5)) == "login-needed"
    suspension = place.suspend("pia", names=["c1"])
    assert rule_of(lambda: place.suspend("token:pia", names=["c1"])) == "login-needed"
    assert rule_of(lambda: place.lift(suspension.suspension_id, "token:pia")) == "login-needed"


@pytest.mark.rule("O2")
@pytest.mark.rule("O4")
@pytest.mark.rule("O5")
def test_each_role_does_its_own(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + DAY)

    def told(tx: Tx, actor: Actor) -> None:
        notices.note_notified(tx, actor, row.authorisation_id)

    may: dict[str, tuple[Callable[[str], object], set[Role]]] = {
        "draft": (place.draft, {Role.REQUESTER}),
        "suspend": (lambda who: place.suspend(who, names=["c1"]), {Role.PRIVACY}),
        "camera": (
            lambda who: place.do(who, lambda tx, a: cameras.remove_camera(tx, place.keys, a, "c3")),
            {Role.ADMIN},
        ),
        "propose": (lambda who: place.propose_policy(who, fpir=1e-5), {Role.APPROVER, Role.PRIVACY, Role.ADMIN}),
        "clock": (lambda who: place.do(who, lambda tx, a: jumps.approve_clock(tx, a, 0)), {Role.APPROVER}),
        "defer": (
            lambda who: place.do(who, lambda tx, a: notices.defer(tx, a, row.authorisation_id, 9, "why")),
            {Role.APPROVER},
        ),
        "notified": (lambda who: place.do(who, told), {Role.PRIVACY, Role.REQUESTER}),
    }
    with place.store.write() as tx:
        tx.entry("clock.jumped", "node", {"off_by_s": 0})
    place.revoke(row.authorisation_id)
    for what, (command, roles) in may.items():
        for name, role in STAFF.items():
            try:
                refused = rule_of(lambda command=command, name=name: command(name))  # type: ignore[misc]
            except InputError:
                refused = "done before"
            assert (refused == "role") is (role not in roles), (what, name, refused)


@pytest.mark.rule("O13")
def test_names_and_faces_are_for_the_requester_and_approvers(place: Installation) -> None:
    row = place.started()
    reference_id = place.references(row.authorisation_id)[0].reference_id

    def seen(tx: Tx, actor: Actor) -> dict[str, object]:
        return reading.shown(tx, place.keys, actor, tx.get(Authorisation, row.authorisation_id))

    def face(tx: Tx, actor: Actor) -> bytes:
        return reading.reference_image(tx, place.keys, actor, reference_id)

    for name in [*STAFF, "token:rob", "token:abe"]:
        may = name == "rob" or STAFF.get(name) is Role.APPROVER
        assert ("people" in place.do(name, seen)) is may, name
        assert rule_of(lambda name=name: place.do(name, face)) == ("" if may else "faces")  # type: ignore[misc]
        assert "Kim" not in repr(place.do(name, seen)) or may
    views = [entry for entry in place.look(Entry) if entry.kind.startswith("view.")]
    assert len(views) == 3 * 5, "each look is an entry"
    place.revoke(row.authorisation_id)
    assert "people" not in place.do("abe", seen)
    with pytest.raises(HabeasError, match="ended"):
        place.do("abe", face)


def test_an_operator_proposes_no_policy(place: Installation) -> None:
    assert rule_of(lambda: place.do("opal", lambda tx, a: policy.propose_policy(tx, a, {"fpir": 1e-5}))) == "role"
