"""Hostile requests: every answer is JSON of our shape, and the node lives on."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.web.matrix import PREFIX, problem
from tests.web.world import World, api_of, served

from habeas.web.strict import MAX_BODY_BYTES, MAX_DRAFT_BYTES, MAX_UNKNOWN_BYTES, loads

LOGIN = f"{PREFIX}/login"
pytestmark = pytest.mark.usefixtures("lives")


def bearer(world: World, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {world.secrets[name]}"}


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"name"',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"name": "a", "password": "b", "password": "c"}',
        b'{"name": NaN, "password": "b"}',
        b'{"name": Infinity, "password": "b"}',
        b'{"name": ' + b"9" * 5000 + b', "password": "b"}',
        b"[" * 60_000,
        b'{"name":' * 8_000,
        b'{"name": "a", "password": ["b"]}',
        b'{"name": "a", "password": {"b": 1}}',
        b'{"name": 1, "password": "b"}',
        b'{"name": true, "password": "b"}',
        b'{"name": "a", "password": "b", "role": "admin"}',
        b'{"name": "a", "password": "b", "\\ud800": 1}',
        b'{"name": "\\ud800", "password": "b"}',
        b'{"name": "a", "password": "\\ud800"}',
        b'{"name": "a", "password": "b", "setup_code": "\\ud800"}',
        b'{"name": "a\\u0000", "password": "b"}',
        b'{"name": "", "password": "b"}',
        b'{"name": "' + b"a" * 65 + b'", "password": "b"}',
        b'{"name": "a", "password": "' + b"b" * 1025 + b'"}',
    ],
    ids=lambda text: f"{text[:40]!r}",
)
def test_a_body_that_is_no_login_is_refused(client: httpx.Client, text: bytes) -> None:
    answer = client.post(LOGIN, content=text, headers={"content-type": "application/json"})
    error = problem(answer)
    assert answer.status_code in {400, 422}
    assert error["remedy"]
    assert not any(raw in error["message"] for raw in ("should", "String", "Field", "Value error", "JSON decode"))


def test_a_wrong_field_is_named_in_our_words(client: httpx.Client) -> None:
    for text, told in (
        (b'{"name": 1, "password": "b"}', "name: is no text"),
        (b'{"name": "a"}', "password: is missing"),
        (b'{"name": "a", "password": "b", "role": "admin"}', "role: there is no such field"),
        (b"[]", "the body: is no JSON object"),
        (b"{", "the body: is no JSON"),
    ):
        answer = client.post(LOGIN, content=text, headers={"content-type": "application/json"})
        assert problem(answer)["message"] == told


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""])
def test_another_content_type_is_refused(client: httpx.Client, kind: str) -> None:
    answer = client.post(LOGIN, content=b'{"name": "a", "password": "b"}', headers={"content-type": kind})
    assert problem(answer)["kind"] == "usage"


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 1}', b'[{"a": {"b": 1, "b": 2}}]', b"[NaN]", b"[-Infinity]"])
def test_json_that_means_two_things_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"twice|no number"):
        loads(text)


@pytest.mark.parametrize(
    ("who", "path", "body"),
    [
        ("admin", "/policy", {"changes": {"subjects": 10**400}}),
        ("admin", "/policy", {"changes": {"subjects": -1}}),
        ("admin", "/policy", {"changes": {"subjects": True}}),
        ("approver1", "/tokens", {"scopes": ["read"], "days": "5"}),
        ("admin", "/policy", {"changes": {"fpir": "1"}}),
        ("admin", "/policy", {"changes": {"model_id": "\ud800"}}),
        ("admin", "/policy", {"changes": {"model_id": "a\0"}}),
        ("admin", "/policy", {"changes": {"witnesses": ["\ud800"]}}),
        ("admin", "/policy", {"changes": {"\ud800": 1}}),
        ("admin", "/policy", {"changes": {"purposes": ["everybody"]}}),
        ("admin", "/policy", {"changes": {"purposes": "consent"}}),
        ("admin", "/users", {"name": "../../etc"}),
        ("admin", "/users", {"name": "a\nb"}),
        ("admin", "/users", {"name": "a\0"}),
        ("admin", "/users", {"name": "ok", "person": "\ud800"}),
        ("admin", "/users", {"name": "ok", "person": "a\0"}),
        ("admin", "/cameras", {"name": "c", "url": "file:///etc/passwd", "purpose": "a purpose of some length"}),
        ("admin", "/cameras", {"name": "c", "url": "rtsp://169.254.169.254/", "purpose": "a purpose of length"}),
        ("admin", "/cameras", {"name": "c", "url": "rtsp://127.0.0.3:1/\r\nX: y", "purpose": "a purpose of length"}),
        ("admin", "/cameras", {"name": "c", "url": "rtsp://127.0.0.3:1/\ud800", "purpose": "a purpose of length"}),
        ("admin", "/cameras", {"name": "c", "url": "rtsp://127.0.0.3:1/", "purpose": "long enough \ud800"}),
        (
            "admin",
            "/cameras",
            {"name": "c", "url": "rtsp://127.0.0.3:1/", "purpose": "long enough", "masks": [[2, 0, 1, 1]]},
        ),
        (
            "admin",
            "/cameras",
            {"name": "c", "url": "rtsp://127.0.0.3:1/", "purpose": "long enough", "masks": [[1e400, 0, 1, 1]]},
        ),
        ("privacy", "/suspensions", {"cameras": ["cam-north"], "from_ns": 2**62, "until_ns": 2**63, "why": "x"}),
        ("privacy", "/suspensions", {"cameras": ["cam-north"], "from_ns": -1, "until_ns": 1, "why": "x"}),
        ("privacy", "/suspensions", {"cameras": ["cam-north"], "from_ns": 0.5, "until_ns": 1, "why": "x"}),
        ("privacy", "/suspensions", {"cameras": ["cam-north"] * 2000, "from_ns": 0, "until_ns": 1, "why": "x"}),
        ("approver1", "/users/target/roles", {"role": "god"}),
        ("approver1", "/users/target/roles", {"role": "operator", "zones": ["\ud800"]}),
        ("approver1", "/tokens", {"scopes": ["approve"], "days": 1}),
        ("approver1", "/tokens", {"scopes": [], "days": 1}),
        ("approver1", "/tokens", {"scopes": ["read"], "days": 10**9}),
        ("approver1", "/authorisations/aut-0/approve", {"content_hash": "A" * 64}),
        ("approver1", "/authorisations/aut-0/refuse", {"why": "x" * 2001}),
        ("reviewer1", "/alerts/alert-matrix/verdict", {"verdict": "confirmed"}),
        ("reviewer1", "/alerts/alert-matrix/verdict", {"verdict": "same", "lookalike": True}),
        ("reviewer1", "/alerts/alert-matrix/verdict", {"verdict": "same\n"}),
    ],
)
def test_values_that_cannot_be_are_refused(
    world: World, client: httpx.Client, who: str, path: str, body: dict[str, object]
) -> None:
    headers = {**bearer(world, who), "content-type": "application/json"}
    answer = client.post(f"{PREFIX}{path}", content=json.dumps(body).encode(), headers=headers)
    problem(answer)


DRAFT: dict[str, Any] = {
    "purpose": "missing-person",
    "authority": "Police North",
    "reference": "N-1/26",
    "subjects": [{"name": "A", "born": "1990-01-01", "images": [{"name": "a.jpg", "data": ""}]}],
    "cameras": ["cam-north"],
    "from_ns": 1_700_010_000 * 10**9,
    "until_ns": 1_700_020_000 * 10**9,
}


@pytest.mark.parametrize(
    "change",
    [
        {"subjects": []},
        {"subjects": [{"name": "A", "born": "1990-13-01", "images": [{"name": "a", "data": ""}]}]},
        {"subjects": [{"name": "A", "born": "1990-01-01", "images": [{"name": "a", "data": "%%%"}]}]},
        {"subjects": [{"name": "A", "born": "1990-01-01", "images": [{"name": "a", "data": "\u00e9"}]}]},
        {"subjects": [{"name": "A", "born": "1990-01-01", "images": [{"name": "a", "data": "bm8gaW1hZ2U="}]}]},
        {"subjects": [{"name": "A", "born": "1990-01-01", "images": [{"name": "\ud800", "data": "bm8gaW1hZ2U="}]}]},
        {"subjects": [{"name": "\ud800", "born": "1990-01-01", "images": [{"name": "a", "data": ""}]}]},
        {"subjects": [{"name": "A", "born": "0000-00-00", "images": [{"name": "a", "data": ""}]}]},
        {"cameras": ["../cam"]},
        {"zones": ["nowhere"]},
        {"purpose": "curiosity"},
        {"kind": "everywhere"},
        {"decision": "%%%"},
        {"until_ns": 10**30},
        {"renews": "aut-1"},
    ],
)
def test_drafts_that_cannot_be_are_refused(world: World, client: httpx.Client, change: dict[str, object]) -> None:
    headers = {**bearer(world, "requester1"), "content-type": "application/json"}
    text = json.dumps({**DRAFT, **change}).encode()
    problem(client.post(f"{PREFIX}/authorisations", content=text, headers=headers))


# --- paths, queries, headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["..%2f..%2fetc%2fpasswd", "%00", "%ff%fe", "'%20OR%201=1--", "%0d%0aX-Evil:%20yes", "a" * 5000, "%F0%9F%92%A9"],
)
@pytest.mark.parametrize("path", ["/authorisations/{}", "/references/{}", "/alerts/{}"])
def test_identifiers_that_are_none_are_not_found(world: World, client: httpx.Client, path: str, key: str) -> None:
    who = "reviewer1" if path.startswith("/alerts") else "approver1"
    answer = client.get(PREFIX + path.format(key), headers=bearer(world, who))
    problem(answer)
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=1e3", "from_ns=" + "9" * 6000, "state=x", "state=%00", "camera=%00"],
)
def test_queries_that_cannot_be_are_refused(world: World, client: httpx.Client, query: str) -> None:
    problem(client.get(f"{PREFIX}/alerts?{query}", headers=bearer(world, "reviewer1")))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer x y",
        "Basic YTpi",
        "Bearer a b",
        "bearer \xff\xfe",
        "Bearer habeas-token_",
        "Token x" * 500,
    ],
)
def test_whoever_shows_nothing_is_nobody(client: httpx.Client, given: str) -> None:
    answer = client.get(f"{PREFIX}/whoami", headers=[(b"authorization", given.encode("latin-1"))])
    error = problem(answer)
    assert (answer.status_code, error["rule"]) == (403, "not-logged-in")


def test_an_answer_never_sends_the_client_elsewhere(client: httpx.Client) -> None:
    answer = client.get(f"{PREFIX}/cameras/", headers={"host": "evil.example"})
    problem(answer)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


@pytest.mark.parametrize("method", ["BREW", "TRACE", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_unknown_methods_are_refused(client: httpx.Client, method: str) -> None:
    answer = client.request(method, f"{PREFIX}/status")
    problem(answer)
    assert answer.status_code == 405


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_not_read(world: World) -> None:
    for path, size in ((LOGIN, MAX_BODY_BYTES + 1), (f"{PREFIX}/authorisations", MAX_DRAFT_BYTES + 1), (LOGIN, 10**30)):
        head = f"POST {path} HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(10)
            raw.connect(str(world.folder / "node.sock"))
            raw.sendall(head.encode())
            told = raw.recv(65536)
            assert told.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), told
            assert size > 10**20 or told.startswith(b"HTTP/1.1 413")


def growing(size: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    yield b'{"name": "'
    for _ in range(size >> 15):
        yield b"a" * (1 << 15)


JSON = {"content-type": "application/json"}


def test_a_body_that_grows_too_large_is_refused(world: World, client: httpx.Client) -> None:
    headers = {**JSON, **bearer(world, "admin")}
    answer = client.post(f"{PREFIX}/users", content=growing(MAX_BODY_BYTES + (1 << 16)), headers=headers)
    assert answer.status_code == 413
    assert (
        problem(answer)["remedy"] == "send fewer or smaller images, evidence of 512 MB at most; all else fits in 1 MiB"
    )


@pytest.mark.parametrize("path", [LOGIN, f"{PREFIX}/authorisations"])
@pytest.mark.parametrize("secret", ["", "Bearer habeas-login_nobodys"])
def test_nobody_sends_much(world: World, client: httpx.Client, path: str, secret: str) -> None:
    headers = {**JSON, **({"authorization": secret} if secret else {})}
    for content in (growing(MAX_UNKNOWN_BYTES + (1 << 16)), b" " * (MAX_UNKNOWN_BYTES + 1)):
        answer = client.post(path, content=content, headers=headers)
        assert (answer.status_code, problem(answer)["rule"]) == (403, "not-logged-in")
    known = client.post(path, content=b" " * (MAX_UNKNOWN_BYTES + 1), headers={**JSON, **bearer(world, "admin")})
    assert known.status_code in {400, 422}, "control: it was read"


def test_nobody_is_told_so_before_anything_is_sent(world: World) -> None:
    """The answer comes while the body is still with the client."""
    head = f"POST {PREFIX}/authorisations HTTP/1.1\r\nHost: n\r\nContent-Type: application/json\r\n"
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(10)
        raw.connect(str(world.folder / "node.sock"))
        raw.sendall(f"{head}Content-Length: {MAX_UNKNOWN_BYTES + 1}\r\n\r\n".encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 403")


def test_a_draft_may_be_larger_than_anything_else(world: World, client: httpx.Client) -> None:
    images = [{"name": "a.jpg", "data": "A" * (MAX_BODY_BYTES + 4)}]
    subjects = [{"name": "A", "born": "1990-01-01", "images": images}]
    answer = client.post(
        f"{PREFIX}/authorisations", json={**DRAFT, "subjects": subjects}, headers=bearer(world, "requester1")
    )
    assert problem(answer)["kind"] == "enrolment"


# --- a fault of ours --------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_told_without_its_text(world: World) -> None:
    api = api_of(world)
    text = "what nobody should read"

    def broken() -> None:
        raise LookupError(text)

    api.add_api_route(f"{PREFIX}/broken", broken)
    with served(api, world.folder / "broken.sock") as other:
        answer = other.get(f"{PREFIX}/broken", headers={"connection": "close"})
        assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "bug")
        assert text not in answer.text
        assert other.get(f"{PREFIX}/healthz").status_code == 200
