"""Video in: files, folders of images, live streams; which frames are worth a look. `av` appears only here."""

from habeas.video.encode import encode_h264
from habeas.video.gate import Motion, MotionGate
from habeas.video.image import ArrayPicture, load_image
from habeas.video.open import is_live, open_source
from habeas.video.sampling import Sampler, StreamPlan, detector_size, plan_stream, regions

__all__ = [
    "ArrayPicture",
    "Motion",
    "MotionGate",
    "Sampler",
    "StreamPlan",
    "detector_size",
    "encode_h264",
    "is_live",
    "load_image",
    "open_source",
    "plan_stream",
    "regions",
]
