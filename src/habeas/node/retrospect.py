"""Searches retained footage under an authorisation of that kind, once; what is found becomes alerts with verdicts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from habeas.engine.run import TrackEnd
from habeas.engine.screening import Screening
from habeas.errors import RuleError
from habeas.footage import searches
from habeas.footage.copying import Source, found_once
from habeas.footage.files import FootageFolder
from habeas.footage.holding import searchable
from habeas.footage.reading import Damage, Stretch, Window
from habeas.keys import Scope
from habeas.node.alerting import Alerting, Means
from habeas.node.sweeping import Came, Job, Stop, Sweeper
from habeas.review.alerts import runs
from habeas.settings import DetectSettings
from habeas.store.footage_records import FootageSearch, Hold
from habeas.store.records import Authorisation
from habeas.types import GalleryView, Origin, Probe


class Retrospect:
    """Runs the searches that were begun. `step` is called again and again by one thread.

    Args:
        means: to compare and raise alerts.
        footage: where what was recorded lies.
        held: where what is preserved lies: of holds that name the authorisation.
        worker: starts a worker that goes through footage.
        detect: how faces are looked for, but for the camera's smallest face.
    """

    def __init__(
        self, means: Means, footage: FootageFolder, held: Path, worker: Callable[[], Screening], detect: DetectSettings
    ) -> None:
        self._means = means
        self._places = _Places(means, footage, held)
        self._worker = worker
        self._detect = detect
        self._lock = threading.Lock()
        self._ending = False
        self._sweeper: Sweeper | None = None
        self._job: _Searching | None = None
        self._now: dict[str, tuple[str, int]] = {}

    def progress(self, authorisation_id: str) -> tuple[str, int] | None:
        """Return whose footage is searched at this moment, and for how long of the present reel, ns; None: none is."""
        return self._now.get(authorisation_id)

    def stop(self) -> None:
        """Stop soon, from any thread: after a restart each search goes on after its last reel."""
        with self._lock:
            self._ending = True
            if self._sweeper is not None:
                self._sweeper.stop()
            if self._job is not None:
                self._job.stop_waiting()

    def step(self) -> None:
        """Go on with each search that was begun, until it is over or may not go on now.

        Raises:
            DiskError: the disk or database failed: call it again.
            HabeasError: no worker can be started: call it again.
        """
        with self._means.store.read() as tx:
            begun = [search.about_id for search in tx.find(FootageSearch, state=searches.RUNNING)]
            rows = tx.find(Authorisation, authorisation_id=begun)  # those of access requests are of `node.accessing`
        with ExitStack() as failures:  # one that fails keeps no other
            for row in rows:
                failures.callback(self._begin, row)

    def _begin(self, row: Authorisation) -> None:
        means = self._means
        with Sweeper(means.gallery, means.keys, means.time, self._worker, self._detect) as sweeper:
            self._search(row, sweeper)

    def _search(self, row: Authorisation, sweeper: Sweeper) -> None:
        job = _Searching(row, self._means, self._places, self._now)
        with self._lock:
            self._sweeper, self._job = sweeper, job
            if self._ending:
                return
        try:
            for camera_id in sorted(camera_id for camera_id, _digest in row.cameras):
                camera = self._means.gallery.camera(camera_id)
                if camera is not None:  # one that was removed has dropped out
                    sweeper.sweep(job, camera, row.from_ns, row.until_ns)
            job.finish()
        except Stop:
            job.finish_if_over()
        finally:
            self._now.pop(row.authorisation_id, None)


@dataclass(frozen=True)
class _Places:
    """Where footage lies that an authorisation may search."""

    means: Means
    footage: FootageFolder
    held: Path

    def found(self, authorisation_id: str, window: Window) -> Iterator[Stretch | Damage]:
        """Yield what was recorded, as far as its deadline has not come, and what holds that name it preserve."""
        means = self.means
        now_ns = means.time.now_ns()
        with means.store.read() as tx:
            holds = tx.find(Hold, authorisation_id=authorisation_id)
        named = [hold.hold_id for hold in holds if searchable(hold, authorisation_id, now_ns)]
        held = (Source(FootageFolder(self.held / name), Scope.HOLD) for name in sorted(named))
        yield from found_once([Source(self.footage, Scope.FOOTAGE), *held], means.keys, window, now_ns)


class _Searching(Job):
    """The search under one authorisation.

    Args:
        row: the authorisation.
        means: to compare and raise alerts.
        places: where footage is.
        now: where it tells how far it is, by authorisation.
    """

    def __init__(self, row: Authorisation, means: Means, places: _Places, now: dict[str, tuple[str, int]]) -> None:
        self._row = row
        self._id = row.authorisation_id
        self._means = means
        self._places = places
        self._now = now
        self._alerting = Alerting(means, self._view_of)
        self._alerts = 0

    def _view_of(self, origin: Origin) -> GalleryView:
        means = self._means
        means.time.require_trust()
        view = means.gallery.footage_view(origin.camera_id, self._id, means.time.now_ns())
        if view is None:
            raise RuleError("nothing may be compared with this footage now", rule="scope", remedy="drop it")
        return view

    def stop_waiting(self) -> None:
        """Try to write what could not be written once more only."""
        self._alerting.stop_waiting()

    def check(self, camera_id: str) -> None:
        """Check that it may go on: its authorisation runs, and nothing else forbids comparing."""
        means = self._means
        if means.time.jumped or means.gallery.footage_view(camera_id, self._id, means.time.now_ns()) is None:
            raise Stop

    def footage(self, window: Window) -> Iterator[Stretch | Damage]:
        """Yield what there is of it that may be searched under this authorisation."""
        return self._places.found(self._id, window)

    def take(self, found: Probe | TrackEnd) -> None:
        """Compare, and raise an alert of what matches."""
        if isinstance(found, TrackEnd):
            self._alerting.end(found)
            return
        self._alerting.follow()
        try:
            self._alerting.compare(found)
        except RuleError:
            return  # not authorised at this moment: dropped, as everything else below the threshold

    def begun(self, camera_id: str, from_ns: int) -> int:
        """Return from when on a camera's footage is still to be searched."""
        with self._means.store.read() as tx:
            return searches.done_until_ns(searches.search_of(tx, self._id), camera_id, from_ns)

    def note(self, camera_id: str, until_ns: int, came: Came, *, suspended_ns: int = 0, missing_ns: int = 0) -> None:
        """Note it, and how many alerts were raised since this was last done."""
        alerts, self._alerts = self._alerting.alerts - self._alerts, self._alerting.alerts
        with self._means.store.write() as tx:
            searches.note_done(
                tx,
                self._id,
                camera_id,
                until_ns,
                watched_ns=came.watched_ns,
                suspended_ns=suspended_ns,
                missing_ns=missing_ns,
                damaged=came.damaged,
                frames=came.frames,
                tracks=came.tracks,
                found=alerts,
            )
        self._now.pop(self._id, None)

    def tell(self, camera_id: str, watched_ns: int) -> None:
        """Note for whoever looks how far it is."""
        self._now[self._id] = camera_id, watched_ns

    def finish(self) -> None:
        """Note that all of it was searched."""
        with self._means.store.write() as tx:
            searches.finish(tx, self._id, searches.DONE)

    def finish_if_over(self) -> None:
        """Note that it ended with its authorisation; else it goes on with the next step."""
        with self._means.store.write() as tx:
            if not runs(tx.get(Authorisation, self._id), tx.now_ns):
                searches.finish(tx, self._id, searches.ENDED)
