"""Footage redacted by a real sealed worker: others are gone, the person concerned stays, nothing is beside it."""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest
from tests.workers import FAKE

from habeas.app import App
from habeas.engine.examining import SEEN_SCORE, Examined, looks_at
from habeas.engine.film_messages import FilmTurned
from habeas.engine.messages import CameraFlaw, Heartbeat, Listening, Message, ProbeMade, payload_of
from habeas.engine.orders import Timing
from habeas.engine.painting import _Painter
from habeas.engine.redact_messages import (
    MAX_PIECE_BYTES,
    DoubtFound,
    ExamineFilm,
    FilmBytes,
    FilmDone,
    FilmExamined,
    PaintFilm,
    TrackFollowed,
)
from habeas.engine.redacting import Examination, Redacted, Redacting, _HeardOfFaces, _HeardOfFilm
from habeas.engine.screening import Looking, reels_of
from habeas.engine.wire import encode
from habeas.errors import HabeasError, InputError, SourceError
from habeas.faces.align import align
from habeas.footage.doubts import What
from habeas.footage.following import Timeline, no_sightings
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.footage.redaction import MAX_BY_HAND, MAX_KEPT, ByHand, Wish, follow
from habeas.measure.heads import Head
from habeas.measure.scenes import Scene, draw_scene
from habeas.measure.walks import FaceTruth, Walk
from habeas.settings import DetectSettings, Settings
from habeas.types import F32, NS_PER_S, U8, Frame, Probe
from habeas.video.film import video_of
from habeas.video.masks import GREY, Mask

BEGAN_NS = 1_790_000_000 * NS_PER_S
LOOKING = Looking("gate", BEGAN_NS, BEGAN_NS + 100 * NS_PER_S, DetectSettings())
RATE_HZ = 10
SIZE_WH = 640, 360
STAR, OTHER = "astronaut", "grace-hopper"
PLACE = "Corner of Main Street"


@dataclass(frozen=True)
class Street:
    """A film of two people, with sound and metadata."""

    data: bytes
    truth: list[list[FaceTruth]]

    def boxes(self, person: str) -> list[F32 | None]:
        faces = [next((face for face in seen if face.person_id == person), None) for seen in self.truth]
        return [None if face is None else np.array(face.box_xyxy_px, np.float32) for face in faces]


@pytest.fixture(scope="module")
def street(heads: dict[str, Head], tmp_path_factory: pytest.TempPathFactory) -> Street:
    walks = (
        Walk(STAR, STAR, heads[STAR], 0.0, (-0.6, 1.9), (-0.4, 1.2), 0.2),
        Walk(OTHER, OTHER, heads[OTHER], 0.0, (0.6, 2.0), (0.4, 1.2), 0.2),
    )
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    truth = draw_scene(Scene(walks, size_wh=SIZE_WH, rate_hz=RATE_HZ, duration_s=2.4, seed=7), path)
    return Street(with_sound(path), truth)


def with_sound(path: Path) -> bytes:
    """Return the film with a tone beside it, and with metadata."""
    sink = io.BytesIO()
    with av.open(str(path)) as source, av.open(sink, "w", format="mp4") as target:
        target.metadata.update({"title": PLACE, "comment": PLACE, "creation_time": "2026-01-02T03:04:05Z"})
        video = target.add_stream_from_template(source.streams.video[0])
        audio = target.add_stream("aac", rate=48_000)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
        tone = (np.sin(np.arange(48_000) / 20) * 0.3).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 48_000
        target.mux(audio.encode(frame))
        target.mux(audio.encode(None))
    return sink.getvalue()


@pytest.fixture(scope="module")
def worker(settings: Settings) -> Iterator[Redacting]:
    with Redacting(settings.models, Timing(silence_s=60)) as made:
        yield made


@dataclass(frozen=True)
class Work:
    """A film examined, and redacted for the star."""

    there: Examination
    probes: list[Probe]
    keep: frozenset[int]
    done: Redacted
    data: bytes


@pytest.fixture(scope="module")
def work(app: App, worker: Redacting, street: Street, portraits: dict[str, U8]) -> Work:
    probes: list[Probe] = []
    there = examined(worker, street.data, probes)
    (star,) = app.enrol({STAR: [portraits[STAR]]})
    reference = star.references[0].vector
    keep = frozenset(probe.track_id for probe in probes if probe.templates.vectors[0] @ reference > 0.4)
    done, data = painted(worker, there, Wish(keep))
    return Work(there, probes, keep, done, data)


