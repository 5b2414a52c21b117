"""Images of people to be named: each is examined by a sandboxed worker, and gets a line in the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from habeas.authority.authorisations import EnrolledImage, Person
from habeas.authority.runs import MAX_REFERENCES, ONE_PERSON, SAME_FACE
from habeas.errors import EnrolmentRefused, InputError

if TYPE_CHECKING:
    from habeas.node.node import Node

_EXAMINE_S: Final = 30.0


@dataclass(frozen=True, repr=False)
class Given:
    """Somebody to be named, as given.

    Args:
        name: of the person.
        born: birth date.
        images: names and bytes of image files.
    """

    name: str
    born: date
    images: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, repr=False)
class Report:
    """What became of one image.

    Args:
        image: its file name.
        refused: why it was refused; empty: taken.
        remedy: what to do about it.
        seen: what the quality gate saw.
    """

    image: str
    refused: str
    remedy: str
    seen: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """Return it for the client."""
        return {"image": self.image, "taken": not self.refused, "refused": self.refused, **self.seen}


@dataclass(frozen=True, repr=False)
class Batch:
    """What became of all of them.

    Args:
        people: with the images that were taken.
        reports: a line an image.
    """

    people: tuple[Person, ...]
    reports: tuple[Report, ...]


def enrol_batch(node: "Node", given: Sequence[Given], *, skip_refused: bool) -> Batch:
    """Examine every image before anything is kept.

    Args:
        node: its enrolment worker does.
        given: people and images.
        skip_refused: go on with the others, where each person keeps at least one.

    Raises:
        EnrolmentRefused: images were refused; carries the whole report.
        InputError: the images of one person show several, or two people have the same face.
    """
    reports: list[Report] = []
    people = tuple(_examined(node, one, reports) for one in given)
    refused = [report for report in reports if report.refused]
    if refused and (not skip_refused or not all(person.images for person in people)):
        raise EnrolmentRefused(
            f"{refused[0].image}: {refused[0].refused} ({len(refused)} of {len(reports)} images refused)",
            remedy=refused[0].remedy,
            images=[report.as_json() for report in reports],
        )
    _check_faces(people)
    return Batch(people, tuple(reports))


def _examined(node: "Node", given: Given, reports: list[Report]) -> Person:
    if len(given.images) > MAX_REFERENCES:
        raise InputError(
            f"{len(given.images)} images of one person", remedy=f"give the best ones, at most {MAX_REFERENCES}"
        )
    taken = []
    for name, image in given.images:
        result = node.supervisor.enrol(image, _EXAMINE_S)
        seen: dict[str, object] = dict(result.report)
        reports.append(Report(name, result.refusal, result.remedy, seen))
        if result.reference is not None:
            reference = result.reference
            taken.append(EnrolledImage(image, reference.vector, reference.model_id, seen))
    return Person(given.name, given.born, tuple(taken))


def _check_faces(people: Sequence[Person]) -> None:
    stacks = [np.stack([image.vector for image in person.images]) for person in people]
    for person, stack in zip(people, stacks, strict=True):
        least = float((stack @ stack[0]).min())
        if least < ONE_PERSON:
            raise InputError(
                f"the images of {person.name} show more than one person (similarity {least:.2f})",
                remedy="give images of one person; name others on their own",
            )
    for number, (person, stack) in enumerate(zip(people, stacks, strict=True)):
        for other, compared in list(zip(people, stacks, strict=True))[number + 1 :]:
            most = float((stack @ compared.T).max())
            if most >= SAME_FACE:
                raise InputError(
                    f"{person.name} and {other.name} have the same face (similarity {most:.2f})",
                    remedy="name each person once",
                )
