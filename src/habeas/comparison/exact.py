"""Exact search over a gallery view: every reference is compared, in blocks that fit the processor's cache."""

from typing import Final

import numpy as np

from habeas.errors import InputError, RuleError
from habeas.types import F32, Candidates, GalleryView, Templates

_BLOCK_ROWS: Final = 65_536


def search(templates: Templates, view: GalleryView, *, at_ns: int, k: int = 1) -> Candidates:
    """Find the subjects most like each probe. A subject's similarity is its best reference's.

    Args:
        templates: n probes.
        view: the only thing that may be searched.
        at_ns: the time of the comparison, Unix nanoseconds.
        k: subjects a probe, at most as many as the view has.

    Returns:
        Candidates (n, min(k, subjects)), best first; ties in ascending order of id.

    Raises:
        RuleError: the view is not one of `authority`'s, not for these probes, or not now.
        InputError: probes of another model.
    """
    if type(view) is not GalleryView:  # a subclass or a look-alike would bring its own `admit`
        raise RuleError("only a gallery view may be searched", rule="gallery-view", remedy="enrol the references")
    if k < 1:
        raise InputError(f"k is {k}", remedy="ask for at least one subject a probe")
    view.admit(templates.origin, templates.model_id, at_ns)
    subjects, starts = np.unique(view.subject_ids, return_index=True)
    if not len(subjects) or not len(templates):
        empty = len(templates), 0
        return _candidates(np.zeros(empty, np.str_), np.zeros(empty, np.float32), view)
    best = _best_per_subject(templates.vectors, view.vectors, starts)
    top = np.argsort(-best, axis=1, kind="stable")[:, : min(k, len(subjects))]
    return _candidates(subjects[top], np.take_along_axis(best, top, axis=1), view)


def _best_per_subject(probes: F32, references: F32, starts: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> F32:
    similarities = np.empty((len(probes), len(references)), np.float32)
    for start in range(0, len(references), _BLOCK_ROWS):
        block = references[start : start + _BLOCK_ROWS]
        np.matmul(probes, block.T, out=similarities[:, start : start + len(block)])
    return np.asarray(np.maximum.reduceat(similarities, starts, axis=1), np.float32)


def _candidates(
    subject_ids: "np.ndarray[tuple[int, ...], np.dtype[np.str_]]", similarities: F32, view: GalleryView
) -> Candidates:
    return Candidates(subject_ids, similarities, len(view), view.view_id, view.model_id)
