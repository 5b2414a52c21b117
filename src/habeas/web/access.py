"""Routes of access requests: somebody asks for the footage of themself."""

import base64
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from habeas.accounts.roles import Actor, Role
from habeas.accounts.staff import names_of
from habeas.authority.answering import DEFERRED, told_listings
from habeas.authority.approvals import approvals_of
from habeas.authority.requests import EnrolledImage
from habeas.errors import InputError, RuleError
from habeas.footage import access, findings, searches
from habeas.footage.access import Document, Plea, State
from habeas.node.enrolling import Given, enrol_batch
from habeas.node.node import Node
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Finding, FootageSearch
from habeas.types import seconds, utc
from habeas.web.bodies import AccessBody, ApproveBody, JudgeBody, decoded
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/access")
def open_request(call: Caller, body: AccessBody) -> dict[str, object]:
    """Open an access request; the photographs are examined first, each with a report."""
    with call.look() as (tx, actor):  # before a face is looked at: who may not ask learns nothing of it
        call.node.time.require_trust()
        access.check_plea(tx, actor, _plea(body, ()))
    given = Given(body.name, _born(body.born), tuple((photo.name, decoded(photo.data)) for photo in body.photos))
    batch = enrol_batch(call.node, [given], actor_id=actor.account_id, skip_refused=False)
    with call.command(trusted=True) as (tx, actor):
        row = access.open_request(tx, call.node.keys, actor, _plea(body, batch.people[0].images))
        return {**access.summary(row, tx.now_ns), "images": [one.as_json() for one in batch.reports]}


def _plea(body: AccessBody, photos: tuple[EnrolledImage, ...]) -> Plea:
    return Plea(
        name=body.name,
        born=_born(body.born),
        contact=body.contact,
        document=Document(body.document),
        photos=photos,
        cameras=tuple(body.cameras),
        from_ns=body.from_ns,
        until_ns=body.until_ns,
    )


def _born(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text} is no date", remedy="write the birth date as YYYY-MM-DD") from None


@routes.get("/access")
def list_requests(call: Caller) -> list[dict[str, object]]:
    """List access requests, newest first, each with its deadline and its search; nobody is named."""
    with call.look() as (tx, actor):
        actor.require(Role.PRIVACY, Role.APPROVER, Role.AUDITOR)
        actor.require_scope("read")
        rows = sorted(tx.find(AccessRequest), key=lambda row: (row.opened_at_ns, row.access_id), reverse=True)
        searched = {one.about_id: {"search": one.state, "findings": one.found} for one in tx.find(FootageSearch)}
        unsearched = {"search": None, "findings": 0}
        return [{**access.summary(row, tx.now_ns), **searched.get(row.access_id, unsearched)} for row in rows]


@routes.get("/access/{access_id}")
def show(call: Caller, access_id: str) -> dict[str, object]:
    """Show who asks, with the photographs, to privacy officers and approvers; the look is an entry."""
    with call.command(trusted=True) as (tx, actor):
        _check_sees(actor)
        row = access.open_now(tx, access_id, State.OPENED, State.APPROVED)
        keys, photos = call.node.keys, access.photos_of(tx, row)
        tx.entry("view.access", actor.account_id, {"access": access_id, "faces": len(photos)})
        names, content = names_of(tx, keys), access.hash_of(tx, row)
        given = approvals_of(tx, access_id, access.APPROVE, content)
        return {
            **access.summary(row, tx.now_ns),
            **access.asked_of(keys, row),
            "document": row.document,
            "opened_by": names.get(row.opened_by),
            "content_hash": content,
            "approvals": [{"name": names.get(one.account_id), "at": utc(one.at_ns)} for one in given],
            "photos": [base64.b64encode(access.image_of(keys, row, photo)).decode() for photo in photos],
        }


def _check_sees(actor: Actor) -> None:
    actor.require(Role.PRIVACY, Role.APPROVER)
    actor.require_login()


@routes.post("/access/{access_id}/approve")
def approve(call: Caller, access_id: str, body: ApproveBody) -> dict[str, object]:
    """Say that one checked who asks, in presence, and approves what was shown."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return access.summary(access.approve(tx, actor, access_id, body.content_hash), tx.now_ns)


@routes.post("/access/{access_id}/refuse")
def refuse(call: Caller, access_id: str) -> dict[str, object]:
    """Refuse a request."""
    with call.command() as (tx, actor):
        return access.summary(access.refuse(tx, call.node.keys, actor, access_id), tx.now_ns)


@routes.post("/access/{access_id}/close")
def close(call: Caller, access_id: str) -> dict[str, object]:
    """Close a request: what it holds is destroyed."""
    with call.command() as (tx, actor):
        return access.summary(access.close(tx, call.node.keys, actor, access_id), tx.now_ns)


# --- the search -------------------------------------------------------------------------------------------------------


@routes.post("/access/{access_id}/search")
def search(call: Caller, access_id: str) -> dict[str, object]:
    """Search the footage of a request, once; one that runs already goes on."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return _searched(tx, call.node, access.begin_search(tx, actor, access_id))


