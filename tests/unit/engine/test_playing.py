"""The film of an alert by a real sealed worker: the head of its track as it was, and nobody else to be known."""

import io
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from tests.unit.engine.test_redacting import (
    BEGAN_NS,
    LOOKING,
    OTHER,
    PLACE,
    RATE_HZ,
    SIZE_WH,
    STAR,
    Street,
    known_by,
    pictures,
    street,
)

from habeas.app import App
from habeas.engine.examining import SEEN_SCORE
from habeas.engine.film_messages import FilmTurned
from habeas.engine.messages import Message
from habeas.engine.orders import Timing
from habeas.engine.play_messages import FilmPlayed, PlayFilm
from habeas.engine.playing import Played, Playing, _Heard
from habeas.engine.redact_messages import FilmBytes, FilmDone
from habeas.engine.screening import Looking, reels_of
from habeas.errors import InputError, KeyDestroyed, SourceError
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.footage.uncovering import Where, heads
from habeas.geometry import iou
from habeas.measure.heads import Head
from habeas.measure.scenes import Scene, draw_scene
from habeas.measure.walks import Walk
from habeas.settings import DetectSettings, Settings
from habeas.types import F32, NS_PER_S, U8, Frame
from habeas.video.masks import Mask
from habeas.video.mosaic import CELLS, mosaic

__all__ = ["street"]
AT = 12
FOLLOWING = replace(LOOKING, detect=DetectSettings(rate_hz=12.5))


@pytest.fixture(scope="module")
def worker(settings: Settings) -> Iterator[Playing]:
    with Playing(settings.models, Timing(silence_s=60)) as made:
        yield made


