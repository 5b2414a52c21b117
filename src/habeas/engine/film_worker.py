"""A worker for one job on recorded footage: sealed, with models and without a door.

It is started, and asked, in the thread that enters the context: a worker dies with that thread.
"""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from habeas.engine.messages import Failed, Message, Shutdown
from habeas.engine.orders import Timing
from habeas.engine.spawning import PROGRAM, Process, configure_for, spawn
from habeas.errors import InputError
from habeas.settings import ModelSettings

REMEDY: Final = "try again; report this if it repeats"


class FilmWorker:
    """A worker that goes through footage. A context manager.

    Args:
        models: where they are, already fetched.
        timing: how long the worker is waited for.
        program: what is run.

    Raises:
        HabeasError: no worker can be started.
    """

    def __init__(self, models: ModelSettings, timing: Timing | None = None, program: Sequence[str] = PROGRAM) -> None:
        self._timing = timing or Timing()
        self._requests = itertools.count(1)
        self._process = spawn(configure_for(models, "film", doors=0), self._timing.message_s, program)
        try:
            self._process.await_message(self._timing.start_s)
            self.model_id = self._process.hello()[0].model_id
        except BaseException:
            self._process.kill()
            raise

    @property
    def process(self) -> Process:
        """The worker."""
        return self._process

    def received(self) -> Message:
        """Return the next thing that it says.

        Raises:
            InputError: it is gone, failed, or was silent for too long.
        """
        self._process.await_message(self._timing.silence_s)
        received = self._process.channel.receive()
        if received is None:
            raise InputError(self._process.ending(), remedy=REMEDY)
        received.close()  # nothing that it may say has descriptors
        if isinstance(received.message, Failed):
            raise InputError("a worker that went through footage failed", remedy=REMEDY)
        return received.message

    def kill(self) -> None:
        """End the worker, from any thread: whoever reads from it gets an error."""
        self._process.popen.kill()

    def close(self) -> None:
        """End the worker: told to, and killed if it does not at once."""
        with suppress(InputError):
            self._process.channel.send(Shutdown())
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
