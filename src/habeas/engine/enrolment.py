"""The node's side of enrolment: a worker without cameras, started when the first image comes.

One image at a time. The worker is started, and asked, in one thread that lives as long as this object: a worker dies
with the thread that started it.
"""

import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from habeas.authority.references import Reference
from habeas.engine.messages import MAX_IMAGE, EnrolImage, Enrolled
from habeas.engine.orders import Timing
from habeas.engine.spawning import PROGRAM, Process, configure_for, spawn
from habeas.errors import ImageError, InputError
from habeas.settings import ModelSettings

_REMEDY = "export the image again, or give another"


@dataclass(frozen=True, repr=False)
class EnrolResult:
    """What came of an image.

    Args:
        reference: its template; None where the image was refused.
        size_wh: of the image; (0, 0) where it could not be read.
        refusal: why it may not become a reference; empty: it may.
        remedy: what to do about it.
        report: what the quality gate measured of the largest face: `score`, `eyes_px`, `nose`, `sharpness`.
    """

    reference: Reference | None
    size_wh: tuple[int, int]
    refusal: str
    remedy: str
    report: dict[str, float]

    def __repr__(self) -> str:
        return f"EnrolResult(taken={self.reference is not None}, refusal={self.refusal!r})"


class Enrolment:
    """Takes images to a worker of its own. Callable from any thread; a context's owner closes it.

    Args:
        models: where they are, already fetched.
        timing: how long the worker is waited for.
        program: what is run.
    """

    def __init__(self, models: ModelSettings, timing: Timing, program: Sequence[str] = PROGRAM) -> None:
        self.kills = 0
        self._models = models
        self._timing = timing
        self._program = program
        self._requests = itertools.count()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="enrolment")
        self._process: Process | None = None
        self._model_id = ""
        self._closed = threading.Event()
        self._batch = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the worker, where one runs."""
        process = self._process
        return None if process is None else process.pid

    def enrol(self, image: bytes, timeout_s: float) -> EnrolResult:
        """Have an image examined.

        Args:
            image: the file's content, at most 20 MB.
            timeout_s: for the examination, beside starting the worker and waiting for other images.

        Raises:
            ImageError: too large or empty, or its examination ended the worker or took too long.
            HabeasError: no worker can be started.
        """
        if not 0 < len(image) <= MAX_IMAGE:
            raise ImageError(f"an image has {len(image)} bytes", remedy=f"give 1 to {MAX_IMAGE >> 20} MB")
        return self._thread.submit(self._enrol, image, timeout_s).result()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Have the images of one request examined, in the block: their worker examines no others', and ends with it.

        An image that takes a worker over decides what is made of those after it: they are of the same request.
        """
        with self._batch:
            try:
                yield
            finally:
                with suppress(RuntimeError):  # closed meanwhile: it has ended
                    self._thread.submit(self._end).result()

    def close(self) -> None:
        """End the worker, whatever it does, and what waits for it."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.popen.kill()
        self._thread.shutdown(cancel_futures=True)
        self._end()

    def _enrol(self, image: bytes, timeout_s: float) -> EnrolResult:
        process = self._started()
        try:
            answer = self._ask(process, image, timeout_s)
        except InputError as error:
            self._end()
            self.kills += 1
            raise ImageError(f"an image cannot be examined: {error.message}", remedy=_REMEDY) from None
        return EnrolResult(
            reference=Reference(answer.vector, self._model_id) if answer.dimensions else None,
            size_wh=answer.size_wh,
            refusal=answer.refusal,
            remedy=answer.remedy,
            report=dict(answer.report),
        )

    def _started(self) -> Process:
        """Return the worker, started anew where it is gone."""
        if self._process is not None and self._process.popen.poll() is None:
            return self._process
        self._end()
        process = spawn(configure_for(self._models, "enrol", doors=0), self._timing.message_s, self._program)
        self._process = process  # at once: `close` ends it while it starts
        try:
            process.await_message(0.0 if self._closed.is_set() else self._timing.start_s)
            hello, _ = process.hello()
        except BaseException:
            self._end()
            raise
        self._model_id = hello.model_id
        return process

    def _ask(self, process: Process, image: bytes, timeout_s: float) -> Enrolled:
        request = next(self._requests)
        memory = os.memfd_create("image", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(memory), "wb") as file:
                file.write(image)
            os.lseek(memory, 0, os.SEEK_SET)
            process.channel.send(EnrolImage(request_id=request, image_bytes=len(image)), [memory])
        finally:
            os.close(memory)
        process.await_message(timeout_s)
        received = process.channel.receive()
        if received is None:
            raise InputError(process.ending(), remedy=_REMEDY)
        answer = received.message
        if not isinstance(answer, Enrolled) or answer.request_id != request:
            received.close()
            raise InputError(f"its worker says {type(answer).__name__}", remedy=_REMEDY)
        return answer

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
