"""The routes: each has a row in the table of access, and the committed OpenAPI document is theirs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.web.matrix import PREFIX
from tests.web.table import TABLE
from tests.web.world import World, api_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def endpoints(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path, of routers inside routers too, in the document or not."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:  # an included router, as newer releases of FastAPI keep it
            yield from endpoints(inner.routes, prefix + route.include_context.prefix)
        elif getattr(route, "methods", None):
            yield from ((method, prefix + route.path) for method in route.methods - {"HEAD"})
        else:
            yield "?", repr(route)


def untold(api: FastAPI) -> set[tuple[str, str]]:
    """Routes without a row."""
    return set(endpoints(api.routes)) - {(row.method, PREFIX + row.path) for row in TABLE}


def test_every_route_has_a_row_and_every_row_a_route(world: World) -> None:
    api = api_of(world)
    assert untold(api) == set()
    assert {(row.method, PREFIX + row.path) for row in TABLE} == set(endpoints(api.routes))
    assert len(TABLE) == len({(row.method, row.path) for row in TABLE})


def planted() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("hidden", [True, False])
def test_a_route_without_a_row_is_caught(world: World, hidden: bool) -> None:
    api = api_of(world)
    api.add_api_route(f"{PREFIX}/planted", planted, methods=["POST"], include_in_schema=not hidden)
    assert untold(api) == {("POST", f"{PREFIX}/planted")}


def test_a_mounted_application_is_caught(world: World) -> None:
    api = api_of(world)
    api.mount("/files", FastAPI())
    assert {method for method, _path in untold(api)} == {"?"}


def test_everything_else_is_denied(world: World, client: httpx.Client) -> None:
    known = set(endpoints(api_of(world).routes))
    for path in ("/", "/docs", "/redoc", "/openapi.json", f"{PREFIX}/openapi.json", "/metrics", "/favicon.ico"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "usage"), path
    for path in sorted({path for _method, path in known}):
        for method in METHODS:
            if (method, path) not in known:
                answer = client.request(method, path.format_map(_Any()))
                assert (answer.status_code, answer.json()["error"]["kind"]) == (405, "usage"), (method, path)


class _Any(dict[str, str]):
    def __missing__(self, _key: str) -> str:
        return "x"


def test_the_committed_document_is_current(world: World) -> None:
    committed = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert committed["openapi"].startswith("3.1")
    assert committed == json.loads(json.dumps(api_of(world).openapi()))
