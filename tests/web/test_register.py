"""The public folder over real HTTP on loopback: files to be read, with headers, and nothing else."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.unit.register.test_checking import HONEST

from habeas.errors import HabeasError
from habeas.register.publish import publish
from habeas.web.register import served
from habeas.web.witness import address_of, listen_at

PROBLEMS: list[HabeasError] = []


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace") / "public"
    publish(folder, HONEST)
    (folder.parent / "habeas.yaml").write_text("secret")
    (folder / "log" / "1" / "tile" / "0" / "x001").mkdir(parents=True)
    (folder / "log" / "1" / "checkpoint").write_bytes(b"head")
    (folder / "log" / "1" / "tile" / "0" / "x001" / "067").write_bytes(b"tile")
    (folder / "log" / "1" / "tile" / "0" / "000.p").mkdir()
    (folder / "log" / "1" / "tile" / "0" / "000.p" / "8").write_bytes(b"part")
    (folder / ".index.html.new").write_bytes(b"half")
    (folder / "link").symlink_to(folder.parent / "habeas.yaml")
    return folder


@pytest.fixture(scope="module")
def client(public: Path) -> Iterator[httpx.Client]:
    with (
        listen_at("127.0.0.1:0") as listener,
        served(public, listener, PROBLEMS.append),
        httpx.Client(base_url=f"http://{address_of(listener)}", timeout=20, trust_env=False) as made,
    ):
        yield made
    assert PROBLEMS == []


def test_pages_and_the_document_are_there(client: httpx.Client) -> None:
    assert client.get("/").text.startswith("<!doctype html>")
    assert client.get("/statistics.html").headers["content-type"].startswith("text/html")
    assert client.get("/register.json").json() == HONEST
    assert client.get("/style.css").headers["content-type"].startswith("text/css")
    assert client.head("/register.json").content == b""


def test_headers_forbid_scripts_and_say_how_long_to_keep(client: httpx.Client) -> None:
    page = client.get("/index.html").headers
    assert "default-src 'none'" in page["content-security-policy"]
    assert page["x-content-type-options"] == "nosniff"
    assert page["cache-control"] == "public, max-age=60"
    assert "server" not in page
    assert "immutable" in client.get("/log/1/tile/0/x001/067").headers["cache-control"]
    for name in ("/log/1/checkpoint", "/log/1/tile/0/000.p/8"):
        assert client.get(name).headers["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "path",
    [
        "/log",
        "/log/1/tile/",
        "/.index.html.new",
        "/../habeas.yaml",
        "/%2e%2e/habeas.yaml",
        "/..%2fhabeas.yaml",
        "/link",
        "/nothing",
        "/api/v1/status",
    ],
)
def test_everything_else_is_not_there(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "half" not in answer.text


def test_a_path_that_is_not_normalised_leads_nowhere_else(client: httpx.Client) -> None:
    """Clients clean paths up; not all of them do."""
    host, port = client.base_url.host, client.base_url.port
    assert port is not None
    with socket.create_connection((host, port), 20) as raw:
        raw.sendall(b"GET /../habeas.yaml HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"secret" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/register.json").status_code == 405
