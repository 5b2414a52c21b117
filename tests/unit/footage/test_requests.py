"""Requests of the public: nothing by themselves, a day once the contact is known, once a segment; each lapse counts."""

import json
from typing import cast

import pytest
from tests.installation import rule_of
from tests.unit.footage.holder import Holder

from habeas.errors import DiskError, InputError, KeyDestroyed
from habeas.footage import requests
from habeas.footage.files import read_segment
from habeas.footage.holding import RequestState, State
from habeas.footage.playing import Held
from habeas.keys import Scope
from habeas.store.footage_records import Footage, PublicRequest
from habeas.store.records import Entry
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S


def recorded(holder: Holder, segments: int = 2) -> tuple[int, int]:
    began_ns = holder.now_ns
    for segment in range(segments):
        holder.bench.record(segment, 4)
    holder.bench.stop()
    return began_ns, holder.now_ns


def graced(holder: Holder, request: PublicRequest) -> PublicRequest:
    """Let what was verified be copied."""
    holder.verify(request)
    holder.place.clock.advance(20 * NS_PER_S)
    holder.gracing.step()
    return holder.request(request)


@pytest.mark.rule("T11")
def test_a_request_preserves_nothing_by_itself(holder: Holder) -> None:
    request = holder.receive(*recorded(holder))
    holder.place.clock.advance(20 * NS_PER_S)
    holder.step()
    assert list(holder.held.glob("*")) == []
    assert holder.place.keys.ids(Scope.GRACE) == frozenset()
    holder.until(request.due_ns)
    holder.step()
    assert holder.request(request).state == RequestState.LAPSED.value
    lapsed = {"request": request.request_id, "v": 1, "verified": False}
    assert holder.bench.entries("request.lapsed") == [lapsed]


@pytest.mark.rule("T11")
def test_verified_it_gives_its_segments_a_day_in_which_only_a_hold_reads_them(holder: Holder) -> None:
    began_ns, _until_ns = recorded(holder, 3)
    hour_ns = holder.bench.hour_ns
    request = graced(holder, holder.receive(began_ns + NS_PER_S, began_ns + 4 * NS_PER_S))
    assert (request.state, len(request.segments)) == (RequestState.GRACED.value, 2)
    deadline_ns = hour_ns + 120 * HOUR_NS
    holder.until(deadline_ns + DAY_NS - 1)
    holder.step()
    assert holder.bench.folder.hours() == [], "what was recorded went on time"
    whole = [b"c1 0 0,c1 0 1,c1 0 2,c1 0 3", b"c1 1 0,c1 1 1,c1 1 2,c1 1 3"]
    assert holder.opens(request.request_id) == whole, "the control: a moment before, and each segment whole"
    holder.plenty()
    named = {"request_id": request.request_id, "ends_at_ns": deadline_ns + 9 * DAY_NS}
    hold = holder.propose(cast("int", None), cast("int", None), cameras=(), **named)
    assert (hold.cameras, hold.from_ns, hold.until_ns) == (("c1",), request.from_ns, request.until_ns)
    held = Held(holder.held, holder.place.keys)
    folder = holder.keeping.folder(request.request_id)
    assert list(held.segments(hold, "c1", holder.now_ns)) == [], "a hold that is not approved shows nothing"
    header = read_segment(folder.segments("c1", hour_ns)[0], "c1", hour_ns).header
    assert header.key.startswith("grace-")
    assert header.deadline_ns == deadline_ns + DAY_NS
    holder.place.clock.advance(1)
    with pytest.raises(KeyDestroyed):
        holder.opens(request.request_id)
    holder.step()
    assert holder.request(request).state == RequestState.LAPSED.value
    assert holder.bench.entries("request.lapsed")[0]["verified"] is True
    assert list(holder.held.glob("*")) == []
    assert holder.place.keys.ids(Scope.GRACE) == holder.place.keys.ids(Scope.IDENTITY) == frozenset()


