"""The matcher's thread: every probe that was made is compared, every match written, whatever fails in between."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.installation import DAY, MODEL, Installation, person, vector
from tests.workers import until

from habeas.authority.canary import CANARY
from habeas.clock import ManualClock
from habeas.comparison.calibration import Calibration, Point
from habeas.engine.run import TrackEnd
from habeas.errors import DiskError, HabeasError
from habeas.node.alerting import Means
from habeas.node.counting import Counting
from habeas.node.matching import _WAITING, Matching
from habeas.node.searching import Searching
from habeas.node.timekeeper import Timekeeper
from habeas.store.records import Alert, Authorisation, Subject
from habeas.types import NS_PER_S, ClosedTrack, Origin, OriginKind, Probe, Templates
from habeas.types import Alert as Match
from habeas.video.canary import canary_origin
from habeas.video.edge import origin

POINTS = (Point(1e-3, 0.5, 100, 0.0, 1.0), Point(1e-5, 0.6, 100, 0.0, 1.0))
CALIBRATION = Calibration(MODEL, "for this test", ((1000, POINTS),))


class Bench:
    """A matcher of a small installation, and what it told."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.problems: list[HabeasError] = []
        self.alerts: list[str] = []
        self.canaries: list[tuple[str, Match | None]] = []
        self.counting, self.searching = Counting(), Searching()
        self.origin = origin(OriginKind.LIVE, "c1")
        place.gallery.refresh()
        place.gallery.go()
        means = Means(
            place.store,
            place.keys,
            place.gallery,
            CALIBRATION,
            len(vector(77)),
            Timekeeper(place.clock, None),
            self.counting,
            self.searching,
            cooldown_ns=0,
            on_problem=self.problems.append,
            on_alert=self.alerts.append,
        )
        self.matching = Matching(
            means,
            canary=vector(77),
            on_canary=lambda of, match: self.canaries.append((of.camera_id, match)),
        )

    def probe(self, seed: int = 0, track_id: int = 1, of: Origin | None = None) -> Probe:
        of = of or self.origin
        return Probe(
            origin=of,
            track_id=track_id,
            templates=Templates(vector(seed)[None], MODEL, of),
            box_xyxy_px=np.zeros(4, np.float32),
            face_rgb=np.zeros((8, 8, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=self.place.clock.now_ns(),
        )

    def rows(self) -> list[Alert]:
        with self.place.store.read() as tx:
            return tx.find(Alert)


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    with Installation(tmp_path, clock) as made:
        for name in ("c1", "c2"):
            made.camera(name)
        yield made


@pytest.fixture
def bench(place: Installation) -> Iterator[Bench]:
    place.started(until_ns=place.clock.now_ns() + 3 * DAY)
    made = Bench(place)
    yield made
    made.matching.close()


def test_a_match_is_durable_before_anybody_hears_of_it(bench: Bench) -> None:
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.alerts))
    assert [row.alert_id for row in bench.rows()] == bench.alerts
    assert bench.problems == []


def test_a_stranger_leaves_a_count_and_nothing_else(bench: Bench) -> None:
    bench.matching.take(bench.probe(seed=99))
    bench.matching.take(TrackEnd(bench.origin, ClosedTrack(1, 0, 0)))
    until(lambda: bench.counting._tallies["c1"]["searches"] == 1)
    bench.matching.close()
    assert bench.rows() == []
    assert bench.problems == []


@pytest.mark.rule("L13")
def test_a_canary_is_matched_and_is_no_alert(bench: Bench) -> None:
    bench.matching.take(bench.probe(77, of=canary_origin("c1")))
    until(lambda: bool(bench.canaries))
    ((camera_id, match),) = bench.canaries
    assert match is not None
    assert (camera_id, match.subject_id) == ("c1", CANARY)
    assert match.similarity > 0.99
    bench.matching.close()
    assert (bench.rows(), bench.alerts, bench.problems) == ([], [], [])
    assert "c1" not in bench.counting._tallies, "it is in no count"
    assert bench.searching._tallies == {}


