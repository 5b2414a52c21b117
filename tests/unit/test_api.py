from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tests.strategies import NOW_NS, probes

import habeas
from habeas import api
from habeas.authority import runs
from habeas.errors import InputError, RuleError
from habeas.faces import fuse
from habeas.types import U8, Frame, OriginKind
from habeas.video import ArrayPicture
from habeas.video.edge import origin


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """The limits count over the process."""
    assert runs._open_runs == []
    yield
    for run in list(api._runs.values()):
        run.close()
    api._runs.clear()
    assert runs._open_runs == []


@pytest.fixture
def picture(portraits: dict[str, U8], tmp_path: Path) -> Path:
    shown = Image.fromarray(portraits["obama-2"])
    shown.thumbnail((500, 500))
    shown.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_each_stage_feeds_the_next(portraits: dict[str, U8], picture: Path) -> None:
    view = habeas.enrol({"barack": portraits["obama"], "joe": [portraits["biden"]]})
    with habeas.open_source(picture) as source:
        (frame,) = source.frames()
    faces = habeas.detect(frame)
    tracks = habeas.track(frame, faces)
    templates = habeas.template(frame, tracks)
    candidates = habeas.search(templates, view, k=2)
    (match,) = habeas.decide(candidates)
    assert (len(faces), len(templates)) == (1, 1)
    assert candidates.subject_ids.tolist() == [["barack", "joe"]]
    assert match.subject_id == "barack"
    assert match.similarity == candidates.similarities[0, 0]
    np.testing.assert_allclose(habeas.template(frame, faces).vectors, templates.vectors, atol=1e-6)


def test_a_tracks_template_is_the_mean_of_its_shots_so_far(portraits: dict[str, U8]) -> None:
    where = origin(OriginKind.FILE, "street.mp4")
    made, single = [], []
    for index, radius in enumerate((6, 3, 0)):  # each sharper, so that it is a better shot
        shown = Image.fromarray(portraits["obama-2"])
        shown.thumbnail((500, 500))
        shown = shown.filter(ImageFilter.GaussianBlur(radius))
        frame = Frame(where, index, NOW_NS, index * 2 * 10**8, ArrayPicture(np.asarray(shown)))
        faces = habeas.detect(frame)
        tracks = habeas.track(frame, faces)
        if tracks.best_shots.any():
            single.append(habeas.template(frame, faces).vectors[0])
            made.append(habeas.template(frame, tracks).vectors[0])
    assert len(made) > 1
    for count, vector in enumerate(made, start=1):
        np.testing.assert_allclose(vector, fuse(single[:count]), atol=1e-5)


def test_an_fpir_is_refused_before_anything_else() -> None:
    none = habeas.Candidates(np.zeros((0, 1), np.str_), np.zeros((0, 1), np.float32), 1, "v", "m")
    with pytest.raises(RuleError) as refused:
        habeas.decide(none, fpir=0.01)
    assert refused.value.rule == "fpir"
    assert habeas.decide(none) == []


def test_the_tracks_of_a_source_are_its_own(picture: Path) -> None:
    ids = []
    for _ in range(2):
        with habeas.open_source(picture) as source:
            (frame,) = source.frames()
        faces = habeas.detect(frame)
        ids += [habeas.track(frame, faces).track_ids.tolist(), habeas.track(frame, faces).track_ids.tolist()]
    assert ids == [[1], [2], [1], [2]], "each still is a shot of its own"


def test_watch_is_the_whole_of_it(portraits: dict[str, U8], picture: Path) -> None:
    events = list(habeas.watch(picture, {"barack": portraits["obama"]}, basis="consent"))
    assert [type(event) for event in events] == [habeas.Alert, habeas.AlertEnd]
    for basis in ("demo", "court-order"):
        with pytest.raises(RuleError) as refused:
            list(habeas.watch(picture, {"barack": portraits["obama"]}, basis=basis))
        assert refused.value.rule == "basis"


def test_forgotten_is_not_compared(portraits: dict[str, U8]) -> None:
    view = habeas.enrol({"joe": portraits["biden"]})
    where = origin(OriginKind.STILLS, "x")
    probe = probes(view.vectors, where, view.model_id)
    assert habeas.search(probe, view).similarities[0, 0] == pytest.approx(1, abs=1e-5)
    habeas.forget(view)
    habeas.forget(view)
    with pytest.raises(RuleError) as refused:
        habeas.search(probe, view)
    assert refused.value.rule == "window"


def test_a_view_that_enrol_did_not_make_is_not_compared(portraits: dict[str, U8]) -> None:
    view = habeas.enrol({"joe": portraits["biden"]})
    probe = probes(view.vectors, None, view.model_id)
    api._runs[view.view_id].close()
    with pytest.raises(RuleError):
        habeas.search(probe, view)


def test_a_fourth_person_is_refused_until_one_is_forgotten(portraits: dict[str, U8]) -> None:
    three = habeas.enrol({name: portraits[name] for name in ("astronaut", "grace-hopper", "obama")})
    with pytest.raises(RuleError) as refused:
        habeas.enrol({"joe": portraits["biden"]})
    assert refused.value.rule == "subject-limit"
    habeas.forget(three)
    habeas.enrol({"joe": portraits["biden"]})


def test_a_third_live_source_is_refused(portraits: dict[str, U8]) -> None:
    view = habeas.enrol({"joe": portraits["biden"]})
    cameras = [origin(OriginKind.LIVE, name) for name in ("a", "b")]  # a source counts as long as somebody holds it
    for camera in cameras:
        habeas.search(probes(view.vectors, camera, view.model_id), view)
    with pytest.raises(RuleError) as refused:
        habeas.search(probes(view.vectors, origin(OriginKind.LIVE, "c"), view.model_id), view)
    assert refused.value.rule == "live-source-limit"


def test_the_bases_and_the_fpir_have_their_limits(portraits: dict[str, U8]) -> None:
    with pytest.raises(RuleError):
        habeas.enrol({"joe": portraits["biden"]}, basis="evaluate")
    view = habeas.enrol({"joe": portraits["biden"]})
    found = habeas.search(probes(view.vectors, None, view.model_id), view)
    assert [match.subject_id for match in habeas.decide(found, fpir=1e-3)] == ["joe"]
    with pytest.raises(RuleError) as refused:
        habeas.decide(found, fpir=0.01)
    assert refused.value.rule == "fpir"


def test_templates_of_no_source_are_not_compared(portraits: dict[str, U8]) -> None:
    view = habeas.enrol({"joe": portraits["biden"]})
    with pytest.raises(RuleError):
        habeas.search(habeas.Templates(view.vectors, view.model_id, None), view)


@pytest.mark.parametrize("images", [[], np.zeros((5, 5), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused(images: object) -> None:
    with pytest.raises(InputError):
        habeas.enrol({"joe": images})  # type: ignore[dict-item]
