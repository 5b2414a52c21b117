"""What may be compared on each camera at this moment: the one gate between people listed and people seen.

A view is compiled per camera, carries its end, and is revoked the moment anything about it changes. References live
decrypted in this object only, and only while their authorisation is active.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from habeas.authority.policy import Ceilings, ceilings_now
from habeas.authority.requests import State
from habeas.authority.suspensions import next_change_ns, suspended
from habeas.authority.views import build_view
from habeas.errors import InputError, KeyDestroyed
from habeas.keys import KeyStore
from habeas.store import Store, Tx
from habeas.store.records import Authorisation, Camera, Policy, Reference, Subject, Suspension
from habeas.types import F32, HOUR_NS, Basis, GalleryView

_NEVER: Final = 2**62


@dataclass(frozen=True, repr=False)
class _Listed:
    """One reference that may be compared, and the limits of when and where."""

    subject_id: str
    authorisation_id: str
    commitment: str
    vector: F32
    cameras: frozenset[tuple[str, str]]
    from_ns: int
    until_ns: int
    raised_to: float


@dataclass(frozen=True, repr=False)
class _Known:
    """One moment's state of the database, as far as comparing is concerned."""

    listed: tuple[_Listed, ...]
    cameras: Mapping[str, Camera]
    suspensions: tuple[Suspension, ...]
    ceilings: Ceilings
    policy_until_ns: int