def examined(
    worker: Redacting, data: bytes, probes: list[Probe], looking: Looking = LOOKING, *, compared: bool = True
) -> Examination:
    header = Header("gate", BEGAN_NS, BEGAN_NS, "footage-1", "s", "h264", SIZE_WH, BEGAN_NS)
    (reel,) = reels_of([Stretch(header, (Record(Kind.PART, BEGAN_NS, NS_PER_S, data),))])
    dones: list[int] = []
    with reel:
        there = worker.examine(reel, looking, probes.append, dones.append, compared=compared)
    assert dones
    assert 0 <= dones[0] <= dones[-1] <= (looking.until_ns - looking.from_ns) // 2
    return there


def painted(worker: Redacting, there: Examination, wish: Wish) -> tuple[Redacted, bytes]:
    pieces: list[bytes] = []
    dones: list[int] = []
    done = worker.paint(there, wish, pieces.append, dones.append)
    lasts_ns = there.looking.until_ns - there.looking.from_ns
    assert lasts_ns // 2 <= dones[0] <= dones[-1] <= lasts_ns
    assert sorted(dones) == dones
    assert all(0 < len(piece) <= MAX_PIECE_BYTES for piece in pieces)
    return done, b"".join(pieces)


def pictures(app: App, data: bytes) -> list[Frame]:
    with video_of("test", data, app.clock) as video:
        return list(video.frames())


