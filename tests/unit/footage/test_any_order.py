"""Holds, requests and time in any order, against what should be so, which is written without the code under test.

Nothing held is lost, nothing outlives its hold, and there is no hold without two people.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.installation import Installation, rule_of
from tests.replaying import differences, openings_of, replayed
from tests.unit.footage.bench import Bench, Tight
from tests.unit.footage.holder import Holder

from habeas.audit import claims_holds
from habeas.audit.claims_alerts import closed
from habeas.audit.claims_footage import footage
from habeas.audit.history import History, said_of
from habeas.clock import ManualClock
from habeas.errors import DiskError, InputError, KeyDestroyed
from habeas.footage import holds
from habeas.footage.copying import Copied
from habeas.footage.files import FootageFolder
from habeas.footage.keeping import Keeping
from habeas.store.footage_records import Hold, PublicRequest
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

APPROVERS = ("abe", "bea", "cid")


@dataclass
class Recorded:
    """A segment that was recorded, and until when it can be read, and be held for somebody who asked."""

    from_ns: int
    until_ns: int
    deadline_ns: int
    grace_ns: int = 0
    given: bool = False


@dataclass
class Kept:
    """A hold as it should be."""

    row: Hold
    first: int
    last: int
    yes: set[str] = field(default_factory=set)
    enough: set[str] = field(default_factory=set)
    since_ns: int | None = None
    has: set[int] | None = None
    over: bool = False


class Cut(FootageFolder):
    """A folder of which the power goes with the second copy."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.copies = 0

    def put(self, *args: Any) -> Path:
        self.copies += 1
        if self.copies > 1:
            raise DiskError("the power is gone")
        return super().put(*args)


