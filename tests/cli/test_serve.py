"""`habeas serve`: ready when it says so, ended when asked to, told in lines."""

import json
import os
import signal
import stat
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.nodes import PASSWORD, PEOPLE, URL_SECRET, RunningNode, new_workspace

from habeas.app import App
from habeas.cli.serve import Telling, _register, as_line, changes
from habeas.cli.writer import ROOM, Writer
from habeas.errors import HabeasError
from habeas.node.workspace import Workspace, socket_path
from habeas.settings import PublicSettings, Settings

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_five_seconds_when_asked(
    app: App, settings: Settings, tmp_path: Path, how: signal.Signals
) -> None:
    assert app
    folder, codes = new_workspace(tmp_path)
    running = RunningNode(folder, tmp_path, settings)
    try:
        running.wait_ready()
        mode = socket_path(folder).stat().st_mode
        assert stat.S_ISSOCK(mode), "ready means that the socket is there"
        words = ["login", "adam", "--password-stdin", "--setup-code", codes["adam"]]
        assert running.run(*words, stdin=PASSWORD).status == 0
        second = running.run("serve", "-w", folder)
        assert second.status in {2, 4}, "another node of the same workspace does not start"
        assert running.run("whoami", who="adam").status == 0, "and leaves the first one's socket alone"
        status, seconds = running.stop(how)
        assert (status, seconds < 5) == (0, True), (status, seconds, running.log.read_text())
        assert running.events()[-1] == {"event": "stopped"}
        assert not socket_path(folder).exists()
        assert running.run("whoami", who="adam").error["message"] == "no node of this workspace runs"
    finally:
        running.process.kill()
        running.process.wait(20)


def test_a_node_that_was_killed_starts_again_over_its_socket(app: App, settings: Settings, tmp_path: Path) -> None:
    assert app
    folder, _ = new_workspace(tmp_path)
    first = RunningNode(folder, tmp_path, settings)
    first.wait_ready()
    first.process.kill()
    first.process.wait(20)
    assert socket_path(folder).exists()
    first.log.unlink()
    again = RunningNode(folder, tmp_path, settings)
    try:
        again.wait_ready()
        assert again.stop()[0] == 0
    finally:
        again.process.kill()
        again.process.wait(20)


def test_a_reader_that_goes_away_does_not_end_it(app: App, settings: Settings, tmp_path: Path) -> None:
    assert app
    folder, codes = new_workspace(tmp_path)
    running = RunningNode(folder, tmp_path, settings, stdout=subprocess.PIPE)
    try:
        assert running.process.stdout is not None
        assert json.loads(running.process.stdout.readline())["event"] == "ready"
        running.process.stdout.close()
        words = ["login", "adam", "--password-stdin", "--setup-code", codes["adam"]]
        assert running.run(*words, stdin=PASSWORD).status == 0
        assert running.stop()[0] == 0
    finally:
        running.process.kill()
        running.process.wait(20)


def test_worker_starts_are_told(node: RunningNode) -> None:
    told = [event for event in node.events() if event["event"] == "worker"]
    assert told[0]["change"] == "started"


def status(cameras: dict[str, str], starts: int = 1, *, jumped: bool = False) -> dict[str, object]:
    return {
        "cameras": cameras,
        "workers": [{"worker": 0, "starts": starts, "kills": starts - 1}],
        "clock": {"jumped": jumped, "restored": False},
        "witnesses": {},
    }


def test_what_changed_is_told_once() -> None:
    before, after = status({"a": "up", "b": "up"}), status({"a": "stalled", "c": "up"}, 2, jumped=True)
    lines = [as_line(event) for event in changes(before, after)]
    assert lines == [
        "camera a: stalled",
        "camera c: up",
        "camera b: closed",
        "worker 0: started again",
        "clock: jumped: nothing is compared; set it right, then two approvers run `habeas clock confirm`",
    ]
    assert not list(changes(after, after))
    restored = {**after, "clock": {"jumped": True, "restored": True}}
    (told,) = changes(before, {**before, "clock": restored["clock"]})
    assert as_line(told).startswith("clock: restored: nothing is compared; two approvers confirm")
    assert [as_line(one) for one in changes(restored, {**restored, "clock": before["clock"]})] == [
        "clock: trusted again"
    ]


def test_what_witnesses_do_is_told_when_it_changes() -> None:
    told = [
        {**status({}), "witnesses": {"court.example": problem, "press.example": ""}}
        for problem in ("no address is set for it", "no address is set for it", "")
    ]
    assert [as_line(event) for event in changes(status({}), told[0])] == [
        "witness court.example: no address is set for it",
        "witness press.example: cosigns",
    ]
    assert not list(changes(told[0], told[1]))
    (event,) = changes(told[1], told[2])
    assert event == {"event": "witness", "witness": "court.example", "problem": None}


