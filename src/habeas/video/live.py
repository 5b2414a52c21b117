"""Live streams: connect, notice that a camera stalled or hung up, connect again.

A live stream has no end: end of file is a disconnection. FFmpeg's own socket timeout bounds every read, so the thread
that reads comes back by itself; it answers about twice the timeout after the last packet.
"""

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import av
import av.error
from av.video.stream import VideoStream

from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.settings import LiveSettings
from habeas.types import NS_PER_S, Frame, Origin, OriginKind
from habeas.video.edge import Flaws, origin, quiet, translated
from habeas.video.file import FrameNumbering, video_stream
from habeas.video.masks import Mask
from habeas.video.parts import Part
from habeas.video.reencode import Covered, Covering
from habeas.video.remux import Remux

_T = TypeVar("_T")
_CHANNEL_KEYS: Final = frozenset({"camera", "channel", "id", "profile", "stream", "subtype", "track"})
_RATE_HZ: Final = 25.0
_PROTOCOLS: Final = "rtsp,rtsps,rtp,rtcp,srtp,tcp,tls,udp"


def public_name(url: str) -> str:
    """Return a stream's address without user name, password or fragment: safe to print.

    Of the query only what tells channels apart is kept; cameras take passwords there too.
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "")
    port = f":{parts.port}" if parts.port else ""
    path = "/".join("…" if set(segment) & set("=;") else segment for segment in parts.path.split("/"))
    told = [(key, value) for key, value in parse_qsl(parts.query) if key.lower() in _CHANNEL_KEYS]
    query = f"?{urlencode(told)}" if told else ""
    return f"{parts.scheme}://{host}{port}{path}{query}"


class LiveStream:
    """An RTSP camera: its frames, or what is recorded of it.

    Connecting happens in `frames()` and `parts()`, in the thread that reads, so that one dead camera delays no other.

    Args:
        url: `rtsp://` or `rtsps://`, with credentials if needed; never printed.
        settings: stall limit, backoff, transport.
        clock: stamps frames.

    Raises:
        SourceError: the address has no host.
    """

    def __init__(self, url: str, settings: LiveSettings, clock: Clock) -> None:
        quiet()
        try:
            name = public_name(url)
        except ValueError:
            raise SourceError("a stream's address cannot be parsed", remedy="write rtsp://host:port/path") from None
        if any(character <= " " or character == "\x7f" for character in url):
            # A line break would become a line of the request.
            raise SourceError("a stream's address has spaces or control characters", remedy="write them as %20")
        if "@" in url.partition("://")[2].partition("/")[2] or urlsplit(url).netloc.endswith(":") or "#" in url:
            # Not printed: a password with a slash or a hash in it would be taken for a part of the path.
            raise SourceError(
                "a stream's address has @, # or an empty port", remedy="write / @ # of a password as %2F %40 %23"
            )
        if not urlsplit(url).hostname:
            # Not printed: without a host, a password would be part of the path.
            raise SourceError("a stream's address names no host", remedy="write rtsp://host:port/path")
        self._url = url
        self._settings = settings
        self._clock = clock
        self._origin = origin(OriginKind.LIVE, name)
        self._flaws = Flaws()
        self._closed = threading.Event()
        self._jitter = random.Random()  # noqa: S311 - spreads reconnections, guards nothing

    @property
    def origin(self) -> Origin:
        """The camera, without credentials."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """Nominal rate; cameras do not say reliably."""
        return _RATE_HZ

    @property
    def duration_ns(self) -> int | None:
        """None: it has no end."""
        return None

    @property
    def flaws(self) -> tuple[str, ...]:
        """Stalls and reconnections, oldest first."""
        return self._flaws.noted()

    def frames(self) -> Iterator[Frame]:
        """Yield frames until `close`; reconnect after every stall or disconnection.

        Raises:
            SourceError: the first connections failed for as long as the stall limit.
        """
        numbered = FrameNumbering(self._origin, _RATE_HZ, self._flaws)
        return self._reconnecting(lambda: self._frames_of_one(numbered))

    def parts(self) -> Iterator[Part]:
        """Yield what is recorded, instead of frames: nothing is decoded. Connections as in `frames`.

        Raises:
            SourceError: the first connections failed for as long as the stall limit, or its codec is not recorded.
        """
        following = itertools.count()
        return self._reconnecting(lambda: self._parts_of_one(following))

    def covered(self, masks: Sequence[Mask]) -> Iterator[Covered | None]:
        """Yield pictures with masks in their pixels, instead of frames, and None where a connection ended.

        Args:
            masks: what is covered.

        Raises:
            SourceError: the first connections failed, or gave no picture, for as long as the stall limit.
        """
        return self._reconnecting(lambda: self._covered_of_one(masks))

    def _reconnecting(self, connection: Callable[[], Iterator[_T]]) -> Iterator[_T]:
        """Yield what one connection after another gives."""
        began_ns = self._clock.monotonic_ns()
        count = failures = 0
        while not self._closed.is_set():
            before = count
            failure = SourceError(f"{self._origin.camera_id}: the stream ended", remedy="check the camera")
            try:
                for one in connection():
                    count += 1
                    yield one
            except SourceError as error:
                failure = error
            waited_ns = self._clock.monotonic_ns() - began_ns
            if not count and waited_ns >= self._settings.stall_s * NS_PER_S and not self._closed.is_set():
                raise failure
            failures = 0 if count > before else failures + 1
            if self._closed.is_set():
                return
            why = failure.message.removeprefix(f"{self._origin.camera_id}: ")
            self._flaws.note(f"disconnected, trying again: {why}" if count else f"cannot connect, trying again: {why}")
            self._closed.wait(self._pause_s(failures))

    def _frames_of_one(self, numbered: FrameNumbering) -> Iterator[Frame]:
        with ExitStack() as stack, translated(self._origin.camera_id):
            _stream, packets = self._connect(stack)
            numbered.restart()
            for packet in packets:
                for decoded in _decode(packet):
                    yield numbered.frame(decoded, self._clock.now_ns())

    def _parts_of_one(self, following: Iterator[int]) -> Iterator[Part]:
        with ExitStack() as stack, translated(self._origin.camera_id):
            stream, packets = self._connect(stack)
            remux = Remux(stream, self._origin.camera_id, self._flaws, following)
            try:
                for packet in packets:
                    yield from remux.take(packet, self._clock.now_ns())
            except (SourceError, av.error.FFmpegError):
                yield from remux.finish()
                raise
            yield from remux.finish()

    def _covered_of_one(self, masks: Sequence[Mask]) -> Iterator[Covered | None]:
        with ExitStack() as stack, translated(self._origin.camera_id):
            stream, packets = self._connect(stack)
            covering = Covering(stream, self._origin.camera_id, masks, self._flaws)
            try:
                for packet in packets:
                    yield from covering.take(packet, self._clock.now_ns())
            except (SourceError, av.error.FFmpegError):
                yield from covering.finish()
                raise
            yield from covering.finish()

    def _connect(self, stack: ExitStack) -> tuple[VideoStream, Iterator["av.Packet[VideoStream]"]]:
        """Open the stream, and return it with its packets until `close`."""
        # The socket's timeout sees silence; the deadline for each packet sees a camera that talks but sends none.
        deadline_s = self._settings.stall_s
        container = stack.enter_context(
            av.open(self._url, mode="r", options=rtsp_options(self._settings), timeout=(deadline_s, deadline_s))
        )
        stream = video_stream(container, self._origin.camera_id)
        return stream, itertools.takewhile(lambda _packet: not self._closed.is_set(), container.demux(stream))

    def _pause_s(self, failures: int) -> float:
        """Full jitter: a random wait below a ceiling that doubles with every failure in a row."""
        ceiling = min(self._settings.backoff_max_s, self._settings.backoff_s * 2.0 ** min(failures, 16))
        return self._jitter.uniform(0.1, 1.0) * ceiling

    def close(self) -> None:
        """Stop reconnecting and reading; a read in progress ends within the stall limit."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LiveStream({self._origin.camera_id!r})"


def rtsp_options(settings: LiveSettings) -> dict[str, str]:
    """Return what FFmpeg is told of an RTSP stream: what may be opened, and for how long a socket may be silent."""
    half_us = round(settings.stall_s / 2 * 1_000_000)
    return {
        "rtsp_transport": settings.transport,
        "timeout": str(half_us),
        "allowed_media_types": "video",
        "protocol_whitelist": _PROTOCOLS,
        # Not `nobuffer`: it throws away what was read for analysis, and with it the first keyframe.
        "analyzeduration": "500000",
        "probesize": "65536",
    }


def _decode(packet: "av.Packet[av.VideoStream]") -> list[av.VideoFrame]:
    """Return a packet's pictures; a damaged packet has none."""
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []
