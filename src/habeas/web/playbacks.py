"""Routes of the films of alerts. Pictures leave only once the entry that says so is durable."""

from fastapi import APIRouter, Response

from habeas.footage import playback
from habeas.store import Tx
from habeas.store.footage_records import Playback
from habeas.web.calls import Call, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


def _told(call: Call, tx: Tx, row: Playback) -> dict[str, object]:
    done_s = call.node.footage.playbacks.progress(row.alert_id)
    return {**playback.told(tx, call.node.keys, row), "done_s": done_s}


@routes.post("/alerts/{alert_id}/playback")
def ask(call: Caller, alert_id: str) -> dict[str, object]:
    """Have the seconds around an undecided alert made into a film: one head, all else a mosaic. Made once."""
    with call.command(trusted=True) as (tx, actor):
        return _told(call, tx, playback.ask(tx, call.node.keys, actor, alert_id))


@routes.get("/alerts/{alert_id}/playback")
def show(call: Caller, alert_id: str) -> dict[str, object]:
    """Say how far the film of an alert is, and what there is of it; no picture is in this."""
    with call.look() as (tx, actor):
        return _told(call, tx, playback.asked_for(tx, actor, alert_id))


@routes.get("/alerts/{alert_id}/playback/{number}")
def play(call: Caller, alert_id: str, number: int) -> Response:
    """Play a part of the film of an alert: MP4."""
    with call.look() as (tx, actor):
        call.node.time.require_trust()
        alert, row = playback.playable(tx, call.node.keys, actor, alert_id)
    data = call.node.footage.playbacks.film(alert, row, number)
    with call.command(trusted=True) as (tx, actor):
        playback.note_played(tx, call.node.keys, actor, alert_id, number)
    return Response(data, media_type="video/mp4", headers={"Cache-Control": "no-store"})
