"""Which frames of a track are worth a template: at most five, the first as soon as one is good enough. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from habeas.types import NS_PER_S

MAX_SHOTS: Final = 5
MIN_QUALITY: Final = 0.08
"""Below this a face is too small, too blurred or too far in profile to be compared (docs/model-card.md)."""
_BETTER: Final = 1.15
_EASY_SHOTS: Final = 3
"""So many shots may be merely different in time; the rest must be better than all before."""
_APART_NS: Final = NS_PER_S // 2
_NEARLY: Final = 0.7


@dataclass(frozen=True)
class Shots:
    """What was taken of one track so far.

    Args:
        count: best shots taken.
        best: highest quality among them.
        last_ns: the stream's time of the last one.
    """

    count: int = 0
    best: float = 0.0
    last_ns: int = 0


def worth(shots: Shots, quality: float, pts_ns: int) -> bool:
    """Tell whether a face of this quality becomes the track's next best shot."""
    if shots.count >= MAX_SHOTS or not quality >= MIN_QUALITY:
        return False
    if shots.count == 0 or quality > _BETTER * shots.best:
        return True
    return shots.count < _EASY_SHOTS and pts_ns - shots.last_ns >= _APART_NS and quality >= _NEARLY * shots.best


def taken(shots: Shots, quality: float, pts_ns: int) -> Shots:
    """Return the record after one more shot."""
    return replace(shots, count=shots.count + 1, best=max(shots.best, quality), last_ns=pts_ns)
