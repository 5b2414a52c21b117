"""Real RTSP cameras on loopback for tests: aio-rtsp-toolkit's server in a process of its own, and scripted bad ones."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, Self

import av
import numpy as np

from habeas.types import U8

CLIP_RATE_HZ: Final = 25
_START_S: Final = 20.0
_SERVER: Final = """
import asyncio, sys
from aio_rtsp_toolkit.server import RtspServer
async def main():
    server = await RtspServer(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2])).start()
    print("READY", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def moving_pictures(count: int, size_wh: tuple[int, int] = (160, 120), seed: int = 0) -> Iterator[U8]:
    """Yield a still, blocky street with a red square that moves: (h, w, 3) uint8, RGB."""
    width, height = size_wh
    blocks = np.random.default_rng(seed).integers(60, 190, (-(-height // 16), -(-width // 16), 3), np.uint8)
    street = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    side = max(2, height // 6)
    for index in range(count):
        picture = street.copy()
        x = (3 * index) % max(1, width - side)
        picture[height // 4 : height // 4 + side, x : x + side] = (250, 20, 20)
        yield picture


def write_video(
    path: Path,
    images: Iterator[U8] | list[U8],
    *,
    container_format: str = "mp4",
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    format_options: dict[str, str] | None = None,
    times_ms: list[int] | None = None,
    rate_hz: int = CLIP_RATE_HZ,
) -> Path:
    """Write pictures in any format that FFmpeg knows; shipped code writes only H.264 in MP4."""
    with av.open(str(path), "w", format=container_format, options=format_options or {}) as container:
        stream = container.add_stream(codec, rate=rate_hz, options=codec_options or {})
        stream.pix_fmt = pixel_format
        stream.thread_count = 1
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            if not index:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_camera_clip(path: Path, seconds: float = 4.0) -> Path:
    """Write what a surveillance camera sends: a keyframe a second, no B-pictures (the server cannot time those)."""
    options = {"preset": "ultrafast", "bf": "0", "g": str(CLIP_RATE_HZ)}
    return write_video(path, moving_pictures(round(seconds * CLIP_RATE_HZ)), codec_options=options)


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RtspCamera:
    """A camera that plays a clip over and over. A context manager; its process ends with it.

    Args:
        clip: MP4 or MKV; None: a made one.
        plays: how often the clip plays before the camera hangs up; 0: for ever.
    """

    def __init__(self, clip: Path | None = None, *, plays: int = 0) -> None:
        self._media = Path(tempfile.mkdtemp(prefix="habeas-camera-"))
        target = self._media / "clip.mp4"
        if clip is None:
            write_camera_clip(target)
        else:
            shutil.copyfile(clip, target)
        self.port = free_port()
        self._plays = plays
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"rtsp://127.0.0.1:{self.port}/clip.mp4?play_count={self._plays}"

    def start(self) -> None:
        """Start the server and wait until it listens.

        Raises:
            RuntimeError: it did not.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(self._media), str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        output = self._process.stdout
        assert output is not None
        late = threading.Timer(_START_S, self._process.kill)
        late.start()
        try:
            listening = any(line.strip() == "READY" for line in output)
        finally:
            late.cancel()
        if not listening:
            raise RuntimeError("the RTSP server did not start")
        # It logs every request: somebody has to read, or it stops when the pipe is full.
        threading.Thread(target=_drain, args=(output,), daemon=True).start()

    def freeze(self) -> None:
        """Stop it where it is: connections stay open, nothing is sent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it and start it again on the same port."""
        self.kill()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        shutil.rmtree(self._media, ignore_errors=True)


def _drain(lines: Iterator[str]) -> None:
    with lines:  # type: ignore[attr-defined]  # a text file
        for _line in lines:
            pass


class ScriptedServer:
    """A loopback server that answers each request with what the script returns, and remembers what it was asked.

    Args:
        script: request -> reply; empty: no answer. It may also use the socket itself.
    """

    def __init__(self, script: Callable[[bytes, socket.socket], bytes]) -> None:
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            while request := connection.recv(65536):
                self.requests.append(request)
                reply = self._script(request, connection)
                if reply:
                    connection.sendall(reply)
        except OSError:
            return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()


def rtsp_reply(request: bytes, status: str, *headers: str, body: str = "") -> bytes:
    """Return an RTSP answer to a request, with its sequence number."""
    (cseq,) = [line for line in request.decode().split("\r\n") if line.lower().startswith("cseq")]
    lines = [f"RTSP/1.0 {status}", cseq, *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
