"""How alerts are written only while they may be, and how they end."""

import json
from dataclasses import replace
from typing import Final

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.errors import DiskError, HabeasError
from habeas.keys import Scope
from habeas.keys.memory import never
from habeas.review import alerts, ending
from habeas.review.table import Answer
from habeas.review.verdicts import RAISED_MOST
from habeas.store.records import Alert, Authorisation, Camera, Entry, Subject
from habeas.types import NS_PER_S

D: Final = Answer.DIFFERENT
MINUTE: Final = 60 * NS_PER_S
COOLDOWN: Final = 60 * NS_PER_S


@pytest.fixture
def row(place: Installation) -> Authorisation:
    return place.started("rita", until_ns=place.clock.now_ns() + 3 * DAY)


def now(place: Installation, alert: Alert) -> Alert:
    return place.look(Alert, alert_id=alert.alert_id)[0]


def raised(place: Installation, row: Authorisation, *, suspended: bool = False, similarity: float = 0.7) -> Alert:
    match = replace(place.match(row.authorisation_id), similarity=similarity)
    with place.store.write() as tx:
        return alerts.raise_alert(
            tx,
            place.keys,
            match,
            b"a face",
            camera=tx.get(Camera, "c1"),
            suspended=suspended,
            false_a_day=0.1,
            cooldown_ns=COOLDOWN,
        )


def kinds(place: Installation) -> list[str]:
    return [entry.kind for entry in place.look(Entry)]


def rejected(place: Installation, alert: Alert, *, lookalike: bool = False) -> None:
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, D, lookalike=lookalike)


# --- raising --------------------------------------------------------------------------------------------------------


def test_what_was_suspended_raises_nothing(place: Installation, row: Authorisation) -> None:
    assert rule_of(lambda: raised(place, row, suspended=True)) == "suspended"
    assert place.look(Alert) == []
    assert place.keys.ids(Scope.ALERT) == frozenset()


def test_a_match_of_another_camera_is_a_fault(place: Installation, row: Authorisation) -> None:
    match = place.match(row.authorisation_id, "c2")
    with pytest.raises(HabeasError, match="brought as one of c1"), place.store.write() as tx:
        alerts.raise_alert(
            tx,
            place.keys,
            match,
            b"a face",
            camera=tx.get(Camera, "c1"),
            suspended=False,
            false_a_day=0.1,
            cooldown_ns=COOLDOWN,
        )


def test_one_who_stays_is_one_alert(place: Installation, row: Authorisation) -> None:
    first = raised(place, row)
    place.advance(COOLDOWN)
    again = raised(place, row)
    assert (again.alert_id, again.sightings) == (first.alert_id, 2)
    with place.store.write() as tx:
        alerts.track_closed(tx, place.keys, first.alert_id, place.clock.now_ns() + 10, suspended=False)
        alerts.track_closed(tx, place.keys, first.alert_id, place.clock.now_ns() + 5, suspended=False)
    place.advance(COOLDOWN + 10)
    assert raised(place, row).sightings == 3
    place.advance(COOLDOWN + 1)
    assert raised(place, row).alert_id != first.alert_id
    assert (kinds(place).count("alert.seen-again"), kinds(place).count("alert.last-seen")) == (2, 1)
    assert len(place.keys.ids(Scope.ALERT)) == 2, "a further sighting makes no key"


def test_a_decided_one_is_not_extended(place: Installation, row: Authorisation) -> None:
    first = raised(place, row)
    rejected(place, first)
    before = now(place, first)
    with place.store.write() as tx:
        alerts.track_closed(tx, place.keys, first.alert_id, place.clock.now_ns() + 10, suspended=False)
    assert now(place, first) == before
    assert raised(place, row).alert_id != first.alert_id


# --- look-alikes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("similarity", "old", "expected"),
    [(0.7, None, 0.72), (0.7, 0.9, 0.9), (0.7, 0.6, 0.72), (0.94, None, RAISED_MOST), (0.99, 0.97, 0.97)],
)
def test_a_threshold_is_raised_never_lowered(
    place: Installation, row: Authorisation, similarity: float, old: float | None, expected: float
) -> None:
    alert = raised(place, row, similarity=similarity)
    with place.store.write() as tx:
        tx.change(tx.get(Subject, alert.subject_id), raised_to=old)
    rejected(place, alert, lookalike=True)
    assert place.look(Subject, subject_id=alert.subject_id)[0].raised_to == pytest.approx(expected)
    assert "subject.threshold-raised" in kinds(place)


def test_a_mark_on_what_was_not_false_does_nothing(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)
    for who, answer in (("opal", D), ("otto", Answer.SAME), ("oda", Answer.SAME)):
        place.judge(who, alert.alert_id, answer, lookalike=answer is D)
    assert now(place, alert).state == "confirmed"
    assert place.look(Subject, subject_id=alert.subject_id)[0].raised_to is None


def test_what_is_over_is_not_judged_before_anybody_noticed(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)

    def judge() -> None:
        place.judge("opal", alert.alert_id, D)

    place.advance(3 * DAY, tick=False)
    assert rule_of(judge) == "state"
    place.advance(-1, tick=False)
    assert rule_of(judge) == "", "control: an instant before"


# --- ending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "state"), [(29, "withdrawn"), (30, "unconfirmed")])
def test_what_nobody_decided_is_unconfirmed_however_late_it_is_noticed(
    place: Installation, row: Authorisation, minutes: int, state: str
) -> None:
    alert = raised(place, row)
    place.advance(minutes * MINUTE, tick=False)
    place.revoke(row.authorisation_id, "rita")
    assert now(place, alert).state == state


