"""How long a video file is: its packets counted by their times, one picture decoded to see that there is any.

A header may say anything, so it is not asked. Time that runs back by more than pictures are reordered, or leaps by over
a day, counts as one picture, as `FrameNumbering` has it. Whoever plays a file up to this length sees nothing that is
beyond it: a length that is too short evades no limit.
"""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import av
import av.error

from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.types import DAY_NS, NS_PER_S
from habeas.video.edge import FILE_OPTIONS, quiet, translated
from habeas.video.file import video_stream

if TYPE_CHECKING:
    Packet: TypeAlias = "av.Packet[av.VideoStream]"

_FALLBACK_RATE_HZ: Final = 25.0
_MOST_NS: Final = 366 * DAY_NS
_MOST_HZ: Final = 240
_MOST_MORE: Final = 600
"""Pictures beyond those of `_MOST_HZ`: times say nothing of single ones."""
_REORDERED_NS: Final = 10 * NS_PER_S
"""So far back a picture may be shown that comes later."""


@dataclass(frozen=True)
class Length:
    """What a video file comes to.

    Args:
        lasts_ns: up to whole seconds.
        packets: of video.
    """

    lasts_ns: int
    packets: int


def read_length(path: Path, clock: Clock, within_s: float) -> Length:
    """Read a video file from its beginning to its end.

    Args:
        path: of the file.
        clock: measures.
        within_s: for reading all of it.

    Raises:
        SourceError: it is no video, no picture of it can be decoded, or reading it takes too long.
    """
    quiet()
    name = str(path)
    until_ns = clock.monotonic_ns() + round(within_s * NS_PER_S)
    with ExitStack() as stack, translated(name):
        opened: IO[bytes] = stack.enter_context(path.open("rb"))
        container = stack.enter_context(
            av.open(opened, mode="r", options=dict(FILE_OPTIONS), metadata_errors="replace")
        )
        stream = video_stream(container, name)
        step_ns = round(NS_PER_S / float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE_HZ))
        count = _Count(max(step_ns, 1))
        for packet in _packets(container, stream):
            if clock.monotonic_ns() > until_ns:
                raise SourceError(f"{name}: takes too long to read", remedy="convert it to H.264 in MP4")
            count.take(packet)
            count.check(name)
    if not count.shows:
        raise SourceError(f"{name}: holds no picture that can be decoded", remedy="check it in a player")
    return Length(-(-count.lasts_ns // NS_PER_S) * NS_PER_S, count.packets)


def _packets(container: "av.container.InputContainer", stream: av.VideoStream) -> "Iterator[Packet]":
    """Yield the packets up to where the file cannot be read any more; damaged ones are left out."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue
        except (av.error.FFmpegError, OSError):
            return


class _Count:
    """Adds the packets up.

    Args:
        step_ns: from one picture to the next, where their times say nothing.
    """

    def __init__(self, step_ns: int) -> None:
        self.packets = 0
        self.shows = False
        self._step_ns = step_ns
        self._latest_ns: int | None = None
        self._passed_ns = 0

    @property
    def lasts_ns(self) -> int:
        """The time that the pictures take."""
        return min(self._passed_ns, _MOST_NS)

    def check(self, name: str) -> None:
        """Check that it has no more pictures than its time may hold: each is looked at.

        Raises:
            SourceError: it has.
        """
        if self.packets > self._passed_ns * _MOST_HZ // NS_PER_S + _MOST_MORE:
            raise SourceError(f"{name}: holds more pictures than a camera makes", remedy="convert it to 25 a second")

    def take(self, packet: "Packet") -> None:
        """Count a packet; until one shows something, each is decoded."""
        if not self.shows:
            with contextlib.suppress(av.error.FFmpegError):
                self.shows = bool(packet.decode())
        if not packet.size:
            return
        self.packets += 1
        stamp = packet.pts if packet.pts is not None else packet.dts
        at_ns = None if stamp is None or packet.time_base is None else round(stamp * packet.time_base * NS_PER_S)
        if at_ns is None or self._latest_ns is None:
            self._passed_ns += self._step_ns
            self._latest_ns = at_ns
            return
        ahead_ns = at_ns - self._latest_ns
        if -_REORDERED_NS <= ahead_ns <= 0:
            return  # shown between others that came before it
        self._passed_ns += ahead_ns if 0 < ahead_ns < DAY_NS else self._step_ns
        self._latest_ns = at_ns
