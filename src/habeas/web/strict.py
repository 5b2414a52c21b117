"""What is taken as a request at all: JSON that means one thing, of a bounded size."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_UNKNOWN_BYTES: Final = 64 << 10
"""Of whoever is not logged in: names, passwords and codes."""
MAX_BODY_BYTES: Final = 1 << 20
MAX_DRAFT_BYTES: Final = 64 << 20
"""A draft carries images and a decision, a proposed hold a decision; nothing else does."""
MAX_FILE_BYTES: Final = 512 << 20
"""Evidence is taken in as it comes, a piece at a time; it lies in memory whole while it is read back."""
_TOO_LARGE: Final = 413
NOT_LOGGED_IN: Final = 401
"""What a caller is refused with whose body takes a login."""
_DIGITS: Final = 18


def loads(text: bytes) -> Any:
    """Read JSON (RFC 8259), stricter than `json`: no key twice in an object, no NaN or Infinity.

    Raises:
        ValueError: it is none.
        RecursionError: nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


class StrictRequest(Request):
    """A request whose JSON means one thing."""

    async def json(self) -> Any:
        """Return the body; whatever this raises is answered with 400 by FastAPI."""
        return loads(await self.body())


class StrictRoute(APIRoute):
    """A route that reads its body with `loads`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what FastAPI calls for this route."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


class Limited:
    """Refuses a body that is too large, by what it says of itself and by what comes.

    Beyond 64 KiB nothing is read before the caller is known.

    Args:
        app: the application inside.
        drafts: the paths whose bodies may hold images and documents.
        files: the paths whose bodies are files.
        logged_in: tells whether whoever calls is known; asked in a thread.
    """

    def __init__(
        self, app: ASGIApp, drafts: frozenset[str], files: frozenset[str], logged_in: Callable[[Request], bool]
    ) -> None:
        self._app = app
        self._most = {**dict.fromkeys(drafts, MAX_DRAFT_BYTES), **dict.fromkeys(files, MAX_FILE_BYTES)}
        self._logged_in = logged_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        most = self._most.get(scope.get("path", ""), MAX_BODY_BYTES)
        said = Headers(raw=scope.get("headers", [])).get("content-length", "")
        length = most + 1 if len(said) > _DIGITS else int(said) if said.isdecimal() else 0
        came, known = 0, False

        async def admit() -> None:
            nonlocal known
            if max(came, length) > most:
                raise HTTPException(_TOO_LARGE)
            if max(came, length) > MAX_UNKNOWN_BYTES and not known:
                known = await run_in_threadpool(self._logged_in, Request(scope))
                if not known:
                    raise HTTPException(NOT_LOGGED_IN)

        async def limited() -> Message:
            nonlocal came
            await admit()
            message = await receive()
            came += len(message.get("body", b""))
            await admit()
            return message

        await self._app(scope, limited, send)
