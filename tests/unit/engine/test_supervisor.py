"""The node's side of workers. The workers are real processes that speak the protocol, or break it as asked."""

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from tests.workers import FAKE, QUICK, Heard, camera, faked, film, supervisor, until

from habeas.engine.orders import CAMERAS_PER_WORKER, CameraOrder, CameraState, Timing, WorkerChange
from habeas.engine.relay import Relay
from habeas.errors import HabeasError, ImageError, InputError
from habeas.types import OriginKind, Probe
from habeas.video.masks import Mask


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


def test_what_a_worker_says_is_heard_as_records(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        until(lambda: bool(heard.probes) and bool(heard.counters))
        (started,) = heard.of(WorkerChange.STARTED)
        assert started.model_id == "fake"
        assert started.posture is not None
        assert not started.posture.complete
        (probe,) = heard.probes
        assert probe.origin.camera_id == "good-1"
        assert probe.origin.kind is OriginKind.LIVE
        assert probe.templates.origin is probe.origin
        assert probe.templates.model_id == "fake"
        assert (probe.track_id, probe.first_seen_ns, probe.at_ns, probe.captured_at_ns) == (1, 1, 5, 2)
        until(lambda: workers.states()["good-1"].state is CameraState.RUNNING)
        report = workers.states()["good-1"]
        assert report.worker_pid == started.pid
        assert report.counters == heard.last("good-1") or report.counters in heard.counters
        assert workers.running() == {"good-1"}
    assert [news.change for news in heard.news] == [WorkerChange.STARTED, WorkerChange.STOPPED]


def test_cameras_go_to_the_worker_with_fewest(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay, workers=2) as workers:
        for number in range(4):
            workers.start(camera(f"good-{number}"))
        assert [each.cameras for each in workers.workers()] == [2, 2]
        workers.stop("good-0")
        workers.stop("good-2")
        workers.start(camera("good-5"))
        assert [each.cameras for each in workers.workers()] == [1, 2]


def test_what_cannot_be_is_refused(heard: Heard, relay: Relay) -> None:
    with pytest.raises(InputError):
        faked(heard, relay, workers=0)
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        with pytest.raises(InputError, match="already"):
            workers.start(camera("good-1"))
        with pytest.raises(InputError, match="not watched"):
            workers.stop("good-2")
        for number in range(2, CAMERAS_PER_WORKER + 1):
            workers.start(camera(f"good-{number}"))
        with pytest.raises(InputError, match="each of 1 workers has 48"):
            workers.start(camera("good-more"))


def test_more_cameras_than_doors_wait_for_one(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:  # a fake has three doors
        for number in range(4):
            workers.start(camera(f"good-{number}"))
        until(lambda: len(heard.probes) == 3)
        workers.stop("good-1")
        until(lambda: {probe.origin.camera_id for probe in heard.probes} == {f"good-{n}" for n in range(4)})


def test_after_stop_no_probe_of_the_camera_is_heard(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        for _ in range(5):
            before = len(heard.probes)
            workers.start(camera("chatty-1"))
            until(lambda before=before: len(heard.probes) > before + 50)
            workers.stop("chatty-1")
            at_stop = len(heard.probes)
            newest = heard.probes[-1].origin
            said_before = heard.last("chatty-1").epoch
            # The control: the worker goes on sending for a while, its last counters come after.
            until(lambda epoch=said_before: heard.last("chatty-1").epoch == epoch)
            threading.Event().wait(0.15)
            assert len(heard.probes) == at_stop
            tracks = {probe.track_id for probe in heard.probes if probe.origin is newest}
            assert tracks == {end.track.track_id for end in heard.ends if end.origin is newest}
            assert workers.running() == frozenset()
    assert len({id(probe.origin) for probe in heard.probes}) == 5


NONSENSE = {
    "garbage": "magic",
    "huge": "limits",
    "unknown": "unknown type",
    "nan": "not of unit length",
    "stranger": "does not have",
    "future": "does not have",
    "skipping": "was due",
    "backwards": "backwards",
    "greeting": "where it may not",
    "giving": "descriptors",
    "crowded": "open tracks",
    "flooding": "too much",
    "silent": "silent",
    "dripping": "too long",
    "undead": "does not have",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_worker_that_talks_nonsense_is_killed_counted_and_started_again(
    what: str, heard: Heard, relay: Relay
) -> None:
    with faked(heard, relay, workers=2) as workers:
        workers.start(camera("good-1"))
        workers.start(camera(f"{what}-2"))
        until(lambda: bool(heard.counters))
        until(lambda: len(heard.of(WorkerChange.KILLED)) >= 2, 20, lambda: heard.news)
        assert {news.worker for news in heard.of(WorkerChange.KILLED)} == {1}
        assert NONSENSE[what] in heard.of(WorkerChange.KILLED)[0].why
        assert workers.workers()[1].kills >= 2
        for news in heard.of(WorkerChange.KILLED):
            assert not Path(f"/proc/{news.pid}").exists()
        # It costs the other worker's camera nothing.
        assert len(heard.of(WorkerChange.STARTED, 0)) == 1
        assert workers.states()["good-1"].epoch == 1
        before = heard.decoded("good-1")
        until(lambda: heard.decoded("good-1") > before)
        until(lambda: workers.states()[f"{what}-2"].epoch > 3, 20)


@pytest.mark.parametrize(("what", "why"), [("crashing", "status 3"), ("aborting", "SIGABRT"), ("failing", "luck")])
def test_a_worker_that_ends_is_started_again(what: str, why: str, heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera(f"{what}-1"))
        until(lambda: len(heard.of(WorkerChange.STARTED)) >= 2)
        assert why in heard.of(WorkerChange.STOPPED)[0].why
        assert workers.workers()[0].kills == 0


def test_a_killed_worker_ends_its_tracks_and_gives_its_cameras_new_epochs(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        until(lambda: bool(heard.probes))
        pid = workers.workers()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(heard.probes) == 2)
        assert "SIGKILL" in heard.of(WorkerChange.STOPPED)[0].why
        first, second = heard.probes
        assert first.origin is not second.origin
        (end,) = heard.ends
        assert end.origin is first.origin
        assert end.track.track_id == first.track_id
        assert workers.states()["good-1"].epoch == 2


def test_a_stopped_process_is_killed_after_the_silence(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        until(lambda: bool(heard.probes))
        pid = workers.workers()[0].pid
        assert pid is not None
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        until(lambda: bool(heard.of(WorkerChange.KILLED)))
        assert QUICK.silence_s - 0.2 < time.monotonic() - began < QUICK.silence_s + 2
        until(lambda: len(heard.probes) == 2)


def test_a_slow_hearer_is_not_taken_for_a_silent_worker(heard: Heard, relay: Relay) -> None:
    pause = threading.Event()

    def slow(probe: Probe) -> None:
        pause.wait(1.2)
        heard.probes.append(probe)

    with faked(heard, relay, timing=Timing(silence_s=0.5, backoff_s=0.05), on_probe=slow) as workers:
        workers.start(camera("good-1"))
        until(lambda: bool(heard.probes))
        assert heard.of(WorkerChange.KILLED) == []


def test_a_hearer_that_fails_ends_the_worker_not_the_watching(heard: Heard, relay: Relay) -> None:
    def failing(_probe: Probe) -> None:
        raise ValueError("hearer")

    with faked(heard, relay, on_probe=failing) as workers:
        workers.start(camera("good-1"))
        until(lambda: len(heard.of(WorkerChange.KILLED)) >= 2)
        assert "hearer" in heard.of(WorkerChange.KILLED)[0].why


def test_new_starts_wait_longer_and_longer_and_at_random(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        slot = workers._slots[0]
        slot._wiring = dataclasses.replace(slot._wiring, timing=Timing())
        for failures, ceiling_s in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (500, 30)]:
            pauses = [slot._pause_s(failures) for _ in range(300)]
            assert 0 <= min(pauses) < ceiling_s / 10
            assert ceiling_s * 0.9 < max(pauses) <= ceiling_s


def test_a_camera_that_fails_is_started_again_and_a_film_is_not(heard: Heard, relay: Relay, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no video; a fake does not look")
    with faked(heard, relay) as workers:
        workers.start(camera("ending-1"))
        workers.start(film("ending-2", path))
        until(lambda: workers.states()["ending-1"].epoch > 4)
        assert workers.states()["ending-1"].flaw == "failed"
        assert workers.states()["ending-2"].state is CameraState.ENDED
        assert len(heard.of(WorkerChange.STARTED)) == 1
        path.unlink()
        workers.stop("ending-2")
        workers.start(film_gone := film_order_of(path))
        until(lambda: workers.states()[film_gone.camera_id].state is CameraState.ENDED)
        assert "cannot be opened" in workers.states()[film_gone.camera_id].flaw


def film_order_of(path: Path) -> CameraOrder:
    path.write_bytes(b"x")
    order = film("gone-1", path)
    path.unlink()
    return order


def test_a_film_that_became_a_link_is_not_followed(heard: Heard, relay: Relay, tmp_path: Path) -> None:
    order = film_order_of(tmp_path / "film.mp4")
    (tmp_path / "film.mp4").symlink_to("/etc/hostname")
    with faked(heard, relay) as workers:
        workers.start(order)
        until(lambda: workers.states()["gone-1"].state is CameraState.ENDED)
        assert [flaw.camera_id for flaw in heard.flaws] == ["gone-1"]


def test_closing_takes_less_than_five_seconds_whatever_workers_do(heard: Heard, relay: Relay) -> None:
    workers = supervisor(heard, relay, workers=2, program=FAKE)
    workers.start(camera("stubborn-1"))
    workers.start(camera("good-2"))
    until(lambda: len({probe.origin.camera_id for probe in heard.probes}) == 2)
    pids = [each.pid for each in workers.workers()]
    os.kill(pids[1] or 0, signal.SIGSTOP)
    began = time.monotonic()
    workers.close()
    assert time.monotonic() - began < 5
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    workers.close()
    with pytest.raises(InputError):
        workers.start(camera("good-3"))


def test_a_program_that_cannot_start_is_tried_again_and_told(heard: Heard, relay: Relay) -> None:
    with supervisor(heard, relay, program=("/nonexistent",)) as workers:
        until(lambda: len(heard.of(WorkerChange.STOPPED)) >= 3)
        assert workers.workers()[0].pid is None
        workers.start(camera("good-1"))
        assert workers.states()["good-1"].state is CameraState.BACKOFF
        with pytest.raises(HabeasError, match="no worker can be started"):
            workers.enrol(b"x", 1)


def test_epochs_are_never_used_twice(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay, workers=2) as workers:
        for _ in range(3):
            for number in range(4):
                workers.start(camera(f"good-{number}"))
            epochs = sorted(report.epoch for report in workers.states().values())
            assert all(a < b for a, b in pairwise(epochs))
            for number in range(4):
                workers.stop(f"good-{number}")
        assert epochs == [9, 10, 11, 12]


def test_an_image_over_the_limit_goes_nowhere(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        for image in (b"", bytes((20 << 20) + 1)):
            with pytest.raises(ImageError):
                workers.enrol(image, 1)
        # A worker that does not answer an image, but something else, is killed; the next image gets a new one.
        for _ in range(2):
            with pytest.raises(ImageError, match="cannot be examined"):
                workers.enrol(b"x", 1)
        assert workers._enrolment.kills == 2


def test_closing_does_not_wait_for_an_image_whose_worker_starts(heard: Heard, relay: Relay) -> None:
    never = (FAKE[0], "-I", "-c", "import threading; threading.Event().wait(60)")
    with ThreadPoolExecutor(1) as asking:
        with supervisor(heard, relay, program=never) as workers:
            asked = asking.submit(workers.enrol, b"x", 1)
            until(lambda: workers._enrolment.pid is not None)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert isinstance(asked.exception(5), InputError)


def test_an_order_that_cannot_be_told_is_none() -> None:
    order = camera("gate")
    for bad in ("", "a\nb", "x" * 201):
        with pytest.raises(InputError):
            dataclasses.replace(order, camera_id=bad)
    with pytest.raises(InputError):
        dataclasses.replace(order, masks=(Mask(0, 0, 1, 1),) * 65)
