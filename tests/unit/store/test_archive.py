"""A backup holds everything but the keys; a restore checks all of it first, and overwrites nothing."""

import hashlib
import io
import json
import os
import random
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from tests.databases import KINDS, empty_database, new_database

from habeas.clock import ManualClock
from habeas.errors import DiskError, InputError
from habeas.store import Store, open_store
from habeas.store.archive import MAGIC, backup, opened
from habeas.store.connection import connect, database_file, reading
from habeas.store.records import Account, Camera, Entry, Meta, Suspension
from habeas.store.restore import restore
from habeas.store.tables import TABLES

SETTINGS = b"cameras:\n  north: {}\n"


@pytest.fixture
def yaml(tmp_path: Path) -> Path:
    file = tmp_path / "habeas.yaml"
    file.write_bytes(SETTINGS)
    return file


@pytest.fixture
def saved(tmp_path: Path, yaml: Path, clock: ManualClock) -> Path:
    """A backup of a small database."""
    url = new_database("sqlite", tmp_path)
    fill(url, clock)
    backup(url, yaml, tmp_path / "saved.habeas", clock)
    return tmp_path / "saved.habeas"


def fill(url: str, clock: ManualClock, count: int = 450) -> None:
    sealed = bytes(range(256))
    with open_store(url, clock) as store, store.write() as tx:
        for number in range(count):
            tx.entry("test.some", "ann", {"number": number, "text": "Straße\n\u2028\x01"})
        tx.add(Camera("c", "gate", "", "", sealed, None, "k", "d", ((0.1, 0.2, 1 / 3, 1.0),), 40, 2**62, "ann"))
        tx.add(Account("a", "key", -5, "init", password_hash="hash", setup_until_ns=3))  # noqa: S106 - no password
        tx.add(Meta("empty", ""))


def content(store: Store) -> dict[str, list[Any]]:
    with store.read() as tx:
        return {record.__name__: tx.find(record) for record in TABLES}


def content_of(url: str, clock: ManualClock) -> dict[str, list[Any]]:
    with open_store(url, clock) as store:
        return content(store)


# --- backup and restore ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("into", KINDS)
def test_what_was_saved_comes_back_in_either_kind_of_database(
    url: str, into: str, tmp_path: Path, yaml: Path, clock: ManualClock
) -> None:
    fill(url, clock)
    saved = tmp_path / "saved.habeas"
    backup(url, yaml, saved, clock)
    yaml.unlink()
    other = empty_database(into, tmp_path)
    assert restore(saved, other, yaml, clock) == ()
    assert content_of(other, clock) == content_of(url, clock)
    assert len(content_of(other, clock)["Entry"]) == 450
    assert yaml.read_bytes() == SETTINGS
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(yaml.stat().st_mode) == 0o600
    again = tmp_path / "again.habeas"
    backup(other, yaml, again, clock)
    assert members(again) == members(saved)  # byte for byte, whatever the database
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_a_backup_is_of_one_moment_and_others_go_on_writing(
    url: str, tmp_path: Path, yaml: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url, clock, 3)
    with open_store(url, clock) as store:

        def late(*_: object) -> bytes:
            with store.write() as tx:
                tx.add(Suspension(**{**suspension(), "suspension_id": "late"}))
                tx.entry("test.late", "ann", {})
            return SETTINGS

        monkeypatch.setattr(type(yaml), "read_bytes", late)  # between the first look at the database and its rows
        backup(url, yaml, tmp_path / "saved.habeas", clock)
        monkeypatch.undo()
        with store.read() as tx:
            assert len(tx.find(Entry)) == 4
    found = members(tmp_path / "saved.habeas")
    assert found["tables/suspensions.jsonl"].count(b"\n") == 1
    assert found["tables/entries.jsonl"].count(b"\n") == 1 + 3


def suspension() -> dict[str, Any]:
    return {
        name: () if str(hint).startswith("tuple") else 1 if hint is int else "x" if hint is str else None
        for name, hint in Suspension.__annotations__.items()
    }


