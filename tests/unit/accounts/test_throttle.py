"""Guessing is slow, and keeps nobody else out."""

import threading

import pytest
from tests.installation import HOUR, rule_of

from habeas.accounts.throttle import FORGOTTEN_NS, FREE, LONGEST_NS, MOST_CALLERS, MOST_UNKNOWN, Throttle
from habeas.errors import RuleError
from habeas.types import DAY_NS, NS_PER_S

MALLORY, EVE = 1001, 1002


def tried(throttle: Throttle, now_ns: int, *, name: str = "eve", caller: int = MALLORY, known: bool = True) -> bool:
    """Whether a password may be compared now."""
    return rule_of(lambda: throttle.attempt(name, known=known, caller=caller, now_ns=now_ns)) == ""


def exhausted(now_ns: int = 0) -> Throttle:
    throttle = Throttle()
    assert [tried(throttle, now_ns) for _ in range(FREE + 1)] == [True] * FREE + [False]
    return throttle


def test_the_wait_doubles_up_to_a_minute() -> None:
    throttle, now_ns, waits = exhausted(), 0, []
    for _ in range(8):
        with pytest.raises(RuleError) as refused:
            throttle.attempt("eve", known=True, caller=MALLORY, now_ns=now_ns)
        wait_s = int(refused.value.remedy.split()[-2])
        assert not tried(throttle, now_ns + wait_s * NS_PER_S - 1)
        now_ns += wait_s * NS_PER_S
        assert tried(throttle, now_ns)
        waits.append(wait_s)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert LONGEST_NS == 60 * NS_PER_S


def test_a_login_clears_it_and_so_does_an_hour() -> None:
    throttle = exhausted()
    assert tried(throttle, NS_PER_S), "the delay is over"
    throttle.succeeded("eve", caller=MALLORY)
    assert all(tried(throttle, NS_PER_S) for _ in range(FREE))
    assert not tried(throttle, NS_PER_S)
    later_ns = NS_PER_S + FORGOTTEN_NS
    assert all(tried(throttle, later_ns) for _ in range(FREE))


def test_another_user_of_the_machine_keeps_nobody_out() -> None:
    throttle = Throttle()
    for second in range(3600):
        tried(throttle, second * NS_PER_S)
    assert not tried(throttle, 3599 * NS_PER_S)
    assert tried(throttle, 3599 * NS_PER_S, caller=EVE)
    assert tried(throttle, 3599 * NS_PER_S, name="ann"), "nor from another account"


def test_a_day_of_guessing_by_however_many_users_is_bounded() -> None:
    throttle = Throttle()
    compared = 0
    for now_ns in range(0, DAY_NS, 30 * NS_PER_S):
        compared += sum(tried(throttle, now_ns, caller=caller) for caller in range(3 * MOST_CALLERS))
    assert compared <= (MOST_CALLERS + 1) * (DAY_NS // LONGEST_NS + 2 * FREE)
    assert compared > MOST_CALLERS * DAY_NS // LONGEST_NS // 2, "control: it was tried"


def test_many_at_once_are_counted_before_any_is_compared() -> None:
    throttle, come = Throttle(), threading.Barrier(20)
    passed: list[bool] = []

    def guess() -> None:
        come.wait()
        passed.append(tried(throttle, 0))

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == FREE


def test_invented_names_wait_too_and_push_no_account_out() -> None:
    throttle = exhausted()
    assert [tried(throttle, 0, name="nobody", known=False) for _ in range(FREE + 1)][-1] is False
    for number in range(MOST_UNKNOWN):
        tried(throttle, 0, name=f"invented-{number}", known=False)
    assert not tried(throttle, 0), "an account's attempts are remembered"
    assert len(throttle._unknown) == MOST_UNKNOWN
    assert HOUR == FORGOTTEN_NS
