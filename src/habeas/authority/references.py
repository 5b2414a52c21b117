"""Images to references, through the quality gate of product.md (Authorisation)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.errors import ReferenceRefused
from habeas.faces import Detector, Look, Templater
from habeas.faces.align import align
from habeas.faces.quality import eye_distances_px, nose_positions, sharpness
from habeas.geometry import areas
from habeas.types import F32, Faces, Frame, Templates

MIN_SCORE: Final = 0.5
MIN_EYES_PX: Final = 32.0
NOSE_BETWEEN: Final = (0.25, 0.75)
MIN_SHARPNESS: Final = 19.5
"""First percentile of the measurement set (bench/results/sharpness.json)."""
_LOOKS_PX: Final = (160, 320, 640, 1280)
"""Longest sides of the detector's pictures of a reference."""
_LARGEST_SHARE: Final = 0.9
"""A face wider than this share of its picture is cut off somewhere."""
_BYSTANDER_AREA: Final = 0.1
"""A second face counts from this share of the first one's area: smaller ones are people far behind."""


@dataclass(frozen=True, repr=False)
class Reference:
    """One enrolled image's template.

    Args:
        vector: (d,) float32, unit length.
        model_id: what made it.
    """

    vector: F32
    model_id: str

    def __post_init__(self) -> None:
        kept = Templates(self.vector[None], self.model_id, None)  # checks that it is usable, and keeps it read-only
        object.__setattr__(self, "vector", kept.vectors[0])


@dataclass(frozen=True, repr=False)
class Subject:
    """A person to look for, with references.

    Args:
        subject_id: as the alerts name them.
        references: at least one.
    """

    subject_id: str
    references: tuple[Reference, ...]


def make_reference(name: str, frame: Frame, detector: Detector, templater: Templater) -> Reference:
    """Make a reference of one image.

    Args:
        name: of the image, for messages.
        frame: its pixels.
        detector: finds the face.
        templater: makes the template.

    Raises:
        ReferenceRefused: no face, more than one, too small, turned away, or blurred; says which and what to do.
    """
    faces = _found(frame, detector)
    if not len(faces):
        raise _refused(name, "no face found", "use a picture in which the face is upright, lit and not covered")
    if len(faces) > 1:
        raise _refused(name, f"{len(faces)} faces found", "cut the picture to the one person meant")
    crop_rgb = align(frame.picture, faces.landmarks_xy_px[0])
    _check(name, faces, sharpness(crop_rgb), frame.size_wh[0])
    template = templater.from_crops([crop_rgb], None)
    return Reference(template.vectors[0].copy(), template.model_id)


def _found(frame: Frame, detector: Detector) -> Faces:
    """Look closely and from afar, always: the detector misses faces that fill its picture, and takes a bystander."""
    width, height = frame.size_wh
    scales = {min(1.0, longest / max(width, height)) for longest in _LOOKS_PX}
    sizes = [(max(1, round(width * scale)), max(1, round(height * scale))) for scale in sorted(scales)]
    return _main_faces(detector.detect(frame, [Look((0, 0, width, height), size) for size in sizes]))


def _main_faces(faces: Faces) -> Faces:
    faces = faces[faces.scores >= MIN_SCORE]
    if len(faces) < 2:  # noqa: PLR2004 - nothing to compare
        return faces
    sizes = areas(faces.boxes_xyxy_px)
    return faces[sizes >= _BYSTANDER_AREA * sizes.max()]


def _check(name: str, faces: Faces, sharp: float, width_px: int) -> None:
    if float(faces.boxes_xyxy_px[0, 2] - faces.boxes_xyxy_px[0, 0]) > _LARGEST_SHARE * width_px:
        raise _refused(name, "the face fills the whole picture", "use a picture with the whole head in it")
    eyes_px = float(eye_distances_px(faces.landmarks_xy_px)[0])
    nose = float(nose_positions(faces.landmarks_xy_px)[0])
    if eyes_px < MIN_EYES_PX:
        raise _refused(
            name,
            f"the face is too small: eyes {eyes_px:.0f} px apart, {MIN_EYES_PX:.0f} needed",
            "use a larger picture",
        )
    if not NOSE_BETWEEN[0] <= nose <= NOSE_BETWEEN[1]:
        raise _refused(name, "the face is turned away", "use a picture from the front")
    if sharp < MIN_SHARPNESS:
        raise _refused(
            name, f"the face is too blurred: sharpness {sharp:.1f}, {MIN_SHARPNESS:g} needed", "use a sharper picture"
        )


def _refused(name: str, what: str, remedy: str) -> ReferenceRefused:
    return ReferenceRefused(f"{name}: {what}", remedy=remedy)


def look_alikes(subjects: list[Subject], threshold: float) -> list[tuple[str, str, float]]:
    """Return pairs of subjects whose references are more alike than `threshold`: the same face under two names.

    Args:
        subjects: with references of one model.
        threshold: similarity from which two faces count as one person's.
    """
    pairs = []
    for index, one in enumerate(subjects):
        for other in subjects[index + 1 :]:
            a, b = (np.stack([reference.vector for reference in subject.references]) for subject in (one, other))
            similarity = float((a @ b.T).max())
            if similarity > threshold:
                pairs.append((one.subject_id, other.subject_id, similarity))
    return pairs
