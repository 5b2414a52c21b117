"""The node's one thread that compares what cameras show: probes in, durable alerts out, all else counted and dropped.

Probes wait in a queue of `_WAITING`. When it is full, whoever hands over waits, so that the worker drops *frames* and
counts them: a probe that was made is compared, unless an alert before it cannot be written for so long that faces of
strangers would lie in memory (`node.waiting`).
"""

import threading
from collections.abc import Callable
from typing import Final, Self

from habeas.authority.canary import reserved_view
from habeas.engine.run import TrackEnd
from habeas.errors import HabeasError, RuleError
from habeas.node.alerting import Alerting, Means, check_length
from habeas.node.waiting import Waiting
from habeas.types import F32, Alert, ClosedTrack, GalleryView, Origin, OriginKind, Probe

_WAITING: Final = 256
_PATIENCE_S: Final = 0.5
_FAREWELL_S: Final = 3.0


class Matching:
    """Compares probes with what is authorised at that moment. A context manager; owns its thread.

    Args:
        means: shared with whatever else compares.
        canary: (d,) float32, what the canary is compared with.
        on_canary: hears, by its probe's origin, what a canary matched; None: it may not be compared now, or is unlike.
    """

    def __init__(self, means: Means, *, canary: F32, on_canary: Callable[[Origin, Alert | None], None]) -> None:
        self._means = means
        self._canary = canary
        self._on_canary = on_canary
        self._alerting = Alerting(means, self._view_of, self.forget_old)
        self._queue = Waiting(_WAITING, means.time)
        self._thread = threading.Thread(target=self._run, name="matcher", daemon=True)
        self._thread.start()

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
        means = self._means
        means.time.require_trust()
        view = means.gallery.view(origin.camera_id, means.time.now_ns())
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
                self._means.on_problem(error)
            except Exception as error:  # noqa: BLE001 - matcher top loop: one probe never ends the comparing of others
                self._means.on_problem(HabeasError(f"{type(error).__name__}: {error}", remedy="report this bug"))

    def _take(self, item: Probe | TrackEnd) -> None:
        if isinstance(item, TrackEnd):
            self._alerting.end(item)
            return
        self._alerting.follow()
        check_length(item, self._means.dimensions)
        if item.origin.kind is OriginKind.CANARY:
            self._on_canary(item.origin, self._compare_canary(item))
        else:
            self._alerting.compare(item)

    def _compare_canary(self, probe: Probe) -> Alert | None:
        """Compare a canary with the reserved view: it is no alert, whatever comes of it, and no search of anybody."""
        if not self._means.gallery.captured_freely(probe.origin.camera_id, probe.captured_at_ns):
            return None
        try:
            return next(iter(self._alerting.matches(probe)), None)
        except RuleError:
            return None
        finally:
            track = ClosedTrack(probe.track_id, probe.first_seen_ns, probe.at_ns)
            self._alerting.forget(TrackEnd(probe.origin, track))

    def stop_waiting(self) -> None:
        """Take nothing more that would have to wait, and try to write what could not be written once more only."""
        self._alerting.stop_waiting()
        self._queue.close()

    def close(self) -> None:
        """Compare what waits, then stop."""
        self.stop_waiting()
        self._thread.join(_FAREWELL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
