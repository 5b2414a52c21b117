"""Pictures that are missing: told by the numbers of those that follow, whatever the encoder, and of any headers."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from tests.cameras import moving_pictures, write_video

from habeas.video.references import References
from habeas.video.remux import nal_units

RATE = 25
KINDS: dict[str, dict[str, str]] = {
    "plain": {"bf": "0", "preset": "ultrafast"},
    "slices": {"bf": "0", "slices": "4"},
    "pyramid": {"bf": "3", "b-pyramid": "normal", "refs": "4"},
    "open": {"bf": "2", "x264-params": "open-gop=1:keyint=25"},
    "refresh": {"bf": "0", "intra-refresh": "1", "g": "25"},
    "matrices": {"bf": "0", "cqm": "jvt"},
    "long": {"bf": "0", "g": "1000"},
}
FORMATS = ["yuv422p", "yuv444p", "yuv420p10le", "gray"]


def packets_of(path: Path) -> tuple[bytes, list[tuple[bytes, bool]]]:
    """Return the parameters, and each packet with whether others may need it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
        return stream.codec_context.extradata or b"", [(packet, needed(packet)) for packet in packets]


def missed(references: References, packets: Iterable[bytes], times: Sequence[int] | None = None) -> list[int]:
    """Return before which packets something is missing; by default their times tell nothing."""
    came = list(packets)
    return [place for place, packet in enumerate(came) if references.misses(packet, times[place] if times else place)]


def kinds(packet: bytes) -> set[int]:
    return {unit[0] & 0x1F for unit in nal_units(packet, lengths=True)}


def needed(packet: bytes) -> bool:
    return any(unit[0] & 0x60 and unit[0] & 0x1F in {1, 5} for unit in nal_units(packet, lengths=True))


@pytest.mark.rule("T14")
@pytest.mark.parametrize(
    ("kind", "pixel_format"), [(kind, "yuv420p") for kind in KINDS] + [("plain", form) for form in FORMATS]
)
def test_any_picture_that_others_need_is_missed_where_it_does_not_come(
    tmp_path: Path, kind: str, pixel_format: str
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, moving_pictures(3 * RATE, (64, 48)), codec_options=KINDS[kind], pixel_format=pixel_format)
    parameters, packets = packets_of(path)
    assert missed(References(parameters, 1), (packet for packet, _ in packets)) == [], "the control"
    for lost, (packet, is_needed) in enumerate(packets[:-1]):
        following = packets[lost + 1][0]
        if is_needed and 5 not in kinds(packet) | kinds(following):
            others = [other for at, (other, _) in enumerate(packets) if at != lost]
            assert lost in missed(References(parameters, 1), others), lost


