"""The node's relay: the only way from a sealed worker to a camera, and to no other address.

The worker, whose network holds nothing but its own loopback, opens *doors*: listening sockets there. It passes them to
the node; a socket keeps the network it was made in. FFmpeg in the worker speaks plain RTSP to a door. In the node each
door has one target: what comes through it goes to that camera's checked address and nowhere else. Names are asked for
here, before each connection: a camera whose address changed is found again. TLS to the camera is done here, so the
worker needs no certificates.

One thread serves all cameras. Buffers are bounded: a side that does not read makes the other one wait.
"""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from habeas.engine.names import look_up
from habeas.errors import InputError
from habeas.video.address import AddressRules, CameraAddress, Resolver, system_resolver
from habeas.video.edge import Flaws

_CHUNK_BYTES: Final = 64 * 1024
_BUFFER_BYTES: Final = 256 * 1024
_REST_S: Final = 0.02
"""After what was less than a chunk: cameras send a picture in dozens of small writes, and waking up for each is what a
relay costs."""
_CONNECT_S: Final = 5.0
_FLUSH_S: Final = 1.0
_STOP_S: Final = 10.0
_CONNECTIONS: Final = 2
"""At once through one door: FFmpeg holds one, and opens the next before the last one is quite gone."""
_BACKLOG: Final = 4


def open_door() -> socket.socket:
    """Open a listening socket on the loopback of this process's network, on a port that the kernel picks."""
    return socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)


@dataclass(frozen=True)
class Target:
    """Where a door leads.

    Args:
        address: of the camera. With `rtsps` the relay encrypts, and the certificate has to be for its host.
        rules: what it may be. It is checked before each connection, and its name asked for: cameras move. None: it was
            checked just now, and its name is never asked for again.

    Raises:
        InputError: it is a file, or has no address to connect to.
    """

    address: CameraAddress
    rules: AddressRules | None = None

    def __post_init__(self) -> None:
        unknown = self.rules is None and not self.address.addresses
        if self.address.file is not None or unknown:
            raise InputError("a door leads to a camera on a network", remedy="pass files as descriptors")


@dataclass
class Count:
    """What went through a door since it was served. Written by the relay's thread alone; others only read.

    Args:
        connections: made to the camera.
        refused: for want of a camera that answers, for its certificate, or because there were too many.
        to_camera_bytes: of RTSP, before TLS.
        from_camera_bytes: same.
        flaws: what went wrong, oldest first.
    """

    connections: int = 0
    refused: int = 0
    to_camera_bytes: int = 0
    from_camera_bytes: int = 0
    flaws: Flaws = field(default_factory=Flaws)


@dataclass
class _Door:
    """A served door. Owned by the relay's thread. `asking`: the last look-up of its camera's name."""

    target: Target
    count: Count
    shut: bool = False
    server: asyncio.Server | None = None
    asking: "asyncio.Future[CameraAddress | InputError] | None" = None
    passing: set["asyncio.Task[None]"] = field(default_factory=set)


