"""How many faces redaction misses: scenes whose truth is known, and a recorded crowd, each redacted by a sealed worker.

A face of somebody else of 20 px or more is missed in a picture if less than `COVERED` of its box is painted, if our
detector or another one finds it in the result, or if our networks still know it by what is left.
"""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mtcnn import Mtcnn
from PIL import Image

from habeas.app import App
from habeas.comparison.calibration import DEFAULT_FPIR
from habeas.engine.examining import SEEN_SCORE, seen_in
from habeas.engine.orders import Timing
from habeas.engine.redacting import Examination, Redacted, Redacting, Seen
from habeas.engine.screening import Looking, reels_of
from habeas.faces.align import align
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.footage.redaction import Wish
from habeas.measure.dataset import Maker, central_face
from habeas.measure.heads import HEAD_SIZE_WH, Head, cut_out
from habeas.measure.portraits import PORTRAITS, load_portraits
from habeas.measure.scenes import STAR, Scene, demo_scene, draw_scene
from habeas.measure.strangers import strangers
from habeas.measure.walks import Walk
from habeas.models.pull import fetch
from habeas.settings import DetectSettings
from habeas.types import F32, F64, NS_PER_S, U8, Frame
from habeas.video import ArrayPicture, load_image
from habeas.video.file import VideoFile
from habeas.video.masks import GREY
from habeas.video.remux import remux_file

Box = npt.NDArray[np.floating]
CONCERT = "concert"
ALONE = range(82, 211)
"""Pictures of the concert in which the performer is alone, as a person saw."""
BEGAN_NS = 1_790_000_000 * NS_PER_S
LOOKING = Looking("film", BEGAN_NS, BEGAN_NS + 3600 * NS_PER_S, DetectSettings())
SIZE_WH = (960, 540)
RATE_HZ = 12
SMALLEST_PX = 20
VISIBLE = 0.5
"""A face of which less can be seen, behind somebody or beside the picture, is not counted."""
COVERED = 0.9
NOTHING_LEFT = 0.98
EVERY = 2
"""Detectors and recogniser look at every second picture; whether boxes are covered is measured in all."""
WIDTHS = (20, 32, 48, 80, 10_000)


# --- films ------------------------------------------------------------------------------------------------------------


def heads(app: App) -> dict[str, Head]:
    """Return heads by person."""
    folder = app.settings.models.folder
    fetch([portrait.file for portrait in PORTRAITS], folder)
    portraits = load_portraits(folder)
    maker = Maker.of(folder, app.detector(), app.templater, app.clock)
    cut = {}
    for name, image in portraits.items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image)), maker.detector)
        cut[name] = cut_out(image, face.landmarks_xy_px[0])
    return {name: head for name, head in cut.items() if name != "obama-2"}


def scenes(cast: dict[str, Head]) -> dict[str, Scene]:
    """Return the films: the demo's street, and a narrow place in which people cross, near and far."""
    street = demo_scene(cast, 11)
    earlier = tuple(dataclasses.replace(walk, start_s=walk.start_s - 6) for walk in street.walks)
    street = dataclasses.replace(street, walks=earlier, size_wh=SIZE_WH, rate_hz=RATE_HZ, duration_s=8.0)
    extras = list(strangers(cast, 9, 5))
    ways = [((-2.6 + 0.5 * k, 3.2 + 0.7 * k), (2.4 - 0.4 * k, 2.6 + 0.8 * k)) for k in range(5)]
    ways += [((2.8 - 0.5 * k, 3.0 + 0.8 * k), (-2.6, 2.8 + 0.7 * k)) for k in range(4)]
    walks = [
        Walk(f"x{k}", f"x{k}", head, 0.2 * k, *way) for k, (head, way) in enumerate(zip(extras, ways, strict=True))
    ]
    walks.append(Walk(STAR, STAR, cast[STAR], 0.0, (-0.9, 5.5), (0.4, 1.4), 0.8))
    crossing = Scene(tuple(walks), size_wh=SIZE_WH, rate_hz=RATE_HZ, duration_s=5.0, seed=3)
    return {"street": street, "crossing": crossing}


