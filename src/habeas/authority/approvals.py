"""One person's yes to exactly this content, counted once a person."""

from typing import Final

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.errors import RuleError
from habeas.store import Tx
from habeas.store.records import Approval, Grant

_TWO: Final = 2
CONTENT: Final = "content-changed"


def approve_object(
    tx: Tx,
    actor: Actor,
    *,
    object_id: str,
    action: str,
    content_hash: str,
    expected_hash: str,
    requester: str | None,
) -> Approval:
    """Write an approval of one object with the content the approver was shown.

    Args:
        tx: the transaction.
        actor: an approver, logged in.
        object_id: what is approved.
        action: what is approved about it.
        content_hash: of what the approver was shown.
        expected_hash: of what it is now.
        requester: account that asked; the same person approves nothing. None: nobody did.

    Raises:
        RuleError: not an approver, a token, the requester, a second time, or other content.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    if requester is not None and actor.may_be(requester):
        raise RuleError("nobody approves an own request", rule="own-request", remedy="ask somebody else")
    if content_hash != expected_hash:
        raise RuleError(
            "this is not what you were shown: it changed, or the hash is of something else",
            rule=CONTENT,
            remedy="look at it again, and approve what it says now",
        )
    if any(actor.may_be(given.account_id) for given in approvals_of(tx, object_id, action, content_hash)):
        raise RuleError("the same person has approved it already", rule="two-persons", remedy="ask somebody else")
    approval = Approval(new_id("ok"), object_id, action, content_hash, actor.account_id, tx.now_ns)
    tx.add(approval)
    tx.entry(
        "approval.given",
        actor.account_id,
        {"action": action, "approval": approval.approval_id, "object": object_id, "sha256": content_hash},
    )
    return approval


def said_by_two(tx: Tx, actor: Actor, object_id: str, action: str, content_hash: str, expected_hash: str) -> bool:
    """Approve what nobody asked for; return whether two distinct approvers have done so: then it counts.

    Arguments and errors as of `approve_object`.
    """
    approve_object(
        tx,
        actor,
        object_id=object_id,
        action=action,
        content_hash=content_hash,
        expected_hash=expected_hash,
        requester=None,
    )
    return len(approvals_of(tx, object_id, action, expected_hash)) >= _TWO


def approvals_of(tx: Tx, object_id: str, action: str, content_hash: str) -> list[Approval]:
    """Return the approvals that count, one a person: of this content, by people who have been approvers ever since.

    Nobody approves with a second account what they approved with the first (`approve_object`).
    A role that was taken away and granted anew does not bring back what was approved before.
    """
    given = tx.find(Approval, object_id=object_id, action=action, content_hash=content_hash)
    counted = {approval.account_id: approval for approval in given if _approver_since(tx, approval)}
    return sorted(counted.values(), key=lambda approval: (approval.at_ns, approval.approval_id))


def _approver_since(tx: Tx, approval: Approval) -> bool:
    held = tx.find(Grant, account_id=approval.account_id, role=Role.APPROVER.value, revoked_at_ns=None)
    return any(grant.usable_from_ns is not None and grant.usable_from_ns <= approval.at_ns for grant in held)
