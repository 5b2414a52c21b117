"""Live streams whose cameras die, freeze, hang up, lie or were never there. Real cameras and sockets, loopback."""

import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, Self

import pytest
from tests.cameras import RtspCamera, ScriptedServer, free_port, rtsp_reply, write_camera_clip

from habeas.errors import SourceError, UsageError
from habeas.ports import FrameSource
from habeas.settings import LiveSettings
from habeas.types import NS_PER_S, Frame
from habeas.video import open_source

QUICK: Final = LiveSettings(stall_s=1.0, backoff_s=0.1, backoff_max_s=0.3)
PASSWORD: Final = "hunter2-%C3%BC"  # noqa: S105 - the canary that must not be printed
NOTICED_S: Final = 10.0
RESUMED_S: Final = 30.0


class Reader:
    """Reads a source in a thread of its own and remembers when each frame arrived."""

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.frames: list[Frame] = []
        self.arrived_s: list[float] = []
        self.failure: BaseException | None = None
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        try:
            for frame in self.source.frames():
                with self._changed:
                    self.frames.append(frame)
                    self.arrived_s.append(time.monotonic())
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.failure = error
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def until(self, holds: Callable[[], bool], within_s: float) -> float:
        """Wait until something holds, and return how long that took."""
        began = time.monotonic()
        with self._changed:
            while not holds():
                left = began + within_s - time.monotonic()
                assert left > 0, f"not within {within_s} s; flaws: {self.source.flaws}, failure: {self.failure!r}"
                self._changed.wait(min(left, 0.05))  # flaws change without a frame
        return time.monotonic() - began

    def until_frames(self, more: int, within_s: float) -> float:
        target = len(self.frames) + more
        return self.until(lambda: len(self.frames) >= target, within_s)

    def until_flaws(self, count: int, within_s: float) -> float:
        """Wait until so many are noted: a flaw that repeats is noted once, so that a later count may never grow."""
        return self.until(lambda: len(self.source.flaws) >= count, within_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.source.close()
        self._thread.join(15)
        assert not self._thread.is_alive(), "frames() did not end after close"


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    with RtspCamera() as camera:
        yield camera


def kill_and_restart(camera: RtspCamera) -> tuple[Callable[[], None], Callable[[], None]]:
    return camera.kill, camera.start


def freeze_and_thaw(camera: RtspCamera) -> tuple[Callable[[], None], Callable[[], None]]:
    return camera.freeze, camera.thaw


def freeze_and_restart(camera: RtspCamera) -> tuple[Callable[[], None], Callable[[], None]]:
    return camera.freeze, camera.restart


FAULTS = pytest.mark.parametrize("fault", [kill_and_restart, freeze_and_thaw, freeze_and_restart])
Fault = Callable[[RtspCamera], tuple[Callable[[], None], Callable[[], None]]]


def outage(camera: RtspCamera, fault: Fault, live: LiveSettings) -> tuple[float, float, Reader]:
    """Break a camera and bring it back; return seconds until it was noticed, and from its return to a new picture."""
    breaks, returns = fault(camera)
    with Reader(open_source(camera.url, live=live)) as reader:
        reader.until_frames(5, 15)
        assert reader.source.flaws == ()  # the control: nothing is noticed while nothing is wrong
        breaks()
        noticed_s = reader.until_flaws(1, NOTICED_S)
        assert "disconnected" in reader.source.flaws[0]
        away_s = time.monotonic() + 2 * live.stall_s + 0.5
        reader.until(lambda: time.monotonic() >= away_s, 60)  # longer than one attempt: it keeps trying
        assert not reader.ended
        assert all(flaw.startswith("disconnected, trying again: ") for flaw in reader.source.flaws)
        assert all(flaw != following for flaw, following in pairwise(reader.source.flaws))
        returns()
        resumed_s = reader.until_frames(5, RESUMED_S)
    return noticed_s, resumed_s, reader


@FAULTS
def test_an_outage_is_noticed_and_survived(camera: RtspCamera, fault: Fault) -> None:
    noticed_s, resumed_s, reader = outage(camera, fault, QUICK)
    assert noticed_s < QUICK.stall_s + 1.5
    assert resumed_s < 10
    assert reader.failure is None
    assert [frame.index for frame in reader.frames] == list(range(len(reader.frames)))
    steps = [later.pts_ns - frame.pts_ns for frame, later in pairwise(reader.frames)]
    assert min(steps) >= 0
    waits = [later - sooner for sooner, later in pairwise(reader.arrived_s)]
    # The stream's time goes on by as long as the camera was away: whoever was tracked before is not who comes after.
    assert max(steps) / NS_PER_S == pytest.approx(max(waits), abs=0.5)


@pytest.mark.long
@FAULTS
def test_with_default_settings_an_outage_is_noticed_in_10_s_and_over_30_s_after_the_return(
    camera: RtspCamera, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    noticed_s, resumed_s, _ = outage(camera, fault, LiveSettings())
    print(f"{fault.__name__}: noticed after {noticed_s:.2f} s, resumed {resumed_s:.2f} s after its return")  # noqa: T201
    record_property("noticed_s", noticed_s)
    record_property("resumed_s", resumed_s)
    assert noticed_s <= NOTICED_S
    assert resumed_s <= RESUMED_S


def test_the_end_of_a_live_stream_is_a_disconnection(tmp_path_factory: pytest.TempPathFactory) -> None:
    clip = write_camera_clip(tmp_path_factory.mktemp("clip") / "short.mp4", seconds=0.6)
    with RtspCamera(clip, plays=1) as camera, Reader(open_source(camera.url, live=QUICK)) as reader:
        reader.until(lambda: len(reader.frames) > 20, 15)
        assert not reader.ended
        assert "disconnected" in reader.source.flaws[0]
        assert "the stream ended" in reader.source.flaws[0]


def test_one_frozen_camera_costs_another_nothing(camera: RtspCamera) -> None:
    with (
        RtspCamera() as other,
        Reader(open_source(camera.url, live=QUICK)) as frozen,
        Reader(open_source(other.url, live=QUICK)) as healthy,
    ):
        frozen.until_frames(5, 15)
        healthy.until_frames(5, 15)
        camera.freeze()
        frozen.until_flaws(1, 10)
        healthy.until_frames(25, 5)
        camera.thaw()
        frozen.until_frames(5, 10)
        assert healthy.source.flaws == ()
        stamps = [frame.pts_ns for frame in healthy.frames]
        assert {round((b - a) / 1e6) for a, b in pairwise(stamps)} == {40}  # not one of 25 a second is missing
        waits = [later - sooner for sooner, later in pairwise(frozen.arrived_s)]
        assert max(waits) > QUICK.stall_s / 2  # the control: the other one did stand still


def test_a_camera_that_is_not_there_is_an_error_after_the_stall_limit() -> None:
    with Reader(open_source(f"rtsp://127.0.0.1:{free_port()}/x", live=QUICK)) as reader:
        took_s = reader.until(lambda: reader.ended, 10)
    assert isinstance(reader.failure, SourceError)
    assert QUICK.stall_s - 0.1 <= took_s < QUICK.stall_s + 2
    assert reader.failure.exit_code == 4
    assert reader.failure.remedy
    (flaw,) = reader.source.flaws  # the same every time, noted once
    assert flaw.startswith("cannot connect, trying again: ")


def test_the_same_outage_is_noted_once_and_every_attempt_is_made() -> None:
    with ScriptedServer(hanging_up) as server:
        with Reader(open_source(f"rtsp://127.0.0.1:{server.port}/x", live=QUICK)) as reader:
            reader.until(lambda: reader.ended, 8)
        assert server.connections > 2
    assert len(reader.source.flaws) == 1


def silent(_request: bytes, _connection: socket.socket) -> bytes:
    return b""


def dripping(_request: bytes, connection: socket.socket) -> bytes:
    """A byte now and then keeps the socket's own timeout from ever passing."""
    pause = threading.Event()
    for byte in b"RTSP/1.0 200 OK\r\n" + b"x" * 400:
        connection.sendall(bytes([byte]))
        pause.wait(0.1)
    return b""


def garbage(_request: bytes, _connection: socket.socket) -> bytes:
    return bytes(range(256)) * 64


def refusing(request: bytes, _connection: socket.socket) -> bytes:
    return rtsp_reply(request, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')


def hanging_up(_request: bytes, connection: socket.socket) -> bytes:
    connection.close()
    return b""


SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
)


def talking_without_video(request: bytes, connection: socket.socket) -> bytes:
    """Play, then send sender reports only: the socket is never silent, and no picture ever comes."""
    method = request.split(b" ", 1)[0]
    if method == b"DESCRIBE":
        return rtsp_reply(request, "200 OK", "Content-Type: application/sdp", body=SDP)
    if method == b"SETUP":
        return rtsp_reply(request, "200 OK", "Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    if method == b"PLAY":
        connection.sendall(rtsp_reply(request, "200 OK", "Session: 1"))
        report = bytes.fromhex("80c80006 12345678 e0000000 00000000 00000000 00000001 00000010")
        pause = threading.Event()
        for _ in range(150):
            connection.sendall(b"$\x01" + len(report).to_bytes(2, "big") + report)
            pause.wait(0.1)
        return b""
    return rtsp_reply(request, "200 OK", "Session: 1", "Public: DESCRIBE, SETUP, PLAY")


BAD_CAMERAS = [silent, dripping, garbage, refusing, hanging_up, talking_without_video]


@pytest.mark.parametrize("script", BAD_CAMERAS, ids=lambda script: script.__name__)
def test_a_camera_that_misbehaves_is_an_error_and_gives_nothing_away(
    script: Callable[[bytes, socket.socket], bytes],
) -> None:
    with ScriptedServer(script) as server:
        url = f"rtsp://admin:{PASSWORD}@127.0.0.1:{server.port}/stream?token={PASSWORD}"
        with Reader(open_source(url, live=QUICK)) as reader:
            # One attempt may take the stall limit to open and once more to find pictures.
            took_s = reader.until(lambda: reader.ended, 8)
        assert server.requests
    assert took_s < 6
    assert isinstance(reader.failure, SourceError)
    said = "".join(traceback.format_exception(reader.failure))
    said += repr(reader.source) + repr(reader.source.origin) + str(reader.source.flaws) + str(reader.failure.as_json())
    assert "hunter2" not in said
    assert "admin" not in said
    assert reader.source.origin.camera_id == f"rtsp://127.0.0.1:{server.port}/stream"


def test_credentials_reach_the_camera_and_nothing_else(camera: RtspCamera) -> None:
    url = camera.url.replace("rtsp://", f"rtsp://admin:{PASSWORD}@")
    with Reader(open_source(url, live=QUICK)) as reader:
        reader.until_frames(2, 15)
        camera.kill()
        reader.until_flaws(2, 10)
        said = str(reader.source.flaws) + repr(reader.source) + repr(reader.frames[0]) + repr(reader.frames[0].origin)
    assert "disconnected" in said
    assert "hunter2" not in said
    assert "admin" not in said


@pytest.mark.parametrize(
    "address",
    [
        f"rtsp://admin:{PASSWORD}@:554/x",
        f"rtsp:/admin:{PASSWORD}@camera/x",
        f"rtsp:admin:{PASSWORD}@camera",
        f"rtsp://admin:{PASSWORD}@[::1/x",
        f"rtsp://admin:{PASSWORD}@camera:port/x",
        f"rtsp://admin:{PASSWORD}@camera/a b",
        f"rtsp://admin:{PASSWORD}@camera/x\r\nTeardown: *",
        f"rtsp://admin:half/{PASSWORD}@camera/x",
        f"rtsp://camera/x@{PASSWORD}",
        f"rtsp://camera/x?user=a@{PASSWORD}",
        f"rtsp://admin:half#{PASSWORD}@camera/x",
        f"rtsp://camera/x#{PASSWORD}",
        f"rtsp://admin:{PASSWORD}@camera:/x",
    ],
)
def test_an_address_that_is_none_is_refused_without_printing_it(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(address)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + str(caught.value.as_json())


def test_channels_of_one_recorder_are_told_apart_and_passwords_left_out() -> None:
    names = [
        open_source(f"rtsp://a:{PASSWORD}@nvr/live?channel={channel}&token={PASSWORD}&Subtype=0").origin.camera_id
        for channel in (1, 2)
    ]
    assert names == [f"rtsp://nvr/live?channel={channel}&Subtype=0" for channel in (1, 2)]


@pytest.mark.parametrize("scheme", ["http", "https", "tcp", "udp", "rtmp", "ftp", "srt", "hls+http", "concat"])
def test_addresses_of_other_kinds_are_refused_and_never_contacted(scheme: str) -> None:
    with ScriptedServer(silent) as canary:
        with pytest.raises(UsageError) as caught:
            open_source(f"{scheme}://admin:{PASSWORD}@127.0.0.1:{canary.port}/x")
        assert "hunter2" not in str(caught.value.as_json())
        assert canary.connections == 0


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/x", "tcp://127.0.0.1:{port}", "file:///etc/hostname", "rtsp"]
)
def test_a_redirection_leaves_rtsp_for_no_other_protocol(target: str) -> None:
    with ScriptedServer(refusing) as canary:
        control = target == "rtsp"
        target = f"rtsp://127.0.0.1:{canary.port}/x" if control else target.format(port=canary.port)

        def redirecting(request: bytes, _connection: socket.socket) -> bytes:
            return rtsp_reply(request, "302 Found", f"Location: {target}")

        with ScriptedServer(redirecting) as server:
            url = f"rtsp://admin:{PASSWORD}@127.0.0.1:{server.port}/x"
            with Reader(open_source(url, live=QUICK)) as reader:
                reader.until(lambda: reader.ended, 8)
            assert server.requests
        assert isinstance(reader.failure, SourceError)
        # The control: FFmpeg does follow to another RTSP address, and the canary sees it; the password stays behind.
        assert bool(canary.connections) == control
        assert not any(PASSWORD.encode() in request for request in canary.requests)
