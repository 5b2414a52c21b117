"""How far a camera reaches and what it costs: by hand for some streams, and what must hold for all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.engine.inspection import StreamReport
from habeas.node.inspecting import camera_facts
from habeas.node.reach import NEAR_M, reach_of
from habeas.settings import DetectSettings

SIDES = st.integers(16, 8192)


@pytest.mark.parametrize(
    ("size_wh", "min_face_px", "face_px", "farthest_m"),
    [
        ((1920, 1080), 32, 32, 6.86),
        ((1280, 720), 32, 32, 4.57),
        ((640, 360), 32, 32, 2.29),
        ((320, 180), 32, 32, 1.14),
        ((1920, 1080), 64, 64, 3.43),
        ((3840, 2160), 32, 60, 7.31),  # reduced to 1280 px, a third: a face of 60 px has the detector's 20
    ],
)
def test_the_distance_at_which_a_face_is_large_enough(
    size_wh: tuple[int, int], min_face_px: int, face_px: float, farthest_m: float
) -> None:
    reach = reach_of(size_wh, 25, DetectSettings(min_face_px=min_face_px))
    assert reach.face_px == pytest.approx(face_px)
    assert reach.farthest_m == pytest.approx(farthest_m, abs=0.01)
    assert reach.enough == (farthest_m >= NEAR_M)
    assert bool(reach.remedy()) != reach.enough
    # The other way round: a face of 16 cm at this distance, through a lens of 70 degrees.
    width_m = 2 * reach.farthest_m * math.tan(math.radians(35))
    assert 0.16 / width_m * size_wh[0] == pytest.approx(face_px)


def test_the_cost_is_what_was_measured_where_it_was_measured() -> None:
    measured = reach_of((640, 360), 29.97, DetectSettings(rate_hz=58 / 9.176))
    assert measured.busy_cores == pytest.approx(0.98 / 9.176, rel=0.01)
    assert measured.idle_cores < measured.busy_cores / 4


@given(SIDES, SIDES, st.floats(0, 120, allow_subnormal=False), st.integers(16, 512))
def test_nothing_is_negative_and_more_costs_more(width: int, height: int, rate_hz: float, min_face_px: int) -> None:
    detect = DetectSettings(min_face_px=min_face_px)
    reach = reach_of((width, height), rate_hz, detect)
    assert reach.face_px >= min_face_px or reach.face_px == pytest.approx(min_face_px)
    assert 0 <= reach.idle_cores <= reach.busy_cores
    assert reach.farthest_m > 0
    larger = reach_of((2 * width, 2 * height), rate_hz, detect)
    assert larger.farthest_m > reach.farthest_m * 0.999
    assert larger.busy_cores >= reach.busy_cores


def report(
    size_wh: tuple[int, int] = (0, 0), rate_hz: float = 0.0, codec: str = "", packets: int = 0, flaw: str = ""
) -> StreamReport:
    return StreamReport(size_wh, rate_hz, codec, packets, 1.0, flaw)


def test_what_is_told_of_a_camera() -> None:
    told = camera_facts(report((1920, 1080), 25.0, "h264", 100), DetectSettings())
    assert (told["flows"], told["size"], told["large_enough"], told["remedy"]) == (True, "1920x1080", True, "")
    assert "6.9 m" in str(told["faces"])
    small = camera_facts(report((160, 120), 25.0, "h264", 100), DetectSettings())
    assert small["large_enough"] is False
    assert "larger stream" in str(small["remedy"])


@pytest.mark.parametrize(
    ("flaw", "remedy"),
    [
        ("cannot connect: connection refused", "port"),
        ("cannot connect: its certificate is not trusted: self-signed", "certificate"),
        ("cannot be read as video (Server returned 401 Unauthorized)", "password"),
        ("no packet of video came", "player"),
    ],
)
def test_a_camera_that_gives_nothing_has_a_remedy(flaw: str, remedy: str) -> None:
    told = camera_facts(report(flaw=flaw), DetectSettings())
    assert told["flows"] is False
    assert told["size"] is None
    assert remedy in str(told["remedy"])
    headers_only = camera_facts(report((640, 480), 5.0, "h264", 0, flaw), DetectSettings())
    assert remedy in str(headers_only["remedy"])
