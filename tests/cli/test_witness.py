"""`habeas witness`, as another organisation runs it: alone, from its folder to a cosignature over HTTP."""

import json
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import typer.main
from tests.cli.conftest import Habeas
from tests.histories import FORK, TRUE
from tests.unit.audit.signers import LOG, OTHER_LOG

from habeas.audit.note import parse_key
from habeas.audit.witness import Witness
from habeas.audit.witnessing import parse_answer
from habeas.cli.main import app
from habeas.clock import ManualClock

Program = Callable[..., "subprocess.Popen[str]"]
NAME = "w.example/habeas"
VKEY = LOG.verifier.encode()


@pytest.fixture
def folder(habeas: Habeas, tmp_path: Path) -> Path:
    assert habeas("witness", "init", tmp_path / "w", "--name", NAME).status == 0
    return tmp_path / "w"


def test_making_one_prints_its_key_and_what_to_do_with_it(habeas: Habeas, tmp_path: Path) -> None:
    ran = habeas("witness", "init", tmp_path / "w", "--name", NAME)
    assert parse_key(ran.out.strip()) == Witness(tmp_path / "w", ManualClock()).key
    for said in ("publish it", "habeas witness add", "habeas witness serve", "out of every backup"):
        assert said in ran.err
    again = habeas("witness", "init", tmp_path / "w", "--name", NAME, "--json")
    assert (again.status, again.error["kind"]) == (4, "input")


