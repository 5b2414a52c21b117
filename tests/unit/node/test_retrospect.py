"""A search of footage: once, under its authorisation, on its cameras, in its interval, nothing from a suspension."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from tests.installation import HOUR, MODEL, Installation, person, rule_of, vector
from tests.unit.footage.bench import Bench, Tight
from tests.unit.footage.holder import Holder
from tests.unit.node.test_matching import CALIBRATION

from habeas.accounts.roles import Actor
from habeas.authority.suspensions import free_parts
from habeas.clock import ManualClock
from habeas.engine.messages import Counters
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Reel, Screened, Screening
from habeas.errors import DiskError, HabeasError, InputError
from habeas.footage import searches
from habeas.footage.evidence_files import EvidenceFiles
from habeas.footage.files import EVIDENCE, HELD
from habeas.node.alerting import Means
from habeas.node.counting import Counting
from habeas.node.retrospect import Retrospect
from habeas.node.searching import Searching
from habeas.node.timekeeper import Timekeeper
from habeas.settings import DetectSettings
from habeas.store import Tx
from habeas.store.footage_records import Footage, FootageSearch
from habeas.store.records import Alert, Authorisation, Camera, Entry
from habeas.types import HOUR_NS, NS_PER_S, ClosedTrack, OriginKind, Probe, Templates
from habeas.video.edge import origin

Script = Callable[[Reel, Looking], Iterator[Screened]]


class Scripted:
    """A worker that goes through footage as a test says."""

    def __init__(self, script: Script) -> None:
        self.search = script
        self.ended = False

    def kill(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True


class Search:
    """An installation with footage of a minute of c1, and whoever goes through it."""

    def __init__(self, place: Installation, bench: Bench) -> None:
        self.place, self.bench = place, bench
        self.problems: list[HabeasError] = []
        self.alerts: list[str] = []
        self.looked: list[Looking] = []
        self.places: list[int] = []
        self.seed = 0
        self.script: Script = self.seen
        self.searching = Searching()
        self.began_ns = place.clock.now_ns()
        for segment in range(4):
            bench.record(segment, 16)
        bench.stop()
        self.ended_ns = place.clock.now_ns()
        place.gallery.refresh()
        place.gallery.go()
        self.retrospect = self.begin()

    def begin(self) -> Retrospect:
        place = self.place
        means = Means(
            place.store,
            place.keys,
            place.gallery,
            CALIBRATION,
            8,
            Timekeeper(place.clock, None),
            Counting(),
            self.searching,
            cooldown_ns=0,
            on_problem=self.problems.append,
            on_alert=self.alerts.append,
        )
        worker = cast("Callable[[], Screening]", lambda: Scripted(self.script))
        evidence = EvidenceFiles(self.place.folder / EVIDENCE)
        folders = self.bench.folder, self.place.folder / HELD, evidence
        return Retrospect(means, *folders, worker, DetectSettings(), at_once=2)

    def seen(self, reel: Reel, looking: Looking, *, captured_ns: int | None = None) -> Iterator[Screened]:
        """Find one face in the middle of what is looked at, whose template is of this seed."""
        self.looked.append(looking)
        self.places.append(len(reel.places))
        of = origin(OriginKind.FOOTAGE, looking.camera_id)
        middle_ns = (looking.from_ns + looking.until_ns) // 2 if captured_ns is None else captured_ns
        yield Probe(
            origin=of,
            track_id=1,
            templates=Templates(vector(self.seed)[None], MODEL, of),
            box_xyxy_px=np.zeros(4, np.float32),
            face_rgb=np.zeros((8, 8, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=middle_ns,
        )
        yield TrackEnd(of, ClosedTrack(1, 0, 0))
        yield counted(looking, looking.until_ns - looking.from_ns)

    def authorise(self, **changes: object) -> Authorisation:
        asked: dict[str, object] = {"live": False, "from_ns": self.began_ns, "until_ns": self.ended_ns}
        return self.place.started(people=(person("A", seed=0),), **(asked | changes))  # type: ignore[arg-type]

    def start(self, row: Authorisation, who: str = "rob") -> FootageSearch:
        return self.place.do(who, lambda tx, actor: begun(tx, actor, row))

    def run(self, row: Authorisation) -> FootageSearch:
        self.start(row)
        self.retrospect.step()
        return self.row(row)

    def row(self, row: Authorisation) -> FootageSearch:
        return self.place.look(FootageSearch, about_id=row.authorisation_id)[0]


def begun(tx: Tx, actor: Actor, row: Authorisation) -> FootageSearch:
    return searches.begin(tx, actor, row.authorisation_id)


def counted(looking: Looking, watched_ns: int) -> Counters:
    names = ("analysed", "gated", "dropped", "faces")
    return Counters(
        camera_id=looking.camera_id,
        epoch=1,
        decoded=25,
        tracks=1,
        analysed_ns=watched_ns,
        **dict.fromkeys(names, 0),
    )


@pytest.fixture
def search(tmp_path: Path, clock: ManualClock) -> Iterator[Search]:
    clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
    with Installation(tmp_path, clock) as place:
        for name in ("c1", "c2"):
            place.camera(name)
        bench = Bench(place, Tight(tmp_path / "footage"))
        yield Search(place, bench)


@pytest.mark.rule("F20")
def test_what_matches_in_footage_is_an_alert_of_its_authorisation(search: Search) -> None:
    row = search.authorise()
    done = search.run(row)
    (alert,) = search.place.look(Alert)
    assert search.alerts == [alert.alert_id]
    assert (alert.authorisation_id, alert.camera_id, alert.from_footage) == (row.authorisation_id, "c1", True)
    assert search.began_ns < alert.captured_at_ns < search.ended_ns
    assert (done.state, done.found, done.tracks, done.damaged) == (searches.DONE, 1, 1, 0)
    assert (done.watched_ns, done.suspended_ns) == (search.ended_ns - search.began_ns, 0)
    assert done.missing_ns == 0
    assert search.places == [4]
    kinds = [json.loads(body) for body in entries(search, "footage.searched")]
    assert [(body["state"], body["cameras"]) for body in kinds] == [("done", ["c1"])]
    with search.searching.taken() as taken:
        assert sum(tally.searches for tally in taken.values()) == 1
    assert search.problems == []


def entries(search: Search, kind: str) -> list[str]:
    return [one.body for one in search.place.look(Entry) if one.kind == kind]


@pytest.mark.rule("F20")
def test_a_stranger_in_footage_leaves_a_count(search: Search) -> None:
    search.seed = 5
    done = search.run(search.authorise())
    assert search.place.look(Alert) == []
    assert (done.tracks, done.found) == (1, 0)


@pytest.mark.rule("F20")
def test_it_is_searched_once(search: Search) -> None:
    row = search.authorise()
    search.run(row)
    assert rule_of(lambda: search.start(row)) == "searched-once"
    search.retrospect.step()
    assert len(search.looked) == 1


@pytest.mark.rule("F20")
def test_only_a_retrospective_authorisation_that_is_active_searches_footage(search: Search) -> None:
    live = search.place.started(people=(person("A", seed=0),))
    with pytest.raises(InputError, match="for live cameras"):
        search.start(live)
    asked = search.place.submitted(
        people=(person("B", seed=0),), live=False, from_ns=search.began_ns, until_ns=search.ended_ns
    )
    assert rule_of(lambda: search.start(asked)) == "state"
    row = search.authorise()
    assert rule_of(lambda: search.start(row, "rita")) == "role"
    assert rule_of(lambda: search.start(row, "ann")) == "role"
    assert rule_of(lambda: search.start(row, "token:rob")) == "login-needed"
    assert search.start(row, "abe").state == searches.RUNNING


@pytest.mark.rule("F20")
def test_live_cameras_are_never_compared_with_it_nor_footage_with_a_live_one(search: Search) -> None:
    row = search.authorise()
    place, now_ns = search.place, search.place.clock.now_ns()
    assert place.gallery.watched(now_ns) == frozenset()
    assert place.gallery.view("c1", now_ns) is None
    assert place.gallery.footage_view("c1", row.authorisation_id, now_ns) is not None
    assert place.gallery.footage_view("c2", row.authorisation_id, now_ns) is None
    live = place.started(people=(person("B", seed=3),))
    assert place.gallery.footage_view("c1", live.authorisation_id, now_ns) is None
    view = place.gallery.view("c1", now_ns)
    assert view is not None
    assert set(view.authorisation_ids.tolist()) == {live.authorisation_id}


@pytest.mark.rule("F21")
def test_what_was_captured_in_a_suspension_is_skipped_and_counted(search: Search) -> None:
    # Segments are of 15 s. The suspension begins in the second and ends in the third.
    row = search.authorise()
    from_ns, until_ns = search.began_ns + 20 * NS_PER_S, search.began_ns + 35 * NS_PER_S
    search.place.suspend(names=("c1",), from_ns=from_ns, lasts_ns=until_ns - from_ns)
    done = search.run(row)
    looked = [
        tuple((at_ns - search.began_ns) // NS_PER_S for at_ns in (one.from_ns, one.until_ns)) for one in search.looked
    ]
    assert looked[0] == (0, 20)
    assert search.places == [2, 1], "of the segment in which it ends nothing is decoded"
    assert looked[1] == (35, 60)
    assert done.suspended_ns == 15 * NS_PER_S
    for one in search.looked:
        assert one.until_ns <= from_ns or one.from_ns >= until_ns


@pytest.mark.rule("F21")
def test_a_suspension_that_reaches_back_stops_it_at_once(search: Search) -> None:
    row = search.authorise()
    seen = search.seen

    def suspending(reel: Reel, looking: Looking) -> Iterator[Screened]:
        place = search.place
        place.suspend(names=("c1",), from_ns=search.began_ns, lasts_ns=search.ended_ns - search.began_ns)
        yield from seen(reel, looking)

    search.script = suspending
    search.start(row)
    search.retrospect.step()
    assert search.place.look(Alert) == []
    assert search.row(row).state == searches.RUNNING
    search.retrospect.step()
    assert search.row(row).suspended_ns == search.ended_ns - search.began_ns
    assert len(search.looked) == 1


@pytest.mark.rule("F20")
def test_revoked_it_stops_and_raises_nothing(search: Search) -> None:
    row = search.authorise()
    seen = search.seen

    def revoking(reel: Reel, looking: Looking) -> Iterator[Screened]:
        search.place.revoke(row.authorisation_id, "rob")
        yield from seen(reel, looking)

    search.script = revoking
    done = search.run(row)
    assert (done.state, search.place.look(Alert)) == (searches.ENDED, [])
    assert rule_of(lambda: search.start(row)) == "searched-once"


@pytest.mark.rule("F21")
def test_what_a_worker_claims_to_have_seen_in_a_suspension_is_dropped(search: Search) -> None:
    row = search.authorise()
    from_ns = search.began_ns + 30 * NS_PER_S
    search.place.suspend(names=("c1",), from_ns=from_ns, lasts_ns=search.ended_ns - from_ns)
    search.script = lambda reel, looking: search.seen(reel, looking, captured_ns=from_ns + NS_PER_S)
    search.run(row)
    assert search.looked
    assert search.place.look(Alert) == []


def test_a_reel_that_ends_its_worker_is_counted_and_the_rest_is_searched(search: Search) -> None:
    row = search.authorise()

    def dying(_reel: Reel, looking: Looking) -> Iterator[Screened]:
        yield counted(looking, 0)
        raise InputError("it was ended by SIGSEGV")

    search.script = dying
    done = search.run(row)
    assert (done.state, done.damaged, done.watched_ns) == (searches.DONE, 1, 0)
    assert done.missing_ns == search.ended_ns - search.began_ns


def test_after_a_restart_it_goes_on_after_its_last_reel(search: Search) -> None:
    row = search.authorise()
    from_ns, until_ns = search.began_ns + 29 * NS_PER_S, search.began_ns + 31 * NS_PER_S
    search.place.suspend(names=("c1",), from_ns=from_ns, lasts_ns=until_ns - from_ns)  # makes two reels
    seen = search.seen

    def stopping(reel: Reel, looking: Looking) -> Iterator[Screened]:
        yield from seen(reel, looking)
        search.retrospect.stop()

    search.script = stopping
    search.run(row)
    assert search.row(row).state == searches.RUNNING
    assert len(search.looked) == 1
    search.script = seen
    search.retrospect = search.begin()
    search.retrospect.step()
    assert search.row(row).state == searches.DONE
    starts = [one.from_ns for one in search.looked]
    assert starts == [search.began_ns, until_ns]


def two_cameras(search: Search) -> Authorisation:
    search.began_ns = search.place.clock.now_ns()
    search.bench.recorder = search.bench.begin()
    for camera in ("c1", "c2"):
        search.bench.record(7, 16, camera=camera)
    search.bench.stop()
    search.ended_ns = search.place.clock.now_ns()
    search.place.gallery.refresh()
    return search.authorise(cameras=tuple(search.place.look(Camera, camera_id=["c1", "c2"])))


def test_cameras_are_searched_at_the_same_time(search: Search) -> None:
    row = two_cameras(search)
    together = threading.Barrier(2, timeout=30)
    seen, told = search.seen, []

    def waiting(reel: Reel, looking: Looking) -> Iterator[Screened]:
        yield counted(looking, 5 * NS_PER_S)
        together.wait()  # each waits for the other
        told.append(search.retrospect.progress(row.authorisation_id))
        together.wait()
        yield from seen(reel, looking)

    search.script = waiting
    done = search.run(row)
    assert done.state == searches.DONE
    assert told == [{"c1": 5 * NS_PER_S, "c2": 5 * NS_PER_S}] * 2
    assert {alert.camera_id for alert in search.place.look(Alert)} == {"c1", "c2"}
    assert search.retrospect.progress(row.authorisation_id) == {}


def test_a_camera_whose_search_fails_keeps_no_other(search: Search) -> None:
    row = two_cameras(search)
    seen = search.seen

    def failing(reel: Reel, looking: Looking) -> Iterator[Screened]:
        if looking.camera_id == "c1":
            raise DiskError("it is full")
        yield from seen(reel, looking)

    search.script = failing
    search.start(row)
    with pytest.raises(DiskError):
        search.retrospect.step()
    assert [name for name, _until_ns in search.row(row).done] == ["c2"]
    search.script = seen
    search.retrospect.step()
    assert search.row(row).state == searches.DONE
    assert [one.camera_id for one in search.looked] == ["c2", "c1"]


def test_what_was_not_recorded_and_what_is_damaged_is_said(search: Search) -> None:
    row = search.authorise(from_ns=search.began_ns - HOUR, until_ns=search.ended_ns)
    path = search.bench.folder.segments("c1", search.bench.hour_ns)[0]
    path.write_bytes(b"no segment")
    done = search.run(row)
    assert done.damaged == 1
    assert (done.state, search.places) == (searches.DONE, [3])


def held_for(search: Search, authorisation_id: str | None) -> None:
    """Hold the footage for an authorisation, and let what was recorded go."""
    holder = Holder(search.bench, search.place.folder / HELD)
    holder.plenty()
    search.place.clock.advance(HOUR)
    holder.approved(search.began_ns, search.ended_ns, authorisation_id=authorisation_id)
    holder.step()
    search.bench.change_policy(footage_h=1)
    search.place.clock.advance(HOUR)
    holder.step()
    assert not list(search.bench.folder.path.glob("c1/*/*.habf")), "control: what was recorded is gone"


@pytest.mark.rule("F20")
def test_what_is_held_is_searched_under_the_authorisation_that_its_hold_names(search: Search) -> None:
    row, other = search.authorise(), search.authorise()
    held_for(search, row.authorisation_id)
    search.place.refresh()
    assert search.run(other).watched_ns == 0
    assert search.looked == []
    search.run(row)
    assert search.places == [4]
    assert len(search.place.look(Alert)) == 1


@pytest.mark.rule("T2")
def test_what_lies_in_memory_is_looked_at_no_further_than_its_deadline(search: Search) -> None:
    row = search.authorise()
    seen = search.seen

    def late(reel: Reel, looking: Looking) -> Iterator[Screened]:
        search.place.clock.advance(71 * HOUR)
        search.place.keys.destroy([one.key_id for one in search.place.look(Footage)])
        yield from seen(reel, looking)

    search.script = late
    search.run(row)
    assert search.place.look(Alert) == []
    assert search.row(row).watched_ns == 0


def test_a_suspension_that_was_lifted_before_it_began_binds_nothing() -> None:
    assert free_parts([(10, 5)], 0, 20) == ((0, 20),)
    assert free_parts([(5, 8), (2, 6), (15, 30)], 0, 20) == ((0, 2), (8, 15))
    assert free_parts([(0, 20)], 0, 20) == ()


@pytest.mark.rule("T2")
def test_footage_past_its_deadline_is_not_searched(search: Search) -> None:
    row = search.authorise()
    search.start(row)
    search.place.clock.advance(71 * HOUR)
    search.bench.change_policy(footage_h=72)
    search.place.clock.advance(HOUR // 2)
    search.bench.change_policy(footage_h=1)
    search.bench.end_due()
    search.place.refresh()
    search.retrospect.step()
    assert search.looked == []
    assert search.row(row).state == searches.DONE
