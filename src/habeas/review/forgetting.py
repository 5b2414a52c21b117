"""What a row keeps of an alert once its image is gone. Pure.

Not confirmed, it was most likely a stranger, whose likeness to a subject, at a place and an instant, is nobody's
business. Confirmed, it is a result, which goes with its authorisation; oversight has its copy. What statistics need
stays: camera, zone, hour, outcome, gallery size, model, threshold and what it promised.
"""

from typing import Final

from habeas.store.records import Alert
from habeas.types import HOUR_NS

_COARSE: Final = ("captured_at_ns", "raised_at_ns", "expires_at_ns", "called_at_ns", "decided_at_ns", "destroyed_at_ns")
"""Times that a row keeps to the hour."""


def hour_ns(at_ns: int) -> int:
    """Return the beginning of an instant's hour (UTC)."""
    return at_ns - at_ns % HOUR_NS


def forgotten(alert: Alert) -> dict[str, object]:
    """Return the fields of an alert's row as they are once it names nobody; its state stays.

    Args:
        alert: destroyed; `destroyed_at_ns` is set.
    """
    times = {name: getattr(alert, name) for name in _COARSE}
    return {
        "authorisation_id": None,
        "subject_id": None,
        "track_id": None,
        "similarity": None,
        "view_id": None,
        "sightings": 1,
        "last_seen_ns": hour_ns(alert.captured_at_ns),
        **{name: None if at_ns is None else hour_ns(at_ns) for name, at_ns in times.items()},
    }


def first_sighting(alert: Alert) -> dict[str, object]:
    """Return the fields of an alert's row as they were before it was seen again."""
    return {"last_seen_ns": alert.captured_at_ns, "sightings": 1}
