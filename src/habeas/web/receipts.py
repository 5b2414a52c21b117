"""Routes of receipts: made by operators, used by whoever holds the code, answered by approvers and privacy officers."""

import dataclasses

from fastapi import APIRouter, Response

from habeas.review import receipts
from habeas.types import utc
from habeas.web.bodies import CodeBody, CorrectBody, DisputeBody
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)
_WHAT = "receipt"


def _told(one: receipts.Standing | receipts.Duty) -> dict[str, object]:
    return {
        name.removesuffix("_ns"): utc(value) if name.endswith("_ns") and value is not None else value
        for name, value in dataclasses.asdict(one).items()
    }


@routes.post("/alerts/{alert_id}/receipt")
def make(call: Caller, alert_id: str) -> dict[str, object]:
    """Make a receipt for whoever was stopped; its code is told once."""
    with call.command() as (tx, actor):
        code = receipts.make_receipt(tx, actor, alert_id)
    return {"alert": alert_id, "code": code}


@routes.post("/receipts/show")
def show(call: Caller, body: CodeBody) -> dict[str, object]:
    """Say how the alert of a receipt stands; no account is needed, and no face is shown."""
    with call.holder(_WHAT) as tx:
        return _told(receipts.show(tx, body.code))


@routes.post("/receipts/freeze")
def freeze(call: Caller, body: CodeBody) -> dict[str, object]:
    """Freeze the alert of a receipt; no account is needed."""
    with call.holder(_WHAT) as tx:
        return _told(receipts.freeze(tx, call.node.keys, body.code))


@routes.post("/receipts/dispute")
def dispute(call: Caller, body: DisputeBody) -> dict[str, object]:
    """Dispute the alert of a receipt; no account is needed."""
    with call.holder(_WHAT) as tx:
        return _told(receipts.dispute(tx, call.node.keys, body.code, body.why))


@routes.post("/receipts/record")
def record(call: Caller, body: CodeBody) -> Response:
    """Return the sealed record of a frozen alert, which oversight alone opens; no account is needed."""
    with call.holder(_WHAT) as tx:
        sealed = receipts.take_record(tx, call.node.keys, body.code)
    return Response(sealed, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


@routes.get("/disputes")
def disputes(call: Caller) -> list[dict[str, object]]:
    """List disputed alerts whose recipients wait for a correction."""
    with call.look() as (tx, actor):
        return [_told(one) for one in receipts.disputes(tx, call.node.keys, actor)]


@routes.post("/alerts/{alert_id}/correct")
def correct(call: Caller, alert_id: str, body: CorrectBody) -> dict[str, object]:
    """Note who was told that an alert is disputed; it closes the duty."""
    with call.command() as (tx, actor):
        receipts.correct(tx, call.node.keys, actor, alert_id, body.recipients)
    return {"alert": alert_id, "corrected": True}
