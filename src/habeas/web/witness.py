"""A witness's one route over HTTP: `POST /add-checkpoint` of c2sp.org/tlog-witness@v1.0.0. All else is denied."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from habeas.audit.witness import Told, Witness
from habeas.audit.witnessing import MAX_REQUEST_BYTES, SIZE_CONTENT_TYPE
from habeas.errors import HabeasError, UsageError

MAX_CLIENTS: Final = 256
"""At once; who comes then is answered 503."""
_BODY_S: Final = 4.0
FAREWELL_S: Final = 5
"""For requests that run when it is asked to stop: longer than any body is waited for, so that none is torn off."""
_WAITING: Final = 128
_PLACE: Final = re.compile(r"(?:(?P<host>[^\[\]:\s]+)|\[(?P<v6>[^\[\]\s]+)\]):(?P<port>[0-9]{1,5})")
_LAST_PORT: Final = 65535
_TOO_LARGE, _TOO_SLOW, _UNAVAILABLE, _GONE = 413, 408, 503, 400


def make_witness_api(
    witness: Witness, problem: Callable[[HabeasError], None], refused: Callable[[Told], None]
) -> Starlette:
    """Return the application of a witness.

    Args:
        witness: decides.
        problem: is told what kept it from deciding: a disk, a damaged file.
        refused: is told of a log's request that was kept as evidence.
    """

    async def add_checkpoint(request: Request) -> Response:
        data = await _body(request)
        try:
            told = await run_in_threadpool(witness.answer, data)
        except HabeasError as error:
            problem(error)
            return PlainTextResponse("this witness cannot keep what it would sign\n", _UNAVAILABLE)
        if told.evidence:
            refused(told)
        kind = SIZE_CONTENT_TYPE if told.is_size else "text/plain; charset=utf-8"
        return Response(told.body, told.status, {"content-type": kind})

    api = Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])
    api.router.redirect_slashes = False
    return api


async def _body(request: Request) -> bytes:
    """Return the body, read no further than a request may be long, and no longer than four seconds.

    Raises:
        HTTPException: it is too long, or comes too slowly.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                data += part
                if len(data) > MAX_REQUEST_BYTES:
                    raise HTTPException(_TOO_LARGE)
    except TimeoutError:
        raise HTTPException(_TOO_SLOW) from None
    except ClientDisconnect:
        raise HTTPException(_GONE) from None
    return bytes(data)


def listen_at(place: str) -> socket.socket:
    """Return a listening TCP socket.

    Args:
        place: `HOST:PORT`, an IPv6 address in brackets; port 0 is any that is free.

    Raises:
        UsageError: that is no place, or it is taken.
    """
    parts = _PLACE.fullmatch(place)
    if not parts or int(parts["port"]) > _LAST_PORT:
        raise UsageError(f"{place} is no place to listen at", remedy="give HOST:PORT, such as 127.0.0.1:7380")
    host = parts["host"] or parts["v6"]
    with contextlib.ExitStack() as stack:
        try:
            found = socket.getaddrinfo(host, int(parts["port"]), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, _, _, address = found[0]
            server = stack.enter_context(socket.socket(family, kind))
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
            server.listen(_WAITING)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "that is no host"
            raise UsageError(
                f"{place}: cannot listen there ({reason})", remedy="give another address or port"
            ) from None
        stack.pop_all()
        return server


def address_of(server: socket.socket) -> str:
    """Return where a socket listens, as `listen_at` takes it."""
    host, port = server.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
