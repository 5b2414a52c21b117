"""A film that is given away: pictures and their times, and nothing that says what made it."""

import io

import av
import numpy as np
import pytest

from habeas.clock import ManualClock
from habeas.types import NS_PER_S, U8
from habeas.video.encode import FilmWriter, painted
from habeas.video.film import video_of
from habeas.video.masks import GREY

TIMES_NS = [10**18 + at * NS_PER_S // 25 + (at % 3) * 1_000_000 for at in range(8)]


def image(width: int, height: int) -> U8:
    rng = np.random.default_rng(0)
    cells = rng.integers(60, 200, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return np.ascontiguousarray(np.kron(cells, np.ones((16, 16, 1), np.uint8))[:height, :width])


def film(width: int, height: int, times_ns: list[int]) -> bytes:
    writer = FilmWriter((width, height))
    for at_ns in times_ns:
        writer.add(image(width, height), at_ns)
    return writer.finish()


@pytest.mark.rule("E3")
def test_pictures_and_times_come_back_and_nothing_else_is_there() -> None:
    data = film(160, 96, TIMES_NS)
    with video_of("film", data, ManualClock()) as video:
        frames = list(video.frames())
    passed = [at_ns - TIMES_NS[0] for at_ns in TIMES_NS]
    assert [frame.pts_ns for frame in frames] == pytest.approx(passed, abs=20_000)
    assert np.abs(frames[0].image_rgb.astype(int) - image(160, 96)).mean() < 6
    for trace in (b"x264", b"Lavf", b"Lavc", b"options:"):
        assert trace not in data
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams
        assert "creation_time" not in {*container.metadata, *stream.metadata}


def test_an_odd_side_gets_a_grey_row() -> None:
    with video_of("film", film(161, 95, TIMES_NS[:2]), ManualClock()) as video:
        frame = next(iter(video.frames()))
    assert frame.size_wh == (162, 96)


def test_times_that_stand_still_go_on_by_a_tick() -> None:
    with video_of("film", film(64, 64, [5, 6, 7]), ManualClock()) as video:
        times_ns = [frame.pts_ns for frame in video.frames()]
    assert times_ns == sorted(set(times_ns))


def test_what_is_painted_is_one_grey_and_the_rest_is_as_it_was() -> None:
    before = image(64, 64)
    after = painted(before, np.array([[10, 20, 30, 40]], np.float32))
    assert (after[20:40, 10:30] == GREY).all()
    outside = np.ones((64, 64), np.bool_)
    outside[20:40, 10:30] = False
    assert (after[outside] == before[outside]).all()
