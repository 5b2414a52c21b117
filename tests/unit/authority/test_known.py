"""A refresh reads what a commit may have changed and nothing else, and comes to what reading everything comes to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event
from tests.installation import DAY, HOUR, MODEL, Installation, person
from tests.strategies import PROPERTY

from habeas.authority.cameras import note_delivery
from habeas.authority.gallery import Gallery
from habeas.authority.known import Suspensions
from habeas.authority.suspensions import covers
from habeas.store.records import Camera, Subject, Suspension

CAMERAS: Final = ("c1", "c2", "c3")
LISTED: Final = {"authorisations", "subjects", "references"}
TABLES: Final = (*LISTED, '"references"', "cameras", "suspensions", "policies")
WORDS = st.sets(st.sampled_from(["a", "b", "c"]), max_size=2)


@contextmanager
def tables_read() -> Iterator[set[str]]:
    """Note which of these tables are read."""
    seen: set[str] = set()

    def note(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        assert "image_sealed" not in statement or "FROM alerts" in statement, "no image of a reference is read"
        seen.update(name for name in TABLES if f"FROM {name}" in " ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


TABLES: Final = (
    "authorisations",
    "subjects",
    "references",
    '"references"',
    "cameras",
    "suspensions",
    "policys",
    "policies",
)


def read_by(place: Installation, change: Callable[[], object]) -> set[str]:
    """Return what a refresh after a change reads, without the policy, which is always read."""
    change()
    with tables_read() as seen:
        place.gallery.refresh()
    assert "policies" in seen, "the control: what is read is seen"
    return {name.strip('"') for name in seen} - {"policies"}


def quietly(place: Installation, change: Callable[[Any], object]) -> Callable[[], None]:
    def run() -> None:
        with place.store.write() as tx:
            change(tx)

    return run


def test_only_what_may_have_changed_is_read_again(place: Installation) -> None:
    row = place.started()
    assert read_by(place, lambda: None) == set()
    assert read_by(place, lambda: place.hire("zoe")) == set()
    assert read_by(place, quietly(place, lambda tx: note_delivery(tx, "c1"))) == {"cameras"}
    (subject,) = place.subjects(row.authorisation_id)
    assert read_by(place, quietly(place, lambda tx: tx.change(subject, raised_to=0.6))) == LISTED
    assert place.gallery.floor(subject.subject_id) == 0.6
    imposed = place.look(Suspension)
    place.suspend(names=["c2"])
    (suspension,) = [one for one in place.look(Suspension) if one not in imposed]
    assert read_by(place, quietly(place, lambda tx: tx.change(suspension, why="another"))) == {"suspensions"}
    place.clock.advance(HOUR)
    assert read_by(place, lambda: None) == set()


def test_a_transaction_that_failed_is_read_after_too(place: Installation) -> None:
    """Whether it was kept may be unknown."""
    place.started()

    def fail() -> None:
        with suppress(ZeroDivisionError), place.store.write() as tx:
            tx.change(tx.find(Camera)[0], zone="elsewhere")
            raise ZeroDivisionError

    assert read_by(place, fail) == {"cameras"}


def test_a_reference_is_decrypted_once_and_forgotten_with_its_authorisation(place: Installation) -> None:
    opened: list[bytes] = []
    decrypt = place.keys.decrypt

    def noting(key_id: str, ciphertext: bytes, context: bytes) -> bytes:
        if context.startswith(b"template"):
            opened.append(context)
        return decrypt(key_id, ciphertext, context)

    place.keys.decrypt = noting  # type: ignore[method-assign]
    first = place.started(people=(person("Kim Doe", images=2),))
    second = place.started(people=(person("Lee Roe", seed=5),))
    place.suspend(names=["c3"])
    place.refresh()
    assert sorted(opened) == sorted({*opened}), "none twice, however often it was compiled"
    by_row = {
        row.authorisation_id: {one.reference_id for one in place.references(row.authorisation_id)}
        for row in (first, second)
    }
    kept = place.gallery._reading._vectors
    assert set(kept) == by_row[first.authorisation_id] | by_row[second.authorisation_id]
    place.revoke(first.authorisation_id)
    assert set(place.gallery._reading._vectors) == by_row[second.authorisation_id]
    place.advance(DAY)
    assert place.gallery._reading._vectors == {}


def compared(gallery: Gallery, now_ns: int) -> list[object]:
    views = [gallery.view(name, now_ns) for name in CAMERAS]
    told: list[object] = [
        view and (view.subject_ids.tolist(), view.vectors.tolist(), view.valid_until_ns) for view in views
    ]
    return [*told, gallery.watched(now_ns), [gallery.captured_freely(name, now_ns) for name in CAMERAS]]


@pytest.mark.rule("F12")
@pytest.mark.rule("F14")
def test_step_by_step_it_comes_to_what_reading_everything_comes_to(place: Installation) -> None:
    there = {camera.camera_id: camera for camera in place.look(Camera)}
    rows = []

    def start(seed: int, *names: str, **changes: Any) -> Callable[[], None]:
        chosen = tuple(there[name] for name in names)
        people = (person(f"Person {seed}", seed=seed),)
        return lambda: rows.append(place.started(cameras=chosen, people=people, **changes))

    def tighten() -> None:
        made = place.propose_policy("pia", authorisation_h=1)
        place.approve_policy(made.policy_id, "abe")
        place.approve_policy(made.policy_id, "bea")

    def raise_floor() -> None:
        with place.store.write() as tx:
            tx.change(tx.find(Subject)[0], raised_to=0.8)
        place.refresh()

    steps: list[Callable[[], object]] = [
        start(1, "c1"),
        start(2, "c1", "c2"),
        start(3, "c2", "c3", until_ns=place.clock.now_ns() + 90 * 60 * 10**9),
        lambda: place.suspend(names=["c2"], lasts_ns=HOUR // 2),
        lambda: place.hire("zoe"),
        raise_floor,
        lambda: place.revoke(rows[0].authorisation_id),
        lambda: place.advance(HOUR // 2),
        lambda: place.remove_camera("c3"),
        lambda: place.keys.destroy([place.subjects(rows[1].authorisation_id)[0].key_id]),
        place.refresh,
        start(4, "c1"),
        tighten,
        lambda: place.advance(HOUR),
    ]
    seen = []
    for step in steps:
        step()
        if step is not steps[-5]:  # between the destruction of a key by hand and the next refresh
            fresh = Gallery(place.store, place.keys, MODEL)
            fresh.go()
            fresh.refresh()
            seen.append(compared(place.gallery, place.clock.now_ns()))
            assert seen[-1] == compared(fresh, place.clock.now_ns())
    assert len({str(one) for one in seen}) > 7, "the control: the steps did change something"


@PROPERTY
@given(bound=st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=6), named=st.tuples(*[st.sampled_from("abc")] * 3))
def test_the_suspensions_of_a_camera_are_those_that_cover_it(
    bound: list[tuple[set[str], set[str], set[str]]], named: tuple[str, str, str]
) -> None:
    rows = [
        Suspension(f"s{n}", *(tuple(sorted(words)) for words in (zones, cameras, sources)), 0, 1, "why", "pia", 0)
        for n, (zones, cameras, sources) in enumerate(bound)
    ]
    zone, name, source = named
    camera = Camera(name, zone, "purpose", "rtsp://x", b"", None, "k", source, (), 32, 0, "ann")
    assert Suspensions(rows).of(camera) == tuple(row for row in rows if covers(row, camera))
