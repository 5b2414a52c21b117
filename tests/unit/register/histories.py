"""Installations told by hand, entry by entry, with enough in them for every part of a register."""

import json
from collections.abc import Iterable
from typing import Any, Final

from tests.unit.audit.exports import BEGAN_NS, Book
from tests.unit.audit.signers import LOG, WITNESSES

from habeas.audit.entry import hour_text
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S, utc

DAY0_NS: Final = BEGAN_NS - BEGAN_NS % DAY_NS
"""2026-11-26T00:00:00Z"""
MODEL: Final = "centerface-mfn-fr-d8ba40c087aacdfe-f32"


class History(Book):
    """A book of an installation: `gate` of 6 cameras, `hall` of 3, `yard` of 2."""

    def __init__(self) -> None:
        super().__init__()
        body = {"first_seq": 0, "number": 1, "origin": LOG.name, "prior": "", "vkey": LOG.verifier.encode()}
        self.add("log.epoch", "node", body)
        ceilings: dict[str, Any] = {"fpir": 1e-4, "model_id": MODEL, "calibration": "c" * 64, "subjects": 100}
        ceilings |= {"witnesses": [one.verifier.encode() for one in WITNESSES[:3]], "quorum": 2}
        body = {"based_on": 0, "ceilings": ceilings, "number": 1, "policy": "pol-1", "sha256": "0" * 64}
        self.add("policy.first", "init", body)
        for zone, count in (("gate", 6), ("hall", 3), ("yard", 2)):
            for number in range(count):
                self.camera(f"{zone}-{number}", zone)

    def at(self, ns: int) -> None:
        """Let the time be this, from now on."""
        self.now_ns = ns - NS_PER_S

    def camera(self, name: str, zone: str, source: str = "") -> None:
        body = {"camera": name, "min_face_px": 32, "purpose": f"Watches the {zone}.", "zone": zone}
        self.add("camera.added", "ann", {**body, "masks": json.dumps([]), "source": source or f"digest of {name}"})

    def counted(self, camera: str, day: str, tracks: int) -> None:
        zone = camera.partition("-")[0]
        numbers = {"analysed_ns": 3600 * NS_PER_S, "faces": 3 * tracks, "tracks": tracks, "searches": 0, "alerts": 0}
        self.add("camera.counted", "counting", {"camera": camera, "day": day, "zone": zone, **numbers})

    def searched(self, zone: str, gallery_size: int) -> None:
        self.add(
            "search.counted", "matcher", {"zone": zone, "gallery_size": gallery_size, "hour": hour_text(self.now_ns)}
        )

    def alert(self, name: str, zone: str, outcome: str = "") -> None:
        numbers = {"threshold": 0.5, "expected_fpir": 1e-4, "extrapolated": False, "false_a_day": 0.1}
        self.add("alert.raised", "review", {"alert": name, "zone": zone, "model": MODEL, "gallery_size": 3, **numbers})
        if outcome:
            self.add(
                "alert.decided", "review", {"alert": name, "outcome": outcome, "sealed_until": None, "verdicts": []}
            )

    def authorisation(self, name: str, *, started: bool = True) -> None:
        """Ask for one, and approve it."""
        facts = {
            "authorisation": name,
            "authority": "Police of Somewhere",
            "cameras": [["gate-0", "d"], ["gate-1", "d"]],
            "decision": None,
            "decision_status": "missing",
            "from": utc(self.now_ns),
            "kind": "live",
            "minor": False,
            "purpose": "missing-person",
            "renews": None,
            "requester": "acc-rob",
            "revision": 0,
            "sha256": "0" * 64,
            "tags": ["t1", "t2", "t3"],
            "until": utc(self.now_ns + 2 * HOUR_NS),
            "urgent": False,
        }
        self.add("authorisation.drafted", "acc-rob", facts)
        self.add("authorisation.submitted", "acc-rob", facts)
        if started:
            until = {"confirmed": True, "ends": facts["until"], "sha256": "0" * 64}
            self.add("authorisation.active", "acc-abe", {"authorisation": name, **until})

    def end(self, name: str, how: str = "expired") -> None:
        self.add(f"authorisation.{how}", "clock", {"authorisation": name, "notify_due": None})

    def suspend(self, name: str, zones: Iterable[str], from_ns: int, until_ns: int) -> None:
        body = {"suspension": name, "zones": list(zones), "cameras": [], "sources": [], "why": "an assembly"}
        self.add("suspension.imposed", "acc-pia", {**body, "from": utc(from_ns), "until": utc(until_ns)})

    def access(self, name: str, due_ns: int, *ends: str) -> None:
        """Let somebody ask for the footage of themself."""
        body = {"access": name, "cameras": ["gate-0"], "document": "passport", "opened_by": "acc-pia", "sha256": "0"}
        times = {"due": utc(due_ns), "from": utc(self.now_ns - HOUR_NS), "until": utc(self.now_ns)}
        self.add("access.opened", "acc-pia", {**body, **times})
        for end in ends:
            self.add(f"access.{end}", "acc-pia", {"access": name})

    def opened(self) -> list[dict[str, Any]]:
        pairs = zip(self.openings, self.hidden, strict=True)
        return [{"opening": opening, "hidden": hidden} for opening, hidden in pairs]


def full() -> History:
    """Return a history of three weeks: something of all that a register shows."""
    history = History()
    history.authorisation("aut-1")
    history.end("aut-1")
    for number in range(6):  # November: gate on the 27th and 28th, a quiet hall
        day_ns = DAY0_NS + (number + 1) * DAY_NS
        history.at(day_ns + 10 * HOUR_NS)
        for index in range(7 if number < 2 else 1):
            outcome = ("false", "confirmed", "", "false", "unresolved", "false", "confirmed")[index]
            history.alert(f"alert-{number}-{index}", "gate", outcome)
        history.searched("gate", 3 + number)
        history.at(day_ns + DAY_NS + 10 * NS_PER_S)
        day = utc(day_ns)[:10]
        for camera in ("gate-0", "gate-1", "hall-0", "yard-1"):
            history.counted(camera, day, 400 if camera[0] == "g" else 5)
    history.suspend("sus-1", ["gate"], history.now_ns, history.now_ns + 40 * DAY_NS)
    history.authorisation("aut-2")
    history.at(DAY0_NS + 20 * DAY_NS)
    history.end("aut-2", "revoked")
    history.authorisation("aut-3", started=False)
    history.add("suspension.lift-proposed", "acc-pia", {"suspension": "sus-1"})
    return history
