"""Authorisations that hold for one run, without a workspace (product.md, "Without a workspace").

They need no approval, and are small on purpose. The limits count over the whole process, so opening several at once
gains nothing.
"""

import secrets
import threading
from collections.abc import Sequence
from typing import Final, Self
from weakref import WeakSet

import numpy as np

from habeas.authority.references import Subject, look_alikes
from habeas.authority.views import build_view
from habeas.errors import InputError, RuleError
from habeas.ports import Clock
from habeas.types import DAY_NS, F32, HOUR_NS, Basis, GalleryView, Origin, OriginKind, Str

MAX_SUBJECTS: Final = 3
MAX_LIVE_SOURCES: Final = 2
MAX_REFERENCES: Final = 5
"""A subject; every further one raises the threshold for all."""
MAX_RUN_NS: Final = 8 * HOUR_NS
ONE_PERSON: Final = 0.3
"""A subject's references less alike than this are taken for several people."""
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
        self._listed = len(self.subjects)
        self._clock = clock
        self._opened_monotonic_ns = clock.monotonic_ns()
        self.opened_at_ns = clock.now_ns()
        self.ends_at_ns = self.opened_at_ns + MAX_RUN_NS
        self._live: WeakSet[Origin] = WeakSet()
        self._view: GalleryView | None = self._build()
        self._register()

    def _build(self) -> GalleryView:
        pairs = [(subject.subject_id, reference) for subject in self.subjects for reference in subject.references]
        return build_view(
            vectors=np.stack([reference.vector for _, reference in pairs]),
            subject_ids=np.array([subject_id for subject_id, _ in pairs]),
            authorisation_ids=np.full(len(pairs), self.authorisation_id),
            model_id=pairs[0][1].model_id,
            basis=self.basis,
            camera_id=None,
            valid_from_ns=self.opened_at_ns,
            valid_until_ns=self.ends_at_ns,
        )

    def _register(self) -> None:
        with _lock:
            listed = sum(run._listed for run in _open_runs) + self._listed  # noqa: SLF001 - same class
            if listed > MAX_SUBJECTS:
                raise _too_many(listed)
            _open_runs.append(self)

    def whole_view(self) -> GalleryView:
        """Return what this run may compare; `view` is what one source may.

        Raises:
            RuleError: the run is closed.
        """
        if self._clock.monotonic_ns() - self._opened_monotonic_ns >= MAX_RUN_NS:
            self.close()  # whatever the wall clock says
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
            self._live.add(origin)
            everywhere = set(self._live).union(*(run._live for run in _open_runs))  # noqa: SLF001 - same class
            if len(everywhere) > MAX_LIVE_SOURCES:
                self._live.discard(origin)
                raise RuleError(
                    f"more than {MAX_LIVE_SOURCES} live sources without a workspace",
                    rule="live-source-limit",
                    remedy="watch fewer cameras, or make a workspace",
                )

    def close(self) -> None:
        """End it: nothing is compared from here on, and its references are forgotten."""
        if self._view is not None:
            self._view.revoked.set()
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
    most = max(len(subject.references) for subject in subjects)
    if most > MAX_REFERENCES:
        raise InputError(f"{most} images of one subject", remedy=f"give the best ones, at most {MAX_REFERENCES}")
    for subject in subjects:
        _check_one_person(subject)
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


def _check_one_person(subject: Subject) -> None:
    vectors = np.stack([reference.vector for reference in subject.references])
    least = float((vectors @ vectors[0]).min())
    if least < ONE_PERSON:
        raise InputError(
            f"the images of {subject.subject_id} show more than one person (similarity {least:.2f})",
            remedy="give images of one person; list others under their own names",
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
        authorisation_ids=np.full(len(subject_ids), "evaluate"),
        model_id=model_id,
        basis=Basis.EVALUATE,
        camera_id=None,
        valid_from_ns=now_ns,
        valid_until_ns=now_ns + DAY_NS,
    )
