"""What a person had better look at before a redacted film is given away. Pure.

What the machine is unsure of is listed, not left out: a face that was faint throughout, one that was missed for long,
one that came from nowhere or went nowhere, a shape that reaches into the face that is spared, and what is still seen.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from habeas.footage.following import SURE_SCORE, Sightings, Timeline
from habeas.footage.redaction import Followed, Plan
from habeas.geometry import iou
from habeas.types import F32, I64, NS_PER_S

_LONG_NS: Final = 3 * NS_PER_S // 10
_EDGE: Final = 1.0
"""A face that is closer to the edge than this share of its own size came through it, or went."""


class What(enum.Enum):
    """What a doubt is about."""

    FAINT = "faint"
    LONG_GAP = "long-gap"
    BEGINS_INSIDE = "begins-inside"
    ENDS_INSIDE = "ends-inside"
    MEETS_KEPT = "meets-kept"
    SEEN_AGAIN = "seen-again"


@dataclass(frozen=True)
class Doubt:
    """Something that a person had better look at.

    Args:
        what: it is.
        track_id: which track; 0: none.
        from_ns: Unix ns.
        until_ns: the last picture's instant.
        box_xyxy_px: where.
    """

    what: What
    track_id: int
    from_ns: int
    until_ns: int
    box_xyxy_px: tuple[float, float, float, float]


def doubts_of_film(followed: Followed) -> Iterator[Doubt]:
    """Yield what is unsure about the faces of a film, whoever is spared."""
    owners = np.zeros(len(followed.sightings), np.int64)
    for track in followed.tracks:
        owners[track.rows] = track.track_id
    for path in followed.paths:
        if followed.sightings.scores[path].max() < SURE_SCORE:
            yield _doubt(followed, owners, What.FAINT, path)
        else:
            yield from _ends(followed, owners, path)
        yield from _gaps(followed, owners, path)


def _ends(followed: Followed, owners: I64, path: I64) -> Iterator[Doubt]:
    timeline, sightings = followed.timeline, followed.sightings
    first, last = int(sightings.pictures[path[0]]), int(sightings.pictures[path[-1]])
    shot_first, shot_after = timeline.shot_of(first)
    if first > shot_first and not _at_edge(timeline, sightings.boxes_xyxy_px[path[0]]):
        yield _doubt(followed, owners, What.BEGINS_INSIDE, path[:1])
    if last < shot_after - 1 and not _at_edge(timeline, sightings.boxes_xyxy_px[path[-1]]):
        yield _doubt(followed, owners, What.ENDS_INSIDE, path[-1:])


def _gaps(followed: Followed, owners: I64, path: I64) -> Iterator[Doubt]:
    seen_ns = followed.timeline.times_ns[followed.sightings.pictures[path]]
    for place in np.flatnonzero(np.diff(seen_ns) > _LONG_NS).tolist():
        yield _doubt(followed, owners, What.LONG_GAP, path[place : place + 2])


def _at_edge(timeline: Timeline, box_xyxy_px: F32) -> bool:
    width, height = timeline.size_wh
    reach = _EDGE * (box_xyxy_px[2:] - box_xyxy_px[:2])
    low, high = box_xyxy_px[:2] - reach, box_xyxy_px[2:] + reach
    return bool((low < 0).any() or high[0] > width or high[1] > height)


def _doubt(followed: Followed, owners: I64, what: What, rows: I64) -> Doubt:
    return _of_rows(what, int(owners[rows[0]]), followed.timeline, followed.sightings, rows)


def _of_rows(what: What, track_id: int, timeline: Timeline, sightings: Sightings, rows: I64) -> Doubt:
    times_ns = timeline.times_ns[sightings.pictures[rows]]
    return Doubt(what, track_id, int(times_ns[0]), int(times_ns[-1]), _around(sightings.boxes_xyxy_px[rows]))


def _around(boxes_xyxy_px: F32) -> tuple[float, float, float, float]:
    low, high = boxes_xyxy_px[:, :2].min(axis=0), boxes_xyxy_px[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def doubts_of_plan(followed: Followed, made: Plan) -> Iterator[Doubt]:
    """Yield where a shape reaches into a face that is spared: once for each spared track and each run of pictures."""
    pictures, boxes, tracks = [], [], []
    for picture in np.unique(made.spared.pictures).tolist():
        spared = made.spared.of(picture)
        meets = iou(spared.boxes_xyxy_px, made.shapes.of(picture).boxes_xyxy_px) > 0
        hit = meets.any(axis=1)
        pictures += [picture] * int(hit.sum())
        boxes += list(spared.boxes_xyxy_px[hit])
        tracks += spared.tracks[hit].tolist()
    for track in sorted(set(tracks)):
        rows = np.flatnonzero(np.array(tracks) == track)
        hits = np.array(pictures)[rows]
        for run in np.split(rows, np.flatnonzero(np.diff(hits) > 1) + 1):
            times_ns = followed.timeline.times_ns[np.array(pictures)[run]]
            around = _around(np.stack([boxes[row] for row in run]))
            yield Doubt(What.MEETS_KEPT, track, int(times_ns[0]), int(times_ns[-1]), around)


def doubts_of_result(again: Followed) -> Iterator[Doubt]:
    """Yield the faces that are seen uncovered in a result, one by one."""
    for path in again.paths:
        yield _of_rows(What.SEEN_AGAIN, 0, again.timeline, again.sightings, path)
