"""What may be compared: per camera and moment, with its end, and nothing from the instant that it is over."""

import threading

import numpy as np
import pytest
from tests.installation import DAY, HOUR, Installation, person, rule_of, vector
from tests.strategies import probes

from habeas.authority.gallery import Gallery
from habeas.authority.views import build_view
from habeas.comparison import search
from habeas.errors import RuleError
from habeas.store.records import Camera, Subject
from habeas.types import Basis, GalleryView, OriginKind
from habeas.video.edge import origin


def matches(view: GalleryView | None, place: Installation, camera: str = "c1", seed: int = 0) -> bool:
    """Compare a face with a view, now."""
    if view is None:
        return False
    probe = probes(vector(seed)[None], origin(OriginKind.LIVE, camera))
    try:
        found = search(probe, view, at_ns=place.clock.now_ns())
    except RuleError as error:
        assert error.rule == "window"  # noqa: PT017 - the one refusal that is expected
        return False
    return bool(found.similarities.size and found.similarities[0, 0] > 0.99)


@pytest.mark.rule("F11")
def test_without_an_authorisation_nothing_is_analysed(place: Installation) -> None:
    now = place.clock.now_ns()
    assert place.gallery.watched(now) == frozenset()
    place.submitted()
    assert place.gallery.watched(now) == frozenset()
    place.started()
    assert place.gallery.watched(now) == {"c1"}


@pytest.mark.rule("F12")
def test_a_view_is_of_its_camera_and_moment(place: Installation) -> None:
    c1, c2 = (place.look(Camera, camera_id=name)[0] for name in ("c1", "c2"))
    now = place.clock.now_ns()
    one = place.started(cameras=(c1,), people=(person("A", seed=1),))
    both = place.started(cameras=(c1, c2), people=(person("B", seed=2, images=2),))
    later = place.started(cameras=(c1,), people=(person("C", seed=4),), from_ns=now + HOUR)
    assert place.compared("c1") == {one.authorisation_id, both.authorisation_id}
    assert place.compared("c2") == {both.authorisation_id}
    assert place.compared("c3") == place.compared("no such") == set()
    view = place.gallery.view("c1", now)
    assert view is not None
    assert (len(view), view.camera_id, view.valid_from_ns, view.valid_until_ns) == (3, "c1", now, now + HOUR)
    assert matches(view, place, seed=1)
    assert not matches(view, place, seed=4)
    with pytest.raises(RuleError):
        matches_elsewhere(view, place)
    place.clock.advance(HOUR)
    assert later.authorisation_id in place.compared("c1")


def matches_elsewhere(view: GalleryView, place: Installation) -> None:
    search(probes(vector(1)[None], origin(OriginKind.LIVE, "c2")), view, at_ns=place.clock.now_ns())


@pytest.mark.rule("F13")
@pytest.mark.rule("A15")
def test_from_the_first_instant_after_its_end_nothing_matches(place: Installation) -> None:
    """A comparison that holds the view and hears of nothing: no refresh, no tick, no commit."""
    place.started()
    view = place.gallery.view("c1", place.clock.now_ns())
    place.clock.advance(2 * HOUR - 1)
    assert matches(view, place)
    place.clock.advance(1)
    assert not matches(view, place)
    assert place.gallery.view("c1", place.clock.now_ns()) is None


@pytest.mark.rule("F14")
@pytest.mark.rule("A15")
@pytest.mark.parametrize("how", ["revoke", "refuse", "suspend", "remove", "tighten", "stop"])
def test_a_view_refuses_from_the_commit_that_ends_it(place: Installation, how: str) -> None:
    row = place.started(by=["abe"], urgent=True)
    held, other = (place.gallery.view("c1", place.clock.now_ns()) for _ in range(2))
    assert held is other, "one view, whoever holds it"
    assert matches(held, place)
    if how == "revoke":
        place.revoke(row.authorisation_id)
    elif how == "refuse":
        place.refuse(row.authorisation_id)
    elif how == "suspend":
        place.suspend(zones=["gate"])
    elif how == "remove":
        place.remove_camera("c1")
    elif how == "stop":
        place.gallery.stop()
    else:
        made = place.propose_policy("pia", purposes=[])
        place.approve_policy(made.policy_id, "abe")
        place.approve_policy(made.policy_id, "bea")
    assert not matches(held, place)
    assert place.compared("c1") == set()


@pytest.mark.rule("F14")
def test_a_commit_that_changes_nothing_here_revokes_nothing(place: Installation) -> None:
    place.started()
    view = place.gallery.view("c1", place.clock.now_ns())
    place.submitted()
    assert matches(view, place)
    assert place.gallery.view("c1", place.clock.now_ns()) is view


