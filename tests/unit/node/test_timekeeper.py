"""The time an installation goes by: a jump ends the power to search at once, and moves no destruction, either way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.databases import new_database
from tests.installation import DAY, HOUR, Installation, rule_of
from tests.strategies import PROPERTY

from habeas.authority import jumps
from habeas.clock import ManualClock
from habeas.errors import RuleError
from habeas.node.timekeeper import TOLERANCE_NS, Timekeeper, last_beat
from habeas.store import Store, open_store
from habeas.store.records import Heartbeat
from habeas.types import NS_PER_S

YEAR = 365 * DAY
TO_1970 = -1_700_000_000 * NS_PER_S


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with open_store(new_database("sqlite", tmp_path), clock) as made:
        yield made


def again(store: Store, clock: ManualClock) -> Timekeeper:
    """The program begins anew."""
    with store.read() as tx:
        return Timekeeper(clock, last_beat(tx))


def beat(store: Store, time: Timekeeper) -> None:
    with store.write() as tx:
        time.beat(tx)


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [HOUR, -HOUR, DAY, -DAY, YEAR, TO_1970, TOLERANCE_NS + 1, -TOLERANCE_NS - 1])
def test_a_jump_stops_at_once_and_moves_no_deadline(clock: ManualClock, off_ns: int) -> None:
    time = Timekeeper(clock, None)
    before = time.now_ns()
    clock.jump(off_ns)
    assert not time.check()
    assert time.jumped
    with pytest.raises(RuleError) as error:
        time.require_trust()
    assert error.value.rule == "clock-jump"
    assert time.now_ns() == before, "neither hastened nor delayed"
    clock.advance(3 * HOUR)
    assert time.now_ns() == before + 3 * HOUR
    assert not time.check(), "it does not heal by waiting"


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [HOUR, -HOUR, TO_1970])
def test_a_clock_that_comes_back_is_still_in_doubt_until_two_say_so(clock: ManualClock, off_ns: int) -> None:
    time = Timekeeper(clock, None)
    clock.jump(off_ns)
    time.check()
    clock.jump(-off_ns)
    assert not time.check()
    time.confirm()
    assert time.check()
    assert time.now_ns() == clock.now_ns()


def test_a_confirmed_jump_is_taken_over(clock: ManualClock) -> None:
    time = Timekeeper(clock, None)
    clock.jump(-DAY)
    assert not time.check()
    time.confirm()
    time.require_trust()
    assert time.now_ns() == clock.now_ns()


def test_within_the_tolerance_it_follows_a_thousandth_at_a_time(clock: ManualClock) -> None:
    time = Timekeeper(clock, None)
    clock.jump(4 * NS_PER_S)
    assert time.check(), "control: a time server's step"
    clock.advance(1000 * NS_PER_S)
    assert time.check()
    assert time.off_by_ns() == 3 * NS_PER_S
    for _ in range(10):
        clock.advance(1000 * NS_PER_S)
        time.check()
    assert time.off_by_ns() == 0


def test_daylight_saving_is_nothing(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.jump(1_711_846_800 * NS_PER_S - clock.now_ns() - HOUR)  # an hour before 31 March 2024, 01:00 UTC
    time = Timekeeper(clock, None)
    for _ in range(12):
        clock.advance(HOUR // 4)
        assert time.check()
        assert time.now_ns() == clock.now_ns()


@pytest.mark.rule("F17")
@pytest.mark.parametrize("sign", [1, -1])
def test_many_small_steps_come_to_no_jump_unseen(clock: ManualClock, sign: int) -> None:
    time = Timekeeper(clock, None)
    start, steps = time.now_ns(), 0
    while time.check() and steps < 1000:
        clock.jump(sign * NS_PER_S)
        clock.advance(NS_PER_S)
        steps += 1
    assert steps <= 7
    assert abs(time.now_ns() - start - steps * NS_PER_S) <= steps * NS_PER_S // 1000 + 1


@pytest.mark.rule("F17")
@PROPERTY
@given(st.lists(st.tuples(st.integers(-10 * NS_PER_S, 10 * NS_PER_S), st.integers(0, HOUR)), max_size=30))
def test_no_steps_move_a_deadline_by_more_than_a_thousandth(steps: list[tuple[int, int]]) -> None:
    clock = ManualClock()
    time = Timekeeper(clock, None)
    start, last = time.now_ns(), time.now_ns()
    for jump_ns, passed_ns in steps:
        clock.jump(jump_ns)
        time.check()
        clock.advance(passed_ns)
        trusted = time.check()
        now = time.now_ns()
        assert now >= last, "it never goes back"
        assert trusted is not time.jumped
        if abs(clock.now_ns() - now) > TOLERANCE_NS:
            assert not trusted
        last = now
    elapsed = clock.boot_ns()
    assert abs(last - start - elapsed) <= elapsed // 1000 + 1


# --- restarts ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [0, HOUR, -HOUR, YEAR, TO_1970])
def test_across_a_restart_on_the_same_boot_time_is_known(store: Store, clock: ManualClock, off_ns: int) -> None:
    time = Timekeeper(clock, None)
    beat(store, time)
    before = time.now_ns()
    clock.advance(HOUR)
    clock.jump(off_ns)
    resumed = again(store, clock)
    assert resumed.now_ns() == before + HOUR
    assert resumed.jumped is (off_ns != 0)


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [HOUR, -HOUR])
def test_a_jump_in_doubt_stays_in_doubt_across_restarts(store: Store, clock: ManualClock, off_ns: int) -> None:
    time = Timekeeper(clock, None)
    clock.jump(off_ns)
    time.check()
    beat(store, time)
    clock.jump(-off_ns)
    assert again(store, clock).jumped
    clock.reboot(HOUR)
    assert again(store, clock).jumped


def test_after_a_reboot_the_machine_was_off(store: Store, clock: ManualClock) -> None:
    time = Timekeeper(clock, None)
    clock.advance(HOUR)
    beat(store, time)
    before = time.now_ns()
    clock.reboot(3 * DAY)
    resumed = again(store, clock)
    assert resumed.check()
    assert resumed.now_ns() == before + 3 * DAY == clock.now_ns()


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [-HOUR, TO_1970])
def test_after_a_reboot_with_the_clock_behind_destruction_goes_on_and_nothing_is_compared(
    store: Store, clock: ManualClock, off_ns: int
) -> None:
    time = Timekeeper(clock, None)
    beat(store, time)
    before = time.now_ns()
    clock.reboot(0)
    clock.jump(off_ns)
    resumed = again(store, clock)
    assert not resumed.check()
    assert resumed.now_ns() == before
    clock.advance(2 * HOUR)
    assert resumed.now_ns() == before + 2 * HOUR


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [YEAR, -YEAR])
def test_a_reboot_confirms_no_jump(store: Store, clock: ManualClock, off_ns: int) -> None:
    """Set the clock, switch off and on: time goes on by what passed, not to where the clock was set."""
    time = Timekeeper(clock, None)
    before = time.now_ns()
    clock.jump(off_ns)
    time.check()
    beat(store, time)
    clock.reboot(HOUR)
    resumed = again(store, clock)
    assert not resumed.check()
    assert resumed.now_ns() == before + HOUR


def test_only_the_last_beat_is_kept(store: Store, clock: ManualClock) -> None:
    time = Timekeeper(clock, None)
    for _ in range(3):
        clock.advance(HOUR)
        beat(store, time)
    with store.read() as tx:
        (kept,) = tx.find(Heartbeat)
    assert kept.steady_ns == time.now_ns()
    assert "jumped=False" in repr(time)


# --- what deadlines do ------------------------------------------------------------------------------------------------


@pytest.mark.rule("F17")
@pytest.mark.parametrize("off_ns", [YEAR, -YEAR, HOUR])
def test_a_subjects_key_goes_when_its_time_has_elapsed(tmp_path: Path, off_ns: int) -> None:
    clock = ManualClock()
    time = Timekeeper(clock, None)
    with Installation(tmp_path, time) as place:  # type: ignore[arg-type]  # a clock, that nobody moves
        place.camera("c1")
        row = place.started()
        key_id = place.subjects(row.authorisation_id)[0].key_id
        clock.jump(off_ns)
        time.check()
        clock.advance(2 * HOUR - 1)
        place.tick()
        assert key_id in place.keys.ids(), "not hastened"
        clock.advance(1)
        place.tick()
        assert key_id not in place.keys.ids(), "not delayed"
        assert place.row(row.authorisation_id).state == "expired"


# --- two people say that it is right ----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    with Installation(tmp_path, clock) as made:
        yield made


def jumped(place: Installation, off_s: int) -> None:
    """What the node writes."""
    with place.store.write() as tx:
        tx.entry("clock.jumped", "node", {"off_by_s": off_s})


def confirm(place: Installation, who: str, off_s: int) -> bool:
    done = place.do(who, lambda tx, actor: jumps.approve_clock(tx, actor, off_s * NS_PER_S))
    if done:
        with place.store.write() as tx:
            tx.entry("clock.confirmed", who, {"off_by_s": off_s})
    return done


@pytest.mark.rule("F17")
def test_two_distinct_approvers_confirm_a_jump(place: Installation) -> None:
    assert rule_of(lambda: confirm(place, "abe", 0)) == "state", "there was none"
    jumped(place, 3600)
    assert not confirm(place, "abe", 3600)
    assert rule_of(lambda: confirm(place, "abe", 3600)) == "two-persons"
    for who in ("ann", "pia", "rob", "opal", "aud"):
        assert rule_of(lambda who=who: confirm(place, who, 3600)) == "role"  # type: ignore[misc]
    assert rule_of(lambda: confirm(place, "token:bea", 3600)) == "login-needed"
    assert confirm(place, "bea", 3601)


@pytest.mark.rule("F17")
def test_what_was_said_of_one_jump_is_said_of_no_other(place: Installation) -> None:
    jumped(place, 3600)
    confirm(place, "abe", 3600)
    assert rule_of(lambda: confirm(place, "bea", 86400)) == "content-changed", "it moved on meanwhile"
    jumped(place, 86400)
    assert not confirm(place, "bea", 86400), "the first word was of the first jump"
    assert confirm(place, "abe", 86400)
    assert rule_of(lambda: confirm(place, "cid", 86400)) == "state", "confirmed: the next needs its own entry"
