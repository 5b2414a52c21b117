"""Several sources at once, through real lines: readers, queues, who comes and goes, what is dropped and what is not."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from PIL import Image
from tests.cameras import RtspCamera, moving_pictures, write_video

from habeas.app import App
from habeas.engine import Run
from habeas.engine.run import _QUEUE_FRAMES, _TICK_S, SourceReport, TrackEnd
from habeas.errors import HabeasError, InputError, SourceError
from habeas.pipeline import Line
from habeas.ports import FrameSource
from habeas.settings import LiveSettings
from habeas.types import NS_PER_S, U8, ClosedTrack, Flaw, Frame, OriginKind, Probe
from habeas.video import ArrayPicture, Sampler, encode_h264, open_source
from habeas.video.edge import origin

QUICK = LiveSettings(stall_s=1.0, backoff_s=0.1, backoff_max_s=0.3)
SOON_S = 10.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    encode_h264(moving_pictures(50), tmp_path / "clip.mp4", 25)
    return tmp_path / "clip.mp4"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A video that opens and then gives no picture."""
    path = tmp_path / "broken.mp4"
    encode_h264(moving_pictures(5), path, 25)
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    return path


def looks(app: App) -> int:
    """How many of the clip's 50 pictures are sampled."""
    sampler = Sampler(round(NS_PER_S / app.settings.detect.rate_hz))
    return sum(sampler.due(number * NS_PER_S // 25) for number in range(50))


class Faulty:
    """A source with a fault of ours: what no file can do to the reader."""

    rate_hz = 25.0
    duration_ns: int | None = None
    flaws: tuple[str, ...] = ()
    closed = False

    def __init__(self) -> None:
        self.origin = origin(OriginKind.STILLS, "faulty")

    def frames(self) -> Iterator[Frame]:
        raise ZeroDivisionError("a bug")

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Analyser(threading.Thread):
    """Iterates a run's events in a thread, as fast as `pace` lets it."""

    def __init__(
        self, app: App, sources: list[FrameSource], *, stays: bool = False, one_turn_only: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self.pace = threading.Event()
        if not one_turn_only:
            self.pace.set()
        self.turns: list[int] = []
        self.calls = 0
        self.flaws: list[Flaw] = []
        self.found: list[Probe | TrackEnd] = []
        self.took = threading.Condition()
        self.run_ = Run(sources, app.stages(), self._on_turn, stays=stays)
        for number, feed in enumerate(self.run_._feeds):
            feed.line.process = self._noting(number, feed.line)  # type: ignore[method-assign]

    def _noting(self, number: int, line: Line) -> Callable[[Frame], Iterator[Probe | ClosedTrack]]:
        process = line.process

        def noted(frame: Frame) -> Iterator[Probe | ClosedTrack]:
            yield from process(frame)
            with self.took:
                self.turns.append(number)
                self.took.notify_all()
            self.pace.wait(SOON_S)

        return noted

    def _on_turn(self) -> None:
        with self.took:
            self.calls += 1
            self.took.notify_all()

    def run(self) -> None:
        for event in self.run_.events():
            with self.took:
                if isinstance(event, Flaw):
                    self.flaws.append(event)
                else:
                    self.found.append(event)
                self.took.notify_all()
        with self.took:
            self.took.notify_all()

    def until(self, holds: Callable[[], object]) -> None:
        with self.took:
            for _ in range(round(SOON_S / 0.05)):
                if holds():
                    return
                self.took.wait(0.05)
        raise AssertionError(f"not within {SOON_S} s: {self.run_.reports}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.pace.set()
        self.run_.close()
        self.join(SOON_S)
        assert not self.is_alive()


def test_files_wait_for_a_slow_analyser_and_lose_nothing(app: App, clip: Path) -> None:
    with Analyser(app, [open_source(str(clip))], one_turn_only=True) as analyser:
        analyser.until(lambda: len(analyser.turns) == 1)
        (feed,) = analyser.run_._feeds
        analyser.until(lambda: len(feed.queue) == _QUEUE_FRAMES)
        assert feed.report.frames_decoded < 50  # it waits
        analyser.pace.set()
        analyser.join(SOON_S)
    (report,) = analyser.run_.reports
    assert report.frames_decoded == 50
    assert report.frames_dropped == 0
    assert len(analyser.turns) == looks(app)
    assert report.video_ns == 2_000_000_000
    assert report.failure is None


def test_a_live_source_drops_its_oldest_frames_when_the_analyser_is_slow_and_counts_them(app: App) -> None:
    with RtspCamera() as camera, Analyser(app, [open_source(camera.url, live=QUICK)]) as analyser:
        analyser.until(lambda: len(analyser.turns) > 2)
        (feed,) = analyser.run_._feeds
        assert feed.report.frames_dropped == 0  # the control: an analyser that keeps up drops nothing
        analyser.pace.clear()
        analyser.until(lambda: feed.report.frames_dropped >= 3)
        with analyser.run_._changed:
            waiting = [frame.index for frame in feed.queue]
            newest = feed.report.frames_decoded - 1
        assert len(waiting) == _QUEUE_FRAMES
        apart = [later - sooner for sooner, later in pairwise(waiting)]
        step = 25 / app.settings.detect.rate_hz
        assert all(0 < gap < 2 * step for gap in apart)  # the newest stay, and all of them: alerts are of now
        assert newest - waiting[-1] < 2 * step
        taken = len(analyser.turns)
        analyser.pace.set()
        analyser.until(lambda: len(analyser.turns) > taken + _QUEUE_FRAMES)
        assert feed.report.failure is None


def test_two_sources_take_turns(app: App, clip: Path, tmp_path: Path) -> None:
    encode_h264(moving_pictures(50, seed=4), tmp_path / "other.mp4", 25)
    sources = [open_source(str(path)) for path in (clip, tmp_path / "other.mp4")]
    with Analyser(app, sources, one_turn_only=True) as analyser:
        for feed in analyser.run_._feeds:
            analyser.until(lambda feed=feed: len(feed.queue) >= _QUEUE_FRAMES - 1)
        analyser.pace.set()
        analyser.join(SOON_S)
    assert sorted(analyser.turns) == [0] * looks(app) + [1] * looks(app)
    middle = analyser.turns[2:18]
    assert 6 <= middle.count(0) <= 10


def test_a_source_that_fails_ends_alone(app: App, clip: Path, broken: Path) -> None:
    faulty = Faulty()
    sources: list[FrameSource] = [open_source(str(broken)), open_source(str(clip)), faulty]
    with Analyser(app, sources) as analyser:
        analyser.join(SOON_S)
        assert not analyser.is_alive()
    unreadable, whole, bug = analyser.run_.reports
    assert isinstance(unreadable.failure, SourceError)
    assert unreadable.video_ns == 0
    assert (whole.failure, whole.frames_decoded) == (None, 50)
    assert type(bug.failure) is HabeasError
    assert "ZeroDivisionError: a bug" in bug.failure.message
    assert "--debug" in bug.failure.remedy
    assert isinstance(bug.failure.__cause__, ZeroDivisionError)
    for report in (unreadable, bug):
        assert report.failure
        told = [flaw.what for flaw in analyser.flaws if flaw.camera_id == report.camera_id]
        assert told.count(report.failure.message) == 1
    assert whole.camera_id not in {flaw.camera_id for flaw in analyser.flaws}
    assert faulty.closed


def test_a_frozen_camera_does_not_hold_up_another(app: App) -> None:
    with RtspCamera() as first, RtspCamera() as second:
        sources = [open_source(camera.url, live=QUICK) for camera in (first, second)]
        with Analyser(app, sources) as analyser:
            analyser.until(lambda: {0, 1} <= set(analyser.turns))
            first.freeze()
            analyser.until(lambda: analyser.flaws)
            frozen, healthy = analyser.run_.reports
            before = frozen.frames_decoded, healthy.frames_decoded
            analyser.until(lambda: healthy.frames_decoded >= before[1] + 25)
            assert frozen.frames_decoded == before[0]
            assert healthy.frames_dropped == 0
            assert {flaw.camera_id for flaw in analyser.flaws} == {sources[0].origin.camera_id}
            first.thaw()
            analyser.until(lambda: frozen.frames_decoded > before[0])


def test_stop_from_another_thread_ends_the_events_soon(app: App) -> None:
    with RtspCamera() as camera, Analyser(app, [open_source(camera.url, live=QUICK)]) as analyser:
        analyser.until(lambda: len(analyser.turns) > 1)
        analyser.run_.stop()
        analyser.join(SOON_S)
        assert not analyser.is_alive()
        assert analyser.run_.reports[0].failure is None


def test_a_run_is_closed_while_a_camera_is_frozen_or_the_queue_is_full(app: App, tmp_path: Path) -> None:
    encode_h264(moving_pictures(1500, (64, 48)), tmp_path / "long.mp4", 25)
    with RtspCamera() as camera:
        with Analyser(app, [open_source(camera.url, live=QUICK), open_source(str(tmp_path / "long.mp4"))]) as analyser:
            analyser.until(lambda: 1 in analyser.turns)
            analyser.pace.clear()
            analyser.until(lambda: analyser.run_.reports[0].frames_decoded > 0)
            camera.freeze()
            analyser.until(lambda: len(analyser.run_._feeds[1].queue) == _QUEUE_FRAMES)
            analyser.pace.set()
            closing = threading.Thread(target=analyser.run_.close)
            closing.start()
            closing.join(QUICK.stall_s + 5)
            assert not closing.is_alive()
        assert all(feed.thread and not feed.thread.is_alive() for feed in analyser.run_._feeds)
        assert all(not feed.queue for feed in analyser.run_._feeds)


def test_a_run_that_never_began_closes_its_sources(app: App, clip: Path) -> None:
    source = open_source(str(clip))
    with Run([source], app.stages()):
        pass
    assert list(source.frames()) == []


def test_stills_and_a_video_of_changing_size_go_through_one_run(app: App, tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    for number, size in enumerate([(64, 48), (640, 480), (1, 1), (33, 999)]):
        Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(tmp_path / "stills" / f"{number}.png")
    parts = [
        write_video(tmp_path / "part", moving_pictures(10, size), container_format="mpegts").read_bytes()
        for size in [(160, 120), (320, 240)]
    ]
    (tmp_path / "x.ts").write_bytes(b"".join(parts))
    sources = [open_source(str(tmp_path / "stills")), open_source(str(tmp_path / "x.ts"))]
    with Analyser(app, sources) as analyser:
        analyser.join(SOON_S)
    stills, video = analyser.run_.reports
    assert (stills.frames_decoded, stills.failure) == (4, None)
    assert (video.frames_decoded, video.failure) == (20, None)
    assert [flaw.camera_id for flaw in analyser.flaws if "size" in flaw.what] == [sources[1].origin.camera_id]


class Failing:
    """A source that notes two flaws, one before each of its first pictures, waits, and then fails."""

    rate_hz = 25.0
    duration_ns: int | None = None

    def __init__(self) -> None:
        self.origin = origin(OriginKind.FILE, "failing")
        self.flaws: tuple[str, ...] = ()
        self.go_on = threading.Semaphore(0)
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for number, image_rgb in enumerate(moving_pictures(2)):
            self.flaws = (*self.flaws, f"flaw {number}")
            yield Frame(self.origin, number, 0, number * NS_PER_S, ArrayPicture(image_rgb))
            assert self.go_on.acquire(timeout=SOON_S)
        raise SourceError("failing: it broke", remedy="mend it")

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def test_flaws_arrive_as_events_while_the_run_goes_on(app: App) -> None:
    source = Failing()
    with Analyser(app, [source]) as analyser:
        analyser.until(lambda: [flaw.what for flaw in analyser.flaws] == ["flaw 0"])
        assert analyser.is_alive()
        source.go_on.release()
        analyser.until(lambda: [flaw.what for flaw in analyser.flaws] == ["flaw 0", "flaw 1"])
        assert analyser.is_alive()
        source.go_on.release()
        analyser.join(SOON_S)
    assert [flaw.what for flaw in analyser.flaws] == ["flaw 0", "flaw 1", "failing: it broke"]
    assert {flaw.camera_id for flaw in analyser.flaws} == {"failing"}
    assert analyser.flaws[-1].at_ns == NS_PER_S  # the last picture before it broke


def test_the_failure_of_one_source_is_told_while_another_goes_on(app: App, broken: Path) -> None:
    with RtspCamera() as camera, Analyser(app, [open_source(camera.url, live=QUICK), open_source(str(broken))]) as at:
        at.until(lambda: [flaw.camera_id for flaw in at.flaws if "no picture" in flaw.what] == [str(broken)])
        before = at.run_.reports[0].frames_decoded
        at.until(lambda: at.run_.reports[0].frames_decoded > before)
        assert at.is_alive()


def test_a_turn_comes_after_every_frame_and_at_least_once_a_second(app: App, clip: Path) -> None:
    with Analyser(app, [open_source(str(clip))]) as analyser:
        analyser.join(SOON_S)
    assert analyser.calls >= len(analyser.turns) == looks(app)
    source = Failing()  # gives no second picture until it is told to
    with Analyser(app, [source]) as analyser:
        analyser.until(lambda: analyser.turns)
        began, calls = time.monotonic(), analyser.calls
        analyser.until(lambda: analyser.calls >= calls + 2)
        assert time.monotonic() - began < 2 * _TICK_S + 1
        assert len(analyser.turns) == 1
        source.go_on.release(2)


def test_finish_tells_what_an_interrupted_reader_of_events_was_not_told(app: App) -> None:
    """As after Ctrl-C while an event is printed: what was handed over is not told again, what was not is."""
    source = Failing()
    with Run([source], app.stages()) as run:
        events = run.events()
        assert next(events) == Flaw("failing", "flaw 0", 0)
        run.stop()
        source.flaws = (*source.flaws, "another")
        assert [flaw.what for flaw in run.finish() if isinstance(flaw, Flaw)] == ["another"]
        assert list(run.finish()) == []
        source.go_on.release(2)
    assert source.closed


# --- who comes and goes ---------------------------------------------------------------------------------------------


class Walk:
    """Somebody stands before a camera: real pictures of a face, for as long as it is open, or a few."""

    rate_hz = 25.0
    duration_ns: int | None = None
    flaws: tuple[str, ...] = ()

    def __init__(
        self, portrait_rgb: U8, camera_id: str, count: int = 10_000, kind: OriginKind = OriginKind.LIVE
    ) -> None:
        self.origin = origin(kind, camera_id)
        self.closed = threading.Event()
        self._portrait = Image.fromarray(portrait_rgb)
        self._portrait.thumbnail((200, 200))
        self._count = count

    def frames(self) -> Iterator[Frame]:
        for number in range(self._count):
            canvas = Image.new("RGB", (400, 240), (90, 100, 90))
            canvas.paste(self._portrait, (20 + number % 40, 20))
            yield Frame(self.origin, number, 0, number * NS_PER_S // 25, ArrayPicture(np.asarray(canvas)))
            if self.closed.wait(0.005 if self.origin.kind is OriginKind.LIVE else 0):
                return

    def close(self) -> None:
        self.closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def ends_of(analyser: Analyser, camera_id: str) -> list[TrackEnd]:
    return [what for what in analyser.found if isinstance(what, TrackEnd) and what.origin.camera_id == camera_id]


def probes_of(analyser: Analyser, camera_id: str) -> list[Probe]:
    return [what for what in analyser.found if isinstance(what, Probe) and what.origin.camera_id == camera_id]


def test_a_run_without_a_source_ends_unless_it_stays(app: App) -> None:
    with Run([], app.stages()) as run:
        assert list(run.events()) == []
    with Analyser(app, [], stays=True) as analyser:
        analyser.until(lambda: analyser.calls >= 2)
        assert analyser.is_alive()
        analyser.run_.stop()
        analyser.join(SOON_S)
        assert not analyser.is_alive()


def test_sources_come_and_go_while_the_run_goes_on(app: App, portraits: dict[str, U8]) -> None:
    first, second = Walk(portraits["biden"], "first"), Walk(portraits["obama-2"], "second")
    with Analyser(app, [], stays=True) as analyser:
        analyser.run_.add(first)
        analyser.until(lambda: probes_of(analyser, "first"))
        analyser.run_.add(second)
        analyser.until(lambda: probes_of(analyser, "second"))
        assert [report.camera_id for report in analyser.run_.reports] == ["first", "second"]
        assert analyser.run_.pop_removed() == []
        analyser.run_.remove("first")
        assert first.closed.is_set()
        analyser.until(lambda: len(analyser.run_.reports) == 1)
        (report,) = analyser.run_.pop_removed()
        assert (report.camera_id, report.failure) == ("first", None)
        assert adds_up(report)
        ended = [end.track.track_id for end in ends_of(analyser, "first")]
        assert sorted(ended) == list(range(1, report.counts.tracks + 1)), "each track, once"
        assert analyser.run_.pop_removed() == [], "told once"
        before = analyser.run_.reports[0].frames_analysed
        analyser.until(lambda: analyser.run_.reports[0].frames_analysed > before)
        assert len(ends_of(analyser, "first")) == len(ended)
        (report,) = analyser.run_.reports
        assert len(ends_of(analyser, "second")) < report.counts.tracks
    assert second.closed.is_set()
    assert len(ends_of(analyser, "second")) == report.counts.tracks


def test_a_camera_comes_back_under_its_name(app: App, portraits: dict[str, U8]) -> None:
    with Analyser(app, [Walk(portraits["biden"], "gate")], stays=True) as analyser:
        analyser.until(lambda: probes_of(analyser, "gate"))
        analyser.run_.remove("gate")
        again = Walk(portraits["biden"], "gate")
        analyser.run_.add(again)
        analyser.until(lambda: any(probe.origin is again.origin for probe in probes_of(analyser, "gate")))
        (old,) = analyser.run_.pop_removed()
        (new,) = analyser.run_.reports
        assert (old.camera_id, new.camera_id) == ("gate", "gate")
        assert old is not new


def test_what_is_not_there_cannot_be_removed(app: App, portraits: dict[str, U8]) -> None:
    with Analyser(app, [Walk(portraits["biden"], "gate")], stays=True) as analyser:
        with pytest.raises(InputError, match="back door"):
            analyser.run_.remove("back door")
        analyser.run_.remove("gate")
        with pytest.raises(InputError, match="gate"):
            analyser.run_.remove("gate")


def test_a_source_that_ended_stays_told_of_until_it_is_removed(app: App, portraits: dict[str, U8]) -> None:
    short = Walk(portraits["biden"], "short", 20, OriginKind.FILE)
    with Analyser(app, [short], stays=True) as analyser:
        analyser.until(lambda: ends_of(analyser, "short"))
        (report,) = analyser.run_.reports
        assert report.frames_decoded == 20
        analyser.run_.remove("short")
        analyser.until(lambda: not analyser.run_.reports)
        assert analyser.run_.pop_removed() == [report]
        assert len(ends_of(analyser, "short")) == 1
        assert analyser.is_alive()


def test_removing_a_camera_that_hangs_waits_for_nobody(app: App, portraits: dict[str, U8]) -> None:
    hanging = Failing()  # it ignores that it is closed
    with Analyser(app, [hanging, Walk(portraits["biden"], "walk")], stays=True) as analyser:
        analyser.until(lambda: {0, 1} <= set(analyser.turns))
        (feed, _) = analyser.run_._feeds
        analyser.run_.remove("failing")
        analyser.until(lambda: len(analyser.run_.reports) == 1)
        assert not feed.ended, "its reader still waits for the camera"
        before = analyser.run_.reports[0].frames_analysed
        analyser.until(lambda: analyser.run_.reports[0].frames_analysed > before)
        (report,) = analyser.run_.pop_removed()
        hanging.go_on.release(2)
        analyser.until(lambda: feed.ended)
        assert report.failure is None, "how a source ends that nobody wants is of no interest"
        assert report.frames_decoded == 1
        assert adds_up(report)


def test_a_full_queue_does_not_keep_a_file_that_is_removed(app: App, tmp_path: Path) -> None:
    encode_h264(moving_pictures(1500, (64, 48)), tmp_path / "long.mp4", 25)
    with Analyser(app, [open_source(str(tmp_path / "long.mp4"))], stays=True, one_turn_only=True) as analyser:
        (feed,) = analyser.run_._feeds
        analyser.until(lambda: len(feed.queue) == _QUEUE_FRAMES)
        analyser.run_.remove(str(tmp_path / "long.mp4"))
        analyser.until(lambda: feed.ended)
        analyser.pace.set()
        analyser.until(lambda: not analyser.run_.reports)
        (report,) = analyser.run_.pop_removed()
        assert report.frames_decoded < 1500
        assert adds_up(report)


def test_a_stopped_run_closes_what_it_is_given(app: App, portraits: dict[str, U8]) -> None:
    late = Walk(portraits["biden"], "late")
    with Run([], app.stages()) as run:
        run.stop()
        run.add(late)
    assert late.closed.is_set()
    assert run.reports == []


# --- every frame is counted once ------------------------------------------------------------------------------------


def adds_up(report: SourceReport) -> bool:
    counted = report.frames_analysed + report.frames_gated + report.frames_dropped
    return report.frames_decoded == counted > 0


def test_every_frame_of_a_file_is_analysed_or_gated(app: App, tmp_path: Path) -> None:
    """Two seconds in which something moves, then ten in which nothing does."""
    moving = list(moving_pictures(50))
    encode_h264(iter([*moving, *[moving[-1]] * 250]), tmp_path / "clip.mp4", 25)
    with Analyser(app, [open_source(str(tmp_path / "clip.mp4"))]) as analyser:
        analyser.join(SOON_S)
    (report,) = analyser.run_.reports
    assert report.frames_decoded == 300
    assert adds_up(report)
    assert report.frames_dropped == 0
    assert len(analyser.turns) < 300 == report.frames_unsampled + len(analyser.turns)
    assert report.counts.frames_gated > 0, "the gate let some of the sampled ones pass"
    report.frames_unsampled -= 1
    assert not adds_up(report), "the control: a frame that nobody counts is missed"


def test_every_frame_of_a_camera_is_counted_once_under_load(app: App, portraits: dict[str, U8]) -> None:
    with Analyser(app, [Walk(portraits["biden"], "gate")]) as analyser:
        analyser.until(lambda: len(analyser.turns) > 2)
        (report,) = analyser.run_.reports
        analyser.pace.clear()
        analyser.until(lambda: report.frames_dropped >= 5)
        analyser.pace.set()
        taken = len(analyser.turns)
        analyser.until(lambda: len(analyser.turns) > taken + 2)
        analyser.run_.stop()
        analyser.join(SOON_S)
        analyser.run_.close()
        assert report.frames_dropped >= 5
        assert adds_up(report)


def test_every_frame_is_counted_once_of_a_file_that_is_stopped_midway(app: App, clip: Path) -> None:
    with Analyser(app, [open_source(str(clip))], one_turn_only=True) as analyser:
        (feed,) = analyser.run_._feeds
        analyser.until(lambda: len(feed.queue) == _QUEUE_FRAMES)
        analyser.run_.stop()
        analyser.pace.set()
        analyser.join(SOON_S)
        analyser.run_.close()
        assert feed.report.frames_decoded < 50
        assert feed.report.frames_dropped == 0, "nobody was overloaded"
        assert adds_up(feed.report)
