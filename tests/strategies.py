"""What Hypothesis draws, and the small records that several tests are made of."""

from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from habeas.authority.views import build_view
from habeas.types import F32, NS_PER_S, Basis, Faces, Frame, GalleryView, Origin, OriginKind, Templates
from habeas.video import ArrayPicture
from habeas.video.edge import origin

NOW_NS = 1_700_000_000 * NS_PER_S
FOREVER_NS = 1 << 62

PROPERTY = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""No clock and no luck: the same examples on every machine."""

seeds = st.integers(0, 2**32 - 1)


@st.composite
def boxes(draw: st.DrawFn, low: int = 0, high: int = 6) -> F32:
    """(n, 4) float32 on whole pixels, now and then empty."""
    n = draw(st.integers(low, high))
    corner, side = st.integers(-20, 120), st.integers(0, 60)
    rows = [(x := draw(corner), y := draw(corner), x + draw(side), y + draw(side)) for _ in range(n)]
    return np.array(rows, np.float32).reshape(n, 4)


def unit_rows(rng: np.random.Generator, n: int, d: int) -> F32:
    """(n, d) float32 of unit length, every direction alike."""
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def faces(boxes_xyxy_px: F32, quality: float = 0.9) -> Faces:
    """Frontal faces in these boxes."""
    boxes_xyxy_px = np.asarray(boxes_xyxy_px, np.float32).reshape(-1, 4)
    n = len(boxes_xyxy_px)
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    sides = (boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2])[:, None]
    landmarks = boxes_xyxy_px[:, None, :2] + places[None] * sides
    return Faces(boxes_xyxy_px, np.full(n, 0.9, np.float32), landmarks, np.full(n, quality, np.float32))


def still(image_rgb: np.ndarray, name: str = "stills") -> Frame:  # type: ignore[type-arg]
    """A still image as a frame."""
    return Frame(origin(OriginKind.STILLS, name), 0, NOW_NS, 0, ArrayPicture(image_rgb))


def probes(vectors: F32, where: Origin | None = None, model_id: str = "m") -> Templates:
    """Templates seen in a folder of stills."""
    return Templates(np.asarray(vectors, np.float32), model_id, where or origin(OriginKind.STILLS, "stills"))


def view(
    vectors: F32,
    subject_ids: Sequence[str],
    *,
    basis: Basis = Basis.CONSENT,
    camera_id: str | None = None,
    valid_from_ns: int = 0,
    valid_until_ns: int = FOREVER_NS,
) -> GalleryView:
    """A gallery view of model `m`, from the one place that builds them."""
    return build_view(
        vectors=np.asarray(vectors, np.float32),
        subject_ids=np.array(subject_ids, np.str_),
        authorisation_ids=np.full(len(subject_ids), "run-test"),
        model_id="m",
        basis=basis,
        camera_id=camera_id,
        valid_from_ns=valid_from_ns,
        valid_until_ns=valid_until_ns,
    )
