"""A worker that finds every face in a film, in every picture, and says who is to be compared.

Redaction wants every face: each picture is looked at, at two scales, and what is hardly a face counts as one. The film
is gone through twice: which pictures of a track are the best is known only when it is over.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from habeas.engine.channel import Channel
from habeas.engine.redact_messages import (
    MAX_PICTURES,
    MAX_PLACES,
    DoubtFound,
    ExamineFilm,
    FilmExamined,
    TrackFollowed,
)
from habeas.engine.telling import film_flaw, probe_made
from habeas.errors import InputError
from habeas.faces import Detector, Look, Templater
from habeas.footage.doubts import Doubt, doubts_of_film
from habeas.footage.following import Timeline, Track
from habeas.footage.rechecking import sightings_of
from habeas.footage.redaction import Followed, follow
from habeas.pipeline import snapshot
from habeas.ports import Clock
from habeas.types import F32, I64, NS_PER_S, Faces, Frame, Probe
from habeas.video import MotionGate
from habeas.video.film import Film

SEEN_SCORE: Final = 0.2
"""What scores so much is taken for a face: a shape too many does less harm than a face too many."""
MIN_FACE_PX: Final = 8.0
_FINE: Final = 2.0
"""Detector pixels for each of the film's, in the closer of two looks: faces of 10 px are then 20 px wide."""
_LONGEST_PX: Final = 3840
"""Longest side of the detector's picture in the closer look."""
_SHOTS: Final = 3
"""Pictures of a track that are compared: the best of its beginning, middle and end."""
_COMPARED_PX: Final = 16.0
"""Narrower faces are not compared."""
MAX_DOUBTS: Final = 2000
"""More are counted, and not told."""
_GAP_NS: Final = NS_PER_S
Turn = Callable[[int], None]
"""Called between two pictures with how much of the footage's time is done, ns: the node hears it now and then."""


def looks_at(size_wh: tuple[int, int]) -> tuple[Look, Look]:
    """Return the two looks at a picture: at all of it, closer than it is, and from twice as far."""
    width, height = size_wh
    fine = min(_FINE, _LONGEST_PX / max(size_wh))
    scales = fine, fine / 2
    near, far = ((max(1, round(width * scale)), max(1, round(height * scale))) for scale in scales)
    return Look((0, 0, width, height), near), Look((0, 0, width, height), far)


def seen_in(frame: Frame, detector: Detector) -> Faces:
    """Return everything in a picture that may be a face."""
    return detector.detect(frame, looks_at(frame.size_wh), MIN_FACE_PX)


@dataclass(repr=False)
class Examined:
    """A film that was examined, kept until the next one is. Owns the descriptor.

    Args:
        order: to examine it.
        descriptor: of the film.
        followed: its faces.
    """

    order: ExamineFilm
    descriptor: int
    followed: Followed

    def film(self, clock: Clock) -> Film:
        """Return the film, from its beginning."""
        return self.order.film(os.dup(self.descriptor), clock)

    def close(self) -> None:
        """Let the film go."""
        os.close(self.descriptor)


@dataclass
class _Watched:
    """What was seen, picture by picture."""

    times_ns: list[int] = field(default_factory=list)
    begins: list[bool] = field(default_factory=list)
    faces: list[Faces] = field(default_factory=list)
    size_wh: tuple[int, int] = (0, 0)

    def add(self, frame: Frame, faces: Faces, *, cut: bool) -> None:
        if self.times_ns and frame.size_wh != self.size_wh:
            raise InputError("the picture's size changes in it", remedy="give the part before the change by itself")
        if len(self.times_ns) == MAX_PICTURES:
            raise InputError(f"it has more than {MAX_PICTURES} pictures", remedy="give less of it at once")
        late = not self.times_ns or frame.captured_at_ns - self.times_ns[-1] > _GAP_NS
        last_ns = self.times_ns[-1] if self.times_ns else -1
        self.times_ns.append(max(last_ns + 1, frame.captured_at_ns))
        self.begins.append(cut or late)
        self.faces.append(faces)
        self.size_wh = frame.size_wh

    def followed(self) -> Followed:
        timeline = Timeline(np.array(self.times_ns, np.int64), np.array(self.begins, np.bool_), self.size_wh)
        return follow(timeline, sightings_of([(faces.boxes_xyxy_px, faces.scores) for faces in self.faces]))


