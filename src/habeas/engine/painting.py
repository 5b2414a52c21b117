"""A worker that makes everybody in a film unrecognisable but whom it is told to spare, and looks at the result.

The film is decoded, painted and encoded; the result is decoded again and looked at as closely as the film was. Where a
face is seen that is neither covered nor spared, it is painted over too, everywhere it may be, and the film is made
anew: twice at most. What is then still seen is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from habeas.engine.channel import Channel
from habeas.engine.examining import Examined, Turn, seen_in, tell_doubts
from habeas.engine.redact_messages import (
    MAX_PIECE_BYTES,
    MAX_RESULT_BYTES,
    MAX_ROUNDS,
    FilmBytes,
    FilmDone,
    PaintFilm,
)
from habeas.errors import InputError, SourceError
from habeas.faces import Detector
from habeas.footage.doubts import doubts_of_plan, doubts_of_result
from habeas.footage.following import merged, no_sightings
from habeas.footage.rechecking import found_in
from habeas.footage.redaction import Followed, Plan, Why, Wish, follow, plan
from habeas.ports import Clock
from habeas.types import F32
from habeas.video.encode import FilmWriter, painted
from habeas.video.film import video_of

_REMEDY: Final = "give less of it at once"


@dataclass(frozen=True, repr=False)
class _Result:
    """A film as it was made, and how.

    Args:
        data: the film.
        made: the plan.
        counts: of faces seen uncovered, each time.
        still: faces that are seen uncovered in it.
    """

    data: bytes
    made: Plan
    counts: tuple[int, ...]
    still: Followed


def paint(
    channel: Channel, order: PaintFilm, examined: Examined | None, detector: Detector, clock: Clock, turn: Turn
) -> None:
    """Paint a film, tell what is unsure about it, and send it."""
    if examined is None or examined.order.request_id != order.examined:
        channel.send(_done(order, None, 0, "this film was not examined last"))
        return
    try:
        result = _Painter(examined, order.wish(), detector, clock, turn).run()
    except (InputError, SourceError) as error:
        channel.send(_done(order, None, 0, error.message))
        return
    doubts = chain(doubts_of_plan(examined.followed, result.made), doubts_of_result(result.still))
    count = tell_doubts(channel, order.request_id, doubts)
    for piece in _pieces(result.data):
        channel.send(FilmBytes(request_id=order.request_id).with_payload(piece))
    channel.send(_done(order, result, count, ""))


def _pieces(data: bytes) -> Iterator[bytes]:
    for first in range(0, len(data), MAX_PIECE_BYTES):
        yield data[first : first + MAX_PIECE_BYTES]


def _done(order: PaintFilm, result: _Result | None, doubts: int, refusal: str) -> FilmDone:
    if result is None:
        return FilmDone(
            request_id=order.request_id,
            pictures=0,
            size_bytes=0,
            shapes={},
            seen_again=(),
            doubts=doubts,
            refusal=refusal,
        )
    return FilmDone(
        request_id=order.request_id,
        pictures=len(result.still.timeline),
        size_bytes=len(result.data),
        shapes={why.value: result.made.shapes.count(why) for why in Why},
        seen_again=result.counts,
        doubts=doubts,
        refusal="",
    )


class _Painter:
    """Makes one film."""

    def __init__(self, examined: Examined, wish: Wish, detector: Detector, clock: Clock, turn: Turn) -> None:
        self._examined = examined
        self._wish = wish
        self._detector = detector
        self._clock = clock
        self._turn = turn
        self._passes = 0
        """How often the film was gone through."""

    def run(self) -> _Result:
        """Make it, look at it, and make it again where a face is seen."""
        again, counts, data, found = no_sightings(), [], b"", no_sightings()
        timeline = self._examined.followed.timeline
        for _ in range(MAX_ROUNDS):
            again = merged(again, found)
            made = plan(self._examined.followed, self._wish, follow(timeline, again))
            data = self._encoded(made)
            found = found_in(made, list(self._seen_in(data)))
            counts.append(len(found))
            if not len(found):
                break
        return _Result(data, made, tuple(counts), follow(timeline, found))

    def _encoded(self, made: Plan) -> bytes:
        writer = FilmWriter(made.size_wh)
        with self._examined.film(self._clock) as film:
            times_ns = self._examined.followed.timeline.times_ns.tolist()
            for picture, (frame, at_ns) in enumerate(zip(film.frames(), times_ns, strict=True)):
                writer.add(painted(frame.image_rgb, made.shapes.of(picture).boxes_xyxy_px), at_ns)
                if writer.size_bytes > MAX_RESULT_BYTES:
                    raise InputError("the result is too long", remedy=_REMEDY)
                self._tell(picture)
        self._passes += 1
        return writer.finish()

    def _seen_in(self, data: bytes) -> Iterator[tuple[F32, F32]]:
        count = 0
        with video_of("the result", data, self._clock) as video:
            for frame in video.frames():
                faces = seen_in(frame, self._detector)
                yield faces.boxes_xyxy_px, faces.scores
                self._tell(count)
                count += 1
        self._passes += 1
        if count != len(self._examined.followed.timeline):
            raise InputError("the result has not as many pictures as the film", remedy="report this")

    def _tell(self, picture: int) -> None:
        """Tell how far it is: examining was half of it, the first film and the look at it are the rest."""
        order, pictures = self._examined.order, len(self._examined.followed.timeline)
        share = min(1.0, (self._passes + picture / pictures) / 2)
        self._turn(round((order.until_ns - order.from_ns) * (1 + share) / 2))
