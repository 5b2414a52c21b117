"""The node's side of measuring a video file that somebody handed in: how long it is.

Each file has a sealed worker of its own, without a door or a model, that ends with it. One at a time.
"""

from collections.abc import Sequence
from typing import Final

from habeas.engine.film_messages import FilmMeasured, MeasureFilm
from habeas.engine.once import OneWorker
from habeas.engine.orders import Timing
from habeas.engine.spawning import PROGRAM, Process
from habeas.errors import HabeasError, InputError, SourceError
from habeas.settings import ModelSettings

WITHIN_S: Final = 120.0
"""For reading one file."""
_SPARE_S: Final = 10.0
_REQUEST: Final = 1
_CANNOT: Final = "this file cannot be read as video"
"""In place of what a worker says: who reads a stranger's file could put anything into its words."""
_REMEDY: Final = "check it in a player, or convert it to H.264 in MP4"


class Measurement(OneWorker):
    """Has files measured. Callable from any thread; its owner closes it."""

    def __init__(self, models: ModelSettings, timing: Timing | None = None, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(models, timing or Timing(), program)

    def measure(self, descriptor: int, within_s: float = WITHIN_S) -> int:
        """Return how long a video file is, ns.

        Args:
            descriptor: of it, at its beginning; stays open.
            within_s: for reading all of it.

        Raises:
            SourceError: it is no video, holds no picture, or its worker ended or was silent for too long.
            HabeasError: no worker can be started.
        """
        with self._started(doors=0) as (process, _):
            return _asked(process, descriptor, within_s)


def _asked(process: Process, descriptor: int, within_s: float) -> int:
    try:
        process.channel.send(MeasureFilm(request_id=_REQUEST, within_s=within_s), [descriptor])
        process.await_message(within_s + _SPARE_S)
        received = process.channel.receive()
    except InputError as error:
        raise _unreadable() from error
    if received is None:
        raise _unreadable()
    received.close()  # nothing that it may say has descriptors
    answer = received.message
    if not isinstance(answer, FilmMeasured) or answer.request_id != _REQUEST or answer.flaw or not answer.lasts_ns:
        raise _unreadable()
    return answer.lasts_ns


def _unreadable() -> HabeasError:
    return SourceError(_CANNOT, remedy=_REMEDY)