@pytest.mark.rule("L13")
def test_a_canary_and_people_are_never_compared(bench: Bench) -> None:
    """The canary's face in front of the camera is nobody, and somebody listed is no canary."""
    bench.matching.take(bench.probe(77))
    bench.matching.take(bench.probe(0, of=canary_origin("c1")))
    until(lambda: bool(bench.canaries))
    assert bench.canaries == [("c1", None)]
    assert bench.alerts == []
    bench.matching.take(bench.probe(0))  # the control: listed, and before the camera
    until(lambda: bool(bench.alerts))


@pytest.mark.rule("L12")
@pytest.mark.parametrize("why", ["unauthorised", "suspended", "revoked"])
def test_where_nothing_may_be_compared_a_canary_is_silent(bench: Bench, why: str) -> None:
    if why == "suspended":
        bench.place.suspend(zones=["gate"])
    if why == "revoked":
        bench.place.revoke(bench.place.look(Authorisation)[0].authorisation_id)
    camera_id = "c2" if why == "unauthorised" else "c1"
    bench.matching.take(bench.probe(77, of=canary_origin(camera_id)))
    until(lambda: bool(bench.canaries))
    assert bench.canaries == [(camera_id, None)]
    assert bench.problems == []


def test_a_search_that_did_not_happen_is_not_counted_as_of_the_canary(bench: Bench) -> None:
    bench.matching.take(bench.probe(77, of=canary_origin("c1")))
    until(lambda: bool(bench.canaries))
    assert bench.matching._alerting._matcher.last is None


@pytest.mark.rule("F12")
def test_what_was_captured_before_the_window_is_no_alert(bench: Bench) -> None:
    early = bench.probe()
    bench.matching.take(dataclasses.replace(early, captured_at_ns=early.captured_at_ns - 19 * NS_PER_S))
    bench.matching.take(bench.probe(track_id=2))
    until(lambda: bool(bench.alerts))
    bench.matching.close()
    assert [row.track_id for row in bench.rows()] == [2]


def test_a_template_of_another_length_is_dropped_without_a_word(bench: Bench) -> None:
    short = np.array([1, 0, 0], np.float32)
    probe = bench.probe()
    bench.matching.take(dataclasses.replace(probe, templates=Templates(short[None], MODEL, bench.origin)))
    bench.matching.take(bench.probe(track_id=2))
    until(lambda: bool(bench.alerts))
    assert bench.problems == []


def test_a_fault_of_ours_ends_the_comparing_of_one_probe_only(bench: Bench) -> None:
    good = bench.matching._alerting.compare
    bench.matching._alerting.compare = lambda _probe: 1 // 0  # type: ignore[assignment,method-assign,return-value]
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.problems))
    bench.matching._alerting.compare = good  # type: ignore[method-assign]
    bench.matching.take(bench.probe(track_id=2))
    until(lambda: bool(bench.alerts))
    assert "ZeroDivisionError" in bench.problems[0].message


def test_an_alert_is_written_once_the_disk_has_room_again(bench: Bench) -> None:
    write, full = bench.matching._alerting._write, threading.Event()
    full.set()

    def failing(match: object) -> None:
        if full.is_set():
            raise DiskError("no room")
        write(match)  # type: ignore[arg-type]

    bench.matching._alerting._write = failing  # type: ignore[method-assign,assignment]
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.problems))
    full.clear()
    until(lambda: bool(bench.alerts))
    assert len(bench.rows()) == 1


def test_it_ends_also_while_the_disk_is_full_and_the_queue_too(bench: Bench) -> None:
    def failing(_match: object) -> None:
        raise DiskError("no room")

    bench.matching._alerting._write = failing  # type: ignore[method-assign,assignment]
    feeding = threading.Thread(target=lambda: [bench.matching.take(bench.probe(track_id=n)) for n in range(600)])
    feeding.start()
    until(lambda: len(bench.matching._queue) == _WAITING)
    bench.matching.stop_waiting()
    feeding.join(10)
    assert not feeding.is_alive(), "whoever hands over is let go"
    bench.matching.close()