def test_a_witness_program_says_what_it_refused_and_where_it_listens() -> None:
    ready = {"event": "listening", "witness": "court.example", "address": "127.0.0.1:7380", "logs": 2}
    assert as_line(ready) == "listening: court.example at http://127.0.0.1:7380, for 2 logs"
    refused = {"event": "refused", "status": 422, "why": "no proof", "evidence": "evidence/1"}
    assert as_line(refused) == "refused with 422: no proof; kept as evidence/1"
    damaged = {"event": "damaged", "file": "logs/1", "remedy": "see {docs}"}
    assert as_line(damaged) == "damaged: logs/1 (see {docs})"


def test_a_problem_that_stays_is_told_once() -> None:
    lines: list[str] = []
    with Writer(lines.append, str) as writer:
        telling = Telling(as_json=False, writer=writer)
        for message in ("disk full", "disk full", "clock"):
            telling.problem(HabeasError(message, remedy="look"))
    assert lines == ["problem: disk full (look)", "problem: clock (look)"]


@pytest.mark.parametrize("listen", ["127.0.0.1:0", ""])
def test_the_register_is_served_where_the_settings_say_so(tmp_path: Path, listen: str) -> None:
    lines: list[str] = []
    workspace = Workspace(tmp_path, Settings(workspace_id="w", public=PublicSettings(listen=listen)))
    with Writer(lines.append, str) as writer, _register(workspace, Telling(as_json=True, writer=writer)):
        pass
    served = [json.loads(line)["event"] for line in lines]
    assert served == (["register"] if listen else [])
    assert (tmp_path / "public").is_dir() is bool(listen)


# --- where nobody reads -----------------------------------------------------------------------------------------------


def test_lines_that_nobody_reads_are_dropped_and_counted_and_nobody_waits() -> None:
    read, lines = threading.Event(), []

    def write(line: str) -> None:
        assert read.wait(60)
        lines.append(line)

    with Writer(write, "{} dropped".format) as writer:
        for number in range(3 * ROOM):  # with a writer that waits, this would never end
            writer.put(str(number))
        read.set()
    kept = [line for line in lines if "dropped" not in line]
    assert kept == [str(number) for number in range(len(kept))], "in order, the newest dropped"
    assert len(kept) in {ROOM, ROOM + 1}
    with Writer(lines.append, "{} dropped".format) as writer:
        writer.put("again")
    assert lines[-1] == "again"


def test_how_many_were_dropped_is_told_before_any_later_line() -> None:
    lines: list[str] = []
    full = [True, True, False, False]

    def write(line: str) -> None:
        if full.pop(0):
            raise OSError(28, "No space left on device")
        lines.append(line)

    writer = Writer(write, "{} dropped".format)
    for line in ("a", "b"):
        writer.put(line)
    while writer._dropped < 2:
        threading.Event().wait(0.01)
    with writer:
        writer.put("c")
    assert lines == ["2 dropped", "c"]


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more until somebody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"\n" * 4096)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"\n")
    os.set_blocking(writing, True)
    return reading, writing


def test_a_node_whose_output_nobody_reads_answers_and_ends(app: App, settings: Settings, tmp_path: Path) -> None:
    assert app
    folder, codes = new_workspace(tmp_path)
    reading, writing = full_pipe()
    running = RunningNode(folder, tmp_path, settings, stdout=writing)
    try:
        words = ["login", "adam", "--password-stdin", "--setup-code", codes["adam"]]
        deadline = time.monotonic() + 60
        while running.run(*words, stdin=PASSWORD).status != 0:
            assert time.monotonic() < deadline, running.log.read_text()
            threading.Event().wait(0.1)
        assert running.run("status", who="adam").status == 0
        status, seconds = running.stop()
        assert (status, seconds < 10) == (0, True)
    finally:
        running.process.kill()
        running.process.wait(20)
        os.close(reading)
        os.close(writing)


def test_no_secret_is_in_any_output(node: RunningNode) -> None:
    node.camera("planted")
    node.run("login", "nora", "--password-stdin", stdin=PASSWORD)
    everything = node.everything()
    assert set(PEOPLE) <= set(everything.replace('"', " ").replace(",", " ").split()), "control: names are found"
    assert PASSWORD not in everything
    assert URL_SECRET not in everything
    assert "habeas-login_" not in everything
