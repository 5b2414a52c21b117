"""What is painted over in each picture of a film, and what is spared: everybody but whom somebody named is covered.

Pure. Each face is covered in every picture from its first sighting to its last, and for a moment before and after, by a
shape that holds the whole head: detected, between two sightings, or beyond them, where it grows with time. A person may
add boxes, and have a box spared. Nobody is spared unless somebody says so, and where a shape of one face reaches into
the face of another that is spared, the shape wins.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.errors import InputError
from habeas.footage.following import (
    MOTION_ROWS,
    SURE_SCORE,
    Places,
    Sightings,
    Timeline,
    Track,
    between,
    link,
    movement_px_s,
    split,
)
from habeas.types import F32, I64, NS_PER_S

HEAD: Final = np.array([0.4, 0.5, 0.4, 0.35], np.float32)
"""What a shape holds beside the detector's box, from brow to chin: left, above, right and below, in widths and heights
of it. Hair, ears and the upper neck of a head of ordinary proportions lie inside; measured on scenes whose heads are
known (`bench/run.py redaction`)."""
EXTEND_NS: Final = 6 * NS_PER_S // 10
"""A face is covered for so long before its first sighting, and after its last."""
EXTEND_FAINT_NS: Final = 2 * NS_PER_S // 10
"""The same of what was never surely a face: much of it is none."""
_GROWTH_PER_S: Final = 1.0
"""How much more than `HEAD` a shape holds for each second between it and the nearest sighting."""
_GRID_PX: Final = 2
"""Two pixels share one colour sample (4:2:0): a shape ends between samples, one sample further out."""
MAX_BY_HAND: Final = 300
MAX_KEPT: Final = 2000
_FAR_PX: Final = 1e6


class Why(enum.Enum):
    """Why something is painted over."""

    DETECTED = "detected"
    BETWEEN = "between"
    BEYOND = "beyond"
    BY_HAND = "by-hand"
    SEEN_AGAIN = "seen-again"


_WHYS: Final = tuple(Why)


@dataclass(frozen=True)
class ByHand:
    """A box that a person added.

    Args:
        from_ns: in pictures captured from this instant on.
        until_ns: and before this one.
        box_xyxy_px: half-open.
        spare: false: it is painted over; true: faces whose middle is in it are not, as of the person concerned.

    Raises:
        InputError: it is empty, or far from any picture.
    """

    from_ns: int
    until_ns: int
    box_xyxy_px: tuple[float, float, float, float]
    spare: bool = False

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box_xyxy_px
        is_box = -_FAR_PX < left < right < _FAR_PX and -_FAR_PX < top < bottom < _FAR_PX  # false for NaN, too
        if not is_box or not 0 <= self.from_ns < self.until_ns:
            raise InputError("a box added by hand is empty", remedy="give its left, upper, right and lower edge")


@dataclass(frozen=True)
class Wish:
    """Who is spared, and what a person added. As it is made: nobody, and nothing.

    Args:
        keep: ids of tracks that show the person concerned, as a person confirmed.
        by_hand: boxes.

    Raises:
        InputError: more than one order takes.
    """

    keep: frozenset[int] = frozenset()
    by_hand: tuple[ByHand, ...] = ()

    def __post_init__(self) -> None:
        if len(self.keep) > MAX_KEPT or len(self.by_hand) > MAX_BY_HAND:
            what = f"more than {MAX_KEPT} tracks to keep, or {MAX_BY_HAND} boxes by hand"
            raise InputError(what, remedy="give less of the film at once")


@dataclass(frozen=True, repr=False)
class Rows:
    """Boxes in pictures, one row each, in order of pictures.

    Args:
        pictures: (m,) int64.
        boxes_xyxy_px: (m, 4) float32.
        whys: (m,) int64, places in `Why`.
        tracks: (m,) int64, of which track; 0: of none, or between two.
    """

    pictures: I64
    boxes_xyxy_px: F32
    whys: I64
    tracks: I64

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | I64 | slice) -> "Rows":
        return Rows(self.pictures[rows], self.boxes_xyxy_px[rows], self.whys[rows], self.tracks[rows])

    def of(self, picture: int) -> "Rows":
        """Return the rows of a picture."""
        first, after = np.searchsorted(self.pictures, [picture, picture + 1])
        return self[int(first) : int(after)]

    def count(self, why: Why) -> int:
        """Return how many there are for this reason."""
        return int((self.whys == _WHYS.index(why)).sum())


@dataclass(frozen=True, repr=False)
class Plan:
    """What happens to the pictures of a film.

    Args:
        shapes: painted over; whole pixels, inside the picture.
        spared: faces that are not, without margin.
        size_wh: of the pictures.
    """

    shapes: Rows
    spared: Rows
    size_wh: tuple[int, int]


@dataclass(frozen=True, repr=False)
class Followed:
    """The faces of a film.

    Args:
        timeline: of the film.
        sightings: in it.
        paths: their rows, one face in one shot each.
        tracks: parts of paths of which a person can say who it is.
    """

    timeline: Timeline
    sightings: Sightings
    paths: tuple[I64, ...]
    tracks: tuple[Track, ...]


def follow(timeline: Timeline, sightings: Sightings) -> Followed:
    """Find which sightings are one face."""
    paths = link(timeline, sightings)
    return Followed(timeline, sightings, paths, split(timeline, sightings, paths))


def plan(followed: Followed, wish: Wish, again: Followed | None = None) -> Plan:
    """Say what is painted over in each picture.

    Args:
        followed: the faces of the film.
        wish: who is spared, and what a person added.
        again: faces that were seen in the result of an earlier plan; nobody of them is spared.

    Raises:
        InputError: a track is to be kept that there is not.
    """
    unknown = wish.keep - {track.track_id for track in followed.tracks}
    if unknown:
        raise InputError(f"there is no track {min(unknown)} in this film", remedy="examine the film again")
    rows, spared = _rows(followed, wish.keep)
    spared = spared | _in_spared_boxes(rows, followed.timeline, wish.by_hand)
    shapes = [_shapes(followed.timeline, rows[~spared]), _painted_boxes(followed.timeline, wish.by_hand)]
    if again is not None:
        more, _ = _rows(again, frozenset())
        why = np.full(len(more), _WHYS.index(Why.SEEN_AGAIN), np.int64)
        shapes.append(_shapes(again.timeline, Rows(more.pictures, more.boxes_xyxy_px, why, more.tracks * 0)))
    return Plan(_sorted(shapes), _sorted([rows[spared]]), followed.timeline.size_wh)


# --- where faces are --------------------------------------------------------------------------------------------------


def _rows(followed: Followed, keep: frozenset[int]) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Return where every face is, in all pictures in which it may be, and which of that is of whom to spare."""
    if not followed.paths:
        return _none(), np.zeros(0, np.bool_)
    owners = _owners(followed)
    parts, spared = [], []
    for path in followed.paths:
        pictures, boxes, whys = _whereabouts(followed, path)
        before, after = _nearest(followed, owners, path, pictures)
        parts.append(Rows(pictures, boxes, whys, _only(before, after)))
        spared.append(_both_kept(before, after, keep))
    return _joined(parts), np.concatenate(spared)


