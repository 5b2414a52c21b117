"""Slow, obvious answers, each beside a fast path of the package."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

import numpy as np
import numpy.typing as npt

from habeas.types import F32, F64


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, in plain arithmetic."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    tall = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    sizes = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (a, b)]
    union = sum(sizes) - wide * tall
    return wide * tall / union if union > 0 else 0.0


def suppress(boxes: Sequence[Sequence[float]], scores: Sequence[float], max_iou: float) -> list[int]:
    """Keep a box unless a better kept one overlaps it."""
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: (-scores[row], row)):
        if all(iou(boxes[row], boxes[other]) <= max_iou for other in kept):
            kept.append(row)
    return kept


def similarity_by_lstsq(from_xy: npt.NDArray[np.floating], to_xy: npt.NDArray[np.floating]) -> F64:
    """Solve for (a, b, tx, ty) in x' = a x - b y + tx, y' = b x + a y + ty by general least squares."""
    rows, values = [], []
    for (x, y), (u, v) in zip(from_xy.tolist(), to_xy.tolist(), strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    (a, b, tx, ty), *_ = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)
    return np.array([[a, -b, tx], [b, a, ty]])


def best_overlap(overlap: F64, possible: npt.NDArray[np.bool_]) -> float:
    """Highest total overlap of any assignment, by trying all of them."""
    seen, predicted = overlap.shape
    places = list(range(predicted)) + [-1] * seen
    best = 0.0
    for choice in set(permutations(places, seen)):
        pairs = [(row, column) for row, column in enumerate(choice) if column >= 0]
        if all(possible[pair] for pair in pairs):
            best = max(best, sum(float(overlap[pair]) for pair in pairs))
    return best


def search(probes: F32, references: F32, subject_ids: Sequence[str], k: int) -> list[list[tuple[str, float]]]:
    """Compare every probe with every reference, one number at a time."""
    found = []
    for probe in probes.tolist():
        best: dict[str, float] = {}
        for reference, subject in zip(references.tolist(), subject_ids, strict=True):
            similarity = sum(x * y for x, y in zip(probe, reference, strict=True))
            best[subject] = max(best.get(subject, -2.0), similarity)
        found.append(sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k])
    return found


def fpir(reached: Sequence[int], others: int, gallery_size: int) -> float:
    """Mean chance that a gallery drawn from `others` holds at least one of those reached, with exact fractions."""
    total = Fraction(0)
    for count in reached:
        draws = min(gallery_size, others)
        total += 1 - Fraction(math.comb(others - count, draws), math.comb(others, draws))
    return float(total / len(reached))


def open_set(people: Sequence[str], vectors: F32, share: Fraction) -> tuple[float, float, float, float]:
    """Run the open-set protocol on lists: threshold, FNIR over images, FNIR over people, rank-1."""
    images: dict[str, list[list[float]]] = {}
    for person, vector in zip(people, vectors.tolist(), strict=True):
        images.setdefault(person, []).append(vector)
    gallery = {person: own[0] for person, own in images.items() if len(own) > 1}

    def best(probe: list[float]) -> tuple[float, str]:
        scored = [(sum(x * y for x, y in zip(probe, own, strict=True)), name) for name, own in gallery.items()]
        return max(scored, key=lambda item: (item[0], [-ord(letter) for letter in item[1]]))

    nonmates = sorted((best(own[0])[0] for own in images.values() if len(own) == 1), reverse=True)
    threshold = nonmates[math.floor(share * len(nonmates))]
    missed: dict[str, list[bool]] = {}
    first = []
    for person in gallery:
        for probe in images[person][1:]:
            similarity, who = best(probe)
            first.append(who == person)
            missed.setdefault(person, []).append(not (who == person and similarity > threshold))
    every = [miss for own in missed.values() for miss in own]
    by_person = [sum(own) / len(own) for own in missed.values()]
    return threshold, sum(every) / len(every), sum(by_person) / len(by_person), sum(first) / len(first)
