"""One life of a worker as the node has it: its process, its doors, and which camera is behind which."""

import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from habeas.engine.channel import Received
from habeas.engine.messages import Hello, StartCamera
from habeas.engine.relay import Relay, Target
from habeas.engine.spawning import Process
from habeas.engine.watches import Watch
from habeas.errors import InputError, SourceError
from habeas.types import NS_PER_S
from habeas.video.address import CameraAddress, recheck
from habeas.video.edge import Flaws

_MOST_MESSAGES_A_S: Final = 5000
"""A worker analyses some hundred faces a second at most."""


@dataclass(eq=False)
class _Way:
    """A door in use. `told`: how many of its flaws were."""

    door: socket.socket
    flaws: Flaws
    told: int = 0


class Session:
    """A context manager: leaving it shuts every door. Used by one thread.

    Args:
        process: the worker.
        relay: opens the way to cameras.
    """

    def __init__(self, process: Process, relay: Relay) -> None:
        self.process = process
        self.model_id = ""
        self._relay = relay
        self._free: list[socket.socket] = []
        self._doors: dict[int, _Way] = {}
        self._second = 0
        self._messages = 0

    @property
    def greeted(self) -> bool:
        """Whether the worker said hello."""
        return bool(self.model_id)

    @property
    def room(self) -> bool:
        """Whether a door is free."""
        return bool(self._free)

    def greet(self, hello: Hello, received: Received) -> None:
        """Take the worker's doors.

        Raises:
            InputError: what came along are no doors.
        """
        try:
            self._free = [socket.socket(fileno=descriptor) for descriptor in received.descriptors]
        except OSError:
            received.close()
            raise InputError("a worker's doors are no sockets", remedy="it is started again") from None
        self.model_id = hello.model_id

    def count(self, now_ns: int) -> None:
        """Count a message.

        Raises:
            InputError: more of them than a worker can have reason for.
        """
        second = now_ns // NS_PER_S
        self._messages = self._messages + 1 if second == self._second else 1
        self._second = second
        if self._messages > _MOST_MESSAGES_A_S:
            raise InputError("a worker says too much", remedy="it is started again; report this if it repeats")

    def prepare(self, watch: Watch) -> tuple[StartCamera, list[int]]:
        """Open the way to a camera; return what to tell the worker, and descriptors that go along, for one closing.

        Raises:
            SourceError: its file cannot be opened.
            InputError: its file is not allowed, or not there. What is wrong with a camera's address is told as a flaw
                of its door, and tried again.
        """
        order = watch.order
        url, descriptors = "", []
        if order.address.file is not None:
            recheck(order.address, order.rules)
            descriptors = [open_video(order.address.file, order.camera_id)]
        else:
            url = self._open_way(watch)
        start = StartCamera(
            camera_id=order.camera_id,
            epoch=watch.epoch,
            url=url,
            detect=order.detect,
            live=order.live,
            masks=tuple((float(mask.x0), float(mask.y0), float(mask.x1), float(mask.y1)) for mask in order.masks),
        )
        return start, descriptors

    def _open_way(self, watch: Watch) -> str:
        """Have the relay serve a free door; return the camera's address through it, which is plain RTSP."""
        door = self._free[-1]
        flaws = self._relay.serve(door, Target(watch.order.address, watch.order.rules)).flaws
        self._doors[watch.epoch] = _Way(self._free.pop(), flaws)
        return url_through(door, watch.order.address)

    def new_flaws(self) -> Iterator[tuple[int, str]]:
        """Yield what went wrong at doors since this was last asked: the worker sees only that they shut again."""
        for epoch, way in self._doors.items():
            noted = way.flaws.noted()
            for what in noted[way.told :]:
                yield epoch, what
            way.told = len(noted)

    def cut(self, epoch: int) -> None:
        """Shut a camera's door: whatever reads there comes back. The door is not free yet."""
        way = self._doors.get(epoch)
        if way is not None:
            self._relay.release(way.door)

    def shut(self, epoch: int) -> None:
        """Shut a camera's door, and have it free for another: the worker's reader has ended."""
        self.cut(epoch)
        way = self._doors.pop(epoch, None)
        if way is not None:
            self._free.append(way.door)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for epoch in list(self._doors):
            self.shut(epoch)
        for door in self._free:
            door.close()


def url_through(door: socket.socket, address: CameraAddress) -> str:
    """Return a camera's address through a door: plain RTSP, since the relay encrypts; with its password."""
    url = address.worker_url(int(door.getsockname()[1]))
    return "rtsp" + url[url.index(":") :]


def open_video(path: Path, camera_id: str) -> int:
    """Open a file that was checked; what took its place since is not followed.

    Args:
        path: as checked.
        camera_id: for the message.

    Returns:
        a descriptor, for the caller to close.

    Raises:
        SourceError: it cannot be opened, or is no plain file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise SourceError(
            f"{camera_id}: its file cannot be opened ({error.strerror})", remedy="check the file"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{camera_id}: is no plain file", remedy="give a video file")
    return descriptor
