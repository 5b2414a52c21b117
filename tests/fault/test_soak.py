"""Sixteen cameras on two workers for ten minutes: memory stays where it is, and every frame is accounted for."""

import os
from collections.abc import Mapping
from pathlib import Path
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


def slope_a_minute(values: list[float]) -> float:
    """Slope of the line through values a minute apart."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def test_the_slope_sees_a_leak() -> None:
    """Control: one megabyte a minute in three hundred is more than is let pass; noise is not."""
    leaking = [300.0 + minute + (minute % 2) for minute in range(9)]
    steady = [300.0 + (minute % 2) for minute in range(9)]
    assert slope_a_minute(leaking) * len(leaking) / leaking[0] > MAX_GROWTH
    assert slope_a_minute(steady) * len(steady) / steady[0] < MAX_GROWTH


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
        grown = slope_a_minute([minute[pid] for minute in memory[WARM_UP_MINUTES:]]) * (MINUTES - WARM_UP_MINUTES)
        assert grown / memory[WARM_UP_MINUTES][pid] < MAX_GROWTH


def _unaccounted(counters: Counters) -> int:
    return counters.decoded - counters.analysed - counters.gated - counters.dropped


def _report(memory: list[dict[int, int]], last: Mapping[str, Counters]) -> None:
    for minute, pids in enumerate(memory, 1):
        print(minute, {pid: f"{used / 1e6:.1f} MB" for pid, used in pids.items()})  # noqa: T201
    for name in ("decoded", "analysed", "gated", "dropped", "faces", "tracks"):
        print(name, sum(getattr(each, name) for each in last.values()))  # noqa: T201
