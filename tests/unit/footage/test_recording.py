"""Footage as it is written: keys and deadlines by the hour, gaps, clocks that are off, a disk that fills or fails."""

import dataclasses
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.unit.footage.bench import MINUTE, Bench
from tests.workers import until

from habeas.errors import DiskError, InputError
from habeas.footage.files import SegmentFile, hour_text, read_segment
from habeas.footage.form import Header
from habeas.keys import KeyStore, Scope
from habeas.types import HOUR_NS, NS_PER_S, utc
from habeas.video.parts import Part


@pytest.mark.rule("T1")
def test_each_camera_hour_has_one_key_and_one_deadline(bench: Bench) -> None:
    began_ns = bench.hour_ns
    bench.record(0, 4)
    bench.record(1, 3)
    bench.record(0, 3, camera="c2")
    bench.place.clock.advance(HOUR_NS)
    bench.record(2, 3)
    bench.stop()
    rows = {row.footage_id: row for row in bench.rows()}
    assert len(rows) == 3
    assert len({row.key_id for row in rows.values()}) == 3
    for row in rows.values():
        assert row.deadline_ns == row.hour_ns + 120 * HOUR_NS == bench.place.keys.expires_at_ns(row.key_id)
    first = next(row for row in rows.values() if (row.camera_id, row.hour_ns) == ("c1", began_ns))
    assert (first.segments, first.lasts_ns) == (2, 5 * NS_PER_S)
    assert bench.played("c1", began_ns) == [b"c1 0 0,c1 0 1,c1 0 2,c1 0 3", b"c1 1 0,c1 1 1,c1 1 2"]
    assert len(bench.entries("footage.began")) == 3
    assert bench.told == []


def test_a_part_that_is_missing_ends_the_segment(bench: Bench) -> None:
    bench.record(0, 3)
    bench.record(0, 6, first=4)
    bench.record(0, 3, epoch=2)
    bench.record(1, 3, epoch=1, first=1)
    bench.stop()
    assert bench.played("c1", bench.hour_ns) == [b"c1 0 0,c1 0 1,c1 0 2", b"c1 0 0,c1 0 1,c1 0 2"]


def test_a_gap_is_an_entry(bench: Bench) -> None:
    bench.record(0, 3)
    bench.place.clock.advance(NS_PER_S)
    bench.record(1, 3)
    assert bench.entries("footage.gap") == [], "a second is none"
    ended_ns = bench.place.clock.now_ns()
    bench.place.clock.advance(MINUTE)
    bench.record(2, 3)
    (gap,) = bench.entries("footage.gap")
    assert (gap["camera"], gap["from"]) == ("c1", utc(ended_ns))
    assert gap["until"] == utc(ended_ns + MINUTE)
    assert "why" not in gap, "nothing came that was not recorded"


@pytest.mark.rule("T14")
def test_a_gap_says_why_what_came_was_not_recorded(bench: Bench) -> None:
    bench.record(0, 3)
    bench.place.clock.advance(MINUTE)
    bench.recorder.take("c1", 1, Part(1, 0, bench.place.clock.now_ns(), 0, "h264", (64, 48), b"x", "damaged"))
    bench.settle()
    assert [gap["why"] for gap in bench.entries("footage.gap")] == ["damaged"]


@pytest.mark.rule("T4")
def test_below_the_reserve_footage_stops_and_goes_on_by_itself(bench: Bench) -> None:
    bench.record(0, 3)
    bench.folder.free = 10**8
    bench.place.clock.advance(6 * NS_PER_S)
    bench.record(0, 5, first=3)
    assert [error.message for error in bench.told] == [
        "footage is not recorded: its disk is below the reserve that alerts and the log need"
    ]
    assert len(bench.entries("footage.stopped")) == 1
    bench.record(1, 3)
    bench.folder.free = 10**12
    bench.place.clock.advance(6 * NS_PER_S)
    bench.record(2, 3)
    bench.stop()
    assert bench.played("c1", bench.hour_ns) == [b"c1 0 0,c1 0 1,c1 0 2", b"c1 2 0,c1 2 1,c1 2 2"]
    assert len(bench.entries("footage.resumed")) == len(bench.entries("footage.gap")) == 1
    assert len(bench.told) == 1


