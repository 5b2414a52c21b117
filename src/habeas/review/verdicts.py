"""Verdicts: one a person, two always, a third where they do not agree. Before the decision nothing shows of them.

What a first verdict leaves behind: its own row, and an entry that names neither alert nor reviewer nor answer but
commits to them by hash. The alert's row does not change. The decision's entry opens the commitments (an alert that ends
undecided opens them where it is destroyed), so that an auditor finds every verdict in the log in the order given.

A verdict stands even if its giver's account is closed or the role lapses before the second one: it was given by
somebody entitled to, and otherwise an admin, who decides nothing, could undo a verdict by closing an account.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import rfc8785

from habeas.accounts.roles import Actor
from habeas.errors import InputError, RuleError
from habeas.keys import KeyStore
from habeas.review.alerts import ACTOR, may_be_shown
from habeas.review.forgetting import forgotten
from habeas.review.images import sealed_for_oversight
from habeas.review.looks import check_looked, forget_looks
from habeas.review.playbacks import forget_playbacks
from habeas.review.rights import Act, check_act
from habeas.review.table import UNDECIDED, Answer, Outcome, outcome
from habeas.store import Tx
from habeas.store.records import Alert, Subject, Verdict
from habeas.types import utc

RAISE_BY: Final = 0.02
"""A subject's threshold goes this far above the similarity of a look-alike."""
RAISED_MOST: Final = 0.95
"""No threshold is raised above: the subject should still be found."""


def give_verdict(
    tx: Tx, keys: KeyStore, actor: Actor, alert_id: str, answer: Answer, *, lookalike: bool = False
) -> None:
    """Write what a reviewer says of an alert; decide it where that is enough.

    It answers a first, second and third reviewer alike: with nothing. False and unresolved: the image goes with this
    transaction, its key right after. Confirmed: the record is also encrypted to oversight, for six months; the image
    stays for those who must act on it until the authorisation ends, or 31 days. Where no oversight is configured that
    is all (`oversight_until_ns` stays None, by which such alerts are counted). An unconfirmed alert can still get the
    verdicts it lacks, and then has the outcome of the table.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: an operator of the alert's zone, logged in.
        alert_id: which.
        answer: is it the person on the reference?
        lookalike: never again for this face: if the alert turns out false, the subject's threshold is raised above it.

    Raises:
        RuleError: not an operator of that zone, an API token, a second time, it is decided or over, or this account
            has not opened its pictures.
        InputError: no such alert, or a look-alike that is not `different`.
        DiskError: a key could not be written.
    """
    alert = tx.get(Alert, alert_id)
    check_act(actor, Act.JUDGE, alert.zone)
    if lookalike and answer is not Answer.DIFFERENT:
        raise InputError("a look-alike is somebody else", remedy="say different, or leave out the mark")
    earlier = tx.find(Verdict, alert_id=alert_id)
    if any(actor.may_be(verdict.account_id) for verdict in earlier):
        raise RuleError("you have judged this alert", rule="once-each", remedy="others judge it now")
    if alert.state not in UNDECIDED or not may_be_shown(tx, alert):
        raise RuleError("this alert is decided, or over", rule="state", remedy="go on with the next one")
    check_looked(tx, actor, alert_id)
    verdict = _insert(tx, actor, alert, answer, lookalike=lookalike)
    decided = outcome([*(Answer(one.verdict) for one in earlier), answer])  # the order of the first two is no matter
    if decided is not None:
        _decide(tx, keys, alert, decided, [*earlier, verdict])


def _insert(tx: Tx, actor: Actor, alert: Alert, answer: Answer, *, lookalike: bool) -> Verdict:
    verdict = Verdict(
        verdict_id=f"verdict-{secrets.token_hex(16)}",  # 128 random bits: what hides the verdict in its commitment
        alert_id=alert.alert_id,
        account_id=actor.account_id,
        verdict=answer.value,
        lookalike=lookalike,
        at_ns=tx.now_ns,
    )
    tx.add(verdict)
    tx.entry("verdict.given", ACTOR, {"commitment": commitment(verdict)})
    return verdict


def opening(verdict: Verdict) -> dict[str, object]:
    """Return what a verdict's commitment opens to."""
    return {
        "account": verdict.account_id,
        "alert": verdict.alert_id,
        "at": utc(verdict.at_ns),
        "lookalike": verdict.lookalike,
        "verdict": verdict.verdict,
        "verdict_id": verdict.verdict_id,
    }


def commitment(verdict: Verdict) -> str:
    """Return SHA-256, hexadecimal, of the canonical JSON of `opening`."""
    return hashlib.sha256(rfc8785.dumps(opening(verdict))).hexdigest()  # type: ignore[arg-type]  # plain values


def _decide(tx: Tx, keys: KeyStore, alert: Alert, decided: Outcome, verdicts: Sequence[Verdict]) -> None:
    openings = [opening(verdict) for verdict in verdicts]
    gone = forget_playbacks(tx, [alert.alert_id])
    if decided is Outcome.CONFIRMED:
        fields = sealed_for_oversight(tx, keys, alert, openings)
    else:
        fields = {"image_sealed": None, "destroyed_at_ns": tx.now_ns}
        gone.append(alert.key_id)
    if gone:
        tx.after_commit(lambda: keys.destroy(gone))
    row = tx.change(alert, state=decided.value, decided_at_ns=tx.now_ns, place_sealed=None, **fields)
    if row.destroyed_at_ns is not None:
        tx.change(row, **forgotten(row))
    forget_looks(tx, [alert.alert_id])
    until_ns = row.oversight_until_ns
    body = {
        "alert": alert.alert_id,
        "outcome": decided.value,
        "sealed_until": None if until_ns is None else utc(until_ns),
        "verdicts": openings,
    }
    tx.entry("alert.decided", ACTOR, body)
    if decided is Outcome.FALSE and any(verdict.lookalike for verdict in verdicts):
        _raise_threshold(tx, alert)


def _raise_threshold(tx: Tx, alert: Alert) -> None:
    """Ask more of this subject's matches from now on. Nothing of the look-alike is kept but one number.

    Args:
        tx: the transaction.
        alert: as it was before its row forgot whom it matched.
    """
    subject = tx.get(Subject, alert.subject_id)
    least = min((alert.similarity or 0.0) + RAISE_BY, RAISED_MOST)
    raised_to = least if subject.raised_to is None else max(subject.raised_to, least)
    tx.change(subject, raised_to=raised_to)
    tx.entry("subject.threshold-raised", ACTOR, {"alert": alert.alert_id})  # not how far: that is how alike they were
