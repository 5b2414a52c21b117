"""A backup is one file: the database and the settings, with their hashes. Never the keys.

The file is 16 bytes that name it and its version, then a ZIP of `tables/NAME.jsonl` (`store.rows`), `habeas.yaml` and
`manifest.json`: version, time, schema, and length and SHA-256 of each other member. The hashes tell damage, not
forgery. Either kind of database takes a backup of the other. Nothing sealed in it can be read without the key store.
"""

import hashlib
import json
import os
import re
import stat
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from sqlalchemy import Connection

from habeas.errors import DiskError, InputError
from habeas.ports import Clock
from habeas.store.connection import connect, database_file, reading
from habeas.store.migrate import SCRIPTS, check_known, schema_version
from habeas.store.rows import MAX_LINE_BYTES, lines, tables_of
from habeas.types import utc

MAGIC: Final = b"habeas-backup 1\n"
_MAGIC_STEM: Final = b"habeas-backup "
_VERSION: Final = 1
_MANIFEST: Final = "manifest.json"
_SETTINGS: Final = "habeas.yaml"
_TABLE: Final = re.compile(r"tables/([a-z_]{1,40})\.jsonl")
_MAX_SMALL_BYTES: Final = 1 << 20
_MAX_MEMBERS: Final = 100
_CHUNK_BYTES: Final = 1 << 20
_ILLEGIBLE: Final = (
    *(ArithmeticError, EOFError, LookupError, NotImplementedError, OSError, RuntimeError, TypeError, ValueError),
    *(BadZipFile, struct.error, zlib.error),
)
"""What the parsers raise at a damaged or hostile file."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def stamp(clock: Clock) -> str:
    """Return the time as file names carry it: `20260131T235959Z`."""
    return re.sub(r"[-:]", "", utc(clock.now_ns())[:19]) + "Z"


def backup(url: str, settings_file: Path, target: Path, clock: Clock) -> None:
    """Write a database and the settings into one file, as they are at one moment; others go on working.

    Args:
        url: of the database.
        settings_file: the workspace's `habeas.yaml`; left out where there is none.
        target: the backup; there must be no such file yet.
        clock: tells when.

    Raises:
        InputError: there is such a file, no database, or one that is newer than this program.
        DiskError: it could not be read, or written.
    """
    file = database_file(url)
    if file is not None and not file.is_file():
        raise InputError("there is no database here", remedy="make an installation with `habeas init DIR`")
    engine = connect(url)
    try:
        with reading(engine) as connection:
            dump(connection, target, clock, settings_file=settings_file)
    finally:
        engine.dispose()


def dump(
    connection: Connection, target: Path, clock: Clock, *, settings_file: Path | None = None, scripts: str = SCRIPTS
) -> None:
    """Write what a transaction sees as a backup: complete and durable under its name, or not there.

    Args:
        connection: in a transaction.
        target: there must be no such file yet.
        clock: tells when.
        settings_file: goes in, where it is there.
        scripts: the schema's steps.

    Raises:
        InputError: there is such a file, the database is empty, or newer than this program.
        DiskError: it could not be written.
    """
    version = schema_version(connection)
    if version is None:
        raise InputError("this database is empty", remedy="make an installation with `habeas init DIR`")
    check_known(version, scripts)
    if target.exists():
        raise InputError(f"there is a file {target} already", remedy="choose another name")
    members: dict[str, Iterable[bytes]] = {
        f"tables/{name}.jsonl": lines(connection, table) for name, table in tables_of(version, scripts).items()
    }
    with on_disk(f"write {target}"):
        if settings_file is not None and settings_file.exists():
            members[_SETTINGS] = [settings_file.read_bytes()]
        facts = {"version": _VERSION, "created_at": utc(clock.now_ns()), "schema": version}
        write_durably(target, lambda out: _write(out, members, facts))


def _write(out: IO[bytes], members: dict[str, Iterable[bytes]], facts: dict[str, Any]) -> None:
    out.write(MAGIC)
    with ZipFile(out, "w") as archive:
        files = {name: _pack(archive, name, chunks) for name, chunks in members.items()}
        _pack(archive, _MANIFEST, [json.dumps({**facts, "files": files}, indent=1, sort_keys=True).encode()])


def _pack(archive: ZipFile, name: str, chunks: Iterable[bytes]) -> dict[str, Any]:
    info = ZipInfo(name, _EPOCH)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    digest, length = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            digest.update(chunk)
            length += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": length}


def write_durably(target: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, wait until it is on the disk, and put it there; readable by its owner only.

    Raises:
        OSError: it could not; nothing was changed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def on_disk(doing: str) -> Iterator[None]:
    """Turn `OSError` into `DiskError`."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"cannot {doing}: {error.strerror}", remedy="see that the disk is there and has room"
        ) from error


