"""Takes footage through the line, reel by reel, in a worker of its own; for whom, and what comes of it, a job says.

What was captured in a suspension is not decoded, and counted; of a segment in which one ends, nothing is. Each message
of the worker is a moment at which it is asked anew whether this may go on: a suspension that reaches back, an end or a
clock in doubt stops it within a second. How far it came is noted with each reel: after a restart it goes on there. A
reel that ends its worker is counted as damaged, and left. What was handed in is one reel: its pictures of a suspension
are decoded as far as others need it, and looked at by nothing; it begins anew where it was not gone through whole.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from habeas.authority.gallery import Gallery
from habeas.engine.messages import Counters
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Reel, Screened, Screening, reels_of
from habeas.errors import InputError, KeyDestroyed
from habeas.footage.reading import Damage, Stretch, Window
from habeas.keys import KeyStore
from habeas.ports import Clock
from habeas.settings import DetectSettings
from habeas.store.records import Camera
from habeas.types import Probe
from habeas.video.masks import Mask

LOOKS_HZ: Final = 3.125
"""At most so many pictures a second are looked at: nobody waits for the first of a track (docs/decisions/0008)."""


class Stop(Exception):
    """What was planned does not hold any more: ends a sweep, which may be planned anew."""


@dataclass
class Came:
    """What came of a reel."""

    damaged: int = 0
    frames: int = 0
    tracks: int = 0
    watched_ns: int = 0

    def hear(self, counters: Counters) -> None:
        """Take in how far it is."""
        self.frames, self.tracks, self.watched_ns = counters.decoded, counters.tracks, counters.analysed_ns


class Job(ABC):
    """What footage is gone through for. Used by one thread."""

    @abstractmethod
    def check(self, camera_id: str) -> None:
        """Check that it may go on at this moment.

        Raises:
            Stop: it may not.
        """

    @abstractmethod
    def footage(self, window: Window) -> Iterator[Stretch | Damage]:
        """Yield what there is of an interval."""

    def handed_in(self, window: Window) -> Reel | None:  # noqa: ARG002 - for those that are of evidence
        """Return what was handed in, whole, in the place of what was recorded; None: nothing was.

        Raises:
            KeyDestroyed: it is over.
            InputError: it was changed.
        """
        return None

    @abstractmethod
    def take(self, found: Probe | TrackEnd) -> None:
        """Take what was found; ends of tracks come after all their probes."""

    @abstractmethod
    def begun(self, camera_id: str, from_ns: int) -> int:
        """Return from when on a camera's footage is still to be gone through."""

    @abstractmethod
    def note(self, camera_id: str, until_ns: int, came: Came, *, suspended_ns: int = 0, missing_ns: int = 0) -> None:
        """Make durable that a camera's footage was gone through until an instant, and what came of it."""

    @abstractmethod
    def tell(self, camera_id: str, watched_ns: int) -> None:
        """Hear, now and then, for how long of the present reel it was gone through."""


