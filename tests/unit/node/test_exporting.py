"""Exports: redacted and bound by a hash, two approve, encrypted to one recipient, gone with the hold or the request."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of
from tests.unit.footage.bench import Bench, Tight
from tests.unit.footage.holder import Holder
from tests.unit.node.test_accessing import Asking

from habeas.accounts.roles import Actor, Role
from habeas.audit import parcel
from habeas.audit.parcel import check, content_of, pack
from habeas.clock import ManualClock
from habeas.engine.redacting import Examination, Redacted, Redacting, Seen
from habeas.engine.screening import Looking, Reel
from habeas.errors import InputError, KeyDestroyed, SourceError
from habeas.footage import exports
from habeas.footage.doubts import Doubt, What
from habeas.footage.exports import PASSPHRASE, Asked, Box, State
from habeas.footage.files import ACCESS, EXPORTS, HELD
from habeas.footage.findings import Found, found_of
from habeas.footage.redaction import Wish
from habeas.keys import new_identity
from habeas.node.exporting import Exporting, check_spared, kept_tracks
from habeas.store import Tx
from habeas.store.footage_records import Export, Finding, Hold
from habeas.store.records import Camera, Entry
from habeas.types import NS_PER_S

ME = new_identity()


@dataclass
class Painter:
    """A worker that redacts as a test says."""

    tracks: dict[int, Seen] = field(default_factory=dict)
    films: list[Looking] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    fails: bool = False
    killed: int = 0
    on_examine: Callable[[], None] | None = None
    on_paint: Callable[[], None] | None = None

    def examine(
        self, reel: Reel, looking: Looking, _on_probe: object, on_done: Callable[[int], None], *, compared: bool
    ) -> Examination:
        assert not compared, "nobody is compared for an export"
        assert reel.places
        if self.fails:
            raise SourceError("it cannot be read")
        self.films.append(looking)
        on_done((looking.until_ns - looking.from_ns) // 2)
        if self.on_examine is not None:
            self.on_examine()
        doubt = Doubt(What.FAINT, 1, looking.from_ns, looking.from_ns, (0.0, 0.0, 9.0, 9.0))
        return Examination(1, looking, 25, (640, 480), self.tracks, (doubt,), 3, ("a flaw",))

    def paint(
        self,
        examination: Examination,
        wish: Wish,
        on_piece: Callable[[bytes], None],
        on_done: Callable[[int], None],
    ) -> Redacted:
        self.wishes.append(wish)
        on_done((examination.looking.until_ns - examination.looking.from_ns) * 3 // 4)
        if self.on_paint is not None:
            self.on_paint()
        on_piece(b"a film ")
        on_piece(str(len(self.wishes)).encode())
        kept = tuple(sorted(wish.keep))
        return Redacted(25, 8, "", {"detected": 3}, (0,), kept, wish.by_hand, (), 2)

    def kill(self) -> None:
        """End."""
        self.killed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """End."""


class Exporter:
    """An installation with a minute of footage that is held, and whoever exports it."""

    def __init__(self, asking: Asking) -> None:
        self.asking, self.place = asking, asking.place
        self.holder = Holder(asking.bench, asking.place.folder / HELD)
        self.painter = Painter()
        self.folder = asking.place.folder / EXPORTS
        self.exporting = self.begin()

    def begin(self) -> Exporting:
        folder = self.place.folder
        worker = cast("Callable[[], Redacting]", lambda: self.painter)
        means = self.asking.accessing._means
        return Exporting(means, folder / HELD, folder / ACCESS, self.folder, worker, reserve_bytes=0)

    def hold(self) -> Hold:
        self.holder.plenty()
        self.place.clock.advance(HOUR)
        hold = self.holder.approved(self.asking.began_ns, self.asking.ended_ns)
        self.holder.step()
        return self.place.look(Hold, hold_id=hold.hold_id)[0]

    def make(self, about: str, who: str = "rob", **changes: Any) -> Export:
        asked = Asked(about, **changes)
        row = self.place.do(who, lambda tx, actor: exports.begin(tx, self.place.keys, actor, asked))
        self.exporting.step()
        return self.now(row)

    def now(self, row: Export) -> Export:
        return self.place.look(Export, export_id=row.export_id)[0]

    def propose(self, row: Export, to: str = ME.recipient, who: str = "rob") -> Export:
        keys = self.place.keys
        return self.place.do(who, lambda tx, actor: exports.propose(tx, keys, actor, row.export_id, to))

    def approve(self, row: Export, who: str, content: str | None = None) -> Export:
        def command(tx: Tx, actor: Actor) -> Export:
            shown = content or exports.hash_of(self.place.keys, tx.get(Export, row.export_id))
            return exports.approve(tx, self.place.keys, actor, row.export_id, shown)

        return self.place.do(who, command)

    def approved(self, row: Export) -> Export:
        self.propose(row)
        for who in ("abe", "bea"):
            self.approve(row, who)
        return self.now(row)

    def box(self, row: Export, box: Box, who: str = "rob") -> Export:
        keys = self.place.keys
        return self.place.do(who, lambda tx, actor: exports.add_boxes(tx, keys, actor, row.export_id, [box]))

    def fetchable(self, row: Export, who: str) -> Export:
        return self.place.do(who, lambda tx, actor: exports.fetchable(tx, self.place.keys, actor, row.export_id))

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.place.look(Entry) if one.kind == kind]


@pytest.fixture
def exporter(tmp_path: Path, clock: ManualClock) -> Iterator[Exporter]:
    clock.advance(HOUR - clock.now_ns() % HOUR)
    with Installation(tmp_path, clock) as place:
        for name in ("c1", "c2"):
            place.camera(name)
        yield Exporter(Asking(place, Bench(place, Tight(tmp_path / "footage"))))


def box_of(exporter: Exporter, *, spare: bool = False) -> Box:
    began_ns = exporter.asking.began_ns
    return Box("c1", began_ns, began_ns + NS_PER_S, (1.0, 2.0, 30.0, 40.0), spare)


# --- making -----------------------------------------------------------------------------------------------------------


def test_how_far_it_is_is_told_while_a_segment_is_redacted(exporter: Exporter) -> None:
    hold, told = exporter.hold(), []

    def ask() -> None:
        (row,) = exporter.place.look(Export)
        told.append(exporter.exporting.progress(row.export_id))

    exporter.painter.on_examine = exporter.painter.on_paint = ask
    row = exporter.make(hold.hold_id)
    lasts_s = (exporter.asking.ended_ns - exporter.asking.began_ns) / NS_PER_S
    assert told == [int(lasts_s / 2), int(lasts_s * 3 / 4)]
    assert exporter.exporting.progress(row.export_id) == 0, "it is made"


@pytest.mark.rule("E5")
def test_what_is_held_is_redacted_and_nobody_is_spared(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id)
    assert (row.state, len(row.films)) == (State.READY.value, 1)
    assert exporter.painter.wishes == [Wish()]
    (looking,) = exporter.painter.films
    assert (looking.from_ns, looking.until_ns) == (exporter.asking.began_ns, exporter.asking.ended_ns)
    assert exporter.exporting.film(row, 0) == b"a film 1"
    (report,) = exports.reports_of(exporter.place.keys, row).values()
    assert (report["doubts_in_all"], report["suspended"], report["flaws"]) == (5, False, 1)
    assert [one["what"] for one in report["doubts"]] == ["faint"]
    assert exporter.entries("export.made")[0]["doubts"] == 5
    assert b"a film" not in b"".join(path.read_bytes() for path in exporter.folder.rglob("*.habf"))


def test_boxes_by_hand_redact_it_again_and_void_what_was_proposed(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id, boxes=(box_of(exporter),))
    assert exporter.painter.wishes[0].by_hand == (box_of(exporter).by_hand(),)
    exporter.propose(row)
    old = exports.hash_of(exporter.place.keys, exporter.now(row))
    exporter.approve(row, "abe")
    assert exporter.box(row, box_of(exporter, spare=True)).state == State.REDACTING.value
    exporter.exporting.step()
    assert [one.spare for one in exporter.painter.wishes[1].by_hand] == [False, True]
    assert exporter.exporting.film(exporter.now(row), 0) == b"a film 2"
    exporter.propose(row)
    assert rule_of(lambda: exporter.approve(row, "bea", old)) == "content-changed"
    assert exporter.approve(row, "bea").state == State.PROPOSED.value, "an approval of the old films counts no more"
    assert exporter.approve(row, "abe").state == State.APPROVED.value


def test_what_cannot_be_made_says_why(exporter: Exporter) -> None:
    hold = exporter.hold()
    exporter.painter.fails = True
    failed = exporter.make(hold.hold_id)
    assert (failed.state, failed.failure) == (State.FAILED.value, "its footage cannot be redacted")
    assert rule_of(lambda: exporter.propose(failed)) == "state"
    with pytest.raises(InputError, match="other cameras"):
        exporter.make(hold.hold_id, cameras=("c2",))
    with pytest.raises(InputError, match="nothing of this interval"):
        exporter.make(hold.hold_id, from_ns=hold.until_ns, until_ns=hold.until_ns + 1)
    with pytest.raises(InputError):
        exporter.make(hold.hold_id, boxes=(replace(box_of(exporter), box_xyxy_px=(5, 5, 5, 5)),))
    for wrong in ({"camera_id": "c2"}, {"from_ns": 1, "until_ns": 2}):
        with pytest.raises(InputError, match="no picture"):
            exporter.make(hold.hold_id, boxes=(replace(box_of(exporter), **wrong),))
    assert rule_of(lambda: exporter.make(hold.hold_id, "rita")) == "own-draft"
    assert rule_of(lambda: exporter.make(hold.hold_id, "abe")) == "role"
    assert rule_of(lambda: exporter.make(hold.hold_id, "token:rob")) == "login-needed"


@pytest.mark.rule("E5")
def test_in_a_suspension_nobody_is_spared_but_by_hand(exporter: Exporter) -> None:
    asking = exporter.asking
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.judge(row, finding)
    asking.accessing.keep(row.access_id, finding.finding_id)
    place_ns = asking.began_ns + 20 * NS_PER_S
    exporter.painter.tracks = {7: Seen(7, 0.9, 5, ((place_ns, (1.0, 2.0, 30.0, 40.0)),))}
    spared = exporter.make(row.access_id, "pia")
    assert exporter.painter.wishes[-1].keep == {7}
    assert spared.state == State.READY.value
    exporter.place.suspend(names=("c1",), from_ns=place_ns, lasts_ns=NS_PER_S)
    exporter.make(row.access_id, "pia")
    assert exporter.painter.wishes[-1].keep == frozenset()


@pytest.mark.rule("E5")
def test_of_a_request_only_what_is_around_confirmed_findings_is_exported(exporter: Exporter) -> None:
    asking = exporter.asking
    row = asking.approved()
    finding = asking.found(row)
    asking.look(row, finding)
    asking.judge(row, finding)
    asking.accessing.keep(row.access_id, finding.finding_id)
    found = found_of(asking.place.keys, row, asking.place.look(Finding, finding_id=finding.finding_id)[0])
    assert found is not None
    ((_name, _camera, from_ns, until_ns, _sha256),) = exporter.make(row.access_id, "pia").films
    assert from_ns == max(row.from_ns, found.from_ns - 5 * NS_PER_S) > asking.began_ns
    assert until_ns <= found.until_ns + 5 * NS_PER_S < row.until_ns


def spared_by(box: Box, *places: tuple[int, tuple[float, float, float, float]]) -> str:
    """What is said of a box that spares, in a film with a track at each of these places from beginning to end."""
    began_ns, end_ns = box.from_ns, box.until_ns
    tracks = {number: Seen(number, 0.9, 2, ((began_ns, at), (end_ns, at))) for number, at in places}
    try:
        check_spared(Examination(1, cast("Looking", None), 1, (640, 360), tracks, (), 0, ()), [box.by_hand()])
    except InputError as error:
        return error.message
    return ""


@pytest.mark.rule("E5")
def test_a_box_spares_one_face_and_not_a_picture() -> None:
    around = Box("c1", 0, NS_PER_S, (100.0, 100.0, 160.0, 180.0), spare=True)
    one, other = (110.0, 110.0, 140.0, 150.0), (120.0, 120.0, 150.0, 160.0)
    assert spared_by(around, (1, one)) == ""
    assert spared_by(around, (1, one), (2, (300.0, 110.0, 330.0, 150.0))) == ""
    assert "two faces" in spared_by(around, (1, one), (2, other))
    assert "larger than a head" in spared_by(replace(around, box_xyxy_px=(-9e5, -9e5, 9e5, 9e5)), (1, one))
    assert spared_by(replace(around, box_xyxy_px=(0.0, 0.0, 640.0, 360.0), spare=False)) == ""


@pytest.mark.rule("E5")
def test_where_two_faces_are_at_the_place_of_a_finding_neither_is_spared() -> None:
    found = Found("c1", 5 * NS_PER_S, 0, 9 * NS_PER_S, (300.0, 100.0, 340.0, 150.0), 0.7, 0.5)
    stands = Seen(1, 0.9, 2, ((0, found.box_xyxy_px), (10 * NS_PER_S, found.box_xyxy_px)))
    crosses = Seen(2, 0.9, 2, ((0, (0.0, 100.0, 40.0, 150.0)), (10 * NS_PER_S, (600.0, 100.0, 640.0, 150.0))))
    there = Examination(1, cast("Looking", None), 1, (640, 360), {1: stands, 2: crosses}, (), 0, ())
    assert kept_tracks(there, [found]) == frozenset()
    assert kept_tracks(replace(there, tracks={1: stands}), [found]) == {1}


@pytest.mark.rule("E6")
def test_a_role_that_was_taken_away_fetches_and_sees_nothing(exporter: Exporter) -> None:
    row = exporter.approved(exporter.make(exporter.hold().hold_id))
    assert exporter.fetchable(row, "rob").export_id == row.export_id
    exporter.place.revoke_role("rob", Role.REQUESTER)
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "role"
    assert rule_of(lambda: exporter.place.do("rob", lambda tx, who: exports.check_sees(tx, who, row))) == "playback"


def test_there_are_not_too_many_and_a_worker_says_nothing_of_its_own(exporter: Exporter) -> None:
    hold = exporter.hold()
    for _ in range(exports.MOST_OF_ONE):
        exporter.make(hold.hold_id)
    assert rule_of(lambda: exporter.make(hold.hold_id)) == "export-number"
    discard(exporter, exporter.place.look(Export)[0], "rob")
    assert exporter.make(hold.hold_id).state == State.READY.value, "what was discarded is none of them"


def test_a_track_is_spared_where_and_when_the_finding_is() -> None:
    found = Found("c1", 5 * NS_PER_S, 0, 9 * NS_PER_S, (10.0, 10.0, 20.0, 20.0), 0.7, 0.5)
    looking = cast("Looking", None)

    def spared(*places: tuple[int, tuple[float, float, float, float]]) -> bool:
        seen = Seen(1, 0.9, len(places), places)
        return kept_tracks(Examination(1, looking, 1, (1, 1), {1: seen}, (), 0, ()), [found]) == {1}

    assert spared((4 * NS_PER_S, (0.0, 10.0, 10.0, 20.0)), (6 * NS_PER_S, (20.0, 10.0, 30.0, 20.0)))
    assert not spared((4 * NS_PER_S, (50.0, 10.0, 60.0, 20.0)), (6 * NS_PER_S, (70.0, 10.0, 80.0, 20.0)))
    assert not spared((6 * NS_PER_S, (10.0, 10.0, 20.0, 20.0)), (7 * NS_PER_S, (10.0, 10.0, 20.0, 20.0)))


# --- deciding ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("E6")
def test_two_approvers_who_did_not_ask_for_it_approve_it(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id)
    assert rule_of(lambda: exporter.approve(row, "abe")) == "state"
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "state"
    exporter.propose(row)
    assert rule_of(lambda: exporter.approve(row, "rob")) == "own-request"
    assert rule_of(lambda: exporter.approve(row, "pia")) == "role"
    assert rule_of(lambda: exporter.approve(row, "abe", "0" * 64)) == "content-changed"
    assert exporter.approve(row, "abe").state == State.PROPOSED.value
    assert rule_of(lambda: exporter.approve(row, "abe")) == "two-persons"
    assert exporter.approve(row, "bea").state == State.APPROVED.value
    assert exporter.fetchable(row, "rob").approved_seq is not None
    assert rule_of(lambda: exporter.fetchable(row, "opal")) == "role"
    assert rule_of(lambda: exporter.box(row, box_of(exporter))) == "state"


@pytest.mark.rule("E6")
def test_another_recipient_is_another_approval(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id)
    exporter.propose(row)
    exporter.approve(row, "abe")
    exporter.propose(row, new_identity().recipient)
    assert exporter.approve(row, "bea").state == State.PROPOSED.value
    with pytest.raises(InputError):
        exporter.propose(row, "age1nobody")


@pytest.mark.rule("E7")
def test_whole_films_are_for_a_court_by_its_document_and_key(exporter: Exporter) -> None:
    hold = exporter.hold()
    with pytest.raises(InputError, match="empty"):
        exporter.make(hold.hold_id, decision=b"")
    row = exporter.make(hold.hold_id, decision=b"in the name of the people")
    assert exporter.painter.films == []
    assert len(row.films) == 4
    assert exporter.exporting.film(row, 0) == b"c1 0 0" + b"".join(b"c1 0 %d" % n for n in range(1, 16))
    assert rule_of(lambda: exporter.propose(row, PASSPHRASE)) == "export-whole"
    assert exporter.propose(row).recipient == ME.recipient
    asked = exporter.asking.approved()
    assert rule_of(lambda: exporter.make(asked.access_id, "pia", decision=b"x")) == "export-whole"


@pytest.mark.rule("E5")
def test_a_suspension_that_reaches_back_stops_what_is_approved(exporter: Exporter) -> None:
    hold = exporter.hold()
    row = exporter.approved(exporter.make(hold.hold_id))
    whole = exporter.make(hold.hold_id, decision=b"in the name of the people")
    exporter.place.suspend(names=("c1",), from_ns=exporter.asking.began_ns, lasts_ns=NS_PER_S)
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "suspended"
    assert rule_of(lambda: exporter.propose(whole)) == "suspended"
    again = exporter.approved(exporter.make(hold.hold_id))
    assert exporter.fetchable(again, "rob").export_id == again.export_id


def test_a_camera_that_was_removed_keeps_its_masks_and_suspensions(exporter: Exporter) -> None:
    hold = exporter.hold()
    with exporter.place.store.write() as tx:
        tx.change(tx.get(Camera, "c1"), masks=((0.0, 0.0, 0.5, 0.5),))
    exporter.place.remove_camera("c1")
    row = exporter.make(hold.hold_id)
    assert [len(looking.masks) for looking in exporter.painter.films] == [1]
    (report,) = exports.reports_of(exporter.place.keys, row).values()
    assert report["suspended"] is False


def test_a_segment_that_cannot_be_read_is_said(exporter: Exporter) -> None:
    hold = exporter.hold()
    (first, *_rest) = sorted((exporter.place.folder / HELD / hold.hold_id).rglob("*.habf"))
    data = bytearray(first.read_bytes())
    data[-200] ^= 1
    first.write_bytes(data)
    row = exporter.make(hold.hold_id)
    assert row.damaged == (first.name,)
    assert exports.content(exporter.place.keys, row)["damaged"] == [first.name]


@pytest.mark.rule("E6")
def test_refused_its_films_are_destroyed(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id)
    exporter.propose(row)
    keys = exporter.place.keys
    assert rule_of(lambda: refuse(exporter, row, "rob")) == "role"
    assert refuse(exporter, row, "abe").state == State.REFUSED.value
    assert not keys.has(row.key_id)
    with pytest.raises((KeyDestroyed, InputError)):
        exporter.exporting.film(row, 0)
    exporter.exporting.end_due()
    assert not list(exporter.folder.glob("*"))


def discard(exporter: Exporter, row: Export, who: str) -> Export:
    keys = exporter.place.keys
    return exporter.place.do(who, lambda tx, actor: exports.discard(tx, keys, actor, row.export_id))


@pytest.mark.rule("E8")
def test_whoever_had_it_made_discards_it_and_its_films_go(exporter: Exporter) -> None:
    row = exporter.make(exporter.hold().hold_id)
    for who, rule in (("rita", "own-draft"), ("pia", "own-draft"), ("abe", "role"), ("token:rob", "login-needed")):
        assert rule_of(lambda who=who: discard(exporter, row, who)) == rule
    assert exporter.exporting.film(row, 0) == b"a film 1"
    gone = discard(exporter, row, "rob")
    assert (gone.state, gone.wish_sealed, gone.reports_sealed) == (State.DISCARDED.value, None, None)
    assert not exporter.place.keys.has(row.key_id)
    assert rule_of(lambda: discard(exporter, row, "rob")) == "state"
    exporter.exporting.end_due()
    assert exporter.now(row).destroyed_at_ns is not None
    assert not list(exporter.folder.glob("*"))
    assert [one["export"] for one in exporter.entries("export.discarded")] == [row.export_id]


@pytest.mark.rule("E8")
@pytest.mark.parametrize("state", [State.REDACTING, State.FAILED, State.READY, State.PROPOSED, State.APPROVED])
def test_it_is_discarded_at_any_moment_before_it_is_fetched(exporter: Exporter, state: State) -> None:
    hold = exporter.hold()
    exporter.painter.fails = state is State.FAILED
    asked = Asked(hold.hold_id)
    keys = exporter.place.keys
    row = exporter.place.do("rob", lambda tx, actor: exports.begin(tx, keys, actor, asked))
    if state is not State.REDACTING:
        exporter.exporting.step()
    if state in {State.PROPOSED, State.APPROVED}:
        exporter.propose(row)
    if state is State.APPROVED:
        exporter.approve(row, "abe")
        exporter.approve(row, "bea")
    assert exporter.now(row).state == state.value
    discard(exporter, row, "rob")
    exporter.exporting.step()
    assert exporter.now(row).state == State.DISCARDED.value
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "state"


@pytest.mark.rule("E8")
def test_what_was_fetched_is_not_discarded(exporter: Exporter) -> None:
    row = exporter.approved(exporter.make(exporter.hold().hold_id))
    keys = exporter.place.keys
    exporter.place.do("rob", lambda tx, actor: exports.note_fetched(tx, keys, actor, row.export_id, 9))
    assert [(one["bytes"], one["export"]) for one in exporter.entries("export.fetched")] == [(9, row.export_id)]
    assert rule_of(lambda: discard(exporter, row, "rob")) == "export-fetched"
    assert exporter.now(row).state == State.APPROVED.value


def test_work_on_what_was_discarded_stops(exporter: Exporter) -> None:
    hold = exporter.hold()
    painter = exporter.painter
    looked = []

    def look() -> None:
        (row,) = exporter.place.look(Export)
        exporter.exporting.end_due()
        looked.append(painter.killed)
        discard(exporter, row, "rob")
        exporter.exporting.end_due()
        looked.append(painter.killed)

    painter.on_examine = look
    assert exporter.make(hold.hold_id).state == State.DISCARDED.value
    assert looked == [0, 1], "not while it is wanted, and then at once"
    painter.on_examine = None
    assert exporter.make(hold.hold_id).state == State.READY.value


def refuse(exporter: Exporter, row: Export, who: str) -> Export:
    keys = exporter.place.keys
    return exporter.place.do(who, lambda tx, actor: exports.refuse(tx, keys, actor, row.export_id))


@pytest.mark.rule("E8")
def test_it_ends_with_its_hold(exporter: Exporter) -> None:
    hold = exporter.hold()
    row = exporter.approved(exporter.make(hold.hold_id))
    for who in ("abe", "bea"):
        exporter.holder.release(hold, who)
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "state", "at once, whatever the clock's threads do"
    exporter.exporting.end_due()
    exporter.exporting.end_due()
    ended = exporter.now(row)
    assert (ended.state, ended.reports_sealed, exporter.place.keys.has(row.key_id)) == (State.ENDED.value, None, False)
    assert not list(exporter.folder.glob("*"))
    assert rule_of(lambda: exporter.fetchable(row, "rob")) == "state"


@pytest.mark.rule("E8")
def test_its_key_ends_with_its_hold_whatever_the_database_says(exporter: Exporter) -> None:
    hold = exporter.hold()
    row = exporter.make(hold.hold_id)
    assert exporter.place.keys.expires_at_ns(row.key_id) == hold.ends_at_ns
    exporter.place.clock.advance(40 * DAY)
    exporter.place.keys.reap(exporter.place.clock.now_ns())
    with pytest.raises((KeyDestroyed, InputError)):
        exporter.exporting.film(row, 0)


# --- parcels ----------------------------------------------------------------------------------------------------------


def parts(exporter: Exporter) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    row = exporter.approved(exporter.make(exporter.hold().hold_id))
    keys = exporter.place.keys
    return exports.content(keys, row), exports.told_reports(keys, row), exporter.exporting.films(row)


class Forged:
    """A proof that proves nothing, for parcels that are opened without keys."""

    @staticmethod
    def encode() -> bytes:
        return b"no proof"


def packed(content: dict[str, Any], reports: dict[str, Any], films: dict[str, bytes], **body: object) -> bytes:
    said = {"export": content["export"], "sha256": content_of(content), **body}
    opening = {"type": "export.approved", "body": said, "seq": 5, "actor": "abe", "at": "now"}
    exhibit = parcel.Exhibit(5, json.dumps(opening).encode(), None, cast("Any", Forged()))
    return pack(content, reports, films, exhibit, {"log": 0})


@pytest.mark.rule("E9")
def test_a_parcel_holds_what_was_approved_and_nothing_else(exporter: Exporter) -> None:
    content, reports, films = parts(exporter)
    opened = check(packed(content, reports, films), (), cast("Any", None))
    assert (opened.films, opened.proven) == (films, False)
    name = next(iter(films))
    for changed in (
        packed(content, reports, {name: b"another film"}),
        packed(content, reports, {**films, "more.mp4": b"x"}),
        packed(content, {**reports, name: {}}, films),
        packed(content, reports, films, sha256="0" * 64),
        packed(content, reports, films, export="exp-0"),
        packed({**content, "recipient": "somebody"}, reports, films, sha256=content_of(content)),
    ):
        with pytest.raises(parcel.ProofError):
            check(changed, (), cast("Any", None))
    for broken in (b"", b"PK", packed({**content, "films": [{"name": "../x.mp4", "sha256": ""}]}, reports, {})):
        with pytest.raises(parcel.FormatError):
            check(broken, (), cast("Any", None))
