import copy
import dataclasses
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.strategies import NOW_NS, PROPERTY, faces, probes, seeds, still, view

# Owners claim their seals when they are imported; nobody may come before them.
import habeas.measure.scene_source  # noqa: F401
from habeas import types
from habeas.authority.views import build_view
from habeas.errors import HabeasError, InputError, RuleError
from habeas.types import (
    Alert,
    AlertEnd,
    Basis,
    Candidates,
    ClosedTrack,
    Faces,
    Frame,
    GalleryView,
    Origin,
    OriginKind,
    Probe,
    Seal,
    Templates,
    Threshold,
    Tracks,
    claim_seal,
    seconds,
    unit_rows,
)
from habeas.video import ArrayPicture
from habeas.video.edge import origin

NAMED = "Erika Mustermann"
EYE = np.eye(4, dtype=np.float32)


def some_origin(kind: OriginKind, camera_id: str = "gate") -> Origin:
    """An origin of any kind; scenes are sealed by their own module."""
    return Origin(kind, camera_id, types._claimed[Seal.SCENE if kind is OriginKind.SCENE else Seal.SOURCE])


def some_probe(shown: int = 0) -> Probe:
    """A probe; its picture is of one shade."""
    where = origin(OriginKind.FILE, "gate")
    templates = probes(np.full((1, 4), 0.5, np.float32), where)
    image = np.full((4, 4, 3), shown, np.uint8)
    return Probe(where, 7, templates, np.zeros(4, np.float32), image, 2, 1, NOW_NS)


# --- validation -----------------------------------------------------------------------------------------------------


GOOD_FACES = {
    "boxes_xyxy_px": np.zeros((2, 4), np.float32),
    "scores": np.zeros(2, np.float32),
    "landmarks_xy_px": np.zeros((2, 5, 2), np.float32),
    "quality": np.zeros(2, np.float32),
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("boxes_xyxy_px", np.zeros((2, 4), np.float64)),
        ("boxes_xyxy_px", np.zeros((2, 5), np.float32)),
        ("boxes_xyxy_px", np.zeros(2, np.float32)),
        ("scores", np.zeros(3, np.float32)),
        ("scores", np.zeros(2, np.int64)),
        ("landmarks_xy_px", np.zeros((2, 5, 3), np.float32)),
        ("landmarks_xy_px", np.zeros((1, 5, 2), np.float32)),
        ("quality", np.zeros((2, 1), np.float32)),
    ],
)
def test_faces_of_wrong_kind_or_shape_are_refused_by_the_name_of_the_field(field: str, value: np.ndarray) -> None:
    Faces(**GOOD_FACES)
    with pytest.raises(HabeasError, match=f"{field}|scores"):
        Faces(**{**GOOD_FACES, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("track_ids", np.zeros(2, np.int32)),
        ("track_ids", np.zeros(1, np.int64)),
        ("first_seen_ns", np.zeros(3, np.int64)),
        ("first_seen_ns", np.zeros(2, np.float64)),
        ("best_shots", np.zeros(2, np.int64)),
        ("best_shots", np.zeros(1, np.bool_)),
    ],
)
def test_tracks_must_align_with_their_faces(field: str, value: np.ndarray) -> None:
    good = {
        "track_ids": np.zeros(2, np.int64),
        "first_seen_ns": np.zeros(2, np.int64),
        "faces": Faces(**GOOD_FACES),
        "best_shots": np.zeros(2, np.bool_),
        "closed": (),
    }
    Tracks(**good)
    with pytest.raises(HabeasError, match=field):
        Tracks(**{**good, field: value})


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_templates_are_float32(dtype: type) -> None:
    with pytest.raises(HabeasError, match="vectors"):
        Templates(np.eye(3, dtype=dtype), "m", None)


def test_candidates_must_align() -> None:
    with pytest.raises(HabeasError, match="subject_ids"):
        Candidates(np.array([["a"]]), np.zeros((2, 1), np.float32), 1, "v", "m")
    with pytest.raises(HabeasError, match="similarities"):
        Candidates(np.array([["a"]]), np.zeros((1, 1), np.float64), 1, "v", "m")


