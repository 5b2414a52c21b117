"""Which user of the machine calls: the Unix socket's peer credentials, which no caller can choose."""

import socket
import struct
from asyncio import Transport
from collections.abc import Mapping
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

_UCRED: Final = struct.Struct("3i")
"""Process, user and group (unix(7), SO_PEERCRED)."""
_USER: Final = "user"
NOBODY: Final = -2
"""Where the kernel does not say."""


class PeerProtocol(H11Protocol):
    """HTTP that tells the application which user is at the other end, in the place of an address."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in the class itself
        """Begin a connection."""
        super().connection_made(transport)
        self.client = (_USER, _peer_user_id(transport.get_extra_info("socket")))


def _peer_user_id(peer: Any) -> int:
    try:
        _process, user_id, _group = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    except OSError:
        return NOBODY
    return int(user_id)


def user_id_of(scope: Mapping[str, Any]) -> int:
    """Return the user who calls."""
    kind, user_id = scope.get("client") or ("", NOBODY)
    return int(user_id) if kind == _USER else NOBODY
