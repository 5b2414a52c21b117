"""The ceilings: below maxima that nobody changes, changed by two, a day ahead unless they only tighten."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.installation import DAY, HOUR, Installation, rule_of
from tests.strategies import PROPERTY

from habeas.accounts.roles import Role
from habeas.audit.note import Algorithm, VerifierKey
from habeas.authority.policy import Ceilings, ceilings_now, policy_now
from habeas.authority.purposes import Purpose
from habeas.errors import InputError, RuleError
from habeas.keys.signing import SigningKey
from habeas.settings import Settings
from habeas.store.records import Entry, Policy

MAXIMA: dict[str, Any] = {
    "authorisation_h": 720,
    "footage_h": 120,
    "fpir": 1e-3,
    "cameras_one": 5,
    "share_one": 0.10,
    "cameras_all": 5,
    "share_all": 0.25,
    "subjects": 100,
}

ONE, OTHER = (
    VerifierKey(f"{name}.example", Algorithm.COSIGNATURE, SigningKey(name.encode() * 32).public_bytes).encode()
    for name in "ab"
)


def fpir(place: Installation) -> float:
    with place.store.read() as tx:
        return ceilings_now(tx).fpir


def changed(place: Installation, **changes: object) -> Policy:
    """Propose, and approve by two."""
    made = place.propose_policy("pia", **changes)
    place.approve_policy(made.policy_id, "abe")
    return place.approve_policy(made.policy_id, "bea")


@pytest.mark.rule("P5")
@pytest.mark.parametrize("name", MAXIMA)
def test_no_policy_passes_a_compiled_maximum(place: Installation, name: str) -> None:
    most = MAXIMA[name]
    assert getattr(Ceilings(**{name: most}), name) == most
    for value in (most + (1 if isinstance(most, int) else most / 1e6), -1, -1e-9, float("nan"), float("inf")):
        with pytest.raises(RuleError) as error:
            Ceilings(**{name: value})
        assert error.value.rule == "compiled-maximum"
    assert rule_of(lambda: place.propose_policy("abe", **{name: most * 2})) == "compiled-maximum"


@pytest.mark.rule("P5")
def test_purposes_only_shorten() -> None:
    with pytest.raises(RuleError) as error:
        Ceilings(purposes=("consent", "everybody"))
    assert error.value.rule == "closed-purposes"
    Ceilings(purposes=())


@pytest.mark.rule("P4")
def test_neither_file_nor_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {field.name for field in dataclasses.fields(Ceilings)}
    for name in names:
        monkeypatch.setenv(f"HABEAS_{name.upper()}", "1")
        monkeypatch.setenv(f"HABEAS_POLICY__{name.upper()}", "1")
    assert "policy" not in Settings.model_fields
    assert names.isdisjoint(Settings.model_fields)


@pytest.mark.rule("P1")
def test_a_change_takes_two_approvers_neither_its_proposer(place: Installation) -> None:
    made = place.propose_policy("abe", fpir=1e-5)
    assert rule_of(lambda: place.approve_policy(made.policy_id, "abe")) == "own-request"
    assert place.approve_policy(made.policy_id, "bea").state == "proposed"
    assert rule_of(lambda: place.approve_policy(made.policy_id, "bea")) == "two-persons"
    assert rule_of(lambda: place.approve_policy(made.policy_id, "pia")) == "role"
    assert fpir(place) == 1e-4
    assert place.approve_policy(made.policy_id, "cid").state == "active"
    assert fpir(place) == 1e-5
    assert rule_of(lambda: place.approve_policy(made.policy_id, "dora")) == "state"


@pytest.mark.rule("P1")
def test_an_approval_counts_while_its_giver_is_an_approver(place: Installation) -> None:
    made = place.propose_policy("pia", fpir=1e-5)
    place.approve_policy(made.policy_id, "abe")
    place.revoke_role("abe", Role.APPROVER)
    assert place.approve_policy(made.policy_id, "bea").state == "proposed"


@pytest.mark.rule("P2")
@pytest.mark.rule("P3")
def test_tightening_is_immediate_loosening_waits_a_day(place: Installation) -> None:
    changed(place, fpir=1e-5)
    assert fpir(place) == 1e-5
    changed(place, fpir=1e-4)
    assert fpir(place) == 1e-5
    place.clock.advance(DAY - 1)
    assert fpir(place) == 1e-5
    place.clock.advance(1)
    assert fpir(place) == 1e-4


@pytest.mark.rule("P2")
@pytest.mark.parametrize(
    "change",
    [
        {"subjects": 51},
        {"fpir": 1e-5, "subjects": 51},
        {"purposes": ["consent", "court-order"]},
        {"model_id": "another"},
        {"calibration": "another"},
        {"witnesses": [OTHER]},
        {"witnesses": []},
        {"witnesses": [ONE, OTHER], "quorum": 0, "subjects": 51},
    ],
)
def test_whatever_is_not_tighter_in_all_waits(change: dict[str, object]) -> None:
    old = Ceilings(subjects=50, purposes=("consent",), witnesses=(ONE,))
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in change.items()}
    assert not dataclasses.replace(old, **values).tightens(old)  # type: ignore[arg-type]
    assert dataclasses.replace(old, witnesses=(ONE, OTHER), quorum=2, subjects=49, purposes=()).tightens(old), "control"


def test_own_witnesses_beside_the_old_ones_outvote_nobody_at_once() -> None:
    """Old: one outside. With two more and a quorum of two, the outside one could be left out."""
    old = Ceilings(witnesses=(ONE,), quorum=1)
    assert not dataclasses.replace(old, witnesses=(ONE, OTHER), quorum=1).tightens(old)
    assert dataclasses.replace(old, witnesses=(ONE, OTHER), quorum=2).tightens(old)
    assert Ceilings(witnesses=(ONE,)).tightens(Ceilings()), "the first ones"


def test_a_smaller_quorum_of_the_same_witnesses_waits() -> None:
    old = Ceilings(witnesses=(ONE, OTHER), quorum=2)
    assert not dataclasses.replace(old, quorum=1).tightens(old)
    assert dataclasses.replace(old, quorum=0).tightens(old), "more than half of two is two"


@PROPERTY
@given(st.integers(0, 100), st.integers(0, 100), st.sets(st.sampled_from(Purpose)), st.sets(st.sampled_from(Purpose)))
def test_tighter_both_ways_is_the_same(one: int, other: int, some: set[Purpose], more: set[Purpose]) -> None:
    a = Ceilings(subjects=one, purposes=tuple(purpose.value for purpose in some))
    b = Ceilings(subjects=other, purposes=tuple(purpose.value for purpose in more))
    assert a.tightens(b) is (one <= other and some <= more)
    assert Ceilings.load(a.dump()) == a


@pytest.mark.rule("P11")
def test_a_proposal_for_another_policy_than_the_one_in_force_is_stale(place: Installation) -> None:
    first, second = place.propose_policy("pia", fpir=1e-5), place.propose_policy("pia", subjects=50)
    place.approve_policy(second.policy_id, "abe")
    place.approve_policy(first.policy_id, "abe")
    place.approve_policy(first.policy_id, "bea")
    assert rule_of(lambda: place.approve_policy(second.policy_id, "bea")) == "state"


@pytest.mark.rule("P11")
def test_a_change_that_waits_is_void_once_another_is_approved(place: Installation) -> None:
    changed(place, fpir=1e-3)
    changed(place, fpir=1e-5)
    place.clock.advance(2 * DAY)
    assert fpir(place) == 1e-5


@pytest.mark.rule("P11")
def test_a_proposal_lapses(place: Installation) -> None:
    made = place.propose_policy("pia", fpir=1e-5)
    place.clock.advance(7 * DAY)
    assert rule_of(lambda: place.approve_policy(made.policy_id, "abe")) == "state"


@pytest.mark.rule("P12")
def test_each_step_is_an_entry(place: Installation) -> None:
    changed(place, fpir=1e-5)
    kinds = [entry.kind for entry in place.look(Entry) if entry.kind.startswith("policy")]
    assert kinds == ["policy.first", "policy.proposed", "policy.approved"]


@pytest.mark.parametrize(
    "change",
    [
        {"fpir": "much"},
        {"fpir": True},
        {"subjects": 1.5},
        {"subjects": "7"},
        {"purposes": "consent"},
        {"purposes": [7]},
        {"witnesses": [7]},
        {"witnesses": ["no key"]},
        {"witnesses": [ONE, ONE]},
        {"witnesses": [ONE], "quorum": 2},
        {"quorum": -1},
        {"no_such": 1},
    ],
)
def test_what_no_ceiling_is(place: Installation, change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        place.propose_policy("abe", **change)
    assert json.loads(place.look(Policy)[0].body)["subjects"] == 100


@pytest.mark.rule("P2")
@pytest.mark.rule("F12")
def test_comparing_follows_a_policy_from_its_first_instant(place: Installation) -> None:
    """Also where nothing else happens: nobody commits, nobody refreshes."""
    row = place.started(until_ns=place.clock.now_ns() + 3 * DAY)
    changed(place, purposes=["consent"], model_id="another")  # loosens in one thing: a day ahead
    place.clock.advance(DAY - 1)
    assert place.compared("c1") == {row.authorisation_id}
    place.clock.advance(1)
    assert place.compared("c1") == set()
    assert place.gallery.ceilings.purposes == ("consent",)


@pytest.mark.rule("P3")
def test_a_shorter_ceiling_cuts_what_runs(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + 3 * DAY)
    changed(place, authorisation_h=24)
    place.clock.advance(24 * HOUR - 1)
    assert place.compared("c1") == {row.authorisation_id}
    place.clock.advance(1)
    assert place.compared("c1") == set()


def test_an_installation_without_a_policy_is_none(place: Installation) -> None:
    with place.store.write() as tx:
        for row in tx.find(Policy):
            tx.remove(row)
    with place.store.read() as tx, pytest.raises(InputError):
        policy_now(tx)
