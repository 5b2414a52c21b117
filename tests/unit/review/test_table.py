"""The pure table: every sequence of answers against the table written down by hand."""

import itertools

import pytest

from habeas.errors import HabeasError
from habeas.review.table import Answer, Outcome, State, outcome

S, D, C = Answer.SAME, Answer.DIFFERENT, Answer.CANNOT_TELL
AGREED = {(S, S): "confirmed", (D, D): "false"}
OTHER_PAIRS = [(S, D), (D, S), (S, C), (C, S), (D, C), (C, D), (C, C)]
INITIAL = {S: "s", D: "d", C: "c"}
BY_HAND = {
    **dict.fromkeys(("sss", "ssd", "ssc", "dds", "ddd", "ddc"), "refused"),  # decided by two, nobody is asked
    **dict.fromkeys(("sds", "dss", "scs", "css"), "confirmed"),
    **dict.fromkeys(("sdd", "dsd", "scd", "csd", "dcd", "cdd", "ccd"), "false"),
    **dict.fromkeys(("sdc", "dsc", "scc", "csc", "dcc", "cdc", "ccc"), "unresolved"),
    **dict.fromkeys(("dcs", "cds", "ccs"), "unresolved"),  # one `same` in all
}


def test_the_pairs_are_all_there_are() -> None:
    assert {*AGREED, *OTHER_PAIRS} == set(itertools.product(Answer, repeat=2))
    assert len(BY_HAND) == 27


@pytest.mark.parametrize("answers", [(), (S,), (D,), (C,)])
def test_none_or_one_decides_nothing(answers: tuple[Answer, ...]) -> None:
    assert outcome(answers) is None


@pytest.mark.parametrize("pair", list(itertools.product(Answer, repeat=2)))
def test_two(pair: tuple[Answer, Answer]) -> None:
    found = outcome(pair)
    assert (found.value if found else None) == AGREED.get(pair)


def ruled(triple: tuple[Answer, Answer, Answer]) -> str:
    """The law in its own words: two decide where they agree; nothing is confirmed by one; else the third has it."""
    said = [answer.value for answer in triple]
    if said[:2] in (["same", "same"], ["different", "different"]):
        return "refused"
    if said[2] == "different":
        return "false"
    return "confirmed" if said[2] == "same" and said.count("same") >= 2 else "unresolved"


@pytest.mark.rule("V5")
@pytest.mark.parametrize("triple", list(itertools.product(Answer, repeat=3)))
def test_all_triples(triple: tuple[Answer, Answer, Answer]) -> None:
    expected = BY_HAND["".join(INITIAL[answer] for answer in triple)]
    assert ruled(triple) == expected, "the law in words, and the table written down by hand, are one"
    if expected == "refused":
        with pytest.raises(HabeasError):
            outcome(triple)
        return
    found = outcome(triple)
    assert found is not None
    assert found.value == expected


@pytest.mark.rule("V1")
@pytest.mark.parametrize("triple", list(itertools.product(Answer, repeat=3)))
def test_nothing_is_confirmed_by_one(triple: tuple[Answer, Answer, Answer]) -> None:
    if BY_HAND["".join(INITIAL[answer] for answer in triple)] != "refused":
        assert outcome(triple) is not Outcome.CONFIRMED or triple.count(S) >= 2


@pytest.mark.parametrize("answers", [(S, S, D), (D, D, S), (S, D, S, S), (C, C, C, D), (S, S, S, S)])
def test_nobody_is_asked_after_the_decision(answers: tuple[Answer, ...]) -> None:
    with pytest.raises(HabeasError):
        outcome(answers)


def test_every_outcome_is_a_state() -> None:
    assert [State(one.value).name for one in Outcome] == [one.name for one in Outcome]
