"""Afterwards: the person is told that they were looked for, or two people defer that, 90 days at most each time."""

import hashlib
from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.authority.approvals import approvals_of, approve_object
from habeas.errors import InputError, RuleError
from habeas.store import Tx
from habeas.store.records import Authorisation
from habeas.types import DAY_NS, utc

DEFER_DAYS: Final = 90
_TWO: Final = 2


def due(tx: Tx) -> list[Authorisation]:
    """Return the ended authorisations whose people are still to be told."""
    rows = tx.find(Authorisation, notified_at_ns=None)
    return [row for row in rows if row.notify_due_ns is not None]


def note_notified(tx: Tx, actor: Actor, authorisation_id: str) -> Authorisation:
    """Note that the people named were told: by the requester, or a privacy officer.

    Raises:
        RuleError: somebody else says so, or nothing is due.
    """
    actor.require(Role.REQUESTER, Role.PRIVACY)
    actor.require_login()
    row = _due(tx, authorisation_id)
    if not actor.owns(row.requester):
        actor.require(Role.PRIVACY)
    row = tx.change(row, notified_at_ns=tx.now_ns)
    tx.entry("notice.given", actor.account_id, {"authorisation": authorisation_id})
    return row


def defer(tx: Tx, actor: Actor, authorisation_id: str, days: int, why: str) -> Authorisation:
    """Approve that the notice waits. With the second approver of the same days and reason, it does.

    Raises:
        RuleError: not an approver, the requester, twice the same person, longer than 90 days, or nothing due.
        InputError: no reason.
    """
    if not 0 < days <= DEFER_DAYS:
        raise RuleError(
            f"a notice waits {DEFER_DAYS} days at most each time", rule="notice-deferral", remedy="defer it again then"
        )
    if not why.strip():
        raise InputError("a deferral has a reason", remedy="give --why")
    row = _due(tx, authorisation_id)
    wanted = f"{row.authorisation_id}|{row.notify_due_ns}|{days}|{why.strip()}"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    approve_object(
        tx,
        actor,
        object_id=authorisation_id,
        action="defer-notice",
        content_hash=digest,
        expected_hash=digest,
        requester=row.requester,
    )
    if len(approvals_of(tx, authorisation_id, "defer-notice", digest)) < _TWO:
        return row
    due_ns = tx.now_ns + days * DAY_NS
    row = tx.change(row, notify_due_ns=due_ns)
    tx.entry("notice.deferred", actor.account_id, {"authorisation": authorisation_id, "until": utc(due_ns)})
    return row


def _due(tx: Tx, authorisation_id: str) -> Authorisation:
    row = tx.get(Authorisation, authorisation_id)
    if row.notify_due_ns is None or row.notified_at_ns is not None:
        raise RuleError("no notice is due for this", rule="state", remedy="see `habeas authorise list`")
    return row