def template_of(app: App, head: Head) -> F32:
    """Return the template of a head as it was drawn, large and sharp."""
    shown = Image.new("RGBA", HEAD_SIZE_WH, (120, 120, 120, 255))
    shown.alpha_composite(Image.fromarray(head.image_rgba))
    crop = align(ArrayPicture(np.array(shown.convert("RGB"))), head.landmarks_xy_px)
    return app.templater.from_crops([crop], None).vectors[0]


def stretch_of(path: Path) -> Stretch:
    parts = tuple(Record(Kind.PART, part.captured_at_ns, part.lasts_ns, part.data) for part in remux_file(path))
    return Stretch(Header("film", BEGAN_NS, BEGAN_NS, "footage-1", "s", "h264", (2, 2), BEGAN_NS), parts)


# --- redacting --------------------------------------------------------------------------------------------------------


def _unheard(_done_ns: int) -> None:
    """Take how far it is."""


def redacted(
    app: App, path: Path, out: Path, is_kept: Callable[[Seen, list[F32]], bool]
) -> tuple[Examination, frozenset[int], Redacted]:
    """Redact a film; spare the tracks that `is_kept` says are of the person concerned. Return what was told of it."""
    probes = []
    with Redacting(app.settings.models, Timing(silence_s=60)) as worker:
        (reel,) = reels_of([stretch_of(path)])
        with reel:
            there = worker.examine(reel, LOOKING, probes.append, _unheard, compared=True)
        sims = {}
        for probe in probes:
            sims.setdefault(probe.track_id, []).append(probe.templates.vectors[0].copy())
        keep = frozenset(track for track, vectors in sims.items() if is_kept(there.tracks[track], vectors))
        with out.open("wb") as file:
            done = worker.paint(there, Wish(keep), file.write, _unheard)
    return there, keep, done


def at(seen: Seen, at_ns: int, slack_ns: int = NS_PER_S // 10) -> F64 | None:
    """Return where a track is at a time; None: not then."""
    times = np.array([place[0] for place in seen.places])
    if not times[0] - slack_ns <= at_ns <= times[-1] + slack_ns:
        return None
    edges = np.array([place[1] for place in seen.places])
    return np.array([np.interp(at_ns, times, edges[:, edge]) for edge in range(4)])


# --- looking at results -----------------------------------------------------------------------------------------------


def inside(box: Box, other: Box) -> float:
    """Return the share of the smaller box that lies in the other."""
    sides = np.maximum(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0)
    areas = [max(1e-6, float(np.prod(b[2:] - b[:2]))) for b in (box, other)]
    return float(np.prod(sides)) / min(areas)


def part(image: U8, box: Box) -> U8:
    left, top, right, bottom = (round(float(edge)) for edge in box)
    return image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]


def painted(image: U8, box: Box) -> float:
    """Return how much of a box is painted over in a picture of the result; 1 where none of it is in the picture."""
    pixels = part(image, box)
    return float((np.abs(pixels.astype(int) - GREY) < 12).all(axis=2).mean()) if pixels.size else 1.0


def psnr(one: U8, other: U8) -> float:
    error = float(((one.astype(float) - other.astype(float)) ** 2).mean())
    return 10 * np.log10(255**2 / max(error, 1e-9))


