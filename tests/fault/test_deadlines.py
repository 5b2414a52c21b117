"""Footage at its deadline, whatever fails: not readable from that instant on, not decryptable five minutes later.

Each state is met with segments that are due and with as many that are not, which must all open: the control. What a
thief has is what is on the machine five minutes after, and what was on it before: files, database, but never the keys.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.installation import Installation

from habeas.clock import ManualClock
from habeas.errors import DiskError, HabeasError, KeyDestroyed
from habeas.footage.adopting import take_over
from habeas.footage.files import FootageFolder, new_segment_id, read_segment
from habeas.footage.form import Header
from habeas.footage.retention import Retention
from habeas.footage.rows import row_of
from habeas.keys import KeyStore, Scope
from habeas.store.connection import database_file
from habeas.store.records import Footage
from habeas.types import HOUR_NS, NS_PER_S

MINUTES_5 = 300 * NS_PER_S
CAMERAS = 4


@dataclass
class House:
    """An installation with footage of two hours, the first of which is due an hour before the other."""

    place: Installation
    folder: FootageFolder
    copies: Path
    segments: int

    def __post_init__(self) -> None:
        self.keys = self.place.keys
        self.first_ns = self.hour_ns()
        self._write(self.first_ns)
        self.place.clock.advance(HOUR_NS)
        self.second_ns = self.hour_ns()
        self._write(self.second_ns)
        shutil.copytree(self.folder.path, self.copies)

    def hour_ns(self) -> int:
        now_ns = self.place.clock.now_ns()
        return now_ns - now_ns % HOUR_NS

    def _write(self, hour_ns: int) -> None:
        for number in range(self.segments // 2):
            camera, began_ns = f"c{number % CAMERAS}", hour_ns + number * NS_PER_S
            with self.place.store.write() as tx:
                row = row_of(tx, self.keys, camera, hour_ns)
                assert row is not None
                tx.change(row, segments=row.segments + 1)
            header = Header(camera, hour_ns, row.deadline_ns, row.key_id, new_segment_id(), "h264", (64, 48), began_ns)
            file = self.folder.begin(self.keys, header)
            file.append(began_ns, NS_PER_S, b"a face in the street")
            file.end(began_ns)

    def until(self, ns: int) -> None:
        self.place.clock.advance(ns - self.place.clock.now_ns())

    def opened(self, hour_ns: int, now_ns: int, folder: FootageFolder | None = None) -> int:
        """How many segments of an hour open, of the files that there are, or were."""
        count = 0
        for camera in (f"c{number}" for number in range(CAMERAS)):
            for path in (folder or self.folder).segments(camera, hour_ns):
                try:
                    parts = list(read_segment(path, camera, hour_ns).parts(self.keys, now_ns))
                except KeyDestroyed:
                    continue
                assert [part.data for part in parts] == [b"a face in the street"]
                count += 1
        return count

    def step(self) -> list[str]:
        return Retention(self.place.store, self.keys, self.folder, self.place.clock).step()

    def reopen_keys(self) -> None:
        """What another process finds of the key store, the node's being gone."""
        self.keys = KeyStore(Path("memory"), self.place.master, disk=self.place.disk)


def process_down(house: House) -> None:
    """The node is gone; the warden opens the key store."""
    house.place.keys.close()
    house.reopen_keys()
    house.keys.reap(house.place.clock.now_ns())


def database_gone(house: House) -> None:
    """No row can be read: one reaper fails, the other does not ask for them."""
    file = database_file(house.place.url)
    assert file is not None
    house.place.store.close()
    file.write_bytes(b"this is no database" * 1000)
    for log in ("-wal", "-shm"):
        file.with_name(file.name + log).unlink(missing_ok=True)
    with pytest.raises(HabeasError):
        house.step()
    house.keys.reap(house.place.clock.now_ns())


