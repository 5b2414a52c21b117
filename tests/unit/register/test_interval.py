"""The interval of a rate against the root-finding definition of it, and values published elsewhere."""

import math

import pytest

from habeas.register.interval import wilson


@pytest.mark.parametrize(
    ("errors", "trials"), [(1, 10), (5, 10), (9, 10), (3, 1_000_000), (81, 263), (499_999, 500_000)]
)
def test_its_ends_are_where_the_score_test_just_refuses(errors: int, trials: int) -> None:
    share = errors / trials
    for end in wilson(errors, trials):
        assert abs(share - end) / math.sqrt(end * (1 - end) / trials) == pytest.approx(1.959964, rel=1e-5)


def test_a_published_value() -> None:
    """Newcombe 1998, table I, method 3: 81 of 263."""
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_none_and_all() -> None:
    assert wilson(0, 100)[0] == 0.0
    assert wilson(0, 100)[1] == pytest.approx(0.0370, abs=1e-4)
    assert wilson(100, 100)[1] == 1.0
