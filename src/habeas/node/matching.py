"""The node's one thread that compares: probes in, durable alerts out, everything else counted and dropped.

Probes wait in a queue of `_WAITING`. When it is full, whoever hands over waits, so that the worker drops *frames* and
counts them: a probe that was made is compared, unless an alert before it cannot be written for so long that faces of
strangers would lie in memory (`node.waiting`).
"""

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from PIL import Image

from habeas.authority.canary import reserved_view
from habeas.authority.gallery import Gallery
from habeas.authority.suspensions import suspended
from habeas.comparison import Calibration
from habeas.engine.run import TrackEnd
from habeas.errors import DiskError, HabeasError, RuleError
from habeas.keys import KeyStore
from habeas.node.counting import Counting, false_a_day
from habeas.node.searching import Searching
from habeas.node.timekeeper import Timekeeper
from habeas.node.waiting import Waiting
from habeas.pipeline import Matcher
from habeas.review.alerts import raise_alert, track_closed
from habeas.store import Store, Tx
from habeas.store.records import Camera, Suspension
from habeas.types import F32, U8, Alert, ClosedTrack, GalleryView, Origin, OriginKind, Probe

_WAITING: Final = 256
_PATIENCE_S: Final = 0.5
_QUALITY: Final = 92
_FAREWELL_S: Final = 3.0
_RETRY_S: Final = 1.0
_ATTEMPTS: Final = 5
Problem = Callable[[HabeasError], None]


