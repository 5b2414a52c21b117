"""An installation as large as one node takes: what each second costs, and how long the one writer is held.

SQLite on this disk, keys in memory: no face is real, no model is loaded, nothing is decoded.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests.installation import ADULT, HOUR, MODEL, Installation

from habeas.authority import cameras, discard
from habeas.authority.cameras import NewCamera
from habeas.authority.gallery import Gallery
from habeas.authority.requests import EnrolledImage, Person
from habeas.keys import Scope
from habeas.node.tick import tick
from habeas.review import ending
from habeas.review.images import image_context
from habeas.store.records import Alert, Authorisation, Camera
from habeas.types import NS_PER_S
from habeas.video.address import parse_address, rules_with

CAMERAS = 1000
AUTHORISATIONS = 20
SUBJECTS = 5
REFERENCES = 5
WATCHED = 250
NAMED = 100
ALERTS = 10_000
FACE_BYTES = 8_000
REFERENCE_BYTES = 60_000
TIMES = 5
DIMENSIONS = 512


@dataclass(frozen=True)
class Took:
    """How long something took: by the clock, and of a core, which says more where others use the machine."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: "Took") -> "Took":
        return Took(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def as_json(self) -> dict[str, float]:
        return {"wall_s": round(self.wall_s, 4), "cpu_s": round(self.cpu_s, 4)}


def took(act: Callable[[], object]) -> Took:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    act()
    return Took(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def median(act: Callable[[], object]) -> dict[str, float]:
    every = [took(act) for _ in range(TIMES)]
    return Took(*(statistics.median(getattr(one, name) for one in every) for name in ("wall_s", "cpu_s"))).as_json()


def installed(place: Installation) -> None:
    """Add every camera, in one transaction."""
    rules = rules_with(folders=[place.folder])
    with place.store.write() as tx:
        admin = place.actor(tx, "ann")
        for number in range(CAMERAS):
            url = f"rtsp://10.1.{number // 250}.{number % 250 + 1}/live"
            new = NewCamera(
                f"c{number}", f"z{number // 10}", "Watches.", (url, parse_address(url, rules)), None, (), 32
            )
            cameras.add_camera(tx, place.keys, admin, new)
            cameras.note_delivery(tx, f"c{number}")
    place.refresh()


def somebody(name: str, generator: np.random.Generator) -> Person:
    rows = generator.normal(size=(REFERENCES, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    images = (EnrolledImage(bytes(REFERENCE_BYTES), row, MODEL, {"faces": 1}) for row in rows)
    return Person(name, ADULT, tuple(images))


def listed(place: Installation) -> list[Authorisation]:
    """Start every authorisation: each of some people, on a window of the cameras that all share."""
    generator = np.random.default_rng(7)
    there = sorted(place.look(Camera, removed_at_ns=None), key=lambda one: int(one.camera_id[1:]))[:WATCHED]
    made = []
    for number in range(AUTHORISATIONS):
        first = number * (WATCHED - NAMED) // AUTHORISATIONS
        people = tuple(somebody(f"Person {number} {n}", generator) for n in range(SUBJECTS))
        until_ns = place.clock.now_ns() + 24 * HOUR
        made.append(place.started(people=people, cameras=tuple(there[first : first + NAMED]), until_ns=until_ns))
    return made


def alerted(place: Installation, row: Authorisation) -> None:
    """Give an authorisation its share of alerts, a key for each."""
    names = [camera_id for camera_id, _ in row.cameras]
    plain = place.alert(row.authorisation_id, names[0])
    key_ids = place.keys.new_many(Scope.ALERT, [plain.expires_at_ns] * ALERTS)
    with place.store.write() as tx:
        for number, key_id in enumerate(key_ids):
            alert_id = f"alert-{row.authorisation_id}-{number}"
            sealed = place.keys.encrypt(key_id, bytes(FACE_BYTES), image_context(alert_id))
            camera_id, track_id = names[number % len(names)], number + 2
            tx.add(
                replace(
                    plain,
                    alert_id=alert_id,
                    camera_id=camera_id,
                    track_id=track_id,
                    key_id=key_id,
                    image_sealed=sealed,
                    captured_at_ns=plain.captured_at_ns - number,
                )
            )


def kept(place: Installation) -> int:
    with place.store.read() as tx:
        return len(tx.find(Alert, without=("image_sealed", "oversight_sealed"), destroyed_at_ns=None))


def a_second(place: Installation) -> None:
    tick(place.store, place.keys, place.gallery, place.clock, lambda step: step(), lambda _id: None)


def ended(place: Installation, command: Callable[[], object]) -> dict[str, object]:
    """Run what ends alerts, and the second of the node after it."""
    before = kept(place)
    commanded = took(command)
    after = kept(place)
    return {
        "alerts_ended": before - after,
        "command": commanded.as_json(),
        "next_tick": took(lambda: a_second(place)).as_json(),
    }


def each_second(place: Installation) -> dict[str, object]:
    now_ns = place.clock.now_ns()

    def written(act: Callable[..., object]) -> Callable[[], None]:
        def run() -> None:
            with place.store.write() as tx:
                act(tx, place.keys)

        return run

    return {
        "tick": median(lambda: a_second(place)),
        "ends_of_authorisations": median(written(discard.tick)),
        "ends_of_alerts": median(written(ending.tick)),
        "keys_agree": median(written(discard.reconcile)),
        "which_cameras": median(lambda: place.gallery.watched(now_ns)),
        "refresh_nothing_changed": median(place.refresh),
    }


def changes(place: Installation) -> dict[str, object]:
    """How long a command waits until the running matcher has what it changed."""

    def compile_all() -> None:
        for camera_id in sorted(place.gallery.watched(place.clock.now_ns())):
            place.gallery.view(camera_id, place.clock.now_ns())

    compiled = took(compile_all)
    place.hire("zoe")
    unrelated = took(place.gallery.refresh)
    with place.store.write() as tx:
        cameras.note_delivery(tx, "c1")
    delivered = took(place.gallery.refresh)
    with place.store.write() as tx:
        tx.change(tx.find(Camera, camera_id="c999")[0], zone="elsewhere")
    changed = took(place.gallery.refresh)
    fresh = Gallery(place.store, place.keys, MODEL)
    return {
        "first_refresh": took(fresh.refresh).as_json(),
        "compile_every_view": compiled.as_json(),
        "refresh_after_another_command": unrelated.as_json(),
        "refresh_after_a_delivery": delivered.as_json(),
        "refresh_after_a_camera_changed": changed.as_json(),
    }


def scale(_data: Path) -> dict[str, object]:
    """1,000 cameras, 250 of them watched, 100 subjects with 500 references, 10,000 alerts."""
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder)) as place:
        installed(place)
        rows = listed(place)
        alerted(place, rows[0])
        alerted(place, rows[1])
        result: dict[str, object] = {
            "cameras": CAMERAS,
            "watched": len(place.gallery.watched(place.clock.now_ns())),
            "references": AUTHORISATIONS * SUBJECTS * REFERENCES,
            "alerts": kept(place),
            "changes": changes(place),
            "each_second": each_second(place),
        }
        result["revoke"] = ended(place, lambda: place.revoke(rows[0].authorisation_id))
        back_ns = place.clock.now_ns() - NS_PER_S
        names = [camera_id for camera_id, _ in rows[1].cameras]
        result["suspend_back"] = ended(place, lambda: place.suspend(names=names, from_ns=back_ns))
        return result
