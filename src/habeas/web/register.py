"""Serves the public folder: the register and the public log. Files only, to be read; nothing of it asks the node."""

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from habeas.errors import HabeasError
from habeas.web.server import server_of

MAX_CLIENTS: Final = 64
"""At once; who comes then is answered 503."""
_FAREWELL_S: Final = 2
_NOT_FOUND: Final = 404
_FOR_EVER: Final = re.compile(r"log/\d+/tile/(?:\d|entries)/(?:x\d{3}/)*\d{3}")
"""Full tiles and bundles never change (tlog-tiles)."""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Public(StaticFiles):
    """Files of the public folder, but those that are being written."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if any(part.startswith(".") and part != "." for part in Path(path).parts):
            raise HTTPException(_NOT_FOUND)
        response = await super().get_response(path, scope)
        lasting = _FOR_EVER.fullmatch(Path(path).as_posix())
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "public, max-age=60"
        response.headers.update(_HEADERS)
        return response


def make_register_app(public: Path) -> Starlette:
    """Return the application that serves a folder, GET and HEAD alone, without lists of what is in it.

    Args:
        public: made here where it is not there yet.
    """
    public.mkdir(mode=0o755, exist_ok=True)
    return Starlette(routes=[Mount("/", app=_Public(directory=os.fspath(public), html=True))])


@contextmanager
def served(public: Path, listener: socket.socket, problem: Callable[[HabeasError], None]) -> Iterator[None]:
    """Serve a folder in a thread of its own while the block runs.

    Args:
        public: the folder.
        listener: bound to an address; closed by whoever made it.
        problem: is told where serving ended by itself.
    """
    server = server_of(make_register_app(public), listener, clients=MAX_CLIENTS, farewell_s=_FAREWELL_S)

    def run() -> None:
        server.run(sockets=[listener])
        if not server.should_exit:
            problem(HabeasError("the register is not served any more", remedy="start `habeas serve` again"))

    thread = threading.Thread(target=run, name="register", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_FAREWELL_S * 2)
