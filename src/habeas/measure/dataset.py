"""A folder of people, one folder each, and the templates of their images. Templates stay in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from habeas.errors import InputError
from habeas.faces import Detector, Look, Templater
from habeas.ports import Clock
from habeas.types import F32, Faces, Frame, Origin, OriginKind, Str, Templates
from habeas.video import ArrayPicture, load_image
from habeas.video.edge import origin

MIN_SCORE: Final = 0.3
"""The protocol's detector score (docs/model-card.md): lower than the line's, so that few images are lost."""
_LARGEST_PX: Final = 640
_MULTIPLE: Final = 32


@dataclass(frozen=True)
class Image:
    """One image of one person.

    Args:
        person: name of the folder.
        path: of the file.
    """

    person: str
    path: Path


@dataclass(frozen=True, repr=False)
class TemplateSet:
    """Templates of a folder of people.

    Args:
        templates: n.
        people: (n,) whose each is.
        missed: images in which no face was found.
    """

    templates: Templates
    people: Str
    missed: tuple[Image, ...]


def list_images(folder: Path) -> list[Image]:
    """List `folder/PERSON/IMAGE`, people and images in order of name.

    Raises:
        InputError: the folder is missing, or is not laid out so.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", remedy="give a folder that holds one folder per person")
    images = [
        Image(person.name, path)
        for person in sorted(p for p in folder.iterdir() if p.is_dir())
        for path in sorted(person.iterdir())
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    ]
    if not images:
        raise InputError(f"{folder}: no PERSON/IMAGE.jpg in it", remedy="lay it out as one folder per person")
    return images


@dataclass(frozen=True)
class Maker:
    """What turns still images into templates.

    Args:
        origin: of the folder.
        detector: at the protocol's score.
        templater: of the pack measured.
        clock: dates the frames.
    """

    origin: Origin
    detector: Detector
    templater: Templater
    clock: Clock

    @classmethod
    def of(cls, folder: Path, detector: Detector, templater: Templater, clock: Clock) -> Self:
        """Return the maker for a folder of still images."""
        return cls(origin(OriginKind.STILLS, str(folder)), detector, templater, clock)

    def frame(self, path: Path) -> Frame:
        """Read one image as a frame.

        Raises:
            ImageError: it cannot be read.
        """
        return Frame(self.origin, 0, self.clock.now_ns(), 0, ArrayPicture(load_image(path)))


def central_face(frame: Frame, detector: Detector) -> Faces:
    """Return the face nearest the image's centre: one row, or none.

    Sides are rounded up to the detector's multiple of 32 (250 px become 256), larger pictures reduced to 640.
    """
    width, height = frame.size_wh
    scale = min(1.0, _LARGEST_PX / max(width, height))
    size = tuple(-(-round(side * scale) // _MULTIPLE) * _MULTIPLE for side in (width, height))
    faces = detector.detect(frame, [Look((0, 0, width, height), (size[0], size[1]))])
    if not len(faces):
        return faces
    centres = (faces.boxes_xyxy_px[:, :2] + faces.boxes_xyxy_px[:, 2:]) / 2
    nearest = int(np.argmin(((centres - np.array([width / 2, height / 2])) ** 2).sum(axis=1)))
    return faces[nearest : nearest + 1]


def templates_of(images: list[Image], maker: Maker, report: Callable[[int], None] = lambda _done: None) -> TemplateSet:
    """Make the template of the central face of each image.

    Raises:
        ImageError: an image cannot be read.
        InputError: no face in any of them.
    """
    vectors: list[F32] = []
    people: list[str] = []
    missed: list[Image] = []
    for done, image in enumerate(images, start=1):
        frame = maker.frame(image.path)
        face = central_face(frame, maker.detector)
        if len(face):
            vectors.append(maker.templater.template(frame, face).vectors[0])
            people.append(image.person)
        else:
            missed.append(image)
        report(done)
    if not vectors:
        raise InputError("no face in any image", remedy="give pictures of faces, upright")
    return TemplateSet(
        Templates(np.stack(vectors), maker.templater.model_id, maker.origin), np.array(people), tuple(missed)
    )
