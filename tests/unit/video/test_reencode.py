"""Masks in what is recorded: solid in every picture, at the times of the stream, and nothing where it is damaged."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.cameras import moving_pictures, write_video

from habeas.errors import SourceError
from habeas.types import HOUR_NS, NS_PER_S, U8
from habeas.video.edge import Flaws
from habeas.video.masks import GREY, Mask
from habeas.video.parts import PART_NS, SEGMENT_NS, Part
from habeas.video.reencode import Covered, Covering, Encoding, Waiting, reencode_file
from habeas.video.remux import nal_units, remux_file

RATE = 25
START = 1_000 * HOUR_NS + HOUR_NS // 2
LEFT = Mask(0.0, 0.25, 0.5, 0.75)
SIZE_WH = (160, 120)
UNDAMAGED = "it cannot be decoded: nothing is recorded until a picture that stands alone"
Harm = Callable[[int, "av.Packet[av.VideoStream]"], "av.Packet[av.VideoStream] | None"]


def film(path: Path, images: Iterator[U8] | Sequence[U8], **options: str) -> Path:
    given = {"g": str(2 * RATE), "preset": "ultrafast", "bf": "0", **options}
    return write_video(path, list(images), codec_options=given)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds in which everything that moves passes under the mask; a key picture every 300."""
    return film(tmp_path_factory.mktemp("films") / "street.mp4", moving_pictures(12 * RATE), g="300")


def unharmed(_number: int, packet: "av.Packet[av.VideoStream]") -> "av.Packet[av.VideoStream] | None":
    return packet


