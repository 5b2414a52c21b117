"""Which part of a picture may be seen when an alert is played: the head of whoever the alert is of, and no other. Pure.

Everything else is a mosaic, whether a face was found there or not. So what has to be complete is not the search for
faces but the reasons to show: the track that was where the alert was, at its instant, and only as far as nothing could
have exchanged who is followed.

Whose
    The one track that overlaps the alert's box within half a second of its instant. Two: nobody.
How far
    From one sighting to the next, before and after, until there was none for long, or another face came close.
Where
    The box between two sightings, straight, with the margins of redaction, on even pixels further in: no colour sample
    is shared with what is beside it.
Others
    Whatever else may be a face, its head too, wherever it may be between two looks, stays covered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
"""Faces that are so near each other, in their own size, may be taken for each other."""
_BESIDE, _ABOVE, _BELOW = 0.4, 0.5, 0.35
"""How far a head goes beyond the detector's box, in its width, its height and its height: as redaction has it."""
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
        others: covered all the same, wherever they lie.
    """

    head: Box
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

    @property
    def shown_ns(self) -> int:
        """From the first instant at which the face is shown to the last."""
        return int(self._times_ns[max(self._own)] - self._times_ns[min(self._own)]) if self._own else 0

    @property
    def is_found(self) -> bool:
        """Whether the alert's face was found at all."""
        return bool(self._own)

    def at(self, at_ns: int) -> Open | None:
        """Return what may be seen of the picture of an instant; None: nothing.

        Args:
            at_ns: Unix ns.
        """
        after = int(np.searchsorted(self._times_ns, at_ns))
        if after < len(self._looks) and self._times_ns[after] == at_ns and after in self._own:
            return self._open(self._box(after), [self._others(after)])
        before = max((look for look in self._own if look < after), default=None)
        later = min((look for look in self._own if look >= after), default=None)
        if before is None or later is None:
            return None
        share = (at_ns - self._times_ns[before]) / (self._times_ns[later] - self._times_ns[before])
        box = self._box(before) * np.float32(1 - share) + self._box(later) * np.float32(share)
        return self._open(box, [self._others(look) for look in range(before, later + 1)])

    def _box(self, look: int) -> F32:
        return np.asarray(self._looks[look].boxes_xyxy_px[self._own[look]], np.float32)

    def _others(self, look: int) -> F32:
        """Return the heads of everybody else in a look: (n, 4) float32."""
        boxes = self._looks[look].boxes_xyxy_px
        own = self._own.get(look)
        return heads(boxes if own is None else np.delete(boxes, own, axis=0))

    def _open(self, box_xyxy_px: F32, others: Sequence[F32]) -> Open | None:
        head = _inwards(heads(box_xyxy_px[None])[0], self._size_wh)
        if head is None:
            return None
        covered = [*others, *(_between(*pair) for pair in pairwise(others))]
        return Open(head, tuple(_outwards(one, self._size_wh) for one in np.concatenate(covered)))


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
    if _touched(looks[first], rows[first]):
        return rows
    for order in (range(first + 1, len(looks)), range(first - 1, -1, -1)):
        last_ns = looks[first].at_ns
        for number in order:
            look = looks[number]
            if abs(look.at_ns - last_ns) > gap_ns:
                break
            if track in look.track_ids:
                row = _row(look, track)
                if _touched(look, row):
                    break
                rows[number], last_ns = row, look.at_ns
    return rows


def _row(look: Looked, track: int) -> int:
    return int(np.flatnonzero(look.track_ids == track)[0])


def _touched(look: Looked, row: int) -> bool:
    """Tell whether another face that is followed is so close that it may be taken for this one."""
    near = iou(expand(look.boxes_xyxy_px[row][None], _TOUCH), expand(look.boxes_xyxy_px, _TOUCH))[0] > 0
    near[row] = False
    return bool((near & (look.track_ids != NOBODY)).any())


def _between(one: F32, other: F32) -> F32:
    """Return where a head may be between two looks: around each two that overlap, as of one that moves straight."""
    which, where = np.nonzero(iou(one, other) > 0)
    low = np.minimum(one[which, :2], other[where, :2])
    return np.asarray(np.concatenate([low, np.maximum(one[which, 2:], other[where, 2:])], axis=1), np.float32)


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
