"""Routes of cameras. Addresses go in, and never come out again."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.authority import cameras, suspensions
from habeas.authority.cameras import NewCamera, camera_named
from habeas.engine.orders import CameraReport
from habeas.node.node import Node
from habeas.node.sources import note_source
from habeas.store.records import Camera, Suspension
from habeas.types import utc
from habeas.video.address import CameraAddress, parse_address
from habeas.video.masks import Mask
from habeas.web.bodies import CameraBody
from habeas.web.calls import Call, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.get("/cameras")
def list_cameras(call: Caller) -> list[dict[str, object]]:
    """List cameras: where, why, and how they stand."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        rows, now_ns = tx.find(Camera, removed_at_ns=None), tx.now_ns
        all_suspensions = tx.find(Suspension)
        suspended_by = {row.camera_id: suspensions.binding(all_suspensions, row, now_ns) for row in rows}
    states = call.node.camera_states()
    shows_source = actor.has(Role.ADMIN)
    return [
        {
            **_camera(call.node, row, states.get(row.camera_id), shows_source=shows_source),
            "suspended_by": [_suspension(one) for one in suspended_by[row.camera_id]],
        }
        for row in rows
    ]


def _suspension(row: Suspension) -> dict[str, object]:
    return {"suspension": row.suspension_id, "ends": utc(suspensions.end_ns(row))}


def _camera(node: Node, row: Camera, state: CameraReport | None, *, shows_source: bool) -> dict[str, object]:
    return {
        "camera": row.camera_id,
        "zone": row.zone,
        "purpose": row.purpose,
        "source": row.public_url if shows_source else None,
        "records": row.record_sealed is not None,
        "reencode": row.reencode,
        "masks": [list(mask) for mask in row.masks],
        "min_face_px": row.min_face_px,
        "last_frames": utc(row.delivered_at_ns) if row.delivered_at_ns is not None else None,
        "state": state.state.value if state is not None else node.why_not_watched(row.camera_id),
        "flaws": node.flaws(row.camera_id)[-3:],
    }


@routes.post("/cameras")
def add_camera(call: Caller, body: CameraBody) -> dict[str, object]:
    """Add a camera."""
    with call.look() as (_tx, actor):  # before the transaction: no writer waits for a name server
        actor.require(Role.ADMIN)
        actor.require_scope("cameras")
    for edges in body.masks:
        Mask(*edges)
    new = NewCamera(
        name=body.name,
        zone=body.zone,
        purpose=body.purpose,
        detect=(body.url, _address(call, body.url)),
        record=(body.record_url, _address(call, body.record_url)) if body.record_url else None,
        masks=tuple(body.masks),
        min_face_px=body.min_face_px,
        reencode=body.reencode,
    )
    with call.command() as (tx, actor):
        row = cameras.add_camera(tx, call.node.keys, actor, new)
        for digest in cameras.sources_of(row):  # rather noted in vain than forgotten
            note_source(call.node.workspace.workspace_id, digest)
    return {"camera": row.camera_id, "source": row.public_url, "zone": row.zone}


def _address(call: Call, text: str) -> CameraAddress:
    return parse_address(text, call.node.workspace.address_rules())


@routes.post("/cameras/{name}/remove")
def remove_camera(call: Caller, name: str) -> dict[str, object]:
    """Remove a camera."""
    with call.command() as (tx, actor):
        cameras.remove_camera(tx, call.node.keys, actor, name)
    return {"removed": name}


@routes.post("/cameras/{name}/test")
def test_camera(call: Caller, name: str) -> dict[str, object]:
    """Open a camera and say what its stream is; no picture is decoded, no face looked for."""
    with call.command() as (tx, actor):
        actor.require(Role.ADMIN)
        actor.require_scope("cameras")
        row = camera_named(tx, name)
        tx.entry("camera.tested", actor.account_id, {"camera": name})
    return call.node.test_camera(row)
