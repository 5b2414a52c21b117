"""Footage through a real sealed worker: who is in it arrives as probes at their time of capture; lies end the job."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.workers import FAKE

from habeas.app import App
from habeas.authority.references import Reference
from habeas.engine.messages import CameraEnded, Counters, Heartbeat, Listening, Message, ProbeMade, payload_of
from habeas.engine.orders import Timing
from habeas.engine.run import TrackEnd
from habeas.engine.screening import Looking, Screened, Screening, _Heard, reels_of
from habeas.errors import HabeasError, InputError, SourceError
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.measure.dataset import Maker, central_face
from habeas.measure.heads import cut_out
from habeas.measure.scenes import Scene, draw_scene
from habeas.measure.walks import Walk
from habeas.settings import DetectSettings, Settings
from habeas.types import NS_PER_S, U8, Flaw, Frame, OriginKind, Probe
from habeas.video import ArrayPicture
from habeas.video.masks import Mask
from habeas.video.remux import remux_file

SUBJECT = "astronaut"
LASTS_S = 6
BEGAN_NS = 1_790_000_000 * NS_PER_S
LOOKING = Looking("gate", BEGAN_NS, BEGAN_NS + 100 * NS_PER_S, DetectSettings())


@pytest.fixture(scope="module")
def street(app: App, portraits: dict[str, U8], tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Six seconds of the demo's street, in which the subject walks up to the camera, as they are recorded."""
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    image_rgb = portraits[SUBJECT]
    face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
    walk = Walk(SUBJECT, SUBJECT, cut_out(image_rgb, face.landmarks_xy_px[0]), 0.0, (-1.3, 7.6), (0.15, 0.95), 1.2)
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    draw_scene(Scene((walk,), duration_s=LASTS_S, seed=7), path)
    return [Record(Kind.PART, part.captured_at_ns, part.lasts_ns, part.data) for part in remux_file(path)]


@pytest.fixture(scope="module")
def reference(app: App, portraits: dict[str, U8]) -> Reference:
    (subject,) = app.enrol({SUBJECT: [portraits[SUBJECT]]})
    return subject.references[0]


@pytest.fixture(scope="module")
def screening(settings: Settings) -> Iterator[Screening]:
    with Screening(settings.models) as made:
        yield made


def stretch(parts: list[Record], after_s: float = 0.0) -> Stretch:
    began_ns = at_ns = BEGAN_NS + round(after_s * NS_PER_S)
    timed = []
    for part in parts:
        timed.append(replace(part, captured_at_ns=at_ns))
        at_ns += part.lasts_ns
    header = Header("gate", BEGAN_NS, BEGAN_NS, "footage-1", "s", "h264", (640, 360), began_ns)
    return Stretch(header, tuple(timed))


def searched(screening: Screening, stretches: list[Stretch], looking: Looking = LOOKING) -> list[Screened]:
    found: list[Screened] = []
    for reel in reels_of(stretches):
        with reel:
            found += screening.search(reel, looking)
    return found


def probes(found: list[Screened]) -> list[Probe]:
    return [one for one in found if isinstance(one, Probe)]


def test_who_is_in_footage_arrives_at_the_time_of_capture(
    screening: Screening, street: list[Record], reference: Reference
) -> None:
    found = searched(screening, [stretch(street), stretch(street, 9)])
    seen = probes(found)
    similarities = [float(probe.templates.vectors[0] @ reference.vector) for probe in seen]
    assert max(similarities) > 0.5
    assert {probe.origin.kind for probe in seen} == {OriginKind.FOOTAGE}
    offsets = [(probe.captured_at_ns - BEGAN_NS) / NS_PER_S for probe in seen]
    assert all(0 <= at < LASTS_S or 9 <= at < 9 + LASTS_S for at in offsets), offsets
    assert min(offsets) < LASTS_S
    assert max(offsets) >= 9
    ended = [one.track.track_id for one in found if isinstance(one, TrackEnd)]
    assert {probe.track_id for probe in seen} <= set(ended)
    assert len(ended) == len(set(ended))
    total = [one for one in found if isinstance(one, Counters)][-1]
    assert total.decoded == total.analysed + total.gated
    assert LASTS_S * 25 <= total.decoded <= 2 * LASTS_S * 25, "those on which no other depends may be left out"
    assert 2 * LASTS_S - 0.2 < total.analysed_ns / NS_PER_S < 2 * LASTS_S + 1.1  # the gap counts as a second


