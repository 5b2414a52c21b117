import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import PROPERTY, seeds, still

from habeas.app import App
from habeas.errors import InputError
from habeas.faces import Templater, fuse
from habeas.faces.align import CROP_PX, align
from habeas.models.manifest import DEFAULT_PACK
from habeas.types import F32, U8, Faces, OriginKind
from habeas.video.edge import origin


class Constant:
    """A session whose every output is the same."""

    precision = "f32"

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows, np.float32)
        self.served = 0
        self.batches: list[F32] = []

    def infer(self, batch: F32) -> dict[str, F32]:
        self.batches.append(batch.copy())
        given = np.roll(self.rows, -self.served, axis=0)[: len(batch)]
        self.served = (self.served + len(batch)) % len(self.rows)
        return {"out": given}


CROP = np.random.default_rng(0).integers(0, 256, (CROP_PX, CROP_PX, 3), np.uint8)


def test_a_template_is_both_networks_joined_with_equal_weight() -> None:
    one, two = Constant([[3, 0], [0, 4]]), Constant([[0, 1, 0], [0, 1, 0]])
    made = Templater(one, two, "m").from_crops([CROP], None)
    root = np.sqrt(2)
    np.testing.assert_allclose(made.vectors, [[0.6 / root, 0.8 / root, 0, 1 / root, 0]], rtol=1e-6)
    assert made.model_id == "m"
    # models.md: NHWC (x - 127.5) / 128 and NCHW (x - 127) / 128, each on the crop and its mirror.
    pair = np.stack([CROP, CROP[:, ::-1]]).astype(np.float64)
    np.testing.assert_allclose(one.batches[0], (pair - 127.5) / 128, atol=1e-6)
    # fr_feature is asked one at a time: it joins a batch of two into one row.
    np.testing.assert_allclose(np.concatenate(two.batches), ((pair - 127) / 128).transpose(0, 3, 1, 2), atol=1e-6)
    assert len(two.batches) == 2


@pytest.mark.parametrize(
    "rows",
    [[[np.nan, 1], [1, 1]], [[np.inf, 1], [1, 1]], [[0, 0], [0, 0]], [[1, 2], [-1, -2]]],
    ids=["nan", "infinite", "zero", "cancels out"],
)
@pytest.mark.parametrize("broken_first", [True, False])
def test_a_network_that_gives_nothing_usable_makes_no_template(rows: list[list[float]], broken_first: bool) -> None:
    good, bad = Constant([[1, 0], [1, 0]]), Constant(rows)
    sessions = (bad, good) if broken_first else (good, bad)
    with pytest.raises(InputError, match="template"):
        Templater(*sessions, "m").from_crops([CROP], None)
    assert len(Templater(good, good, "m").from_crops([CROP], None)) == 1


def test_no_face_is_no_template(app: App) -> None:
    made = app.templater.template(still(np.zeros((50, 50, 3), np.uint8)), Faces.none())
    assert made.vectors.shape == (0, 704)


def test_a_template_has_the_dimensions_of_its_pack(app: App) -> None:
    assert app.templater.from_crops([CROP], None).vectors.shape == (1, DEFAULT_PACK.dimensions)


@pytest.fixture(scope="module")
def crops(app: App, portraits: dict[str, U8]) -> dict[str, U8]:
    found = {}
    for name, image in portraits.items():
        frame = still(image[:: max(1, image.shape[0] // 500), :: max(1, image.shape[0] // 500)].copy())
        found[name] = align(frame.picture, app.detector().detect(frame).landmarks_xy_px[0])
    return found


def test_templates_are_of_unit_length_and_deterministic(app: App, crops: dict[str, U8]) -> None:
    where = origin(OriginKind.STILLS, "album")
    made, again = (app.templater.from_crops(list(crops.values()), where) for _ in range(2))
    assert len(made) == len(crops)
    assert made.origin is where
    assert made.model_id == app.pack.model_id
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(made.vectors, again.vectors)


def test_each_half_has_half_the_say(app: App, crops: dict[str, U8]) -> None:
    vectors = app.templater.from_crops(list(crops.values()), None).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors[:, :192], axis=1), np.sqrt(0.5), atol=1e-5)


def test_a_template_does_not_depend_on_its_neighbours(app: App, crops: dict[str, U8]) -> None:
    whole = app.templater.from_crops(list(crops.values()), None).vectors
    for row, crop in enumerate(crops.values()):
        np.testing.assert_array_equal(app.templater.from_crops([crop], None).vectors[0], whole[row])


def test_a_mirrored_crop_has_the_same_template(app: App, crops: dict[str, U8]) -> None:
    straight = app.templater.from_crops(list(crops.values()), None).vectors
    mirrored = app.templater.from_crops([crop[:, ::-1].copy() for crop in crops.values()], None).vectors
    assert (straight * mirrored).sum(axis=1).min() > 1 - 1e-3


def test_one_person_is_like_themself_and_unlike_others(app: App, crops: dict[str, U8]) -> None:
    names = list(crops)
    vectors = app.templater.from_crops(list(crops.values()), None).vectors
    similarity = vectors @ vectors.T
    same = similarity[names.index("obama"), names.index("obama-2")]
    others = [
        similarity[a, b] for a in range(len(names)) for b in range(a) if {names[a], names[b]} != {"obama", "obama-2"}
    ]
    assert same > 0.5
    assert max(others) < 0.35


def test_template_and_align_agree(app: App, portraits: dict[str, U8]) -> None:
    frame = still(portraits["astronaut"])
    found = app.detector().detect(frame)[:1]
    by_crop = app.templater.from_crops([align(frame.picture, found.landmarks_xy_px[0])], frame.origin).vectors
    np.testing.assert_array_equal(app.templater.template(frame, found).vectors, by_crop)


# --- fusion ---------------------------------------------------------------------------------------------------------


@PROPERTY
@given(seed=seeds, n=st.integers(1, 5), d=st.integers(2, 40))
def test_a_fused_template_points_where_their_sum_points(seed: int, n: int, d: int) -> None:
    vectors = strategies.unit_rows(np.random.default_rng(seed), n, d)
    fused = fuse(list(vectors))
    total = vectors.astype(np.float64).sum(axis=0)
    assert fused.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(fused), 1, atol=1e-5)
    if np.linalg.norm(total) > 1e-2:
        np.testing.assert_allclose(fused, total / np.linalg.norm(total), atol=1e-4)


def test_fusing_one_changes_nothing_and_opposites_leave_the_first() -> None:
    (vector,) = strategies.unit_rows(np.random.default_rng(3), 1, 8)
    np.testing.assert_allclose(fuse([vector]), vector, atol=1e-6)
    np.testing.assert_array_equal(fuse([vector, -vector]), vector)
