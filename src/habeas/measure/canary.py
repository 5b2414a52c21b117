"""The canary's template, made of its drawing in an otherwise empty picture. It is shipped, and never made to run."""

from typing import Final

import numpy as np

from habeas.errors import ModelError
from habeas.faces import Detector, Look, Templater
from habeas.types import F32, Frame
from habeas.video import ArrayPicture
from habeas.video.canary import canary_origin, planted

_SIZE_WH: Final = 640, 352
_SIDE_PX: Final = 128
_BOX: Final = 256, 112, 256 + _SIDE_PX, 112 + _SIDE_PX
_GREY: Final = 110
_MIN_FACE_PX: Final = 16


def canary_template(detector: Detector, templater: Templater) -> F32:
    """Return the template of the drawn face: (d,) float32, unit length.

    Raises:
        ModelError: the networks find no face in it, or several.
    """
    width, height = _SIZE_WH
    empty = ArrayPicture(np.full((height, width, 3), _GREY, np.uint8))
    frame = planted(Frame(canary_origin("canary"), 0, 0, 0, empty), _BOX)
    faces = detector.detect(frame, [Look((0, 0, width, height), _SIZE_WH)], _MIN_FACE_PX)
    if len(faces) != 1:
        raise ModelError(f"{len(faces)} faces in the canary's drawing", remedy="the model pack cannot have a canary")
    return np.asarray(templater.template(frame, faces).vectors[0], np.float32)
