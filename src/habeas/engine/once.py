"""A sealed worker for one question: started for it, without a model, and ended with the answer. One at a time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from habeas.engine.channel import Received
from habeas.engine.orders import Timing
from habeas.engine.spawning import PROGRAM, Process, configure_for, spawn
from habeas.settings import ModelSettings


class OneWorker:
    """Starts workers, one after the other. Callable from any thread; its owner closes it.

    Args:
        models: settings of the workers; no model is loaded.
        timing: how long a worker is waited for.
        program: what is run.
    """

    def __init__(self, models: ModelSettings, timing: Timing, program: Sequence[str] = PROGRAM) -> None:
        self._models = models
        self._timing = timing
        self._program = program
        self._turn = threading.Lock()
        self._process: Process | None = None
        self._closed = threading.Event()

    @contextmanager
    def _started(self, doors: int) -> Iterator[tuple[Process, Received]]:
        """Hand out a worker, and what it said first; it is killed after the block.

        Raises:
            HabeasError: no worker can be started.
        """
        with self._turn:  # the worker is tied to this thread, which stays until it ended
            process = spawn(configure_for(self._models, "inspect", doors=doors), self._timing.message_s, self._program)
            self._process = process
            try:
                process.await_message(0.0 if self._closed.is_set() else self._timing.start_s)
                _, received = process.hello()
                yield process, received
            finally:
                self._process = None
                process.kill()

    def close(self) -> None:
        """End the worker, whatever it does."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.popen.kill()
