"""`habeas init`: from a file, at a terminal, and for programs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Habeas

from habeas.node.workspace import SETTINGS, load_workspace
from habeas.settings import load_settings

PEOPLE = """
- {name: adam, roles: [admin]}
- {name: rita, roles: [requester]}
- {name: ann, roles: [approver]}
- {name: bert, roles: [approver]}
- {name: pia, roles: [privacy]}
- {name: olga, roles: [operator], zones: [north]}
- {name: otto, roles: [operator]}
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    return file


def test_an_installation_from_a_file(habeas: Habeas, people: Path, tmp_path: Path) -> None:
    ran = habeas("init", tmp_path / "city", "--people", people, "--keys", tmp_path / "keys")
    assert ran.status == 0, ran.err
    workspace = load_workspace(tmp_path / "city")
    assert workspace.workspace_id in ran.out
    assert str(tmp_path / "keys") in ran.out
    for name in ("adam", "rita", "ann", "bert", "pia", "olga", "otto"):
        assert re.search(rf"^  {name} +\S+$", ran.out, re.MULTILINE)
    assert "advisable: an auditor" in ran.err
    assert f"log.origin in {tmp_path / 'city'}/habeas.yaml" in " ".join(ran.err.split()), "before it is too late"
    assert f"habeas/{workspace.workspace_id}" in ran.err
    assert f"habeas serve -w {tmp_path / 'city'}" in ran.out


def test_for_programs(habeas: Habeas, people: Path, tmp_path: Path) -> None:
    ran = habeas("init", tmp_path / "city", "--people", people, "--keys", tmp_path / "keys", "--json")
    (done,) = ran.events
    assert set(done) == {"workspace", "folder", "people", "advice"}
    assert done["folder"] == str(tmp_path / "city")
    assert load_settings(tmp_path / "city" / SETTINGS).workspace_id == done["workspace"]
    assert [one["name"] for one in done["people"]] == ["adam", "rita", "ann", "bert", "pia", "olga", "otto"]
    assert len({one["setup_code"] for one in done["people"]}) == 7
    assert len(done["advice"]) == 4


def test_what_cannot_be_founded_is_one_line_and_leaves_nothing(habeas: Habeas, people: Path, tmp_path: Path) -> None:
    people.write_text(PEOPLE.replace("- {name: pia, roles: [privacy]}\n", ""))
    ran = habeas("init", tmp_path / "city", "--people", people, "--keys", tmp_path / "keys", "--json")
    assert ran.status == 4
    assert "privacy officer" in ran.error["message"]
    people.write_text(PEOPLE.replace("[admin]", "[admin, operator]"))
    ran = habeas("init", tmp_path / "city", "--people", people, "--keys", tmp_path / "keys", "--json")
    assert ran.status == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.yaml"]


@pytest.mark.parametrize("options", [["--non-interactive"], []])
def test_without_a_terminal_and_people_it_says_what_to_give(options: list[str], habeas: Habeas, tmp_path: Path) -> None:
    ran = habeas("init", tmp_path / "city", *options, "--json")
    assert ran.status == 2
    assert "--people" in ran.error["remedy"]
    assert list(tmp_path.iterdir()) == []


# --- at a terminal ----------------------------------------------------------------------------------------------------


def _take_terminal() -> None:
    """Have Ctrl-C at the terminal reach the program, whatever a shell ignores for what runs in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._ours, its = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "habeas", *words],
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=its,
            env=environment,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - what runs before the program is two system calls
        )
        os.close(its)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until the terminal shows a text that it did not show before."""
        deadline = time.monotonic() + 30
        fresh = ""
        while text not in fresh:
            assert time.monotonic() < deadline, f"{text!r} not in {fresh!r}"
            if select.select([self._ours], [], [], 0.2)[0]:
                fresh += os.read(self._ours, 4096).decode()
        self.seen += fresh

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> tuple[int, str]:
        late = threading.Timer(30, self.process.kill)
        late.start()
        out, _ = self.process.communicate()
        late.cancel()
        os.close(self._ours)
        return self.process.returncode, out.decode()


def test_at_a_terminal_it_asks_until_nobody_is_missing(environment: dict[str, str], tmp_path: Path) -> None:
    words = ["init", str(tmp_path / "city"), "--keys", str(tmp_path / "keys"), "--json"]
    terminal = Terminal(words, environment)
    answers = [
        ("adam", "admin"),
        ("rita", "king"),  # no such role: asked again
        ("rita", "requester, approver"),
        ("rita", "approver"),  # named already
        ("pia", "privacy operator"),  # they do not combine
        ("pia", "privacy"),
        ("ann", "approver operator"),
        ("bert", "approver operator"),
    ]
    for name, roles in answers:
        terminal.until("name to log in with")
        terminal.type(f"{name}\n")
        if (name, roles) == ("rita", "approver"):
            continue
        terminal.until(f"roles of {name}")
        terminal.type(f"{roles}\n")
    status, out = terminal.end()
    assert status == 0
    assert [one["name"] for one in json.loads(out)["people"]] == ["adam", "rita", "pia", "ann", "bert"]
    assert "no such role: king" in terminal.seen
    assert "named already" in terminal.seen
    assert "combines with no other" in terminal.seen
    assert "still missing: an admin" in terminal.seen


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_whoever_breaks_off_leaves_nothing(key: str, environment: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal(["init", str(tmp_path / "city"), "--keys", str(tmp_path / "keys")], environment)
    terminal.until("name to log in with")
    terminal.type(key)
    status, out = terminal.end()
    assert (status, out.strip()) == (130, "")  # a prompt on standard error leaves a space on standard output
    assert not (tmp_path / "city").exists()
    assert not (tmp_path / "keys").exists()
