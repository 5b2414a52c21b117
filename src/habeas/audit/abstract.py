"""What the entries of a bundle come to: a page for whoever does not read entries. Pure, and recomputed by its reader.

Whatever is in an entry is taken as it is said there; a field that is missing is null.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from habeas.audit.canonical import canonical
from habeas.errors import ProofError

_ASKED: Final = ("authorisation.drafted", "authorisation.amended", "authorisation.submitted")
_ENDS: Final = ("authorisation.expired", "authorisation.refused", "authorisation.revoked")
_ENDED_ALERT: Final = ("alert.decided", "alert.destroyed")
_REQUEST: Final = ("authority", "decision", "decision_status", "purpose", "kind", "requester", "from", "until")
_RAISED: Final = (
    "captured_at",
    "expected_fpir",
    "extrapolated",
    "false_a_day",
    "gallery_size",
    "model",
    "similarity",
    "threshold",
    "zone",
)
_SETTINGS: Final = ("build", "calibration", "expected_fpir", "gallery_size", "model", "threshold")


@dataclass(frozen=True, repr=False)
class Evidence:
    """An entry as it was opened.

    Args:
        kind: its type.
        actor: who acted.
        at: when.
        body: with what it hides, as far as that can be read.
    """

    kind: str
    actor: str
    at: str
    body: Mapping[str, Any]

    @classmethod
    def of(cls, opening: Mapping[str, Any], hidden: Mapping[str, Any] | None) -> Self:
        """Return it from the two parts that a bundle holds."""
        said = {name: value for name, value in (hidden or {}).items() if name != "salt"}
        return cls(opening["type"], opening["actor"], opening["at"], {**opening["body"], **said})


def abstract_of(entries: Sequence[Evidence]) -> dict[str, Any]:
    """Return what the entries of a bundle come to, JSON values.

    Args:
        entries: in the order of the log.
    """
    searches = [one for one in entries if one.kind == "search.counted"]
    return {
        "authorisations": _authorisations(entries),
        "approvals": [
            {"at": one.at, "by": one.actor, "of": one.body.get("object"), "sha256": one.body.get("sha256")}
            for one in entries
            if one.kind == "approval.given"
        ],
        "searches": {
            "number": sum(_count(one, "searches") for one in searches),
            "cameras": sorted({str(one.body.get("camera")) for one in searches}),
            "settings": _distinct({name: one.body.get(name) for name in _SETTINGS} for one in searches),
        },
        "alerts": _alerts(entries),
        "programs": _distinct(
            {name: one.body.get(name) for name in ("build", "model")} for one in entries if one.kind == "node.started"
        ),
    }


def _count(one: Evidence, name: str) -> int:
    value = one.body.get(name)
    return value if type(value) is int else 0


def _distinct(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return these objects, each once, in the order of their canonical form."""
    return [one for _, one in sorted({canonical(one): one for one in found}.items())]


def _of(entries: Sequence[Evidence], name: str, *kinds: str) -> dict[str, list[Evidence]]:
    """Return the entries of these types, by the object that this field names."""
    found: dict[str, list[Evidence]] = {}
    for one in entries:
        about = one.body.get(name)
        if one.kind in kinds and isinstance(about, str):
            found.setdefault(about, []).append(one)
    return found


def _authorisations(entries: Sequence[Evidence]) -> dict[str, Any]:
    asked = _of(entries, "authorisation", *_ASKED)
    active = _of(entries, "authorisation", "authorisation.active")
    ended = _of(entries, "authorisation", *_ENDS)
    return {
        name: {
            **{field: said[-1].body.get(field) for field in _REQUEST},
            "sha256": said[-1].body.get("sha256"),
            "subjects": len(said[-1].body.get("tags") or ()),
            "cameras": len(said[-1].body.get("cameras") or ()),
            "active_from": next((one.at for one in active.get(name, ())), None),
            "ended": next(({"at": one.at, "how": one.kind, "by": one.actor} for one in ended.get(name, ())), None),
        }
        for name, said in asked.items()
    }


def _alerts(entries: Sequence[Evidence]) -> dict[str, Any]:
    ended = _of(entries, "alert", *_ENDED_ALERT)
    told = _of(entries, "alert", "alert.frozen", "alert.disputed", "alert.corrected")
    return {
        name: {
            **{field: said[0].body.get(field) for field in _RAISED},
            "raised_at": said[0].at,
            "outcome": next((_outcome(one) for one in ended.get(name, ())), None),
            "verdicts": next((one.body.get("verdicts") for one in ended.get(name, ())), None),
            "afterwards": [{"at": one.at, "what": one.kind} for one in told.get(name, ())],
        }
        for name, said in _of(entries, "alert", "alert.raised").items()
    }


def _outcome(one: Evidence) -> Any:
    return one.body.get("outcome", one.body.get("state"))


def check_verdicts(entries: Sequence[Evidence]) -> int:
    """Check that each verdict that a decision tells was committed to when it was given; return how many there are.

    Raises:
        ProofError: one was not.
    """
    given = {one.body.get("commitment") for one in entries if one.kind == "verdict.given"}
    count = 0
    for one in entries:
        for verdict in (one.body.get("verdicts") or ()) if one.kind in _ENDED_ALERT else ():
            count += 1
            if commitment_of(verdict) not in given:
                raise ProofError("a verdict is not what was committed to when it was given", remedy="keep this bundle")
    return count


def commitment_of(verdict: object) -> str:
    """Return what an entry `verdict.given` says of a verdict that a decision tells: SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical(verdict)).hexdigest()
