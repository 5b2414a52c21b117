"""The life of a hold: proposed by one, approved by two, kept until its end; or refused, lapsed, released.

Each command is one transaction. Who approves names the hash of what they were shown. Of an approved hold the footage is
copied under a key of its own (`footage.keeping`), which ends with it: no deadline of what was recorded moves.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, cast

import rfc8785

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.audit.hiding import hide
from habeas.authority.approvals import approvals_of, approve_object, said_by_two
from habeas.authority.requests import OVER as AUTHORISATION_OVER
from habeas.authority.requests import State as Asking
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.footage.holding import (
    AROUND_NS,
    REQUEST_OVER,
    RUNNING,
    RequestState,
    Span,
    State,
    began_ns,
    check_interval,
    check_share,
    check_term,
    covered_ns,
    due_ns,
    spans,
)
from habeas.keys import KeyStore, Scope
from habeas.review.table import State as AlertState
from habeas.store import Tx
from habeas.store.footage_records import Footage, Hold, PublicRequest
from habeas.store.queries import FACES, recorded_ns
from habeas.store.records import Alert, Authorisation, Camera
from habeas.types import NS_PER_S, utc

APPROVE: Final = "hold"
RELEASE: Final = "release-hold"
_TWO: Final = 2
_RUNNING: Final = [state.value for state in RUNNING]
_ASKED: Final = b"asked"
_UNCOUNTED_NS: Final = 300 * NS_PER_S
"""A segment that is being recorded is in no row yet, and ends after this."""


@dataclass(frozen=True, repr=False)
class Asked:
    """What a hold is asked to be.

    Args:
        asked_by: who asks: an authority, a court, one of the public.
        reference: their number.
        why: the reason.
        cameras: by id; none: that of the alert.
        from_ns: first instant of the footage, Unix ns; None: half a minute before the alert.
        until_ns: first instant after; None: half a minute after the alert.
        ends_at_ns: when the hold ends.
        decision: the court document that lets it last for longer than 93 days in all.
        authorisation_id: the only one that may search it; None: none may.
        alert_id: a confirmed alert that it is about.
        request_id: the request of the public that it answers.
    """

    asked_by: str
    reference: str
    why: str
    cameras: tuple[str, ...]
    from_ns: int | None
    until_ns: int | None
    ends_at_ns: int
    decision: bytes | None = None
    authorisation_id: str | None = None
    alert_id: str | None = None
    request_id: str | None = None


def propose(tx: Tx, keys: KeyStore, actor: Actor, asked: Asked) -> Hold:
    """Ask for a hold. Nothing is preserved yet.

    Args:
        tx: the transaction.
        keys: gets the hold's key.
        actor: a requester or a privacy officer.
        asked: what for.

    Raises:
        RuleError: somebody else asks, or it is more than a hold may be.
        InputError: what is asked cannot be: there is no such footage, camera, alert, authorisation or request.
        DiskError: a key could not be made durable.
    """
    actor.require(Role.REQUESTER, Role.PRIVACY)
    actor.require_scope("draft")
    if not (asked.asked_by.strip() and asked.reference.strip() and asked.why.strip()):
        raise InputError("a hold says who asks, their reference, and why", remedy="give --asked-by, --reference, --why")
    if asked.decision == b"":
        raise InputError("the decision is an empty file", remedy="give the document itself: --decision")
    cameras, from_ns, until_ns = _about(tx, actor, asked)
    check_interval(tx.now_ns, from_ns, until_ns)
    _check_named(tx, asked)
    hold = _made(tx, actor, asked, (cameras, from_ns, until_ns))
    check_now(tx, hold)
    hold = _sealed(keys, hold, asked)
    tx.add(hold)
    tx.entry("hold.proposed", actor.account_id, _facts(hold), hide(keys, hold.key_id, hidden_of(keys, hold)))
    return hold


def _about(tx: Tx, actor: Actor, asked: Asked) -> tuple[tuple[str, ...], int, int]:
    """Return the cameras and the interval that are meant."""
    cameras, from_ns, until_ns = asked.cameras, asked.from_ns, asked.until_ns
    if asked.alert_id is not None:
        alert = _confirmed(tx, actor, asked.alert_id)
        cameras = cameras or (alert.camera_id,)
        from_ns = alert.captured_at_ns - AROUND_NS if from_ns is None else from_ns
        until_ns = alert.captured_at_ns + AROUND_NS if until_ns is None else until_ns
    elif asked.request_id is not None:
        request = tx.get(PublicRequest, asked.request_id)
        cameras = cameras or request.cameras
        from_ns = request.from_ns if from_ns is None else from_ns
        until_ns = request.until_ns if until_ns is None else until_ns
    if not cameras or from_ns is None or until_ns is None:
        remedy = "give --camera, --from and --until, or --alert, or --request"
        raise InputError("a hold names cameras and an interval", remedy=remedy)
    check_cameras(tx, cameras)
    return tuple(sorted(set(cameras))), from_ns, until_ns


def check_cameras(tx: Tx, cameras: tuple[str, ...]) -> None:
    """Check that there are, or were, these cameras.

    Raises:
        InputError: one was never there.
    """
    known = {one.camera_id for one in tx.find(Camera, camera_id=set(cameras), without=("record_sealed",))}
    for name in cameras:
        if name not in known:
            raise InputError(f"no such camera: {name}", remedy="see `habeas footage list`")


def _confirmed(tx: Tx, actor: Actor, alert_id: str) -> Alert:
    """Return an alert that a hold may name: a confirmed one, of one's own request unless for a privacy officer."""
    found = tx.find(Alert, without=FACES, alert_id=alert_id)
    rows = tx.find(Authorisation, authorisation_id=found[0].authorisation_id) if found else []
    own = any(actor.owns(row.requester) for row in rows)
    if not found or not (own or actor.has(Role.PRIVACY)):
        raise InputError(f"no such alert of a request of yours: {alert_id}", remedy="ask a privacy officer")
    if found[0].state != AlertState.CONFIRMED.value:
        raise RuleError(
            "a hold may name a confirmed alert", rule="hold-alert", remedy="wait for the verdicts, or name none"
        )
    return found[0]


