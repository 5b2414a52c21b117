"""The Python API: the stages of the line as functions, each output feeding the next, and `watch` for the whole of it.

It runs without a workspace, so the limits of product.md hold: at most 3 subjects who consent and 2 live sources in one
process, 8 hours, no FPIR above 1e-3. Models are loaded on first use, once a thread.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from habeas.app import App
from habeas.authority import RunAuthorisation
from habeas.comparison import check_fpir
from habeas.comparison import search as _search
from habeas.comparison.calibration import DEFAULT_FPIR
from habeas.decision import Decision
from habeas.decision import decide as _decide
from habeas.errors import InputError, RuleError
from habeas.faces import Look, fuse
from habeas.pipeline import Event
from habeas.ports import FrameSource
from habeas.tracks import Tracker
from habeas.types import F32, U8, Candidates, Faces, Flaw, Frame, GalleryView, Origin, OriginKind, Templates, Tracks
from habeas.video import detector_size, plan_stream
from habeas.video import open_source as _open_source
from habeas.watching import Watch, refuse_workspace_cameras

Images = str | Path | U8 | Sequence[str | Path | U8]

_local: Final = threading.local()
_tracking: Final[WeakKeyDictionary[Origin, "_Tracking"]] = WeakKeyDictionary()
_runs: Final[dict[str, RunAuthorisation]] = {}


def watch(
    sources: str | Path | Sequence[str | Path],
    subjects: Mapping[str, Images],
    *,
    basis: str,
    fpir: float = DEFAULT_FPIR,
) -> Iterator[Event | Flaw]:
    """Look for people who consent, in files, folders of images and streams.

    Args:
        sources: one or several; `rtsp://` addresses, video files, folders of images.
        subjects: name -> image or images (paths, or (h, w, 3) uint8 RGB arrays); at most three people.
        basis: `consent`.
        fpir: share of strangers' tracks that may alert, at most 1e-3.

    Yields:
        `Alert` at its first crossing, later `AlertEnd` when that track closes; `Flaw` when a source has trouble.

    Raises:
        RuleError: more than is allowed without a workspace.
        InputError: a source or image cannot be used.
    """
    names = [sources] if isinstance(sources, str | Path) else sources
    with Watch(_app(), [str(name) for name in names], _listed(subjects), basis=basis, fpir=fpir) as watching:
        yield from watching.events()
        watching.raise_failure()


def open_source(uri: str | Path) -> FrameSource:
    """Open a source of frames; iterate its `frames()`, close it by `with`.

    Args:
        uri: `rtsp://...`, a video file, a folder of images, or one image.

    Raises:
        SourceError: it is missing, unreadable, or holds no video.
        UsageError: another kind of address.
        RuleError: it is a camera of an installation.
    """
    refuse_workspace_cameras([str(uri)])
    app = _app()
    return _open_source(str(uri), live=app.settings.live, clock=app.clock)


def detect(frame: Frame) -> Faces:
    """Find the faces of a frame.

    Args:
        frame: from `open_source`.

    Returns:
        n faces in pixels of the full frame, highest score first.
    """
    app = _app()
    width, height = frame.size_wh
    whole = (0, 0, width, height)
    plan = plan_stream((width, height), 0, app.settings.detect)
    return app.detector().detect(frame, [Look(whole, detector_size(plan, whole))])


def track(frame: Frame, faces: Faces) -> Tracks:
    """Tell which face is which over the frames of one source, and which are worth a template.

    The state belongs to the source: give its frames in order.

    Args:
        frame: the frame.
        faces: what `detect` found in it.

    Returns:
        Tracks aligned with the faces; `best_shots` marks at most five rows a track in all.
    """
    state = _tracking.setdefault(frame.origin, _Tracking())
    ended = state.tracker.close_all() if frame.origin.kind is OriginKind.STILLS else ()
    tracks = state.tracker.update(faces, frame.pts_ns)
    closed = (*ended, *tracks.closed)
    for track in closed:
        state.shots.pop(track.track_id, None)
    return replace(tracks, closed=closed)


def template(frame: Frame, faces: Faces | Tracks) -> Templates:
    """Make templates, in memory.

    Args:
        frame: the frame.
        faces: its faces, each taken alone; or its tracks: one template for each new best shot, the mean of that
            track's best shots so far, which is what the thresholds are measured for.

    Returns:
        (n, 704) float32, unit length.

    Raises:
        InputError: a network gave nothing usable for a face.
    """
    templater = _app().templater
    if isinstance(faces, Faces):
        return templater.template(frame, faces)
    shots = _tracking.setdefault(frame.origin, _Tracking()).shots
    made = templater.template(frame, faces.faces[faces.best_shots])
    fused = []
    for vector, track_id in zip(made.vectors, faces.track_ids[faces.best_shots].tolist(), strict=True):
        shots.setdefault(track_id, []).append(vector)
        fused.append(fuse(shots[track_id]))
    return Templates(np.stack(fused), made.model_id, made.origin) if fused else made


@dataclass
class _Tracking:
    """One source's state between calls of `track` and `template`; gone with the source."""

    tracker: Tracker = field(default_factory=lambda: Tracker(1))
    shots: dict[int, list[F32]] = field(default_factory=dict)


