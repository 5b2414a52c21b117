"""Who has opened an alert's pictures: noted with the entry of the look, asked for at a verdict, told to nobody.

A look counts for the account that made it, from then on: an alert's image and references never change, so that what is
judged is what was seen, however long ago. It does not count for whoever holds the account after a new password was
set. What is noted goes with the decision, or with the image.
"""

from collections.abc import Sequence

from habeas.accounts.roles import Actor
from habeas.errors import RuleError
from habeas.review.table import UNDECIDED
from habeas.store import Tx, queries
from habeas.store.records import Account, Alert, Look


def note_look(tx: Tx, actor: Actor, alert: Alert) -> None:
    """Note, in the transaction of its entry, that somebody is shown the live face and a reference of an alert."""
    if alert.state not in UNDECIDED:
        return
    for earlier in tx.find(Look, alert_id=alert.alert_id, account_id=actor.account_id):
        tx.change(earlier, at_ns=tx.now_ns)
        return
    tx.add(Look(alert.alert_id, actor.account_id, tx.now_ns))


def check_looked(tx: Tx, actor: Actor, alert_id: str) -> None:
    """Check that this account was shown this alert's pictures.

    Raises:
        RuleError: not, or only before its password was set.
    """
    since_ns = tx.get(Account, actor.account_id).credential_at_ns or 0
    if all(look.at_ns < since_ns for look in tx.find(Look, alert_id=alert_id, account_id=actor.account_id)):
        raise RuleError(
            "you have not opened the pictures of this alert",
            rule="look-first",
            remedy=f"open them: habeas review show {alert_id}",
        )


def forget_looks(tx: Tx, alert_ids: Sequence[str]) -> None:
    """Forget who has looked at alerts that nobody judges any more."""
    for look in queries.looks_at(tx, alert_ids):
        tx.remove(look)
