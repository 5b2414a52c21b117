"""How alerts end by the clock, with their authorisation, or by a suspension.

Every function here leaves a transaction in which the image is gone and an entry says so; keys go after the commit.
"""

import enum
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from habeas.errors import KeyDestroyed
from habeas.keys import KeyStore, Scope
from habeas.review.alerts import ACTOR, LONGEST_NS, those_shown
from habeas.review.forgetting import first_sighting, forgotten
from habeas.review.looks import forget_looks
from habeas.review.playbacks import forget_playbacks, stray_keys
from habeas.review.table import UNDECIDED, State
from habeas.review.verdicts import opening
from habeas.store import Tx, queries
from habeas.store.records import Alert, Verdict
from habeas.types import NS_PER_S

CALL_NS: Final = 5 * 60 * NS_PER_S
"""An alert that is not decided so long after it was raised: the on-call reviewer is called."""
UNCONFIRMED_NS: Final = 30 * 60 * NS_PER_S
"""And so long: it is unconfirmed."""


class Why(enum.Enum):
    """Why an image was destroyed."""

    EXPIRED = "expired"
    AUTHORISATION = "authorisation"
    SUSPENSION = "suspension"
    KEY_GONE = "key-gone"
    """As after a restore: an old database with the current key store."""


@dataclass(frozen=True)
class Ticked:
    """What the clock did.

    Args:
        called: alerts for which the on-call reviewer is to be called.
        unconfirmed: alerts that nobody decided in time.
        destroyed: alerts of which an image, or oversight's copy, went.
    """

    called: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    destroyed: tuple[str, ...]


def tick(tx: Tx, keys: KeyStore) -> Ticked:
    """Do what is due; the scheduler calls it every second.

    It looks at what is due, and at the ids of keys, and reads no face: other writers wait meanwhile.

    Calling and `unconfirmed` go by the clock and by being undecided alone, whether there is no verdict, one, or two
    that disagree: they would tell otherwise how many there are. Keys that no row names are destroyed too.

    Raises:
        DiskError: after the commit: keys could not be destroyed on the disk; the next tick does it.
    """
    known = keys.ids(Scope.ALERT)
    named = queries.alert_keys(tx)
    lost = not named <= known
    called = _call(tx, _uncalled(tx))
    late = _unconfirm(tx, _unconfirmed(tx))
    gone = _destroy_due(tx, known, lost=lost)
    gone += _destroy_sealed(tx, known, lost=lost)
    stray = sorted(known - (queries.alert_keys(tx) if gone else named))  # none is being raised: writers take turns
    stray += stray_keys(tx, keys)
    if stray:
        tx.after_commit(lambda: keys.destroy(stray))
    return Ticked(tuple(called), tuple(late), tuple(gone))


def _uncalled(tx: Tx) -> list[Alert]:
    return those_shown(tx, queries.alerts_uncalled(tx, states=UNDECIDED, raised_until_ns=tx.now_ns - CALL_NS))


def _call(tx: Tx, alerts: Sequence[Alert]) -> list[str]:
    tx.change_all(alerts, called_at_ns=tx.now_ns)
    return _told(tx, "alert.on-call", alerts)


def _told(tx: Tx, kind: str, alerts: Sequence[Alert]) -> list[str]:
    names = [alert.alert_id for alert in alerts]
    tx.entries(kind, ACTOR, [{"alert": name} for name in names])
    return names


def _unconfirmed(tx: Tx) -> list[Alert]:
    late = queries.alerts_raised(tx, state=State.OPEN.value, raised_until_ns=tx.now_ns - UNCONFIRMED_NS)
    return [alert for alert in late if alert.raised_at_ns + UNCONFIRMED_NS <= alert.expires_at_ns]


def _unconfirm(tx: Tx, alerts: Sequence[Alert]) -> list[str]:
    tx.change_all(alerts, state=State.UNCONFIRMED.value)
    return _told(tx, "alert.unconfirmed", alerts)


def _destroy_due(tx: Tx, known: Collection[str], *, lost: bool) -> list[str]:
    """Destroy what has expired; where some key is lost, look through all that is kept for whose it is."""
    kept = tx.find(Alert, without=queries.FACES, destroyed_at_ns=None) if lost else queries.alerts_over(tx)
    over = [alert for alert in kept if tx.now_ns >= alert.expires_at_ns]
    keyless = [alert for alert in kept if tx.now_ns < alert.expires_at_ns and alert.key_id not in known]
    _destroy(tx, over, Why.EXPIRED)
    _destroy(tx, keyless, Why.KEY_GONE)
    return [alert.alert_id for alert in (*over, *keyless)]


def _destroy_sealed(tx: Tx, known: Collection[str], *, lost: bool) -> list[str]:
    gone = [
        alert
        for alert in queries.alerts_sealed(tx, until_ns=None if lost else tx.now_ns)
        if tx.now_ns >= (alert.oversight_until_ns or 0) or alert.oversight_key_id not in known
    ]
    tx.change_all(gone, oversight_sealed=None, oversight_key_id=None)
    return _told(tx, "alert.unsealed", gone)


