"""The node's side of inspecting a camera: what its stream is, without looking at anybody.

Each inspection has a worker of its own, sealed, with one door and no model, that ends with it: what a hostile stream
did to a worker meets no other camera's password. One at a time.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.engine.channel import Received
from habeas.engine.messages import InspectCamera, Inspected
from habeas.engine.once import OneWorker
from habeas.engine.orders import Timing
from habeas.engine.relay import Relay, Target
from habeas.engine.session import open_video, url_through
from habeas.engine.spawning import PROGRAM, Process
from habeas.errors import InputError
from habeas.settings import ModelSettings
from habeas.video.address import CameraAddress

_REMEDY: Final = "try again; see: habeas doctor"
_REQUEST: Final = 1
_PARTS: Final = 3
"""Of the time: one to connect, one for packets, one to spare."""


@dataclass(frozen=True)
class StreamReport:
    """What a camera's stream is.

    Args:
        size_wh: of its pictures; (0, 0): not known.
        rate_hz: of its pictures; 0: not known.
        codec: FFmpeg's name of it; empty: not known.
        packets: of video that came; 0: none flow.
        seconds: in which they came.
        flaw: what went wrong; empty: nothing.
    """

    size_wh: tuple[int, int]
    rate_hz: float
    codec: str
    packets: int
    seconds: float
    flaw: str


class Inspection(OneWorker):
    """Has cameras inspected. Callable from any thread; its owner closes it.

    Args:
        models: settings of the workers; no model is loaded.
        timing: how long the worker is waited for.
        relay: opens the way to cameras.
        program: what is run.
    """

    def __init__(self, models: ModelSettings, timing: Timing, relay: Relay, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(models, timing, program)
        self._relay = relay

    def inspect(self, address: CameraAddress, timeout_s: float) -> StreamReport:
        """Return what a camera's stream is; one that cannot be reached has a flaw.

        Args:
            address: checked.
            timeout_s: for the inspection, beside starting the worker and waiting for other inspections.

        Raises:
            HabeasError: no worker can be started.
        """
        with self._started(doors=1) as (process, received), _door_of(received) as door:
            return self._through(door, process, address, timeout_s)

    def _through(self, door: socket.socket, process: Process, address: CameraAddress, timeout_s: float) -> StreamReport:
        if address.file is not None:
            try:
                descriptor = open_video(address.file, "the camera")
            except InputError as error:
                return _nothing(error.message)
            try:
                return _asked(process, "", [descriptor], timeout_s)
            finally:
                os.close(descriptor)
        count = self._relay.serve(door, Target(address))
        try:
            report = _asked(process, url_through(door, address), [], timeout_s)
        finally:
            self._relay.release(door)
        flaws = count.flaws.noted()
        return _nothing(flaws[-1]) if flaws and not report.packets else report


def _door_of(received: Received) -> socket.socket:
    if len(received.descriptors) != 1:
        received.close()
        raise InputError("a worker for inspection has one door", remedy=_REMEDY)
    return socket.socket(fileno=received.descriptors[0])


def _asked(process: Process, url: str, descriptors: list[int], timeout_s: float) -> StreamReport:
    """Ask the worker; one that a stream silenced or ended is the stream's flaw."""
    try:
        order = InspectCamera(request_id=_REQUEST, url=url, within_s=timeout_s / _PARTS)
        process.channel.send(order, descriptors)
        process.await_message(timeout_s)
        received = process.channel.receive()
    except InputError as error:
        return _nothing(f"its stream cannot be inspected: {error.message}")
    if received is None:
        return _nothing(f"its stream cannot be inspected: {process.ending()}")
    answer = received.message
    if not isinstance(answer, Inspected) or answer.request_id != _REQUEST:
        received.close()
        return _nothing(f"its stream cannot be inspected: its worker says {type(answer).__name__}")
    return StreamReport(answer.size_wh, answer.rate_hz, answer.codec, answer.packets, answer.seconds, answer.flaw)


def _nothing(flaw: str) -> StreamReport:
    return StreamReport((0, 0), 0.0, "", 0, 0.0, flaw)
