"""Frame to faces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from habeas.faces.align import align
from habeas.faces.centerface import MAX_OVERLAP, decode, network_input
from habeas.faces.quality import quality, sharpness
from habeas.geometry import suppress
from habeas.ports import Session
from habeas.types import F32, Faces, Frame


@dataclass(frozen=True)
class Look:
    """Which part of a frame to look at, and how closely.

    Args:
        box_xyxy_px: inside the frame.
        size_wh: size of the detector's picture of that part.
    """

    box_xyxy_px: tuple[int, int, int, int]
    size_wh: tuple[int, int]


class Detector:
    """Finds faces with five landmarks.

    Args:
        session: CenterFace, any input size.
        min_score: score a face needs.
    """

    def __init__(self, session: Session, min_score: float) -> None:
        self._session = session
        self._min_score = min_score

    def detect(self, frame: Frame, looks: Sequence[Look] = (), min_face_px: float = 0) -> Faces:
        """Find faces.

        Args:
            frame: where.
            looks: parts and scales; none: the whole frame at its own size. A face seen twice counts once.
            min_face_px: narrower faces are left out.

        Returns:
            Faces in pixels of the full frame, highest score first.
        """
        width, height = frame.size_wh
        seen = [self._look(frame, look) for look in looks or (Look((0, 0, width, height), (width, height)),)]
        boxes, scores, landmarks = (np.concatenate(part) for part in zip(*seen, strict=True))
        usable = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] - boxes[:, 0] >= min_face_px)
        rows = np.flatnonzero(usable)[suppress(boxes[usable], scores[usable], MAX_OVERLAP)]
        return _graded(frame, boxes[rows], scores[rows], landmarks[rows])

    def _look(self, frame: Frame, look: Look) -> tuple[F32, F32, F32]:
        """Return boxes, scores and landmarks of one part, in pixels of the full frame."""
        x0, y0, x1, y1 = look.box_xyxy_px
        image_rgb = frame.picture.rgb(look.box_xyxy_px, look.size_wh)
        boxes, scores, landmarks = decode(self._session.infer(network_input(image_rgb)), self._min_score)
        ratio_xy = np.array([(x1 - x0) / look.size_wh[0], (y1 - y0) / look.size_wh[1]], np.float32)
        corner_xy = np.array([x0, y0], np.float32)
        return boxes * np.tile(ratio_xy, 2) + np.tile(corner_xy, 2), scores, landmarks * ratio_xy + corner_xy


def _graded(frame: Frame, boxes: F32, scores: F32, landmarks: F32) -> Faces:
    sharpnesses = np.array([sharpness(align(frame.picture, points)) for points in landmarks], np.float32)
    return Faces(boxes, scores, landmarks, quality(landmarks, scores, sharpnesses))
