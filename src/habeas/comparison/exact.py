"""Exact search over a gallery view: every reference is compared."""

import numpy as np

from habeas.errors import InputError, RuleError
from habeas.types import F32, Candidates, GalleryView, Templates


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
    if not len(view) or not len(templates):
        empty = len(templates), 0
        return _candidates(np.zeros(empty, np.str_), np.zeros(empty, np.float32), view)
    best = templates.vectors @ view.vectors.T
    if len(view.subjects) < len(view):
        best = np.maximum.reduceat(best, view.starts, axis=1)
    top = np.argmax(best, axis=1)[:, None] if k == 1 else np.argsort(-best, axis=1, kind="stable")[:, :k]
    return _candidates(view.subjects[top], np.take_along_axis(best, top, axis=1), view)


def _candidates(
    subject_ids: "np.ndarray[tuple[int, ...], np.dtype[np.str_]]", similarities: F32, view: GalleryView
) -> Candidates:
    return Candidates(subject_ids, similarities, len(view), view.view_id, view.model_id)
