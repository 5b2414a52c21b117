"""From a probe to a durable alert: compared with what is authorised at that moment, written, and told.

Used by the thread that compares what cameras show, and by each that searches footage; each has its own. An alert is
never dropped: while the disk or database fails, it is written again.
"""

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from PIL import Image

from habeas.authority.evidence import place_of
from habeas.authority.gallery import Gallery
from habeas.authority.suspensions import suspended
from habeas.comparison import Calibration
from habeas.engine.run import TrackEnd
from habeas.errors import DiskError, HabeasError, RuleError
from habeas.keys import KeyStore
from habeas.node.counting import Counting, false_a_day
from habeas.node.searching import Searching
from habeas.node.timekeeper import Timekeeper
from habeas.pipeline import Matcher, ViewOf
from habeas.review.alerts import raise_alert, track_closed
from habeas.store import Store, Tx
from habeas.store.records import Camera, Suspension
from habeas.types import U8, Alert, Origin, Probe

_QUALITY: Final = 92
_RETRY_S: Final = 1.0
_ATTEMPTS: Final = 5
Problem = Callable[[HabeasError], None]


@dataclass(frozen=True)
class Means:
    """What all that compare share.

    Args:
        store: the database.
        keys: for alerts.
        gallery: what may be compared.
        calibration: what a similarity means.
        dimensions: of the templates of the networks in use.
        time: trusted or not, it is asked before every comparison.
        counting: hears of searches and alerts.
        searching: hears what was compared.
        cooldown_ns: the setting.
        on_problem: hears of an alert that could not be written.
        on_alert: hears of an alert once it is durable, by id.
    """

    store: Store
    keys: KeyStore
    gallery: Gallery
    calibration: Calibration
    dimensions: int
    time: Timekeeper
    counting: Counting
    searching: Searching
    cooldown_ns: int
    on_problem: Problem
    on_alert: Callable[[str], None]