def test_parameters_may_come_with_the_pictures_and_change(tmp_path: Path) -> None:
    """As RTSP has them: with start codes."""
    came: list[bytes] = []
    for name, options in (("a", {}), ("b", {"g": "1000", "preset": "ultrafast", "b-pyramid": "none"})):
        path = tmp_path / f"{name}.h264"
        write_video(path, moving_pictures(40), container_format="h264", codec_options={"bf": "0", **options})
        with av.open(str(path)) as container:
            came += [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert missed(References(b"", 1), came) == []
    del came[60], came[20]
    assert missed(References(b"", 1), came) == [20, 59]


def test_what_cannot_be_read_counts_as_missing_and_raises_nothing(tmp_path: Path) -> None:
    _, packets = packets_of(write_video(tmp_path / "a.mp4", moving_pictures(5), codec_options={"bf": "0"}))
    assert References(b"\x01" + bytes(6), 1).misses(packets[1][0], 0), "no parameters"
    rng = np.random.default_rng(0)
    for size in range(200):
        rubbish = rng.bytes(size)
        References(rubbish, 1).misses(rubbish, 0)
        References(b"\x01" + rubbish, 1).misses(len(rubbish).to_bytes(4, "big") + rubbish, 0)
        sets = b"\x00\x00\x01\x67" + rubbish + b"\x00\x00\x01\x68" + rubbish
        References(sets, 1).misses(b"\x00\x00\x01\x41" + rubbish, 0)


@pytest.mark.rule("T14")
@pytest.mark.parametrize("group", [17, 50])
def test_however_many_pictures_do_not_come_it_is_not_unnoticed(tmp_path: Path, group: int) -> None:
    """Numbers begin again after 16, and with each key picture: then the times tell."""
    options = {"bf": "0", "preset": "ultrafast", "g": str(group), "x264-params": "scenecut=0"}
    path = write_video(tmp_path / "a.mp4", moving_pictures(110, (64, 48)), codec_options=options)
    parameters, packets = packets_of(path)
    came = [packet for packet, _ in packets]
    unnoticed = 0
    for count, first in itertools.product(range(1, 41), range(1, 52)):
        if 5 not in kinds(came[first + count]):
            rest = [*came[:first], came[first + count]]
            assert first in missed(References(parameters, 1), rest, [*range(first), first + count]), (first, count)
            unnoticed += not missed(References(parameters, 1), rest)
    assert unnoticed, "the control: by their numbers alone some are not"


@pytest.mark.rule("T14")
def test_fifteen_pictures_that_do_not_come_are_told_by_number(tmp_path: Path) -> None:
    """The next one has the number of the last: only another slice or field of that picture may."""
    path = tmp_path / "a.mp4"
    write_video(path, moving_pictures(60, (64, 48)), codec_options={"bf": "0", "g": "100", "preset": "ultrafast"})
    parameters, packets = packets_of(path)
    kept = [packet for place, (packet, _) in enumerate(packets) if not 20 <= place < 35]
    assert missed(References(parameters, 1), kept) == [20]


def bits(*numbers: int | str) -> bytes:
    """Return bits of a header: numbers Exp-Golomb coded, others as they are."""
    text = "".join(
        one if isinstance(one, str) else "0" * ((one + 1).bit_length() - 1) + f"{one + 1:b}" for one in numbers
    )
    text = (text + "1").ljust(8 * (len(text) // 8 + 1), "0")
    return int(text, 2).to_bytes(len(text) // 8, "big")


def field(number: int, which: int, first: int = 0, *, key: bool = False) -> bytes:
    """Return the beginning of a slice of a field: 1 upper, 2 lower."""
    return b"\0\0\1" + (b"\x65" if key else b"\x61") + bits(first, 0, 0, f"{number:04b}", "1", str(which - 1))


INTERLACED = b"\0\0\1\x67" + bits(f"{77:08b}", "0" * 16, 0, 0, 2, 1, "0", 9, 9, "0") + b"\0\0\1\x68" + bits(0, 0)


@pytest.mark.rule("T14")
def test_of_two_fields_none_may_be_missing() -> None:
    fields = [field(0, 1, key=True), *(field(number, which) for number in range(4) for which in (1, 2))]
    del fields[1]
    assert missed(References(INTERLACED, 1), fields) == []
    for lost in range(1, 7):
        assert lost in missed(References(INTERLACED, 1), fields[:lost] + fields[lost + 1 :]), lost
    assert missed(References(INTERLACED, 1), [fields[0] + fields[1], fields[2] + fields[3]]) == [], "in one packet"
    assert missed(References(INTERLACED, 1), [fields[0] + fields[1], fields[2] + field(1, 2, 5)]) == [1]


@pytest.mark.rule("T14")
def test_a_slice_of_another_picture_in_a_packet_is_told(tmp_path: Path) -> None:
    """Of one picture the end was lost, of the next the beginning: a parser takes them for one."""
    path = tmp_path / "a.mp4"
    write_video(path, moving_pictures(5, (64, 128)), codec_options=KINDS["slices"])
    parameters, packets = packets_of(path)
    came = [packet for packet, _ in packets]
    slices = [[one for one in nal_units(packet, lengths=True) if one[0] & 0x1F == 1] for packet in came]
    mixed = b"".join(len(one).to_bytes(4, "big") + one for one in (*slices[2][:2], *slices[3][2:]))
    assert missed(References(parameters, 1), [*came[:2], mixed]) == [2]


class Timed:
    """Asks of the times of packets that are whole and follow each other: a picture of one slice, again and again."""

    def __init__(self, tmp_path: Path) -> None:
        options = {"bf": "0", "g": "1000", "preset": "ultrafast"}
        path = write_video(tmp_path / "a.mp4", moving_pictures(100, (64, 48)), codec_options=options)
        self.parameters, packets = packets_of(path)
        self.came = [packet for packet, _ in packets]

    def missed(self, usual: float | None, *times: int) -> list[int]:
        return missed(References(self.parameters, usual), self.came[: len(times)], times)


@pytest.mark.rule("T14")
def test_times_that_leap_tell_and_those_of_an_irregular_camera_do_not(tmp_path: Path) -> None:
    timed = Timed(tmp_path)
    jitter = np.random.default_rng(0).integers(-7, 8, 100)
    assert timed.missed(40, *(40 * place + int(jitter[place]) for place in range(100))) == []
    assert timed.missed(40, 0, 40, 80, 160, 200) == [3], "one is missing"
    assert timed.missed(40, 0, 40, 80, 60, 100) == [3], "time ran back"
    assert timed.missed(40, 0, 80, 120, 160) == [1, 2], "the first is, by what the stream says of itself"
    assert timed.missed(700, 0, 680, 720, 760) == [2], "the stream says what is not so: the second tells"
    assert timed.missed(None, 0, 40, 80, 120) == [1], "nothing is known"
    slower = [*range(0, 800, 40), *range(840, 4040, 80)]
    assert timed.missed(40, *slower)[-1] <= 30, "another rate is learned"


@pytest.mark.rule("T14")
def test_a_packet_without_a_time_counts_as_one_before_which_something_is_missing(tmp_path: Path) -> None:
    timed = Timed(tmp_path)
    assert timed.missed(40, 0, 40, 80) == []
    assert References(timed.parameters, 40).misses(timed.came[1], None)
    assert not References(timed.parameters, 40).misses(timed.came[0], None), "a picture that stands alone needs none"
