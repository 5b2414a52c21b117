"""What a node and a worker that goes through footage say to each other; bounds and checks as in `engine.messages`."""

import math
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from habeas.engine.messages import MAX_MASKS, Count, Edges, Message, Name, Text
from habeas.errors import InputError
from habeas.ports import Clock
from habeas.settings import DetectSettings
from habeas.video.film import Film, Place
from habeas.video.masks import Mask

MAX_PLACES: Final = 512
MAX_FILM_BYTES: Final = 1 << 30
_REMEDY: Final = "give less of it at once"


class FilmOrder(Message):
    """An order about footage, whose descriptor comes along.

    Args:
        request_id: names this order; never used twice.
        camera_id: that recorded it.
        places: of its segments in the file: first byte, bytes, wall clock of the first picture.
        from_ns: pictures before this instant are left out.
        until_ns: and those from this one on.
        masks: left, upper, right and lower edge of what is not looked at.
    """

    request_id: Count
    camera_id: Name
    places: Annotated[tuple[tuple[Count, Count, Count], ...], Field(min_length=1, max_length=MAX_PLACES)]
    from_ns: Count
    until_ns: Count
    masks: Annotated[tuple[Edges, ...], Field(max_length=MAX_MASKS)] = ()

    @property
    def descriptors(self) -> int:
        """One, of memory without a name."""
        return 1

    @property
    def looks_hz(self) -> float:
        """At how many pictures a second is looked; all, if nothing else is said."""
        return math.inf

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.until_ns <= self.from_ns or any(first + size > MAX_FILM_BYTES for first, size, _ in self.places):
            raise InputError("a film ends before it begins, or is too long", remedy=_REMEDY)
        return self

    def film(self, descriptor: int, clock: Clock) -> Film:
        """Return the film, which owns the descriptor from then on.

        Raises:
            InputError: a mask is no part of the picture.
        """
        return Film(
            self.camera_id,
            descriptor,
            tuple(Place(*place) for place in self.places),
            from_ns=self.from_ns,
            until_ns=self.until_ns,
            masks=tuple(Mask(*edges) for edges in self.masks),
            clock=clock,
            looks_hz=self.looks_hz,
        )


class SearchFilm(FilmOrder):
    """Take footage through the line, once; told as of a camera, its epoch `request_id`.

    Args:
        detect: how faces are looked for.
    """

    TYPE = 8
    detect: DetectSettings

    @property
    def looks_hz(self) -> float:
        """At how many pictures a second is looked."""
        return self.detect.rate_hz


class MeasureFilm(Message):
    """Say how long a video file is, whose descriptor comes along: memory without a name, at its beginning.

    Args:
        request_id: comes back with the answer.
        within_s: for reading all of it.
    """

    TYPE = 11
    request_id: Count
    within_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]

    @property
    def descriptors(self) -> int:
        """One."""
        return 1


class FilmMeasured(Message):
    """How long a video file is.

    Args:
        request_id: of the order.
        lasts_ns: as its pictures' times say; 0 where it cannot be read.
        flaw: why it cannot be; empty: it can.
    """

    TYPE = 51
    request_id: Count
    lasts_ns: Count
    flaw: Text


class FilmTurned(Message):
    """How far an order about footage is, about once a second.

    Args:
        request_id: of the order.
        done_ns: of the footage's time: it is gone through more than once, and each time counts its share.
    """

    TYPE = 52
    request_id: Count
    done_ns: Count
