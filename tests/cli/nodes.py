"""A real node in a process of its own, with people in every role, for the commands that talk to one."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from typer.testing import CliRunner

from habeas.accounts.roles import Role
from habeas.cli.main import app as command
from habeas.clock import SystemClock
from habeas.node.founding import Founder, found
from habeas.node.workspace import SETTINGS
from habeas.settings import Settings

PASSWORD: Final = "Wq7-password-marker"  # noqa: S105 - planted, to be looked for
URL_SECRET: Final = "Zx9-camera-marker"  # noqa: S105 - planted, to be looked for
PEOPLE: Final[Mapping[str, Role | None]] = {
    "adam": Role.ADMIN,
    "rita": Role.REQUESTER,
    "ann": Role.APPROVER,
    "bert": Role.APPROVER,
    "pia": Role.PRIVACY,
    "paul": Role.PRIVACY,
    "olga": Role.OPERATOR,
    "otto": Role.OPERATOR,
    "aud": Role.AUDITOR,
    "nora": None,
}
_READY_S: Final = 60
_PAGE: Final = 4096
"""Entries that are asked for at once."""
_TYPED_S: Final = 30


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every line of standard output; each is one JSON object."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The one object of a command that succeeded."""
        assert self.status == 0, self.out + self.err
        (only,) = self.rows
        return only

    @property
    def error(self) -> dict[str, Any]:
        """The error that `--json` printed last."""
        assert self.status != 0, self.out
        return dict(self.rows[-1]["error"])


def _watched(player: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytes]:
    """Return what a player says, and the first film of its page."""
    assert player.stdout is not None
    told = json.loads(player.stdout.readline())
    with httpx.Client() as browser:
        assert "<video" in browser.get(told["address"]).text
        return told, browser.get(f"{told['address']}0").content


