import gc
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from PIL import Image
from tests import strategies
from tests.strategies import NOW_NS, probes

from habeas.app import App
from habeas.authority import RunAuthorisation
from habeas.authority.canary import load_reference
from habeas.clock import ManualClock
from habeas.comparison import Calibration
from habeas.comparison.calibration import Point
from habeas.errors import RuleError
from habeas.faces import Look, Templater
from habeas.geometry import clip_box, expand
from habeas.pipeline import Event, Line, Matcher, Stages, TemplateLedger, ViewOf
from habeas.settings import DetectSettings
from habeas.types import (
    F32,
    NS_PER_S,
    U8,
    Alert,
    AlertEnd,
    ClosedTrack,
    Frame,
    GalleryView,
    Origin,
    OriginKind,
    Probe,
    Templates,
)
from habeas.video import ArrayPicture
from habeas.video.canary import CanaryShown
from habeas.video.edge import origin

LookingFor = Callable[[str], RunAuthorisation]
Passing = Callable[..., list[Frame]]

STEP_NS = NS_PER_S * 16 // 100
SIZE_WH = (480, 320)


def threshold(similarity: float) -> Calibration:
    """A table that promises everything at one similarity."""
    points = tuple(Point(fpir, similarity, 100, fpir / 2, fpir * 2) for fpir in (1e-2, 1e-5))
    return Calibration("by-hand", "by hand", ((1000, points),))


class NoNumber:
    """A network that answers NaN."""

    precision = "f32"

    def infer(self, batch: F32) -> dict[str, F32]:
        return {"out": np.full((len(batch), 8), np.nan, np.float32)}