class Relay:
    """Serves doors, in a thread of its own, until it is closed. A context manager.

    Args:
        tls: how cameras with TLS are trusted. None: certificates that this machine trusts, for the right host.
        connect_s: how long a camera may take to answer, TLS included; and before that its name.
        resolve: asked for the names of cameras, each in a thread of its own: a resolver may take long.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        connect_s: float = _CONNECT_S,
        resolve: Resolver = system_resolver,
    ) -> None:
        self._tls = tls or ssl.create_default_context()
        self._resolve = resolve
        self._connect_s = connect_s
        self._doors: dict[int, _Door] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def serve(self, listener: socket.socket, target: Target) -> Count:
        """Lead a door to a target, in place of any it had; return what will be counted there.

        Args:
            listener: the door; stays the caller's, to be released before it is closed.
            target: where it leads.

        Raises:
            InputError: it is no listening TCP socket.
        """
        if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise InputError("a worker's door is no listening socket", remedy="it is started again")
        door = _Door(target, Count())
        self._wait(self._serve(door, listener))
        return door.count

    def release(self, listener: socket.socket) -> None:
        """End what passes through a door, and accept nothing there; one that is not served stays as it is."""
        self._wait(self._release(listener.fileno()))

    async def _serve(self, door: _Door, listener: socket.socket) -> None:
        number = listener.fileno()
        await self._release(number)
        own = listener.dup()
        own.setblocking(False)
        _turn_away(own)

        def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._enter(door, reader, writer)

        door.server = await asyncio.start_server(enter, sock=own, limit=_BUFFER_BYTES, backlog=_BACKLOG)
        self._doors[number] = door

    async def _release(self, number: int) -> None:
        door = self._doors.pop(number, None)
        if door is None or door.server is None:
            return
        door.shut = True  # for connections that were accepted, and did not get this far yet
        door.server.close()
        passing = list(door.passing)
        for each in passing:
            each.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    def _enter(self, door: _Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection of the worker, unless there are enough."""
        if door.shut:
            writer.transport.abort()
            return
        if len(door.passing) >= _CONNECTIONS:
            door.count.refused += 1
            door.count.flaws.note("more connections at once than a camera needs")
            writer.transport.abort()
            return
        task = self._loop.create_task(self._pass(door, reader, writer))
        door.passing.add(task)

        def leave(done: "asyncio.Task[None]") -> None:
            door.passing.discard(done)
            writer.transport.abort()  # here: a task cancelled before its first step runs nothing of its own

        task.add_done_callback(leave)

    async def _pass(self, door: _Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the worker, from its beginning to its end."""
        camera = await self._connect(door)
        if camera is not None:
            door.count.connections += 1
            await _join(door.count, (reader, writer), camera)
        await _end(writer)

    async def _connect(self, door: _Door) -> "_Side | None":
        try:
            camera = await self._checked(door)
        except InputError as error:
            _refused(door, error.message)
            return None
        why = ""
        for address in camera.addresses:
            try:
                return await asyncio.wait_for(self._reach(camera, address), self._connect_s)
            except ssl.SSLCertVerificationError as error:
                why = f"its certificate is not trusted: {error.verify_message}"
            except TimeoutError:
                why = f"no answer within {self._connect_s:g} s"
            except ssl.SSLError as error:
                why = f"TLS fails: {error.reason or type(error).__name__}"
            except OSError as error:
                why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        _refused(door, why)
        return None

    async def _checked(self, door: _Door) -> CameraAddress:
        """Return where the door's camera is now. At most one look-up a door is under way, however often it is entered.

        Raises:
            InputError: it is not allowed there, or its name has no answer in time.
        """
        address, rules = door.target.address, door.target.rules
        if rules is None:
            return address
        if door.asking is None or door.asking.done():
            door.asking = look_up(address, rules, self._resolve)
        try:
            found = await asyncio.wait_for(asyncio.shield(door.asking), self._connect_s)
        except TimeoutError:
            remedy = "check the name server, or give the camera's IP address"
            raise InputError(f"no answer to its name within {self._connect_s:g} s", remedy=remedy) from None
        if isinstance(found, InputError):
            raise found
        return found

    async def _reach(self, camera: CameraAddress, address: str) -> "_Side":
        tls = camera.scheme == "rtsps"
        return await asyncio.open_connection(
            address,
            camera.port,
            limit=_BUFFER_BYTES,
            ssl=self._tls if tls else None,
            server_hostname=camera.host if tls else None,
        )

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_S)

    async def _drop_all(self) -> None:
        for number in list(self._doors):
            await self._release(number)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def close(self) -> None:
        """Close every door and end the thread. Once closed, it stays so."""
        if self._loop.is_closed():
            return
        self._wait(self._drop_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Relay(doors={len(self._doors)})"


def _refused(door: _Door, why: str) -> None:
    door.count.refused += 1
    door.count.flaws.note(f"cannot connect: {why}")


def _turn_away(listener: socket.socket) -> None:
    """Drop who waits at a door since its last camera: it is not meant for the next one."""
    with suppress(OSError):
        for _ in range(2 * _BACKLOG):  # no more than can wait there, however fast it knocks
            listener.accept()[0].close()


_Side: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(count: Count, worker: _Side, camera: _Side) -> None:
    """Copy both ways; where one side ends, so does the other."""

    def sent(amount: int) -> None:
        count.to_camera_bytes += amount

    def received(amount: int) -> None:
        count.from_camera_bytes += amount

    ways = {
        asyncio.ensure_future(_copy(worker, camera[1], sent)),
        asyncio.ensure_future(_copy(camera, worker[1], received)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await _end(camera[1])
    finally:
        camera[1].transport.abort()  # at once, where the door is released
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: _Side, sink: asyncio.StreamWriter, counted: Callable[[int], None]) -> None:
    """Copy until one side ends. What comes during a rest waits in the kernel, or of TLS where it is decrypted."""
    reader, transport = source[0], source[1].transport
    assert isinstance(transport, asyncio.Transport)
    sink.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            rests = len(chunk) < _CHUNK_BYTES
            if rests:  # all that had come, so the reader has not paused it, and does not while it rests
                transport.pause_reading()
            counted(len(chunk))
            sink.write(chunk)
            await sink.drain()
            if rests:
                await asyncio.sleep(_REST_S)
                transport.resume_reading()


async def _end(side: asyncio.StreamWriter) -> None:
    """Close, after what was written is out, unless that side does not take it."""
    side.close()
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(side.wait_closed(), _FLUSH_S)
    side.transport.abort()