BAD_TEMPLATES = {
    "nan": [np.nan, 0, 0, 0],
    "one nan among numbers": [1, np.nan, 0, 0],
    "infinite": [np.inf, 0, 0, 0],
    "zero": [0, 0, 0, 0],
    "too long": [1.01, 0, 0, 0],
    "too short": [0.99, 0, 0, 0],
}


@pytest.mark.parametrize("bad", BAD_TEMPLATES.values(), ids=BAD_TEMPLATES)
def test_an_unusable_template_enters_no_record(bad: list[float]) -> None:
    rows = np.array([EYE[0], bad], np.float32)
    assert unit_rows(rows).tolist() == [True, False]
    with pytest.raises(InputError, match="template"):
        Templates(rows, "m", None)
    with pytest.raises(InputError, match="reference"):
        view(rows, ["a", "b"])


@PROPERTY
@given(seed=seeds, n=st.integers(0, 8), d=st.integers(1, 64))
def test_a_template_at_unit_length_is_accepted_whatever_its_direction(seed: int, n: int, d: int) -> None:
    vectors = strategies.unit_rows(np.random.default_rng(seed), n, d)
    assert len(Templates(vectors, "m", None)) == n
    if n:
        scaled = vectors.copy()
        scaled[-1] *= np.float32(1.002)
        with pytest.raises(InputError):
            Templates(scaled, "m", None)


# --- arrays ---------------------------------------------------------------------------------------------------------


def records() -> list[tuple[object, tuple[str, ...]]]:
    """One of each record that holds arrays."""
    found = faces(np.array([[0, 0, 10, 10], [20, 0, 30, 10]]))
    ids = np.arange(2, dtype=np.int64)
    return [
        (found, ("boxes_xyxy_px", "scores", "landmarks_xy_px", "quality")),
        (Tracks(ids, ids, found, np.ones(2, np.bool_), ()), ("track_ids", "first_seen_ns", "best_shots")),
        (probes(EYE), ("vectors",)),
        (some_probe(), ("box_xyxy_px", "face_rgb")),
        (view(EYE, list("abcd")), ("vectors", "subject_ids", "authorisation_ids")),
        (Candidates(np.array([["a"]]), np.ones((1, 1), np.float32), 1, "v", "m"), ("subject_ids", "similarities")),
    ]


@pytest.mark.parametrize(("record", "fields"), records(), ids=lambda value: type(value).__name__)
def test_records_are_frozen_and_their_arrays_read_only(record: object, fields: tuple[str, ...]) -> None:
    for name in fields:
        array = getattr(record, name)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = array[:1]
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
            setattr(record, name, array)


@pytest.mark.parametrize("field", ["vectors", "subject_ids", "authorisation_ids"])
def test_a_gallery_views_memory_cannot_be_made_writable(field: str) -> None:
    array = getattr(view(EYE, list("abcd")), field)
    while array is not None:
        if isinstance(array, np.ndarray):
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.setflags(write=True)
        array = getattr(array, "base", None)


def test_that_check_sees_memory_that_can() -> None:
    """Positive control: a read-only view of ordinary memory is made writable again without a word."""
    array = np.zeros(3).view()
    array.setflags(write=False)
    array.setflags(write=True)


def test_a_gallery_view_does_not_follow_the_arrays_it_was_made_of() -> None:
    vectors, names = EYE.copy(), np.array(list("abcd"))
    built = build_view(
        vectors=vectors,
        subject_ids=names,
        authorisation_ids=np.full(4, "run"),
        model_id="m",
        basis=Basis.CONSENT,
        camera_id=None,
        valid_from_ns=0,
        valid_until_ns=1,
    )
    vectors[:] = 0
    names[:] = "z"
    assert built.vectors.tolist() == EYE.tolist()
    assert built.subject_ids.tolist() == list("abcd")


@PROPERTY
@given(boxes=strategies.boxes(), data=st.data())
def test_a_mask_filters_every_field_together(boxes: np.ndarray, data: st.DataObject) -> None:
    rng = np.random.default_rng(len(boxes))
    n = len(boxes)
    whole = Faces(
        boxes,
        rng.random(n, np.float32),
        rng.random((n, 5, 2), np.float32),
        rng.random(n, np.float32),
    )
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_)
    rows = np.flatnonzero(mask)
    for part in (whole[mask], whole[rows.astype(np.int64)]):
        assert len(part) == mask.sum()
        for field in dataclasses.fields(Faces):
            expected = [getattr(whole, field.name)[row].tolist() for row in rows]
            assert getattr(part, field.name).tolist() == expected
    assert len(whole[:0]) == len(Faces.none()) == 0


