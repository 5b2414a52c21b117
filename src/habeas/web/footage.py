"""Routes of footage. What is recorded is listed; nothing of it comes out here."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.store.footage_records import Footage
from habeas.store.records import Camera
from habeas.types import seconds, utc
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.get("/footage")
def list_footage(call: Caller) -> dict[str, object]:
    """Say of which camera-hours there is footage, until when it is kept, and how recording stands."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        rows = [row for row in tx.find(Footage) if row.deadline_ns > tx.now_ns]
        zones = {one.camera_id: one.zone for one in tx.find(Camera, without=("record_sealed",))}
    states = call.node.supervisor.recordings()
    return {
        "stopped": call.node.recorder.stopped or None,
        "recording": {name: report.state.value for name, report in sorted(states.items())},
        "dropped": {name: one.dropped for name, report in sorted(states.items()) if (one := report.counters)},
        "hours": [
            {
                "camera": row.camera_id,
                "zone": zones.get(row.camera_id, ""),
                "hour": utc(row.hour_ns),
                "until": utc(row.until_ns),
                "deadline": utc(row.deadline_ns),
                "seconds": seconds(row.lasts_ns),
                "bytes": row.bytes_stored,
                "segments": row.segments,
            }
            for row in sorted(rows, key=lambda row: (row.camera_id, row.hour_ns))
        ],
    }
