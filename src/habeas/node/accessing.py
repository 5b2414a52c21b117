"""The search of an access request, the copies of what shows whoever asked, and the ends that the clock asks for.

It goes through footage as `node.retrospect` does, with another gate: the photographs of one person who asks for it, in
cameras and interval of the request, while it is approved and open. What matches is a finding and no alert, and nothing
else comes of it. The threshold is the loosest that there is, since a human judges every finding.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.authority.access import access_view
from habeas.comparison.calibration import MAX_FPIR
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Screening
from habeas.errors import InputError, KeyDestroyed, RuleError
from habeas.footage import findings, searches
from habeas.footage.access import LONGEST_NS, OVER, State, end, open_now, vectors_of
from habeas.footage.copying import Copied, Source, copy_found, found_in, under
from habeas.footage.files import FootageFolder
from habeas.footage.findings import AROUND_NS, Found
from habeas.footage.form import Header
from habeas.footage.reading import Damage, Stretch, Window, read_window
from habeas.keys import Scope
from habeas.node.alerting import Means, check_length, jpeg
from habeas.node.sweeping import Came, Job, Stop, Sweeper
from habeas.pipeline import Matcher
from habeas.settings import DetectSettings
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Finding, FootageSearch
from habeas.types import NS_PER_S, Alert, GalleryView, Origin, Probe, seconds

ACTOR: Final = "clock"
_OPEN: Final = [state.value for state in set(State) - OVER]
_OVER: Final = [state.value for state in OVER]


class Accessing:
    """Runs the searches of access requests, and ends requests. Its two methods are called by one thread each.

    Args:
        means: to compare.
        footage: where what was recorded lies.
        copies: where what shows somebody who asked is kept: a folder a request.
        worker: starts a worker that goes through footage.
        detect: how faces are looked for, but for the camera's smallest face.
        reserve_bytes: room on the disk that copies leave to alerts and the log.
    """

    def __init__(
        self,
        means: Means,
        footage: FootageFolder,
        copies: Path,
        worker: Callable[[], Screening],
        detect: DetectSettings,
        *,
        reserve_bytes: int,
    ) -> None:
        self._reserve_bytes = reserve_bytes
        self._means = means
        self._footage = footage
        self._copies = copies
        self._worker = worker
        self._detect = detect
        self._lock = threading.Lock()
        self._ending = False
        self._sweeper: Sweeper | None = None
        self._now: dict[str, tuple[str, int]] = {}
        self._copying = threading.Lock()
        """Held while footage is copied: two findings may be in one segment."""

    def progress(self, access_id: str) -> tuple[str, int] | None:
        """Return whose footage is searched at this moment, and for how long of the present reel, ns; None: none is."""
        return self._now.get(access_id)

    def stop(self) -> None:
        """Stop soon, from any thread: after a restart each search goes on after its last reel."""
        with self._lock:
            self._ending = True
            if self._sweeper is not None:
                self._sweeper.stop()

    def step(self) -> None:
        """Go on with each search that was begun; one that fails keeps no other.

        Raises:
            DiskError: the disk or database failed: call it again.
            HabeasError: no worker can be started: call it again.
        """
        with self._means.store.read() as tx:
            approved = tx.find(AccessRequest, state=State.APPROVED.value)
            begun = {one.about_id for one in tx.find(FootageSearch, state=searches.RUNNING)}
        with ExitStack() as failures:
            for row in approved:
                if row.access_id in begun and not self._ending:
                    failures.callback(self._begin, row)

    def _begin(self, row: AccessRequest) -> None:
        means = self._means
        with Sweeper(means.gallery, means.keys, means.time, self._worker, self._detect) as sweeper:
            self._search(row, sweeper)

    def end_due(self) -> None:
        """End what is due, remove copies of what is over, and copy what was confirmed and is not copied yet.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        if self._ending:
            return
        self._end_due()
        self._sweep()
        self._drop_bound()
        self._keep_due()

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _end_due(self) -> None:
        """Close what is open for too long, or whose key is gone; destroy the keys of all that is over."""
        means = self._means
        with means.store.read() as tx:
            over = tx.find(AccessRequest, state=_OVER, destroyed_at_ns=None)
            due = [row for row in tx.find(AccessRequest, state=_OPEN) if self._is_due(row, tx.now_ns)]
            stray = means.keys.ids(Scope.ACCESS) - {row.key_id for row in tx.find(AccessRequest)}
        if stray:
            self._destroy_stray()
        if not (over or due):
            return
        means.keys.destroy([row.key_id for row in over])
        with means.store.write() as tx:
            for row in over:
                tx.change(row, destroyed_at_ns=tx.now_ns)
                tx.entry("access.destroyed", ACTOR, {"access": row.access_id})
            for row in tx.find(AccessRequest, access_id={one.access_id for one in due}, state=_OPEN):
                end(tx, means.keys, row, State.CLOSED, ACTOR)

    def _destroy_stray(self) -> None:
        """Destroy keys of requests that no row knows: an older database, the current keys."""
        means = self._means
        with means.store.write() as tx:  # nobody opens one meanwhile: writers take turns
            known = {row.key_id for row in tx.find(AccessRequest)}
            means.keys.destroy(means.keys.ids(Scope.ACCESS) - known)

    def _is_due(self, row: AccessRequest, now_ns: int) -> bool:
        return now_ns >= row.opened_at_ns + LONGEST_NS or not self._means.keys.has(row.key_id)

    def _sweep(self) -> None:
        """Remove the copies of requests that are over, or that no row knows."""
        folders = sorted(self._copies.glob("*"))  # before the rows: a folder is never there before its row
        with self._means.store.read() as tx:
            kept = {row.access_id for row in tx.find(AccessRequest, state=_OPEN)}
        for folder in folders:
            if folder.name not in kept:
                FootageFolder.remove(folder)

    # --- searching ----------------------------------------------------------------------------------------------------

    def _search(self, row: AccessRequest, sweeper: Sweeper) -> None:
        with self._lock:
            self._sweeper = sweeper
            if self._ending:
                return
        try:
            job = _Searching(row, self._means, self._footage, self._now)
        except KeyDestroyed:
            return
        except InputError:  # its photographs are of another model: it finds nobody
            _Searching.give_up(self._means, row.access_id)
            return
        try:
            for camera_id in row.cameras:
                camera = self._means.gallery.camera(camera_id)
                if camera is not None:
                    sweeper.sweep(job, camera, row.from_ns, row.until_ns)
            job.finish()
        except (Stop, KeyDestroyed, RuleError):
            return  # closed meanwhile, or nothing may be compared now: asked again in a second
        finally:
            self._now.pop(row.access_id, None)

    # --- copies -------------------------------------------------------------------------------------------------------

    def keep(self, access_id: str, finding_id: str) -> float:
        """Copy the footage around a finding that shows whoever asked; return how many seconds there were.

        Raises:
            RuleError: the request is not open.
            InputError: nothing of it is there any more.
            KeyDestroyed: the request was closed.
            DiskError: the disk fails: call it again.
        """
        means = self._means
        with self._copying:
            with means.store.read() as tx:
                row, finding = open_now(tx, access_id, State.APPROVED), tx.get(Finding, finding_id)
                found = findings.found_of(means.keys, row, finding)
                now_ns = tx.now_ns
            if found is None:
                raise InputError("this finding does not show whoever asked", remedy="see `habeas access findings`")
            copied = self._copied(row, found, now_ns)
            with means.store.write() as tx:
                tx.change(tx.get(Finding, finding_id), kept_at_ns=tx.now_ns)
        if not copied.parts:
            raise InputError("the footage of this finding is gone", remedy="its deadline has passed: close the request")
        return seconds(copied.lasts_ns)

    def _drop_bound(self) -> None:
        """Empty the findings that a suspension binds which reaches back."""
        means = self._means
        with means.store.read() as tx:
            due = [row for row in tx.find(AccessRequest, state=State.APPROVED.value) if self._has_bound(tx, row)]
        if due:
            with means.store.write() as tx, suppress(KeyDestroyed):
                for row in due:
                    findings.drop_bound(tx, means.keys, row)

    def _has_bound(self, tx: Tx, row: AccessRequest) -> bool:
        with suppress(KeyDestroyed):
            found = (findings.found_of(self._means.keys, row, one) for one in tx.find(Finding, access_id=row.access_id))
            return any(one is not None and findings.is_bound(tx, one) for one in found)
        return False

    def _keep_due(self) -> None:
        """Copy what somebody confirmed before the node could copy it: it ended, or the disk failed."""
        with self._means.store.read() as tx:
            approved = {row.access_id for row in tx.find(AccessRequest, state=State.APPROVED.value)}
            due = [one for one in tx.find(Finding, state=findings.SAME) if one.access_id in approved]
        for finding in due:
            if finding.kept_at_ns is None:
                with suppress(InputError, RuleError):  # gone, or closed meanwhile
                    self.keep(finding.access_id, finding.finding_id)

    def _copied(self, row: AccessRequest, found: Found, now_ns: int) -> Copied:
        window = Window(found.camera_id, found.from_ns - AROUND_NS, found.until_ns + AROUND_NS)
        ends_at_ns = row.opened_at_ns + LONGEST_NS
        copied = Copied()

        def header_of(header: Header) -> Header:
            return under(header, row.key_id, ends_at_ns)

        keys = self._means.keys
        to = self.copies(row.access_id)
        to.check_room(self._reserve_bytes)
        sources = [Source(to, Scope.ACCESS), Source(self._footage, Scope.FOOTAGE)]
        copy_found(found_in(sources, keys, window, now_ns), to, keys, header_of, window, copied)
        return copied

    def copies(self, access_id: str) -> FootageFolder:
        """Return where the copies of a request lie."""
        return FootageFolder(self._copies / access_id)


