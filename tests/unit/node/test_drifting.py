"""The monitors on what an installation counts: stepped by days and verdicts, an alarm is an entry and a notice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.installation import DAY, HOUR, Installation

from habeas.authority.policy import Ceilings
from habeas.clock import ManualClock
from habeas.comparison.calibration import Calibration, Point
from habeas.errors import HabeasError
from habeas.node.counting import day_text
from habeas.node.drifting import RATE, SIMILARITY, step_days, step_decided, told_drift
from habeas.review.table import Answer
from habeas.review.verdicts import give_verdict
from habeas.store.records import Alert, Authorisation, Camera, Count, Drift, Entry

TABLE: Final = Calibration("m", "by hand", ((1, tuple(Point(10.0**-n, n / 10, 99, 0.0, 1.0) for n in range(1, 10))),))
"""One tenth more alike: a tenth of the strangers."""
D: Final = Answer.DIFFERENT


class Place(Installation):
    """An installation whose monitors are stepped, and tell."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told: list[HabeasError] = []

    def count(self, tracks: int) -> None:
        """Count tracks of today."""
        with self.store.write() as tx:
            tx.add(Count("c1", day_text(tx.now_ns), tracks=tracks))

    def step(self) -> None:
        """Step by the days that are over."""
        with self.store.write() as tx:
            step_days(tx, self.told.append)

    def reject(self, alert: Alert, *answers: Answer) -> None:
        """Judge, as the route does."""
        for who, answer in zip(("opal", "otto"), answers or (D, D), strict=True):
            self.see(who, alert.alert_id)
            with self.store.write() as tx:
                before = tx.get(Alert, alert.alert_id)
                give_verdict(tx, self.keys, self.actor(tx, who), alert.alert_id, answer)
                step_decided(tx, TABLE, before, self.told.append)

    def state(self, monitor: str) -> Drift | None:
        return next(iter(self.look(Drift, monitor=monitor)), None)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path, ManualClock(), Ceilings(fpir=1e-4)) as made:
        made.camera("c1")
        yield made


@pytest.fixture
def row(place: Place) -> Authorisation:
    place.advance(DAY - place.clock.now_ns() % DAY)  # a day begins
    with place.store.write() as tx:  # a camera whose frames are a day old does not count
        tx.change(tx.get(Camera, "c1"), delivered_at_ns=tx.now_ns)
    return place.started("rita", until_ns=place.clock.now_ns() + 10 * DAY)


def similar(place: Place, row: Authorisation, similarity: float, number: int) -> Alert:
    alert = place.alert(row.authorisation_id, track_id=number, at_ns=place.clock.now_ns() + number)
    with place.store.write() as tx:
        return tx.change(tx.get(Alert, alert.alert_id), similarity=similarity)


def test_a_day_is_taken_a_day_after_it_is_over_with_the_alerts_that_were_false_by_then(
    place: Place, row: Authorisation
) -> None:
    place.count(20_000)
    for number in range(3):
        place.reject(similar(place, row, 0.55, number))
    similar(place, row, 0.55, 9)  # nobody decides it
    place.advance(DAY)
    place.count(10_000)
    place.step()
    assert place.state(RATE) is None, "its alerts may still be decided"
    place.advance(DAY)
    place.step()
    place.step()
    taken = place.state(RATE)
    assert taken is not None
    assert (taken.expected, taken.false_alerts, taken.steps) == (pytest.approx(2.0), 3, 1)
    place.advance(DAY)
    place.step()
    later = place.state(RATE)
    assert later is not None
    assert (later.expected, later.false_alerts, later.steps) == (pytest.approx(3.0), 3, 2)


def test_the_highest_fpir_of_the_day_is_what_was_promised(place: Place, row: Authorisation) -> None:
    assert row.authorisation_id
    place.count(10_000)
    place.advance(HOUR)
    proposed = place.propose_policy("pia", fpir=1e-5)
    place.approve_policy(proposed.policy_id, "abe")
    place.approve_policy(proposed.policy_id, "bea")
    place.advance(2 * DAY)
    place.step()
    taken = place.state(RATE)
    assert taken is not None
    assert taken.expected == pytest.approx(1.0)


@pytest.mark.rule("V16")
def test_too_many_false_alerts_are_an_entry_and_a_notice_and_the_monitor_begins_anew(
    place: Place, row: Authorisation
) -> None:
    place.count(10_000)
    for number in range(12):
        place.reject(similar(place, row, 0.5, number))
    place.advance(2 * DAY)
    place.step()
    (alarm,) = [json.loads(entry.body) for entry in place.look(Entry) if entry.kind == "drift.alarm"]
    assert (alarm["monitor"], alarm["found"]) == (RATE, 12)
    assert [error.message for error in place.told] == ["more false alerts than the policy's FPIR promises"]
    begun = place.state(RATE)
    assert begun is not None
    assert (begun.steps, begun.alarmed_at_ns, begun.expected) == (0, place.clock.now_ns(), 0.0)
    place.step()
    assert len(place.told) == 1, "the day is taken"


@pytest.mark.rule("V16")
def test_false_alerts_that_come_too_near_alarm_and_nothing_of_them_is_kept(place: Place, row: Authorisation) -> None:
    for number in range(3):
        place.reject(similar(place, row, 0.85, number))
    assert [error.message for error in place.told] == ["false alerts are more alike than the calibration says"]
    state = place.state(SIMILARITY)
    assert state is not None
    assert "0.85" not in repr(state)


@pytest.mark.rule("V16")
def test_those_that_barely_cross_it_do_not(place: Place, row: Authorisation) -> None:
    for number in range(10):
        place.reject(similar(place, row, 0.51, number))
    assert place.told == []
    with place.store.read() as tx:
        (told,) = told_drift(tx)
    assert (told["monitor"], told["found"], told["alarmed"]) == (SIMILARITY, 10, None)


@pytest.mark.rule("V2")
def test_a_first_verdict_and_a_confirmation_step_nothing(place: Place, row: Authorisation) -> None:
    alert = similar(place, row, 0.85, 1)
    place.reject(alert, Answer.SAME, Answer.SAME)
    other = similar(place, row, 0.85, 2)
    place.see("opal", other.alert_id)
    with place.store.write() as tx:
        give_verdict(tx, place.keys, place.actor(tx, "opal"), other.alert_id, D)
        step_decided(tx, TABLE, other, place.told.append)
    assert place.look(Drift) == []


def test_an_alert_of_another_model_steps_nothing(place: Place, row: Authorisation) -> None:
    alert = similar(place, row, 0.85, 1)
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, D)
    with place.store.write() as tx:
        step_decided(tx, TABLE, replace(alert, model_id="another"), place.told.append)
    assert place.look(Drift) == []
