"""Logins over the socket: who calls is what the kernel says, guessing waits, and refusals do not flood the log."""

import json
import os
from collections.abc import Iterator

import httpx
import pytest
from fastapi import Request
from tests.web.matrix import PREFIX, problem
from tests.web.world import PASSWORD, World, api_of, served

from habeas.accounts.throttle import FREE, Throttle
from habeas.web.peers import NOBODY, user_id_of

LOGIN = f"{PREFIX}/login"


@pytest.fixture(autouse=True)
def fresh(world: World) -> Iterator[None]:
    """Nobody guessed before, and what these tests do is gone afterwards."""
    world.forget_refusals()
    yield
    world.forget_refusals()
    world.restore()


def told(client: httpx.Client, password: str, name: str = "real") -> str:
    answer = client.post(LOGIN, json={"name": name, "password": password})
    return "" if answer.status_code == 200 else str(problem(answer)["rule"])


def test_who_calls_is_the_user_of_the_machine(world: World) -> None:
    api = api_of(world)

    def peer(request: Request) -> dict[str, int]:
        return {"user": user_id_of(request.scope)}

    api.add_api_route(f"{PREFIX}/peer", peer)
    with served(api, world.folder / "peer.sock") as client:
        assert client.get(f"{PREFIX}/peer").json() == {"user": os.getuid()}
    assert user_id_of({"client": ("127.0.0.1", 0)}) == user_id_of({"client": None}) == NOBODY


def test_guessing_waits_and_keeps_only_the_guesser_out(world: World, client: httpx.Client) -> None:
    assert [told(client, "x" * 20) for _ in range(FREE + 1)] == ["login"] * FREE + ["login-locked"]
    assert told(client, PASSWORD) == "login-locked", "the same user of the machine waits"
    world.node.throttle = Throttle()
    now_ns = world.node.time.monotonic_ns()
    for _ in range(FREE):
        world.node.throttle.attempt("real", known=True, caller=os.getuid() + 1, now_ns=now_ns)
    assert told(client, PASSWORD) == ""


@pytest.mark.rule("A8")
@pytest.mark.parametrize("path", ["consent/end", "receipts/show"])
def test_guessing_a_code_waits(world: World, client: httpx.Client, path: str) -> None:
    world.node.throttle = Throttle()
    rules = [problem(client.post(f"{PREFIX}/{path}", json={"code": f"2345{n}"}))["rule"] for n in range(FREE + 2)]
    assert set(rules[:FREE]) <= {"consent-code", "receipt-code"}
    assert rules[FREE:] == ["login-locked"] * 2


def test_a_hundred_refusals_are_a_few_entries(world: World, client: httpx.Client) -> None:
    before = world.entry_count()
    for _ in range(50):
        told(client, "x" * 20)
        client.get(f"{PREFIX}/whoami")
    real = world.account_id("real")
    told_at_once = [(kind, actor) for kind, actor, _body in world.entries(before)]
    assert sorted(told_at_once) == [("login.refused", real)] * 2 + [("refused", "unknown")]
    world.node.refusals.write_due(everything=True)
    times = [json.loads(body)["times"] for _kind, _actor, body in world.entries(before)]
    assert sum(times) == 100, "each is counted"


def test_somebody_who_is_logged_in_without_a_role_floods_no_log_either(world: World, client: httpx.Client) -> None:
    world.forget_refusals()
    before = world.entry_count()
    for _ in range(3):
        headers = {"authorization": f"Bearer {world.secrets['norole']}"}
        assert problem(client.get(f"{PREFIX}/status", headers=headers))["rule"] == "role"
    (told,) = world.entries(before)
    assert json.loads(told[2])["times"] == 1, "the others with the minute"


@pytest.mark.rule("V15")
def test_guesses_at_receipts_wait_like_guesses_at_passwords(client: httpx.Client) -> None:
    def told_of_receipt() -> str:
        answer = client.post("/api/v1/receipts/show", json={"code": "23456-789AB-CDEFG-HJKLM"})
        return str(answer.json()["error"]["rule"])

    assert [told_of_receipt() for _ in range(FREE + 1)] == ["receipt-code"] * FREE + ["login-locked"]
    assert told(client, "x" * 20) == "login", "passwords are slowed apart from codes"