@pytest.fixture
def passing(portraits: dict[str, U8]) -> Passing:
    """Frames in which a portrait drifts through a picture."""

    def made(name: str, count: int = 8, start: int = 0, where: Origin | None = None) -> list[Frame]:
        shown = Image.fromarray(portraits[name])
        shown.thumbnail((260, 260))
        camera = where or origin(OriginKind.FILE, "clip")
        grain = np.random.default_rng(0).integers(70, 90, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
        frames = []
        for index in range(start, start + count):
            canvas = Image.fromarray(grain)
            canvas.paste(shown, (40 + 6 * index, 30))
            picture = ArrayPicture(np.asarray(canvas))
            frames.append(Frame(camera, index, NOW_NS, index * STEP_NS, picture))
        return frames

    return made


def stages(app: App, templater: Templater | None = None) -> Stages:
    return Stages(
        detector=app.detector(),
        templater=templater or app.templater,
        detect=DetectSettings(rate_hz=6.25, idle_rate_hz=1.0),
    )


def matcher(view_of: ViewOf, clock: ManualClock, similarity: float = 0.4) -> Matcher:
    return Matcher(view_of, threshold(similarity), 1e-4, clock)


@pytest.fixture
def looking_for(app: App, portraits: dict[str, U8], clock: ManualClock) -> Iterator[LookingFor]:
    """Authorisations for one person, closed afterwards."""
    opened: list[RunAuthorisation] = []

    def made(name: str) -> RunAuthorisation:
        opened.append(RunAuthorisation(app.enrol({name: [portraits[name]]}), "consent", clock))
        return opened[-1]

    yield made
    for run in opened:
        run.close()


def compared(line: Line, matches: Matcher, found: Iterable[Probe | ClosedTrack | CanaryShown]) -> Iterator[Event]:
    for what in found:
        assert not isinstance(what, CanaryShown)
        if isinstance(what, Probe):
            yield from matches.compare(what)
        else:
            yield from matches.close(line.origin, what)


def run(line: Line, matches: Matcher, frames: list[Frame]) -> list[Event]:
    events = [event for frame in frames for event in compared(line, matches, line.process(frame))]
    return events + list(compared(line, matches, line.finish()))


def test_a_person_alerts_once_and_the_track_ends_once(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    frames = passing("obama-2", 14)
    line = Line(frames[0].origin, 6.25, stages(app))
    matches = matcher(looking_for("obama").view, clock)
    alert, end = run(line, matches, frames)
    assert isinstance(alert, Alert)
    assert isinstance(end, AlertEnd)
    assert (alert.subject_id, end.subject_id) == ("obama", "obama")
    assert alert.track_id == end.track_id
    assert alert.similarity > alert.threshold.similarity == 0.4
    assert alert.first_seen_ns <= alert.at_ns <= end.last_seen_ns == frames[-1].pts_ns
    assert alert.at_ns <= 3 * STEP_NS, "the first crossing does not wait for the track's end"
    assert (alert.captured_at_ns, alert.origin) == (NOW_NS, frames[0].origin)
    assert alert.face_rgb.shape[1] <= 256
    assert matches.alerts == line.counts.tracks == 1
    assert 1 <= line.counts.templates_made <= 5
    assert line.counts.frames_analysed >= 5


def test_a_line_gives_probes_of_everybody_and_then_the_end(app: App, passing: Passing) -> None:
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, stages(app))
    found = [what for frame in frames for what in line.process(frame)]
    *probes_, end = [*found, *line.finish()]
    assert isinstance(end, ClosedTrack)
    assert len(probes_) == line.counts.templates_made >= 1
    for probe in probes_:
        assert isinstance(probe, Probe)
        assert (probe.origin, probe.track_id, probe.captured_at_ns) == (frames[0].origin, end.track_id, NOW_NS)
        assert end.first_seen_ns == probe.first_seen_ns <= probe.at_ns <= end.last_seen_ns
        assert probe.templates.model_id == app.pack.model_id
        left, top, right, bottom = probe.box_xyxy_px
        assert probe.face_rgb.shape[0] > bottom - top
        assert probe.face_rgb.shape[1] > right - left


def test_somebody_else_passes_without_an_alert(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, stages(app))
    matches = matcher(looking_for("obama").view, clock)
    assert run(line, matches, frames) == []
    assert line.counts.templates_made >= 1
    assert line.counts.tracks == 1
    assert matches.alerts == 0


def test_at_a_threshold_below_everything_everybody_alerts(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    """Positive control of the last: the same frames do reach the comparison."""
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, stages(app))
    events = run(line, matcher(looking_for("obama").view, clock, -1.0), frames)
    assert [type(event) for event in events] == [Alert, AlertEnd]


def test_a_network_that_answers_nan_matches_nobody(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    broken = Templater(NoNumber(), NoNumber(), app.pack.model_id)
    frames = passing("obama-2")
    line = Line(frames[0].origin, 6.25, stages(app, broken))
    assert run(line, matcher(looking_for("obama").view, clock, -1.0), frames) == []
    assert line.counts.templates_unusable >= 1
    assert line.counts.templates_made == 0


def test_a_cut_ends_the_track(app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing) -> None:
    frames = passing("obama-2", 6)
    blocks = np.random.default_rng(1).integers(0, 256, (8, 12), np.uint8)
    street = ArrayPicture(np.repeat(np.kron(blocks, np.ones((40, 40), np.uint8))[..., None], 3, axis=2))
    between = [Frame(frames[0].origin, index, NOW_NS, index * STEP_NS, street) for index in (6, 7)]
    line = Line(frames[0].origin, 6.25, stages(app))
    matches = matcher(looking_for("obama").view, clock)
    events = run(line, matches, [*frames, *between, *passing("obama-2", 6, start=8, where=frames[0].origin)])
    assert [type(event) for event in events] == [Alert, AlertEnd, Alert, AlertEnd]
    assert events[0].track_id != events[2].track_id
    assert events[1].last_seen_ns == frames[-1].pts_ns


def test_a_still_picture_nobody_moves_in_is_looked_at_once_a_second(app: App) -> None:
    where = origin(OriginKind.FILE, "wall")
    picture = ArrayPicture(np.full((160, 240, 3), 90, np.uint8))
    frames = [Frame(where, index, NOW_NS, index * STEP_NS, picture) for index in range(26)]
    line = Line(where, 6.25, stages(app))
    assert [what for frame in frames for what in line.process(frame)] == []
    assert 4 <= line.counts.frames_analysed <= 6
    assert line.counts.frames_gated == 26 - line.counts.frames_analysed


def test_a_frame_is_counted_though_nobody_listens_to_the_end(app: App, passing: Passing) -> None:
    frames = passing("biden", 4)
    wall = ArrayPicture(np.random.default_rng(5).integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8))
    line = Line(frames[0].origin, 6.25, stages(app))
    for frame in frames:
        list(line.process(frame))
    cut = line.process(Frame(frames[0].origin, 4, NOW_NS, 4 * STEP_NS, wall))
    assert isinstance(next(cut), ClosedTrack)
    cut.close()
    assert line.counts.frames_analysed + line.counts.frames_gated == 5


@pytest.mark.parametrize(("rate_hz", "every_ns"), [(25.0, STEP_NS), (0.0, STEP_NS), (2.0, NS_PER_S // 2)])
def test_the_detection_rate_is_at_most_the_streams(app: App, rate_hz: float, every_ns: int) -> None:
    assert Line(origin(OriginKind.FILE, "clip"), rate_hz, stages(app)).every_ns == every_ns


# --- the matcher ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("F2")
def test_when_the_authorisation_ends_nothing_is_compared(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    authorisation = looking_for("obama")
    frames = passing("biden", 12)
    line = Line(frames[0].origin, 6.25, stages(app))
    matches = matcher(authorisation.view, clock)
    for frame in frames[:3]:
        list(compared(line, matches, line.process(frame)))
    authorisation.close()
    with pytest.raises(RuleError):
        run(line, matches, frames[3:])


def test_after_eight_hours_nothing_is_compared(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    authorisation = looking_for("obama")
    clock.advance(8 * 3600 * NS_PER_S)
    frames = passing("biden")
    with pytest.raises(RuleError) as refused:
        run(Line(frames[0].origin, 6.25, stages(app)), matcher(authorisation.view, clock), frames)
    assert refused.value.rule == "window"


def probe_of(where: Origin, track_id: int, vector: F32) -> Probe:
    shown = np.zeros((4, 4, 3), np.uint8)
    return Probe(where, track_id, Templates(vector[None], "m", where), np.zeros(4, np.float32), shown, 2, 1, NOW_NS)


@pytest.mark.rule("F2")
def test_what_may_be_compared_is_asked_for_before_every_comparison(clock: ManualClock) -> None:
    axes = np.eye(8, dtype=np.float32)
    gallery = strategies.view(axes[:1], ["ada"])
    where = [origin(OriginKind.FILE, name) for name in ("a", "b")]
    asked: list[Origin] = []

    def view_of(of: Origin) -> GalleryView:
        asked.append(of)
        return gallery

    matches = matcher(view_of, clock)
    probes_ = [probe_of(where[number % 2], 1, axes[1]) for number in range(4)]
    assert [list(matches.compare(probe)) for probe in probes_] == [[], [], [], []]
    assert asked == [where[0], where[1], where[0], where[1]]
    gallery.revoked.set()
    with pytest.raises(RuleError):
        list(matches.compare(probes_[0]))
    assert list(matches.close(where[0], ClosedTrack(1, 1, 2))) == []
    assert len(asked) == 5, "closing a track compares nothing"


@pytest.mark.rule("N5")
def test_one_matcher_tells_the_tracks_of_different_sources_apart_and_forgets_them(clock: ManualClock) -> None:
    axes = np.eye(8, dtype=np.float32)
    gallery = strategies.view(axes[:1], ["ada"])
    matches = matcher(lambda _origin: gallery, clock)
    one, other = (origin(OriginKind.FILE, "same name") for _ in range(2))
    for where in (one, other):
        (alert,) = matches.compare(probe_of(where, 1, axes[0]))
        assert (alert.origin, alert.at_ns, alert.first_seen_ns) == (where, 2, 1)
        assert list(matches.compare(probe_of(where, 1, axes[0]))) == [], "once for a track and a subject"
        assert list(matches.compare(probe_of(where, 2, axes[1]))) == []
    assert len(matches._alerted) == 2, "nothing of tracks that matched nobody"
    (end,) = matches.close(one, ClosedTrack(1, 1, 9))
    assert (end.origin, end.subject_id, end.last_seen_ns) == (one, "ada", 9)
    assert list(matches.close(one, ClosedTrack(1, 1, 9))) == [], "once"
    assert len(list(matches.close(other, ClosedTrack(1, 1, 9)))) == 1
    assert matches._alerted == {}
    assert matches.alerts == 2


def test_the_end_tells_the_similarity_of_the_last_look(clock: ManualClock) -> None:
    axes = np.eye(8, dtype=np.float32)
    gallery = strategies.view(axes[:1], ["ada"])
    matches = matcher(lambda _origin: gallery, clock)
    where = origin(OriginKind.FILE, "a")
    (alert,) = matches.compare(probe_of(where, 1, axes[0]))
    assert list(matches.compare(probe_of(where, 1, np.array([0.6, 0.8, 0, 0, 0, 0, 0, 0], np.float32)))) == []
    (end,) = matches.close(where, ClosedTrack(1, 1, 9))
    assert (alert.similarity, end.similarity) == pytest.approx((1.0, 0.6))


# --- nothing kept ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("F3")
def test_no_template_outlives_its_track(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    made = stages(app)
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, made)
    matches = matcher(looking_for("obama").view, clock)
    for frame in frames:
        list(compared(line, matches, line.process(frame)))
    gc.collect()
    assert 1 <= made.ledger.kept <= 5, "those of the open track; none of its probes"
    assert made.ledger.kept == line.counts.templates_made
    list(compared(line, matches, line.finish()))
    gc.collect()
    assert made.ledger.kept == 0


@pytest.mark.rule("F3")
def test_a_probe_that_somebody_keeps_is_counted(app: App, passing: Passing) -> None:
    made = stages(app)
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, made)
    kept = [what for frame in frames for what in line.process(frame)]
    list(line.finish())
    gc.collect()
    assert made.ledger.kept == len(kept) >= 1
    kept.clear()
    gc.collect()
    assert made.ledger.kept == 0


def test_a_template_that_somebody_keeps_is_counted() -> None:
    ledger = TemplateLedger()
    leak = ledger.enter(probes(strategies.unit_rows(np.random.default_rng(0), 3, 8)))
    assert ledger.kept == 3
    row = leak.vectors[1]
    del leak
    gc.collect()
    assert ledger.kept == 3, "one row keeps the memory of all"
    del row
    gc.collect()
    assert ledger.kept == 0


def test_a_kept_view_of_a_view_is_counted_too() -> None:
    ledger = TemplateLedger()
    made = ledger.enter(Templates(strategies.unit_rows(np.random.default_rng(0), 4, 8), "m", None))
    part = made.vectors[1:3].T[:2].view()
    del made
    gc.collect()
    assert ledger.kept == 4
    del part
    gc.collect()
    assert ledger.kept == 0


def test_everybody_whom_a_track_matches_has_an_alert_but_below_an_own_threshold(clock: ManualClock) -> None:
    """A raised threshold of the best one hides nobody else; each has one alert a track."""
    axes = np.eye(8, dtype=np.float32)
    face = (axes[0] + 0.9 * axes[1]) / np.float32(np.hypot(1, 0.9))
    gallery = strategies.view(axes[:3], ["ada", "bob", "cem"])
    where = origin(OriginKind.FILE, "a")

    def floor_of(subject_id: str) -> float:
        return 0.99 if subject_id == "ada" else 0.0

    both = matcher(lambda _origin: gallery, clock, 0.5)
    assert [alert.subject_id for alert in both.compare(probe_of(where, 1, face))] == ["ada", "bob"]
    assert list(both.compare(probe_of(where, 1, face))) == [], "once for a track and a subject"
    assert [end.subject_id for end in both.close(where, ClosedTrack(1, 1, 9))] == ["ada", "bob"]
    raised = Matcher(lambda _origin: gallery, threshold(0.5), 1e-4, clock, floor_of)
    assert [alert.subject_id for alert in raised.compare(probe_of(where, 1, face))] == ["bob"]


# --- the canary -------------------------------------------------------------------------------------------------------


def split(found: Iterable[object]) -> tuple[list[Probe], list[Probe], list[CanaryShown]]:
    """Return the probes of people, those of canaries, and what is said of canaries."""
    things = list(found)
    probes_ = [one for one in things if isinstance(one, Probe)]
    canaries = [one for one in probes_ if one.origin.kind is OriginKind.CANARY]
    people = [one for one in probes_ if one not in canaries]
    return people, canaries, [one for one in things if isinstance(one, CanaryShown)]


@pytest.mark.rule("L11")
def test_a_canary_is_found_as_a_face_is_and_looks_like_its_template(app: App, passing: Passing) -> None:
    frames = passing("biden", 14)
    line = Line(frames[0].origin, 6.25, stages(app))
    line.plant()
    _people, (canary,), (shown,) = split(what for frame in frames for what in line.process(frame))
    assert (shown.origin, shown.found) == (frames[0].origin, True)
    assert (canary.origin.camera_id, canary.captured_at_ns) == (frames[0].camera_id, NOW_NS)
    assert canary.at_ns < NS_PER_S, "it hides what is behind it for a moment only"
    similarity = float(canary.templates.vectors[0] @ load_reference(app.pack.model_id))
    assert similarity > 0.8
    assert canary.face_rgb.shape == (1, 1, 3), "nobody beside it is shown"


@pytest.mark.rule("L13")
def test_what_is_found_and_counted_of_people_is_the_same_with_a_canary_in_the_picture(
    app: App, passing: Passing
) -> None:
    frames = passing("biden", 14)
    plain, planted_ = (Line(frames[0].origin, 6.25, stages(app)) for _ in range(2))
    planted_.plant()
    alone, _, _ = split(what for frame in frames for what in plain.process(frame))
    people, canaries, _ = split(what for frame in frames for what in planted_.process(frame))
    assert len(canaries) == 1
    assert [one.at_ns for one in people] == [one.at_ns for one in alone]
    for one, other in zip(people, alone, strict=True):
        assert float(one.templates.vectors[0] @ other.templates.vectors[0]) > 0.85, "regions are cut otherwise"
    assert planted_.counts.tracks == plain.counts.tracks == 1
    assert planted_.counts.faces_detected == plain.counts.faces_detected
    assert planted_.counts.frames_analysed + planted_.counts.frames_gated == len(frames)


def test_a_canary_waits_while_there_is_no_room_for_it(app: App, portraits: dict[str, U8]) -> None:
    camera = origin(OriginKind.FILE, "clip")
    still = Frame(camera, 0, NOW_NS, 0, ArrayPicture(portraits["biden"]))
    width, height = (side // 32 * 32 for side in still.size_wh)
    face = app.detector().detect(still, [Look((0, 0, *still.size_wh), (width, height))], 16)
    left, top, right, bottom = clip_box(expand(face.boxes_xyxy_px, 0.15)[0], still.size_wh)
    close = ArrayPicture(still.picture.rgb((left, top, right, bottom), (320, 400)))
    street = ArrayPicture(np.full((400, 320, 3), 90, np.uint8))
    line = Line(camera, 6.25, stages(app))
    crowded = [Frame(camera, index, NOW_NS, index * STEP_NS, close) for index in range(6)]
    before = split(what for frame in crowded[:2] for what in line.process(frame))
    line.plant()
    held = split(what for frame in crowded[2:] for what in line.process(frame))
    assert before[1:] == held[1:] == ([], [])
    empty = [Frame(camera, index, NOW_NS, index * STEP_NS, street) for index in range(6, 30)]
    _, canaries, shown = split(what for frame in empty for what in line.process(frame))
    assert (len(canaries), [one.found for one in shown]) == (1, [True])


@pytest.mark.rule("L11")
def test_a_network_that_answers_nan_finds_no_canary(app: App, passing: Passing) -> None:
    frames = passing("biden", 20)
    line = Line(frames[0].origin, 6.25, stages(app, Templater(NoNumber(), NoNumber(), app.pack.model_id)))
    line.plant()
    _, canaries, shown = split(what for frame in frames for what in line.process(frame))
    assert (canaries, [one.found for one in shown]) == ([], [False])


def test_no_canary_appears_that_nobody_planted(app: App, passing: Passing) -> None:
    frames = passing("biden", 10)
    line = Line(frames[0].origin, 6.25, stages(app))
    assert split(what for frame in frames for what in line.process(frame))[1:] == ([], [])
