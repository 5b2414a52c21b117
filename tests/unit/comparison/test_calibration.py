import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.app import App
from habeas.comparison.calibration import (
    DEFAULT_FPIR,
    MAX_FPIR,
    Calibration,
    Point,
    from_json,
    load_calibration,
    to_json,
)
from habeas.errors import ModelError, RuleError

FPIRS = (1e-2, 1e-3, 1e-4, 1e-5)
SIZES = (1, 3, 10, 100)


def table(errors: tuple[int, ...] = (200, 40, 29, 0)) -> Calibration:
    """Similarity rises by 0.1 for each tenfold lower FPIR or larger gallery."""
    rows = tuple(
        (
            size,
            tuple(
                Point(fpir, 0.1 * (math.log10(size) - math.log10(fpir)), count, fpir / 2, fpir * 2)
                for fpir, count in zip(FPIRS, errors, strict=True)
            ),
        )
        for size in SIZES
    )
    return Calibration("m", "by hand", rows)


fpirs = st.floats(math.log10(1e-5), math.log10(MAX_FPIR)).map(lambda power: min(max(10**power, 1e-5), MAX_FPIR))


@PROPERTY
@given(fpir=fpirs, size=st.integers(1, 100))
def test_between_points_the_logarithm_is_interpolated_and_the_next_gallery_size_taken(fpir: float, size: int) -> None:
    level = next(known for known in SIZES if known >= size)
    given_threshold = table().threshold(fpir, size)
    assert given_threshold.similarity == pytest.approx(0.1 * (math.log10(level) - math.log10(fpir)))
    assert given_threshold.expected_fpir == fpir
    assert given_threshold.gallery_size == size
    assert given_threshold.fpir_low == pytest.approx(fpir / 2)
    assert given_threshold.fpir_high == pytest.approx(fpir * 2)


@PROPERTY
@given(sizes=st.tuples(st.integers(1, 100), st.integers(1, 100)), powers=st.tuples(fpirs, fpirs))
def test_more_people_or_fewer_false_alerts_never_lower_the_threshold(
    sizes: tuple[int, int], powers: tuple[float, float]
) -> None:
    for calibration in (table(), shipped()):
        (small, large), (strict, lax) = sorted(sizes), sorted(powers)
        assert calibration.threshold(strict, small).similarity <= calibration.threshold(strict, large).similarity
        assert calibration.threshold(lax, small).similarity <= calibration.threshold(strict, small).similarity


@pytest.mark.parametrize(("fpir", "extrapolated"), [(1e-3, True), (9e-4, True), (2e-5, True)])
def test_a_value_is_extrapolated_when_an_end_of_it_is(fpir: float, extrapolated: bool) -> None:
    assert table().threshold(fpir, 1).extrapolated is (extrapolated and fpir < 1e-3)
    assert not table((200, 40, 30, 30)).threshold(fpir, 1).extrapolated


@pytest.mark.parametrize("fpir", [0.0, -1e-4, 1.001e-3, 0.1, 1.0, math.nan, math.inf])
def test_an_fpir_that_no_policy_passes_is_refused(fpir: float) -> None:
    with pytest.raises(RuleError) as refused:
        table().threshold(fpir, 1)
    assert refused.value.rule == "fpir"
    assert refused.value.remedy


def test_what_the_table_does_not_cover_is_refused() -> None:
    with pytest.raises(RuleError, match="101 references") as refused:
        table().threshold(1e-4, 101)
    assert refused.value.rule == "calibration"
    with pytest.raises(RuleError, match="outside") as refused:
        table().threshold(1e-7, 1)
    assert refused.value.rule == "calibration"


def test_the_bounds_themselves_are_covered() -> None:
    assert table().threshold(MAX_FPIR, 100).similarity == pytest.approx(0.5)
    assert table().threshold(1e-5, 1).similarity == pytest.approx(0.5)


def test_an_interval_that_reaches_zero_is_no_nonsense() -> None:
    points = (Point(1e-3, 0.4, 5, 0.0, 1e-2), Point(1e-4, 0.5, 0, 0.0, 1e-3))
    found = Calibration("m", "", ((1, points),)).threshold(3e-4, 1)
    assert found.fpir_low == 0
    assert 1e-3 < found.fpir_high < 1e-2


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_table_is_read_back_exactly() -> None:
    assert from_json(to_json(table())) == table()
    assert from_json(to_json(shipped())) == shipped()


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": "1"},
        {"rows": [{"gallery_size": 1}]},
        {"rows": [{"gallery_size": 1, "points": [{"fpir": 1}]}]},
        {"rows": [{"gallery_size": "many", "points": []}]},
        {"rows": [{"gallery_size": 1, "points": [{**vars(table().rows[0][1][0]), "colour": "red"}]}]},
        {"rows": 3},
    ],
)
def test_a_table_that_is_not_understood_is_refused(change: dict[str, object]) -> None:
    whole = json.loads(to_json(table()))
    from_json(json.dumps(whole))
    with pytest.raises(ModelError):
        from_json(json.dumps({**whole, **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"schema": 1}'])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        from_json(text)


# --- the shipped table ----------------------------------------------------------------------------------------------

PACK = "centerface-mfn-fr-d8ba40c087aacdfe-f32"


def shipped() -> Calibration:
    return load_calibration(PACK)


def test_the_pack_in_use_has_a_table(app: App) -> None:
    assert load_calibration(app.pack.model_id).model_id == app.pack.model_id == PACK


def test_each_shipped_fpir_lies_in_its_interval() -> None:
    """Interpolated as an alert's is, at the step of the table."""
    outside = [
        (size, point.fpir)
        for size, points in shipped().rows
        for point in points
        if not point.fpir_low <= point.fpir <= point.fpir_high
    ]
    assert outside == []


def test_there_is_none_for_an_unknown_pack() -> None:
    with pytest.raises(ModelError, match="no-such-pack"):
        load_calibration("no-such-pack")
    with pytest.raises(ModelError):
        load_calibration("../tables/x")


def test_the_shipped_table_is_ordered_measured_and_covers_the_default() -> None:
    rows = shipped().rows
    assert shipped().made
    assert "provisional" not in shipped().made
    sizes = [size for size, _ in rows]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 1
    for _, points in rows:
        assert [point.fpir for point in points] == sorted({point.fpir for point in points}, reverse=True)
        similarities = [point.similarity for point in points]
        assert similarities == sorted(similarities)
        assert points[0].fpir >= MAX_FPIR
        assert points[-1].fpir <= DEFAULT_FPIR
        for point in points:
            assert 0 < point.fpir_low < point.fpir_high
            assert -1 < point.similarity < 1
    for size in (1, 3, 100):
        assert 0.2 < shipped().threshold(DEFAULT_FPIR, size).similarity < 0.8


def test_the_share_above_a_similarity_is_the_threshold_read_the_other_way(app: App) -> None:
    table = app.calibration
    for size in (1, 3, 100):
        for fpir in (1e-3, 3e-4, 1e-4):
            assert table.fpir(table.threshold(fpir, size).similarity, size) == pytest.approx(fpir)
    points = table.rows[0][1]
    assert (table.fpir(-1.0, 1), table.fpir(1.0, 1)) == (points[0].fpir, points[-1].fpir)
