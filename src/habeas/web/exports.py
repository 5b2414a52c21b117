"""Routes of exports of footage. Pictures leave only once the entry that says so is durable."""

from fastapi import APIRouter, Response

from habeas.accounts.roles import Role
from habeas.accounts.staff import names_of
from habeas.authority.approvals import approvals_of
from habeas.footage import exports
from habeas.footage.exports import Asked, Box, State
from habeas.node.node import Node
from habeas.store import Tx
from habeas.store.footage_records import Export, Hold
from habeas.types import seconds, utc
from habeas.web.bodies import ApproveBody, BoxBody, BoxesBody, ExportBody, FetchBody, RecipientBody, decoded
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/exports")
def begin(call: Caller, body: ExportBody) -> dict[str, object]:
    """Have footage redacted for an export. Nothing leaves before it was proposed, and two approved it."""
    asked = Asked(
        about=body.about,
        cameras=tuple(body.cameras),
        from_ns=body.from_ns,
        until_ns=body.until_ns,
        boxes=tuple(map(_box, body.boxes)),
        decision=decoded(body.decision) if body.decision is not None else None,
    )
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return _told(tx, call.node, exports.begin(tx, call.node.keys, actor, asked))


def _box(body: BoxBody) -> Box:
    left, top, right, bottom = body.box
    return Box(body.camera, body.from_ns, body.until_ns, (left, top, right, bottom), body.spare)


def _told(tx: Tx, node: Node, row: Export) -> dict[str, object]:
    """Say what everybody may know of an export, and how far it is."""
    done_s = node.footage.exporting.progress(row.export_id)
    return {**exports.summary(row), "done_s": done_s, "of_s": _of_s(tx, row)}


def _of_s(tx: Tx, row: Export) -> float | None:
    """Return how much is redacted at most; None: of a request only what was found, and of a whole film nothing."""
    if row.unredacted:
        return None
    asked_ns = len(row.cameras) * (row.until_ns - row.from_ns)
    return next((seconds(min(asked_ns, hold.lasts_ns)) for hold in tx.find(Hold, hold_id=row.about)), None)


@routes.get("/exports")
def list_exports(call: Caller, everything: bool = False) -> list[dict[str, object]]:
    """List exports that are not over, or all, newest first; nobody is named."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        over = {state.value for state in exports.OVER}
        rows = [row for row in tx.find(Export) if everything or row.state not in over]
        return [_told(tx, call.node, row) for row in sorted(rows, key=lambda row: (-row.made_at_ns, row.export_id))]


@routes.get("/exports/{export_id}")
def show(call: Caller, export_id: str) -> dict[str, object]:
    """Show an export with its reports, to whoever had it made, approvers and privacy officers; no picture is in it."""
    with call.look() as (tx, actor):
        row, keys = tx.get(Export, export_id), call.node.keys
        exports.check_sees(tx, actor, row)
        told = _told(tx, call.node, row)
        if State(row.state) in exports.OVER:
            return told
        names, content = names_of(tx, keys), exports.hash_of(keys, row)
        given = approvals_of(tx, export_id, exports.APPROVE, content)
        return {
            **told,
            "recipient": row.recipient or None,
            "requester": names.get(row.requester),
            "decision": row.decision_sha256,
            "content_hash": content if row.state == State.PROPOSED.value else None,
            "approvals": [{"name": names.get(one.account_id), "at": utc(one.at_ns)} for one in given],
            "list": [
                {"name": name, "camera": camera, "began": utc(from_ns), "until": utc(until_ns), "sha256": sha256}
                for name, camera, from_ns, until_ns, sha256 in row.films
            ],
            "reports": exports.reports_of(keys, row),
        }


@routes.post("/exports/{export_id}/boxes")
def add_boxes(call: Caller, export_id: str, body: BoxesBody) -> dict[str, object]:
    """Add boxes by hand: it is redacted again, and what was proposed is void."""
    with call.command(trusted=True) as (tx, actor):
        row = exports.add_boxes(tx, call.node.keys, actor, export_id, tuple(map(_box, body.boxes)))
        return _told(tx, call.node, row)


@routes.get("/exports/{export_id}/films/{number}")
def play(call: Caller, export_id: str, number: int) -> Response:
    """Play a film of an export: MP4. It is looked at before it is proposed or approved."""
    with call.look() as (tx, actor):
        call.node.time.require_trust()
        row = exports.playable(tx, actor, export_id)
    data = call.node.footage.exporting.film(row, number)
    with call.command(trusted=True) as (tx, actor):
        exports.playable(tx, actor, export_id)
        name, camera, from_ns, until_ns, _sha256 = row.films[number]
        body = {"camera": camera, "export": export_id, "film": name, "from": utc(from_ns), "until": utc(until_ns)}
        tx.entry("export.played", actor.account_id, body)
    return Response(data, media_type="video/mp4", headers={"Cache-Control": "no-store"})


@routes.post("/exports/{export_id}/propose")
def propose(call: Caller, export_id: str, body: RecipientBody) -> dict[str, object]:
    """Propose that it is given to a recipient."""
    with call.command(trusted=True) as (tx, actor):
        return _told(tx, call.node, exports.propose(tx, call.node.keys, actor, export_id, body.recipient))


@routes.post("/exports/{export_id}/approve")
def approve(call: Caller, export_id: str, body: ApproveBody) -> dict[str, object]:
    """Approve what was shown; with the second approver it may be fetched."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return _told(tx, call.node, exports.approve(tx, call.node.keys, actor, export_id, body.content_hash))


@routes.post("/exports/{export_id}/refuse")
def refuse(call: Caller, export_id: str) -> dict[str, object]:
    """Refuse what is proposed: its films are destroyed."""
    with call.command() as (tx, actor):
        return _told(tx, call.node, exports.refuse(tx, call.node.keys, actor, export_id))


@routes.post("/exports/{export_id}/discard")
def discard(call: Caller, export_id: str) -> dict[str, object]:
    """Discard an export of one's own that nobody has fetched: its films are destroyed."""
    with call.command() as (tx, actor):
        return _told(tx, call.node, exports.discard(tx, call.node.keys, actor, export_id))


@routes.post("/exports/{export_id}/fetch")
def fetch(call: Caller, export_id: str, body: FetchBody) -> Response:
    """Return an approved export, encrypted to its recipient."""
    with call.look() as (tx, actor):
        row = exports.fetchable(tx, call.node.keys, actor, export_id)
    data = call.node.footage.exporting.parcel(row, call.node.log_folder, body.passphrase)
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        exports.note_fetched(tx, call.node.keys, actor, export_id, len(data))
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
