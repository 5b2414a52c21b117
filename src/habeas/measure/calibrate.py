"""Similarity to FPIR, for exactly the decision the line makes.

One track is made of each person's first image: five frames under drawn conditions (measure.degrade), each through the
line's own detector, quality floor and templates; fused as the line fuses them; looked at after every frame. The
reference of each other person is the template of their first image. What counts is the highest similarity that any
look of a track reaches to a person who is someone else.

For a gallery of N the FPIR at a similarity is the mean, over people, of the chance that N references drawn from the
others hold at least one that the track reaches: exact, by the hypergeometric distribution, rather than by drawing.
An error is one person whose track reaches at least one other's reference. Below 30 of them the value is read from a
straight line through log FPIR against similarity over the top 1 % of the tracks' maxima, and is called extrapolated.
Intervals are by bootstrap of identities, as probes and as references at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.comparison.calibration import MIN_ERRORS, Calibration, Point
from habeas.errors import InputError
from habeas.faces import fuse
from habeas.measure.dataset import Image, Maker, central_face
from habeas.measure.degrade import FRAMES, degraded, draw_conditions
from habeas.tracks.best_shot import MIN_QUALITY
from habeas.types import F32, F64, I64, Faces, Frame
from habeas.video import ArrayPicture

GALLERY_SIZES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 200, 300, 500, 1000)
FPIRS: Final = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
_TAIL_FPIR: Final = 1e-2
GRID: Final = np.round(np.arange(0.10, 0.9005, 0.005), 4)
"""Similarities at which FPIR is computed; between them its logarithm is interpolated."""
_LINE_POINTS: Final = 3
_RESAMPLES: Final = 400
_INTERVAL: Final = (2.5, 97.5)
SUSPECT: Final = 0.55
"""Two names whose faces are more alike than this are listed as a possible label error of the data."""


@dataclass(frozen=True, repr=False)
class Impostors:
    """Every track against every other person's reference.

    Args:
        similarities: (p, p) float32: highest over the looks of row's track, to column's reference; diagonal -1.
        people: (p,) names, for the list of suspected label errors.
        face_px: (p,) width of the face in each track.
    """

    similarities: F32
    people: tuple[str, ...]
    face_px: F64


@dataclass(frozen=True)
class Suspect:
    """Two names that may be one person.

    Args:
        one: a name.
        other: another.
        similarity: of a track of one to the reference of the other.
    """

    one: str
    other: str
    similarity: float


def collect(
    images: list[Image], maker: Maker, seed: int = 0, report: Callable[[int], None] = lambda _done: None
) -> Impostors:
    """Make a track and a reference of each person's first image, and compare all with all.

    Args:
        images: in order of name; the first of each person is used.
        maker: with the line's detector score.
        seed: of the conditions.
        report: told how many people are done.
    """
    first = {image.person: image for image in reversed(images)}
    references: list[F32] = []
    tracks: list[list[F32]] = []
    people: list[str] = []
    widths: list[float] = []
    for done, person in enumerate(sorted(first), start=1):
        rng = np.random.default_rng([seed, done])
        frame = maker.frame(first[person].path)
        face = central_face(frame, maker.detector)
        looks, width = _looks(frame, face, maker, rng) if len(face) else ([], 0.0)
        if looks:
            references.append(maker.templater.template(frame, face).vectors[0])
            tracks.append(looks)
            people.append(person)
            widths.append(width)
        report(done)
    return Impostors(_maxima(tracks, np.stack(references)), tuple(people), np.array(widths))


def _looks(frame: Frame, face: Faces, maker: Maker, rng: np.random.Generator) -> tuple[list[F32], float]:
    """Return the fused template after each usable frame of a degraded track, and the face's width."""
    width_px = float(face.boxes_xyxy_px[0, 2] - face.boxes_xyxy_px[0, 0])
    conditions = draw_conditions(rng)
    shots: list[F32] = []
    looks: list[F32] = []
    for _ in range(FRAMES):
        picture = ArrayPicture(degraded(frame.image_rgb, width_px, conditions, rng))
        seen = Frame(frame.origin, 0, frame.captured_at_ns, 0, picture)
        found = _largest(maker.detector.detect(seen))
        if len(found) and found.quality[0] >= MIN_QUALITY:
            shots.append(maker.templater.template(seen, found).vectors[0])
            looks.append(fuse(shots))
    return looks, conditions.face_px


