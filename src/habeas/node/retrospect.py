"""Searches footage, or evidence, under a retrospective authorisation, once; what is found is alerts with verdicts."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.authority.evidence import is_evidence
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Reel, Screening
from habeas.errors import RuleError
from habeas.footage import searches
from habeas.footage.copying import Source, found_once
from habeas.footage.evidence_files import EvidenceFiles
from habeas.footage.files import FootageFolder
from habeas.footage.holding import searchable
from habeas.footage.reading import Damage, Stretch, Window
from habeas.keys import Scope
from habeas.node.alerting import Alerting, Means
from habeas.node.evidence import reel_of
from habeas.node.sweeping import Came, Job, Stop, Sweeper
from habeas.review.alerts import runs
from habeas.settings import DetectSettings
from habeas.store.footage_records import FootageSearch, Hold
from habeas.store.records import Authorisation, Camera
from habeas.types import GalleryView, Origin, Probe


class Retrospect:
    """Runs the searches that were begun, several cameras of one at the same time. `step` is called by one thread.

    Args:
        means: to compare and raise alerts.
        footage: where what was recorded lies.
        held: where what is preserved lies: of holds that name the authorisation.
        evidence: where what was handed in lies.
        worker: starts a worker that goes through footage.
        detect: how faces are looked for, but for the camera's smallest face.
        at_once: so many cameras at most, a worker and a core each.
    """

    def __init__(
        self,
        means: Means,
        footage: FootageFolder,
        held: Path,
        evidence: EvidenceFiles,
        worker: Callable[[], Screening],
        detect: DetectSettings,
        at_once: int,
    ) -> None:
        self._means = means
        self._places = _Places(means, footage, held, evidence)
        self._worker = worker
        self._detect = detect
        self._at_once = at_once
        self._lock = threading.Lock()
        self._ending = False
        self._runs: dict[_Searching, Sweeper] = {}

    def progress(self, authorisation_id: str) -> dict[str, int]:
        """Return whose footage is searched at this moment: camera, and for how long of its present reel, ns."""
        with self._lock:
            now = [job.now for job in self._runs if job.authorisation_id == authorisation_id]
        return dict(filter(None, now))

    def stop(self) -> None:
        """Stop soon, from any thread: after a restart each search goes on after its last reel."""
        with self._lock:
            self._ending = True
            for job, sweeper in self._runs.items():
                sweeper.stop()
                job.stop_waiting()

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
                failures.callback(self._search, row)

    def _search(self, row: Authorisation) -> None:
        """Go through the footage of its cameras, or its evidence; what was removed, or is gone, has dropped out.

        It is over when all of it was gone through, when nothing is there, or with its authorisation; else it goes on
        with the next step.
        """
        named = (self._means.gallery.camera(camera_id) for camera_id in sorted(dict(row.cameras)))
        cameras = [camera for camera in named if camera is not None]
        with ThreadPoolExecutor(self._at_once, "retrospect") as pool:
            sweeps = [pool.submit(self._sweep, row, camera) for camera in cameras]
        through = [sweep.result() for sweep in sweeps]
        with self._means.store.write() as tx:
            if cameras and all(through):
                searches.finish(tx, row.authorisation_id, searches.DONE)
            elif not cameras or not runs(tx.get(Authorisation, row.authorisation_id), tx.now_ns):
                searches.finish(tx, row.authorisation_id, searches.ENDED)

    def _sweep(self, row: Authorisation, camera: Camera) -> bool:
        """Go through the footage of a camera; tell whether that came to its end."""
        means = self._means
        job = _Searching(row, means, self._places)
        with Sweeper(means.gallery, means.keys, means.time, self._worker, self._detect) as sweeper:
            with self._lock:
                if self._ending:
                    return False
                self._runs[job] = sweeper
            try:
                sweeper.sweep(job, camera, row.from_ns, row.until_ns)
            except Stop:
                return False
            finally:
                with self._lock:
                    del self._runs[job]
        return True


@dataclass(frozen=True)
class _Places:
    """Where footage lies that an authorisation may search."""

    means: Means
    footage: FootageFolder
    held: Path
    evidence: EvidenceFiles

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
    """The search of one camera's footage under an authorisation.

    Args:
        row: the authorisation.
        means: to compare and raise alerts.
        places: where footage is.
    """

    def __init__(self, row: Authorisation, means: Means, places: _Places) -> None:
        self.authorisation_id: Final = row.authorisation_id
        self.now: tuple[str, int] | None = None
        """Its camera, and for how long of the present reel it was gone through, ns; None between two reels."""
        self._means = means
        self._places = places
        self._alerting = Alerting(means, self._view_of)
        self._alerts = 0

    def _view_of(self, origin: Origin) -> GalleryView:
        means = self._means
        means.time.require_trust()
        view = means.gallery.footage_view(origin.camera_id, self.authorisation_id, means.time.now_ns())
        if view is None:
            raise RuleError("nothing may be compared with this footage now", rule="scope", remedy="drop it")
        return view

    def stop_waiting(self) -> None:
        """Try to write what could not be written once more only."""
        self._alerting.stop_waiting()

    def check(self, camera_id: str) -> None:
        """Check that it may go on: its authorisation runs, and nothing else forbids comparing."""
        means, now_ns = self._means, self._means.time.now_ns()
        if means.time.jumped or means.gallery.footage_view(camera_id, self.authorisation_id, now_ns) is None:
            raise Stop

    def footage(self, window: Window) -> Iterator[Stretch | Damage]:
        """Yield what there is of it that may be searched under this authorisation."""
        return self._places.found(self.authorisation_id, window)

    def handed_in(self, window: Window) -> Reel | None:
        """Return evidence that stands in a camera's place."""
        name = window.camera_id
        return reel_of(self._means, self._places.evidence, name) if is_evidence(name) else None

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
            return searches.done_until_ns(searches.search_of(tx, self.authorisation_id), camera_id, from_ns)

    def note(self, camera_id: str, until_ns: int, came: Came, *, suspended_ns: int = 0, missing_ns: int = 0) -> None:
        """Note it, and how many alerts were raised since this was last done."""
        alerts, self._alerts = self._alerting.alerts - self._alerts, self._alerting.alerts
        with self._means.store.write() as tx:
            searches.note_done(
                tx,
                self.authorisation_id,
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
        self.now = None

    def tell(self, camera_id: str, watched_ns: int) -> None:
        """Note for whoever looks how far it is."""
        self.now = camera_id, watched_ns
