"""What a command prints, where it cannot print, and how it ends when it is stopped or broken."""

import json
import os
import re
import select
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.cli.conftest import Habeas

from habeas.cli.main import app
from habeas.cli.output import plain
from habeas.engine import Run

Program = Callable[..., "subprocess.Popen[str]"]


def watch(source: Path, image: Path, *options: str) -> list[str | Path]:
    return ["watch", source, "--subject", f"ada={image}", "--basis", "consent", *options]


# --- help -----------------------------------------------------------------------------------------------------------


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    return [(path, command)] + [found for name, one in inner.items() for found in commands(one, (*path, name))]


ALL = commands(typer.main.get_command(app))


def test_every_command_is_known_here() -> None:
    assert {path for path, _ in ALL} >= {
        ("demo",),
        ("watch",),
        ("evaluate", "pairs"),
        ("evaluate", "open-set"),
        ("models", "pull"),
        ("models", "list"),
        ("models", "verify"),
    }


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "habeas" for path, _ in ALL])
def test_help_describes_every_command_and_option(habeas: Habeas, path: tuple[str, ...], command: Any) -> None:
    ran = habeas(*path, "--help")
    assert (ran.status, ran.err) == (0, "")
    told = command.help or ""
    assert len(told.split()) > 3
    assert told.split()[0] in ran.out
    for parameter in command.params:
        assert getattr(parameter, "help", None) or parameter.param_type_name == "argument", parameter.name
    if path and not hasattr(command, "commands"):
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "--debug"} <= options
        example = re.search(r"Example: `(habeas [^`]+)`", command.epilog or "")
        assert example, "an example to begin with"
        words = shlex.split(example[1])[1:]
        assert tuple(words[: len(path)]) == path
        assert habeas(*words, "--help").status == 0, "it parses"


def test_version(habeas: Habeas) -> None:
    from habeas import __version__  # noqa: PLC0415

    assert habeas("--version").out.split() == ["habeas", __version__]


def test_help_loads_neither_video_nor_inference(environment: dict[str, str], tmp_path: Path) -> None:
    import sys  # noqa: PLC0415

    code = "import sys, habeas.cli.main; print({'av', 'openvino', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


# --- mistakes in the command line -----------------------------------------------------------------------------------

MISTAKES = [
    (["watch", "--everybody"], "No such option: --everybody", "habeas watch --help"),
    (["spy"], "No such command 'spy'.", "habeas --help"),
    (["camera", "add", "gate"], "Missing option '--purpose'.", "habeas camera add --help"),
    (["review", "list", "--limit", "many"], "--limit: is no whole number", "write a whole number"),
    (["camera", "find", "--seconds", "0"], "--seconds: is too small", "write 0.1 or more"),
]


@pytest.mark.parametrize(("words", "message", "remedy"), MISTAKES)
def test_a_mistake_in_the_command_line_is_an_error_like_others(
    habeas: Habeas, words: list[str], message: str, remedy: str
) -> None:
    told = habeas(*words, "--json")
    assert (told.status, told.err) == (2, "")
    assert (told.error["kind"], told.error["message"]) == ("usage", message)
    assert remedy in told.error["remedy"]
    text = habeas(*words)
    assert (text.status, text.out) == (2, "")
    assert text.err.splitlines() == [f"habeas: {message}", f"  {told.error['remedy']}"]


def test_what_follows_the_end_of_options_is_no_option(habeas: Habeas) -> None:
    assert habeas("watch", "--", "--json").out == ""


def test_without_any_word_the_help_is_shown(habeas: Habeas) -> None:
    for words in ([], ["camera"]):
        ran = habeas(*words)
        assert ran.status == 2
        assert "Usage: habeas" in ran.out + ran.err


# --- bugs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine breaks as nobody foresaw."""

    def broken(_run: Run) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(Run, "events", broken)


@pytest.mark.usefixtures("planted_bug")
def test_a_bug_is_one_line_its_remedy_and_status_70(habeas: Habeas, empty_clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(empty_clip, astronaut))
    assert ran.status == 70
    said = ran.err.splitlines()
    assert said[-2] == "habeas: ZeroDivisionError: planted"
    assert "--debug" in said[-1]


@pytest.mark.usefixtures("planted_bug")
def test_a_bug_in_json(habeas: Habeas, empty_clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(empty_clip, astronaut, "--json"))
    assert (ran.status, ran.error["kind"]) == (70, "bug")
    assert list(ran.error) == ["kind", "message", "remedy"]


