"""Footage found again: after a crash, with an older database, and beside files of somebody else."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from tests.unit.footage.bench import Bench

from habeas.footage.files import read_segment
from habeas.keys import Scope
from habeas.store.footage_records import Footage
from habeas.types import HOUR_NS, NS_PER_S


def crashed(bench: Bench, cut: int) -> tuple[Path, int]:
    """Record a segment, and leave it as a crash would: not ended, its last bytes missing, and in no row."""
    hour_ns = bench.hour_ns
    bench.record(0, 4)
    (path,) = bench.folder.segments("c1", hour_ns)
    aside = path.with_suffix(".aside")
    shutil.copyfile(path, aside)
    bench.stop()
    aside.replace(path)
    with bench.place.store.write() as tx:
        tx.change(tx.find(Footage)[0], segments=0, lasts_ns=0)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)
    return path, hour_ns


@pytest.mark.parametrize(("cut", "left"), [(0, 4), (1, 3), (30, 3)])
def test_after_a_crash_all_whole_parts_are_there_and_the_segment_is_ended(bench: Bench, cut: int, left: int) -> None:
    path, hour_ns = crashed(bench, cut)
    assert not read_segment(path, "c1", hour_ns).is_ended(bench.place.keys), "the control"
    assert bench.take_over() == []
    stored = read_segment(path, "c1", hour_ns)
    assert stored.is_ended(bench.place.keys)
    assert len(list(stored.parts(bench.place.keys, bench.place.clock.now_ns()))) == left
    (row,) = bench.rows()
    assert (row.segments, row.lasts_ns) == (1, (left - 1) * NS_PER_S)
    assert bench.take_over() == []
    assert bench.rows() == [row]


def test_an_older_database_finds_its_footage_again(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 4)
    bench.stop()
    (before,) = bench.rows()
    with bench.place.store.write() as tx:
        tx.remove(before)
    assert bench.take_over() == []
    (row,) = bench.rows()
    assert (row.key_id, row.deadline_ns, row.lasts_ns) == (before.key_id, before.deadline_ns, before.lasts_ns)
    assert bench.played("c1", hour_ns) == [b"c1 0 0,c1 0 1,c1 0 2,c1 0 3"]


def test_files_whose_key_is_gone_are_removed_and_damaged_ones_told(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 4)
    bench.record(0, 4, camera="c2")
    bench.stop()
    gone, kept = bench.rows()
    with bench.place.store.write() as tx:
        for row in (gone, kept):
            tx.remove(row)
    bench.place.keys.destroy([gone.key_id])
    (path,) = bench.folder.segments(kept.camera_id, hour_ns)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(bytes(data))
    (problem,) = bench.take_over()
    assert problem.startswith("c2/")
    assert bench.folder.segments(gone.camera_id, hour_ns) == []
    assert path.exists()


@pytest.mark.parametrize("length", [0, 5, 12, 40])
def test_a_file_without_a_whole_header_is_removed_and_keeps_nothing(bench: Bench, length: int) -> None:
    path, hour_ns = crashed(bench, 0)
    torn = path.with_name("20261126T000000-torn.habf")
    torn.write_bytes(path.read_bytes()[:length])
    other = bench.folder.hour("c2", hour_ns)
    other.mkdir(parents=True)
    (other / "a.habf").write_bytes(bytes(length))
    (other / "b.habf").write_bytes(b"this is no footage")
    (problem,) = bench.take_over()
    assert problem.startswith("c2/")
    assert "b.habf" in problem
    assert not torn.exists()
    assert bench.rows()[0].segments == 1


def test_one_file_that_cannot_be_read_keeps_no_other(bench: Bench) -> None:
    path, hour_ns = crashed(bench, 0)
    bad = bench.folder.hour("c2", hour_ns) / "a.habf"
    bad.mkdir(parents=True)
    unreadable = path.with_name("29991126T000000-bad.habf")
    unreadable.mkdir()
    assert len(bench.take_over()) == 2
    assert bench.rows()[0].segments == 1


def test_files_that_are_not_the_last_are_counted_and_ended_too(bench: Bench) -> None:
    """The wall clock was set back: what a crash cut has the first name."""
    hour_ns = bench.hour_ns
    bench.place.clock.advance(1000 * NS_PER_S)
    bench.record(0, 3)
    bench.record(1, 4, wall_off_ns=-500 * NS_PER_S)
    early = bench.folder.segments("c1", hour_ns)[0]
    aside = early.with_suffix(".aside")
    shutil.copyfile(early, aside)
    with bench.place.store.read() as tx:
        (before,) = tx.find(Footage)
    bench.stop()
    aside.replace(early)
    with bench.place.store.write() as tx:
        row = tx.find(Footage)[0]
        tx.change(row, segments=1, lasts_ns=before.lasts_ns, until_ns=before.until_ns)
    assert not read_segment(early, "c1", hour_ns).is_ended(bench.place.keys), "the control"
    assert bench.take_over() == []
    (row,) = bench.rows()
    assert (row.segments, row.lasts_ns) == (2, 5 * NS_PER_S)
    assert row.bytes_stored == sum(path.stat().st_size for path in bench.folder.segments("c1", hour_ns))
    assert read_segment(early, "c1", hour_ns).is_ended(bench.place.keys)


def test_only_what_is_not_counted_is_read_after_a_plain_crash(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.record(1, 4)
    first, last = bench.folder.segments("c1", hour_ns)
    aside = last.with_suffix(".aside")
    shutil.copyfile(last, aside)
    (before,) = bench.rows()
    bench.stop()
    aside.replace(last)
    with bench.place.store.write() as tx:
        tx.change(
            tx.find(Footage)[0],
            segments=1,
            lasts_ns=before.lasts_ns,
            until_ns=before.until_ns,
            bytes_stored=before.bytes_stored,
        )
    damaged = bytearray(first.read_bytes())
    damaged[-100] ^= 1
    first.write_bytes(bytes(damaged))
    assert bench.take_over() == [], "the first is not opened again"
    (row,) = bench.rows()
    assert (row.segments, row.lasts_ns) == (2, 5 * NS_PER_S)


@pytest.mark.parametrize("what", ["camera", "hour", "key", "deadline", "nobody", "no hour"])
def test_a_header_is_not_believed(bench: Bench, what: str) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    (path,) = bench.folder.segments("c1", hour_ns)
    header = read_segment(path, "c1", hour_ns).header
    bench.forget_rows()
    path.unlink()
    other = bench.place.keys.new(Scope.SUBJECT, hour_ns + 120 * HOUR_NS)
    changes: dict[str, dict[str, object]] = {
        "camera": {"camera": "c2"},
        "hour": {"hour_ns": hour_ns + HOUR_NS},
        "key": {"key": other},
        "deadline": {"deadline_ns": hour_ns + 121 * HOUR_NS},
        "nobody": {"camera": "nobody"},
        "no hour": {},
    }
    changed = dataclasses.replace(header, **changes[what])  # type: ignore[arg-type]  # given by name
    place = path.parent
    if what == "nobody":
        place = bench.folder.hour("nobody", hour_ns)
    if what == "no hour":
        place = place.with_name("yesterday")
    place.mkdir(parents=True, exist_ok=True)
    (place / path.name).write_bytes(changed.dump())
    (problem,) = bench.take_over()
    assert problem.startswith(f"{place.parent.name}/{place.name}")
    assert bench.rows() == []
    assert (place / path.name).exists()
    assert bench.sweep() == []
    assert other in bench.place.keys.ids()


def test_a_file_under_another_key_than_its_hour_is_not_counted(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 3)
    bench.stop()
    (path,) = bench.folder.segments("c1", hour_ns)
    header = read_segment(path, "c1", hour_ns).header
    key = bench.place.keys.new(Scope.FOOTAGE, hour_ns + 120 * HOUR_NS)
    path.with_name("29991126T000000-x.habf").write_bytes(dataclasses.replace(header, key=key).dump())
    (problem,) = bench.take_over()
    assert "its key is not the one of its hour" in problem
    assert bench.rows()[0].segments == 1
