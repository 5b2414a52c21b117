"""The command line as a user meets it: in this process for speed, in its own where signals and pipes matter."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.nodes import RunningNode, heed_ctrl_c, new_workspace
from typer.testing import CliRunner

from habeas.app import App
from habeas.cli.main import app as command
from habeas.models.pack import LoadedPack, load_pack
from habeas.settings import ModelSettings, Settings
from habeas.types import U8
from habeas.video.encode import encode_h264

RATE_HZ = 8


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line of standard output; each is one JSON object."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, str]:
        """The error that `--json` printed last."""
        last = self.events[-1]
        assert list(last) == ["event", "error"]
        assert last["event"] == "error"
        return dict(last["error"])


Habeas = Callable[..., Ran]


_packs: dict[str, LoadedPack] = {}


def load_pack_once(settings: ModelSettings, **how: Any) -> LoadedPack:
    """Load a pack as the program does, once for all tests: most of a command's time is this."""
    key = settings.model_dump_json()
    if key not in _packs:
        _packs[key] = load_pack(settings, **how)
    return _packs[key]


@pytest.fixture
def habeas(monkeypatch: pytest.MonkeyPatch) -> Habeas:
    """Run a command in this process. Whatever happens, a user sees no traceback unless asked for."""
    monkeypatch.setattr("habeas.app.load_pack", load_pack_once)

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        texts = [str(argument) for argument in arguments]
        done = CliRunner().invoke(command, texts, env=dict(env or {}))
        ran = Ran(done.exit_code, done.stdout, done.stderr)
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        if "--debug" not in texts:
            assert "Traceback" not in ran.out + ran.err
        return ran

    return run


@pytest.fixture
def environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Variables of a program of its own: the model cache is shared, the home is fresh."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "HABEAS_MODELS__FOLDER": str(settings.models.folder.resolve())}


@pytest.fixture
def program(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start commands in programs of their own; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        words = [sys.executable, "-m", "habeas", *(str(argument) for argument in arguments)]
        done = subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**environment, **(env or {})},
            text=True,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - what runs before the program is one system call
            **pipes,
        )
        started.append(done)
        return done

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture(scope="session")
def astronaut(app: App, portraits_folder: Path) -> Path:
    """A reference that passes; asking for it also makes sure that the models are here."""
    assert app
    return portraits_folder.resolve() / "astronaut.png"


@pytest.fixture(scope="session")
def hopper(portraits_folder: Path) -> Path:
    return portraits_folder.resolve() / "grace_hopper.jpg"


def empty_street(seed: int) -> U8:
    """Return a picture without anybody in it: (512, 512, 3) uint8."""
    blocks = np.random.default_rng(seed).integers(20, 70, (8, 8, 3), np.uint8)
    return np.repeat(np.repeat(blocks, 64, 0), 64, 1)


@pytest.fixture(scope="session")
def clip(portraits: Mapping[str, U8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds: nobody, the astronaut from 1 s, another person from 2 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    other = np.asarray(Image.fromarray(portraits["grace-hopper"]).resize((512, 512)))
    pictures = [empty_street(1), portraits["astronaut"], other]
    encode_h264((picture for picture in pictures for _ in range(RATE_HZ)), path, RATE_HZ)
    return path


@pytest.fixture(scope="session")
def empty_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of nobody."""
    path = tmp_path_factory.mktemp("clip") / "empty.mp4"
    encode_h264((empty_street(2) for _ in range(4)), path, RATE_HZ)
    return path


@pytest.fixture(scope="session")
def long_clip(portraits: Mapping[str, U8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes that begin with the astronaut: nobody waits for their end."""
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    small = np.asarray(Image.fromarray(portraits["astronaut"]).resize((256, 256)))
    street = empty_street(3)[:256, :256]
    encode_h264((small if index < 16 else np.roll(street, 3 * index, 1) for index in range(2000)), path, RATE_HZ)
    return path


# --- a node -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def node(app: App, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node with people in every role, all logged in side by side. Tests share it: they use names of their own."""
    assert app  # the models are here
    home = tmp_path_factory.mktemp("node")
    folder, codes = new_workspace(home)
    running = RunningNode(folder, home, settings)
    try:
        running.wait_ready()
        running.login(codes)
        yield running
    finally:
        running.process.kill()
        running.process.wait(20)
