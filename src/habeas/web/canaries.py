"""Routes of canaries: whether recognition answers where it may, and nowhere else."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.authority.breaches import clear_breach
from habeas.node.canaries import told_canaries
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.get("/canaries")
def list_canaries(call: Caller) -> dict[str, object]:
    """Say when each camera last recognised its canary, and whether recognition answered where it must not."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        return {"breached": call.node.canaries.breached, "cameras": told_canaries(tx)}


@routes.post("/canaries/clear")
def clear(call: Caller) -> dict[str, object]:
    """Say that recognition may compare again after a breach; the second approver who says so makes it count."""
    with call.command() as (tx, actor):
        done = clear_breach(tx, actor)
        if done:
            tx.after_commit(call.node.canaries.clear)
    return {"cleared": done}
