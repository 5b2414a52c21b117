"""Video files, good and bad, made here; none comes from elsewhere."""

import math
import os
import socket
import struct
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cameras import ScriptedServer, moving_pictures, write_video
from tests.strategies import PROPERTY

from habeas.app import App
from habeas.clock import ManualClock
from habeas.errors import SourceError, UsageError
from habeas.types import I64, NS_PER_S, U8, Flaw, Frame, OriginKind
from habeas.video import encode_h264, open_source
from habeas.video.edge import Flaws, origin
from habeas.video.file import FrameNumbering, VideoFile
from habeas.watching import Watch

SMALL_WH = (160, 120)
GOP = {"g": "10", "bf": "0"}


def read(path: Path | str) -> tuple[list[Frame], tuple[str, ...]]:
    with open_source(str(path)) as source:
        return list(source.frames()), source.flaws


def refusal(path: Path | str) -> str:
    with pytest.raises(SourceError) as caught:
        read(path)
    assert caught.value.exit_code == 4
    assert caught.value.remedy
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    encode_h264(moving_pictures(25, SMALL_WH), tmp_path / "clip.mp4", 25)
    return tmp_path / "clip.mp4"


# --- what is no video -------------------------------------------------------------------------------------------------


def test_what_is_not_there_or_cannot_be_read_is_refused(tmp_path: Path, clip: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.mp4")
    assert "no such file" in refusal(clip / "below-a-file.mp4")
    assert "cannot be read" in refusal("x" * 5000)
    (tmp_path / "empty").mkdir()
    assert "no image" in refusal(tmp_path / "empty")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    refusal(tmp_path / "loop.mp4")
    (tmp_path / "broken-disk.mp4").symlink_to("/proc/self/mem")  # reading it is an I/O error, as on a bad disk
    assert "Input/output error" in refusal(tmp_path / "broken-disk.mp4")
    assert len(read(clip)[0]) == 25


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(clip: Path) -> None:
    clip.chmod(0)
    assert "may not be read" in refusal(clip)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.png"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert "not a plain file" in refusal(tmp_path / name)
    assert "not a plain file" in refusal("/dev/zero")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"hello\n" * 9,
        b"%PDF-1.7\n" * 99,
        b"\x89PNG\r\n\x1a\n",
        bytes(range(256)) * 9,
        b"\0\0\0\x18ftypmp42",
    ],
    ids=["empty", "null", "text", "pdf", "png-start", "noise", "mp4-start"],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    refusal(tmp_path / "x.mp4")


