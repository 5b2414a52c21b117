"""`habeas register` over an export in a folder, and of a running node."""

import json
import threading
import time
from pathlib import Path

import pytest
from tests.cli.nodes import RunningNode
from tests.cli.test_log import signed
from tests.unit.audit.exports import note_of
from tests.unit.audit.signers import LOG
from tests.unit.register.histories import full
from typer.testing import CliRunner

from habeas.audit.fetching import openings_at
from habeas.audit.openings import openings_file
from habeas.cli.main import app
from habeas.register.checking import computed
from habeas.register.document import encode
from habeas.register.figures import Stated
from habeas.types import DAY_NS

pytestmark = pytest.mark.timeout(200)
_WRITTEN_S = 30


@pytest.fixture
def export(tmp_path: Path) -> Path:
    history, folder = full(), tmp_path / "export"
    (folder / "1").mkdir(parents=True)
    path = folder / openings_file(0)
    path.parent.mkdir()
    path.write_bytes(b"".join(history.lines(0)))
    epoch = {"first_seq": 0, "number": 1, "origin": LOG.name, "prior": "", "vkey": LOG.verifier.encode()}
    (folder / "epochs.json").write_text(json.dumps([epoch]))
    (folder / "1" / "checkpoint").write_bytes(note_of([b"leaf"]).note.encode())
    return folder


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["register", *map(str, words)])
    return done.exit_code, done.output


def test_an_export_makes_a_register_that_holds(export: Path, tmp_path: Path) -> None:
    status, told = run("build", tmp_path / "public", "--from", export, "--json")
    assert status == 0, told
    assert json.loads(told)["event"] == "built"
    assert (tmp_path / "public" / "statistics.html").is_file()
    status, told = run("check", tmp_path / "public" / "register.json", "--from", export)
    assert status == 0, told
    assert told.startswith("holds:")


def test_a_register_that_says_something_else_is_named(export: Path, tmp_path: Path) -> None:
    run("build", tmp_path / "public", "--from", export)
    path = tmp_path / "public" / "register.json"
    document = json.loads(path.read_text())
    document["confirmed"] += 1
    path.write_text(json.dumps(document))
    status, told = run("check", path, "--from", export, "--json")
    assert status == 7
    assert "confirmed: it says" in json.loads(told)["error"]["message"]


def test_exact_figures_are_of_every_zone(export: Path, tmp_path: Path) -> None:
    made_ns = full().now_ns + 8 * DAY_NS
    openings = openings_at(str(export))
    assert openings is not None
    path = tmp_path / "register.json"
    path.write_bytes(encode(computed(openings, made_ns, Stated(), note_of([b"leaf"]))))
    status, told = run("check", path, "--from", export, "--exact", "--json")
    assert status == 0, told
    checked, exact = map(json.loads, told.splitlines())
    assert checked["event"] == "checked"
    assert {one["zone"] for one in exact["statistics"]} == {"gate", "hall", "yard"}
    run("build", tmp_path / "inside", "--from", export, "--exact")
    assert b"exact figures" in (tmp_path / "inside" / "index.html").read_bytes()


@pytest.mark.parametrize(("where", "status"), [("nothing.json", 4), ("http://example.org/register.json", 4)])
def test_what_cannot_be_read_is_refused(export: Path, where: str, status: int) -> None:
    assert run("check", where, "--from", export)[0] == status


def test_a_public_copy_is_no_export(export: Path, tmp_path: Path) -> None:
    run("build", tmp_path / "public", "--from", export)
    status, told = run("check", tmp_path / "public" / "register.json", "--from", tmp_path / "public")
    assert status == 2
    assert "no openings" in told


def test_a_node_publishes_what_an_auditor_computes(node: RunningNode, tmp_path: Path) -> None:
    public = node.folder / "public" / "register.json"
    deadline = time.monotonic() + _WRITTEN_S
    while not public.is_file():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    (tmp_path / "register.json").write_bytes(public.read_bytes())
    signed(node, json.loads(public.read_text())["entries_now"])
    node.run("audit", "export", tmp_path / "export", who="aud")
    told = node.run("register", "check", tmp_path / "register.json", "--from", tmp_path / "export").row
    assert told["event"] == "checked"