@routes.get("/access/{access_id}/search")
def show_search(call: Caller, access_id: str) -> dict[str, object]:
    """Say how far the search is, and what it came to."""
    with call.look() as (tx, actor):
        actor.require(Role.PRIVACY, Role.APPROVER, Role.AUDITOR)
        actor.require_scope("read")
        tx.get(AccessRequest, access_id)
        for found in tx.find(FootageSearch, about_id=access_id):
            return _searched(tx, call.node, found)
    raise InputError("its footage was not searched yet", remedy=f"habeas access search {access_id}")


def _searched(tx: Tx, node: Node, search: FootageSearch) -> dict[str, object]:
    row = tx.get(AccessRequest, search.about_id)
    done_ns = sum(searches.done_until_ns(search, one, row.from_ns) - row.from_ns for one in row.cameras)
    now = node.footage.accessing.progress(row.access_id)
    return {
        "access": row.access_id,
        "state": search.state,
        "camera": None if now is None else now[0],
        "done_s": seconds(done_ns + (0 if now is None else now[1])),
        "of_s": seconds(len(row.cameras) * (row.until_ns - row.from_ns)),
        "findings": search.found,
        **searches.counts(search),
    }


@routes.get("/access/{access_id}/findings")
def list_findings(call: Caller, access_id: str) -> list[dict[str, object]]:
    """List what was found, without pictures."""
    with call.look() as (tx, actor):
        return [findings.as_json(*one) for one in findings.listed(tx, call.node.keys, actor, access_id)]


@routes.get("/access/{access_id}/findings/{finding_id}")
def look(call: Caller, access_id: str, finding_id: str) -> dict[str, object]:
    """Show the picture of a finding beside the photographs; the look is an entry."""
    with call.command(trusted=True) as (tx, actor):
        keys = call.node.keys
        image = findings.look(tx, keys, actor, access_id, finding_id)
        row = access.open_now(tx, access_id, State.APPROVED)
        photos = [access.image_of(keys, row, photo) for photo in access.photos_of(tx, row)]
    return {
        "finding": finding_id,
        "image": base64.b64encode(image).decode(),
        "photos": [base64.b64encode(photo).decode() for photo in photos],
    }


@routes.post("/access/{access_id}/findings/{finding_id}")
def judge(call: Caller, access_id: str, finding_id: str, body: JudgeBody) -> dict[str, object]:
    """Say whether a finding shows whoever asks; of what does the footage is copied at once."""
    with call.command(trusted=True) as (tx, actor):
        finding = _again(tx, actor, access_id, finding_id, same=body.same)
        if finding is None:
            finding = findings.judge(tx, actor, access_id, finding_id, same=body.same)
    kept_s = call.node.footage.accessing.keep(access_id, finding_id) if body.same else 0.0
    return {"finding": finding_id, "state": finding.state, "kept_s": kept_s}


def _again(tx: Tx, actor: Actor, access_id: str, finding_id: str, *, same: bool) -> Finding | None:
    """Return a finding that was judged so before, and whose footage could not be copied then."""
    actor.require(Role.PRIVACY)
    actor.require_login()
    found = tx.find(Finding, finding_id=finding_id, access_id=access_id, state=findings.SAME) if same else []
    return found[0] if found else None


@routes.get("/access/{access_id}/listed")
def listed(
    call: Caller,
    access_id: str,
    from_ns: Annotated[int, Query(ge=0, lt=2**62)],
    until_ns: Annotated[int, Query(ge=0, lt=2**62)],
) -> dict[str, object]:
    """Answer whether whoever asks was listed between two instants, as far as that may be told."""
    with call.command(trusted=True) as (tx, actor):
        actor.require(Role.PRIVACY)
        actor.require_login()
        row = access.open_now(tx, access_id, State.APPROVED)
        if until_ns <= from_ns:
            raise RuleError("this interval ends before it begins", rule="interval", remedy="give --until after --from")
        asked = access.asked_of(call.node.keys, row)
        born = date.fromisoformat(asked["born"])
        told = list(told_listings(tx, call.node.keys, asked["name"], born, from_ns=from_ns, until_ns=until_ns))
        body = {"access": access_id, "from": utc(from_ns), "until": utc(until_ns)}
        tx.entry("access.answered", actor.account_id, body)
    return {**body, "listings": told, "deferred": DEFERRED}
