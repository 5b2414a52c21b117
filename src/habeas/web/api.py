"""The application: every route under `/api/v1`, every error as JSON, everything else denied."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from habeas.errors import HabeasError, UsageError
from habeas.node.node import Node
from habeas.web import authorisations, cameras, people, policy, review, suspensions, system
from habeas.web.calls import as_problem

PREFIX = "/api/v1"
_MODULES = (system, people, cameras, policy, authorisations, suspensions, review)


def make_api(node: Node) -> FastAPI:
    """Return the application of a running node."""
    api = FastAPI(title="Habeas", version="1", docs_url=None, redoc_url=None, openapi_url=f"{PREFIX}/openapi.json")
    api.state.node = node
    for module in _MODULES:
        api.include_router(module.routes, prefix=PREFIX)
    api.add_exception_handler(HabeasError, _refused)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _unknown)
    return api


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, HabeasError) else HabeasError(str(error))
    return JSONResponse(as_problem(known), known.http_status)


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": ("body",), "msg": "malformed"}
    where = ".".join(str(part) for part in found["loc"][1:]) or "body"
    problem = UsageError(f"{where}: {found['msg']}", remedy="see `habeas COMMAND --help`")
    return JSONResponse(as_problem(problem), problem.http_status)


async def _unknown(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    problem = UsageError("there is no such command here", remedy="use a client of the same version as the node")
    return JSONResponse(as_problem(problem), status)
