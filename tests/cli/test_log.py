"""`habeas audit` of a running node: an auditor takes the log along and verifies it; a node that was set back doubts."""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.nodes import RunningNode, new_workspace

from habeas.app import App
from habeas.settings import Settings

pytestmark = pytest.mark.timeout(200)
_SIGNED_S = 30


def signed(node: RunningNode, entries: int) -> None:
    """Wait until so many entries are signed."""
    deadline = time.monotonic() + _SIGNED_S
    while node.run("audit", "status", who="pia").row["signed"] < entries:
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def key_of(node: RunningNode) -> str:
    return str(node.run("audit", "key", who="pia").rows[0]["vkey"])


def test_the_log_is_signed_and_nobody_has_to_ask_for_it(node: RunningNode) -> None:
    signed(node, 1)
    told = node.run("audit", "status", who="pia").row
    assert told["doubt"] is None
    assert told["integrated"] >= told["signed"] > 0
    assert "entries" not in told, "how many wait would tell when somebody looks or judges"
    assert "self-witnessed" in node.text("audit", "status", who="pia")
    assert key_of(node) in node.text("audit", "key", who="pia")


def test_an_auditor_takes_the_log_along_and_verifies_it(node: RunningNode, tmp_path: Path) -> None:
    node.camera("for-the-log")
    entries = node.run("audit", "status", who="pia").row["signed"] + 16
    signed(node, entries)
    done = node.run("audit", "export", tmp_path / "export", who="aud").row
    assert done["entries"] >= entries
    words = ["audit", "verify", tmp_path / "export", "--key", key_of(node), "--since", tmp_path / "seen"]
    verified = node.run(*words).row
    assert verified["entries"] == done["entries"]
    assert {step["step"]: step["checked"] for step in verified["steps"]}["6"] is True
    again = node.run("audit", "export", tmp_path / "export", who="aud").row
    assert again["entries"] >= done["entries"]
    assert node.run(*words).row["entries"] == again["entries"]
    openings = (tmp_path / "export" / "openings" / "000000.jsonl").read_text()
    assert "for-the-log" in openings
    assert not any(name in openings for name in ("adam", "otto", "rita")), "pseudonyms only"
    assert re.search(r"adam \(acc-[0-9a-f]{16}\)", node.text("audit", "show", "--limit", "4000", who="aud"))
    (tmp_path / "export" / "openings" / "000000.jsonl").write_text(openings.replace("for-the-log", "for-the-lag"))
    refused = node.run(*words)
    assert (refused.status, refused.error["kind"]) == (7, "proof")


@pytest.mark.rule("L10")
def test_who_looks_is_in_the_log_and_others_may_not(node: RunningNode, tmp_path: Path) -> None:
    rows = node.run("audit", "show", "--limit", "3", who="aud").rows
    assert [row["opening"]["seq"] for row in rows] == [0, 1, 2]
    assert "policy.first" in node.text("audit", "show", "--limit", "1", who="aud")
    later = node.run("audit", "show", "--from", "3", "--limit", "4000", who="aud").rows
    assert "log.read" in {row["opening"]["type"] for row in later}
    for who in ("adam", "ann", "pia"):
        refused = node.run("audit", "export", tmp_path / who, who=who)
        assert (refused.status, refused.error["rule"]) == (3, "role"), who
        assert node.run("audit", "show", who=who).error["rule"] == "role"


def test_a_log_that_goes_on_needs_no_epoch(node: RunningNode) -> None:
    for words in (["show"], ["approve", "--yes"]):
        refused = node.run("audit", "epoch", *words, who="ann")
        assert (refused.status, refused.error["rule"]) == (3, "state")
    assert node.run("audit", "epoch", "show", who="aud").error["rule"] == "role"


@pytest.fixture
def own(app: App, settings: Settings, tmp_path: Path) -> Iterator[RunningNode]:
    """A node that no other test has."""
    assert app
    folder, codes = new_workspace(tmp_path)
    running = RunningNode(folder, tmp_path, settings)
    try:
        running.wait_ready()
        running.login({name: codes[name] for name in ("pia", "ann", "bert", "aud", "adam")})
        yield running
    finally:
        running.process.kill()
        running.process.wait(20)


@pytest.mark.rule("L5")
@pytest.mark.rule("L7")
def test_a_log_that_was_set_back_begins_anew_with_two_approvals(own: RunningNode, tmp_path: Path) -> None:
    """The log's folder is an older copy; the key store remembers what was signed since."""
    node = own
    node.camera("gate")
    signed(node, 1)
    log = node.folder / "log"
    shutil.copytree(log, tmp_path / "older")
    before = node.run("audit", "status", who="pia").row["signed"]
    signed(node, before + 8)
    node.restart(lambda: (shutil.rmtree(log), shutil.copytree(tmp_path / "older", log)))
    deadline = time.monotonic() + _SIGNED_S
    while not (doubt := node.run("audit", "status", who="pia").row["doubt"]):
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    assert "older copy" in doubt
    window = ["--from", "now", "--until", "+1h", "--why", "A vigil"]
    suspension = node.run("suspend", "new", "--zone", "default", *window, who="pia").row
    refused = node.run("suspend", "lift", suspension["suspension"], who="pia")
    assert (refused.status, refused.error["rule"]) == (3, "log-in-doubt")
    shown = node.run("audit", "epoch", "show", who="ann").row
    assert int(str(shown["prior"]).split("\n")[1]) > before
    assert node.run("audit", "epoch", "approve", "--yes", who="ann").row["begun"] is False
    assert node.run("audit", "epoch", "approve", "--yes", who="bert").row["begun"] is True
    signed(node, 1)
    assert node.run("audit", "status", who="pia").row["doubt"] is None
    first, second = node.run("audit", "key", who="pia").rows
    assert second["prior"] == shown["prior"]
    assert node.run("audit", "export", tmp_path / "export", who="aud").status == 0
    words = ["audit", "verify", tmp_path / "export", "--key", first["vkey"], "--key", second["vkey"]]
    told = node.run(*words)
    assert told.status == 7, "the end of the first epoch is lost, and a verifier sees it"
    assert json.loads(told.out.splitlines()[-1])["error"]["kind"] in {"proof", "stale", "format"}
