"""Witnesses on loopback that behave badly: each is what one connection is answered with."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

from habeas.audit.witness import Witness
from habeas.audit.witnessing import MAX_REQUEST_BYTES, SIZE_CONTENT_TYPE

PATIENCE_S: Final = 20.0
"""Nothing here lasts longer."""
DRIP_S: Final = 0.05


class Server:
    """Accepts connections on loopback, and lets `behave` answer each in a thread. A context manager.

    Args:
        behave: is called with this server, a connection and the body of the request.
    """

    def __init__(self, behave: "Behave") -> None:
        self._behave = behave
        self.over = threading.Event()
        self.sent = 0
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.over.is_set():
                connection, _ = self._listener.accept()
                self.asked += 1
                connection.settimeout(PATIENCE_S)
                self._threads.append(threading.Thread(target=self._answer, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._behave(self, connection, _request(connection))

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send, and count what was taken."""
        self.sent += connection.send(data)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


Behave = Callable[[Server, socket.socket, bytes], object]


def _request(connection: socket.socket) -> bytes:
    """Read one request; return its body, empty where there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part or len(data) > MAX_REQUEST_BYTES:
            return b""
        data += part
        if data[:1] == b"\x16":  # a TLS client
            return b""
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length and (part := connection.recv(65536)):
        body += part
    return body


def http(status: int, body: bytes, kind: str = "text/plain", *more: str) -> bytes:
    """An answer as bytes."""
    head = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


def says(data: bytes) -> Behave:
    """Send these bytes, whatever was asked."""
    return lambda _server, connection, _body: connection.sendall(data)


def size(text: bytes) -> Behave:
    """Answer with 409 and a size."""
    return says(http(409, text, SIZE_CONTENT_TYPE))


def another_size_each_time() -> Behave:
    numbers = iter(range(1, 1000))
    return lambda _server, connection, _body: connection.sendall(http(409, b"%d\n" % next(numbers), SIZE_CONTENT_TYPE))


def honest(witness: Witness) -> Behave:
    """Let a real witness answer."""

    def answer(_server: Server, connection: socket.socket, body: bytes) -> None:
        told = witness.answer(body)
        connection.sendall(http(told.status, told.body, SIZE_CONTENT_TYPE if told.is_size else "text/plain"))

    return answer


def hangs(server: Server, _connection: socket.socket, _body: bytes) -> None:
    server.over.wait(PATIENCE_S)


def drips(start: bytes, drop: bytes) -> Behave:
    """Send a start, then a drop at a time: no read of it takes long."""

    def answer(server: Server, connection: socket.socket, _body: bytes) -> None:
        connection.sendall(start)
        for _ in range(int(PATIENCE_S / DRIP_S)):
            server.send(connection, drop)
            if server.over.wait(DRIP_S):
                return

    return answer


def floods(start: bytes, most_bytes: int) -> Behave:
    """Send a start, then as much as is taken."""

    def answer(server: Server, connection: socket.socket, _body: bytes) -> None:
        connection.sendall(start)
        while server.sent < most_bytes and not server.over.is_set():
            server.send(connection, b"x" * 65536)

    return answer


def resets(_server: Server, connection: socket.socket, _body: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@contextmanager
def unanswered() -> Iterator[str]:
    """An address where connections are made and nobody accepts them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
