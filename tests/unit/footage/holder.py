"""A bench for holds: footage on one camera, people who ask and approve, and what of it can be looked at now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.footage.bench import Bench

from habeas.footage import holds, requests
from habeas.footage.files import FootageFolder, hour_of, read_segment
from habeas.footage.gracing import Gracing
from habeas.footage.holds import Asked, hash_of
from habeas.footage.keeping import Keeping
from habeas.footage.requests import Plea, Verified
from habeas.footage.rows import row_of
from habeas.store.footage_records import Footage, Hold, PublicRequest
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

PLENTY_NS = 10**4 * HOUR_NS


@dataclass
class Holder:
    """Holds over what a bench records."""

    bench: Bench
    held: Path
    keeping: Keeping = field(init=False)
    gracing: Gracing = field(init=False)

    def __post_init__(self) -> None:
        self.place = self.bench.place
        self.begin()

    def begin(self) -> None:
        """Begin anew, as a node that starts."""
        about = self.place.store, self.place.keys, self.bench.folder, self.held, self.place.clock
        self.keeping, self.gracing = Keeping(*about, reserve_bytes=0), Gracing(*about, reserve_bytes=0)

    @property
    def now_ns(self) -> int:
        return self.place.clock.now_ns()

    def plenty(self, camera: str = "c2", lasts_ns: int = PLENTY_NS) -> None:
        """Let so much be recorded elsewhere that one part in a hundred of it is a lot."""
        with self.place.store.write() as tx:
            row = row_of(tx, self.place.keys, camera, self.bench.hour_ns)
            assert row is not None
            for other in tx.find(Footage, camera_id=camera):
                tx.change(other, lasts_ns=lasts_ns if other.footage_id == row.footage_id else 0)

    def asked(self, from_ns: int, until_ns: int, **changes: Any) -> Asked:
        told: dict[str, Any] = {
            "asked_by": "Police of Somewhere",
            "reference": "R-1",
            "why": "a fall",
            "cameras": ("c1",),
            "from_ns": from_ns,
            "until_ns": until_ns,
            "ends_at_ns": self.now_ns + 20 * DAY_NS,
        }
        return Asked(**{**told, **changes})

    def propose(self, from_ns: int, until_ns: int, who: str = "rob", **changes: Any) -> Hold:
        asked = self.asked(from_ns, until_ns, **changes)
        return self.place.do(who, lambda tx, actor: holds.propose(tx, self.place.keys, actor, asked))

    def approve(self, hold: Hold, who: str) -> Hold:
        return self.place.do(who, lambda tx, actor: holds.approve(tx, actor, hold.hold_id, hash_of(hold)))

    def approved(self, from_ns: int, until_ns: int, by: Sequence[str] = ("abe", "bea"), **changes: Any) -> Hold:
        hold = self.propose(from_ns, until_ns, **changes)
        for who in by:
            hold = self.approve(hold, who)
        return hold

    def release(self, hold: Hold, who: str) -> Hold:
        return self.place.do(
            who, lambda tx, actor: holds.release(tx, self.place.keys, actor, hold.hold_id, hash_of(hold))
        )

    def refuse(self, hold: Hold, who: str = "abe") -> Hold:
        return self.place.do(who, lambda tx, actor: holds.refuse(tx, self.place.keys, actor, hold.hold_id))

    def keep(self) -> None:
        """Do what the clock asks of holds."""
        self.keeping.end_due()
        self.keeping.copy_approved()

    def step(self) -> None:
        """Do what the clock asks for."""
        self.place.keys.reap(self.now_ns)
        self.bench.end_due()
        self.bench.sweep()
        self.keep()
        self.gracing.step()
        self.keeping.sweep()

    def receive(self, from_ns: int, until_ns: int, who: str = "pia", **changes: Any) -> PublicRequest:
        told: dict[str, Any] = {"contact": "Ada Doe, ada@example.org", "why": "a fall", "cameras": ("c1",)}
        plea = Plea(**{**told, "from_ns": from_ns, "until_ns": until_ns, **changes})
        return self.place.do(who, lambda tx, actor: requests.receive(tx, self.place.keys, actor, plea))

    def verify(self, request: PublicRequest, who: str = "pia") -> Verified:
        return self.place.do(
            who,
            lambda tx, actor: requests.verify(tx, self.place.keys, self.bench.folder, actor, request.request_id),
        )

    def refuse_request(self, request: PublicRequest, who: str = "pia") -> PublicRequest:
        return self.place.do(who, lambda tx, actor: requests.refuse(tx, self.place.keys, actor, request.request_id))

    def request(self, request: PublicRequest) -> PublicRequest:
        return self.place.look(PublicRequest, request_id=request.request_id)[0]

    def held_now(self, hold: Hold) -> Hold:
        """Let what was approved be copied, and return the hold."""
        self.place.clock.advance(20 * NS_PER_S)
        self.keep()
        return self.row(hold)

    def row(self, hold: Hold) -> Hold:
        return self.place.look(Hold, hold_id=hold.hold_id)[0]

    def opens(self, hold_id: str, camera: str = "c1") -> list[bytes]:
        """What each copy of a hold, or of a request, plays, with whatever keys there are."""
        folder = self.keeping.folder(hold_id)
        return opened(folder, camera, lambda path, hour_ns: self._parts(path, camera, hour_ns))

    def _parts(self, path: Path, camera: str, hour_ns: int) -> bytes:
        stored = read_segment(path, camera, hour_ns)
        return b",".join(part.data for part in stored.parts(self.place.keys, self.now_ns))

    def until(self, ns: int) -> None:
        self.place.clock.advance(ns - self.now_ns)

    def rows(self) -> list[Footage]:
        return self.place.look(Footage)


def opened(folder: FootageFolder, camera: str, read: Callable[[Path, int], bytes]) -> list[bytes]:
    return [
        read(path, hour_ns)
        for hour in sorted((folder.path / camera).glob("*"))
        for hour_ns in [hour_of(hour.name)]
        if hour_ns is not None
        for path in folder.segments(camera, hour_ns)
    ]
