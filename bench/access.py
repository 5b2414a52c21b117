"""Access requests of 50 invented people: how many of their walks past a camera are found, and what else is.

Each person gives one photograph, drawn apart from the film and degraded on its own, through the gate of references. The
film goes through the worker for footage once; each request compares what came of it with that photograph alone, at
the loosest setting that there is, and makes a finding of each track that matches, as `habeas.node.accessing` does.
The human step is the truth of the scene: what is kept are the findings whose picture shows whoever asks, and of these
it is counted whether anything else of their track shows somebody else.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from footage import _screened

from habeas.app import App
from habeas.authority.references import Reference
from habeas.authority.views import build_view
from habeas.comparison.calibration import MAX_FPIR
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Screened, Screening, reels_of
from habeas.errors import ReferenceRefused
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.geometry import iou
from habeas.measure.dataset import Maker, central_face
from habeas.measure.degrade import Conditions, degraded
from habeas.measure.heads import EYE_DISTANCE_PX, Head, cut_out
from habeas.measure.portraits import PORTRAITS, load_portraits
from habeas.measure.scenes import Scene, draw_scene
from habeas.measure.strangers import strangers
from habeas.measure.walks import FaceTruth, Walk
from habeas.models.pull import fetch
from habeas.node.sweeping import LOOKS_HZ
from habeas.pipeline import Matcher
from habeas.settings import DetectSettings
from habeas.types import NS_PER_S, U8, Alert, Basis, Frame, Probe
from habeas.video import ArrayPicture
from habeas.video.remux import remux_file

PEOPLE = 50
A_SCENE = 5
RATE_HZ = 15
SEED = 11
LEAST_PX = 32.0
"""Of a face's width: smaller ones are not looked for."""
FACE_EYES = 2.1
"""Width of a face, in eye distances."""
SAME_PLACE = 0.2
"""Least overlap of a finding's box with a face's true one."""
_BEGAN_NS = 1_790_000_000 * NS_PER_S
_LANES = ((1.6, 0.7), (-1.7, -0.5), (0.7, 0.35), (-0.8, -0.15), (2.4, 0.9))
"""Where walks begin and end, metres to the right of the camera's axis."""


@dataclass(frozen=True)
class Film:
    """A scene, what came of it, and its truth by picture."""

    people: tuple[str, ...]
    screened: tuple[Screened, ...]
    truth: list[list[FaceTruth]]

    def planted(self) -> set[str]:
        """The walks that show a face that is large enough, and not hidden, at some moment."""
        return {
            face.person_id
            for faces in self.truth
            for face in faces
            if not face.occluded and face.box_xyxy_px[2] - face.box_xyxy_px[0] >= LEAST_PX
        }

    def tracks(self) -> list[int]:
        """Return the tracks that ended."""
        return [one.track.track_id for one in self.screened if isinstance(one, TrackEnd)]

    def shown_in(self, track_id: int) -> set[str]:
        """Return the people whom the pictures of a track show that were compared: more than one, and it passes on."""
        probes = (one for one in self.screened if isinstance(one, Probe) and one.track_id == track_id)
        return {walk.partition("/")[0] for one in probes if (walk := self.shown(one))}

    def shown(self, match: Alert | Probe) -> str:
        """Return whose walk a match shows; empty: nobody's."""
        index = round((match.captured_at_ns - _BEGAN_NS) * RATE_HZ / NS_PER_S)
        faces = self.truth[min(max(index, 0), len(self.truth) - 1)]
        if not faces:
            return ""
        boxes = np.array([face.box_xyxy_px for face in faces], np.float32)
        overlaps = iou(np.asarray(match.box_xyxy_px, np.float32)[None], boxes)[0]
        best = int(overlaps.argmax())
        return faces[best].person_id if overlaps[best] >= SAME_PLACE else ""


def measure() -> dict[str, object]:
    """Return recall and wrong findings, before and after somebody looked."""
    app = App()
    people = _people(app)
    names = list(people)
    with Screening(app.settings.models) as screening, tempfile.TemporaryDirectory() as folder:
        films = [
            _film(screening, people, names[first : first + A_SCENE], first, Path(folder) / f"{first}.mp4")
            for first in range(0, PEOPLE, A_SCENE)
        ]
    photos = {name: _photographed(app, head, number) for number, (name, head) in enumerate(people.items())}
    return _told(app, films, {name: photo for name, (photo, _refused) in photos.items()}) | {
        "photographs_refused_first": sum(refused for _photo, refused in photos.values())
    }


def _people(app: App) -> dict[str, Head]:
    folder = app.settings.models.folder / "portraits"
    fetch([portrait.file for portrait in PORTRAITS], folder)
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    heads = {}
    for name, image_rgb in load_portraits(folder).items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
        heads[name] = cut_out(image_rgb, face.landmarks_xy_px[0])
    return {f"p{number}": head for number, head in enumerate(strangers(heads, PEOPLE, SEED))}


# --- the film ---------------------------------------------------------------------------------------------------------


def _scene(people: dict[str, Head], names: Sequence[str], seed: int) -> Scene:
    """Let each pass twice, on another lane and some seconds later."""
    rng = np.random.default_rng([SEED, seed])
    walks = []
    for turn in range(2):
        for place, name in enumerate(names):
            away, near = _LANES[(place + 2 * turn) % len(_LANES)]
            way = (9.0 * turn + 1.7 * place, (away, float(rng.uniform(7.0, 8.4))), (near, 0.95))
            pace, tall = float(rng.uniform(1.1, 1.4)), float(rng.uniform(1.6, 1.86))
            walks.append(Walk(f"{name}/{turn}", name, people[name], *way, pace, tall))
    lasts_s = max(walk.end_s for walk in walks) + 0.5
    return Scene(tuple(walks), rate_hz=RATE_HZ, duration_s=lasts_s, seed=SEED + seed)