def test_pictures_outside_the_interval_are_not_looked_at(screening: Screening, street: list[Record]) -> None:
    looking = Looking("gate", BEGAN_NS + NS_PER_S, BEGAN_NS + 2 * NS_PER_S, DetectSettings())
    found = searched(screening, [stretch(street)], looking)
    total = [one for one in found if isinstance(one, Counters)][-1]
    assert 8 <= total.decoded <= 25
    # The control of masks: the same footage, and nobody in it.
    hidden = Looking("gate", BEGAN_NS, LOOKING.until_ns, DetectSettings(), (Mask(0, 0, 1, 1),))
    assert probes(searched(screening, [stretch(street)], hidden)) == []


def test_a_segment_that_cannot_be_read_is_said_and_the_next_is_looked_at(
    screening: Screening, street: list[Record]
) -> None:
    broken = [Record(Kind.PART, 0, 0, bytes(len(part.data))) for part in street]
    found = searched(screening, [stretch(broken), stretch(street, 60)])
    (flaw,) = [one for one in found if isinstance(one, Flaw)]
    assert "cannot be read as video" in flaw.what
    assert probes(found)


def test_where_nothing_can_be_read_it_fails_and_the_worker_takes_the_next(
    screening: Screening, street: list[Record]
) -> None:
    broken = [Record(Kind.PART, 0, 0, bytes(len(part.data))) for part in street]
    total = [one for one in searched(screening, [stretch(broken)]) if isinstance(one, Counters)][-1]
    assert total.decoded == 0
    assert probes(searched(screening, [stretch(street)]))


def test_reels_are_cut_where_they_are_full_or_long_or_have_a_gap() -> None:
    def seconds(*places: float) -> list[int]:
        parts = [Record(Kind.PART, BEGAN_NS + round(at * NS_PER_S), NS_PER_S, bytes(10)) for at in places]
        reels = []
        for reel in reels_of([stretch([part], at) for part, at in zip(parts, places, strict=True)]):
            with reel:
                reels.append(len(reel.places))
        return reels

    assert seconds(*range(550)) == [512, 38]
    assert seconds(0, 9, 18, 40, 41) == [3, 2]
    assert seconds(*range(0, 1300, 10)) == [60, 60, 10]
    assert list(reels_of([])) == []


def test_a_worker_that_ends_itself_is_an_error_at_once(street: list[Record], settings: Settings) -> None:
    with Screening(settings.models, Timing(start_s=20, silence_s=2), FAKE) as fake:
        fake.kill()
        with pytest.raises(HabeasError):
            searched(fake, [stretch(street)])


def probe_made(**changes: object) -> ProbeMade:
    fields = {
        "camera_id": "gate",
        "epoch": 1,
        "track_id": 1,
        "at_ns": 5,
        "first_seen_ns": 0,
        "captured_at_ns": BEGAN_NS,
        "box_xyxy_px": (0.0, 0.0, 9.0, 9.0),
        "dimensions": 4,
        "face_wh": (1, 1),
    }
    made = ProbeMade(**(fields | changes))  # type: ignore[arg-type]  # checked as every field of a message
    return made.with_payload(payload_of(np.array([1, 0, 0, 0], np.float32), np.zeros((1, 1, 3), np.uint8)))


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (probe_made(captured_at_ns=BEGAN_NS - 1), "not in the footage"),
        (probe_made(captured_at_ns=LOOKING.until_ns), "not in the footage"),
        (probe_made(canary=True), "not in the footage"),
        (probe_made(epoch=2), "not asked"),
        (probe_made(camera_id="door"), "not asked"),
        (Listening(camera_id="gate", epoch=1), "says Listening"),
    ],
)
def test_what_cannot_be_is_refused(message: Message, says: str) -> None:
    heard = _Heard(1, LOOKING, "m")
    with pytest.raises(InputError, match=says):
        list(heard.take(message))


def test_what_can_be_is_taken_and_open_tracks_end_with_the_order() -> None:
    heard = _Heard(1, LOOKING, "m")
    assert list(heard.take(Heartbeat())) == []
    (probe,) = heard.take(probe_made())
    assert isinstance(probe, Probe)
    (ended,) = heard.take(CameraEnded(camera_id="gate", epoch=1, failed=False))
    assert isinstance(ended, TrackEnd)
    assert heard.over
    with pytest.raises(SourceError):
        list(_Heard(1, LOOKING, "m").take(CameraEnded(camera_id="gate", epoch=1, failed=True)))