def test_a_suspension_takes_what_was_captured_in_it(place: Installation, row: Authorisation) -> None:
    place.advance(HOUR)
    made = []
    for _ in range(3):
        made.append(place.alert(row.authorisation_id))
        place.advance(NS_PER_S)
    with place.store.write() as tx:
        gone = ending.destroy_captured(tx, ["c1"], made[1].captured_at_ns, made[2].captured_at_ns)
        assert ending.destroy_captured(tx, ["c2"], 0, 1 << 62) == []
    assert gone == [made[1].key_id]
    assert [now(place, alert).image_sealed is None for alert in made] == [False, True, False]


@pytest.mark.rule("S2")
def test_a_suspension_takes_back_what_was_seen_in_it(place: Installation, row: Authorisation) -> None:
    """An alert of before stays, as it was at its capture; one seen again before it keeps that."""
    earlier = raised(place, row)
    place.advance(MINUTE)
    assert raised(place, row).sightings == 2
    place.advance(3 * MINUTE)
    before = raised(place, row)
    place.advance(MINUTE)
    assert raised(place, row).alert_id == before.alert_id
    place.advance(HOUR)
    place.suspend(names=["c1"], from_ns=before.captured_at_ns + 1, lasts_ns=HOUR)
    kept = now(place, before)
    assert (kept.last_seen_ns, kept.sightings) == (before.captured_at_ns, 1)
    assert kept.image_sealed is not None
    assert now(place, earlier).sightings == 2, "control"
    assert kinds(place).count("alert.sightings-forgotten") == 1


@pytest.mark.rule("S2")
def test_a_track_that_closes_after_the_suspension_tells_nothing(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)
    with place.store.write() as tx:
        alerts.track_closed(tx, place.keys, alert.alert_id, alert.captured_at_ns + 5, suspended=True)
    assert now(place, alert).last_seen_ns == alert.captured_at_ns
    with place.store.write() as tx:
        alerts.track_closed(tx, place.keys, alert.alert_id, alert.captured_at_ns + 5, suspended=False)
    assert now(place, alert).last_seen_ns == alert.captured_at_ns + 5, "control"


@pytest.mark.rule("S2")
def test_what_was_confirmed_in_it_is_nobodys_any_more(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, Answer.SAME)
    place.advance(HOUR)
    place.suspend(names=["c1"], from_ns=alert.captured_at_ns, lasts_ns=HOUR)
    after = now(place, alert)
    assert (after.state, after.image_sealed, after.subject_id) == ("confirmed", None, None)


def test_an_undecided_one_opens_its_verdict_when_it_ends(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)
    place.judge("opal", alert.alert_id, D)
    place.revoke(row.authorisation_id, "rita")
    (entry,) = (json.loads(one.body) for one in place.look(Entry) if one.kind == "alert.destroyed")
    assert [one["verdict"] for one in entry["verdicts"]] == ["different"]
    assert (entry["why"], entry["state"]) == ("authorisation", "withdrawn")


def test_keys_that_no_row_names_go_with_the_next_tick(place: Installation, row: Authorisation) -> None:
    """As after a crash between the commit and the key's end, or after an alert whose transaction failed."""
    kept = raised(place, row)
    place.advance(HOUR)

    def failing() -> None:
        with place.store.write() as tx:
            camera = tx.get(Camera, "c1")
            match = place.match(row.authorisation_id)
            options = {"camera": camera, "suspended": False, "false_a_day": 0.1, "cooldown_ns": 0}
            alerts.raise_alert(tx, place.keys, match, b"a face", **options)  # type: ignore[arg-type]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert len(place.keys.ids(Scope.ALERT)) == 2
    place.tick()
    assert place.keys.ids(Scope.ALERT) == {kept.key_id}


def test_a_verdict_stands_where_the_key_could_not_be_destroyed_at_once(place: Installation, row: Authorisation) -> None:
    alert = raised(place, row)
    place.judge("opal", alert.alert_id, D)
    place.disk.fault = lambda _step: DiskError("planted", remedy="none")
    with pytest.raises(DiskError, match="planted"):
        place.judge("otto", alert.alert_id, D)
    assert (now(place, alert).state, now(place, alert).image_sealed) == ("false", None)
    assert alert.key_id not in place.keys.ids(), "unusable at once"
    place.disk.fault = never
    place.tick()
    assert place.disk.after_kill().names() == place.disk.names()


def test_no_room_for_a_key_is_no_alert(place: Installation, row: Authorisation) -> None:
    place.disk.fault = lambda _step: DiskError("planted", remedy="none")
    with pytest.raises(DiskError, match="planted"):
        raised(place, row)
    assert place.look(Alert) == []
    assert "alert.raised" not in kinds(place)


def test_an_urgent_ones_alerts_stay_when_it_is_confirmed(place: Installation) -> None:
    urgent = place.submitted("rita", urgent=True, until_ns=place.clock.now_ns() + 3 * DAY)
    urgent = place.approve(urgent.authorisation_id, "abe")
    alert = raised(place, urgent)
    assert alert.expires_at_ns == place.clock.now_ns() + DAY
    place.approve(urgent.authorisation_id, "bea")
    assert now(place, alert).expires_at_ns == place.clock.now_ns() + 3 * DAY
    assert place.keys.expires_at_ns(alert.key_id) == place.clock.now_ns() + 3 * DAY
    place.advance(2 * DAY)
    assert now(place, alert).image_sealed is not None
