"""Recognition that answered where it must not: nothing is compared until two approvers say that it may be again."""

import hashlib

from habeas.accounts.roles import Actor
from habeas.authority.approvals import said_by_two
from habeas.errors import RuleError
from habeas.store import Tx
from habeas.store.records import Canary, Entry


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
    if not said_by_two(tx, actor, name, "breach", digest, digest):
        return False
    for row in tx.find(Canary):
        if row.leaked_at_ns is not None:
            tx.change(row, leaked_at_ns=None)
    tx.entry("canary.cleared", actor.account_id, {"breach": leaked[-1].seq})
    return True
