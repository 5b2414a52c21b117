"""A film of strangers, an oracle that knows what was made of them, and a machine on which nothing is known."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from habeas.app import App
from habeas.authority import RunAuthorisation
from habeas.engine import Run
from habeas.faces import Detector, Templater
from habeas.faces.align import align
from habeas.measure.heads import Head
from habeas.types import F32, U8, Faces, Frame, Probe, Templates
from habeas.video import open_source

SUBJECT = "astronaut"
SUBJECT_LIKE = 0.45
"""From this similarity to the reference on, a face of the source is the subject's, who may leave traces."""


# --- pictures -------------------------------------------------------------------------------------------------------


def group_picture(people: Sequence[Head], wall: int, size_wh: tuple[int, int] = (640, 320)) -> U8:
    """Stand up to four people in a row before a wall: (h, w, 3) uint8. Each wall is another, so that a cut shows."""
    width, height = size_wh
    rng = np.random.default_rng([wall, 11])
    shade = 40 + 120 * (wall % 2)
    blocks = np.repeat(np.repeat(rng.integers(shade, shade + 60, (height // 32, width // 32, 3)), 32, 0), 32, 1)
    image = blocks.astype(np.float32) + rng.normal(0, 3, (height, width, 3)).astype(np.float32)
    for number, head in enumerate(people):
        part = head.image_rgba[::2, ::2].astype(np.float32)
        top, left = int(rng.integers(30, 140)), 15 + number * 155 + int(rng.integers(30))
        alpha = part[..., 3:] / 255
        where = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        image[where] = part[..., :3] * alpha + image[where] * (1 - alpha)
    return np.clip(image, 0, 255).astype(np.uint8)


def shots(crowd: Sequence[Head], subject: Head) -> list[U8]:
    """Cut a film's pictures: half the strangers, the subject, the other half, four at a time."""
    groups = [list(crowd[start : start + 4]) for start in range(0, len(crowd), 4)]
    groups.insert((len(groups) + 1) // 2, [subject])
    return [group_picture(group, wall) for wall, group in enumerate(groups)]


# --- the oracle -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a line made of strangers: every template, and a crop of every face that was detected."""

    reference: F32
    vectors: list[F32] = field(default_factory=list)
    crops: list[U8] = field(default_factory=list)
    made: int = 0
    alerts: int = 0


class RecordingTemplater(Templater):
    """Makes templates, and copies those of strangers to the oracle."""

    def __init__(self, app: App, seen: Seen) -> None:
        super().__init__(app.pack.mobilefacenet, app.pack.fr_feature, app.pack.model_id)
        self._seen = seen

    def template(self, frame: Frame, faces: Faces) -> Templates:
        made = super().template(frame, faces)
        self._seen.made += len(made)
        for vector in made.vectors:
            if float(vector @ self._seen.reference) < SUBJECT_LIKE:
                self._seen.vectors.append(vector.copy())
        return made


class RecordingDetector(Detector):
    """Finds faces, and gives the oracle a crop of every stranger's."""

    def __init__(self, app: App, seen: Seen) -> None:
        super().__init__(app.pack.detector, app.settings.detect.min_score)
        self._templater = app.templater
        self._seen = seen

    def detect(self, frame: Frame, *how: Any, **how_else: Any) -> Faces:
        faces = super().detect(frame, *how, **how_else)
        crops = [align(frame.picture, points) for points in faces.landmarks_xy_px]
        for crop, vector in zip(crops, self._templater.from_crops(crops, frame.origin).vectors, strict=True):
            if float(vector @ self._seen.reference) < SUBJECT_LIKE:
                self._seen.crops.append(crop)
        return faces


# --- the machine ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    """Fresh folders: nothing lies in them before, and what lies in them after was written by the program."""

    root: Path
    shared_memory_before: frozenset[str]

    @property
    def roots(self) -> list[Path]:
        """Working directory, home, temporary and XDG folders."""
        return sorted(path for path in self.root.iterdir() if path.is_dir())

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name them."""
        names = ("DATA", "CACHE", "CONFIG", "STATE")
        xdg = {f"XDG_{name}_HOME": str(self.root / f"xdg-{name.lower()}") for name in names}
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.root / "tmp"))
        return {**xdg, **temporary, "HOME": str(self.root / "home"), "XDG_RUNTIME_DIR": str(self.root / "xdg-run")}

    def written(self) -> list[str]:
        """Return every file below the folders, relative to their root."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir())

    def shared_memory(self) -> list[Path]:
        """Return what is new in shared memory; other programs may have put it there."""
        return [path for path in shared_memory_files() if str(path) not in self.shared_memory_before]


def shared_memory_files() -> list[Path]:
    folder = Path("/dev/shm")  # noqa: S108 - it is scanned, not written
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def habeas_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "habeas", *arguments]


def program_environment(app: App, machine: Machine) -> dict[str, str]:
    """Give a program the fresh folders, and the model cache that it may read."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, **machine.environment, "HABEAS_MODELS__FOLDER": str(app.settings.models.folder.resolve())}


# --- runs -----------------------------------------------------------------------------------------------------------


def recorded(app: App, source: str, subject_image: Path) -> Seen:
    """Take a source through the real line in this process, and note what it makes of strangers."""
    subject = app.enrol({SUBJECT: [subject_image]})
    seen = Seen(subject[0].references[0].vector)
    stages = replace(app.stages(), templater=RecordingTemplater(app, seen), detector=RecordingDetector(app, seen))
    opened = open_source(source, live=app.settings.live, clock=app.clock)
    with (
        RunAuthorisation(subject, "consent", app.clock) as authorisation,
        Run([opened], stages) as run,
    ):
        matcher = app.matcher(authorisation.view)
        for probe in (found for found in run.events() if isinstance(found, Probe)):
            seen.alerts += len(list(matcher.compare(probe)))
    return seen