@dataclass
class _Seen:
    """A track that matched, until it ends."""

    match: Alert
    probe: Probe


class _Searching(Job):
    """The search for one person who asks.

    Args:
        row: the request.
        means: to compare.
        footage: where what was recorded lies.
        now: where it tells how far it is, by request.

    Raises:
        KeyDestroyed: the request was closed.
        InputError: its photographs are of another model.
    """

    def __init__(
        self, row: AccessRequest, means: Means, footage: FootageFolder, now: dict[str, tuple[str, int]]
    ) -> None:
        self._row = row
        self._id = row.access_id
        self._means = means
        self._footage = footage
        self._now = now
        with means.store.read() as tx:
            self._vectors = vectors_of(tx, means.keys, row, means.gallery.model_id)
        self._over = threading.Event()
        self._matcher = Matcher(self._view_of, means.calibration, MAX_FPIR, means.time)
        self._seen: dict[int, _Seen] = {}
        self._found = 0

    def _view(self, camera_id: str) -> GalleryView | None:
        means = self._means
        return access_view(
            means.gallery,
            self._vectors,
            self._id,
            camera_id,
            from_ns=self._row.opened_at_ns,
            until_ns=self._row.opened_at_ns + LONGEST_NS,
            revoked=self._over,
        )

    def _view_of(self, origin: Origin) -> GalleryView:
        self._means.time.require_trust()
        view = self._view(origin.camera_id)
        if view is None:
            raise RuleError("nothing may be compared with this footage now", rule="scope", remedy="drop it")
        return view

    def check(self, camera_id: str) -> None:
        """Check that it may go on: the request is open, and nothing else forbids comparing."""
        means = self._means
        if means.time.jumped or not means.keys.has(self._row.key_id) or self._view(camera_id) is None:
            self._over.set()
            raise Stop

    def footage(self, window: Window) -> Iterator[Stretch | Damage]:
        """Yield what was recorded, as far as its deadline has not come."""
        means = self._means
        return read_window(self._footage, means.keys, Scope.FOOTAGE, window, means.time.now_ns())

    def take(self, found: Probe | TrackEnd) -> None:
        """Compare; of a track that matched there is a finding once it ends."""
        if isinstance(found, TrackEnd):
            self._end(found)
            return
        if not self._means.gallery.captured_freely(found.origin.camera_id, found.captured_at_ns):
            return
        try:
            check_length(found, self._means.dimensions)
            matches: Sequence[Alert] = list(self._matcher.compare(found))
        except RuleError:
            return
        self._means.counting.add(found.origin.camera_id, searches=1)
        if self._matcher.last is not None:
            self._means.searching.add(*self._matcher.last, self._means.time.now_ns())
        for match in matches:
            self._seen[found.track_id] = _Seen(match, found)

    def _end(self, ended: TrackEnd) -> None:
        list(self._matcher.close(ended.origin, ended.track))
        seen = self._seen.pop(ended.track.track_id, None)
        if seen is not None:
            self._write(seen, ended.track.last_seen_ns)

    def _write(self, seen: _Seen, last_seen_ns: int) -> None:
        match, probe = seen.match, seen.probe
        zero_ns = match.captured_at_ns - match.at_ns
        found = Found(
            camera_id=match.origin.camera_id,
            captured_at_ns=match.captured_at_ns,
            from_ns=max(zero_ns + match.first_seen_ns, self._row.from_ns),
            until_ns=min(zero_ns + max(last_seen_ns, match.at_ns) + NS_PER_S, self._row.until_ns),
            box_xyxy_px=tuple(probe.box_xyxy_px.tolist()),
            similarity=match.similarity,
            threshold=match.threshold.similarity,
        )
        with self._means.store.write() as tx:
            row = open_now(tx, self._id, State.APPROVED)
            self._found += findings.add(tx, self._means.keys, row, found, jpeg(match.face_rgb)) is not None

    def begun(self, camera_id: str, from_ns: int) -> int:
        """Return from when on a camera's footage is still to be searched."""
        with self._means.store.read() as tx:
            return searches.done_until_ns(tx.get(FootageSearch, self._id), camera_id, from_ns)

    def note(self, camera_id: str, until_ns: int, came: Came, *, suspended_ns: int = 0, missing_ns: int = 0) -> None:
        """Note it, and how many findings there were since this was last done."""
        for track_id in list(self._seen):  # its worker ended before it said that they did
            seen = self._seen.pop(track_id)
            self._write(seen, seen.match.at_ns)
        found, self._found = self._found, 0
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
                found=found,
            )
        self._now.pop(self._id, None)

    def tell(self, camera_id: str, watched_ns: int) -> None:
        """Note for whoever looks how far it is."""
        self._now[self._id] = camera_id, watched_ns

    @staticmethod
    def give_up(means: Means, access_id: str) -> None:
        """Note that nothing can be searched for: another request is needed."""
        with means.store.write() as tx:
            tx.change(tx.get(FootageSearch, access_id), state=searches.ENDED, ended_at_ns=tx.now_ns)

    def finish(self) -> None:
        """Note that all of it was searched."""
        self._over.set()
        with self._means.store.write() as tx:
            search = tx.get(FootageSearch, self._id)
            if search.state != searches.RUNNING:
                return
            search = tx.change(search, state=searches.DONE, ended_at_ns=tx.now_ns)
            tx.entry("access.searched", searches.ACTOR, {"access": self._id, **searches.counts(search)})