def _largest(faces: Faces) -> Faces:
    if not len(faces):
        return faces
    sizes = faces.boxes_xyxy_px[:, 2] - faces.boxes_xyxy_px[:, 0]
    best = int(np.argmax(sizes))
    return faces[best : best + 1]


def _maxima(tracks: list[list[F32]], references: F32) -> F32:
    similarities = np.stack([(np.stack(looks) @ references.T).max(axis=0) for looks in tracks]).astype(np.float32)
    np.fill_diagonal(similarities, -1)
    return similarities


def suspects(impostors: Impostors) -> list[Suspect]:
    """List pairs of names that may be one person, most alike first."""
    rows, columns = np.nonzero(impostors.similarities > SUSPECT)
    pairs: dict[tuple[str, str], float] = {}
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        one, other = sorted((impostors.people[row], impostors.people[column]))
        pairs[one, other] = max(pairs.get((one, other), -1.0), float(impostors.similarities[row, column]))
    return sorted((Suspect(*pair, value) for pair, value in pairs.items()), key=lambda suspect: -suspect.similarity)


def without(impostors: Impostors, listed: list[Suspect]) -> Impostors:
    """Return the comparisons with the suspected pairs taken out."""
    index = {name: row for row, name in enumerate(impostors.people)}
    similarities = impostors.similarities.copy()
    for suspect in listed:
        a, b = index[suspect.one], index[suspect.other]
        similarities[a, b] = similarities[b, a] = -1
    return Impostors(similarities, impostors.people, impostors.face_px)


@dataclass(frozen=True)
class _Tail:
    """The high similarities, sparse: one entry a pair above the grid's start.

    Args:
        rows: probe of each entry.
        columns: reference of each entry.
        bins: how many grid steps each entry exceeds.
        people: p.
    """

    rows: I64
    columns: I64
    bins: I64
    people: int


def _tail(impostors: Impostors) -> _Tail:
    rows, columns = np.nonzero(impostors.similarities > GRID[0])
    bins = np.searchsorted(GRID, impostors.similarities[rows, columns], side="left")
    return _Tail(rows, columns, bins.astype(np.int64), len(impostors.people))


def _exceeding(tail: _Tail, weights: F64) -> F64:
    """Return (p, g): the weight of references that each probe exceeds each grid similarity with."""
    steps = len(GRID) + 1
    flat = np.bincount(tail.rows * steps + tail.bins, weights[tail.columns], tail.people * steps)
    counts = flat.reshape(tail.people, steps)
    return np.asarray(counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:], np.float64)


def exceeding_all(impostors: Impostors) -> F64:
    """Return (p, g): how many references each track exceeds each grid similarity with."""
    tail = _tail(impostors)
    return _exceeding(tail, np.ones(tail.people))


def fpir_curve(exceeding: F64, weights: F64, gallery_size: int) -> F64:
    """Return the FPIR at each grid similarity: (g,) float64.

    Args:
        exceeding: (p, g): how many references each track exceeds each similarity with.
        weights: (p,) multiplicity of each person, as probe and as reference.
        gallery_size: N.
    """
    chance = chance_of_error(exceeding, weights, gallery_size)
    return np.asarray((weights[:, None] * chance).sum(axis=0) / weights.sum(), np.float64)


def chance_of_error(exceeding: F64, weights: F64, gallery_size: int) -> F64:
    """Return the chance that N references drawn from the others hold one that a track exceeds a similarity with.

    Args:
        exceeding: (p, g): how many references each track exceeds each similarity with.
        weights: (p,) multiplicity of each person, as probe and as reference.
        gallery_size: N.

    Returns:
        (p, g) float64.
    """
    others = (weights.sum() - weights).astype(np.int64)[:, None]
    reached = np.minimum(exceeding.astype(np.int64), others)
    draws = np.minimum(gallery_size, others)
    log_factorial = np.concatenate([[0.0], np.log(np.arange(1, int(others.max()) + 1)).cumsum()])
    # None of the draws is among those reached: C(others - reached, draws) / C(others, draws).
    missing = others - reached - draws
    log_none = (
        log_factorial[others - reached]
        - log_factorial[np.maximum(missing, 0)]
        - log_factorial[others]
        + log_factorial[others - draws]
    )
    return np.asarray(1 - np.where(missing < 0, 0, np.exp(log_none)), np.float64)


