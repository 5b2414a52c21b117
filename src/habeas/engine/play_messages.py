"""What a node and a worker say to each other about playing footage around an alert; checks as in `messages`."""

from typing import Annotated

from pydantic import Field

from habeas.engine.film_messages import FilmOrder
from habeas.engine.messages import Count, Edges, Message, Text
from habeas.engine.redact_messages import MAX_PICTURES, MAX_RESULT_BYTES
from habeas.footage.uncovering import Where
from habeas.settings import DetectSettings


class PlayFilm(FilmOrder):
    """Make a mosaic of footage, in which only the head of whoever an alert is of can be seen. No template is made.

    Args:
        detect: how faces are looked for.
        at_ns: the alert's instant.
        box: its face, 0 to 1 of the picture; None: nobody is shown.
    """

    TYPE = 12
    detect: DetectSettings
    at_ns: Count
    box: Edges | None

    def where(self) -> Where | None:
        """Return where the alert's face was."""
        return None if self.box is None else Where(self.at_ns, self.box)


class FilmPlayed(Message):
    """The last message about an order to play; the film came before, as `FilmBytes`.

    Args:
        request_id: of the order.
        pictures: in the film.
        size_bytes: of it.
        found: the alert's face was.
        shown_ns: from its first to its last picture.
        refusal: why nothing came of it; empty: it did.
    """

    TYPE = 53
    request_id: Count
    pictures: Annotated[int, Field(ge=0, le=MAX_PICTURES)]
    size_bytes: Annotated[int, Field(ge=0, le=MAX_RESULT_BYTES)]
    found: bool
    shown_ns: Count
    refusal: Text
