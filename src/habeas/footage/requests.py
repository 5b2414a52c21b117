"""Requests of the public that footage be preserved: written down, verified, then a hold's, or lapsed.

A request preserves nothing by itself. Once a privacy officer says that whoever asks can be reached, its segments are
copied (`footage.gracing`) and can be held for a day after their deadline; nothing else reads these copies. A segment
gets that once, whoever asks. Who asks, and how they are reached, is under a key that ends with the request, and in no
entry.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

import rfc8785

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.footage.files import FootageFolder
from habeas.footage.holding import (
    GRACE_NS,
    RequestState,
    check_graces,
    check_interval,
    check_request,
    covered_ns,
    spans,
)
from habeas.footage.holds import check_cameras
from habeas.footage.reading import Window, headers_in
from habeas.footage.rows import footage_id
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.footage_records import Footage, PublicRequest
from habeas.store.queries import recorded_ns
from habeas.types import utc

_ASKED: Final = b"public request"
_COUNTED: Final = [RequestState.VERIFIED.value, RequestState.GRACED.value, RequestState.HELD.value]
_NOTHING: Final = "there is no footage of this camera and interval"


@dataclass(frozen=True, repr=False)
class Plea:
    """What somebody outside asks for.

    Args:
        contact: who they are, and how they are reached.
        why: what happened.
        cameras: by id.
        from_ns: first instant of the footage, Unix ns.
        until_ns: first instant after.
    """

    contact: str
    why: str
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int


@dataclass(frozen=True)
class Verified:
    """A request of which the contact is known.

    Args:
        request: as it is now.
        fresh: segments that last a day longer.
        given: segments that had that before, and get nothing.
    """

    request: PublicRequest
    fresh: int
    given: int


def receive(tx: Tx, keys: KeyStore, actor: Actor, plea: Plea) -> PublicRequest:
    """Write down what somebody asks for; nothing is preserved.

    Args:
        tx: the transaction.
        keys: gets a key for the contact.
        actor: a requester or a privacy officer.
        plea: what is asked.

    Raises:
        RuleError: somebody else writes, or it is for more than two camera-hours, or for what is not over.
        InputError: it says too little, or there is no such camera or footage.
        DiskError: a key could not be made durable.
    """
    actor.require(Role.PRIVACY, Role.REQUESTER)
    actor.require_login()
    if not (plea.contact.strip() and plea.why.strip() and plea.cameras):
        raise InputError(
            "a request says who asks, why, and of which cameras", remedy="give --contact, --why and --camera"
        )
    cameras = tuple(sorted(set(plea.cameras)))
    check_interval(tx.now_ns, plea.from_ns, plea.until_ns)
    check_cameras(tx, cameras)
    check_request(covered_ns(spans(cameras, plea.from_ns, plea.until_ns)))
    due_ns = max((row.deadline_ns for row in _rows(tx, cameras, plea.from_ns, plea.until_ns)), default=None)
    if due_ns is None:
        raise InputError(_NOTHING, remedy="see `habeas footage list`")
    key_id = keys.new(Scope.IDENTITY, due_ns)
    said = rfc8785.dumps({"contact": plea.contact.strip(), "why": plea.why.strip()})
    request = PublicRequest(
        request_id=new_id("req"),
        state=RequestState.RECEIVED.value,
        received_by=actor.account_id,
        received_at_ns=tx.now_ns,
        cameras=cameras,
        from_ns=plea.from_ns,
        until_ns=plea.until_ns,
        due_ns=due_ns,
        key_id=key_id,
        asked_sealed=keys.encrypt(key_id, said, _ASKED),
    )
    tx.add(request)
    body = {
        "cameras": list(cameras),
        "from": utc(plea.from_ns),
        "request": request.request_id,
        "until": utc(plea.until_ns),
    }
    tx.entry("request.received", actor.account_id, body)
    return request


def _rows(tx: Tx, cameras: Sequence[str], from_ns: int, until_ns: int) -> list[Footage]:
    """Return the camera-hours that may have some of this time, and are not due."""
    hours = {hour_ns for camera in cameras for hour_ns in Window(camera, from_ns, until_ns).hours()}
    names = {footage_id(camera, hour_ns) for camera in cameras for hour_ns in hours}
    return [row for row in tx.find(Footage, footage_id=names) if row.deadline_ns > tx.now_ns]


def verify(tx: Tx, keys: KeyStore, folder: FootageFolder, actor: Actor, request_id: str) -> Verified:
    """Say that whoever asks can be reached: from now on the footage lasts a day longer, for a hold.

    Args:
        tx: the transaction.
        keys: gets a key for each hour's copies.
        folder: where what is recorded lies.
        actor: a privacy officer.
        request_id: which.

    Raises:
        RuleError: somebody else says so, it is not open, had its day before, or is for more than may be kept.
        InputError: no such request, or its footage is gone.
        DiskError: a key could not be made durable.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    request = open_request(tx, request_id)
    deadlines, given = _fresh(tx, folder, request)
    running = [one for one in tx.find(PublicRequest, state=_COUNTED) if tx.now_ns < one.due_ns]
    asked = [span for one in (*running, request) for span in spans(one.cameras, one.from_ns, one.until_ns)]
    check_graces(covered_ns(asked), recorded_ns(tx))
    ends = {hour_ns: deadline_ns + GRACE_NS for _, hour_ns, deadline_ns in deadlines}
    made = keys.new_many(Scope.GRACE, list(ends.values()))
    request = tx.change(
        request,
        state=RequestState.VERIFIED.value,
        verified_by=actor.account_id,
        verified_at_ns=tx.now_ns,
        due_ns=max(ends.values()),
        segments=tuple(segment for segment, _, _ in deadlines),
        graces=tuple(zip(ends, made, strict=True)),
    )
    body = {"given_before": given, "request": request_id, "segments": len(deadlines), "until": utc(request.due_ns)}
    tx.entry("request.verified", actor.account_id, body)
    return Verified(request, len(deadlines), given)


