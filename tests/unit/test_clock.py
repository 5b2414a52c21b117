import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.clock import ManualClock, SystemClock, ns_of_utc
from habeas.errors import InputError
from habeas.ports import Clock
from habeas.types import NS_PER_S, utc


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


@given(st.integers(0, 2**62))
def test_times_are_read_as_they_were_written(ns: int) -> None:
    assert ns_of_utc(utc(ns)) == ns
    assert ns_of_utc(f"{utc(ns)[:19]}Z") == ns - ns % NS_PER_S


@pytest.mark.parametrize(
    "text", ["", "2026-11-26", "2026-13-26T14:00:00Z", "2026-11-26T14:00:00", "2026-11-26T14:00:00.1Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ns_of_utc(text)
