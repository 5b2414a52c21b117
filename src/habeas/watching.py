"""Watching without a workspace: the limits of product.md, the sources, the summary.

What `habeas.watch(...)` and the command line share.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from habeas.app import App
from habeas.authority import RunAuthorisation, check_request
from habeas.authority.runs import MAX_LIVE_SOURCES
from habeas.comparison import check_fpir
from habeas.comparison.calibration import DEFAULT_FPIR
from habeas.engine import Found, Run, TrackEnd
from habeas.errors import InputError, RuleError
from habeas.node.sources import is_workspace_source
from habeas.pipeline import Event
from habeas.ports import FrameSource
from habeas.types import NS_PER_S, U8, Flaw, Probe
from habeas.video import is_live, open_source
from habeas.video.address import digest_of


@dataclass(frozen=True)
class Summary:
    """What a run came to. Counters only.

    Seconds of `video_s` are of all sources together; `cpu_start_s`, loading and enrolling, is apart from `cpu_s`.
    """

    video_s: float
    frames_decoded: int
    frames_dropped: int
    frames_analysed: int
    faces_detected: int
    tracks: int
    templates_made: int
    templates_kept: int
    alerts: int
    cpu_s: float
    cpu_start_s: float
    wall_s: float

    def as_json(self) -> dict[str, object]:
        """Return the object printed last. Runs without a workspace are not accounted for, and say so."""
        return {"event": "summary", "accounted": False, **asdict(self)}

    def as_text(self) -> str:
        """Return the last line for people."""
        return (
            f"{self.video_s:.1f} s of video, {self.tracks} tracks, {self.alerts} alerts; "
            f"{self.templates_made} templates made, {self.templates_kept} kept; "
            f"{self.cpu_s:.1f} s of CPU after {self.cpu_start_s:.1f} s to start (not accounted: no workspace)"
        )


class Watch:
    """Looks for people who consent, in several sources, for this run only. A context manager.

    Args:
        app: loaded models and settings.
        sources: addresses for `open_source`, or opened sources (which it then owns).
        subjects: name -> images.
        basis: `consent`, or `demo` for generated scenes.
        fpir: promised share of non-mated tracks that alert.
        began: (wall, CPU) seconds at which the program started, for the summary.

    Raises:
        RuleError: more than 3 subjects, 2 live sources, FPIR 1e-3, or another basis.
        InputError: a source or reference cannot be used.
    """

    def __init__(
        self,
        app: App,
        sources: Sequence[str | FrameSource],
        subjects: Mapping[str, Sequence[Path | U8]],
        *,
        basis: str,
        fpir: float = DEFAULT_FPIR,
        began: tuple[float, float] | None = None,
    ) -> None:
        self._began = began or (time.perf_counter(), time.process_time())
        check_limits(sources, len(subjects), basis=basis, fpir=fpir)
        stages = app.stages()
        self._ledger = stages.ledger
        self.on_progress: Callable[[float], None] = lambda _seconds: None
        self.authorisation = RunAuthorisation(app.enrol(subjects), basis, app.clock)
        opened: list[FrameSource] = []
        try:
            for source in sources:
                opened.append(_opened(source, app))
                view = self.authorisation.view(opened[-1].origin)
                view.admit(opened[-1].origin, view.model_id, app.clock.now_ns())
                app.calibration.threshold(fpir, len(view))
        except BaseException:
            for source in opened:
                source.close()
            self.authorisation.close()
            raise
        self._lengths_ns = [source.duration_ns for source in opened]
        self.camera_ids = [source.origin.camera_id for source in opened]
        self._clock = app.clock
        self._over = False
        self._matcher = app.matcher(self.authorisation.view, fpir)
        self._run = Run(opened, stages, self._turned)
        self._started = time.perf_counter(), time.process_time()

    @property
    def length_s(self) -> int | None:
        """Seconds of video in all sources, None where one is live."""
        known = [length for length in self._lengths_ns if length is not None]
        return sum(known) // NS_PER_S if len(known) == len(self._lengths_ns) else None

    def _turned(self) -> None:
        self.on_progress(sum(report.video_ns for report in self._run.reports) / NS_PER_S)
        if self._clock.now_ns() >= self.authorisation.ends_at_ns:
            self._over = True
            self._run.stop()

    def events(self) -> Iterator[Event | Flaw]:
        """Yield alerts at their first crossing, and their ends; finish when the eight hours are over."""
        try:
            yield from self._compared(self._run.events())
        except RuleError as error:
            if error.rule != "window":
                raise
            self._over = True
            yield from self.interrupted()
        if self._over:
            yield Flaw("", "the authorisation of this run is over: nothing is compared any more", 0)

    def interrupted(self) -> Iterator[Event | Flaw]:
        """Stop, and yield the ends of what was still open."""
        self._run.stop()
        yield from self._compared(self._run.finish())

    def _compared(self, found: Iterator[Found]) -> Iterator[Event | Flaw]:
        """Compare what the lines found, each probe before anything after it is made."""
        for what in found:
            if isinstance(what, Probe):
                yield from self._matcher.compare(what)
            elif isinstance(what, TrackEnd):
                yield from self._matcher.close(what.origin, what.track)
            elif isinstance(what, Flaw):
                yield what
            del what  # a probe is gone once it was compared

    def stop(self) -> None:
        """End `events` soon; callable from any thread."""
        self._run.stop()

    def summary(self) -> Summary:
        """Close the sources and count what the run came to."""
        self._run.close()
        reports = self._run.reports
        counts = [report.counts for report in reports]
        wall, cpu = time.perf_counter(), time.process_time()
        return Summary(
            video_s=round(sum(report.video_ns for report in reports) / NS_PER_S, 3),
            frames_decoded=sum(report.frames_decoded for report in reports),
            frames_dropped=sum(report.frames_dropped for report in reports),
            frames_analysed=sum(report.frames_analysed for report in reports),
            faces_detected=sum(count.faces_detected for count in counts),
            tracks=sum(count.tracks for count in counts),
            templates_made=sum(count.templates_made for count in counts),
            templates_kept=self._ledger.kept,
            alerts=self._matcher.alerts,
            cpu_s=round(cpu - self._started[1], 3),
            cpu_start_s=round(self._started[1] - self._began[1], 3),
            wall_s=round(wall - self._started[0], 3),
        )

    def raise_failure(self) -> None:
        """Raise what made a source fail, if one did; a fault of ours before a fault of the source.

        Raises:
            HabeasError: that failure.
        """
        failures = [report.failure for report in self._run.reports if report.failure]
        if failures:
            raise max(failures, key=lambda failure: failure.exit_code)

    def close(self) -> None:
        """Close the sources and end the authorisation."""
        self._run.close()
        self.authorisation.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def check_limits(sources: Sequence[str | FrameSource], subjects: int, *, basis: str, fpir: float) -> None:
    """Check what is allowed without a workspace, before anything is loaded or fetched.

    Raises:
        InputError: no source.
        RuleError: too many subjects or live sources, another basis, a higher FPIR, a camera of an installation.
    """
    if not sources:
        raise InputError("no source to watch", remedy="give a video file, a folder of images or an rtsp:// address")
    check_request(basis, subjects)
    check_fpir(fpir)
    live = sum(isinstance(source, str) and is_live(source) for source in sources)
    if live > MAX_LIVE_SOURCES:
        raise RuleError(
            f"{live} live sources without a workspace, {MAX_LIVE_SOURCES} allowed",
            rule="live-source-limit",
            remedy="watch fewer cameras, or make a workspace",
        )
    refuse_workspace_cameras(source for source in sources if isinstance(source, str))


def refuse_workspace_cameras(sources: Iterable[str]) -> None:
    """Check that no source is a camera of an installation of this user: that one is watched under its rules only.

    Raises:
        RuleError: one is.
        InputError: it cannot be told, since what was noted of installations cannot be read.
    """
    for number, source in enumerate(sources, 1):
        digest = digest_of(source)
        if digest is not None and is_workspace_source(digest):
            raise RuleError(
                f"source {number} is a camera of an installation: it is watched under an authorisation, or not at all",
                rule="workspace-camera",
                remedy="ask for one: habeas authorise --help",
            )


def _opened(source: str | FrameSource, app: App) -> FrameSource:
    return open_source(source, live=app.settings.live, clock=app.clock) if isinstance(source, str) else source
