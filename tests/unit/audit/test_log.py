"""A log on a real folder: it grows, signs, and refuses to sign what does not contain what it signed before."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.folder import LogFolder
from habeas.audit.log import CHECKPOINT, TREE, WITNESSED, Log
from habeas.audit.merkle import leaf_hash, root
from habeas.audit.note import Algorithm, VerifierKey, verify_note
from habeas.audit.text import encode_base64
from habeas.audit.tiles import verified_entries
from habeas.errors import FormatError, HabeasError, InputError, ProofError
from habeas.keys.signing import SigningKey

ORIGIN = "example.org/station"
KEY = SigningKey(bytes(range(32)))
LEAVES = [f"leaf {number}".encode() for number in range(1000)]


@dataclass
class Remembering:
    """A memory in memory."""

    data: bytes = field(default=b"")

    def recall(self) -> bytes:
        return self.data

    def remember(self, data: bytes) -> None:
        self.data = data


def opened(path: Path, memory: Remembering, origin: str = ORIGIN) -> Log:
    return Log(LogFolder(path), origin, KEY, memory)


def grown(path: Path, memory: Remembering, *sizes: int) -> Log:
    """Integrate and sign up to each of these sizes."""
    log = opened(path, memory)
    for size in sizes:
        log.integrate(LEAVES[log.size : size])
        log.publish(log.sign(), witnessed=False)
    return log


def files_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@settings(max_examples=40)  # files, synced
@given(st.lists(st.integers(0, 600), max_size=6))
def test_however_it_grew_the_tree_is_that_of_its_leaves(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    path, memory = tmp_path_factory.mktemp("log"), Remembering()
    sizes = sorted(steps)
    log = grown(path, memory, *sizes)
    size = sizes[-1] if sizes else 0
    assert log.size == size
    assert log.sign().text == f"{ORIGIN}\n{size}\n{encode_base64(root([leaf_hash(leaf) for leaf in LEAVES[:size]]))}\n"
    again = opened(path, memory)
    read = [leaf for bundle in verified_entries(size, again.signed.root, LogFolder(path).read) for leaf in bundle]
    assert read == LEAVES[:size]


def test_what_is_published_is_signed_by_the_log(tmp_path: Path) -> None:
    log = grown(tmp_path, Remembering(), 10)
    signed = parse_checkpoint(LogFolder(tmp_path).read(CHECKPOINT))
    assert signed.checkpoint.size == 10
    verify_note(signed.note, [VerifierKey(ORIGIN, Algorithm.ED25519, KEY.public_bytes)])
    assert not LogFolder(tmp_path).has(WITNESSED)
    log.publish(log.sign(), witnessed=True)
    assert LogFolder(tmp_path).read(WITNESSED) == LogFolder(tmp_path).read(CHECKPOINT)


def test_partial_files_go_once_the_full_one_is_there(tmp_path: Path) -> None:
    grown(tmp_path, Remembering(), *range(8, 520, 8))
    names = set(files_of(tmp_path))
    assert {"tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"} <= names
    assert not [name for name in names if "/000.p/" in name and "tile/1" not in name]
    assert not [name for name in names if name.startswith("tile/0/001.p")]


def test_the_same_leaves_again_change_nothing(tmp_path: Path) -> None:
    """After a crash with everything written but the last file, it is done again."""
    memory = Remembering()
    log = grown(tmp_path / "log", memory, 300)
    shutil.copytree(tmp_path / "log", tmp_path / "before")
    log.integrate(LEAVES[300:700])
    after = files_of(tmp_path / "log")
    shutil.copytree(tmp_path / "before", tmp_path / "log", dirs_exist_ok=True)  # the old tree, old partial files
    again = opened(tmp_path / "log", memory)
    assert again.size == 300
    again.integrate(LEAVES[300:700])
    assert files_of(tmp_path / "log") == after


def test_an_older_copy_of_the_folder_is_noticed(tmp_path: Path) -> None:
    memory = Remembering()
    grown(tmp_path / "log", memory, 300)
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    grown(tmp_path / "log", memory, 400)
    with pytest.raises(ProofError, match="older copy"):
        opened(tmp_path / "copy", memory)


def test_another_history_of_the_same_length_is_noticed(tmp_path: Path) -> None:
    memory = Remembering()
    grown(tmp_path / "log", memory, 300)
    other = opened(tmp_path / "other", Remembering())
    other.integrate([b"forged", *LEAVES[1:300]])
    with pytest.raises(ProofError, match="not those that were signed"):
        opened(tmp_path / "other", memory)


def test_control_an_honest_copy_goes_on(tmp_path: Path) -> None:
    memory = Remembering()
    grown(tmp_path / "log", memory, 300)
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    assert grown(tmp_path / "copy", memory, 400).size == 400


def flipped(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)

    return change


def removed(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        flipped("tile/0/000"),
        flipped("tile/0/001.p/44"),
        flipped("tile/1/000.p/1"),
        removed("tile/0/001.p/44"),
        removed("tile/1/000.p/1"),
        flipped("tile/entries/001.p/44"),
        removed("tile/entries/001.p/44"),
    ],
)
def test_damage_keeps_it_from_signing(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """Of what is new, or needed for what is new: old full tiles are what `audit verify` is for."""
    memory = Remembering()
    log = grown(tmp_path, memory, 200)
    log.integrate(LEAVES[200:300])
    damage(tmp_path)
    with pytest.raises((ProofError, FormatError, InputError)):
        log.sign()
    with pytest.raises((ProofError, FormatError, InputError)):
        opened(tmp_path, memory).sign()
    assert b"200" in memory.data


def test_a_tree_file_that_fits_no_tiles_is_noticed(tmp_path: Path) -> None:
    memory = Remembering()
    grown(tmp_path, memory, 300)
    flipped(TREE)(tmp_path)
    with pytest.raises(ProofError, match="tiles"):
        opened(tmp_path, memory)


def test_what_cannot_be_remembered_is_not_signed(tmp_path: Path) -> None:
    class Forgetful(Remembering):
        def remember(self, data: bytes) -> None:
            raise HabeasError(f"planted: no room for {len(data)} bytes")

    log = opened(tmp_path, Forgetful())
    log.integrate(LEAVES[:3])
    with pytest.raises(HabeasError, match="planted"):
        log.sign()
    assert log.signed.size == 0


def test_a_new_epoch_begins_at_nothing(tmp_path: Path) -> None:
    memory = Remembering()
    grown(tmp_path / "one", memory, 300)
    second = opened(tmp_path / "two", memory, "example.org/station/2")
    assert second.size == 0
    assert "\n0\n" in second.sign().text


def test_a_leaf_too_long_changes_nothing(tmp_path: Path) -> None:
    log = grown(tmp_path, Remembering(), 10)
    before = files_of(tmp_path)
    with pytest.raises(InputError):
        log.integrate([b"x" * 70_000])
    assert files_of(tmp_path) == before
    assert log.size == 10
