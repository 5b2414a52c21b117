"""Faults, kills and power cuts at every step that the key store asks of a disk, on a disk in memory."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.keys.ledger import Ledger, at, everything

from habeas.errors import DiskError
from habeas.keys import KeyStore, MasterKey, MemoryDisk
from habeas.keys.memory import PowerCut, _File, cut, never, transient

MASTER = MasterKey(bytes(range(32)))
NOWHERE = Path("memory")
DiskMaker = Callable[[], MemoryDisk]


def opened(disk: MemoryDisk) -> KeyStore:
    return KeyStore(NOWHERE, MASTER, disk=disk)


def made(disk: MemoryDisk) -> KeyStore:
    store = KeyStore.create(NOWHERE, MASTER, disk=disk)
    disk.steps = 0
    return store


def run(disk: MemoryDisk, step: int) -> Ledger | None:
    """Do everything with a cut at a step; None if it ended before."""
    ledger = Ledger()
    store = made(disk)
    disk.fault = cut(step)
    try:
        everything(store, ledger, DiskError)
    except PowerCut:
        return ledger
    return None


def cuts(disk_class: DiskMaker = MemoryDisk) -> Iterator[tuple[MemoryDisk, Ledger]]:
    """The disk and what was acknowledged, for a cut at each step in turn."""
    step = 0
    while True:
        step += 1
        disk = disk_class()
        ledger = run(disk, step)
        if ledger is None:
            assert step > 100
            return
        yield disk, ledger


def power_cuts_lose_nothing(disk_class: DiskMaker = MemoryDisk) -> int:
    tried = 0
    for disk, ledger in cuts(disk_class):
        for left in disk.after_power_cut():
            ledger.check(opened(left))
            tried += 1
    return tried


def test_a_kill_at_any_step_loses_nothing_and_brings_nothing_back() -> None:
    for disk, ledger in cuts():
        left = disk.after_kill()
        ledger.check(opened(left))
        store = opened(left)
        ledger.check(store)  # what opening put in order stays so
        assert len(left.names()) == 1 + 2 * len(store._buckets)  # and no leftover does


def test_a_power_cut_at_any_step_loses_nothing_and_brings_nothing_back() -> None:
    assert power_cuts_lose_nothing() > 200


def test_a_second_kill_while_opening_loses_nothing_either() -> None:
    interrupted = 0
    for disk, ledger in cuts():
        step = 0
        stopped = True
        while stopped:
            step += 1
            left = disk.after_kill()
            left.fault = cut(step)
            try:
                stopped = False
                opened(left)
            except PowerCut:
                stopped = True
                interrupted += 1
                for again in left.after_power_cut():
                    ledger.check(opened(again))
    assert interrupted > 500


class Unsynced(MemoryDisk):
    """A store that forgot to sync its folder would see this disk."""

    def sync(self) -> None:
        self._step()


class HalfWritten(MemoryDisk):
    """A store that renamed before its bytes were on the disk would see this disk."""

    def _put(self, file: _File, data: bytes) -> None:
        self._step()
        file.data = data


@pytest.mark.parametrize("broken", [Unsynced, HalfWritten])
def test_control_the_model_catches_a_missing_sync(broken: DiskMaker) -> None:
    with pytest.raises(Exception, match=r"lost|back|damaged|holds no key store"):
        power_cuts_lose_nothing(broken)


def steps_of_everything() -> int:
    disk = MemoryDisk()
    everything(made(disk), Ledger(), DiskError)
    return disk.steps


@pytest.mark.parametrize("length", [1, 2, 9])
def test_a_call_that_failed_can_be_made_again(length: int) -> None:
    for step in range(1, steps_of_everything() + 1):
        disk, ledger = MemoryDisk(), Ledger()
        store = made(disk)
        faults = {now: transient(now) for now in range(step, step + length)}
        disk.fault = lambda now, faults=faults: faults.get(now, never)(now)  # type: ignore[misc]
        everything(store, ledger, DiskError, tries=length + 1)
        disk.fault = never
        store.destroy([])
        ledger.check_exact(store)
        ledger.check_exact(opened(disk))


def test_after_a_failure_the_next_crash_keeps_what_was_acknowledged_since() -> None:
    """A fault at one step, work that goes on, a power cut at the end: no later key was written where it gets lost."""
    for step in range(1, steps_of_everything() + 1):
        disk, ledger = MemoryDisk(), Ledger()
        store = made(disk)
        disk.fault = transient(step)
        everything(store, ledger, DiskError, tries=2)
        ledger.new(store, 1.5, 2.1, 3.1)
        for left in disk.after_power_cut():
            ledger.check(opened(left))


def test_a_destruction_that_fails_is_unusable_at_once_and_finished_by_the_next_call() -> None:
    disk, ledger = MemoryDisk(), Ledger()
    store = made(disk)
    first, _ = ledger.new(store, 1, 1.5)
    disk.fault = lambda _: DiskError("no space left")
    with pytest.raises(DiskError):
        ledger.destroy(store, [first])
    assert first not in store.ids()
    with pytest.raises(DiskError):
        store.destroy([])  # it never says done while the key is on the disk
    assert first in opened(disk.after_kill()).ids()  # control: there it is
    disk.fault = never
    store.reap(0)
    ledger.gone.add(first)
    ledger.check(opened(disk.after_kill()))


def test_what_a_failed_attempt_left_in_another_hour_is_destroyed_too() -> None:
    copies = 0
    for step in range(1, 20):
        disk, ledger = MemoryDisk(), Ledger()
        store = made(disk)
        key_id, _ = ledger.new(store, 1, 3)
        disk.fault = transient(disk.steps + step)
        with suppress(DiskError):
            store.reschedule(key_id, at(3))
        disk.fault = never
        twice = opened(disk.after_kill())  # control: where two copies are left, the earlier time counts
        copies += (
            key_id in twice.ids() and twice.expires_at_ns(key_id) == at(1) and store.expires_at_ns(key_id) == at(3)
        )
        ledger.destroy(store, [key_id])
        ledger.check_exact(opened(disk.after_kill()))
    assert copies


class Full(MemoryDisk):
    """Has room for no new file."""

    full = True

    def write(self, name: str, data: bytes) -> None:
        if self.full:
            raise DiskError("no space left")
        super().write(name, data)


def test_a_store_opens_on_a_full_disk() -> None:
    """Even one that was cut off while rescheduling: the second copy goes when there is room."""
    doubles = 0
    for disk, ledger in cuts():
        left = disk.after_kill()
        full = Full()
        full._now, full._durable = left._now, left._durable
        store = opened(full)
        ledger.check(store)
        full.full = False
        doubles += any(not bucket.settled for bucket in store._buckets.values())
        store.reap(0)
        assert all(bucket.settled for bucket in store._buckets.values())
        ledger.check(opened(full.after_kill()))
    assert doubles > 5


def test_a_whole_hour_is_destroyed_on_a_full_disk() -> None:
    disk, ledger = Full(), Ledger()
    disk.full = False
    store = made(disk)
    ledger.new(store, 1, 1.5, 2)
    disk.full = True
    ledger.reap(store, 1.9)
    ledger.check_exact(opened(disk.after_kill()))


def test_one_failing_bucket_does_not_keep_the_others() -> None:
    class Sticky(MemoryDisk):
        def rename(self, name: str, new_name: str) -> None:
            if name.startswith("2027011509") and new_name.endswith("dead"):
                raise DiskError("a bad sector")
            super().rename(name, new_name)

    disk, ledger = Sticky(), Ledger()
    store = made(disk)
    ids = ledger.new(store, 0, 1, 2)
    with pytest.raises(DiskError, match="sector"):
        store.destroy(ids)
    assert opened(disk.after_kill()).ids() == {ids[1]}