@pytest.mark.rule("N1")
def test_faces_do_not_wait_in_memory_while_the_disk_fails(bench: Bench) -> None:
    """The first matches and cannot be written; strangers wait behind it, and are forgotten. The match is not."""
    write, full = bench.matching._alerting._write, threading.Event()
    full.set()

    def failing(match: object) -> None:
        if full.is_set():
            raise DiskError("no room")
        write(match)  # type: ignore[arg-type]

    bench.matching._alerting._write = failing  # type: ignore[method-assign,assignment]
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.problems))
    for number in range(2, 7):
        bench.matching.take(bench.probe(seed=99, track_id=number))
    bench.matching.take(TrackEnd(bench.origin, ClosedTrack(2, 0, 0)))
    bench.matching.forget_old()
    assert (len(bench.matching._queue), bench.matching.dropped) == (6, 0)
    bench.place.clock.advance(11 * 10**9)
    bench.matching.forget_old()
    assert (len(bench.matching._queue), bench.matching.dropped) == (1, 5), "the end of a track holds no face"
    full.clear()
    until(lambda: bool(bench.alerts))
    assert len(bench.rows()) == 1


def test_somebody_else_above_the_threshold_is_not_lost_with_the_first(bench: Bench) -> None:
    """Two authorisations list one face: the best one's ends in that moment, and the other's alert is written."""
    bench.place.started(people=(person("Lee Roe"),), cameras=bench.place.asked().cameras)
    matches = bench.matching._alerting.matches

    def ending_first(probe: Probe) -> list[Match]:
        found = matches(probe)
        assert len(found) == 2
        (subject,) = bench.place.look(Subject, subject_id=found[0].subject_id)
        bench.place.revoke(subject.authorisation_id, "abe")
        return found

    bench.matching._alerting.matches = ending_first  # type: ignore[method-assign]
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.alerts))
    (row,) = bench.rows()
    running = {one.authorisation_id for one in bench.place.look(Authorisation, state="active")}
    assert row.authorisation_id in running
    assert len(running) == 1
    assert bench.problems == []


def test_nothing_is_compared_while_the_clock_is_in_doubt(bench: Bench) -> None:
    bench.place.clock.jump(3600 * 10**9)
    bench.matching.take(bench.probe())
    bench.matching.close()
    assert bench.rows() == []


@pytest.mark.rule("S2")
@pytest.mark.parametrize("suspended", [True, False])
def test_a_track_that_ends_in_a_suspension_imposed_meanwhile_tells_nothing(bench: Bench, suspended: bool) -> None:
    bench.matching.take(bench.probe())
    until(lambda: bool(bench.alerts))
    first_ns = bench.rows()[0].captured_at_ns
    bench.place.clock.advance(NS_PER_S)
    later_ns = bench.place.clock.now_ns()
    bench.matching.take(bench.probe())
    until(lambda: later_ns in bench.matching._alerting._captured.values())
    if suspended:
        bench.place.suspend(names=["c1"], from_ns=first_ns + 1)
    bench.matching.take(TrackEnd(bench.origin, ClosedTrack(1, 0, 0)))
    bench.matching.close()
    assert bench.rows()[0].last_seen_ns == (first_ns if suspended else later_ns)
    assert bench.problems == []


def an_origin() -> Origin:
    return origin(OriginKind.LIVE, "c2")


def test_a_camera_that_nobody_authorised_is_not_searched(bench: Bench) -> None:
    other = an_origin()
    probe = bench.probe()
    bench.matching.take(
        Probe(
            origin=other,
            track_id=1,
            templates=Templates(probe.templates.vectors, MODEL, other),
            box_xyxy_px=probe.box_xyxy_px,
            face_rgb=probe.face_rgb,
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=probe.captured_at_ns,
        )
    )
    bench.matching.close()
    assert bench.rows() == []
    assert "c2" not in bench.counting._tallies
