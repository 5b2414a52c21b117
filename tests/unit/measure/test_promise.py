import numpy as np
import pytest

from habeas.measure.calibrate import Impostors
from habeas.measure.promise import CELLS, Promise, check_promise


def impostors(similarities: np.ndarray) -> Impostors:
    np.fill_diagonal(similarities, -1)
    people = len(similarities)
    return Impostors(similarities.astype(np.float32), tuple(map(str, range(people))), np.full(people, 60.0))


def test_a_promise_on_people_of_one_kind_is_kept() -> None:
    data = impostors(np.random.default_rng(0).normal(0.1, 0.1, (240, 240)))
    promises = check_promise(data)
    told = {(promise.gallery_size, promise.fpir) for promise in promises}
    assert told == {(size, fpir) for size, fpirs in CELLS.items() for fpir in fpirs if size < 60}
    for promise in promises:
        if promise.fpir < 0.01:
            continue  # 240 people say little of rarer errors
        assert promise.low <= promise.observed <= promise.high
        assert promise.observed == pytest.approx(promise.fpir, rel=0.35)
        assert promise.held


def test_too_few_people_promise_nothing() -> None:
    assert check_promise(impostors(np.random.default_rng(0).normal(0.1, 0.1, (4, 4)))) == []


@pytest.mark.parametrize(("low", "high", "held"), [(0.005, 0.02, True), (0.011, 0.02, False), (0.005, 0.009, False)])
def test_a_promise_outside_its_interval_is_not_held(low: float, high: float, held: bool) -> None:
    assert Promise(10, 0.01, (low + high) / 2, low, high).held is held
