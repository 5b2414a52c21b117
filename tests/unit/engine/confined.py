"""A process that is sandboxed like a worker and then does what it is asked: `confined.py KIND PARENT DESCRIPTOR`.

KIND is `sealed`, `threaded` (a thread runs before it isolates itself, so it gets no network of its own),
`models` (sealed with the real networks loaded), `container` (`unshare` is forbidden, as containers do), `no-seccomp` or
`no-landlock` (the package is missing), or `free`.
Requests are JSON, `[action, argument...]`, one a message; the answer is `["did", what]` or `["refused", why]`.
"""

import ctypes
import errno
import io
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from habeas.engine.relay import open_door
from habeas.engine.sandbox import Isolation, Limits, isolate, seal

_TRACE_ATTACH = 16
_TRACE_DETACH = 17


def connect(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect((host.encode(), port))  # bytes: a name in text would import an encoding
    return "connected"


def send_udp(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (host.encode(), port))
    return "sent"


def make_socket(family: int, kind: int, protocol: int) -> str:
    socket.socket(family, kind, protocol).close()
    return "made"


def listen() -> str:
    open_door().close()
    return "listening"


def read(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - the plainest way
        return str(len(file.read(1)))


def write(path: str) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"x")
    os.close(descriptor)
    return "written"


def change_mode(path: str) -> str:
    os.chmod(path, 0o644)  # noqa: PTH101 - the plainest way
    return "changed"


def write_to(descriptor: int) -> str:
    return str(os.write(descriptor, b"x"))


def run(path: str) -> str:
    pid = os.posix_spawn(path, [path], {})
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def become(path: str) -> str:
    os.execv(path, [path])  # noqa: S606 - that it cannot is the point


def fork() -> str:
    pid = os.fork()
    if not pid:
        os._exit(0)
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def trace(pid: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_TRACE_ATTACH, pid, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(pid, 0)
    libc.ptrace(_TRACE_DETACH, pid, 0, 0)
    return "traced"


def kill(pid: int) -> str:
    os.kill(pid, signal.SIGCONT)
    return "signalled"


def grow(amount: int) -> str:
    return str(len(bytearray(amount)))


def start_thread() -> str:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "started"


def watch(url: str, transport: str, frames: int) -> str:
    import av  # noqa: PLC0415 - loaded by `preload`

    options = {"rtsp_transport": transport, "timeout": "2000000", "protocol_whitelist": "rtsp,rtp,rtcp,tcp,udp"}
    seen = 0
    with av.open(url, options=options, timeout=(4, 4)) as container:
        for _ in container.decode(video=0):
            seen += 1
            if seen >= frames:
                break
    return str(seen)


def decode(descriptor: int) -> str:
    import av  # noqa: PLC0415 - loaded by `preload`

    with os.fdopen(descriptor, "rb") as file, av.open(file) as container:
        return str(sum(1 for _ in container.decode(video=0)))


ACTIONS: dict[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        *(connect, send_udp, make_socket, listen, read, write, change_mode, write_to, run, become, fork, trace, kill),
        *(grow, start_thread, watch, decode),
    )
}


class Models:
    """The real networks, loaded before the sandbox closes, with the threads that OpenVINO starts."""

    def __init__(self) -> None:
        from habeas.app import App  # noqa: PLC0415 - after the network is gone, as in a worker

        self._app = App()
        self.infer()
        self.threads = len(list(Path("/proc/self/task").iterdir()))

    def infer(self) -> str:
        """Look for faces in noise, make a template of some more."""
        import numpy as np  # noqa: PLC0415 - after the network is gone

        shape = (1, 3, 128, 160)
        found = self._app.pack.detector.infer(np.random.default_rng(0).random(shape, np.float32))
        crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
        made = self._app.templater.from_crops([crop], None)
        return f"{len(found)} {made.vectors.shape[0]}"


def attempt(action: str, arguments: list[Any]) -> list[str]:
    try:
        return ["did", ACTIONS[action](*arguments)]
    except (OSError, MemoryError, ValueError) as error:  # FFmpeg's errors are of the first and the last kind
        return ["refused", f"{type(error).__name__}: {error}"]


class OldThread:
    """A thread that runs before the sandbox closes, as OpenVINO's do."""

    def __init__(self) -> None:
        self._asked: queue.Queue[tuple[str, list[Any]]] = queue.Queue()
        self._done: queue.Queue[list[str]] = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._done.put(attempt(*self._asked.get()))

    def attempt(self, action: str, arguments: list[Any]) -> list[str]:
        self._asked.put((action, arguments))
        return self._done.get()


def preload() -> None:
    """Decode once: PyAV imports parts of itself when they are first used."""
    import av  # noqa: PLC0415 - after the network is gone, as in a worker

    av.logging.set_level(av.logging.PANIC)
    clip = io.BytesIO()
    with av.open(clip, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    clip.seek(0)
    with av.open(clip) as container:
        assert len(list(container.decode(video=0))) == 1
    try:
        watch("rtsp://127.0.0.1:1/nobody", "tcp", 1)
    except OSError:
        return


def lose(kind: str) -> None:
    """Make this process one that lacks something."""
    if kind == "container":
        import pyseccomp  # noqa: PLC0415 - only here

        rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "unshare")
        rules.load()
    missing = {"no-seccomp": "pyseccomp", "no-landlock": "py_landlock"}.get(kind)
    if missing:
        sys.modules[missing] = None  # type: ignore[assignment]  # how Python is told: no such module


def main(kind: str, parent: int, channel: socket.socket) -> None:
    lose(kind)
    old = OldThread() if kind == "threaded" else None
    isolation = Isolation("no", "no", "no") if kind == "free" else isolate(parent)
    doors = [open_door(), open_door()]
    old = old or OldThread()
    preload()
    if kind == "models":
        models = Models()
        ACTIONS["infer"] = models.infer
        ACTIONS["threads"] = lambda: str(models.threads)
    posture = {}
    if kind != "free":
        posture = seal(isolation, [door.getsockname()[1] for door in doors], Limits(memory_bytes=1 << 30)).as_json()
    socket.send_fds(channel, [json.dumps(posture).encode()], [door.fileno() for door in doors])
    while True:
        asked, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
        if not asked:
            os._exit(0)
        action, *arguments = json.loads(asked)
        if action.startswith("old:"):
            answer = old.attempt(action.removeprefix("old:"), arguments)
        else:
            answer = attempt(action, [*descriptors, *arguments])
        channel.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
