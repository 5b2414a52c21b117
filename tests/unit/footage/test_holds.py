"""Holds from proposal to end: two approve, the footage outlives its deadline, and nothing outlives its hold."""

import pytest
from tests.installation import rule_of
from tests.unit.footage.bench import Bench
from tests.unit.footage.holder import Holder

from habeas.errors import KeyDestroyed
from habeas.footage.holding import State
from habeas.keys import Scope
from habeas.types import HOUR_NS, NS_PER_S


@pytest.fixture
def holder(bench: Bench) -> Holder:
    made = Holder(bench, bench.folder.path.parent / "held")
    made.plenty()
    return made


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
    holder.keeping.step()
    assert holder.row(hold).state == State.PROPOSED.value, "one alone preserves nothing"
    assert holder.approve(hold, "bea").state == State.APPROVED.value
    kept = holder.held_now(hold)
    assert (kept.state, kept.segments, kept.damaged) == (State.HELD.value, 2, 0)
    assert kept.lasts_ns == 3 * NS_PER_S
    holder.until(began_ns + 121 * HOUR_NS)
    holder.bench.end_due()
    holder.bench.sweep()
    assert holder.bench.folder.hours() == [], "what was recorded went at its own deadline"
    assert holder.opens(hold) == [b"c1 1 0,c1 1 1,c1 1 2,c1 1 3", b"c1 2 0,c1 2 1"]
    holder.until(hold.ends_at_ns - 1)
    holder.keeping.step()
    assert len(holder.opens(hold)) == 2, "the control: a moment before"
    holder.place.clock.advance(1)
    with pytest.raises(KeyDestroyed):
        holder.opens(hold)
    holder.keeping.step()
    assert holder.place.keys.ids(Scope.HOLD) == frozenset()
    assert len(holder.keeping.sweep()) == 2
    assert list(holder.held.glob("*")) == []
    assert holder.row(hold).state == State.ENDED.value
    assert holder.bench.entries("hold.ended") == [{"hold": hold.hold_id, "v": 1, "why": "its end"}]