class Judge:
    """Looks at a result beside its film, picture by picture."""

    def __init__(self, app: App, second: Mtcnn, portraits: dict[str, F32]) -> None:
        self.app = app
        self.near = app.detector(SEEN_SCORE)
        self.usual = app.detector(0.5)
        self.second = second
        self.portraits = portraits
        self.threshold = app.calibration.threshold(DEFAULT_FPIR, 1).similarity
        self.counts = Counter()
        self.widths = {name: Counter() for name in ("faces", "uncovered", "detector", "second", "recogniser")}
        self.kept_db = []
        self.kept_similarities = []
        self.other_similarities = []
        self.bad = set()

    def miss(self, kind: str, picture: int, box: Box) -> None:
        self.bad.add(picture)
        self.widths[kind][self._width(box)] += 1

    def hit(self, kind: str, picture: int, box: Box, on: list[Box] | None) -> None:
        """Count what a detector found in a result: a miss if it is on somebody's face, or if nobody knows whose.

        Args:
            kind: which detector.
            picture: number of it.
            box: what it found.
            on: all faces of others in this picture; None: not known.
        """
        if on is None or any(inside(box, other) > 0.3 for other in on):
            self.miss(kind, picture, box)
        else:
            self.counts[f"{kind}_found_nobody"] += 1

    def _width(self, box: Box) -> str:
        width = float(box[2] - box[0])
        upper = next(edge for edge in WIDTHS if width < edge) if width >= WIDTHS[0] else WIDTHS[0]
        return f"under {upper}"

    def look(
        self,
        picture: int,
        before: Frame,
        after: Frame,
        others: dict[str, Box],
        kept: list[Box],
        everybody: list[Box] | None,
    ) -> None:
        """Judge one picture.

        Args:
            picture: its number.
            before: frame of the film.
            after: frame of the result.
            others: boxes of others' faces by person, if known.
            kept: boxes of the person concerned.
            everybody: boxes of all others' faces, also small and hidden ones; None: not known.
        """
        was, now = before.image_rgb, after.image_rgb[: before.size_wh[1], : before.size_wh[0]]
        self.counts["pictures"] += 1
        for box in others.values():
            self.widths["faces"][self._width(box)] += 1
            if painted(now, box) < COVERED:
                self.miss("uncovered", picture, box)
        for box in kept:
            self.counts["kept_faces"] += 1
            if painted(now, box) > painted(was, box) + 0.02:
                self.counts["kept_partly_covered"] += 1
            elif part(was, box).size:
                self.kept_db.append(psnr(part(was, box), part(now, box)))
        if picture % EVERY == 0:
            self._detect(picture, after, now, kept, everybody)
            self._recognise(picture, before, after, others, kept)

    def _free(self, boxes: Iterable[Box], now: U8, kept: list[Box]) -> list[Box]:
        wide = [box for box in boxes if box[2] - box[0] >= SMALLEST_PX]
        return [box for box in wide if painted(now, box) < 0.8 and not any(inside(box, own) > 0.6 for own in kept)]

    def _detect(self, picture: int, after: Frame, now: U8, kept: list[Box], everybody: list[Box] | None) -> None:
        for box in self._free(seen_in(after, self.near).boxes_xyxy_px, now, kept):
            self.hit("detector", picture, box, everybody)
        for box in self._free(self.second.detect(now)[0], now, kept):
            self.hit("second", picture, box, everybody)

    def _recognise(self, picture: int, before: Frame, after: Frame, others: dict[str, Box], kept: list[Box]) -> None:
        """Compare what is left of each face, where its landmarks were, with a portrait; without one, with what it was.

        Where all of it is painted nothing is left to compare: an even grey is as like a blurred face as any other.
        """
        faces = self.usual.detect(before, (), SMALLEST_PX)
        if not len(faces):
            return
        crops = [align(frame.picture, points) for points in faces.landmarks_xy_px for frame in (before, after)]
        vectors = self.app.templater.from_crops(crops, None).vectors
        for row, (was, now) in enumerate(zip(vectors[::2], vectors[1::2], strict=True)):
            box = faces.boxes_xyxy_px[row]
            if any(inside(box, own) > 0.6 for own in kept):
                self.kept_similarities.append(float(was @ now))
                continue
            person = next((name for name, other in others.items() if inside(box, other) > 0.6), "")
            known_by = self.portraits.get(person, was)
            self.counts["others_known_in_the_film"] += bool(known_by @ was > self.threshold)
            if painted(after.image_rgb, box) >= NOTHING_LEFT:
                self.counts["others_of_whom_nothing_is_left"] += 1
                continue
            self.other_similarities.append(float(known_by @ now))
            if known_by @ now > self.threshold:
                self.miss("recogniser", picture, box)

    def told(self) -> dict[str, object]:
        def spread(values: list[float]) -> list[float]:
            return [round(float(np.percentile(values, p)), 3) for p in (0, 5, 50, 100)] if values else []

        return {
            **self.counts,
            "pictures_with_a_miss": len(self.bad),
            "first_of_them": sorted(self.bad)[:40],
            "by_width_px": {kind: dict(sorted(widths.items())) for kind, widths in self.widths.items()},
            "threshold": round(self.threshold, 4),
            "similarity_to_what_is_left_min_p5_median_max": spread(self.other_similarities),
            "kept_similarity_min_p5_median_max": spread(self.kept_similarities),
            "kept_psnr_db_min_p5_median_max": spread(self.kept_db),
        }


