"""Serves the API on the workspace's Unix socket until asked to stop."""

import contextlib
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from habeas.errors import InputError
from habeas.web.peers import PeerProtocol

FAREWELL_S: Final = 2
_WAITING: Final = 128
_OPEN_TO_USERS: Final = 0o666
"""Anybody on the machine may knock; what opens is a login."""


def listen(path: Path) -> socket.socket:
    """Return a listening Unix socket in place of one that a dead node left.

    Raises:
        InputError: a node runs there.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            server.close()
            raise InputError("a node of this workspace runs already", remedy="stop it first")
        path.unlink()
    server.bind(str(path))
    os.chmod(path, _OPEN_TO_USERS)  # noqa: PTH101 - a socket file
    server.listen(_WAITING)
    return server


def serve(
    app: Starlette,
    listener: socket.socket,
    log: logging.Handler,
    *,
    clients: int | None = None,
    farewell_s: int = FAREWELL_S,
) -> None:
    """Answer until SIGTERM or SIGINT.

    Args:
        app: the application.
        listener: of `listen`, or bound to an address.
        log: takes what the server logs, and never waits.
        clients: at once; more are answered 503. None: any number.
        farewell_s: what requests that run then get.
    """
    logger = logging.getLogger("uvicorn")
    logger.handlers, logger.propagate = [log], False
    server_of(app, listener, clients=clients, farewell_s=farewell_s).run(sockets=[listener])


def server_of(
    app: Starlette, listener: socket.socket, *, clients: int | None = None, farewell_s: int = FAREWELL_S
) -> uvicorn.Server:
    """Return the server of an application, to be run with that listener: of a Unix socket it knows who calls."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol if listener.family == socket.AF_UNIX else "h11",  # both bound what they take of a head
        limit_concurrency=clients,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=farewell_s,
        lifespan="off",
        server_header=False,
    )
    return uvicorn.Server(config)
