"""Routes of authorisations: draft, submit, approve, refuse, revoke, renew, notices."""

from datetime import date
from typing import Final, Literal

from fastapi import APIRouter, Response

from habeas.accounts.roles import Actor, Role
from habeas.authority import authorisations, notices, reading, renewal, requests
from habeas.authority.cameras import cameras_of
from habeas.authority.evidence import stand_in, to_be_named
from habeas.authority.purposes import Purpose
from habeas.authority.requests import Draft, Person, State
from habeas.errors import InputError
from habeas.node.enrolling import Batch, Given, enrol_batch
from habeas.store import Tx
from habeas.store.queries import count_authorisations
from habeas.store.records import Authorisation, Camera
from habeas.types import utc
from habeas.web.bodies import (
    ApproveBody,
    CodeBody,
    DeferBody,
    DraftBody,
    ScopeBody,
    SubjectBody,
    WhyBody,
    decoded,
)
from habeas.web.calls import MORE, WITH_MORE, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/authorisations")
def draft(call: Caller, body: DraftBody) -> dict[str, object]:
    """Draft an authorisation: images are examined first, each with a report."""
    with call.look() as (tx, actor):  # before a face is looked at: who may not ask learns nothing of it
        actor.require(Role.REQUESTER)
        call.node.time.require_trust()
        people = tuple(Person(one.name, _born(one), ()) for one in body.subjects)
        authorisations.check_draft(tx, actor, _asked(tx, actor, body, people))
    given = [_given(one) for one in body.subjects]
    batch = enrol_batch(call.node, given, actor_id=actor.account_id, skip_refused=body.skip_refused)
    with call.command(trusted=True) as (tx, actor):
        made = authorisations.draft(tx, call.node.keys, actor, _asked(tx, actor, body, batch.people))
        told = reading.summary(tx, made.authorisation)
    return {**told, "images": _reports(batch), "consent_code": made.consent_code}


def _asked(tx: Tx, actor: Actor, body: DraftBody, people: tuple[Person, ...]) -> Draft:
    cameras, from_ns, until_ns = _where(tx, actor, body)
    return Draft(
        live=body.kind == "live",
        purpose=_purpose(body.purpose),
        authority=body.authority,
        reference=body.reference,
        decision=decoded(body.decision) if body.decision is not None else None,
        people=people,
        cameras=cameras,
        from_ns=from_ns,
        until_ns=until_ns,
        urgent=body.urgent,
        minor=body.minor,
    )


def _where(tx: Tx, actor: Actor, body: DraftBody) -> tuple[tuple[Camera, ...], int, int]:
    """Return where to look, and the interval: cameras, or evidence in the place of one."""
    if body.evidence is not None:
        if body.zones or body.cameras or body.from_ns is not None or body.until_ns is not None:
            raise InputError(
                "evidence is searched whole, by itself", remedy="name no camera, zone, or interval with it"
            )
        row = to_be_named(tx, actor, body.evidence)
        return (stand_in(row),), row.from_ns, row.until_ns
    if body.from_ns is None or body.until_ns is None:
        raise InputError("this says no interval", remedy="give --from and --until")
    return tuple(cameras_of(tx, body.zones, body.cameras)), body.from_ns, body.until_ns


def _purpose(name: str) -> Purpose:
    try:
        return Purpose(name)
    except ValueError:
        known = ", ".join(purpose.value for purpose in Purpose)
        raise InputError(f"no such purpose: {name}", remedy=f"one of {known}") from None


def _born(body: SubjectBody) -> date:
    try:
        return date.fromisoformat(body.born)
    except ValueError:
        raise InputError(f"{body.born} is no date", remedy="write the birth date as YYYY-MM-DD") from None


def _given(body: SubjectBody) -> Given:
    return Given(body.name, _born(body), tuple((image.name, decoded(image.data)) for image in body.images))


def _reports(batch: Batch) -> list[dict[str, object]]:
    return [report.as_json() for report in batch.reports]


_SHOWN: Final = {"open": frozenset(State) - requests.OVER, "ended": requests.OVER, "all": frozenset(State)}


@routes.get("/authorisations", responses=WITH_MORE)
def list_authorisations(
    call: Caller, response: Response, which: Literal["open", "ended", "all"] = "open"
) -> list[dict[str, object]]:
    """List open authorisations, those that have ended, or all; tell how many are not shown."""
    states = _SHOWN[which]
    with call.look() as (tx, actor):
        rows = reading.listed(tx, actor, states)
        response.headers[MORE] = str(count_authorisations(tx, {state.value for state in set(State) - states}))
    return rows


