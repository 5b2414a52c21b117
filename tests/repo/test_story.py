"""docs/story.md runs: its commands in one shell, against a node in this process whose clock the test moves."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.cameras import RtspCamera, write_video
from tests.repo.shell import BLOCK, Shell, Step, fits, steps

from habeas.clock import SystemClock
from habeas.errors import HabeasError
from habeas.measure.heads import Head
from habeas.measure.portraits import PORTRAITS
from habeas.measure.scenes import demo_scene, render_frames
from habeas.models.pack import default_model_id
from habeas.node.node import Node
from habeas.node.workspace import load_workspace, socket_path
from habeas.settings import Settings
from habeas.store.records import Alert
from habeas.types import NS_PER_S
from habeas.web.api import make_api
from habeas.web.server import listen, server_of

STORY: Final = Path(__file__).resolve().parents[2] / "docs" / "story.md"
ADDRESS: Final = "127.0.0.1:8554"
WAIT_S: Final = 90


class MovedClock(SystemClock):
    """The machine's clock, and the days that the story lets pass."""

    def __init__(self) -> None:
        self.passed_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.passed_ns

    def boot_ns(self) -> int:
        return super().boot_ns() + self.passed_ns


@contextmanager
def serving(folder: Path, clock: MovedClock, problems: list[HabeasError]) -> Iterator[Node]:
    """Run the node of a workspace in this process."""
    with Node(load_workspace(folder), clock, default_model_id(), problems.append) as node:
        listener = listen(socket_path(folder))
        server = server_of(make_api(node), listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield node
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


@pytest.fixture
def camera(tmp_path: Path, heads: Mapping[str, Head]) -> Iterator[RtspCamera]:
    """The demo's street, over and over."""
    scene = demo_scene(dict(heads), 7)
    rate_hz = round(scene.rate_hz)
    options = {"preset": "ultrafast", "bf": "0", "g": str(rate_hz)}
    images = (image for image, _truth in render_frames(scene))
    clip = write_video(tmp_path / "street.mp4", images, codec_options=options, rate_hz=rate_hz)
    with RtspCamera(clip) as running:
        yield running


def environment(home: Path, settings: Settings) -> dict[str, str]:
    """A user's, who has the models and nothing else of ours."""
    programs = str(Path(sys.executable).parent)
    return {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HABEAS_MODELS__FOLDER": str(settings.models.folder),
        "HABEAS_WORKERS__COUNT": "1",
    }


def wait_for_alert(node: Node) -> None:
    """Wait, bounded, until somebody was seen."""
    until = time.monotonic() + WAIT_S
    pause = threading.Event()
    while time.monotonic() < until:
        with node.store.read() as tx:
            if tx.find(Alert):
                return
        pause.wait(0.2)
    pytest.fail(f"no alert: {node.status()} {node.flaws('platform-1')}")


def test_a_block_that_differs_is_seen() -> None:
    assert fits('{…"a": 1…}', '{"b": 2, "a": 1}')
    assert not fits('{…"a": 1…}', '{"b": 2, "a": 2}')
    assert list(steps("$ one\nout\n[3]\n$ two\n")) == [Step("one", "out\n", 3), Step("two", "", 0)]


@pytest.mark.timeout(400)
def test_the_story_is_true(
    tmp_path: Path,
    camera: RtspCamera,
    settings: Settings,
    portraits_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, folder = tmp_path / "home", tmp_path / "story"
    home.mkdir()
    folder.mkdir()
    variables = environment(home, settings)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for image, person in (("ada.jpg", "astronaut"), ("ben.jpg", next(iter(others())))):
        portrait = next(one for one in PORTRAITS if one.person_id == person)
        shutil.copyfile(portraits_folder / portrait.file.name, folder / image)
    clock, problems = MovedClock(), list[HabeasError]()
    real = f"127.0.0.1:{camera.port}"
    with Shell(folder, variables) as shell:
        teller = Teller(shell, folder, clock, problems, real)
        try:
            teller.tell(STORY.read_text())
        finally:
            teller.close()
    assert problems == []


def others() -> list[str]:
    """People of the portraits who are not the one that the street shows first."""
    return [portrait.person_id for portrait in PORTRAITS if portrait.person_id != "astronaut"]


class Teller:
    """Runs a story block by block."""

    def __init__(self, shell: Shell, folder: Path, clock: MovedClock, problems: list[HabeasError], real: str) -> None:
        self._shell = shell
        self._folder = folder
        self._clock = clock
        self._problems = problems
        self._real = real
        self._serving = None
        self._node: Node | None = None

    def tell(self, story: str) -> None:
        """Run every block and remark."""
        for kind, file, text, remark in BLOCK.findall(story):
            if remark:
                self._heed(remark)
            elif kind == "console":
                for step in steps(text):
                    self._run(step)
            elif file:
                with (self._folder / file).open("a") as out:
                    out.write(text.replace(ADDRESS.split(":")[1], self._real.split(":")[1]))

    def _heed(self, remark: str) -> None:
        assert self._node is not None
        if remark == "wait for an alert":
            wait_for_alert(self._node)
        elif remark == "clock +24h":
            self._clock.passed_ns += 24 * 3600 * NS_PER_S
            self._node.tick()
        else:
            pytest.fail(f"what is {remark!r}?")

    def _run(self, step: Step) -> None:
        if step.command == "habeas serve &":
            self._serving = serving(self._folder / "station", self._clock, self._problems)
            self._node = self._serving.__enter__()
            return
        printed, status = self._shell.run(step.command.replace(ADDRESS, self._real))
        told = f"$ {step.command}\n{printed}\n[{status}]"
        assert status == step.status, told
        assert fits(step.printed, printed), f"{told}\nexpected:\n{step.printed}"

    def close(self) -> None:
        """Stop the node."""
        if self._serving is not None:
            self._serving.__exit__(None, None, None)
