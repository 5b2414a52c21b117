"""What a worker says of its cameras, checked without a worker: the time of capture."""

import itertools

import numpy as np
import pytest
from tests.workers import Heard, camera

from habeas.clock import ManualClock
from habeas.engine.messages import Counters, ProbeMade, payload_of
from habeas.engine.orders import Hearers
from habeas.engine.run import TrackEnd
from habeas.engine.watches import Watches
from habeas.errors import InputError
from habeas.types import NS_PER_S, Probe


class Bench:
    """A camera that is watched; hearing takes `takes_s`."""

    def __init__(self) -> None:
        self.machine = ManualClock()
        self.installation = ManualClock(0)  # days apart: what workers say is not measured with it
        self.heard = Heard()
        self.takes_s = 0
        hearers = Hearers(
            self._on_probe,
            self._on_end,
            self.heard.counters.append,
            self.heard.flaws.append,
            self.heard.news.append,
            lambda camera_id, found: self.heard.canaries.append((camera_id, found)),
            lambda *heard: self.heard.parts.append(heard),
        )
        epochs = itertools.count(1)
        self.watches = Watches(hearers, self.installation, self.machine, lambda: next(epochs))
        self.watches.add(camera("gate"))
        (watch,) = self.watches.to_start()
        assert self.watches.telling(watch)

    def _on_probe(self, probe: Probe) -> None:
        self.heard.probes.append(probe)
        self.machine.advance(self.takes_s * NS_PER_S)

    def _on_end(self, end: TrackEnd) -> None:
        self.heard.ends.append(end)

    def says(self, age_ns: int, epoch: int = 1, camera_id: str = "gate") -> None:
        """Hear of a picture that was captured so long ago."""
        message = ProbeMade(
            camera_id=camera_id,
            epoch=epoch,
            track_id=1,
            at_ns=5,
            first_seen_ns=1,
            captured_at_ns=self.machine.now_ns() - age_ns,
            box_xyxy_px=(0.0, 0.0, 2.0, 2.0),
            dimensions=4,
            face_wh=(2, 2),
        )
        vector, face_rgb = np.array([1, 0, 0, 0], np.float32), np.zeros((2, 2, 3), np.uint8)
        self.watches.hear(message.with_payload(payload_of(vector, face_rgb)), "model")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_picture_is_of_just_now_by_the_clock_of_this_machine(bench: Bench) -> None:
    for age_ns in (120 * NS_PER_S, 0, -5 * NS_PER_S):
        bench.says(age_ns)
    assert len(bench.heard.probes) == 3
    for age_ns in (120 * NS_PER_S + 1, -5 * NS_PER_S - 1):
        with pytest.raises(InputError, match="a worker's picture is of"):
            bench.says(age_ns)
    assert len(bench.heard.probes) == 3


def test_what_waited_because_a_hearer_was_slow_may_be_older_for_as_long(bench: Bench) -> None:
    bench.takes_s = 300
    bench.says(0)
    bench.takes_s = 0
    bench.says(400 * NS_PER_S)
    bench.machine.advance(100 * NS_PER_S)
    bench.says(310 * NS_PER_S)
    bench.machine.advance(200 * NS_PER_S)
    with pytest.raises(InputError):
        bench.says(130 * NS_PER_S)


def test_however_slow_hearers_are_a_picture_has_an_age_at_most(bench: Bench) -> None:
    bench.takes_s = 500
    bench.says(0)
    bench.says(0)
    bench.says(700 * NS_PER_S)
    with pytest.raises(InputError):
        bench.says(721 * NS_PER_S)


def test_a_hearer_may_remove_the_camera_that_it_hears_of(bench: Bench) -> None:
    """Nothing is locked while it hears; and the end of the track comes after its probe."""
    bench.heard.probes = _Removing(bench)
    bench.says(0)
    assert [end.track.track_id for end in bench.heard.ends] == [1]
    assert bench.heard.ends[0].origin is bench.heard.probes[0].origin
    bench.says(0)
    assert len(bench.heard.probes) == 1


def test_a_probe_that_waits_behind_another_cameras_end_is_passed_over_once_its_camera_is_removed(bench: Bench) -> None:
    bench.says(0)
    bench.watches.add(camera("door"))
    (door,) = bench.watches.to_start()
    bench.watches.telling(door)
    bench.watches.remove("gate")
    bench.heard.ends = _RemovingDoor(bench)
    bench.says(0, door.epoch, "door")
    assert [end.origin.camera_id for end in bench.heard.ends] == ["gate", "door"]
    assert [probe.origin.camera_id for probe in bench.heard.probes] == ["gate"]


class _RemovingDoor(list[TrackEnd]):
    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def append(self, end: TrackEnd) -> None:
        if not self:
            self._bench.watches.remove("door")
        super().append(end)


class _Removing(list[Probe]):
    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def append(self, probe: Probe) -> None:
        super().append(probe)
        self._bench.watches.remove("gate")
        assert self._bench.heard.ends == []


def counted(bench: Bench, **changes: int) -> None:
    """Hear of totals."""
    totals = {"decoded": 10, "analysed": 5, "gated": 5, "dropped": 0, "faces": 0, "tracks": 0, "analysed_ns": 0}
    bench.watches.hear(Counters(camera_id="gate", epoch=1, **{**totals, **changes}), "model")


@pytest.mark.parametrize("name", ["decoded", "analysed_ns"])
def test_a_worker_counts_no_more_than_there_can_have_been(bench: Bench, name: str) -> None:
    """Totals go into the log, and what a log cannot hold would keep everything else out of it."""
    bench.installation.advance(3600 * NS_PER_S)
    counted(bench, decoded=3600 * 50, analysed_ns=3600 * NS_PER_S)
    assert len(bench.heard.counters) == 1
    with pytest.raises(InputError, match="more than there can have been"):
        counted(bench, **{"decoded": 3600 * 50, name: 2**53})
    assert len(bench.heard.counters) == 1
