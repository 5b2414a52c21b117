"""What a stream says of itself, from real files and a real RTSP camera."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from tests.cameras import CLIP_RATE_HZ, RtspCamera, ScriptedServer, free_port, moving_pictures, write_video

from habeas.clock import ManualClock, SystemClock
from habeas.video.file import VideoFile
from habeas.video.headers import MOST_PACKETS, Headers, read_headers


@pytest.fixture(scope="module")
def camera() -> Iterator[RtspCamera]:
    with RtspCamera() as camera:
        yield camera


def test_a_camera_is_told_by_its_headers_and_packets(camera: RtspCamera) -> None:
    told = read_headers(camera.url, SystemClock(), 2.0)
    assert told.flaw == ""
    assert told.size_wh == (160, 120)
    assert told.codec == "h264"
    assert told.rate_hz == pytest.approx(CLIP_RATE_HZ, rel=0.1)
    assert 20 < told.packets <= MOST_PACKETS
    assert told.seconds < 4


@pytest.mark.parametrize(("rate_hz", "codec"), [(8, "libx264"), (30, "libx264"), (12, "mpeg4")])
def test_a_file_is_told_by_its_headers_and_packets(tmp_path: Path, rate_hz: int, codec: str) -> None:
    pictures = moving_pictures(40, (320, 176))
    path = write_video(tmp_path / "film.mp4", pictures, rate_hz=rate_hz, codec=codec)
    told = read_headers(path, SystemClock())
    assert (told.size_wh, told.packets, told.flaw) == ((320, 176), 40, "")
    assert told.rate_hz == pytest.approx(rate_hz, rel=0.03)
    assert told.codec == {"libx264": "h264", "mpeg4": "mpeg4"}[codec]


def test_reading_is_bounded_in_packets_and_in_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", moving_pictures(MOST_PACKETS + 50, (64, 64)))
    assert read_headers(path, SystemClock()).packets == MOST_PACKETS

    class Quick(ManualClock):
        def monotonic_ns(self) -> int:
            self.advance(10**9)
            return super().monotonic_ns()

    assert read_headers(path, Quick(), 4.0).packets == 4


def called(work: Callable[[], object]) -> set[str]:
    """Return the names of the compiled functions that were called."""
    names: set[str] = set()
    sys.setprofile(lambda _frame, event, what: names.add(what.__name__) if event == "c_call" else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return names


def test_no_picture_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", moving_pictures(10, (64, 64)))
    reading = called(lambda: read_headers(path, SystemClock()))
    with VideoFile(path, SystemClock()) as film:
        watching = called(lambda: list(film.frames()))
    assert "demux" in reading
    assert "decode" in watching  # the control
    assert "decode" not in reading


@pytest.mark.parametrize("what", ["nothing", "garbage", "sound"])
def test_what_is_no_video_has_a_flaw(tmp_path: Path, what: str) -> None:
    path = tmp_path / "film.mp4"
    if what == "garbage":
        path.write_bytes(bytes(range(256)) * 20)
    elif what == "sound":
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=8000)
            for packet in stream.encode(None):
                container.mux(packet)
    told = read_headers(path, SystemClock())
    assert told.flaw
    assert told.packets == 0


def test_a_camera_that_is_not_there_has_a_flaw_and_no_password_in_it() -> None:
    told = read_headers(f"rtsp://viewer:hunter2@127.0.0.1:{free_port()}/x", SystemClock(), 1.0)
    assert told.flaw
    assert "hunter2" not in repr(told)


def test_a_silent_camera_takes_no_longer_than_it_may() -> None:
    with ScriptedServer(lambda _request, _connection: b"") as silent:
        told = read_headers(f"rtsp://127.0.0.1:{silent.port}/x", SystemClock(), 1.0)
    assert told.flaw
    assert told.seconds < 3
    assert told == Headers(seconds=told.seconds, flaw=told.flaw)
