"""The relay against real sockets: cameras that work, hang, close, flood, or show a wrong certificate."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.cameras import RtspCamera, ScriptedServer, free_port

from habeas.clock import SystemClock
from habeas.engine.relay import Count, Relay, Target, open_door
from habeas.errors import InputError
from habeas.settings import LiveSettings
from habeas.video.address import AddressRules, CameraAddress, parse_address, rules_with
from habeas.video.live import LiveStream

SOON_S: Final = 10.0
PAUSE: Final = threading.Event()  # never set


def camera_at(port: int, *, scheme: str = "rtsp", host: str = "camera.invalid") -> CameraAddress:
    """A camera whose name nobody could resolve: the relay has to use its checked address."""
    return CameraAddress(scheme, host, port, "/x", "", "", ("127.0.0.1",))


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s
        PAUSE.wait(0.005)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay(connect_s=0.5) as relay:
        yield relay


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with open_door() as door:
        yield door


def enter(door: socket.socket) -> socket.socket:
    return socket.create_connection(door.getsockname(), timeout=SOON_S)


def read_all(connection: socket.socket) -> bytes:
    """Read to the end; an abort is an end."""
    got = b""
    try:
        while chunk := connection.recv(65536):
            got += chunk
    except ConnectionResetError:
        return got
    return got


def echo(request: bytes, _connection: socket.socket) -> bytes:
    return request


def test_bytes_pass_both_ways_and_are_counted(relay: Relay, door: socket.socket) -> None:
    with ScriptedServer(echo) as camera:
        count = relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as worker:
            worker.sendall(b"hello")
            assert worker.recv(16) == b"hello"
        assert (count.connections, count.refused) == (1, 0)
        assert (count.to_camera_bytes, count.from_camera_bytes) == (5, 5)
        assert count.flaws.noted() == ()


def test_a_real_camera_is_decoded_through_it(relay: Relay, door: socket.socket) -> None:
    with RtspCamera() as camera:
        relay.serve(door, Target(camera_at(camera.port)))
        url = camera.url.replace(str(camera.port), str(door.getsockname()[1]))
        with LiveStream(url, LiveSettings(stall_s=5), SystemClock()) as stream:
            frames = stream.frames()
            assert [next(frames).index for _ in range(20)] == list(range(20))
            frames.close()


def test_the_last_bytes_before_a_camera_closes_arrive(relay: Relay, door: socket.socket) -> None:
    def answer_and_close(_request: bytes, connection: socket.socket) -> bytes:
        connection.sendall(b"x" * 300_000)
        connection.shutdown(socket.SHUT_RDWR)
        return b""

    with ScriptedServer(answer_and_close) as camera:
        relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as worker:
            worker.sendall(b"?")
            assert len(read_all(worker)) == 300_000


def test_a_camera_that_is_not_there_ends_the_connection_and_is_told(relay: Relay, door: socket.socket) -> None:
    count = relay.serve(door, Target(camera_at(free_port())))
    with enter(door) as worker:
        assert read_all(worker) == b""
    assert (count.connections, count.refused) == (0, 1)
    assert count.flaws.noted() == ("cannot connect: connection refused",)


def test_a_camera_that_hangs_costs_another_nothing(relay: Relay, door: socket.socket) -> None:
    def silent(_request: bytes, _connection: socket.socket) -> bytes:
        return b""

    with ScriptedServer(silent) as hanging, ScriptedServer(echo) as camera, open_door() as other:
        relay.serve(door, Target(camera_at(hanging.port)))
        relay.serve(other, Target(camera_at(camera.port)))
        with enter(door) as stuck, enter(other) as worker:
            stuck.sendall(b"anyone?")
            until(lambda: bool(hanging.requests))
            worker.sendall(b"hello")
            assert worker.recv(16) == b"hello"
            stuck.settimeout(0.1)
            with pytest.raises(TimeoutError):
                stuck.recv(1)


class Flood:
    """A camera that sends as much as is taken."""

    def __init__(self) -> None:
        self.sent = 0
        self.over = threading.Event()

    def __call__(self, _request: bytes, connection: socket.socket) -> bytes:
        connection.settimeout(0.1)
        while not self.over.is_set():
            try:
                self.sent += connection.send(b"x" * 65536)
            except TimeoutError:
                continue
        return b""


def test_who_entered_as_the_door_was_released_is_put_out(relay: Relay, door: socket.socket) -> None:
    async def enter_and_release(port: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        relay._enter(relay._doors[door.fileno()], reader, writer)
        await relay._release(door.fileno())  # before the connection's task took its first step
        return writer.transport.is_closing()

    with ScriptedServer(echo) as camera:
        relay.serve(door, Target(camera_at(camera.port)))
        entered = enter_and_release(camera.port)
        assert asyncio.run_coroutine_threadsafe(entered, relay._loop).result(SOON_S)


def standing_still(count: Count) -> bool:
    before = count.from_camera_bytes
    PAUSE.wait(0.3)
    return before > 0 and count.from_camera_bytes == before


def test_a_flood_waits_until_it_is_read(relay: Relay, door: socket.socket) -> None:
    flood = Flood()
    with ScriptedServer(flood) as camera, ScriptedServer(echo) as calm, open_door() as other:
        count = relay.serve(door, Target(camera_at(camera.port)))
        relay.serve(other, Target(camera_at(calm.port)))
        try:
            with enter(door) as worker, enter(other) as healthy:
                worker.sendall(b"?")
                until(lambda: standing_still(count))
                assert count.from_camera_bytes < 64 << 20  # the kernel's buffers and ours; endless otherwise
                healthy.sendall(b"hello")
                assert healthy.recv(16) == b"hello"
                before = count.from_camera_bytes
                worker.recv(1 << 20)
                until(lambda: bool(worker.recv(1 << 20)) and count.from_camera_bytes > before)
                began_s = time.monotonic()
                relay.release(door)
                assert time.monotonic() - began_s < 0.5
        finally:
            flood.over.set()


def drip(_request: bytes, connection: socket.socket) -> bytes:
    """A picture as cameras send it: in many small writes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(200):
        connection.sendall(b"drop")
        PAUSE.wait(0.001)
    return b""


