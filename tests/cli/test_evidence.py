"""Evidence by the command line and a running node: handed in, asked for, searched once, reviewed, gone."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.nodes import RunningNode, Said

pytestmark = pytest.mark.timeout(300)
_SOON_S = 90


def add(node: RunningNode, path: Path, when: str = "-1h", who: str = "rita") -> Said:
    note = ("--note", "the shop's own camera, from its owner")
    return node.run("footage", "evidence", "add", str(path), f"--from={when}", *note, who=who)


def ask(node: RunningNode, evidence_id: str, picture: Path, *more: str, name: str = "Ada", who: str = "rita") -> Said:
    words = ["authorise", "new", "--purpose", "missing-person", "--authority", "Police", "--reference", "MP-8"]
    words += ["--evidence", evidence_id, "--born", f"{name}=1990-12-31", "--subject", f"{name}={picture}"]
    return node.run(*words, *more, who=who)


def approved(node: RunningNode, asked: str) -> None:
    node.run("authorise", "submit", asked, who="rita")
    bound = node.run("authorise", "show", asked, who="ann").row["content_hash"]
    for who in ("ann", "bert"):
        assert node.run("authorise", "approve", asked, "--hash", bound, who=who).status == 0


def soon(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SOON_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)


def row_of(node: RunningNode, evidence_id: str) -> dict[str, Any]:
    rows = node.run("footage", "evidence", "list", "--all", who="ann").rows
    (row,) = [one for one in rows if one["evidence"] == evidence_id]
    return row


def kinds(node: RunningNode) -> set[str]:
    return {row["opening"]["type"] for row in node.run("audit", "show", "--limit", "4000", who="aud").rows}


@pytest.mark.rule("D1")
@pytest.mark.rule("D3")
@pytest.mark.rule("D5")
@pytest.mark.rule("D6")
def test_a_file_is_handed_in_asked_for_searched_reviewed_and_gone(
    node: RunningNode, clip: Path, astronaut: Path
) -> None:
    told = add(node, clip).row
    assert (told["state"], told["bytes"]) == ("kept", clip.stat().st_size)
    evidence_id = told["evidence"]
    files = list((node.folder / "evidence" / evidence_id).rglob("*.habf"))
    assert len(files) == 1
    assert b"ftyp" not in files[0].read_bytes(), "what is on the disk is encrypted"
    asked = ask(node, evidence_id, astronaut).row
    assert (asked["kind"], asked["cameras"]) == ("retrospective", [evidence_id])
    assert (asked["from"], asked["until"]) == (told["from"], told["until"])
    node.run("authorise", "submit", asked["id"], who="rita")
    shown = node.text("authorise", "show", asked["id"], who="ann")
    for part in (evidence_id, told["sha256"], "not checked", "from its owner"):
        assert part in shown
    approved(node, asked["id"])
    assert f"{asked['id']}: done" in node.text("footage", "search", asked["id"], who="rita"), node.log.read_text()
    came = node.run("footage", "search", asked["id"], who="rita").row
    assert (came["state"], came["damaged"], came["suspended_s"]) == ("done", 0, 0)
    assert came["watched_s"] >= 2
    assert came["alerts"] >= 1
    mine = [one for one in node.run("review", "list", who="olga").rows if one["camera_id"] == evidence_id]
    assert mine
    assert {(one["from_footage"], one["zone"]) for one in mine} == {(True, "evidence")}
    assert told["from"] <= mine[0]["captured_at"] < told["until"]
    assert "from evidence, as stated" in node.text("review", "list", who="olga")
    node.run("authorise", "revoke", asked["id"], who="rita")
    soon(lambda: row_of(node, evidence_id)["state"] == "over")
    assert row_of(node, evidence_id)["why"] == "authorisation"
    soon(lambda: {"evidence.uploaded", "evidence.destroyed"} <= kinds(node))


@pytest.mark.rule("D8")
@pytest.mark.rule("D6")
def test_what_is_no_video_is_refused_and_the_node_goes_on(node: RunningNode, clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    files = {"text": b"no video" * 9999, "cut": whole[:-9000], "zeros": bytes(1 << 20), "empty": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        said = add(node, tmp_path / name)
        assert set(said.error) >= {"kind", "message", "remedy"}, name
        assert said.error["kind"] in {"source", "input"}, said.error
    assert add(node, tmp_path / "missing").status != 0
    ahead = add(node, clip, "+1h")
    assert "of the past" in ahead.error["message"]
    assert add(node, clip, who="ann").status != 0
    assert [one for one in node.run("footage", "evidence", "list", who="rita").rows if one["state"] == "kept"] == []
    told = add(node, clip).row
    assert node.run("footage", "evidence", "discard", told["evidence"], who="rita").status == 0
    assert (row_of(node, told["evidence"])["state"], row_of(node, told["evidence"])["why"]) == ("over", "discarded")
    assert node.run("footage", "evidence", "discard", told["evidence"], who="rita").status != 0


@pytest.mark.rule("D3")
def test_a_request_that_says_where_and_when_twice_is_refused(node: RunningNode, clip: Path, astronaut: Path) -> None:
    evidence_id = add(node, clip).row["evidence"]
    for more in (("--camera", "c1"), ("--zone", "gate"), ("--from=-1h",), ("--until", "+1h")):
        said = ask(node, evidence_id, astronaut, *more)
        assert "by itself" in said.error["message"], more
    live = ask(node, evidence_id, astronaut, "--kind", "live")
    assert live.status != 0
    node.run("footage", "evidence", "discard", evidence_id, who="rita")
    gone = ask(node, evidence_id, astronaut)
    assert "gone" in gone.error["message"]
