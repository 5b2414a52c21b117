"""Who may read what of an authorisation. Looking at faces or names is itself an entry, committed before they leave.

who                      sees
requester, own           everything of it but the impostor check
approver                 everything once it is submitted, the impostor check included
privacy, auditor         all but names, faces and the impostor check
operator, admin          that it exists, where and until when (an operator sees faces with an alert)
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from habeas.accounts.roles import Actor, Role
from habeas.accounts.staff import names_of
from habeas.authority import evidence
from habeas.authority.approvals import approvals_of
from habeas.authority.authorisations import hash_of, subjects_of
from habeas.authority.opened import identity, open_image, open_template
from habeas.authority.requests import OVER, State
from habeas.authority.runs import SAME_FACE
from habeas.errors import KeyDestroyed, RuleError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Authorisation, Reference, Subject
from habeas.types import F32, utc

_Templates = dict[tuple[str, str], F32]
"""Of each subject and model."""


@dataclass(frozen=True, repr=False)
class LookAlike:
    """Somebody else, listed or of the same request, who looks like a subject of this request.

    Args:
        subject_id: of this request.
        other_subject_id: of the other.
        other_authorisation_id: which names them; this request, where it names one face twice.
        similarity: of their most similar references.
    """

    subject_id: str
    other_subject_id: str
    other_authorisation_id: str
    similarity: float


def sees_people(actor: Actor, row: Authorisation) -> bool:
    """Tell whether somebody may see who is named."""
    own = actor.has(Role.REQUESTER) and actor.owns(row.requester)
    asked = actor.has(Role.APPROVER) and row.state != State.DRAFT.value  # a draft is its requester's own affair
    return not actor.by_token and (own or asked)


def summary(tx: Tx, row: Authorisation) -> dict[str, object]:
    """Return what everybody with a role may know of an authorisation, JSON values."""
    return {
        "id": row.authorisation_id,
        "state": row.state,
        "kind": row.kind,
        "purpose": row.purpose,
        "cameras": [camera for camera, _digest in row.cameras],
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "ends": utc(row.ends_at_ns) if row.ends_at_ns is not None else None,
        "urgent": row.urgent,
        "confirmed": row.confirmed_at_ns is not None,
        "subjects": len(subjects_of(tx, row)),
        "discarded": row.discarded_at_ns is not None,
        "notice_due": utc(row.notify_due_ns) if row.notify_due_ns is not None and row.notified_at_ns is None else None,
    }


def listed(tx: Tx, actor: Actor, states: frozenset[State]) -> list[dict[str, object]]:
    """Return the authorisations in these states, newest first.

    Raises:
        RuleError: no role, or a token without the scope.
    """
    actor.require(*Role)
    actor.require_scope("read")
    rows = tx.find(Authorisation, state=[state.value for state in states])
    return [summary(tx, row) for row in sorted(rows, key=lambda row: row.created_at_ns, reverse=True)]


def shown(tx: Tx, keys: KeyStore, actor: Actor, row: Authorisation) -> dict[str, object]:
    """Return an authorisation as this actor may see it. Commit before its bytes leave: the look is an entry.

    Raises:
        RuleError: no role, or a token without the scope.
    """
    actor.require(*Role)
    actor.require_scope("read")
    told = summary(tx, row)
    if not any(actor.has(role) for role in (Role.REQUESTER, Role.APPROVER, Role.PRIVACY, Role.AUDITOR)):
        return told
    names = names_of(tx, keys)
    told |= {
        "authority": row.authority,
        "reference": row.reference,
        "decision": {"sha256": row.decision_sha256, "status": row.decision_status},
        "requester": row.requester,
        "requester_name": names.get(row.requester),
        "ended": utc(row.ended_at_ns) if row.ended_at_ns is not None else None,
        "why_ended": row.ended_why if sees_people(actor, row) else None,  # free text: it may name somebody
        "minor": row.minor,
        "content_hash": hash_of(tx, row),
        "approvals": _approvals(tx, row, names),
        "evidence": _evidence(tx, keys, actor, row),
    }
    if sees_people(actor, row) and State(row.state) not in OVER:
        told["people"] = _people(tx, keys, row)
        tx.entry("view.references", actor.account_id, {"authorisation": row.authorisation_id})
    judges = actor.has(Role.APPROVER) and not actor.may_be(row.requester)  # an own request is not theirs to judge
    if judges and sees_people(actor, row) and State(row.state) not in OVER:
        told["look_alikes"] = [_as_json(found) for found in look_alikes(tx, keys, row)]
    return told


def _evidence(tx: Tx, keys: KeyStore, actor: Actor, row: Authorisation) -> dict[str, object] | None:
    """Return what is searched instead of cameras; where it comes from, to whoever sees the people."""
    named = evidence.named_by(tx, row)
    if named is None:
        return None
    return {**evidence.summary(named), "note": evidence.note_of(keys, named) if sees_people(actor, row) else None}


def _approvals(tx: Tx, row: Authorisation, names: Mapping[str, str]) -> list[dict[str, object]]:
    given = approvals_of(tx, row.authorisation_id, "authorisation", hash_of(tx, row))
    return [{"account": one.account_id, "name": names.get(one.account_id), "at": utc(one.at_ns)} for one in given]


def _people(tx: Tx, keys: KeyStore, row: Authorisation) -> list[dict[str, object]]:
    people: list[dict[str, object]] = []
    for subject in subjects_of(tx, row):
        try:
            known = identity(keys, subject)
        except KeyDestroyed:
            continue
        references = tx.find(Reference, subject_id=subject.subject_id)
        images = [{"id": one.reference_id, "report": json.loads(one.report)} for one in references]
        people.append({"subject": subject.subject_id, **known, "minor": subject.minor, "references": images})
    return people


def reference_image(tx: Tx, keys: KeyStore, actor: Actor, reference_id: str) -> bytes:
    """Return a reference image to its requester or an approver. Commit before it leaves.

    Raises:
        RuleError: somebody else asks.
        KeyDestroyed: it is discarded.
    """
    reference = tx.get(Reference, reference_id)
    subject = tx.get(Subject, reference.subject_id)
    row = tx.get(Authorisation, subject.authorisation_id)
    if State(row.state) in OVER:
        raise KeyDestroyed("this authorisation has ended", remedy="what it held is destroyed")
    if not sees_people(actor, row):
        raise RuleError("this face is shown to the requester and to approvers", rule="faces", remedy="ask one of them")
    tx.entry("view.reference", actor.account_id, {"authorisation": row.authorisation_id, "reference": reference_id})
    return open_image(keys, subject, reference)


def look_alikes(tx: Tx, keys: KeyStore, row: Authorisation) -> list[LookAlike]:
    """Compare the people of a request with each other and with everybody else named: the impostor check."""
    rows = tx.find(Authorisation, state=[State.SUBMITTED.value, State.ACTIVE.value])
    others = [other for other in rows if other.authorisation_id != row.authorisation_id]
    mine = _templates(tx, keys, row)
    inside = _alike(mine, mine, row.authorisation_id)
    found = [one for one in inside if one.subject_id < one.other_subject_id]  # each pair once, nobody with themself
    for other in others:
        found += _alike(mine, _templates(tx, keys, other), other.authorisation_id)
    return sorted(found, key=lambda one: -one.similarity)


def _alike(mine: _Templates, theirs: _Templates, authorisation_id: str) -> list[LookAlike]:
    found = []
    for (subject_id, model_id), vectors in mine.items():
        for (other_id, other_model_id), compared in theirs.items():
            similarity = float((vectors @ compared.T).max()) if model_id == other_model_id else 0.0
            if similarity >= SAME_FACE:
                found.append(LookAlike(subject_id, other_id, authorisation_id, similarity))
    return found


def _templates(tx: Tx, keys: KeyStore, row: Authorisation) -> _Templates:
    """Return the templates of each subject and model: those of different models say nothing of each other."""
    gathered: dict[tuple[str, str], list[F32]] = {}
    for subject in subjects_of(tx, row):
        for one in tx.find(Reference, subject_id=subject.subject_id):
            with suppress(KeyDestroyed):
                gathered.setdefault((subject.subject_id, one.model_id), []).append(open_template(keys, subject, one))
    return {whom: np.stack(vectors) for whom, vectors in gathered.items()}


def _as_json(found: LookAlike) -> dict[str, object]:
    return {
        "subject": found.subject_id,
        "other_subject": found.other_subject_id,
        "other_authorisation": found.other_authorisation_id,
        "similarity": round(found.similarity, 3),
    }
