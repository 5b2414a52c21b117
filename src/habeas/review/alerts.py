"""Raising an alert: its key is durable first, then its row and its entry, and only then does anybody see it."""

import json
from collections.abc import Iterable
from typing import Final

from habeas.accounts.credentials import new_id
from habeas.audit.hiding import hide
from habeas.errors import HabeasError, RuleError
from habeas.keys import KeyStore, Scope
from habeas.review.grouping import further_sighting
from habeas.review.images import image_context, opened, place_context
from habeas.review.table import UNDECIDED, State
from habeas.store import Tx, queries
from habeas.store.records import Alert, Authorisation, Camera, Subject
from habeas.types import DAY_NS, OriginKind, utc
from habeas.types import Alert as Match

ACTOR: Final = "review"
"""Who acts, in entries, where no person does."""
LONGEST_NS: Final = 31 * DAY_NS
"""An alert's image is destroyed at the latest so long after it was raised."""
_ACTIVE: Final = "active"


def raise_alert(
    tx: Tx,
    keys: KeyStore,
    match: Match,
    image: bytes,
    *,
    camera: Camera,
    suspended: bool,
    false_a_day: float,
    cooldown_ns: int,
) -> Alert:
    """Write an alert, or a further sighting of one that is open (`sightings` is then above 1, and no image is read).

    It exists once the transaction has committed, and not before: whoever tells of it does so by `tx.after_commit`.
    That its authorisation still runs is looked up here, in the same transaction, since it may have ended between the
    comparison and now. Where the transaction fails, the new key has encrypted nothing that was kept; `ending.tick`
    destroys it.

    Args:
        tx: the transaction.
        keys: gets the alert's key, which expires with the authorisation, or after 31 days.
        match: what was decided.
        image: the face, JPEG or PNG; others in it painted over.
        camera: where; its zone is the alert's from here on, whatever becomes of the camera.
        suspended: what this camera captured at that instant is suspended, as `authority` says in this transaction.
        false_a_day: how many false alerts to expect a day at this setting and traffic.
        cooldown_ns: the setting: a track so soon after the last sighting is a further one.

    Raises:
        RuleError: suspended, captured outside the window, or the authorisation has ended, or the subject is discarded:
            drop the match.
        InputError: no such subject.
        DiskError: the key could not be made durable.
    """
    if match.origin.camera_id != camera.camera_id:
        raise HabeasError(f"a match of {match.origin.camera_id} was brought as one of {camera.camera_id}")
    authorisation = _checked(tx, match, suspended=suspended)
    where = {"camera_id": camera.camera_id, "subject_id": match.subject_id}
    near = further_sighting(
        queries.alerts_seen(tx, **where, states=UNDECIDED, seen_from_ns=match.captured_at_ns - cooldown_ns),
        **where,
        captured_at_ns=match.captured_at_ns,
        similarity=float(match.similarity),
        cooldown_ns=cooldown_ns,
    )
    if near is not None:
        return _seen_again(tx, keys, near, match.captured_at_ns)
    expires_at_ns = min(authorisation.ends_at_ns or 0, tx.now_ns + LONGEST_NS)
    return _insert(tx, keys, match, image, camera, authorisation.authorisation_id, expires_at_ns, false_a_day)


def _checked(tx: Tx, match: Match, *, suspended: bool) -> Authorisation:
    if suspended:
        raise RuleError(
            f"{match.origin.camera_id} was suspended when this was captured", rule="suspended", remedy="drop the match"
        )
    subject = tx.get(Subject, match.subject_id)
    authorisation = tx.get(Authorisation, subject.authorisation_id)
    if subject.discarded_at_ns is not None or not runs(authorisation, tx.now_ns):
        raise RuleError("its authorisation has ended", rule="authorisation-ended", remedy="drop the match")
    if not authorisation.from_ns <= match.captured_at_ns < authorisation.until_ns:
        raise RuleError("it was captured outside the window", rule="window", remedy="drop the match")
    return authorisation


def runs(authorisation: Authorisation, now_ns: int) -> bool:
    """Tell whether an authorisation is active at this instant, also where nobody has ended it on time yet."""
    return authorisation.state == _ACTIVE and now_ns < (authorisation.ends_at_ns or 0)


def _insert(
    tx: Tx,
    keys: KeyStore,
    match: Match,
    image: bytes,
    camera: Camera,
    authorisation_id: str,
    expires_at_ns: int,
    false_a_day: float,
) -> Alert:
    alert_id = new_id("alert")
    key_id = keys.new(Scope.ALERT, expires_at_ns)
    alert = Alert(
        alert_id=alert_id,
        camera_id=camera.camera_id,
        zone=camera.zone,
        authorisation_id=authorisation_id,
        subject_id=match.subject_id,
        captured_at_ns=match.captured_at_ns,
        raised_at_ns=tx.now_ns,
        track_id=match.track_id,
        similarity=float(match.similarity),
        threshold=float(match.threshold.similarity),
        expected_fpir=match.threshold.expected_fpir,
        extrapolated=match.threshold.extrapolated,
        false_a_day=false_a_day,
        gallery_size=match.threshold.gallery_size,
        view_id=match.view_id,
        model_id=match.model_id,
        key_id=key_id,
        image_sealed=keys.encrypt(key_id, image, image_context(alert_id)),
        expires_at_ns=expires_at_ns,
        state=State.OPEN.value,
        place_sealed=_place(keys, key_id, alert_id, match),
        from_footage=match.origin.kind is OriginKind.FOOTAGE,
        last_seen_ns=match.captured_at_ns,
    )
    tx.add(alert)
    tx.entry("alert.raised", ACTOR, _body(alert), hide(keys, key_id, _hidden(alert)))
    return alert


