"""Who sees what of alerts, and that each look at a face is in the log before the face comes out."""

import hashlib
import json
from typing import Final

import pytest
import rfc8785
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts.roles import Role
from habeas.errors import HabeasError, InputError, UsageError
from habeas.review import ending, queue, receipts
from habeas.review.queue import Facts, Shown
from habeas.review.rights import MAY, Act
from habeas.review.table import Answer, State
from habeas.review.verdicts import give_verdict
from habeas.store.records import Alert, Camera, Entry
from habeas.types import NS_PER_S, utc

S, D, C = Answer.SAME, Answer.DIFFERENT, Answer.CANNOT_TELL
ROLE_OF: Final = {"opal": "operator", "rob": "requester", "abe": "approver", "pia": "privacy", "aud": "auditor"} | {
    "ann": "admin"
}
EVERYWHEN: Final = {"cameras": (), "from_ns": 0, "until_ns": 1 << 62}


@pytest.fixture
def alert(place: Installation) -> Alert:
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)
    return place.alert(row.authorisation_id)


def shown(place: Installation, alert: Alert, who: str = "opal") -> Shown:
    return place.do(who, lambda tx, actor: queue.show(tx, place.keys, actor, alert.alert_id))


def found(place: Installation, who: str, **asked: object) -> list[Facts]:
    return place.do(who, lambda tx, actor: queue.search(tx, actor, **{**EVERYWHEN, **asked}))  # type: ignore[arg-type]


def judge(place: Installation, alert: Alert, who: str, answer: Answer, *, lookalike: bool = False) -> None:
    place.judge(who, alert.alert_id, answer, lookalike=lookalike)


def views(place: Installation) -> list[Entry]:
    return [entry for entry in place.look(Entry) if entry.kind == "view.alert"]


@pytest.mark.parametrize("who", ROLE_OF)
def test_each_role_may_what_the_table_says(place: Installation, alert: Alert, who: str) -> None:
    """The expected sets are written down here, and not taken from the table."""
    operators, readers = {"operator"}, {"operator", "auditor", "privacy"}
    acts = {
        Act.QUEUE: (lambda: place.do(who, queue.queue), operators),
        Act.SEE_FACE: (lambda: shown(place, alert, who), operators),
        Act.SEARCH: (lambda: found(place, who), readers),
        Act.JUDGE: (lambda: judge(place, alert, who, S), operators),
        Act.RECEIPT: (
            lambda: place.do(who, lambda tx, actor: receipts.make_receipt(tx, actor, alert.alert_id)),
            operators,
        ),
        Act.CORRECT: (
            lambda: place.do(who, lambda tx, actor: receipts.disputes(tx, place.keys, actor)),
            {"approver", "privacy"},
        ),
    }
    assert acts.keys() == MAY.keys() == set(Act)
    for act, (command, permitted) in acts.items():
        assert rule_of(command) == ("" if ROLE_OF[who] in permitted else "role"), act


def test_a_token_lists_and_sees_no_face(place: Installation, alert: Alert) -> None:
    assert [facts.alert_id for facts in place.do("token:opal", queue.queue)] == [alert.alert_id]
    assert [facts.alert_id for facts in found(place, "token:aud")] == [alert.alert_id]
    assert rule_of(lambda: shown(place, alert, "token:opal")) == "login-needed"
    assert views(place) == []


def test_the_faces_come_with_an_entry(place: Installation, alert: Alert) -> None:
    seen = shown(place, alert)
    assert (seen.image, seen.references) == (b"a face", (b"Kim Doe 0",))
    (entry,) = views(place)
    assert entry.actor == place.accounts["opal"]
    assert json.loads(entry.body) == {"alert": alert.alert_id, "faces": 2, "v": 1}
    assert "a face" not in repr(seen)


def test_no_face_comes_out_of_a_view_that_is_not_kept(place: Installation, alert: Alert) -> None:
    with place.store.read() as tx, pytest.raises(HabeasError, match="cannot write"):
        queue.show(tx, place.keys, place.actor(tx, "opal"), alert.alert_id)
    looked: list[Shown] = []

    def failing() -> None:
        with place.store.write() as tx:
            looked.append(queue.show(tx, place.keys, place.actor(tx, "opal"), alert.alert_id))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    (seen,) = looked
    assert seen.faces == 2, "they are there"
    with pytest.raises(UsageError):
        _ = seen.image
    with pytest.raises(UsageError):
        _ = seen.references
    assert views(place) == []


@pytest.mark.parametrize("how", ["revoked", "over, and nobody has ended it yet", "judged false"])
def test_what_remains_of_an_ended_one(place: Installation, alert: Alert, how: str) -> None:
    if how == "revoked":
        place.revoke(alert.authorisation_id, "rita")
    elif how == "judged false":
        judge(place, alert, "opal", D)
        judge(place, alert, "otto", D)
    else:
        place.advance(3 * DAY, tick=False)
    seen = shown(place, alert)
    assert (seen.faces, seen.image, seen.references) == (0, None, ())
    ended = how != "over, and nobody has ended it yet"
    captured_at_ns = alert.captured_at_ns // HOUR * HOUR if ended else alert.captured_at_ns
    assert (seen.facts.sightings, seen.facts.captured_at_ns) == (1, captured_at_ns)
    assert (seen.facts.subject_id is None, seen.facts.similarity is None) == (ended, ended)


def test_the_reference_goes_before_a_restored_row(place: Installation, alert: Alert) -> None:
    """An old database with the current key store: the rows are there, what they hold opens no more."""
    place.keys.destroy([alert.key_id, place.subjects(alert.authorisation_id)[0].key_id])
    assert shown(place, alert).faces == 0


