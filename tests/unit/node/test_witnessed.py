"""The witnesses' time only ever narrows what may be searched; a clock that jumped is right once they say the same."""

from pathlib import Path

import pytest
from tests.installation import HOUR, Installation

from habeas.clock import ManualClock
from habeas.node.timekeeper import Timekeeper
from habeas.node.witnessed import hear_time
from habeas.store.records import Entry
from habeas.types import NS_PER_S


class Here:
    """An installation, its time, and one authorisation of two hours that begins in one."""

    def __init__(self, folder: Path) -> None:
        self.place = Installation(folder)
        self.place.camera("c1")
        now_ns = self.place.clock.now_ns()
        self.row = self.place.started(from_ns=now_ns + HOUR, until_ns=now_ns + 3 * HOUR)
        self.time = Timekeeper(self.place.clock, None)

    def hear(self, ahead_ns: int) -> None:
        """Let the witnesses say that it is so much later than here."""
        hear_time(self.time.now_ns() + ahead_ns, self.time, self.place.gallery, self.place.store)

    def compared(self) -> bool:
        return bool(self.place.compared("c1"))

    def entries(self) -> list[Entry]:
        with self.place.store.read() as tx:
            return tx.find(Entry, kind="clock.confirmed")


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


@pytest.mark.rule("F19")
@pytest.mark.parametrize("ahead_s", [0, 4, -4])
def test_seconds_apart_change_nothing(here: Here, ahead_s: int) -> None:
    here.hear(ahead_s * NS_PER_S)
    assert not here.compared()
    here.place.clock.advance(HOUR)
    assert here.compared()
    here.place.clock.advance(2 * HOUR - 1)
    assert here.compared()
    here.place.clock.advance(1)
    assert not here.compared()


@pytest.mark.rule("F19")
def test_an_own_clock_that_is_ahead_starts_nothing_early(here: Here) -> None:
    here.hear(-HOUR // 2)
    here.place.clock.advance(HOUR)
    assert not here.compared(), "begun here, not by the witnesses"
    here.place.clock.advance(HOUR // 2)
    assert here.compared()
    here.place.clock.advance(HOUR + HOUR // 2 - 1)
    assert here.compared()
    here.place.clock.advance(1)
    assert not here.compared(), "ended here, not by the witnesses"


@pytest.mark.rule("F19")
def test_an_own_clock_that_is_behind_ends_nothing_late(here: Here) -> None:
    here.hear(HOUR // 2)
    here.place.clock.advance(HOUR // 2)
    assert not here.compared(), "begun by the witnesses, not here"
    here.place.clock.advance(HOUR // 2)
    assert here.compared()
    here.place.clock.advance(HOUR + HOUR // 2 - 1)
    assert here.compared()
    here.place.clock.advance(1)
    assert not here.compared(), "ended by the witnesses, not here"


@pytest.mark.rule("F19")
def test_a_view_that_is_out_is_taken_back_when_the_witnesses_say_it_is_over(here: Here) -> None:
    here.place.clock.advance(HOUR)
    view = here.place.gallery.view("c1", here.time.now_ns())
    assert view is not None
    here.hear(3 * HOUR)
    assert view.revoked.is_set()
    assert not here.compared()
    here.hear(0)
    assert here.compared(), "control: and given again once they agree"


@pytest.mark.rule("F17")
def test_a_jump_that_the_witnesses_confirm_is_right(
    here: Here,
) -> None:
    clock = here.place.clock
    clock.jump(HOUR)
    assert not here.time.check()
    hear_time(clock.now_ns() - HOUR, here.time, here.place.gallery, here.place.store)
    assert here.time.jumped, "they say what it was before: the wall clock is wrong"
    hear_time(clock.now_ns(), here.time, here.place.gallery, here.place.store)
    assert here.time.check()
    assert [entry.actor for entry in here.entries()] == ["witnesses"]


@pytest.mark.rule("F17")
def test_witnesses_say_nothing_of_a_database_that_was_restored(here: Here) -> None:
    clock: ManualClock = here.place.clock
    here.time = Timekeeper(clock, None, restored=True)
    here.time.distrust()
    here.hear(0)
    assert here.time.jumped
    assert here.entries() == []
