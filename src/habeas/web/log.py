"""Routes of the audit log: how it stands, for everybody; what is in it, for auditors; a new epoch, by two approvers."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from habeas.accounts.roles import Role
from habeas.audit.openings import open_entry
from habeas.authority.epochs import Ended, approve_epoch, epoch_hash
from habeas.errors import InputError
from habeas.node.losing import entry_of
from habeas.node.publishing import LogState
from habeas.node.trees import files_of
from habeas.store import queries
from habeas.store.records import Epoch
from habeas.types import utc
from habeas.web.bodies import ApproveBody
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)
MOST: Final = 4096
"""Entries in one answer."""
_FILE: Final = re.compile(r"checkpoint|witnessed|tile/([0-9]|entries)/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?", re.ASCII)


def told_state(state: LogState) -> dict[str, object]:
    """Return how the log stands, JSON values."""
    return {
        "origin": state.origin,
        "key": state.vkey,
        "integrated": state.integrated,
        "signed": state.signed,
        "doubt": state.doubt or None,
        "witnessed": None if state.witnessed_at_ns is None else utc(state.witnessed_at_ns),
        "quorum": state.needed,
        "witnesses": [
            {"name": answer.witness, "cosigned": answer.cosigned is not None, "problem": answer.problem or None}
            for answer in state.answers
        ],
    }


@routes.get("/log")
def state(call: Caller) -> dict[str, object]:
    """Say how the log stands, for anybody with a role."""
    with call.look() as (_tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
    return told_state(call.node.log.state)  # not how many entries wait: that tells when somebody looks or judges


@routes.get("/log/epochs")
def epochs(call: Caller) -> list[dict[str, object]]:
    """List the epochs of the log, for anybody with a role."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        rows = tx.find(Epoch)
    return [
        {"number": row.number, "origin": row.origin, "vkey": row.vkey, "first_seq": row.first_seq, "prior": row.prior}
        for row in rows
    ]


@routes.get("/log/entries")
def entries(
    call: Caller,
    first: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> list[dict[str, object]]:
    """Return entries with what they open to, for auditors. Who reads is an entry, made before anything is returned."""
    with call.command() as (tx, actor):
        actor.require(Role.AUDITOR)
        actor.require_scope("read")
        rows = queries.entries_from(tx, first, limit)
        tx.entry("log.read", actor.account_id, {"first": first, "count": len(rows)})
    return [open_entry(call.node.keys, row).as_json() for row in rows]


@routes.get("/log/epochs/{number}/file")
def file(call: Caller, number: int, name: Annotated[str, Query(max_length=200)]) -> Response:
    """Return a file of an epoch's tree, for auditors. That they read leaves, public a day later, is an entry."""
    with call.command() as (tx, actor):
        actor.require(Role.AUDITOR)
        actor.require_scope("read")
        epoch = tx.get(Epoch, number)
        if not _FILE.fullmatch(name):
            raise InputError("the log has no such file", remedy="ask for checkpoint or tile/...")
        if "entries" in name:
            tx.entry("log.read", actor.account_id, {"file": name})
    data = files_of(call.node.log_folder, epoch).read(name)
    return Response(data, media_type="application/octet-stream")


@routes.get("/log/epochs/{number}/left-behind")
def left_behind(
    call: Caller,
    number: int,
    first: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> list[dict[str, object]]:
    """Return entries that only this epoch's log has since a restore, opened, for auditors. Who reads is an entry."""
    with call.command() as (tx, actor):
        actor.require(Role.AUDITOR)
        actor.require_scope("read")
        epoch = tx.get(Epoch, number)
        rows = queries.lost_entries(tx, epoch.number, first, limit)
        tx.entry("log.read", actor.account_id, {"count": len(rows), "epoch": epoch.number, "first": first})
    return [open_entry(call.node.keys, entry_of(row)).as_json() for row in rows]


@routes.get("/log/epoch")
def ended(call: Caller) -> dict[str, object]:
    """Say what a new epoch would begin after, for approvers. Only where the log is in doubt."""
    with call.look() as (_tx, actor):
        actor.require(Role.APPROVER)
        actor.require_scope("read")
        return _told_ended(call.node.log.ended())


def _told_ended(known: Ended) -> dict[str, object]:
    return {"prior": known.checkpoint, "first_seq": known.first_seq, "content_hash": epoch_hash(known)}


@routes.post("/log/epoch")
def begin(call: Caller, body: ApproveBody) -> dict[str, object]:
    """Say that the log begins anew after that checkpoint; with the second approver it does."""
    with call.command(trusted=True) as (tx, actor):
        actor.require(Role.APPROVER)
        actor.require_login()
        known = call.node.log.ended()
        begun = approve_epoch(tx, call.node.keys, actor, known, body.content_hash, call.node.log.origin)
    return {**_told_ended(known), "begun": begun is not None}
