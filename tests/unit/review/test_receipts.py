"""Receipts: what a code opens, what freezing keeps and what it does not, and the duty to correct."""

import json
from collections.abc import Callable
from typing import Final

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts.roles import Role
from habeas.errors import InputError, KeyDestroyed
from habeas.keys import Scope, new_identity, unseal
from habeas.review import receipts
from habeas.review.images import OVERSIGHT, OVERSIGHT_NS
from habeas.review.receipts import DISPUTE_NS
from habeas.review.table import Answer
from habeas.store.records import Alert, Authorisation, Dispute, Entry, Meta, Receipt

S: Final = Answer.SAME
D: Final = Answer.DIFFERENT
OUTSIDE: Final = new_identity()
WHY: Final = "It was not me. Nobody asked."


@pytest.fixture
def row(place: Installation) -> Authorisation:
    with place.store.write() as tx:
        tx.add(Meta(OVERSIGHT, OUTSIDE.recipient))
    return place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)


@pytest.fixture
def alert(place: Installation, row: Authorisation) -> Alert:
    return place.alert(row.authorisation_id)


def now(place: Installation, alert: Alert) -> Alert:
    return place.look(Alert, alert_id=alert.alert_id)[0]


def judged(place: Installation, alert: Alert, answer: Answer) -> None:
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, answer)


def taken(place: Installation, code: str) -> dict[str, object]:
    """The sealed record, as oversight opens it."""
    with place.store.write() as tx:
        sealed = receipts.take_record(tx, place.keys, code)
    opened: dict[str, object] = json.loads(unseal(OUTSIDE.secret, sealed))
    return opened


def bodies(place: Installation, kind: str) -> list[dict[str, object]]:
    return [json.loads(entry.body) for entry in place.look(Entry) if entry.kind == kind]


# --- the code ---------------------------------------------------------------------------------------------------------


