"""`habeas audit verify | prove`, from files alone: no workspace, no node, no network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Habeas
from tests.unit.audit.exports import Book, files_of, note_of, plain_leaves
from tests.unit.audit.signers import LOG, WITNESSES

from habeas.web.register import served as serve_folder
from habeas.web.witness import address_of, listen_at

LEAVES = plain_leaves(600)
TRUST = [
    "--key",
    LOG.verifier.encode(),
    *(part for witness in WITNESSES[:3] for part in ("--witness", witness.verifier.encode())),
]


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 600 entries in a folder."""
    return written(tmp_path / "log", files_of(LEAVES))


def test_a_log_that_holds_is_a_numbered_list(habeas: Habeas, log: Path) -> None:
    ran = habeas("audit", "verify", str(log), *TRUST)
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("ok  1   checkpoints are signed by the log and its witnesses: 1 (3 of 3 witnesses")
    assert lines[1].endswith("not checked (nothing is remembered; give --since FILE, this time and every time)")
    assert lines[2] == "ok  3   tiles and entries lead to the root: 600"
    assert lines[-1] == "holds: 600 entries"


def test_json_says_the_same_to_programs(habeas: Habeas, log: Path) -> None:
    (event,) = habeas("audit", "verify", str(log), *TRUST, "--json").events
    assert (event["event"], event["entries"], event["pending"]) == ("audit-verified", 600, 0)
    assert event["checkpoints"][0]["size"] == 600
    assert [step["step"] for step in event["steps"]] == list("12345678")


def test_what_does_not_hold_is_status_7_and_names_the_place(habeas: Habeas, log: Path) -> None:
    bundle = log / "tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(b"padding", b"adding-", 1))
    ran = habeas("audit", "verify", str(log), *TRUST, "--json")
    assert ran.status == 7
    error = ran.events[-1]["error"]
    assert (error["kind"], error["index"], error["tile"]) == ("proof", 256, "tile/entries/001")
    told = habeas("audit", "verify", str(log), *TRUST)
    assert told.status == 7
    assert "leaf 256" in told.err
    assert "holds" not in told.out


