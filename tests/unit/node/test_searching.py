"""Searches are counted per camera, view and hour, and each hour that is over is one entry."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tests.installation import HOUR, Installation, person

from habeas.node.searching import Searching, write_searches
from habeas.store.records import Entry, Search
from habeas.types import GalleryView, Threshold

THRESHOLD = Threshold(0.5, 1e-4, 1, False, 5e-5, 2e-4)


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.camera("c1", "hall")
    return made


def view_of(place: Installation) -> GalleryView:
    view = place.gallery.view("c1", place.clock.now_ns())
    assert view is not None
    return view


def write(place: Installation, searching: Searching) -> None:
    with searching.taken() as taken, place.store.write() as tx:
        write_searches(tx, taken, calibration="c" * 64, build="b" * 64)


def entries(place: Installation) -> list[dict[str, object]]:
    with place.store.read() as tx:
        return [json.loads(row.body) for row in tx.find(Entry, kind="search.counted")]


def search(place: Installation, searching: Searching, times: int = 1) -> None:
    for _time in range(times):
        searching.add(view_of(place), THRESHOLD, place.clock.now_ns())


def test_an_hour_of_searches_is_one_entry(place: Installation) -> None:
    row = place.started()
    searching = Searching()
    search(place, searching, 3)
    write(place, searching)
    search(place, searching, 2)
    write(place, searching)
    write(place, searching)
    assert entries(place) == []
    view_id = view_of(place).view_id
    place.clock.advance(HOUR)
    write(place, searching)
    write(place, searching)
    (entry,) = entries(place)
    assert (entry["searches"], entry["view"]) == (5, view_id)
    assert str(entry["hour"]).endswith(":00:00.000000000Z"), "one search is one passer-by: no finer time"
    assert (entry["camera"], entry["zone"]) == ("c1", "hall")
    assert entry["authorisations"] == [row.authorisation_id]
    assert (entry["subjects"], entry["gallery_size"], entry["threshold"]) == (1, 1, 0.5)
    assert (entry["calibration"], entry["build"]) == ("c" * 64, "b" * 64)
    assert place.look(Search) == []


def test_another_view_is_another_entry(place: Installation) -> None:
    place.started()
    searching = Searching()
    search(place, searching)
    first = view_of(place).view_id
    place.started(people=(person("Lee Doe", seed=9),))
    search(place, searching, 4)
    second = view_of(place).view_id
    place.clock.advance(HOUR)
    write(place, searching)
    found = {str(entry["view"]): entry for entry in entries(place)}
    assert {view: entry["searches"] for view, entry in found.items()} == {first: 1, second: 4}
    assert found[second]["subjects"] == 2


def test_what_could_not_be_written_is_gathered_still(place: Installation) -> None:
    place.started()
    searching = Searching()
    search(place, searching, 2)
    with suppress(KeyError), searching.taken():
        search(place, searching, 1)
        raise KeyError
    search(place, searching, 1)
    write(place, searching)
    assert [row.searches for row in place.look(Search)] == [4]


def test_searches_before_a_crash_are_an_entry_after_it(place: Installation) -> None:
    place.started()
    searching = Searching()
    search(place, searching, 2)
    write(place, searching)
    place.clock.advance(3 * HOUR)
    write(place, Searching())
    assert [entry["searches"] for entry in entries(place)] == [2]


def test_nobody_who_was_compared_is_in_an_entry(place: Installation) -> None:
    """Control of what is asserted here: the view itself does hold vectors."""
    place.started()
    searching = Searching()
    search(place, searching)
    vectors = np.asarray(view_of(place).vectors)
    place.clock.advance(HOUR)
    write(place, searching)
    text = json.dumps(entries(place))
    assert vectors.size > 0
    assert not any(f"{value:.4f}" in text for value in vectors.ravel())
