"""Footage at its deadline, and what is held of it at the hold's end, whatever fails.

Not readable from that instant on, not decryptable five minutes later.

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
from habeas.footage import holds
from habeas.footage.adopting import take_over
from habeas.footage.files import FootageFolder, new_segment_id, read_segment
from habeas.footage.form import Header
from habeas.footage.holds import Asked
from habeas.footage.keeping import Keeping
from habeas.footage.retention import Retention
from habeas.footage.rows import row_of
from habeas.keys import KeyStore, Scope
from habeas.store.connection import database_file
from habeas.store.footage_records import Footage, Hold
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
        self.deadline_ns = self.first_ns + 120 * HOUR_NS
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
            file.append(began_ns, 0, b"a head")
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
                assert [part.data for part in parts] == [b"a head", b"a face in the street"]
                count += 1
        return count

    def step(self) -> list[str]:
        return Retention(self.place.store, self.keys, self.folder, self.place.clock).step()

    def bring_back_rows(self) -> None:
        """What the database of yesterday said of the first hour."""
        with self.place.store.write() as tx:
            rows = tx.find(Footage)
            for number in range(CAMERAS):
                camera = f"c{number}"
                if not any((row.camera_id, row.hour_ns) == (camera, self.first_ns) for row in rows):
                    (path, *_rest) = self.folder.segments(camera, self.first_ns)
                    header = read_segment(path, camera, self.first_ns).header
                    row_id = path.parent.name + camera
                    tx.add(Footage(row_id, camera, header.hour_ns, header.key, header.deadline_ns, 0))
        take_over(self.place.store, self.keys, self.folder)

    def reopen_keys(self) -> None:
        """What another process finds of the key store, the node's being gone."""
        self.keys = KeyStore(Path("memory"), self.place.master, disk=self.place.disk)


class HeldHouse(House):
    """As a house, with a hold of each hour: what is looked at is what they hold. The first ends first."""

    def __post_init__(self) -> None:
        footage, self.folder = self.folder, FootageFolder(self.folder.path.parent / "held")
        self.footage, self.holds = footage, list[Hold]()
        super().__post_init__()
        self.deadline_ns = self.holds[0].ends_at_ns

    def _write(self, hour_ns: int) -> None:
        here, self.folder = self.folder, self.footage
        super()._write(hour_ns)
        self.folder = here
        self.place.clock.advance(60 * NS_PER_S)
        with self.place.store.write() as tx:
            for row in tx.find(Footage):
                tx.change(row, lasts_ns=1000 * HOUR_NS, until_ns=row.hour_ns + HOUR_NS)
        cameras = tuple(f"c{number}" for number in range(CAMERAS))
        told = "Police of Somewhere", "R-1", "a fall", cameras, hour_ns, hour_ns + 30 * NS_PER_S
        asked = Asked(*told, self.place.clock.now_ns() + (200 + len(self.holds)) * HOUR_NS)
        hold = self.place.do("rob", lambda tx, actor: holds.propose(tx, self.keys, actor, asked))
        for who in ("abe", "bea"):
            self.place.do(who, lambda tx, actor: holds.approve(tx, actor, hold.hold_id, holds.hash_of(hold)))
        self.step()
        self.holds.append(self.place.look(Hold, hold_id=hold.hold_id)[0])
        assert self.holds[-1].state == "held"

    def opened(self, hour_ns: int, now_ns: int, folder: FootageFolder | None = None) -> int:
        hold = self.holds[0 if hour_ns == self.first_ns else 1]
        return super().opened(hour_ns, now_ns, FootageFolder((folder or self.folder).path / hold.hold_id))

    def bring_back_rows(self) -> None:
        with self.place.store.write() as tx:
            tx.remove(tx.get(Hold, self.holds[0].hold_id))
            tx.add(self.holds[0])

    def step(self) -> list[str]:
        about = self.place.store, self.keys, self.footage, self.folder.path, self.place.clock
        keeping = Keeping(*about, reserve_bytes=0)
        keeping.end_due()
        keeping.copy_approved()
        return []


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
    house.bring_back_rows()
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


def check(
    place: Installation, tmp_path: Path, fault: Callable[[House], None], segments: int, kind: type[House] = House
) -> None:
    house = kind(place, FootageFolder(tmp_path / "footage"), tmp_path / "copies", segments)
    deadline_ns = house.deadline_ns
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


@pytest.mark.rule("T6")
@pytest.mark.parametrize("fault", STATES, ids=[one.__name__ for one in STATES])
def test_what_is_held_ends_with_its_hold(place: Installation, tmp_path: Path, fault: Callable[[House], None]) -> None:
    check(place, tmp_path, fault, 16, HeldHouse)


@pytest.mark.long
@pytest.mark.rule("T2")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", STATES, ids=[one.__name__ for one in STATES])
def test_1000_segments_end_at_their_deadline(
    place: Installation, tmp_path: Path, fault: Callable[[House], None]
) -> None:
    check(place, tmp_path, fault, 1000)
