"""Which sources are an installation's: noted salted, found again in every spelling, kept through crashes and crowds."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from habeas.errors import DiskError, InputError
from habeas.node.sources import is_workspace_source, note_source
from habeas.video.address import digest_of, parse_address, rules_with

DIGEST = "ab" * 32


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "habeas" / "sources.json"


def test_what_was_noted_is_found_for_every_installation(state: Path) -> None:
    assert not is_workspace_source(DIGEST)
    assert not state.exists()
    note_source("w-1", DIGEST)
    note_source("w-2", DIGEST)
    note_source("w-1", DIGEST)
    assert is_workspace_source(DIGEST)
    assert not is_workspace_source("cd" * 32)
    assert len(json.loads(state.read_text())) == 2


def test_no_address_is_told_and_nobody_else_may_read(state: Path) -> None:
    note_source("w-1", DIGEST)
    assert DIGEST not in state.read_text()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert [path.name for path in state.parent.iterdir()] == ["sources.json"]


@pytest.mark.parametrize("content", ["", "{", "7", '{"a": 1}'])
def test_what_cannot_be_read_is_an_error_and_not_nothing(state: Path, content: str) -> None:
    note_source("w-1", DIGEST)
    state.write_text(content)
    with pytest.raises(InputError):
        is_workspace_source(DIGEST)
    with pytest.raises(InputError):
        note_source("w-1", DIGEST)
    assert state.read_text() == content


def test_a_write_that_fails_loses_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note_source("w-1", DIGEST)
    before = state.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError):
        note_source("w-1", "cd" * 32)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(state.parent.parent))
    assert state.read_bytes() == before
    note_source("w-1", "cd" * 32)
    assert is_workspace_source("cd" * 32)


def test_several_installations_note_at_once(state: Path) -> None:
    note = (
        "import sys; from habeas.node.sources import note_source\nfor n in range(20): note_source(sys.argv[1], f'{n}')"
    )
    environment = {**os.environ, "XDG_STATE_HOME": str(state.parent.parent)}
    running = [subprocess.Popen([sys.executable, "-c", note, f"w-{one}"], env=environment) for one in range(4)]
    assert [one.wait(60) for one in running] == [0, 0, 0, 0]
    assert len(json.loads(state.read_text())) == 80


def test_it_loads_no_database_and_no_cryptography() -> None:
    heavy = "import sys, habeas.node.sources; print(sorted({'sqlalchemy', 'cryptography', 'av'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


# --- one source, many spellings ---------------------------------------------------------------------------------------

RULES = rules_with(["192.0.2.0/24", "2001:db8::/32"], [80])


def camera_digest(url: str) -> str:
    return parse_address(url, RULES, lambda _name: ["10.0.0.7"]).digest()


@pytest.mark.parametrize(
    ("camera", "spellings"),
    [
        (
            "rtsp://viewer:hunter2@10.0.0.7:554/main?channel=1",
            ["rtsp://10.0.0.7/main?channel=1", "RTSP://other@10.0.0.7:554/main?channel=1"],
        ),
        ("rtsp://gate.example/main", ["rtsp://u:p@GATE.example:554/main"]),
        ("rtsps://gate.example/main", ["rtsps://gate.example:322/main"]),
        ("rtsp://[fd00::5]/main", ["rtsp://[FD00:0:0::5]:554/main", "rtsp://u:p@[fd00::0005]/main"]),
        ("rtsp://10.0.0.7:8554", ["rtsp://u@10.0.0.7:8554"]),
    ],
)
def test_a_camera_has_one_digest_however_it_is_written(camera: str, spellings: list[str]) -> None:
    for text in (camera, *spellings):
        assert digest_of(text) == camera_digest(camera)


@pytest.mark.parametrize(
    "other", ["rtsp://10.0.0.8/main", "rtsp://10.0.0.7:8554/main", "rtsps://10.0.0.7/main", "rtsp://10.0.0.7/sub"]
)
def test_another_source_has_another(other: str) -> None:
    assert digest_of(other) != camera_digest("rtsp://10.0.0.7/main")


def test_a_file_that_stands_for_a_camera_has_one_digest_by_every_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film 1.mp4"
    film.write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to(film)
    camera = parse_address(f"file://{tmp_path}/film%201.mp4", rules_with(folders=[tmp_path])).digest()
    monkeypatch.chdir(tmp_path)
    for way in (str(film), "film 1.mp4", "./film 1.mp4", "link.mp4", f"{tmp_path}/../{tmp_path.name}/film 1.mp4"):
        assert digest_of(way) == camera


@pytest.mark.parametrize("text", ["http://10.0.0.7/x", "rtsp://a b", "rtsp://h:x/", "rtsp://[::1/x", "a\x00b", "://"])
def test_what_no_camera_can_be_has_none(text: str) -> None:
    assert digest_of(text) is None