class Gallery:
    """Compiles gallery views. Thread-safe; `refresh` after every commit that changes what may be compared.

    Args:
        store: the database.
        keys: opens references.
        model_id: of the pack in use; references of another are not compared, and are counted.
    """

    def __init__(self, store: Store, keys: KeyStore, model_id: str) -> None:
        self._store = store
        self._keys = keys
        self.model_id = model_id
        self._refreshing = threading.Lock()
        """Held from reading to taking over, so that an older reading never replaces a newer one."""
        self._lock = threading.Lock()
        self._views: dict[str, GalleryView] = {}
        self._vectors: dict[str, F32] = {}
        self._stopped = True
        self.other_model = 0
        self.unreadable = 0
        self.ready = False
        self._known = _Known((), {}, (), Ceilings(), _NEVER)

    def refresh(self) -> None:
        """Read what is authorised now, and revoke every view that says otherwise. Takes effect before it returns.

        Where it cannot be read, nothing is compared until it can.
        """
        with self._refreshing:
            try:
                with self._store.read() as tx:
                    known = self._read(tx)
            except BaseException:
                self.stale()
                raise
            self._take_over(known)

    def stale(self) -> None:
        """Compare nothing until the next `refresh`: what was read holds no more."""
        with self._lock:
            self.ready = False
            self._known = replace(self._known, listed=())
            self._drop_views()

    def _take_over(self, known: _Known) -> None:
        with self._lock:
            self._known = known
            self.ready = True
            for camera_id, view in list(self._views.items()):
                again = self._compile(camera_id, view.valid_from_ns)
                if again is None or again.view_id != view.view_id:  # most commits change nothing here
                    view.revoked.set()
                    del self._views[camera_id]

    def stop(self) -> None:
        """Compare nothing until `go`: the clock is in doubt, or the node ends."""
        with self._lock:
            self._stopped = True
            self._drop_views()

    def go(self) -> None:
        """Compare again."""
        with self._lock:
            self._stopped = False

    def _drop_views(self) -> None:
        for view in self._views.values():
            view.revoked.set()
        self._views.clear()

    def _read(self, tx: Tx) -> _Known:
        ceilings = ceilings_now(tx)
        rows = [
            row
            for row in tx.find(Authorisation, state=State.ACTIVE.value, kind="live")
            if row.purpose in ceilings.purposes
        ]
        changes = [
            from_ns for row in tx.find(Policy, state="active") if (from_ns := row.effective_from_ns or 0) > tx.now_ns
        ]
        kept: dict[str, F32] = {}
        self.other_model = self.unreadable = 0
        listed = [one for row in rows for one in self._listed(tx, row, ceilings, kept)]
        self._vectors = kept  # what is not listed any more is forgotten
        return _Known(
            tuple(listed),
            {camera.camera_id: camera for camera in tx.find(Camera, removed_at_ns=None)},
            tuple(tx.find(Suspension)),
            ceilings,
            min(changes, default=_NEVER),
        )

    def _listed(self, tx: Tx, row: Authorisation, ceilings: Ceilings, kept: dict[str, F32]) -> list[_Listed]:
        from_ns = max(row.from_ns, row.started_at_ns or _NEVER)
        until_ns = min(row.until_ns, row.ends_at_ns or 0, from_ns + ceilings.authorisation_h * HOUR_NS)
        found = []
        for subject in tx.find(Subject, authorisation_id=row.authorisation_id):
            for reference in tx.find(Reference, subject_id=subject.subject_id):
                vector = self._vector(subject, reference)
                if vector is None:
                    continue
                kept[reference.reference_id] = vector
                found.append(
                    _Listed(
                        subject_id=subject.subject_id,
                        authorisation_id=row.authorisation_id,
                        commitment=reference.commitment,
                        vector=vector,
                        cameras=frozenset(row.cameras),
                        from_ns=from_ns,
                        until_ns=until_ns,
                        raised_to=subject.raised_to or 0.0,
                    )
                )
        return found

    def _vector(self, subject: Subject, reference: Reference) -> F32 | None:
        if reference.model_id != self.model_id:
            self.other_model += 1
            return None
        try:
            self._keys.expires_at_ns(subject.key_id)
            opened = self._vectors.get(reference.reference_id)
            return open_template(self._keys, subject, reference) if opened is None else opened
        except KeyDestroyed:  # an old database with the current keys: nobody is brought back
            return None
        except InputError:  # damaged: no reason to go on comparing, or to stop comparing, others
            self.unreadable += 1
            return None

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
        self.follow(now_ns)
        with self._lock:
            view = self._views.get(camera_id)
            if view is not None and view.valid_from_ns <= now_ns < view.valid_until_ns:
                return view
            if view is not None:
                view.revoked.set()
                del self._views[camera_id]
            compiled = self._compile(camera_id, now_ns)
            if compiled is not None:
                self._views[camera_id] = compiled
            return compiled

    def _compile(self, camera_id: str, now_ns: int) -> GalleryView | None:
        known, camera = self._known, self._known.cameras.get(camera_id)
        if self._stopped or camera is None or suspended(known.suspensions, camera, now_ns):
            return None
        here = [one for one in known.listed if (camera_id, camera.source_digest) in one.cameras]
        rows = [one for one in here if one.from_ns <= now_ns < one.until_ns]
        if not rows:
            return None
        edges = [moment for one in here for moment in (one.from_ns, one.until_ns)]
        edges += [next_change_ns(known.suspensions, camera, now_ns) or _NEVER, known.policy_until_ns]
        return build_view(
            vectors=np.stack([one.vector for one in rows]),
            subject_ids=np.array([one.subject_id for one in rows]),
            authorisation_ids=np.array([one.authorisation_id for one in rows]),
            model_id=self.model_id,
            basis=Basis.AUTHORISATION,
            camera_id=camera_id,
            commitments=np.array([one.commitment for one in rows]),
            valid_from_ns=now_ns,
            valid_until_ns=min(moment for moment in edges if moment > now_ns),
        )

    def watched(self, now_ns: int) -> frozenset[str]:
        """Return the cameras on which anything may be compared now: the only ones that are analysed."""
        return frozenset(camera_id for camera_id in self._known.cameras if self.view(camera_id, now_ns) is not None)

    def camera(self, camera_id: str) -> Camera | None:
        """Return a camera, as of the last refresh."""
        return self._known.cameras.get(camera_id)

    def captured_freely(self, camera_id: str, captured_at_ns: int) -> bool:
        """Tell whether what was captured then may be searched: no suspension binds that instant."""
        camera = self._known.cameras.get(camera_id)
        return camera is not None and not suspended(self._known.suspensions, camera, captured_at_ns)

    def floor(self, subject_id: str) -> float:
        """Return the similarity that a subject's alerts need at least, raised by reviewers for a look-alike."""
        return max((one.raised_to for one in self._known.listed if one.subject_id == subject_id), default=0.0)

    @property
    def ceilings(self) -> Ceilings:
        """The policy as of the last refresh."""
        return self._known.ceilings

    def __repr__(self) -> str:
        return f"Gallery(references={len(self._known.listed)}, cameras={len(self._known.cameras)})"


def open_template(keys: KeyStore, subject: Subject, reference: Reference) -> F32:
    """Return the template of a reference: (d,) float32, unit length.

    Raises:
        KeyDestroyed: the subject's key is gone.
    """
    context = f"template {reference.reference_id}".encode()
    raw = keys.decrypt(subject.key_id, reference.template_sealed or b"", context)
    return np.frombuffer(raw, "<f4").astype(np.float32)


def open_image(keys: KeyStore, subject: Subject, reference: Reference) -> bytes:
    """Return the image of a reference as it was given.

    Raises:
        KeyDestroyed: the subject's key is gone.
    """
    return keys.decrypt(subject.key_id, reference.image_sealed or b"", f"image {reference.reference_id}".encode())