def grey(image_rgb: U8, box: F32) -> float:
    """Return how much of a box is painted over."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    pixels = image_rgb[max(0, top) : max(0, bottom), max(0, left) : max(0, right)].astype(int)
    return float((np.abs(pixels - GREY) < 12).all(axis=2).mean()) if pixels.size else 1.0


def known_by(app: App, before: Frame, after: Frame, box: F32) -> float:
    """Return how alike our networks find what is left of the face in a box to what was there."""
    faces = app.detector().detect(before)
    middles = (faces.boxes_xyxy_px[:, :2] + faces.boxes_xyxy_px[:, 2:]) / 2
    row = int(np.argmin(np.abs(middles - (box[:2] + box[2:]) / 2).sum(axis=1)))
    crops = [align(frame.picture, faces.landmarks_xy_px[row]) for frame in (before, after)]
    one, other = app.templater.from_crops(crops, None).vectors
    return float(one @ other)


@pytest.mark.rule("E1")
def test_everybody_else_is_painted_over_in_every_picture_and_nothing_knows_them_again(
    app: App, work: Work, street: Street
) -> None:
    before, after = pictures(app, street.data), pictures(app, work.data)
    assert len(after) == work.done.pictures == len(street.truth)
    for frame, box in zip(after, street.boxes(OTHER), strict=True):
        assert box is None or grey(frame.image_rgb, box) > 0.95
    last = len(after) // 2
    other, star = street.boxes(OTHER)[last], street.boxes(STAR)[last]
    assert other is not None
    assert star is not None
    assert known_by(app, before[last], after[last], other) < 0.3
    # The control: the one who was spared is known again, by the same test.
    assert known_by(app, before[last], after[last], star) > 0.8


@pytest.mark.rule("E2")
def test_the_person_concerned_is_not_touched(app: App, work: Work, street: Street) -> None:
    assert work.keep
    for before, after, box in zip(
        pictures(app, street.data), pictures(app, work.data), street.boxes(STAR), strict=True
    ):
        assert box is not None
        left, top, right, bottom = (max(0, round(float(edge))) for edge in box)
        was, now = (frame.image_rgb[top:bottom, left:right].astype(float) for frame in (before, after))
        assert ((was - now) ** 2).mean() < 80, "worse than 29 dB"


@pytest.mark.rule("E1")
def test_nobody_is_spared_unless_somebody_says_so(app: App, worker: Redacting, work: Work, street: Street) -> None:
    there = examined(worker, street.data, [])
    done, data = painted(worker, there, Wish())
    for frame, *boxes in zip(pictures(app, data), street.boxes(STAR), street.boxes(OTHER), strict=True):
        assert all(box is None or grey(frame.image_rgb, box) > 0.95 for box in boxes)
    assert done.seen_again[-1] == 0
    assert done.kept == ()
    # The worker had examined the film anew: what was examined before is not painted any more.
    with pytest.raises(SourceError, match="not examined last"):
        painted(worker, work.there, Wish())
    # The control of the next test's detector: with everybody spared, all faces are seen, and none counted.
    done, data = painted(worker, there, Wish(frozenset(there.tracks)))
    assert sum(done.shapes.values()) == 0
    assert len(app.detector().detect(pictures(app, data)[12])) == 2


@pytest.mark.rule("E3")
def test_sound_and_metadata_are_gone_and_times_are_kept(app: App, work: Work, street: Street) -> None:
    assert PLACE.encode() in street.data  # the control
    with av.open(io.BytesIO(street.data)) as source:
        assert len(source.streams) == 2
    for trace in (PLACE.encode(), b"x264", b"Lavf", b"Lavc", b"soun", b"mp4a"):
        assert trace not in work.data
    with av.open(io.BytesIO(work.data)) as film:
        (stream,) = film.streams
        assert (stream.type, stream.codec_context.name, stream.codec_context.pix_fmt) == ("video", "h264", "yuv420p")
        assert set(film.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
    before, after = ([frame.pts_ns for frame in pictures(app, data)] for data in (street.data, work.data))
    assert max(abs((a - after[0]) - (b - before[0])) for a, b in zip(after, before, strict=True)) < 20_000


@pytest.mark.rule("E4")
def test_a_face_that_the_plan_leaves_out_is_seen_in_the_result_and_painted(app: App, street: Street) -> None:
    times_ns = np.array([BEGAN_NS + frame.pts_ns for frame in pictures(app, street.data)], np.int64)
    timeline = Timeline(times_ns, np.arange(len(times_ns)) == 0, SIZE_WH)
    descriptor = os.memfd_create("street")
    os.write(descriptor, street.data)
    order = ExamineFilm(
        request_id=1,
        camera_id="gate",
        places=((0, len(street.data), BEGAN_NS),),
        from_ns=BEGAN_NS,
        until_ns=LOOKING.until_ns,
        compared=False,
    )
    nobody_seen = Examined(order, descriptor, follow(timeline, no_sightings()))
    turns: list[int] = []
    result = _Painter(nobody_seen, Wish(), app.detector(SEEN_SCORE), app.clock, turns.append).run()
    nobody_seen.close()
    assert result.counts[0] > len(times_ns)
    assert result.counts[-1] == 0
    assert len(turns) == 2 * len(times_ns) * len(result.counts), "each picture of each film is told"
    assert sorted(turns) == turns, "making it again takes nothing back"
    assert turns[-1] == LOOKING.until_ns - BEGAN_NS
    for frame, *boxes in zip(pictures(app, result.data), street.boxes(STAR), street.boxes(OTHER), strict=True):
        assert all(box is None or grey(frame.image_rgb, box) > 0.95 for box in boxes)


def test_what_is_told_of_a_film_fits_it(work: Work, street: Street) -> None:
    assert work.there.pictures == len(street.truth)
    assert work.there.size_wh == SIZE_WH
    assert {probe.track_id for probe in work.probes} <= set(work.there.tracks)
    for seen in work.there.tracks.values():
        assert 1 <= len(seen.places) <= 9
        assert all(BEGAN_NS <= at_ns < BEGAN_NS + 3 * NS_PER_S for at_ns, _ in seen.places)
    report = work.done.as_json(work.there)
    assert report["schema"] == "habeas-redaction"
    assert report["kept"] == tuple(sorted(work.keep))
    assert report["size_bytes"] == len(work.data)
    assert sum(work.done.shapes.values()) > 0


@pytest.mark.rule("S3")
def test_of_what_was_captured_in_a_suspension_nothing_is_to_compare(worker: Redacting, street: Street) -> None:
    probes: list[Probe] = []
    there = examined(worker, street.data, probes, replace(LOOKING, until_ns=BEGAN_NS + NS_PER_S), compared=False)
    assert probes == []
    assert there.tracks
    assert there.pictures == RATE_HZ


def test_what_is_under_a_mask_stays_covered_and_a_person_adds_boxes(
    app: App, worker: Redacting, street: Street
) -> None:
    looking = replace(LOOKING, until_ns=BEGAN_NS + NS_PER_S // 2, masks=(Mask(0, 0, 1, 0.9),))
    there = examined(worker, street.data, [], looking)
    assert there.tracks == {}
    box = ByHand(BEGAN_NS, BEGAN_NS + NS_PER_S // 5, (100.0, 330.0, 140.0, 360.0))
    done, data = painted(worker, there, Wish(by_hand=(box,)))
    assert done.shapes["by-hand"] == 2
    frames = pictures(app, data)
    assert all(grey(frame.image_rgb, np.array([0, 0, 640, 320], np.float32)) > 0.98 for frame in frames)
    shares = [grey(frame.image_rgb, np.array(box.box_xyxy_px, np.float32)) > 0.9 for frame in frames]
    assert shares == [True, True, False, False, False]


def test_what_cannot_be_redacted_is_said_and_the_worker_takes_the_next(worker: Redacting, street: Street) -> None:
    with pytest.raises(SourceError, match="nothing of it can be read"):
        examined(worker, bytes(1000), [])
    there = examined(worker, street.data, [], replace(LOOKING, until_ns=BEGAN_NS + NS_PER_S // 5))
    assert there.pictures == 2
    with pytest.raises(InputError, match="no track 99"):
        painted(worker, there, Wish(frozenset({99})))


def test_pictures_of_any_size_are_looked_at_twice_and_never_too_large() -> None:
    assert [look.size_wh for look in looks_at((640, 360))] == [(1280, 720), (640, 360)]
    assert [look.size_wh for look in looks_at((3840, 2160))] == [(3840, 2160), (1920, 1080)]
    assert [look.size_wh for look in looks_at((7680, 10))] == [(3840, 5), (1920, 2)]


def test_a_worker_that_ends_is_an_error(settings: Settings, street: Street) -> None:
    with Redacting(settings.models, Timing(start_s=20, silence_s=2), FAKE) as fake:
        fake.kill()
        with pytest.raises(HabeasError):
            examined(fake, street.data, [])


# --- lies -------------------------------------------------------------------------------------------------------------


ORDER = ExamineFilm(
    request_id=1, camera_id="gate", places=((0, 1, 0),), from_ns=BEGAN_NS, until_ns=LOOKING.until_ns, compared=True
)
THERE = Examination(1, LOOKING, 5, SIZE_WH, {}, (), 0, ())
PAINT = PaintFilm(request_id=2, examined=1, keep=(), by_hand=())
BOX = (0.0, 0.0, 9.0, 9.0)


def probe(**changes: object) -> ProbeMade:
    fields: dict[str, object] = {
        "camera_id": "gate",
        "epoch": 1,
        "track_id": 1,
        "at_ns": 5,
        "first_seen_ns": 0,
        "captured_at_ns": BEGAN_NS,
        "box_xyxy_px": BOX,
        "dimensions": 4,
        "face_wh": (1, 1),
    }
    made = ProbeMade(**(fields | changes))  # type: ignore[arg-type]  # checked as every field of a message
    return made.with_payload(payload_of(np.array([1, 0, 0, 0], np.float32), np.zeros((1, 1, 3), np.uint8)))


def track(at_ns: int = BEGAN_NS, request_id: int = 1) -> TrackFollowed:
    return TrackFollowed(request_id=request_id, track_id=1, best_score=0.5, sightings=1, places=((at_ns, BOX),))


def doubt(request_id: int = 1, at_ns: int = BEGAN_NS) -> DoubtFound:
    return DoubtFound(request_id=request_id, what="faint", track_id=1, from_ns=at_ns, until_ns=at_ns, box_xyxy_px=BOX)


def ended(**changes: object) -> FilmExamined:
    fields: dict[str, object] = {"pictures": 5, "size_wh": SIZE_WH, "tracks": 0, "doubts": 0, "refusal": ""}
    return FilmExamined(**({"request_id": 1} | fields | changes))  # type: ignore[arg-type]  # as above


def done(**changes: object) -> FilmDone:
    fields: dict[str, object] = {"pictures": 5, "size_bytes": 3, "shapes": {}, "seen_again": (0,), "doubts": 0}
    return FilmDone(**({"request_id": 2, "refusal": ""} | fields | changes))  # type: ignore[arg-type]  # as above


def taken_in(heard: _HeardOfFaces | _HeardOfFilm, messages: Sequence[Message]) -> None:
    for message in messages:
        heard.take(message)


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([probe(epoch=2)], "not asked"),
        ([probe(camera_id="door")], "not asked"),
        ([probe(captured_at_ns=BEGAN_NS - 1)], "not in the footage"),
        ([probe(canary=True)], "not asked for"),
        ([probe()] * 4, "not asked for"),
        ([track(request_id=2)], "not asked"),
        ([track(LOOKING.until_ns)], "not in the footage"),
        ([track(), track()], "twice"),
        ([doubt(2)], "not asked"),
        ([doubt(at_ns=0)], "not in the footage"),
        ([doubt()] * 2001, "unsure of more"),
        ([track(), ended()], "other tracks"),
        ([probe(), ended()], "other tracks"),
        ([doubt(), ended()], "other tracks"),
        ([CameraFlaw(camera_id="door", epoch=1, text="", at_ns=0)], "not asked"),
        ([Listening(camera_id="gate", epoch=1)], "says Listening"),
        ([FilmBytes(request_id=1).with_payload(b"x")], "says FilmBytes"),
    ],
)
def test_what_cannot_be_of_an_examination_is_refused(messages: list[Message], says: str) -> None:
    heard = _HeardOfFaces(ORDER, LOOKING, "m", lambda _probe: None)
    with pytest.raises(InputError, match=says):
        taken_in(heard, messages)


def test_probes_that_were_not_wanted_are_refused() -> None:
    heard = _HeardOfFaces(ORDER.model_copy(update={"compared": False}), LOOKING, "m", lambda _probe: None)
    with pytest.raises(InputError, match="not asked for"):
        heard.take(probe())


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([done(size_bytes=4)], "another film"),
        ([FilmBytes(request_id=2).with_payload(b"abc"), done(pictures=4)], "another film"),
        ([FilmBytes(request_id=2).with_payload(b"abc"), done(seen_again=())], "another film"),
        ([FilmBytes(request_id=1).with_payload(b"abc")], "not asked"),
        ([done(request_id=1)], "not asked"),
        ([probe()], "says ProbeMade"),
    ],
)
def test_what_cannot_be_of_a_painted_film_is_refused(messages: list[Message], says: str) -> None:
    heard = _HeardOfFilm(PAINT, THERE, Wish(), lambda _piece: None)
    with pytest.raises(InputError, match=says):
        taken_in(heard, messages)


class Says(Redacting):
    """A worker that says how far it is, and then that it lives."""

    def __init__(self, *dones_ns: int, request_id: int = 1) -> None:
        self._done_ns = 0
        turns = [FilmTurned(request_id=request_id, done_ns=done_ns) for done_ns in dones_ns]
        self._messages: Iterator[Message] = iter([*turns, Heartbeat()])

    def received(self) -> Message:
        return next(self._messages)


def test_how_far_it_is_is_heard_between_messages() -> None:
    dones: list[int] = []
    lasts_ns = LOOKING.until_ns - LOOKING.from_ns
    assert Says(0, 5, 5, lasts_ns)._next(1, LOOKING, dones.append) == Heartbeat()
    assert dones == [0, 5, 5, lasts_ns]


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        (Says(5, 4), "went back"),
        (Says(LOOKING.until_ns - LOOKING.from_ns + 1), "further than it can be"),
        (Says(5, request_id=2), "not asked"),
    ],
)
def test_how_far_it_cannot_be_is_refused(worker: Says, says: str) -> None:
    with pytest.raises(InputError, match=says):
        worker._next(1, LOOKING, lambda _done_ns: None)


def test_what_can_be_is_taken() -> None:
    faces = _HeardOfFaces(ORDER, LOOKING, "m", lambda _probe: None)
    flaw = CameraFlaw(camera_id="gate", epoch=1, text="ends early", at_ns=0)
    taken_in(faces, [Heartbeat(), flaw, probe(), track(), doubt(), ended(tracks=1, doubts=3)])
    assert faces.examination is not None
    assert faces.examination.flaws == ("gate: ends early",)
    assert [each.what for each in faces.examination.doubts] == [What.FAINT]
    assert faces.examination.doubts_in_all == 3
    taken: list[bytes] = []
    film = _HeardOfFilm(PAINT, THERE, Wish(), taken.append)
    taken_in(film, [Heartbeat(), doubt(2), FilmBytes(request_id=2).with_payload(b"abc"), done(doubts=1)])
    assert film.redacted is not None
    assert taken == [b"abc"]


def test_the_largest_wish_fits_a_message() -> None:
    edge = -123456.78901234567
    box = 2**63 - 2, 2**63 - 1, (edge, edge, edge / 2, edge / 2), False
    order = PaintFilm(
        request_id=1, examined=1, keep=tuple(range(10**6, 10**6 + MAX_KEPT)), by_hand=(box,) * MAX_BY_HAND
    )
    assert len(encode(order, 0)) > 50_000
    assert len(order.wish().by_hand) == MAX_BY_HAND


def test_an_empty_or_large_part_of_a_film_is_no_message() -> None:
    for payload in (b"", bytes(MAX_PIECE_BYTES + 1)):
        with pytest.raises(InputError):
            FilmBytes(request_id=1).with_payload(payload)
    with pytest.raises(InputError):
        DoubtFound(request_id=1, what="faint", track_id=0, from_ns=2, until_ns=1, box_xyxy_px=BOX)
