"""Images of people to be named: each is examined by a sandboxed worker, and gets a line in the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from habeas.authority.requests import EnrolledImage, Person
from habeas.authority.runs import MAX_REFERENCES, ONE_PERSON
from habeas.errors import EnrolmentRefused, ImageError, InputError

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


def enrol_batch(node: "Node", given: Sequence[Given], *, actor_id: str, skip_refused: bool) -> Batch:
    """Examine every image before anything is kept; that it was done is an entry, whatever came of it.

    Whether two people have the same face is not told here: approvers see it with the request, and nobody else.

    Args:
        node: its enrolment worker does.
        given: people and images.
        actor_id: who asks, for the entry.
        skip_refused: go on with the others, where each person keeps at least one.

    Raises:
        EnrolmentRefused: images were refused; carries the whole report.
        InputError: too many images of one person, or they show several.
    """
    for one in given:
        if len(one.images) > MAX_REFERENCES:
            raise InputError(
                f"{len(one.images)} images of one person", remedy=f"give the best ones, at most {MAX_REFERENCES}"
            )
    reports: list[Report] = []
    try:
        with node.supervisor.enrolling():
            people = tuple(_examined(node, one, reports) for one in given)
    finally:
        _note(node, actor_id, reports)
    refused = [report for report in reports if report.refused]
    if refused and (not skip_refused or not all(person.images for person in people)):
        raise EnrolmentRefused(
            f"{refused[0].image}: {refused[0].refused} ({len(refused)} of {len(reports)} images refused)",
            remedy=refused[0].remedy,
            images=[report.as_json() for report in reports],
        )
    _check_one_each(people)
    return Batch(people, tuple(reports))


def _note(node: "Node", actor_id: str, reports: Sequence[Report]) -> None:
    refused = sum(bool(report.refused) for report in reports)
    with node.store.write() as tx:
        tx.entry("images.examined", actor_id, {"images": len(reports), "refused": refused})


def _examined(node: "Node", given: Given, reports: list[Report]) -> Person:
    taken = []
    for name, image in given.images:
        result = node.supervisor.enrol(image, _EXAMINE_S)
        seen: dict[str, object] = dict(result.report)
        reports.append(Report(name, result.refusal, result.remedy, seen))
        if result.reference is not None:
            reference = result.reference
            if len(reference.vector) != node.dimensions:
                raise ImageError(
                    f"{name}: its template has another length", remedy="try again; report it if it repeats"
                )
            taken.append(EnrolledImage(image, reference.vector, reference.model_id, seen))
    return Person(given.name, given.born, tuple(taken))


def _check_one_each(people: Sequence[Person]) -> None:
    """Check that the images of each person show one. The refusal says neither whose, nor how alike they are."""
    for person in people:
        stack = np.stack([image.vector for image in person.images])
        if float((stack @ stack[0]).min()) < ONE_PERSON:
            raise InputError(
                "the images of one person show more than one person",
                remedy="give images of one person; name others on their own",
            )
