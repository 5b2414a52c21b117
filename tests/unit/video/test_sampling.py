"""Which frames and parts are looked at: laws that hold for every stream."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.faces.centerface import MULTIPLE, network_input
from habeas.settings import DetectSettings
from habeas.types import NS_PER_S
from habeas.video import Sampler, StreamPlan, detector_size, plan_stream, regions
from habeas.video.sampling import Box, merged

sizes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))


@st.composite
def plans(draw: st.DrawFn) -> StreamPlan:
    detect = DetectSettings(min_face_px=draw(st.integers(16, 512)), max_side_px=draw(st.integers(256, 4096)))
    return plan_stream(draw(sizes), draw(st.just(0.0) | st.floats(0.001, 120)), detect)


@st.composite
def boxes_in(draw: st.DrawFn, size_wh: tuple[int, int]) -> Box:
    x0, y0 = (draw(st.integers(0, side - 1)) for side in size_wh)
    return x0, y0, draw(st.integers(x0 + 1, size_wh[0])), draw(st.integers(y0 + 1, size_wh[1]))


@given(plans(), st.data())
@PROPERTY
def test_parts_are_inside_the_picture_and_hold_what_moved_and_is_tracked(plan: StreamPlan, data: st.DataObject) -> None:
    moved = data.draw(st.lists(boxes_in(plan.size_wh), max_size=8))
    anywhere = st.tuples(*[st.floats(-5000, 9000, width=32)] * 2, *[st.floats(0, 900, width=32)] * 2)
    tracked = np.array([(x, y, x + w, y + h) for x, y, w, h in data.draw(st.lists(anywhere, max_size=4))], np.float32)
    tracked = tracked.reshape(-1, 4)
    parts = regions(plan, moved, tracked)
    assert parts
    width, height = plan.size_wh
    for box, size_wh in parts:
        assert 0 <= box[0] < box[2] <= width
        assert 0 <= box[1] < box[3] <= height
        assert size_wh == detector_size(plan, box)
        assert min(size_wh) >= 1
        assert size_wh[0] <= max(1, round((box[2] - box[0]) * plan.scale))
    for x0, y0, x1, y1 in moved:
        assert any(b[0] <= x0 and b[1] <= y0 and x1 <= b[2] and y1 <= b[3] for b, _ in parts)
    for x0, y0, x1, y1 in np.concatenate(
        [np.maximum(tracked[:, :2], 0), np.minimum(tracked[:, 2:], (width, height))], 1
    ):
        if x0 < x1 and y0 < y1:
            assert any(b[0] <= x0 and b[1] <= y0 and x1 <= b[2] and y1 <= b[3] for b, _ in parts)


@given(plans())
@PROPERTY
def test_without_anything_to_look_at_it_is_the_whole_picture(plan: StreamPlan) -> None:
    ((box, size_wh),) = regions(plan, (), np.zeros((0, 4), np.float32))
    assert box == (0, 0, *plan.size_wh)
    assert size_wh == detector_size(plan, box)


@given(plans())
@PROPERTY
def test_the_detectors_picture_is_never_larger_than_allowed_and_never_enlarged(plan: StreamPlan) -> None:
    assert 0 < plan.scale <= 1
    assert max(detector_size(plan, (0, 0, *plan.size_wh))) <= max(plan.size_wh)


def _is_one_of_few(plan: StreamPlan, size_wh: tuple[int, int]) -> bool:
    """Tell whether the network's input for a part is one of those that a stream may need; its own are the whole's."""
    few = {128, 256, 384, 512, *range(768, 4097, 256)}
    whole_wh = detector_size(plan, (0, 0, *plan.size_wh))
    _, _, *sides = network_input(np.zeros((*size_wh[::-1], 3), np.uint8)).shape
    return all(
        side in few | {-(-whole // MULTIPLE) * MULTIPLE} for side, whole in zip(sides[::-1], whole_wh, strict=True)
    )


@given(plans(), st.data())
@PROPERTY
def test_however_things_move_the_network_sees_few_sizes(plan: StreamPlan, data: st.DataObject) -> None:
    moved = data.draw(st.lists(boxes_in(plan.size_wh), max_size=8))
    parts = regions(plan, moved, np.zeros((0, 4), np.float32))
    assert all(_is_one_of_few(plan, size_wh) for _box, size_wh in parts)


def test_parts_that_were_joined_have_one_of_the_few_sizes_too() -> None:
    """They once had any: each cost 4 MB, and a worker grew for as long as new ones came."""
    plan = plan_stream((1920, 1080), 25, DetectSettings())
    for apart_px in range(60, 400, 20):
        moved = [(left, 500, left + 60, 560) for left in (300, 300 + apart_px)]
        parts = regions(plan, moved, np.zeros((0, 4), np.float32))
        assert all(_is_one_of_few(plan, size_wh) for _box, size_wh in parts)


@given(st.lists(boxes_in((300, 200)), max_size=8))
@PROPERTY
def test_joining_loses_nothing(boxes: list[Box]) -> None:
    parts = merged(boxes, plan_stream((300, 200), 25, DetectSettings()))
    assert len(parts) <= len(boxes)
    for x0, y0, x1, y1 in boxes:
        assert any(p[0] <= x0 and p[1] <= y0 and x1 <= p[2] and y1 <= p[3] for p in parts)


def test_a_small_part_costs_less_than_the_whole() -> None:
    plan = plan_stream((1920, 1080), 25, DetectSettings())
    ((box, size_wh),) = regions(plan, [(900, 500, 1000, 600)], np.zeros((0, 4), np.float32))
    whole = detector_size(plan, (0, 0, 1920, 1080))
    assert box != (0, 0, 1920, 1080)
    assert size_wh[0] * size_wh[1] < whole[0] * whole[1] / 4


times = st.lists(st.integers(0, 400_000_000), min_size=1, max_size=200)


@given(times, st.integers(1, 60))
@PROPERTY
def test_the_sampler_never_takes_more_than_its_rate_and_misses_no_interval(steps: list[int], rate_hz: int) -> None:
    every_ns = round(NS_PER_S / rate_hz)
    sampler = Sampler(every_ns)
    stamps = np.cumsum(steps).tolist()
    taken = [stamp for stamp in stamps if sampler.due(stamp)]
    assert taken[0] == stamps[0]
    # In any stretch of time: one for each interval that begins in it.
    for first in range(0, len(taken), 7):
        for last in range(first, len(taken)):
            assert last - first <= (taken[last] - taken[first]) / every_ns + 1
    for sooner, later in pairwise(taken):
        passed = [stamp for stamp in stamps if sooner < stamp < later]
        assert all(stamp - sooner < 2 * every_ns for stamp in passed)


def test_a_camera_slower_than_the_rate_is_taken_whole_and_a_faster_one_at_the_rate() -> None:
    slow, fast = Sampler(NS_PER_S // 8), Sampler(NS_PER_S // 8)
    assert all(slow.due(number * NS_PER_S // 5) for number in range(50))
    assert sum(fast.due(number * NS_PER_S // 25) for number in range(250)) == pytest.approx(80, abs=1)


def test_time_that_jumps_does_not_stop_the_sampler() -> None:
    sampler = Sampler(NS_PER_S // 8)
    assert sampler.due(50 * NS_PER_S)
    assert sampler.due(0)  # back
    assert not sampler.due(1)
    assert sampler.due(10_000 * NS_PER_S)  # far ahead
    assert not sampler.due(10_000 * NS_PER_S + 1)
