"""The searches for alerts against the plain rules, on both databases."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.databases import KINDS, new_database

from habeas.clock import ManualClock
from habeas.store import Tx, open_store, queries
from habeas.store.records import Alert, Verdict

EVERY: Final = 300
STATES: Final = ("open", "unconfirmed", "confirmed", "withdrawn")
UNDECIDED: Final = {"open", "unconfirmed"}


def alert(number: int, rng: random.Random, now_ns: int) -> Alert:
    """An alert whose times lie around `now_ns`, often exactly there."""

    def near() -> int:
        return now_ns + rng.choice((-2, -1, 0, 1, 2))

    sealed = rng.random() < 0.5
    return Alert(
        alert_id=f"alert-{number:03}",
        camera_id=rng.choice(("c1", "c2")),
        zone=rng.choice(("gate", "hall")),
        authorisation_id="a",
        subject_id=rng.choice(("s1", "s2")),
        captured_at_ns=near(),
        raised_at_ns=near(),
        track_id=1,
        similarity=0.7,
        threshold=0.5,
        expected_fpir=1e-4,
        extrapolated=False,
        false_a_day=0.1,
        gallery_size=1,
        view_id="v",
        model_id="m",
        key_id=f"key-{number:03}",
        image_sealed=b"face",
        expires_at_ns=near(),
        state=rng.choice(STATES),
        last_seen_ns=near(),
        called_at_ns=rng.choice((None, 1)),
        destroyed_at_ns=rng.choice((None, None, 1)),
        oversight_sealed=b"copy" if sealed else None,
        oversight_key_id=f"copy-{number:03}" if sealed else None,
        oversight_until_ns=rng.choice((near(), near(), None)) if not sealed else near(),
    )


@pytest.fixture(params=KINDS)
def tx(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Tx]:
    rng = random.Random(7)
    with open_store(new_database(request.param, tmp_path), clock) as store:
        with store.write() as tx:
            for number in range(EVERY):
                tx.add(alert(number, rng, tx.now_ns))
                if person := rng.choice(("", "opal", "otto")):
                    tx.add(Verdict(f"v-{number}", f"alert-{number:03}", f"acc-{person}", "same", False, 1))
        with store.read() as tx:
            yield tx


def bare(alerts: Iterable[Alert]) -> list[Alert]:
    chosen = [replace(one, image_sealed=None, oversight_sealed=None) for one in alerts]
    assert 0 < len(chosen) < EVERY, "it says something"
    return chosen


def test_they_choose_what_the_plain_rules_do(tx: Tx) -> None:
    now_ns, every = tx.now_ns, tx.find(Alert)
    kept = [one for one in every if one.destroyed_at_ns is None]
    sealed = [one for one in every if one.oversight_key_id is not None]
    undecided = [one for one in kept if one.state in UNDECIDED]
    assert queries.alerts_over(tx) == bare(one for one in kept if one.expires_at_ns <= now_ns)
    assert queries.alerts_raised(tx, state="open", raised_until_ns=now_ns) == bare(
        one for one in undecided if one.state == "open" and one.raised_at_ns <= now_ns
    )
    assert queries.alerts_uncalled(tx, states=UNDECIDED, raised_until_ns=now_ns) == bare(
        one for one in undecided if one.called_at_ns is None and one.raised_at_ns <= now_ns
    )
    assert queries.alerts_sealed(tx, until_ns=now_ns) == bare(
        one for one in sealed if (one.oversight_until_ns or 0) <= now_ns
    )
    assert queries.alerts_sealed(tx, until_ns=None) == bare(sealed)
    assert queries.alert_keys(tx) == {one.key_id for one in kept} | {one.oversight_key_id or "" for one in sealed}
    seen = queries.alerts_seen(tx, camera_id="c1", subject_id="s2", states=UNDECIDED, seen_from_ns=now_ns)
    assert seen == bare(
        one for one in undecided if (one.camera_id, one.subject_id) == ("c1", "s2") and one.last_seen_ns >= now_ns
    )


@pytest.mark.parametrize("zones", [None, {"hall"}])
def test_what_waits_for_somebody(tx: Tx, zones: set[str] | None) -> None:
    judged = {one.alert_id for one in tx.find(Verdict, account_id="acc-opal")}
    waiting = [
        one
        for one in tx.find(Alert, destroyed_at_ns=None, state=UNDECIDED)
        if one.alert_id not in judged and (zones is None or one.zone in zones)
    ]
    waiting.sort(key=lambda one: (one.raised_at_ns, one.alert_id))
    assert queries.alerts_waiting(tx, states=UNDECIDED, zones=zones, judges=["acc-opal"]) == bare(waiting)


def test_a_window_may_be_wider_than_time(tx: Tx) -> None:
    wide = {"cameras": None, "states": None, "limit": None, "from_ns": -(10**30), "until_ns": 10**30}
    assert len(queries.alerts_between(tx, **wide)) == EVERY  # type: ignore[arg-type]


@pytest.mark.parametrize("zones", [None, {"hall"}])
def test_what_was_captured_in_a_window(tx: Tx, zones: set[str] | None) -> None:
    from_ns, until_ns = tx.now_ns - 1, tx.now_ns + 1
    inside = [one for one in tx.find(Alert, camera_id="c1") if from_ns <= one.captured_at_ns < until_ns]
    captured = queries.alerts_captured(tx, ["c1"], from_ns, until_ns)
    assert captured == bare(one for one in inside if one.destroyed_at_ns is None)
    seen_into = [one for one in tx.find(Alert, camera_id="c1") if one.captured_at_ns < from_ns <= one.last_seen_ns]
    assert queries.alerts_seen_into(tx, ["c1"], from_ns) == bare(seen_into)
    newest = sorted(inside, key=lambda one: (-one.captured_at_ns, one.alert_id))
    found = queries.alerts_between(
        tx, cameras=["c1"], from_ns=from_ns, until_ns=until_ns, states=None, limit=20, zones=zones
    )
    assert found == bare([one for one in newest if zones is None or one.zone in zones][:20])
