"""A clock that jumped: two approvers say that it is right now, and time is taken over from it."""

import hashlib
from typing import Final

from habeas.accounts.roles import Actor
from habeas.authority.approvals import approvals_of, approve_object
from habeas.store import Tx
from habeas.store.records import Entry

_TWO: Final = 2


def approve_clock(tx: Tx, actor: Actor) -> bool:
    """Say that the wall clock is right after its last jump; return whether two distinct approvers have said so.

    Raises:
        RuleError: not an approver, an API token, or the same person again.
    """
    jumps = tx.find(Entry, kind="clock.jumped")
    jump = str(jumps[-1].seq) if jumps else "none"
    digest = hashlib.sha256(jump.encode()).hexdigest()
    approve_object(
        tx,
        actor,
        object_id=f"clock-{jump}",
        action="clock",
        content_hash=digest,
        expected_hash=digest,
        requester=None,
    )
    return len(approvals_of(tx, f"clock-{jump}", "clock", digest)) >= _TWO
