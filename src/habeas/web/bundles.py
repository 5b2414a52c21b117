"""Routes of bundles: what the log holds of an alert or an authorisation. An entry comes before the bytes."""

from fastapi import APIRouter, Response

from habeas.node.bundling import Gathered, bundle_of, gather
from habeas.web.calls import Call, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/alerts/{alert_id}/bundle")
def bundle_of_alert(call: Caller, alert_id: str) -> Response:
    """Return what the log holds of an alert, with proofs, for auditors and approvers; an entry says so before."""
    with call.command() as (tx, actor):
        gathered = gather(tx, actor, alert_id=alert_id)
    return _bundle(call, gathered)


@routes.post("/authorisations/{authorisation_id}/bundle")
def bundle_of_authorisation(call: Caller, authorisation_id: str) -> Response:
    """Return what the log holds of an authorisation and all its searches, also those that found nothing."""
    with call.command() as (tx, actor):
        gathered = gather(tx, actor, authorisation_id=authorisation_id)
    return _bundle(call, gathered)


def _bundle(call: Call, gathered: Gathered) -> Response:
    data = bundle_of(gathered, call.node.keys, call.node.log_folder)
    return Response(data, media_type="application/zip", headers={"Cache-Control": "no-store"})