def _place(keys: KeyStore, key_id: str, alert_id: str, match: Match) -> bytes | None:
    """Return where in the picture the face was, sealed: edges, 0 to 1 of its sides; None: it is not known."""
    if not all(match.size_wh):
        return None
    sides = match.size_wh * 2
    edges = [min(1.0, max(0.0, edge / side)) for edge, side in zip(match.box_xyxy_px.tolist(), sides, strict=True)]
    return keys.encrypt(key_id, json.dumps(edges).encode(), place_context(alert_id))


def place_of(keys: KeyStore, alert: Alert) -> tuple[float, float, float, float] | None:
    """Return where in the picture an alert's face was; None: it is not known, or gone.

    Returns:
        Left, upper, right and lower edge, 0 to 1 of the picture.

    Raises:
        InputError: it was changed, or belongs to another alert.
    """
    told = opened(keys, alert.key_id, alert.place_sealed, place_context(alert.alert_id))
    if told is None:
        return None
    left, top, right, bottom = json.loads(told)
    return left, top, right, bottom


def _body(alert: Alert) -> dict[str, object]:
    """Return what the entry says for good: what statistics need."""
    return {
        "alert": alert.alert_id,
        "expected_fpir": alert.expected_fpir,
        "extrapolated": alert.extrapolated,
        "false_a_day": alert.false_a_day,
        "footage": alert.from_footage,
        "gallery_size": alert.gallery_size,
        "model": alert.model_id,
        "threshold": alert.threshold,
        "zone": alert.zone,
    }


def _hidden(alert: Alert) -> dict[str, object]:
    """Return what goes with the alert's key: whose it was, where and when, and how alike somebody was."""
    return {
        "authorisation": alert.authorisation_id,
        "camera": alert.camera_id,
        "captured_at": utc(alert.captured_at_ns),
        "expires_at": utc(alert.expires_at_ns),
        "similarity": alert.similarity,
        "view": alert.view_id,
    }


def _seen_again(tx: Tx, keys: KeyStore, alert: Alert, captured_at_ns: int) -> Alert:
    last_seen_ns = max(alert.last_seen_ns, captured_at_ns)
    alert = tx.change(alert, sightings=alert.sightings + 1, last_seen_ns=last_seen_ns)
    hidden = hide(keys, alert.key_id, {"last_seen": utc(last_seen_ns), "sightings": alert.sightings})
    tx.entry("alert.seen-again", ACTOR, {"alert": alert.alert_id}, hidden)
    return alert


def track_closed(tx: Tx, keys: KeyStore, alert_id: str, last_seen_ns: int, *, suspended: bool) -> None:
    """Note when the track of an alert was last compared, from where the cooldown counts. A decided one stays as it is.

    Args:
        tx: the transaction.
        keys: hides when that was.
        alert_id: from `raise_alert`.
        last_seen_ns: capture time of the track's last probe. One before what the alert has changes nothing.
        suspended: what its camera captured then is suspended meanwhile: nothing is noted.

    Raises:
        InputError: no such alert.
        KeyDestroyed: its key is gone in this moment.
    """
    alert = tx.get(Alert, alert_id)
    if suspended:
        return
    if alert.state in UNDECIDED and alert.destroyed_at_ns is None and last_seen_ns > alert.last_seen_ns:
        tx.change(alert, last_seen_ns=last_seen_ns)
        hidden = hide(keys, alert.key_id, {"last_seen": utc(last_seen_ns)})
        tx.entry("alert.last-seen", ACTOR, {"alert": alert_id}, hidden)


def may_be_shown(tx: Tx, alert: Alert) -> bool:
    """Tell whether faces of an alert may still be seen: its time is not over, and its authorisation runs."""
    return bool(those_shown(tx, [alert]))


def those_shown(tx: Tx, alerts: Iterable[Alert]) -> list[Alert]:
    """Return those of these alerts whose faces may still be seen. Each authorisation is looked up once."""
    kept = [alert for alert in alerts if alert.destroyed_at_ns is None and tx.now_ns < alert.expires_at_ns]
    running = {
        authorisation_id: runs(tx.get(Authorisation, authorisation_id), tx.now_ns)
        for authorisation_id in {alert.authorisation_id for alert in kept}
    }
    return [alert for alert in kept if running[alert.authorisation_id]]
