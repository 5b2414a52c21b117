"""What footage may be compared with for somebody who asks for the footage of themself: their own photographs.

It is a gate of its own, beside authorisations: a view exists while the request is approved and open, for one camera of
it, and is compared with footage only. Nobody is looked for live by it.
"""

import threading

import numpy as np

from habeas.authority.gallery import Gallery
from habeas.authority.views import build_view
from habeas.types import F32, Basis, GalleryView


def access_view(
    gallery: Gallery,
    vectors: F32,
    access_id: str,
    camera_id: str,
    *,
    from_ns: int,
    until_ns: int,
    revoked: threading.Event,
) -> GalleryView | None:
    """Return what footage of a camera is compared with for one request; None: nothing is compared now.

    Args:
        gallery: says whether anything may be compared at all, and which cameras there are.
        vectors: (m, d) float32, unit length, of the photographs.
        access_id: of the request.
        camera_id: one of its cameras.
        from_ns: first instant at which it may be compared, Unix ns.
        until_ns: first instant after.
        revoked: ends the view.
    """
    if gallery.stopped or gallery.camera(camera_id) is None:
        return None
    return build_view(
        vectors=vectors,
        subject_ids=np.full(len(vectors), access_id),
        authorisation_ids=np.full(len(vectors), access_id),
        model_id=gallery.model_id,
        basis=Basis.ACCESS,
        camera_id=camera_id,
        valid_from_ns=from_ns,
        valid_until_ns=until_ns,
        commitments=np.full(len(vectors), access_id),
        revoked=revoked,
    )
