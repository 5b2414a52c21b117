"""Starting a worker: a fresh interpreter that is given one socket, and nothing else of the node."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from habeas.engine.channel import Channel, Received
from habeas.engine.messages import Configure, Failed, Hello, Task
from habeas.engine.vocabulary import TO_NODE
from habeas.errors import HabeasError, InputError
from habeas.settings import ModelSettings

PROGRAM: Final = (sys.executable, "-I", "-m", "habeas.engine.worker")
"""`-I`: neither the environment nor the working folder brings code in."""
_REAP_S: Final = 5.0


def clean_environment() -> dict[str, str]:
    """Return all that a worker sees of the environment: no setting, no secret, no user.

    One thread for arithmetic: a worker is one core's, and it leaves the network while it has one thread.
    """
    return {
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",  # a thread a camera: with an arena each, memory only ever grows
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TMPDIR": tempfile.gettempdir(),
    }


@dataclass(frozen=True)
class Process:
    """A worker that runs. Whoever starts it does so in a thread that lives as long as the worker (`engine.sandbox`).

    Args:
        popen: the process.
        channel: to it.
    """

    popen: "subprocess.Popen[bytes]"
    channel: Channel

    @property
    def pid(self) -> int:
        """As the node sees it."""
        return self.popen.pid

    def await_message(self, within_s: float) -> None:
        """Wait until it says something, or ends.

        Raises:
            InputError: it does neither.
        """
        poll = select.poll()
        poll.register(self.channel.fileno(), select.POLLIN)
        if not poll.poll(within_s * 1000):
            raise InputError(f"its worker was silent for {within_s:g} s", remedy="try again; see: habeas doctor")

    def hello(self) -> tuple[Hello, Received]:
        """Wait for a worker's first message.

        Raises:
            InputError: it says something else, or ends.
            HabeasError: it could not start, and says why.
        """
        received = self.channel.receive()
        if received is None:
            raise InputError(self.ending(), remedy="start the node again, or see: habeas doctor")
        if isinstance(received.message, Failed):
            raise HabeasError(received.message.text, remedy=received.message.remedy)
        if not isinstance(received.message, Hello):
            received.close()
            raise InputError("a worker speaks before it said hello", remedy="it is started again")
        return received.message, received

    def ending(self, wait_s: float = 1.0) -> str:
        """Say how it ended, of a worker whose socket is closed."""
        try:
            status = self.popen.wait(wait_s)
        except subprocess.TimeoutExpired:
            return "it closed its socket"
        if status < 0:
            return f"it was ended by {signal.Signals(-status).name}"
        return f"it ended with status {status}"

    def kill(self) -> None:
        """End it, whatever it does, and close the socket."""
        self.popen.kill()
        self.channel.close()
        with suppress(subprocess.TimeoutExpired):  # the kernel has it; it runs no more
            self.popen.wait(_REAP_S)


def spawn(configure: Configure, patience_s: float, program: Sequence[str] = PROGRAM) -> Process:
    """Start a worker.

    Args:
        configure: what it is to be.
        patience_s: how long one message may take.
        program: what is run, the number of the socket's descriptor behind it.

    Raises:
        HabeasError: no process can be started.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with its:
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*program, str(its.fileno())],
                pass_fds=[its.fileno()],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C in a terminal is the node's to handle
            )
        except OSError as error:
            ours.close()
            raise HabeasError(f"no worker can be started ({error.strerror})", remedy="see: habeas doctor") from error
    process = Process(popen, Channel(ours, TO_NODE, patience_s))
    try:
        process.channel.send(configure)
    except InputError:
        process.kill()
        raise
    return process


def configure_for(models: ModelSettings, task: Task, *, doors: int) -> Configure:
    """Return what a worker is told first.

    Args:
        models: where they are, already fetched.
        task: what it is for.
        doors: how many cameras it may have.
    """
    return Configure(
        parent_pid=os.getpid(),
        task=task,
        doors=doors,
        models=str(models.folder.resolve()),
        detector_precision=models.detector_precision,
    )
