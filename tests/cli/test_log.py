"""`habeas audit` of a running node: an auditor takes the log along and verifies it; a node that was set back doubts."""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.nodes import PASSWORD, RunningNode, new_workspace

from habeas.app import App
from habeas.clock import SystemClock
from habeas.node.workspace import load_workspace
from habeas.settings import Settings
from habeas.store import open_store
from habeas.store.records import LostEntry

pytestmark = pytest.mark.timeout(200)
_SIGNED_S = 30
_BEGUN = 48
"""Entries after which the one that begins an epoch is signed in it."""


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


def test_a_refused_export_leaves_nothing_and_an_unwitnessed_one_says_so(node: RunningNode, tmp_path: Path) -> None:
    signed(node, 1)
    assert node.run("audit", "export", tmp_path / "no", who="pia").error["rule"] == "role"
    assert not (tmp_path / "no").exists()
    done = node.run("audit", "export", tmp_path / "export", who="aud", json_too=False)
    assert "unwitnessed: the policy names no witness" in done.err
    assert node.run("audit", "export", tmp_path / "export", who="aud").row["witnesses"] == 0


def test_a_workspace_is_no_log_and_the_refusal_says_where_one_is(node: RunningNode) -> None:
    signed(node, 1)
    for place in (node.folder, node.folder / "log"):
        refused = node.run("audit", "verify", place, "--key", key_of(node))
        assert refused.status == 4
        assert f"{node.folder}/public/log is one" in refused.error["remedy"]
        assert "habeas audit export" in refused.error["remedy"]
    assert node.run("audit", "verify", node.folder / "public" / "log", "--key", key_of(node)).status == 0


@pytest.mark.rule("L10")
def test_who_looks_is_in_the_log_and_others_may_not(node: RunningNode, tmp_path: Path) -> None:
    rows = node.run("audit", "show", "--limit", "3", who="aud").rows
    assert [row["opening"]["seq"] for row in rows] == [0, 1, 2]
    assert "policy.first" in node.text("audit", "show", "--limit", "1", who="aud")
    assert "log.read" in node.kinds("aud", 3)
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
    shutil.copytree(log, tmp_path / "older", ignore=shutil.ignore_patterns(".new-*"))  # what is being written
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


def begin_anew(node: RunningNode) -> None:
    """Log in again after a restore, confirm it, and begin a new epoch."""
    for who in ("ann", "bert", "pia", "aud"):
        assert node.run("login", who, "--password-stdin", stdin=PASSWORD + "\n").row["name"] == who
    deadline = time.monotonic() + _SIGNED_S
    while not node.run("audit", "status", who="pia").row["doubt"]:
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    for command in (["clock", "confirm"], ["audit", "epoch", "approve", "--yes"]):
        for who in ("ann", "bert"):
            assert node.run(*command, who=who).status == 0
    while (told := node.run("audit", "status", who="pia").row)["doubt"] or told["signed"] < _BEGUN:
        assert time.monotonic() < deadline + _SIGNED_S
        threading.Event().wait(0.1)


@pytest.mark.rule("L9")
@pytest.mark.rule("L10")
def test_an_export_after_a_restore_holds_what_the_restore_lost(own: RunningNode, tmp_path: Path) -> None:
    """What was signed after the backup is in no entry any more: it is kept beside them, and judged all the same."""
    node = own
    node.camera("before")
    node.run("backup", tmp_path / "b.habeas", "-w", node.folder)
    node.camera("lost-to-the-restore")
    signed(node, node.run("audit", "status", who="pia").row["signed"] + 24)
    node.run("audit", "export", tmp_path / "older", who="aud")
    node.restart(lambda: node.run("restore", tmp_path / "b.habeas", "-w", node.folder).row)
    begin_anew(node)
    first, second = (row["vkey"] for row in node.run("audit", "key", who="pia").rows)
    keys = ["--key", first, "--key", second]
    assert node.run("audit", "export", tmp_path / "export", who="aud").row["lacking"] == 0
    left = tmp_path / "export" / "1" / "left-behind.jsonl"
    assert "lost-to-the-restore" in left.read_text()
    assert "lost-to-the-restore" not in (tmp_path / "export" / "openings" / "000000.jsonl").read_text()
    read = node.entries("aud")
    assert {"count": len(left.read_bytes().splitlines()), "epoch": 1, "v": 1} in [
        {name: value for name, value in one["body"].items() if name != "first"} for one in read
    ]
    verified = node.run("audit", "verify", tmp_path / "export", *keys).row
    notes = {step["step"]: step["note"] for step in verified["steps"]}
    assert notes["5"] == f"{len(left.read_text().splitlines())} entries of earlier epochs are in no later one"
    kept = left.read_bytes()
    left.write_bytes(kept.replace(b"lost-to-the-restore", b"lost-to-the-restart"))
    assert node.run("audit", "verify", tmp_path / "export", *keys).status == 7
    left.unlink()
    refused = node.run("audit", "verify", tmp_path / "export", *keys)
    assert (refused.status, "1/left-behind.jsonl" in refused.error["remedy"]) == (7, True)
    # An older export that is gone on with keeps its own lines: those may be all that is left.
    older = (tmp_path / "older" / "openings" / "000000.jsonl").read_bytes().splitlines(keepends=True)
    with open_store(load_workspace(node.folder).database_url, SystemClock()) as store, store.write() as tx:
        for one in tx.find(LostEntry):
            tx.remove(one)
    assert node.run("audit", "export", tmp_path / "export", who="aud").row["lacking"] == len(kept.splitlines())
    lacking = node.run("audit", "export", tmp_path / "older", who="aud").row["lacking"]
    saved = (tmp_path / "older" / "1" / "left-behind.jsonl").read_bytes()
    assert saved == b"".join(older[-(len(kept.splitlines()) - lacking) :])
    assert b"lost-to-the-restore" in saved
    (tmp_path / "older" / "1" / "left-behind.jsonl").write_bytes(kept)
    assert node.run("audit", "export", tmp_path / "older", who="aud").row["lacking"] == 0, "added by hand, it stays"
    assert node.run("audit", "verify", tmp_path / "older", *keys).status == 0
