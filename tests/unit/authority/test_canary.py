"""The reserved view: a canary's only, for as long as the camera's own, and its template as this machine makes it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.installation import MODEL, Installation, vector

from habeas.app import App
from habeas.authority.canary import CANARY, load_reference, reserved_view
from habeas.clock import ManualClock
from habeas.errors import ModelError, RuleError
from habeas.measure.canary import canary_template
from habeas.models.pack import default_model_id
from habeas.types import PERMITTED_ORIGINS, Basis, GalleryView, OriginKind
from habeas.video.canary import canary_origin
from habeas.video.edge import origin


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    with Installation(tmp_path, clock) as made:
        made.camera("c1")
        made.started()
        yield made


def view_of(place: Installation) -> GalleryView:
    view = place.gallery.view("c1", place.clock.now_ns())
    assert view is not None
    return view


@pytest.mark.rule("L13")
def test_no_view_admits_both_a_canary_and_anybody_else() -> None:
    for basis, origins in PERMITTED_ORIGINS.items():
        assert (OriginKind.CANARY in origins) == (basis is Basis.CANARY)
    assert PERMITTED_ORIGINS[Basis.CANARY] == {OriginKind.CANARY}


@pytest.mark.rule("L13")
def test_a_reserved_view_holds_the_canary_and_nobody_listed(place: Installation) -> None:
    own, now_ns = view_of(place), place.clock.now_ns()
    reserved = reserved_view(own, vector(77))
    assert reserved.subjects.tolist() == reserved.authorisation_ids.tolist() == [CANARY]
    assert len(reserved) == 1
    reserved.admit(canary_origin("c1"), MODEL, now_ns)
    with pytest.raises(RuleError, match="basis"):
        reserved.admit(origin(OriginKind.LIVE, "c1"), MODEL, now_ns)
    with pytest.raises(RuleError, match="basis"):
        own.admit(canary_origin("c1"), MODEL, now_ns)
    with pytest.raises(RuleError, match="not for c2"):
        reserved.admit(canary_origin("c2"), MODEL, now_ns)


@pytest.mark.rule("L12")
def test_it_ends_in_the_instant_in_which_the_cameras_own_view_ends(place: Installation) -> None:
    own = view_of(place)
    reserved = reserved_view(own, vector(77))
    assert (reserved.valid_from_ns, reserved.valid_until_ns) == (own.valid_from_ns, own.valid_until_ns)
    reserved.admit(canary_origin("c1"), MODEL, place.clock.now_ns())
    place.suspend(zones=["gate"])
    with pytest.raises(RuleError, match="not valid now"):
        reserved.admit(canary_origin("c1"), MODEL, place.clock.now_ns())


def test_the_shipped_template_is_what_the_networks_make_of_the_drawing(app: App) -> None:
    shipped = load_reference(default_model_id())
    made = canary_template(app.detector(), app.templater)
    assert float(shipped @ made) > 0.999
    assert np.linalg.norm(shipped) == pytest.approx(1, abs=1e-6)


def test_there_is_none_for_an_unknown_pack() -> None:
    with pytest.raises(ModelError, match="no canary's template"):
        load_reference("unknown")
