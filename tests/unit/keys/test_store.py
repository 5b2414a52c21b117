import hmac
import os
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.keys.ledger import HOUR_NS, Ledger, at

from habeas.errors import HabeasError, InputError, KeyDestroyed, UsageError
from habeas.keys import KeyStore, MasterKey, MemoryDisk, Scope, frame, sealed
from habeas.keys.buckets import MAX_KEYS, Bucket, new_entry
from habeas.keys.frame import Kind
from habeas.keys.memory import PowerCut, cut

MASTER = MasterKey(bytes(32))
SECRET = b"the face of somebody"


def memory_store() -> KeyStore:
    return KeyStore.create(Path("memory"), MasterKey(bytes(32)), disk=MemoryDisk())


# --- using ----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_was_encrypted_is_decrypted(plaintext: bytes, context: bytes) -> None:
    store = memory_store()
    key_id = store.new(Scope.SUBJECT, at(1))
    hidden = store.encrypt(key_id, plaintext, context)
    assert store.decrypt(key_id, hidden, context) == plaintext
    assert store.encrypt(key_id, plaintext, context) != hidden  # a nonce of its own
    assert len(hidden) == len(plaintext) + 4 + 1 + 12 + 16


@given(st.data())
def test_one_changed_bit_anywhere_is_refused(data: st.DataObject) -> None:
    store = memory_store()
    key_id = store.new(Scope.SUBJECT, at(1))
    hidden = store.encrypt(key_id, SECRET, b"here")
    bit = data.draw(st.integers(0, len(hidden) * 8 - 1))
    changed = bytearray(hidden)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InputError) as refused:
        store.decrypt(key_id, bytes(changed), b"here")
    assert refused.value.remedy
    cut = data.draw(st.integers(0, len(hidden) - 1))
    with pytest.raises(InputError):
        store.decrypt(key_id, hidden[:cut], b"here")


def test_it_opens_only_under_its_key_and_in_its_place(store: KeyStore) -> None:
    mine, other = store.new_many(Scope.ALERT, [at(1), at(1)])
    hidden = store.encrypt(mine, SECRET, b"alerts/1/face")
    for key_id, context in ((other, b"alerts/1/face"), (mine, b"alerts/2/face"), (mine, b"alerts/1/fac"), (mine, b"")):
        with pytest.raises(InputError, match="not encrypted under"):
            store.decrypt(key_id, hidden, context)
    assert store.decrypt(mine, hidden, b"alerts/1/face") == SECRET


def test_the_id_and_the_context_do_not_run_together() -> None:
    """`ab` + `c` is not `a` + `bc`."""
    key = bytes(32)
    ciphertext = sealed.encrypt(key, "ab", SECRET, b"c")
    with pytest.raises(InputError):
        sealed.decrypt(key, "a", ciphertext, b"bc")
    with pytest.raises(InputError):
        sealed.decrypt(key, "cd", ciphertext, b"c")
    assert sealed.decrypt(key, "ab", ciphertext, b"c") == SECRET  # control


def test_bytes_of_a_later_version_are_refused_as_such(store: KeyStore) -> None:
    key_id = store.new(Scope.ALERT, at(1))
    hidden = store.encrypt(key_id, SECRET, b"")
    with pytest.raises(InputError, match="version 2, this program reads 1"):
        store.decrypt(key_id, hidden[:4] + b"\x02" + hidden[5:], b"")


def test_tags_are_keyed_and_stable(store: KeyStore, folder: Path, master: MasterKey) -> None:
    one, other = store.new(Scope.TAG, at(1)), store.new(Scope.TAG, at(1))
    tag = store.hmac(one, b"name|1990-01-01")
    assert len(tag) == 32
    assert tag == store.hmac(one, b"name|1990-01-01")
    assert tag not in (store.hmac(other, b"name|1990-01-01"), store.hmac(one, b"name|1990-01-02"))
    raw = store._keys[one].key
    assert tag != hmac.digest(raw, b"name|1990-01-01", "sha256")  # not the key that encrypts
    store.close()
    with KeyStore(folder, master) as again:
        assert again.hmac(one, b"name|1990-01-01") == tag


def test_ids_are_random_and_tell_their_scope(store: KeyStore) -> None:
    made = {scope: store.new(scope, at(1)) for scope in Scope}
    for scope, key_id in made.items():
        prefix, number = key_id.split("-")
        assert prefix == scope.value
        assert len(bytes.fromhex(number)) == 16
        assert store.ids(scope) == {key_id}
    assert store.ids() == set(made.values())


def test_it_keeps_keys_and_times_over_a_restart(store: KeyStore, folder: Path, master: MasterKey) -> None:
    ledger = Ledger()
    ledger.new(store, 0, 0.999, 1, 24 * 365 * 3)
    store.close()
    with KeyStore(folder, master) as again:
        ledger.check_exact(again)


