"""What may be compared on each camera at this moment: the one gate between people listed and people seen.

A view is compiled per camera, carries its end, and is revoked the moment anything about it changes. References live
decrypted in its `Reading` and its views only, and only while their authorisation is active. Footage has views of its
own, one for each authorisation that searches it: what is live is never compared with them, nor footage with others.
"""

import threading

import numpy as np

from habeas.authority.known import NEVER_NS, Known, Listing, Reading
from habeas.authority.policy import Ceilings
from habeas.authority.suspensions import end_ns, free_parts, next_change_ns, suspended
from habeas.authority.views import build_view
from habeas.keys import KeyStore
from habeas.store import Store
from habeas.store.records import Camera
from habeas.types import Basis, GalleryView

_Key = tuple[str, str]
"""A camera, and the authorisation under which its footage is searched; empty: the camera is watched."""


class Gallery:
    """Compiles gallery views. Thread-safe; `refresh` after every commit that changes what may be compared.

    Args:
        store: the database.
        keys: opens references.
        model_id: of the pack in use; references of another are not compared, and are counted.
    """

    def __init__(self, store: Store, keys: KeyStore, model_id: str) -> None:
        self.model_id = model_id
        self._reading = Reading(store, keys, model_id)
        self._refreshing = threading.Lock()
        """Held from reading to taking over, so that an older reading never replaces a newer one."""
        self._lock = threading.Lock()
        self._views: dict[_Key, GalleryView] = {}
        self._stopped = True
        self._apart_ns = 0
        self._closed_ns: int | None = None
        self._known = Known()

    def refresh(self) -> None:
        """Read what is authorised now, and revoke every view that says otherwise. Takes effect before it returns.

        Where it cannot be read, nothing is compared until it can.
        """
        with self._refreshing:
            try:
                known = self._reading.read()
            except BaseException:
                self.stale()
                raise
            self._take_over(known)

    def stale(self) -> None:
        """Compare nothing until the next `refresh`: what was read holds no more."""
        with self._lock:
            self._known = self._known.without_anybody()
            self._drop_views()

    def _take_over(self, known: Known) -> None:
        with self._lock:
            before, self._known = self._known, known
            for key, view in list(self._views.items()):
                if known.decides(*key) == before.decides(*key):  # most commits change nothing here
                    continue
                again = self._compile(*key, view.valid_from_ns)
                if again is None or again.view_id != view.view_id:
                    view.revoked.set()
                    del self._views[key]

    def stop(self) -> None:
        """Compare nothing until `go`: the clock is in doubt, or the node ends."""
        with self._lock:
            self._stopped = True
            self._drop_views()

    def go(self) -> None:
        """Compare again."""
        with self._lock:
            self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether nothing at all is compared now."""
        return self._stopped

    def _drop_views(self) -> None:
        for view in self._views.values():
            view.revoked.set()
        self._views.clear()

    def follow(self, now_ns: int) -> None:
        """Read anew where another policy is in force from an instant that has come."""
        if now_ns >= self._known.policy_until_ns:
            self.refresh()

    def view(self, camera_id: str, now_ns: int) -> GalleryView | None:
        """Return what may be compared on a camera at this moment; None: nothing.

        Args:
            camera_id: the camera.
            now_ns: the time of the comparison, Unix ns.
        """
        return self._view((camera_id, ""), now_ns)

    def footage_view(self, camera_id: str, authorisation_id: str, now_ns: int) -> GalleryView | None:
        """Return what footage of a camera may be compared with at this moment; None: with nothing.

        Args:
            camera_id: that recorded it.
            authorisation_id: under which it is searched: of the retrospective kind, and no other.
            now_ns: the time of the comparison, Unix ns.
        """
        return self._view((camera_id, authorisation_id), now_ns)

    def _view(self, key: _Key, now_ns: int) -> GalleryView | None:
        self.follow(now_ns)
        with self._lock:
            view = self._views.get(key)
            if view is not None and view.valid_from_ns <= now_ns < view.valid_until_ns:
                return view
            if view is not None:
                view.revoked.set()
                del self._views[key]
            compiled = self._compile(*key, now_ns)
            if compiled is not None:
                self._views[key] = compiled
            return compiled

    def _compile(self, camera_id: str, authorisation_id: str, now_ns: int) -> GalleryView | None:
        live, known = not authorisation_id, self._known
        rows = self._compared(camera_id, now_ns) if live else self._searched(camera_id, authorisation_id, now_ns)
        if not rows:
            return None
        near = known.covered[camera_id] if live else rows
        edges = [moment for one in near for moment in self._window(one)]
        camera = known.place(camera_id)
        assert camera is not None  # else no listing names it
        edges += [next_change_ns(known.suspensions.of(camera), camera, now_ns) or NEVER_NS, known.policy_until_ns]
        return build_view(
            vectors=np.concatenate([one.vectors for one in rows]),
            subject_ids=np.concatenate([one.subject_ids for one in rows]),
            authorisation_ids=np.repeat([one.authorisation_id for one in rows], [len(one) for one in rows]),
            model_id=self.model_id,
            basis=Basis.AUTHORISATION if live else Basis.RETROSPECTIVE,
            camera_id=camera_id,
            commitments=np.concatenate([one.commitments for one in rows]),
            valid_from_ns=now_ns,
            valid_until_ns=min(moment for moment in edges if moment > now_ns),
        )

    def _compared(self, camera_id: str, now_ns: int) -> list[Listing]:
        """Return what may be compared on a camera at this moment."""
        here = () if self._stopped else self._known.covered.get(camera_id, ())
        windows = ((one, *self._window(one)) for one in here)
        closed_ns = NEVER_NS if self._closed_ns is None else self._closed_ns
        rows = [one for one, from_ns, until_ns in windows if from_ns <= now_ns < until_ns and one.from_ns < closed_ns]
        return rows if rows and self.captured_freely(camera_id, now_ns) else []

    def _searched(self, camera_id: str, authorisation_id: str, now_ns: int) -> list[Listing]:
        """Return what footage of a camera may be compared with at this moment, under one authorisation.

        A suspension of this moment keeps nobody from searching what was captured before it: the time of capture binds.
        """
        one = None if self._stopped else self._known.searching(camera_id, authorisation_id)
        if one is None:
            return []
        from_ns, until_ns = self._window(one)
        closed_ns = NEVER_NS if self._closed_ns is None else self._closed_ns
        return [one] if from_ns <= now_ns < until_ns and one.from_ns < closed_ns else []

    def _window(self, one: Listing) -> tuple[int, int]:
        """Return when somebody may be compared, by own time: begun by both clocks, and ended by neither."""
        return one.from_ns + max(0, -self._apart_ns), one.until_ns - max(0, self._apart_ns)

    def note_apart(self, apart_ns: int) -> None:
        """Compare from now on only within windows that have begun, and not ended, by the witnesses' clocks too.

        Args:
            apart_ns: how far their median time is ahead of the time that `view` is asked with; within the seconds that
                their answers are exact to, 0.
        """
        with self._lock:
            if apart_ns != self._apart_ns:
                self._apart_ns = apart_ns
                self._drop_views()

    def close_starts(self, closed_ns: int | None) -> None:
        """Look for nobody whose window begins at this instant or later, until told otherwise; None: for all."""
        with self._lock:
            if closed_ns != self._closed_ns:
                self._closed_ns = closed_ns
                self._drop_views()

    def watched(self, now_ns: int) -> frozenset[str]:
        """Return the cameras on which anything may be compared now: the only ones that are analysed."""
        self.follow(now_ns)
        with self._lock:
            return frozenset(camera_id for camera_id in self._known.covered if self._compared(camera_id, now_ns))

    def cameras(self) -> frozenset[str]:
        """Return the cameras that there are, as of the last refresh."""
        return frozenset(self._known.cameras)

    def camera(self, camera_id: str) -> Camera | None:
        """Return a camera, or evidence in its place, as of the last refresh."""
        return self._known.place(camera_id)

    def captured_freely(self, camera_id: str, captured_at_ns: int) -> bool:
        """Tell whether what was captured then may be searched: no suspension binds that instant."""
        known = self._known
        camera = known.place(camera_id)
        return camera is not None and not suspended(known.suspensions.of(camera), camera, captured_at_ns)

    def free(self, camera_id: str, from_ns: int, until_ns: int) -> tuple[tuple[int, int], ...]:
        """Return the parts of an interval of capture that no suspension of a camera binds; none of one not there."""
        known = self._known
        camera = known.place(camera_id)
        if camera is None:
            return ()
        bound = [(one.from_ns, end_ns(one)) for one in known.suspensions.of(camera)]
        return free_parts(bound, from_ns, until_ns)

    def floor(self, subject_id: str) -> float:
        """Return the similarity that a subject's alerts need at least, raised by reviewers for a look-alike."""
        return self._known.floors.get(subject_id, 0.0)

    @property
    def ceilings(self) -> Ceilings:
        """The policy as of the last refresh."""
        return self._known.ceilings

    @property
    def other_model(self) -> int:
        """References of another model, as of the last refresh: not compared."""
        return self._reading.other_model

    @property
    def unreadable(self) -> int:
        """References that are damaged, as of the last refresh: not compared."""
        return self._reading.unreadable

    def __repr__(self) -> str:
        references = sum(map(len, self._known.listings))
        return f"Gallery(references={references}, cameras={len(self._known.cameras)})"
