"""Images to references, in a worker that has no cameras."""

import os
from collections.abc import Sequence
from typing import Final

from habeas.authority.references import MIN_SCORE, Reference, make_reference
from habeas.engine.given import given_image
from habeas.engine.messages import EnrolImage, Enrolled, one_line, payload_of
from habeas.errors import InputError
from habeas.faces import Detector, Look, Templater
from habeas.faces.align import align
from habeas.faces.quality import eye_distances_px, nose_positions, sharpness
from habeas.geometry import areas
from habeas.models.pack import LoadedPack
from habeas.ports import Clock, Session
from habeas.types import Faces, Frame, OriginKind
from habeas.video import ArrayPicture, load_image
from habeas.video.edge import origin

_NAME: Final = "the image"


class _Noting(Detector):
    """A detector that remembers what it last found, for the report."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, MIN_SCORE)
        self.found = Faces.none()

    def detect(self, frame: Frame, looks: Sequence[Look] = (), min_face_px: float = 0) -> Faces:
        """Find faces, as `Detector` does."""
        self.found = super().detect(frame, looks, min_face_px)
        return self.found


class Examiner:
    """Takes images through the quality gate.

    Args:
        pack: the networks.
        templater: of that pack.
        clock: stamps frames.
    """

    def __init__(self, pack: LoadedPack, templater: Templater, clock: Clock) -> None:
        self._pack = pack
        self._templater = templater
        self._clock = clock

    def examine(self, order: EnrolImage, descriptor: int) -> Enrolled:
        """Say whether an image may become a reference, and return its template if so.

        Args:
            order: what is asked.
            descriptor: of the image's bytes; closed.

        Raises:
            InputError: fewer bytes than were announced.
        """
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(order.image_bytes)
        if len(data) != order.image_bytes:
            raise InputError("an image came incomplete", remedy="send it again")
        try:
            image_rgb = load_image(given_image(_NAME, data))
        except InputError as error:
            return _refused(order, error, (0, 0), {})
        picture = ArrayPicture(image_rgb)
        frame = Frame(origin(OriginKind.STILLS, _NAME), 0, self._clock.now_ns(), 0, picture)
        detector = _Noting(self._pack.detector)
        try:
            reference = make_reference(_NAME, frame, detector, self._templater)
        except InputError as error:
            return _refused(order, error, picture.size_wh, _report(frame, detector.found))
        return _taken(order, reference, picture.size_wh, _report(frame, detector.found))


def _refused(order: EnrolImage, error: InputError, size_wh: tuple[int, int], report: dict[str, float]) -> Enrolled:
    return Enrolled(
        request_id=order.request_id,
        refusal=one_line(error.message) or "refused",
        remedy=one_line(error.remedy),
        dimensions=0,
        size_wh=size_wh,
        report=report,
    )


def _taken(order: EnrolImage, reference: Reference, size_wh: tuple[int, int], report: dict[str, float]) -> Enrolled:
    return Enrolled(
        request_id=order.request_id,
        refusal="",
        remedy="",
        dimensions=len(reference.vector),
        size_wh=size_wh,
        report=report,
    ).with_payload(payload_of(reference.vector))


def _report(frame: Frame, faces: Faces) -> dict[str, float]:
    """Return what the gate measures of the largest face."""
    if not len(faces):
        return {"faces": 0.0}
    largest = int(areas(faces.boxes_xyxy_px).argmax())
    face = faces[largest : largest + 1]
    return {
        "faces": float(len(faces)),
        "score": float(face.scores[0]),
        "eyes_px": float(eye_distances_px(face.landmarks_xy_px)[0]),
        "nose": float(nose_positions(face.landmarks_xy_px)[0]),
        "sharpness": float(sharpness(align(frame.picture, face.landmarks_xy_px[0]))),
    }
