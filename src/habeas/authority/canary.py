"""The reserved view: what the canary is compared with, on a camera on which something may be compared, and only then.

The reference was made once, of the drawing (`video.canary`), and is shipped beside this file, one per model pack: a
network that answers wrongly on this machine does not find its own mistake. The view ends with the camera's own: both
are revoked by one event. No view admits both a canary and a person (`types.PERMITTED_ORIGINS`).
"""

import base64
import json
from importlib import resources
from typing import Final

import numpy as np

from habeas.authority.views import build_view
from habeas.errors import ModelError
from habeas.types import F32, Basis, GalleryView

CANARY: Final = "canary"
"""Whom a canary matches: no subject's id is this, and no authorisation's."""
SCHEMA: Final = 1
_REMEDY: Final = "make one: python bench/run.py canary"


def reserved_view(view: GalleryView, canary: F32) -> GalleryView:
    """Return what a canary may be compared with where `view` may be compared with people, for as long as that.

    Args:
        view: of the camera, at this moment.
        canary: (d,) float32, unit length, the shipped reference.
    """
    return build_view(
        vectors=canary[None],
        subject_ids=np.array([CANARY]),
        authorisation_ids=np.array([CANARY]),
        model_id=view.model_id,
        basis=Basis.CANARY,
        camera_id=view.camera_id,
        valid_from_ns=view.valid_from_ns,
        valid_until_ns=view.valid_until_ns,
        revoked=view.revoked,
    )


def load_reference(model_id: str) -> F32:
    """Return the shipped template of the canary: (d,) float32, unit length.

    Args:
        model_id: of the pack that compares.

    Raises:
        ModelError: there is none for it, or it is of a schema that this version does not know.
    """
    try:
        text = (resources.files("habeas.authority") / "canaries" / f"{model_id}.json").read_text("ascii")
    except FileNotFoundError:
        raise ModelError(f"no canary's template for {model_id}", remedy=_REMEDY) from None
    try:
        told = json.loads(text)
        vector = np.frombuffer(base64.b64decode(told["template"], validate=True), "<f4").astype(np.float32)
        known = told["schema"] == SCHEMA and told["model_id"] == model_id
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ModelError(f"the canary's template for {model_id} cannot be read", remedy=_REMEDY)
    return vector