@pytest.mark.parametrize("expires_at_ns", [-1, 1 << 63, -(1 << 70)])
def test_an_impossible_time_is_refused(store: KeyStore, expires_at_ns: int) -> None:
    key_id = store.new(Scope.ALERT, at(1))
    for action in (lambda: store.new(Scope.ALERT, expires_at_ns), lambda: store.reschedule(key_id, expires_at_ns)):
        with pytest.raises(InputError, match="cannot expire"):
            action()
    assert store.ids() == {key_id}


@pytest.mark.parametrize("expires_at_ns", [0, (1 << 63) - 1])
def test_the_first_and_the_last_time_work(store: KeyStore, folder: Path, master: MasterKey, expires_at_ns: int) -> None:
    key_id = store.new(Scope.ALERT, expires_at_ns)
    store.close()
    with KeyStore(folder, master) as again:
        assert again.expires_at_ns(key_id) == expires_at_ns


def test_a_bucket_has_a_limit(store: KeyStore) -> None:
    store.new(Scope.ALERT, at(1))
    with pytest.raises(InputError, match="one hour"):
        store._add(at(1) // HOUR_NS, dict.fromkeys(map(str, range(MAX_KEYS)), new_entry(Scope.ALERT, at(1))))


def test_a_closed_store_says_so(store: KeyStore) -> None:
    key_id = store.new(Scope.ALERT, at(1))
    store.close()
    store.close()
    for action in (
        lambda: store.encrypt(key_id, b"", b""),
        lambda: store.new(Scope.ALERT, 0),
        lambda: store.reap(0),
        store.ids,
    ):
        with pytest.raises(UsageError, match="closed"):
            action()


def test_its_text_shows_folder_and_counts_only(store: KeyStore, folder: Path) -> None:
    ids = store.new_many(Scope.ALERT, [at(1)] * 2) + store.new_many(Scope.SUBJECT, [at(1)])
    assert repr(store) == f"KeyStore({str(folder)!r}, alert=2, subject=1)"
    shown = repr([*store._buckets.values(), *store._keys.values(), store._files])
    assert not any(store._keys[key_id].key.hex() in shown or repr(store._keys[key_id].key) in shown for key_id in ids)


# --- ending ---------------------------------------------------------------------------------------------------------


def test_a_destroyed_key_is_gone_and_its_neighbours_are_not(store: KeyStore, folder: Path, master: MasterKey) -> None:
    ledger = Ledger()
    gone, *_ = ledger.new(store, 1, 1.1, 2)
    ledger.destroy(store, [gone])
    ledger.check_exact(store)
    for action in (
        lambda: store.encrypt(gone, b"", b""),
        lambda: store.hmac(gone, b""),
        lambda: store.expires_at_ns(gone),
        lambda: store.reschedule(gone, at(5)),
    ):
        with pytest.raises(KeyDestroyed) as refused:
            action()
        assert refused.value.http_status == 410
    store.destroy([gone, "alert-nobody", "", "../store"])
    store.close()
    with KeyStore(folder, master) as again:
        ledger.check_exact(again)


def test_reaping_takes_what_has_expired_to_the_nanosecond(store: KeyStore) -> None:
    early, exact, late, other = (store.new(Scope.ALERT, at(1) + ns) for ns in (0, 5, 6, HOUR_NS))
    assert store.reap(at(1) - 1) == []
    assert store.reap(at(1) + 5) == sorted([early, exact])
    assert store.reap(at(1) + 5) == []
    assert store.ids() == {late, other}


def test_what_expired_while_nobody_ran_goes_with_the_first_reap(
    store: KeyStore, folder: Path, master: MasterKey
) -> None:
    ids = store.new_many(Scope.ALERT, [at(1), at(1.5), at(2), at(900)])
    store.close()
    with KeyStore(folder, master) as again:
        assert again.reap(at(800)) == sorted(ids[:3])
    assert {path.name.split(".")[0] for path in folder.iterdir()} == {"lock", "store", "2027022120"}


def test_emptied_hours_leave_no_file(store: KeyStore, folder: Path) -> None:
    store.destroy(store.new_many(Scope.ALERT, [at(1), at(1), at(2)]))
    assert {path.name for path in folder.iterdir()} == {"lock", "store"}


@pytest.mark.parametrize("hours", [0.5, 1.25, 9])
def test_a_rescheduled_key_is_only_where_it_belongs(
    store: KeyStore, folder: Path, master: MasterKey, hours: float
) -> None:
    ledger = Ledger()
    key_id, _ = ledger.new(store, 1, 1.1)
    before = copied_buckets(folder)
    ledger.reschedule(store, key_id, hours)
    store.close()
    if hours != 1.25:
        assert not opened_with_any_present_key(folder, master, before)
    with KeyStore(folder, master) as again:
        ledger.check_exact(again)
        assert again.reap(at(hours) - 1).count(key_id) == 0
        assert key_id in again.reap(at(hours))


def test_many_are_rescheduled_with_one_write_for_each_hour(folder: Path, master: MasterKey) -> None:
    disk, ledger = MemoryDisk(), Ledger()
    with KeyStore.create(folder, master, disk=disk) as store:
        moved = ledger.new(store, *[9] * 50, 3)
        stays, *_ = ledger.new(store, 9, 9.5)
        before = disk.steps
        ledger.reschedule_many(store, dict.fromkeys(moved, 2.5))
        at_once = disk.steps - before
        ledger.check_exact(store)
        assert store.reap(at(2.5)) == sorted(moved)
        assert store.has(stays)
        before = disk.steps
        store.reschedule(stays, at(4))
        assert at_once <= 2 * (disk.steps - before), "51 keys of two hours take as long as two of them"


def test_where_one_is_gone_none_is_rescheduled(store: KeyStore) -> None:
    ledger = Ledger()
    gone, stays = ledger.new(store, 1, 2)
    ledger.destroy(store, [gone])
    with pytest.raises(KeyDestroyed):
        store.reschedule_many({stays: at(5), gone: at(5)})
    with pytest.raises(InputError, match="cannot expire"):
        store.reschedule_many({stays: at(5), gone: -1})
    ledger.check_exact(store)


# --- what is left on the disk ---------------------------------------------------------------------------------------


def copied_buckets(folder: Path) -> list[tuple[str, bytes]]:
    """Somebody's copy of the bucket files, without the wrapping keys."""
    return [(path.name, path.read_bytes()) for path in sorted(folder.glob("*.bucket"))]


def opened_with_any_present_key(folder: Path, master: MasterKey, buckets: list[tuple[str, bytes]]) -> list[str]:
    """Which copied buckets open with the master key and the wrapping keys that are in the folder now."""
    store_id = frame.read("store", (folder / "store").read_bytes(), Kind.STORE, master.secret_bytes(), b"")
    keys = [master.secret_bytes()]
    hours = range(at(-2) // HOUR_NS, at(30) // HOUR_NS)
    bounds = [store_id + hour.to_bytes(8, "big") + number.to_bytes(8, "big") for hour in hours for number in range(9)]
    for path in folder.glob("*.kek*"):
        keys += [text for bound in bounds if (text := tried(path.read_bytes(), Kind.WRAPPING_KEY, keys[0], bound))]
    assert len(keys) == 1 + len(list(folder.glob("*.kek")))
    return [name for name, data in buckets for key in keys for bound in bounds if tried(data, Kind.BUCKET, key, bound)]


def tried(data: bytes, kind: Kind, key: bytes, bound: bytes) -> bytes:
    try:
        return frame.read("x", data, kind, key, bound)
    except InputError:
        return b""


def test_copies_of_bucket_files_do_not_open_after_the_destruction(
    store: KeyStore, folder: Path, master: MasterKey, tmp_path: Path
) -> None:
    gone, _ = store.new(Scope.SUBJECT, at(1)), store.new(Scope.SUBJECT, at(1))
    hidden = store.encrypt(gone, SECRET, b"")
    before = copied_buckets(folder)
    whole = shutil.copytree(folder, tmp_path / "whole")
    assert opened_with_any_present_key(folder, master, before)  # control: now they do
    store.destroy([gone])
    store.close()
    assert opened_with_any_present_key(folder, master, before) == []
    (folder / before[0][0]).write_bytes(before[0][1])  # put back under its old name
    with KeyStore(folder, master) as again:
        assert gone not in again.ids()
    next(folder.glob("*.bucket")).write_bytes(before[0][1])  # put in the place of the new one
    with pytest.raises(InputError, match="does not open"):
        KeyStore(folder, master)
    with KeyStore(whole, master) as resurrected:  # control, and why the folder belongs in no backup
        assert resurrected.decrypt(gone, hidden, b"") == SECRET


def test_the_destroyed_wrapping_key_is_overwritten_where_it_lay(store: KeyStore, folder: Path, tmp_path: Path) -> None:
    """A second name for the same blocks shows what is on them afterwards."""
    first, second = store.new_many(Scope.SUBJECT, [at(1), at(1)])
    for generation, key_id in ((1, first), (2, second)):
        block = tmp_path / f"block-{generation}"
        os.link(next(folder.glob(f"*.{generation}.kek")), block)
        assert any(block.read_bytes())  # control
        store.destroy([key_id])
        assert len(block.read_bytes()) > 100
        assert not any(block.read_bytes())


def test_an_unfinished_wrapping_key_is_overwritten_at_the_next_start(
    store: KeyStore, folder: Path, master: MasterKey, tmp_path: Path
) -> None:
    store.close()
    for name in ("2027011509.4.kek", "2027011509.5.kek.tmp", "2027011509.3.dead"):
        (folder / name).write_bytes(b"an unfinished key")
        os.link(folder / name, tmp_path / name)
    with KeyStore(folder, master):
        assert {path.name for path in folder.iterdir()} == {"lock", "store"}
    assert {path.read_bytes() for path in tmp_path.glob("2027*")} == {bytes(17)}


def test_no_key_is_on_the_disk_in_clear(store: KeyStore, folder: Path, master: MasterKey) -> None:
    store.new_many(Scope.SUBJECT, [at(hour) for hour in range(5)])
    secrets = [entry.key for entry in store._keys.values()] + [master.secret_bytes()]
    secrets += [bucket.wrapping_key for bucket in store._buckets.values()]
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(secret in content or secret.hex().encode() in content for secret in secrets)
    assert all(len(secret) == 32 for secret in secrets)


def test_folder_and_files_are_for_this_user_alone(store: KeyStore, folder: Path) -> None:
    store.new(Scope.ALERT, at(1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


# --- threads --------------------------------------------------------------------------------------------------------


def test_threads_may_use_it_together(store: KeyStore, folder: Path, master: MasterKey) -> None:
    shared = store.new(Scope.SUBJECT, at(9))
    start = threading.Barrier(6)

    def worker(number: int) -> set[str]:
        start.wait()
        kept = set()
        for turn in range(10):
            one, other = store.new(Scope.ALERT, at(number % 2)), store.new(Scope.ALERT, at(turn % 3))
            assert store.decrypt(shared, store.encrypt(shared, SECRET, b""), b"") == SECRET
            store.reschedule(other, at(4 + turn % 2))
            store.destroy([one])
            kept.add(other)
        return kept

    with ThreadPoolExecutor(6) as pool:
        kept = set().union(*pool.map(worker, range(6)), {shared})
    assert store.ids() == kept
    store.close()
    with KeyStore(folder, master) as again:
        assert again.ids() == kept


def test_reading_does_not_wait_for_the_disk(master: MasterKey) -> None:
    class Slow(MemoryDisk):
        waiting = threading.Event()
        go_on = threading.Event()

        def sync(self) -> None:
            self.waiting.set()
            assert self.go_on.wait(20)
            super().sync()

    Slow.go_on.set()
    store = KeyStore.create(Path("memory"), master, disk=Slow())
    key_id = store.new(Scope.ALERT, at(1))
    Slow.go_on.clear()
    Slow.waiting.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(store.destroy, [key_id])
        assert Slow.waiting.wait(20)
        try:
            assert store.ids() == set()  # answered while the disk is busy, and already without the key
        finally:
            Slow.go_on.set()
        slow.result(20)


def test_an_empty_store_has_a_text_too(store: KeyStore, folder: Path) -> None:
    assert repr(store) == f"KeyStore({str(folder)!r})"


def test_the_error_names_nothing_secret(store: KeyStore, master: MasterKey) -> None:
    with pytest.raises(HabeasError) as refused:
        store.decrypt(store.new(Scope.ALERT, 0), b"HABS\x01" + bytes(99), SECRET)
    assert SECRET.decode() not in str(refused.value)
    assert repr(master) == "MasterKey()"
    assert "wrapping" not in repr(Bucket(0, 1, master.secret_bytes(), {}, settled=True))


def test_what_is_remembered_lies_beside_the_keys_and_survives(tmp_path: Path) -> None:
    with KeyStore.create(tmp_path / "keys", MASTER) as store:
        assert store.recall() == b""
        store.remember(b"size 7")
        store.remember(b"size 8")
        assert store.recall() == b"size 8"
    with KeyStore(tmp_path / "keys", MASTER) as store:
        assert store.recall() == b"size 8"
    assert b"size" not in (tmp_path / "keys" / "memory").read_bytes()


def test_a_memory_of_another_store_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with KeyStore.create(tmp_path / name, MASTER) as store:
            store.remember(name.encode())
    (tmp_path / "one" / "memory").write_bytes((tmp_path / "other" / "memory").read_bytes())
    with KeyStore(tmp_path / "one", MASTER) as store, pytest.raises(InputError):
        store.recall()


def test_a_power_cut_leaves_the_old_memory_or_the_new() -> None:
    for step in range(1, 8):
        disk = MemoryDisk()
        store = KeyStore.create(Path("memory"), MASTER, disk=disk)
        store.remember(b"old")
        disk.steps = 0
        disk.fault = cut(step)
        with suppress(PowerCut):
            store.remember(b"new")
        for left in disk.after_power_cut():
            assert KeyStore(Path("memory"), MASTER, disk=left).recall() in {b"old", b"new"}
