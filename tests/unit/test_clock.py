import pytest

from habeas.clock import ManualClock, SystemClock
from habeas.ports import Clock
from habeas.types import NS_PER_S


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()], ids=["system", "manual"])
def test_waiting_takes_its_time_and_time_goes_forward(clock: Clock) -> None:
    wall, steady = clock.now_ns(), clock.monotonic_ns()
    clock.wait(NS_PER_S // 1000)
    assert clock.monotonic_ns() - steady >= NS_PER_S // 1000
    assert clock.now_ns() >= wall + NS_PER_S // 2000


def test_the_machines_clock_takes_no_negative_wait() -> None:
    SystemClock().wait(-NS_PER_S)


def test_a_manual_clock_stands_still_until_moved() -> None:
    clock = ManualClock(5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (5, 0)
    assert (clock.now_ns(), clock.monotonic_ns()) == (5, 0)
    clock.advance(10)
    clock.wait(1)
    assert (clock.now_ns(), clock.monotonic_ns()) == (16, 11)