def test_a_file_without_video_or_with_a_codec_nobody_knows_is_refused(tmp_path: Path, clip: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        sound.rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    assert "has no video" in refusal(tmp_path / "sound.mp4")
    (tmp_path / "odd.mp4").write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
    assert "codec is unknown" in refusal(tmp_path / "odd.mp4")


def test_a_video_without_a_picture_is_refused(tmp_path: Path, clip: Path) -> None:
    head = write_video(tmp_path / "head.mkv", [next(moving_pictures(1))], container_format="matroska")
    data = head.read_bytes()
    head.write_bytes(data[: data.index(bytes.fromhex("1f43b675"))])  # up to the first cluster
    refusal(head)
    data = clip.read_bytes()
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    clip.write_bytes(data[:start] + bytes(end - start) + data[end:])
    assert "holds no picture" in refusal(clip)


@pytest.mark.parametrize("size_wh", [(50000, 50000), (8194, 480), (640, 8194)])
def test_absurd_dimensions_are_refused_before_decoding(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    path = write_video(tmp_path / "x.mkv", moving_pictures(1, (640, 480)), codec="ffv1", container_format="matroska")
    assert len(read(path)[0]) == 1
    data = path.read_bytes()
    for element, before, after in zip((b"\xb0", b"\xba"), (640, 480), size_wh, strict=True):
        assert data.count(element + struct.pack(">BH", 0x82, before)) == 1
        data = data.replace(element + struct.pack(">BH", 0x82, before), element + struct.pack(">BH", 0x82, after))
    path.write_bytes(data)
    # FFmpeg itself gives up on the largest.
    assert ("holds no picture" if max(size_wh) > 16384 else "over 8192 px a side") in refusal(path)


def test_a_picture_that_is_too_large_is_refused_even_where_the_header_is_silent(tmp_path: Path) -> None:
    flat = [np.zeros((16, 8208, 3), np.uint8)]
    path = write_video(tmp_path / "wide.mkv", flat, codec="ffv1", container_format="matroska")
    assert "8208x16" in refusal(path)


# --- files that name other files --------------------------------------------------------------------------------------


def never(_request: bytes, _connection: socket.socket) -> bytes:
    return b"HTTP/1.0 404 Not Found\r\n\r\n"


def playlist(url: str) -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\n{url}\n#EXT-X-ENDLIST\n"


ENDINGS = ["x.mp4", "x.m3u8", "x.ts", "x.ffconcat", "x"]


@pytest.mark.parametrize("name", ENDINGS)
def test_a_playlist_is_not_followed_to_the_network(tmp_path: Path, name: str) -> None:
    with ScriptedServer(never) as canary:
        for text in (
            playlist(f"http://127.0.0.1:{canary.port}/a.ts"),
            f"ffconcat version 1.0\nfile http://127.0.0.1:{canary.port}/a.ts\n",
        ):
            (tmp_path / name).write_text(text)
            refusal(tmp_path / name)
        assert canary.connections == 0


def test_the_canary_on_the_network_would_be_heard(tmp_path: Path) -> None:
    with ScriptedServer(never) as canary:
        (tmp_path / "x.m3u8").write_text(playlist(f"http://127.0.0.1:{canary.port}/a.ts"))
        with (
            pytest.raises(av.error.FFmpegError),
            av.open(str(tmp_path / "x.m3u8"), options={"protocol_whitelist": "file,http,tcp"}) as container,
        ):
            list(container.decode(video=0))
        assert canary.connections > 0


@pytest.mark.parametrize("name", ENDINGS)
def test_a_playlist_is_not_followed_to_another_file(tmp_path: Path, clip: Path, name: str) -> None:
    write_video(tmp_path / "canary.ts", moving_pictures(5), container_format="mpegts")
    for text in (
        playlist("canary.ts"),
        playlist(f"file://{tmp_path}/canary.ts"),
        f"ffconcat version 1.0\nfile {clip.name}\n",
        "ffconcat version 1.0\nfile canary.ts\n",
    ):
        (tmp_path / name).write_text(text)
        refusal(tmp_path / name)


def test_the_canary_file_would_be_played(tmp_path: Path) -> None:
    write_video(tmp_path / "canary.ts", moving_pictures(5), container_format="mpegts")
    (tmp_path / "x.mp4").write_text("ffconcat version 1.0\nfile canary.ts\n")
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert len(list(container.decode(video=0))) == 5


@pytest.mark.parametrize(
    "name",
    [
        "concat:{0}|{0}",
        "file:{0}",
        "subfile,,start,0,,:{0}",
        "crypto:{0}",
        "pipe:0",
        "data:a,AAAA",
    ],
)
def test_names_that_ffmpeg_would_take_for_protocols_are_only_names(clip: Path, name: str) -> None:
    assert "no such file" in refusal(name.format(clip))


def test_addresses_that_are_no_camera_are_a_mistake_of_the_call(clip: Path) -> None:
    with pytest.raises(UsageError):
        open_source(f"file://{clip}")


# --- damage that is survived ------------------------------------------------------------------------------------------


def long_clip(tmp_path: Path, container_format: str, **options: str) -> Path:
    return write_video(
        tmp_path / f"whole.{container_format}",
        moving_pictures(100),
        container_format=container_format,
        codec_options=GOP,
        format_options=options,
    )


CONTAINERS = pytest.mark.parametrize(
    ("container_format", "options"),
    [
        ("mpegts", {}),
        ("matroska", {}),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("mp4", {"movflags": "faststart"}),
        ("avi", {}),
    ],
    ids=["mpegts", "matroska", "fmp4", "faststart", "avi"],
)


@CONTAINERS
def test_a_truncated_file_goes_on_to_its_end_and_says_so(
    tmp_path: Path, container_format: str, options: dict[str, str]
) -> None:
    whole = long_clip(tmp_path, container_format, **options)
    frames, flaws = read(whole)
    assert (len(frames), flaws) == (100, ())  # the control: nothing is noted of a whole one
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 6 // 10])
    frames, flaws = read(whole)
    assert 30 < len(frames) < 90
    # A transport stream is made to be cut anywhere: it has no length to fall short of.
    assert len(flaws) >= (0 if container_format == "mpegts" else 1)
    assert all("damaged" in flaw or "ends" in flaw for flaw in flaws)


def test_a_truncated_mp4_whose_index_is_lost_is_refused(clip: Path) -> None:
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    refusal(clip)


@CONTAINERS
def test_damage_in_the_middle_is_skipped_and_noted(
    tmp_path: Path, container_format: str, options: dict[str, str]
) -> None:
    whole = long_clip(tmp_path, container_format, **options)
    data = bytearray(whole.read_bytes())
    low, high = len(data) * 4 // 10, len(data) * 5 // 10
    data[low:high] = np.random.default_rng(1).integers(0, 256, high - low, np.uint8).tobytes()
    whole.write_bytes(bytes(data))
    frames, flaws = read(whole)
    assert len(frames) > 25
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert flaws
    assert any("damaged" in flaw or "no picture" in flaw for flaw in flaws)


@given(seed=st.integers(0, 2**32 - 1), holes=st.integers(1, 40))
@PROPERTY
def test_whatever_bytes_are_wrong_the_line_sees_frames_or_a_source_error(
    seed: int, holes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.getbasetemp() / "holes"
    folder.mkdir(exist_ok=True)
    whole = folder / "whole.mp4"
    if not whole.exists():
        encode_h264(moving_pictures(8, (64, 48)), whole, 25)
    data = np.frombuffer(whole.read_bytes(), np.uint8).copy()
    data[rng.integers(0, len(data), holes)] = rng.integers(0, 256, holes)
    (folder / "x.mp4").write_bytes(data.tobytes())
    try:
        frames, _flaws = read(folder / "x.mp4")
    except SourceError:
        return
    times = np.array([frame.pts_ns for frame in frames], np.int64)
    assert (np.diff(times) >= 0).all()


def test_the_disk_that_fails_midway_ends_the_video_and_says_so(tmp_path: Path) -> None:
    whole = long_clip(tmp_path, "mpegts")
    with open_source(str(whole)) as source:
        frames = source.frames()
        next(frames)
        os.truncate(whole, 0)  # what is open shrinks beneath it
        assert len(list(frames)) < 99


def test_a_file_that_changes_its_size_goes_on_through_the_line(
    app: App, portraits: dict[str, U8], tmp_path: Path
) -> None:
    parts = [
        write_video(tmp_path / f"{n}.ts", moving_pictures(10, size), container_format="mpegts", codec_options=GOP)
        for n, size in enumerate([(160, 120), (320, 240), (128, 96)])
    ]
    (tmp_path / "x.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, flaws = read(tmp_path / "x.ts")
    assert [frame.size_wh for frame in frames] == [(160, 120)] * 10 + [(320, 240)] * 10 + [(128, 96)] * 10
    assert all(frame.image_rgb.shape[1::-1] == frame.size_wh for frame in frames)
    assert [flaw.split(" at ")[0] for flaw in flaws if "size" in flaw] == [
        "picture size changes from 160x120 to 320x240",
        "picture size changes from 320x240 to 128x96",
    ]
    assert all(before.pts_ns <= after.pts_ns for before, after in pairwise(frames))
    with Watch(app, [str(tmp_path / "x.ts")], {"Ann": [portraits["obama-2"]]}, basis="consent") as watch:
        events = list(watch.events())
        assert watch.summary().frames_decoded == 30
    told = [event.what for event in events if isinstance(event, Flaw)]
    assert len(told) == len(events)
    assert told == list(flaws)


# --- times ------------------------------------------------------------------------------------------------------------


def stamped(pts: int | None, ticks_per_s: int = 1000) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts = pts
    frame.time_base = Fraction(1, ticks_per_s)
    return frame


def numbered(stamps: list[int | None], ticks_per_s: int = 1000) -> tuple[I64, tuple[str, ...]]:
    flaws = Flaws()
    numbering = FrameNumbering(origin(OriginKind.FILE, "x"), 25, flaws)
    times = [numbering.frame(stamped(pts, ticks_per_s), 0).pts_ns for pts in stamps]
    return np.array(times, np.int64), flaws.noted()


def test_negative_backward_missing_and_absurd_timestamps_give_times_that_never_run_backwards() -> None:
    ms = 1_000_000
    assert numbered([0, 40, 80])[0].tolist() == [0, 40 * ms, 80 * ms]
    assert numbered([0, 40, 80])[1] == ()
    assert numbered([-2000, -1960])[0].tolist() == [0, 40 * ms]
    assert numbered([None, None, None])[0].tolist() == [0, 40 * ms, 80 * ms]
    times, flaws = numbered([0, 40, 80, 0, 40])
    assert times.tolist() == [0, 40 * ms, 80 * ms, 120 * ms, 160 * ms]
    assert flaws == ("time runs backwards at 0.08 s",)
    times, flaws = numbered([0, 40, 1 << 62, (1 << 62) + 40])
    assert times.tolist() == [0, 40 * ms, 80 * ms, 120 * ms]
    assert flaws == ("time leaps at 0.04 s",)


@given(st.lists(st.one_of(st.none(), st.integers(-(1 << 63) + 1, (1 << 63) - 1), st.integers(-9000, 9000)), min_size=1))
@PROPERTY
def test_times_are_never_backwards_and_always_fit(stamps: list[int | None]) -> None:
    times, _flaws = numbered(stamps, 90_000)
    assert times[0] >= 0
    assert (np.diff(times) >= 0).all()


def test_a_file_that_is_damaged_throughout_does_not_fill_memory_with_its_story() -> None:
    _times, flaws = numbered([-(number % 2) * 40 for number in range(5000)])
    assert len(flaws) == 1001
    assert flaws[-1] == "and more"


def test_a_stream_that_is_back_goes_on_by_as_long_as_it_was_away() -> None:
    numbering = FrameNumbering(origin(OriginKind.FILE, "x"), 25, Flaws())
    numbering.restart()
    before = numbering.frame(stamped(5000), 0)
    numbering.restart()
    after = numbering.frame(stamped(100), 20 * NS_PER_S)
    later = numbering.frame(stamped(140), 20 * NS_PER_S)
    assert after.pts_ns - before.pts_ns == 20 * NS_PER_S
    assert later.pts_ns - after.pts_ns == 40_000_000


def test_negative_times_in_a_real_file(tmp_path: Path) -> None:
    stamps = [40 * number - 400 for number in range(20)]
    path = write_video(
        tmp_path / "n.mkv", moving_pictures(20), codec="mpeg4", container_format="matroska", times_ms=stamps
    )
    frames, _flaws = read(path)
    assert len(frames) == 20
    assert frames[0].pts_ns >= 0
    assert all(before.pts_ns < after.pts_ns for before, after in pairwise(frames))


# --- pixels -----------------------------------------------------------------------------------------------------------


def quadrants(size_wh: tuple[int, int]) -> np.ndarray:  # type: ignore[type-arg]
    """Red and green above, blue and grey below."""
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (200, 30, 30)
    image[: height // 2, width // 2 :] = (30, 200, 30)
    image[height // 2 :, : width // 2] = (30, 30, 200)
    image[height // 2 :, width // 2 :] = (128, 128, 128)
    return image


FORMATS = [
    ("libx264", "yuv420p", "mp4"),
    ("libx264", "yuvj420p", "mp4"),
    ("libx264", "yuv422p", "mp4"),
    ("libx264", "yuv444p", "mp4"),
    ("libx264", "yuv420p10le", "mp4"),
    ("libx264", "yuv422p10le", "mp4"),
    ("libx264rgb", "rgb24", "mp4"),
    ("png", "rgb24", "mov"),
    ("png", "rgba", "mov"),
    ("ffv1", "bgr0", "matroska"),
    ("ffv1", "yuv444p16le", "matroska"),
    ("mjpeg", "yuvj422p", "avi"),
    ("mpeg4", "yuv420p", "avi"),
    ("mpeg2video", "yuv422p", "mpegts"),
    ("rawvideo", "rgb555le", "avi"),
    ("libvpx-vp9", "yuv420p", "webm"),
]


@pytest.mark.parametrize(("codec", "pixel_format", "container_format"), FORMATS)
def test_every_pixel_format_keeps_its_colours(
    tmp_path: Path, codec: str, pixel_format: str, container_format: str
) -> None:
    image = quadrants((64, 48))
    quality = {"crf": "10"} if codec.startswith("lib") else {"b": "4M"}
    path = write_video(
        tmp_path / "x",
        [image] * 12,
        codec=codec,
        pixel_format=pixel_format,
        container_format=container_format,
        codec_options=quality,
    )
    frames, flaws = read(path)
    assert flaws == ()
    frame = frames[0]
    for x, y in [(16, 12), (48, 12), (16, 36), (48, 36)]:
        whole, part = frame.image_rgb[y, x], frame.picture.rgb((x, y, x + 1, y + 1), (1, 1))[0, 0]
        assert np.abs(whole.astype(int) - image[y, x]).max() <= 16, (x, y, whole)
        assert np.abs(part.astype(int) - image[y, x]).max() <= 16, (x, y, part)
    assert abs(int(frame.luma[36, 48]) - 128) <= 8


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "gray"), ("ffv1", "gray"), ("ffv1", "gray16le")])
def test_grey_video_stays_grey(tmp_path: Path, codec: str, pixel_format: str) -> None:
    ramp = np.repeat(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))[..., None], 3, axis=2)
    path = write_video(
        tmp_path / "x.mkv", [ramp] * 2, codec=codec, pixel_format=pixel_format, container_format="matroska",
        codec_options={"crf": "5"} if codec == "libx264" else {},
    )  # fmt: skip
    frame = read(path)[0][0]
    image = frame.image_rgb.astype(int)
    assert np.ptp(image, axis=2).max() <= 4
    assert np.abs(image[..., 0] - ramp[..., 0]).mean() < 12  # x264 forgets to say which range of grey it was given


@pytest.mark.parametrize("size_wh", [(641, 361), (16, 16), (17, 33), (2, 2), (1, 1)])
def test_odd_and_tiny_sizes(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    picture = np.ascontiguousarray(next(moving_pictures(1, (max(width, 16), max(height, 16))))[:height, :width])
    path = write_video(tmp_path / "x.mkv", [picture] * 2, codec="ffv1", container_format="matroska")
    frames, _ = read(path)
    assert frames[0].size_wh == size_wh
    whole = frames[0].image_rgb
    assert whole.shape == (height, width, 3)
    assert frames[0].luma.shape == (height, width)
    assert np.abs(whole.astype(int) - picture).mean() < 12
    corner = frames[0].picture.rgb((width - 1, height - 1, width, height), (1, 1))
    assert np.abs(corner[0, 0].astype(int) - whole[-1, -1]).max() <= 24
    assert frames[0].picture.rgb((0, 0, width, height), (8, 8)).shape == (8, 8, 3)


QUARTERS = {  # a, b, c, d of the display matrix; where red, above on the left as stored, is seen
    0: ((1, 0, 0, 1), (0, 0)),
    90: ((0, 1, -1, 0), (0, 1)),
    180: ((-1, 0, 0, -1), (1, 1)),
    270: ((0, -1, 1, 0), (1, 0)),
}


@pytest.mark.parametrize("clockwise", QUARTERS)
def test_a_phone_that_was_turned_shows_people_upright(tmp_path: Path, clockwise: int) -> None:
    path = tmp_path / "phone.mp4"
    encode_h264([quadrants((64, 48))] * 2, path, 25, crf=10)
    data = bytearray(path.read_bytes())
    where = data.index(b"tkhd") + 4 + 40  # the matrix of a version 0 track header
    matrix, (down, right) = QUARTERS[clockwise]
    a, b, c, d = (value << 16 for value in matrix)
    assert struct.unpack(">9i", data[where : where + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    data[where : where + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    frame = read(path)[0][0]
    width, height = frame.size_wh
    assert (width, height) == ((64, 48) if clockwise % 180 == 0 else (48, 64))
    x, y = width // 4 + right * width // 2, height // 4 + down * height // 2
    assert np.abs(frame.image_rgb[y, x].astype(int) - (200, 30, 30)).max() < 16
    assert frame.luma.shape == (height, width)


# --- closing ----------------------------------------------------------------------------------------------------------


def test_a_file_is_closed_while_another_thread_decodes_it(tmp_path: Path) -> None:
    path = long_clip(tmp_path, "matroska")
    for taken in (1, 7, 40):
        source = open_source(str(path))
        reached, ended = threading.Event(), threading.Event()

        def decode(source=source, taken=taken, reached=reached, ended=ended) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            for frame in source.frames():
                if frame.index == taken:
                    reached.set()
            ended.set()

        thread = threading.Thread(target=decode, daemon=True)
        thread.start()
        assert reached.wait(10)
        source.close()
        assert ended.wait(10)
        thread.join(10)


# --- pictures that are not looked at ----------------------------------------------------------------------------------


def decoded(path: Path, looks_hz: float) -> list[int]:
    with VideoFile(path, ManualClock(), looks_hz) as video:
        times = [frame.pts_ns for frame in video.frames()]
        assert video.flaws == ()
    return times


def test_pictures_on_which_no_other_depends_are_left_out_where_there_are_plenty(tmp_path: Path) -> None:
    path = tmp_path / "b.mp4"
    write_video(path, moving_pictures(50, SMALL_WH), codec_options={"g": "25", "bf": "3", "b_strategy": "0"})
    every = decoded(path, math.inf)
    some = decoded(path, 25 / 4)
    assert len(every) == 50
    assert len(some) <= 30
    assert set(some) <= set(every)
    assert max(later - earlier for earlier, later in pairwise(some)) <= 4 * NS_PER_S // 25
    assert decoded(path, 25 / 3) == every, "there are too few to leave any out"


def test_where_each_picture_depends_on_the_one_before_none_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "p.mp4"
    write_video(path, moving_pictures(50, SMALL_WH), codec_options=GOP)
    assert decoded(path, 1) == decoded(path, math.inf)


@pytest.mark.parametrize(("rate_hz", "between"), [(15, 16), (13, 7), (25, 16)])
def test_where_too_few_would_be_left_none_is_left_out_from_there_on(tmp_path: Path, rate_hz: int, between: int) -> None:
    path = tmp_path / "b.mp4"
    options = {"g": "100", "bf": str(between), "b_strategy": "0", "x264-params": "b-pyramid=none"}
    write_video(path, moving_pictures(6 * rate_hz, SMALL_WH), codec_options=options, rate_hz=rate_hz)
    every, some = decoded(path, math.inf), decoded(path, 3.125)
    assert set(some) <= set(every)
    gaps = [index for index, (earlier, later) in enumerate(pairwise(some)) if later - earlier > NS_PER_S / 3.125]
    assert len(gaps) == 1, "the one by which it was seen"
    assert gaps[0] < 3
    assert len(every) - len(some) <= 2 * between + 2
