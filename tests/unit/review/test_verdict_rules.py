"""The rules of verdicts, each against a real alert of a real authorisation."""

import itertools
from collections.abc import Sequence
from typing import Any, Final

import pytest
from tests.installation import DAY, Installation, rule_of

from habeas.accounts.roles import Role
from habeas.errors import UsageError
from habeas.keys import new_identity, unseal
from habeas.node.counting import false_a_day
from habeas.review import alerts, ending, queue
from habeas.review.images import OVERSIGHT, oversight_context
from habeas.review.table import Answer
from habeas.review.verdicts import RAISE_BY
from habeas.store.records import Alert, Camera, Count, Entry, Meta, Subject
from habeas.types import NS_PER_S

MINUTE: Final = 60 * NS_PER_S
S, D, C = Answer.SAME, Answer.DIFFERENT, Answer.CANNOT_TELL
REVIEWERS: Final = ("opal", "otto", "oda")


@pytest.fixture
def alert(place: Installation) -> Alert:
    """An alert of an authorisation that goes on for thirty days."""
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)
    return place.alert(row.authorisation_id)


def judge(place: Installation, alert: Alert, who: str, answer: Answer, *, lookalike: bool = False) -> None:
    place.judge(who, alert.alert_id, answer, lookalike=lookalike)


def now(place: Installation, alert: Alert) -> Alert:
    return place.look(Alert, alert_id=alert.alert_id)[0]


def waiting(place: Installation, who: str) -> list[Any]:
    with place.store.read() as tx:
        return queue.queue(tx, place.actor(tx, who))


def expected(answers: Sequence[Answer]) -> str:
    """What the table says, written down anew."""
    if answers[0] is answers[1] is not C:
        return {S: "confirmed", D: "false"}[answers[0]]
    if answers[2] is S and S not in answers[:2]:
        return "unresolved"
    return {S: "confirmed", D: "false", C: "unresolved"}[answers[2]]


@pytest.mark.rule("V1")
@pytest.mark.rule("V3")
@pytest.mark.rule("V4")
@pytest.mark.rule("V5")
@pytest.mark.parametrize("answers", list(itertools.product((S, D, C), repeat=3)))
def test_the_table(place: Installation, alert: Alert, answers: tuple[Answer, ...]) -> None:
    judge(place, alert, REVIEWERS[0], answers[0])
    assert now(place, alert).state == "open", "one decides nothing"
    judge(place, alert, REVIEWERS[1], answers[1])
    agreed = answers[0] is answers[1] is not C
    assert (now(place, alert).state != "open") is agreed
    if not agreed:
        judge(place, alert, REVIEWERS[2], answers[2])
    after = now(place, alert)
    assert after.state == expected(answers)
    gone = after.state != "confirmed"
    assert (after.image_sealed is None) is gone
    assert (after.key_id not in place.keys.ids()) is gone


@pytest.mark.rule("V2")
def test_a_first_verdict_shows_nowhere(place: Installation, alert: Alert) -> None:
    place.hire("oli", Role.OPERATOR)
    before = (now(place, alert), waiting(place, "otto"), waiting(place, "oli"))
    judge(place, alert, "opal", S)
    assert (now(place, alert), waiting(place, "otto"), waiting(place, "oli")) == before
    assert waiting(place, "opal") == [], "only who gave it is done"
    judge(place, alert, "otto", D)
    assert len(waiting(place, "oda")) == 1, "a disagreement goes to a third, and shows no more"
    given = [entry for entry in place.look(Entry) if entry.kind == "verdict.given"]
    assert all(alert.alert_id not in entry.body and "same" not in entry.body for entry in given)
    assert {entry.actor for entry in given} == {"review"}


@pytest.mark.rule("V6")
@pytest.mark.parametrize("answers", [(), (S,), (S, D)])
def test_called_after_five_minutes_unconfirmed_after_thirty(
    place: Installation, alert: Alert, answers: tuple[Answer, ...]
) -> None:
    for who, answer in zip(REVIEWERS, answers, strict=False):
        judge(place, alert, who, answer)
    place.advance(5 * MINUTE - 1)
    assert now(place, alert).called_at_ns is None
    place.advance(1)
    assert now(place, alert).called_at_ns is not None
    place.advance(25 * MINUTE - 1)
    assert now(place, alert).state == "open"
    place.advance(1)
    assert now(place, alert).state == "unconfirmed"
    assert now(place, alert).image_sealed is not None


@pytest.mark.rule("V7")
@pytest.mark.parametrize("how", ["with its authorisation", "revoked"])
def test_images_end_with_their_authorisation(place: Installation, alert: Alert, how: str) -> None:
    if how == "revoked":
        place.revoke(alert.authorisation_id, "rita")
    else:
        place.advance(3 * DAY)
    assert now(place, alert).image_sealed is None
    assert alert.key_id not in place.keys.ids()


