"""The pure table: every sequence of answers against the table written down by hand."""

import itertools

import pytest

from habeas.errors import HabeasError
from habeas.review.table import Answer, Outcome, State, outcome

S, D, C = Answer.SAME, Answer.DIFFERENT, Answer.CANNOT_TELL
AGREED = {(S, S): "confirmed", (D, D): "false"}
OTHER_PAIRS = [(S, D), (D, S), (S, C), (C, S), (D, C), (C, D), (C, C)]
THIRD = {S: "confirmed", D: "false", C: "unresolved"}


def test_the_pairs_are_all_there_are() -> None:
    assert {*AGREED, *OTHER_PAIRS} == set(itertools.product(Answer, repeat=2))


@pytest.mark.parametrize("answers", [(), (S,), (D,), (C,)])
def test_none_or_one_decides_nothing(answers: tuple[Answer, ...]) -> None:
    assert outcome(answers) is None


@pytest.mark.parametrize("pair", list(itertools.product(Answer, repeat=2)))
def test_two(pair: tuple[Answer, Answer]) -> None:
    found = outcome(pair)
    assert (found.value if found else None) == AGREED.get(pair)


@pytest.mark.parametrize("third", Answer)
@pytest.mark.parametrize("pair", OTHER_PAIRS)
def test_the_third_decides(pair: tuple[Answer, Answer], third: Answer) -> None:
    found = outcome([*pair, third])
    assert found is not None
    assert found.value == THIRD[third]


@pytest.mark.parametrize("answers", [(S, S, D), (D, D, S), (S, D, S, S), (C, C, C, D), (S, S, S, S)])
def test_nobody_is_asked_after_the_decision(answers: tuple[Answer, ...]) -> None:
    with pytest.raises(HabeasError):
        outcome(answers)


def test_every_outcome_is_a_state() -> None:
    assert [State(one.value).name for one in Outcome] == [one.name for one in Outcome]