class Alerting:
    """Compares probes, and raises alerts. Used by one thread.

    Args:
        means: shared.
        view_of: what a source's probes are compared with at this moment.
        on_wait: called while an alert cannot be written.
    """

    def __init__(self, means: Means, view_of: ViewOf, on_wait: Callable[[], None] = lambda: None) -> None:
        self.alerts = 0
        """Raised, further sightings not counted."""
        self._means = means
        self._view_of = view_of
        self._on_wait = on_wait
        self._closing = threading.Event()
        self._matcher = self._new_matcher()
        self._raised: dict[tuple[Origin, int], list[str]] = {}
        self._captured: dict[tuple[Origin, int], int] = {}

    def _new_matcher(self) -> Matcher:
        means = self._means
        fpir = means.gallery.ceilings.fpir
        return Matcher(self._view_of, means.calibration, fpir, means.time, floor_of=means.gallery.floor)

    def stop_waiting(self) -> None:
        """Try to write what could not be written once more only."""
        self._closing.set()

    def follow(self) -> None:
        """Compare from now on as the policy of this moment says."""
        gallery = self._means.gallery
        gallery.follow(self._means.time.now_ns())
        if self._matcher.fpir != gallery.ceilings.fpir:
            self._matcher = self._new_matcher()

    def compare(self, probe: Probe) -> None:
        """Compare a probe, and write what comes of it; what was captured in a suspension is not compared.

        Raises:
            RuleError: nothing may be compared with it at this moment: drop it.
        """
        check_length(probe, self._means.dimensions)
        if not self._means.gallery.captured_freely(probe.origin.camera_id, probe.captured_at_ns):
            return
        key = probe.origin, probe.track_id
        if key in self._captured:
            self._captured[key] = probe.captured_at_ns
        matches = self.matches(probe)
        self._count(probe)
        for match in matches:
            with suppress(RuleError):  # not of this person, at this moment: dropped; the others are written
                self._raise(match)

    def _count(self, probe: Probe) -> None:
        self._means.counting.add(probe.origin.camera_id, searches=1)
        if self._matcher.last is not None:
            self._means.searching.add(*self._matcher.last, self._means.time.now_ns())

    def matches(self, probe: Probe) -> list[Alert]:
        """Compare, again where the view was replaced in that very moment: what may be compared is asked for anew.

        Raises:
            RuleError: nothing may be compared with it at this moment.
        """
        for _attempt in range(_ATTEMPTS):
            try:
                return list(self._matcher.compare(probe))
            except RuleError as error:
                if error.rule != "window":
                    raise
        return []

    def forget(self, ended: TrackEnd) -> None:
        """Forget a track of which nothing is to be written, and what was compared last."""
        list(self._matcher.close(ended.origin, ended.track))
        self._matcher.last = None

    def _raise(self, match: Alert) -> None:
        """Write an alert; while the disk or database fails, again, since an alert is never dropped."""
        while True:
            try:
                return self._write(match)
            except DiskError as error:
                self._means.on_problem(error)
                self._on_wait()
                if self._closing.wait(_RETRY_S):
                    return None

    def _write(self, match: Alert) -> None:
        means, camera_id = self._means, match.origin.camera_id
        with means.store.write() as tx:
            camera = _watched(tx, camera_id)
            alert = raise_alert(
                tx,
                means.keys,
                match,
                jpeg(match.face_rgb),
                camera=camera,
                suspended=suspended(tx.find(Suspension), camera, match.captured_at_ns),
                false_a_day=false_a_day(tx, camera_id, match.threshold.expected_fpir),
                cooldown_ns=means.cooldown_ns,
            )
        if alert.sightings == 1:
            self.alerts += 1
            means.counting.add(camera_id, alerts=1)
            means.on_alert(alert.alert_id)
        self._raised.setdefault((match.origin, match.track_id), []).append(alert.alert_id)
        self._captured[match.origin, match.track_id] = match.captured_at_ns

    def end(self, ended: TrackEnd) -> None:
        """Take the end of a track, after all its probes."""
        list(self._matcher.close(ended.origin, ended.track))
        key = ended.origin, ended.track.track_id
        raised, captured_at_ns = self._raised.pop(key, []), self._captured.pop(key, 0)
        if raised:
            with self._means.store.write() as tx:
                since = _is_bound(tx, ended.origin.camera_id, captured_at_ns)  # may have been imposed meanwhile
                for alert_id in raised:
                    track_closed(tx, self._means.keys, alert_id, captured_at_ns, suspended=since)


def check_length(probe: Probe, dimensions: int) -> None:
    """Check that a template is of the networks in use.

    Raises:
        RuleError: it is not: a worker made it up.
    """
    if probe.templates.vectors.shape[1] != dimensions:
        raise RuleError("a template of another length", rule="model", remedy="drop it: it is of no network of ours")


def _is_bound(tx: Tx, camera_id: str, captured_at_ns: int) -> bool:
    """Tell whether a suspension binds what a camera, removed or not, or evidence captured then; what is over is."""
    camera = place_of(tx, camera_id) or next(iter(tx.find(Camera, camera_id=camera_id)), None)
    return camera is None or suspended(tx.find(Suspension), camera, captured_at_ns)


def _watched(tx: Tx, camera_id: str) -> Camera:
    """Return a camera, or evidence in its place, that is there still.

    Raises:
        RuleError: it was removed meanwhile, or is over.
    """
    found = place_of(tx, camera_id)
    if found is None:
        raise RuleError(f"{camera_id} was removed", rule="scope", remedy="drop the match")
    return found


def jpeg(face_rgb: U8) -> bytes:
    """Return a picture as JPEG: (h, w, 3) uint8, RGB."""
    with io.BytesIO() as file:
        Image.fromarray(face_rgb).save(file, "JPEG", quality=_QUALITY)
        return file.getvalue()
