"""What tests of redaction share: invented sightings, and an oracle that follows nobody."""

from collections.abc import Sequence

import numpy as np

from habeas.footage.following import Sightings, Timeline
from habeas.footage.redaction import Followed, Plan, follow
from habeas.types import NS_PER_S

STEP_NS = NS_PER_S // 25
SIZE_WH = (640, 360)
Box = tuple[float, float, float, float]


def timeline(count: int, cuts: Sequence[int] = ()) -> Timeline:
    begins = np.zeros(count, np.bool_)
    begins[[0, *cuts]] = True
    return Timeline(np.arange(count, dtype=np.int64) * STEP_NS + 1000, begins, SIZE_WH)


def sightings(*seen: tuple[int, Box, float]) -> Sightings:
    """Return sightings of (picture, box, score)."""
    ordered = sorted(seen, key=lambda each: each[0])
    return Sightings(
        np.array([picture for picture, _, _ in ordered], np.int64),
        np.array([box for _, box, _ in ordered], np.float32).reshape(-1, 4),
        np.array([score for _, _, score in ordered], np.float32),
    )


def walk(
    pictures: Sequence[int], left: float, top: float = 100, pace: float = 2.0, side: float = 40, score: float = 0.8
) -> list[tuple[int, Box, float]]:
    """Return a face that walks to the right, seen in these pictures."""
    return [
        (picture, (left + pace * picture, top, left + pace * picture + side, top + side), score) for picture in pictures
    ]


def film(count: int, *walks: list[tuple[int, Box, float]], cuts: Sequence[int] = ()) -> Followed:
    return follow(timeline(count, cuts), sightings(*(each for walk in walks for each in walk)))


def is_painted(made: Plan, picture: int, box: Box) -> bool:
    """Tell by pixels whether all of a box that lies in the picture is painted."""
    width, height = made.size_wh
    pixels = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in made.shapes.of(picture).boxes_xyxy_px.astype(int):
        pixels[top:bottom, left:right] = True
    left, top, right, bottom = (int(edge) for edge in np.floor(box))
    return bool(pixels[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)].all())
