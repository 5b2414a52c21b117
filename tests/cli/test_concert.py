"""The concert clip: the performer is found where she faces the camera, and nobody is mistaken for anybody."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Habeas

pytestmark = pytest.mark.shared

SHORT_S, LONG_S, FACING_S = (0.85, 1.4), (3.6, 7.95), (3.65, 7.9)
PIANIST_S = (0.85, 3.6)


@pytest.fixture
def clips(shared_data: Path) -> Path:
    return shared_data / "clips"


def watched(habeas: Habeas, clips: Path, subject: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    image = clips / f"{subject}.png"
    ran = habeas("watch", clips / "concert.mp4", "--subject", f"{subject}={image}", "--basis", "consent", "--json")
    assert ran.status == 0
    *events, summary = ran.events
    return [event for event in events if event["event"] == "alert"], summary


def inside(moment_s: float, window_s: tuple[float, float]) -> bool:
    return window_s[0] <= moment_s <= window_s[1]


@pytest.mark.rule("W1")
@pytest.mark.rule("F3")
@pytest.mark.parametrize("subject", ["performer", "pianist"])
def test_nothing_of_the_audience_is_kept(habeas: Habeas, clips: Path, subject: str) -> None:
    _, summary = watched(habeas, clips, subject)
    assert summary["accounted"] is False
    assert summary["templates_kept"] == 0
    assert summary["tracks"] > 0
    assert summary["templates_made"] <= 5 * summary["tracks"]
    assert summary["video_s"] == pytest.approx(9.17, abs=0.05)


def test_the_performer_is_found_where_she_faces_the_camera_and_nowhere_else(habeas: Habeas, clips: Path) -> None:
    alerts, summary = watched(habeas, clips, "performer")
    moments_s = [alert["at_s"] for alert in alerts]
    assert any(inside(moment_s, FACING_S) for moment_s in moments_s)
    assert all(inside(moment_s, SHORT_S) or inside(moment_s, LONG_S) for moment_s in moments_s)
    assert summary["alerts"] == len(alerts)


@pytest.mark.rule("F4")
def test_with_the_pianists_picture_no_stranger_alerts(habeas: Habeas, clips: Path) -> None:
    alerts, _ = watched(habeas, clips, "pianist")
    assert all(inside(alert["at_s"], PIANIST_S) for alert in alerts)
