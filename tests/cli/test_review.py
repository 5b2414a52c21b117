"""Alerts through a running node: a real film, a real match, verdicts by two people."""

import shutil
import stat
import threading
import time
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.nodes import PASSWORD, RunningNode

from habeas.cli.faces import TILE_PX
from habeas.cli.times import show_told

pytestmark = pytest.mark.timeout(200)
_ALERT_S = 90


@pytest.fixture(scope="module")
def alert(node: RunningNode, clip: Path, astronaut: Path) -> str:
    """An alert of the astronaut on a camera that is a film; returns its id."""
    film = node.home / "video" / "clip.mp4"
    shutil.copy(clip, film)
    words = ["camera", "add", "film", f"file://{film}", "--purpose", "Who walks through the film", "--zone", "film"]
    assert node.run(*words, who="adam").status == 0
    words = ["authorise", "new", "--purpose", "consent", "--authority", "Herself", "--reference", "V-1"]
    words += ["--from", "now", "--until", "+2h", "--camera", "film", "--born", "Ada=1990-12-31"]
    asked = node.run(*words, "--subject", f"Ada={astronaut}", who="rita").row["id"]
    node.run("authorise", "submit", asked, who="rita")
    bound = node.run("authorise", "show", asked, who="ann").row["content_hash"]
    assert node.run("authorise", "approve", asked, "--hash", bound, who="ann").row["state"] == "active"
    deadline = time.monotonic() + _ALERT_S
    while not (rows := node.run("review", "list", who="olga").rows):
        assert time.monotonic() < deadline, (node.run("status", who="olga").out, node.log.read_text())
        threading.Event().wait(0.2)
    return str(rows[0]["alert_id"])


def test_it_is_shown_with_its_faces_where_asked(node: RunningNode, alert: str, tmp_path: Path) -> None:
    assert alert in node.text("review", "list", who="olga")
    unseen = node.run("review", "verdict", alert, "same", who="olga")
    assert (unseen.status, unseen.error["rule"]) == (3, "look-first")
    assert unseen.error["remedy"] == f"open them: habeas review show {alert}"
    saved = Path(node.run("review", "show", alert, "--save", tmp_path / "faces", who="olga").row["picture"])
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    with Image.open(saved) as picture:
        assert picture.size[0] > 2 * TILE_PX, "side by side"
    told = node.run("review", "show", alert, "--save", tmp_path / "more", who="olga").row
    until = told["pictures_until"]
    (active,) = (one for one in node.run("authorise", "list", who="pia").rows if one["cameras"] == ["film"])
    assert until == active["ends"], "the pictures go with their authorisation"
    warned = node.text("review", "show", alert, "--save", tmp_path / "warned", who="olga")
    assert f"yours to destroy, at once when the authorisation ends, and by {show_told(until)}" in warned
    assert "yours to destroy" not in node.text("review", "show", alert, who="olga")
    again = node.run("review", "show", alert, "--save", tmp_path / "faces", who="olga")
    assert again.error["kind"] == "disk", "what was saved is not overwritten"
    refused = node.run("review", "show", alert, who="adam")
    assert (refused.status, refused.error["kind"]) == (3, "rule")


def test_the_list_has_pages(node: RunningNode, alert: str) -> None:
    assert node.run("review", "list", "--limit", "1", who="olga").rows[0]["alert_id"] == alert
    assert "and 1 more: --limit, --skip" in node.text("review", "list", "--skip", "1", who="olga")
    assert node.run("review", "list", "--skip", "1", who="olga").rows == []
    for words, told in ((("--limit", "0"), "limit: is too small"), (("--skip", "-1"), "offset: is too small")):
        said = node.run("review", "list", *words, who="olga")
        assert (said.status, said.error["message"]) == (2, told)


def test_the_picture_goes_with_the_verdict_or_the_logout(node: RunningNode, alert: str) -> None:
    told = node.text("review", "show", alert, who="olga")
    assert "Ada" not in told
    pictures = [Path(node.run("review", "show", alert, who=who).row["picture"]) for who in ("olga", "otto")]
    assert str(pictures[0]) in told
    assert [stat.S_IMODE(path.stat().st_mode) for path in pictures] == [0o600, 0o600]
    assert node.run("review", "verdict", alert, "perhaps", who="olga").status == 2
    assert pictures[0].exists(), "control: no verdict was taken"
    assert node.run("review", "verdict", alert, "same", who="olga").row["taken"] is True
    assert [path.exists() for path in pictures] == [False, True]
    node.run("logout", who="otto")
    assert not pictures[1].exists()
    assert node.run("login", "otto", "--password-stdin", stdin=PASSWORD).status == 0


def test_two_verdicts_confirm_and_the_first_is_not_seen(node: RunningNode, alert: str) -> None:
    assert node.run("review", "verdict", alert, "same", who="rita").error["rule"] == "role"
    assert node.run("review", "verdict", alert, "perhaps", who="olga").error["kind"] == "usage"
    again = node.run("review", "verdict", alert, "same", who="olga")
    assert (again.status, again.error["rule"]) == (3, "once-each")
    assert node.run("review", "search", "--camera", "film", who="otto").rows[0]["state"] == "open"
    assert node.run("review", "verdict", alert, "same", who="otto").row["taken"] is True
    found = node.run("review", "search", "--outcome", "confirmed", "--from", "-1h", "--until", "now", who="pia").rows
    assert [row["alert_id"] for row in found] == [alert]
    assert alert in node.text("review", "search", who="otto")


