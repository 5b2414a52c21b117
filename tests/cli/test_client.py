"""What every client does: finds the node, raises what the node raised, hands its secret to nobody else."""

import json
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from tests.cli.nodes import RunningNode
from typer.testing import CliRunner

from habeas import errors
from habeas.cli.client import Asked, Client, as_error, opened
from habeas.cli.main import app as command
from habeas.errors import EnrolmentRefused, HabeasError, InputError, ProofError, RuleError


def all_errors(base: type[HabeasError] = HabeasError) -> Iterator[type[HabeasError]]:
    yield base
    for one in base.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from all_errors(one)


def made(kind: type[HabeasError]) -> HabeasError:
    if kind is RuleError:
        return RuleError("what", rule="two-persons", remedy="do")
    if kind is EnrolmentRefused:
        return EnrolmentRefused("what", remedy="do", images=[{"image": "a.png"}])
    if issubclass(kind, ProofError):
        return kind("what", remedy="do", index=7, tile="tile/0/000")
    return kind("what", remedy="do")


@pytest.mark.parametrize("kind", sorted(all_errors(), key=lambda kind: kind.__name__))
def test_every_error_comes_back_as_what_it_was(kind: type[HabeasError]) -> None:
    error = made(kind)
    back = as_error(json.loads(json.dumps(error.as_json())))
    assert type(back) is kind
    assert back.as_json() == error.as_json()
    assert back.exit_code == error.exit_code


@pytest.mark.parametrize("told", [None, [], "x", 3, {}, {"kind": "unheard-of", "message": "what"}])
def test_an_answer_of_another_version_is_an_error_all_the_same(told: object) -> None:
    assert type(as_error(told)) is HabeasError


def client_of(answer: httpx.Response) -> Client:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer))
    return Client(Asked(None, "", None, as_json=False), http, Path("node.sock"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"error": 3}'])
def test_what_is_no_problem_object_is_one_line(body: bytes) -> None:
    with pytest.raises(HabeasError):
        client_of(httpx.Response(502, content=body)).without_login("GET", "/healthz")


@pytest.mark.parametrize("name", ["", "../../x", "a/b", ".", "x" * 65, "a b"])
def test_a_node_that_names_no_installation_gets_no_login(name: str) -> None:
    with pytest.raises(InputError, match="which installation"):
        _ = client_of(httpx.Response(200, json={"workspace": name})).logins


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, *names, name)
        else:
            yield (*names, name), one


OURS = {
    "serve",
    "login",
    "logout",
    "whoami",
    "status",
    "user",
    "camera",
    "policy",
    "authorise",
    "suspend",
    "review",
    "clock",
}


def test_every_command_has_an_example_that_is_one_and_the_shared_options() -> None:
    ours = [(names, one) for names, one in commands(typer.main.get_command(command)) if names[0] in OURS]
    assert len(ours) >= 43
    for names, one in ours:
        assert (one.epilog or "").startswith(f"Example: `habeas {' '.join(names)}"), names
        example = shlex.split(one.epilog.removeprefix("Example: `").removesuffix("`"))[1 + len(names) :]
        one.make_context("habeas", example)
        options = {option for param in one.params for option in param.opts}
        assert {"--json", "--debug"} <= options
        assert {"--workspace", "-w"} <= options or names == ("camera", "find")


def run(*words: str | Path) -> tuple[int, dict[str, str]]:
    done = CliRunner().invoke(command, [*map(str, words), "--json"])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])["error"]


def test_where_no_node_runs_the_remedy_is_to_serve(node: RunningNode, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in node.folder.iterdir():
        if file.is_file() and file.suffix not in {".db", ".db-wal", ".db-shm"}:
            (folder / file.name).write_bytes(file.read_bytes())
    status, error = run("whoami", "-w", folder)
    assert (status, error["message"]) == (4, "no node of this workspace runs")
    assert "habeas serve" in error["remedy"]


def test_a_folder_that_is_no_workspace_is_called_that(tmp_path: Path) -> None:
    status, error = run("whoami", "-w", tmp_path)
    assert status in {2, 4}
    assert "init" in error["remedy"]


def test_a_socket_deep_in_folders_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("node.sock")
        server.listen(1)
        thread = threading.Thread(target=_answer_once, args=(server,))
        thread.start()
        monkeypatch.setattr("habeas.node.workspace.find_workspace", lambda _: deep)
        monkeypatch.setattr("habeas.node.workspace.socket_path", lambda folder: folder / "node.sock")
        with opened(Asked(deep, "", None, as_json=False)) as client:
            assert client.without_login("GET", "/healthz") == {"workspace": "w"}
        thread.join(5)


def _answer_once(server: socket.socket) -> None:
    line, _ = server.accept()
    with line:
        line.recv(65536)
        body = b'{"workspace": "w"}'
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def test_a_token_acts_within_its_scopes(node: RunningNode, tmp_path: Path) -> None:
    made_token = node.run("user", "token", "rita", "--scope", "read", "--days", "2", who="rita").row
    file = tmp_path / "token"
    file.write_text(made_token["secret"] + "\n")
    file.chmod(0o600)
    assert node.run("camera", "list", "--token-file", file).status == 0
    assert node.run("whoami", "--token-file", file).row["scopes"] == ["read"]
    refused = node.run("user", "token", "rita", "--scope", "read", "--days", "2", "--token-file", file)
    assert (refused.status, refused.error["rule"]) == (3, "login-needed")


def test_a_token_that_others_may_read_is_not_used(node: RunningNode, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("habeas-token_marker")
    file.chmod(0o644)
    said = node.run("whoami", "--token-file", file)
    assert "chmod 600" in said.error["remedy"]
    assert "habeas-token_marker" not in said.out + said.err
    file.chmod(0o600)
    assert node.run("whoami", "--token-file", file).error["rule"] == "not-logged-in"
    assert node.run("whoami", "--token-file", tmp_path / "none").error["kind"] == "input"
    assert node.run("whoami", "--token-file", file, who="rita").error["kind"] == "usage"