def covered(path: Path, flaws: Flaws, masks: Sequence[Mask] = (LEFT,), harm: Harm = unharmed) -> Iterator[Covered]:
    """Yield the pictures of a film whose packets come at their times, some of them harmed."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        covering = Covering(stream, "gate", masks, flaws)
        for number, packet in enumerate(container.demux(stream)):
            came = harm(number, packet)
            if came is not None:
                at_ns = START + round(float((packet.dts or 0) * (packet.time_base or 0)) * NS_PER_S)
                yield from covering.take(came, at_ns)


def encoded(pictures: Iterator[Covered], flaws: Flaws) -> list[Part]:
    encoding = Encoding("gate", flaws)
    parts = [part for picture in pictures for part in encoding.take(picture)]
    return parts + list(encoding.finish())


def played(parts: Sequence[Part]) -> list[av.VideoFrame]:
    """Return what a player shows of a segment."""
    with av.open(io.BytesIO(b"".join(part.data for part in parts))) as container:
        return list(container.decode(video=0))


def segments(parts: Sequence[Part]) -> list[list[Part]]:
    numbers = sorted({part.segment for part in parts})
    return [[part for part in parts if part.segment == number] for number in numbers]


def under(frame: av.VideoFrame, mask: Mask = LEFT) -> tuple[U8, U8]:
    """Return the brightness and the colours under a mask, of a 4:2:0 picture."""
    x0, y0, x1, y1 = mask.box_xyxy_px((frame.width, frame.height))
    planes = frame.to_ndarray(format="yuv420p")
    chroma = planes[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
    return planes[y0:y1, x0:x1], chroma[:, y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]


def spread(frame: av.VideoFrame) -> int:
    """Return how far what is under the mask is from grey, in steps of 256; next to its edge x264 blurs a little."""
    luma, chroma = under(frame)
    inner = luma[4:-4, 4:-4].astype(int), chroma[:, 2:-2, 2:-2].astype(int)
    return int(max(abs(inner[0] - GREY).max(), abs(inner[1] - 128).max()))


@pytest.mark.rule("T14")
def test_masks_are_solid_in_every_picture_of_what_is_encoded_anew(street: Path) -> None:
    frames = played(list(reencode_file(street, [LEFT])))
    assert len(frames) == 12 * RATE
    assert max(map(spread, frames)) <= 2
    assert all(under(frame, Mask(0.6, 0.25, 0.9, 0.75))[0].std() > 5 for frame in frames), "the rest is to be seen"
    assert min(map(spread, played(list(remux_file(street))))) > 20, "the control: as it comes, all is to be seen"


@pytest.mark.rule("T14")
def test_what_is_recorded_does_not_depend_on_what_is_under_a_mask(tmp_path: Path) -> None:
    """Two films that differ under the mask alone, without loss, become the same bytes."""
    x0, y0, x1, y1 = 16, 32, 64, 80
    mask = Mask(x0 / 160, y0 / 120, x1 / 160, y1 / 120)
    one = list(moving_pictures(3 * RATE))
    other = [image.copy() for image in one]
    for number, image in enumerate(other):
        image[y0:y1, x0:x1] = np.random.default_rng(number).integers(0, 255, (y1 - y0, x1 - x0, 3))
    films = [film(tmp_path / f"{number}.mp4", images, qp="0") for number, images in enumerate((one, other))]

    def kept(masks: Sequence[Mask]) -> list[bytes]:
        return [b"".join(part.data for part in reencode_file(path, masks)) for path in films]

    first, second = kept([mask])
    assert first == second
    first, second = kept([replace(mask, x1=mask.x1 - 8 / 160)])
    assert first != second, "the control: a mask that leaves some of it out"


@pytest.mark.parametrize("rate_hz", [3, 25, 60])
def test_a_picture_stands_alone_every_two_seconds(tmp_path: Path, rate_hz: int) -> None:
    path = write_video(
        tmp_path / "a.mp4", moving_pictures(9 * rate_hz), codec_options={"g": "1000", "bf": "0"}, rate_hz=rate_hz
    )
    keys_s = [frame.time for frame in played(list(reencode_file(path, [LEFT]))) if frame.key_frame]
    assert len(keys_s) >= 5
    assert max(np.diff([time or 0.0 for time in keys_s])) <= 2.0 + 1e-6


@pytest.mark.parametrize("bf", ["0", "2"])
def test_pictures_have_the_times_that_they_have_without_it(tmp_path: Path, bf: str) -> None:
    path = film(tmp_path / "a.mp4", moving_pictures(5 * RATE), bf=bf)
    plain, anew = list(remux_file(path)), encoded(covered(path, Flaws()), Flaws())
    times = [[frame.time for frame in played(parts)] for parts in (plain, anew)]
    zero_s = times[0][0] or 0.0  # pictures that others come before begin later
    assert times[1] == pytest.approx([(time or 0.0) - zero_s for time in times[0]], abs=1e-4)
    assert [part.lasts_ns for part in anew[1:]] == pytest.approx([PART_NS] * (len(anew) - 1), abs=2 * NS_PER_S // RATE)
    assert anew[0].captured_at_ns == START - int(bf) * NS_PER_S // RATE, "when its packet came"
    later_ns = [part.captured_at_ns - START for part in anew[1:]]
    assert later_ns == pytest.approx([number * PART_NS for number in range(len(later_ns))], abs=2 * NS_PER_S // RATE)


def test_segments_end_as_those_that_are_recorded_as_they_come(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", moving_pictures(65 * RATE, (64, 48)), g="1000")
    first, second = segments(list(reencode_file(path, [LEFT])))
    assert len(played(first)) + len(played(second)) == 65 * RATE
    assert sum(part.lasts_ns for part in first) == pytest.approx(SEGMENT_NS, rel=1e-3)
    assert played(second)[0].key_frame


def test_all_parts_before_a_crash_play(street: Path) -> None:
    parts = list(reencode_file(street, [LEFT]))
    for count in (2, 3, len(parts)):
        frames = played(parts[:count])
        assert len(frames) >= (count - 1) * RATE * 0.9
        assert max(map(spread, frames)) <= 2


# --- streams that are damaged -----------------------------------------------------------------------------------------


def cut(packet: "av.Packet[av.VideoStream]") -> "av.Packet[av.VideoStream]":
    """Return a packet of which the second half is missing."""
    return like(packet, bytes(packet)[: packet.size // 2])


def like(packet: "av.Packet[av.VideoStream]", data: bytes) -> "av.Packet[av.VideoStream]":
    """Return other bytes in place of a packet."""
    made = av.Packet(data)
    made.pts, made.dts, made.time_base, made.stream = packet.pts, packet.dts, packet.time_base, packet.stream
    return made


@pytest.mark.rule("T14")
def test_what_cannot_be_decoded_is_not_recorded_nor_what_needs_it(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", moving_pictures(6 * RATE), g="50")
    flaws = Flaws()
    pictures = list(covered(path, flaws, harm=lambda number, packet: cut(packet) if number == 60 else packet))
    assert times_of(pictures) == [*range(60), *range(100, 150)]
    assert [number for number, picture in enumerate(pictures) if picture.lost] == [60]
    assert flaws.noted() == (UNDAMAGED,)
    whole = len(list(covered(path, Flaws())))
    assert whole == 6 * RATE, "the control: without damage nothing is left out"


@pytest.mark.rule("T14")
@pytest.mark.parametrize("lost", [1, 8, 15, 16, 17, 32])
def test_nothing_follows_a_picture_that_did_not_come(tmp_path: Path, lost: int) -> None:
    """FFmpeg takes another one for it: what moved out from under a mask would be drawn by guess."""
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(6 * RATE), g="50"), Flaws()
    pictures = list(covered(path, flaws, harm=lambda number, packet: None if 60 <= number < 60 + lost else packet))
    assert times_of(pictures) == [*range(60), *range(100, 150)]
    assert [number for number, picture in enumerate(pictures) if picture.lost] == [60]
    assert flaws.noted() == (UNDAMAGED,)


@pytest.mark.rule("T14")
def test_nothing_follows_a_picture_that_stands_alone_and_did_not_come(tmp_path: Path) -> None:
    """The number of the next one is as if nothing were missing: 17 is 1, of 16."""
    path = film(tmp_path / "a.mp4", moving_pictures(6 * RATE), g="17", **{"x264-params": "scenecut=0"})
    pictures = list(covered(path, Flaws(), harm=lambda number, packet: None if number == 68 else packet))
    assert times_of(pictures) == [*range(68), *range(85, 150)]


@pytest.mark.rule("T14")
@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_picture_of_which_a_part_did_not_come_is_not_recorded_nor_what_needs_it(tmp_path: Path, lost: int) -> None:
    """FFmpeg shows there what it has at hand: of another picture, and from under a mask, too."""
    options = {"g": "50", "x264-params": "slices=4:scenecut=0"}
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(6 * RATE, (160, 256)), **options), Flaws()
    for at in (50, 60):
        harmed = covered(
            path, flaws, harm=lambda number, packet, at=at: sliced(packet, lost) if number == at else packet
        )  # type: ignore[misc]
        assert times_of(list(harmed)) == [*range(at), *range(100, 150)]
    assert flaws.noted() == (UNDAMAGED,)
    assert len(list(covered(path, Flaws()))) == 6 * RATE, "the control"


def times_of(pictures: Sequence[Covered]) -> list[int]:
    """Return which pictures of a film came."""
    return [(picture.captured_at_ns - START) * RATE // NS_PER_S for picture in pictures]


def sliced(packet: "av.Packet[av.VideoStream]", lost: int) -> "av.Packet[av.VideoStream]":
    """Return a packet without one of its slices."""
    units = list(nal_units(bytes(packet), lengths=True))
    dead = [unit for unit in units if unit[0] & 0x1F in {1, 5}][lost]
    return like(packet, b"".join(len(unit).to_bytes(4, "big") + unit for unit in units if unit is not dead))


@pytest.mark.rule("T14")
@pytest.mark.parametrize(("codec", "container_format"), [("libx265", "mp4"), ("mjpeg", "avi"), ("mpeg4", "mp4")])
def test_nothing_is_recorded_of_a_codec_whose_damage_is_not_found(
    tmp_path: Path, codec: str, container_format: str
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_video(
        tmp_path / "a",
        moving_pictures(RATE),
        codec=codec,
        pixel_format="yuvj420p" if codec == "mjpeg" else "yuv420p",
        container_format=container_format,
        codec_options=options,
    )
    with pytest.raises(SourceError, match=r"is not found, so that it is not encoded anew: set the camera to H\.264"):
        list(reencode_file(path, [LEFT]))


@pytest.mark.rule("T14")
def test_what_a_decoder_still_holds_back_is_no_base_for_what_follows_damage(tmp_path: Path) -> None:
    """The key picture is given out after the damage of the packet behind it: what comes then needs what is lost."""
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(6 * RATE), g="50", bf="2", preset="medium"), Flaws()
    keys = [number for number, (key, _) in enumerate(kinds_of(path)) if key]
    lost = next(number for number, (_, needed) in enumerate(kinds_of(path)) if number > keys[1] and needed)
    times = times_of(list(covered(path, flaws, harm=lambda number, packet: None if number == lost else packet)))
    assert max(at for at in times if at < keys[2] - 3) <= keys[1]
    assert len([at for at in times if at >= keys[2] - 3]) >= 45
    assert flaws.noted() == (UNDAMAGED,)


def kinds_of(path: Path) -> list[tuple[bool, bool]]:
    """Return of each packet whether it is a key picture, and whether others need it."""
    with av.open(str(path)) as container:
        packets = [(packet.is_keyframe, bytes(packet)) for packet in container.demux(video=0) if packet.size]
    units = [(key, list(nal_units(data, lengths=True))) for key, data in packets]
    return [(key, any(unit[0] & 0x60 and unit[0] & 0x1F in {1, 5} for unit in own)) for key, own in units]


@pytest.mark.rule("T14")
def test_what_is_missing_within_a_segment_no_part_says_but_the_flaws(tmp_path: Path) -> None:
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(6 * RATE), g="50"), Flaws()
    (parts,) = segments(encoded(covered(path, flaws, harm=lambda at, packet: None if at == 60 else packet), flaws))
    assert {part.lost for part in parts} == {""}
    assert flaws.noted() == (UNDAMAGED,)


@pytest.mark.rule("T14")
def test_a_longer_gap_ends_the_segment_and_the_next_says_why(tmp_path: Path) -> None:
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(24 * RATE), g="100"), Flaws()
    harmed = covered(path, flaws, harm=lambda number, packet: cut(packet) if number == 302 else packet)
    first, second = segments(encoded(harmed, flaws))
    assert (len(played(first)), len(played(second))) == (302, 200)
    assert (first[0].lost, second[0].lost) == ("", "damaged")
    assert {part.lost for part in (*first[1:], *second[1:])} == {""}
    assert second[0].captured_at_ns == START + 16 * NS_PER_S


@pytest.mark.rule("T14")
def test_of_a_stream_that_cannot_be_decoded_nothing_is_recorded(tmp_path: Path) -> None:
    """Without its key pictures: the packets are well formed, and no decoder makes pictures of them."""
    path, flaws = film(tmp_path / "a.mp4", moving_pictures(4 * RATE), g="1000"), Flaws()
    headless = covered(path, flaws, harm=lambda number, packet: packet if number else None)
    assert encoded(headless, flaws) == []
    assert flaws.noted() == (UNDAMAGED,)
    assert len(list(remux_file(path))) > 3, "the control: there are packets that could be recorded as they come"


def test_a_camera_that_keeps_sending_rubbish_is_told_once(street: Path) -> None:
    flaws = Flaws()

    def rubbish(number: int, packet: "av.Packet[av.VideoStream]") -> "av.Packet[av.VideoStream]":
        return like(packet, np.random.default_rng(number).bytes(200))

    assert list(covered(street, flaws, harm=rubbish)) == []
    assert flaws.noted() == (UNDAMAGED,)


# --- streams of other kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv420p10le", "gray"])
def test_whatever_h264_becomes_h264_of_the_same_colours(tmp_path: Path, pixel_format: str) -> None:
    path = write_video(
        tmp_path / "a.mp4", moving_pictures(RATE), pixel_format=pixel_format, codec_options={"qp": "10", "bf": "0"}
    )
    parts = list(reencode_file(path, [LEFT]))
    assert {(part.codec, part.size_wh) for part in parts} == {("h264", SIZE_WH)}
    frames = played(parts)
    assert max(map(spread, frames)) <= 2
    with av.open(str(path)) as container:
        before = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    after = [frame.to_ndarray(format="rgb24") for frame in frames]
    assert len(before) == len(after)
    off = [abs(one[:, 100:].astype(int) - other[:, 100:]).mean() for one, other in zip(before, after, strict=True)]
    assert max(off) < 5


def test_a_picture_is_turned_as_it_is_meant_to_be_seen_and_masked_there(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", moving_pictures(5))
    with av.open(str(path)) as container:
        (decoded, *_) = list(container.decode(video=0))
        covering = Covering(container.streams.video[0], "gate", [LEFT], Flaws())
        plain = covering._painted(decoded)
        turned = covering._painted(Turned(decoded))  # type: ignore[arg-type]
    assert (plain.width, plain.height) == SIZE_WH
    assert (turned.width, turned.height) == SIZE_WH[::-1]
    assert spread(turned) == spread(plain) == 0


class Turned:
    """A decoded picture whose stream says that it lies on its side."""

    rotation = 90

    def __init__(self, decoded: av.VideoFrame) -> None:
        self._decoded = decoded

    def __getattr__(self, name: str) -> object:
        return getattr(self._decoded, name)


def picture(number: int, size_wh: tuple[int, int] = SIZE_WH, *, tick: Fraction = Fraction(1, RATE)) -> Covered:
    frame = av.VideoFrame(*size_wh, "yuv420p")
    for plane in frame.planes:
        np.frombuffer(memoryview(plane), np.uint8)[:] = 100
    frame.pts, frame.time_base = number, tick
    return Covered(frame, number * NS_PER_S // RATE)


def test_other_sizes_begin_another_segment_and_not_too_often() -> None:
    kinds = [SIZE_WH] * 300 + [(64, 48)] * 100 + [SIZE_WH] * 300
    pictures = (picture(number, size_wh) for number, size_wh in enumerate(kinds))
    flaws = Flaws()
    parts = segments(encoded(pictures, flaws))
    assert [own[0].size_wh for own in parts] == [SIZE_WH, (64, 48), SIZE_WH]
    assert [own[0].captured_at_ns // NS_PER_S for own in parts] == [0, 12, 22], "ten seconds apart"
    assert [len(played(own)) for own in parts] == [300, 100, 150]
    assert flaws.noted() == ("it begins anew within seconds: some of it is not recorded",)


@pytest.mark.parametrize("jump", [-500, 500])
def test_time_that_jumps_begins_another_segment(jump: int) -> None:
    numbers = [*range(300), *range(300 + jump, 600 + jump)]
    pictures = [replace(picture(at), captured_at_ns=came * NS_PER_S // RATE) for came, at in enumerate(numbers)]
    first, second = segments(encoded(iter(pictures), Flaws()))
    assert (len(played(first)), len(played(second))) == (300, 300)
    assert second[0].captured_at_ns == 12 * NS_PER_S


def test_pictures_without_a_time_or_with_a_former_one_follow_the_last() -> None:
    pictures = [picture(number) for number in range(60)]
    for one in (10, 11, 40):
        pictures[one].frame.pts = None
    pictures[30].frame.pts = 29
    pictures[31].frame.pts = 28
    (parts,) = segments(encoded(iter(pictures), Flaws()))
    times = [frame.pts or 0 for frame in played(parts)]
    assert len(times) == 60
    assert all(np.diff(times) > 0)


# --- between reader and encoder ---------------------------------------------------------------------------------------


@pytest.mark.rule("T14")
def test_a_slow_encoder_loses_the_oldest_pictures_which_are_counted() -> None:
    waiting = Waiting()
    for number in range(30):
        waiting.put(picture(number))
    waiting.end()
    came = [one for one in waiting if one is not None]
    assert [one.frame.pts for one in came] == list(range(5, 30))
    assert (waiting.pictures, waiting.dropped) == (30, 5)
    assert [one.lost for one in came] == ["overload"] + [""] * 24


def test_of_large_pictures_fewer_wait() -> None:
    waiting = Waiting()
    for number in range(5):
        waiting.put(picture(number, (7680, 4320)))
    waiting.end()
    assert [one.frame.pts for one in waiting if one is not None] == [4]


def test_the_end_of_a_connection_is_not_dropped() -> None:
    waiting = Waiting()
    waiting.put(picture(0))
    waiting.put(None)
    for number in range(1, 40):
        waiting.put(picture(number))
    waiting.end()
    came = list(waiting)
    assert came[0] is None
    assert len(came) == 26
    assert waiting.dropped == 15


def test_whoever_encodes_waits_for_what_comes() -> None:
    waiting, came = Waiting(), list[Covered | None]()
    encoder = threading.Thread(target=lambda: came.extend(waiting))
    encoder.start()
    for number in range(3):
        waiting.put(picture(number))
    waiting.put(None)
    waiting.end()
    encoder.join(20)
    assert [one and one.frame.pts for one in came] == [0, 1, 2, None]