@pytest.mark.rule("T11")
def test_a_hold_takes_it_over_and_it_does_not_lapse(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    request = graced(holder, holder.receive(began_ns, until_ns))
    holder.until(request.due_ns - HOUR_NS)
    holder.step()
    holder.plenty()
    hold = holder.held_now(holder.approved(began_ns, until_ns, request_id=request.request_id))
    assert hold.state == State.HELD.value
    assert len(holder.opens(hold.hold_id)) == 2, "copied from what was kept for the request"
    assert holder.request(request).state == RequestState.HELD.value
    holder.until(request.due_ns)
    holder.step()
    assert holder.bench.entries("request.lapsed") == []
    assert holder.request(request).asked_sealed is None
    assert len(holder.opens(hold.hold_id)) == 2
    holder.until(hold.ends_at_ns)
    assert rule_of(lambda: holder.verify(request)) == "state"


@pytest.mark.rule("T11")
def test_a_segment_gets_its_day_once(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    graced(holder, holder.receive(began_ns, began_ns + NS_PER_S))
    again = holder.receive(began_ns, began_ns + 2 * NS_PER_S)
    assert rule_of(lambda: holder.verify(again)) == "request-once"
    more = holder.receive(began_ns, until_ns)
    verified = holder.verify(more)
    assert (verified.fresh, verified.given) == (1, 1), "what is new of it has its day"
    holder.place.clock.advance(20 * NS_PER_S)
    holder.gracing.step()
    assert len(holder.opens(more.request_id)) == 1


@pytest.mark.rule("T12")
def test_two_camera_hours_a_request_and_one_part_in_a_hundred_in_all(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    hours_ns = until_ns - 2 * HOUR_NS
    assert rule_of(lambda: holder.receive(hours_ns - 1, until_ns)) == "request-size"
    both = ("c1", "c2")
    assert rule_of(lambda: holder.receive(until_ns - HOUR_NS - 1, until_ns, cameras=both)) == "request-size"
    assert holder.receive(hours_ns, until_ns).state == RequestState.RECEIVED.value
    (row,) = [one for one in holder.rows() if one.camera_id == "c2"]
    with holder.place.store.write() as tx:
        tx.change(tx.get(Footage, row.footage_id), lasts_ns=300 * NS_PER_S - 6 * NS_PER_S)
    graced(holder, holder.receive(began_ns, began_ns + 3 * NS_PER_S - 1))
    excess = holder.receive(began_ns, until_ns)
    assert rule_of(lambda: holder.verify(excess)) == "request-share"
    assert holder.request(excess).state == RequestState.RECEIVED.value, "it is refused aloud, and nothing of it kept"


def test_who_writes_it_down_and_who_verifies(holder: Holder) -> None:
    span = recorded(holder)
    for who in ("opal", "abe", "ann", "aud"):
        assert rule_of(lambda who=who: holder.receive(*span, who=who)) == "role"
    assert rule_of(lambda: holder.receive(*span, who="token:pia")) == "login-needed"
    request = holder.receive(*span, who="rob")
    for who in ("rob", "abe", "opal"):
        assert rule_of(lambda who=who: holder.verify(request, who)) == "role"
        assert rule_of(lambda who=who: holder.refuse_request(request, who)) == "role"
    assert holder.verify(request, "paul").request.verified_by == holder.place.accounts["paul"]
    assert rule_of(lambda: holder.verify(request)) == "state"


def test_what_says_too_little_or_is_of_nothing_is_refused(holder: Holder) -> None:
    began_ns, until_ns = recorded(holder)
    for changes in ({"contact": " "}, {"why": ""}, {"cameras": ()}):
        with pytest.raises(InputError, match="who asks, why"):
            holder.receive(began_ns, until_ns, **changes)
    with pytest.raises(InputError, match="no footage"):
        holder.receive(began_ns - 9 * HOUR_NS, began_ns - 8 * HOUR_NS)
    assert rule_of(lambda: holder.receive(began_ns, until_ns + 1)) == "hold-interval"


def test_the_contact_is_in_no_entry_and_goes_with_the_request(holder: Holder) -> None:
    span = recorded(holder)
    request, refused = holder.receive(*span, who="rob"), holder.receive(*span, why="Kim Roe fell")

    def told(who: str) -> list[dict[str, object]]:
        return holder.place.do(who, lambda tx, actor: requests.listed(tx, holder.place.keys, actor))

    assert {one.get("contact") for one in told("pia")} == {"Ada Doe, ada@example.org"}
    assert [one["request"] for one in told("rob") if "contact" in one] == [request.request_id]
    assert not any("contact" in one for one in (*told("abe"), *told("aud")))
    holder.refuse_request(refused)
    assert [one.get("contact") for one in told("pia") if one["request"] == refused.request_id] == [None]
    holder.step()
    assert holder.request(refused).destroyed_at_ns is not None
    holder.until(request.due_ns)
    holder.step()
    assert all(one.asked_sealed is None for one in holder.place.look(PublicRequest))
    assert holder.place.keys.ids(Scope.IDENTITY) == frozenset()
    said = json.dumps([one.body for one in holder.place.look(Entry)])
    assert "ada@" not in said
    assert "Kim" not in said


def test_a_full_disk_copies_nothing_and_says_so(holder: Holder) -> None:
    request = holder.receive(*recorded(holder))
    holder.verify(request)
    holder.place.clock.advance(20 * NS_PER_S)
    holder.gracing._reserve_bytes = 1 << 62
    with pytest.raises(DiskError, match="the disk is full"):
        holder.gracing.step()
    holder.begin()
    holder.gracing.step()
    assert len(holder.opens(request.request_id)) == 2
