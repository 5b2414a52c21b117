"""Which tracks are further sightings of an alert that is open. Pure."""

from collections.abc import Iterable

from habeas.review.table import UNDECIDED
from habeas.store.records import Alert


def further_sighting(
    alerts: Iterable[Alert],
    *,
    camera_id: str,
    subject_id: str,
    captured_at_ns: int,
    similarity: float,
    cooldown_ns: int,
) -> Alert | None:
    """Return the alert that a new track belongs to, or None: it is a new alert.

    A track belongs to an alert of the same subject on the same camera that nobody has decided, if it was captured at
    most `cooldown_ns` after that alert's face was last seen, and not before the alert, and if it is no more alike: a
    better match is shown for itself, since the open alert may be a look-alike's. Among several, to the one seen last.

    Args:
        alerts: to choose from.
        camera_id: where the track is.
        subject_id: whom it matched.
        captured_at_ns: when.
        similarity: of the match.
        cooldown_ns: the setting.
    """
    near = [
        alert
        for alert in alerts
        if (alert.camera_id, alert.subject_id) == (camera_id, subject_id)
        and alert.state in UNDECIDED
        and alert.destroyed_at_ns is None
        and alert.similarity is not None
        and similarity <= alert.similarity
        and alert.captured_at_ns <= captured_at_ns <= alert.last_seen_ns + cooldown_ns
    ]
    return max(near, key=lambda alert: (alert.last_seen_ns, alert.alert_id), default=None)
