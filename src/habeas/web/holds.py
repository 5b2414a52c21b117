"""Routes of holds and of requests of the public. Pictures leave only once the entry of the playback is durable."""

from fastapi import APIRouter, Response

from habeas.footage import holds, playing, requests, showing
from habeas.footage.holds import Asked
from habeas.footage.playing import Held
from habeas.footage.requests import Plea
from habeas.node.node import Node
from habeas.store.footage_records import Hold
from habeas.web.bodies import ApproveBody, HoldBody, RequestBody, decoded
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/holds")
def propose(call: Caller, body: HoldBody) -> dict[str, object]:
    """Propose a hold. Nothing is preserved before two have approved it."""
    asked = Asked(
        asked_by=body.asked_by,
        reference=body.reference,
        why=body.why,
        cameras=tuple(body.cameras),
        from_ns=body.from_ns,
        until_ns=body.until_ns,
        ends_at_ns=body.ends_ns,
        decision=decoded(body.decision) if body.decision is not None else None,
        authorisation_id=body.authorisation,
        alert_id=body.alert,
        request_id=body.request,
    )
    with call.command(trusted=True) as (tx, actor):
        return showing.summary(holds.propose(tx, call.node.keys, actor, asked))


@routes.get("/holds")
def list_holds(call: Caller, everything: bool = False) -> list[dict[str, object]]:
    """List holds that are not over, or all; nobody is named."""
    with call.look() as (tx, actor):
        return [showing.summary(row) for row in showing.listed(tx, actor, everything=everything)]


@routes.get("/holds/{hold_id}")
def show(call: Caller, hold_id: str) -> dict[str, object]:
    """Show a hold as far as one may see it."""
    with call.look() as (tx, actor):
        return showing.shown(tx, call.node.keys, actor, tx.get(Hold, hold_id))


@routes.post("/holds/{hold_id}/approve")
def approve(call: Caller, hold_id: str, body: ApproveBody) -> dict[str, object]:
    """Approve what was shown; with the second approver its footage is copied at once."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return showing.summary(holds.approve(tx, actor, hold_id, body.content_hash))


@routes.post("/holds/{hold_id}/refuse")
def refuse(call: Caller, hold_id: str) -> dict[str, object]:
    """Refuse a proposal."""
    with call.command() as (tx, actor):
        return showing.summary(holds.refuse(tx, call.node.keys, actor, hold_id))


@routes.post("/holds/{hold_id}/release")
def release(call: Caller, hold_id: str, body: ApproveBody) -> dict[str, object]:
    """Say that a hold should end early; with the second approver who says so what it holds is destroyed."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return showing.summary(holds.release(tx, call.node.keys, actor, hold_id, body.content_hash))


@routes.get("/holds/{hold_id}/segments")
def segments(call: Caller, hold_id: str) -> list[dict[str, object]]:
    """List the segments of a hold; no picture is in this."""
    with call.look() as (tx, actor):
        call.node.time.require_trust()
        hold, now_ns = playing.playable(tx, actor, hold_id), tx.now_ns
    return playing.listed(_held(call.node), hold, now_ns)


@routes.get("/holds/{hold_id}/segments/{camera}/{segment}")
def play(call: Caller, hold_id: str, camera: str, segment: str) -> Response:
    """Play a segment: fragmented MP4."""
    with call.look() as (tx, actor):
        call.node.time.require_trust()
        row, now_ns = playing.playable(tx, actor, hold_id), tx.now_ns
    found = playing.found_in_hold(_held(call.node), row, camera, segment, now_ns)
    with call.command(trusted=True) as (tx, actor):
        data = playing.note_played(tx, actor, hold_id, found)
    return Response(data, media_type="video/mp4", headers={"Cache-Control": "no-store"})


def _held(node: Node) -> Held:
    return Held(node.footage.held, node.keys)


# --- requests of the public -------------------------------------------------------------------------------------------


@routes.post("/requests")
def receive(call: Caller, body: RequestBody) -> dict[str, object]:
    """Write down what somebody outside asks to be preserved. Nothing is."""
    plea = Plea(body.contact, body.why, tuple(body.cameras), body.from_ns, body.until_ns)
    with call.command(trusted=True) as (tx, actor):
        return requests.summary(requests.receive(tx, call.node.keys, actor, plea))


@routes.get("/requests")
def list_requests(call: Caller) -> list[dict[str, object]]:
    """List requests of the public; who asks, to privacy officers and whoever wrote it down."""
    with call.look() as (tx, actor):
        return requests.listed(tx, call.node.keys, actor)


@routes.post("/requests/{request_id}/verify")
def verify(call: Caller, request_id: str) -> dict[str, object]:
    """Say that whoever asks can be reached: the footage can be held for a day after its deadline."""
    with call.command(trusted=True) as (tx, actor):
        done = requests.verify(tx, call.node.keys, call.node.footage.folder, actor, request_id)
        return {**requests.summary(done.request), "given_before": done.given}


@routes.post("/requests/{request_id}/refuse")
def refuse_request(call: Caller, request_id: str) -> dict[str, object]:
    """Refuse a request; the contact is destroyed."""
    with call.command() as (tx, actor):
        return requests.summary(requests.refuse(tx, call.node.keys, actor, request_id))
