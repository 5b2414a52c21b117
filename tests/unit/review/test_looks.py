"""Nobody judges what they have not opened; who has, shows nowhere, and goes with the decision."""

import json

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts import people
from habeas.accounts.roles import Role
from habeas.audit.hiding import uncover
from habeas.errors import KeyDestroyed, RuleError
from habeas.review import queue
from habeas.review.table import Answer
from habeas.store.records import Alert, Entry, Look, Subject, Verdict

S, D = Answer.SAME, Answer.DIFFERENT


@pytest.fixture
def alert(place: Installation) -> Alert:
    row = place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)
    return place.alert(row.authorisation_id)


def blind(place: Installation, who: str, alert: Alert, answer: Answer = S) -> str:
    """The rule that refuses a verdict of somebody who does not look now."""
    return rule_of(lambda: place.judge(who, alert.alert_id, answer, looks=False))


@pytest.mark.rule("V11")
def test_a_verdict_takes_a_look(place: Installation, alert: Alert) -> None:
    with pytest.raises(RuleError) as refused:
        place.judge("opal", alert.alert_id, S, looks=False)
    assert refused.value.rule == "look-first"
    assert refused.value.remedy == f"open them: habeas review show {alert.alert_id}"
    assert place.look(Verdict) == []
    place.see("opal", alert.alert_id)
    assert blind(place, "otto", alert) == "look-first", "somebody else's look is none"
    assert blind(place, "opal", alert) == ""
    place.see("otto", alert.alert_id)
    assert blind(place, "otto", alert) == ""
    assert place.look(Alert)[0].state == "confirmed"


@pytest.mark.rule("V11")
def test_a_look_is_of_one_alert_and_of_one_account(place: Installation, alert: Alert) -> None:
    place.advance(1, tick=False)
    other = place.alert(alert.authorisation_id)
    place.hire("opal2", Role.OPERATOR, person_name="Opal")
    place.see("opal", other.alert_id)
    assert blind(place, "opal", alert) == "look-first"
    assert blind(place, "opal2", other) == "look-first"
    assert blind(place, "opal", other) == ""


@pytest.mark.rule("V11")
@pytest.mark.parametrize("gone", ["image", "reference"])
def test_half_a_look_is_none(place: Installation, alert: Alert, gone: str) -> None:
    """As after a restore: the rows are there, and one of the keys is not."""
    subject = place.look(Subject)[0]
    place.keys.destroy([alert.key_id if gone == "image" else subject.key_id])
    place.see("opal", alert.alert_id)
    assert blind(place, "opal", alert) == "look-first"


@pytest.mark.rule("V11")
def test_a_look_stands_until_somebody_else_holds_the_account(place: Installation, alert: Alert) -> None:
    place.see("opal", alert.alert_id)
    place.see("otto", alert.alert_id)
    place.advance(DAY)
    assert blind(place, "otto", alert) == "", "a day later, in whichever login: the pictures are the same"
    made = place.do("ann", lambda tx, actor: people.renew_setup(tx, place.keys, actor, "opal"))
    with place.store.write() as tx:
        people.set_password(tx, place.keys, "opal", made.setup_code, "correct horse battery")
    for granter in ("abe", "rob"):
        place.grant("opal", Role.OPERATOR, granter)
    place.advance(DAY)
    assert blind(place, "opal", alert) == "look-first"
    place.see("opal", alert.alert_id)
    assert blind(place, "opal", alert) == ""


def test_the_look_is_noted_with_its_entry_and_goes_with_the_decision(place: Installation, alert: Alert) -> None:
    def failing() -> None:
        with place.store.write() as tx:
            queue.show(tx, place.keys, place.actor(tx, "opal"), alert.alert_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert place.look(Look) == []
    place.see("opal", alert.alert_id)
    place.see("opal", alert.alert_id)
    assert place.look(Look) == [Look(alert.alert_id, place.accounts["opal"], place.clock.now_ns())]
    assert len([entry for entry in place.look(Entry) if entry.kind == "view.alert"]) == 2
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, S)
    place.see("opal", alert.alert_id)
    assert place.look(Look) == [], "a look at what is decided is an entry, and no more"


