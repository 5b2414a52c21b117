"""Logins: kept for one user's eyes, side by side, and never on another node."""

import json
import re
import stat
from pathlib import Path

import pytest
from tests.cli.nodes import PASSWORD, RunningNode

from habeas.cli.logins import Kept, Logins, check_name
from habeas.errors import UsageError


def test_somebody_logs_in_is_known_and_logs_out(node: RunningNode) -> None:
    made = node.run("user", "add", "lena", who="adam").row
    assert re.fullmatch(r"([2-9A-Z]{5}-){3}[2-9A-Z]{5}", made["setup_code"])
    said = node.run("login", "lena", "--password-stdin", "--setup-code", made["setup_code"], stdin=PASSWORD + "\n")
    assert set(said.row) == {"account", "name", "ends", "used_until"}
    assert node.run("whoami", who="lena").row["roles"] == []
    assert "lena" in node.text("whoami", who="lena")
    assert node.run("logout", who="lena").row["ended"] is True
    again = node.run("whoami", who="lena")
    assert (again.status, again.error["rule"]) == (3, "not-logged-in")
    assert node.run("login", "lena", "--password-stdin", stdin=PASSWORD + "\n").row["name"] == "lena"


def test_a_wrong_password_is_refused_by_its_rule(node: RunningNode) -> None:
    said = node.run("login", "nora", "--password-stdin", stdin="Wrong-password-marker\n")
    assert (said.status, said.error["rule"]) == (3, "login")
    assert "Wrong-password-marker" not in said.out + said.err


def test_a_code_opens_once(node: RunningNode) -> None:
    made = node.run("user", "add", "once", who="adam").row
    words = ["login", "once", "--password-stdin", "--setup-code", made["setup_code"]]
    assert node.run(*words, stdin=PASSWORD).row["name"] == "once"
    assert node.run(*words, stdin=PASSWORD).error["rule"] == "setup-code"


@pytest.mark.parametrize("stdin", [b"", b"\n", b"\xff\xfe\n", b"x" * 5000])
def test_a_password_that_is_no_line_of_text_is_refused(node: RunningNode, stdin: bytes) -> None:
    said = node.run("login", "nora", "--password-stdin", stdin=stdin)
    assert said.error["kind"] == "input"


def test_without_a_terminal_the_password_comes_from_standard_input(node: RunningNode) -> None:
    said = node.run("login", "nora")
    assert said.error["kind"] == "usage"
    assert "--password-stdin" in said.error["remedy"]


def test_at_a_terminal_a_new_password_is_asked_for_twice(node: RunningNode) -> None:
    made = node.run("user", "add", "tess", who="adam").row
    words = ["login", "tess", "--setup-code", made["setup_code"]]
    status, shown = node.typed(*words, lines=f"{PASSWORD}\n{PASSWORD}\n")
    assert status == 0, shown
    assert "Repeat for confirmation" in shown
    assert "tess is logged in until" in shown
    assert node.run("whoami", who="tess").status == 0


def test_among_several_one_says_who(node: RunningNode) -> None:
    said = node.run("whoami")
    assert (said.status, said.error["kind"]) == (2, "usage")
    assert "--as" in said.error["remedy"]


def test_the_files_are_for_their_user_only(node: RunningNode) -> None:
    (folder,) = (node.home / "config" / "habeas" / "logins").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert PASSWORD not in "".join(file.read_text() for file in folder.iterdir())


def test_a_login_goes_to_the_socket_it_was_made_on(tmp_path: Path) -> None:
    here = Logins(tmp_path / "logins", tmp_path / "one.sock")
    here.keep(Kept("ada", "secret"))
    assert here.chosen("") == here.chosen("ada") == Kept("ada", "secret")
    elsewhere = Logins(tmp_path / "logins", tmp_path / "two.sock")
    assert elsewhere.chosen("ada") is None
    assert elsewhere.names() == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"socket": 1}', "null", "\x00"])
def test_a_broken_file_is_no_login(tmp_path: Path, content: str) -> None:
    kept = Logins(tmp_path, tmp_path / "node.sock")
    (tmp_path / "ada").write_text(content)
    assert kept.chosen("ada") is None
    assert kept.chosen("") is None


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "-x", "a b", "a\n", "é"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_logins_show_no_secret(tmp_path: Path) -> None:
    assert "secret-marker" not in repr(Kept("ada", "secret-marker"))
    kept = Logins(tmp_path, tmp_path / "node.sock")
    kept.keep(Kept("ada", "secret-marker"))
    assert json.loads((tmp_path / "ada").read_text())["secret"] == "secret-marker"  # noqa: S105 - planted
