"""Faces to templates: two networks, each on the crop and its mirror, joined with equal weight."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from habeas.faces.align import align
from habeas.models.manifest import DEFAULT_PACK
from habeas.ports import Session
from habeas.types import F32, U8, Faces, Frame, Origin, Templates, unit_rows

_SHORTEST: Final = 1e-6


class Templater:
    """Makes templates.

    Args:
        mobilefacenet: MobileFaceNet, NHWC, batch 2.
        fr_feature: fr_feature, NCHW, batch 1.
        model_id: name of the pack and the precision it runs at.
    """

    def __init__(self, mobilefacenet: Session, fr_feature: Session, model_id: str) -> None:
        self._mobilefacenet = mobilefacenet
        self._fr_feature = fr_feature
        self.model_id = model_id

    def template(self, frame: Frame, faces: Faces) -> Templates:
        """Make one template a face.

        Args:
            frame: the pixels.
            faces: n faces of that frame.

        Returns:
            n templates, in order.

        Raises:
            InputError: a network gave NaN or nothing for a face.
        """
        crops = [align(frame.picture, points) for points in faces.landmarks_xy_px]
        return self.from_crops(crops, frame.origin)

    def from_crops(self, crops_rgb: Sequence[U8], origin: Origin | None) -> Templates:
        """Make templates of aligned crops.

        Args:
            crops_rgb: n crops (112, 112, 3) uint8.
            origin: where they were seen; None for references.

        Returns:
            n templates, in order.

        Raises:
            InputError: a network gave NaN or nothing for a crop.
        """
        vectors = [self._vector(crop) for crop in crops_rgb]
        stacked = np.stack(vectors) if vectors else np.zeros((0, DEFAULT_PACK.dimensions), np.float32)
        return Templates(stacked, self.model_id, origin)

    def _vector(self, crop_rgb: U8) -> F32:
        pair = np.stack([crop_rgb, crop_rgb[:, ::-1]]).astype(np.float32)
        one = _only(self._mobilefacenet.infer(np.asarray((pair - 127.5) / 128, np.float32))).sum(axis=0)
        planes = np.ascontiguousarray(((pair - 127) / 128).transpose(0, 3, 1, 2), np.float32)
        # One at a time: a batch of two comes back as one row of both, which cannot be added.
        two = _only(self._fr_feature.infer(planes[:1]))[0] + _only(self._fr_feature.infer(planes[1:]))[0]
        return np.asarray(np.concatenate([_unit(one), _unit(two)]) / np.sqrt(2), np.float32)


def fuse(templates: Sequence[F32]) -> F32:
    """Return the unit-normalised mean of a track's templates.

    Args:
        templates: (d,) float32 vectors of unit length, at least one.

    Returns:
        (d,) float32 of unit length; the first where they cancel out.
    """
    mean = np.mean(np.stack(templates), axis=0)
    fused = _unit(mean)
    return fused if unit_rows(fused[None])[0] else templates[0]


def _only(outputs: dict[str, F32]) -> F32:
    (value,) = outputs.values()
    return value


def _unit(vector: F32) -> F32:
    """Return the vector at length one; NaN where it has none, which no record accepts."""
    length = float(np.linalg.norm(vector))
    return (
        (vector / length).astype(np.float32)
        if _SHORTEST < length < np.inf
        else np.full_like(vector, np.nan, np.float32)
    )