def test_for_programs(habeas: Habeas, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    (made,) = habeas("witness", "init", folder, "--name", NAME, "--json").events
    assert made == {"witness": NAME, "key": Witness(folder, ManualClock()).key.encode(), "folder": str(folder)}
    (added,) = habeas("witness", "add", folder, f" {VKEY}\n", "--json").events
    assert added == {"log": LOG.name, "key": VKEY}
    (listed,) = habeas("witness", "list", folder, "--json").events
    known = {"log": LOG.name, "key": VKEY, "damaged": False, "size": 0, "evidence": 0}
    assert listed == {"witness": NAME, "key": made["key"], "logs": [known]}


def test_the_list_shows_how_far_and_what_is_damaged(habeas: Habeas, folder: Path) -> None:
    assert "no logs yet" in habeas("witness", "list", folder).out
    habeas("witness", "add", folder, VKEY)
    witness = Witness(folder, ManualClock())
    witness.answer(TRUE.request(0, 20))
    witness.answer(FORK.request(20, 25))
    (row,) = [line for line in habeas("witness", "list", folder).out.splitlines() if line.startswith(LOG.name)]
    assert row.split() == [LOG.name, "20", "1"]
    (file,) = (folder / "logs").iterdir()
    file.write_bytes(b"")
    assert "damaged" in habeas("witness", "list", folder).out


@pytest.mark.parametrize("key", ["", "nonsense", VKEY[:-2], VKEY.replace("log+", "lag+")])
def test_what_is_no_key_of_a_log(habeas: Habeas, folder: Path, key: str) -> None:
    ran = habeas("witness", "add", folder, key, "--json")
    assert (ran.status, ran.error["kind"]) == (4, "input")
    assert ran.error["remedy"]


def test_the_witnesss_own_key_is_none_of_a_log(habeas: Habeas, folder: Path) -> None:
    ran = habeas("witness", "add", folder, Witness(folder, ManualClock()).key.encode(), "--json")
    assert "not the key of a log" in ran.error["message"]


@pytest.mark.parametrize("words", [("list",), ("add", VKEY), ("serve",)])
def test_without_a_witness(habeas: Habeas, tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = habeas("witness", words[0], tmp_path / "none", *words[1:], "--json")
    assert (ran.status, ran.error["kind"]) == (2, "usage")
    assert "habeas witness init" in ran.error["remedy"]
    assert not (tmp_path / "none").exists()


def test_an_address_that_is_none(habeas: Habeas, folder: Path) -> None:
    ran = habeas("witness", "serve", folder, "--listen", "nowhere", "--json")
    assert (ran.status, ran.error["kind"]) == (2, "usage")


def test_each_command_has_an_example_that_is_one() -> None:
    group = typer.main.get_command(app).commands["witness"]  # type: ignore[attr-defined]  # it is a group
    assert set(group.commands) == {"init", "add", "list", "serve"}
    for name, command in group.commands.items():
        assert command.epilog.startswith(f"Example: `habeas witness {name} ")
        command.make_context("habeas", shlex.split(command.epilog.removeprefix("Example: `").removesuffix("`"))[3:])


# --- serving ----------------------------------------------------------------------------------------------------------


def begun(program: Program, folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start it; return it and its address."""
    running = program("witness", "serve", folder, "--listen", "127.0.0.1:0", "--json")
    assert running.stdout
    ready = json.loads(running.stdout.readline())
    assert (ready["event"], ready["witness"]) == ("listening", NAME)
    return running, ready["address"]


def ask(address: str, body: bytes) -> httpx.Response:
    return httpx.post(f"http://{address}/add-checkpoint", content=body, timeout=20, trust_env=False)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends_when_asked_whoever_is_still_connected(
    program: Program, folder: Path, how: signal.Signals
) -> None:
    running, address = begun(program, folder)
    Witness(folder, ManualClock()).add_log(LOG.verifier)
    answer = ask(address, TRUE.request(0, 20))
    assert answer.status_code == 200, "a log that was added beside it is known at once"
    assert parse_answer(answer.content)[0].name == NAME
    assert ask(address, FORK.request(20, 25)).status_code == 422
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as slow, socket.create_connection((host, int(port))) as idle:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 9\r\n\r\nold")
        assert idle
        began = time.monotonic()
        running.send_signal(how)
        out, err = running.communicate(timeout=30)
        assert time.monotonic() - began < 15
    told = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in told] == ["refused", "stopped"]
    assert (folder / told[0]["evidence"]).is_file()
    assert running.returncode == 0
    assert "Traceback" not in err
    again, address = begun(program, folder)
    assert ask(address, TRUE.request(0, 25)).text == "20\n", "after a start it knows what it cosigned"
    again.kill()


def test_a_disk_without_room_is_told_and_signs_nothing(program: Program, folder: Path) -> None:
    Witness(folder, ManualClock()).add_log(LOG.verifier)
    running, address = begun(program, folder)
    assert ask(address, TRUE.request(0, 20)).status_code == 200
    _, most = resource.prlimit(
        running.pid, resource.RLIMIT_FSIZE, (0, resource.prlimit(running.pid, resource.RLIMIT_FSIZE)[1])
    )
    assert ask(address, TRUE.request(20, 25)).status_code == 503
    assert running.stdout
    problem = json.loads(running.stdout.readline())
    assert (problem["event"], problem["kind"]) == ("problem", "disk")
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (most, most))
    assert ask(address, TRUE.request(20, 25)).status_code == 200


def test_killed_while_it_answers_it_starts_again(program: Program, folder: Path) -> None:
    Witness(folder, ManualClock()).add_log(LOG.verifier)
    for size in (5, 10, 20):
        running, address = begun(program, folder)
        known = ask(address, TRUE.request(0, size))
        if known.status_code == 409:
            assert ask(address, TRUE.request(int(known.text), size)).status_code == 200
        running.kill()
        running.wait(20)
    assert [one.size for one in Witness(folder, ManualClock()).logs()] == [20]


def test_it_needs_no_workspace_no_database_and_no_models(tmp_path: Path) -> None:
    code = (
        "import sys, habeas.web.witness, habeas.web.server, habeas.cli.witness;"
        "heavy = {'av', 'openvino', 'lap', 'sqlalchemy', 'alembic', 'habeas.node', 'habeas.store'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_beside_each_other_know_the_same(program: Program, folder: Path) -> None:
    witness = Witness(folder, ManualClock())
    witness.add_log(LOG.verifier)
    witness.add_log(OTHER_LOG.verifier)
    (_, first), (_, second) = begun(program, folder), begun(program, folder)
    assert ask(first, TRUE.request(0, 20)).status_code == 200
    assert ask(second, FORK.request(0, 20)).text == "20\n"
    assert ask(second, TRUE.request(20, 25)).status_code == 200
    assert ask(first, TRUE.request(20, 26)).text == "25\n"
