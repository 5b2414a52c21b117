"""A parcel of one film, whose approval is in a log that witnesses have signed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from tests.unit.audit.exports import Book, Memory, files_of
from tests.unit.audit.signers import LOG

from habeas.audit.bundle import Exhibit
from habeas.audit.inputs import EpochLog
from habeas.audit.parcel import content_of, pack
from habeas.audit.proving import prove

FILM: Final = b"a film"
NAME: Final = "gate-20260501T100000.mp4"


def content() -> dict[str, Any]:
    film = {
        "name": NAME,
        "camera": "gate",
        "from": "2026-05-01T10:00:00.000000000Z",
        "until": "2026-05-01T10:20:00.000000000Z",
        "sha256": hashlib.sha256(FILM).hexdigest(),
    }
    return {
        "about": "hold-1",
        "damaged": ["gate-segment"],
        "decision": None,
        "export": "exp-1",
        "films": [film],
        "recipient": "age1x",
        "requester": "acc-1",
        "reports_sha256": content_of(reports()),
        "unredacted": False,
    }


def reports() -> dict[str, Any]:
    return {NAME: {"pictures": 25, "doubts": [{"from_ns": "1777622403000000000"}]}}


def exhibit_of(said: Mapping[str, Any]) -> Exhibit:
    """An entry that approved this, in a log that witnesses have signed."""
    book = Book()
    for _ in range(3):
        book.add("padding", "log", {})
    seq = book.add("export.approved", "abe", said)
    book.add("padding", "log", {})
    proof = prove((EpochLog(Memory(files_of(book.leaves())), 1, 0),), seq)
    return Exhibit(seq, json.dumps(book.openings[seq]).encode(), None, proof)


def packed() -> bytes:
    of = content()
    exhibit = exhibit_of({"export": of["export"], "sha256": content_of(of)})
    return pack(of, reports(), {NAME: FILM}, exhibit, {LOG.name: 0})
