"""What is taken as a request at all: JSON that means one thing, of a bounded size."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 1 << 20
MAX_DRAFT_BYTES: Final = 64 << 20
"""A draft carries images and a decision; nothing else does."""
_TOO_LARGE: Final = 413
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

    Args:
        app: the application inside.
        drafts: the path whose bodies may hold images.
    """

    def __init__(self, app: ASGIApp, drafts: str) -> None:
        self._app = app
        self._drafts = drafts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        most = MAX_DRAFT_BYTES if scope.get("path") == self._drafts else MAX_BODY_BYTES
        said = Headers(raw=scope.get("headers", [])).get("content-length", "")
        came = most + 1 if len(said) > _DIGITS or (said.isdecimal() and int(said) > most) else 0

        async def limited() -> Message:
            nonlocal came
            message = await receive() if came <= most else {}
            came += len(message.get("body", b""))
            if came > most:
                raise HTTPException(_TOO_LARGE)
            return message

        await self._app(scope, limited, send)
