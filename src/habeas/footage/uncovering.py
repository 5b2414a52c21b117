"""Which part of a picture may be seen when an alert is played: the head of whoever the alert is of, and no other. Pure.

Everything else is a mosaic, whether a face was found there or not. So what has to be complete is not the search for
faces but the reasons to show: the track that was where the alert was, at its instant, and only as far as nothing could
have exchanged who is followed.

Whose
    The one track that overlaps the alert's box within half a second of its instant. Two: nobody.
How far
    From one sighting to the next, before and after, as long as its box goes on where it was and as it moved, until
    there was none for long, or anything that may be another face came close. What the tracker says is not enough: it
    takes a face a whole width away for the same one.
Where
    The box between two looks that both saw it, straight, with the margins of redaction, on even pixels further in: no
    colour sample is shared with what is beside it.
Others
    Whatever else may be a face, its head too, wherever it may be between two looks, stays covered.
Again
    Each picture is looked at once more before it is shown (`confirmed`): one face in the head, where it should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from habeas.geometry import expand, iou
from habeas.types import F32, I64, NS_PER_S

NEAR_NS: Final = NS_PER_S // 2
"""How far from the alert's instant its face may be seen."""
SAME_PLACE: Final = 0.3
"""How much two boxes of one face overlap at least (intersection over union)."""
DOUBT_NS: Final = 2 * NS_PER_S // 5
"""Not seen for longer, somebody else may have taken the place."""
_TOUCH: Final = 0.15
"""Faces that are so near each other, in their own size, may be taken for each other, followed or not."""
_BESIDE, _ABOVE, _BELOW = 0.4, 0.5, 0.35
"""How far a head goes beyond the detector's box, in its width, its height and its height: as redaction has it."""
_REACH: Final = 1.0
"""Heads that come so near, in their own size, on every side may be one that moved between two looks."""
_ROUND: Final = 1.5
"""What is looked at once more, in the size of the head."""
_GRID_PX: Final = 2
NOBODY: Final = -1
"""In place of a track: too faint to be followed."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, repr=False)
class Looked:
    """What was seen when one picture was looked at.

    Args:
        at_ns: its instant, Unix ns.
        boxes_xyxy_px: (n, 4) float32, all that may be a face.
        track_ids: (n,) int64, of those that are followed; else `NOBODY`.
    """

    at_ns: int
    boxes_xyxy_px: F32
    track_ids: I64


@dataclass(frozen=True)
class Where:
    """Where an alert's face was.

    Args:
        at_ns: when, Unix ns.
        box: left, upper, right, lower edge, 0 to 1 of the picture.
    """

    at_ns: int
    box: tuple[float, float, float, float]

    def box_xyxy_px(self, size_wh: tuple[int, int]) -> F32:
        """Return the box in a picture of this size: (4,) float32."""
        return np.array(self.box, np.float32) * np.array([*size_wh, *size_wh], np.float32)


@dataclass(frozen=True, repr=False)
class Open:
    """What may be seen of one picture.

    Args:
        head: shown, whole even pixels inside the picture.
        face: whose head it is, where it should be.
        others: covered all the same, wherever they lie.
    """

    head: Box
    face: tuple[float, float, float, float]
    others: tuple[Box, ...]


class Uncovering:
    """What may be seen of a film, picture by picture.

    Args:
        looks: in the order of their times.
        where: the alert's face.
        size_wh: of the pictures.
        every_ns: between two looks.
    """

    def __init__(self, looks: Sequence[Looked], where: Where, size_wh: tuple[int, int], every_ns: int) -> None:
        self._looks = tuple(looks)
        self._size_wh = size_wh
        self._times_ns = np.array([look.at_ns for look in self._looks], np.int64)
        self._own: dict[int, int] = {}
        """The row of the alert's face, by look."""
        found = _found(self._looks, where, size_wh)
        if found is not None:
            self._own = _run(self._looks, *found, max(DOUBT_NS, 2 * every_ns))

    def at(self, at_ns: int) -> Open | None:
        """Return what may be seen of the picture of an instant; None: nothing.

        Args:
            at_ns: Unix ns.
        """
        after = int(np.searchsorted(self._times_ns, at_ns))
        if after not in self._own:
            return None
        if self._times_ns[after] == at_ns:
            return self._open(self._box(after), self._others(after))
        before = after - 1
        if before not in self._own:
            return None
        share = (at_ns - self._times_ns[before]) / (self._times_ns[after] - self._times_ns[before])
        box = self._box(before) * np.float32(1 - share) + self._box(after) * np.float32(share)
        between = _between(self._looks[before], self._looks[after], self._own[before], self._own[after])
        return self._open(box, np.concatenate([self._others(before), self._others(after), between]))

    def _box(self, look: int) -> F32:
        return np.asarray(self._looks[look].boxes_xyxy_px[self._own[look]], np.float32)

    def _others(self, look: int) -> F32:
        """Return the heads of everybody else in a look: (n, 4) float32."""
        return heads(np.delete(self._looks[look].boxes_xyxy_px, self._own[look], axis=0))

    def _open(self, box_xyxy_px: F32, others: F32) -> Open | None:
        head = _inwards(heads(box_xyxy_px[None])[0], self._size_wh)
        if head is None:
            return None
        left, top, right, bottom = box_xyxy_px.tolist()
        return Open(head, (left, top, right, bottom), tuple(_outwards(one, self._size_wh) for one in others))