def calibrate(impostors: Impostors, model_id: str, made: str, seed: int = 0) -> Calibration:
    """Make the table of a model pack.

    Args:
        impostors: the comparisons.
        model_id: of their templates.
        made: how, on what, when; printed with the table.
        seed: of the bootstrap.
    """
    tail = _tail(impostors)
    ones = np.ones(tail.people)
    exceeding = _exceeding(tail, ones)
    erring = (exceeding > 0).sum(axis=0)
    if not all(_line(fpir_curve(exceeding, ones, size), erring) for size in GALLERY_SIZES):
        raise InputError("too few people to calibrate with", remedy="give a thousand people, one folder each")
    fitted = [_with_tail(fpir_curve(exceeding, ones, size), erring) for size in GALLERY_SIZES]
    rng = np.random.default_rng(seed)
    drawn = np.stack([_resampled(tail, rng) for _ in range(_RESAMPLES)])
    rows = [
        (size, tuple(_point(fpir, fitted[row], erring, drawn[:, row]) for fpir in FPIRS))
        for row, size in enumerate(GALLERY_SIZES)
    ]
    return Calibration(model_id, made, tuple(rows))


def _resampled(tail: _Tail, rng: np.random.Generator) -> F64:
    """Draw people anew, as probes and as references; return (sizes, g), the FPIR curve of each gallery size."""
    weights = np.bincount(rng.integers(0, tail.people, tail.people), minlength=tail.people).astype(np.float64)
    exceeding = _exceeding(tail, weights)
    erring = (exceeding[weights > 0] > 0).sum(axis=0)
    return np.stack([_with_tail(fpir_curve(exceeding, weights, size), erring) for size in GALLERY_SIZES])


def _with_tail(curve: F64, erring: I64) -> F64:
    """Continue a curve below 30 errors by the straight line through its logarithm over the top 1 % of maxima.

    Where too few points are left for a line, as in some draws of few people, the curve stays as it is. The few pairs
    beyond the line, mostly label errors and twins, lie above it: docs/calibration.md says by how much.
    """
    line = _line(curve, erring)
    if line is None:
        return curve
    slope, start = line
    return np.where(erring >= MIN_ERRORS, curve, np.exp(start + slope * GRID))


def _line(curve: F64, erring: I64) -> tuple[float, float] | None:
    """Return (slope, start) of log FPIR against similarity where 30 errors stand; None for too few points."""
    solid = (erring >= MIN_ERRORS) & (curve > 0)
    for widest in (_TAIL_FPIR, 10 * _TAIL_FPIR):
        inside = solid & (curve <= widest)
        if inside.sum() >= _LINE_POINTS:
            slope, start = np.polyfit(GRID[inside], np.log(curve[inside]), 1)
            return min(float(slope), -1.0), float(start)
    return None


def _point(fpir: float, fitted: F64, erring: I64, curves: F64) -> Point:
    similarity = similarity_at(fitted, fpir)
    logs = np.array([np.interp(similarity, GRID, np.log(np.maximum(curve, 1e-12))) for curve in curves])
    # Drawing people with repetition makes a large gallery poorer than it is: the spread counts, not the centre.
    low, high = fpir * np.exp(np.percentile(logs - logs.mean(), _INTERVAL))
    errors = int(np.interp(similarity, GRID, erring)) if similarity <= GRID[-1] else 0
    return Point(fpir, round(similarity, 4), errors, float(f"{low:.3g}"), float(f"{high:.3g}"))


def similarity_at(curve: F64, fpir: float) -> float:
    """Return where the falling curve meets `fpir`, interpolating logs; beyond the grid its line goes on."""
    logs = np.log(np.maximum(np.minimum.accumulate(curve), 1e-12))
    wanted = np.log(fpir)
    if logs[-1] > wanted:
        slope = (logs[-1] - logs[-11]) / (GRID[-1] - GRID[-11])
        return float(GRID[-1] + (wanted - logs[-1]) / min(slope, -1e-3))
    return float(np.interp(-wanted, -logs, GRID))