class Sweeper:
    """A worker for footage, started when it is first needed. A context manager; used by one thread, stopped by any.

    Args:
        gallery: says what is suspended.
        keys: without its key footage is looked at no further, whatever lies in memory.
        clock: the store's; deadlines are asked of it.
        worker: starts one.
        detect: how faces are looked for, but for the camera's smallest face and `LOOKS_HZ`.
    """

    def __init__(
        self,
        gallery: Gallery,
        keys: KeyStore,
        clock: Clock,
        worker: Callable[[], Screening],
        detect: DetectSettings,
    ) -> None:
        self._gallery = gallery
        self._keys = keys
        self._clock = clock
        self._worker = worker
        self._detect = detect
        self._lock = threading.Lock()
        self._stopped = False
        self._screening: Screening | None = None

    def stop(self) -> None:
        """End soon, with `Stop`."""
        with self._lock:
            self._stopped = True
            if self._screening is not None:
                self._screening.kill()

    def sweep(self, job: Job, camera: Camera, from_ns: int, until_ns: int) -> None:
        """Go through what is left of a camera's footage in an interval.

        Raises:
            Stop: it may not go on now.
            DiskError: the disk or database failed.
            HabeasError: no worker can be started.
        """
        camera_id = camera.camera_id
        while (begin_ns := job.begun(camera_id, from_ns)) < until_ns:
            self._check(job, camera_id)
            parts = self._gallery.free(camera_id, begin_ns, until_ns)
            free_ns, end_ns = parts[0] if parts else (until_ns, until_ns)
            if free_ns > begin_ns:
                job.note(camera_id, free_ns, Came(), suspended_ns=free_ns - begin_ns)
            else:
                self._reel(job, camera, Window(camera_id, free_ns, end_ns))

    def _check(self, job: Job, camera_id: str) -> None:
        if self._stopped:
            raise Stop
        job.check(camera_id)

    def _reel(self, job: Job, camera: Camera, window: Window) -> None:
        """Go through the first reel of an interval that is free of suspensions, if there is footage in it."""
        came = Came()
        until_ns = window.until_ns
        for reel in self._reels(job, window, came):
            with reel:
                until_ns = min(until_ns, reel.until_ns)
                self._look(job, camera, Window(camera.camera_id, window.from_ns, until_ns), reel, came)
            break
        missing_ns = until_ns - window.from_ns - came.watched_ns
        job.note(camera.camera_id, until_ns, came, missing_ns=max(0, missing_ns))

    def _reels(self, job: Job, window: Window, came: Came) -> Iterator[Reel]:
        try:
            whole = job.handed_in(window)
        except KeyDestroyed:
            return
        except InputError:
            came.damaged += 1
            return
        if whole is not None:
            yield whole
        else:
            yield from reels_of(self._stretches(job, window, came))

    def _stretches(self, job: Job, window: Window, came: Came) -> Iterator[Stretch]:
        for found in job.footage(window):
            if isinstance(found, Damage):
                came.damaged += 1
            elif self._is_free(window.camera_id, found.header.began_ns, window.from_ns):
                yield found  # else a suspension is in it: it cannot be decoded from its middle

    def _is_free(self, camera_id: str, from_ns: int, until_ns: int) -> bool:
        return until_ns <= from_ns or self._gallery.free(camera_id, from_ns, until_ns) == ((from_ns, until_ns),)

    def _look(self, job: Job, camera: Camera, window: Window, reel: Reel, came: Came) -> None:
        try:
            for screened in self._screened(reel, self._looking(camera, window)):
                self._go_on(job, window, reel)
                _hand_over(job, window.camera_id, screened, came)
        except InputError:
            self._drop_worker()
            self._check(job, window.camera_id)  # ended by us: nothing is wrong with the footage
            came.damaged += 1

    def _looking(self, camera: Camera, window: Window) -> Looking:
        rate_hz = min(LOOKS_HZ, self._detect.rate_hz)
        detect = self._detect.model_copy(update={"min_face_px": camera.min_face_px, "rate_hz": rate_hz})
        masks = tuple(Mask(*box) for box in camera.masks)
        return Looking(window.camera_id, window.from_ns, window.until_ns, detect, masks)

    def _go_on(self, job: Job, window: Window, reel: Reel) -> None:
        """Check that what is gone through may still be.

        Raises:
            Stop: it may not; its worker is gone.
        """
        try:
            self._check(job, window.camera_id)
            if self._is_free(window.camera_id, window.from_ns, window.until_ns) and self._is_readable(reel):
                return
        except Stop:
            self._drop_worker()
            raise
        self._drop_worker()
        raise Stop

    def _is_readable(self, reel: Reel) -> bool:
        """Tell whether no deadline of its footage has come while it lay in memory."""
        try:
            ends = [self._keys.expires_at_ns(key_id) for key_id in reel.key_ids]
        except KeyDestroyed:
            return False
        return self._clock.now_ns() < min(ends)

    def _screened(self, reel: Reel, looking: Looking) -> Iterator[Screened]:
        if self._screening is None:
            screening = self._worker()
            with self._lock:
                self._screening = screening
                if self._stopped:
                    screening.kill()
        yield from self._screening.search(reel, looking)

    def _drop_worker(self) -> None:
        with self._lock:
            screening, self._screening = self._screening, None
        if screening is not None:
            screening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._drop_worker()


def _hand_over(job: Job, camera_id: str, screened: Screened, came: Came) -> None:
    if isinstance(screened, Probe | TrackEnd):
        job.take(screened)
    elif isinstance(screened, Counters):
        came.hear(screened)
        job.tell(camera_id, screened.analysed_ns)