@pytest.mark.rule("V7")
def test_images_end_after_31_days_whatever_goes_on(place: Installation, alert: Alert) -> None:
    assert alert.expires_at_ns == place.clock.now_ns() + 3 * DAY
    assert alerts.LONGEST_NS == 31 * DAY
    with place.store.write() as tx:
        ending.keep_until(tx, place.keys, alert.authorisation_id, place.clock.now_ns() + 90 * DAY)
    assert now(place, alert).expires_at_ns == place.clock.now_ns() + 31 * DAY


@pytest.mark.rule("V8")
@pytest.mark.rule("O1")
@pytest.mark.rule("O12")
def test_who_judges(place: Installation, alert: Alert) -> None:
    judge(place, alert, "opal", S)
    assert rule_of(lambda: judge(place, alert, "opal", D)) == "once-each"
    place.hire("opal2", Role.OPERATOR, person_name="Opal")
    assert rule_of(lambda: judge(place, alert, "opal2", S)) == "once-each"
    assert rule_of(lambda: judge(place, alert, "token:otto", S)) == "login-needed"
    place.hire("ned")
    place.grant("ned", Role.OPERATOR, "abe", ["hall"])
    place.grant("ned", Role.OPERATOR, "rob", ["hall"])
    place.advance(DAY)
    assert rule_of(lambda: judge(place, alert, "ned", S)) == "zone"
    for who in ("ann", "pia", "rob", "abe", "aud"):
        assert rule_of(lambda who=who: judge(place, alert, who, S)) == "role"  # type: ignore[misc]
    judge(place, alert, "otto", S)
    assert now(place, alert).state == "confirmed", "control"


@pytest.mark.rule("V9")
@pytest.mark.parametrize("really", [True, False])
def test_a_look_alike_raises_one_number(place: Installation, alert: Alert, really: bool) -> None:
    judge(place, alert, "opal", D, lookalike=really)
    assert place.look(Subject, subject_id=alert.subject_id)[0].raised_to is None, "not before the second"
    judge(place, alert, "otto", D)
    raised = place.look(Subject, subject_id=alert.subject_id)[0].raised_to
    assert raised == (pytest.approx(alert.similarity + RAISE_BY) if really else None)
    assert place.gallery.floor(alert.subject_id) == (raised or 0)
    assert now(place, alert).image_sealed is None


@pytest.mark.rule("V10")
def test_a_confirmed_one_is_sealed_for_six_months(place: Installation, alert: Alert) -> None:
    identity = new_identity()
    with place.store.write() as tx:
        tx.add(Meta(OVERSIGHT, identity.recipient))
    judge(place, alert, "opal", S)
    judge(place, alert, "otto", S)
    sealed = now(place, alert)
    context = oversight_context(alert.alert_id)
    wrapped = place.keys.decrypt(sealed.oversight_key_id or "", sealed.oversight_sealed or b"", context)
    assert alert.alert_id.encode() in unseal(identity.secret, wrapped)
    place.advance(3 * DAY)
    assert now(place, alert).image_sealed is None
    assert now(place, alert).oversight_sealed is not None, "that lives on"
    place.advance(180 * DAY)
    assert now(place, alert).oversight_sealed is None
    assert sealed.oversight_key_id not in place.keys.ids()


@pytest.mark.rule("F16")
def test_nobody_sees_an_alert_before_its_entry_is_durable(place: Installation) -> None:
    row = place.started()
    match = place.match(row.authorisation_id)
    with place.store.write() as tx:
        raised = alerts.raise_alert(
            tx,
            place.keys,
            match,
            b"a face",
            camera=tx.get(Camera, "c1"),
            suspended=False,
            false_a_day=0.1,
            cooldown_ns=0,
        )
        assert waiting(place, "opal") == [], "not committed"
    assert [facts.alert_id for facts in waiting(place, "opal")] == [raised.alert_id]
    (entry,) = (one for one in place.look(Entry) if one.kind == "alert.raised")
    assert raised.alert_id in entry.body
    with place.store.write() as tx:
        shown = queue.show(tx, place.keys, place.actor(tx, "opal"), raised.alert_id)
        with pytest.raises(UsageError):
            _ = shown.image
    assert shown.image == b"a face"


@pytest.mark.rule("F15")
def test_an_alert_says_how_many_false_ones_to_expect(place: Installation, alert: Alert) -> None:
    (facts,) = waiting(place, "opal")
    assert facts.false_a_day == alert.false_a_day == 0.2
    with place.store.write() as tx:
        tx.add(Count("c1", "2023-11-14", analysed_ns=DAY // 24, tracks=500))
        assert false_a_day(tx, "c1", 1e-4) == pytest.approx(500 * 24 * 1e-4)
        assert false_a_day(tx, "c2", 1e-4) == 0
