"""The one place that builds gallery views."""

import hashlib
from threading import Event
from typing import Final

import numpy as np

from habeas.types import F32, Basis, GalleryView, Seal, Str, claim_seal

_SEAL: Final = claim_seal(Seal.GALLERY_VIEW)


def build_view(
    *,
    vectors: F32,
    subject_ids: Str,
    authorisation_ids: Str,
    model_id: str,
    basis: Basis,
    camera_id: str | None,
    valid_from_ns: int,
    valid_until_ns: int,
    commitments: Str | None = None,
    revoked: Event | None = None,
) -> GalleryView:
    """Build a view, its rows brought into the order of their subjects.

    Args:
        vectors: (m, d) float32, unit length.
        subject_ids: (m,).
        authorisation_ids: (m,), under which each is listed.
        model_id: of the vectors.
        basis: the ground.
        camera_id: the one camera, or None for the sources of a run.
        valid_from_ns: first instant, Unix ns.
        valid_until_ns: first instant after, Unix ns.
        commitments: (m,), keyed hashes of the references. Given, the view's id is made of these, and tells nobody whose
            templates were in it once their key is destroyed; else of the vectors.
        revoked: of the view with which it ends; None: it has an end of its own.
    """
    order = np.argsort(subject_ids, kind="stable")
    vectors, subject_ids, authorisation_ids = vectors[order], subject_ids[order], authorisation_ids[order]
    digest = hashlib.sha256()
    for part in (model_id, basis.value, camera_id or "*", f"{valid_from_ns}-{valid_until_ns}"):
        digest.update(part.encode() + b"\0")
    for names in (authorisation_ids, subject_ids):
        digest.update("\0".join(names.tolist()).encode() + b"\0\0")
    if commitments is None:
        digest.update(vectors.astype("<f4").tobytes())
    else:
        digest.update("\0".join(commitments[order].tolist()).encode())
    return GalleryView(
        vectors=vectors,
        subject_ids=subject_ids,
        authorisation_ids=authorisation_ids,
        model_id=model_id,
        basis=basis,
        camera_id=camera_id,
        valid_from_ns=valid_from_ns,
        valid_until_ns=valid_until_ns,
        view_id=digest.hexdigest(),
        seal=_SEAL,
        revoked=Event() if revoked is None else revoked,
    )
