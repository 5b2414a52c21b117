"""The table of verdicts and outcomes (product.md, "Verdicts"). Pure."""

import enum
from collections.abc import Sequence
from typing import Final

from habeas.errors import HabeasError


class Answer(enum.Enum):
    """What a reviewer says: is this the person on the reference?"""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot tell"


class Outcome(enum.Enum):
    """What the answers came to."""

    CONFIRMED = "confirmed"
    FALSE = "false"
    UNRESOLVED = "unresolved"


class State(enum.Enum):
    """Where an alert is."""

    OPEN = "open"
    UNCONFIRMED = "unconfirmed"
    """Not decided within half an hour; it still can be, until its image is destroyed."""
    WITHDRAWN = "withdrawn"
    """Its image was destroyed within that half hour, before it was decided."""
    CONFIRMED = "confirmed"
    FALSE = "false"
    UNRESOLVED = "unresolved"


UNDECIDED: Final = frozenset({State.OPEN.value, State.UNCONFIRMED.value})
"""As they stand in rows."""
_TWO: Final = 2
_AGREED: Final = {Answer.SAME: Outcome.CONFIRMED, Answer.DIFFERENT: Outcome.FALSE}
_ALONE: Final = {Answer.DIFFERENT: Outcome.FALSE}
"""What a third reviewer decides whom neither of the first two agrees with: nothing is confirmed by one."""


def outcome(answers: Sequence[Answer]) -> Outcome | None:
    """Return what the answers came to; None: another reviewer is needed.

    Two decide where they agree. Else the third does, but `confirmed` always takes two who said `same`: where the third
    is the first to say so, the alert is unresolved (docs/decisions/0012).

    Args:
        answers: of distinct persons; the order of the first two makes no difference, the third comes last.

    Raises:
        HabeasError: more answers than the table takes: it was decided before the last one.
    """
    first, rest = answers[:_TWO], answers[_TWO:]
    agreed = _AGREED.get(first[0]) if len(first) == _TWO and first[0] is first[1] else None
    if len(rest) > 1 or (rest and agreed):
        raise HabeasError(f"{len(answers)} verdicts on an alert that fewer had decided")
    if rest:
        return (_AGREED if rest[0] in first else _ALONE).get(rest[0], Outcome.UNRESOLVED)
    return agreed