def test_many_small_writes_arrive_whole_in_few_reads(relay: Relay, door: socket.socket) -> None:
    with ScriptedServer(drip) as camera:
        count = relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as worker:
            began_s, reads, got = time.monotonic(), 0, b""
            worker.sendall(b"?")
            while len(got) < 200 * len(b"drop"):
                chunk = worker.recv(65536)
                assert chunk
                got, reads = got + chunk, reads + 1
            rests = (time.monotonic() - began_s) / 0.02
            assert got == b"drop" * 200
            assert reads <= rests + 2
            assert count.from_camera_bytes == len(got)


def test_a_worker_that_leaves_leaves_the_camera(relay: Relay, door: socket.socket) -> None:
    left = threading.Event()

    def listening(request: bytes, connection: socket.socket) -> bytes:
        if not connection.recv(1):
            left.set()
        return request

    with ScriptedServer(listening) as camera:
        relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as worker:
            worker.sendall(b"x")
            until(lambda: bool(camera.requests))
        assert left.wait(SOON_S)


def test_a_door_has_no_more_connections_than_a_camera_needs(relay: Relay, door: socket.socket) -> None:
    with ScriptedServer(echo) as camera:
        count = relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as one, enter(door) as two:
            for each in (one, two):
                each.sendall(b"x")
                assert each.recv(1) == b"x"
            with enter(door) as three:
                assert read_all(three) == b""
        assert camera.connections == 2
        assert count.refused == 1
        assert "more connections" in count.flaws.noted()[0]


def test_a_released_door_leads_nowhere_and_then_to_another_camera(relay: Relay, door: socket.socket) -> None:
    with ScriptedServer(echo) as first, ScriptedServer(echo) as second:
        relay.serve(door, Target(camera_at(first.port)))
        with enter(door) as worker:
            worker.sendall(b"x")
            assert worker.recv(1) == b"x"
            relay.release(door)
            assert read_all(worker) == b""
        with enter(door) as early:  # it waits at the door, from the last camera's time
            early.sendall(b"meant for the first")
            relay.serve(door, Target(camera_at(second.port)))
            assert read_all(early) == b""
        with enter(door) as worker:
            worker.sendall(b"y")
            assert worker.recv(1) == b"y"
        assert second.requests == [b"y"]
        assert first.requests == [b"x"]


def test_a_door_never_leads_to_a_file_or_to_nothing() -> None:
    with pytest.raises(InputError):
        Target(CameraAddress("file", "", 0, "/video.mp4", "", "", (), Path("/video.mp4")))
    with pytest.raises(InputError):
        Target(CameraAddress("rtsp", "camera.invalid", 554, "/", "", "", ()))


def test_what_is_no_door_is_refused(relay: Relay) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        for wrong in (ours, datagrams):
            with pytest.raises(InputError):
                relay.serve(wrong, Target(camera_at(554)))


def test_closing_ends_everything(door: socket.socket) -> None:
    with ScriptedServer(echo) as camera:
        relay = Relay()
        relay.serve(door, Target(camera_at(camera.port)))
        with enter(door) as worker:
            worker.sendall(b"x")
            assert worker.recv(1) == b"x"
            relay.close()
            assert read_all(worker) == b""
        relay.close()  # twice is as good as once


# --- TLS --------------------------------------------------------------------------------------------------------------


