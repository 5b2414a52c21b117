"""docs/verify.md runs, by an outsider in an empty folder, against a served installation with witnesses.

Node and witnesses are programs of their own; the witnesses are set up as docs/witness.md says. The outsider is given
the register's address and public keys, and nothing else; an auditor gives away an export where the document says so.
"""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.cli.nodes import PEOPLE, RunningNode
from tests.repo.shell import BLOCK, Shell, fits, steps
from tests.unit.audit.exports import files_of, note_of, plain_leaves
from tests.unit.audit.signers import Log

from habeas.app import App
from habeas.authority.epochs import current_epoch, signing_key
from habeas.clock import ManualClock, SystemClock
from habeas.node.founding import Founder, found
from habeas.node.workspace import SETTINGS, load_workspace
from habeas.settings import Settings
from habeas.store import open_store
from habeas.types import HOUR_NS

pytestmark = pytest.mark.timeout(600)
DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
WITNESS: Final = "witness.example.org/habeas"
LOG_KEY: Final = "city.example/habeas+0123abcd+AQ..."
FOLDER: Final = "/var/lib/habeas-witness"
PROGRAMS: Final = Path(sys.executable).parent
ORIGIN: Final = "station.example/habeas"
AGO_NS: Final = 51 * HOUR_NS // 2
"""Since when the installation was off: its entries are public, and not so old that later ones are withheld."""
_WAIT_S: Final = 200
_NEW_S: Final = 150
"""The register is made anew each 300 s: one so new stays until an export made after it was compared with it."""


def wait_for(what: Callable[[], object]) -> None:
    """Wait, bounded, until something is so."""
    until = time.monotonic() + _WAIT_S
    while not what():
        assert time.monotonic() < until
        threading.Event().wait(0.1)


