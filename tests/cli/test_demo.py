"""`habeas demo`. It plays in real time: the whole of it is for `long`, its beginning and refusals for every run."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import Habeas

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.long
@pytest.mark.rule("W1")
@pytest.mark.rule("N1")
def test_the_demo_finds_one_person_and_keeps_nobody(program: Program, astronaut: Path, tmp_path: Path) -> None:
    assert astronaut
    running = program("demo", "--headless", "--json", "--out", tmp_path / "sheet.png")
    out, err = running.communicate(timeout=250)
    assert running.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[-2:]] == ["summary", "demo"]
    told = events[-1]
    assert (told["found"], told["templates_kept"], told["accounted"]) == (True, 0, False)
    assert told["others_passed"] >= 10
    assert {event["subject"] for event in events if event["event"] == "alert"} == {"astronaut"}
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.usefixtures("astronaut")
def test_ctrl_c_ends_the_demo(program: Program, tmp_path: Path) -> None:
    """It may fall into the drawing, which has no summary, or into the watching, which ends with one."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = program("demo", "--headless", "--json", "--out", tmp_path / "sheet.png", env={"TMPDIR": str(temporary)})
    try:
        running.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert not events or events[-1] == "summary"
    assert list(temporary.iterdir()) == []


@pytest.mark.long
@pytest.mark.usefixtures("astronaut")
def test_ctrl_c_while_the_demo_watches_ends_with_the_summary(program: Program, tmp_path: Path) -> None:
    running = program("demo", "--headless", "--json", "--out", tmp_path / "sheet.png")
    assert running.stdout
    first = running.stdout.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(first)["event"] == "alert"
    assert json.loads(out.splitlines()[-1])["event"] == "summary"
    assert "Traceback" not in err


@pytest.mark.parametrize("below", ["file/sheet.png", "missing/sheet.png", "folder"])
def test_a_sheet_that_cannot_be_written_is_refused_before_the_show(habeas: Habeas, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    ran = habeas("demo", "--headless", "--json", "--out", tmp_path / below)
    assert (ran.status, ran.error["kind"]) == (6, "disk")
    assert "--out" in ran.error["remedy"]


@pytest.mark.usefixtures("astronaut")
def test_folders_of_faces_that_will_not_do(habeas: Habeas, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "ada.jpg").write_text("no picture")
    (tmp_path / "faceless").mkdir()
    Image.new("RGB", (200, 200), (40, 90, 40)).save(tmp_path / "faceless" / "ada.png")
    said = {"missing": "cannot be read", "empty": "no image", "text": "not an image", "faceless": "ada"}
    for name, reason in said.items():
        ran = habeas("demo", "--headless", "--json", "--faces", tmp_path / name, "--out", tmp_path / "sheet.png")
        assert ran.status == 4
        assert reason in ran.error["message"]
        assert ran.error["remedy"]
    assert not (tmp_path / "sheet.png").exists()
