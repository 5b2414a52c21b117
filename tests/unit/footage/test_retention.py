"""Footage as it ends: by its deadline or a lower policy, however many hours, whatever a disk does."""

from dataclasses import dataclass

import pytest
from tests.unit.footage.bench import Bench

from habeas.errors import DiskError, KeyDestroyed
from habeas.footage.rows import row_of
from habeas.keys import Scope
from habeas.store.footage_records import Footage
from habeas.types import HOUR_NS


@pytest.mark.rule("T2")
def test_at_the_deadline_nothing_opens_and_then_nothing_is_there(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    bench.place.clock.advance(hour_ns + 120 * HOUR_NS - 1 - bench.place.clock.now_ns())
    assert bench.end_due() == []
    assert bench.played("c1", hour_ns) == [b"c1 0 0,c1 0 1,c1 0 2"], "the control: a moment before"
    bench.place.clock.advance(1)
    assert len(bench.end_due()) == 1
    assert len(bench.sweep()) == 1
    assert bench.folder.segments("c1", hour_ns) == []
    assert bench.rows() == []
    assert bench.place.keys.ids(Scope.FOOTAGE) == frozenset()
    (destroyed,) = bench.entries("footage.destroyed")
    assert (destroyed["camera"], destroyed["segments"]) == ("c1", 1)


@pytest.mark.rule("T2")
def test_the_key_goes_by_itself_where_no_row_says_so(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    bench.place.keys.reap(hour_ns + 120 * HOUR_NS)
    with pytest.raises(KeyDestroyed):
        bench.played("c1", hour_ns)


@pytest.mark.rule("T3")
def test_a_shorter_policy_holds_for_what_exists_and_a_longer_one_does_not(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    bench.change_policy(footage_h=24)
    assert bench.end_due() == []
    (row,) = bench.rows()
    assert row.deadline_ns == hour_ns + 24 * HOUR_NS == bench.place.keys.expires_at_ns(row.key_id)
    assert len(bench.entries("footage.shortened")) == 1
    bench.change_policy(footage_h=100)
    bench.place.advance(25 * HOUR_NS - (bench.place.clock.now_ns() - hour_ns), tick=False)
    assert bench.place.look(Footage)[0].deadline_ns == hour_ns + 24 * HOUR_NS
    assert len(bench.end_due()) == 1


def test_a_policy_that_makes_everything_too_old_ends_it_at_once(bench: Bench) -> None:
    bench.record(0, 3)
    bench.stop()
    bench.place.clock.advance(3 * HOUR_NS)
    bench.change_policy(footage_h=1)
    assert len(bench.end_due()) == 1
    assert bench.place.keys.ids(Scope.FOOTAGE) == frozenset()


@pytest.mark.rule("T2")
def test_a_disk_that_removes_nothing_keeps_no_key_and_no_entry(bench: Bench) -> None:
    """The key and the entry wait for no file."""
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.record(0, 3, camera="c2")
    bench.stop()
    bench.place.clock.advance(121 * HOUR_NS)
    bench.folder.stuck = frozenset({"c1"})
    assert len(bench.end_due()) == 2
    assert bench.rows() == []
    assert bench.place.keys.ids(Scope.FOOTAGE) == frozenset()
    assert len(bench.entries("footage.destroyed")) == 2
    with pytest.raises(DiskError, match="stuck"):
        bench.sweep()
    assert bench.folder.segments("c2", hour_ns) == [], "it keeps no other"
    assert bench.folder.segments("c1", hour_ns) != []
    bench.folder.stuck = frozenset()
    assert len(bench.sweep()) == 1
    assert bench.folder.segments("c1", hour_ns) == []


def test_what_is_in_a_row_or_not_over_is_swept_by_nobody(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    assert bench.sweep() == []
    bench.forget_rows()
    assert bench.sweep() == [], "its key is there, and its deadline is not"
    (path,) = bench.folder.segments("c1", hour_ns)
    strange = path.with_name("strange.habf")
    strange.write_bytes(b"this is no footage, and longer than what a torn header has")
    assert bench.sweep() == []
    bench.place.keys.reap(hour_ns + 120 * HOUR_NS)
    assert bench.sweep() == [path], "noise goes, and what cannot be told waits"
    bench.place.clock.advance(121 * HOUR_NS)
    assert bench.sweep() == [path.parent]
    assert not path.parent.exists()


def many(bench: Bench, count: int) -> int:
    """Camera-hours of so many cameras in this hour; returns the hour."""
    with bench.place.store.write() as tx:
        for number in range(count):
            row_of(tx, bench.place.keys, f"m{number}", bench.hour_ns)
    return bench.hour_ns


@dataclass
class Counted:
    """How often a bucket of keys was written."""

    count: int = 0


def counted_writes(bench: Bench) -> Counted:
    counted, real = Counted(), bench.place.disk.write

    def write(name: str, data: bytes) -> None:
        counted.count += "bucket" in name
        real(name, data)

    bench.place.disk.write = write  # type: ignore[method-assign]
    return counted


def test_many_camera_hours_end_with_few_writes_of_keys_and_few_transactions(bench: Bench) -> None:
    many(bench, 450)
    later = bench.place.keys.new(Scope.FOOTAGE, bench.hour_ns + 121 * HOUR_NS - 1)
    bench.place.clock.advance(120 * HOUR_NS)
    counted = counted_writes(bench)
    assert len(bench.end_due()) == 450
    assert bench.place.keys.ids(Scope.FOOTAGE) == {later}
    assert counted.count <= 3, "once for each 200"
    assert bench.rows() == []
    assert len(bench.entries("footage.destroyed")) == 450


@pytest.mark.rule("T3")
def test_a_lower_policy_shortens_many_with_few_writes_of_keys(bench: Bench) -> None:
    hour_ns = many(bench, 450)
    bench.change_policy(footage_h=24)
    counted = counted_writes(bench)
    assert bench.end_due() == []
    assert {row.deadline_ns for row in bench.rows()} == {hour_ns + 24 * HOUR_NS}
    keys = bench.place.keys
    assert {keys.expires_at_ns(key) for key in keys.ids(Scope.FOOTAGE)} == {hour_ns + 24 * HOUR_NS}
    assert len(bench.entries("footage.shortened")) == 450
    assert counted.count <= 6, "two buckets for each 200"


@pytest.mark.rule("T3")
def test_what_is_past_its_deadline_is_not_said_to_be_shortened(bench: Bench) -> None:
    """It would be lengthened: from its deadline to now."""
    many(bench, 1)
    bench.place.clock.advance(121 * HOUR_NS)
    bench.change_policy(footage_h=24)
    assert len(bench.end_due()) == 1
    assert bench.entries("footage.shortened") == []


@pytest.mark.rule("T3")
def test_a_key_that_ends_earlier_than_its_row_says_is_not_lengthened(bench: Bench) -> None:
    hour_ns = many(bench, 1)
    (row,) = bench.rows()
    bench.place.keys.reschedule(row.key_id, hour_ns + 10 * HOUR_NS)
    bench.change_policy(footage_h=100)
    bench.end_due()
    assert bench.place.keys.expires_at_ns(row.key_id) == hour_ns + 10 * HOUR_NS


def test_a_row_whose_key_is_gone_is_found_at_the_start_and_each_hour(bench: Bench) -> None:
    many(bench, 2)
    first, second = bench.rows()
    retention = bench.retention()
    bench.place.keys.destroy([first.key_id])
    assert retention.step() == [first.footage_id]
    bench.place.keys.destroy([second.key_id])
    assert retention.step() == [], "not each second"
    bench.place.clock.advance(HOUR_NS)
    assert retention.step() == [second.footage_id]


def test_where_a_key_cannot_be_destroyed_nothing_says_that_it_was(bench: Bench) -> None:
    many(bench, 1)
    bench.place.clock.advance(120 * HOUR_NS)
    real = bench.place.disk.remove

    def failing(_name: str) -> None:
        raise DiskError("it is stuck")

    bench.place.disk.remove = failing  # type: ignore[method-assign]
    with pytest.raises(DiskError, match="stuck"):
        bench.end_due()
    assert bench.entries("footage.destroyed") == []
    assert len(bench.rows()) == 1
    bench.place.disk.remove = real  # type: ignore[method-assign]
    assert len(bench.end_due()) == 1
