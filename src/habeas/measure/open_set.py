"""Open-set identification: how often a person who is enrolled is missed, at a given rate of false candidates.

Protocol (docs/model-card.md): the gallery holds the first image of every person with two or more; mates are their other
images; non-mates are the people with one. The threshold is the value that exactly `floor(FPIR * non-mates)` of the
non-mates' maxima exceed; a mate is found when the right person is first and strictly above it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.authority import evaluation_view
from habeas.comparison import search
from habeas.errors import InputError
from habeas.measure.dataset import TemplateSet
from habeas.ports import Clock
from habeas.types import F32, F64, I64, Templates

FPIRS: Final = (0.1, 0.03, 0.01, 0.003)
_RESAMPLES: Final = 1000
_INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Miss:
    """FNIR at one FPIR.

    Args:
        fpir: share of non-mates that return a candidate.
        threshold: the similarity it needs.
        fnir: share of mates' images missed.
        low: lower end of its 95 % interval, bootstrap by identity.
        high: upper end.
        fnir_by_identity: the same, averaged over people.
    """

    fpir: float
    threshold: float
    fnir: float
    low: float
    high: float
    fnir_by_identity: float


@dataclass(frozen=True)
class OpenSetResult:
    """What the protocol gave.

    Args:
        gallery: people enrolled.
        mates: probes of enrolled people.
        nonmates: probes of others.
        rank1: share of mates whose right person is first, whatever the similarity.
        fnir: one for each FPIR.
    """

    gallery: int
    mates: int
    nonmates: int
    rank1: float
    fnir: tuple[Miss, ...]


@dataclass(frozen=True)
class Scores:
    """What the searches gave.

    Args:
        found: (p,) float32, a mate's similarity where the right person is first, else -1.
        person: (p,) int64, which enrolled person each mate is.
        people: how many are enrolled.
        nonmated: (q,) float32, each non-mate's best similarity.
    """

    found: F32
    person: I64
    people: int
    nonmated: F32


def open_set(scores: Scores, seed: int = 0) -> OpenSetResult:
    """Apply the protocol to the searches.

    Args:
        scores: of `search_all`.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    return OpenSetResult(
        gallery=scores.people,
        mates=len(scores.found),
        nonmates=len(scores.nonmated),
        rank1=float((scores.found > -1).mean()),
        fnir=tuple(_miss(scores, fpir, rng) for fpir in FPIRS),
    )


def curve(scores: Scores) -> list[tuple[float, float]]:
    """Return (FPIR, FNIR) at every non-mate's similarity, FPIR rising."""
    n = len(scores.nonmated)
    return [(k / n, float((scores.found <= threshold_at(scores.nonmated, k / n)).mean())) for k in range(n)]


def search_all(data: TemplateSet, clock: Clock) -> Scores:
    """Search the gallery for every mate and non-mate.

    Args:
        data: templates of a folder of people, images in order of name.
        clock: dates the gallery view.

    Raises:
        InputError: nobody has two images, or nobody has one.
    """
    people, first, count = np.unique(data.people, return_index=True, return_counts=True)
    enrolled = people[count > 1]
    if not len(enrolled) or not (count == 1).any():
        raise InputError("open-set needs people with several images and people with one", remedy="give another folder")
    vectors = data.templates.vectors
    view = evaluation_view(vectors[first[count > 1]], enrolled, data.templates.model_id, clock)
    is_first = np.zeros(len(data.people), np.bool_)
    is_first[first] = True
    several = np.isin(data.people, enrolled)
    mates, nonmates = several & ~is_first, ~several
    found = search(_some(data.templates, mates), view, at_ns=clock.now_ns())
    others = search(_some(data.templates, nonmates), view, at_ns=clock.now_ns())
    right = found.subject_ids[:, 0] == data.people[mates]
    return Scores(
        found=np.where(right, found.similarities[:, 0], np.float32(-1)),
        person=np.searchsorted(enrolled, data.people[mates]).astype(np.int64),
        people=len(enrolled),
        nonmated=others.similarities[:, 0],
    )


def _some(templates: Templates, rows: npt.NDArray[np.bool_]) -> Templates:
    return Templates(templates.vectors[rows], templates.model_id, templates.origin)


def threshold_at(nonmated: F32, fpir: float) -> float:
    """Return the value that exactly `floor(fpir * n)` of the n maxima exceed."""
    ordered = np.sort(nonmated)[::-1]
    return float(ordered[int(fpir * len(ordered))])


def _miss(scores: Scores, fpir: float, rng: np.random.Generator) -> Miss:
    threshold = threshold_at(scores.nonmated, fpir)
    missed = scores.found <= threshold
    per_person = _per_person(missed, scores)
    low, high = np.percentile(_resampled(scores, fpir, rng), _INTERVAL)
    return Miss(fpir, threshold, float(missed.mean()), float(low), float(high), float(per_person.mean()))


def _per_person(missed: npt.NDArray[np.bool_], scores: Scores) -> F64:
    images = np.bincount(scores.person, minlength=scores.people)
    seen = images > 0
    return np.asarray(np.bincount(scores.person, missed, scores.people)[seen] / images[seen], np.float64)


def _resampled(scores: Scores, fpir: float, rng: np.random.Generator) -> F64:
    """Bootstrap by identity: enrolled people and non-mates are drawn anew, each with all their images."""
    out = np.empty(_RESAMPLES)
    for index in range(_RESAMPLES):
        threshold = threshold_at(rng.choice(scores.nonmated, len(scores.nonmated)), fpir)
        drawn = np.bincount(rng.integers(0, scores.people, scores.people), minlength=scores.people)[scores.person]
        out[index] = (drawn * (scores.found <= threshold)).sum() / max(drawn.sum(), 1)
    return out