def test_a_backup_holds_the_tables_and_the_settings_and_nothing_else(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    assert saved.read_bytes().startswith(MAGIC)
    found = members(saved)
    assert {name for name in found if not name.startswith("tables/")} == {"habeas.yaml", "manifest.json"}
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["created_at"] == "2023-11-14T22:13:20.000000000Z"
    assert manifest["files"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in found.items()
    }


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_done(
    tmp_path: Path, saved: Path, yaml: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, before = new_database("sqlite", tmp_path), saved.read_bytes()
    with pytest.raises(InputError, match="already"):
        backup(url, yaml, saved, clock)
    assert saved.read_bytes() == before
    names = sorted(tmp_path.iterdir())

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="No space left"):
        backup(url, yaml, tmp_path / "other.habeas", clock)
    monkeypatch.undo()
    assert sorted(tmp_path.iterdir()) == names
    with pytest.raises(InputError, match="no database here"):
        backup(f"sqlite:///{tmp_path}/nothing.db", yaml, tmp_path / "other.habeas", clock)


def test_an_existing_database_is_moved_aside(url: str, saved: Path, yaml: Path, clock: ManualClock) -> None:
    with open_store(url, clock) as store, store.write() as tx:
        tx.add(Meta("old", "kept"))
    yaml.write_bytes(b"cameras: {}\n")
    clock.advance(3_600_000_000_000)
    aside = restore(saved, url, yaml, clock)
    assert len(content_of(url, clock)["Entry"]) == 450
    file, when = database_file(url), "before-restore-20231114T231320Z"
    assert aside[1] == str(yaml.with_name(f"habeas.yaml.{when}"))
    assert Path(aside[1]).read_bytes() == b"cameras: {}\n"
    assert yaml.read_bytes() == SETTINGS
    if file is None:
        assert aside[0] == when.replace("-", "_").lower()
        engine = connect(url)
        with reading(engine) as connection:
            assert set(inspect(connection).get_table_names(schema=aside[0])) > {"metas", "alembic_version"}
            assert connection.exec_driver_sql(f"SELECT name FROM {aside[0]}.metas").scalar_one() == "old"  # noqa: S608
        engine.dispose()
    else:
        assert aside[0] == str(file.with_name(f"{file.name}.{when}"))
        assert content_of(f"sqlite:///{aside[0]}", clock)["Meta"] == [Meta("old", "kept")]


def test_a_database_in_use_is_not_moved(saved: Path, tmp_path: Path, yaml: Path, clock: ManualClock) -> None:
    url = new_database("sqlite", tmp_path)
    with open_store(url, clock) as store:
        before = content(store)
        with pytest.raises(InputError, match="in use"):
            restore(saved, url, yaml, clock)
        assert content(store) == before
    assert not list(tmp_path.glob("*before-restore*"))
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_database_is_moved_aside_with_its_log(
    saved: Path, tmp_path: Path, yaml: Path, clock: ManualClock
) -> None:
    file = tmp_path / "habeas.db"
    file.write_bytes(b"garbage" * 1000)
    (tmp_path / "habeas.db-wal").write_bytes(b"log")
    aside = restore(saved, f"sqlite:///{file}", yaml, clock)
    assert Path(aside[0]).read_bytes() == b"garbage" * 1000
    assert Path(f"{aside[0]}-wal").read_bytes() == b"log"
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_restore_that_fails_on_the_way_leaves_what_was_there(
    url: str, tmp_path: Path, yaml: Path, clock: ManualClock
) -> None:
    contradicting = tmp_path / "bad.habeas"
    fill(url, clock, 3)
    before = content_of(url, clock)
    backup(url, yaml, tmp_path / "good.habeas", clock)
    found = members(tmp_path / "good.habeas")
    rows = found["tables/entries.jsonl"]
    write_archive(contradicting, {**found, "tables/entries.jsonl": rows + rows.splitlines(keepends=True)[1]})
    with pytest.raises(InputError, match="contradicts itself"):
        restore(contradicting, url, yaml, clock)
    assert content_of(url, clock) == before
    assert not list(tmp_path.glob(".*"))


# --- damaged and hostile files --------------------------------------------------------------------------------------


def write_archive(
    path: Path, files: dict[str, bytes], *, schema: str = "0001", magic: bytes = MAGIC, **more: Any
) -> None:
    """Write an archive whose hashes are right, whatever is in it."""
    files = {name: data for name, data in files.items() if name != "manifest.json"}
    hashes = {n: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for n, data in files.items()}
    manifest = {"version": 1, "schema": schema, "created_at": "", "files": hashes, **more}
    out = io.BytesIO()
    out.write(magic)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            zipped.writestr(info, data)
    path.write_bytes(out.getvalue())


Change = Callable[[dict[str, bytes]], dict[str, bytes]]
HOSTILE: dict[str, Change] = {
    "a name above the folder": lambda files: {**files, "../evil": b"x"},
    "an absolute name": lambda files: {**files, "/tmp/evil": b"x"},  # noqa: S108 - never written
    "a table's name above the folder": lambda files: {**files, "tables/../../evil.jsonl": b"x"},
    "a key store": lambda files: {**files, "keys/bucket": b"x"},
    "a table of no schema": lambda files: {**files, "tables/evil.jsonl": b"[]\n"},
    "the versions' table": lambda files: {**files, "tables/alembic_version.jsonl": b"[]\n"},
    "a table missing": lambda files: {name: data for name, data in files.items() if name != "tables/metas.jsonl"},
    "settings too long": lambda files: {**files, "habeas.yaml": b"x" * (1 << 21)},
    "other columns": lambda files: {**files, "tables/metas.jsonl": b'["name"]\n'},
    "no lines": lambda files: {**files, "tables/metas.jsonl": b""},
    "no JSON": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\nx\n'},
    "a row that ends": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n["a","b"]'},
    "a row too short": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n["a"]\n'},
    "a row that is none": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n{"a":1}\n'},
    "a number for a text": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n["a",1]\n'},
    "nothing for a key": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n[null,"b"]\n'},
    "too deep": lambda files: {**files, "tables/metas.jsonl": b'["name","value"]\n' + b"[" * 100_000 + b"\n"},
}


def test_hostile_archives_are_refused_and_nothing_is_touched(
    url: str, saved: Path, tmp_path: Path, yaml: Path, clock: ManualClock
) -> None:
    hostile = tmp_path / "inner" / "hostile.habeas"
    hostile.parent.mkdir()
    files = members(saved)
    write_archive(hostile, files)
    with opened(hostile):
        pass  # the control: unchanged, the same writer makes an archive that is taken
    before, there = content_of(url, clock), sorted(tmp_path.rglob("*"))
    for what, change in HOSTILE.items():
        write_archive(hostile, change(files))
        with pytest.raises(InputError):
            restore(hostile, url, yaml, clock)
        assert content_of(url, clock) == before, what
        assert sorted(tmp_path.rglob("*")) == there, what


def test_links_and_doubled_names_are_refused(saved: Path, tmp_path: Path) -> None:
    files = members(saved)
    for mode, twice in ((stat.S_IFLNK, False), (stat.S_IFREG, True)):
        path = tmp_path / f"{mode}.habeas"
        write_archive(path, files)
        with zipfile.ZipFile(path, "a") as zipped:
            info = zipfile.ZipInfo("habeas.yaml" if twice else "tables/link.jsonl")
            info.external_attr = (mode | 0o600) << 16
            if twice:
                with pytest.warns(UserWarning, match="Duplicate"):
                    zipped.writestr(info, b"/etc/passwd")
            else:
                zipped.writestr(info, b"/etc/passwd")
        with pytest.raises(InputError, match="damaged"), opened(path):
            raise AssertionError


def test_a_newer_schema_an_unknown_version_and_another_file_are_refused(saved: Path, tmp_path: Path) -> None:
    files, path = members(saved), tmp_path / "x.habeas"
    write_archive(path, files, schema="9999")
    refuse(path, r"newer Habeas \(schema 9999\)")
    write_archive(path, files, magic=b"habeas-backup 2\n")
    refuse(path, "newer Habeas")
    write_archive(path, files, version=2)
    refuse(path, "damaged")
    write_archive(path, files, magic=b"")
    refuse(path, "no backup of Habeas")
    path.write_bytes(b"")
    refuse(path, "no backup of Habeas")
    with pytest.raises(DiskError, match="No such file"), opened(tmp_path / "nothing"):
        raise AssertionError


def refuse(path: Path, why: str) -> None:
    with pytest.raises(InputError, match=why), opened(path):
        raise AssertionError


def test_an_archive_cut_short_is_refused_wherever_it_is_cut(saved: Path, tmp_path: Path) -> None:
    whole, path = saved.read_bytes(), tmp_path / "short.habeas"
    for length in range(0, len(whole), max(1, len(whole) // 200)):
        path.write_bytes(whole[:length])
        refuse(path, "backup")


def test_a_flipped_bit_is_refused_or_harmless(saved: Path, tmp_path: Path) -> None:
    whole, path, chance = saved.read_bytes(), tmp_path / "flipped.habeas", random.Random(5)
    with opened(saved) as archive:
        expected = {name: list(lines) for name, lines in tables_in(archive)}
    refused = 0
    for _ in range(300):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            with opened(path) as archive:
                assert {name: list(lines) for name, lines in tables_in(archive)} == expected
                assert archive.settings == SETTINGS
        except InputError:
            refused += 1
    assert refused > 150


def tables_in(archive: Any) -> list[tuple[str, list[bytes]]]:
    found = []
    for name in archive.tables:
        with archive.table(name) as lines:
            found.append((name, list(lines)))
    return found
