"""A clock that jumped: two approvers say that it is right now, and time is taken over from it."""

import hashlib
import json
from typing import Final

from habeas.accounts.roles import Actor
from habeas.authority.approvals import CONTENT, said_by_two
from habeas.errors import RuleError
from habeas.store import Tx
from habeas.store.records import Entry
from habeas.types import NS_PER_S

MOVED_NS: Final = 5 * NS_PER_S
"""A clock that went on moving this far since its jump was written down has jumped again."""


def approve_clock(tx: Tx, actor: Actor, off_by_ns: int) -> bool:
    """Say that the wall clock is right after its last jump; return whether two distinct approvers have said so.

    Args:
        tx: the transaction.
        actor: an approver, logged in.
        off_by_ns: how far the wall clock is off now: what is said is said of this jump, and of no later one.

    Raises:
        RuleError: not an approver, an API token, the same person again, no jump that waits, or the clock moved since.
    """
    jump = _waiting(tx)
    if abs(off_by_ns - json.loads(jump.body)["off_by_s"] * NS_PER_S) > MOVED_NS:
        raise RuleError("the clock moved again meanwhile", rule=CONTENT, remedy="look at it again in a second")
    digest = hashlib.sha256(jump.body.encode()).hexdigest()
    return said_by_two(tx, actor, f"clock-{jump.seq}", "clock", digest, digest)


def _waiting(tx: Tx) -> Entry:
    """Return the last jump, if nobody has confirmed it: an old one's approvals are for no other."""
    jumps, confirmed = tx.find(Entry, kind="clock.jumped"), tx.find(Entry, kind="clock.confirmed")
    if not jumps or (confirmed and confirmed[-1].seq > jumps[-1].seq):
        raise RuleError(
            "neither a jump of the clock nor a restore waits for a word", rule="state", remedy="see `habeas clock show`"
        )
    return jumps[-1]
