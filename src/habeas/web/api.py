"""The application: every route under `/api/v1`, every error as JSON, everything else denied.

Errors of ours keep their status. What FastAPI finds wrong is a `UsageError` with a status of its own. A fault of ours
that is no `HabeasError` is told as one, without its text, and goes on to the server's log.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from habeas.accounts.sessions import not_logged_in
from habeas.errors import HabeasError, RuleError, UsageError
from habeas.node.node import Node
from habeas.web import (
    access,
    authorisations,
    bundles,
    cameras,
    canaries,
    evidence,
    exports,
    footage,
    holds,
    log,
    people,
    playbacks,
    policy,
    receipts,
    review,
    searches,
    suspensions,
    system,
)
from habeas.web.bodies import Problem
from habeas.web.calls import as_problem, call_of
from habeas.web.strict import NOT_LOGGED_IN, Limited
from habeas.wording import Wrong, wrongs

PREFIX = "/api/v1"
_MODULES = (
    *(system, people, cameras, canaries, footage, evidence, holds, policy, authorisations, searches, access, exports),
    *(suspensions, review, playbacks, receipts, log, bundles),
)
_DRAFTS: Final = frozenset({f"{PREFIX}/authorisations", f"{PREFIX}/holds", f"{PREFIX}/access", f"{PREFIX}/exports"})
_FILES: Final = frozenset({f"{PREFIX}/evidence"})
_SAID: Final[Mapping[int, tuple[str, str]]] = {
    400: ("the body is no JSON that is taken", "send JSON without NaN, and with each key once in an object"),
    405: ("this takes another method", "use a client of the same version as the node"),
    413: (
        "the request is too large",
        "send fewer or smaller images, evidence of 512 MB at most; all else fits in 1 MiB",
    ),
}
_ELSE: Final = ("there is no such command here", "use a client of the same version as the node")


def make_api(node: Node) -> FastAPI:
    """Return the application of a running node."""
    api = _application()
    api.state.node = node
    return api


def document() -> dict[str, Any]:
    """Return the OpenAPI document of every route."""
    return _application().openapi()


def _application() -> FastAPI:
    api = FastAPI(
        title="Habeas",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses={"4XX": {"model": Problem, "description": "Refused."}},
    )
    for module in _MODULES:
        api.include_router(module.routes, prefix=PREFIX)
    api.add_exception_handler(HabeasError, _refused)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _unknown)
    api.add_exception_handler(Exception, _failed)
    api.add_middleware(Limited, drafts=_DRAFTS, files=_FILES, logged_in=_logged_in)
    return api


def _logged_in(request: Request) -> bool:
    try:
        with call_of(request).look():
            return True
    except RuleError:
        return False


def _answer(error: HabeasError, status: int) -> Response:
    """Return an error as JSON in ASCII: it may repeat what was given, which need not be proper Unicode."""
    return Response(json.dumps(as_problem(error)), status, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    known = error if isinstance(error, HabeasError) else HabeasError(str(error))
    return _answer(known, known.http_status)


async def _malformed(_request: Request, error: Exception) -> Response:
    found = wrongs(error.errors()) if isinstance(error, RequestValidationError) else []
    one = found[0] if found else Wrong((), "is malformed", "send it as docs/openapi.json says")
    name = ".".join(one.path[1:])  # behind where it was given: body, query, path
    problem = UsageError(f"{name or 'the body'}: {one.what}", remedy=one.remedy)
    return _answer(problem, problem.http_status)


async def _unknown(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == NOT_LOGGED_IN:
        return await _refused(_request, not_logged_in())
    said, remedy = _SAID.get(status, _ELSE)
    return _answer(UsageError(said, remedy=remedy), status)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _answer(HabeasError("the node failed at this", remedy="report this bug; the node's log says more"), 500)
