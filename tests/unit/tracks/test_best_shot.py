import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.tracks.best_shot import MAX_SHOTS, MIN_QUALITY, Shots, taken, worth
from habeas.types import NS_PER_S

Look = tuple[float, int]


def shots_of(looks: list[Look]) -> list[Look]:
    """The looks that became best shots: (quality, time)."""
    state, now, chosen = Shots(), 0, []
    for quality, wait_ms in looks:
        now += wait_ms * 1_000_000
        if worth(state, quality, now):
            state = taken(state, quality, now)
            chosen.append((quality, now))
    return chosen


looks = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 900)), max_size=60)


@PROPERTY
@given(looks=looks)
def test_never_more_than_five_and_never_below_the_floor(looks: list[Look]) -> None:
    chosen = shots_of(looks)
    assert len(chosen) <= MAX_SHOTS == 5
    assert all(quality >= MIN_QUALITY for quality, _ in chosen)


@PROPERTY
@given(looks=looks)
def test_the_first_good_enough_face_is_taken_at_once(looks: list[Look]) -> None:
    good = [quality for quality, _ in looks if quality >= MIN_QUALITY]
    assert [quality for quality, _ in shots_of(looks)][:1] == good[:1]


@PROPERTY
@given(looks=looks)
def test_each_further_shot_is_better_or_later(looks: list[Look]) -> None:
    chosen = shots_of(looks)
    for number in range(1, len(chosen)):
        quality, now = chosen[number]
        best = max(earlier for earlier, _ in chosen[:number])
        better = quality > 1.15 * best
        later = number < 3 and now - chosen[number - 1][1] >= NS_PER_S // 2 and quality >= 0.7 * best
        assert better or later


def test_a_still_face_gives_three_shots_half_a_second_apart() -> None:
    assert [now for _, now in shots_of([(0.5, 125)] * 40)] == [125_000_000, 625_000_000, 1_125_000_000]


def test_a_face_that_comes_nearer_gives_five() -> None:
    assert len(shots_of([(0.1 * 1.2**step, 10) for step in range(12)])) == MAX_SHOTS


@pytest.mark.parametrize("quality", [float("nan"), -1.0, 0.0, MIN_QUALITY - 1e-9])
def test_what_is_no_good_is_never_taken(quality: float) -> None:
    assert not worth(Shots(), quality, 0)
    assert worth(Shots(), MIN_QUALITY, 0)
