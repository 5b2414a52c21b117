import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.databases import new_database

from habeas.clock import ManualClock
from habeas.engine.messages import Counters
from habeas.node.counting import Counting, day_text, delivering, false_a_day, log_counts, write_counts
from habeas.store import Store, open_store
from habeas.store.records import Camera, Count, Entry
from habeas.types import NS_PER_S

DAY_NS = 24 * 3600 * NS_PER_S
TOTALS = ("decoded", "analysed", "gated", "dropped", "faces", "tracks", "analysed_ns")


def counters(epoch: int, *totals: int, camera_id: str = "gate") -> Counters:
    return Counters(camera_id=camera_id, epoch=epoch, **dict(zip(TOTALS, totals, strict=True)))


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    return open_store(new_database("sqlite", tmp_path), clock)


def write(counting: Counting, store: Store) -> list[str]:
    with counting.taken() as tallies, store.write() as tx:
        write_counts(tx, tallies)
        return delivering(tallies)


def test_what_could_not_be_written_is_gathered_still(store: Store) -> None:
    counting = Counting()
    counting.add("gate", searches=2)
    with pytest.raises(KeyError), counting.taken():
        raise KeyError
    counting.add("gate", searches=1)
    write(counting, store)
    assert rows(store)[0].searches == 3


def rows(store: Store) -> list[Count]:
    with store.read() as tx:
        return tx.find(Count)


def test_totals_of_an_epoch_are_counted_once(store: Store, clock: ManualClock) -> None:
    counting = Counting()
    counting.heard(counters(1, 10, 4, 5, 1, 2, 1, NS_PER_S))
    counting.heard(counters(1, 25, 9, 14, 2, 3, 1, 2 * NS_PER_S))
    counting.add("gate", searches=3, alerts=1)
    assert write(counting, store) == ["gate"]
    assert write(counting, store) == []
    day = day_text(clock.now_ns())
    assert rows(store) == [Count("gate", day, 2 * NS_PER_S, 25, 9, 14, 2, 3, 1, 3, 1)]


def test_a_new_epoch_begins_at_nothing(store: Store) -> None:
    counting = Counting()
    counting.heard(counters(1, 10, 10, 0, 0, 0, 0, 0))
    counting.heard(counters(2, 4, 4, 0, 0, 0, 0, 0))
    write(counting, store)
    assert rows(store)[0].frames_decoded == 14


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=30))
def test_whatever_the_order_of_restarts_nothing_is_counted_twice(steps: list[tuple[bool, int]]) -> None:
    counting, epoch, total, expected = Counting(), 1, 0, 0
    for restarts, grown in steps:
        if restarts:
            epoch, total = epoch + 1, 0
        total, expected = total + grown, expected + grown
        counting.heard(counters(epoch, total, total, 0, 0, 0, 0, 0))
    assert counting._tallies["gate"]["frames_decoded"] == expected


def test_each_day_has_a_row_of_its_own(store: Store, clock: ManualClock) -> None:
    counting = Counting()
    for _day in range(2):
        counting.add("gate", searches=1)
        write(counting, store)
        clock.advance(DAY_NS)
    assert [row.searches for row in rows(store)] == [1, 1]


def test_false_alerts_a_day_follow_the_traffic_of_the_last_week(store: Store, clock: ManualClock) -> None:
    with store.write() as tx:
        assert false_a_day(tx, "gate", 1e-4) == 0.0
        tx.add(Count("gate", day_text(clock.now_ns()), analysed_ns=DAY_NS // 24, tracks=500))
        tx.add(Count("gate", day_text(clock.now_ns() - 8 * DAY_NS), analysed_ns=DAY_NS, tracks=9_000_000))
        tx.add(Count("other", day_text(clock.now_ns()), analysed_ns=1, tracks=9_000_000))
        assert false_a_day(tx, "gate", 1e-4) == pytest.approx(1e-4 * 500 * 24)


def entries(store: Store) -> list[dict[str, object]]:
    with store.read() as tx:
        return [json.loads(entry.body) for entry in tx.find(Entry, kind="camera.counted")]


def test_a_day_that_is_over_is_an_entry_once(store: Store, clock: ManualClock) -> None:
    with store.write() as tx:
        tx.add(Camera("gate", "hall", "who comes in", "rtsp://x", b"", None, "k", "d", (), 32, tx.now_ns, "ann"))
    counting, day = Counting(), day_text(clock.now_ns())
    counting.heard(counters(1, 10, 4, 5, 1, 2, 1, NS_PER_S))
    counting.add("gate", searches=3, alerts=1)
    write(counting, store)
    for _again in range(2):
        with store.write() as tx:
            log_counts(tx)
        assert entries(store) == []
    clock.advance(DAY_NS)
    for _again in range(2):
        with store.write() as tx:
            log_counts(tx)
        (entry,) = entries(store)
    assert (entry["camera"], entry["zone"], entry["day"]) == ("gate", "hall", day)
    assert (entry["tracks"], entry["searches"], entry["alerts"], entry["analysed_ns"]) == (1, 3, 1, NS_PER_S)
