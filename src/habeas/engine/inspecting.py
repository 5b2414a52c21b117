"""A camera's headers, read in a worker that has one door and no model."""

import re
from typing import Final

import numpy as np

from habeas.engine.given import given_video
from habeas.engine.messages import InspectCamera, Inspected, one_line
from habeas.engine.rehearsing import film_of
from habeas.ports import Clock
from habeas.video.headers import Headers, read_headers

_NAME: Final = "the stream"
_PICTURES: Final = 12
_MOST_PX: Final = 1 << 20
_NO_NAME: Final = re.compile(r"[^a-z0-9_]")


def prepare(clock: Clock) -> None:
    """Read the headers of an invented video: nothing can be imported or found once the worker is sealed."""
    with film_of([np.zeros((64, 64, 3), np.uint8)] * _PICTURES) as film:
        read_headers(film, clock)


def inspect(order: InspectCamera, descriptors: tuple[int, ...], clock: Clock) -> Inspected:
    """Say what a camera's stream is.

    Args:
        order: what is asked.
        descriptors: one, of a video file, which is closed; none for a stream.
        clock: measures.
    """
    source = order.url or given_video(_NAME, descriptors[0])
    return _told(order, read_headers(source, clock, order.within_s))


def _told(order: InspectCamera, headers: Headers) -> Inspected:
    width, height = headers.size_wh
    return Inspected(
        request_id=order.request_id,
        size_wh=(min(max(width, 0), _MOST_PX), min(max(height, 0), _MOST_PX)),
        rate_hz=headers.rate_hz,
        codec=_NO_NAME.sub("", headers.codec.lower())[:32],
        packets=headers.packets,
        seconds=headers.seconds,
        flaw=one_line(headers.flaw),
    )
