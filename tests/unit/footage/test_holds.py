"""Holds from proposal to end: two approve, the footage outlives its deadline, and nothing outlives its hold."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.installation import rule_of
from tests.unit.footage.holder import Holder

from habeas.accounts.roles import Actor, Role
from habeas.errors import DiskError, InputError, KeyDestroyed
from habeas.footage import holds, playing
from habeas.footage.files import FootageFolder
from habeas.footage.holding import State, searchable
from habeas.footage.holds import Asked
from habeas.footage.keeping import KEY_GONE, NOTHING
from habeas.footage.playing import Held
from habeas.footage.rows import counted_ns
from habeas.keys import Scope
from habeas.review.table import Answer
from habeas.store import Tx
from habeas.store.footage_records import Footage, Hold
from habeas.store.records import Entry
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S


@pytest.mark.rule("T5")
@pytest.mark.rule("T6")
def test_what_two_approve_outlives_its_deadline_and_ends_with_its_hold(holder: Holder) -> None:
    began_ns = holder.now_ns
    for segment in range(3):
        holder.bench.record(segment, 4)
    holder.bench.stop()
    hold = holder.propose(began_ns + 4 * NS_PER_S, began_ns + 7 * NS_PER_S)
    assert holder.approve(hold, "abe").state == State.PROPOSED.value
    assert rule_of(lambda: holder.approve(hold, "abe")) == "two-persons"
    holder.keep()
    assert holder.row(hold).state == State.PROPOSED.value, "one alone preserves nothing"
    assert holder.approve(hold, "bea").state == State.APPROVED.value
    kept = holder.held_now(hold)
    assert (kept.state, kept.segments, kept.damaged) == (State.HELD.value, 2, 0)
    assert kept.lasts_ns == 3 * NS_PER_S
    holder.until(began_ns + 121 * HOUR_NS)
    holder.bench.end_due()
    holder.bench.sweep()
    assert holder.bench.folder.hours() == [], "what was recorded went at its own deadline"
    assert holder.opens(hold.hold_id) == [b"c1 1 0,c1 1 1,c1 1 2,c1 1 3", b"c1 2 0,c1 2 1"]
    holder.until(hold.ends_at_ns - 1)
    holder.keep()
    assert len(holder.opens(hold.hold_id)) == 2, "the control: a moment before"
    holder.place.clock.advance(1)
    with pytest.raises(KeyDestroyed):
        holder.opens(hold.hold_id)
    holder.keep()
    assert holder.place.keys.ids(Scope.HOLD) == frozenset()
    assert len(holder.keeping.sweep()) == 2
    assert list(holder.held.glob("*")) == []
    assert holder.row(hold).state == State.ENDED.value
    assert holder.bench.entries("hold.ended") == [{"hold": hold.hold_id, "v": 1, "why": "its end"}]


def recorded(holder: Holder, segments: int = 2) -> tuple[int, int]:
    """Record so many segments of three seconds; return from when until when."""
    began_ns = holder.now_ns
    for segment in range(segments):
        holder.bench.record(segment, 4)
    holder.bench.stop()
    return began_ns, holder.now_ns


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("T5")
@pytest.mark.parametrize("who", ["opal", "abe", "ann", "aud"])
def test_a_requester_or_a_privacy_officer_proposes(holder: Holder, who: str) -> None:
    span = recorded(holder)
    assert rule_of(lambda: holder.propose(*span, who=who)) == "role"
    assert holder.propose(*span, who="pia").state == State.PROPOSED.value


@pytest.mark.rule("T5")
def test_neither_approver_is_who_proposed_nor_twice_one_person(holder: Holder) -> None:
    span = recorded(holder)
    holder.place.hire("abe2", person_name="abe")
    holder.place.grant("abe2", Role("approver"), "rob")
    holder.place.grant("abe2", Role("approver"), "rita")
    holder.place.clock.advance(25 * HOUR_NS)
    hold = holder.propose(*span)
    assert rule_of(lambda: holder.approve(hold, "rob")) == "role"
    assert rule_of(lambda: holder.approve(hold, "pia")) == "role"
    holder.approve(hold, "abe")
    assert rule_of(lambda: holder.approve(hold, "abe2")) == "two-persons"
    assert rule_of(lambda: holder.approve(hold, "token:bea")) == "login-needed"
    assert holder.row(hold).state == State.PROPOSED.value
    assert holder.approve(hold, "bea").state == State.APPROVED.value


def test_an_approver_who_proposed_approves_nothing(holder: Holder) -> None:
    span = recorded(holder)
    for by in ("rob", "rita"):
        holder.place.grant("abe", Role("requester"), by)
    holder.place.clock.advance(25 * HOUR_NS)
    hold = holder.propose(*span, who="abe")
    assert rule_of(lambda: holder.approve(hold, "abe")) == "own-request"
    assert rule_of(lambda: holder.refuse(hold, "abe")) == "own-request"


@pytest.mark.rule("T5")
def test_one_refuses_and_a_proposal_that_nobody_decides_lapses(holder: Holder) -> None:
    span = recorded(holder)
    refused, lapsing = holder.propose(*span), holder.propose(*span)
    assert holder.refuse(refused).state == State.REFUSED.value
    assert rule_of(lambda: holder.approve(refused, "bea")) == "state"
    holder.approve(lapsing, "abe")
    holder.place.clock.advance(7 * DAY_NS - 1)
    holder.keep()
    assert holder.row(lapsing).state == State.PROPOSED.value, "the control"
    holder.place.clock.advance(1)
    assert rule_of(lambda: holder.approve(lapsing, "bea")) == "state", "whether the clock has said so or not"
    holder.keep()
    holder.keep()
    assert holder.row(lapsing).state == State.LAPSED.value
    assert holder.place.keys.ids(Scope.HOLD) == frozenset()
    assert all(row.asked_sealed is None and row.destroyed_at_ns for row in holder.place.look(Hold))
    assert holder.bench.entries("hold.ended", "hold.kept") == [], "nothing was held"


@pytest.mark.rule("T10")
def test_two_approvers_end_a_hold_early_and_its_copies_go_at_once(holder: Holder) -> None:
    hold = holder.held_now(holder.approved(*recorded(holder)))
    holder.release(hold, "cid")
    assert rule_of(lambda: holder.release(hold, "cid")) == "two-persons"
    assert len(holder.opens(hold.hold_id)) == 2, "the control: one alone ends nothing"
    assert holder.release(hold, "dora").state == State.RELEASED.value
    with pytest.raises(KeyDestroyed):
        holder.opens(hold.hold_id)
    assert rule_of(lambda: holder.release(hold, "abe")) == "state"
    holder.keep()
    holder.keeping.sweep()
    assert list(holder.held.glob("*")) == []
    assert holder.bench.entries("hold.ended")[0]["why"] == "released"


# --- what -------------------------------------------------------------------------------------------------------------


def test_a_hold_over_a_gap_says_what_is_missing_and_one_of_nothing_is_refused(holder: Holder) -> None:
    began_ns = holder.now_ns
    holder.bench.record(0, 4)
    holder.place.clock.advance(60 * NS_PER_S)
    holder.bench.record(1, 4)
    holder.bench.stop()
    kept = holder.held_now(holder.approved(began_ns, holder.now_ns))
    assert (kept.segments, round(kept.lasts_ns / NS_PER_S), round(kept.missing_ns / NS_PER_S)) == (2, 6, 60)
    (entry,) = holder.bench.entries("hold.kept")
    assert round(float(str(entry["missing_s"]))) == 60
    with pytest.raises(InputError, match="no footage"):
        holder.propose(began_ns - HOUR_NS, began_ns, cameras=("c2",))
    with pytest.raises(InputError, match="no footage"):
        holder.propose(began_ns - 2 * HOUR_NS, began_ns - HOUR_NS)


def test_what_turns_out_to_be_nothing_is_said_and_not_held(holder: Holder) -> None:
    _, until_ns = recorded(holder)
    holder.place.clock.advance(10 * NS_PER_S)
    hold = holder.held_now(holder.approved(until_ns + NS_PER_S, until_ns + 2 * NS_PER_S))
    assert (hold.state, hold.destroyed_at_ns is not None) == (State.ENDED.value, True)
    assert holder.bench.entries("hold.ended") == [{"hold": hold.hold_id, "v": 1, "why": NOTHING}]


def test_only_what_is_over_is_held(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    assert rule_of(lambda: holder.propose(began_ns, until_ns + 1)) == "hold-interval"
    with pytest.raises(InputError, match="before it begins"):
        holder.propose(until_ns, began_ns)
    with pytest.raises(InputError, match="no such camera"):
        holder.propose(began_ns, until_ns, cameras=("nosuch",))
    with pytest.raises(InputError, match="who asks"):
        holder.propose(began_ns, until_ns, why=" ")
    with pytest.raises(InputError, match="empty file"):
        holder.propose(began_ns, until_ns, decision=b"")


@pytest.mark.rule("T8")
def test_one_part_in_a_hundred_is_held_and_a_second_more_is_refused_aloud(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    (row,) = [one for one in holder.rows() if one.camera_id == "c2"]
    with holder.place.store.write() as tx:
        tx.change(tx.get(Footage, row.footage_id), lasts_ns=300 * NS_PER_S - 6 * NS_PER_S)
    three_s = began_ns, began_ns + 3 * NS_PER_S
    first = holder.approved(*three_s)
    assert rule_of(lambda: holder.propose(began_ns, until_ns)) == "hold-share"
    again = holder.approved(*three_s, ends_at_ns=holder.now_ns + DAY_NS)
    assert holder.held_now(again).state == State.HELD.value, "what two holds preserve counts once"
    for who in ("abe", "bea"):
        holder.release(holder.row(first), who)
    assert rule_of(lambda: holder.propose(began_ns + 3 * NS_PER_S, until_ns)) == "hold-share", "one holds still"


@pytest.mark.rule("T8")
def test_the_share_is_asked_for_again_when_a_hold_is_approved(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    holder.plenty(lasts_ns=300 * NS_PER_S)
    one, other = holder.propose(began_ns, began_ns + 3 * NS_PER_S), holder.propose(began_ns + 3 * NS_PER_S, until_ns)
    for who in ("abe", "bea"):
        holder.approve(one, who)
    assert rule_of(lambda: holder.approve(other, "abe")) == "hold-share"


@pytest.mark.rule("T7")
def test_31_days_each_and_93_in_all_longer_only_by_court_document(holder: Holder) -> None:
    span = recorded(holder)
    first_ns = holder.now_ns
    with pytest.raises(InputError, match="has passed"):
        holder.propose(*span, ends_at_ns=first_ns)
    assert rule_of(lambda: holder.propose(*span, ends_at_ns=first_ns + 31 * DAY_NS + 1)) == "hold-term"
    holder.held_now(holder.approved(*span, ends_at_ns=first_ns + 31 * DAY_NS))
    for day in (30, 60):
        holder.until(first_ns + day * DAY_NS)
        holder.step()
        holder.plenty()
        hold = holder.held_now(holder.approved(*span, ends_at_ns=first_ns + min(day + 31, 93) * DAY_NS))
        assert len(holder.opens(hold.hold_id)) == 2, "copied from the hold before it"
        assert hold.since_ns == first_ns
    holder.until(first_ns + 90 * DAY_NS)
    holder.step()
    holder.plenty()
    later_ns = first_ns + 93 * DAY_NS + 1
    assert rule_of(lambda: holder.propose(*span, ends_at_ns=later_ns)) == "hold-chain"
    ordered = holder.held_now(holder.approved(*span, ends_at_ns=later_ns, decision=b"an order"))
    assert ordered.state == State.HELD.value
    assert ordered.decision_sha256 is not None


def test_an_interval_over_hours_and_cameras_is_held_whole_and_counted_once(holder: Holder) -> None:
    """It is copied hour by hour, of all cameras: those first that go first."""
    holder.place.clock.advance(HOUR_NS - 10 * NS_PER_S)
    began_ns = holder.now_ns
    holder.bench.record(0, 15)
    holder.bench.record(1, 15, camera="c2")
    holder.place.clock.advance(HOUR_NS)
    holder.bench.record(2, 4)
    holder.bench.stop()
    order: list[str] = []
    copy = FootageFolder.put

    class Noting(FootageFolder):
        def put(self, *args: Any) -> Path:
            path = copy(self, *args)
            order.append(f"{path.parent.name}/{path.parent.parent.name}")
            return path

    holder.plenty("c2")
    hold = holder.approved(began_ns, holder.now_ns, cameras=("c1", "c2"))
    holder.keeping.folder = lambda object_id: Noting(holder.held / object_id)  # type: ignore[method-assign]
    kept = holder.held_now(hold)
    assert (kept.segments, kept.lasts_ns // NS_PER_S) == (3, 31)
    assert [data.count(b"c1") for data in holder.opens(hold.hold_id)] == [15, 4]
    hours = [one.partition("/")[0] for one in order]
    assert hours == sorted(hours)


def test_how_much_is_counted_of_an_interval_is_told_at_most_and_not_past_its_deadline(holder: Holder) -> None:
    hour_ns, place = holder.bench.hour_ns, holder.place
    for camera, lasts_ns in (("c1", HOUR_NS // 2), ("c2", HOUR_NS // 4)):
        holder.plenty(camera, lasts_ns)
        with place.store.write() as tx:
            for row in tx.find(Footage, camera_id=camera, hour_ns=hour_ns):
                tx.change(row, until_ns=hour_ns + 3 * HOUR_NS // 4)

    def recorded(from_ns: int, until_ns: int, *cameras: str) -> int:
        with place.store.read() as tx:
            return counted_ns(tx, cameras, hour_ns + from_ns, hour_ns + until_ns)

    assert recorded(0, HOUR_NS, "c1", "c2") == 3 * HOUR_NS // 4
    assert recorded(0, HOUR_NS // 8, "c1") == HOUR_NS // 8, "no more than the interval"
    assert recorded(HOUR_NS * 5 // 8, HOUR_NS, "c1") == HOUR_NS // 8, "no more than was recorded by then"
    assert recorded(HOUR_NS, 2 * HOUR_NS, "c1") == 0
    place.clock.advance(121 * HOUR_NS)
    assert recorded(0, HOUR_NS, "c1", "c2") == 0


def test_overlapping_holds_are_each_whole_and_end_by_themselves(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder, 4)
    now_ns = holder.now_ns
    short = holder.held_now(holder.approved(began_ns, began_ns + 8 * NS_PER_S, ends_at_ns=now_ns + 6 * DAY_NS))
    long = holder.held_now(holder.approved(began_ns + 4 * NS_PER_S, until_ns, ends_at_ns=now_ns + 20 * DAY_NS))
    before = holder.opens(long.hold_id)
    assert len(before) == 3
    holder.until(short.ends_at_ns)
    holder.step()
    assert holder.row(short).state == State.ENDED.value
    assert holder.opens(long.hold_id) == before


def test_of_copies_that_have_more_and_less_of_a_segment_the_longer_is_taken(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder, 1)
    now_ns = holder.now_ns
    cut = holder.held_now(holder.approved(began_ns, began_ns + NS_PER_S, ends_at_ns=now_ns + 20 * DAY_NS))
    whole = holder.held_now(holder.approved(began_ns, until_ns, ends_at_ns=now_ns + 20 * DAY_NS))
    holder.until(began_ns + 121 * HOUR_NS)
    holder.step()
    holder.plenty()
    renewed = holder.held_now(holder.approved(began_ns, until_ns, ends_at_ns=now_ns + 30 * DAY_NS))
    assert [len(holder.opens(one.hold_id)[0].split(b",")) for one in (cut, whole, renewed)] == [2, 4, 4]
    assert renewed.lasts_ns == 3 * NS_PER_S, "nothing counts twice"


# --- what it names ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("T9")
def test_what_is_held_is_searched_under_the_authorisation_it_names_and_no_other(holder: Holder) -> None:
    span = recorded(holder)
    searching = holder.place.started(live=False, from_ns=span[0], until_ns=span[1])
    live = holder.place.draft()
    assert rule_of(lambda: holder.propose(*span, authorisation_id=live.authorisation_id)) == "hold-authorisation"
    named = holder.held_now(holder.approved(*span, authorisation_id=searching.authorisation_id))
    unnamed = holder.held_now(holder.approved(*span))
    now_ns = holder.now_ns
    assert searchable(named, searching.authorisation_id, now_ns)
    assert not searchable(named, live.authorisation_id, now_ns)
    assert not searchable(unnamed, searching.authorisation_id, now_ns)
    assert not searchable(named, searching.authorisation_id, named.ends_at_ns)
    holder.place.revoke(searching.authorisation_id)
    over = searching.authorisation_id
    assert rule_of(lambda: holder.propose(*span, authorisation_id=over)) == "hold-authorisation"


def test_a_hold_may_name_a_confirmed_alert_and_is_then_about_half_a_minute_around_it(holder: Holder) -> None:
    holder.bench.record(0, 4)
    found = holder.place.started(until_ns=holder.now_ns + 2 * HOUR_NS)
    alert = holder.place.alert(found.authorisation_id)
    holder.bench.record(1, 4)
    holder.bench.stop()
    holder.place.clock.advance(60 * NS_PER_S)
    named = replace(holder.asked(0, 1), alert_id=alert.alert_id, cameras=(), from_ns=None, until_ns=None)
    assert rule_of(lambda: holder.place.do("rob", asking(holder, named))) == "hold-alert"
    for name in ("opal", "otto"):
        holder.place.judge(name, alert.alert_id, Answer.SAME)
    with pytest.raises(InputError, match="no such alert"):
        holder.place.do("rita", asking(holder, named))
    hold = holder.place.do("rob", asking(holder, named))
    around_ns = alert.captured_at_ns - 30 * NS_PER_S, alert.captured_at_ns + 30 * NS_PER_S
    assert (hold.cameras, hold.from_ns, hold.until_ns) == (("c1",), *around_ns)
    (entry,) = [one for one in holder.place.look(Entry) if one.kind == "hold.proposed"]
    assert alert.alert_id not in entry.body, "it would link an alert to a place and time"
    assert entry.hidden_key == hold.key_id


def asking(holder: Holder, asked: Asked) -> Callable[[Tx, Actor], Hold]:
    return lambda tx, actor: holds.propose(tx, holder.place.keys, actor, asked)


def test_who_asks_and_why_is_in_no_entry_and_goes_with_the_hold(holder: Holder) -> None:
    span = recorded(holder)
    hold = holder.held_now(holder.approved(*span, asked_by="Ada Doe", why="Kim Roe fell"))
    assert holds.asked_of(holder.place.keys, hold) == {"asked_by": "Ada Doe", "reference": "R-1", "why": "Kim Roe fell"}
    said = json.dumps([(one.body, one.actor) for one in holder.place.look(Entry)])
    assert "Ada" not in said
    assert "Kim" not in said
    holder.until(hold.ends_at_ns)
    holder.step()
    assert holds.asked_of(holder.place.keys, holder.row(hold)) == {}
    assert holds.asked_of(holder.place.keys, hold) == {}, "nor from an older database"


# --- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("T6")
def test_a_crash_in_the_middle_of_copying_goes_on_when_the_node_starts_again(holder: Holder) -> None:
    span = recorded(holder, 3)
    hold = holder.approved(*span)
    holder.place.clock.advance(20 * NS_PER_S)
    whole = FootageFolder.put
    copies: list[object] = []

    class Cut(FootageFolder):
        def put(self, *args: Any) -> Path:
            if len(copies) == 1:
                (self.path / "c1").mkdir(exist_ok=True)
                (self.path / "c1" / ".half.habf.part").write_bytes(b"half")
                raise DiskError("the power is gone")
            copies.append(args)
            return whole(self, *args)

    holder.keeping.folder = lambda object_id: Cut(holder.held / object_id)  # type: ignore[method-assign]
    with pytest.raises(DiskError):
        holder.keep()
    assert holder.row(hold).state == State.APPROVED.value
    assert len(holder.opens(hold.hold_id)) == 1
    holder.begin()
    holder.keep()
    assert holder.row(hold).state == State.HELD.value
    assert len(holder.opens(hold.hold_id)) == 3


def test_a_disk_that_is_full_is_said_and_no_other_hold_waits_to_end(holder: Holder) -> None:
    span = recorded(holder)
    ending = holder.held_now(holder.approved(*span, ends_at_ns=holder.now_ns + DAY_NS))
    holder.until(ending.ends_at_ns)
    waiting = holder.approved(*span)
    holder.place.clock.advance(20 * NS_PER_S)
    holder.keeping._reserve_bytes = 1 << 62
    with pytest.raises(DiskError, match="the disk is full"):
        holder.keep()
    assert holder.row(ending).state == State.ENDED.value
    assert holder.row(waiting).state == State.APPROVED.value
    holder.begin()
    holder.keep()
    assert holder.row(waiting).state == State.HELD.value


def test_a_damaged_segment_is_held_as_far_as_it_opens_and_counted(holder: Holder) -> None:
    span = recorded(holder)
    path = holder.bench.folder.segments("c1", holder.bench.hour_ns)[0]
    data = bytearray(path.read_bytes())
    data[-150] ^= 1
    path.write_bytes(data)
    kept = holder.held_now(holder.approved(*span))
    assert (kept.segments, kept.damaged) == (2, 1)
    assert kept.missing_ns > 0


def test_an_older_database_ends_a_hold_whose_key_is_gone_and_copies_again_what_is_there(holder: Holder) -> None:
    span = recorded(holder)
    hold = holder.held_now(holder.approved(*span))
    before = holder.opens(hold.hold_id)
    with holder.place.store.write() as tx:
        tx.change(tx.get(Hold, hold.hold_id), state=State.APPROVED.value)
    shutil.rmtree(holder.bench.folder.path)
    holder.keep()
    assert holder.row(hold).state == State.HELD.value, "its own copies are there"
    assert holder.opens(hold.hold_id) == before
    holder.place.keys.destroy([hold.key_id])
    holder.keep()
    assert holder.row(hold).state == State.ENDED.value
    assert holder.bench.entries("hold.ended")[-1]["why"] == KEY_GONE


def test_files_that_no_row_knows_stay_until_their_key_goes(holder: Holder) -> None:
    hold = holder.held_now(holder.approved(*recorded(holder)))
    with holder.place.store.write() as tx:
        tx.remove(tx.get(Hold, hold.hold_id))
    assert holder.keeping.sweep() == []
    assert len(holder.opens(hold.hold_id)) == 2
    holder.place.keys.reap(hold.ends_at_ns)
    assert len(holder.keeping.sweep()) == 2
    assert list(holder.held.glob("*")) == []


@pytest.mark.rule("T6")
def test_a_copy_that_is_no_hold_s_is_not_opened_as_one(holder: Holder) -> None:
    """The positive control of the scope of keys: recorded footage put among what is held plays to nobody."""
    span = recorded(holder)
    hold = holder.held_now(holder.approved(*span))
    own = holder.keeping.folder(hold.hold_id).segments("c1", holder.bench.hour_ns)[0]
    own.write_bytes(holder.bench.folder.segments("c1", holder.bench.hour_ns)[0].read_bytes())
    held = Held(holder.held, holder.place.keys)
    assert len(list(held.segments(hold, "c1", holder.now_ns))) == 1


# --- playing ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("T13")
def test_a_hold_is_played_for_those_who_decide_on_it_and_each_segment_is_an_entry(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder, 3)
    hold = holder.held_now(holder.approved(began_ns + NS_PER_S, until_ns))
    held = Held(holder.held, holder.place.keys)
    told = playing.listed(held, hold, holder.now_ns)
    assert [(one["camera"], one["seconds"], one["skip_s"]) for one in told] == [
        ("c1", 3.0, 1.0),
        ("c1", 3.0, 0),
        ("c1", 3.0, 0),
    ]
    for number, who in enumerate(("rob", "abe", "paul")):
        expected = "".join(f"c1 {number} {index}" for index in range(4))
        assert played(holder, hold, who, str(told[number]["segment"])) == expected
    assert len(holder.bench.entries("footage.played")) == 3
    for who in ("rita", "opal", "ann", "aud"):
        assert rule_of(lambda who=who: played(holder, hold, who, str(told[0]["segment"]))) == "playback"
    assert rule_of(lambda: played(holder, hold, "token:abe", str(told[0]["segment"]))) == "login-needed"
    with pytest.raises(InputError, match="no such segment"):
        played(holder, hold, "abe", "nosuch")
    assert len(holder.bench.entries("footage.played")) == 3, "what is refused is not played"
    holder.until(hold.ends_at_ns)
    with pytest.raises(KeyDestroyed):
        played(holder, hold, "abe", str(told[0]["segment"]))


def played(holder: Holder, hold: Hold, who: str, segment: str) -> str:
    held = Held(holder.held, holder.place.keys)
    kept = holder.place.do(who, lambda tx, actor: playing.playable(tx, actor, hold.hold_id))
    found = playing.found_in_hold(held, kept, "c1", segment, holder.now_ns)
    data = holder.place.do(who, lambda tx, actor: playing.note_played(tx, actor, hold.hold_id, found))
    return data.decode()