def enrol(subjects: Mapping[str, Images], basis: str = "consent") -> GalleryView:
    """Make the only thing that may be searched: a gallery view of people who consent, for this process, for 8 hours.

    Args:
        subjects: name -> image or images; at most three people in the process at once (`forget` makes room).
        basis: `consent`.

    Raises:
        RuleError: another basis, or too many people.
        ReferenceRefused: an image may not become a reference; says why.
    """
    app = _app()
    run = RunAuthorisation(app.enrol(_listed(subjects)), basis, app.clock)
    view = run.whole_view()
    _runs[view.view_id] = run
    return view


def forget(view: GalleryView) -> None:
    """End an enrolment: from here on nothing is compared with it."""
    run = _runs.pop(view.view_id, None)
    if run is not None:
        run.close()


def search(templates: Templates, view: GalleryView, k: int = 1) -> Candidates:
    """Find the subjects most like each template.

    Args:
        templates: n probes, from `template`.
        view: from `enrol`.
        k: subjects a probe.

    Returns:
        (n, k) subjects and similarities, best first.

    Raises:
        RuleError: the view has ended, or is not for this source.
    """
    run = _runs.get(view.view_id)
    if run is None or templates.origin is None:
        raise RuleError("this gallery view has ended", rule="window", remedy="enrol again")
    return _search(templates, run.view(templates.origin), at_ns=_app().clock.now_ns(), k=k)


def decide(candidates: Candidates, fpir: float = DEFAULT_FPIR) -> list[Decision]:
    """Tell which probes match at an FPIR.

    Args:
        candidates: from `search`.
        fpir: share of strangers' tracks that may match, at most 1e-3; holds for templates made of tracks.

    Returns:
        A decision for each candidate above the threshold: the probe's row, the subject, the similarity.

    Raises:
        RuleError: a higher FPIR, or a gallery larger than the calibration covers.
    """
    check_fpir(fpir)
    if not len(candidates):
        return []
    return _decide(candidates, _app().calibration.threshold(fpir, candidates.gallery_size))


def _app() -> App:
    """Return this thread's models: a session belongs to one thread."""
    if not hasattr(_local, "app"):
        _local.app = App()
    app: App = _local.app
    return app


def _listed(subjects: Mapping[str, Images]) -> dict[str, list[Path | U8]]:
    return {name: [_image(image) for image in _several(images)] for name, images in subjects.items()}


def _several(images: Images) -> Sequence[str | Path | U8]:
    return images if isinstance(images, Sequence) and not isinstance(images, str) else [images]


def _image(image: str | Path | U8) -> Path | U8:
    if isinstance(image, str | Path):
        return Path(image)
    if isinstance(image, np.ndarray):
        return image
    raise InputError(f"an image is a {type(image).__name__}", remedy="give a path, or an (h, w, 3) uint8 RGB array")