class Life(RuleBasedStateMachine):
    """Footage of one camera, in segments of three seconds."""

    keeping: type[Keeping] = Keeping

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        clock = ManualClock()
        clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
        self.place = Installation(Path(self.folder.name), clock)
        for name in ("c1", "c2"):
            self.place.camera(name)
        bench = Bench(self.place, Tight(Path(self.folder.name) / "footage"))
        self.holder = Holder(bench, Path(self.folder.name) / "held")
        self.restart()
        self.recorded: list[Recorded] = []
        self.holds: list[Kept] = []
        self.requests: list[PublicRequest] = []

    def teardown(self) -> None:
        self.holder.bench.stop()
        try:
            self.the_log_says_the_same()
        finally:
            self.close()

    def the_log_says_the_same(self) -> None:
        """Replayed, it comes to what the rows say; and it holds."""
        with self.place.store.read() as tx:
            assert differences(replayed(tx, self.place.keys), tx, self.place.keys) == []
            history = History()
            for index, one in enumerate(openings_of(tx, self.place.keys)):
                history.add(said_of(one["opening"], one["hidden"], index))
        for claim in (closed, footage, claims_holds.holds, claims_holds.played):
            claim(history)

    def close(self) -> None:
        self.place.close()
        self.folder.cleanup()

    def restart(self) -> None:
        self.holder.begin()
        about = self.place.store, self.place.keys, self.holder.bench.folder, self.holder.held, self.place.clock
        self.holder.keeping = self.keeping(*about, reserve_bytes=0)

    @property
    def now_ns(self) -> int:
        return self.holder.now_ns

    # --- what should be so --------------------------------------------------------------------------------------------

    def readable(self, number: int) -> bool:
        """Whether a segment can be copied from anywhere now."""
        one = self.recorded[number]
        elsewhere = any(number in (kept.has or ()) and self.runs(kept) for kept in self.holds)
        return self.now_ns < max(one.deadline_ns, one.grace_ns) or elsewhere

    def runs(self, kept: Kept) -> bool:
        return not kept.over and kept.since_ns is not None and self.now_ns < kept.row.ends_at_ns

    def began_ns(self, first: int, last: int) -> int:
        same = [
            one.since_ns
            for one in self.holds
            if one.since_ns is not None and self.runs(one) and one.first <= last and first <= one.last
        ]
        return min([*same, self.now_ns])

    def plenty(self) -> None:
        """Let so much be recorded that all time so far is less than one part in a hundred: shares have other tests."""
        self.holder.plenty(lasts_ns=101 * (self.now_ns - self.recorded[0].from_ns))

    # --- what happens -------------------------------------------------------------------------------------------------

    @rule()
    def record(self) -> None:
        bench = self.holder.bench
        began_ns, hour_ns = self.now_ns, bench.hour_ns
        bench.record(len(self.recorded), 4)
        bench.stop()
        bench.recorder = bench.begin()
        self.recorded.append(Recorded(began_ns, self.now_ns, hour_ns + 120 * HOUR_NS))
        self.place.clock.advance(20 * NS_PER_S)

    @rule(hours=st.sampled_from([1, 20, 100, 120, 143, 24 * 13, 24 * 30, 24 * 31]))
    def advance(self, hours: int) -> None:
        self.place.clock.advance(hours * HOUR_NS)
        self.nothing_outlives_its_hold()
        self.holder.step()

    @precondition(lambda self: self.recorded)
    @rule(data=st.data(), days=st.sampled_from([1, 6, 20, 31]), document=st.booleans())
    def propose(self, data: st.DataObject, days: int, document: bool) -> None:
        self.proposed(*self.some(data), days, document=document)

    @precondition(lambda self: self.recorded)
    @rule(data=st.data(), days=st.sampled_from([1, 6, 31]), crash=st.booleans())
    def hold(self, data: st.DataObject, days: int, crash: bool) -> None:
        """Propose, and let two approve at once: most holds are like this."""
        if self.proposed(*self.some(data), days):
            for who in APPROVERS[:2]:
                self.approved(self.holds[-1], who, crash=crash)

    def proposed(self, first: int, last: int, days: int, *, document: bool = False) -> bool:
        self.plenty()
        ends_ns = self.now_ns + days * DAY_NS
        span = self.recorded[first].from_ns, self.recorded[last].until_ns
        there = any(self.readable(number) for number in range(first, last + 1))
        changes: dict[str, Any] = {"ends_at_ns": ends_ns, "decision": b"an order" if document else None}
        if ends_ns > self.began_ns(first, last) + 93 * DAY_NS and not document:
            assert rule_of(lambda: self.holder.propose(*span, **changes)) == "hold-chain"
            return False
        try:
            hold = self.holder.propose(*span, **changes)
        except InputError:
            assert not there, "what is there can be held"
            return False
        self.holds.append(Kept(hold, first, last))
        return True

    def some(self, data: st.DataObject) -> tuple[int, int]:
        numbers = st.integers(0, len(self.recorded) - 1)
        first, last = sorted((data.draw(numbers), data.draw(numbers)))
        return first, last

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), who=st.sampled_from(APPROVERS), crash=st.booleans())
    def approve(self, data: st.DataObject, who: str, crash: bool) -> None:
        self.approved(data.draw(st.sampled_from(self.holds)), who, crash=crash)

    def approved(self, kept: Kept, who: str, *, crash: bool = False) -> None:
        self.plenty()
        try:
            refused = rule_of(lambda: self.holder.approve(kept.row, who))
        except InputError:
            assert not any(self.readable(number) for number in range(kept.first, kept.last + 1))
            return
        if refused:
            self.check_refused(kept, who, refused)
            return
        kept.yes.add(who)
        if len(kept.yes) == 2:
            kept.since_ns = self.began_ns(kept.first, kept.last)
            self.copy(kept, crash=crash)

    def check_refused(self, kept: Kept, who: str, refused: str) -> None:
        lapsed = self.now_ns >= min(kept.row.proposed_at_ns + 7 * DAY_NS, kept.row.ends_at_ns)
        decided = kept.over or kept.since_ns is not None or lapsed
        long = kept.row.ends_at_ns > self.began_ns(kept.first, kept.last) + 93 * DAY_NS
        expected = {"state"} if decided else {"hold-chain"} if long else {"two-persons"} if who in kept.yes else set()
        assert refused in expected

    def copy(self, kept: Kept, *, crash: bool) -> None:
        """Let time come in which the node copies; it may crash, and begin again."""
        self.place.clock.advance(NS_PER_S)
        if crash:
            folder, others = Cut(self.holder.held / kept.row.hold_id), self.holder.keeping.folder
            self.holder.keeping.folder = lambda name: folder if name == folder.path.name else others(name)  # type: ignore[method-assign]
            try:
                self.holder.keep()
            except DiskError:
                assert folder.copies > 1
            self.restart()
        numbers = range(kept.first, kept.last + 1)
        kept.has = {number for number in numbers if self.readable(number)} if self.runs(kept) else set()
        self.holder.step()
        if not kept.has:
            kept.over = True

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), both=st.permutations(APPROVERS))
    def release(self, data: st.DataObject, both: Sequence[str]) -> None:
        kept = data.draw(st.sampled_from(self.holds))
        for who in both[:2]:
            refused = rule_of(lambda who=who: self.holder.release(kept.row, who))
            assert refused in ({"", "two-persons"} if self.runs(kept) else {"state"})
            if not refused:
                kept.enough.add(who)
            kept.over = kept.over or len(kept.enough) >= 2

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), who=st.sampled_from(APPROVERS))
    def refuse(self, data: st.DataObject, who: str) -> None:
        kept = data.draw(st.sampled_from(self.holds))
        if not rule_of(lambda: self.holder.refuse(kept.row, who)):
            assert kept.since_ns is None
            kept.over = True

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        first, last = self.some(data)
        self.plenty()
        span = self.recorded[first].from_ns, self.recorded[last].until_ns
        there = [number for number in range(first, last + 1) if self.now_ns < self.recorded[number].deadline_ns]
        if span[1] - span[0] > 2 * HOUR_NS:
            assert rule_of(lambda: self.holder.receive(*span)) == "request-size"
            return
        try:
            request = self.holder.receive(*span)
            refused = rule_of(lambda: self.holder.verify(request))
        except InputError:
            assert not there
            return
        fresh = [number for number in there if not self.recorded[number].given]
        assert refused == ("" if fresh else "request-once")
        if refused:
            return
        self.requests.append(request)
        for number in fresh:
            one = self.recorded[number]
            one.given, one.grace_ns = True, one.deadline_ns + DAY_NS
        self.holder.step()

    @rule()
    def begin_again(self) -> None:
        self.restart()

    # --- what is always so --------------------------------------------------------------------------------------------

    def opened(self, object_id: str) -> set[int]:
        """Which segments of a hold or a request open, whatever the database says."""
        try:
            return {int(data.split(b" ")[1]) for data in self.holder.opens(object_id)}
        except KeyDestroyed:
            return set()

    @invariant()
    def nothing_held_is_lost(self) -> None:
        for kept in self.holds:
            if self.runs(kept):
                assert self.opened(kept.row.hold_id) == kept.has

    @invariant()
    def nothing_outlives_its_hold(self) -> None:
        for kept in self.holds:
            if not self.runs(kept):
                assert self.opened(kept.row.hold_id) == set(), "it opens, and no hold runs"

    @invariant()
    def no_hold_without_two_people(self) -> None:
        for kept in self.holds:
            row = self.holder.row(kept.row)
            assert len(kept.yes) >= 2 or row.state in {"proposed", "refused", "lapsed"}

    @invariant()
    def no_grace_is_longer_than_a_day(self) -> None:
        for request in self.requests:
            for number in self.opened(request.request_id):
                assert self.now_ns < self.recorded[number].deadline_ns + DAY_NS


