"""Several sources in one process: a thread a source decodes and samples, one thread analyses.

Inference stays in one thread: two that drove one compiled model stalled for good (docs/model-card.md, traps).

Each source has a queue of at most `_QUEUE_FRAMES` sampled frames. Files wait when it is full; a live source drops the
*oldest frame* and counts it, so that alerts stay current. A hand-off carries a frame, the end, or the failure.

Every decoded frame is analysed, gated or dropped, and counted once; the few that still wait in the queue are not yet.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from habeas.errors import HabeasError, InputError
from habeas.pipeline import Line, LineCounts, Stages
from habeas.ports import FrameSource
from habeas.types import NS_PER_S, ClosedTrack, Flaw, Frame, Origin, OriginKind, Probe
from habeas.video import Sampler
from habeas.video.canary import CanaryShown

_QUEUE_FRAMES: Final = 4
_TICK_S: Final = 1.0
"""Longest wait before flaws are told and deadlines are looked at."""
_JOIN_S: Final = 15.0
"""A reader that hangs in a socket comes back within the stall limit; a daemon thread ends with the process anyway."""


@dataclass(frozen=True)
class TrackEnd:
    """A track that ended, and where.

    Args:
        origin: the source.
        track: the track.
    """

    origin: Origin
    track: ClosedTrack


Found = Probe | TrackEnd | CanaryShown | Flaw
"""What a run yields. A track's end comes after all its probes, and a canary's after the one that was made of it."""


@dataclass
class SourceReport:
    """What became of one source. Changed under the run's lock, `counts` by its line; others only read.

    Args:
        camera_id: of the source.
        step_ns: nominal time between frames.
        counts: of its line.
        frames_decoded: so far.
        frames_dropped: sampled frames dropped under load.
        frames_unsampled: between two samples, or waiting when the source was ended.
        first_pts_ns: the stream's time of the first frame.
        last_pts_ns: the stream's time of the last frame.
        failure: why it ended, where it failed.
    """

    camera_id: str
    step_ns: int
    counts: LineCounts
    frames_decoded: int = 0
    frames_dropped: int = 0
    frames_unsampled: int = 0
    first_pts_ns: int = 0
    last_pts_ns: int = 0
    failure: HabeasError | None = None

    @property
    def frames_analysed(self) -> int:
        """Frames in which faces were looked for."""
        return self.counts.frames_analysed

    @property
    def frames_gated(self) -> int:
        """Frames that did not need a look: not sampled, or nothing moved."""
        return self.frames_unsampled + self.counts.frames_gated

    @property
    def video_ns(self) -> int:
        """How much stream time was decoded."""
        return self.last_pts_ns - self.first_pts_ns + self.step_ns if self.frames_decoded else 0

    def saw(self, frame: Frame) -> None:
        """Count a decoded frame."""
        if not self.frames_decoded:
            self.first_pts_ns = frame.pts_ns
        self.frames_decoded += 1
        self.last_pts_ns = frame.pts_ns


@dataclass(eq=False)
class _Feed:
    """One source's reader, queue and line. All but the line is guarded by the run's condition.

    `ended`: the reader is done. `removed`: somebody took the source away. `finished`: its open tracks were ended.
    """

    source: FrameSource
    line: Line
    report: SourceReport
    queue: deque[Frame] = field(default_factory=deque)
    ended: bool = False
    removed: bool = False
    finished: bool = False
    served: int = 0
    told: int = 0
    thread: threading.Thread | None = None

    @property
    def live(self) -> bool:
        return self.source.origin.kind is OriginKind.LIVE

    @property
    def ready(self) -> bool:
        return bool(self.queue) or ((self.ended or self.removed) and not self.finished)

    def clear(self) -> None:
        """Give up what waits."""
        self.report.frames_unsampled += len(self.queue)
        self.queue.clear()

    def new_flaws(self) -> Iterator[Flaw]:
        """Yield what went wrong since this was last asked."""
        noted = self.source.flaws
        if self.ended and self.report.failure is not None:
            noted = (*noted, self.report.failure.message)
        for what in noted[self.told :]:
            self.told += 1  # before it is handed over: who is interrupted there asks again
            yield Flaw(self.report.camera_id, what, self.report.last_pts_ns)


@dataclass(frozen=True)
class _Turn:
    """What the analysing thread does next: a frame, the end of a source, or nothing for a second."""

    feed: _Feed | None
    frame: Frame | None


class Run:
    """Takes several sources through their lines, until they end or `stop` is called. Owns them; a context manager.

    Args:
        sources: opened.
        stages: what the lines share; used in the thread that iterates `events`.
        on_turn: called after each analysed frame, and at least once a second.
        stays: go on without a source until `stop`: a worker waits for its next camera.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        stages: Stages,
        on_turn: Callable[[], None] = lambda: None,
        *,
        stays: bool = False,
    ) -> None:
        self._changed = threading.Condition()
        self._running = False
        self._stopping = False
        self._stages = stages
        self._on_turn = on_turn
        self._stays = stays
        self._turns = 0
        self._feeds = [self._feed(source) for source in sources]
        self._removed: list[SourceReport] = []

    def _feed(self, source: FrameSource) -> _Feed:
        line = Line(source.origin, source.rate_hz, self._stages)
        step_ns = round(NS_PER_S / max(source.rate_hz, 0.01))
        return _Feed(source, line, SourceReport(source.origin.camera_id, step_ns, line.counts))

    # --- which sources ----------------------------------------------------------------------------------------------

    def add(self, source: FrameSource) -> None:
        """Take in another source, and own it. Callable from any thread; a run that was stopped closes it at once."""
        feed = self._feed(source)
        with self._changed:
            taken = not self._stopping
            if taken:
                self._feeds.append(feed)
                if self._running:
                    self._start(feed)
        if not taken:
            source.close()

    def remove(self, camera_id: str) -> None:
        """Let every source of this name go: it is closed, what waits is not analysed, open tracks end in `events`.

        Callable from any thread; waits for nobody. A reader that waits for a camera ends within the stall limit.

        Raises:
            InputError: there is no such source.
        """
        with self._changed:
            leaving = [feed for feed in self._feeds if feed.report.camera_id == camera_id and not feed.removed]
            for feed in leaving:
                feed.removed = True
                feed.finished = False
                feed.clear()
            self._changed.notify_all()
        if not leaving:
            raise InputError(f"no source {camera_id} in this run", remedy="remove a camera that was added")
        for feed in leaving:
            feed.source.close()

    def plant(self, camera_id: str) -> None:
        """Put a canary into the pictures of every source of this name; nothing where there is none."""
        with self._changed:
            for feed in self._feeds:
                if feed.report.camera_id == camera_id and not feed.removed:
                    feed.line.plant()

    @property
    def reports(self) -> list[SourceReport]:
        """What became of each source, in the order given; of a removed one only until its tracks have ended."""
        with self._changed:
            return [feed.report for feed in self._feeds]

    def pop_removed(self) -> list[SourceReport]:
        """Return what became of the sources that were removed and whose tracks ended; each is told once."""
        with self._changed:
            removed, self._removed = self._removed, []
        return removed

    # --- the analysing thread ---------------------------------------------------------------------------------------

    def events(self) -> Iterator[Found]:
        """Yield probes and ends of tracks as they happen, and flaws within a second.

        A source that fails ends alone, its failure in its report; the others go on.
        """
        with self._changed:
            self._running = True
            for feed in self._feeds:
                self._start(feed)
        while (turn := self._next()) is not None:
            if turn.feed is not None:
                yield from _advance(turn.feed, turn.frame)
            yield from self.new_flaws()
            self._let_go()
            self._on_turn()
        yield from self.finish()

    def finish(self) -> Iterator[Found]:
        """End what is still open, and tell what was not yet told."""
        for feed in self._open_feeds():
            feed.finished = True
            yield from _advance(feed, None)
        yield from self.new_flaws()
        self._let_go()

    def new_flaws(self) -> Iterator[Flaw]:
        """Yield what went wrong with each source since this was last asked."""
        for feed in self._open_feeds():
            yield from feed.new_flaws()

    def stop(self) -> None:
        """Make `events` finish soon: open tracks end, nothing new is read. Callable from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _open_feeds(self) -> list[_Feed]:
        with self._changed:
            return list(self._feeds)

    def _next(self) -> _Turn | None:
        """Wait for the next hand-off, or for a second; None once all ended or the run stops.

        The source that waited longest for its turn comes first.
        """
        with self._changed:
            if not self._stopping and not any(feed.ready for feed in self._feeds):
                if not self._stays and all(feed.finished for feed in self._feeds):
                    return None
                self._changed.wait(_TICK_S)
            if self._stopping:
                return None
            feed = min((feed for feed in self._feeds if feed.ready), key=lambda feed: feed.served, default=None)
            if feed is None:
                return _Turn(None, None)
            self._turns += 1
            feed.served = self._turns
            feed.finished = not feed.queue
            self._changed.notify_all()
            return _Turn(feed, feed.queue.popleft() if feed.queue else None)

    def _let_go(self) -> None:
        """Forget the sources that were removed, once their tracks have ended; their reports stay to be asked for."""
        with self._changed:
            gone = [feed for feed in self._feeds if feed.removed and feed.finished]
            self._feeds = [feed for feed in self._feeds if feed not in gone]
            self._removed += [feed.report for feed in gone]

    # --- the reader threads -----------------------------------------------------------------------------------------

    def _start(self, feed: _Feed) -> None:
        feed.thread = threading.Thread(target=self._read, args=(feed,), name=feed.report.camera_id, daemon=True)
        feed.thread.start()

    def _read(self, feed: _Feed) -> None:
        """Reader thread: decode, sample, hand over; whatever goes wrong becomes the source's failure."""
        sampler = Sampler(feed.line.every_ns)
        failure: HabeasError | None = None
        try:
            for frame in feed.source.frames():
                if not self._take(feed, frame, due=sampler.due(frame.pts_ns)):
                    break
        except HabeasError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - worker top loop: a reader never dies silently
            what = f"{feed.report.camera_id}: {type(error).__name__}: {error}"
            failure = HabeasError(what, remedy="this is a bug: run again with --debug and report it")
            failure.__cause__ = error
        finally:
            with self._changed:
                feed.report.failure = None if feed.removed else failure  # a source closed under its reader may fail
                feed.ended = True
                self._changed.notify_all()

    def _take(self, feed: _Feed, frame: Frame, *, due: bool) -> bool:
        """Count a frame, and queue it if it is due; False once nobody wants the source any more."""
        with self._changed:
            if self._unwanted(feed):
                return False
            feed.report.saw(frame)
            if due and self._room(feed):
                feed.queue.append(frame)
                self._changed.notify_all()
            else:
                feed.report.frames_unsampled += 1
            return not self._unwanted(feed)

    def _room(self, feed: _Feed) -> bool:
        """Make or await room in the queue; False where nobody wants the source any more."""
        while len(feed.queue) >= _QUEUE_FRAMES and not self._unwanted(feed):
            if feed.live:
                feed.queue.popleft()
                feed.report.frames_dropped += 1
            else:
                self._changed.wait()
        return not self._unwanted(feed)

    def _unwanted(self, feed: _Feed) -> bool:
        return self._stopping or feed.removed

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop, close the sources, wait for the readers."""
        self.stop()
        feeds = self._open_feeds()
        for feed in feeds:
            if feed.live:
                feed.source.close()
        for feed in feeds:
            if feed.thread is not None and feed.thread.ident is not None:  # interrupted before it started: no join
                feed.thread.join(_JOIN_S)
            with self._changed:
                feed.clear()
            feed.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _advance(feed: _Feed, frame: Frame | None) -> Iterator[Probe | TrackEnd | CanaryShown]:
    """Take a source's line a frame further, or to its end."""
    found = feed.line.finish() if frame is None else feed.line.process(frame)
    for what in found:
        yield TrackEnd(feed.line.origin, what) if isinstance(what, ClosedTrack) else what
        del what  # a probe is gone once it was compared
