"""An authorisation as people read it before they approve: who, where, how long, why, look-alikes, hash."""

from collections.abc import Sequence
from typing import Any

from habeas.cli.client import Json
from habeas.cli.output import say
from habeas.cli.subjects import MEASURES, measures
from habeas.cli.tables import facts, table
from habeas.cli.times import ns_of, show_told
from habeas.types import NS_PER_S


def say_authorisation(told: Json) -> None:
    """Print all that the node told of an authorisation."""
    facts(_what(told))
    if "people" in told:
        say("")
        _say_people(told["people"])
        say("")
        _say_images(told["id"], told["people"])
    if "look_alikes" in told:
        say("")
        _say_look_alikes(told["look_alikes"])
    if "content_hash" in told:
        say("")
        say(f"hash of exactly this: {told['content_hash']}")


def _what(told: Json) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = [
        ("id", told["id"]),
        ("state", _state(told)),
        ("purpose", told["purpose"] + (", urgent" if told["urgent"] else "")),
        ("kind", told["kind"]),
        ("cameras" if told.get("evidence") is None else "evidence", _where(told["cameras"])),
        ("from", show_told(told["from"])),
        ("until", f"{show_told(told['until'])} ({length(told)})"),
        ("subjects", told["subjects"]),
    ]
    if told["ends"] is not None:
        pairs.append(("ends", show_told(told["ends"])))
    if told["notice_due"] is not None:
        pairs.append(("notice due", show_told(told["notice_due"])))
    return pairs + _evidence(told.get("evidence")) + (_why(told) if "authority" in told else [])


def _where(cameras: Sequence[str]) -> str:
    return f"{len(cameras)}: {', '.join(cameras)}"


def _evidence(told: Json | None) -> list[tuple[str, object]]:
    """Return what there is to say of evidence: when it was taken is only stated."""
    if told is None:
        return []
    pairs: list[tuple[str, object]] = [
        ("SHA-256", told["sha256"]),
        ("time", "as stated by whoever handed it in; not checked"),
        ("gone at", show_told(told["deadline"])),
    ]
    return pairs + ([("comes from", told["note"])] if told["note"] is not None else [])


def _why(told: Json) -> list[tuple[str, object]]:
    decision = told["decision"]
    digest = f": SHA-256 {decision['sha256']}" if decision["sha256"] else ""
    pairs: list[tuple[str, object]] = [
        ("authority", told["authority"]),
        ("reference", told["reference"]),
        ("decision", decision["status"] + digest),
        ("asked for by", _who(told["requester"], told["requester_name"])),
        ("names a minor", told["minor"]),
        ("approved by", [_who(one["account"], one["name"]) for one in told["approvals"]]),
    ]
    return pairs + ([("why it ended", told["why_ended"])] if told["why_ended"] else [])


def _who(account: str, name: str | None) -> str:
    return account if name is None else f"{name} ({account})"


def _state(told: Json) -> str:
    if told["state"] == "active" and not told["confirmed"]:
        return "active, not confirmed: it ends unless approved"
    return str(told["state"]) + (", destroyed" if told["discarded"] else "")


def length(told: Json) -> str:
    """Return how long a window lasts: `3 d 2 h`, `45 min`."""
    minutes = (ns_of(told["until"]) - ns_of(told["from"])) // NS_PER_S // 60
    parts = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "under a minute"


def _say_people(people: Sequence[Json]) -> None:
    rows = [(one["subject"], one["name"], one["born"], one["minor"], len(one["references"])) for one in people]
    table(("subject", "name", "born", "minor", "images"), rows, none="nobody: they are discarded")


def _say_images(authorisation_id: str, people: Sequence[Json]) -> None:
    """Print what the quality gate saw of each image, and how to see them: they are in no text."""
    images = [(image, one["subject"]) for one in people for image in one["references"]]
    if not images:
        return
    rows = [(image["id"], subject, *measures(image["report"])) for image, subject in images]
    table(("image", "of", *MEASURES), rows, none="")
    say(f"{len(images)} images; to see them: habeas authorise show {authorisation_id} --save-images FOLDER")


def _say_look_alikes(found: Sequence[Json]) -> None:
    rows = [
        (one["subject"], one["other_subject"], one["other_authorisation"], f"{one['similarity']:.3f}") for one in found
    ]
    heads = ("subject", "looks like", "of authorisation", "similarity")
    say("look-alikes among others listed:")
    table(heads, rows, none="none")


def say_list(rows: Sequence[Json], *, none: str) -> None:
    """Print authorisations as a table."""
    told: list[tuple[Any, ...]] = [
        (
            one["id"],
            one["state"],
            one["purpose"],
            one["subjects"],
            one["cameras"],
            show_told(one["from"]),
            show_told(one["until"]),
        )
        for one in rows
    ]
    table(("id", "state", "purpose", "subjects", "cameras", "from", "until"), told, none=none)