def of(street: Street, person: str, picture: int = AT) -> Where:
    box = street.boxes(person)[picture]
    assert box is not None
    left, top, right, bottom = (box / np.array([*SIZE_WH, *SIZE_WH])).tolist()
    return Where(BEGAN_NS + picture * NS_PER_S // RATE_HZ, (left, top, right, bottom))


def played(worker: Playing, data: bytes, where: Where | None, looking: Looking = FOLLOWING) -> Played:
    header = Header("gate", BEGAN_NS, BEGAN_NS, "footage-1", "s", "h264", SIZE_WH, BEGAN_NS)
    (reel,) = reels_of([Stretch(header, (Record(Kind.PART, BEGAN_NS, NS_PER_S, data),))])
    with reel:
        return worker.play(reel, looking, where, lambda _done_ns: None, lambda: None)


@pytest.fixture(scope="module")
def film(worker: Playing, street: Street) -> Played:
    return played(worker, street.data, of(street, STAR))


def faces_in(app: App, frames: list[Frame]) -> list[F32]:
    """Everything in pictures that may be a face, by our detector at its lowest."""
    return [app.detector(SEEN_SCORE).detect(frame).boxes_xyxy_px for frame in frames]


def differs(one: U8, other: U8, box: F32) -> float:
    left, top, right, bottom = (max(0, round(float(edge))) for edge in box)
    was, now = (image[top:bottom, left:right].astype(float) for image in (one, other))
    return float(((was - now) ** 2).mean())


@pytest.mark.rule("E10")
def test_nobody_but_the_person_of_the_alert_can_be_seen_in_any_picture(app: App, film: Played, street: Street) -> None:
    before, after = pictures(app, street.data), pictures(app, film.data)
    assert (len(after), film.pictures, film.found) == (len(street.truth), len(street.truth), True)
    for frame, boxes, star in zip(after, faces_in(app, after), street.boxes(STAR), strict=True):
        assert star is not None
        assert (iou(boxes, star[None]) > 0.2).all(), f"a face beside the star's in picture {frame.index}"
    # The control: in the footage itself the detector finds both.
    assert all(len(boxes) >= 2 for boxes in faces_in(app, before[AT : AT + 3]))
    other, star = street.boxes(OTHER)[AT], street.boxes(STAR)[AT]
    assert other is not None
    assert star is not None
    assert known_by(app, before[AT], after[AT], other) < 0.3
    assert known_by(app, before[AT], after[AT], star) > 0.8


@pytest.mark.rule("E10")
def test_the_head_of_the_person_is_as_it_was_and_all_else_is_a_mosaic(app: App, film: Played, street: Street) -> None:
    before, after = pictures(app, street.data), pictures(app, film.data)
    shown = 0
    for was, now, star in zip(before, after, street.boxes(STAR), strict=True):
        assert star is not None
        beside = now.image_rgb.astype(float) - mosaic(was.image_rgb)
        left, top, right, bottom = (max(0, round(float(edge))) for edge in heads(star[None])[0] + [-8, -8, 8, 8])
        beside[top:bottom, left:right] = 0
        assert (beside**2).mean() < 60, "all but the head is the mosaic, as far as encoding lets it"
        shown += differs(was.image_rgb, now.image_rgb, star) < 80  # 29 dB
    assert shown >= len(after) - 6, "but for what lies before the first look and after the last"
    assert film.shown_ns >= shown * NS_PER_S // RATE_HZ // 2


@pytest.mark.rule("E10")
@pytest.mark.parametrize("rate_hz", [12.5, 2.5])
def test_who_passes_in_front_is_not_shown_also_between_two_looks(
    app: App, worker: Playing, heads: dict[str, Head], tmp_path: Path, rate_hz: float
) -> None:
    walks = (
        Walk(STAR, STAR, heads[STAR], 0.0, (0.0, 2.0), (0.0, 1.8), 0.05),
        Walk(OTHER, OTHER, heads[OTHER], 0.0, (-1.2, 1.7), (1.6, 1.7), 1.2),
    )
    path = tmp_path / "passing.mp4"
    truth = draw_scene(Scene(walks, size_wh=SIZE_WH, rate_hz=RATE_HZ, duration_s=2.0, seed=7), path)
    passing = Street(path.read_bytes(), truth)
    looking = replace(LOOKING, detect=DetectSettings(rate_hz=rate_hz))
    made = played(worker, passing.data, of(passing, STAR, 3), looking)
    before, after = pictures(app, passing.data), pictures(app, made.data)
    stars, others = passing.boxes(STAR), passing.boxes(OTHER)
    shown = []
    for number, (was, now, star, other) in enumerate(zip(before, after, stars, others, strict=True)):
        assert star is not None
        if differs(was.image_rgb, now.image_rgb, star) < 80:
            shown.append(number)
        if other is not None:
            assert known_by(app, was, now, other) < 0.3, number
    meets = [n for n, other in enumerate(others) if other is not None and iou(other[None], stars[n][None])[0, 0] > 0]
    assert meets, "the control: they meet"
    assert made.found
    assert 3 in shown
    assert not set(shown) & set(meets)
    assert rate_hz < RATE_HZ or max(shown) < min(meets), "and nothing after it, where it was seen"


@pytest.mark.rule("E10")
@pytest.mark.parametrize("nobody", ["no box", "where nobody is", "at another time"])
def test_where_the_alert_has_no_track_nobody_is_shown(app: App, worker: Playing, street: Street, nobody: str) -> None:
    star = of(street, STAR)
    where = {
        "no box": None,
        "where nobody is": replace(star, box=(0.0, 0.9, 0.05, 1.0)),
        "at another time": replace(star, at_ns=BEGAN_NS + 50 * NS_PER_S),
    }[nobody]
    made = played(worker, street.data, where)
    assert (made.found, made.shown_ns) == (False, 0)
    assert not any(len(boxes) for boxes in faces_in(app, pictures(app, made.data)))


@pytest.mark.rule("E10")
def test_what_is_under_a_mask_is_not_shown_whoever_it_is(app: App, worker: Playing, street: Street) -> None:
    made = played(worker, street.data, of(street, STAR), replace(FOLLOWING, masks=(Mask(0, 0, 1, 1),)))
    assert not made.found
    assert all(int(frame.luma.max()) < 64 for frame in pictures(app, made.data))


@pytest.mark.rule("E3")
def test_sound_and_metadata_are_gone(film: Played, street: Street) -> None:
    assert PLACE.encode() in street.data  # the control
    for trace in (PLACE.encode(), b"x264", b"Lavf", b"Lavc", b"soun", b"mp4a"):
        assert trace not in film.data
    with av.open(io.BytesIO(film.data)) as made:
        (stream,) = made.streams
        assert (stream.type, stream.codec_context.name) == ("video", "h264")


def test_only_what_was_asked_for_is_made(worker: Playing, street: Street) -> None:
    half = replace(FOLLOWING, from_ns=BEGAN_NS + NS_PER_S // 2, until_ns=BEGAN_NS + NS_PER_S)
    assert played(worker, street.data, None, half).pictures == RATE_HZ // 2
    with pytest.raises(SourceError, match="nothing of it can be read"):
        played(worker, bytes(1000), None)
    assert played(worker, street.data, None, half).pictures == RATE_HZ // 2, "the worker takes the next"


def test_a_mosaic_has_cells_of_one_colour_whatever_the_size() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((360, 640), (1080, 1920), (97, 50), (1, 1)):
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        made = mosaic(image)
        assert made.shape == image.shape
        side = -(-max(height, width) // CELLS)
        for top in range(0, height, side):
            for left in range(0, width, side):
                cell, was = (one[top : top + side, left : left + side].reshape(-1, 3) for one in (made, image))
                assert (cell == cell[0]).all()
                assert np.abs(cell[0] - was.mean(axis=0)).max() <= 0.6


def test_a_worker_that_may_not_go_on_is_ended_at_its_next_message(settings: Settings, street: Street) -> None:
    header = Header("gate", BEGAN_NS, BEGAN_NS, "footage-1", "s", "h264", SIZE_WH, BEGAN_NS)
    (reel,) = reels_of([Stretch(header, (Record(Kind.PART, BEGAN_NS, NS_PER_S, street.data),))])

    def go_on() -> None:
        raise KeyDestroyed("over", remedy="none")

    with Playing(settings.models, Timing(silence_s=60)) as worker, reel:
        with pytest.raises(KeyDestroyed):
            worker.play(reel, LOOKING, None, lambda _done_ns: None, go_on)
        assert worker.process.popen.wait() == -signal.SIGKILL


# --- lies -------------------------------------------------------------------------------------------------------------


ORDER = PlayFilm(
    request_id=1,
    camera_id="gate",
    places=((0, 1, 0),),
    from_ns=BEGAN_NS,
    until_ns=BEGAN_NS + NS_PER_S,
    detect=DetectSettings(),
    at_ns=0,
    box=None,
)
DONE = FilmPlayed(request_id=1, pictures=1, size_bytes=0, found=False, shown_ns=0, refusal="")


@pytest.mark.parametrize(
    "said",
    [
        DONE.model_copy(update={"request_id": 2}),
        DONE.model_copy(update={"size_bytes": 5}),
        DONE.model_copy(update={"pictures": 0}),
        DONE.model_copy(update={"found": True}),
        DONE.model_copy(update={"shown_ns": 2 * NS_PER_S}),
        FilmTurned(request_id=2, done_ns=1),
        FilmDone(request_id=1, pictures=1, size_bytes=0, shapes={}, seen_again=(0,), doubts=0, refusal=""),
    ],
)
def test_a_worker_that_lies_is_not_believed(said: Message) -> None:
    with pytest.raises(InputError):
        _Heard(ORDER, lambda _done_ns: None).take(said)


def test_how_far_it_is_is_never_more_than_there_is() -> None:
    told: list[int] = []
    heard = _Heard(ORDER, told.append)
    heard.take(FilmTurned(request_id=1, done_ns=10**15))
    heard.take(FilmBytes(request_id=1).with_payload(b"film"))
    heard.take(DONE.model_copy(update={"size_bytes": 4}))
    assert told == [NS_PER_S]
    assert heard.played is not None
    assert heard.played.data == b"film"