@pytest.mark.rule("F12")
def test_somebody_who_joins_is_compared_at_once(place: Installation) -> None:
    place.started()
    view = place.gallery.view("c1", place.clock.now_ns())
    place.started(people=(person("Lee Roe", seed=5),))
    assert not matches(view, place)
    assert matches(place.gallery.view("c1", place.clock.now_ns()), place, seed=5)


def test_stopped_until_go(place: Installation) -> None:
    place.started()
    fresh = Gallery(place.store, place.keys, "m")
    assert fresh.view("c1", place.clock.now_ns()) is None
    fresh.refresh()
    assert fresh.view("c1", place.clock.now_ns()) is None, "nobody has looked at the clock yet"
    fresh.go()
    assert fresh.view("c1", place.clock.now_ns()) is not None


@pytest.mark.rule("A16")
def test_a_destroyed_key_ends_comparing_whatever_was_opened_before(place: Installation) -> None:
    row = place.started()
    assert place.compared("c1")
    place.keys.destroy([place.subjects(row.authorisation_id)[0].key_id])
    place.refresh()
    assert place.compared("c1") == set()


def test_references_of_another_model_are_counted_and_not_compared(place: Installation) -> None:
    place.started(people=(person("Kim Doe", model_id="n"),))
    assert place.compared("c1") == set()
    assert place.gallery.other_model == 1


def test_a_raised_threshold_is_known(place: Installation) -> None:
    row = place.started()
    subject = place.subjects(row.authorisation_id)[0]
    assert place.gallery.floor(subject.subject_id) == 0
    with place.store.write() as tx:
        tx.change(tx.get(Subject, subject.subject_id), raised_to=0.7)
    place.refresh()
    assert place.gallery.floor(subject.subject_id) == 0.7


@pytest.mark.rule("A15")
def test_an_older_reading_never_replaces_a_newer_one(place: Installation) -> None:
    """Two threads refresh: one has read, and waits; the other revokes. What was read first must not come last."""
    row = place.started()
    read, go_on = threading.Event(), threading.Event()

    class Slow(Gallery):
        slow = True

        def _take_over(self, known: object) -> None:
            if self.slow and threading.current_thread().name == "slow":
                read.set()
                go_on.wait(0.2)  # the other cannot overtake: it waits for this one, and this one for nobody
            super()._take_over(known)  # type: ignore[arg-type]

    gallery = Slow(place.store, place.keys, "m")
    gallery.go()
    slow = threading.Thread(target=gallery.refresh, name="slow")
    slow.start()
    assert read.wait(5)
    place.revoke(row.authorisation_id)
    gallery.refresh()
    go_on.set()
    slow.join(5)
    assert gallery.view("c1", place.clock.now_ns()) is None


@pytest.mark.rule("F18")
def test_an_alert_needs_its_authorisation_in_its_own_transaction(place: Installation) -> None:
    """Between a comparison and its alert the authorisation may end: then there is no alert."""
    row = place.started()
    place.alert(row.authorisation_id)
    place.clock.advance(2 * HOUR)  # nobody has ended it yet
    assert rule_of(lambda: place.alert(row.authorisation_id)) == "authorisation-ended"
    place.tick()
    assert rule_of(lambda: place.alert(row.authorisation_id)) == "authorisation-ended"


def test_vectors_are_those_that_were_enrolled(place: Installation) -> None:
    place.started(people=(person("Kim Doe", images=3),))
    view = place.gallery.view("c1", place.clock.now_ns())
    assert view is not None
    wanted = np.sort(np.stack([vector(n) for n in range(3)]), axis=0)
    assert np.allclose(np.sort(view.vectors, axis=0), wanted)
    assert "Kim" not in repr(place.gallery) + repr(view)
    place.advance(DAY)
    assert "references=0" in repr(place.gallery), "opened ones are forgotten"


def test_the_id_of_a_view_is_of_commitments_and_not_of_templates() -> None:
    """An id in the log must not confirm a template once its key is destroyed."""
    rows = {
        "subject_ids": np.array(["s"]),
        "authorisation_ids": np.array(["a"]),
        "model_id": "m",
        "basis": Basis.AUTHORISATION,
        "camera_id": "gate",
        "valid_from_ns": 0,
        "valid_until_ns": 1,
    }
    one, other = np.eye(2, dtype=np.float32)
    ids = {
        build_view(vectors=vector[None], commitments=np.array(["c"]), **rows).view_id  # type: ignore[arg-type]
        for vector in (one, other)
    }
    changed = build_view(vectors=one[None], commitments=np.array(["d"]), **rows)  # type: ignore[arg-type]
    assert len(ids) == 1
    assert changed.view_id not in ids