# --- repr -----------------------------------------------------------------------------------------------------------


def test_no_repr_shows_a_template_an_image_or_a_name() -> None:
    image = np.full((4, 4, 3), 173, np.uint8)
    where = some_origin(OriginKind.FILE)
    odd = np.full((1, 4), 0.5, np.float32)
    threshold = Threshold(0.4, 1e-4, 1, extrapolated=False, fpir_low=0, fpir_high=1)
    alert = Alert(where, 1, NAMED, 0.9, threshold, np.zeros(4, np.float32), image, 0, 0, 0, "v", "m")
    shown = [
        still(image),
        faces(np.array([[0, 0, 10, 10]])),
        probes(odd),
        some_probe(173),
        view(odd, [NAMED]),
        Candidates(np.array([[NAMED]]), np.full((1, 1), 0.5, np.float32), 1, "v", "m"),
        alert,
        AlertEnd(where, 1, NAMED, 0.9, 0, 0),
        where,
    ]
    for record in shown:
        text = f"{record!r} {record} {[record]}"
        for leak in (NAMED, "0.5,", "173", "array", "object at", "seal"):
            assert leak not in text, (type(record), leak)


def test_that_scan_finds_a_leak() -> None:
    """Positive control: a record without a repr of its own shows its name and its numbers."""
    leaky = dataclasses.make_dataclass("Leaky", ["subject_id", "vectors"])(NAMED, np.full(3, 0.5))
    assert NAMED in repr(leaky)
    assert "0.5," in repr(leaky)


# --- seals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Seal))
def test_a_seal_is_claimed_once_and_its_owner_was_first(kind: Seal) -> None:
    with pytest.raises(RuleError) as refused:
        claim_seal(kind)
    assert refused.value.rule == "seal"
    assert kind.value in refused.value.message


@pytest.mark.parametrize("seal", [None, object(), "habeas.authority.views", Seal.GALLERY_VIEW, True])
def test_nobody_else_builds_a_gallery_view(seal: object) -> None:
    with pytest.raises(RuleError) as refused:
        GalleryView(EYE, np.array(list("abcd")), np.array(["r"] * 4), "m", Basis.CONSENT, None, 0, 1, "id", seal)
    assert refused.value.rule == "seal"


@pytest.mark.parametrize("kind", list(OriginKind))
@pytest.mark.parametrize("seal", [None, object(), Seal.SOURCE])
def test_nobody_else_builds_an_origin(kind: OriginKind, seal: object) -> None:
    with pytest.raises(RuleError) as refused:
        Origin(kind, "gate", seal)
    assert refused.value.rule == "seal"


def test_one_owner_cannot_seal_what_belongs_to_another() -> None:
    source, scene, gallery = (types._claimed[kind] for kind in (Seal.SOURCE, Seal.SCENE, Seal.GALLERY_VIEW))
    for kind, seal in [(OriginKind.SCENE, source), (OriginKind.FILE, scene), (OriginKind.LIVE, gallery)]:
        with pytest.raises(RuleError):
            Origin(kind, "gate", seal)
    with pytest.raises(RuleError):
        origin(OriginKind.SCENE, "gate")
    with pytest.raises(RuleError):
        GalleryView(EYE, np.array(list("abcd")), np.array(["r"] * 4), "m", Basis.CONSENT, None, 0, 1, "id", source)


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (lambda: view(EYE, list("abcd")), {"valid_until_ns": 1 << 60}),
        (lambda: view(EYE, list("abcd")), {"basis": Basis.EVALUATE}),
        (lambda: view(EYE, list("abcd")), {"vectors": EYE[::-1].copy()}),
        (lambda: some_origin(OriginKind.SCENE), {"camera_id": "other"}),
        (lambda: origin(OriginKind.FILE, "gate"), {"kind": OriginKind.LIVE}),
    ],
)
def test_a_sealed_record_cannot_be_replaced(
    make: Callable[[], GalleryView | Origin], changes: dict[str, object]
) -> None:
    with pytest.raises((RuleError, ValueError)):
        dataclasses.replace(make(), **changes)


