"""What a node and a worker that goes through footage say to each other; bounds and checks as in `engine.messages`."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from habeas.engine.messages import MAX_MASKS, Count, Edges, Message, Name
from habeas.errors import InputError
from habeas.settings import DetectSettings
from habeas.video.film import Place
from habeas.video.masks import Mask

MAX_PLACES: Final = 512
MAX_FILM_BYTES: Final = 1 << 30
_REMEDY: Final = "give less of it at once"


class SearchFilm(Message):
    """Take footage, whose descriptor comes along, through the line, once; told as of a camera, its epoch `request_id`.

    Args:
        request_id: names this order; never used twice.
        camera_id: that recorded it.
        places: of its segments in the file: first byte, bytes, wall clock of the first picture.
        from_ns: pictures before this instant are left out.
        until_ns: and those from this one on.
        detect: how faces are looked for.
        masks: left, upper, right and lower edge of what is not looked at.
    """

    TYPE = 8
    request_id: Count
    camera_id: Name
    places: Annotated[tuple[tuple[Count, Count, Count], ...], Field(min_length=1, max_length=MAX_PLACES)]
    from_ns: Count
    until_ns: Count
    detect: DetectSettings
    masks: Annotated[tuple[Edges, ...], Field(max_length=MAX_MASKS)] = ()

    @property
    def descriptors(self) -> int:
        """One, of memory without a name."""
        return 1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.until_ns <= self.from_ns or any(first + size > MAX_FILM_BYTES for first, size, _ in self.places):
            raise InputError("a film ends before it begins, or is too long", remedy=_REMEDY)
        return self

    def film_places(self) -> tuple[Place, ...]:
        """Return where its segments are."""
        return tuple(Place(*place) for place in self.places)

    def covers(self) -> tuple[Mask, ...]:
        """Return the masks.

        Raises:
            InputError: one is no part of the picture.
        """
        return tuple(Mask(*edges) for edges in self.masks)