@routes.get("/authorisations/{authorisation_id}")
def show(call: Caller, authorisation_id: str) -> dict[str, object]:
    """Show an authorisation as far as one may see it; a look at people is an entry."""
    with call.command(trusted=True) as (tx, actor):
        return reading.shown(tx, call.node.keys, actor, tx.get(Authorisation, authorisation_id))


@routes.get("/references/{reference_id}")
def reference(call: Caller, reference_id: str) -> Response:
    """Show a reference image to its requester or an approver."""
    with call.command(trusted=True) as (tx, actor):
        image = reading.reference_image(tx, call.node.keys, actor, reference_id)
    return Response(image, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


@routes.post("/authorisations/{authorisation_id}/amend")
def amend(call: Caller, authorisation_id: str, body: ScopeBody) -> dict[str, object]:
    """Change the end and the cameras of one's own open request."""
    with call.command(trusted=True) as (tx, actor):
        cameras = cameras_of(tx, body.zones, body.cameras)
        row = authorisations.amend(tx, actor, authorisation_id, until_ns=body.until_ns, cameras=cameras)
        return reading.summary(tx, row)


@routes.post("/authorisations/{authorisation_id}/submit")
def submit(call: Caller, authorisation_id: str) -> dict[str, object]:
    """Ask for approval."""
    with call.command(trusted=True) as (tx, actor):
        return reading.summary(tx, authorisations.submit(tx, call.node.keys, actor, authorisation_id))


@routes.post("/authorisations/{authorisation_id}/approve")
def approve(call: Caller, authorisation_id: str, body: ApproveBody) -> dict[str, object]:
    """Approve what was shown."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        row = authorisations.approve(tx, call.node.keys, actor, authorisation_id, body.content_hash)
        return reading.summary(tx, row)


@routes.post("/authorisations/{authorisation_id}/refuse")
def refuse(call: Caller, authorisation_id: str, body: WhyBody) -> dict[str, object]:
    """Refuse a request."""
    with call.command() as (tx, actor):
        return reading.summary(tx, authorisations.refuse(tx, call.node.keys, actor, authorisation_id, body.why))


@routes.post("/authorisations/{authorisation_id}/revoke")
def revoke(call: Caller, authorisation_id: str, body: WhyBody) -> dict[str, object]:
    """End one at once."""
    with call.command() as (tx, actor):
        return reading.summary(tx, authorisations.revoke(tx, call.node.keys, actor, authorisation_id, body.why))


@routes.post("/authorisations/{authorisation_id}/renew")
def renew(call: Caller, authorisation_id: str, body: ScopeBody) -> dict[str, object]:
    """Draft one that goes on where this one ends; it takes approvals of its own."""
    with call.command(trusted=True) as (tx, actor):
        cameras = tuple(cameras_of(tx, body.zones, body.cameras)) if body.zones or body.cameras else None
        made = renewal.renew(tx, call.node.keys, actor, authorisation_id, until_ns=body.until_ns, cameras=cameras)
        return {**reading.summary(tx, made.authorisation), "consent_code": made.consent_code}


@routes.post("/consent/end")
def end_consent(call: Caller, body: CodeBody) -> dict[str, object]:
    """End a consent with its code; no account is needed."""
    with call.holder("consent") as tx:
        row = authorisations.end_consent(tx, call.node.keys, body.code)
    return {"ended": row.authorisation_id}


@routes.get("/notices")
def list_notices(call: Caller) -> list[dict[str, object]]:
    """List whose people are still to be told that they were looked for."""
    with call.look() as (tx, actor):
        actor.require(Role.REQUESTER, Role.APPROVER, Role.PRIVACY, Role.AUDITOR)
        actor.require_scope("read")
        return [{"authorisation": row.authorisation_id, "due": utc(row.notify_due_ns or 0)} for row in notices.due(tx)]


@routes.post("/authorisations/{authorisation_id}/notified")
def notified(call: Caller, authorisation_id: str) -> dict[str, object]:
    """Note that the people named were told."""
    with call.command() as (tx, actor):
        return reading.summary(tx, notices.note_notified(tx, actor, authorisation_id))


@routes.post("/authorisations/{authorisation_id}/defer")
def defer(call: Caller, authorisation_id: str, body: DeferBody) -> dict[str, object]:
    """Approve that the notice waits."""
    with call.command() as (tx, actor):
        return reading.summary(tx, notices.defer(tx, actor, authorisation_id, body.days, body.why))