def _owners(followed: Followed) -> I64:
    """Return the track of each sighting: (n,) int64."""
    owners = np.zeros(len(followed.sightings), np.int64)
    for track in followed.tracks:
        owners[track.rows] = track.track_id
    return owners


def _nearest(followed: Followed, owners: I64, path: I64, pictures: I64) -> tuple[I64, I64]:
    """Return the tracks of the sightings next before and next after each picture; 0 where there is none."""
    seen = followed.sightings.pictures[path]
    padded = np.concatenate([[0], owners[path], [0]])
    before = padded[np.searchsorted(seen, pictures, side="right")]
    after = padded[np.searchsorted(seen, pictures, side="left") + 1]
    return np.asarray(before, np.int64), np.asarray(after, np.int64)


def _only(before: I64, after: I64) -> I64:
    """Return the track that a place is of; 0 between two."""
    same = (before == after) | (after == 0)
    return np.asarray(np.where(same, before, np.where(before == 0, after, 0)), np.int64)


def _both_kept(before: I64, after: I64, keep: frozenset[int]) -> npt.NDArray[np.bool_]:
    """Tell which places are of a face that is kept: by what was seen before and after, or the one that there is."""
    kept = np.array(sorted(keep | {0}))
    some = (before > 0) | (after > 0)
    return np.asarray(some & np.isin(before, kept) & np.isin(after, kept), np.bool_)