def test_a_sealed_record_does_not_hand_on_its_seal() -> None:
    seals = set(map(id, types._claimed.values()))
    for record in (view(EYE, list("abcd")), origin(OriginKind.FILE, "gate")):
        assert not [name for name in dir(record) if id(getattr(record, name)) in seals]


@pytest.mark.parametrize(
    "record", [view(EYE, list("abcd")), origin(OriginKind.FILE, "gate"), probes(EYE), some_probe()], ids=type
)
@pytest.mark.parametrize("leave", [copy.copy, copy.deepcopy, pickle.dumps, lambda record: pickle.dumps(record, 0)])
def test_rights_and_templates_are_neither_copied_nor_pickled(record: object, leave: Callable[[object], object]) -> None:
    with pytest.raises(RuleError) as refused:
        leave(record)
    assert refused.value.rule == "seal"


def test_templates_do_not_follow_the_array_they_were_made_of() -> None:
    vectors = EYE.copy()
    made = probes(vectors)
    vectors[:] = 0
    assert made.vectors.tolist() == EYE.tolist()


def test_a_gallery_views_subjects_and_their_first_rows() -> None:
    whole = view(EYE, ["a", "b", "b", "c"])
    assert whole.subjects.tolist() == ["a", "b", "c"]
    assert whole.starts.tolist() == [0, 1, 3]


def test_a_revoked_view_admits_nothing() -> None:
    whole = view(EYE, list("abcd"))
    where = some_origin(OriginKind.FILE)
    whole.admit(where, "m", NOW_NS)
    whole.revoked.set()
    with pytest.raises(RuleError) as refused:
        whole.admit(where, "m", NOW_NS)
    assert refused.value.rule == "window"


@pytest.mark.parametrize(
    ("field", "value"), [("box_xyxy_px", np.zeros(5, np.float32)), ("face_rgb", np.zeros((4, 4), np.uint8))]
)
def test_an_alerts_arrays_are_checked(field: str, value: np.ndarray) -> None:
    threshold = Threshold(0.4, 1e-4, 1, extrapolated=False, fpir_low=0, fpir_high=1)
    box, face = np.zeros(4, np.float32), np.zeros((4, 4, 3), np.uint8)
    good = Alert(some_origin(OriginKind.FILE), 1, "a", 0.9, threshold, box, face, 0, 0, 0, "v", "m")
    with pytest.raises(HabeasError, match=field):
        dataclasses.replace(good, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("box_xyxy_px", np.zeros(5, np.float32)),
        ("face_rgb", np.zeros((4, 4), np.uint8)),
        ("origin", origin(OriginKind.FILE, "gate")),
        ("templates", probes(EYE[:1], origin(OriginKind.FILE, "gate"))),
    ],
)
def test_a_probes_fields_are_checked(field: str, value: object) -> None:
    good = some_probe()
    dataclasses.replace(good, track_id=8)
    with pytest.raises(HabeasError, match=field if field.endswith(("px", "rgb")) else "its own source"):
        dataclasses.replace(good, **{field: value})


@pytest.mark.parametrize("rows", [0, 2])
def test_a_probe_has_one_template(rows: int) -> None:
    good = some_probe()
    with pytest.raises(HabeasError, match="one template"):
        dataclasses.replace(good, templates=probes(EYE[:rows], good.origin))


def test_a_gallery_views_subjects_are_in_order() -> None:
    seal = types._claimed[Seal.GALLERY_VIEW]
    with pytest.raises(HabeasError, match="order"):
        GalleryView(EYE[:2], np.array(["b", "a"]), np.array(["r", "r"]), "m", Basis.CONSENT, None, 0, 1, "id", seal)