class TlsCamera:
    """Answers over TLS, with a certificate for `camera.invalid` that signs itself."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "camera.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("camera.invalid"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = folder / "key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key_file)
        self.requests: list[bytes] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(SOON_S)
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    while request := connection.recv(1024):
                        self.requests.append(request)
                        connection.sendall(request)
            except OSError:
                continue
            finally:
                plain.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SOON_S)


def test_the_relay_speaks_tls_so_that_the_worker_need_not(tmp_path: Path, door: socket.socket) -> None:
    with TlsCamera(tmp_path) as camera, Relay(ssl.create_default_context(cafile=camera.certificate)) as relay:
        count = relay.serve(door, Target(camera_at(camera.port, scheme="rtsps")))
        with enter(door) as worker:
            worker.sendall(b"plain")
            assert worker.recv(16) == b"plain"
        assert camera.requests == [b"plain"]
        assert (count.to_camera_bytes, count.from_camera_bytes) == (5, 5)


@pytest.mark.parametrize("wrong", ["unknown authority", "another host"])
def test_a_certificate_that_is_not_the_cameras_is_refused(tmp_path: Path, door: socket.socket, wrong: str) -> None:
    with TlsCamera(tmp_path) as camera:
        trusting = ssl.create_default_context(cafile=camera.certificate)
        host = "camera.invalid" if wrong == "unknown authority" else "other.invalid"
        with Relay(None if wrong == "unknown authority" else trusting) as relay:
            count = relay.serve(door, Target(camera_at(camera.port, scheme="rtsps", host=host)))
            with enter(door) as worker:
                worker.sendall(b"secret")
                assert read_all(worker) == b""
        assert camera.requests == []
        assert (count.connections, count.refused) == (0, 1)
        assert "certificate is not trusted" in count.flaws.noted()[0]


def test_a_camera_that_hangs_in_its_handshake_is_given_up(relay: Relay, door: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never:
        count = relay.serve(door, Target(camera_at(never.getsockname()[1], scheme="rtsps")))
        with enter(door) as worker:
            assert read_all(worker) == b""
        assert count.flaws.noted() == ("cannot connect: no answer within 0.5 s",)


RULES: Final = rules_with(["127.0.0.1/32", "127.0.0.2/32"])


def named_target(port: int) -> Target:
    """A camera whose name nobody asked for yet."""
    rules = AddressRules(RULES.networks, (port,))
    return Target(parse_address(f"rtsp://camera.lan:{port}/x", rules, resolve=None), rules)


def test_a_name_is_asked_for_before_each_connection_and_a_camera_that_moved_is_found(door: socket.socket) -> None:
    def gone(_name: str) -> list[str]:
        raise InputError("the host camera.lan is unknown", remedy="none")

    answers: list[Callable[[str], list[str]]] = [
        gone,
        lambda _: ["127.0.0.2"],
        lambda _: ["127.0.0.3"],
        lambda _: ["127.0.0.1"],
    ]

    def resolve(name: str) -> list[str]:
        return answers.pop(0)(name)

    with ScriptedServer(echo) as camera, Relay(connect_s=0.5, resolve=resolve) as relay:
        count = relay.serve(door, named_target(camera.port))
        for refused in (1, 2, 3):
            with enter(door) as worker:
                assert read_all(worker) == b""
            assert count.refused == refused
        with enter(door) as worker:
            worker.sendall(b"hello")
            assert worker.recv(16) == b"hello"
        unknown, not_there, not_allowed = count.flaws.noted()
        assert unknown == "cannot connect: the host camera.lan is unknown"
        assert "refused" in not_there
        assert "127.0.0.3 (camera.lan) is in no network" in not_allowed


def test_a_resolver_that_hangs_holds_up_no_other_door_and_is_asked_once(door: socket.socket) -> None:
    hanging, asked = threading.Event(), []

    def resolve(name: str) -> list[str]:
        asked.append(name)
        hanging.wait(60)
        return ["127.0.0.1"]

    with ScriptedServer(echo) as camera, open_door() as other, Relay(connect_s=0.3, resolve=resolve) as relay:
        count = relay.serve(door, named_target(camera.port))
        relay.serve(other, Target(camera_at(camera.port)))
        with enter(door) as first, enter(other) as worker:
            worker.sendall(b"hello")
            assert worker.recv(16) == b"hello"
            assert read_all(first) == b""
        with enter(door) as second:
            assert read_all(second) == b""
        assert asked == ["camera.lan"]
        assert count.flaws.noted() == ("cannot connect: no answer to its name within 0.3 s",)
        hanging.set()
        until(lambda: not any(each.name == "names" for each in threading.enumerate()))
        with enter(door) as worker:
            worker.sendall(b"hello")
            assert worker.recv(16) == b"hello"