def test_what_was_seen_is_remembered_and_a_failure_forgets_nothing(habeas: Habeas, log: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    first = habeas("audit", "verify", str(log), *TRUST, "--since", str(seen))
    assert first.status == 0
    assert first.out.splitlines()[1].endswith("(nothing was seen before; this is remembered from now on)")
    kept = seen.read_bytes()
    assert kept == (log / "checkpoint").read_bytes()
    older = written(tmp_path / "older", files_of(LEAVES[:500]))
    ran = habeas("audit", "verify", str(older), *TRUST, "--since", str(seen), "--json")
    assert (ran.status, ran.events[-1]["error"]["kind"]) == (7, "stale")
    assert seen.read_bytes() == kept
    grown = written(tmp_path / "grown", files_of(plain_leaves(700)))
    ran = habeas("audit", "verify", str(grown), *TRUST, "--since", str(seen))
    assert ran.out.splitlines()[1] == "ok  2   the log contains what was seen before: 1"
    assert seen.read_bytes() == (grown / "checkpoint").read_bytes()


def test_an_export_is_verified_with_its_openings(habeas: Habeas, tmp_path: Path) -> None:
    book = Book()
    for _ in range(300):
        book.add("padding", "log", {})
    export = written(tmp_path / "export", files_of(book.leaves()))
    written(export, {"openings/000000.jsonl": b"".join(book.lines(0))})
    ran = habeas("audit", "verify", str(export), *TRUST)
    assert ran.status == 0
    assert "ok  6   leaves commit to their openings: 300" in ran.out
    assert "ok  8.9 " in ran.out


def test_without_a_key_nothing_is_verified(habeas: Habeas, log: Path) -> None:
    ran = habeas("audit", "verify", str(log))
    assert ran.status == 2
    assert "no key was given" in ran.err
    assert habeas("audit", "verify", str(log), "--key", "example.org/log+00000000+AAAA").status == 4
    assert habeas("audit", "verify", str(log), *TRUST, "--quorum", "4").status == 4
    assert habeas("audit", "verify", str(log / "nothing"), *TRUST).status == 4
    assert habeas("audit", "verify", "http://example.org/log", *TRUST).status == 4


def test_a_number_of_witnesses_is_not_who_they_are(habeas: Habeas, log: Path) -> None:
    ran = habeas("audit", "verify", str(log), *TRUST[:2], "--quorum", "2", "--json")
    assert ran.status == 2
    assert "no witness was given" in ran.error["message"]
    assert "--witness NAME+ID+KEY" in ran.error["remedy"]
    assert habeas("audit", "verify", str(log), *TRUST[:2], "--quorum", "0").status == 0


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("workspace", "public/log is one"),
        ("workspace/log", "public/log is one"),
        ("empty", "what `habeas audit export` wrote"),
    ],
)
def test_where_there_is_no_log_the_refusal_says_where_one_is(
    habeas: Habeas, tmp_path: Path, place: str, remedy: str
) -> None:
    for folder in ("workspace/log/1", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "workspace" / "habeas.yaml").touch()
    ran = habeas("audit", "verify", tmp_path / place, *TRUST, "--json")
    assert ran.status == 4
    assert ran.error["message"].endswith("no log is there, neither epochs.json (of all epochs) nor checkpoint (of one)")
    assert remedy in ran.error["remedy"]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder behind a web address of this machine."""
    with listen_at("127.0.0.1:0") as listener, serve_folder(folder, listener, pytest.fail):
        yield f"http://{address_of(listener)}"


def test_a_log_on_the_web_is_kept_whether_it_holds_or_not(habeas: Habeas, tmp_path: Path) -> None:
    log = written(tmp_path / "public" / "log", files_of(LEAVES))
    with served(tmp_path / "public") as address:
        ran = habeas("audit", "verify", f"{address}/log", *TRUST, "--keep", tmp_path / "copy")
        assert ran.status == 0, ran.err
        again = habeas("audit", "verify", f"{address}/log", *TRUST, "--keep", tmp_path / "copy", "--json")
        assert (again.status, again.error["remedy"]) == (2, "give --keep a new folder, one each time")
        elsewhere = habeas("audit", "verify", address, *TRUST, "--json")
        assert elsewhere.error["remedy"] == "the log of a register is at ADDRESS/log"
        bundle = log / "tile/entries/001"
        bundle.write_bytes(bundle.read_bytes().replace(b"padding", b"adding-", 1))
        assert habeas("audit", "verify", f"{address}/log", *TRUST, "--keep", tmp_path / "evidence").status == 7
    assert (tmp_path / "evidence/tile/entries/001").read_bytes() == bundle.read_bytes()
    assert habeas("audit", "verify", tmp_path / "copy", *TRUST).status == 0
    assert habeas("audit", "verify", tmp_path / "evidence", *TRUST).status == 7
    assert habeas("audit", "verify", log, *TRUST, "--keep", tmp_path / "new").status == 2


def test_where_nothing_can_be_written_is_found_out_first(habeas: Habeas, log: Path, tmp_path: Path) -> None:
    ran = habeas("audit", "verify", str(log), *TRUST, "--since", tmp_path / "no" / "seen")
    assert (ran.status, ran.out) == (6, "")
    assert "--since" in ran.err


def test_a_proof_is_one_file(habeas: Habeas, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.tlog-proof"
    assert habeas("audit", "prove", "300", "--from", str(log), "--out", str(out)).status == 0
    ran = habeas("audit", "verify", str(out), *TRUST)
    assert ran.status == 0
    assert ran.out.startswith("holds: entry 300 of example.org/log, padding, in the hour from 2026-11-26T16:00:00Z")
    (event,) = habeas("audit", "verify", str(out), *TRUST, "--json").events
    assert (event["event"], event["index"], len(event["witnesses"])) == ("audit-proven", 300, 3)
    out.write_bytes(out.read_bytes().replace(b"index 300", b"index 301"))
    assert habeas("audit", "verify", str(out), *TRUST).status == 7


def test_a_proof_of_what_is_not_there_is_not_made(habeas: Habeas, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.tlog-proof"
    assert habeas("audit", "prove", "600", "--from", str(log), "--out", str(out)).status == 4
    assert habeas("audit", "prove", "1", "--from", str(log), "--out", str(tmp_path / "x")).status == 2
    assert habeas("audit", "prove", "1", "--from", str(log), "--out", str(tmp_path / "no" / "x.tlog-proof")).status == 6
    assert not out.exists()


def test_an_unwitnessed_proof_says_so(habeas: Habeas, tmp_path: Path) -> None:
    log = written(tmp_path / "alone", files_of(LEAVES, note_of(LEAVES, LOG, ())))
    out = tmp_path / "one.tlog-proof"
    habeas("audit", "prove", "1", "--from", str(log), "--out", str(out))
    ran = habeas("audit", "verify", str(out), *TRUST[:2])
    assert ran.status == 0
    assert "no witness signed" in ran.err
