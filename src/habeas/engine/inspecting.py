"""A camera's headers, or the length of a video file, read in a worker that has no model."""

import re
from typing import Final

import numpy as np

from habeas.engine.film_messages import FilmMeasured, MeasureFilm
from habeas.engine.given import given_video
from habeas.engine.messages import InspectCamera, Inspected, one_line
from habeas.engine.rehearsing import film_of
from habeas.errors import SourceError
from habeas.ports import Clock
from habeas.video.headers import Headers, read_headers
from habeas.video.length import read_length

_NAME: Final = "the stream"
_FILE: Final = "the file"
_PREPARE_S: Final = 60.0
_PICTURES: Final = 12
_MOST_PX: Final = 1 << 20
_NO_NAME: Final = re.compile(r"[^a-z0-9_]")


def prepare(clock: Clock) -> None:
    """Read an invented video both ways: nothing can be imported or found once the worker is sealed."""
    with film_of([np.zeros((64, 64, 3), np.uint8)] * _PICTURES) as film:
        read_headers(film, clock)
        read_length(film, clock, _PREPARE_S)


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


def measure(order: MeasureFilm, descriptor: int, clock: Clock) -> FilmMeasured:
    """Say how long a video file is.

    Args:
        order: what is asked.
        descriptor: of the file, which is closed.
        clock: measures.
    """
    try:
        length = read_length(given_video(_FILE, descriptor), clock, order.within_s)
    except SourceError as error:
        return FilmMeasured(request_id=order.request_id, lasts_ns=0, flaw=one_line(error.message))
    return FilmMeasured(request_id=order.request_id, lasts_ns=length.lasts_ns, flaw="")