def _check_named(tx: Tx, asked: Asked) -> None:
    """Check the authorisation and the request that a hold names."""
    if asked.authorisation_id is not None:
        row = tx.get(Authorisation, asked.authorisation_id)
        if row.kind != "retrospective" or Asking(row.state) in AUTHORISATION_OVER:
            raise RuleError(
                "only an open authorisation to search footage can search a hold",
                rule="hold-authorisation",
                remedy="draft one: habeas authorise new --kind retrospective",
            )
    if asked.request_id is not None and RequestState(tx.get(PublicRequest, asked.request_id).state) in REQUEST_OVER:
        raise RuleError("this request is over", rule="state", remedy="see `habeas footage request list`")


def _made(tx: Tx, actor: Actor, asked: Asked, about: tuple[tuple[str, ...], int, int]) -> Hold:
    cameras, from_ns, until_ns = about
    return Hold(
        hold_id=new_id("hold"),
        state=State.PROPOSED.value,
        requester=actor.account_id,
        cameras=cameras,
        from_ns=from_ns,
        until_ns=until_ns,
        ends_at_ns=asked.ends_at_ns,
        proposed_at_ns=tx.now_ns,
        key_id="",
        asked_sealed=None,
        commitment="",
        decision_sha256=None if asked.decision is None else hashlib.sha256(asked.decision).hexdigest(),
        authorisation_id=asked.authorisation_id,
        alert_id=asked.alert_id,
        request_id=asked.request_id,
    )


