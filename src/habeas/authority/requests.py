"""What a requester asks for, and where an authorisation is."""

import enum
from dataclasses import dataclass
from datetime import date
from typing import Final

from habeas.authority.purposes import Purpose
from habeas.store.records import Authorisation, Camera
from habeas.types import F32


class State(enum.Enum):
    """Where an authorisation is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACTIVE = "active"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"


OVER: Final = frozenset({State.REFUSED, State.REVOKED, State.EXPIRED})


@dataclass(frozen=True, repr=False)
class EnrolledImage:
    """An image that passed the quality gate.

    Args:
        image: the bytes that were given.
        vector: (d,) float32, unit length.
        model_id: what made it.
        report: what the gate saw, JSON values.
    """

    image: bytes
    vector: F32
    model_id: str
    report: dict[str, object]


@dataclass(frozen=True, repr=False)
class Person:
    """Somebody to be named.

    Args:
        name: of the person.
        born: birth date.
        images: at least one.
    """

    name: str
    born: date
    images: tuple[EnrolledImage, ...]


@dataclass(frozen=True, repr=False)
class Draft:
    """What a requester asks for.

    Args:
        live: watch cameras; else search footage.
        purpose: why.
        authority: who issued it.
        reference: their reference number.
        decision: the document, if there is one.
        people: whom.
        cameras: where.
        from_ns: first instant.
        until_ns: first instant after.
        urgent: start with one approver.
        minor: the requester knows that somebody is under age.
    """

    live: bool
    purpose: Purpose
    authority: str
    reference: str
    decision: bytes | None
    people: tuple[Person, ...]
    cameras: tuple[Camera, ...]
    from_ns: int
    until_ns: int
    urgent: bool
    minor: bool


@dataclass(frozen=True, repr=False)
class Drafted:
    """A new draft.

    Args:
        authorisation: the row.
        consent_code: for the subject of a consent: it ends it at any time.
    """

    authorisation: Authorisation
    consent_code: str | None
