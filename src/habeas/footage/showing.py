"""Who may read what of a hold.

who                                 sees
who proposed it, approver, privacy  everything of it, and may play it
all others with a role              that it exists: which cameras, which interval, until when, what there is of it
"""

from habeas.accounts.roles import Actor, Role
from habeas.accounts.staff import names_of
from habeas.authority.approvals import approvals_of
from habeas.footage.holding import OVER, State
from habeas.footage.holds import APPROVE, asked_of, hash_of
from habeas.footage.rows import counted_ns
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.footage_records import Hold
from habeas.types import seconds, utc


def summary(hold: Hold) -> dict[str, object]:
    """Return what everybody with a role may know of a hold, JSON values."""
    return {
        "hold": hold.hold_id,
        "state": hold.state,
        "cameras": list(hold.cameras),
        "from": utc(hold.from_ns),
        "until": utc(hold.until_ns),
        "ends": utc(hold.ends_at_ns),
        "authorisation": hold.authorisation_id,
        "request": hold.request_id,
        "held_s": seconds(hold.lasts_ns),
        "missing_s": seconds(hold.missing_ns),
        "segments": hold.segments,
        "damaged": hold.damaged,
    }


def listed(tx: Tx, actor: Actor, *, everything: bool) -> list[Hold]:
    """Return the holds that are not over, or all, newest first.

    Raises:
        RuleError: no role, or a token without the scope.
    """
    actor.require(*Role)
    actor.require_scope("read")
    rows = tx.find(Hold) if everything else tx.find(Hold, state=[state.value for state in set(State) - OVER])
    return sorted(rows, key=lambda row: (row.proposed_at_ns, row.hold_id), reverse=True)


def sees(actor: Actor, hold: Hold) -> bool:
    """Tell whether somebody may know who asks for a hold and why, and play it: who proposed it, approvers, privacy."""
    own = actor.has(Role.REQUESTER) and actor.owns(hold.requester)
    return not actor.by_token and (own or actor.has(Role.APPROVER) or actor.has(Role.PRIVACY))


def shown(tx: Tx, keys: KeyStore, actor: Actor, hold: Hold) -> dict[str, object]:
    """Return a hold as this actor may see it.

    Raises:
        RuleError: no role, or a token without the scope.
    """
    actor.require(*Role)
    actor.require_scope("read")
    told = summary(hold)
    if not sees(actor, hold):
        return told
    names = names_of(tx, keys)
    given = approvals_of(tx, hold.hold_id, APPROVE, hash_of(hold))
    return {
        **told,
        **asked_of(keys, hold),
        "alert": hold.alert_id,
        "decision": hold.decision_sha256,
        "counted_s": _counted_s(tx, hold),
        "since": None if hold.since_ns is None else utc(hold.since_ns),
        "requester": hold.requester,
        "requester_name": names.get(hold.requester),
        "content_hash": hash_of(hold),
        "approvals": [
            {"account": one.account_id, "name": names.get(one.account_id), "at": utc(one.at_ns)} for one in given
        ],
    }


def _counted_s(tx: Tx, hold: Hold) -> float | None:
    """Return how much is counted of what is proposed; None: it is decided."""
    if hold.state != State.PROPOSED.value:
        return None
    return seconds(counted_ns(tx, hold.cameras, hold.from_ns, hold.until_ns))
