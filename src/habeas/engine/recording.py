"""A worker that records, and loads no model: it hands on what cameras send, in parts, and decodes nothing.

Or it encodes all of its cameras anew, with their masks in the pixels. Such a worker hands on nothing as it came.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from habeas.engine.cameras import LiveCamera, flaw_of
from habeas.engine.channel import Channel, Received
from habeas.engine.messages import (
    CameraEnded,
    Counters,
    Heartbeat,
    Listening,
    Message,
    PartMade,
    Shutdown,
    StartCamera,
    StopCamera,
)
from habeas.engine.rehearsing import film_of
from habeas.errors import HabeasError, InputError
from habeas.ports import Clock
from habeas.video.edge import Flaws
from habeas.video.masks import Mask
from habeas.video.parts import Part
from habeas.video.reencode import Encoding, Waiting, reencode_file
from habeas.video.remux import remux_file

_PICTURES: Final = 12
_TELL_EVERY_S: Final = 1.0
NO_MODEL: Final = "none"
"""What a worker that loads no model says it makes templates with."""


def prepare() -> None:
    """Record an invented video, both ways: nothing can be imported or found once the worker is sealed."""
    with film_of([np.zeros((64, 64, 3), np.uint8)] * _PICTURES) as film:
        list(remux_file(film))
        list(reencode_file(film, [Mask(0.0, 0.0, 0.5, 0.5)]))


class Recording:
    """Records cameras as the node says, each in a thread of its own.

    Args:
        channel: to the node. A thread that may not send yet waits, and so does its camera.
        clock: of this process.
        reencodes: all of them are encoded anew.
    """

    def __init__(self, channel: Channel, clock: Clock, *, reencodes: bool) -> None:
        self._channel = channel
        self._clock = clock
        self._kind = _Reencoded if reencodes else _Recorded
        self._lock = threading.Lock()
        self._cameras: dict[int, _Recorded] = {}
        self._ended = threading.Event()

    def serve(self) -> None:
        """Record until told to end.

        Raises:
            InputError: the node said something that it does not say.
        """
        threading.Thread(target=self._tell, name="telling", daemon=True).start()
        try:
            while (received := self._channel.receive()) is not None and not isinstance(received.message, Shutdown):
                self._order(received)
        finally:
            self._ended.set()

    def _order(self, received: Received) -> None:
        order = received.message
        if isinstance(order, StartCamera) and order.url:
            self._start(order)
        elif isinstance(order, StopCamera):
            with self._lock:
                recorded = self._cameras.get(order.epoch)
            if recorded is not None:
                recorded.camera.close()
        else:
            received.close()
            raise InputError(f"{type(order).__name__} is not for this worker", remedy="start workers through the node")

    def _start(self, order: StartCamera) -> None:
        try:
            camera = LiveCamera(order, self._clock)
        except InputError as error:
            self._channel.send(flaw_of(order, error.message))
            self._channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=True))
            return
        self._channel.send(Listening(camera_id=order.camera_id, epoch=order.epoch))
        recorded = self._kind(order, camera, self._channel.send)
        with self._lock:
            self._cameras[order.epoch] = recorded
        threading.Thread(target=self._record, args=(recorded,), name=order.camera_id, daemon=True).start()

    def _record(self, recorded: "_Recorded") -> None:
        failed = True
        try:
            recorded.run()
            failed = False
        except HabeasError as error:
            self._channel.send(flaw_of(recorded.order, error.message))
        except Exception as error:  # noqa: BLE001 - worker top loop: a reader never dies silently
            self._channel.send(flaw_of(recorded.order, f"{type(error).__name__}: {error}"))
        with self._lock:
            del self._cameras[recorded.order.epoch]
        recorded.tell()
        order = recorded.order
        self._channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.epoch, failed=failed))

    def _tell(self) -> None:
        while not self._ended.wait(_TELL_EVERY_S):
            self._channel.send(Heartbeat())
            with self._lock:
                recorded = list(self._cameras.values())
                for one in recorded:  # under the lock: nothing of an epoch comes after its end
                    one.tell()


class _Recorded:
    """A camera that is recorded as it comes."""

    def __init__(self, order: StartCamera, camera: LiveCamera, send: Callable[[Message], None]) -> None:
        self.order = order
        self.camera = camera
        self._send = send
        self._parts = 0
        self._told = [0, 0]

    def run(self) -> None:
        """Record until the camera is closed.

        Raises:
            HabeasError: it cannot be.
        """
        with self.camera:
            for part in self.camera.parts():
                self._hand_over(part)

    def _hand_over(self, part: Part) -> None:
        self._send(_part_made(self.order, part))
        self._parts += 1

    def tell(self) -> None:
        """Tell how it goes on, and what went wrong since this was last told."""
        for number, flaws in enumerate(self._flaws()):
            for what in flaws[self._told[number] :]:
                self._send(flaw_of(self.order, what.removeprefix(f"{self.camera.origin.camera_id}: ")))
            self._told[number] = len(flaws)
        self._send(self._counters())

    def _flaws(self) -> tuple[tuple[str, ...], ...]:
        """Return what went wrong, as each of at most two threads noted it."""
        return (self.camera.flaws,)

    def _counters(self) -> Counters:
        """Return that so many parts came: nothing is decoded."""
        return _counters(self.order, self._parts, 0)


class _Reencoded(_Recorded):
    """A camera that is encoded anew: one thread reads, decodes and paints, another encodes what waits."""

    def __init__(self, order: StartCamera, camera: LiveCamera, send: Callable[[Message], None]) -> None:
        super().__init__(order, camera, send)
        self._waiting = Waiting()
        self._encoder_flaws = Flaws()

    def run(self) -> None:
        """Record until the camera is closed.

        Raises:
            HabeasError: it cannot be.
        """
        encoding = Encoding(self.order.camera_id, self._encoder_flaws)
        with ThreadPoolExecutor(1, f"{self.order.camera_id}-reader") as pool, self.camera:
            reading = pool.submit(self._read)
            for picture in self._waiting:
                for part in encoding.finish() if picture is None else encoding.take(picture):
                    self._hand_over(part)
        reading.result()

    def _read(self) -> None:
        try:
            for picture in self.camera.covered():
                self._waiting.put(picture)
        finally:
            self._waiting.put(None)
            self._waiting.end()

    def _flaws(self) -> tuple[tuple[str, ...], ...]:
        return self.camera.flaws, self._encoder_flaws.noted()

    def _counters(self) -> Counters:
        return _counters(self.order, self._waiting.pictures, self._waiting.dropped)


def _part_made(order: StartCamera, part: Part) -> PartMade:
    return PartMade(
        camera_id=order.camera_id,
        epoch=order.epoch,
        segment=part.segment,
        index=part.index,
        captured_at_ns=part.captured_at_ns,
        lasts_ns=part.lasts_ns,
        codec=part.codec,  # type: ignore[arg-type]  # checked, as every field of a message
        size_wh=part.size_wh,
        lost=part.lost,
    ).with_payload(part.data)


def _counters(order: StartCamera, came: int, dropped: int) -> Counters:
    return Counters(
        camera_id=order.camera_id,
        epoch=order.epoch,
        decoded=came,
        analysed=0,
        gated=0,
        dropped=dropped,
        faces=0,
        tracks=0,
        analysed_ns=0,
    )
