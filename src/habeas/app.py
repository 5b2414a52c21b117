"""Composition root: settings become the objects that run. Nothing below here reads the environment or a cache."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from habeas.authority import Subject, make_reference
from habeas.clock import SystemClock
from habeas.comparison import Calibration, load_calibration
from habeas.comparison.calibration import DEFAULT_FPIR
from habeas.errors import InputError
from habeas.faces import Detector, Templater
from habeas.models.manifest import PackagedFile
from habeas.models.pack import LoadedPack, load_pack
from habeas.models.pull import Report
from habeas.pipeline import Matcher, Stages, ViewOf
from habeas.ports import Clock
from habeas.settings import Settings, load_settings
from habeas.types import U8, Frame, OriginKind
from habeas.video import ArrayPicture, load_image
from habeas.video.edge import origin

BeforePull = Callable[[list[PackagedFile]], Report]


class App:
    """What one process runs with. Loads the model pack, pulling it first where it is missing.

    Args:
        settings: the tree; None: from the environment.
        clock: None: the machine's.
        before_pull: told what is missing before anything is fetched; returns who hears of the progress.

    Raises:
        UsageError: a setting is wrong.
        ModelError: weights are missing and cannot be had, or are not the pinned ones.
    """

    def __init__(
        self, settings: Settings | None = None, clock: Clock | None = None, *, before_pull: BeforePull | None = None
    ) -> None:
        self.settings = settings or load_settings()
        self.clock: Clock = clock or SystemClock()
        self.pack: LoadedPack = load_pack(self.settings.models, before_pull=before_pull or _silent_pull)
        self.templater = Templater(self.pack.mobilefacenet, self.pack.fr_feature, self.pack.model_id)

    def detector(self, min_score: float | None = None) -> Detector:
        """Return a detector; `min_score` None: as set."""
        return Detector(self.pack.detector, self.settings.detect.min_score if min_score is None else min_score)

    @cached_property
    def calibration(self) -> Calibration:
        """What a similarity of this pack means."""
        return load_calibration(self.pack.model_id)

    def stages(self) -> Stages:
        """Return what lines share."""
        return Stages(detector=self.detector(), templater=self.templater, detect=self.settings.detect)

    def matcher(self, view_of: ViewOf, fpir: float = DEFAULT_FPIR) -> Matcher:
        """Return what compares.

        Args:
            view_of: what may be compared on a source; asked before every comparison.
            fpir: promised share of non-mated tracks that alert, at most 1e-3.

        Raises:
            RuleError: a higher FPIR.
        """
        return Matcher(view_of, self.calibration, fpir, self.clock)

    def enrol(self, images: Mapping[str, Sequence[Path | U8]]) -> list[Subject]:
        """Turn names and images into subjects with references, through the quality gate.

        Raises:
            ReferenceRefused: an image may not become a reference; says which and why.
            ImageError: an image cannot be read.
            InputError: a subject without an image.
        """
        return [self._subject(name, given) for name, given in images.items()]

    def _subject(self, name: str, images: Sequence[Path | U8]) -> Subject:
        if not name.strip() or not images:
            raise InputError("a subject needs a name and an image", remedy="write NAME=IMAGE[,IMAGE...]")
        detector = self.detector()
        references = []
        for image in images:
            label, pixels = (str(image), load_image(image)) if isinstance(image, Path) else (name, image)
            frame = Frame(origin(OriginKind.STILLS, label), 0, self.clock.now_ns(), 0, ArrayPicture(pixels))
            references.append(make_reference(label, frame, detector, self.templater))
        return Subject(name, tuple(references))


def _silent_pull(_files: list[PackagedFile]) -> Report:
    return lambda _progress: None
