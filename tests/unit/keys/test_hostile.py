"""Files that are damaged, foreign, planted or of another version: each is refused in words, none is touched."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.keys.ledger import at

from habeas.errors import DiskError, HabeasError, InputError
from habeas.keys import KeyStore, MasterKey, Scope, frame
from habeas.keys.buckets import _pack, _unpack, new_entry
from habeas.keys.frame import MAX_FILE_BYTES, Kind

FILES = ["store", "2027011509.1.kek", "2027011509.1.bucket"]
Change = Callable[[bytes], bytes]


@pytest.fixture
def closed(store: KeyStore, folder: Path) -> Path:
    """The folder of a store with one key."""
    store.new(Scope.ALERT, at(1))
    store.close()
    assert {path.name for path in folder.iterdir()} == {"lock", *FILES}
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refusal(folder: Path, master: MasterKey) -> HabeasError:
    """The error of opening, which changed nothing and left it unlocked: the second time it is the same."""
    before = contents(folder)
    errors = []
    for _ in range(2):
        with pytest.raises(HabeasError) as refused:
            KeyStore(folder, master)
        errors.append(refused.value)
    assert str(errors[0]) == str(errors[1])
    assert errors[0].remedy
    assert contents(folder) == before
    return errors[0]


def header(data: bytes, *, version: int = 1, kind: int | None = None, length: int | None = None) -> bytes:
    magic, _, old_kind, old_length = struct.unpack_from(">8sBBI", data)
    old = (magic, version, old_kind if kind is None else kind, old_length if length is None else length)
    return struct.pack(">8sBBI", *old) + data[14:]


CHANGES: dict[str, tuple[Change, str]] = {
    "empty": (lambda _: b"", "too short"),
    "a beginning": (lambda data: data[:50], "too short"),
    "one byte short": (lambda data: data[:-1], "length"),
    "one byte more": (lambda data: data + b"x", "length"),
    "other magic": (lambda data: b"X" + data[1:], "not a file of a key store"),
    "text": (lambda _: b"-----BEGIN PRIVATE KEY-----\n" * 9, "not a file of a key store"),
    "zeros": (lambda data: bytes(len(data)), "not a file of a key store"),
    "later version": (lambda data: header(data, version=2), "version 2, this program reads 1"),
    "version 0": (lambda data: header(data, version=0), "version 0"),
    "giant length": (lambda data: header(data, length=0xFFFFFFFF), "length"),
    "no length": (lambda data: header(data, length=0), "length"),
    "other kind": (lambda data: header(data, kind=9), "checksum"),
    "flipped bit": (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "checksum"),
    "flipped checksum": (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "checksum"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_not_what_it_was_is_refused(closed: Path, master: MasterKey, name: str, change: str) -> None:
    path = closed / name
    alter, words = CHANGES[change]
    path.write_bytes(alter(path.read_bytes()))
    error = refusal(closed, master)
    assert isinstance(error, InputError)
    assert name in str(error)
    assert words in str(error)


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_noticed(closed: Path, master: MasterKey, name: str) -> None:
    path = closed / name
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ (1 << position % 8)]) + data[position + 1 :])
        with pytest.raises(InputError):
            KeyStore(closed, master)
    path.write_bytes(data)
    with KeyStore(closed, master) as control:
        assert len(control.ids()) == 1


def test_another_master_key_is_called_that(closed: Path) -> None:
    error = refusal(closed, MasterKey(bytes(32)))
    assert "the master key is the wrong one" in str(error)
    assert "master key" in error.remedy


@pytest.mark.parametrize("name", FILES[1:])
def test_a_file_of_another_store_is_refused_even_under_the_same_master(
    closed: Path, master: MasterKey, tmp_path: Path, name: str
) -> None:
    with KeyStore.create(tmp_path / "other", master) as other:
        other.new(Scope.ALERT, at(1))
    (closed / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert "does not open" in str(refusal(closed, master))


def test_files_moved_to_another_hour_or_generation_are_refused(closed: Path, master: MasterKey) -> None:
    for stem in ("2099010100.1", "2027011509.2"):
        for ending in ("kek", "bucket"):
            (closed / f"{stem}.{ending}").write_bytes((closed / f"2027011509.1.{ending}").read_bytes())
        assert "does not open" in str(refusal(closed, master))
        for ending in ("kek", "bucket"):
            (closed / f"{stem}.{ending}").unlink()


@pytest.mark.parametrize(
    "name",
    [
        *("2027011509.1.kek.bak", "notes.txt", "2027011509.1.kek~", "2027131509.1.kek", "2027011599.1.kek", "x.1.kek"),
        *("2027011509..kek", "2027011509.-1.kek", "2027011509.1.kek.tmp.tmp", "2027011509.1.kek\n"),
        "\N{FULLWIDTH DIGIT TWO}027011509.1.kek",
    ],
)
def test_an_unknown_file_is_refused(closed: Path, master: MasterKey, name: str) -> None:
    (closed / name).write_bytes(b"")
    assert "not its own" in str(refusal(closed, master))


def test_a_missing_wrapping_key_is_refused_not_forgotten(closed: Path, master: MasterKey) -> None:
    (closed / FILES[1]).unlink()
    assert "its wrapping key is missing" in str(refusal(closed, master))


def test_a_giant_file_is_not_read(closed: Path, master: MasterKey) -> None:
    os.truncate(closed / FILES[2], MAX_FILE_BYTES + 1)
    assert "no file that habeas wrote" in str(refusal(closed, master))


def test_a_link_or_a_pipe_is_not_followed(closed: Path, master: MasterKey, tmp_path: Path) -> None:
    path = closed / FILES[2]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert isinstance(refusal(closed, master), DiskError)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="no file that habeas wrote"):
        KeyStore(closed, master)


def test_a_bucket_that_lies_inside_is_refused() -> None:
    packed = _pack({"": new_entry(Scope.ALERT, at(1))})
    assert len(_unpack("x", packed)) == 1  # control
    for wrong in (
        b"",
        b"\0\0",
        packed[:-1],
        packed + b"\0",
        b"\xff\xff\xff\xff" + packed[4:],
        b"\0\0\0\2" + packed[4:],
    ):
        with pytest.raises(InputError, match="count"):
            _unpack("x", wrong)
    with pytest.raises(InputError, match="unknown scope"):
        _unpack("x", packed[:4] + b"\xfe" + packed[5:])


def test_a_file_of_another_kind_is_refused() -> None:
    data = frame.build(Kind.BUCKET, bytes(32), b"", b"")
    with pytest.raises(InputError, match="kind 3, should be 2"):
        frame.read("x", data, Kind.WRAPPING_KEY, bytes(32), b"")


def test_a_folder_that_others_may_enter_is_refused(closed: Path, master: MasterKey) -> None:
    for mode in (0o750, 0o701, 0o777):
        closed.chmod(mode)
        error = refusal(closed, master)
        assert "others may enter" in str(error)
        assert "chmod 0700" in error.remedy


def test_where_there_is_no_store(tmp_path: Path, master: MasterKey) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(0o700)
    for folder in (tmp_path / "nowhere", tmp_path / "master", empty):
        with pytest.raises(InputError, match="no key store"):
            KeyStore(folder, master)


def test_a_store_is_made_in_an_empty_folder_only(closed: Path, tmp_path: Path, master: MasterKey) -> None:
    before = contents(closed)
    with pytest.raises(InputError, match="must be empty"):
        KeyStore.create(closed, master)
    assert contents(closed) == before
    with pytest.raises(DiskError):
        KeyStore.create(tmp_path / "no" / "parent", master)
    empty = tmp_path / "empty"
    empty.mkdir(0o700)
    KeyStore.create(empty, master).close()


def test_a_full_disk_is_a_disk_error(tmp_path: Path) -> None:
    """A process of its own, whose files may not grow: the write fails for real."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from habeas.errors import DiskError\n"
        "from habeas.keys import KeyStore, MasterKey, Scope\n"
        "folder = Path(sys.argv[1])\n"
        "with KeyStore.create(folder, MasterKey(bytes(32))) as store:\n"
        "    kept = store.new_many(Scope.ALERT, [0] * 5)\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        store.new_many(Scope.ALERT, [0] * 50)\n"
        "    except DiskError as error:\n"
        "        print(error)\n"
        "    assert store.ids() == set(kept)\n"
        "    store.destroy(kept[:1])\n"
        "with KeyStore(folder, MasterKey(bytes(32))) as store:\n"
        "    assert store.ids() == set(kept[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "keys")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "could not write" in done.stdout
