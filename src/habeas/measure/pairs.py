"""Verification on pairs: accuracy, and TAR at FAR.

The pairs come from a committed generator, so that everyone measures the same ones: 3,000 of one person, 3,000 of two,
drawn from the people and images in order of name. Accuracy is tenfold: the threshold is chosen on nine tenths.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.errors import InputError
from habeas.measure.dataset import Image, TemplateSet
from habeas.types import F32, I64

PAIRS: Final = 6000
SEED: Final = 20_261_123
FARS: Final = (0.01, 0.001)
_FOLDS: Final = 10


@dataclass(frozen=True)
class PairsResult:
    """What the pairs gave.

    Args:
        pairs: measured; fewer than 6,000 where a face was not found.
        accuracy: mean of ten folds.
        accuracy_std: their standard deviation.
        tar: (FAR, TAR) for each FAR.
    """

    pairs: int
    accuracy: float
    accuracy_std: float
    tar: tuple[tuple[float, float], ...]


def draw_pairs(people: list[str], seed: int = SEED, count: int = PAIRS) -> I64:
    """Draw pairs of images.

    Args:
        people: whose each image is, in order of name.
        seed: of the draw.
        count: pairs; the first half of one person, the second of two.

    Returns:
        (count, 2) int64, rows of `people`.

    Raises:
        InputError: fewer than two people, or nobody with two images.
    """
    rng = np.random.default_rng(seed)
    names = np.array(people)
    unique, which = np.unique(names, return_inverse=True)
    rows = [np.flatnonzero(which == person) for person in range(len(unique))]
    several = [index for index, own in enumerate(rows) if len(own) > 1]
    if not several or len(unique) < 2:  # noqa: PLR2004 - a pair of people
        raise InputError("pairs need two people, one with several images", remedy="give another folder")
    same = [rng.choice(rows[several[rng.integers(len(several))]], 2, replace=False) for _ in range(count // 2)]
    different = []
    for _ in range(count - count // 2):
        one, other = rng.choice(len(unique), 2, replace=False)
        different.append([rng.choice(rows[one]), rng.choice(rows[other])])
    return np.array([*same, *different], np.int64)


def measure_pairs(images: list[Image], data: TemplateSet, pairs: I64) -> PairsResult:
    """Compare the pairs.

    Args:
        images: all images, as the pairs number them.
        data: their templates; images without a face are missing from it.
        pairs: (p, 2) int64, rows of `images`.

    Raises:
        InputError: no pair of one person, or none of two, has a face in both images.
    """
    row_of: dict[int, int] = {}
    missed = set(data.missed)
    for index, image in enumerate(images):
        if image not in missed:
            row_of[index] = len(row_of)
    usable = [(row_of[a], row_of[b]) for a, b in pairs.tolist() if a in row_of and b in row_of]
    kinds = {data.people[i] == data.people[j] for i, j in usable}
    if len(kinds) < 2:  # noqa: PLR2004 - of one person, of two
        raise InputError("too few faces for pairs of one person and of two", remedy="give pictures of faces, upright")
    a, b = (data.templates.vectors[list(side)] for side in zip(*usable, strict=True))
    similarities = np.asarray((a * b).sum(axis=1), np.float32)
    same = np.array([data.people[i] == data.people[j] for i, j in usable])
    accuracies = _tenfold(similarities, same)
    return PairsResult(
        len(usable),
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        tuple((far, _tar(similarities, same, far)) for far in FARS),
    )


def _tenfold(similarities: F32, same: npt.NDArray[np.bool_]) -> list[float]:
    fold = np.arange(len(same)) % _FOLDS
    accuracies = []
    for number in range(_FOLDS):
        train, test = fold != number, fold == number
        threshold = _best_threshold(similarities[train], same[train])
        accuracies.append(float(((similarities[test] > threshold) == same[test]).mean()))
    return accuracies


def _best_threshold(similarities: F32, same: npt.NDArray[np.bool_]) -> float:
    candidates = np.sort(similarities)
    accuracy = [
        float(((similarities > value) == same).mean()) for value in candidates[:: max(1, len(candidates) // 500)]
    ]
    return float(candidates[:: max(1, len(candidates) // 500)][int(np.argmax(accuracy))])


def _tar(similarities: F32, same: npt.NDArray[np.bool_], far: float) -> float:
    impostors = np.sort(similarities[~same])[::-1]
    return float((similarities[same] > impostors[int(far * len(impostors))]).mean())