def examine(
    channel: Channel,
    order: ExamineFilm,
    descriptor: int,
    detector: Detector,
    templater: Templater,
    clock: Clock,
    turn: Turn,
) -> Examined | None:
    """Examine a film, telling what there is; return what is kept of it, None where nothing came of it.

    Args:
        channel: to the node.
        order: what to examine.
        descriptor: of the film; owned.
        detector: with `SEEN_SCORE`.
        templater: of what is to be compared.
        clock: for the film.
        turn: called between two pictures.
    """
    watched = _Watched()
    examined = Examined(order, descriptor, watched.followed())
    try:
        flaws = _watch(examined, watched, detector, clock, turn)
    except InputError as error:
        examined.close()
        channel.send(_ended(order, watched, 0, 0, error.message))
        return None
    for flaw in flaws:
        channel.send(film_flaw(order.camera_id, order.request_id, flaw))
    examined.followed = watched.followed()
    if order.compared:
        for probe in _probes(examined, watched.faces, templater, clock):
            channel.send(probe_made(order.camera_id, order.request_id, probe))
            turn((order.until_ns - order.from_ns) // 2)
    _tell(channel, order, examined, watched)
    return examined


def _watch(examined: Examined, watched: _Watched, detector: Detector, clock: Clock, turn: Turn) -> tuple[str, ...]:
    """Look at every picture; return the film's flaws.

    Raises:
        InputError: nothing can be read, its size changes, or it is too long.
    """
    with examined.film(clock) as film:
        gate = MotionGate()
        for frame in film.frames():
            watched.add(frame, seen_in(frame, detector), cut=gate.look(frame.luma).cut)
            turn((frame.captured_at_ns - examined.order.from_ns) // 2)
    if not watched.times_ns:
        raise InputError("nothing of it can be read", remedy="see: habeas footage list")
    return film.flaws


# --- what is told -----------------------------------------------------------------------------------------------------


def _tell(channel: Channel, order: ExamineFilm, examined: Examined, watched: _Watched) -> None:
    for track in examined.followed.tracks:
        channel.send(_track(order, examined.followed, track))
    doubts = tell_doubts(channel, order.request_id, doubts_of_film(examined.followed))
    channel.send(_ended(order, watched, len(examined.followed.tracks), doubts, ""))


def tell_doubts(channel: Channel, request_id: int, doubts: Iterator[Doubt]) -> int:
    """Tell what is unsure, `MAX_DOUBTS` of it; return how much there is."""
    count = 0
    for doubt in doubts:
        count += 1
        if count <= MAX_DOUBTS:
            told = DoubtFound(
                request_id=request_id,
                what=doubt.what.value,
                track_id=doubt.track_id,
                from_ns=doubt.from_ns,
                until_ns=doubt.until_ns,
                box_xyxy_px=doubt.box_xyxy_px,
            )
            channel.send(told)
    return count


def _ended(order: ExamineFilm, watched: _Watched, tracks: int, doubts: int, refusal: str) -> FilmExamined:
    return FilmExamined(
        request_id=order.request_id,
        pictures=len(watched.times_ns),
        size_wh=watched.size_wh,
        tracks=tracks,
        doubts=doubts,
        refusal=refusal,
    )


def _track(order: ExamineFilm, followed: Followed, track: Track) -> TrackFollowed:
    timeline, sightings = followed.timeline, followed.sightings
    some = track.rows[np.unique(np.linspace(0, len(track.rows) - 1, MAX_PLACES).round().astype(int))]
    times_ns = timeline.times_ns[sightings.pictures[some]].tolist()
    boxes = sightings.boxes_xyxy_px[some].tolist()
    return TrackFollowed(
        request_id=order.request_id,
        track_id=track.track_id,
        best_score=min(1.0, float(sightings.scores[track.rows].max())),
        sightings=len(track.rows),
        places=tuple((at_ns, _box(box)) for at_ns, box in zip(times_ns, boxes, strict=True)),
    )


def _box(edges: list[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = edges
    return left, top, right, bottom


# --- what is compared -------------------------------------------------------------------------------------------------


def _probes(examined: Examined, faces: list[Faces], templater: Templater, clock: Clock) -> Iterator[Probe]:
    """Go through the film once more; yield what is to be compared of each track."""
    chosen = _chosen(examined.followed, faces)
    if not chosen:
        return
    last = max(chosen)
    with examined.film(clock) as film:
        for picture, frame in enumerate(film.frames()):
            for track, row in chosen.get(picture, ()):
                yield from _probe(frame, faces[picture], row, track, templater)
            if picture == last:
                return


def _chosen(followed: Followed, faces: list[Faces]) -> dict[int, list[tuple[Track, int]]]:
    """Return which faces are compared: for each picture the tracks, and the rows of its own faces."""
    sightings = followed.sightings
    qualities = np.concatenate([each.quality for each in faces]) if faces else np.zeros(0, np.float32)
    firsts = np.concatenate([[0], np.cumsum([len(each) for each in faces])])
    chosen: dict[int, list[tuple[Track, int]]] = {}
    for track in followed.tracks:
        for row in _best(track.rows, sightings.boxes_xyxy_px, qualities):
            picture = int(sightings.pictures[row])
            chosen.setdefault(picture, []).append((track, row - int(firsts[picture])))
    return chosen


def _best(rows: I64, boxes_xyxy_px: F32, qualities: F32) -> list[int]:
    """Return the best sightings of a track's beginning, middle and end that are large enough to be compared."""
    wide = rows[boxes_xyxy_px[rows, 2] - boxes_xyxy_px[rows, 0] >= _COMPARED_PX]
    parts = [part for part in np.array_split(wide, _SHOTS) if len(part)]
    return [int(part[np.argmax(qualities[part])]) for part in parts]


def _probe(frame: Frame, faces: Faces, row: int, track: Track, templater: Templater) -> Iterator[Probe]:
    try:
        templates = templater.template(frame, faces[row : row + 1])
    except InputError:  # the networks gave nothing usable
        return
    yield Probe(
        origin=frame.origin,
        track_id=track.track_id,
        templates=templates,
        box_xyxy_px=faces.boxes_xyxy_px[row],
        face_rgb=snapshot(frame, faces, row),
        at_ns=frame.pts_ns,
        first_seen_ns=frame.pts_ns,
        captured_at_ns=frame.captured_at_ns,
        size_wh=frame.size_wh,
    )
