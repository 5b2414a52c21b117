"""Everything once, before a worker is sealed: nothing can be imported, opened or found afterwards."""

import io
from typing import Final

import numpy as np
from PIL import Image

from habeas.clock import SystemClock
from habeas.engine.given import given_image
from habeas.engine.rehearsing import film_of
from habeas.faces import Detector, Templater
from habeas.models.pack import LoadedPack
from habeas.pipeline import Line, Stages
from habeas.settings import DetectSettings
from habeas.tracks import Tracker
from habeas.types import U8, Faces, Frame
from habeas.video import load_image
from habeas.video.encode import FilmWriter, painted
from habeas.video.file import VideoFile
from habeas.video.film import video_of
from habeas.video.mosaic import mosaic

_SIZE_WH: Final = 192, 128
_PICTURES: Final = 12
_CROP_PX: Final = 112
_IMAGES: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def warm_up(pack: LoadedPack, templater: Templater) -> None:
    """Take invented pictures of nobody through everything that a worker runs."""
    rng = np.random.default_rng(0)
    templater.from_crops([rng.integers(0, 256, (_CROP_PX, _CROP_PX, 3), np.uint8)], None)
    _read_images(rng)
    _read_video(Stages(Detector(pack.detector, DetectSettings().min_score), templater, DetectSettings()), rng)
    _follow()
    _write_film(rng)


def _read_images(rng: np.random.Generator) -> None:
    """Pillow finds its formats when it first needs them."""
    image = Image.fromarray(_noise(rng))
    for name in _IMAGES:
        written = io.BytesIO()
        image.save(written, name)
        load_image(given_image(name, written.getvalue()))


def _read_video(stages: Stages, rng: np.random.Generator) -> None:
    with film_of([_noise(rng) for _ in range(_PICTURES)]) as film, VideoFile(film, SystemClock()) as video:
        line = Line(video.origin, video.rate_hz, stages)
        line.plant()
        for frame in video.frames():
            _look(line, frame)
        list(line.finish())


def _look(line: Line, frame: Frame) -> None:
    list(line.process(frame))
    frame.picture.rgb((3, 3, 33, 33), (20, 20))


def _follow() -> None:
    """Track an invented face: association is otherwise first used with the first real one."""
    tracker = Tracker(1)
    for index in range(2):
        box = np.array([[10 + index, 10, 50 + index, 60]], np.float32)
        points = np.array([[[20, 25], [40, 25], [30, 35], [22, 48], [38, 48]]], np.float32)
        tracker.update(Faces(box, np.ones(1, np.float32), points, np.ones(1, np.float32)), index * 100_000_000)


def _write_film(rng: np.random.Generator) -> None:
    """Encode an invented film and read it, as redaction and playing do."""
    writer = FilmWriter(_SIZE_WH)
    for index in range(_PICTURES):
        writer.add(painted(mosaic(_noise(rng)), np.zeros((1, 4), np.float32)), index)
    with video_of("nobody", writer.finish(), SystemClock()) as video:
        for frame in video.frames():
            frame.image_rgb  # noqa: B018 -- converted when it is asked for


def _noise(rng: np.random.Generator) -> U8:
    width, height = _SIZE_WH
    return rng.integers(0, 256, (height, width, 3), np.uint8)
