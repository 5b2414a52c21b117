"""Packets into parts: whatever a camera sends, all parts written so far play, and segments begin where they may."""

import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cameras import moving_pictures, write_video

from habeas.errors import SourceError
from habeas.types import HOUR_NS, NS_PER_S
from habeas.video.edge import Flaws
from habeas.video.parts import PART_NS, SEGMENT_NS, Part
from habeas.video.remux import Remux, nal_units, picture_of

RATE = 25
START = 1_000 * HOUR_NS


def packets(path: Path, seconds: float = 0) -> Iterator[tuple["av.Packet[av.VideoStream]", int]]:
    """Yield packets with the time at which a camera would have sent them."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.dts is not None:
                yield packet, START + round((float(packet.dts * packet.time_base) + seconds) * NS_PER_S)


def stream_of(path: Path) -> "av.VideoStream":
    return av.open(str(path)).streams.video[0]


def remuxed(path: Path, flaws: Flaws | None = None) -> list[Part]:
    remux = Remux(stream_of(path), "gate", flaws or Flaws(), itertools.count())
    parts = [part for packet, at_ns in packets(path) for part in remux.take(packet, at_ns)]
    return parts + list(remux.finish())


def by_segment(parts: list[Part]) -> dict[int, list[Part]]:
    found: dict[int, list[Part]] = {}
    for part in parts:
        found.setdefault(part.segment, []).append(part)
    return found


def pictures(parts: list[Part]) -> int:
    """How many pictures a player gets of these parts."""
    with av.open(io.BytesIO(b"".join(part.data for part in parts))) as container:
        return sum(1 for _ in container.decode(video=0))


def film(path: Path, seconds: int, codec: str = "libx264", **options: str) -> Path:
    given_ = {"g": str(2 * RATE), "preset": "ultrafast", "bf": "0", **options}
    return write_video(path, moving_pictures(seconds * RATE), codec=codec, codec_options=given_)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "long.mp4", 130)


def test_a_stream_becomes_segments_that_each_play_alone(long: Path) -> None:
    segments = by_segment(remuxed(long))
    assert list(segments) == [0, 1, 2]
    assert sum(map(pictures, segments.values())) == 130 * RATE
    for number, parts in segments.items():
        assert [part.index for part in parts] == list(range(len(parts)))
        assert parts[0].lasts_ns == 0
        assert parts[0].data[4:8] == b"ftyp"
        assert {(part.codec, part.size_wh) for part in parts} == {("h264", (160, 120))}
        assert parts[0].captured_at_ns == START + number * SEGMENT_NS
        assert sum(part.lasts_ns for part in parts) == pytest.approx(SEGMENT_NS if number < 2 else 10 * NS_PER_S, 1e-3)
        assert max(part.lasts_ns for part in parts) <= PART_NS + NS_PER_S // RATE
        later = [part.captured_at_ns for part in parts[1:]]
        assert later == sorted(later)


def test_all_parts_before_a_crash_play(long: Path) -> None:
    first = by_segment(remuxed(long))[0]
    for count in (2, 3, 30):
        played = pictures(first[:count])
        assert (count - 1) * RATE * 0.9 <= played <= (count - 1) * (RATE + 1)


def test_another_hour_is_another_segment(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 10)
    remux = Remux(stream_of(path), "gate", Flaws(), itertools.count())
    parts = [part for packet, at_ns in packets(path, 3600 - 5) for part in remux.take(packet, at_ns)]
    segments = by_segment([*parts, *remux.finish()])
    assert [part[0].captured_at_ns // HOUR_NS for part in segments.values()] == [1000, 1001]
    assert sum(map(pictures, segments.values())) == 10 * RATE


def test_h265_is_tagged_as_browsers_play_it(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 4, "libx265", **{"x265-params": "log-level=none:bframes=0:keyint=25"})
    parts = remuxed(path)
    assert {part.codec for part in parts} == {"hevc"}
    assert pictures(parts) == 4 * RATE
    assert b"hvc1" in parts[0].data
    assert b"hev1" not in parts[0].data


def test_an_open_group_of_pictures_is_not_cut(tmp_path: Path) -> None:
    """Key pictures are every second; only the first is an IDR picture."""
    params = {"x264-params": "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=2"}
    path = film(tmp_path / "open.mp4", 70, bf="2", **params)
    keys = [packet for packet, _ in packets(path) if packet.is_keyframe]
    begins = [picture_of(bytes(packet), "h264", lengths=True).begins for packet in keys]
    assert len(keys) >= 60
    assert begins == [True] + [False] * (len(keys) - 1), "the control: it is such a film"
    assert len(by_segment(remuxed(path))) == 1


def test_a_camera_without_idr_pictures_is_recorded_after_a_while(tmp_path: Path) -> None:
    params = {"x264-params": "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=2"}
    path = film(tmp_path / "open.mp4", 150, bf="2", **params)
    flaws = Flaws()
    segments = by_segment(remuxed(path, flaws))
    assert len(segments) == 2
    remux = Remux(stream_of(path), "gate", flaws, itertools.count())
    joined = [pair for pair in packets(path) if pair[1] > START + NS_PER_S]
    parts = [part for packet, at_ns in joined for part in remux.take(packet, at_ns)]
    assert parts[0].captured_at_ns - START == pytest.approx(61 * NS_PER_S, abs=2 * NS_PER_S)
    assert flaws.noted() == ("it sends no IDR pictures: segments of the recording begin with others",)


@pytest.mark.parametrize("jump_s", [-3600, -2, 11, 86_400])
def test_time_that_jumps_ends_the_segment_and_the_next_begins_where_it_may(tmp_path: Path, jump_s: int) -> None:
    path = film(tmp_path / "a.mp4", 22)
    flaws, parts = Flaws(), list[Part]()
    remux = Remux(stream_of(path), "gate", flaws, itertools.count())
    for number, (packet, at_ns) in enumerate(packets(path)):
        if number >= 13 * RATE:  # in the middle of a group of pictures
            jumped = round(jump_s / packet.time_base)
            packet.pts, packet.dts = (packet.pts or 0) + jumped, (packet.dts or 0) + jumped
        parts += remux.take(packet, at_ns)
    segments = by_segment([*parts, *remux.finish()])
    assert [pictures(own) for own in segments.values()] == [13 * RATE, 8 * RATE]
    assert flaws.noted() == ("the stream's time jumped: a segment of the recording ended early",)


def test_a_camera_whose_time_jumps_with_each_picture_makes_few_segments(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 31, g="1")
    flaws, parts = Flaws(), list[Part]()
    remux = Remux(stream_of(path), "gate", flaws, itertools.count())
    for number, (packet, at_ns) in enumerate(packets(path)):
        jumped = round(number * 60 / packet.time_base)
        packet.pts, packet.dts = (packet.pts or 0) + jumped, (packet.dts or 0) + jumped
        parts += remux.take(packet, at_ns)
    segments = by_segment([*parts, *remux.finish()])
    began_s = [(own[0].captured_at_ns - START) / NS_PER_S for own in segments.values()]
    assert began_s == [0, 10, 20, 30]
    assert sum(flaw.startswith("it begins anew within seconds") for flaw in flaws.noted()) == 1


def test_another_hour_begins_at_once_however_soon(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6, g="25")
    remux = Remux(stream_of(path), "gate", Flaws(), itertools.count())
    parts = [part for packet, at_ns in packets(path, 3600 - 3) for part in remux.take(packet, at_ns)]
    segments = by_segment([*parts, *remux.finish()])
    assert sum(map(pictures, segments.values())) == 6 * RATE


def test_another_time_base_is_a_jump(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 16)
    remux, parts = Remux(stream_of(path), "gate", Flaws(), itertools.count()), list[Part]()
    for number, (packet, at_ns) in enumerate(packets(path)):
        if number >= 12 * RATE:
            ratio = packet.time_base / Fraction(1, 90_000)
            packet.pts, packet.dts = int((packet.pts or 0) * ratio), int((packet.dts or 0) * ratio)
            packet.time_base = Fraction(1, 90_000)
        parts += remux.take(packet, at_ns)
    segments = by_segment([*parts, *remux.finish()])
    assert [pictures(own) for own in segments.values()] == [12 * RATE, 4 * RATE]
    assert sum(part.lasts_ns for part in segments[1]) == pytest.approx(4 * NS_PER_S, rel=1e-2)


def test_packets_without_times_are_left_out_and_those_with_one_follow(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 4)
    remux, parts = Remux(stream_of(path), "gate", Flaws(), itertools.count()), list[Part]()
    for number, (packet, at_ns) in enumerate(packets(path)):
        if number % 10 == 3:
            packet.dts = None
        if number == 99:
            packet.pts = packet.dts = None
        parts += remux.take(packet, at_ns)
    assert pictures([*parts, *remux.finish()]) == 4 * RATE - 1


def test_what_is_neither_codec_is_not_recorded(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.avi", list(moving_pictures(3)), container_format="avi", codec="mjpeg", pixel_format="yuvj420p"
    )
    with pytest.raises(SourceError, match="mjpeg is not recorded"):
        Remux(stream_of(path), "gate", Flaws(), itertools.count())


def test_a_segment_without_any_picture_of_its_own_is_none(tmp_path: Path) -> None:
    remux = Remux(stream_of(film(tmp_path / "a.mp4", 1)), "gate", Flaws(), itertools.count())
    assert list(remux.finish()) == []


@given(
    st.lists(st.binary(min_size=1, max_size=600).filter(lambda unit: b"\x00\x00" not in unit and unit[-1:] != b"\x00"))
)
def test_nal_units_are_what_was_put_together(units: list[bytes]) -> None:
    with_codes = b"".join(b"\x00\x00\x00\x01" + unit for unit in units)
    with_lengths = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    assert list(nal_units(with_codes, lengths=False)) == units
    assert list(nal_units(with_lengths, lengths=True)) == units


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_something(data: bytes) -> None:
    for codec in ("h264", "hevc"):
        for lengths in (False, True):
            picture_of(data, codec, lengths=lengths)
