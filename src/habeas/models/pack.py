"""The loaded pack: which networks a line runs."""

from collections.abc import Callable
from dataclasses import dataclass

from habeas.models.checks import check_file
from habeas.models.manifest import CENTERFACE, DEFAULT_PACK, FR_FEATURE, MOBILEFACENET, PackagedFile
from habeas.models.pull import Report, fetch, missing
from habeas.models.session import DYNAMIC, OpenVinoSession, Precision
from habeas.ports import Session
from habeas.settings import ModelSettings


@dataclass(frozen=True, repr=False)
class LoadedPack:
    """Sessions of one model pack; they belong to one thread.

    Args:
        detector: finds faces and landmarks.
        mobilefacenet: first half of a template.
        fr_feature: second half.
        model_id: name, hash and precision of what makes templates; templates of another id are not comparable.
    """

    detector: Session
    mobilefacenet: Session
    fr_feature: Session
    model_id: str


def default_model_id() -> str:
    """Return the name of what makes templates with the default pack; nothing is loaded."""
    return f"{DEFAULT_PACK.name}-{MOBILEFACENET.sha256[:8]}{FR_FEATURE.sha256[:8]}-f32"


def load_pack(settings: ModelSettings, *, before_pull: Callable[[list[PackagedFile]], Report]) -> LoadedPack:
    """Load the default pack, fetching first what is missing.

    Args:
        settings: where the cache is.
        before_pull: told what is missing before anything is fetched; returns who hears of the progress.

    Raises:
        ModelError: a file is not the pinned one, or cannot be loaded.
        NetworkError: it could not be fetched.
        DiskError: it could not be stored.
    """
    lacking = missing(DEFAULT_PACK.files, settings.folder)
    if lacking:
        fetch(lacking, settings.folder, report=before_pull(lacking), base_url=settings.base_url)
    return LoadedPack(
        detector=_session(CENTERFACE, settings, (1, 3, DYNAMIC, DYNAMIC), settings.detector_precision),
        mobilefacenet=_session(MOBILEFACENET, settings, (2, 112, 112, 3), "f32"),
        fr_feature=_session(FR_FEATURE, settings, (1, 3, 112, 112), "f32"),
        model_id=default_model_id(),
    )


def _session(
    file: PackagedFile, settings: ModelSettings, shape: tuple[int, ...], precision: Precision
) -> OpenVinoSession:
    return OpenVinoSession(file.name, check_file(settings.folder / file.name, file), shape, precision)
