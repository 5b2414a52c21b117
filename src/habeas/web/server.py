"""Serves the API on the workspace's Unix socket until asked to stop."""

import contextlib
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from habeas.errors import InputError
from habeas.web.peers import PeerProtocol

_FAREWELL_S: Final = 2
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


def serve(api: FastAPI, listener: socket.socket, log: logging.Handler) -> None:
    """Answer until SIGTERM or SIGINT; requests that run then get two seconds.

    Args:
        api: the application.
        listener: of `listen`.
        log: takes what the server logs, and never waits.
    """
    logger = logging.getLogger("uvicorn")
    logger.handlers, logger.propagate = [log], False
    server_of(api).run(sockets=[listener])


def server_of(api: FastAPI) -> uvicorn.Server:
    """Return the server of an application; `run` it with a listening Unix socket."""
    config = uvicorn.Config(
        api,
        http=PeerProtocol,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_FAREWELL_S,
        lifespan="off",
        server_header=False,
    )
    return uvicorn.Server(config)
