"""The node's side of workers. The workers are real processes that speak the protocol, or break it as asked."""

import dataclasses
import os
import signal
import socket
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
from habeas.engine.slot import Slot
from habeas.errors import HabeasError, ImageError, InputError
from habeas.types import NS_PER_S, OriginKind, Probe
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
        assert (probe.track_id, probe.first_seen_ns, probe.at_ns) == (1, 1, 5)
        assert 0 <= time.time_ns() - probe.captured_at_ns < 10 * NS_PER_S
        until(lambda: workers.states()["good-1"].state is CameraState.RUNNING)
        report = workers.states()["good-1"]
        assert report.worker_pid == started.pid
        assert report.counters == heard.last("good-1") or report.counters in heard.counters
        assert workers.running() == {"good-1"}
    assert [news.change for news in heard.news] == [WorkerChange.STARTED, WorkerChange.STOPPED]


def test_a_canary_is_heard_as_one_once_it_was_asked_for(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        until(lambda: bool(heard.probes))
        workers.show_canary("good-1")
        until(lambda: bool(heard.canaries))
        own, canary = heard.probes
        assert (own.origin.kind, canary.origin.kind) == (OriginKind.LIVE, OriginKind.CANARY)
        assert canary.templates.origin is canary.origin
        assert heard.canaries == [("good-1", True)]
        workers.stop("good-1")
        until(lambda: bool(heard.ends))
        assert [end.origin for end in heard.ends] == [own.origin], "a canary's track is nobody's"


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
            at_stop = len(heard.probes) + 1  # the one that was being handed over
            newest = heard.probes[-1].origin
            said_before = heard.last("chatty-1").epoch
            # The control: the worker goes on sending for a while, its last counters come after.
            until(lambda epoch=said_before: heard.last("chatty-1").epoch == epoch)
            threading.Event().wait(0.15)
            assert len(heard.probes) <= at_stop
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
    "late": "of 130 s ago",
    "early": "of -15 s ago",
    "canary": "not asked for",
    "canaries": "not asked for",
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
        assert "no such video file" in workers.states()[film_gone.camera_id].flaw


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


class Blocking:
    """A hearer of probes that does not come back until it is let go."""

    def __init__(self) -> None:
        self.probes: list[Probe] = []
        self.let_go = threading.Event()

    def __call__(self, probe: Probe) -> None:
        self.probes.append(probe)
        self.let_go.wait(60)


def test_a_hearer_that_blocks_for_ever_holds_up_nobody_else(heard: Heard, relay: Relay) -> None:
    hearer = Blocking()
    workers = supervisor(heard, relay, workers=3, program=FAKE, on_probe=hearer)
    try:
        for number in range(6):
            workers.start(camera(f"good-{number}"))
        until(lambda: len(hearer.probes) == 3)
        pids = [each.pid for each in workers.workers()]
        began = time.monotonic()
        assert len(workers.states()) == 6
        for number in range(6):
            workers.stop(f"good-{number}")
        workers.start(camera("good-0"))
        assert workers.running() == {"good-0"}
        assert time.monotonic() - began < 1
        began = time.monotonic()
        workers.close()
        assert time.monotonic() - began < 5
        assert not any(_runs(pid) for pid in pids if pid is not None)
        assert heard.ends == []
    finally:
        hearer.let_go.set()
        until(lambda: not any(slot._thread.is_alive() for slot in workers._slots))
    # What waited was not handed over any more; what was, came to its end.
    assert {end.origin for end in heard.ends} == {probe.origin for probe in hearer.probes}
    assert len(hearer.probes) == 3


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_hearer_that_blocks_is_not_followed_by_probes_of_a_stopped_camera(heard: Heard, relay: Relay) -> None:
    hearer = Blocking()
    with faked(heard, relay, on_probe=hearer) as workers:
        workers.start(camera("chatty-1"))
        until(lambda: bool(hearer.probes))
        threading.Event().wait(0.2)  # more of them wait in the socket
        workers.stop("chatty-1")
        hearer.let_go.set()
        until(lambda: bool(heard.ends))
        until(lambda: not workers._slots[0]._watches._told)
        assert len(hearer.probes) == 1
        assert [end.origin for end in heard.ends] == [hearer.probes[0].origin]


def test_once_closed_nothing_is_written_where_its_descriptor_was(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers:
        workers.start(camera("good-1"))
        (slot,) = workers._slots
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(slot._wake)
    somebody = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        if somebody != slot._wake:
            os.dup2(somebody, slot._wake)
        slot.ask_to_end()
        slot.add(camera("good-2"))
        slot.remove("good-2")
        assert slot.join(1)
        workers.stop("good-1")
        with pytest.raises(InputError, match="ended"):
            workers.start(camera("good-3"))
        with pytest.raises(BlockingIOError):
            os.eventfd_read(slot._wake)  # nothing came; and it is still open
    finally:
        os.close(somebody)
        if somebody != slot._wake:
            os.close(slot._wake)


def test_a_failure_is_counted_once(heard: Heard, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_probe: Probe) -> None:
        raise ValueError("hearer")

    counted: list[int] = []

    def pause_s(_slot: Slot, failures: int) -> float:
        counted.append(failures)
        return 0.01

    monkeypatch.setattr(Slot, "_pause_s", pause_s)
    with faked(heard, relay, on_probe=failing) as workers:
        workers.start(camera("good-1"))
        until(lambda: len(counted) >= 3)
    assert counted[:3] == [1, 2, 3]


def test_starting_a_camera_asks_for_no_name_and_one_that_is_unknown_is_told(heard: Heard) -> None:
    asked_in: list[str] = []

    def resolve(_name: str) -> list[str]:
        asked_in.append(threading.current_thread().name)
        raise InputError("the host camera.lan is unknown", remedy="none")

    with Relay(resolve=resolve) as relay, faked(heard, relay) as workers:
        order = camera("good-1", "rtsp://camera.lan:554/x")
        assert order.address.addresses == ()
        workers.start(order)
        until(lambda: bool(heard.probes))
        assert asked_in == []
        (door,) = relay._doors.values()
        assert door.server is not None
        with socket.create_connection(door.server.sockets[0].getsockname(), timeout=10) as worker:
            assert worker.recv(1) == b""
        until(lambda: bool(heard.flaws))
        assert heard.flaws[0].what == "cannot connect: the host camera.lan is unknown"
        assert asked_in == ["names"]


def test_before_an_inspection_a_name_is_asked_for(heard: Heard, relay: Relay) -> None:
    with faked(heard, relay) as workers, pytest.raises(InputError, match=r"\(localhost\) is in no network"):
        workers.inspect(camera("gate", "rtsp://localhost:554/x").address, 1)


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
