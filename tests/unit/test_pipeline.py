import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from tests import strategies
from tests.strategies import NOW_NS, probes

from habeas.app import App
from habeas.authority import RunAuthorisation
from habeas.clock import ManualClock
from habeas.comparison import Calibration
from habeas.comparison.calibration import Point
from habeas.errors import RuleError
from habeas.faces import Templater
from habeas.pipeline import Event, Line, Stages, TemplateLedger
from habeas.settings import DetectSettings
from habeas.types import F32, NS_PER_S, U8, Alert, AlertEnd, Frame, Origin, OriginKind, Templates
from habeas.video import ArrayPicture
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


def stages(app: App, clock: ManualClock, similarity: float, templater: Templater | None = None) -> Stages:
    return Stages(
        detector=app.detector(),
        templater=templater or app.templater,
        calibration=threshold(similarity),
        fpir=1e-4,
        detect=DetectSettings(rate_hz=6.25, idle_rate_hz=1.0),
        clock=clock,
    )


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


def run(line: Line, frames: list[Frame]) -> list[Event]:
    return [event for frame in frames for event in line.process(frame)] + list(line.finish())


def test_a_person_alerts_once_and_the_track_ends_once(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    made = stages(app, clock, 0.4)
    frames = passing("obama-2", 14)
    line = Line(frames[0].origin, 6.25, made, looking_for("obama").view)
    alert, end = run(line, frames)
    assert isinstance(alert, Alert)
    assert isinstance(end, AlertEnd)
    assert (alert.subject_id, end.subject_id) == ("obama", "obama")
    assert alert.track_id == end.track_id
    assert alert.similarity > alert.threshold.similarity == 0.4
    assert alert.first_seen_ns <= alert.at_ns <= end.last_seen_ns == frames[-1].pts_ns
    assert alert.at_ns <= 3 * STEP_NS, "the first crossing does not wait for the track's end"
    assert (alert.captured_at_ns, alert.origin) == (NOW_NS, frames[0].origin)
    assert alert.face_rgb.shape[1] <= 256
    assert line.counts.alerts == line.counts.tracks == 1
    assert 1 <= line.counts.templates_made <= 5
    assert line.counts.frames_analysed >= 5


def test_somebody_else_passes_without_an_alert(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, stages(app, clock, 0.4), looking_for("obama").view)
    assert run(line, frames) == []
    assert line.counts.templates_made >= 1
    assert line.counts.tracks == 1


def test_at_a_threshold_below_everything_everybody_alerts(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    """Positive control of the last: the same frames do reach the comparison."""
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, stages(app, clock, -1.0), looking_for("obama").view)
    assert [type(event) for event in run(line, frames)] == [Alert, AlertEnd]


def test_a_network_that_answers_nan_matches_nobody(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    broken = Templater(NoNumber(), NoNumber(), app.pack.model_id)
    frames = passing("obama-2")
    line = Line(frames[0].origin, 6.25, stages(app, clock, -1.0, broken), looking_for("obama").view)
    assert run(line, frames) == []
    assert line.counts.templates_unusable >= 1
    assert (line.counts.templates_made, line.counts.alerts) == (0, 0)


def test_a_cut_ends_the_track(app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing) -> None:
    frames = passing("obama-2", 6)
    blocks = np.random.default_rng(1).integers(0, 256, (8, 12), np.uint8)
    street = ArrayPicture(np.repeat(np.kron(blocks, np.ones((40, 40), np.uint8))[..., None], 3, axis=2))
    between = [Frame(frames[0].origin, index, NOW_NS, index * STEP_NS, street) for index in (6, 7)]
    line = Line(frames[0].origin, 6.25, stages(app, clock, 0.4), looking_for("obama").view)
    events = run(line, [*frames, *between, *passing("obama-2", 6, start=8, where=frames[0].origin)])
    assert [type(event) for event in events] == [Alert, AlertEnd, Alert, AlertEnd]
    assert events[0].track_id != events[2].track_id
    assert events[1].last_seen_ns == frames[-1].pts_ns


def test_when_the_authorisation_ends_the_line_stops(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    authorisation = looking_for("obama")
    frames = passing("biden", 12)
    line = Line(frames[0].origin, 6.25, stages(app, clock, 0.4), authorisation.view)
    for frame in frames[:3]:
        list(line.process(frame))
    authorisation.close()
    with pytest.raises(RuleError):
        run(line, frames[3:])


def test_after_eight_hours_the_line_stops(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    authorisation = looking_for("obama")
    clock.advance(8 * 3600 * NS_PER_S)
    frames = passing("biden")
    with pytest.raises(RuleError) as refused:
        run(Line(frames[0].origin, 6.25, stages(app, clock, 0.4), authorisation.view), frames)
    assert refused.value.rule == "window"


def test_a_still_picture_nobody_moves_in_is_looked_at_once_a_second(
    app: App, clock: ManualClock, looking_for: LookingFor
) -> None:
    where = origin(OriginKind.FILE, "wall")
    picture = ArrayPicture(np.full((160, 240, 3), 90, np.uint8))
    frames = [Frame(where, index, NOW_NS, index * STEP_NS, picture) for index in range(26)]
    line = Line(where, 6.25, stages(app, clock, 0.4), looking_for("obama").view)
    assert run(line, frames) == []
    assert 4 <= line.counts.frames_analysed <= 6


# --- nothing kept ---------------------------------------------------------------------------------------------------


def test_no_template_outlives_its_track(
    app: App, clock: ManualClock, looking_for: LookingFor, passing: Passing
) -> None:
    made = stages(app, clock, 0.4)
    frames = passing("biden")
    line = Line(frames[0].origin, 6.25, made, looking_for("obama").view)
    for frame in frames:
        list(line.process(frame))
    gc.collect()
    assert 1 <= made.ledger.kept <= 5
    list(line.finish())
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