def _destroy(tx: Tx, alerts: Sequence[Alert], why: Why) -> list[str]:
    """Forget the images; return the keys to destroy after the commit.

    All of them in this transaction, however many, so that nobody meets one that is left; with few statements, so that
    other writers need not wait long.
    """
    states = {alert.alert_id: _ended_state(tx, alert) for alert in alerts}
    alike: dict[tuple[tuple[str, object], ...], list[Alert]] = {}
    for alert in alerts:
        fields = _ended_fields(alert, states[alert.alert_id], tx.now_ns)
        alike.setdefault(tuple(sorted(fields.items())), []).append(alert)
    for same, ending in alike.items():
        tx.change_all(ending, **dict(same))
    forget_looks(tx, [alert.alert_id for alert in alerts])
    films = forget_playbacks(tx, [alert.alert_id for alert in alerts])
    said = _said_of(tx, [alert.alert_id for alert in alerts if alert.state in UNDECIDED])
    bodies = [
        {
            "alert": alert.alert_id,
            "state": states[alert.alert_id],
            "verdicts": [opening(verdict) for verdict in said.get(alert.alert_id, ())],
            "why": why.value,
        }
        for alert in alerts
    ]
    tx.entries("alert.destroyed", ACTOR, bodies)
    return [*(alert.key_id for alert in alerts), *films]


def _said_of(tx: Tx, alert_ids: Sequence[str]) -> dict[str, list[Verdict]]:
    """Return the verdicts on these alerts, by alert; of most there are none."""
    said: dict[str, list[Verdict]] = {}
    for verdict in queries.verdicts_on(tx, alert_ids):
        said.setdefault(verdict.alert_id, []).append(verdict)
    return said


def _ended_fields(alert: Alert, state: str, now_ns: int) -> dict[str, object]:
    """Return the fields of an alert's row once its image is gone: coarse, so that many have the same."""
    ended: dict[str, object] = {"destroyed_at_ns": now_ns, "image_sealed": None, "place_sealed": None, "state": state}
    return {**ended, **forgotten(replace(alert, destroyed_at_ns=now_ns))}


def _ended_state(tx: Tx, alert: Alert) -> str:
    """Return what a destroyed alert is: one that nobody decided in half an hour is unconfirmed, however late it is."""
    if alert.state != State.OPEN.value:
        return alert.state
    late = alert.raised_at_ns + UNCONFIRMED_NS <= min(tx.now_ns, alert.expires_at_ns)
    return State.UNCONFIRMED.value if late else State.WITHDRAWN.value


def destroy_for_authorisation(tx: Tx, authorisation_id: str) -> list[str]:
    """Forget the images of an authorisation that has ended. What is sealed to oversight stays.

    Returns:
        The ids of the keys that the caller destroys once this is committed.
    """
    alerts = tx.find(Alert, without=queries.FACES, authorisation_id=authorisation_id, destroyed_at_ns=None)
    return _destroy(tx, alerts, Why.AUTHORISATION)


def destroy_captured(tx: Tx, cameras: Collection[str], from_ns: int, until_ns: int) -> list[str]:
    """Forget the images captured on these cameras in a suspended window. What is sealed to oversight stays.

    An alert captured before it, and seen again since it began, is left as it was at its capture: the row does not say
    when somebody was seen last before the window.

    Args:
        tx: the transaction that imposes it.
        cameras: by id.
        from_ns: first instant of capture.
        until_ns: first instant after.

    Returns:
        The ids of the keys that the caller destroys once this is committed.
    """
    for alert in queries.alerts_seen_into(tx, cameras, from_ns):
        tx.change(alert, **first_sighting(alert))
        tx.entry("alert.sightings-forgotten", ACTOR, {"alert": alert.alert_id})
    return _destroy(tx, queries.alerts_captured(tx, cameras, from_ns, until_ns), Why.SUSPENSION)


def keep_until(tx: Tx, keys: KeyStore, authorisation_id: str, ends_at_ns: int) -> None:
    """Let the images of an authorisation that was confirmed meanwhile stay until its new end, or 31 days.

    Args:
        tx: the transaction that moves its end.
        keys: moves the keys' expiry right after the commit.
        authorisation_id: an urgent one, until now.
        ends_at_ns: its new end.
    """
    moved: list[tuple[str, int]] = []
    alerts = tx.find(Alert, without=queries.FACES, authorisation_id=authorisation_id, destroyed_at_ns=None)
    for alert in (one for one in alerts if tx.now_ns < one.expires_at_ns):  # what is over stays over
        expires_at_ns = min(ends_at_ns, alert.raised_at_ns + LONGEST_NS)
        tx.change(alert, expires_at_ns=expires_at_ns)
        tx.entry("alert.kept", ACTOR, {"alert": alert.alert_id})
        moved.append((alert.key_id, expires_at_ns))
    tx.after_commit(lambda: _reschedule(keys, moved))


def _reschedule(keys: KeyStore, moved: Sequence[tuple[str, int]]) -> None:
    for key_id, expires_at_ns in moved:
        with suppress(KeyDestroyed):  # reaped meanwhile: the next tick sees it
            keys.reschedule(key_id, expires_at_ns)
