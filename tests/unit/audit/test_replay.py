"""Replaying the entries of an installation comes to what its rows say; a change of either is seen."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
from tests.installation import ADULT, DAY, HOUR, MODEL, Installation, vector
from tests.replaying import differences, openings_of, replayed

from habeas.accounts.roles import Role
from habeas.accounts.tokens import make_token, revoke_token
from habeas.audit import replay as module
from habeas.audit.replay import replay, take, take_later
from habeas.audit.state import State
from habeas.authority import evidence, notices
from habeas.authority.epochs import first_epoch
from habeas.authority.requests import EnrolledImage
from habeas.errors import FormatError
from habeas.footage import access, holds, requests
from habeas.footage.access import Document
from habeas.footage.rows import row_of
from habeas.keys import Scope
from habeas.node.counting import log_counts, write_counts
from habeas.review.table import Answer
from habeas.store.footage_records import Evidence

NEVER_CAME: Final = {
    "access.destroyed",
    "account.forgotten",
    "account.reset",
    "alert.unsealed",
    "authorisation.revoked",
    "database.restored",
    "hold.approved",
    "hold.carried",
    "hold.ended",
    "hold.kept",
    "hold.lapsed",
    "hold.refused",
    "hold.released",
    "node.stopped",
    "notice.deferred",
    "policy.carried",
    "request.destroyed",
    "request.graced",
    "request.lapsed",
    "request.refused",
    "request.verified",
    "suspension.carried",
}
"""Types of entries that change a state and are not in this life; other tests have them: of life-cycles, of holds."""


def preserved(here: Installation) -> None:
    """Let footage be asked for."""
    until_ns = here.clock.now_ns()
    with here.store.write() as tx:
        row = row_of(tx, here.keys, "c1", until_ns - until_ns % HOUR)
        assert row is not None
        tx.change(row, lasts_ns=HOUR, until_ns=until_ns)
    told = "Police of Somewhere", "R-1", "a fall", ("c1",), until_ns - 1, until_ns, until_ns + DAY
    here.do("rob", lambda tx, actor: holds.propose(tx, here.keys, actor, holds.Asked(*told)))
    plea = requests.Plea("Ada Doe", "a fall", ("c1",), until_ns - 1, until_ns)
    here.do("pia", lambda tx, actor: requests.receive(tx, here.keys, actor, plea))
    asked_for(here)
    handed_in(here)


def handed_in(here: Installation) -> None:
    """Let evidence be handed in: one is discarded, one is asked for."""
    now_ns = here.clock.now_ns()
    for number in range(2):
        key_id = here.keys.new(Scope.EVIDENCE, now_ns + DAY)
        given = evidence.Given(f"evd-{number}", key_id, now_ns + DAY, "ab" * 32, 9, now_ns - DAY, HOUR, "a shop")
        here.do("rob", lambda tx, actor, given=given: evidence.add(tx, here.keys, actor, given))
    here.do("rob", lambda tx, actor: evidence.discard(tx, here.keys, actor, "evd-0"))
    (row,) = here.look(Evidence, evidence_id="evd-1")
    where = {"cameras": (evidence.stand_in(row),), "from_ns": row.from_ns, "until_ns": row.until_ns}
    here.draft(live=False, **where)
    with here.store.write() as tx:
        evidence.note_destroyed(tx, tx.get(Evidence, "evd-0"), evidence.Why.DISCARDED)
        evidence.shorten(tx, tx.get(Evidence, "evd-1"), row.deadline_ns - HOUR)


def asked_for(here: Installation) -> None:
    """Let two people ask for the footage of themselves; one is refused."""
    until_ns = here.clock.now_ns()
    photo = EnrolledImage(b"a photograph", vector(0), MODEL, {"faces": 1})
    about = ("c1",), until_ns - HOUR, until_ns
    plea = access.Plea("Ada Doe", ADULT, "ada@example.org", Document.PASSPORT, (photo,), *about)
    first, second = (here.do("pia", lambda tx, actor: access.open_request(tx, here.keys, actor, plea)) for _ in "12")
    here.do("abe", lambda tx, actor: access.refuse(tx, here.keys, actor, second.access_id))
    for name in ("abe", "bea"):
        here.do(name, lambda tx, actor: access.approve(tx, actor, first.access_id, access.hash_of(tx, first)))
    here.do("pia", lambda tx, actor: access.close(tx, here.keys, actor, first.access_id))


def lived(here: Installation) -> None:
    """Let everything happen that a state is about."""
    for number in range(4):
        here.camera(f"c{number}")
    here.hire("abe2", Role.APPROVER, person_name="abe")
    found = here.started()
    alerts = [here.alert(found.authorisation_id, track_id=n, at_ns=here.clock.now_ns() + n) for n in range(4)]
    for name in ("opal", "otto"):
        here.judge(name, alerts[0].alert_id, Answer.SAME)
        here.judge(name, alerts[1].alert_id, Answer.DIFFERENT, lookalike=True)
    lasting = here.started(until_ns=here.clock.now_ns() + 40 * HOUR)
    here.alert(lasting.authorisation_id, "c3")
    here.advance(HOUR)
    suspension = here.suspend(zones=["gate"], lasts_ns=DAY)
    here.camera("c9")
    here.remove_camera("c2")
    for name in ("pia", "paul"):
        here.lift(suspension.suspension_id, name)
    for changes in ({"subjects": 50}, {"subjects": 60}, {"subjects": 70}):
        policy = here.propose_policy(**changes)
        for name in ("bea", "cid"):
            here.approve_policy(policy.policy_id, name)
    here.do("rob", lambda tx, actor: make_token(tx, actor, ["draft"], DAY))
    made = here.do("rita", lambda tx, actor: make_token(tx, actor, ["draft"], DAY))
    here.do("rita", lambda tx, actor: revoke_token(tx, actor, made.token_id))
    here.disable("dora")
    for name in ("rob", "rita"):
        here.grant("abe", Role.OPERATOR, name, ["gate"])
    here.revoke_role("oda", Role.OPERATOR)
    here.amend(here.draft().authorisation_id, until_ns=here.clock.now_ns() + HOUR, names=["c1", "c3"])
    here.refuse(here.submitted().authorisation_id)
    here.started(urgent=True, by=("abe",))
    with here.store.write() as tx:
        first_epoch(tx, here.keys, "example.org/log")
        tallies: Any = {"c1": {"analysed_ns": 5, "faces": 4, "tracks": 3, "searches": 2, "alerts": 1}}
        write_counts(tx, tallies)
        tx.entry("node.started", "node", {})
    preserved(here)
    here.advance(25 * HOUR)
    here.do("rob", lambda tx, actor: notices.note_notified(tx, actor, found.authorisation_id))
    with here.store.write() as tx:
        log_counts(tx)
        tx.entry("padding", "log", {})
        tx.entry("of.a-later-version", "node", {"what": 1})


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(Path(tmp_path_factory.mktemp("here"))) as made:
        lived(made)
        yield made


@pytest.fixture(scope="module")
def openings(here: Installation) -> list[dict[str, Any]]:
    with here.store.read() as tx:
        return list(openings_of(tx, here.keys))


def test_replaying_comes_to_what_the_rows_say(here: Installation) -> None:
    with here.store.read() as tx:
        assert differences(replayed(tx, here.keys), tx, here.keys) == []


def test_every_kind_of_thing_is_there(here: Installation) -> None:
    with here.store.read() as tx:
        state = replayed(tx, here.keys)
    empty = [name for name, value in vars(state).items() if not value]
    assert empty == []


def test_every_change_of_the_table_but_a_few_came_in_this_life(openings: list[dict[str, Any]]) -> None:
    came = {one["opening"]["type"] for one in openings}
    assert set(module._CHANGES) - came == NEVER_CAME


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("access.destroyed", {"access": "x"}),
        ("authorisation.discarded", {"authorisation": "x"}),
        ("hold.ended", {"hold": "x"}),
        ("request.destroyed", {"request": "x"}),
    ],
)
def test_what_a_restore_carried_over_is_passed_over(
    openings: list[dict[str, Any]], kind: str, body: dict[str, Any]
) -> None:
    """It is in no entry of the log that goes on; without a restore there is no such thing."""
    unknown = deepcopy(openings[-1])
    unknown["opening"] |= {"seq": len(openings), "type": kind, "body": body}
    with pytest.raises(FormatError):
        replay([*openings, unknown])
    restored = deepcopy(openings[-1])
    restored["opening"] |= {"seq": len(openings), "type": "database.restored", "body": {"carried_over": True}}
    unknown["opening"]["seq"] += 1
    before, after = replay([*openings, restored]), replay([*openings, restored, unknown])
    assert (after.access, after.holds, after.requests) == (before.access, before.holds, before.requests)
    assert after.authorisations == before.authorisations


@pytest.mark.parametrize("kind", sorted(set(module._CHANGES) - NEVER_CAME - {"node.started"}))
def test_an_entry_that_is_left_out_is_seen(here: Installation, openings: list[dict[str, Any]], kind: str) -> None:
    """Control: without any of the entries of a type the state is another, or cannot be made."""
    kept = [one for one in openings if one["opening"]["type"] != kind]
    state = State()
    try:
        for one in kept:
            take_later(state, one)
    except FormatError:
        return
    with here.store.read() as tx:
        assert differences(state, tx, here.keys) != []


def test_what_an_alert_hides_is_known_while_it_is_kept(here: Installation) -> None:
    with here.store.read() as tx:
        alerts = replayed(tx, here.keys).alerts.values()
    assert all((alert.camera is None) is (alert.destroyed_ns is not None) for alert in alerts)


def test_without_what_is_hidden_the_rest_is_the_same(openings: list[dict[str, Any]]) -> None:
    bare = replay({**one, "hidden": None} for one in openings)
    assert {alert.camera for alert in bare.alerts.values()} == {None}
    assert [alert.state for alert in bare.alerts.values()] == [
        alert.state for alert in replay(openings).alerts.values()
    ]


def test_other_types_are_counted_and_padding_is_not(openings: list[dict[str, Any]]) -> None:
    state = replay(openings)
    assert state.kinds["of.a-later-version"] == 1
    assert "padding" not in state.kinds
    assert state.taken == len(openings)


def test_a_missing_entry_is_named(openings: list[dict[str, Any]]) -> None:
    with pytest.raises(FormatError, match="entry 7 is missing"):
        replay([*openings[:7], *openings[8:]])


@pytest.mark.parametrize(
    "planted",
    [
        {"account": "acc-nobody"},
        {"authorisation": "aut-none"},
        {"cameras": 7},
        {"ceilings": None},
        {"from": "yesterday"},
        {"masks": "["},
        {"tracks": -1},
        {"zones": None},
    ],
)
def test_an_entry_that_says_something_else_is_named(openings: list[dict[str, Any]], planted: dict[str, Any]) -> None:
    (name,) = planted
    bad = deepcopy(openings)
    index = next(i for i, one in enumerate(bad) if name in one["opening"]["body"] and one["opening"]["seq"] > 30)
    if name == "account":
        index = next(i for i, one in enumerate(bad) if one["opening"]["type"] == "account.disabled")
    elif name == "authorisation":
        index = next(i for i, one in enumerate(bad) if one["opening"]["type"] == "authorisation.active")
    elif name == "from":
        index = next(i for i, one in enumerate(bad) if one["opening"]["type"] == "suspension.imposed")
    bad[index]["opening"]["body"] |= planted
    with pytest.raises(FormatError, match=f"entry {index} "):
        replay(bad)


def test_restoring_ends_every_token(openings: list[dict[str, Any]]) -> None:
    state = replay(openings)
    assert not all(token.revoked for token in state.tokens.values())
    opening = {"actor": "restore", "at": openings[-1]["opening"]["at"], "body": {}, "seq": state.taken}
    take(state, {"opening": {**opening, "type": "database.restored"}, "hidden": None})
    assert all(token.revoked for token in state.tokens.values())
