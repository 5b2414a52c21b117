"""A witness over real HTTP on loopback, as logs and others meet it."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.histories import FORK, TRUE, History
from tests.unit.audit.signers import LOG, OTHER_LOG, THIEF

from habeas.audit.note import Note, verify_note
from habeas.audit.witness import Told, Witness
from habeas.audit.witnessing import MAX_REQUEST_BYTES, parse_answer, parse_request
from habeas.clock import ManualClock
from habeas.errors import HabeasError, UsageError
from habeas.web.witness import address_of, listen_at, make_witness_api

PATH = "/add-checkpoint"


@dataclass
class Running:
    """A witness that answers on loopback."""

    folder: Path
    witness: Witness
    client: httpx.Client
    address: str
    problems: list[HabeasError] = field(default_factory=list)
    refused: list[Told] = field(default_factory=list)

    def ask(self, body: bytes) -> httpx.Response:
        return self.client.post(PATH, content=body)


@pytest.fixture
def running(tmp_path: Path, clock: ManualClock) -> Iterator[Running]:
    witness = Witness.found(tmp_path / "w", "w.example", clock)
    witness.add_log(LOG.verifier)
    with listen_at("127.0.0.1:0") as listener:
        address = address_of(listener)
        with httpx.Client(base_url=f"http://{address}", timeout=20, trust_env=False) as client:
            made = Running(tmp_path / "w", witness, client, address)
            api = make_witness_api(witness, made.problems.append, made.refused.append)
            config = uvicorn.Config(api, log_level="error", lifespan="off", access_log=False, server_header=False)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            yield made
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def test_a_checkpoint_is_cosigned(running: Running) -> None:
    request = TRUE.request(0, 20)
    answer = running.ask(request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert verify_note(
        Note(parse_request(request).signed.note.text, parse_answer(answer.content)), [running.witness.key]
    )


def test_a_conflict_is_told_as_a_size(running: Running) -> None:
    running.ask(TRUE.request(0, 20))
    answer = running.ask(TRUE.request(0, 25))
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (409, "text/x.tlog.size", b"20\n")


def test_every_refusal_is_a_line_of_text(running: Running) -> None:
    running.ask(TRUE.request(0, 20))
    asked = {
        400: b"nonsense",
        403: TRUE.request(20, 25, log=THIEF),
        404: TRUE.request(0, 5, log=OTHER_LOG),
        409: FORK.request(20, 20),
        422: FORK.request(20, 25),
    }
    for status, body in asked.items():
        answer = running.ask(body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
        assert answer.text.endswith("\n")
    assert [told.status for told in running.refused] == [409, 422]
    assert running.problems == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "application/octet-stream"])
def test_the_content_type_of_a_request_does_not_matter(running: Running, kind: str) -> None:
    answer = running.client.post(PATH, content=TRUE.request(0, 20), headers={"content-type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/add-checkpoint/", "/docs", "/openapi.json", "/witness.key", "/../witness.key", "//"]
)
def test_everything_else_is_404(running: Running, path: str) -> None:
    for method in ("GET", "POST"):
        answer = running.client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_405(running: Running, method: str) -> None:
    answer = running.client.request(method, PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "text/plain; charset=utf-8")
    assert answer.headers["allow"] == "POST"


def raw(running: Running, *parts: bytes) -> bytes:
    """Send bytes as they are; return what comes until the other side closes, or its first line."""
    host, _, port = running.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            return connection.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            return connection.recv(4096)


HEAD = b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\n"


def test_a_body_is_read_no_further_than_a_request_may_be_long(running: Running) -> None:
    assert running.ask(b"x" * MAX_REQUEST_BYTES).status_code == 400
    assert running.ask(b"x" * (MAX_REQUEST_BYTES + 1)).status_code == 413
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    started = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    assert raw(running, started, chunk * 17).startswith(b"HTTP/1.1 413"), "before it ends"
    assert raw(
        running, HEAD + b"content-length: 99999999999999999999\r\n\r\n", b"x" * (MAX_REQUEST_BYTES + 1)
    ).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "start",
    [b"\0" * 100, b"\x16\x03\x01", b"GET\r\n\r\n", HEAD + b"content-length: x\r\n\r\n",
     HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", HEAD + b"x: " + b"y" * 200_000],
)  # fmt: skip
def test_what_is_no_http_harms_nothing(running: Running, start: bytes) -> None:
    raw(running, start, b"\r\n\r\n")
    assert running.ask(TRUE.request(0, 20)).status_code == 200


def test_who_goes_away_or_never_ends_harms_nothing(running: Running) -> None:
    host, _, port = running.address.rpartition(":")
    waiting = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
    for number, connection in enumerate(waiting):
        connection.sendall(HEAD + b"content-length: 500\r\n\r\nold 0" if number % 2 else b"POST /add-")
    assert running.ask(TRUE.request(0, 20)).status_code == 200
    for connection in waiting:
        connection.close()
    assert running.ask(TRUE.request(20, 25)).status_code == 200
    assert running.problems == []


def test_a_disk_that_fails_is_503_and_nothing_is_signed(running: Running) -> None:
    running.ask(TRUE.request(0, 20))
    logs, aside = running.folder / "logs", running.folder / "aside"
    logs.rename(aside)
    logs.write_text("no folder")
    answer = running.ask(TRUE.request(20, 25))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert "\N{EM DASH}" not in answer.text
    assert str(running.folder) not in answer.text
    assert [error.kind for error in running.problems] == ["disk"]
    logs.unlink()
    aside.rename(logs)
    assert running.ask(TRUE.request(20, 25)).status_code == 200


def test_a_damaged_file_is_503_for_its_log_alone(running: Running) -> None:
    (file,) = (running.folder / "logs").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    running.witness.add_log(OTHER_LOG.verifier)
    assert running.ask(TRUE.request(0, 20)).status_code == 503
    assert [error.kind for error in running.problems] == ["format"]
    assert running.ask(TRUE.request(0, 20, log=OTHER_LOG)).status_code == 200


def test_many_at_once_get_one_history(running: Running) -> None:
    running.ask(TRUE.request(0, 20))
    statuses: list[int] = []
    bodies = [History((*TRUE.leaves[:20], b"%d" % number)).request(20) for number in range(8)]
    together = threading.Barrier(8)

    def ask(body: bytes) -> None:
        together.wait()
        statuses.append(httpx.post(f"http://{running.address}{PATH}", content=body, timeout=20).status_code)

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, *[409] * 7]


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    ["", "7380", ":7380", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:7380",
     "[::1]", "127.0.0.1:\u0663", "http://127.0.0.1:80", "192.0.2.1:7380", f"{'a' * 300}:1", "a b:1"],
)  # fmt: skip
def test_what_is_no_place_to_listen(place: str) -> None:
    with pytest.raises(UsageError, match="listen"):
        listen_at(place)


def test_a_place_that_is_taken_is_told() -> None:
    with listen_at("127.0.0.1:0") as taken, pytest.raises(UsageError, match="cannot listen"):
        listen_at(address_of(taken))


def test_an_address_of_version_six() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen_at("[::1]:0") as listener:
        assert address_of(listener).startswith("[::1]:")
