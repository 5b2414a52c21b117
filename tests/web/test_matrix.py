"""The access matrix: every role, command, object and ownership over the real API, against the table."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.web.cases import Row
from tests.web.matrix import PREFIX, Report, run
from tests.web.table import TABLE
from tests.web.world import NAME, World, api_of, served

from habeas.accounts.people import find_named
from habeas.accounts.roles import Actor
from habeas.review.rights import zones_for
from habeas.web.calls import Caller


def rows_of(*paths: str) -> list[Row]:
    return [row for row in TABLE if row.path in paths]


def on(world: World, api: FastAPI, *paths: str) -> Report:
    """What the matrix says of another application, on some routes."""
    with served(api, world.folder / "planted.sock") as client:
        return run(world, client, rows_of(*paths))


@pytest.mark.rule("L1")
@pytest.mark.timeout(900)
@pytest.mark.rule("O1")
@pytest.mark.rule("O2")
@pytest.mark.rule("O3")
@pytest.mark.rule("O4")
@pytest.mark.rule("O5")
@pytest.mark.rule("O7")
@pytest.mark.rule("O8")
@pytest.mark.rule("O9")
@pytest.mark.rule("O10")
@pytest.mark.rule("O12")
@pytest.mark.rule("O13")
@pytest.mark.rule("P1")
@pytest.mark.rule("A21")
@pytest.mark.rule("V8")
@pytest.mark.rule("S5")
def test_no_call_gets_past_the_table(world: World, client: httpx.Client) -> None:
    report = run(world, client, TABLE)
    assert not report.problems()
    assert report.calls["refused"] > 2500
    assert report.calls["allowed"] > 300


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_no_call_gets_past_the_table_whoever_calls(world: World, client: httpx.Client) -> None:
    assert not run(world, client, TABLE, whole=True).problems()


# --- positive controls ------------------------------------------------------------------------------------------------


def planted(world: World, method: str, path: str, endpoint: Callable[..., Any]) -> FastAPI:
    """The real application with another handler in the place of one."""
    api = api_of(world)
    api.add_api_route(PREFIX + path, endpoint, methods=[method])
    api.router.routes.insert(0, api.router.routes.pop())
    return api


def test_a_handler_that_asks_for_no_role_is_caught(world: World) -> None:
    path = "/cameras/{name}/remove"

    def anybody(name: str) -> dict[str, str]:
        return {"removed": name}

    report = on(world, planted(world, "POST", path, anybody), path)
    assert len(report.bypasses) > 50
    assert any(line.startswith("nobody: ") for line in report.bypasses)


def test_a_refusal_that_leaves_an_effect_is_caught(world: World) -> None:
    path = "/users/{name}/disable"

    def half(call: Caller, name: str) -> dict[str, str]:
        with call.node.store.write() as tx:
            for account in filter(None, [find_named(tx, call.node.keys, name)]):
                tx.change(account, setup_until_ns=9)
        with call.command() as (_tx, actor):
            actor.require()
        return {}

    report = on(world, planted(world, "POST", path, half), path)
    assert len(report.effects) > 20


def test_a_refusal_without_an_entry_is_caught(world: World) -> None:
    def silent(call: Caller) -> dict[str, str]:
        with call.node.store.read():
            Actor("acc", frozenset({"acc"}), {}).require()
        return {}

    report = on(world, planted(world, "GET", "/status", silent), "/status")
    assert len(report.unlogged) > 20


def test_a_name_told_to_the_wrong_people_is_caught(world: World) -> None:
    def told(call: Caller) -> dict[str, str]:
        with call.look() as (_tx, actor):
            actor.require_scope("read")
        return {"subject": NAME, "camera": world.secrets["admin"]}

    report = on(world, planted(world, "GET", "/suspensions", told), "/suspensions")
    assert any("approver: " in line and line.endswith(": name") for line in report.leaks)
    assert any(line.endswith(": secret of admin") for line in report.leaks)


@pytest.mark.parametrize(
    ("weaken", "path", "caught"),
    [
        ("persons", "/policy/{policy_id}/approve", "own second account"),
        ("login", "/suspensions/{suspension_id}/lift", "token"),
        ("role", "/authorisations/{authorisation_id}/refuse", "norole"),
        ("zone", "/alerts/{alert_id}/verdict", "operator-south"),
    ],
)
def test_a_weakened_rule_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, weaken: str, path: str, caught: str
) -> None:
    if weaken == "persons":
        monkeypatch.setattr(Actor, "may_be", lambda self, account_id: self.account_id == account_id)
    elif weaken == "login":
        monkeypatch.setattr(Actor, "require_login", lambda _self: None)
    elif weaken == "role":
        monkeypatch.setattr(Actor, "require", lambda _self, *_roles: None)
    else:
        monkeypatch.setattr("habeas.review.verdicts.check_act", lambda actor, act, _zone: zones_for(actor, act))
    report = on(world, api_of(world), path)
    assert any(caught in line for line in report.bypasses)