def disk_full(house: House) -> None:
    """Nothing can be written, neither rows nor keys."""

    def full(_name: str, _data: bytes) -> None:
        raise DiskError("no space left")

    house.place.disk.write = full  # type: ignore[method-assign]
    with pytest.raises(DiskError):
        house.keys.new(Scope.ALERT, house.place.clock.now_ns() + HOUR_NS)
    with suppress(DiskError):  # of what could not be written just now; what is due needs no room
        house.keys.reap(house.place.clock.now_ns())


def clock_moved(house: House) -> None:
    """The wall clock is set back by days, by whoever wants to keep it: time is what elapsed."""
    steady_ns = house.place.clock.now_ns()
    house.place.clock.jump(-48 * HOUR_NS)
    house.keys.reap(steady_ns)  # what the node's timekeeper says (tests/unit/node/test_timekeeper.py)
    house.place.clock.jump(48 * HOUR_NS)


def backup_restored(house: House) -> None:
    """Yesterday's database and files come back, with the keys of today."""
    house.step()
    shutil.rmtree(house.folder.path)
    shutil.copytree(house.copies, house.folder.path)
    with house.place.store.write() as tx:
        rows = tx.find(Footage)
        for number in range(CAMERAS):
            camera = f"c{number}"
            if not any((row.camera_id, row.hour_ns) == (camera, house.first_ns) for row in rows):
                (path, *_rest) = house.folder.segments(camera, house.first_ns)
                header = read_segment(path, camera, house.first_ns).header
                tx.add(Footage(path.parent.name + camera, camera, header.hour_ns, header.key, header.deadline_ns, 0))
    take_over(house.place.store, house.keys, house.folder)
    house.step()


def one_reaper_dead(house: House) -> None:
    """Only the rows' reaper lives; in the other states, only the keys'."""
    house.step()


STATES: list[Callable[[House], None]] = [
    process_down,
    database_gone,
    disk_full,
    clock_moved,
    backup_restored,
    one_reaper_dead,
]


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
    with Installation(tmp_path, clock) as made:
        for number in range(CAMERAS):
            made.camera(f"c{number}")
        yield made


def check(place: Installation, tmp_path: Path, fault: Callable[[House], None], segments: int) -> None:
    house = House(place, FootageFolder(tmp_path / "footage"), tmp_path / "copies", segments)
    deadline_ns = house.first_ns + 120 * HOUR_NS
    earlier = FootageFolder(house.copies)
    house.until(deadline_ns - 1)
    assert house.opened(house.first_ns, deadline_ns - 1) == segments // 2, "the control: a moment before"
    house.until(deadline_ns)
    assert house.opened(house.first_ns, deadline_ns) == 0, "readable at the deadline"
    fault(house)
    house.until(deadline_ns + MINUTES_5 - NS_PER_S)
    anyhow_ns = 0  # a thief does not ask what time it is
    assert house.opened(house.first_ns, anyhow_ns) == 0
    assert house.opened(house.first_ns, anyhow_ns, earlier) == 0, "decryptable of an earlier copy"
    assert house.opened(house.second_ns, anyhow_ns, earlier) == segments // 2, "the control: what is not due opens"
    house.reopen_keys()
    assert house.opened(house.first_ns, anyhow_ns, earlier) == 0, "decryptable with what is on the disk"
    assert house.opened(house.second_ns, anyhow_ns, earlier) == segments // 2


@pytest.mark.rule("T2")
@pytest.mark.parametrize("fault", STATES, ids=[one.__name__ for one in STATES])
def test_footage_ends_at_its_deadline(place: Installation, tmp_path: Path, fault: Callable[[House], None]) -> None:
    check(place, tmp_path, fault, 40)


@pytest.mark.long
@pytest.mark.rule("T2")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", STATES, ids=[one.__name__ for one in STATES])
def test_1000_segments_end_at_their_deadline(
    place: Installation, tmp_path: Path, fault: Callable[[House], None]
) -> None:
    check(place, tmp_path, fault, 1000)
