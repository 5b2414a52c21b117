"""The node's side of making the film of an alert: an order to a sealed worker, the answer checked.

Whatever the worker says, it was told of one face only. That its pixels are a mosaic, the node cannot see: it decodes no
video. What it can check is that counts and sizes fit what it handed over.
"""

from collections.abc import Callable
from dataclasses import dataclass

from habeas.engine.film_messages import FilmTurned
from habeas.engine.film_worker import REMEDY, FilmWorker
from habeas.engine.messages import Heartbeat, Message
from habeas.engine.play_messages import FilmPlayed, PlayFilm
from habeas.engine.redact_messages import MAX_RESULT_BYTES, FilmBytes
from habeas.engine.screening import Looking, Reel
from habeas.errors import InputError, SourceError
from habeas.footage.uncovering import Where


@dataclass(frozen=True, repr=False)
class Played:
    """The film of an alert, or a part of it.

    Args:
        data: MP4.
        pictures: in it.
        found: the alert's face was, and is shown.
        shown_ns: from its first to its last picture.
    """

    data: bytes
    pictures: int
    found: bool
    shown_ns: int


class Playing(FilmWorker):
    """A worker that makes mosaics of footage, in which one head is to be seen. A context manager."""

    def play(
        self,
        reel: Reel,
        looking: Looking,
        where: Where | None,
        on_done: Callable[[int], None],
        go_on: Callable[[], None],
    ) -> Played:
        """Make a film of a reel.

        Args:
            reel: the footage.
            looking: what is made of it, and how faces are looked for.
            where: the alert's face; None: nobody is shown.
            on_done: hears, now and then, of how much of its time it is made, ns.
            go_on: called at each message, at least every few seconds; what it raises ends this worker.

        Raises:
            InputError: the worker is gone, was silent for too long, or said what it may not.
            SourceError: nothing came of it, and why.
        """
        order = PlayFilm(
            request_id=next(self._requests),
            camera_id=looking.camera_id,
            places=reel.told(),
            from_ns=looking.from_ns,
            until_ns=looking.until_ns,
            masks=looking.edges(),
            detect=looking.detect,
            at_ns=0 if where is None else where.at_ns,
            box=None if where is None else where.box,
        )
        self._process.channel.send(order, [reel.descriptor])
        heard = _Heard(order, on_done)
        while heard.played is None:
            message = self.received()
            self._go_on(go_on)
            heard.take(message)
        return heard.played

    def _go_on(self, go_on: Callable[[], None]) -> None:
        try:
            go_on()
        except BaseException:
            self.kill()
            raise


class _Heard:
    """What the worker says of one order, checked."""

    def __init__(self, order: PlayFilm, on_done: Callable[[int], None]) -> None:
        self.played: Played | None = None
        self._order = order
        self._on_done = on_done
        self._data = bytearray()

    def take(self, message: Message) -> None:
        """Take a message in.

        Raises:
            InputError: it is of another order, or cannot be.
            SourceError: nothing came of it.
        """
        if isinstance(message, Heartbeat):
            return
        if not isinstance(message, FilmTurned | FilmBytes | FilmPlayed):
            raise InputError(f"a worker that plays a film says {type(message).__name__}", remedy=REMEDY)
        if message.request_id != self._order.request_id:
            raise InputError("a worker speaks of what it was not asked", remedy=REMEDY)
        if isinstance(message, FilmTurned):
            self._on_done(min(message.done_ns, self._order.until_ns - self._order.from_ns))
        elif isinstance(message, FilmBytes):
            self._piece(message.payload)
        else:
            self._end(message)

    def _piece(self, data: bytes) -> None:
        if len(self._data) + len(data) > MAX_RESULT_BYTES:
            raise InputError("a worker sends more of a film than it may", remedy=REMEDY)
        self._data += data

    def _end(self, message: FilmPlayed) -> None:
        order = self._order
        if message.refusal:
            raise SourceError(f"{order.camera_id}: {message.refusal}", remedy="see: habeas footage list")
        fits = message.size_bytes == len(self._data) and message.pictures > 0
        if not fits or (message.found and order.box is None) or message.shown_ns > order.until_ns - order.from_ns:
            raise InputError("a worker made another film than it says", remedy=REMEDY)
        self.played = Played(bytes(self._data), message.pictures, message.found, message.shown_ns)