def confirmed(opened: Open, boxes_xyxy_px: F32, size_wh: tuple[int, int]) -> Open | None:
    """Return what may be seen of a picture once it was looked at itself; None: nothing.

    Args:
        opened: what may be seen by what was seen before and after.
        boxes_xyxy_px: (n, 4) float32, all that may be a face in and around the head.
        size_wh: of the picture.
    """
    inside = np.flatnonzero(iou(boxes_xyxy_px, np.array([opened.head], np.float32))[:, 0] > 0)
    if len(inside) != 1 or iou(boxes_xyxy_px[inside], np.array([opened.face], np.float32))[0, 0] < SAME_PLACE:
        return None
    others = heads(np.delete(boxes_xyxy_px, inside, axis=0))
    return replace(opened, others=(*opened.others, *(_outwards(one, size_wh) for one in others)))


def around(opened: Open, size_wh: tuple[int, int]) -> Box:
    """Return the part of a picture that is looked at once more: a square around the head, where the picture has one."""
    left, top, right, bottom = opened.head
    side = round(_ROUND * max(right - left, bottom - top))
    spans = []
    for low, high, limit in ((left, right, size_wh[0]), (top, bottom, size_wh[1])):
        length = min(side, limit)
        first = min(max(0, (low + high - length) // 2), limit - length)
        spans.append((first, first + length))
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


def heads(boxes_xyxy_px: F32) -> F32:
    """Return the heads of faces: (n, 4) float32."""
    sides = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    low = sides * np.array([_BESIDE, _ABOVE], np.float32)
    high = sides * np.array([_BESIDE, _BELOW], np.float32)
    return np.asarray(np.concatenate([boxes_xyxy_px[:, :2] - low, boxes_xyxy_px[:, 2:] + high], axis=1), np.float32)


def _found(looks: Sequence[Looked], where: Where, size_wh: tuple[int, int]) -> tuple[int, int] | None:
    """Return the look, and the track, that overlap the alert best; None: no track does, or more than one."""
    place = where.box_xyxy_px(size_wh)[None]
    best: dict[int, tuple[float, int]] = {}
    for number, look in enumerate(looks):
        if abs(look.at_ns - where.at_ns) > NEAR_NS:
            continue
        for track, overlap in zip(look.track_ids.tolist(), iou(look.boxes_xyxy_px, place)[:, 0].tolist(), strict=True):
            if track != NOBODY and overlap >= SAME_PLACE:
                best[track] = max(best.get(track, (0.0, 0)), (overlap, number))
    if len(best) != 1:
        return None
    ((track, (_overlap, number)),) = best.items()
    return number, track


def _run(looks: Sequence[Looked], first: int, track: int, gap_ns: int) -> dict[int, int]:
    """Return the rows of a track by look, from one look on in both directions, as far as it is that face for sure."""
    rows = {first: _row(looks[first], track)}
    start = _Course(looks[first].at_ns, looks[first].boxes_xyxy_px[rows[first]])
    if _touched(looks[first], rows[first], start):
        return rows
    for order in (range(first + 1, len(looks)), range(first - 1, -1, -1)):
        course = start
        for number in order:
            look, row = looks[number], _row(looks[number], track)
            if abs(look.at_ns - course.at_ns) > gap_ns or _touched(look, row, course):
                break
            if row == NOBODY:
                continue
            if not course.leads_to(look, row):
                break
            rows[number], course = row, course.gone_on(look, row)
    return rows


@dataclass(frozen=True, repr=False)
class _Course:
    """Where a face was last, and how it moved: px a nanosecond, of all four edges."""

    at_ns: int
    box_xyxy_px: F32
    velocity_px_ns: F32 = field(default_factory=lambda: np.zeros(4, np.float32))

    def leads_to(self, look: Looked, row: int) -> bool:
        """Tell whether a face of a look is where this one should be."""
        expected = self.box_xyxy_px + self.velocity_px_ns * np.float32(look.at_ns - self.at_ns)
        return bool(iou(look.boxes_xyxy_px[row][None], expected[None])[0, 0] >= SAME_PLACE)

    def gone_on(self, look: Looked, row: int) -> "_Course":
        """Return the course after one more sighting."""
        moved = look.boxes_xyxy_px[row] - self.box_xyxy_px
        moved = np.tile((moved[:2] + moved[2:]) / np.float32(2), 2)
        velocity_px_ns = np.asarray(moved / (look.at_ns - self.at_ns), np.float32)
        return _Course(look.at_ns, look.boxes_xyxy_px[row], velocity_px_ns)


def _row(look: Looked, track: int) -> int:
    """Return where a track is in a look; `NOBODY`: it is not."""
    found = np.flatnonzero(look.track_ids == track)
    return int(found[0]) if len(found) else NOBODY


def _touched(look: Looked, row: int, course: _Course) -> bool:
    """Tell whether what may be another face is so close to this one, or to where it was last, that it may be it."""
    own = [course.box_xyxy_px] if row == NOBODY else [course.box_xyxy_px, look.boxes_xyxy_px[row]]
    others = look.boxes_xyxy_px if row == NOBODY else np.delete(look.boxes_xyxy_px, row, axis=0)
    return bool((iou(expand(np.stack(own), _TOUCH), expand(others, _TOUCH)) > 0).any())


def _between(one: Looked, other: Looked, own: int, other_own: int) -> F32:
    """Return where the heads of others may be between two looks: (n, 4) float32, around two that may be the same.

    The same: one track, or overlapping; or within reach, where a track does not say who is who.
    """
    low, high = heads(one.boxes_xyxy_px), heads(other.boxes_xyxy_px)
    same = (one.track_ids[:, None] == other.track_ids[None, :]) & (one.track_ids[:, None] != NOBODY)
    known = same.any(axis=1)[:, None] & same.any(axis=0)[None, :]
    near = (iou(expand(low, _REACH), expand(high, _REACH)) > 0) & ~known
    joined = same | near | (iou(low, high) > 0)
    joined[own, :] = joined[:, other_own] = False
    which, where = np.nonzero(joined)
    corner = np.minimum(low[which, :2], high[where, :2])
    return np.asarray(np.concatenate([corner, np.maximum(low[which, 2:], high[where, 2:])], axis=1), np.float32)


def _inwards(box: F32, size_wh: tuple[int, int]) -> Box | None:
    """Return a box on even pixels, one colour sample further in, cut to the picture; None: nothing is left of it."""
    low = np.ceil(np.maximum(box[:2], 0) / _GRID_PX).astype(int) * _GRID_PX + _GRID_PX
    high = np.floor(np.minimum(box[2:], size_wh) / _GRID_PX).astype(int) * _GRID_PX - _GRID_PX
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _outwards(box: F32, size_wh: tuple[int, int]) -> Box:
    """Return a box on even pixels, one colour sample further out, cut to the picture."""
    low = np.clip(np.floor(box[:2] / _GRID_PX).astype(int) * _GRID_PX - _GRID_PX, 0, size_wh)
    high = np.clip(np.ceil(box[2:] / _GRID_PX).astype(int) * _GRID_PX + _GRID_PX, 0, size_wh)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