def _film(screening: Screening, people: dict[str, Head], names: Sequence[str], seed: int, path: Path) -> Film:
    scene = _scene(people, names, seed)
    truth = draw_scene(scene, path)
    parts = tuple(
        Record(Kind.PART, _BEGAN_NS + part.captured_at_ns, part.lasts_ns, part.data) for part in remux_file(path)
    )
    header = Header("gate", _BEGAN_NS, _BEGAN_NS, "footage-1", f"s{seed}", "h264", scene.size_wh, _BEGAN_NS)
    looking = Looking("gate", _BEGAN_NS, _BEGAN_NS + 600 * NS_PER_S, DetectSettings(rate_hz=LOOKS_HZ))
    found = [one for reel in reels_of([Stretch(header, parts)]) for one in _screened(screening, reel, looking)]
    return Film(tuple(names), tuple(found), truth)  # type: ignore[arg-type]  # what a search yields


# --- the photographs --------------------------------------------------------------------------------------------------


def _photographed(app: App, head: Head, number: int) -> tuple[Reference, int]:
    """Return what one photograph gives, and how many were refused before: then another one is taken."""
    rng = np.random.default_rng([SEED, 5, number])
    for tries in range(9):
        try:
            return app.enrol({"photo": [_photo(head, rng)]})[0].references[0], tries
        except ReferenceRefused:
            continue
    raise ReferenceRefused(f"no photograph of person {number} is taken", remedy="look at it")


def _photo(head: Head, rng: np.random.Generator) -> U8:
    """Draw somebody before a wall, as a phone in an office takes them."""
    wall = rng.integers(90, 200, 3).astype(np.float32)
    image = np.full((480, 480, 3), wall, np.float32)
    height, width = head.image_rgba.shape[:2]
    where = np.s_[96 : 96 + height, 120 : 120 + width]
    alpha = head.image_rgba[..., 3:].astype(np.float32) / 255
    image[where] = head.image_rgba[..., :3] * alpha + image[where] * (1 - alpha)
    conditions = Conditions(
        face_px=float(rng.uniform(110, 150)),
        gamma=float(np.exp(rng.normal(0, 0.2))),
        gain=float(rng.uniform(0.75, 1.15)),
        blur_px=float(rng.uniform(0.2, 0.9)),
        noise=float(rng.uniform(1, 4)),
        jpeg=int(rng.integers(70, 95)),
    )
    return degraded(image.astype(np.uint8), FACE_EYES * EYE_DISTANCE_PX, conditions, rng)


# --- the requests -----------------------------------------------------------------------------------------------------


def _findings(app: App, film: Film, name: str, photo: Reference) -> Iterator[Alert]:
    """Yield a finding for each track that matches one person's photograph."""
    now_ns = app.clock.now_ns()
    view = build_view(
        vectors=photo.vector[None],
        subject_ids=np.array([name]),
        authorisation_ids=np.array([name]),
        model_id=photo.model_id,
        basis=Basis.ACCESS,
        camera_id="gate",
        valid_from_ns=now_ns,
        valid_until_ns=now_ns + 3600 * NS_PER_S,
    )
    matcher = Matcher(lambda _origin: view, app.calibration, MAX_FPIR, app.clock)
    for one in film.screened:
        if isinstance(one, Probe):
            yield from matcher.compare(one)
        elif isinstance(one, TrackEnd):
            list(matcher.close(one.origin, one.track))


def _told(app: App, films: Sequence[Film], photos: dict[str, Reference]) -> dict[str, object]:
    planted = {walk for film in films for walk in film.planted()}
    found: set[str] = set()
    right = wrong = tracks = 0
    wrong_in_own = 0
    kept_of_others = 0
    for film in films:
        tracks += sum(isinstance(one, TrackEnd) for one in film.screened)
        for name, photo in photos.items():
            for match in _findings(app, film, name, photo):
                shown = film.shown(match)
                if shown.partition("/")[0] == name:
                    right += 1
                    found.add(shown)
                    kept_of_others += film.shown_in(match.track_id) != {name}
                else:
                    wrong += 1
                    wrong_in_own += name in film.people
    missed = sorted(planted - found)
    return {
        "people": len(photos),
        "fpir": MAX_FPIR,
        "threshold": round(app.calibration.threshold(MAX_FPIR, 1).similarity, 4),
        "films": len(films),
        "film_s": round(sum(len(film.truth) for film in films) / RATE_HZ, 1),
        "tracks": tracks,
        "planted": len(planted),
        "found": len(planted & found),
        "recall": round(len(planted & found) / len(planted), 4),
        "missed": {walk: _best(films, walk, photos) for walk in missed},
        "findings": right + wrong,
        "findings_of_somebody_else": wrong,
        "of_these_in_a_film_that_they_are_in": wrong_in_own,
        "tracks_of_others_compared": tracks * len(photos) - right,
        "tracks_that_pass_from_one_to_another": sum(
            len(film.shown_in(one)) > 1 for film in films for one in film.tracks()
        ),
        "kept_after_somebody_looked": right,
        "of_these_with_somebody_else_in_the_track": kept_of_others,
    }


def _best(films: Sequence[Film], walk: str, photos: dict[str, Reference]) -> float | None:
    """Return the highest similarity that a walk that was missed came to; None: no probe was made of it."""
    name = walk.partition("/")[0]
    (film,) = (film for film in films if name in film.people)
    values = [
        float(one.templates.vectors[0] @ photos[name].vector)
        for one in film.screened
        if isinstance(one, Probe) and film.shown(one) == walk
    ]
    return round(max(values), 4) if values else None


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
