"""An access request: two check who asks, one search, findings judged by who looked, all of it gone at its end."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tests.installation import ADULT, DAY, HOUR, MODEL, Installation, person, rule_of, vector
from tests.replaying import differences, openings_of, replayed
from tests.unit.footage.bench import Bench, Tight
from tests.unit.node.test_matching import CALIBRATION
from tests.unit.node.test_retrospect import Scripted, counted

from habeas.accounts.roles import Actor
from habeas.audit.claims_access import access as claimed
from habeas.audit.history import History, said_of
from habeas.authority import notices
from habeas.authority.answering import told_listings
from habeas.authority.requests import EnrolledImage
from habeas.clock import ManualClock
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Reel, Screened, Screening
from habeas.errors import HabeasError, InputError, KeyDestroyed
from habeas.footage import access, findings
from habeas.footage.access import Document, Plea, State
from habeas.footage.evidence_files import EvidenceFiles
from habeas.footage.files import ACCESS, EVIDENCE, HELD
from habeas.footage.reading import Stretch, Window, read_window
from habeas.keys import Scope
from habeas.node.accessing import Accessing
from habeas.node.alerting import Means
from habeas.node.counting import Counting
from habeas.node.retrospect import Retrospect
from habeas.node.searching import Searching
from habeas.node.timekeeper import Timekeeper
from habeas.settings import DetectSettings
from habeas.store import Tx
from habeas.store.footage_records import AccessPhoto, AccessRequest, Finding, FootageSearch
from habeas.store.records import Alert, Camera, Entry
from habeas.types import HOUR_NS, NS_PER_S, ClosedTrack, OriginKind, Probe, Templates
from habeas.video.edge import origin

Script = Callable[[Reel, Looking], Iterator[Screened]]


class Asking:
    """An installation with a minute of footage of c1, and somebody who asks for theirs."""

    def __init__(self, place: Installation, bench: Bench) -> None:
        self.place, self.bench = place, bench
        self.problems: list[HabeasError] = []
        self.seed = 0
        self.looked: list[Looking] = []
        self.script: Script = self.seen
        self.began_ns = place.clock.now_ns()
        for segment in range(4):
            bench.record(segment, 16)
        bench.stop()
        self.ended_ns = place.clock.now_ns()
        place.gallery.refresh()
        place.gallery.go()
        self.copies = place.folder / ACCESS
        self.means = means = Means(
            place.store,
            place.keys,
            place.gallery,
            CALIBRATION,
            8,
            Timekeeper(place.clock, None),
            Counting(),
            Searching(),
            cooldown_ns=0,
            on_problem=self.problems.append,
            on_alert=lambda _alert_id: None,
        )
        worker = cast("Callable[[], Screening]", lambda: Scripted(self.script))
        self.accessing = Accessing(means, bench.folder, self.copies, worker, DetectSettings(), reserve_bytes=0)

    def seen(self, _reel: Reel, looking: Looking) -> Iterator[Screened]:
        """Find one face, twenty seconds after the beginning of what is looked at, for three seconds."""
        self.looked.append(looking)
        of = origin(OriginKind.FOOTAGE, looking.camera_id)
        yield Probe(
            origin=of,
            track_id=1,
            templates=Templates(vector(self.seed)[None], MODEL, of),
            box_xyxy_px=np.array([1, 2, 30, 40], np.float32),
            face_rgb=np.zeros((8, 8, 3), np.uint8),
            at_ns=20 * NS_PER_S,
            first_seen_ns=19 * NS_PER_S,
            captured_at_ns=looking.from_ns + 20 * NS_PER_S,
        )
        yield TrackEnd(of, ClosedTrack(1, 19 * NS_PER_S, 22 * NS_PER_S))
        yield counted(looking, looking.until_ns - looking.from_ns)

    def plea(self, **changes: Any) -> Plea:
        told: dict[str, Any] = {
            "name": "Ada Doe",
            "born": ADULT,
            "contact": "ada@example.org",
            "document": Document.PASSPORT,
            "photos": (EnrolledImage(b"a photograph", vector(0), MODEL, {"faces": 1}),),
            "cameras": ("c1",),
            "from_ns": self.began_ns,
            "until_ns": self.ended_ns,
        }
        return Plea(**{**told, **changes})

    def open(self, who: str = "pia", **changes: Any) -> AccessRequest:
        plea = self.plea(**changes)
        return self.place.do(who, lambda tx, actor: access.open_request(tx, self.place.keys, actor, plea))

    def approve(self, row: AccessRequest, who: str, content: str | None = None) -> AccessRequest:
        def command(tx: Tx, actor: Actor) -> AccessRequest:
            return access.approve(tx, actor, row.access_id, content or access.hash_of(tx, row))

        return self.place.do(who, command)

    def approved(self, **changes: Any) -> AccessRequest:
        row = self.open(**changes)
        for who in ("abe", "bea"):
            row = self.approve(row, who)
        return row

    def search(self, row: AccessRequest, who: str = "pia") -> FootageSearch:
        self.place.do(who, lambda tx, actor: access.begin_search(tx, actor, row.access_id))
        self.accessing.step()
        return self.place.look(FootageSearch, about_id=row.access_id)[0]

    def look(self, row: AccessRequest, finding: Finding, who: str = "pia") -> bytes:
        keys = self.place.keys
        return self.place.do(who, lambda tx, actor: findings.look(tx, keys, actor, row.access_id, finding.finding_id))

    def judge(self, row: AccessRequest, finding: Finding, who: str = "pia", *, same: bool = True) -> Finding:
        ids = row.access_id, finding.finding_id
        return self.place.do(who, lambda tx, actor: findings.judge(tx, actor, *ids, same=same))

    def close(self, row: AccessRequest, who: str = "pia") -> AccessRequest:
        return self.place.do(who, lambda tx, actor: access.close(tx, self.place.keys, actor, row.access_id))

    def found(self, row: AccessRequest) -> Finding:
        self.search(row)
        (finding,) = self.place.look(Finding)
        return finding

    def kept(self, row: AccessRequest) -> list[Stretch]:
        window = Window("c1", self.began_ns, self.ended_ns)
        folder, keys = self.accessing.copies(row.access_id), self.place.keys
        read = read_window(folder, keys, Scope.ACCESS, window, self.place.clock.now_ns())
        return [one for one in read if isinstance(one, Stretch)]

    def entries(self, kind: str) -> list[dict[str, object]]:
        return [json.loads(one.body) for one in self.place.look(Entry) if one.kind == kind]


@pytest.fixture
def asking(tmp_path: Path, clock: ManualClock) -> Iterator[Asking]:
    clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
    with Installation(tmp_path, clock) as place:
        for name in ("c1", "c2"):
            place.camera(name)
        yield Asking(place, Bench(place, Tight(tmp_path / "footage")))


# --- who may ask, and how much ----------------------------------------------------------------------------------------


@pytest.mark.rule("X1")
def test_two_approvers_who_did_not_open_it_approve_it(asking: Asking) -> None:
    row = asking.open()
    assert rule_of(lambda: asking.approve(row, "pia")) == "role"
    assert rule_of(lambda: asking.approve(row, "abe", "0" * 64)) == "content-changed"
    assert asking.approve(row, "abe").state == State.OPENED.value
    assert rule_of(lambda: asking.approve(row, "abe")) == "two-persons"
    assert rule_of(lambda: asking.search(row)) == "state"
    assert asking.approve(row, "bea").state == State.APPROVED.value
    assert rule_of(lambda: asking.approve(row, "cid")) == "state"


@pytest.mark.rule("X1")
@pytest.mark.parametrize("who", ["rob", "abe", "ann", "opal", "aud", "token:pia"])
def test_only_a_privacy_officer_who_is_logged_in_opens_one(asking: Asking, who: str) -> None:
    assert rule_of(lambda: asking.open(who)) in {"role", "login-needed"}
    assert asking.place.look(AccessRequest) == []


@pytest.mark.rule("X2")
def test_at_most_eight_camera_hours_of_what_is_over(asking: Asking) -> None:
    asking.place.clock.advance(8 * HOUR)
    from_ns = asking.began_ns
    assert rule_of(lambda: asking.open(until_ns=from_ns + 8 * HOUR + 1)) == "access-hours"
    assert rule_of(lambda: asking.open(cameras=("c1", "c2"), until_ns=from_ns + 4 * HOUR + 1)) == "access-hours"
    assert rule_of(lambda: asking.open(until_ns=asking.place.clock.now_ns() + 1)) == "hold-interval"
    assert asking.open(cameras=("c1", "c2"), until_ns=from_ns + 4 * HOUR).state == State.OPENED.value


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"contact": "x"},
        {"cameras": ()},
        {"cameras": ("nosuch",)},
        {"photos": ()},
        {"born": date(1790, 1, 1)},
        {"from_ns": 1, "until_ns": 2},
    ],
)
def test_what_says_too_little_or_cannot_be_is_refused(asking: Asking, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        asking.open(**changes)


# --- the search -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("X3")
def test_what_looks_like_them_is_a_finding_and_no_alert(asking: Asking) -> None:
    row = asking.approved()
    done = asking.search(row)
    (finding,) = asking.place.look(Finding)
    with asking.place.store.read() as tx:
        found = findings.found_of(asking.place.keys, tx.get(AccessRequest, row.access_id), finding)
    assert found is not None
    assert (found.camera_id, found.captured_at_ns) == ("c1", asking.began_ns + 20 * NS_PER_S)
    assert found.from_ns == asking.began_ns + 19 * NS_PER_S
    assert found.until_ns == asking.began_ns + 23 * NS_PER_S
    assert found.box_xyxy_px == (1, 2, 30, 40)
    assert (done.state, done.found, done.tracks) == ("done", 1, 1)
    assert asking.place.look(Alert) == []
    assert rule_of(lambda: asking.search(row)) == "searched-once"
    (said,) = asking.entries("access.searched")
    assert said["access"] == row.access_id
    assert b"c1" not in (finding.found_sealed or b"")


@pytest.mark.rule("X3")
def test_others_leave_nothing(asking: Asking) -> None:
    asking.seed = 7
    done = asking.search(asking.approved())
    assert (done.found, asking.place.look(Finding)) == (0, [])


@pytest.mark.rule("X3")
def test_nobody_listed_is_compared_and_nobody_is_watched(asking: Asking) -> None:
    place = asking.place
    place.started(people=(person("B", seed=3),), cameras=tuple(place.look(Camera, camera_id="c2")))
    asking.seed = 3
    asking.search(asking.approved())
    assert place.look(Finding) == place.look(Alert) == []
    assert place.gallery.view("c1", place.clock.now_ns()) is None


@pytest.mark.rule("X3")
def test_what_searches_under_authorisations_leaves_requests_alone(asking: Asking) -> None:
    row = asking.approved()
    asking.place.do("pia", lambda tx, actor: access.begin_search(tx, actor, row.access_id))
    worker = cast("Callable[[], Screening]", lambda: Scripted(asking.script))
    folder = asking.bench.folder
    places = folder, asking.place.folder / HELD, EvidenceFiles(asking.place.folder / EVIDENCE)
    Retrospect(asking.means, *places, worker, DetectSettings(), at_once=1).step()
    assert asking.looked == []
    assert asking.place.look(FootageSearch)[0].state == "running"


@pytest.mark.rule("X3")
def test_what_was_captured_in_a_suspension_is_not_searched(asking: Asking) -> None:
    row = asking.approved()
    asking.place.suspend(names=("c1",), from_ns=asking.began_ns, lasts_ns=HOUR)
    done = asking.search(row)
    assert (asking.looked, done.suspended_ns) == ([], asking.ended_ns - asking.began_ns)


@pytest.mark.rule("X3")
def test_a_suspension_that_reaches_back_takes_findings_away(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.place.suspend(names=("c1",), from_ns=asking.began_ns, lasts_ns=HOUR)
    with pytest.raises(InputError):
        asking.look(row, finding)
    asking.accessing.end_due()
    (dropped,) = asking.place.look(Finding)
    assert (dropped.state, dropped.image_sealed, dropped.found_sealed) == (findings.DROPPED, None, None)
    assert rule_of(lambda: asking.judge(row, finding)) == "once-each"


@pytest.mark.rule("X5")
def test_closed_in_the_middle_it_stops(asking: Asking) -> None:
    row = asking.approved()
    seen = asking.seen

    def closing(reel: Reel, looking: Looking) -> Iterator[Screened]:
        asking.close(row)
        yield from seen(reel, looking)

    asking.script = closing
    assert asking.search(row).state == "ended"
    assert asking.place.look(Finding) == []


def test_a_search_that_did_not_end_finds_nothing_twice(asking: Asking) -> None:
    row = asking.approved()
    asking.search(row)
    (search,) = asking.place.look(FootageSearch)
    with asking.place.store.write() as tx:
        tx.change(search, state="running", done=())
    asking.accessing.step()
    assert len(asking.looked) == 2
    assert len(asking.place.look(Finding)) == 1


@pytest.mark.rule("X3")
def test_two_side_by_side_are_two_findings(asking: Asking) -> None:
    """Whoever walks beside them and looks like them keeps nobody out."""
    row = asking.approved()
    seen = asking.seen

    def beside(reel: Reel, looking: Looking) -> Iterator[Screened]:
        for one in seen(reel, looking):
            yield one
            if isinstance(one, Probe):
                there = np.array([101, 2, 130, 40], np.float32)
                yield dataclasses.replace(one, track_id=2, box_xyxy_px=there)

    asking.script = beside
    assert asking.search(row).found == 2


# --- findings ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("X4")
def test_a_finding_is_judged_once_by_a_privacy_officer_who_looked(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    assert rule_of(lambda: asking.judge(row, finding)) == "look-first"
    assert rule_of(lambda: asking.look(row, finding, "abe")) == "role"
    assert asking.look(row, finding).startswith(b"\xff\xd8")
    assert rule_of(lambda: asking.judge(row, finding, "paul")) == "look-first"
    assert asking.judge(row, finding).state == findings.SAME
    assert rule_of(lambda: asking.judge(row, finding, same=False)) == "once-each"
    assert len(asking.entries("view.finding")) == 1


@pytest.mark.rule("X4")
def test_of_what_shows_them_the_footage_outlives_its_deadline_until_the_request_is_closed(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.judge(row, finding)
    assert asking.accessing.keep(row.access_id, finding.finding_id) == pytest.approx(14, abs=1)
    asking.bench.change_policy(footage_h=1)
    asking.place.clock.advance(DAY)
    asking.bench.end_due()
    asking.accessing.end_due()
    kept = asking.kept(row)
    assert [one.header.began_ns - asking.began_ns for one in kept] == [0, 15 * NS_PER_S]
    assert asking.accessing.keep(row.access_id, finding.finding_id) > 0, "again, of the copies"
    asking.close(row)
    assert asking.kept(row) == []
    asking.accessing.end_due()
    assert not list(asking.copies.glob("*"))


@pytest.mark.rule("X4")
def test_what_was_confirmed_and_not_copied_is_copied_by_the_clock(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.judge(row, finding)
    assert asking.kept(row) == [], "the node ended before it could"
    asking.accessing.end_due()
    assert len(asking.kept(row)) == 2
    assert asking.place.look(Finding)[0].kept_at_ns == asking.place.clock.now_ns()


@pytest.mark.rule("X3")
def test_two_faces_in_one_second_are_two_findings(asking: Asking) -> None:
    def two(reel: Reel, looking: Looking) -> Iterator[Screened]:
        probe, ended, total = asking.seen(reel, looking)
        assert isinstance(probe, Probe)
        assert isinstance(ended, TrackEnd)
        beside = np.array([60, 2, 90, 40], np.float32)
        yield probe
        yield dataclasses.replace(probe, track_id=2, box_xyxy_px=beside)
        yield ended
        yield TrackEnd(ended.origin, dataclasses.replace(ended.track, track_id=2))
        yield total

    asking.script = two
    assert asking.search(asking.approved()).found == 2
    assert len(asking.place.look(Finding)) == 2


@pytest.mark.rule("X4")
def test_of_what_shows_somebody_else_nothing_is_kept(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    judged = asking.judge(row, finding, same=False)
    assert (judged.state, judged.found_sealed, judged.image_sealed) == (findings.DIFFERENT, None, None)
    with pytest.raises(InputError):
        asking.accessing.keep(row.access_id, finding.finding_id)
    assert not list(asking.copies.glob("*"))


def test_footage_that_went_before_it_was_judged_is_said(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.judge(row, finding)
    asking.place.clock.advance(121 * HOUR)
    asking.bench.end_due()
    with pytest.raises(InputError, match="is gone"):
        asking.accessing.keep(row.access_id, finding.finding_id)


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("X5")
def test_at_its_end_what_names_or_shows_somebody_is_destroyed(asking: Asking) -> None:
    row = asking.approved()
    finding = asking.found(row)
    keys = asking.place.keys
    before = dataclasses.replace(row)
    (photo,) = asking.place.look(AccessPhoto)
    assert access.image_of(keys, row, photo) == b"a photograph"
    closed = asking.close(row)
    assert (closed.state, closed.asked_sealed) == (State.CLOSED.value, None)
    assert [one.image_sealed for one in asking.place.look(AccessPhoto)] == [None]
    assert [one.found_sealed for one in asking.place.look(Finding)] == [None]
    assert not keys.has(row.key_id)
    for opened in (
        lambda: access.image_of(keys, row, photo),
        lambda: access.asked_of(keys, before),
        lambda: findings.found_of(keys, row, finding),
    ):
        with pytest.raises(KeyDestroyed):
            opened()
    asking.accessing.end_due()
    assert [one["access"] for one in asking.entries("access.destroyed")] == [row.access_id]
    assert rule_of(lambda: asking.close(row)) == "state"


@pytest.mark.rule("X5")
def test_the_log_of_a_request_holds_and_comes_to_what_the_rows_say(asking: Asking) -> None:
    row = asking.approved()
    asking.look(row, finding := asking.found(row))
    asking.judge(row, finding)
    asking.close(row)
    asking.open()
    asking.accessing.step()
    asking.place.clock.advance(DAY)
    keys = asking.place.keys
    with asking.place.store.read() as tx:
        assert differences(replayed(tx, keys), tx, keys) == []
        history = History()
        for index, one in enumerate(openings_of(tx, keys)):
            history.add(said_of(one["opening"], one["hidden"], index))
    assert claimed(history) == 2


@pytest.mark.rule("X5")
def test_refused_it_is_destroyed_too_and_nobody_refuses_their_own(asking: Asking) -> None:
    row = asking.open()

    def refused(tx: Tx, actor: Actor) -> AccessRequest:
        return access.refuse(tx, asking.place.keys, actor, row.access_id)

    assert rule_of(lambda: asking.place.do("pia", refused)) == "role"
    assert asking.place.do("abe", refused).state == State.REFUSED.value
    assert not asking.place.keys.has(row.key_id)


@pytest.mark.rule("X6")
def test_its_deadline_is_told_and_after_three_months_the_clock_closes_it(asking: Asking) -> None:
    row = asking.approved()
    told = access.summary(row, asking.place.clock.now_ns())
    assert (told["overdue"], told["left_s"]) == (False, 28 * 86400.0)
    late = access.summary(row, asking.place.clock.now_ns() + 29 * DAY)
    assert (late["overdue"], late["left_s"]) == (True, -86400.0)
    asking.place.clock.advance(92 * DAY)
    assert rule_of(lambda: asking.search(row)) == "state"
    asking.accessing.end_due()
    asking.accessing.end_due()
    (ended,) = asking.place.look(AccessRequest)
    assert (ended.state, ended.destroyed_at_ns) == (State.CLOSED.value, asking.place.clock.now_ns())


# --- was I listed? ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("X7")
def test_what_ended_and_may_be_told_is_told_and_nothing_that_is_active(asking: Asking) -> None:
    place = asking.place
    began_ns = place.clock.now_ns()
    told = place.started(people=(person("Ada Doe", ADULT),))
    place.clock.advance(HOUR)
    place.revoke(told.authorisation_id)
    place.do("rob", lambda tx, actor: notices.note_notified(tx, actor, told.authorisation_id))
    waits = place.started(people=(person("ADA DOÉ", ADULT),))
    place.clock.advance(HOUR)
    place.revoke(waits.authorisation_id)
    place.started(people=(person("doe ada", ADULT),))
    place.started(people=(person("Ada Doe", date(1981, 1, 1)),))

    def listed(from_ns: int, until_ns: int, name: str = "Ada Doe") -> list[object]:
        with place.store.read() as tx:
            found = told_listings(tx, place.keys, name, ADULT, from_ns=from_ns, until_ns=until_ns)
            return [one["authorisation"] for one in found]

    now_ns = place.clock.now_ns()
    assert listed(began_ns, now_ns + 1) == [told.authorisation_id]
    assert listed(began_ns - DAY, began_ns) == []
    assert listed(began_ns, now_ns + 1, "Bea Roe") == []
    place.clock.advance(31 * DAY)
    assert listed(began_ns, now_ns + 1) == [told.authorisation_id, waits.authorisation_id], "its notice is due"