@contextmanager
def _legible(path: Path) -> Iterator[None]:
    """Turn whatever a damaged or hostile file does to the parsers into `InputError`."""
    try:
        yield
    except _ILLEGIBLE as error:
        raise InputError(f"{path} is damaged, or no backup", remedy="use another backup") from error


@dataclass(frozen=True)
class Archive:
    """A backup that was checked from end to end.

    Args:
        path: of the file, for messages.
        zipped: open.
        schema: version of its tables.
        tables: names of its tables.
        settings: bytes of `habeas.yaml`; None: it has none.
    """

    path: Path
    zipped: ZipFile
    schema: str
    tables: tuple[str, ...]
    settings: bytes | None

    @contextmanager
    def table(self, name: str) -> Iterator[Iterator[bytes]]:
        """Hand out the lines of a table.

        Raises:
            InputError: the file was damaged since it was checked, or what reads it finds no rows there.
        """
        with _legible(self.path), self.zipped.open(f"tables/{name}.jsonl") as member:
            yield _lines(member)


def _lines(member: IO[bytes]) -> Iterator[bytes]:
    while line := member.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            raise ValueError("too long a line")
        yield line


@contextmanager
def opened(path: Path, scripts: str = SCRIPTS) -> Iterator[Archive]:
    """Open a backup and check all of it.

    1. It begins with our magic and a version that this program knows.
    2. Its members are exactly those of its manifest, with names that we give, and no links.
    3. Each has the length and the hash that the manifest says.
    4. Its schema is one that this program knows, and its tables are that schema's.

    Args:
        path: of the backup.
        scripts: the schema's steps.

    Raises:
        InputError: one of these does not hold.
    """
    with on_disk(f"read {path}"):
        file = path.open("rb")
    with file:
        _check_magic(path, file.read(len(MAGIC)))  # 1
        with _legible(path):
            zipped = ZipFile(file)
            manifest = _manifest(zipped)  # 2
            for name, promised in manifest["files"].items():
                _check_member(zipped, name, promised)  # 3
            tables = tuple(match[1] for name in manifest["files"] if (match := _TABLE.fullmatch(name)))
            settings = zipped.read(_SETTINGS) if _SETTINGS in manifest["files"] else None
            schema = str(manifest["schema"])
        check_known(schema, scripts)  # 4
        if set(tables) != set(tables_of(schema, scripts)):
            raise InputError(f"{path} lacks tables, or has others", remedy="use another backup")
        yield Archive(path, zipped, schema, tables, settings)


def _check_magic(path: Path, found: bytes) -> None:
    if found == MAGIC:
        return
    if found.startswith(_MAGIC_STEM):
        raise InputError(f"{path} was made by a newer Habeas", remedy="install that version, or newer")
    raise InputError(f"{path} is no backup of Habeas", remedy="give a file that `habeas backup` made")


def _manifest(zipped: ZipFile) -> Any:
    infos = zipped.infolist()
    names = [info.filename for info in infos]
    small = {info.filename: info.file_size for info in infos if not _TABLE.fullmatch(info.filename)}
    plain = all(stat.S_ISREG(info.external_attr >> 16) and not info.flag_bits & 1 for info in infos)
    if not plain or len(set(names)) < len(names) or len(names) > _MAX_MEMBERS:
        raise ValueError("members that we do not write")
    if not set(small) <= {_MANIFEST, _SETTINGS} or max(small.values()) > _MAX_SMALL_BYTES:
        raise ValueError("members that we do not write")
    manifest = json.loads(zipped.read(_MANIFEST))
    if manifest["version"] != _VERSION or set(manifest["files"]) != set(names) - {_MANIFEST}:
        raise ValueError("not the members that the manifest names")
    return manifest


def _check_member(zipped: ZipFile, name: str, promised: dict[str, Any]) -> None:
    digest, length = hashlib.sha256(), 0
    with zipped.open(name) as member:
        while chunk := member.read(_CHUNK_BYTES):
            digest.update(chunk)
            length += len(chunk)
            if length > promised["bytes"]:
                break
    if (digest.hexdigest(), length) != (promised["sha256"], promised["bytes"]):
        raise ValueError("not what the manifest says")
