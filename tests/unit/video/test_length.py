"""How long a file is, whatever its header and its times say."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cameras import moving_pictures, write_video

from habeas.clock import ManualClock, SystemClock
from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S
from habeas.video.length import Length, read_length


def length(path: Path, clock: Clock | None = None) -> Length:
    return read_length(path, clock or SystemClock(), 60.0)


@pytest.mark.parametrize(
    ("container_format", "codec", "name"),
    [
        ("mp4", "libx264", "a.mp4"),
        ("matroska", "libx264", "a.mkv"),
        ("avi", "mpeg4", "a.avi"),
        ("mpegts", "h264", "a.ts"),
    ],
)
def test_a_file_is_as_long_as_its_pictures(tmp_path: Path, container_format: str, codec: str, name: str) -> None:
    path = write_video(tmp_path / name, moving_pictures(75), container_format=container_format, codec=codec, rate_hz=25)
    found = length(path)
    assert found.packets == 75
    assert 3 <= found.lasts_ns / NS_PER_S <= 3
    assert found.lasts_ns % NS_PER_S == 0


def test_pictures_that_are_far_apart_are_as_long_as_their_times(tmp_path: Path) -> None:
    times_ms = [0, 40, 3_600_000, 3_600_040]
    path = write_video(tmp_path / "a.mkv", moving_pictures(4), container_format="matroska", times_ms=times_ms)
    assert 3600 <= length(path).lasts_ns / NS_PER_S <= 3601


def test_a_stream_whose_times_begin_anew_is_as_long_as_both_parts(tmp_path: Path) -> None:
    one = write_video(tmp_path / "a.ts", moving_pictures(500), container_format="mpegts", codec="h264", rate_hz=25)
    both = tmp_path / "b.ts"
    both.write_bytes(one.read_bytes() * 2)
    assert 40 <= length(both).lasts_ns / NS_PER_S <= 41


@pytest.mark.rule("D8")
def test_times_that_leap_by_days_are_a_picture_each(tmp_path: Path) -> None:
    times_ms = [0, 40, 4 * 86_400_000, 4 * 86_400_000 + 40]
    path = write_video(tmp_path / "a.mkv", moving_pictures(4), container_format="matroska", times_ms=times_ms)
    assert length(path).lasts_ns / NS_PER_S <= 1


def cut(path: Path) -> bytes:
    return path.read_bytes()[:-500]


def header(path: Path) -> bytes:
    return path.read_bytes()[:600]


@pytest.mark.rule("D8")
@pytest.mark.parametrize(
    "content", [lambda _path: b"", lambda _path: b"no video at all" * 999, cut, header, lambda _path: bytes(100_000)]
)
def test_what_is_no_video_or_holds_no_picture_is_refused(tmp_path: Path, content: Callable[[Path], bytes]) -> None:
    whole = write_video(tmp_path / "whole.mp4", moving_pictures(25))  # the index is at its end
    path = tmp_path / "broken"
    path.write_bytes(content(whole))
    with pytest.raises(SourceError):
        length(path)


@pytest.mark.rule("D8")
def test_a_file_whose_pictures_are_noise_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", moving_pictures(25), container_format="avi", codec="mpeg4")
    data = bytearray(path.read_bytes())
    begin = data.index(b"movi") + 4
    for at in range(begin, len(data)):
        if data[at : at + 4] == b"00dc":
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            data[at + 8 : at + 8 + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    with pytest.raises(SourceError, match="no picture"):
        length(path)


@pytest.mark.rule("D8")
def test_what_takes_too_long_to_read_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_pictures(25))

    class Slow(ManualClock):
        """Each look at it takes a second."""

        def monotonic_ns(self) -> int:
            self.advance(NS_PER_S)
            return super().monotonic_ns()

    assert read_length(path, Slow(), 60.0).packets == 25, "the control"
    with pytest.raises(SourceError, match="too long"):
        read_length(path, Slow(), 5.0)


@pytest.mark.rule("D8")
def test_more_pictures_than_its_time_holds_are_refused(tmp_path: Path) -> None:
    """Each is looked at: a second of millions would take days."""
    few, many = moving_pictures(600), moving_pictures(900)
    same = {"container_format": "matroska"}
    fine = write_video(tmp_path / "few.mkv", few, times_ms=[0] * 2 + list(range(1, 599)), **same)
    assert length(fine).packets == 600, "the control"
    crowded = write_video(tmp_path / "many.mkv", many, times_ms=[number // 9 for number in range(900)], **same)
    with pytest.raises(SourceError, match="more pictures"):
        length(crowded)
