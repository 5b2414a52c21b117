"""Cameras that nobody watches are asked in turn whether they deliver, and their first and last word is an entry."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.installation import DAY, HOUR, Installation

from habeas.authority.cameras import delivering, note_delivery, note_silence
from habeas.clock import ManualClock
from habeas.errors import InputError
from habeas.node.liveness import Liveness
from habeas.store.records import Camera, Entry
from habeas.types import NS_PER_S

NAMES = [f"c{number}" for number in range(1, 7)]
STEP = 5 * 60 * NS_PER_S


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    """Six cameras, of which nothing was heard."""
    with Installation(tmp_path, clock) as made:
        for name in NAMES:
            made.camera(name, delivers=False)
        yield made


class Street:
    """Cameras that answer, but for some; what was asked, and when."""

    def __init__(self, place: Installation, silent: frozenset[str] = frozenset()) -> None:
        self.place = place
        self.silent = silent
        self.asked: list[tuple[str, int]] = []
        self.watched: set[str] = set()
        self.liveness = Liveness(place.store, place.clock, self.ask, lambda: self.watched)

    def ask(self, camera: Camera) -> None:
        self.asked.append((camera.camera_id, self.place.clock.now_ns()))
        if camera.camera_id in self.silent:
            raise InputError("no such host")
        with self.place.store.write() as tx:
            note_delivery(tx, camera.camera_id)

    def run(self, duration_ns: int) -> Counter[str]:
        """Let time pass, and the thread take its steps; return how often each was asked."""
        before = len(self.asked)
        for _ in range(duration_ns // STEP):
            self.place.clock.advance(STEP)
            self.liveness.step()
        return Counter(name for name, _ in self.asked[before:])


def delivers(place: Installation) -> int:
    with place.store.read() as tx:
        return delivering(tx)


@pytest.mark.rule("P8")
def test_cameras_that_nobody_watches_come_to_count_and_go_on_counting(place: Installation) -> None:
    street = Street(place, silent=frozenset({"c3"}))
    assert delivers(place) == 0
    assert street.run(HOUR + len(NAMES) * STEP) == Counter(NAMES), "each once within the first hour"
    assert delivers(place) == len(NAMES) - 1
    for _ in range(3):
        asked = street.run(DAY)
        assert set(asked) == set(NAMES)
        assert set(asked.values()) <= {3, 4, 5}
        assert delivers(place) == len(NAMES) - 1


def test_never_two_at_once_nor_all_in_a_row(place: Installation) -> None:
    street = Street(place)
    street.run(DAY)
    moments = [at_ns for _, at_ns in street.asked]
    assert len(set(moments)) == len(moments)
    place.clock.advance(2 * DAY)  # the machine slept: all are due, and are asked one a step
    assert [street.liveness.step() for _ in range(len(NAMES) + 2)][-2:] == [None, None]
    hours = {at_ns // HOUR for at_ns in moments}
    assert len(hours) > 8, "spread over the day"


def test_watched_removed_and_file_cameras_are_not_asked(place: Installation, tmp_path: Path) -> None:
    street = Street(place)
    street.watched = {"c1"}
    place.remove_camera("c2")
    (tmp_path / "film.mp4").touch()
    place.camera_at("film", f"file://{tmp_path}/film.mp4", delivers=False)
    assert set(street.run(DAY)) == set(NAMES) - {"c1", "c2"}


def test_a_suspended_camera_is_asked_too_since_nothing_is_decoded(place: Installation) -> None:
    place.suspend(names=["c1"], lasts_ns=DAY)
    assert Street(place).run(DAY)["c1"]


def test_a_node_that_starts_again_asks_nobody_whom_it_heard(place: Installation) -> None:
    Street(place).run(2 * HOUR)
    assert not Street(place).run(HOUR)


def entries(place: Installation) -> list[str]:
    return [one.kind for one in place.look(Entry) if one.kind in {"camera.delivers", "camera.silent"}]


def test_only_a_change_is_an_entry(place: Installation, clock: ManualClock) -> None:
    def heard() -> None:
        with place.store.write() as tx:
            note_delivery(tx, "c1")

    def beat(since_ns: int) -> list[str]:
        with place.store.write() as tx:
            return note_silence(tx, since_ns)

    heard()
    clock.advance(HOUR)
    heard()
    assert entries(place) == ["camera.delivers"]
    last_ns = clock.now_ns()
    clock.advance(DAY - 1)
    assert beat(last_ns) == []
    last_ns = clock.now_ns()
    clock.advance(1)
    assert beat(last_ns) == ["c1"]
    assert delivers(place) == 0
    last_ns = clock.now_ns()
    clock.advance(DAY)
    assert beat(last_ns) == []
    heard()
    assert entries(place) == ["camera.delivers", "camera.silent", "camera.delivers"]