def _fresh(tx: Tx, folder: FootageFolder, request: PublicRequest) -> tuple[list[tuple[str, int, int]], int]:
    """Return the segments of a request that had no grace, with hour and deadline of each, and how many had one.

    Raises:
        InputError: there is nothing.
        RuleError: all had one.
    """
    rows = _rows(tx, request.cameras, request.from_ns, request.until_ns)
    deadlines = {(row.camera_id, row.hour_ns): row.deadline_ns for row in rows}
    given = {segment for one in tx.find(PublicRequest) for segment in one.segments}
    found = [
        (one.segment, one.hour_ns, deadlines[camera, one.hour_ns])
        for camera in request.cameras
        for one in headers_in(folder, Window(camera, request.from_ns, request.until_ns))
        if (camera, one.hour_ns) in deadlines
    ]
    fresh = [one for one in found if one[0] not in given]
    if not found:
        raise InputError(_NOTHING, remedy="see `habeas footage list`")
    if not fresh:
        raise RuleError(
            "this footage had its day for an earlier request", rule="request-once", remedy="propose a hold of it"
        )
    return fresh, len(found) - len(fresh)


def refuse(tx: Tx, keys: KeyStore, actor: Actor, request_id: str) -> PublicRequest:
    """Refuse a request that is not verified: the contact is destroyed.

    Raises:
        RuleError: no privacy officer, or it is not open.
        InputError: no such request.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    request = open_request(tx, request_id)
    request = tx.change(request, state=RequestState.REFUSED.value, over_at_ns=tx.now_ns, asked_sealed=None)
    tx.entry("request.refused", actor.account_id, {"request": request_id})
    key_id = request.key_id

    def destroy() -> None:
        with suppress(DiskError):  # unusable here already; `footage.gracing` tries again until it is done
            keys.destroy([key_id])

    tx.after_commit(destroy)
    return request


def open_request(tx: Tx, request_id: str) -> PublicRequest:
    """Return a request that nobody has verified or refused.

    Raises:
        InputError: no such request.
        RuleError: it is not open.
    """
    request = tx.get(PublicRequest, request_id)
    if request.state != RequestState.RECEIVED.value or tx.now_ns >= request.due_ns:
        over = "over" if tx.now_ns >= request.due_ns else request.state
        raise RuleError(f"this request is {over}", rule="state", remedy="see `habeas footage request list`")
    return request


def listed(tx: Tx, keys: KeyStore, actor: Actor) -> list[dict[str, object]]:
    """Return the requests, newest first, JSON values; who asks, to privacy officers and whoever wrote it down.

    Raises:
        RuleError: another role, or a token without the scope.
    """
    actor.require(Role.PRIVACY, Role.REQUESTER, Role.APPROVER, Role.AUDITOR)
    actor.require_scope("read")
    rows = sorted(tx.find(PublicRequest), key=lambda row: (row.received_at_ns, row.request_id), reverse=True)
    return [{**summary(row), **(_asked_of(keys, row) if _sees(actor, row) else {})} for row in rows]


def _sees(actor: Actor, row: PublicRequest) -> bool:
    return not actor.by_token and (actor.has(Role.PRIVACY) or actor.owns(row.received_by))


def _asked_of(keys: KeyStore, row: PublicRequest) -> dict[str, str]:
    if row.asked_sealed is None:
        return {}
    try:
        return cast("dict[str, str]", json.loads(keys.decrypt(row.key_id, row.asked_sealed, _ASKED)))
    except KeyDestroyed:
        return {}


def summary(row: PublicRequest) -> dict[str, object]:
    """Return what is told of a request, JSON values; nobody is named."""
    return {
        "request": row.request_id,
        "state": row.state,
        "cameras": list(row.cameras),
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "due": utc(row.due_ns),
        "segments": len(row.segments),
    }