@pytest.mark.parametrize("what", ["camera", "hour"])
def test_a_segment_that_lies_elsewhere_is_not_read(bench: Bench, what: str) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    (path,) = bench.folder.segments("c1", hour_ns)
    asked = ("c2", hour_ns) if what == "camera" else ("c1", hour_ns + HOUR_NS)
    with pytest.raises(InputError, match="is of c1"):
        read_segment(path, *asked)


def test_what_follows_an_end_is_noticed(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.record(1, 3)
    bench.stop()
    first, second = bench.folder.segments("c1", hour_ns)
    stored = read_segment(second, "c1", hour_ns)
    first.write_bytes(first.read_bytes() + len(stored.records[0]).to_bytes(4, "big") + stored.records[0])
    with pytest.raises(InputError):
        list(read_segment(first, "c1", hour_ns).parts(bench.place.keys, 0))


def test_a_disk_that_fails_costs_the_segment_and_is_told_once(bench: Bench) -> None:
    bench.record(0, 3)
    bench.folder.broken = True
    bench.place.clock.advance(6 * NS_PER_S)
    bench.record(0, 6, first=3)
    assert [error.message for error in bench.told] == ["footage is not recorded: it is gone"]
    bench.folder.broken = False
    bench.place.clock.advance(6 * NS_PER_S)
    bench.record(1, 3)
    bench.stop()
    assert len(bench.played("c1", bench.hour_ns)) == 2


def test_keys_are_of_their_own_scope(bench: Bench) -> None:
    bench.record(0, 2)
    keys: KeyStore = bench.place.keys
    assert len(keys.ids(Scope.FOOTAGE)) == 1


@pytest.mark.rule("T1")
def test_a_wall_clock_set_forward_gives_footage_no_later_deadline(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3, wall_off_ns=50 * HOUR_NS)
    bench.stop()
    (row,) = bench.rows()
    assert (row.hour_ns, row.deadline_ns) == (hour_ns, hour_ns + 120 * HOUR_NS)
    assert row.until_ns <= bench.place.clock.now_ns() + NS_PER_S
    assert len(bench.played("c1", hour_ns)) == 1


def test_a_wall_clock_set_back_beyond_every_deadline_is_told_once(bench: Bench) -> None:
    for segment in range(5):
        bench.record(segment, 2, wall_off_ns=-130 * HOUR_NS)
    assert [error.message for error in bench.told] == [
        "footage is not recorded: the wall clock says a time whose footage is past its deadline"
    ]
    assert len(bench.entries("footage.stopped")) == 1
    bench.place.clock.advance(MINUTE)
    bench.record(9, 2)
    bench.stop()
    assert len(bench.entries("footage.resumed")) == 1


def test_where_the_policy_keeps_no_footage_none_is_written_and_nothing_told(bench: Bench) -> None:
    bench.change_policy(footage_h=0)
    bench.record(0, 3)
    bench.stop()
    assert (bench.rows(), bench.folder.hours(), bench.told) == ([], [], [])
    assert bench.place.keys.ids(Scope.FOOTAGE) == frozenset()


def test_an_outage_of_hours_is_a_gap_too(bench: Bench) -> None:
    bench.record(0, 3)
    ended_ns = bench.place.clock.now_ns()
    bench.place.clock.advance(3 * HOUR_NS)
    bench.record(1, 3)
    (gap,) = bench.entries("footage.gap")
    assert (gap["from"], gap["until"]) == (utc(ended_ns), utc(ended_ns + 3 * HOUR_NS))


def test_a_segment_that_gets_no_part_for_long_is_ended(bench: Bench) -> None:
    bench.record(0, 3)
    assert bench.rows()[0].segments == 0
    bench.place.clock.advance(9 * NS_PER_S)
    bench.settle()
    bench.place.clock.advance(2 * NS_PER_S)
    until(lambda: bench.rows()[0].segments == 1)
    (path,) = bench.folder.segments("c1", bench.hour_ns)
    assert read_segment(path, "c1", bench.hour_ns).is_ended(bench.place.keys)


def test_a_disk_that_fails_again_and_again_is_told_once_and_tried_less_and_less(bench: Bench) -> None:
    """There is room, but nothing can be written. For two hours a segment begins each minute."""
    tries = 0
    real = bench.folder.begin

    def failing(_keys: KeyStore, _header: Header) -> SegmentFile:
        nonlocal tries
        tries += 1
        raise DiskError("it does not write")

    bench.folder.begin = failing  # type: ignore[method-assign]
    for segment in range(120):
        bench.record(segment, 1)
        bench.place.clock.advance(MINUTE)
    assert len(bench.told) == len(bench.entries("footage.stopped")) == 1
    assert bench.entries("footage.resumed") == []
    assert 20 <= tries <= 40, "each five minutes, after more at first"
    bench.folder.begin = real  # type: ignore[method-assign]
    bench.place.clock.advance(300 * NS_PER_S)
    bench.record(1000, 3)
    assert bench.entries("footage.resumed") == [], "not before a segment was written"
    assert bench.recorder.stopped
    bench.record(1001, 3)
    assert len(bench.entries("footage.resumed")) == 1
    assert not bench.recorder.stopped


def test_that_it_goes_on_is_said_also_after_another_start(bench: Bench) -> None:
    bench.folder.broken = True
    bench.record(0, 1)
    bench.stop()
    bench.folder.broken = False
    bench.recorder = bench.begin()
    bench.record(1, 3)
    bench.stop()
    bench.recorder = bench.begin()
    bench.record(2, 3)
    bench.stop()
    assert len(bench.entries("footage.stopped")) == len(bench.entries("footage.resumed")) == 1


def test_a_part_that_fails_in_a_way_nobody_thought_of_ends_no_recording(bench: Bench) -> None:
    bench.folder.sick = ValueError("what is this")
    bench.record(0, 2)
    assert bench.told[0].message == "ValueError: what is this"
    bench.folder.sick = None
    bench.record(1, 3)
    bench.stop()
    assert len(bench.played("c1", bench.hour_ns)) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_told_and_what_waited_is_counted(bench: Bench) -> None:
    recorder, now_ns = bench.recorder, bench.place.clock.now_ns()
    recorder.check()
    assert bench.told == [], "the control"
    bench.folder.sick = SystemExit()
    with recorder._changed:
        for index in range(3):
            recorder.take("c1", 1, Part(0, index, now_ns, 0, "h264", (64, 48), b"x"))
    until(lambda: not recorder._thread.is_alive())
    for _ in range(2):
        recorder.check()
    assert [error.message for error in bench.told] == ["footage is not recorded: the thread that writes it died"]
    assert bench.entries("footage.stopped")[0]["why"] == "the thread that writes it died"
    recorder.take("c1", 1, Part(0, 3, now_ns, 0, "h264", (64, 48), b"x"))
    bench.stop()
    assert bench.told[-1].message == "2 parts of footage were not written when recording ended"


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """No file of this process grows meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_segment_whose_header_cannot_be_written_leaves_no_file(bench: Bench) -> None:
    bench.record(0, 2)
    bench.stop()
    header = read_segment(bench.folder.segments("c1", bench.hour_ns)[0], "c1", bench.hour_ns).header
    longer = dataclasses.replace(header, segment="cd" * 8, began_ns=header.began_ns + 1)
    with nothing_can_be_written(), pytest.raises(DiskError):
        bench.folder.begin(bench.place.keys, longer)
    assert len(bench.folder.segments("c1", bench.hour_ns)) == 1


def test_the_names_of_a_new_hour_and_of_each_segment_are_durable(bench: Bench) -> None:
    bench.record(0, 2)
    bench.record(1, 2)
    hour = f"footage/c1/{hour_text(bench.hour_ns)}"
    assert bench.folder.synced == [[hour, "footage/c1", "footage", "."], [hour]]