def _whereabouts(followed: Followed, path: I64) -> tuple[I64, F32, I64]:
    """Return pictures, boxes and reasons of a path: between its sightings, and beyond both ends."""
    timeline = followed.timeline
    pictures, boxes, rows = between(timeline, followed.sightings, path)
    middle = _grown(timeline, followed.sightings, path, (pictures, boxes, rows))
    sure = followed.sightings.scores[path].max() >= SURE_SCORE
    reach_ns = EXTEND_NS if sure else EXTEND_FAINT_NS
    ahead = _beyond(timeline, followed.sightings, path[:MOTION_ROWS], -reach_ns)
    behind = _beyond(timeline, followed.sightings, path[-MOTION_ROWS:], reach_ns)
    whys = np.where(rows >= 0, _WHYS.index(Why.DETECTED), _WHYS.index(Why.BETWEEN))
    beyond = _WHYS.index(Why.BEYOND)
    return (
        np.concatenate([ahead[0], pictures, behind[0]]),
        np.concatenate([ahead[1], middle, behind[1]]),
        np.concatenate([np.full(len(ahead[0]), beyond), whys, np.full(len(behind[0]), beyond)]).astype(np.int64),
    )


def _grown(timeline: Timeline, sightings: Sightings, path: I64, places: Places) -> F32:
    """Return boxes between sightings, the larger the further from the next one."""
    pictures, boxes, _ = places
    seen_ns = timeline.times_ns[sightings.pictures[path]]
    at_ns = timeline.times_ns[pictures]
    after = np.clip(np.searchsorted(seen_ns, at_ns), 0, len(seen_ns) - 1)
    away_ns = np.minimum(np.abs(seen_ns[after] - at_ns), np.abs(at_ns - seen_ns[np.maximum(after - 1, 0)]))
    return _grown_by(boxes, np.asarray(away_ns / NS_PER_S * _GROWTH_PER_S, np.float32))


def _grown_by(boxes_xyxy_px: F32, margins: F32) -> F32:
    sides = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    out = margins[:, None] * sides
    return np.asarray(np.concatenate([boxes_xyxy_px[:, :2] - out, boxes_xyxy_px[:, 2:] + out], axis=1), np.float32)


def _beyond(timeline: Timeline, sightings: Sightings, rows: I64, reach_ns: int) -> tuple[I64, F32]:
    """Return where a face may be before its first sighting, or after its last: where it was, or where it was going.

    Args:
        timeline: the film.
        sightings: in it.
        rows: the sightings at that end of the path.
        reach_ns: for how long; negative: before.
    """
    row = rows[-1 if reach_ns > 0 else 0]
    end = int(sightings.pictures[row])
    first, after = timeline.shot_of(end)
    pictures = np.arange(end + 1, after) if reach_ns > 0 else np.arange(first, end)
    away_ns = timeline.times_ns[pictures] - timeline.times_ns[end]
    near = np.abs(away_ns) <= abs(reach_ns)
    away_s = np.asarray(away_ns[near] / NS_PER_S, np.float32)
    speed = movement_px_s(timeline.times_ns[sightings.pictures[rows]], sightings.boxes_xyxy_px[rows])
    was = np.repeat(sightings.boxes_xyxy_px[row][None], len(away_s), axis=0)
    grown = _grown_by(was, np.asarray(np.abs(away_s) * _GROWTH_PER_S, np.float32))
    return pictures[near], _around_both(grown, was + away_s[:, None] * speed[None])