def test_looks_go_with_the_image(place: Installation, alert: Alert) -> None:
    place.see("opal", alert.alert_id)
    place.revoke(alert.authorisation_id, "rita")
    assert place.look(Look) == []


@pytest.mark.rule("V2")
def test_who_has_looked_shows_nowhere(place: Installation, alert: Alert) -> None:
    def everything() -> str:
        with place.store.read() as tx:
            actor = place.actor(tx, "otto")
            found = queue.search(tx, actor, cameras=(), from_ns=0, until_ns=1 << 62)
            told = queue.queue(tx, actor), found
        return repr((told, blind(place, "oda", alert)))

    before = everything()
    place.see("opal", alert.alert_id)
    assert everything() == before
    place.judge("opal", alert.alert_id, D)
    assert everything() == before


@pytest.mark.rule("V12")
@pytest.mark.parametrize("how", ["false", "unresolved", "revoked", "late"])
def test_the_row_of_what_was_not_confirmed_names_nobody(place: Installation, alert: Alert, how: str) -> None:
    place.advance(7 * 60 * 10**9)  # somebody was called: that time is kept to the hour too
    if how == "revoked":
        place.revoke(alert.authorisation_id, "rita")
    elif how == "late":
        place.advance(3 * DAY)
    else:
        answers = (D, D) if how == "false" else (D, S, Answer.CANNOT_TELL)
        for who, answer in zip(("opal", "otto", "oda"), answers, strict=False):
            place.judge(who, alert.alert_id, answer)
    (row,) = place.look(Alert)
    assert row.image_sealed is None
    linking = (row.authorisation_id, row.subject_id, row.track_id, row.similarity, row.view_id)
    assert linking == (None,) * 5
    times = [row.captured_at_ns, row.raised_at_ns, row.last_seen_ns, row.called_at_ns, row.destroyed_at_ns]
    times += [row.expires_at_ns, row.decided_at_ns]
    assert {at_ns % HOUR for at_ns in times if at_ns is not None} == {0}
    assert row.captured_at_ns == alert.captured_at_ns // HOUR * HOUR
    statistics = ("camera_id", "zone", "threshold", "expected_fpir", "gallery_size", "model_id", "false_a_day")
    assert [getattr(row, name) for name in statistics] == [getattr(alert, name) for name in statistics]
    assert row.state == {"revoked": "withdrawn", "late": "unconfirmed"}.get(how, how)
    subject = place.look(Subject)[0].subject_id
    assert subject not in repr(row)


@pytest.mark.rule("V12")
@pytest.mark.parametrize("answer", [S, D])
def test_an_entry_says_where_and_how_alike_only_while_the_alert_has_its_key(
    place: Installation, alert: Alert, answer: Answer
) -> None:
    place.alert(alert.authorisation_id, track_id=2)
    entries = [one for one in place.look(Entry) if one.kind in {"alert.raised", "alert.seen-again"}]
    told = " ".join(entry.body for entry in entries)
    assert not [text for text in (alert.authorisation_id, '"c1"', str(alert.similarity)) if text in told]
    hidden = json.loads(uncover(place.keys, entries[0]))
    assert (hidden["authorisation"], hidden["camera"]) == (alert.authorisation_id, "c1")
    assert hidden["similarity"] == alert.similarity
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, answer)
    if answer is S:
        assert uncover(place.keys, entries[0]), "control: a confirmed one is known as long as its authorisation runs"
        place.revoke(alert.authorisation_id, "rita")
    for entry in entries:
        with pytest.raises(KeyDestroyed):
            uncover(place.keys, entry)


@pytest.mark.rule("V12")
def test_a_confirmed_one_is_known_until_its_authorisation_ends(place: Installation, alert: Alert) -> None:
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, S)
    (row,) = place.look(Alert)
    assert (row.subject_id, row.similarity) == (alert.subject_id, alert.similarity), "control: it was the subject"
    place.revoke(alert.authorisation_id, "rita")
    (row,) = place.look(Alert)
    assert (row.image_sealed, row.subject_id, row.authorisation_id, row.similarity) == (None, None, None, None)
    assert row.state == "confirmed"