def _sealed(keys: KeyStore, hold: Hold, asked: Asked) -> Hold:
    """Return a proposal with its key, and with what is said of it under that."""
    texts = {"asked_by": asked.asked_by, "reference": asked.reference, "why": asked.why}
    said = rfc8785.dumps({name: text.strip() for name, text in texts.items()})
    key_id = keys.new(Scope.HOLD, due_ns(hold))
    sealed, commitment = keys.encrypt(key_id, said, _ASKED), keys.hmac(key_id, said).hex()
    return replace(hold, key_id=key_id, asked_sealed=sealed, commitment=commitment)


def asked_of(keys: KeyStore, hold: Hold) -> dict[str, str]:
    """Return who asks, their reference and why; nothing once that is gone."""
    if hold.asked_sealed is None:
        return {}
    try:
        return cast("dict[str, str]", json.loads(keys.decrypt(hold.key_id, hold.asked_sealed, _ASKED)))
    except KeyDestroyed:
        return {}


def check_now(tx: Tx, hold: Hold) -> int:
    """Check a hold against the time, other holds and what is recorded now.

    Returns:
        when preserving of any of its footage began, Unix ns.

    Raises:
        RuleError: it is for too long, or too much is held.
        InputError: nothing of it is there to be held.
    """
    running = tx.find(Hold, state=_RUNNING)
    since_ns = began_ns(running, hold, tx.now_ns)
    check_term(tx.now_ns, since_ns, hold.ends_at_ns, has_decision=hold.decision_sha256 is not None)
    if not _is_there(tx, hold, running):
        raise InputError("there is no footage of this camera and interval", remedy="see `habeas footage list`")
    held = [span for one in (*running, hold) for span in spans(one.cameras, one.from_ns, one.until_ns)]
    check_share(covered_ns(held), recorded_ns(tx))
    return since_ns


def _is_there(tx: Tx, hold: Hold, running: list[Hold]) -> bool:
    """Tell whether there may be footage that a hold can be copied from."""
    graced = tx.find(PublicRequest, state=[RequestState.GRACED.value, RequestState.HELD.value])
    there = [span for one in running for span in spans(one.cameras, one.from_ns, one.until_ns)]
    there += [span for one in graced for span in spans(one.cameras, one.from_ns, one.until_ns)]
    there += [
        Span(row.camera_id, row.hour_ns, row.until_ns + _UNCOUNTED_NS)
        for row in tx.find(Footage, camera_id=set(hold.cameras))
        if row.deadline_ns > tx.now_ns
    ]
    return any(
        one.camera_id in hold.cameras and one.from_ns < hold.until_ns and hold.from_ns < one.until_ns for one in there
    )


# --- what an approval binds -------------------------------------------------------------------------------------------


def content(hold: Hold) -> dict[str, object]:
    """Return exactly what an approval binds."""
    return {
        "alert": hold.alert_id,
        "asked": hold.commitment,
        "authorisation": hold.authorisation_id,
        "cameras": list(hold.cameras),
        "decision": hold.decision_sha256,
        "ends": utc(hold.ends_at_ns),
        "from": utc(hold.from_ns),
        "hold": hold.hold_id,
        "request": hold.request_id,
        "requester": hold.requester,
        "until": utc(hold.until_ns),
    }


def hash_of(hold: Hold) -> str:
    """Return the SHA-256 of what an approval binds, hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(content(hold))).hexdigest()  # type: ignore[arg-type]  # JSON values


def _facts(hold: Hold) -> dict[str, object]:
    """Return what the log says of a proposal as it is; the rest goes with the hold's key (`hidden_of`)."""
    told = {name: value for name, value in content(hold).items() if name not in {"alert", "asked"}}
    return {**told, "sha256": hash_of(hold)}


def hidden_of(keys: KeyStore, hold: Hold) -> dict[str, object]:
    """Return what an entry hides of a proposal: who asks and why, and the alert, which would link it to a place."""
    return {"alert": hold.alert_id, "asked": hold.commitment, **asked_of(keys, hold)}


# --- commands ---------------------------------------------------------------------------------------------------------


