"""Several sources on this machine: a thread a source decodes and samples, one thread analyses.

Inference stays in one thread: two that drove one compiled model stalled for good (docs/model-card.md, traps).

Each source has a queue of at most `_QUEUE_FRAMES` sampled frames. Files wait when it is full; a live source drops the
*oldest frame* and counts it, so that alerts stay current. A hand-off carries a frame, the end, or the failure.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from habeas.errors import HabeasError
from habeas.pipeline import Event, Line, Stages, ViewOf
from habeas.ports import FrameSource
from habeas.types import NS_PER_S, Flaw, Frame, OriginKind
from habeas.video import Sampler

_QUEUE_FRAMES: Final = 4
_TICK_S: Final = 1.0
"""Longest wait before flaws are told and deadlines are looked at."""
_JOIN_S: Final = 15.0
"""A reader that hangs in a socket comes back within the stall limit; a daemon thread ends with the process anyway."""


@dataclass
class SourceReport:
    """What became of one source. Written by its reader alone; others only read.

    Args:
        camera_id: of the source.
        frames_decoded: so far.
        frames_dropped: sampled frames dropped under load.
        first_pts_ns: the stream's time of the first frame.
        last_pts_ns: the stream's time of the last frame.
        step_ns: nominal time between frames.
        failure: why it ended, where it failed.
    """

    camera_id: str
    step_ns: int
    frames_decoded: int = 0
    frames_dropped: int = 0
    first_pts_ns: int = 0
    last_pts_ns: int = 0
    failure: HabeasError | None = None

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


@dataclass
class _Feed:
    """One source's reader, queue and line. The queue is guarded by the run's condition."""

    source: FrameSource
    line: Line
    report: SourceReport
    queue: deque[Frame] = field(default_factory=deque)
    ended: bool = False
    finished: bool = False
    told: int = 0
    thread: threading.Thread | None = None

    @property
    def live(self) -> bool:
        return self.source.origin.kind is OriginKind.LIVE


@dataclass(frozen=True)
class _Turn:
    """What the analysing thread does next: a frame, the end of a source, or nothing for a second."""

    number: int
    frame: Frame | None
    ended: bool


class Run:
    """Takes several sources through the line until they end or `stop` is called. A context manager; owns the sources.

    Args:
        sources: opened.
        stages: what the lines share; used in the thread that iterates `events`.
        view_of: what may be compared on a source.
        on_turn: called after each analysed frame, and at least once a second.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        stages: Stages,
        view_of: ViewOf,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = threading.Condition()
        self._stopping = False
        self._stages = stages
        self._on_turn = on_turn
        self._feeds = [self._feed(source, stages, view_of) for source in sources]

    @staticmethod
    def _feed(source: FrameSource, stages: Stages, view_of: ViewOf) -> _Feed:
        step_ns = round(NS_PER_S / max(source.rate_hz, 0.01))
        line = Line(source.origin, source.rate_hz, stages, view_of)
        return _Feed(source, line, SourceReport(source.origin.camera_id, step_ns))

    @property
    def reports(self) -> list[SourceReport]:
        """What became of each source, in the order given."""
        return [feed.report for feed in self._feeds]

    @property
    def lines(self) -> list[Line]:
        """The line of each source, in the order given."""
        return [feed.line for feed in self._feeds]

    def new_flaws(self) -> Iterator[Flaw]:
        """Yield what went wrong with each source since this was last asked."""
        for feed in self._feeds:
            noted = feed.source.flaws
            if feed.ended and feed.report.failure is not None:
                noted = (*noted, feed.report.failure.message)
            for what in noted[feed.told :]:
                feed.told += 1  # before it is handed over: who is interrupted there asks again
                yield Flaw(feed.report.camera_id, what, feed.report.last_pts_ns)

    def stop(self) -> None:
        """Make `events` finish soon: open tracks end, nothing new is read. Callable from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def events(self) -> Iterator[Event | Flaw]:
        """Yield alerts and their ends as they happen, and flaws within a second.

        A source that fails ends alone, its failure in its report; the others go on.

        Raises:
            RuleError: the gallery view does not permit a source, or has ended.
        """
        for feed in self._feeds:
            feed.thread = threading.Thread(target=self._read, args=(feed,), name=feed.report.camera_id, daemon=True)
            feed.thread.start()
        number = 0
        while (turn := self._next(number)) is not None:
            if turn.frame is not None:
                yield from self._feeds[turn.number].line.process(turn.frame)
            elif turn.ended:
                self._feeds[turn.number].finished = True
                yield from self._feeds[turn.number].line.finish()
            yield from self.new_flaws()
            self._on_turn()
            number = turn.number + 1
        yield from self.finish()

    def finish(self) -> Iterator[Event | Flaw]:
        """End what is still open, and tell what was not yet told."""
        for feed in self._feeds:
            yield from feed.line.finish()
        yield from self.new_flaws()

    def _next(self, first: int) -> "_Turn | None":
        """Wait for the next hand-off, sources in turn, or for a second; None once all ended or the run stops."""
        order = [(first + step) % len(self._feeds) for step in range(len(self._feeds))]
        with self._changed:
            if not any(feed.queue or (feed.ended and not feed.finished) for feed in self._feeds):
                if self._stopping or all(feed.finished for feed in self._feeds):
                    return None
                self._changed.wait(_TICK_S)
            for number in order if not self._stopping else ():
                feed = self._feeds[number]
                if feed.queue:
                    self._changed.notify_all()
                    return _Turn(number, feed.queue.popleft(), ended=False)
                if feed.ended and not feed.finished:
                    return _Turn(number, None, ended=True)
            return None if self._stopping else _Turn(first - 1, None, ended=False)

    def _read(self, feed: _Feed) -> None:
        """Reader thread: decode, sample, hand over; whatever goes wrong becomes the source's failure."""
        rate_hz = min(self._stages.detect.rate_hz, max(feed.source.rate_hz, 0.01))
        sampler = Sampler(round(NS_PER_S / rate_hz))
        try:
            for frame in feed.source.frames():
                feed.report.saw(frame)
                if sampler.due(frame.pts_ns) and not self._hand_over(feed, frame):
                    break
        except HabeasError as error:
            feed.report.failure = error
        except Exception as error:  # noqa: BLE001 - worker top loop: a reader never dies silently
            what = f"{feed.report.camera_id}: {type(error).__name__}: {error}"
            feed.report.failure = HabeasError(what, remedy="this is a bug: run again with --debug and report it")
            feed.report.failure.__cause__ = error
        finally:
            with self._changed:
                feed.ended = True
                self._changed.notify_all()

    def _hand_over(self, feed: _Feed, frame: Frame) -> bool:
        with self._changed:
            while len(feed.queue) >= _QUEUE_FRAMES and not self._stopping:
                if feed.live:
                    feed.queue.popleft()
                    feed.report.frames_dropped += 1
                else:
                    self._changed.wait()
            if self._stopping:
                return False
            feed.queue.append(frame)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Stop, close the sources, wait for the readers."""
        self.stop()
        for feed in self._feeds:
            if feed.live:
                feed.source.close()
        for feed in self._feeds:
            if feed.thread is not None and feed.thread.ident is not None:  # interrupted before it started: no join
                feed.thread.join(_JOIN_S)
            feed.queue.clear()
            feed.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