def test_the_view_id_is_of_the_whole_content() -> None:
    def built(**changes: object) -> str:
        whole = {
            "vectors": EYE,
            "subject_ids": np.array(list("abcd")),
            "authorisation_ids": np.full(4, "run"),
            "model_id": "m",
            "basis": Basis.CONSENT,
            "camera_id": None,
            "valid_from_ns": 0,
            "valid_until_ns": 9,
        }
        return build_view(**{**whole, **changes}).view_id  # type: ignore[arg-type]

    changes: list[dict[str, object]] = [
        {"vectors": EYE[::-1].copy()},
        {"subject_ids": np.array(list("abce"))},
        {"authorisation_ids": np.full(4, "run-2")},
        {"model_id": "n"},
        {"basis": Basis.EVALUATE},
        {"camera_id": "gate"},
        {"valid_from_ns": 1},
        {"valid_until_ns": 10},
    ]
    ids = {built(), *(built(**change) for change in changes)}
    assert len(ids) == len(changes) + 1
    assert built() == built()


# --- admission ------------------------------------------------------------------------------------------------------

ADMITTED = {
    Basis.AUTHORISATION: {OriginKind.LIVE, OriginKind.FILE},
    Basis.CONSENT: {OriginKind.LIVE, OriginKind.FILE, OriginKind.STILLS, OriginKind.SCENE},
    Basis.DEMO: {OriginKind.SCENE},
    Basis.EVALUATE: {OriginKind.STILLS, OriginKind.SCENE},
    Basis.CANARY: {OriginKind.CANARY},
    Basis.RETROSPECTIVE: {OriginKind.FOOTAGE},
    Basis.ACCESS: {OriginKind.FOOTAGE},
}
"""product.md, "Without a workspace", written down a second time."""


@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize("kind", list(OriginKind))
def test_a_basis_covers_its_kinds_of_source_and_no_other(basis: Basis, kind: OriginKind) -> None:
    asked = view(EYE, list("abcd"), basis=basis)
    if kind in ADMITTED[basis]:
        asked.admit(some_origin(kind), "m", NOW_NS)
        return
    with pytest.raises(RuleError) as refused:
        asked.admit(some_origin(kind), "m", NOW_NS)
    assert refused.value.rule == "basis"
    assert kind.value in refused.value.message


@pytest.mark.parametrize("basis", list(Basis))
def test_a_reference_is_never_a_probe(basis: Basis) -> None:
    with pytest.raises(RuleError) as refused:
        view(EYE, list("abcd"), basis=basis).admit(None, "m", NOW_NS)
    assert refused.value.rule == "basis"


def test_a_view_of_one_camera_is_for_no_other() -> None:
    asked = view(EYE, list("abcd"), camera_id="gate")
    asked.admit(some_origin(OriginKind.LIVE, "gate"), "m", NOW_NS)
    with pytest.raises(RuleError) as refused:
        asked.admit(some_origin(OriginKind.LIVE, "yard"), "m", NOW_NS)
    assert refused.value.rule == "scope"


@pytest.mark.parametrize(("at_ns", "admitted"), [(9, False), (10, True), (19, True), (20, False), (-1, False)])
def test_a_window_of_time_is_half_open(at_ns: int, admitted: bool) -> None:
    asked = view(EYE, list("abcd"), valid_from_ns=10, valid_until_ns=20)
    where = some_origin(OriginKind.LIVE)
    if admitted:
        asked.admit(where, "m", at_ns)
        return
    with pytest.raises(RuleError) as refused:
        asked.admit(where, "m", at_ns)
    assert refused.value.rule == "window"


def test_templates_of_another_model_are_refused() -> None:
    with pytest.raises(InputError, match="another-model"):
        view(EYE, list("abcd")).admit(some_origin(OriginKind.LIVE), "another-model", NOW_NS)


# --- small things ---------------------------------------------------------------------------------------------------


def test_a_frame_gives_its_picture() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    frame = Frame(some_origin(OriginKind.STILLS, "album"), 3, 1, 2, ArrayPicture(image))
    assert (frame.camera_id, frame.size_wh) == ("album", (6, 4))
    assert frame.luma.shape == (4, 6)
    assert np.array_equal(frame.image_rgb, image)


def test_seconds_are_rounded_to_the_millisecond() -> None:
    assert seconds(1_234_567_890) == 1.235
    assert ClosedTrack(1, 0, 5).last_seen_ns == 5
