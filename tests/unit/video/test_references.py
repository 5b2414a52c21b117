"""Pictures that are missing: told by the numbers of those that follow, whatever the encoder, and of any headers."""

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
    whole = References(parameters)
    assert [at for at, (packet, _) in enumerate(packets) if whole.misses(packet)] == [], "the control"
    for lost, (packet, is_needed) in enumerate(packets[:-1]):
        following = packets[lost + 1][0]
        if is_needed and 5 not in kinds(packet) | kinds(following):
            references = References(parameters)
            told = [references.misses(other) for at, (other, _) in enumerate(packets) if at != lost]
            assert told[lost], lost


def test_parameters_may_come_with_the_pictures_and_change(tmp_path: Path) -> None:
    """As RTSP has them: with start codes."""
    came: list[bytes] = []
    for name, options in (("a", {}), ("b", {"g": "1000", "preset": "ultrafast", "b-pyramid": "none"})):
        path = tmp_path / f"{name}.h264"
        write_video(path, moving_pictures(40), container_format="h264", codec_options={"bf": "0", **options})
        with av.open(str(path)) as container:
            came += [bytes(packet) for packet in container.demux(video=0) if packet.size]
    whole, harmed = References(b""), References(b"")
    assert [at for at, packet in enumerate(came) if whole.misses(packet)] == []
    assert [at for at, packet in enumerate(came) if at not in (20, 60) and harmed.misses(packet)] == [21, 61]


def test_what_cannot_be_read_counts_as_missing_and_raises_nothing(tmp_path: Path) -> None:
    _, packets = packets_of(write_video(tmp_path / "a.mp4", moving_pictures(5), codec_options={"bf": "0"}))
    assert References(b"\x01" + bytes(6)).misses(packets[1][0]), "no parameters"
    rng = np.random.default_rng(0)
    for size in range(200):
        rubbish = rng.bytes(size)
        References(rubbish).misses(rubbish)
        References(b"\x01" + rubbish).misses(len(rubbish).to_bytes(4, "big") + rubbish)
        sets = b"\x00\x00\x01\x67" + rubbish + b"\x00\x00\x01\x68" + rubbish
        References(sets).misses(b"\x00\x00\x01\x41" + rubbish)
