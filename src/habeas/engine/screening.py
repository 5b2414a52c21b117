"""The node's side of going through footage: a worker of its own for each job, sealed, with models and without a door.

The footage travels as memory without a name, in reels of some minutes. What the worker says is checked against what it
was handed.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from habeas.engine.film_messages import MAX_PLACES, SearchFilm
from habeas.engine.film_worker import REMEDY, FilmWorker
from habeas.engine.messages import (
    CameraEnded,
    CameraFlaw,
    Counters,
    Heartbeat,
    Message,
    ProbeMade,
    TrackEnded,
)
from habeas.engine.run import TrackEnd
from habeas.errors import InputError, SourceError
from habeas.footage.reading import Stretch
from habeas.settings import DetectSettings
from habeas.types import NS_PER_S, ClosedTrack, Flaw, Origin, OriginKind, Probe, Templates
from habeas.video.edge import origin
from habeas.video.film import Place
from habeas.video.masks import Mask

REEL_BYTES: Final = 256 << 20
"""A reel is full then, or with `MAX_PLACES` segments."""
REEL_NS: Final = 600 * NS_PER_S
APART_NS: Final = 10 * NS_PER_S
_MOST_OPEN_TRACKS: Final = 4096


@dataclass(frozen=True)
class Reel:
    """Footage of one camera in memory without a name. A context manager; owns the descriptor.

    Args:
        descriptor: of the memory.
        places: of its segments there.
        until_ns: first instant after its last segment, Unix ns.
        key_ids: of the keys that its segments were under: without one of them nothing of it may be looked at.
    """

    descriptor: int
    places: tuple[Place, ...]
    until_ns: int
    key_ids: frozenset[str]

    def told(self) -> tuple[tuple[int, int, int], ...]:
        """Return the places as a message has them."""
        return tuple((place.first_byte, place.size_bytes, place.began_ns) for place in self.places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.descriptor)


def reels_of(stretches: Iterable[Stretch]) -> Iterator[Reel]:
    """Yield reels of footage; each is closed by whoever takes it, before the next is made.

    A reel is at most `REEL_BYTES` large and `REEL_NS` long, and has no gap of more than `APART_NS`.
    """
    waiting: list[Stretch] = []
    for stretch in stretches:
        if waiting and not _fits(waiting, stretch):
            yield _reel(waiting)
            waiting = []
        waiting.append(stretch)
    if waiting:
        yield _reel(waiting)


def _fits(waiting: Sequence[Stretch], stretch: Stretch) -> bool:
    """Tell whether a stretch goes on a reel after those that wait."""
    size = sum(one.size_bytes for one in waiting) + stretch.size_bytes
    long = stretch.until_ns - waiting[0].header.began_ns > REEL_NS
    apart = stretch.header.began_ns - waiting[-1].until_ns > APART_NS
    return size <= REEL_BYTES and len(waiting) < MAX_PLACES and not long and not apart


def _reel(stretches: Sequence[Stretch]) -> Reel:
    descriptor = os.memfd_create("footage", os.MFD_CLOEXEC)
    places = []
    with os.fdopen(os.dup(descriptor), "wb") as file:
        for stretch in stretches:
            first = file.tell()
            for part in stretch.parts:
                file.write(part.data)
            places.append(Place(first, file.tell() - first, stretch.header.began_ns))
    key_ids = frozenset(stretch.header.key for stretch in stretches)
    return Reel(descriptor, tuple(places), max(stretch.until_ns for stretch in stretches), key_ids)


@dataclass(frozen=True)
class Looking:
    """What is looked at, and how.

    Args:
        camera_id: that recorded it.
        from_ns: pictures before this instant are left out, Unix ns.
        until_ns: and those from this one on.
        detect: how faces are looked for.
        masks: what is not looked at.
    """

    camera_id: str
    from_ns: int
    until_ns: int
    detect: DetectSettings
    masks: tuple[Mask, ...] = ()

    def edges(self) -> tuple[tuple[float, float, float, float], ...]:
        """Return the masks as a message has them."""
        return tuple((mask.x0, mask.y0, mask.x1, mask.y1) for mask in self.masks)


Screened = Probe | TrackEnd | Counters | Flaw
"""What comes of a search: probes, ends of tracks after all their probes, how far it is, and what went wrong."""


class Screening(FilmWorker):
    """A worker that looks in footage for who may be looked for."""

    def search(self, reel: Reel, looking: Looking) -> Iterator[Screened]:
        """Yield what comes of a reel, once.

        Raises:
            InputError: the worker is gone, was silent for too long, or said what it may not.
            SourceError: nothing of it could be looked at.
        """
        request_id = next(self._requests)
        self._process.channel.send(_order(request_id, reel, looking), [reel.descriptor])
        heard = _Heard(request_id, looking, self.model_id)
        while not heard.over:
            yield from heard.take(self.received())


def _order(request_id: int, reel: Reel, looking: Looking) -> SearchFilm:
    return SearchFilm(
        request_id=request_id,
        camera_id=looking.camera_id,
        places=reel.told(),
        from_ns=looking.from_ns,
        until_ns=looking.until_ns,
        detect=looking.detect,
        masks=looking.edges(),
    )


class _Heard:
    """What the worker says of one order, checked."""

    def __init__(self, request_id: int, looking: Looking, model_id: str) -> None:
        self.over = False
        self._request_id = request_id
        self._looking = looking
        self._model_id = model_id
        self._origin: Origin = origin(OriginKind.FOOTAGE, looking.camera_id)
        self._tracks: dict[int, ClosedTrack] = {}

    def take(self, message: Message) -> Iterator[Screened]:
        """Yield what a message comes to.

        Raises:
            InputError: it is of another order, or cannot be.
            SourceError: the order failed.
        """
        if isinstance(message, Heartbeat):
            return
        if not isinstance(message, ProbeMade | TrackEnded | Counters | CameraFlaw | CameraEnded):
            raise InputError(f"a worker that searches says {type(message).__name__}", remedy=REMEDY)
        if (message.epoch, message.camera_id) != (self._request_id, self._looking.camera_id):
            raise InputError("a worker speaks of what it was not asked", remedy=REMEDY)
        if isinstance(message, ProbeMade):
            yield self._probe(message)
        elif isinstance(message, TrackEnded):
            self._tracks.pop(message.track_id, None)
            yield TrackEnd(self._origin, ClosedTrack(message.track_id, message.first_seen_ns, message.last_seen_ns))
        elif isinstance(message, Counters):
            yield message
        elif isinstance(message, CameraFlaw):
            yield Flaw(message.camera_id, message.text, message.at_ns)
        else:
            yield from self._end(message)

    def _probe(self, message: ProbeMade) -> Probe:
        if not self._looking.from_ns <= message.captured_at_ns < self._looking.until_ns or message.canary:
            raise InputError("a worker found something that is not in the footage", remedy=REMEDY)
        self._tracks[message.track_id] = ClosedTrack(message.track_id, message.first_seen_ns, message.at_ns)
        if len(self._tracks) > _MOST_OPEN_TRACKS:
            raise InputError("a worker has more open tracks than a street has faces", remedy=REMEDY)
        return probe_of(message, self._origin, self._model_id)

    def _end(self, message: CameraEnded) -> Iterator[Screened]:
        for track in self._tracks.values():
            yield TrackEnd(self._origin, track)
        self.over = True
        if message.failed:
            raise SourceError(f"{self._looking.camera_id}: its footage cannot be searched", remedy=REMEDY)


def probe_of(message: ProbeMade, origin: Origin, model_id: str) -> Probe:
    """Return the probe that a worker told.

    Args:
        message: checked.
        origin: of the footage.
        model_id: what makes the worker's templates.
    """
    return Probe(
        origin=origin,
        track_id=message.track_id,
        templates=Templates(message.vector[None], model_id, origin),
        box_xyxy_px=np.array(message.box_xyxy_px, np.float32),
        face_rgb=message.face_rgb,
        at_ns=message.at_ns,
        first_seen_ns=message.first_seen_ns,
        captured_at_ns=message.captured_at_ns,
        size_wh=message.size_wh,
    )
