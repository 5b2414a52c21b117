"""The faces of alerts, encrypted: under the alert's key for reviewers, and for oversight. Here is what binds each."""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

import rfc8785

from habeas.errors import KeyDestroyed
from habeas.keys import KeyStore, Scope, seal
from habeas.store import Tx
from habeas.store.records import Alert, Meta
from habeas.types import DAY_NS, utc

OVERSIGHT: Final = "oversight_recipient"
"""Name of the fact (`Meta`) that holds the outside body's age recipient."""
OVERSIGHT_NS: Final = 183 * DAY_NS
"""Six months."""


def image_context(alert_id: str) -> bytes:
    """Return what an alert's image is bound to besides its key."""
    return f"alert image {alert_id}".encode()


def oversight_context(alert_id: str) -> bytes:
    """Return what the wrapping of a sealed record is bound to besides its key."""
    return f"alert oversight {alert_id}".encode()


def place_context(alert_id: str) -> bytes:
    """Return what the place of an alert's face is bound to besides its key."""
    return f"alert place {alert_id}".encode()


def reference_context(reference_id: str) -> bytes:
    """Return what a reference's image is bound to besides its subject's key; `authority` encrypts it so."""
    return f"image {reference_id}".encode()


def opened(keys: KeyStore, key_id: str, sealed: bytes | None, context: bytes) -> bytes | None:
    """Decrypt; None: it is gone, or its key is.

    Raises:
        InputError: it was changed, or belongs to another place.
    """
    if sealed is None:
        return None
    try:
        return keys.decrypt(key_id, sealed, context)
    except KeyDestroyed:
        return None


def sealed_for_oversight(
    tx: Tx, keys: KeyStore, alert: Alert, verdicts: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """Encrypt a confirmed alert to oversight; return the fields of its row that hold it, none if there is no such body.

    Oversight alone can read the record, and only while this installation has the key that wraps it: after six months
    that is destroyed, and what disks still hold of the row is noise to everybody.

    Args:
        tx: the transaction that confirms it.
        keys: gets the wrapping key.
        alert: with its image.
        verdicts: what each reviewer said.

    Raises:
        InputError: what is configured is no age recipient.
        KeyDestroyed: the alert's key is gone.
        DiskError: the key could not be made durable.
    """
    found = tx.find(Meta, name=OVERSIGHT)
    if not found or alert.image_sealed is None:
        return {}
    image = keys.decrypt(alert.key_id, alert.image_sealed, image_context(alert.alert_id))
    return _wrapped(tx, keys, alert, seal(found[0].value, _record(alert, image, verdicts)))


def sealed_anew(tx: Tx, keys: KeyStore, alert: Alert) -> dict[str, object]:
    """Keep what is sealed to oversight for six months from now; return the fields that hold it, none if it is gone.

    It gets another key, and the older one goes: no step between leaves the record under a key that ends too early.

    Raises:
        DiskError: the key could not be made durable.
    """
    record = sealed_record(tx, keys, alert)
    return {} if record is None else _wrapped(tx, keys, alert, record)


def sealed_record(tx: Tx, keys: KeyStore, alert: Alert) -> bytes | None:
    """Return what only oversight's identity opens: an age file. None: there is none, or its time is over."""
    if alert.oversight_key_id is None or tx.now_ns >= (alert.oversight_until_ns or 0):
        return None
    return opened(keys, alert.oversight_key_id, alert.oversight_sealed, oversight_context(alert.alert_id))


def _wrapped(tx: Tx, keys: KeyStore, alert: Alert, record: bytes) -> dict[str, object]:
    until_ns = tx.now_ns + OVERSIGHT_NS
    key_id, earlier = keys.new(Scope.ALERT, until_ns), alert.oversight_key_id
    wrapped = keys.encrypt(key_id, record, oversight_context(alert.alert_id))
    if earlier is not None:
        tx.after_commit(lambda: keys.destroy([earlier]))
    return {"oversight_sealed": wrapped, "oversight_key_id": key_id, "oversight_until_ns": until_ns}


def _record(alert: Alert, image: bytes, verdicts: Sequence[Mapping[str, object]]) -> bytes:
    facts = {
        "alert": alert.alert_id,
        "authorisation": alert.authorisation_id,
        "camera": alert.camera_id,
        "captured_at": utc(alert.captured_at_ns),
        "image": base64.b64encode(image).decode(),
        "kind": "habeas sealed alert",
        "last_seen": utc(alert.last_seen_ns),
        "model": alert.model_id,
        "sightings": alert.sightings,
        "similarity": alert.similarity,
        "subject": alert.subject_id,
        "threshold": alert.threshold,
        "v": 1,
        "verdicts": [dict(verdict) for verdict in verdicts],
        "view": alert.view_id,
        "zone": alert.zone,
    }
    return rfc8785.dumps(facts)  # type: ignore[arg-type]  # its type of JSON is recursive; these are plain values
