"""Replaying what entries say of footage: holds, requests of the public and for access, evidence; see `audit.replay`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from habeas.audit.facts import Change, Fact, change
from habeas.audit.state import AccessRequest, Evidence, Hold, PublicRequest, State

# --- holds, requests of the public ------------------------------------------------------------------------------------


def _hold_proposed(state: State, fact: Fact) -> None:
    body = fact.body
    state.holds[body["hold"]] = Hold(
        hold=body["hold"],
        state="proposed",
        requester=body["requester"],
        cameras=tuple(body["cameras"]),
        from_ns=fact.ns("from"),
        until_ns=fact.ns("until"),
        ends_ns=fact.ns("ends"),
        decision=body["decision"],
        authorisation=body["authorisation"],
        request=body["request"],
        sha256=body["sha256"],
        proposed_ns=fact.at_ns,
    )


def _hold_approved(state: State, fact: Fact) -> None:
    _change_hold(state, fact, state="approved", approved_ns=fact.at_ns, since_ns=fact.ns("since"))
    request = state.requests.get(state.holds[fact.body["hold"]].request or "")
    if request is not None and request.state not in {"refused", "lapsed"}:
        state.requests[request.request] = replace(request, state="held")


def _hold_carried(state: State, fact: Fact) -> None:
    _hold_proposed(state, fact)
    kept = fact.body["kept"] is True
    told = {"approved_ns": fact.ns("approved"), "since_ns": fact.ns("since"), "segments": fact.body["segments"]}
    _change_hold(state, fact, state="held" if kept else "approved", kept_ns=fact.at_ns if kept else None, **told)


def _hold_kept(state: State, fact: Fact) -> None:
    _change_hold(state, fact, state="held", kept_ns=fact.at_ns, segments=fact.body["segments"])


def _hold_over(how: str) -> Change:
    def changing(state: State, fact: Fact) -> None:
        was = state.holds.get(fact.body["hold"])
        if was is None or was.over_ns is None:
            _change_hold(state, fact, state=how, over_ns=fact.at_ns)

    return changing


def _change_hold(state: State, fact: Fact, /, **values: Any) -> None:
    change(state, state.holds, fact.body["hold"], **values)


def _received(state: State, fact: Fact) -> None:
    body, about = fact.body, (tuple(fact.body["cameras"]), fact.ns("from"), fact.ns("until"))
    state.requests[body["request"]] = PublicRequest(body["request"], "received", fact.actor, *about, fact.at_ns)


def _verified(state: State, fact: Fact) -> None:
    _change_request(state, fact, state="verified", verified_ns=fact.at_ns, segments=fact.body["segments"])


def _graced(state: State, fact: Fact) -> None:
    _change_request(state, fact, state="graced", segments=fact.body["segments"])


def _request_over(how: str) -> Change:
    def changing(state: State, fact: Fact) -> None:
        was = state.requests.get(fact.body["request"])
        ended_ns, now = (None, "") if was is None else (was.over_ns, was.state)
        _change_request(state, fact, state=how or now, over_ns=ended_ns or fact.at_ns)

    return changing


def _change_request(state: State, fact: Fact, /, **values: Any) -> None:
    change(state, state.requests, fact.body["request"], **values)


# --- access requests --------------------------------------------------------------------------------------------------


def _access_opened(state: State, fact: Fact) -> None:
    body = fact.body
    state.access[body["access"]] = AccessRequest(
        access=body["access"],
        state="opened",
        opened_by=body["opened_by"],
        cameras=tuple(body["cameras"]),
        from_ns=fact.ns("from"),
        until_ns=fact.ns("until"),
        document=body["document"],
        opened_ns=fact.at_ns,
        due_ns=fact.ns("due"),
    )


def _access_approved(state: State, fact: Fact) -> None:
    _change_access(state, fact, state="approved", approved_ns=fact.at_ns)


def _access_over(how: str) -> Change:
    def changing(state: State, fact: Fact) -> None:
        _change_access(state, fact, state=how, closed_ns=fact.at_ns)

    return changing


def _access_destroyed(state: State, fact: Fact) -> None:
    _change_access(state, fact, destroyed_ns=fact.at_ns)


def _change_access(state: State, fact: Fact, /, **values: Any) -> None:
    change(state, state.access, fact.body["access"], **values)


# --- evidence ---------------------------------------------------------------------------------------------------------


def _uploaded(state: State, fact: Fact) -> None:
    body = fact.body
    state.evidence[body["evidence"]] = Evidence(
        evidence=body["evidence"],
        uploader=fact.actor,
        from_ns=fact.ns("from"),
        until_ns=fact.ns("until"),
        sha256=body["sha256"],
        size_bytes=body["bytes"],
        deadline_ns=fact.ns("deadline"),
        uploaded_ns=fact.at_ns,
    )


def _shortened(state: State, fact: Fact) -> None:
    change(state, state.evidence, fact.body["evidence"], deadline_ns=fact.ns("deadline"))


def _evidence_destroyed(state: State, fact: Fact) -> None:
    change(state, state.evidence, fact.body["evidence"], why=fact.body["why"], destroyed_ns=fact.at_ns)


OF_FOOTAGE: Final[Mapping[str, Change]] = {
    "access.approved": _access_approved,
    "access.closed": _access_over("closed"),
    "access.destroyed": _access_destroyed,
    "access.opened": _access_opened,
    "access.refused": _access_over("refused"),
    "evidence.destroyed": _evidence_destroyed,
    "evidence.shortened": _shortened,
    "evidence.uploaded": _uploaded,
    "hold.approved": _hold_approved,
    "hold.carried": _hold_carried,
    "hold.ended": _hold_over("ended"),
    "hold.kept": _hold_kept,
    "hold.lapsed": _hold_over("lapsed"),
    "hold.proposed": _hold_proposed,
    "hold.refused": _hold_over("refused"),
    "hold.released": _hold_over("released"),
    "request.destroyed": _request_over(""),
    "request.graced": _graced,
    "request.lapsed": _request_over("lapsed"),
    "request.received": _received,
    "request.refused": _request_over("refused"),
    "request.verified": _verified,
}
"""What each type of entry of footage changes."""