def test_an_operator_of_the_zone_makes_a_receipt_and_only_its_hash_is_kept(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    (kept,) = place.look(Receipt)
    assert code not in repr(kept)
    assert bodies(place, "receipt.made") == [{"alert": alert.alert_id, "receipt": kept.receipt_id, "v": 1}]


@pytest.mark.parametrize(
    ("who", "rule"), [("abe", "role"), ("pia", "role"), ("aud", "role"), ("token:opal", "login-needed")]
)
def test_nobody_else_makes_one(place: Installation, alert: Alert, who: str, rule: str) -> None:
    assert rule_of(lambda: place.receipt(alert.alert_id, who)) == rule


@pytest.mark.rule("V15")
def test_a_code_is_known_however_it_is_typed_and_no_other_opens_anything(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    with place.store.read() as tx:
        assert receipts.show(tx, code.lower().replace("-", " ")).alert_id == alert.alert_id
        assert rule_of(lambda: receipts.show(tx, "23456-789AB-CDEFG-HJKLM")) == "receipt-code"
    assert rule_of(lambda: place.freeze("")) == "receipt-code"


@pytest.mark.rule("V2")
@pytest.mark.rule("V15")
def test_the_holder_sees_no_verdict_before_the_decision(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    place.freeze(code)
    with place.store.read() as tx:
        before = receipts.show(tx, code)
    place.judge("opal", alert.alert_id, S)
    with place.store.read() as tx:
        assert receipts.show(tx, code) == before
    assert before.outcome == "undecided"
    place.judge("otto", alert.alert_id, S)
    with place.store.read() as tx:
        assert receipts.show(tx, code).outcome == "confirmed"


# --- freezing ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("V13")
def test_freezing_seals_an_alert_that_was_not_sealed_and_says_until_when(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    standing = place.freeze(code)
    assert standing.sealed_until_ns == place.clock.now_ns() + OVERSIGHT_NS
    assert taken(place, code)["alert"] == alert.alert_id
    assert [body["alert"] for body in bodies(place, "alert.frozen")] == [alert.alert_id]


@pytest.mark.rule("V2")
def test_what_is_sealed_of_an_undecided_alert_holds_no_verdict(place: Installation, alert: Alert) -> None:
    place.judge("opal", alert.alert_id, S)
    code = place.receipt(alert.alert_id)
    place.freeze(code)
    assert taken(place, code)["verdicts"] == []


@pytest.mark.rule("V13")
def test_freezing_moves_no_deadline_of_the_image(place: Installation, row: Authorisation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    place.freeze(code)
    kept = now(place, alert)
    assert (kept.expires_at_ns, kept.key_id) == (alert.expires_at_ns, alert.key_id)
    assert place.keys.expires_at_ns(alert.key_id) == alert.expires_at_ns
    place.revoke(row.authorisation_id, "rita")
    place.tick()
    gone = now(place, alert)
    assert (gone.image_sealed, gone.subject_id, gone.similarity) == (None, None, None), "V12 stands"
    assert not place.keys.has(alert.key_id)
    assert taken(place, code)["subject"] == alert.subject_id, "oversight's copy stays"


@pytest.mark.rule("V13")
@pytest.mark.parametrize("answer", [S, D])
def test_what_is_decided_later_leaves_the_frozen_record(place: Installation, alert: Alert, answer: Answer) -> None:
    code = place.receipt(alert.alert_id)
    frozen_until = place.freeze(code).sealed_until_ns
    place.advance(HOUR)
    judged(place, alert, answer)
    place.tick()
    until_ns = now(place, alert).oversight_until_ns
    assert until_ns == (place.clock.now_ns() + OVERSIGHT_NS if answer is S else frozen_until)
    assert len(list(taken(place, code)["verdicts"])) == (2 if answer is S else 0)  # type: ignore[call-overload]  # a list
    assert len(place.keys.ids(Scope.ALERT)) == (2 if answer is S else 1), "the key of the older record is gone"


@pytest.mark.rule("V13")
def test_freezing_a_confirmed_alert_keeps_its_record_six_months_from_then_and_once(
    place: Installation, alert: Alert
) -> None:
    judged(place, alert, S)
    code = place.receipt(alert.alert_id)
    place.advance(100 * DAY)
    before = now(place, alert)
    frozen_ns = place.clock.now_ns()
    assert place.freeze(code).sealed_until_ns == frozen_ns + OVERSIGHT_NS
    place.advance(50 * DAY)
    assert place.freeze(place.receipt(alert.alert_id)).sealed_until_ns == frozen_ns + OVERSIGHT_NS, "once"
    assert not place.keys.has(before.oversight_key_id or "")
    place.advance(133 * DAY - 1)
    assert taken(place, code)["alert"] == alert.alert_id, "beyond the six months of the confirmation"
    place.advance(1)
    assert place.keys.ids(Scope.ALERT) == frozenset()
    with pytest.raises(KeyDestroyed):
        taken(place, code)


@pytest.mark.rule("V13")
def test_freezing_brings_nothing_back(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    judged(place, alert, D)
    standing = place.freeze(code)
    assert (standing.outcome, standing.sealed_until_ns) == ("false", None)
    with pytest.raises(KeyDestroyed):
        taken(place, code)


@pytest.mark.rule("V13")
def test_what_is_over_but_not_ended_yet_is_not_sealed(place: Installation, row: Authorisation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    place.advance(3 * DAY, tick=False)
    assert place.freeze(code).sealed_until_ns is None
    judged_until = place.look(Authorisation, authorisation_id=row.authorisation_id)[0].ends_at_ns
    assert judged_until == place.clock.now_ns()


def test_without_oversight_nothing_is_sealed(place: Installation) -> None:
    row = place.started("rita")
    alert = place.alert(row.authorisation_id)
    assert place.freeze(place.receipt(alert.alert_id)).sealed_until_ns is None


def test_the_record_of_an_alert_that_is_not_frozen_stays(place: Installation, alert: Alert) -> None:
    judged(place, alert, S)
    assert rule_of(lambda: taken(place, place.receipt(alert.alert_id))) == "state"
    assert bodies(place, "record.taken") == []


def test_taking_the_record_is_an_entry(place: Installation, alert: Alert) -> None:
    code = place.receipt(alert.alert_id)
    place.freeze(code)
    taken(place, code)
    assert [body["alert"] for body in bodies(place, "record.taken")] == [alert.alert_id]


# --- disputing and correcting -----------------------------------------------------------------------------------------


def duties(place: Installation, who: str = "pia") -> list[receipts.Duty]:
    return place.do(who, lambda tx, actor: receipts.disputes(tx, place.keys, actor))


def corrected(place: Installation, alert: Alert, who: str = "abe", *told: str) -> None:
    told = told or ("Patrol 7",)
    place.do(who, lambda tx, actor: receipts.correct(tx, place.keys, actor, alert.alert_id, told))


@pytest.mark.rule("V10")
@pytest.mark.rule("V14")
def test_disputing_freezes_seals_and_leaves_a_duty_until_the_recipients_are_told(
    place: Installation, alert: Alert
) -> None:
    code = place.receipt(alert.alert_id)
    standing = place.dispute(code, WHY)
    assert standing.frozen_at_ns == standing.disputed_at_ns == place.clock.now_ns()
    assert taken(place, code)["alert"] == alert.alert_id
    assert [(one.alert_id, one.why) for one in duties(place)] == [(alert.alert_id, WHY)]
    place.advance(200 * DAY)
    assert len(duties(place, "bea")) == 1, "it waits, however long"
    corrected(place, alert, "abe", "Patrol 7", "Police South")
    assert duties(place) == []
    with place.store.read() as tx:
        assert receipts.show(tx, code).corrected_at_ns == place.clock.now_ns()
    assert [body["recipients"] for body in bodies(place, "alert.corrected")] == [2]


@pytest.mark.rule("V14")
def test_what_the_holder_wrote_and_who_was_told_are_in_no_entry_and_no_column(
    place: Installation, alert: Alert
) -> None:
    place.dispute(place.receipt(alert.alert_id), WHY)
    assert WHY.encode() not in repr(place.look(Dispute)).encode()
    corrected(place, alert)
    texts = [entry.body for entry in place.look(Entry)]
    assert not any(secret in text for text in texts for secret in (WHY, "Patrol 7"))
    assert place.look(Dispute)[0].why_sealed is None


def test_what_the_holder_wrote_is_read_for_a_year_and_the_duty_stays(place: Installation, alert: Alert) -> None:
    place.dispute(place.receipt(alert.alert_id), WHY)
    place.advance(DISPUTE_NS - 1)
    place.hire("later", Role.PRIVACY)  # the years of those who were there are over
    assert duties(place, "later")[0].why == WHY
    place.advance(1)
    assert duties(place, "later")[0].why is None
    assert place.keys.ids(Scope.ALERT) == frozenset()
    corrected(place, alert, "later")
    place.tick()
    assert len(place.keys.ids(Scope.ALERT)) == 1, "who was told is hidden under a key of its own year"


@pytest.mark.rule("V14")
@pytest.mark.parametrize(
    ("who", "rule"), [("opal", "role"), ("aud", "role"), ("rob", "role"), ("token:abe", "login-needed")]
)
def test_only_approvers_and_privacy_officers_see_and_close_it(
    place: Installation, alert: Alert, who: str, rule: str
) -> None:
    place.dispute(place.receipt(alert.alert_id))
    assert rule_of(lambda: duties(place, who)) == rule
    assert rule_of(lambda: corrected(place, alert, who)) == rule


def test_an_alert_is_disputed_once_and_corrected_once(place: Installation, alert: Alert) -> None:
    assert rule_of(lambda: corrected(place, alert)) == "state"
    code = place.receipt(alert.alert_id)
    place.dispute(code)
    assert rule_of(lambda: place.dispute(place.receipt(alert.alert_id))) == "state"
    corrected(place, alert)
    assert rule_of(lambda: corrected(place, alert)) == "state"
    assert rule_of(lambda: place.dispute(code)) == "state"


@pytest.mark.parametrize(
    "empty",
    [
        lambda place, alert: place.dispute(place.receipt(alert.alert_id), "  "),
        lambda place, alert: corrected(place, alert, "abe", " "),
    ],
)
def test_empty_words_are_refused(
    place: Installation, alert: Alert, empty: Callable[[Installation, Alert], object]
) -> None:
    with pytest.raises(InputError):
        empty(place, alert)
