"""What a node and a worker say to each other about making people unrecognisable in footage; checks as in `messages`.

The node sends a film and hears which tracks of faces are in it, where a person had better look, and what to compare;
then it says who is spared, and hears the film anew, in parts.
"""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from habeas.engine.film_messages import FilmOrder
from habeas.engine.messages import REMEDY, Count, Message, Number, Share, Side, Text
from habeas.errors import InputError
from habeas.footage.redaction import MAX_BY_HAND, MAX_KEPT, ByHand, Wish

MAX_PICTURES: Final = 45_000
"""Half an hour at 25 pictures a second."""
MAX_PIECE_BYTES: Final = 1 << 20
MAX_RESULT_BYTES: Final = 1 << 30
MAX_PLACES: Final = 9
"""Of a track, told for people to look at."""
MAX_ROUNDS: Final = 3
Box = tuple[Number, Number, Number, Number]
Doubtful = Literal["faint", "long-gap", "begins-inside", "ends-inside", "meets-kept", "seen-again"]


class ExamineFilm(FilmOrder):
    """Find every face in footage, whose descriptor comes along, in every picture.

    Args:
        compared: whether templates are made, so that somebody can be found: never of what was captured in a suspension.
    """

    TYPE = 9
    compared: bool


class PaintFilm(Message):
    """Paint over everybody in the film that was examined last but whom to keep, and send it anew.

    Args:
        request_id: names this order; never used twice.
        examined: the order that examined it.
        keep: tracks that are not painted over.
        by_hand: boxes by a person: from and until, Unix ns; left, upper, right and lower edge, pixels; true: to spare.
    """

    TYPE = 10
    request_id: Count
    examined: Count
    keep: Annotated[tuple[Count, ...], Field(max_length=MAX_KEPT)]
    by_hand: Annotated[tuple[tuple[Count, Count, Box, bool], ...], Field(max_length=MAX_BY_HAND)]

    def wish(self) -> Wish:
        """Return who is spared, and what was added.

        Raises:
            InputError: a box is empty.
        """
        return Wish(frozenset(self.keep), tuple(ByHand(*box) for box in self.by_hand))


# --- worker to node ---------------------------------------------------------------------------------------------------


class TrackFollowed(Message):
    """One track of a film; what is to be compared of it came before.

    Args:
        request_id: of the order.
        track_id: from 1.
        best_score: of the detector.
        sightings: in how many pictures it was seen.
        places: when, Unix ns, and where it was: first, last, and some between.
    """

    TYPE = 46
    request_id: Count
    track_id: Annotated[int, Field(ge=1)]
    best_score: Share
    sightings: Annotated[int, Field(ge=1)]
    places: Annotated[tuple[tuple[Count, Box], ...], Field(min_length=1, max_length=MAX_PLACES)]


class DoubtFound(Message):
    """Something that a person had better look at.

    Args:
        request_id: of the order.
        what: a track that was faint throughout; that was missed for long; that began or ended neither at the picture's
            edge nor at a cut; a shape that reaches into a face that is spared; a face that is seen in the result.
        track_id: which one; 0: none.
        from_ns: Unix ns.
        until_ns: the last picture's instant.
        box_xyxy_px: where.
    """

    TYPE = 47
    request_id: Count
    what: Doubtful
    track_id: Count
    from_ns: Count
    until_ns: Count
    box_xyxy_px: Box

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.until_ns < self.from_ns:
            raise InputError("a doubt ends before it begins", remedy=REMEDY)
        return self


class FilmExamined(Message):
    """The last message about an order to examine.

    Args:
        request_id: of the order.
        pictures: in which faces were looked for.
        size_wh: of them.
        tracks: that were told.
        doubts: that there are; those told may be fewer.
        refusal: why nothing came of it; empty: it did.
    """

    TYPE = 48
    request_id: Count
    pictures: Annotated[int, Field(ge=0, le=MAX_PICTURES)]
    size_wh: tuple[Side, Side]
    tracks: Count
    doubts: Count
    refusal: Text


class FilmBytes(Message):
    """The next bytes of a film; they are the payload.

    Args:
        request_id: of the order.
    """

    TYPE = 49
    LARGEST: ClassVar[int] = MAX_PIECE_BYTES
    request_id: Count

    def _check_payload(self, payload: bytes) -> None:
        if not 0 < len(payload) <= self.LARGEST:
            raise InputError("a part of a film is empty or too large", remedy=REMEDY)


class FilmDone(Message):
    """The last message about an order to paint.

    Args:
        request_id: of the order.
        pictures: in the result.
        size_bytes: of it.
        shapes: by reason: how many were painted.
        seen_again: faces that were seen uncovered in the result, each time that it was looked at: the last number is
            of the result that was sent.
        doubts: that there are; those told may be fewer.
        refusal: why nothing came of it; empty: it did.
    """

    TYPE = 50
    request_id: Count
    pictures: Annotated[int, Field(ge=0, le=MAX_PICTURES)]
    size_bytes: Annotated[int, Field(ge=0, le=MAX_RESULT_BYTES)]
    shapes: Annotated[dict[Text, Count], Field(max_length=8)]
    seen_again: Annotated[tuple[Count, ...], Field(max_length=MAX_ROUNDS)]
    doubts: Count
    refusal: Text
