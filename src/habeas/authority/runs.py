"""Authorisations that hold for one run, without a workspace (product.md, "Without a workspace").

They need no approval, and are small on purpose. The limits count over the whole process, so opening several at once
gains nothing.
"""

import secrets
import threading
from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from habeas.authority.references import Subject, look_alikes
from habeas.authority.views import build_view
from habeas.errors import InputError, RuleError
from habeas.ports import Clock
from habeas.types import F32, NS_PER_S, Basis, GalleryView, Origin, OriginKind, Str

MAX_SUBJECTS: Final = 3
MAX_LIVE_SOURCES: Final = 2
MAX_RUN_NS: Final = 8 * 3600 * NS_PER_S
SAME_FACE: Final = 0.5
"""References of two subjects more alike than this are taken for one person."""

_BASES: Final = {"consent": Basis.CONSENT, "demo": Basis.DEMO}

_lock = threading.Lock()
_open_runs: list["RunAuthorisation"] = []


class RunAuthorisation:
    """Gates the search of one run. A context manager: closing it ends every comparison.

    Its gallery views are for any source of the run that the basis permits, at most two of them live.

    Args:
        subjects: at most three in this process at once, with references of one model.
        basis: `consent`, or `demo` for scenes generated in this process.
        clock: starts its eight hours.

    Raises:
        RuleError: another basis, or too many subjects.
        InputError: no subject, two with the same face, or references of different models.
    """

    def __init__(self, subjects: Sequence[Subject], basis: str, clock: Clock) -> None:
        check_request(basis, len(subjects))
        _check_subjects(subjects)
        self.authorisation_id = f"run-{secrets.token_hex(4)}"
        self.basis = _BASES[basis]
        self.subjects = tuple(subjects)
        self.opened_at_ns = clock.now_ns()
        self.ends_at_ns = self.opened_at_ns + MAX_RUN_NS
        self._live: set[str] = set()
        self._view: GalleryView | None = self._build()
        self._register()

    def _build(self) -> GalleryView:
        pairs = [(subject.subject_id, reference) for subject in self.subjects for reference in subject.references]
        return build_view(
            vectors=np.stack([reference.vector for _, reference in pairs]),
            subject_ids=np.array([subject_id for subject_id, _ in pairs]),
            authorisation_id=self.authorisation_id,
            model_id=pairs[0][1].model_id,
            basis=self.basis,
            camera_id=None,
            valid_from_ns=self.opened_at_ns,
            valid_until_ns=self.ends_at_ns,
        )

    def _register(self) -> None:
        with _lock:
            listed = sum(len(run.subjects) for run in _open_runs) + len(self.subjects)
            if listed > MAX_SUBJECTS:
                raise _too_many(listed)
            _open_runs.append(self)

    def whole_view(self) -> GalleryView:
        """Return what this run may compare; `view` is what one source may.

        Raises:
            RuleError: the run is closed.
        """
        if self._view is None:
            raise RuleError("this authorisation has ended", rule="window", remedy="start a new run")
        return self._view

    def view(self, origin: Origin) -> GalleryView:
        """Return what may be compared on a source now.

        Raises:
            RuleError: the run is closed, or this would be a third live source.
        """
        view = self.whole_view()
        if origin.kind is OriginKind.LIVE:
            self._admit_live(origin)
        return view

    def _admit_live(self, origin: Origin) -> None:
        """Count a live source.

        Raises:
            RuleError: it would be the third of this process.
        """
        with _lock:
            self._live.add(origin.camera_id)
            everywhere = set[str]().union(*(run._live for run in _open_runs), self._live)  # noqa: SLF001 - same class
            if len(everywhere) > MAX_LIVE_SOURCES:
                self._live.discard(origin.camera_id)
                raise RuleError(
                    f"more than {MAX_LIVE_SOURCES} live sources without a workspace",
                    rule="live-source-limit",
                    remedy="watch fewer cameras, or make a workspace",
                )

    def close(self) -> None:
        """End it: nothing is compared from here on, and its references are forgotten."""
        self._view = None
        self.subjects = ()
        with _lock:
            if self in _open_runs:
                _open_runs.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RunAuthorisation({self.authorisation_id!r}, basis={self.basis.value!r}, subjects={len(self.subjects)})"


def check_request(basis: str, subjects: int) -> None:
    """Check what can be checked before anything is loaded or fetched.

    Args:
        basis: asked for.
        subjects: how many people.

    Raises:
        RuleError: another basis, or too many people.
    """
    if subjects > MAX_SUBJECTS:
        raise _too_many(subjects)
    if basis not in _BASES:
        raise RuleError(
            f"the basis {basis!r} needs a workspace",
            rule="basis",
            remedy="without one, only people who consent: --basis consent",
        )


def _too_many(subjects: int) -> RuleError:
    return RuleError(
        f"{subjects} subjects without a workspace, {MAX_SUBJECTS} allowed",
        rule="subject-limit",
        remedy="look for fewer people, or make a workspace",
    )


def _check_subjects(subjects: Sequence[Subject]) -> None:
    if not subjects or any(not subject.references for subject in subjects):
        raise InputError("nobody to look for", remedy="give at least one --subject NAME=IMAGE")
    names = [subject.subject_id for subject in subjects]
    if len(set(names)) < len(names):
        raise InputError("two subjects have the same name", remedy="give each a name of its own")
    if len({reference.model_id for subject in subjects for reference in subject.references}) > 1:
        raise InputError("references of different models", remedy="enrol all of them with the model in use")
    twins = look_alikes(list(subjects), SAME_FACE)
    if twins:
        one, other, similarity = twins[0]
        raise InputError(
            f"{one} and {other} have the same face (similarity {similarity:.2f})",
            remedy="list each person once; several images of one person are joined by commas",
        )


def evaluation_view(vectors: F32, subject_ids: Str, model_id: str, clock: Clock) -> GalleryView:
    """Build a view for measuring: any size, valid only against still images and generated scenes.

    Args:
        vectors: (m, d) float32, unit length.
        subject_ids: (m,).
        model_id: of the vectors.
        clock: starts its day.
    """
    now_ns = clock.now_ns()
    return build_view(
        vectors=vectors,
        subject_ids=subject_ids,
        authorisation_id="evaluate",
        model_id=model_id,
        basis=Basis.EVALUATE,
        camera_id=None,
        valid_from_ns=now_ns,
        valid_until_ns=now_ns + 24 * 3600 * NS_PER_S,
    )
