"""Canaries of an installation: asked for hourly, written down, alarmed about, and silent where they must be."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.installation import DAY, MODEL, Installation, rule_of, vector

from habeas.authority.breaches import clear_breach
from habeas.authority.canary import CANARY
from habeas.authority.suspensions import end_ns
from habeas.clock import ManualClock
from habeas.engine.orders import CameraReport, CameraState
from habeas.errors import DiskError, HabeasError
from habeas.node.canaries import Canaries, told_canaries
from habeas.store.records import Alert, Camera, Canary, Entry
from habeas.types import NS_PER_S, OriginKind, Probe, Threshold
from habeas.types import Alert as Match
from habeas.video.canary import canary_origin

MINUTE = 60 * NS_PER_S


def match_on(camera_id: str, at_ns: int, similarity: float = 0.97) -> Match:
    return Match(
        origin=canary_origin(camera_id),
        track_id=1,
        subject_id=CANARY,
        similarity=similarity,
        threshold=Threshold(0.46, 1e-4, 1, extrapolated=False, fpir_low=0.0, fpir_high=1e-3),
        box_xyxy_px=np.zeros(4, np.float32),
        face_rgb=np.zeros((1, 1, 3), np.uint8),
        at_ns=0,
        first_seen_ns=0,
        captured_at_ns=at_ns,
        view_id="v" * 8,
        model_id=MODEL,
    )


@dataclass
class Bench:
    """An installation whose workers and matcher answer as a test says."""

    place: Installation
    works: bool = True
    finds: bool = True
    answers: bool = False
    state: CameraState = CameraState.RUNNING
    epoch: int = 1
    shown: list[str] = field(default_factory=list)
    handed: list[Probe] = field(default_factory=list)
    told: list[HabeasError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.canaries = Canaries(self.place.store, self.place.clock, self.place.gallery, vector(77), self.told.append)

    def show(self, camera_id: str) -> None:
        self.shown.append(camera_id)
        if self.works and self.finds:
            self.canaries.answered(canary_origin(camera_id), match_on(camera_id, self.place.clock.now_ns()))
        self.canaries.shown(camera_id, self.finds)

    def compare(self, probe: Probe) -> None:
        self.handed.append(probe)
        camera_id = probe.origin.camera_id
        match = match_on(camera_id, probe.captured_at_ns) if self.answers else None
        self.canaries.answered(probe.origin, match)

    def step(self, after_ns: int = NS_PER_S) -> None:
        self.place.clock.advance(after_ns)
        self.place.gallery.refresh()
        watched = self.place.gallery.watched(self.place.clock.now_ns())
        states = {name: CameraReport(name, self.state, self.epoch, 1, None, "") for name in watched}
        self.canaries.step(states, self.show, self.compare)

    def steps(self, lasts_ns: int, every_ns: int = 10 * NS_PER_S) -> None:
        for _ in range(lasts_ns // every_ns):
            self.step(every_ns)

    def entries(self, kind: str) -> list[dict[str, object]]:
        bodies = [json.loads(entry.body) for entry in self.place.look(Entry) if entry.kind == kind]
        return [{name: value for name, value in body.items() if name != "v"} for body in bodies]


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    with Installation(tmp_path, clock) as made:
        for name in ("c1", "c2"):
            made.camera(name)
        made.started(until_ns=clock.now_ns() + DAY)
        yield made


@pytest.fixture
def bench(place: Installation) -> Bench:
    return Bench(place)


@pytest.mark.rule("L11")
def test_each_camera_that_is_analysed_is_tested_at_once_and_each_hour(bench: Bench) -> None:
    bench.step()
    assert bench.shown == ["c1"], "and no other is"
    bench.steps(5 * 60 * MINUTE)
    seen = bench.entries("canary.seen")
    assert 5 <= len(seen) <= 7
    ((camera,), model) = seen[0]["cameras"], seen[0]["model"]  # type: ignore[misc]
    assert model == MODEL
    assert camera["camera"] == "c1"
    assert camera["zone"] == "gate"
    assert camera["similarity"] == 0.97
    assert bench.entries("canary.missed") == []
    assert bench.told == []


@pytest.mark.rule("L13")
def test_of_a_canary_there_is_no_alert_and_no_picture(bench: Bench) -> None:
    bench.steps(10 * MINUTE)
    assert len(bench.entries("canary.seen")) == 1
    assert bench.place.look(Alert) == []
    row = bench.place.look(Canary, camera_id="c1")[0]
    assert row.similarity == pytest.approx(0.97)
    with bench.place.store.read() as tx:
        assert told_canaries(tx)["c1"]["missed"] == 0


@pytest.mark.rule("L11")
@pytest.mark.parametrize(
    ("found", "why"), [(True, "it was found, and not recognised"), (False, "no face was found where it was")]
)
def test_a_canary_that_is_missed_is_an_entry_and_two_in_a_row_an_alarm(bench: Bench, found: bool, why: str) -> None:
    bench.works, bench.finds = False, found
    bench.steps(MINUTE)
    (missed,) = bench.entries("canary.missed")
    assert missed == {"alarm": False, "camera": "c1", "in_a_row": 1, "why": why, "zone": "gate"}
    assert bench.told == []
    bench.steps(5 * MINUTE)
    assert len(bench.told) == 1, "told once, however long it lasts"
    assert "two canaries in a row" in bench.told[0].message
    assert bench.entries("canary.missed")[1]["alarm"] is True
    bench.steps(30 * MINUTE)
    assert len(bench.told) == 1
    bench.works = bench.finds = True
    bench.steps(5 * MINUTE)
    assert bench.place.look(Canary, camera_id="c1")[0].missed == 0


def test_a_picture_without_room_is_waited_for_and_then_counts_as_missed(bench: Bench) -> None:
    bench.show = bench.shown.append  # type: ignore[method-assign]
    bench.steps(9 * MINUTE)
    assert bench.entries("canary.missed") == []
    bench.steps(2 * MINUTE)
    assert [one["why"] for one in bench.entries("canary.missed")] == ["there was no room for it in the picture"]


@pytest.mark.parametrize("state", [CameraState.STALLED, CameraState.BACKOFF, CameraState.ENDED])
def test_a_camera_without_pictures_misses_nothing(bench: Bench, state: CameraState) -> None:
    bench.works = False
    bench.step()
    bench.state = state
    bench.steps(30 * MINUTE)
    assert bench.entries("canary.missed") == []
    bench.state, bench.works, bench.epoch = CameraState.RUNNING, True, 2
    bench.step()
    bench.step()
    assert len(bench.entries("canary.seen")) == 1


def test_a_camera_that_never_gives_a_picture_misses_nothing(bench: Bench) -> None:
    bench.show = bench.shown.append  # type: ignore[method-assign]
    bench.state = CameraState.STARTING
    bench.steps(60 * MINUTE)
    assert bench.shown == ["c1"], "it is asked for one as soon as it begins"
    assert bench.entries("canary.missed") == []
    bench.state = CameraState.RUNNING
    bench.canaries.answered(canary_origin("c1"), match_on("c1", bench.place.clock.now_ns()))
    bench.step()
    assert len(bench.entries("canary.seen")) == 1


def test_a_camera_that_begins_anew_is_asked_anew(bench: Bench) -> None:
    bench.works = False
    bench.step()
    bench.epoch, bench.works = 2, True
    bench.steps(MINUTE)
    assert bench.shown == ["c1", "c1"]
    assert bench.entries("canary.missed") == []
    assert len(bench.entries("canary.seen")) == 1


def test_what_could_not_be_written_is_written_later(bench: Bench) -> None:
    bench.step()
    real = bench.canaries._store

    class Full:
        def write(self) -> None:
            raise DiskError("no room")

    bench.canaries._store = Full()  # type: ignore[assignment]
    with pytest.raises(DiskError):
        bench.step()
    bench.canaries._store = real
    bench.step()
    assert len(bench.entries("canary.seen")) == 1


@pytest.mark.rule("L12")
def test_where_nothing_may_be_compared_the_matcher_is_asked_hourly_and_at_once(bench: Bench) -> None:
    bench.steps(MINUTE)
    assert [one.origin.camera_id for one in bench.handed] == ["c2"]
    assert bench.handed[0].origin.kind is OriginKind.CANARY
    assert bench.entries("canary.silent") == [{"suspended": 0, "unauthorised": 1}]
    suspension = bench.place.suspend(zones=["gate"])
    bench.steps(MINUTE)
    assert [one.origin.camera_id for one in bench.handed] == ["c2", "c1"]
    assert bench.entries("canary.silent")[1:] == [{"suspended": 1, "unauthorised": 0}]
    bench.steps(end_ns(suspension) - bench.place.clock.now_ns() + MINUTE)
    bench.steps(3 * 60 * MINUTE)
    assert 4 <= [one.origin.camera_id for one in bench.handed].count("c2") <= 5
    assert bench.told == []
    assert not bench.canaries.breached


@pytest.mark.rule("L12")
def test_an_answer_where_nothing_may_be_compared_stops_everything(bench: Bench) -> None:
    bench.answers = True
    bench.steps(MINUTE)
    (leaked,) = bench.entries("canary.leaked")
    assert (leaked["camera"], leaked["zone"]) == ("c2", "gate")
    assert bench.canaries.breached
    assert "nothing is compared any more" in bench.told[0].message
    assert bench.place.look(Canary, camera_id="c2")[0].leaked_at_ns is not None


@pytest.mark.rule("L12")
def test_a_breach_lasts_over_starts_until_two_approvers_clear_it(bench: Bench) -> None:
    bench.answers = True
    bench.steps(MINUTE)
    assert Bench(bench.place).canaries.breached, "another start"
    assert rule_of(lambda: bench.place.do("pia", clear_breach)) == "role"
    assert bench.place.do("abe", clear_breach) is False
    assert rule_of(lambda: bench.place.do("abe", clear_breach)) == "two-persons"
    assert Bench(bench.place).canaries.breached
    assert bench.place.do("bea", clear_breach) is True
    assert not Bench(bench.place).canaries.breached
    assert len(bench.entries("canary.cleared")) == 1
    assert rule_of(lambda: bench.place.do("cid", clear_breach)) == "state"


@pytest.mark.parametrize("ends", ["not", "suspended", "revoked", "removed"])
def test_an_answer_after_a_start_in_between_is_no_breach_whatever_came_then(bench: Bench, ends: str) -> None:
    """The camera was closed when it was asked, listed when it answered, and closed again before that is looked at."""
    heard: list[Probe] = []
    bench.compare = heard.append  # type: ignore[method-assign]
    bench.step()
    (probe,) = heard
    started = bench.place.started(cameras=(bench.place.look(Camera, camera_id="c2")[0],))
    bench.canaries.answered(probe.origin, match_on("c2", probe.captured_at_ns))
    if ends == "suspended":
        bench.place.clock.advance(NS_PER_S)
        bench.place.suspend(names=["c2"])
    if ends == "revoked":
        bench.place.revoke(started.authorisation_id)
    if ends == "removed":
        bench.place.remove_camera("c2")
    bench.step()
    assert not bench.canaries.breached
    assert bench.entries("canary.leaked") == []


@pytest.mark.rule("L12")
def test_what_ended_before_explains_no_answer(bench: Bench) -> None:
    started = bench.place.started(cameras=(bench.place.look(Camera, camera_id="c2")[0],))
    bench.place.revoke(started.authorisation_id)
    bench.place.clock.advance(MINUTE)
    bench.answers = True
    bench.steps(MINUTE)
    assert bench.canaries.breached


def test_a_workers_canary_is_not_taken_for_the_answer_to_another(bench: Bench) -> None:
    heard: list[Probe] = []
    bench.compare = heard.append  # type: ignore[method-assign]
    bench.step()
    assert heard[0].origin.camera_id == "c2"
    bench.canaries.answered(canary_origin("c2"), match_on("c2", heard[0].captured_at_ns))
    bench.step()
    assert not bench.canaries.breached
    bench.canaries.answered(heard[0].origin, match_on("c2", heard[0].captured_at_ns))
    bench.step()
    assert bench.canaries.breached, "the real answer still counts"


def test_what_is_not_asked_for_is_not_heard(bench: Bench) -> None:
    bench.canaries.answered(canary_origin("c9"), match_on("c9", 0))
    bench.canaries.shown("c9", found=True)
    bench.step()
    assert bench.entries("canary.leaked") == bench.entries("canary.seen") == []
