"""What a stream says of itself: its headers, and whether packets flow. No picture is handed to anybody.

For cameras that may not be looked at: nothing here decodes, and no pixel leaves. FFmpeg itself takes the first packets
apart to learn the picture's size. Bounded in packets and in time, whatever the stream does.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import av

from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.settings import LiveSettings
from habeas.types import NS_PER_S
from habeas.video.edge import FILE_OPTIONS, quiet, translated
from habeas.video.file import video_stream
from habeas.video.live import rtsp_options

MOST_PACKETS: Final = 250
"""Ten seconds of a usual camera: enough to tell its rate."""
_WITHIN_S: Final = 4.0
_ENOUGH: Final = 5
"""Packets from which on their times say the rate better than the header does."""
_MOST_HZ: Final = 1000.0
_NAME: Final = "the stream"


@dataclass(frozen=True)
class Headers:
    """What a stream is.

    Args:
        size_wh: of its pictures; (0, 0): not known.
        rate_hz: of its pictures, by the times on them, else by the header; 0: not known.
        codec: FFmpeg's name of it; empty: not known.
        packets: of video that came, at most `MOST_PACKETS`.
        seconds: from the first attempt to the last packet.
        flaw: what went wrong; empty: nothing.
    """

    size_wh: tuple[int, int] = (0, 0)
    rate_hz: float = 0.0
    codec: str = ""
    packets: int = 0
    seconds: float = 0.0
    flaw: str = ""


def read_headers(source: str | Path, clock: Clock, within_s: float = _WITHIN_S) -> Headers:
    """Open a stream, read some packets, and close it. What is wrong with it is told, not raised.

    Args:
        source: `rtsp://` address with credentials, or a video file.
        clock: measures.
        within_s: for connecting, and again for packets; a stream that stalls takes twice that.
    """
    quiet()
    began_ns = clock.monotonic_ns()
    told = Headers()
    try:
        with ExitStack() as stack, translated(_NAME):
            container = _open(source, within_s, stack)
            stream = video_stream(container, _NAME)
            told = _said(stream)
            for count, seconds, rate_hz in _packets(container, stream, clock, within_s):
                told = Headers(told.size_wh, rate_hz or told.rate_hz, told.codec, count, seconds)
    except SourceError as error:
        passed_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
        why = error.message.removeprefix(f"{_NAME}: ")
        return Headers(told.size_wh, told.rate_hz, told.codec, told.packets, round(passed_s, 3), why)
    return told if told.packets else Headers(told.size_wh, told.rate_hz, told.codec, flaw="no packet of video came")


def _open(source: str | Path, within_s: float, stack: ExitStack) -> "av.container.InputContainer":
    if isinstance(source, str):
        options = rtsp_options(LiveSettings(stall_s=within_s, transport="tcp"))
        return stack.enter_context(av.open(source, mode="r", options=options, timeout=(within_s, within_s)))
    opened: IO[bytes] = stack.enter_context(source.open("rb"))
    return stack.enter_context(av.open(opened, mode="r", options=dict(FILE_OPTIONS), metadata_errors="replace"))


def _said(stream: av.VideoStream) -> Headers:
    """Return what the header says."""
    rate_hz = float(stream.average_rate or stream.guessed_rate or 0)
    return Headers((stream.width or 0, stream.height or 0), min(max(rate_hz, 0.0), _MOST_HZ), stream.codec_context.name)


def _packets(
    container: "av.container.InputContainer", stream: av.VideoStream, clock: Clock, within_s: float
) -> Iterator[tuple[int, float, float]]:
    """Yield, for each packet, how many came, after how many seconds, and the rate by their times (0: not yet known)."""
    began_ns = clock.monotonic_ns()
    times: list[int] = []
    arriving = (packet for packet in container.demux(stream) if packet.size)
    for count, packet in enumerate(arriving, 1):
        if packet.pts is not None and packet.time_base is not None:
            times.append(round(packet.pts * packet.time_base * NS_PER_S))
        passed_ns = clock.monotonic_ns() - began_ns
        yield count, round(passed_ns / NS_PER_S, 3), _rate_hz(times)
        if count >= MOST_PACKETS or passed_ns >= within_s * NS_PER_S:
            return


def _rate_hz(times_ns: list[int]) -> float:
    lasting_ns = max(times_ns, default=0) - min(times_ns, default=0)
    if len(times_ns) < _ENOUGH or lasting_ns <= 0:
        return 0.0
    return round(min(_MOST_HZ, (len(times_ns) - 1) * NS_PER_S / lasting_ns), 2)