def _around_both(one_xyxy_px: F32, other_xyxy_px: F32) -> F32:
    low = np.minimum(one_xyxy_px[:, :2], other_xyxy_px[:, :2])
    high = np.maximum(one_xyxy_px[:, 2:], other_xyxy_px[:, 2:])
    return np.asarray(np.concatenate([low, high], axis=1), np.float32)


# --- shapes -----------------------------------------------------------------------------------------------------------


def _shapes(timeline: Timeline, rows: Rows) -> Rows:
    """Return what covers heads whose faces are there, on the grid, inside the picture where it is."""
    boxes = on_grid(heads_of(rows.boxes_xyxy_px), timeline.size_wh)
    inside = np.asarray((boxes[:, :2] < boxes[:, 2:]).all(axis=1), np.bool_)
    return Rows(rows.pictures, boxes, rows.whys, rows.tracks)[inside]


def heads_of(boxes_xyxy_px: F32) -> F32:
    """Return faces' boxes grown to heads: (n, 4) float32."""
    sides = np.tile(boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2], 2)
    return np.asarray(boxes_xyxy_px + np.array([-1, -1, 1, 1], np.float32) * HEAD * sides, np.float32)


def on_grid(boxes_xyxy_px: F32, size_wh: tuple[int, int]) -> F32:
    """Return boxes grown to the grid of colour samples and one sample further, cut to the picture: whole numbers."""
    low = np.floor(boxes_xyxy_px[:, :2] / _GRID_PX) * _GRID_PX - _GRID_PX
    high = np.ceil(boxes_xyxy_px[:, 2:] / _GRID_PX) * _GRID_PX + _GRID_PX
    limit = np.array(size_wh, np.float32)
    return np.asarray(np.concatenate([np.clip(low, 0, limit), np.clip(high, 0, limit)], axis=1), np.float32)


def _painted_boxes(timeline: Timeline, by_hand: Sequence[ByHand]) -> Rows:
    parts = [_none()]
    for box in by_hand:
        if not box.spare:
            pictures = _pictures_of(timeline, box)
            edges = np.tile(np.array(box.box_xyxy_px, np.float32), (len(pictures), 1))
            why = np.full(len(pictures), _WHYS.index(Why.BY_HAND), np.int64)
            parts.append(Rows(pictures, on_grid(edges, timeline.size_wh), why, np.zeros(len(pictures), np.int64)))
    return _joined(parts)


def _in_spared_boxes(rows: Rows, timeline: Timeline, by_hand: Sequence[ByHand]) -> npt.NDArray[np.bool_]:
    """Tell which faces have their middle in a box that a person said to spare."""
    inside = np.zeros(len(rows), np.bool_)
    middles = (rows.boxes_xyxy_px[:, :2] + rows.boxes_xyxy_px[:, 2:]) / 2
    for box in by_hand:
        if box.spare:
            left, top, right, bottom = box.box_xyxy_px
            here = np.isin(rows.pictures, _pictures_of(timeline, box))
            across = (left <= middles[:, 0]) & (middles[:, 0] < right)
            inside |= here & across & (top <= middles[:, 1]) & (middles[:, 1] < bottom)
    return inside


def _pictures_of(timeline: Timeline, box: ByHand) -> I64:
    first, after = np.searchsorted(timeline.times_ns, [box.from_ns, box.until_ns])
    return np.arange(first, after)


def _none() -> Rows:
    return Rows(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([part.pictures for part in parts]),
        np.concatenate([part.boxes_xyxy_px for part in parts]),
        np.concatenate([part.whys for part in parts]),
        np.concatenate([part.tracks for part in parts]),
    )


def _sorted(parts: Sequence[Rows]) -> Rows:
    joined = _joined(parts)
    return joined[np.argsort(joined.pictures, kind="stable")]
