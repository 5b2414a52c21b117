import hashlib
from pathlib import Path

import numpy as np
import pytest
from tests import strategies
from tests.strategies import probes

from habeas.errors import InputError
from habeas.measure.dataset import Image, TemplateSet
from habeas.measure.pairs import PAIRS, SEED, draw_pairs, measure_pairs

PEOPLE = [f"p{number // 3:02d}" for number in range(60)] + [f"q{number}" for number in range(20)]


def test_everyone_draws_the_same_pairs() -> None:
    """Pinned: whoever changes the generator changes what published figures mean."""
    drawn = draw_pairs(PEOPLE)
    assert (SEED, PAIRS) == (20_261_123, 6000)
    assert drawn.dtype == np.int64
    assert hashlib.sha256(drawn.astype("<i8").tobytes()).hexdigest() == PINNED


PINNED = "0132abc816b14760b954646adad791e823aa6b1de606f512c285237c8a1c7585"


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_half_are_of_one_person_and_half_of_two(count: int) -> None:
    drawn = draw_pairs(PEOPLE, count=count)
    assert drawn.shape == (count, 2)
    same = [PEOPLE[a] == PEOPLE[b] for a, b in drawn.tolist()]
    assert same == [True] * (count // 2) + [False] * (count - count // 2)
    assert all(a != b for a, b in drawn.tolist())


def test_another_seed_draws_other_pairs() -> None:
    assert not np.array_equal(draw_pairs(PEOPLE, seed=1), draw_pairs(PEOPLE))


@pytest.mark.parametrize("people", [[], ["a"], ["a", "a", "a"], ["a", "b", "c"]])
def test_people_of_whom_no_pair_can_be_made_are_refused(people: list[str]) -> None:
    with pytest.raises(InputError, match="pairs need"):
        draw_pairs(people)


# --- measuring ------------------------------------------------------------------------------------------------------


def images(people: list[str]) -> list[Image]:
    return [Image(person, Path(person) / f"{number}.jpg") for number, person in enumerate(people)]


def templates(people: list[str], spread: float, missed: tuple[Image, ...] = ()) -> TemplateSet:
    rng = np.random.default_rng(0)
    centres = dict(zip(sorted(set(people)), strategies.unit_rows(rng, 200, 32), strict=False))
    vectors = np.stack([centres[person] + rng.normal(0, spread, 32) for person in people])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = [row for row, image in enumerate(images(people)) if image not in missed]
    return TemplateSet(probes(vectors[kept]), np.array(people)[kept], missed)


def test_people_far_apart_are_told_apart() -> None:
    result = measure_pairs(images(PEOPLE), templates(PEOPLE, 0.01), draw_pairs(PEOPLE, count=600))
    assert result.pairs == 600
    assert result.accuracy > 0.995
    assert result.accuracy_std < 0.01
    assert result.tar == ((0.01, 1.0), (0.001, 1.0))


def test_noise_is_told_apart_by_chance() -> None:
    result = measure_pairs(images(PEOPLE), templates(PEOPLE, 50), draw_pairs(PEOPLE))
    assert 0.4 < result.accuracy < 0.65
    assert result.tar[0][1] < 0.2


def test_accuracy_is_tenfold_with_the_threshold_from_the_other_nine() -> None:
    pairs = draw_pairs(PEOPLE, count=400)
    data = templates(PEOPLE, 0.25)
    result = measure_pairs(images(PEOPLE), data, pairs)
    vectors = data.templates.vectors
    similarity = [float(vectors[a] @ vectors[b]) for a, b in pairs.tolist()]
    same = [PEOPLE[a] == PEOPLE[b] for a, b in pairs.tolist()]
    folds = []
    for fold in range(10):
        train = [row for row in range(400) if row % 10 != fold]
        test = [row for row in range(400) if row % 10 == fold]
        hits = {
            level: sum((similarity[row] > level) == same[row] for row in train)
            for level in sorted(similarity[row] for row in train)
        }
        best = max(hits, key=lambda level: hits[level])
        folds.append(sum((similarity[row] > best) == same[row] for row in test) / len(test))
    assert result.accuracy == pytest.approx(np.mean(folds), abs=0.01)
    assert 0.6 < result.accuracy < 1


def test_tar_is_the_share_above_what_the_promised_share_of_impostors_exceeds() -> None:
    pairs = draw_pairs(PEOPLE, count=2000)
    data = templates(PEOPLE, 0.3)
    result = measure_pairs(images(PEOPLE), data, pairs)
    vectors = data.templates.vectors
    similarity = np.array([vectors[a] @ vectors[b] for a, b in pairs.tolist()])
    genuine, impostors = similarity[:1000], sorted(similarity[1000:], reverse=True)
    for far, tar in result.tar:
        level = impostors[round(far * 1000)]
        assert sum(value > level for value in impostors) <= round(far * 1000)
        assert tar == pytest.approx((genuine > level).mean(), abs=1e-3)


def test_pairs_with_a_missed_image_are_left_out() -> None:
    every = images(PEOPLE)
    missed = (every[0], every[7], every[79])
    pairs = draw_pairs(PEOPLE, count=600)
    gone = {0, 7, 79}
    kept = [pair for pair in pairs.tolist() if not gone & set(pair)]
    result = measure_pairs(every, templates(PEOPLE, 0.01, missed), pairs)
    assert result.pairs == len(kept) < 600
    assert result.accuracy > 0.995
