"""Real workers and real cameras: one of either fails, and the others notice nothing."""

import os
import signal
from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.cameras import RtspCamera, free_port
from tests.workers import Heard, camera, supervisor, until

from habeas.engine.orders import CameraState, Timing, WorkerChange
from habeas.engine.relay import Relay
from habeas.engine.supervisor import Supervisor
from habeas.settings import Settings

TIMING = Timing(silence_s=4.0, backoff_s=0.2, backoff_max_s=0.5)


class Stage:
    """Two cameras, each with a worker of its own, both running."""

    def __init__(self, heard: Heard, workers: Supervisor, cameras: dict[str, RtspCamera]) -> None:
        self.heard = heard
        self.workers = workers
        self.cameras = cameras

    def pid(self, camera_id: str) -> int:
        pid = self.workers.states()[camera_id].worker_pid
        assert pid is not None
        return pid

    def runs(self, camera_id: str, frames: int = 25, within_s: float = 20) -> None:
        """Wait until so many more frames were decoded."""
        before = self.heard.decoded(camera_id)
        until(lambda: self.heard.decoded(camera_id) >= before + frames, within_s, self.workers.states)

    def unharmed(self, camera_id: str) -> None:
        """Check that a camera never stood still: each epoch's totals came once a second, and every one had grown."""
        report = self.workers.states()[camera_id]
        told = [each for each in self.heard.counters if each.camera_id == camera_id]
        assert {each.epoch for each in told} == {report.epoch}
        grown = [later.decoded - sooner.decoded for sooner, later in pairwise(told)]
        assert min(grown) >= 10  # of 25 a second
        # A busy machine drops some frames while the networks first meet each size of picture.
        assert told[-1].dropped <= 0.1 * told[-1].decoded
        assert [flaw for flaw in self.heard.flaws if flaw.camera_id == camera_id] == []


@pytest.fixture
def stage(settings: Settings) -> Iterator[Stage]:
    heard = Heard()
    with (
        RtspCamera() as one,
        RtspCamera() as other,
        Relay() as relay,
        supervisor(heard, relay, workers=2, settings=settings, timing=TIMING) as workers,
    ):
        made = Stage(heard, workers, {"one": one, "other": other})
        for camera_id, rtsp in made.cameras.items():
            workers.start(camera(camera_id, rtsp.url))
        for camera_id in made.cameras:
            made.runs(camera_id, within_s=60)
        yield made


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
def test_a_worker_that_dies_or_stops_costs_the_others_nothing(stage: Stage, how: signal.Signals) -> None:
    victim, epoch = stage.pid("one"), stage.workers.states()["one"].epoch
    os.kill(victim, how)
    changes = (WorkerChange.KILLED, WorkerChange.STOPPED)
    until(lambda: any(news.pid == victim and news.change in changes for news in stage.heard.news))
    until(lambda: stage.workers.states()["one"].epoch > epoch)
    until(lambda: stage.workers.states()["one"].state is CameraState.RUNNING, 60, stage.workers.states)
    assert stage.pid("one") != victim
    assert stage.pid("other") != victim
    stage.runs("other")
    stage.unharmed("other")


def test_totals_add_up_when_cameras_are_let_go(stage: Stage) -> None:
    slots = [stage.workers._assigned[camera_id] for camera_id in ("one", "other")]
    for camera_id in ("one", "other"):
        stage.workers.stop(camera_id)
    until(lambda: not any(slot._watches._told for slot in slots))  # each camera's last word was heard
    for camera_id in ("one", "other"):
        last = stage.heard.last(camera_id)
        assert last.decoded == last.analysed + last.gated + last.dropped
        assert last.decoded >= 25
        assert last.analysed > 5
    assert stage.heard.of(WorkerChange.KILLED) == []


@pytest.fixture
def shared(settings: Settings) -> Iterator[Stage]:
    """Two cameras that share one worker."""
    heard = Heard()
    with (
        RtspCamera() as one,
        RtspCamera() as other,
        Relay() as relay,
        supervisor(heard, relay, settings=settings, timing=TIMING) as workers,
    ):
        made = Stage(heard, workers, {"one": one, "other": other})
        for camera_id, rtsp in made.cameras.items():
            workers.start(camera(camera_id, rtsp.url))
        for camera_id in made.cameras:
            made.runs(camera_id, within_s=60)
        yield made


def test_a_camera_that_stalls_costs_the_others_of_its_worker_nothing(shared: Stage) -> None:
    shared.cameras["one"].freeze()
    until(lambda: shared.workers.states()["one"].state is CameraState.STALLED, 20)
    shared.runs("other", 50)
    shared.cameras["one"].kill()
    shared.runs("other", 50)
    shared.cameras["one"].start()
    shared.runs("one", 25, 30)
    assert shared.workers.states()["one"].state is CameraState.RUNNING
    assert any("disconnected" in flaw.what for flaw in shared.heard.flaws if flaw.camera_id == "one")
    shared.unharmed("other")
    assert len(shared.heard.news) == 1, "no worker was started again for a camera's sake"


def test_a_camera_that_is_let_go_and_taken_again_is_another(shared: Stage) -> None:
    first = shared.workers.states()["one"].epoch
    for _ in range(3):
        shared.workers.stop("one")
        shared.workers.start(camera("one", shared.cameras["one"].url))
        shared.runs("one", 10, 30)
    assert shared.workers.states()["one"].epoch > first
    shared.unharmed("other")


def test_a_camera_that_comes_up_late_is_found(settings: Settings) -> None:
    heard = Heard()
    late = RtspCamera()
    late.port = free_port()
    with Relay() as relay, supervisor(heard, relay, settings=settings, timing=TIMING) as workers:
        workers.start(camera("late", late.url))
        # Longer than the stall limit, after which a stream without a workspace is given up.
        until(lambda: workers.states()["late"].state is CameraState.STALLED, 60)
        until(lambda: any("cannot connect" in flaw.what for flaw in heard.flaws))
        with late:
            until(lambda: workers.states()["late"].state is CameraState.RUNNING, 30, workers.states)
        assert len(heard.of(WorkerChange.STARTED)) == 1