class Matching:
    """Compares probes with what is authorised at that moment. A context manager; owns its thread.

    Args:
        store: the database.
        keys: for alerts.
        gallery: what may be compared.
        calibration: what a similarity means.
        time: trusted or not, it is asked before every comparison.
        counting: hears of searches and alerts.
        searching: hears what was compared.
        cooldown_ns: the setting.
        on_problem: hears of an alert that could not be written.
        on_alert: hears of an alert once it is durable, by id.
        canary: (d,) float32, what the canary is compared with.
        on_canary: hears, by its probe's origin, what a canary matched; None: it may not be compared now, or is unlike.
    """

    def __init__(
        self,
        store: Store,
        keys: KeyStore,
        gallery: Gallery,
        calibration: Calibration,
        time: Timekeeper,
        counting: Counting,
        searching: Searching,
        *,
        cooldown_ns: int,
        on_problem: Problem,
        on_alert: Callable[[str], None],
        canary: F32,
        on_canary: Callable[[Origin, Alert | None], None],
    ) -> None:
        self._store = store
        self._keys = keys
        self._gallery = gallery
        self._time = time
        self._counting = counting
        self._searching = searching
        self._cooldown_ns = cooldown_ns
        self._on_problem = on_problem
        self._on_alert = on_alert
        self._canary = canary
        self._on_canary = on_canary
        self._calibration = calibration
        self._matcher = self._new_matcher()
        self._raised: dict[tuple[Origin, int], list[str]] = {}
        self._captured: dict[tuple[Origin, int], int] = {}
        self._queue = Waiting(_WAITING, time)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="matcher", daemon=True)
        self._thread.start()

    def _new_matcher(self) -> Matcher:
        fpir = self._gallery.ceilings.fpir
        return Matcher(self._view_of, self._calibration, fpir, self._time, floor_of=self._gallery.floor)

    def take(self, item: Probe | TrackEnd) -> None:
        """Hand over a probe or the end of a track; waits while the queue is full."""
        self._queue.put(item, _PATIENCE_S)

    @property
    def dropped(self) -> int:
        """Probes that were never compared, since an alert before them could not be written."""
        return self._queue.dropped

    @property
    def has_room(self) -> bool:
        """Whether another probe would be compared soon: whoever hands it over does not wait."""
        return len(self._queue) < _WAITING // 2

    def forget_old(self) -> None:
        """Drop the probes that wait too long."""
        self._queue.forget_old()

    def _view_of(self, origin: Origin) -> GalleryView:
        self._time.require_trust()
        view = self._gallery.view(origin.camera_id, self._time.now_ns())
        if view is None:
            raise RuleError("nothing may be compared on this camera now", rule="scope", remedy="drop it")
        return reserved_view(view, self._canary) if origin.kind is OriginKind.CANARY else view

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._take(item)
            except RuleError:
                continue  # not authorised at this moment: dropped, as everything else below the threshold
            except HabeasError as error:
                self._on_problem(error)
            except Exception as error:  # noqa: BLE001 - matcher top loop: one probe never ends the comparing of others
                self._on_problem(HabeasError(f"{type(error).__name__}: {error}", remedy="report this bug"))

    def _take(self, item: Probe | TrackEnd) -> None:
        if isinstance(item, TrackEnd):
            self._end(item)
            return
        self._gallery.follow(self._time.now_ns())
        if self._matcher.fpir != self._gallery.ceilings.fpir:
            self._matcher = self._new_matcher()
        if item.templates.vectors.shape[1] != len(self._canary):
            raise RuleError("a template of another length", rule="model", remedy="drop it: it is of no network of ours")
        if item.origin.kind is OriginKind.CANARY:
            self._on_canary(item.origin, self._compare_canary(item))
        else:
            self._compare(item)

    def _compare_canary(self, probe: Probe) -> Alert | None:
        """Compare a canary with the reserved view: it is no alert, whatever comes of it, and no search of anybody."""
        if not self._gallery.captured_freely(probe.origin.camera_id, probe.captured_at_ns):
            return None
        try:
            return next(iter(self._matches(probe)), None)
        except RuleError:
            return None
        finally:
            list(self._matcher.close(probe.origin, ClosedTrack(probe.track_id, probe.first_seen_ns, probe.at_ns)))
            self._matcher.last = None

    def _compare(self, probe: Probe) -> None:
        if not self._gallery.captured_freely(probe.origin.camera_id, probe.captured_at_ns):
            return
        key = probe.origin, probe.track_id
        if key in self._captured:
            self._captured[key] = probe.captured_at_ns
        matches = self._matches(probe)
        self._count(probe)
        for match in matches:
            with suppress(RuleError):  # not of this person, at this moment: dropped; the others are written
                self._raise(match)

    def _count(self, probe: Probe) -> None:
        self._counting.add(probe.origin.camera_id, searches=1)
        if self._matcher.last is not None:
            self._searching.add(*self._matcher.last, self._time.now_ns())

    def _matches(self, probe: Probe) -> list[Alert]:
        """Compare, again where the view was replaced in that very moment: what may be compared is asked for anew."""
        for _attempt in range(_ATTEMPTS):
            try:
                return list(self._matcher.compare(probe))
            except RuleError as error:
                if error.rule != "window":
                    raise
        return []

    def _raise(self, match: Alert) -> None:
        """Write an alert; while the disk or database fails, again, since an alert is never dropped."""
        while True:
            try:
                return self._write(match)
            except DiskError as error:
                self._on_problem(error)
                self.forget_old()
                if self._closing.wait(_RETRY_S):
                    return None

    def _write(self, match: Alert) -> None:
        camera_id = match.origin.camera_id
        with self._store.write() as tx:
            camera = _watched(tx, camera_id)
            alert = raise_alert(
                tx,
                self._keys,
                match,
                _jpeg(match.face_rgb),
                camera=camera,
                suspended=suspended(tx.find(Suspension), camera, match.captured_at_ns),
                false_a_day=false_a_day(tx, camera_id, match.threshold.expected_fpir),
                cooldown_ns=self._cooldown_ns,
            )
        if alert.sightings == 1:
            self._counting.add(camera_id, alerts=1)
            self._on_alert(alert.alert_id)
        self._raised.setdefault((match.origin, match.track_id), []).append(alert.alert_id)
        self._captured[match.origin, match.track_id] = match.captured_at_ns

    def _end(self, ended: TrackEnd) -> None:
        list(self._matcher.close(ended.origin, ended.track))
        key = ended.origin, ended.track.track_id
        raised, captured_at_ns = self._raised.pop(key, []), self._captured.pop(key, 0)
        if raised:
            with self._store.write() as tx:
                camera = tx.get(Camera, ended.origin.camera_id)
                since = suspended(tx.find(Suspension), camera, captured_at_ns)  # may have been imposed meanwhile
                for alert_id in raised:
                    track_closed(tx, self._keys, alert_id, captured_at_ns, suspended=since)

    def stop_waiting(self) -> None:
        """Take nothing more that would have to wait, and try to write what could not be written once more only."""
        self._closing.set()
        self._queue.close()

    def close(self) -> None:
        """Compare what waits, then stop."""
        self.stop_waiting()
        self._thread.join(_FAREWELL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _watched(tx: Tx, camera_id: str) -> Camera:
    """Return a camera that is there still.

    Raises:
        RuleError: it was removed meanwhile.
    """
    found = tx.find(Camera, camera_id=camera_id, removed_at_ns=None)
    if not found:
        raise RuleError(f"{camera_id} was removed", rule="scope", remedy="drop the match")
    return found[0]


def _jpeg(face_rgb: U8) -> bytes:
    """Return a picture as JPEG: (h, w, 3) uint8, RGB."""
    with io.BytesIO() as file:
        Image.fromarray(face_rgb).save(file, "JPEG", quality=_QUALITY)
        return file.getvalue()
