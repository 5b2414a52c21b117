"""Faces followed through a film: which sightings are one face, where it is in every picture, and who it surely is.

Pure. A *sighting* is one face in one picture. A *path* is the sightings of one face in one shot, followed in both
directions of time. A *track* is a part of a path in which nobody else came so close that the two could be mistaken for
each other, and nothing was missed for long: only of a track may a person say that it is somebody. Paths are painted,
tracks are spared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.geometry import expand, iou
from habeas.tracks.association import associate
from habeas.types import F32, I64, NS_PER_S

SURE_SCORE: Final = 0.5
"""From this score on a sighting is linked first; the rest takes what is left (the idea of Y. Zhang et al.,
"ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022)."""
GAP_NS: Final = NS_PER_S
"""A face that is seen again within this is the same, and was there all the time."""
_DOUBT_NS: Final = 2 * NS_PER_S // 5
"""A track, of which a person says who it is, ends where nothing was seen for this long."""
_TOUCH: Final = 0.15
"""Two faces that grown by this share of their size overlap could be mistaken for each other."""
_SUBSTANTIAL: Final = 3
"""With fewer sightings a path is no face with which another is mistaken."""
MOTION_ROWS: Final = 6
"""Sightings from which movement at the end of a path is estimated."""
_MOTION_LEAST: Final = 4
"""With fewer, the detector's own trembling is most of it."""
_COAST_NS: Final = NS_PER_S // 2
_MIN_OVERLAP: Final = 0.08
_JOIN_MARGIN: Final = 0.75


@dataclass(frozen=True, repr=False)
class Timeline:
    """The pictures of a film.

    Args:
        times_ns: (f,) int64, when each was captured, increasing.
        begins_shot: (f,) bool, which ones begin another shot.
        size_wh: of all of them.
    """

    times_ns: I64
    begins_shot: npt.NDArray[np.bool_]
    size_wh: tuple[int, int]

    def __len__(self) -> int:
        return len(self.times_ns)

    @cached_property
    def shots(self) -> I64:
        """(f,) int64, the number of each picture's shot, increasing."""
        return np.cumsum(self.begins_shot).astype(np.int64)

    def shot_of(self, picture: int) -> tuple[int, int]:
        """Return the first picture of a picture's shot, and the first one after it."""
        shots = self.shots
        first, after = np.searchsorted(shots, [shots[picture], shots[picture] + 1])
        return int(first), int(after)


@dataclass(frozen=True, repr=False)
class Sightings:
    """What a detector saw in a film, one row a face.

    Args:
        pictures: (n,) int64, in which picture, increasing.
        boxes_xyxy_px: (n, 4) float32.
        scores: (n,) float32.
    """

    pictures: I64
    boxes_xyxy_px: F32
    scores: F32

    def __len__(self) -> int:
        return len(self.pictures)

    def rows_of(self, picture: int) -> slice:
        """Return the rows of a picture."""
        first, after = np.searchsorted(self.pictures, [picture, picture + 1])
        return slice(int(first), int(after))


def no_sightings() -> Sightings:
    """Return none."""
    return Sightings(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def merged(one: Sightings, other: Sightings) -> Sightings:
    """Return the sightings of both, in order of pictures."""
    pictures = np.concatenate([one.pictures, other.pictures])
    order = np.argsort(pictures, kind="stable")
    boxes = np.concatenate([one.boxes_xyxy_px, other.boxes_xyxy_px])
    return Sightings(pictures[order], boxes[order], np.concatenate([one.scores, other.scores])[order])


# --- paths ------------------------------------------------------------------------------------------------------------


def movement_px_s(times_ns: I64, boxes_xyxy_px: F32) -> F32:
    """Return how fast a box moves: (4,) float32, its middle's pixels a second, twice; 0 of too few sightings to tell.

    Args:
        times_ns: (k,) int64, increasing.
        boxes_xyxy_px: (k, 4) float32.
    """
    elapsed_s = (times_ns[-1] - times_ns[0]) / NS_PER_S
    if len(times_ns) < _MOTION_LEAST or elapsed_s <= 0:
        return np.zeros(4, np.float32)
    ends = boxes_xyxy_px[[0, -1]]
    middles = (ends[:, :2] + ends[:, 2:]) / 2
    return np.asarray(np.tile((middles[1] - middles[0]) / elapsed_s, 2), np.float32)


@dataclass
class _Open:
    """A path that may go on, and how it ended so far."""

    rows: list[int]
    seen_ns: int
    box_xyxy_px: F32
    speed_px_s: F32


class _Linker:
    """Links sightings forward in time."""

    def __init__(self, timeline: Timeline, sightings: Sightings) -> None:
        self._times_ns = timeline.times_ns
        self._begins = timeline.begins_shot
        self._sightings = sightings
        self._open: list[_Open] = []
        self._done: list[_Open] = []

    def run(self) -> list[list[int]]:
        for picture in range(len(self._times_ns)):
            now_ns = int(self._times_ns[picture])
            self._end(None if self._begins[picture] else now_ns)
            part = self._sightings.rows_of(picture)
            rows = np.arange(part.start, part.stop)
            sure = self._sightings.scores[rows] >= SURE_SCORE
            left = self._link(list(self._open), rows[sure], now_ns)
            self._link(left, rows[~sure], now_ns)
        self._end(None)
        return [path.rows for path in self._done]

    def _link(self, known: list[_Open], rows: I64, now_ns: int) -> list[_Open]:
        """Add sightings to paths, or begin new ones; return the paths that got none."""
        if not len(rows):
            return known
        to = associate(_expected(known, now_ns), self._sightings.boxes_xyxy_px[rows]).tolist()
        for row, number in zip(rows.tolist(), to, strict=True):
            if number >= 0:
                self._continue(known[number], row, now_ns)
            else:
                box = self._sightings.boxes_xyxy_px[row]
                self._open.append(_Open([row], now_ns, box, np.zeros(4, np.float32)))
        taken = set(to)
        return [path for number, path in enumerate(known) if number not in taken]

    def _continue(self, path: _Open, row: int, now_ns: int) -> None:
        path.rows.append(row)
        path.seen_ns, path.box_xyxy_px = now_ns, self._sightings.boxes_xyxy_px[row]
        last = path.rows[-MOTION_ROWS:]
        seen_ns = self._times_ns[self._sightings.pictures[last]]
        path.speed_px_s = movement_px_s(seen_ns, self._sightings.boxes_xyxy_px[last])

    def _end(self, now_ns: int | None) -> None:
        """End what was not seen for long; None: everything."""
        stays = [now_ns is not None and now_ns - path.seen_ns <= GAP_NS for path in self._open]
        self._done += [path for path, stay in zip(self._open, stays, strict=True) if not stay]
        self._open = [path for path, stay in zip(self._open, stays, strict=True) if stay]


def _expected(paths: Sequence[_Open], now_ns: int) -> F32:
    """Return where paths are expected that were seen before: (t, 4) float32."""
    if not paths:
        return np.zeros((0, 4), np.float32)
    away_ns = np.minimum([now_ns - path.seen_ns for path in paths], _COAST_NS)
    speeds = np.stack([path.speed_px_s for path in paths])
    return np.asarray(
        np.stack([path.box_xyxy_px for path in paths]) + speeds * (away_ns / NS_PER_S)[:, None], np.float32
    )


def expected_at(times_ns: I64, sightings: Sightings, rows: Sequence[int], at_ns: int) -> F32:
    """Return where a face is expected that was last seen in these rows, in their order, before or after: (4,) float32.

    Movement is carried on for half a second at most.
    """
    seen_ns = times_ns[sightings.pictures[list(rows)]]
    boxes = sightings.boxes_xyxy_px[list(rows)]
    backwards = seen_ns[0] > seen_ns[-1]
    speed = movement_px_s(seen_ns[::-1], boxes[::-1]) if backwards else movement_px_s(seen_ns, boxes)
    away_ns = max(-_COAST_NS, min(_COAST_NS, at_ns - int(seen_ns[-1])))
    return np.asarray(boxes[-1] + speed * np.float32(away_ns / NS_PER_S), np.float32)


def link(timeline: Timeline, sightings: Sightings) -> tuple[I64, ...]:
    """Return the paths of all faces: for each its rows, in order of time; each row is in exactly one.

    Args:
        timeline: the film.
        sightings: in it.
    """
    paths = [np.array(rows, np.int64) for rows in _Linker(timeline, sightings).run()]
    return tuple(sorted(_joined(timeline, sightings, paths), key=lambda rows: int(rows[0])))


def _joined(timeline: Timeline, sightings: Sightings, paths: list[I64]) -> list[I64]:
    """Join paths that meet where one, looked at backwards, comes from where the other went."""
    times_ns, shots, pictures = timeline.times_ns, timeline.shots, sightings.pictures
    done: list[I64] = []
    recent: list[I64] = []
    for path in sorted(paths, key=lambda rows: int(rows[0])):
        first_ns, shot = int(times_ns[pictures[path[0]]]), int(shots[pictures[path[0]]])
        near = [
            first_ns - times_ns[pictures[rows[-1]]] <= GAP_NS and shots[pictures[rows[-1]]] == shot for rows in recent
        ]
        done += [rows for rows, stays in zip(recent, near, strict=True) if not stays]
        recent = [rows for rows, stays in zip(recent, near, strict=True) if stays]
        overlaps = [_meeting(timeline, sightings, rows, path) for rows in recent]
        best = int(np.argmax(overlaps)) if overlaps else 0
        if overlaps and overlaps[best] > _MIN_OVERLAP:
            recent[best] = np.concatenate([recent[best], path])
        else:
            recent.append(path)
    return done + recent


def _meeting(timeline: Timeline, sightings: Sightings, before: I64, after: I64) -> float:
    """Return how much two paths overlap at the middle of the gap between them; 0 where there is none."""
    ended_ns, began_ns = (int(timeline.times_ns[sightings.pictures[row]]) for row in (before[-1], after[0]))
    if ended_ns >= began_ns:
        return 0.0
    middle_ns = (ended_ns + began_ns) // 2
    went = expected_at(timeline.times_ns, sightings, before[-MOTION_ROWS:].tolist(), middle_ns)
    came = expected_at(timeline.times_ns, sightings, after[:MOTION_ROWS][::-1].tolist(), middle_ns)
    return float(iou(expand(went[None], _JOIN_MARGIN), expand(came[None], _JOIN_MARGIN))[0, 0])


# --- tracks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Track:
    """A part of a path of which a person can say who it is.

    Args:
        track_id: of the film, from 1.
        path: number of its path.
        rows: (k,) int64, its sightings, in order of time.
    """

    track_id: int
    path: int
    rows: I64


def split(timeline: Timeline, sightings: Sightings, paths: Sequence[I64]) -> tuple[Track, ...]:
    """Cut paths into tracks: where nothing was seen for long, and where a touch of another face begins and ends.

    Each row of a path is in exactly one track.
    """
    touching = _touching(timeline, sightings, paths)
    tracks: list[Track] = []
    for number, rows in enumerate(paths):
        times_ns = timeline.times_ns[sightings.pictures[rows]]
        cuts = (np.diff(times_ns) > _DOUBT_NS) | (np.diff(touching[rows].astype(np.int8)) != 0)
        for part in np.split(rows, np.flatnonzero(cuts) + 1):
            tracks.append(Track(len(tracks) + 1, number, part))
    return tuple(tracks)


def _touching(timeline: Timeline, sightings: Sightings, paths: Sequence[I64]) -> npt.NDArray[np.bool_]:
    """Tell which rows are of a face that another one, seen or missed for a moment, is close to: (n,) bool."""
    touching = np.zeros(len(sightings), np.bool_)
    places = [between(timeline, sightings, rows) for rows in paths if len(rows) >= _SUBSTANTIAL]
    for boxes, rows in _by_picture(places):
        near = iou(expand(boxes, _TOUCH), expand(boxes, _TOUCH)) > 0
        np.fill_diagonal(near, val=False)
        close = rows[near.any(axis=1)]
        touching[close[close >= 0]] = True
    return touching


Places = tuple[I64, F32, I64]
"""Pictures (m,), boxes (m, 4), and rows of sightings (m,), -1 where it was not seen."""


def between(timeline: Timeline, sightings: Sightings, rows: I64) -> Places:
    """Return where the face of a path is from its first sighting to its last: straight lines where it was missed."""
    seen = sightings.pictures[rows]
    pictures = np.arange(seen[0], seen[-1] + 1)
    at_ns, seen_ns = timeline.times_ns[pictures], timeline.times_ns[seen]
    edges = [np.interp(at_ns, seen_ns, sightings.boxes_xyxy_px[rows, edge]) for edge in range(4)]
    found = np.full(len(pictures), -1, np.int64)
    found[seen - seen[0]] = rows
    return pictures, np.stack(edges, axis=1).astype(np.float32), found


def _by_picture(places: Sequence[Places]) -> Iterator[tuple[F32, I64]]:
    """Yield, for each picture with any face, the boxes and rows in it."""
    if not places:
        return
    pictures, boxes, rows = (np.concatenate(part) for part in zip(*places, strict=True))
    order = np.argsort(pictures, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(pictures[order])) + 1):
        yield boxes[part], rows[part]
