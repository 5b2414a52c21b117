"""Evidence taken in as it comes, ended by the clock, and searched once: nothing of it outlives its row."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tests.installation import HOUR, MODEL, Installation, person, rule_of, vector
from tests.unit.node.test_matching import CALIBRATION
from tests.unit.node.test_retrospect import Scripted, begun, counted

from habeas.authority import evidence
from habeas.authority.evidence import State, stand_in
from habeas.clock import ManualClock
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Reel, Screened, Screening
from habeas.errors import DiskError, HabeasError, InputError, KeyDestroyed, SourceError
from habeas.footage import searches
from habeas.footage.evidence_files import EvidenceFiles
from habeas.footage.files import EVIDENCE, HELD, FootageFolder
from habeas.keys import Scope
from habeas.node import evidence as module
from habeas.node.alerting import Means
from habeas.node.counting import Counting, log_counts, write_counts
from habeas.node.evidence import AT_ONCE, EvidenceWork, reel_of
from habeas.node.retrospect import Retrospect
from habeas.node.searching import Searching, write_searches
from habeas.node.timekeeper import Timekeeper
from habeas.settings import DetectSettings
from habeas.store.footage_records import Evidence, FootageSearch
from habeas.store.records import Alert, Authorisation, Entry
from habeas.types import NS_PER_S, ClosedTrack, OriginKind, Probe, Templates
from habeas.video.edge import origin

DATA = os.urandom(3 << 20) + b"the end"
LASTS_NS = 60 * NS_PER_S
NOTE = "the shop's camera"
ROB = frozenset({"rob"})


class Desk:
    """An installation that takes evidence in, and searches it with a worker of a test's making."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.files = EvidenceFiles(place.folder / EVIDENCE)
        self.measured: list[bytes] = []
        self.lasts_ns = LASTS_NS
        self.broken: HabeasError | None = None
        self.looked: list[Looking] = []
        self.held: list[bytes] = []
        self.alerts: list[str] = []
        self.seed = 0
        self.means = Means(
            place.store,
            place.keys,
            place.gallery,
            CALIBRATION,
            8,
            Timekeeper(place.clock, None),
            Counting(),
            Searching(),
            cooldown_ns=0,
            on_problem=pytest.fail,
            on_alert=self.alerts.append,
        )
        self.script: Callable[[Reel, Looking], Iterator[Screened]] = self.seen
        self.begin()

    def begin(self) -> None:
        """Begin anew, as a node that starts."""
        self.work = EvidenceWork(self.means, self.files, self.measure, reserve_bytes=0)
        worker = cast("Callable[[], Screening]", lambda: Scripted(self.script))
        places = FootageFolder(self.place.folder / "footage"), self.place.folder / HELD, self.files
        self.retrospect = Retrospect(self.means, *places, worker, DetectSettings(), at_once=2)

    def measure(self, descriptor: int) -> int:
        self.measured.append(os.pread(descriptor, 1 << 30, 0))
        if self.broken is not None:
            raise self.broken
        return self.lasts_ns

    def seen(self, reel: Reel, looking: Looking) -> Iterator[Screened]:
        """Find one face in the middle of what is looked at."""
        self.looked.append(looking)
        self.held.append(os.pread(reel.descriptor, 1 << 30, 0))
        of = origin(OriginKind.FOOTAGE, looking.camera_id)
        yield Probe(
            origin=of,
            track_id=1,
            templates=Templates(vector(self.seed)[None], MODEL, of),
            box_xyxy_px=np.zeros(4, np.float32),
            face_rgb=np.zeros((8, 8, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=(looking.from_ns + looking.until_ns) // 2,
        )
        yield TrackEnd(of, ClosedTrack(1, 0, 0))
        yield counted(looking, looking.until_ns - looking.from_ns)

    def add(self, data: bytes = DATA, *, back_ns: int = 5 * HOUR, who: str = "rob", piece: int = 70_001) -> Evidence:
        place = self.place
        from_ns = place.clock.now_ns() - back_ns
        kept_ns = place.do(who, lambda tx, actor: evidence.check_stated(tx, actor, from_ns, NOTE))
        with self.work.arrival(from_ns, NOTE, kept_ns, frozenset({who})) as arrival:
            for at in range(0, len(data), piece):
                arrival.write(data[at : at + piece])
            given = arrival.finish()

            def command(tx: Any, actor: Any) -> Evidence:
                row = evidence.add(tx, place.keys, actor, given)
                tx.after_commit(arrival.keep)
                return row

            return place.do(who, command)

    def started(self, row: Evidence) -> Authorisation:
        return self.place.started(**self.about(row))

    def about(self, row: Evidence) -> dict[str, Any]:
        where = {"cameras": (stand_in(row),), "from_ns": row.from_ns, "until_ns": row.until_ns}
        return {"live": False, "people": (person("A", seed=0),), **where}

    def search(self, asked: Authorisation) -> FootageSearch:
        self.place.do("rob", lambda tx, actor: begun(tx, actor, asked))
        self.retrospect.step()
        return self.place.look(FootageSearch, about_id=asked.authorisation_id)[0]

    def row(self, row: Evidence) -> Evidence:
        return self.place.look(Evidence, evidence_id=row.evidence_id)[0]

    def on_disk(self) -> list[Path]:
        return sorted(self.files.path.rglob("*.habf"))

    def destroyed(self) -> list[str]:
        return [json.loads(one.body)["why"] for one in self.place.look(Entry) if one.kind == "evidence.destroyed"]


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    with Installation(tmp_path, clock) as place:
        place.camera("c1")
        place.camera("far", "elsewhere")
        yield Desk(place)


# --- coming -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("D1")
@pytest.mark.parametrize("piece", [1 << 20, 70_001, 5 << 20])
def test_a_file_is_encrypted_as_it_comes_and_comes_back_whole_in_memory_only(desk: Desk, piece: int) -> None:
    row = desk.add(piece=piece)
    assert desk.measured == [DATA], "what the sealed worker gets"
    (path,) = desk.on_disk()
    stored = path.read_bytes()
    assert not any(DATA[at : at + 32] in stored for at in range(0, len(DATA), 4096))
    with reel_of(desk.means, desk.files, row.evidence_id) as reel:
        assert os.pread(reel.descriptor, 1 << 30, 0) == DATA
        assert (reel.places[0].size_bytes, reel.until_ns) == (len(DATA), row.until_ns)
    assert row.deadline_ns == desk.place.clock.now_ns() + 120 * HOUR
    assert desk.place.keys.expires_at_ns(row.key_id) == row.deadline_ns


@pytest.mark.rule("D8")
def test_what_is_too_large_or_empty_or_comes_too_slowly_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", len(DATA) - 1)
    with pytest.raises(InputError, match="larger than 512 MB"):
        desk.add()
    with pytest.raises(InputError, match="empty"):
        desk.add(b"")
    kept_ns = 120 * HOUR
    with pytest.raises(InputError, match="slowly"), desk.work.arrival(1, NOTE, kept_ns, ROB) as arrival:  # noqa: PT012
        arrival.write(DATA[: 2 << 20])
        assert desk.on_disk(), "the control: something came"
        desk.place.clock.advance(HOUR + NS_PER_S)
        arrival.write(b"more")
    assert_nothing(desk)


def assert_nothing(desk: Desk) -> None:
    assert desk.on_disk() == []
    assert desk.files.there() == []
    assert desk.place.keys.ids(Scope.EVIDENCE) == frozenset()
    assert desk.place.look(Evidence) == []


@pytest.mark.rule("D8")
def test_what_no_worker_can_read_leaves_nothing(desk: Desk) -> None:
    desk.broken = SourceError("this file cannot be read as video")
    with pytest.raises(SourceError):
        desk.add()
    assert_nothing(desk)
    desk.broken, desk.lasts_ns = None, 121 * HOUR
    with pytest.raises(InputError, match="longer than"):
        desk.add()
    assert_nothing(desk)
    desk.lasts_ns = LASTS_NS
    assert desk.add(), "the control"


@pytest.mark.rule("D1")
def test_whoever_is_no_requester_any_more_when_it_has_come_leaves_nothing(desk: Desk) -> None:
    from_ns = desk.place.clock.now_ns() - HOUR
    with desk.work.arrival(from_ns, NOTE, HOUR, ROB) as arrival:
        arrival.write(DATA)
        given = arrival.finish()
        rule = rule_of(lambda: desk.place.do("abe", lambda tx, actor: evidence.add(tx, desk.place.keys, actor, given)))
    assert rule == "role"
    assert_nothing(desk)


def test_four_files_come_at_once_and_what_comes_is_not_swept(desk: Desk) -> None:
    from contextlib import ExitStack  # noqa: PLC0415

    with ExitStack() as coming:
        arrivals = [
            coming.enter_context(desk.work.arrival(1, NOTE, HOUR, frozenset({f"a{n}"}))) for n in range(AT_ONCE)
        ]
        assert rule_of(lambda: coming.enter_context(desk.work.arrival(1, NOTE, HOUR, ROB))) == "evidence-number"
        arrivals[0].write(DATA)
        desk.work.end_due()
        desk.work.sweep()
        assert len(desk.on_disk()) == 1
        assert len(desk.place.keys.ids(Scope.EVIDENCE)) == AT_ONCE
    assert_nothing(desk)


@pytest.mark.rule("D8")
def test_one_file_of_a_person_comes_at_a_time(desk: Desk) -> None:
    """From whichever of their accounts; the next one may come after it."""
    second = frozenset({"rob", "rob-2"})
    with desk.work.arrival(1, NOTE, HOUR, ROB):
        assert rule_of(lambda: desk.work._begin(1, NOTE, HOUR, second)) == "evidence-number"
        with desk.work.arrival(1, NOTE, HOUR, frozenset({"rita"})):
            pass
    with desk.work.arrival(1, NOTE, HOUR, second):
        pass
    assert_nothing(desk)


@pytest.mark.rule("D8")
def test_the_next_byte_is_waited_for_30_seconds_and_to_the_end_of_the_hour(desk: Desk) -> None:
    with desk.work.arrival(1, NOTE, HOUR, ROB) as arrival:
        assert arrival.wait_s() == 30
        desk.place.clock.advance(HOUR - 7 * NS_PER_S)
        assert arrival.wait_s() == 7
        desk.place.clock.advance(HOUR)
        assert arrival.wait_s() == 0


@pytest.mark.rule("D2")
def test_what_a_crash_left_is_destroyed_at_the_next_start(desk: Desk) -> None:
    kept = desk.add()
    arrival = desk.work._begin(1, NOTE, HOUR, ROB)
    arrival.write(DATA)
    assert arrival._file is not None
    arrival._file.close()
    desk.begin()  # without a word, as after a crash
    desk.work.end_due()
    desk.work.sweep()
    assert desk.place.keys.ids(Scope.EVIDENCE) == {kept.key_id}
    assert [path.name for path in desk.files.path.iterdir()] == [kept.evidence_id]


def test_where_the_disk_is_full_nothing_is_taken(desk: Desk) -> None:
    desk.work = EvidenceWork(desk.means, desk.files, desk.measure, reserve_bytes=1 << 62)
    with pytest.raises(DiskError):
        desk.add()
    assert desk.on_disk() == []
    assert desk.place.keys.ids(Scope.EVIDENCE) == frozenset()


def test_a_file_counts_until_it_is_off_the_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST", 1)
    row = desk.add()
    desk.place.do("rob", lambda tx, actor: evidence.discard(tx, desk.place.keys, actor, row.evidence_id))
    desk.work.end_due()
    assert rule_of(lambda: desk.work._begin(1, NOTE, HOUR, ROB)) == "evidence-number"
    desk.work.sweep()
    desk.add()


@pytest.mark.rule("D2")
def test_what_is_discarded_while_it_is_shortened_is_not_said_to_be_shortened(desk: Desk) -> None:
    row, place = desk.add(), desk.place
    place.do("rob", lambda tx, actor: evidence.discard(tx, place.keys, actor, row.evidence_id))
    desk.work._shorten([row], HOUR)
    assert [one.kind for one in place.look(Entry) if one.kind == "evidence.shortened"] == []
    assert desk.row(row).deadline_ns == row.deadline_ns


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("D2")
def test_at_its_deadline_it_is_unreadable_and_its_key_and_file_go(desk: Desk) -> None:
    row, clock = desk.add(), desk.place.clock
    clock.advance(120 * HOUR - NS_PER_S)
    desk.work.end_due()
    reel_of(desk.means, desk.files, row.evidence_id).__exit__()
    clock.advance(NS_PER_S)
    with pytest.raises(KeyDestroyed):
        reel_of(desk.means, desk.files, row.evidence_id)
    with pytest.raises(KeyDestroyed):  # whatever the row says
        desk.files.in_memory(desk.place.keys, row.evidence_id, row.sha256, clock.now_ns())
    desk.work.end_due()
    assert not desk.place.keys.has(row.key_id)
    assert (desk.row(row).why, desk.destroyed()) == ("deadline", ["deadline"])
    desk.work.sweep()
    assert desk.files.there() == []
    desk.work.end_due()
    assert desk.destroyed() == ["deadline"], "once"


@pytest.mark.rule("D2")
def test_less_retention_holds_at_once_and_more_never_does(desk: Desk) -> None:
    row, place = desk.add(), desk.place

    def footage_h(hours: int) -> None:
        policy = place.propose_policy(footage_h=hours)
        for who in ("bea", "cid"):
            place.approve_policy(policy.policy_id, who)

    footage_h(50)
    desk.work.end_due()
    assert desk.row(row).deadline_ns == row.uploaded_at_ns + 50 * HOUR
    assert place.keys.expires_at_ns(row.key_id) == row.uploaded_at_ns + 50 * HOUR
    footage_h(100)
    place.advance(25 * HOUR)
    desk.work.end_due()
    assert desk.row(row).deadline_ns == row.uploaded_at_ns + 50 * HOUR
    later = desk.add()
    assert later.deadline_ns == later.uploaded_at_ns + 100 * HOUR
    footage_h(0)
    assert rule_of(desk.add) == "footage-ceiling"
    desk.work.end_due()
    desk.work.end_due()
    assert place.keys.ids(Scope.EVIDENCE) == frozenset()


@pytest.mark.rule("D6")
def test_it_goes_with_its_authorisation_and_the_log_says_so(desk: Desk) -> None:
    row, other = desk.add(), desk.add()
    asked = desk.started(row)
    desk.work.end_due()
    assert desk.destroyed() == []
    desk.place.revoke(asked.authorisation_id)
    assert not desk.place.keys.has(row.key_id)
    desk.work.end_due()
    desk.work.sweep()
    assert desk.destroyed() == ["authorisation"]
    assert desk.files.there() == [other.evidence_id]


@pytest.mark.rule("D6")
def test_an_end_that_the_row_missed_is_caught_by_the_clock(desk: Desk) -> None:
    """As in an older database, in which its authorisation is over or was never drafted."""
    row, lost = desk.add(), desk.add()
    asked = desk.started(row)
    with desk.place.store.write() as tx:
        tx.change(tx.get(Authorisation, asked.authorisation_id), state="revoked")
        tx.change(tx.get(Evidence, lost.evidence_id), authorisation_id="aut-none")
    desk.work.end_due()
    assert desk.destroyed() == ["authorisation"] * 2
    gone = desk.add()
    desk.place.keys.destroy([gone.key_id])
    desk.work.end_due()
    assert desk.destroyed()[2:] == ["key-gone"]
    assert desk.place.keys.ids(Scope.EVIDENCE) == frozenset()


@pytest.mark.rule("D6")
def test_what_is_discarded_goes_and_the_log_says_so(desk: Desk) -> None:
    row = desk.add()
    desk.place.do("rob", lambda tx, actor: evidence.discard(tx, desk.place.keys, actor, row.evidence_id))
    desk.work.end_due()
    desk.work.sweep()
    assert desk.destroyed() == ["discarded"]
    assert desk.files.there() == []


# --- searched ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("D5")
def test_what_matches_is_an_alert_from_evidence_once(desk: Desk) -> None:
    row = desk.add()
    asked = desk.started(row)
    done = desk.search(asked)
    assert desk.held == [DATA], "the worker gets the file"
    (alert,) = desk.place.look(Alert)
    assert (alert.camera_id, alert.zone, alert.from_footage) == (row.evidence_id, "evidence", True)
    assert alert.captured_at_ns == row.from_ns + LASTS_NS // 2
    assert (done.state, done.found, done.watched_ns, done.missing_ns) == (searches.DONE, 1, LASTS_NS, 0)
    assert rule_of(lambda: desk.search(asked)) == "searched-once"
    desk.retrospect.step()
    assert len(desk.looked) == 1
    (body,) = [json.loads(one.body) for one in desk.place.look(Entry) if one.kind == "footage.searched"]
    assert (body["cameras"], body["zones"]) == ([row.evidence_id], ["evidence"])


@pytest.mark.rule("D5")
def test_a_stranger_in_it_leaves_a_count_and_no_camera_is_counted(desk: Desk) -> None:
    desk.seed = 5
    done = desk.search(desk.started(desk.add()))
    assert desk.place.look(Alert) == []
    assert (done.tracks, done.found) == (1, 0)
    with desk.means.counting.taken() as counts, desk.means.searching.taken() as searched:
        assert not counts
        with desk.place.store.write() as tx:
            write_counts(tx, counts)
            write_searches(tx, searched, calibration="c", build="b")
    desk.place.advance(25 * HOUR)
    with desk.place.store.write() as tx:
        log_counts(tx)
        write_searches(tx, {}, calibration="c", build="b")
    (body,) = [json.loads(one.body) for one in desk.place.look(Entry) if one.kind == "search.counted"]
    assert (body["zone"], body["searches"]) == ("evidence", 1)


@pytest.mark.rule("D5")
def test_before_its_authorisation_is_active_and_after_it_is_gone_nothing_is_searched(desk: Desk) -> None:
    row = desk.add()
    asked = desk.place.submitted(**desk.about(row))
    assert rule_of(lambda: desk.search(asked)) == "state"
    for who in ("abe", "bea"):
        desk.place.approve(asked.authorisation_id, who)
    desk.place.clock.advance(71 * HOUR)
    late = desk.add()
    other = desk.started(late)
    desk.place.clock.advance(50 * HOUR)
    assert rule_of(lambda: desk.search(asked)) == "state", "72 hours are over"
    with desk.place.store.write() as tx:
        tx.change(tx.get(Evidence, late.evidence_id), deadline_ns=tx.now_ns)
    assert rule_of(lambda: desk.search(other)) == "state"
    assert desk.looked == []


@pytest.mark.rule("D7")
def test_what_lies_as_stated_in_any_suspension_is_not_looked_at_and_counted(desk: Desk) -> None:
    row = desk.add()
    asked = desk.started(row)
    from_ns = row.from_ns + 20 * NS_PER_S
    desk.place.suspend(zones=["elsewhere"], from_ns=from_ns, lasts_ns=15 * NS_PER_S)
    done = desk.search(asked)
    looked = [tuple((at_ns - row.from_ns) // NS_PER_S for at_ns in (one.from_ns, one.until_ns)) for one in desk.looked]
    assert looked == [(0, 20), (35, 60)]
    assert (done.suspended_ns, done.watched_ns) == (15 * NS_PER_S, 45 * NS_PER_S)


@pytest.mark.rule("D7")
def test_a_suspension_of_another_zone_that_reaches_back_stops_it_at_once(desk: Desk) -> None:
    row = desk.add()
    asked = desk.started(row)
    seen = desk.seen

    def suspending(reel: Reel, looking: Looking) -> Iterator[Screened]:
        desk.place.suspend(zones=["elsewhere"], from_ns=row.from_ns, lasts_ns=LASTS_NS)
        yield from seen(reel, looking)

    desk.script = suspending
    assert desk.search(asked).state == searches.RUNNING
    assert desk.place.look(Alert) == []
    desk.retrospect.step()
    (done,) = desk.place.look(FootageSearch)
    assert (done.state, done.suspended_ns) == (searches.DONE, LASTS_NS)


@pytest.mark.rule("D6")
@pytest.mark.parametrize("how", ["revoked", "key"])
def test_what_ends_meanwhile_stops_the_search_and_raises_nothing(desk: Desk, how: str) -> None:
    row = desk.add()
    asked = desk.started(row)
    seen = desk.seen

    def ending(reel: Reel, looking: Looking) -> Iterator[Screened]:
        if how == "revoked":
            desk.place.revoke(asked.authorisation_id)
        else:
            desk.place.keys.destroy([row.key_id])
        yield from seen(reel, looking)

    desk.script = ending
    desk.search(asked)
    assert desk.place.look(Alert) == []


@pytest.mark.rule("D2")
def test_a_search_whose_evidence_is_gone_is_no_search_that_was_done(desk: Desk) -> None:
    row = desk.add()
    asked = desk.started(row)
    desk.place.do("rob", lambda tx, actor: begun(tx, actor, asked))
    with desk.place.store.write() as tx:
        evidence.note_destroyed(tx, tx.get(Evidence, row.evidence_id), evidence.Why.DEADLINE)
    desk.place.gallery.refresh()
    desk.retrospect.step()
    assert desk.place.look(FootageSearch)[0].state == searches.ENDED
    assert desk.looked == []


@pytest.mark.rule("D8")
@pytest.mark.parametrize("how", ["changed", "missing", "cut"])
def test_a_file_that_was_changed_on_the_disk_is_counted_as_damaged(desk: Desk, how: str) -> None:
    asked = desk.started(desk.add())
    (path,) = desk.on_disk()
    if how == "changed":
        stored = bytearray(path.read_bytes())
        stored[len(stored) // 2] ^= 1
        path.write_bytes(bytes(stored))
    elif how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    done = desk.search(asked)
    assert (done.state, done.damaged, done.watched_ns, done.missing_ns) == (searches.DONE, 1, 0, LASTS_NS)
    assert desk.looked == []


@pytest.mark.rule("D8")
def test_a_file_that_ends_its_worker_is_counted_as_damaged(desk: Desk) -> None:
    def dying(_reel: Reel, looking: Looking) -> Iterator[Screened]:
        yield counted(looking, 0)
        raise InputError("it was ended by SIGSEGV")

    desk.script = dying
    done = desk.search(desk.started(desk.add()))
    assert (done.state, done.damaged) == (searches.DONE, 1)


def test_after_a_restart_it_is_gone_through_anew(desk: Desk) -> None:
    asked = desk.started(desk.add())
    seen = desk.seen

    def stopping(reel: Reel, looking: Looking) -> Iterator[Screened]:
        desk.retrospect.stop()
        yield from seen(reel, looking)

    desk.script = stopping
    assert desk.search(asked).state == searches.RUNNING
    desk.script = seen
    desk.begin()
    desk.retrospect.step()
    (done,) = desk.place.look(FootageSearch)
    assert (done.state, done.watched_ns, done.found) == (searches.DONE, LASTS_NS, 1)


@pytest.mark.rule("D4")
def test_nobody_else_is_searched_for_in_it(desk: Desk) -> None:
    row, now_ns = desk.add(), desk.place.clock.now_ns()
    other = desk.started(desk.add())
    live = desk.place.started(people=(person("B", seed=3),))
    for asked in (other, live):
        assert desk.place.gallery.footage_view(row.evidence_id, asked.authorisation_id, now_ns) is None
    mine = desk.started(row)
    view = desk.place.gallery.footage_view(row.evidence_id, mine.authorisation_id, now_ns)
    assert view is not None
    assert set(view.authorisation_ids.tolist()) == {mine.authorisation_id}
    assert desk.place.gallery.footage_view("c1", mine.authorisation_id, now_ns) is None


def test_uploads_of_several_threads_do_not_meet(desk: Desk) -> None:
    rows: list[Evidence] = []
    given = {"rob": b"a" * 9999, "rita": b"b" * 9999}
    threads = [threading.Thread(target=lambda who=who: rows.append(desk.add(given[who], who=who))) for who in given]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert {row.size_bytes for row in rows} == {9999}
    assert len({row.sha256 for row in rows}) == 2
    for row in rows:
        with reel_of(desk.means, desk.files, row.evidence_id) as reel:
            assert len(os.pread(reel.descriptor, 1 << 20, 0)) == 9999
    assert {desk.row(row).state for row in rows} == {State.KEPT.value}
