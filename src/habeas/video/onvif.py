"""Cameras that say where they are: WS-Discovery finds them, ONVIF tells their streams. Behind the extra `[onvif]`.

Everything here comes from devices that nobody vouches for. One probe goes out and answers are collected on one socket
for a bounded time; the packages (`WSDiscovery`, LGPL-3.0-or-later, and `onvif-zeep-async`, MIT) build and read the
messages. What they would do with a hostile answer is taken from them: requests go to one checked address, over a line
that follows no redirect, knows no proxy, reads at most `MAX_BYTES`, and refuses XML with a document type or deep
nesting before any tree is built. A stream's address is parsed like one that a stranger typed, and must be on the camera
itself.

Only plain HTTP and IPv4 discovery: the password is sent as a digest (WS-Security), never as it is.
"""

import asyncio
import importlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote
from xml.parsers import expat

from habeas.clock import SystemClock
from habeas.errors import InputError, SourceError, UsageError
from habeas.ports import Clock
from habeas.types import NS_PER_S
from habeas.video.address import AddressRules, Resolver, checked_host, parse_address, system_resolver

MAX_BYTES: Final = 1 << 20
"""Of one answer; the longest of real devices, a recorder's list of profiles, has some 100,000."""
MAX_DEPTH: Final = 64
MAX_PROFILES: Final = 256
MAX_MESSAGES: Final = 2000
ONVIF_PORTS: Final = (80, 888, 2020, 5000, 8000, 8080, 8081, 8899, 8999, 10080)
WS_DISCOVERY: Final = ("239.255.255.250", 3702)
_ROUNDS: Final = 2
"""A probe is sent twice: the network may lose one."""
_DATAGRAM_BYTES: Final = 65536
_MAX_TEXT: Final = 80
_MAX_SCOPES: Final = 32
_MAX_SIDE_PX: Final = 32768
_MAX_RATE_HZ: Final = 1000
_UNAUTHORISED: Final = 401
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1"})
_NO_CAMERA: Final = "check address and port: no ordinary camera answers so"
_NAME_SCOPE: Final = "onvif://www.onvif.org/name/"
_SERVICE: Final = re.compile(r"http://([0-9.]{7,15})(?::([1-9][0-9]{0,4}))?(?:/.*)?", re.DOTALL)
_VIDEO_DEVICE: Final = ("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")
_MALFORMED: Final = (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What the packages raise on answers that lack a part or have a wrong one."""


@dataclass(frozen=True)
class FoundCamera:
    """A device that answered a probe.

    Args:
        host: the IP address that it answered from.
        port: of its ONVIF service.
        name: as it says, printable, at most 80 characters; empty: none.
        scopes: what it says of itself, printable.
    """

    host: str
    port: int
    name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class FoundStream:
    """A stream that a device offers.

    Args:
        profile: its name, printable, at most 80 characters.
        size_wh: width and height in pixels; None: not said.
        rate_hz: pictures a second at most; None: not said.
        encoding: `H264` and the like; empty: not said.
        url: without user and password; empty: refused. Its path may hold what the camera put there: not in `repr`.
        refused: why the address may not be used; empty: it may.
    """

    profile: str
    size_wh: tuple[int, int] | None
    rate_hz: float | None
    encoding: str
    url: str = field(repr=False)
    refused: str = ""


# --- discovery --------------------------------------------------------------------------------------------------------


def discover(
    timeout_s: float = 3.0,
    *,
    rules: AddressRules | None = None,
    interface: str = "",
    to: tuple[str, int] = WS_DISCOVERY,
    clock: Clock | None = None,
) -> list[FoundCamera]:
    """Ask the local network for cameras (WS-Discovery), without credentials.

    A device is listed if it answers this probe from an allowed address and names a service on that very address.

    Args:
        timeout_s: how long to listen in all.
        rules: where cameras may be.
        interface: IPv4 address of the network interface to ask on; empty: the system's choice.
        to: whom to ask; one device's address where multicast does not reach it (bridged containers).
        clock: ends the listening.

    Returns:
        By address, each once.

    Raises:
        UsageError: the extra is not installed.
        SourceError: the network cannot be asked.
    """
    messages = _load("wsdiscovery.message")
    envelope = _load("wsdiscovery.actions").constructProbe([_load("wsdiscovery.qname").QName(*_VIDEO_DEVICE)], None)
    probe = messages.createSOAPMessage(envelope).encode()
    found: dict[tuple[str, int], FoundCamera] = {}
    for data, sender in _answers(probe, timeout_s, interface, to, clock or SystemClock()):
        for camera in _cameras(messages.parseSOAPMessage, data, sender, envelope.getMessageId(), rules):
            found.setdefault((camera.host, camera.port), camera)
    return [found[key] for key in sorted(found)]


def _answers(
    probe: bytes, timeout_s: float, interface: str, to: tuple[str, int], clock: Clock
) -> Iterator[tuple[bytes, str]]:
    """Send the probe and yield what comes back, with the sender's address, until time or `MAX_MESSAGES` are over."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            if interface:
                line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
                line.bind((interface, 0))
            left = MAX_MESSAGES
            for _ in range(_ROUNDS):
                line.sendto(probe, to)
                for answer in _until(line, clock, clock.monotonic_ns() + round(timeout_s / _ROUNDS * NS_PER_S)):
                    yield answer
                    left -= 1
                    if not left:
                        return
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(f"the network cannot be asked for cameras ({reason})", remedy="check the interface") from None


def _until(line: socket.socket, clock: Clock, end_ns: int) -> Iterator[tuple[bytes, str]]:
    while (left_ns := end_ns - clock.monotonic_ns()) > 0:
        line.settimeout(left_ns / NS_PER_S)
        try:
            data, (sender, _) = line.recvfrom(_DATAGRAM_BYTES)
        except TimeoutError:
            return
        yield data, sender


def _cameras(
    parse: Callable[[bytes, str], Any], data: bytes, sender: str, message_id: str, rules: AddressRules | None
) -> Iterator[FoundCamera]:
    """Yield the cameras of one answer; one that is malformed, unasked for, or about somebody else has none."""
    try:
        (host,) = checked_host(sender, rules or AddressRules())
        check_xml(data)
        answer = parse(data, sender)
        matches = answer.getProbeResolveMatches() if answer and answer.getRelatesTo() == message_id else []
        for match in matches:
            port = next(filter(None, (_port(text, host) for text in match.getXAddrs())), None)
            if port is not None:
                scopes = tuple(_plain(scope.getValue()) for scope in match.getScopes()[:_MAX_SCOPES])
                yield FoundCamera(host, port, _name(scopes), scopes)
    except (InputError, *_MALFORMED):
        return


def _port(service: str, host: str) -> int | None:
    """Return the port of a service's address if it is on this host: a camera speaks for itself only."""
    matched = _SERVICE.fullmatch(service)
    return int(matched[2] or 80) if matched and matched[1] == host else None


def _name(scopes: tuple[str, ...]) -> str:
    return next((_plain(unquote(s.removeprefix(_NAME_SCOPE))) for s in scopes if s.startswith(_NAME_SCOPE)), "")


def _plain(text: object) -> str:
    """Return a device's text without what could confuse a terminal or a page's layout, cut short."""
    return "".join(filter(str.isprintable, str(text or "")))[:_MAX_TEXT]


# --- streams ----------------------------------------------------------------------------------------------------------


def streams(
    host: str,
    port: int,
    user: str,
    password: str,
    *,
    rules: AddressRules | None = None,
    ports: tuple[int, ...] = ONVIF_PORTS,
    resolve: Resolver = system_resolver,
    timeout_s: float = 20.0,
) -> list[FoundStream]:
    """Ask one camera for its streams. Blocks; not for the thread of an event loop.

    Its clock is asked first, and the request dated by it: cameras' clocks are often wrong.

    Args:
        host: an IP address or a name.
        port: of its ONVIF service.
        user: of the camera.
        password: of the camera; leaves this process only as a digest.
        rules: where cameras may be, and on which ports their streams.
        ports: where an ONVIF service may be.
        resolve: asked once for a name.
        timeout_s: for the whole conversation.

    Returns:
        One for each profile, in the camera's order; one whose address may not be used says why.

    Raises:
        UsageError: the extra is not installed.
        InputError: the host or port is not allowed.
        SourceError: no answer, a refusal, or an answer that cannot be used.
    """
    rules = rules or AddressRules()
    if port not in ports:
        raise InputError(f"cameras' ONVIF services may not be on port {port}", remedy="check the port, usually 80")
    addresses = checked_host(host, rules, resolve)
    with _translated(f"{addresses[0]}:{port}"):
        told = asyncio.run(_ask(addresses[0], port, user, password, timeout_s))
    return [_stream(profile, uri, addresses, rules) for profile, uri in told]


async def _ask(address: str, port: int, user: str, password: str, timeout_s: float) -> list[tuple[Any, str]]:
    """Return the camera's profiles, each with the address of its stream."""
    async with asyncio.timeout(timeout_s), _load("httpx").AsyncClient(trust_env=False, timeout=timeout_s) as client:
        netloc = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        camera = _device(_Line(client, f"http://{netloc}/"), address, port, user, password)
        try:
            await camera.update_xaddrs()
            media = await camera.create_media_service()
            profiles = await media.GetProfiles() or []
            if len(profiles) > MAX_PROFILES:
                raise SourceError(f"{netloc}: has {len(profiles)} profiles", remedy="add its streams by their address")
            return [(profile, await _uri(media, profile.token)) for profile in profiles]
        finally:
            await camera.close()


async def _uri(media: Any, token: str) -> str:
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    return str((await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": token})).Uri)


def _stream(profile: Any, uri: str, camera: tuple[str, ...], rules: AddressRules) -> FoundStream:
    encoder = getattr(profile, "VideoEncoderConfiguration", None)
    size = getattr(encoder, "Resolution", None)
    width, height = (_bounded(getattr(size, side, None), _MAX_SIDE_PX) for side in ("Width", "Height"))
    rate_hz = _bounded(getattr(getattr(encoder, "RateControl", None), "FrameRateLimit", None), _MAX_RATE_HZ)
    url, refused = _checked_url(uri, camera, rules)
    return FoundStream(
        profile=_plain(getattr(profile, "Name", "")),
        size_wh=(int(width), int(height)) if width and height else None,
        rate_hz=rate_hz,
        encoding=_plain(getattr(encoder, "Encoding", "")),
        url=url,
        refused=refused,
    )


def _bounded(value: object, highest: float) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value <= highest else None


def _checked_url(uri: str, camera: tuple[str, ...], rules: AddressRules) -> tuple[str, str]:
    """Return the address without credentials, or nothing and why it is refused."""
    try:
        address = parse_address(uri, rules, _no_names)
    except InputError as error:
        return "", error.message
    if address.file is not None or address.addresses[0] not in camera:
        return "", "the stream is not on the camera itself"
    return address.source(), ""


def _no_names(_name: str) -> list[str]:
    raise InputError("the stream's address has a name for a host", remedy="add the stream by its IP address")


# --- the line ---------------------------------------------------------------------------------------------------------


class _Line:
    """What requests go over, in place of the package's own transport (zeep's interface)."""

    def __init__(self, client: Any, base: str) -> None:
        self._client = client
        self._base = base

    async def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Any:
        """Send one request and return the answer, all of it, checked."""
        if not address.startswith(self._base):
            raise SourceError(f"{self._base} sends us elsewhere", remedy="add its streams by their address")
        content = _load("lxml.etree").tostring(envelope, xml_declaration=True, encoding="utf-8")
        headers = {**headers, "Accept-Encoding": "identity"}
        async with self._client.stream("POST", address, content=content, headers=headers) as response:
            if response.is_redirect or "Content-Encoding" in response.headers:
                raise SourceError(f"{self._base} redirects or compresses", remedy="add its streams by their address")
            body = b"" if response.status_code == _UNAUTHORISED else await _limited(response.aiter_raw())
        if body:
            check_xml(body)
        return _load("httpx").Response(response.status_code, content=body, headers={"Content-Type": "text/xml"})


async def _limited(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BYTES:
            raise SourceError(f"an answer is longer than {MAX_BYTES} bytes", remedy="add the streams by their address")
    return bytes(body)


def check_xml(data: bytes) -> None:
    """Check that XML is plain: an ordinary encoding, no document type (so no entities), bounded depth. Builds no tree.

    Raises:
        SourceError: it is not.
    """
    depth = 0

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        # Two parsers that disagree on an encoding would read two documents.
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise SourceError("XML in an unusual encoding", remedy=_NO_CAMERA)

    def opened(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise SourceError("XML is nested too deep", remedy=_NO_CAMERA)

    def closed(_: str) -> None:
        nonlocal depth
        depth -= 1

    def typed(*_: object) -> None:
        raise SourceError("XML has a document type", remedy=_NO_CAMERA)

    parser = expat.ParserCreate()
    parser.XmlDeclHandler, parser.StartDoctypeDeclHandler = declared, typed
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise SourceError("an answer is no well-formed XML", remedy=_NO_CAMERA) from None


# --- the packages -----------------------------------------------------------------------------------------------------


def _load(name: str) -> Any:
    """Import a module of the extra, when it is first needed."""
    try:
        with _undisturbed():
            return importlib.import_module(name)
    except ImportError:
        raise UsageError(
            "looking for cameras needs packages that are not installed", remedy="pip install 'habeas[onvif]'"
        ) from None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the ONVIF package from setting up the process's logging and dropping its proxies, as it does."""
    root, nothing = logging.getLogger(), logging.NullHandler()
    proxies = {name: os.environ[name] for name in ("http_proxy", "https_proxy") if name in os.environ}
    root.addHandler(nothing)
    try:
        yield
    finally:
        root.removeHandler(nothing)
        os.environ.update(proxies)


def _device(line: _Line, address: str, port: int, user: str, password: str) -> Any:
    """Return the package's camera, all of its services on our line and on the address that was checked."""

    class Device(_load("onvif.client").ONVIFCamera):  # type: ignore[misc]  # the package has no types
        async def create_onvif_service(self, *args: Any, **options: Any) -> Any:
            service = await super().create_onvif_service(*args, **options)
            service.zeep_client.transport = service.zeep_client_authless.transport = line
            return service

    with _undisturbed():
        # No cache: it would be a file in the user's folder. NAT: services are where we asked, whatever they say.
        return Device(address, port, user, password, no_cache=True, adjust_time=True, nat_override=True)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn the packages' errors into `SourceError`; their text comes from the device and is left out."""
    zeep, others = _load("zeep.exceptions"), (_load("onvif.exceptions").ONVIFError, _load("httpx").HTTPError)
    try:
        yield
    except TimeoutError:
        raise SourceError(f"{name}: no answer in time", remedy="check address and port") from None
    except (zeep.Fault, zeep.TransportError) as error:
        said = "".join(map(str, (error.message, *(getattr(error, "subcodes", None) or ())))).replace(" ", "").lower()
        if getattr(error, "status_code", 0) == _UNAUTHORISED or "notauthorized" in said:
            raise SourceError(
                f"{name}: refuses the user name or password", remedy="some cameras have users of their own for ONVIF"
            ) from None
        raise SourceError(f"{name}: refuses to tell its streams", remedy="add them by their address") from None
    except (zeep.Error, *others, _load("lxml.etree").Error, *_MALFORMED) as error:
        kind = type(error).__name__
        raise SourceError(f"{name}: no answer that ONVIF allows ({kind})", remedy="check address and port") from None
