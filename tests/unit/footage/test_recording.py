"""Footage as it is written and as it ends: keys and deadlines by the hour, crashes, gaps, a disk that fills."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.installation import Installation
from tests.workers import until

from habeas.clock import ManualClock
from habeas.errors import DiskError, HabeasError, InputError, KeyDestroyed
from habeas.footage import retention
from habeas.footage.files import FootageFolder, read_segment
from habeas.footage.recorder import Recorder
from habeas.keys import KeyStore, Scope
from habeas.store.records import Entry, Footage
from habeas.types import HOUR_NS, NS_PER_S, utc
from habeas.video.parts import Part

MINUTE = 60 * NS_PER_S


class Tight(FootageFolder):
    """A folder whose disk has as much room as a test says."""

    free = 10**12
    broken = False

    def free_bytes(self) -> int:
        if self.broken:
            raise DiskError("it is gone")
        return self.free


@dataclass
class Bench:
    """An installation that records what a test hands over."""

    place: Installation
    folder: Tight
    told: list[HabeasError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = self.begin()

    def begin(self) -> Recorder:
        return Recorder(
            self.place.store,
            self.place.keys,
            self.place.clock,
            self.folder,
            reserve_bytes=10**9,
            tell=self.told.append,
        )

    def record(self, segment: int, parts: int, *, camera: str = "c1", epoch: int = 1, first: int = 0) -> None:
        """Record a segment's parts, a second each, as time passes."""
        for index in range(first, parts):
            lasts_ns = 0 if index == 0 else NS_PER_S
            now_ns = self.place.clock.now_ns()
            data = f"{camera} {segment} {index}".encode()
            self.recorder.take(camera, epoch, Part(segment, index, now_ns, lasts_ns, "h264", (64, 48), data))
            self.settle()
            self.place.clock.advance(lasts_ns)

    def settle(self) -> None:
        until(lambda: not self.recorder._items and self.recorder._waiting == 0)
        with self.recorder._changed:
            pass
        done = Part(999, 5, 0, 0, "h264", (2, 2), b"x")  # of no segment: when it is dropped, those before are written
        self.recorder.take("nobody", 0, done)
        until(lambda: not self.recorder._items)

    def stop(self) -> None:
        self.recorder.close()

    def rows(self) -> list[Footage]:
        return self.place.look(Footage)

    def entries(self, *kinds: str) -> list[dict[str, object]]:
        return [json.loads(one.body) for one in self.place.look(Entry) if one.kind in kinds]

    def played(self, camera: str, hour_ns: int) -> list[bytes]:
        """Return what each segment plays."""
        files = self.folder.segments(camera, hour_ns)
        stored = [read_segment(path, camera, hour_ns) for path in files]
        return [
            b",".join(record.data for record in one.parts(self.place.keys, self.place.clock.now_ns())) for one in stored
        ]

    def change_policy(self, **changes: object) -> None:
        proposed = self.place.propose_policy("cid", **changes)
        for who in ("abe", "bea"):
            self.place.approve_policy(proposed.policy_id, who)

    def end_due(self) -> list[str]:
        return retention.step(self.place.store, self.place.keys, self.folder)

    @property
    def hour_ns(self) -> int:
        now_ns = self.place.clock.now_ns()
        return now_ns - now_ns % HOUR_NS


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
    with Installation(tmp_path, clock) as made:
        for name in ("c1", "c2"):
            made.camera(name)
        yield made


@pytest.fixture
def bench(place: Installation, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(place, Tight(tmp_path / "footage"))
    yield made
    made.stop()


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


def test_files_that_cannot_be_removed_keep_no_other_from_ending(bench: Bench) -> None:
    bench.record(0, 3)
    bench.record(0, 3, camera="c2")
    bench.stop()
    bench.place.clock.advance(121 * HOUR_NS)
    real = bench.folder.remove_hour

    def failing(camera_id: str, hour_ns: int) -> None:
        if camera_id == "c1":
            raise DiskError("it is stuck")
        real(camera_id, hour_ns)

    bench.folder.remove_hour = failing  # type: ignore[method-assign]
    with pytest.raises(DiskError, match="stuck"):
        bench.end_due()
    assert [row.camera_id for row in bench.rows()] == ["c1"]
    assert bench.place.keys.ids(Scope.FOOTAGE) == frozenset(), "both keys are gone"
    bench.folder.remove_hour = real  # type: ignore[method-assign]
    assert len(bench.end_due()) == 1


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
    assert retention.take_over(bench.place.store, bench.place.keys, bench.folder) == []
    stored = read_segment(path, "c1", hour_ns)
    assert stored.is_ended(bench.place.keys)
    assert len(list(stored.parts(bench.place.keys, bench.place.clock.now_ns()))) == left
    (row,) = bench.rows()
    assert (row.segments, row.lasts_ns) == (1, (left - 1) * NS_PER_S)
    assert retention.take_over(bench.place.store, bench.place.keys, bench.folder) == []
    assert bench.rows() == [row]


def test_an_older_database_finds_its_footage_again(bench: Bench) -> None:
    hour_ns = bench.hour_ns
    bench.record(0, 4)
    bench.stop()
    (before,) = bench.rows()
    with bench.place.store.write() as tx:
        tx.remove(before)
    assert retention.take_over(bench.place.store, bench.place.keys, bench.folder) == []
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
    (problem,) = retention.take_over(bench.place.store, bench.place.keys, bench.folder)
    assert problem.startswith("c2/")
    assert bench.folder.segments(gone.camera_id, hour_ns) == []
    assert path.exists()


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
