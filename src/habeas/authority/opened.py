"""Who somebody is, and references as they were given, out of sealed fields: only while their subject's key exists."""

import json
from datetime import date

import numpy as np

from habeas.keys import KeyStore
from habeas.store.records import Reference, Subject
from habeas.types import F32


def open_template(keys: KeyStore, subject: Subject, reference: Reference) -> F32:
    """Return the template of a reference: (d,) float32, unit length.

    Raises:
        KeyDestroyed: the subject's key is gone.
    """
    context = f"template {reference.reference_id}".encode()
    raw = keys.decrypt(subject.key_id, reference.template_sealed or b"", context)
    return np.frombuffer(raw, "<f4").astype(np.float32)


def open_image(keys: KeyStore, subject: Subject, reference: Reference) -> bytes:
    """Return the image of a reference as it was given.

    Raises:
        KeyDestroyed: the subject's key is gone.
    """
    return keys.decrypt(subject.key_id, reference.image_sealed or b"", f"image {reference.reference_id}".encode())


def named(keys: KeyStore, subject: Subject) -> tuple[str, date]:
    """Return name and birth date of a subject whose key still exists.

    Raises:
        KeyDestroyed: it does not.
    """
    known = identity(keys, subject)
    return str(known["name"]), date.fromisoformat(str(known["born"]))


def identity(keys: KeyStore, subject: Subject) -> dict[str, object]:
    """Return name and birth date of a subject whose key still exists.

    Raises:
        KeyDestroyed: it does not.
    """
    sealed = subject.identity_sealed or b""
    known: dict[str, object] = json.loads(keys.decrypt(subject.key_id, sealed, b"identity"))
    return known
