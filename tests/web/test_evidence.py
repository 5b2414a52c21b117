"""What was handed in comes out of no route, and goes into no other."""

import json
import socket
from typing import Any

import httpx
import pytest
from tests.web.cases import a_draft
from tests.web.matrix import PREFIX, problem
from tests.web.test_routes import DOCUMENT
from tests.web.world import NOTE, PICTURES, World

from habeas.node.evidence import SPARE_BYTES
from habeas.types import NS_PER_S
from habeas.web.strict import MAX_FILE_BYTES


def bearer(world: World, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {world.secrets[name]}"}


@pytest.mark.rule("D9")
def test_nothing_but_json_about_it_is_answered() -> None:
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    mine = {path: methods for path, methods in paths.items() if "/evidence" in path}
    assert {path: set(methods) for path, methods in mine.items()} == {
        f"{PREFIX}/evidence": {"get", "post"},
        f"{PREFIX}/evidence/{{evidence_id}}/discard": {"post"},
    }
    for methods in mine.values():
        assert all(set(one["responses"]["200"]["content"]) == {"application/json"} for one in methods.values())


def about(world: World) -> dict[str, Any]:
    now_ns = world.node.time.now_ns()
    return {"cameras": [world.ids["evidence"]], "from_ns": now_ns - 9, "until_ns": now_ns - 1}


@pytest.mark.rule("D9")
@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("what", ["holds", "requests", "exports", "remove", "authorisations", "suspensions"])
def test_it_is_no_camera_for_anything_else(world: World, client: httpx.Client, what: str) -> None:
    evidence_id, places = world.ids["evidence"], about(world)
    asked: dict[str, tuple[str, str, Any]] = {
        "holds": ("requester1", "/holds", {"asked_by": "P", "reference": "1", "why": "a fall", "ends_ns": 2**60}),
        "requests": ("requester1", "/requests", {"contact": "ada@example.org", "why": "a fall"}),
        "exports": ("requester1", "/exports", None),
        "remove": ("admin", f"/cameras/{evidence_id}/remove", {}),
        "authorisations": ("requester1", "/authorisations", world_draft(world)),
        "suspensions": ("officer1", "/suspensions", {"why": "a vigil"}),
    }
    who, path, body = asked[what]
    sent = {"about": evidence_id} if body is None else {**body, **places} if body else body
    answer = client.post(PREFIX + path, json=sent, headers=bearer(world, who))
    assert (answer.status_code, problem(answer)["kind"]) == (422, "input"), answer.text
    assert PICTURES not in answer.content
    assert NOTE not in answer.text


def world_draft(world: World) -> dict[str, Any]:
    drafted = a_draft(world, None)  # type: ignore[arg-type]  # who asks makes no difference
    assert isinstance(drafted, dict)
    return {**drafted, "kind": "retrospective"}


@pytest.mark.rule("D8")
def test_a_file_that_says_it_is_too_large_or_grows_too_large_is_not_taken(world: World, client: httpx.Client) -> None:
    url = f"{PREFIX}/evidence?from_ns=1&note=the%20owner"
    head = f"POST {url} HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer {world.secrets['requester1']}\r\n"
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(str(world.folder / "node.sock"))
        raw.sendall(f"{head}Content-Length: {MAX_FILE_BYTES + 1}\r\n\r\n".encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 413")
    for query in ("", "?from_ns=1", "?note=abc", "?from_ns=-1&note=abc", "?from_ns=1&note=" + "x" * 501):
        problem(client.post(f"{PREFIX}/evidence{query}", content=b"x", headers=bearer(world, "requester1")))
    nobody = client.post(url, content=b"x" * (1 << 17))
    assert (nobody.status_code, problem(nobody)["rule"]) == (403, "not-logged-in")
    assert world.node.footage.evidence._coming == {}
    world.restore()


@pytest.mark.rule("D8")
def test_a_file_of_which_nothing_more_comes_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold a thread, and a place, until an hour is over."""
    monkeypatch.setattr("habeas.node.evidence._SILENT_NS", NS_PER_S // 10)
    url = f"{PREFIX}/evidence?from_ns=1&note=the%20owner"
    head = f"POST {url} HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer {world.secrets['requester1']}\r\n"
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(str(world.folder / "node.sock"))
        raw.sendall(f"{head}Content-Length: 100000\r\n\r\nsome".encode())
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 422"), answer
    assert b"nothing came" in answer
    assert world.node.footage.evidence._coming == {}
    world.restore()


def test_evidence_leaves_room_on_the_disk_before_recording_has_to_stop(world: World) -> None:
    taking = world.node.footage.evidence
    assert taking._reserve_bytes - world.node.footage._keeping._reserve_bytes == SPARE_BYTES > 0