def approve(tx: Tx, actor: Actor, hold_id: str, content_hash: str) -> Hold:
    """Approve exactly what was shown; with the second approver it is copied at once.

    Raises:
        RuleError: not an approver, an own proposal, a second time, other content, not open, or too much now.
        InputError: nothing of it is there any more.
    """
    hold = open_hold(tx, hold_id, State.PROPOSED)
    since_ns = check_now(tx, hold)
    approve_object(
        tx,
        actor,
        object_id=hold_id,
        action=APPROVE,
        content_hash=content_hash,
        expected_hash=hash_of(hold),
        requester=hold.requester,
    )
    if len(approvals_of(tx, hold_id, APPROVE, content_hash)) < _TWO:
        return hold
    hold = tx.change(hold, state=State.APPROVED.value, approved_at_ns=tx.now_ns, since_ns=since_ns)
    body = {"ends": utc(hold.ends_at_ns), "hold": hold_id, "sha256": content_hash, "since": utc(since_ns)}
    tx.entry("hold.approved", actor.account_id, body)
    _answer(tx, hold)
    return hold


def _answer(tx: Tx, hold: Hold) -> None:
    """Note that the request which a hold names does not lapse."""
    for request in tx.find(PublicRequest, request_id=hold.request_id or ""):
        if RequestState(request.state) not in REQUEST_OVER:
            tx.change(request, state=RequestState.HELD.value)


def refuse(tx: Tx, keys: KeyStore, actor: Actor, hold_id: str) -> Hold:
    """Refuse a proposal; one approver is enough.

    Raises:
        RuleError: not an approver, an own proposal, or not open.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    hold = open_hold(tx, hold_id, State.PROPOSED)
    if actor.may_be(hold.requester):
        raise RuleError("nobody refuses an own proposal", rule="own-request", remedy="it lapses by itself in 7 days")
    return end(tx, keys, hold, State.REFUSED, actor.account_id)


def release(tx: Tx, keys: KeyStore, actor: Actor, hold_id: str, content_hash: str) -> Hold:
    """Say that a hold should end early; with the second approver who says so its copies are destroyed.

    Raises:
        RuleError: not an approver, a second time, other content, or it does not run.
    """
    hold = open_hold(tx, hold_id, *RUNNING)
    if not said_by_two(tx, actor, hold_id, RELEASE, content_hash, hash_of(hold)):
        return hold
    return end(tx, keys, hold, State.RELEASED, actor.account_id)


def open_hold(tx: Tx, hold_id: str, *states: State) -> Hold:
    """Return a hold in one of these states whose time is not over.

    Raises:
        InputError: no such hold.
        RuleError: it is in another state, or its time is over.
    """
    hold = tx.get(Hold, hold_id)
    if State(hold.state) not in states or tx.now_ns >= due_ns(hold):
        over = "over" if tx.now_ns >= due_ns(hold) else hold.state
        raise RuleError(f"this hold is {over}", rule="state", remedy="see `habeas footage holds`")
    return hold


def end(tx: Tx, keys: KeyStore, hold: Hold, state: State, by: str) -> Hold:
    """End a hold: from this commit on nobody looks at its footage; its key goes right after, and then its files."""
    hold = tx.change(hold, state=state.value, over_at_ns=tx.now_ns, asked_sealed=None)
    tx.entry(f"hold.{state.value}", by, {"hold": hold.hold_id})
    tx.after_commit(_destroying(keys, hold.key_id))
    return hold


def note_carried(tx: Tx, hold: Hold) -> None:
    """Write that a hold which runs was carried over from a newer database: who approved it is in what the log lost."""
    body = {
        **_facts(hold),
        "approved": utc(hold.approved_at_ns or tx.now_ns),
        "kept": hold.state == State.HELD.value,
        "segments": hold.segments,
        "since": utc(hold.since_ns or tx.now_ns),
    }
    tx.entry("hold.carried", "restore", body)


def _destroying(keys: KeyStore, key_id: str) -> Callable[[], None]:
    def destroy() -> None:
        with suppress(DiskError):  # unusable here already; `footage.keeping` tries again until it is done
            keys.destroy([key_id])

    return destroy