def test_who_cannot_tell_may_say_so(node: RunningNode) -> None:
    said = node.run("review", "verdict", "alert-none", "cannot-tell", who="olga")
    assert said.error["kind"] == "input", "the answer is understood; there is no such alert"


def test_searching_for_no_outcome_there_is(node: RunningNode) -> None:
    said = node.run("review", "search", "--outcome", "perhaps", who="otto")
    assert (said.status, said.error["kind"]) == (4, "input")
    assert node.run("review", "list", who="adam").error["kind"] == "rule"


@pytest.mark.rule("L11")
@pytest.mark.rule("L13")
def test_the_canary_was_recognised_and_reviewers_have_none(node: RunningNode, alert: str) -> None:
    told = node.run("status", who="rita").row["canaries"]["film"]
    assert told["seen"] is not None
    assert told["similarity"] > 0.8
    assert told["missed"] == 0
    assert "canary" in node.text("status", who="rita")
    seen = [opening["body"] for opening in node.entries("aud") if opening["type"] == "canary.seen"]
    assert [one["camera"] for body in seen for one in body["cameras"]] == ["film"]
    assert alert in {row["alert_id"] for row in node.run("review", "search", who="pia").rows}
    assert "canary" not in node.run("review", "search", who="pia").out + node.run("review", "list", who="olga").out


def test_the_node_told_what_the_camera_did(node: RunningNode, alert: str) -> None:
    assert alert
    assert [event for event in node.events() if event["event"] == "camera" and event["camera"] == "film"]


def test_a_film_that_is_over_does_not_look_healthy(node: RunningNode, alert: str) -> None:
    assert alert

    def film() -> dict[str, object]:
        return next(row for row in node.run("camera", "list", who="adam").rows if row["camera"] == "film")

    deadline = time.monotonic() + _ALERT_S
    while film()["state"] != "ended":
        assert time.monotonic() < deadline, film()
        threading.Event().wait(0.2)
    for words in (("camera", "list"), ("status",)):
        assert "ended: its file is over, nothing of it is looked at" in node.text(*words, who="adam")
    told = node.run("status", who="adam").row
    assert (told["cameras"]["film"], "film" in told["watched"]) == ("ended", False)
    assert node.run("camera", "test", "film", who="adam").row["ended"] is True
    by_check = {row.get("check"): row for row in node.run("doctor", "-w", node.folder, who="adam").rows}
    assert by_check["camera film"]["health"] == "warn"
    assert "its file is over" in by_check["camera film"]["text"]


def test_whoever_was_stopped_uses_a_receipt_without_an_account(node: RunningNode, alert: str, tmp_path: Path) -> None:
    code = str(node.run("review", "receipt", alert, who="olga").row["code"])
    assert node.run("review", "receipt", alert, who="ann").status == 3
    assert node.run("receipt", "show", code).row["alert_id"] == alert
    assert node.run("receipt", "freeze", code).row["frozen_at"] is not None
    assert "recipients corrected" in node.text("receipt", "dispute", code, "--why", "It was not me.")
    gone = node.run("receipt", "record", code, "--save", tmp_path)
    assert gone.status == 4, "no oversight is configured here"
    assert node.run("receipt", "show", "23456-789AB-CDEFG-HJKLM").error["rule"] == "receipt-code"
    (due,) = node.run("review", "disputes", who="pia").rows
    assert (due["alert_id"], due["why"]) == (alert, "It was not me.")
    assert node.run("review", "correct", alert, "--recipient", "Patrol 7", who="pia").row["corrected"] is True
    assert "no correction is due" in node.text("review", "disputes", who="pia")


def test_a_bundle_is_made_here_and_checked_anywhere(node: RunningNode, alert: str, tmp_path: Path) -> None:
    out = tmp_path / "alert.zip"
    deadline = time.monotonic() + _ALERT_S
    while not (keys := node.run("audit", "key", who="ann").rows):
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)
    assert node.run("audit", "bundle", alert, "--out", out, who="olga").status == 3
    assert node.run("audit", "bundle", "--out", out, who="ann").status == 2
    assert node.run("audit", "bundle", alert, "--out", out, who="ann").row["bundle"] == str(out)
    said = node.run("audit", "open-bundle", out, "--key", str(keys[0]["vkey"])).row
    assert (said["of"], said["entries"]) == ({"alert": alert}, said["proven"] + len(said["unproven"]))
    assert alert in said["abstract"]["alerts"]
    out.write_bytes(out.read_bytes()[:-100])
    assert node.run("audit", "open-bundle", out, "--key", str(keys[0]["vkey"])).status == 7


def test_of_an_alert_whose_authorisation_ended_the_facts_are_shown(node: RunningNode, alert: str) -> None:
    """Last: it ends what the others look at."""
    (active,) = (one for one in node.run("authorise", "list", who="pia").rows if one["cameras"] == ["film"])
    assert node.run("authorise", "revoke", active["id"], who="rita").status == 0
    told = node.run("review", "show", alert, who="olga").row
    assert (told["picture"], told["pictures_until"]) == (None, None)
    assert "its pictures are destroyed" in node.text("review", "show", alert, who="olga")