def report(there: Examination, keep: frozenset[int], done: Redacted) -> dict[str, object]:
    return {
        "tracks": len(there.tracks),
        "kept_tracks": len(keep),
        "shapes": done.shapes,
        "seen_again": done.seen_again,
        "doubts": dict(Counter(doubt.what.value for doubt in there.doubts + done.doubts)),
        "bytes": done.size_bytes,
    }


def frames_of(app: App, *paths: Path) -> Iterator[tuple[Frame, ...]]:
    videos = [VideoFile(path, app.clock) for path in paths]
    return zip(*(video.frames() for video in videos), strict=True)


def of_scene(app: App, second: Mtcnn, scene: Scene, folder: Path) -> dict[str, object]:
    """Redact a scene for its star, and judge it by its truth; who is the star a person would say, so the truth says."""
    path, out = folder / "film.mp4", folder / "redacted.mp4"
    truth = draw_scene(scene, path)
    step_ns = NS_PER_S // scene.rate_hz

    def is_star(track: Seen, _vectors: list[F32]) -> bool:
        votes = []
        for at_ns, box in track.places:
            faces = truth[min(len(truth) - 1, round((at_ns - BEGAN_NS) / step_ns))]
            near = [face.person_id for face in faces if inside(np.array(box), np.array(face.box_xyxy_px)) > 0.6]
            votes.append(STAR in near and len(near) == 1)
        return bool(votes) and np.mean(votes) > 0.6

    there, keep, done = redacted(app, path, out, is_star)
    judge = Judge(app, second, {walk.person_id: template_of(app, walk.head) for walk in scene.walks})
    for picture, (before, after) in enumerate(frames_of(app, path, out)):
        seen = [face for face in truth[picture] if face.visible_fraction >= VISIBLE and face.person_id != STAR]
        boxes = {face.person_id: np.array(face.box_xyxy_px) for face in seen}
        others = {person: box for person, box in boxes.items() if box[2] - box[0] >= SMALLEST_PX}
        star = [np.array(face.box_xyxy_px) for face in truth[picture] if face.person_id == STAR]
        everybody = [np.array(face.box_xyxy_px) for face in truth[picture] if face.person_id != STAR]
        judge.look(picture, before, after, others, star, everybody)
    return {"size_wh": scene.size_wh, "people": len(scene.walks), **report(there, keep, done), "found": judge.told()}


def of_concert(app: App, second: Mtcnn, data: Path, folder: Path) -> dict[str, object]:
    """Redact the concert for its performer, whom one photograph names; no truth is known of the rest."""
    path, out = data / "clips" / "concert.mp4", folder / "redacted.mp4"
    if not path.exists():
        return {"skipped": "DATA/clips/concert.mp4 is missing"}
    (subject,) = app.enrol({"performer": [load_image(data / "clips" / "performer.png")]})
    reference = subject.references[0].vector
    there, keep, done = redacted(app, path, out, lambda _track, vectors: max(v @ reference for v in vectors) > 0.4)
    judge = Judge(app, second, {})
    zero_ns = None
    for picture, (before, after) in enumerate(frames_of(app, path, out)):
        zero_ns = before.pts_ns if zero_ns is None else zero_ns
        places = [at(there.tracks[track], BEGAN_NS + before.pts_ns - zero_ns) for track in keep]
        nobody = [] if picture in ALONE else None
        judge.look(picture, before, after, {}, [box for box in places if box is not None], nobody)
    return {**report(there, keep, done), "found": judge.told()}


def judged(name: str, data: Path) -> dict[str, object]:
    """Redact one film and judge it, in a process of its own."""
    app = App()
    second = Mtcnn(app.settings.models.folder)
    with tempfile.TemporaryDirectory() as folder:
        if name == CONCERT:
            return of_concert(app, second, data, Path(folder))
        return of_scene(app, second, scenes(heads(app))[name], Path(folder))


def measure(data: Path) -> dict[str, object]:
    names = (CONCERT, "street", "crossing")
    with ProcessPoolExecutor(len(names)) as pool:
        films = dict(zip(names, pool.map(judged, names, [data] * len(names)), strict=True))
    return {"seen_score": SEEN_SCORE, "smallest_px": SMALLEST_PX, "every": EVERY, "films": films}
