"""Routes that say whether the node is well; `/healthz` is for anybody who reaches the socket, and says nothing else."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.get("/healthz")
def healthz(call: Caller) -> dict[str, object]:
    """Say that the node runs, which installation it is, and what time it goes by."""
    node = call.node
    return {"running": True, "workspace": node.workspace.workspace_id, "now_ns": node.time.now_ns()}


@routes.get("/status")
def status(call: Caller) -> dict[str, object]:
    """Say how cameras, workers and the clock stand, for anybody with a role."""
    with call.look() as (_tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
    return call.node.status()
