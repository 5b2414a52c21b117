from pathlib import Path

import av
import numpy as np
import pytest
from tests.cameras import moving_pictures

from habeas.video import encode_h264, open_source


@pytest.mark.parametrize(("rate_hz", "count"), [(25, 30), (10, 1), (30, 7)])
def test_what_is_written_is_read_back(tmp_path: Path, rate_hz: int, count: int) -> None:
    pictures = list(moving_pictures(count))
    encode_h264(iter(pictures), tmp_path / "x.mp4", rate_hz, crf=12)
    with open_source(str(tmp_path / "x.mp4")) as source:
        frames = list(source.frames())
        assert source.flaws == ()
        assert source.rate_hz == pytest.approx(rate_hz)
    assert [frame.pts_ns for frame in frames] == pytest.approx([n * 1e9 / rate_hz for n in range(count)], abs=1e6)
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(frame.image_rgb.astype(int) - picture).mean() < 6


def test_it_is_h264_that_players_know(tmp_path: Path) -> None:
    encode_h264(moving_pictures(2), tmp_path / "x.mp4", 25)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_better_quality_is_larger(tmp_path: Path) -> None:
    for crf in (10, 40):
        encode_h264(moving_pictures(5), tmp_path / f"{crf}.mp4", 25, crf=crf)
    assert (tmp_path / "10.mp4").stat().st_size > 1.5 * (tmp_path / "40.mp4").stat().st_size
