"""Replaying a log: from its openings, in their order, to the state of the installation (`audit.state`). Pure.

What entries say is enough to know what the database holds, but for what no entry may say. An entry of a type that
changes nothing here, or that a later version writes, is counted; padding changes nothing. One that lacks what its type
always says is an error: it is of no installation.

After `database.restored` what was carried over from the newer database is not in entries, but for the end of tokens,
suspensions, holds that run, the policy, and what ended: from there on the state is that of the older one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from habeas.audit.entry import PADDING
from habeas.audit.facts import RESTORED, Change, Fact, change
from habeas.audit.replay_footage import OF_FOOTAGE
from habeas.audit.state import (
    Account,
    Alert,
    Approval,
    Authorisation,
    Camera,
    Count,
    Epoch,
    Policy,
    Role,
    State,
    Suspension,
    Token,
)
from habeas.clock import ns_of_utc
from habeas.errors import FormatError, InputError

_REMEDY: Final = "verify the log first: habeas audit verify"
Opened = Mapping[str, Any]
"""`{"opening": {...}, "hidden": {...} or null}`: a line of an export."""


def replay(opened: Iterable[Opened]) -> State:
    """Return the state after these entries, the first of which is the installation's first.

    Raises:
        FormatError: an entry is missing, or lacks what its type always says.
    """
    state = State()
    for one in opened:
        take(state, one)
    return state


def take(state: State, opened: Opened) -> None:
    """Take the next entry into the state.

    Raises:
        FormatError: it is not the next one, or lacks what its type always says.
    """
    seq = opened["opening"].get("seq")
    if type(seq) is not int or seq != state.taken:
        raise FormatError(f"entry {state.taken} is missing: entry {seq} came instead", remedy=_REMEDY)
    take_later(state, opened)


def take_later(state: State, opened: Opened) -> None:
    """As `take`, of an entry between which and the one before there was only padding, which nobody need read.

    Raises:
        FormatError: it lacks what its type always says.
    """
    opening = opened["opening"]
    kind, seq = opening["type"], opening["seq"]
    state.taken = seq + 1
    if kind == PADDING:
        return
    state.kinds[kind] = state.kinds.get(kind, 0) + 1
    changes = _CHANGES.get(kind)
    if changes is None:
        return
    try:
        changes(state, Fact(opening["actor"], ns_of_utc(opening["at"]), opening["body"], opened["hidden"] or {}))
    except (KeyError, TypeError, ValueError, InputError) as error:
        told = f"entry {seq} ({kind}) does not say what such an entry says: {type(error).__name__} {error}"
        raise FormatError(told, remedy=_REMEDY, index=seq) from error


# --- accounts, roles, tokens ------------------------------------------------------------------------------------------


def _account_added(state: State, fact: Fact) -> None:
    account = fact.body["account"]
    person = fact.hidden.get("person", account)
    first = state.accounts.get(person)
    state.accounts[account] = Account(account, first.person if first else person)


def _credential_set(state: State, fact: Fact) -> None:
    state.accounts[fact.actor] = replace(state.accounts[fact.actor], opened=True)


def _account_disabled(state: State, fact: Fact) -> None:
    account = fact.body["account"]
    state.accounts[account] = replace(state.accounts[account], disabled=True)
    _end_access(state, account)


def _account_forgotten(state: State, fact: Fact) -> None:
    account = fact.body["account"]
    state.accounts[account] = replace(state.accounts[account], disabled=True, person=account)
    _end_access(state, account)
    _part(state, account)


def _part(state: State, gone: str) -> None:
    """Take a forgotten account from among those of its person: whose it was, nobody can tell any more."""
    theirs = [one for one in state.accounts.values() if one.person == gone and one.account != gone]
    for one in theirs:
        state.accounts[one.account] = replace(one, person=theirs[0].account)


def _account_reset(state: State, fact: Fact) -> None:
    account = fact.body["account"]
    state.accounts[account] = replace(state.accounts[account], disabled=False, opened=False)
    _end_access(state, account)


def _end_access(state: State, account: str) -> None:
    for name, role in state.roles.items():
        if role.account == account:
            state.roles[name] = replace(role, revoked=True)
    for name, token in state.tokens.items():
        if token.account == account:
            state.tokens[name] = replace(token, revoked=True)


def _role_proposed(state: State, fact: Fact) -> None:
    body = fact.body
    state.roles[body["grant"]] = Role(
        body["grant"], body["account"], body["role"], tuple(body["zones"]), body["proposed_by"]
    )


def _role_granted(state: State, fact: Fact) -> None:
    grant = fact.body["grant"]
    state.roles[grant] = replace(state.roles[grant], usable_from_ns=fact.ns("usable_from"))


def _role_granted_first(state: State, fact: Fact) -> None:
    _role_proposed(state, fact)
    grant = fact.body["grant"]
    state.roles[grant] = replace(state.roles[grant], usable_from_ns=fact.at_ns)


def _role_revoked(state: State, fact: Fact) -> None:
    for name, role in state.roles.items():
        if (role.account, role.role) == (fact.body["account"], fact.body["role"]):
            state.roles[name] = replace(role, revoked=True)


def _token_made(state: State, fact: Fact) -> None:
    body = fact.body
    state.tokens[body["token"]] = Token(body["token"], fact.actor, tuple(body["scopes"]), fact.ns("until"))


def _token_revoked(state: State, fact: Fact) -> None:
    state.tokens[fact.body["token"]] = replace(state.tokens[fact.body["token"]], revoked=True)


def _restored(state: State, _fact: Fact) -> None:
    state.tokens = {name: replace(token, revoked=True) for name, token in state.tokens.items()}


# --- policy, cameras --------------------------------------------------------------------------------------------------


def _policy_proposed(state: State, fact: Fact) -> None:
    body = fact.body
    ceilings = tuple(sorted((name, _fixed(value)) for name, value in dict(body["ceilings"]).items()))
    state.policies[body["policy"]] = Policy(
        body["policy"], body["number"], body["based_on"], ceilings, "proposed", fact.actor
    )


def _fixed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _policy_first(state: State, fact: Fact) -> None:
    _policy_proposed(state, fact)
    policy = fact.body["policy"]
    state.policies[policy] = replace(state.policies[policy], state="active", effective_from_ns=fact.at_ns)


def _policy_approved(state: State, fact: Fact) -> None:
    policy = fact.body["policy"]
    state.policies[policy] = replace(
        state.policies[policy], state="active", effective_from_ns=fact.ns("effective_from")
    )


def _policy_void(state: State, fact: Fact) -> None:
    state.policies[fact.body["policy"]] = replace(state.policies[fact.body["policy"]], state="void")


def _camera_added(state: State, fact: Fact) -> None:
    body = fact.body
    masks = tuple(tuple(box) for box in json.loads(body["masks"]))
    camera = Camera(
        camera=body["camera"],
        zone=body["zone"],
        purpose=body["purpose"],
        source=body["source"],
        min_face_px=body["min_face_px"],
        masks=masks,
        added_ns=fact.at_ns,
        reencode=body.get("reencode", False),
    )
    state.cameras[camera.camera] = camera
    for name, one in state.suspensions.items():  # added anew in another zone, its source stays suspended
        if camera.zone in one.zones:
            state.suspensions[name] = replace(one, sources=tuple(sorted({*one.sources, camera.source})))


def _camera_removed(state: State, fact: Fact) -> None:
    camera = fact.body["camera"]
    state.cameras[camera] = replace(state.cameras[camera], removed_ns=fact.at_ns)


def _camera_counted(state: State, fact: Fact) -> None:
    body = fact.body
    names = ("analysed_ns", "faces", "tracks", "searches", "alerts")
    numbers = {name: body[name] for name in names}
    if not all(type(number) is int and number >= 0 for number in numbers.values()):
        raise ValueError("a count below 0, or no number")
    state.counts[body["camera"], body["day"]] = Count(body["camera"], body["day"], body["zone"], **numbers)


# --- authorisations ---------------------------------------------------------------------------------------------------


def _asked(fact: Fact) -> Authorisation:
    """Return the draft that an entry with all facts of a request tells of."""
    body = fact.body
    return Authorisation(
        authorisation=body["authorisation"],
        state="draft",
        kind=body["kind"],
        purpose=body["purpose"],
        authority=body["authority"],
        decision=body["decision"],
        decision_status=body["decision_status"],
        requester=body["requester"],
        cameras=tuple((camera, digest) for camera, digest in body["cameras"]),
        from_ns=fact.ns("from"),
        until_ns=fact.ns("until"),
        urgent=body["urgent"],
        minor=body["minor"],
        revision=body["revision"],
        renews=body["renews"],
        subjects=len(body["tags"]),
        sha256=body["sha256"],
        created_ns=fact.at_ns,
    )


def _drafted(state: State, fact: Fact) -> None:
    asked = _asked(fact)
    state.authorisations[asked.authorisation] = asked
    for name in (name for name, _digest in asked.cameras if name in state.evidence):
        state.evidence[name] = replace(state.evidence[name], authorisation=asked.authorisation)


def _amended(state: State, fact: Fact) -> None:
    was = state.authorisations[fact.body["authorisation"]]
    state.authorisations[was.authorisation] = replace(
        _asked(fact), state=was.state, created_ns=was.created_ns, submitted_ns=was.submitted_ns
    )


def _submitted(state: State, fact: Fact) -> None:
    was = state.authorisations[fact.body["authorisation"]]
    state.authorisations[was.authorisation] = replace(
        _asked(fact), state="submitted", created_ns=was.created_ns, submitted_ns=fact.at_ns
    )


def _active(state: State, fact: Fact) -> None:
    was = state.authorisations[fact.body["authorisation"]]
    _change_authorisation(
        state,
        fact,
        state="active",
        started_ns=was.started_ns or fact.at_ns,
        confirmed_ns=(was.confirmed_ns or fact.at_ns) if fact.body["confirmed"] else None,
        ends_ns=fact.ns("ends"),
    )


def _ended(how: str) -> Change:
    def changing(state: State, fact: Fact) -> None:
        due_ns = fact.ns_or_none("notify_due")
        _change_authorisation(state, fact, state=how, ended_ns=fact.at_ns, notify_due_ns=due_ns)

    return changing


def _discarded(state: State, fact: Fact) -> None:
    _change_authorisation(state, fact, discarded_ns=fact.at_ns)


def _notice_given(state: State, fact: Fact) -> None:
    _change_authorisation(state, fact, notified_ns=fact.at_ns)


def _notice_deferred(state: State, fact: Fact) -> None:
    _change_authorisation(state, fact, notify_due_ns=fact.ns("until"))


def _change_authorisation(state: State, fact: Fact, /, **values: Any) -> None:
    change(state, state.authorisations, fact.body["authorisation"], **values)


def _approved(state: State, fact: Fact) -> None:
    body = fact.body
    state.approvals[body["approval"]] = Approval(
        body["approval"], body["object"], body["action"], body["sha256"], fact.actor, fact.at_ns
    )


# --- suspensions ------------------------------------------------------------------------------------------------------


def _imposed(state: State, fact: Fact) -> None:
    body = fact.body
    lists: dict[str, Any] = {name: tuple(body[name]) for name in ("zones", "cameras", "sources")}
    state.suspensions[body["suspension"]] = Suspension(
        body["suspension"],
        **lists,
        from_ns=fact.ns("from"),
        until_ns=fact.ns("until"),
        why=body["why"],
        imposed_by=fact.actor,
        imposed_ns=fact.at_ns,
    )


def _suspension_carried(state: State, fact: Fact) -> None:
    _imposed(state, fact)
    by, lifted_ns = fact.body["imposed_by"], fact.ns_or_none("lifted_from")
    _change_suspension(state, fact, imposed_by=by, imposed_ns=fact.ns("imposed"), lifted_from_ns=lifted_ns)


def _lift_proposed(state: State, fact: Fact) -> None:
    _change_suspension(state, fact, lift_proposed_ns=fact.at_ns, lift_proposed_by=fact.actor)


def _lifted(state: State, fact: Fact) -> None:
    _change_suspension(state, fact, lifted_from_ns=fact.ns("from"))


def _change_suspension(state: State, fact: Fact, /, **values: Any) -> None:
    change(state, state.suspensions, fact.body["suspension"], **values)


# --- alerts -----------------------------------------------------------------------------------------------------------


def _raised(state: State, fact: Fact) -> None:
    names = ("alert", "zone", "model", "gallery_size", "threshold", "expected_fpir", "extrapolated", "false_a_day")
    said = {name: fact.body[name] for name in names}
    hidden: dict[str, Any] = {name: fact.hidden.get(name) for name in ("camera", "authorisation")}
    state.alerts[said["alert"]] = Alert(**said, raised_ns=fact.at_ns, state="open", **hidden)


def _on_call(state: State, fact: Fact) -> None:
    _change_alert(state, fact, called_ns=fact.at_ns)


def _unconfirmed(state: State, fact: Fact) -> None:
    _change_alert(state, fact, state="unconfirmed")


def _decided(state: State, fact: Fact) -> None:
    outcome = fact.body["outcome"]
    until_ns = fact.ns_or_none("sealed_until")
    _change_alert(state, fact, state=outcome, decided_ns=fact.at_ns, sealed_until_ns=until_ns)
    if outcome != "confirmed":
        _forget(state, fact)


def _destroyed(state: State, fact: Fact) -> None:
    _change_alert(state, fact, state=fact.body["state"])
    _forget(state, fact)


def _forget(state: State, fact: Fact) -> None:
    """From here on it names nobody, also to whoever opened its entry."""
    _change_alert(state, fact, destroyed_ns=fact.at_ns, camera=None, authorisation=None)


def _unsealed(state: State, fact: Fact) -> None:
    _change_alert(state, fact, unsealed=True)


def _change_alert(state: State, fact: Fact, /, **values: Any) -> None:
    name = fact.body["alert"]
    state.alerts[name] = replace(state.alerts[name], **values)


def _verdict(state: State, fact: Fact) -> None:
    state.verdicts.add(fact.body["commitment"])


# --- the installation -------------------------------------------------------------------------------------------------


def _epoch(state: State, fact: Fact) -> None:
    body = fact.body
    state.epochs[body["number"]] = Epoch(body["number"], body["origin"], body["vkey"], body["first_seq"], body["prior"])


def _started(state: State, _fact: Fact) -> None:
    state.running = True


def _stopped(state: State, _fact: Fact) -> None:
    state.running = False


_CHANGES: Final[Mapping[str, Change]] = {
    **OF_FOOTAGE,
    "account.added": _account_added,
    "account.forgotten": _account_forgotten,
    "account.credential-set": _credential_set,
    "account.disabled": _account_disabled,
    "account.reset": _account_reset,
    "alert.decided": _decided,
    "alert.destroyed": _destroyed,
    "alert.on-call": _on_call,
    "alert.raised": _raised,
    "alert.unconfirmed": _unconfirmed,
    "alert.unsealed": _unsealed,
    "approval.given": _approved,
    "authorisation.active": _active,
    "authorisation.amended": _amended,
    "authorisation.discarded": _discarded,
    "authorisation.drafted": _drafted,
    "authorisation.expired": _ended("expired"),
    "authorisation.refused": _ended("refused"),
    "authorisation.revoked": _ended("revoked"),
    "authorisation.submitted": _submitted,
    "camera.added": _camera_added,
    "camera.counted": _camera_counted,
    "camera.removed": _camera_removed,
    RESTORED: _restored,
    "log.epoch": _epoch,
    "node.started": _started,
    "node.stopped": _stopped,
    "notice.deferred": _notice_deferred,
    "notice.given": _notice_given,
    "policy.approved": _policy_approved,
    "policy.carried": _policy_first,
    "policy.first": _policy_first,
    "policy.proposed": _policy_proposed,
    "policy.void": _policy_void,
    "role.granted": _role_granted,
    "role.granted-first": _role_granted_first,
    "role.proposed": _role_proposed,
    "role.revoked": _role_revoked,
    "suspension.carried": _suspension_carried,
    "suspension.imposed": _imposed,
    "suspension.lift-proposed": _lift_proposed,
    "suspension.lifted": _lifted,
    "token.made": _token_made,
    "token.revoked": _token_revoked,
    "verdict.given": _verdict,
}
"""What each type of entry changes."""