SHORT = settings(max_examples=12, stateful_step_count=25, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.rule("T5")
@pytest.mark.rule("T6")
@pytest.mark.rule("T7")
@pytest.mark.rule("T10")
@pytest.mark.rule("T11")
def test_holds_in_any_order() -> None:
    run_state_machine_as_test(Life, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.rule("T6")
def test_holds_in_any_order_for_long() -> None:
    run_state_machine_as_test(Life, settings=settings(SHORT, max_examples=150, derandomize=False))


# --- positive controls ------------------------------------------------------------------------------------------------


@contextmanager
def lived(kind: type[Life]) -> Iterator[Life]:
    """A life that a test leads by itself, with one segment and a proposal of a day's hold."""
    life = kind()
    try:
        life.record()
        life.proposed(0, 0, 1)
        yield life
    finally:
        life.holder.bench.stop()
        life.close()


class Lasting(Keeping):
    """A keeper whose copies have a key that lasts on."""

    def _copied(self, hold: Hold) -> Copied:
        self._keys.reschedule(hold.key_id, hold.ends_at_ns + 100 * DAY_NS)
        return super()._copied(hold)


class LifeWithoutExpiry(Life):
    keeping = Lasting


@pytest.mark.rule("T6")
@pytest.mark.parametrize("kind", [Life, LifeWithoutExpiry])
def test_a_copy_whose_key_does_not_end_with_its_hold_is_caught(kind: type[Life]) -> None:
    with lived(kind) as life:
        for who in ("abe", "bea"):
            life.approved(life.holds[0], who)
        life.nothing_held_is_lost()
        assert life.holds[0].has == {0}
        if kind is Life:
            life.advance(24)
        else:
            with pytest.raises(AssertionError, match="no hold runs"):
                life.advance(24)


@pytest.mark.rule("T5")
def test_an_approval_that_counts_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = holds.approvals_of
    with lived(Life) as life:
        monkeypatch.setattr(holds, "approvals_of", lambda *args: counted(*args) * 2)
        life.approved(life.holds[0], "abe")
        with pytest.raises(AssertionError):
            life.no_hold_without_two_people()


@pytest.mark.rule("T6")
def test_a_hold_whose_copies_are_lost_is_caught() -> None:
    with lived(Life) as life:
        for who in ("abe", "bea"):
            life.approved(life.holds[0], who)
        FootageFolder.remove(life.holder.held / life.holds[0].row.hold_id)
        with pytest.raises(AssertionError):
            life.nothing_held_is_lost()