def test_an_alert_belongs_to_the_zone_it_was_raised_in(place: Installation, alert: Alert) -> None:
    place.hire("gil")
    place.hire("hal")
    for name, zone in (("gil", "gate"), ("hal", "hall")):
        for granter in ("abe", "rob"):
            place.grant(name, Role.OPERATOR, granter, [zone])
    place.advance(DAY)
    with place.store.write() as tx:
        tx.change(tx.get(Camera, "c1"), zone="hall")
    assert [facts.alert_id for facts in place.do("gil", queue.queue)] == [alert.alert_id]
    assert place.do("hal", queue.queue) == found(place, "hal") == []
    assert rule_of(lambda: shown(place, alert, "hal")) == "zone"
    assert shown(place, alert, "gil").image == b"a face"


def test_search_is_by_camera_time_and_outcome(place: Installation) -> None:
    names = tuple(place.look(Camera))
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY, cameras=names)
    made = []
    for camera in ("c1", "c2", "c1"):
        place.advance(NS_PER_S)
        made.append(place.alert(row.authorisation_id, camera))
    for who in ("opal", "otto"):
        judge(place, made[0], who, D)
    newest = [alert.alert_id for alert in reversed(made)]
    assert [facts.alert_id for facts in found(place, "aud")] == newest
    assert [facts.alert_id for facts in found(place, "aud", limit=2)] == newest[:2]
    assert [facts.alert_id for facts in found(place, "aud", cameras=["c2"])] == [made[1].alert_id]
    assert [facts.alert_id for facts in found(place, "aud", states=[State.FALSE])] == [made[0].alert_id]
    exactly = {"from_ns": made[1].captured_at_ns, "until_ns": made[2].captured_at_ns}
    assert [facts.alert_id for facts in found(place, "aud", **exactly)] == [made[1].alert_id]


@pytest.mark.parametrize("limit", [0, -1, queue.MOST_FOUND + 1])
def test_a_search_has_an_end(place: Installation, limit: int) -> None:
    with pytest.raises(InputError):
        found(place, "aud", limit=limit)


def test_nothing_shown_tells_how_many_have_judged(place: Installation, alert: Alert) -> None:
    place.hire("oli", Role.OPERATOR)

    def everything() -> bytes:
        facts = [place.do("oli", queue.queue), found(place, "oli"), found(place, "opal"), [shown(place, alert).facts]]
        return repr(facts).encode()

    before = everything()
    for who, answer in (("opal", S), ("otto", D)):
        place.see(who, alert.alert_id)
        assert place.do(who, lambda tx, actor, said=answer: give(place, tx, actor, alert, said)) is None  # type: ignore[misc]
        assert everything() == before
    judge(place, alert, "oda", C)
    assert everything() != before, "control: a decision shows"


def give(place: Installation, tx: object, actor: object, alert: Alert, answer: Answer) -> object:
    return give_verdict(tx, place.keys, actor, alert.alert_id, answer)  # type: ignore[arg-type,func-returns-value]


def test_the_log_opens_at_the_decision_what_it_was_committed_to(place: Installation, alert: Alert) -> None:
    judge(place, alert, "opal", S)
    place.disable("opal")
    judge(place, alert, "otto", S)
    entries = place.look(Entry)
    committed = [json.loads(entry.body)["commitment"] for entry in entries if entry.kind == "verdict.given"]
    (decided,) = (json.loads(entry.body) for entry in entries if entry.kind == "alert.decided")
    opened = [hashlib.sha256(rfc8785.dumps(one)).hexdigest() for one in decided["verdicts"]]
    assert sorted(opened) == sorted(committed)
    assert decided["outcome"] == "confirmed", "a verdict stands when its giver's account is closed"
    assert decided["sealed_until"] is None, "no oversight is configured, and that can be counted"
    assert {one["account"] for one in decided["verdicts"]} == {place.accounts["opal"], place.accounts["otto"]}
    assert {one["at"] for one in decided["verdicts"]} == {utc(place.clock.now_ns())}


@pytest.mark.parametrize("answer", [S, C])
def test_a_look_alike_is_somebody_else(place: Installation, alert: Alert, answer: Answer) -> None:
    with pytest.raises(HabeasError) as refused:
        judge(place, alert, "opal", answer, lookalike=True)
    assert refused.type is InputError


# --- in which order they wait -----------------------------------------------------------------------------------------


def test_the_urgent_wait_first_and_of_the_same_the_newest(place: Installation) -> None:
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)
    minute = 60 * NS_PER_S

    def raised(after_min: int) -> str:
        place.clock.advance(after_min * minute)
        alert_id = place.alert(row.authorisation_id).alert_id
        with place.store.write() as tx:
            ending.tick(tx, place.keys)
        return alert_id

    late, later = raised(0), raised(1)
    called, called_later = raised(30), raised(1)
    new, newest = raised(6), raised(1)
    with place.store.read() as tx:
        states = {one.alert_id: (one.state, one.called_at_ns is not None) for one in tx.find(Alert)}
        waiting = [facts.alert_id for facts in queue.queue(tx, place.actor(tx, "opal"))]
    assert [states[one][0] for one in (late, later)] == ["unconfirmed"] * 2
    assert [states[one][1] for one in (called, called_later, new, newest)] == [True, True, False, False]
    assert waiting == [called_later, called, newest, new, later, late]
    judge(place, place.look(Alert, alert_id=new)[0], "otto", S)
    with place.store.read() as tx:
        assert [facts.alert_id for facts in queue.queue(tx, place.actor(tx, "opal"))] == waiting, "no verdict counts"