class RunningNode:
    """A node's process and its clients.

    Args:
        folder: of the workspace, made before.
        home: of the users' logins.
        settings: where the models are.
        stdout: where it prints to; None: `log`.
    """

    def __init__(self, folder: Path, home: Path, settings: Settings, *, stdout: int | None = None) -> None:
        self.folder = folder
        self.home = home
        self._everything: list[str] = []
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        models = str(settings.models.folder.resolve())
        self.environment = {**kept, "HOME": str(home), "HABEAS_MODELS__FOLDER": models}
        self.log = home / "serve.jsonl"
        self.process = self._start(stdout)

    def _start(self, stdout: int | None) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            words = [sys.executable, "-m", "habeas", "serve", "-w", str(self.folder), "--json"]
            return subprocess.Popen(
                words, stdout=stdout or log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment
            )

    def wait_ready(self) -> None:
        """Wait for the line that says so."""
        deadline = time.monotonic() + _READY_S
        while not any(event["event"] == "ready" for event in self.events()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            threading.Event().wait(0.05)

    def events(self) -> list[dict[str, Any]]:
        """What the node printed so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it; return its exit status and how long that took, seconds."""
        began = time.monotonic()
        self.process.send_signal(how)
        status = self.process.wait(20)
        return status, time.monotonic() - began

    def restart(self, meanwhile: Callable[[], object]) -> None:
        """Stop it, do something to its files, and start it again; what it printed before is forgotten."""
        assert self.stop()[0] == 0
        meanwhile()
        self.log.unlink()
        self.process = self._start(None)
        self.wait_ready()

    def login(self, codes: Mapping[str, str]) -> None:
        """Let people set their password and log in, side by side."""
        for name, code in codes.items():
            words = ["login", name, "--password-stdin", "--setup-code", code]
            assert self.run(*words, stdin=PASSWORD + "\n").row["name"] == name

    def run(self, *arguments: str | Path, who: str = "", stdin: str | bytes = "", json_too: bool = True) -> Said:
        """Run a client in this process."""
        texts = [str(one) for one in arguments] + (["--as", who] if who else []) + (["--json"] if json_too else [])
        env = {"HABEAS_WORKSPACE": str(self.folder), "XDG_CONFIG_HOME": str(self.home / "config")}
        env["XDG_RUNTIME_DIR"] = str(self.home)
        done = CliRunner().invoke(command, texts, input=stdin, env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        said = Said(done.exit_code, done.stdout, done.stderr)
        assert "Traceback" not in said.out + said.err
        self._everything.append(said.out + said.err)
        return said

    def played(self, *arguments: str, who: str) -> tuple[dict[str, Any], bytes]:
        """Play in a process of its own, which ends when it is told; return what it says, and the first film."""
        words = [sys.executable, "-m", "habeas", "footage", "play", *arguments, "--no-browser", "--json", "--as", who]
        env = {**self.environment, "XDG_CONFIG_HOME": str(self.home / "config"), "XDG_RUNTIME_DIR": str(self.home)}
        with subprocess.Popen(
            [*words, "-w", str(self.folder)],
            stdout=subprocess.PIPE,
            env=env,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - what runs before the program is one system call
        ) as player:
            try:
                told, first = _watched(player)
                player.send_signal(signal.SIGINT)
                assert player.wait(20) == 0
            finally:
                player.kill()  # ended already, or nobody else ends it
        return told, first

    def typed(self, *arguments: str | Path, lines: str) -> tuple[int, str]:
        """Run a client in a process of its own, at a terminal where somebody types; return status and what is shown."""
        ours, theirs = os.openpty()
        words = [sys.executable, "-m", "habeas", *map(str, arguments), "-w", str(self.folder)]
        env = {**self.environment, "XDG_CONFIG_HOME": str(self.home / "config"), "COLUMNS": "300"}
        with subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        ) as done:
            os.close(theirs)
            shown, asked = b"", lines.splitlines(keepends=True)
            while select.select([ours], [], [], _TYPED_S)[0] and (chunk := _read(ours)):
                shown += chunk
                if asked and shown.endswith(b": "):  # typed once it is asked for: what comes before is thrown away
                    os.write(ours, asked.pop(0).encode())
            done.kill()  # ended already, or stuck
            os.close(ours)
            status = done.wait(30)
        self._everything.append(shown.decode())
        return status, shown.decode()

    def text(self, *arguments: str | Path, who: str = "", stdin: str = "") -> str:
        """Run a client that must succeed; return what a person reads."""
        said = self.run(*arguments, who=who, stdin=stdin, json_too=False)
        assert said.status == 0, said.out + said.err
        return said.out

    def entries(self, who: str, first: int = 0) -> list[dict[str, Any]]:
        """Return the openings of all entries from a number on: the longer a node has run, the more there are."""
        found: list[dict[str, Any]] = []
        while rows := self.run("audit", "show", "--from", str(first + len(found)), "--limit", str(_PAGE), who=who).rows:
            found += [row["opening"] for row in rows]
            if len(rows) < _PAGE:  # each look is an entry too: there is always one more
                break
        return found

    def kinds(self, who: str, first: int = 0) -> list[str]:
        """Return the types of all entries from a number on, in their order."""
        return [opening["type"] for opening in self.entries(who, first)]

    def everything(self) -> str:
        """All that clients and the node printed."""
        return "".join(self._everything) + self.log.read_text()

    def camera(self, name: str, zone: str = "default", port: int = 8554) -> str:
        """Add a camera that nobody answers for, unless something listens there; return its name."""
        url = f"rtsp://viewer:{URL_SECRET}@127.0.0.1:{port}/{name}"
        words = ["camera", "add", name, "--url-stdin", "--purpose", "Who walks through the test", "--zone", zone]
        assert self.run(*words, who="adam", stdin=url + "\n").row["camera"] == name
        return name


def heed_ctrl_c() -> None:
    """Undo what a shell does to what it runs in the background: Ctrl-C ignored, by all that is started from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody has the other end any more
        return b""


def new_workspace(parent: Path) -> tuple[Path, dict[str, str]]:
    """Found an installation whose cameras may be on loopback or files; return its folder and the setup codes."""
    people = [Founder(name, (role,) if role else ()) for name, role in PEOPLE.items()]
    done = found(parent / "workspace", people, SystemClock(), keys=parent / "keys")
    (parent / "video").mkdir()
    with (done.workspace.folder / SETTINGS).open("a") as file:
        file.write(
            f"\ncameras: {{networks: [127.0.0.1/32], folders: [{parent / 'video'}]}}\nworkers: {{count: 1}}\n"
            "log: {beat_s: 1}\n"
        )
    return done.workspace.folder, {account.name: account.setup_code for account in done.accounts}
