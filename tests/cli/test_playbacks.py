"""What `habeas footage play --alert` says and refuses, against a node that answers as a test says."""

from typing import Any

import pytest
from tests.cli.test_exports import BEGAN_NS, Ask, ask, token

from habeas.cli import holds, playbacks, review
from habeas.cli.player import Player
from habeas.errors import InputError, UsageError
from habeas.types import NS_PER_S, utc

__all__ = ["ask", "token"]
PATH = "alerts/a-1/playback"
PART = {"camera": "gate", "began": "2026-05-01T10:00:00Z", "seconds": 30}
MADE: dict[str, Any] = {
    "alert": "a-1",
    "state": "ready",
    "recorded_at": utc(BEGAN_NS),
    "of_s": 30,
    "done_s": 0,
    "found": True,
    "shown_s": 4.2,
    "damaged": 0,
    "failure": None,
    "films": [PART],
}
MAKING = {**MADE, "state": "making", "films": [], "recorded_at": utc(BEGAN_NS + 20 * NS_PER_S)}


@pytest.fixture(autouse=True)
def _nobody_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Player, "play", lambda _self, **_how: None)


def said(ask: Ask, capsys: pytest.CaptureFixture[str], *told: dict[str, Any], wait: bool | None = None) -> str:
    answers = {f"POST {PATH}": [told[0]], f"GET {PATH}": list(told[1:])}
    ask(playbacks.play, answers, alert_id="a-1", browser=False, wait=wait)
    return capsys.readouterr().out


def test_what_can_be_seen_of_it_is_said(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert "can be seen for 4 s; all else is a mosaic" in said(ask, capsys, MADE)
    out = said(ask, capsys, {**MADE, "found": False, "shown_s": 0, "damaged": 2})
    assert "all of it is a mosaic" in out
    assert "2 segments of the footage could not be read" in out
    assert "on this machine only" in out


def test_what_is_made_still_says_when_to_ask_again(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(ask, capsys, MAKING, wait=False)
    assert "once all of it is recorded" in out
    assert "it is being made still; ask again: habeas footage play --alert a-1" in out
    out = said(ask, capsys, {**MADE, "films": []})
    assert "it was made, and ended meanwhile; ask again: habeas footage play --alert a-1" in out
    assert "recorded" not in said(ask, capsys, {**MAKING, "recorded_at": utc(BEGAN_NS)}, wait=False)


def test_a_film_that_could_not_be_made_is_an_error(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="nothing was recorded") as refused:
        said(ask, capsys, {**MADE, "state": "failed", "films": [], "failure": "nothing was recorded"})
    assert refused.value.remedy == "judge it by its pictures: habeas review show a-1"


@pytest.mark.parametrize(("zone", "offered"), [("gate", True), ("evidence", False)])
def test_evidence_is_not_offered_to_be_played(
    ask: Ask, capsys: pytest.CaptureFixture[str], zone: str, *, offered: bool
) -> None:
    numbers = {"sightings": 1, "similarity": 0.5, "threshold": 0.4, "expected_fpir": 1e-6, "false_a_day": 0.1}
    alert = {
        **numbers,
        "alert_id": "a-1",
        "state": "open",
        "camera_id": "c",
        "zone": zone,
        "from_footage": True,
        "captured_at": utc(BEGAN_NS),
        "last_seen": utc(BEGAN_NS),
        "pictures_until": utc(BEGAN_NS),
        "authorisation_id": "auth-1",
        "subject_id": "s-1",
        "extrapolated": False,
        "image": None,
        "references": [],
    }
    ask(review.show, {"GET alerts/a-1": [alert]}, alert_id="a-1", save=None)
    assert ("habeas footage play --alert a-1" in capsys.readouterr().out) is offered


@pytest.mark.parametrize("how", [{}, {"hold_id": "hold-1", "alert": "a-1"}, {"alert": "a-1", "camera": ["gate"]}])
def test_one_thing_is_played(ask: Ask, how: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ask(holds.play, {}, **how)