def outside(home: Path) -> dict[str, str]:
    """The environment of somebody who has the programs and nothing else."""
    return {"HOME": str(home), "PATH": f"{PROGRAMS}:/usr/bin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Installation:
    """What is served.

    Args:
        node: runs it; `aud` is an auditor who is logged in.
        key: of its log.
        witnesses: their keys: of the court, of the press.
        register: address.
    """

    node: RunningNode
    key: str
    witnesses: tuple[str, str]
    register: str


# --- who runs it ------------------------------------------------------------------------------------------------------


def witness(folder: Path, name: str, log_key: str, stack: ExitStack) -> tuple[str, str]:
    """Make and start a witness as docs/witness.md says; return its key and address."""
    page = (DOCS / "witness.md").read_text()
    lines = [line for kind, _, text, _ in BLOCK.findall(page) if kind == "sh" for line in text.splitlines()]
    begin, add, shown, serve = (line for line in lines if line.startswith("habeas witness "))
    assert "export PATH=/opt/habeas/bin:$PATH" in lines
    real = {WITNESS: name, FOLDER: str(folder), LOG_KEY: log_key, "127.0.0.1:7380": "127.0.0.1:0"}

    def made(command: str) -> str:
        for placeholder, value in real.items():
            command = command.replace(placeholder, value)
        return command

    with Shell(folder.parent, outside(folder.parent)) as shell:
        for command in (begin, add, shown):
            printed, status = shell.run(made(command))
            assert status == 0, printed
    key = printed.splitlines()[0]
    words = [str(PROGRAMS / "habeas"), *made(serve).split()[1:]]
    running = subprocess.Popen(words, env=outside(folder.parent), stdout=subprocess.PIPE, text=True)
    stack.callback(running.wait, 20)
    stack.callback(running.kill)
    assert running.stdout
    told = stack.enter_context(running.stdout).readline()
    (shape,) = re.findall(r"`(listening: .*?)`", page)
    assert fits(shape.replace(WITNESS, name).replace("7380", "…"), told), told
    return key, told.split()[3].rstrip(",")


def founded(parent: Path) -> tuple[Path, dict[str, str]]:
    """Found an installation a day ago that did enough then to have something public."""
    clock = ManualClock(SystemClock().now_ns() - AGO_NS)
    people = [Founder(name, (role,) if role else ()) for name, role in PEOPLE.items()]
    done = found(parent / "workspace", people, clock, keys=parent / "keys")
    with open_store(done.workspace.database_url, clock) as store, store.write() as tx:
        tx.entries("padding", "log", ({} for _ in range(300)))
    return done.workspace.folder, {account.name: account.setup_code for account in done.accounts}


@pytest.fixture
def installation(app: App, settings: Settings, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose policy names two witnesses, and whose register is served."""
    assert app  # the models are here
    folder, codes = founded(tmp_path)
    file = folder / SETTINGS
    own = "workers: {count: 1}\npublic: {listen: '127.0.0.1:0'}\nlog:\n  beat_s: 1\n  origin: " + ORIGIN + "\n"
    file.write_text(f"{file.read_text()}\n{own}")
    node = RunningNode(folder, tmp_path, settings)
    with ExitStack() as stack:
        stack.callback(lambda: (node.process.kill(), node.process.wait(20)))  # of the last start
        node.wait_ready()
        node.login({name: codes[name] for name in ("pia", "ann", "bert", "aud")})
        wait_for(lambda: node.run("audit", "key", who="aud").rows)
        key = str(node.run("audit", "key", who="aud").rows[0]["vkey"])
        court = witness(tmp_path / "court", "court.example/habeas", key, stack)
        press = witness(tmp_path / "press", "press.example/habeas", key, stack)
        name_witnesses(node, (court[0], press[0]))
        wait_for(lambda: {"court.example/habeas", "press.example/habeas"} <= set(problems(node)))
        assert set(problems(node).values()) == {"no address is set for it"}
        urls = f"  witness_urls:\n    court.example/habeas: {court[1]}\n    press.example/habeas: {press[1]}\n"
        node.restart(lambda: file.write_text(file.read_text() + urls))
        wait_for(lambda: list(problems(node).values()) == [None, None])
        wait_for((folder / "public" / "register.json").is_file)
        (address,) = (event["address"] for event in node.events() if event["event"] == "register")
        yield Installation(node, key, (court[0], press[0]), address)


def name_witnesses(node: RunningNode, keys: tuple[str, str]) -> None:
    """Let two approvers put them in the policy."""
    made = node.run("policy", "propose", f"witnesses={','.join(keys)}", "quorum=2", who="pia").row
    for who in ("ann", "bert"):
        assert node.run("policy", "approve", made["policy"], "--yes", who=who).status == 0


def problems(node: RunningNode) -> dict[str, str | None]:
    """What the node printed last of each witness."""
    return {event["witness"]: event["problem"] for event in node.events() if event["event"] == "witness"}


# --- who checks it ----------------------------------------------------------------------------------------------------


class Outsider:
    """Reads the document, and does what it says.

    Args:
        shell: in an empty folder.
        given: what stands in the document, and what it stands for.
        heed: does what a remark says.
    """

    def __init__(self, shell: Shell, given: dict[str, str], heed: Callable[[str], None]) -> None:
        self._shell = shell
        self._given = given
        self._heed = heed
        self.commands: list[str] = []

    def follow(self, document: str) -> None:
        """Run every block, in its order, and compare what it prints."""
        for placeholder in self._given:
            assert document.count(placeholder) == 1
        for kind, _, text, remark in BLOCK.findall(document):
            assert kind in {"", "console"}, "there is no other block"
            if remark:
                self._heed(remark)
                continue
            for step in steps(text):
                self.run(step.command, step.printed, step.status)

    def run(self, command: str, expected: str, expected_status: int) -> None:
        """Run one command."""
        self.commands.append(command)
        for placeholder, value in self._given.items():
            command = command.replace(placeholder, value)
        printed, status = self._shell.run(command)
        told = f"$ {command}\n{printed}\n[{status}]"
        assert status == expected_status, told
        assert fits(expected, printed), f"{told}\nexpected:\n{expected}"


def forked(node: RunningNode, folder: Path, size: int) -> None:
    """Write another history of the log, signed with its own key, as whoever runs the installation could."""
    workspace = load_workspace(node.folder)
    with workspace.open_keys() as keys, open_store(workspace.database_url, SystemClock()) as store:
        with store.read() as tx:
            epoch = current_epoch(tx)
        assert epoch is not None
        stolen = Log(signing_key(keys, epoch), ORIGIN)
    leaves = plain_leaves(size)
    for name, data in files_of(leaves, note_of(leaves, stolen, ())).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.rule("L3")
def test_an_outsider_checks_an_installation_as_the_document_says(installation: Installation, tmp_path: Path) -> None:
    node, page = installation.node, (DOCS / "verify.md").read_text()
    folder, home = tmp_path / "outsider", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    given = {
        "station.example/habeas+0a1b2c3d+AZ...": installation.key,
        "court.example/habeas+1a2b3c4d+BA...": installation.witnesses[0],
        "press.example/habeas+5e6f7a8b+BB...": installation.witnesses[1],
        "https://register.station.example": installation.register,
    }

    def published() -> int:
        return int((node.folder / "public" / "log" / "1" / "checkpoint").read_text().split("\n")[1])

    def heed(remark: str) -> None:
        if remark == "the next checkpoint is public":
            before = published()
            wait_for(lambda: published() > before)
        elif remark == "an auditor hands over the folder export":
            wait_for(lambda: time.time() - (node.folder / "public" / "register.json").stat().st_mtime < _NEW_S)
            done = node.run("audit", "export", folder / "export", who="aud").row
            assert (done["witnesses"], done["lacking"]) == (2, 0)
        else:
            pytest.fail(f"what is {remark!r}?")

    with Shell(folder, outside(home)) as shell:
        outsider = Outsider(shell, given, heed)
        outsider.follow(page)
        assert len(outsider.commands) == page.count("\n$ ")
        assert list(home.iterdir()) == [], "nothing is written but what was asked for"
        register = json.loads((node.folder / "public" / "register.json").read_text())["log"]
        assert register["key"] == installation.key
        assert not register["self_witnessed"]
        # What the table promises: whoever has the log's key alone, or sets the log back, is found out.
        node.stop()
        size = published()
        forked(node, folder / "fork", size + 8)
        verify = next(line for line in outsider.commands if line.startswith("habeas audit verify tuesday "))
        trusting = verify.replace("tuesday", "fork").replace("COURT", "LOG") + " --since seen"
        outsider.run(
            trusting, "…forked: 'station.example/habeas' does not contain the … entries that were seen before…", 7
        )
        first = next(line for line in outsider.commands if " hash --key" in line).replace(" hash ", " fork ")
        outsider.run(first, "…0 of the 2 witnesses that it needs signed this checkpoint…", 7)


def test_a_block_that_differs_is_seen(tmp_path: Path) -> None:
    with Shell(tmp_path, outside(tmp_path)) as shell:
        outsider = Outsider(shell, {"HERE": "there"}, pytest.fail)
        outsider.follow("```console\n$ echo HERE\nthere\n```\n")
        for wrong in ("$ echo HERE\nhere\n", "$ false HERE\n", "$ echo HERE\nthere\n[7]\n"):
            with pytest.raises(AssertionError):
                outsider.follow(f"```console\n{wrong}```\n")
