"""Sixteen cameras on two workers for ten minutes: memory stays where it is, and every frame is accounted for."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE
from typing import Final

import numpy as np
import pytest
from tests.cameras import RtspCamera, write_video
from tests.workers import Heard, camera, supervisor, until

from habeas.clock import SystemClock
from habeas.engine.messages import Counters
from habeas.engine.orders import Timing
from habeas.engine.relay import Relay
from habeas.measure.heads import Head
from habeas.measure.scenes import demo_scene, render_frames
from habeas.settings import Settings
from habeas.types import NS_PER_S, U8
from habeas.video import ArrayPicture

CAMERAS: Final = 16
WORKERS: Final = 2
MINUTES: Final = 10
WARM_UP_MINUTES: Final = 4
RATE_HZ: Final = 10
SIZE_WH: Final = (640, 360)
WAITING: Final = 8
"""Frames of a camera that may be on their way when counters are told."""
MAX_GROWTH: Final = 0.02
"""Of resident memory, from the end of the warm-up to the end: the slope of a fitted line, times the time."""
_KEEPER: Final = (
    sys.executable,
    "-c",
    """
import sys
held = [b"." * 320_000_000]
for frames in sys.stdin:
    held += [b"." * int(sys.argv[1]) for _ in range(int(frames))]
    print(flush=True)
""",
)
"""A process as large as a worker; told a number, it keeps as many frames."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, heads: Mapping[str, Head]) -> Path:
    """The demo's street, as a small camera sends it."""
    path = tmp_path_factory.mktemp("soak") / "clip.mp4"
    scene = demo_scene(dict(heads), 7)
    every = round(scene.rate_hz / RATE_HZ)
    small = [_small(image) for index, (image, _truth) in enumerate(render_frames(scene)) if index % every == 0]
    options = {"preset": "ultrafast", "bf": "0", "g": str(2 * RATE_HZ)}
    return write_video(path, small, codec_options=options, rate_hz=RATE_HZ)


def _small(image_rgb: U8) -> U8:
    height, width = image_rgb.shape[:2]
    return ArrayPicture(image_rgb).rgb((0, 0, width, height), SIZE_WH)


def resident_bytes(pid: int) -> int:
    """Memory that a process holds for itself and shares, from the kernel."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(values: list[int]) -> float:
    """Growth over values a minute apart, as a share of the first: of the fitted line, so breathing is not counted."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0]) * len(values) / values[0]


def resident_of_a_keeper(frames_a_minute: int) -> list[int]:
    """Memory, minute by minute and without waiting for them, of a process as large as a worker that keeps frames."""
    width, height = SIZE_WH
    with subprocess.Popen([*_KEEPER, str(width * height * 3 // 2)], stdin=PIPE, stdout=PIPE, text=True) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        memory = []
        for _minute in range(MINUTES - WARM_UP_MINUTES):
            keeper.stdin.write(f"{frames_a_minute}\n")
            keeper.stdin.flush()
            keeper.stdout.readline()
            memory.append(resident_bytes(keeper.pid))
        return memory


def test_a_process_that_keeps_four_frames_a_minute_is_caught_and_one_that_keeps_none_is_not() -> None:
    """Control: of the thousands that a worker sees in a minute."""
    assert growth(resident_of_a_keeper(4)) > MAX_GROWTH
    assert abs(growth(resident_of_a_keeper(0))) < MAX_GROWTH / 10


def test_breathing_is_no_leak() -> None:
    assert growth([300, 303, 300, 303, 300, 303]) < MAX_GROWTH


@pytest.mark.long
@pytest.mark.timeout(60 * (MINUTES + 5))
def test_sixteen_cameras_leak_nothing_and_lose_no_frame_unseen(clip: Path) -> None:
    heard = Heard()
    memory: list[dict[int, int]] = []
    with RtspCamera(clip) as server, Relay() as relay:
        running = supervisor(heard, relay, workers=WORKERS, settings=Settings(), timing=Timing())
        with running as workers:
            until(lambda: all(report.pid for report in workers.workers()), 120)
            for number in range(CAMERAS):
                workers.start(camera(f"camera-{number}", server.url))
            until(lambda: len({each.camera_id for each in heard.counters}) == CAMERAS, 120)
            for _minute in range(MINUTES):
                SystemClock().wait(60 * NS_PER_S)
                heard.probes.clear()  # what the node compares and drops
                heard.ends.clear()
                memory.append({report.pid: resident_bytes(report.pid) for report in workers.workers() if report.pid})
            kills = sum(report.kills for report in workers.workers())
            states = workers.states()
    assert kills == 0
    assert len(states) == CAMERAS
    last = {each.camera_id: each for each in heard.counters}
    for each in last.values():
        assert 0 <= _unaccounted(each) <= WAITING
        assert each.analysed > MINUTES * 60 * 0.4  # the idle rate at least, whatever is dropped
    _report(memory, last)
    for pid in memory[-1]:
        assert growth([minute[pid] for minute in memory[WARM_UP_MINUTES:]]) < MAX_GROWTH


def _unaccounted(counters: Counters) -> int:
    return counters.decoded - counters.analysed - counters.gated - counters.dropped


def _report(memory: list[dict[int, int]], last: Mapping[str, Counters]) -> None:
    for minute, pids in enumerate(memory, 1):
        print(minute, {pid: f"{used / 1e6:.1f} MB" for pid, used in pids.items()})  # noqa: T201
    for name in ("decoded", "analysed", "gated", "dropped", "faces", "tracks"):
        print(name, sum(getattr(each, name) for each in last.values()))  # noqa: T201
