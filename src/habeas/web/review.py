"""Routes of alerts and verdicts. Faces leave only once the entry of the look is durable."""

import base64
import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query, Response

from habeas.errors import InputError
from habeas.node.drifting import step_decided
from habeas.review import queue
from habeas.review.queue import MOST_FOUND, Facts
from habeas.review.table import Answer, State
from habeas.review.verdicts import give_verdict
from habeas.store import Tx
from habeas.store.records import Alert, Authorisation
from habeas.types import utc
from habeas.web.bodies import VerdictBody
from habeas.web.calls import MORE, WITH_MORE, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


def _told(facts: Facts) -> dict[str, object]:
    values = dataclasses.asdict(facts)
    times = {name: utc(value) for name, value in values.items() if name.endswith("_ns") and value is not None}
    return {name.removesuffix("_ns"): times.get(name, value) for name, value in values.items()}


@routes.get("/review", responses=WITH_MORE)
def waiting(
    call: Caller,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> list[dict[str, object]]:
    """List the alerts that wait for this person's verdict: the urgent first, of the same urgency the newest."""
    with call.look() as (tx, actor):
        found = queue.queue(tx, actor)
    page = found[offset : offset + limit]
    response.headers[MORE] = str(len(found) - len(page))
    return [_told(facts) for facts in page]


@routes.get("/alerts")
def search(
    call: Caller,
    camera: str = "",
    state: str = "",
    from_ns: int = 0,
    until_ns: int = 2**62,
    limit: int = 100,
) -> list[dict[str, object]]:
    """Find past alerts by camera, time and outcome; no faces."""
    if state and state not in {one.value for one in State}:
        raise InputError(f"no such outcome: {state}", remedy=f"one of {', '.join(one.value for one in State)}")
    with call.look() as (tx, actor):
        found = queue.search(
            tx,
            actor,
            cameras=[camera] if camera else [],
            from_ns=from_ns,
            until_ns=until_ns,
            states={State(state)} if state else frozenset(State),
            limit=limit,
        )
        return [_told(facts) for facts in found]


@routes.get("/alerts/{alert_id}")
def show(call: Caller, alert_id: str) -> dict[str, object]:
    """Show an alert beside its references."""
    with call.command(trusted=True) as (tx, actor):
        shown = queue.show(tx, call.node.keys, actor, alert_id)
        until_ns = _pictures_until(tx, alert_id)
    image = shown.image
    return {
        **_told(shown.facts),
        "pictures_until": None if until_ns is None else utc(until_ns),
        "image": base64.b64encode(image).decode() if image is not None else None,
        "references": [base64.b64encode(reference).decode() for reference in shown.references],
    }


def _pictures_until(tx: Tx, alert_id: str) -> int | None:
    """Return when the pictures of an alert are destroyed at the latest: in time, or with their authorisation.

    None: they are.
    """
    alert = tx.get(Alert, alert_id)
    if alert.authorisation_id is None or alert.destroyed_at_ns is not None:
        return None
    row = tx.get(Authorisation, alert.authorisation_id)
    return min(alert.expires_at_ns, row.ends_at_ns or row.until_ns)


@routes.post("/alerts/{alert_id}/verdict")
def verdict(call: Caller, alert_id: str, body: VerdictBody) -> dict[str, object]:
    """Say whether it is the same person. What others said stays unseen."""
    answer = Answer(body.verdict.replace("-", " "))
    with call.command(trusted=True) as (tx, actor):
        before = tx.get(Alert, alert_id)
        give_verdict(tx, call.node.keys, actor, alert_id, answer, lookalike=body.lookalike)
        step_decided(tx, call.node.calibration, before, call.node.tell)
    return {"alert": alert_id, "taken": True}
