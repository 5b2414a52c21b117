import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from tests import oracles
from tests.strategies import PROPERTY, boxes, seeds

from habeas.geometry import (
    apply_affine,
    areas,
    clip_box,
    expand,
    invert_affine,
    iou,
    similarity_transform,
    suppress,
)


def transform(seed: int) -> np.ndarray:
    """A random rotation, scale and shift."""
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-np.pi, np.pi), np.exp(rng.uniform(-2, 2))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([turn, rng.uniform(-300, 300, (2, 1))], axis=1)


@PROPERTY
@given(a=boxes(), b=boxes())
def test_iou_is_that_of_every_pair(a: np.ndarray, b: np.ndarray) -> None:
    fast = iou(a, b)
    slow = [[oracles.iou(one, other) for other in b.tolist()] for one in a.tolist()]
    assert fast.shape == (len(a), len(b))
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, np.array(slow).reshape(fast.shape), atol=1e-5)
    np.testing.assert_array_equal(fast, iou(b, a).T)


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 2, 9]], np.float32)
    np.testing.assert_allclose(iou(a, b), [[1, 1 / 3, 0, 0]], atol=1e-6)


def test_a_box_turned_inside_out_has_no_area() -> None:
    assert areas(np.array([[10, 10, 0, 0], [0, 0, 4, 5], [3, 0, 1, 5]], np.float32)).tolist() == [0, 20, 0]


@PROPERTY
@given(drawn=boxes(high=9), data=st.data(), max_iou=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_suppression_keeps_what_the_greedy_loop_keeps(drawn: np.ndarray, data: st.DataObject, max_iou: float) -> None:
    n = len(drawn)
    levels = st.integers(0, 4)  # few, so that scores tie
    scores = np.array(data.draw(st.lists(levels, min_size=n, max_size=n)), np.float32)
    overlaps = iou(drawn, drawn)
    assume(np.all((overlaps == 0) | (np.abs(overlaps - max_iou) > 1e-6) | (max_iou == 1)))
    kept = suppress(drawn, scores, max_iou)
    assert kept.dtype == np.int64
    assert kept.tolist() == oracles.suppress(drawn.tolist(), scores.tolist(), max_iou)


@PROPERTY
@given(drawn=boxes(low=1), margin=st.floats(0, 3))
def test_expanding_grows_each_side_by_its_share(drawn: np.ndarray, margin: float) -> None:
    grown = expand(drawn, margin)
    sides, before = grown[:, 2:] - grown[:, :2], drawn[:, 2:] - drawn[:, :2]
    np.testing.assert_allclose(sides, before * (1 + 2 * margin), atol=1e-3)
    np.testing.assert_allclose((grown[:, 2:] + grown[:, :2]) / 2, (drawn[:, 2:] + drawn[:, :2]) / 2, atol=1e-3)


@PROPERTY
@given(
    corners=st.tuples(*[st.floats(-500, 900, width=32)] * 4),
    size_wh=st.tuples(st.integers(1, 400), st.integers(1, 400)),
)
def test_a_clipped_box_lies_inside_and_holds_every_pixel_touched(
    corners: tuple[float, float, float, float], size_wh: tuple[int, int]
) -> None:
    x0, y0, x1, y1 = clip_box(np.array(corners, np.float32), size_wh)
    assert 0 <= x0 <= x1 <= size_wh[0]
    assert 0 <= y0 <= y1 <= size_wh[1]
    for axis, (start, end) in enumerate(((x0, x1), (y0, y1))):
        touched = [p for p in range(size_wh[axis]) if corners[axis] < p + 1 and corners[axis + 2] > p]
        if corners[axis] < corners[axis + 2]:
            assert list(range(start, end)) == touched


@PROPERTY
@given(seed=seeds, count=st.integers(2, 9))
def test_a_similarity_transform_is_found_again(seed: int, count: int) -> None:
    points = np.random.default_rng(seed + 1).uniform(-100, 100, (count, 2)).astype(np.float32)
    assume(np.linalg.norm(points - points.mean(axis=0), axis=1).max() > 1)
    true = transform(seed)
    found = similarity_transform(points, apply_affine(true, points).astype(np.float32))
    np.testing.assert_allclose(apply_affine(found, points), apply_affine(true, points), atol=2e-3)
    np.testing.assert_allclose(found[:, :2], true[:, :2], atol=1e-3 * max(1, np.abs(true[:, :2]).max()))


@PROPERTY
@given(seed=seeds)
def test_a_similarity_transform_is_the_least_squares_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0, 200, (5, 2)).astype(np.float32) for _ in range(2))
    np.testing.assert_allclose(similarity_transform(a, b), oracles.similarity_by_lstsq(a, b), rtol=1e-6, atol=1e-6)


def test_a_reflection_is_not_a_similarity_transform() -> None:
    points = np.array([[0, 0], [10, 0], [0, 20], [7, 9]], np.float32)
    turn = similarity_transform(points, points * np.array([-1, 1], np.float32))[:, :2]
    assert np.linalg.det(turn) >= 0


@PROPERTY
@given(seed=seeds)
def test_an_inverse_takes_points_back(seed: int) -> None:
    matrix = transform(seed)
    points = np.random.default_rng(seed).uniform(-200, 200, (6, 2))
    np.testing.assert_allclose(apply_affine(invert_affine(matrix), apply_affine(matrix, points)), points, atol=1e-6)


def test_points_that_coincide_break_nothing() -> None:
    same = np.full((5, 2), 7, np.float32)
    matrix = similarity_transform(same, np.arange(10, dtype=np.float32).reshape(5, 2))
    assert np.isfinite(matrix).all()
    assert np.isfinite(invert_affine(matrix)).all()


def test_applying_by_hand() -> None:
    matrix = np.array([[0, -2, 5], [2, 0, 1]], np.float64)
    assert apply_affine(matrix, np.array([[1, 0], [0, 1]])).tolist() == [[5, 3], [3, 1]]
