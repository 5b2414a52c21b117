"""Receipts: what a person has in hand who was stopped after an alert. No account is needed to use one.

An operator makes it, and the code is told once. Whoever holds it can ask how the alert stands, freeze it, dispute it,
and take the sealed record to oversight, who alone opens it.

*Freezing* touches what is sealed to oversight, and nothing else: the record is sealed now, if the image is there and it
was not sealed yet, and is kept for six months from this moment; once. Every deadline of the image, its key, and what
the alert's row forgets stand as they are. Confirming later begins six months of its own, so that no record is kept for
longer than six months after both. *Disputing* freezes, and leaves a duty to correct, which approvers and privacy
officers see until one of them says who was told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import code_digest, new_code, new_id
from habeas.accounts.roles import Actor
from habeas.audit.hiding import hide
from habeas.errors import InputError, KeyDestroyed, RuleError
from habeas.keys import KeyStore, Scope
from habeas.review.alerts import may_be_shown
from habeas.review.images import opened, sealed_anew, sealed_for_oversight, sealed_record
from habeas.review.rights import Act, check_act, zones_for
from habeas.review.table import UNDECIDED
from habeas.review.verdicts import opening
from habeas.store import Tx
from habeas.store.records import Alert, Dispute, Receipt, Verdict
from habeas.types import DAY_NS, utc

HOLDER: Final = "receipt"
"""Who acts, in entries, where the holder of a code does."""
UNDECIDED_TEXT: Final = "undecided"
DISPUTE_NS: Final = 366 * DAY_NS
"""What somebody wrote against an alert can be read for so long, or until it is corrected."""


@dataclass(frozen=True)
class Standing:
    """An alert as far as the holder of its receipt may know it.

    Args:
        alert_id: to cite.
        outcome: `undecided` until it is decided, whatever reviewers have said.
        decided_at_ns: when; to the hour, if it was not confirmed.
        frozen_at_ns: when.
        sealed_until_ns: how long oversight can open its record; None: there is none.
        disputed_at_ns: when.
        corrected_at_ns: when the recipients were told.
    """

    alert_id: str
    outcome: str
    decided_at_ns: int | None
    frozen_at_ns: int | None
    sealed_until_ns: int | None
    disputed_at_ns: int | None
    corrected_at_ns: int | None


@dataclass(frozen=True, repr=False)
class Duty:
    """A disputed alert that its recipients do not know to be disputed.

    Args:
        alert_id: which.
        zone: where it was raised.
        outcome: how it was decided.
        at_ns: when it was disputed.
        why: what the holder wrote; None: it is over a year old.
    """

    alert_id: str
    zone: str
    outcome: str
    at_ns: int
    why: str | None


def make_receipt(tx: Tx, actor: Actor, alert_id: str) -> str:
    """Make a receipt of an alert, in any state, and return its code, which is kept nowhere.

    Raises:
        RuleError: not an operator of the alert's zone, or an API token.
        InputError: no such alert.
    """
    alert = tx.get(Alert, alert_id)
    check_act(actor, Act.RECEIPT, alert.zone)
    code = new_code()
    receipt = Receipt(new_id("receipt"), alert_id, code_digest(code), actor.account_id, tx.now_ns)
    tx.add(receipt)
    tx.entry("receipt.made", actor.account_id, {"alert": alert_id, "receipt": receipt.receipt_id})
    return code


# --- by the code ------------------------------------------------------------------------------------------------------


def show(tx: Tx, code: str) -> Standing:
    """Say how the alert of a receipt stands.

    Raises:
        RuleError: the code opens nothing.
    """
    return _standing(tx, _alert(tx, _receipt(tx, code)))


def freeze(tx: Tx, keys: KeyStore, code: str) -> Standing:
    """Freeze the alert of a receipt; a second time changes nothing.

    Raises:
        RuleError: the code opens nothing.
        DiskError: a key could not be made durable.
    """
    receipt = _receipt(tx, code)
    return _standing(tx, _frozen(tx, keys, _alert(tx, receipt), receipt))


def dispute(tx: Tx, keys: KeyStore, code: str, why: str) -> Standing:
    """Dispute the alert of a receipt, once; it is frozen with that.

    Args:
        tx: the transaction.
        keys: get a key for what is written, for a year.
        code: of the receipt.
        why: in the holder's words; for approvers and privacy officers.

    Raises:
        RuleError: the code opens nothing, or it is disputed already.
        InputError: nothing is said.
        DiskError: a key could not be made durable.
    """
    receipt = _receipt(tx, code)
    if not why.strip():
        raise InputError("a dispute says why", remedy="write a sentence: --why TEXT")
    if tx.find(Dispute, alert_id=receipt.alert_id):
        raise RuleError("this alert is disputed already", rule="state", remedy="see how it stands: habeas receipt show")
    alert = _frozen(tx, keys, _alert(tx, receipt), receipt)
    until_ns = tx.now_ns + DISPUTE_NS
    key_id = keys.new(Scope.ALERT, until_ns)
    sealed = keys.encrypt(key_id, why.strip().encode(), _why_context(alert.alert_id))
    tx.add(Dispute(alert.alert_id, receipt.receipt_id, tx.now_ns, key_id, until_ns, sealed))
    tx.entry("alert.disputed", HOLDER, {"alert": alert.alert_id, "receipt": receipt.receipt_id})
    return _standing(tx, alert)


def take_record(tx: Tx, keys: KeyStore, code: str) -> bytes:
    """Return the sealed record of a frozen alert, for its holder to take to oversight, and write that it was taken.

    Args:
        tx: a writing transaction: the record leaves once it has committed.
        keys: hold what wraps it.
        code: of the receipt.

    Returns:
        an age file, which opens with oversight's identity only.

    Raises:
        RuleError: the code opens nothing, or the alert is not frozen.
        KeyDestroyed: there is no sealed record, or not any more.
    """
    receipt = _receipt(tx, code)
    alert = _alert(tx, receipt)
    if alert.frozen_at_ns is None:
        raise RuleError("this alert is not frozen", rule="state", remedy="freeze it first: habeas receipt freeze")
    record = sealed_record(tx, keys, alert)
    if record is None:
        raise KeyDestroyed("nothing of this alert is sealed to oversight", remedy="ask for its entries in the log")
    tx.entry("record.taken", HOLDER, {"alert": alert.alert_id, "receipt": receipt.receipt_id})
    return record


def _receipt(tx: Tx, code: str) -> Receipt:
    for receipt in tx.find(Receipt, code_hash=code_digest(code)):
        return receipt
    raise RuleError("this code opens nothing", rule="receipt-code", remedy="check it letter by letter")


def _alert(tx: Tx, receipt: Receipt) -> Alert:
    return tx.get(Alert, receipt.alert_id)


def _frozen(tx: Tx, keys: KeyStore, alert: Alert, receipt: Receipt) -> Alert:
    if alert.frozen_at_ns is not None:
        return alert
    alert = tx.change(alert, frozen_at_ns=tx.now_ns, **_kept(tx, keys, alert))
    until_ns = _sealed_until_ns(tx, alert)
    body = {
        "alert": alert.alert_id,
        "receipt": receipt.receipt_id,
        "sealed_until": None if until_ns is None else utc(until_ns),
    }
    tx.entry("alert.frozen", HOLDER, body)
    return alert


def _kept(tx: Tx, keys: KeyStore, alert: Alert) -> dict[str, object]:
    """Return the fields that hold what is sealed of an alert from now on; none: there is nothing to seal."""
    if alert.oversight_key_id is not None:
        return sealed_anew(tx, keys, alert)
    if not may_be_shown(tx, alert):
        return {}
    said = [] if alert.state in UNDECIDED else tx.find(Verdict, alert_id=alert.alert_id)  # before: nothing shows
    try:
        return sealed_for_oversight(tx, keys, alert, [opening(verdict) for verdict in said])
    except KeyDestroyed:  # in this moment: the next tick forgets the image
        return {}


def _standing(tx: Tx, alert: Alert) -> Standing:
    disputes = tx.find(Dispute, alert_id=alert.alert_id)
    return Standing(
        alert_id=alert.alert_id,
        outcome=_outcome(alert),
        decided_at_ns=alert.decided_at_ns,
        frozen_at_ns=alert.frozen_at_ns,
        sealed_until_ns=_sealed_until_ns(tx, alert),
        disputed_at_ns=next((one.at_ns for one in disputes), None),
        corrected_at_ns=next((one.corrected_at_ns for one in disputes), None),
    )


def _outcome(alert: Alert) -> str:
    return UNDECIDED_TEXT if alert.state in UNDECIDED else alert.state


def _sealed_until_ns(tx: Tx, alert: Alert) -> int | None:
    until_ns = alert.oversight_until_ns
    there = alert.oversight_key_id is not None and until_ns is not None and tx.now_ns < until_ns
    return until_ns if there else None


# --- the duty to correct ----------------------------------------------------------------------------------------------


def disputes(tx: Tx, keys: KeyStore, actor: Actor) -> list[Duty]:
    """Return the disputed alerts whose recipients wait for a correction, the oldest first.

    Raises:
        RuleError: not an approver or privacy officer, or an API token.
    """
    zones = zones_for(actor, Act.CORRECT)
    duties = [_duty(keys, tx.get(Alert, row.alert_id), row) for row in tx.find(Dispute, corrected_at_ns=None)]
    return sorted((one for one in duties if zones is None or one.zone in zones), key=lambda one: one.at_ns)


def _duty(keys: KeyStore, alert: Alert, row: Dispute) -> Duty:
    why = opened(keys, row.key_id, row.why_sealed, _why_context(alert.alert_id))
    return Duty(alert.alert_id, alert.zone, _outcome(alert), row.at_ns, None if why is None else why.decode())


def correct(tx: Tx, keys: KeyStore, actor: Actor, alert_id: str, recipients: Sequence[str]) -> None:
    """Note that everybody who was told of an alert was told that it is disputed, and how it stands. It closes the duty.

    What the holder wrote goes with that; who was told is hidden in the entry, under a key that lasts a year.

    Args:
        tx: the transaction.
        keys: hide who was told.
        actor: an approver or a privacy officer, logged in.
        alert_id: which.
        recipients: all of them.

    Raises:
        RuleError: another role, an API token, or no correction is due.
        InputError: no such alert, or a recipient without a name.
        DiskError: a key could not be made durable.
    """
    alert = tx.get(Alert, alert_id)
    check_act(actor, Act.CORRECT, alert.zone)
    told = [one.strip() for one in recipients]
    if not told or not all(told):
        raise InputError("a correction names who was told", remedy="give each: --recipient TEXT")
    for row in tx.find(Dispute, alert_id=alert_id, corrected_at_ns=None):
        _close(tx, keys, actor, row, told)
        return
    raise RuleError("no correction of this alert is due", rule="state", remedy="see what is: habeas review disputes")


def _close(tx: Tx, keys: KeyStore, actor: Actor, row: Dispute, told: Sequence[str]) -> None:
    if not keys.has(row.key_id):
        until_ns = tx.now_ns + DISPUTE_NS
        row = tx.change(row, key_id=keys.new(Scope.ALERT, until_ns), until_ns=until_ns)
    tx.change(row, corrected_at_ns=tx.now_ns, why_sealed=None)
    hidden = hide(keys, row.key_id, {"recipients": list(told)})
    tx.entry("alert.corrected", actor.account_id, {"alert": row.alert_id, "recipients": len(told)}, hidden)


def _why_context(alert_id: str) -> bytes:
    return f"alert dispute {alert_id}".encode()
