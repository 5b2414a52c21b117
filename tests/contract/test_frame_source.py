"""Every implementation of `ports.FrameSource`, on real files and a real camera."""

import threading
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cameras import RtspCamera, moving_pictures

from habeas.measure.scene_source import SceneSource
from habeas.measure.scenes import Scene
from habeas.ports import FrameSource
from habeas.settings import LiveSettings
from habeas.types import NS_PER_S, Frame, OriginKind
from habeas.video import encode_h264, open_source

SIZE_WH = (160, 120)
KINDS = {
    "file": OriginKind.FILE,
    "stills": OriginKind.STILLS,
    "live": OriginKind.LIVE,
    "scene": OriginKind.SCENE,
}
ENDLESS = {"live"}
SOON_S = 8.0
Open = Callable[[], FrameSource]


@pytest.fixture(scope="module")
def camera() -> Iterator[RtspCamera]:
    with RtspCamera() as camera:
        yield camera


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    encode_h264(moving_pictures(30, SIZE_WH), folder / "clip.mp4", 25)
    (folder / "stills").mkdir()
    for number, picture in enumerate(moving_pictures(4, SIZE_WH)):
        Image.fromarray(picture).save(folder / "stills" / f"{number}.png")
    return folder


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(kind: str, media: Path, request: pytest.FixtureRequest) -> Open:
    if kind == "live":
        url = request.getfixturevalue("camera").url
        return lambda: open_source(url, live=LiveSettings(stall_s=4))
    if kind == "scene":
        scene = Scene((), size_wh=SIZE_WH, rate_hz=10, duration_s=1.0)
        return lambda: SceneSource(scene)
    return lambda: open_source(str(media / ("clip.mp4" if kind == "file" else "stills")))


def some(source: FrameSource, kind: str) -> list[Frame]:
    """All frames of a source that ends, 30 of one that does not."""
    return list(islice(source.frames(), 30 if kind in ENDLESS else None))


def test_it_satisfies_the_port_and_says_where_pictures_come_from(opened: Open, kind: str) -> None:
    with opened() as source:
        assert isinstance(source, FrameSource)
        assert source.origin.kind is KINDS[kind]
        assert source.origin.camera_id
        assert source.rate_hz > 0
        if kind in ENDLESS:
            assert source.duration_ns is None
        else:
            assert source.duration_ns == pytest.approx({"file": 1.2, "stills": 4, "scene": 1}[kind] * NS_PER_S, rel=0.1)
        assert source.flaws == ()


def test_frames_come_in_order_from_zero(opened: Open, kind: str) -> None:
    with opened() as source:
        frames = some(source, kind)
        assert len(frames) == {"file": 30, "stills": 4, "live": 30, "scene": 10}[kind]
        assert [frame.index for frame in frames] == list(range(len(frames)))
        assert 0 <= frames[0].pts_ns < 10 * NS_PER_S
        assert all(before.pts_ns < after.pts_ns for before, after in pairwise(frames))
        assert all(before.captured_at_ns <= after.captured_at_ns for before, after in pairwise(frames))
        assert all(frame.origin is source.origin for frame in frames)
        elapsed_s = (frames[-1].pts_ns - frames[0].pts_ns) / NS_PER_S
        assert elapsed_s == pytest.approx((len(frames) - 1) / source.rate_hz, rel=0.1)
        assert source.flaws == ()


def test_pictures_have_brightness_and_colour_and_a_part_is_cut_from_the_whole(opened: Open, kind: str) -> None:
    with opened() as source:
        frame = some(source, kind)[-1]
    width, height = frame.size_wh
    assert (width, height) == SIZE_WH
    whole = frame.image_rgb
    assert (whole.shape, whole.dtype) == ((height, width, 3), np.uint8)
    assert (frame.luma.shape, frame.luma.dtype) == ((height, width), np.uint8)
    for x0, y0, x1, y1 in [(0, 0, width, height), (32, 16, 96, 80), (33, 17, 98, 81), (7, 5, 8, 6)]:
        part = frame.picture.rgb((x0, y0, x1, y1), (x1 - x0, y1 - y0))
        assert (part.shape, part.dtype) == ((y1 - y0, x1 - x0, 3), np.uint8)
        # At its edges a part lacks the neighbours that colour is interpolated from.
        difference = np.abs(part.astype(int) - whole[y0:y1, x0:x1])
        assert np.median(difference) <= 2
        assert difference.mean() <= 6
    smaller = frame.picture.rgb((32, 16, 96, 80), (32, 32))
    averaged = whole[16:80, 32:96].reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert smaller.shape == (32, 32, 3)
    assert np.abs(smaller - averaged).mean() < 6
    brightness = whole @ np.array([0.299, 0.587, 0.114])
    assert np.corrcoef(brightness.ravel(), frame.luma.ravel())[0, 1] > 0.98


def test_closing_from_another_thread_ends_frames_soon(opened: Open) -> None:
    with opened() as source:
        begun, ended = threading.Event(), threading.Event()
        failures: list[BaseException] = []

        def read() -> None:
            try:
                for _frame in source.frames():
                    begun.set()
            except Exception as error:  # noqa: BLE001 - any of them fails the test
                failures.append(error)
            ended.set()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert begun.wait(SOON_S)
        source.close()
        assert ended.wait(SOON_S)
        reader.join(SOON_S)
        assert failures == []


def test_after_close_no_frame_comes_and_questions_are_still_answered(opened: Open, kind: str) -> None:
    with opened() as source:
        frames = source.frames()
        next(frames)
        source.close()
        assert list(frames) == []
        assert source.rate_hz > 0
        assert (source.duration_ns is None) == (kind in ENDLESS)
        assert source.origin.kind is KINDS[kind]
        assert source.flaws == ()
        source.close()


def test_a_frame_outlives_its_source(opened: Open) -> None:
    with opened() as source:
        frame = next(source.frames())
    assert frame.image_rgb.shape == (SIZE_WH[1], SIZE_WH[0], 3)
    assert int(frame.luma.max()) > int(frame.luma.min())
