"""Routes of the policy, and of a clock that jumped."""

from typing import Any

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.authority import policy
from habeas.authority.approvals import approvals_of
from habeas.authority.jumps import approve_clock
from habeas.store import Tx
from habeas.store.records import Policy
from habeas.types import utc
from habeas.web.bodies import ApproveBody, PolicyBody
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


def _policy(tx: Tx, row: Policy) -> dict[str, Any]:
    digest = policy.policy_hash(row)
    return {
        "policy": row.policy_id,
        "number": row.number,
        "state": row.state,
        "ceilings": policy.as_values(row),
        "content_hash": digest,
        "proposed_by": row.proposed_by,
        "effective_from": utc(row.effective_from_ns) if row.effective_from_ns is not None else None,
        "approvals": [one.account_id for one in approvals_of(tx, row.policy_id, "policy", digest)],
    }


@routes.get("/policy")
def show_policy(call: Caller) -> dict[str, object]:
    """Show the ceilings in force, those that wait, and what is proposed."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        now = policy.policy_now(tx)
        later = [row for row in tx.find(Policy, state="active") if (row.effective_from_ns or 0) > tx.now_ns]
        open_ones = [row for row in tx.find(Policy, state="proposed") if row.based_on == now.number]
        return {
            "now": _policy(tx, now),
            "waiting": [_policy(tx, row) for row in later],
            "proposed": [_policy(tx, row) for row in open_ones],
        }


@routes.post("/policy")
def propose_policy(call: Caller, body: PolicyBody) -> dict[str, object]:
    """Propose other ceilings."""
    with call.command(trusted=True) as (tx, actor):
        return _policy(tx, policy.propose_policy(tx, actor, dict(body.changes)))


@routes.post("/policy/{policy_id}/approve")
def approve_policy(call: Caller, policy_id: str, body: ApproveBody) -> dict[str, object]:
    """Approve proposed ceilings."""
    with call.command(trusted=True) as (tx, actor):
        return _policy(tx, policy.approve_policy(tx, actor, policy_id, body.content_hash))


@routes.get("/clock")
def show_clock(call: Caller) -> dict[str, object]:
    """Say what time the installation goes by, and whether the clock is in doubt."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        time = call.node.time
        off_by_s = time.off_by_ns() / 1e9
        return {"now": utc(tx.now_ns), "jumped": time.jumped, "restored": time.restored, "off_by_s": off_by_s}


@routes.post("/clock/confirm")
def confirm_clock(call: Caller) -> dict[str, object]:
    """Say that the clock is right after a jump; the second approver who says so makes it count."""
    with call.command() as (tx, actor):
        done = approve_clock(tx, actor, call.node.time.off_by_ns())
        if done:
            call.node.confirm_clock(tx, actor)
    return {"confirmed": done}
