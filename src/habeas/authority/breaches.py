"""Recognition that answered where it must not: nothing is compared until two approvers say that it may be again."""

import hashlib
from typing import Final

from habeas.accounts.roles import Actor
from habeas.authority.approvals import approvals_of, approve_object
from habeas.errors import RuleError
from habeas.store import Tx
from habeas.store.records import Canary, Entry

_TWO: Final = 2


def is_breached(tx: Tx) -> bool:
    """Tell whether a canary was answered where nothing might be compared, and two have not cleared that."""
    return any(row.leaked_at_ns is not None for row in tx.find(Canary))


def clear_breach(tx: Tx, actor: Actor) -> bool:
    """Say that recognition may compare again; return whether two distinct approvers have said so: then it may.

    Args:
        tx: the transaction.
        actor: an approver, logged in.

    Raises:
        RuleError: not an approver, an API token, the same person again, or nothing waits for this.
    """
    leaked = tx.find(Entry, kind="canary.leaked")
    if not leaked or not is_breached(tx):
        raise RuleError("no breach waits for a word", rule="state", remedy="see `habeas canary list`")
    digest = hashlib.sha256(leaked[-1].body.encode()).hexdigest()
    name = f"breach-{leaked[-1].seq}"
    approve_object(
        tx, actor, object_id=name, action="breach", content_hash=digest, expected_hash=digest, requester=None
    )
    if len(approvals_of(tx, name, "breach", digest)) < _TWO:
        return False
    for row in tx.find(Canary):
        if row.leaked_at_ns is not None:
            tx.change(row, leaked_at_ns=None)
    tx.entry("canary.cleared", actor.account_id, {"breach": leaked[-1].seq})
    return True
