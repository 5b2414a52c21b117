"""Routes of suspensions."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.authority import suspensions
from habeas.store import Tx
from habeas.store.records import Suspension
from habeas.types import utc
from habeas.web.bodies import SuspendBody
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


def _told(tx: Tx, row: Suspension) -> dict[str, object]:
    now_ns = tx.now_ns
    ends_ns = suspensions.end_ns(row)
    over = ends_ns <= max(now_ns, row.from_ns)  # one that is lifted before it begins never does
    state = "over" if over else "ahead" if now_ns < row.from_ns else "in force"
    return {
        "suspension": row.suspension_id,
        "zones": list(row.zones),
        "cameras": list(row.cameras),
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "ends": utc(ends_ns),
        "state": state,
        "why": row.why,
        "lift": _lift(tx, row),
    }


def _lift(tx: Tx, row: Suspension) -> str | None:
    if row.lifted_from_ns is not None:
        return "lifted"
    return "proposed" if suspensions.first_to_lift(tx, row) else None


@routes.get("/suspensions")
def list_suspensions(call: Caller) -> list[dict[str, object]]:
    """List suspensions, for anybody with a role."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        return [_told(tx, row) for row in sorted(tx.find(Suspension), key=lambda row: row.from_ns)]


@routes.post("/suspensions")
def suspend(call: Caller, body: SuspendBody) -> dict[str, object]:
    """Suspend recognition at once."""
    with call.command() as (tx, actor):
        row = suspensions.impose(
            tx,
            call.node.keys,
            actor,
            zones=body.zones,
            cameras=body.cameras,
            from_ns=body.from_ns,
            until_ns=body.until_ns,
            why=body.why,
        )
        return _told(tx, row)


@routes.post("/suspensions/{suspension_id}/lift")
def lift(call: Caller, suspension_id: str) -> dict[str, object]:
    """Say that one should end early; the second privacy officer ends it in an hour."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return _told(tx, suspensions.propose_lift(tx, actor, suspension_id))