@pytest.mark.usefixtures("planted_bug")
def test_debug_shows_where(habeas: Habeas, empty_clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(empty_clip, astronaut, "--debug"))
    assert ran.status == 70
    assert "Traceback" in ran.err
    assert "ZeroDivisionError: planted" in ran.err


# --- where nothing can be printed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "lines"])
def test_a_reader_that_goes_away_is_met_with_silence(
    program: Program, long_clip: Path, astronaut: Path, options: list[str]
) -> None:
    """As `| head -1` does; the film is long, so that the next line meets a closed pipe before it ends."""
    running = program(*watch(long_clip, astronaut, *options))
    assert running.stdout
    assert running.stderr
    assert running.stdout.readline()
    running.stdout.close()
    running.send_signal(signal.SIGINT)  # its summary finds nobody
    said = running.stderr.read()
    assert running.wait(60) in (0, 1, 130)
    assert "Traceback" not in said
    assert "Broken" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("command", [["models", "list"], ["models", "list", "--json"], ["--help"]], ids=" ".join)
def test_a_reader_that_was_never_there(program: Program, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running = program(*command, stdout=writing)
    os.close(writing)
    _, said = running.communicate(timeout=60)
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "lines"])
def test_an_output_that_is_full_is_a_disk_error(
    program: Program, empty_clip: Path, astronaut: Path, options: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        running = program(*watch(empty_clip, astronaut, *options), stdout=full)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 6
    assert "standard output" in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("options", ["--json", "--debug"])
def test_a_closed_output_is_no_bug(
    environment: dict[str, str], empty_clip: Path, astronaut: Path, tmp_path: Path, options: str
) -> None:
    import shlex  # noqa: PLC0415
    import sys  # noqa: PLC0415

    words = [sys.executable, "-m", "habeas", *(str(word) for word in watch(empty_clip, astronaut, options))]
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.join(words)} >&-"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_knows_ascii_only(program: Program, empty_clip: Path, astronaut: Path) -> None:
    words = ["watch", empty_clip, "--subject", f"Zoë 王={astronaut}", "--basis", "consent"]
    running = program(*words, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    out, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "0 kept" in out
    assert "Zo\\xeb" in said


# --- stopped --------------------------------------------------------------------------------------------------------


STOPS = pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
"""Ctrl-C, and what a service manager or `timeout` sends."""


def interrupted(running: "subprocess.Popen[str]", stop: signal.Signals) -> tuple[str, str]:
    """Wait for the first line, as a user does, then press Ctrl-C."""
    assert running.stdout
    ready, _, _ = select.select([running.stdout], [], [], 100)
    assert ready
    first = running.stdout.readline()
    running.send_signal(stop)
    out, err = running.communicate(timeout=60)
    return first + out, err


@STOPS
def test_ctrl_c_and_sigterm_end_with_the_summary_and_130(
    program: Program, long_clip: Path, astronaut: Path, stop: signal.Signals
) -> None:
    running = program(*watch(long_clip, astronaut, "--json"))
    out, err = interrupted(running, stop)
    assert running.returncode == 130
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["alert", "alert-end", "summary"]
    assert events[-1]["templates_kept"] == 0
    assert events[-1]["video_s"] < 250
    assert "Traceback" not in err


@STOPS
def test_ctrl_c_and_sigterm_for_people(
    program: Program, long_clip: Path, astronaut: Path, stop: signal.Signals
) -> None:
    running = program(*watch(long_clip, astronaut))
    out, err = interrupted(running, stop)
    assert running.returncode == 130
    assert "0 kept" in out.splitlines()[-1]
    assert "Traceback" not in err


@STOPS
def test_ctrl_c_and_sigterm_before_anything_began(
    program: Program, long_clip: Path, astronaut: Path, stop: signal.Signals
) -> None:
    running = program(*watch(long_clip, astronaut))
    assert running.stderr
    assert "for this run only" in running.stderr.readline()
    running.send_signal(stop)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("\u202eexe.gpj", "\\u202eexe.gpj"),
        ("\udcff", "\\udcff"),
        ("Zoë 王 م", "Zoë 王 م"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_plain_text_is_one_line_without_commands(text: str, shown: str) -> None:
    assert plain(text) == shown
