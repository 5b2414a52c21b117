"""Reading a log from a folder or an address that cheats: bounded, named, never followed elsewhere."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.unit.audit.exports import POLICY, Book, files_of, plain_leaves, verified

from habeas.audit.fetching import (
    MAX_LINE_BYTES,
    Fetcher,
    LogUrl,
    OpeningsFolder,
    openings_at,
    source_at,
)
from habeas.audit.inputs import logs_at
from habeas.audit.note import MAX_NOTE_BYTES
from habeas.audit.openings import A_FILE
from habeas.audit.tiles import MAX_BUNDLE_BYTES
from habeas.clock import ManualClock
from habeas.errors import FormatError, InputError, ProofError
from habeas.types import NS_PER_S

URL = "https://example.org/log"
LEAVES = plain_leaves(600)
FILES = files_of(LEAVES)
Answering = Callable[[httpx.Request], httpx.Response]


def serving(files: dict[str, bytes]) -> Answering:
    """What a web server does with files."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/log/")
        return httpx.Response(200, stream=httpx.ByteStream(files[name])) if name in files else httpx.Response(404)

    return answer


def fetcher(answer: Answering, clock: ManualClock | None = None) -> Fetcher:
    return Fetcher(clock or ManualClock(), httpx.MockTransport(answer))


def test_a_log_is_verified_over_http() -> None:
    with fetcher(serving(FILES)) as http:
        source = source_at(URL + "/", http)
        (log,) = logs_at(source, lambda name: source_at(f"{URL}/{name}", http))
        assert verified(log, policy=POLICY).entries == 600
        with pytest.raises(InputError, match="there is no"):
            source.read("tile/9/000")


def test_entries_that_are_not_there_yet_are_asked_for_in_few_questions() -> None:
    asked = []
    shown = {name: data for name, data in files_of(plain_leaves(40_000)).items() if "entries" not in name}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return serving(shown)(request)

    with fetcher(answer) as http:
        (log,) = logs_at(source_at(URL, http), lambda name: source_at(f"{URL}/{name}", http))
        assert verified(log).pending == 40_000
    assert sum("entries" in path for path in asked) <= 10


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/log",
        "ftp://example.org/log",
        "https://",
        "https://user:secret@example.org/log",
        "https://example.org/log?x=1",
        "https://example.org/log#x",
        "http://127.0.0.1.example.org/",
    ],
)
def test_only_https_and_this_machine_are_asked(url: str) -> None:
    with fetcher(serving(FILES)) as http, pytest.raises(InputError) as refused:
        source_at(url, http)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://localhost:8080/log", "http://127.0.0.1/log", "http://[::1]:99/log", URL])
def test_these_are_asked(url: str) -> None:
    with fetcher(serving(FILES)) as http:
        assert source_at(url, http).has("checkpoint")


def test_no_redirect_is_followed() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "https://elsewhere.example/checkpoint"})

    with fetcher(answer) as http:
        for question in (LogUrl(URL, http).read, LogUrl(URL, http).has):
            with pytest.raises(InputError, match="302"):
                question("checkpoint")
    assert asked == [f"{URL}/checkpoint"] * 2


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("checkpoint", MAX_NOTE_BYTES),
        ("tile/0/000", 8192),
        ("tile/entries/000", MAX_BUNDLE_BYTES),
        ("epochs.json", 4 << 20),
    ],
)
def test_no_more_is_read_than_a_file_can_have(name: str, most: int) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 4096
            yield bytes(4096)

    with fetcher(lambda _request: httpx.Response(200, content=endless())) as http:
        with pytest.raises(InputError, match="longer than"):
            LogUrl(URL, http).read(name)
        assert read <= most + (1 << 17)
        before = read
        assert LogUrl(URL, http).has(name)
        assert read == before, "whether it is there is told by its status"


def test_an_answer_that_takes_for_ever_is_given_up() -> None:
    clock = ManualClock()

    def slow() -> Iterator[bytes]:
        while True:
            clock.advance(50 * NS_PER_S)
            yield bytes(1 << 16)

    with (
        fetcher(lambda _request: httpx.Response(200, content=slow()), clock) as http,
        pytest.raises(InputError, match="takes too long"),
    ):
        LogUrl(URL, http).read("tile/entries/000")


def test_nothing_is_unpacked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        packed = gzip.compress(FILES["checkpoint"])
        return httpx.Response(200, stream=httpx.ByteStream(packed), headers={"content-encoding": "gzip"})

    with fetcher(answer) as http:
        assert LogUrl(URL, http).read("checkpoint").startswith(b"\x1f\x8b")


def test_a_server_that_fails_is_no_proof_of_anything() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        if "tile/0/001" in request.url.path:
            raise httpx.ConnectError("planted")
        return serving(FILES)(request)

    with fetcher(broken) as http:
        (log,) = logs_at(source_at(URL, http), lambda name: source_at(f"{URL}/{name}", http))
        with pytest.raises(InputError, match="cannot be fetched: ConnectError") as refused:
            verified(log)
    assert not isinstance(refused.value, ProofError)


def test_what_is_neither_folder_nor_address_is_refused(tmp_path: Path) -> None:
    with fetcher(serving({})) as http, pytest.raises(InputError, match="no folder"):
        source_at(str(tmp_path / "nothing"), http)


# --- openings ---------------------------------------------------------------------------------------------------------


def write(path: Path, number: int, lines: list[bytes]) -> None:
    (path / "openings").mkdir(exist_ok=True)
    (path / "openings" / f"{number:06d}.jsonl").write_bytes(b"".join(lines))


def test_openings_go_on_over_their_files(tmp_path: Path) -> None:
    assert openings_at(str(tmp_path)) is None
    assert openings_at(URL) is None
    write(tmp_path, 0, [b"%d\n" % seq for seq in range(A_FILE)])
    write(tmp_path, 1, [b"%d\n" % seq for seq in range(A_FILE, A_FILE + 5)])
    openings = openings_at(str(tmp_path))
    assert openings is not None
    for first in (0, 7, A_FILE - 1, A_FILE, A_FILE + 2):
        read = [int(line) for line in openings.lines(first)]
        assert read == list(range(first, A_FILE + 5))


def test_files_of_openings_that_are_none_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 0, [b"x" * (MAX_LINE_BYTES + 1)])
    with pytest.raises(FormatError, match="too long"):
        list(OpeningsFolder(tmp_path).lines(0))
    write(tmp_path, 0, [b"{}\n"] * 3)
    write(tmp_path, 1, [b"{}\n"])
    with pytest.raises(ProofError, match="has 3 lines"):
        list(OpeningsFolder(tmp_path).lines(0))


def test_an_export_in_a_folder_is_verified(tmp_path: Path) -> None:
    book = Book()
    for _ in range(300):
        book.add("padding", "log", {})
    for name, data in files_of(book.leaves()).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    write(tmp_path, 0, list(book.lines(0)))
    with fetcher(serving({})) as http:
        (log,) = logs_at(source_at(str(tmp_path), http), lambda name: source_at(f"{tmp_path}/{name}", http))
    assert verified(log, book=openings_at(str(tmp_path))).entries == 300
    lines = (tmp_path / "openings/000000.jsonl").read_bytes().splitlines(keepends=True)
    lines[77] = json.dumps({"opening": {}, "hidden": None}).encode() + b"\n"
    write(tmp_path, 0, lines)
    with pytest.raises(ProofError) as refused:
        verified(log, book=openings_at(str(tmp_path)))
    assert refused.value.index == 77
