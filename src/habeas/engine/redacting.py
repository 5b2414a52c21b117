"""The node's side of making people unrecognisable in footage: two orders to a sealed worker, each answer checked.

`examine` hears which tracks of faces are in a reel, and hands on what is to be compared; the node compares under a gate
of its own, and a person confirms. `paint` says who is spared, and hands on the new film in pieces. Whatever the worker
says, nothing is spared that was not asked for; that its pixels are what it says, the node cannot see: it decodes no
video. What it can check is that sizes, times and counts fit what it handed over.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.engine.film_messages import FilmTurned
from habeas.engine.film_worker import REMEDY, FilmWorker
from habeas.engine.messages import CameraFlaw, Heartbeat, Message, ProbeMade
from habeas.engine.orders import Timing
from habeas.engine.redact_messages import (
    MAX_RESULT_BYTES,
    DoubtFound,
    ExamineFilm,
    FilmBytes,
    FilmDone,
    FilmExamined,
    PaintFilm,
    TrackFollowed,
)
from habeas.engine.screening import Looking, Reel, probe_of
from habeas.engine.spawning import PROGRAM
from habeas.errors import InputError, SourceError
from habeas.footage.doubts import Doubt, What
from habeas.footage.redaction import ByHand, Why, Wish
from habeas.settings import ModelSettings
from habeas.types import OriginKind, Probe
from habeas.video.edge import origin

REPORT_SCHEMA: Final = "habeas-redaction"
REPORT_VERSION: Final = 1
_MAX_TRACKS: Final = 200_000
_MAX_PROBES: Final = 3
_MAX_DOUBTS: Final = 2000
_MAX_FLAWS: Final = 2000
_SILENCE_S: Final = 300.0


@dataclass(frozen=True)
class Seen:
    """A track of a face in a film, for a person to say who it is.

    Args:
        track_id: of the film.
        best_score: of the detector, 0 to 1.
        sightings: in how many pictures it was seen.
        places: when, Unix ns, and where, from first to last.
    """

    track_id: int
    best_score: float
    sightings: int
    places: tuple[tuple[int, tuple[float, float, float, float]], ...]


@dataclass(frozen=True, repr=False)
class Examination:
    """What there is in a film; `paint` takes it while the worker has it, until it examines another.

    Args:
        request_id: of the order.
        looking: what was looked at.
        pictures: in which faces were looked for.
        size_wh: of them.
        tracks: by id.
        doubts: what a person had better look at; at most 2,000.
        doubts_in_all: how many there are.
        flaws: of the footage.
    """

    request_id: int
    looking: Looking
    pictures: int
    size_wh: tuple[int, int]
    tracks: dict[int, Seen]
    doubts: tuple[Doubt, ...]
    doubts_in_all: int
    flaws: tuple[str, ...]


@dataclass(frozen=True)
class Redacted:
    """What came of painting a film.

    Args:
        pictures: in it.
        size_bytes: of it.
        sha256: of it, hexadecimal.
        shapes: how many were painted, by reason.
        seen_again: how many faces were seen uncovered each time that a result was looked at; the last is this one's.
        kept: tracks that were spared.
        by_hand: boxes that a person added.
        doubts: what a person had better look at; at most 2,000.
        doubts_in_all: how many there are.
    """

    pictures: int
    size_bytes: int
    sha256: str
    shapes: dict[str, int]
    seen_again: tuple[int, ...]
    kept: tuple[int, ...]
    by_hand: tuple[ByHand, ...]
    doubts: tuple[Doubt, ...]
    doubts_in_all: int

    def as_json(self, examination: Examination) -> dict[str, object]:
        """Return the report that goes with the film (docs/formats.md).

        Args:
            examination: of the film: what was doubtful before anything was painted is in the report, too.
        """
        doubts = [_doubt_json(doubt) for doubt in (*examination.doubts, *self.doubts)]
        told = dataclasses.asdict(self) | {
            "doubts": doubts[:_MAX_DOUBTS],
            "doubts_in_all": examination.doubts_in_all + self.doubts_in_all,
            "flaws": len(examination.flaws),
        }
        return {"schema": REPORT_SCHEMA, "version": REPORT_VERSION, **told}


def _doubt_json(doubt: Doubt) -> dict[str, object]:
    return dataclasses.asdict(doubt) | {"what": doubt.what.value}


class Redacting(FilmWorker):
    """A worker that makes people unrecognisable in footage. A context manager.

    Args:
        models: where they are, already fetched.
        timing: how long the worker is waited for; None: minutes, since faces of a whole film are followed at once.
        program: what is run.

    Raises:
        HabeasError: no worker can be started.
    """

    def __init__(self, models: ModelSettings, timing: Timing | None = None, program: Sequence[str] = PROGRAM) -> None:
        self._done_ns = 0
        super().__init__(models, timing or Timing(silence_s=_SILENCE_S), program)

    def examine(
        self,
        reel: Reel,
        looking: Looking,
        on_probe: Callable[[Probe], None],
        on_done: Callable[[int], None],
        *,
        compared: bool,
    ) -> Examination:
        """Find every face in a reel.

        Args:
            reel: the footage.
            looking: what is looked at of it; how faces are looked for is the worker's business.
            on_probe: hears what is to be compared: each track's best pictures, at most three, and drops them soon.
            on_done: hears now and then how much of the reel's time is done, ns: half of it, until it is painted.
            compared: false for what was captured in a suspension: no template is made.

        Raises:
            InputError: the worker is gone, was silent for too long, or said what it may not.
            SourceError: nothing came of it, and why.
        """
        order = ExamineFilm(
            request_id=next(self._requests),
            camera_id=looking.camera_id,
            places=reel.told(),
            from_ns=looking.from_ns,
            until_ns=looking.until_ns,
            masks=looking.edges(),
            compared=compared,
        )
        self._process.channel.send(order, [reel.descriptor])
        self._done_ns = 0
        heard = _HeardOfFaces(order, looking, self.model_id, on_probe)
        while heard.examination is None:
            heard.take(self._next(order.request_id, looking, on_done))
        return heard.examination

    def paint(
        self,
        examination: Examination,
        wish: Wish,
        on_piece: Callable[[bytes], None],
        on_done: Callable[[int], None],
    ) -> Redacted:
        """Make everybody unrecognisable but whom to spare.

        Args:
            examination: the last one.
            wish: who is spared, and what a person added.
            on_piece: takes the film, MP4, piece by piece; it is whole once this returns.
            on_done: as in `examine`: the other half.

        Raises:
            InputError: a track is to be kept that there is not; or as `examine`.
            SourceError: nothing came of it, and why.
        """
        unknown = wish.keep - examination.tracks.keys()
        if unknown:
            raise InputError(f"there is no track {min(unknown)} in this film", remedy="examine it again")
        order = PaintFilm(
            request_id=next(self._requests),
            examined=examination.request_id,
            keep=tuple(sorted(wish.keep)),
            by_hand=tuple((box.from_ns, box.until_ns, box.box_xyxy_px, box.spare) for box in wish.by_hand),
        )
        self._process.channel.send(order)
        self._done_ns = (examination.looking.until_ns - examination.looking.from_ns) // 2
        heard = _HeardOfFilm(order, examination, wish, on_piece)
        while heard.redacted is None:
            heard.take(self._next(order.request_id, examination.looking, on_done))
        return heard.redacted

    def _next(self, request_id: int, looking: Looking, on_done: Callable[[int], None]) -> Message:
        """Return the next message that says more than how far it is."""
        while isinstance(message := self.received(), FilmTurned):
            _check_order(message.request_id == request_id)
            if not self._done_ns <= message.done_ns <= looking.until_ns - looking.from_ns:
                raise InputError("a worker says that it is further than it can be, or went back", remedy=REMEDY)
            self._done_ns = message.done_ns
            on_done(message.done_ns)
        return message


class _Doubts:
    """What the worker is unsure of, bounded."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self.told: list[Doubt] = []

    def take(self, message: DoubtFound) -> None:
        if len(self.told) == _MAX_DOUBTS:
            raise InputError("a worker is unsure of more than it may tell", remedy=REMEDY)
        _check_time(self._looking, message.from_ns)
        what = What(message.what)
        box = message.box_xyxy_px
        self.told.append(Doubt(what, message.track_id, message.from_ns, message.until_ns, box))


class _HeardOfFaces:
    """What the worker says of an order to examine, checked."""

    def __init__(self, order: ExamineFilm, looking: Looking, model_id: str, on_probe: Callable[[Probe], None]) -> None:
        self.examination: Examination | None = None
        self._order = order
        self._looking = looking
        self._model_id = model_id
        self._on_probe = on_probe
        self._origin = origin(OriginKind.FOOTAGE, looking.camera_id)
        self._probes: dict[int, int] = {}
        self._tracks: dict[int, Seen] = {}
        self._doubts = _Doubts(looking)
        self._flaws: list[str] = []

    def take(self, message: Message) -> None:
        """Take a message in.

        Raises:
            InputError: it is of another order, or cannot be.
            SourceError: nothing came of it.
        """
        if isinstance(message, Heartbeat):
            return
        if isinstance(message, ProbeMade | CameraFlaw):
            _check_order(message.epoch == self._order.request_id and message.camera_id == self._order.camera_id)
        if isinstance(message, TrackFollowed | DoubtFound | FilmExamined):
            _check_order(message.request_id == self._order.request_id)
        if isinstance(message, ProbeMade):
            self._probe(message)
        elif isinstance(message, CameraFlaw) and len(self._flaws) < _MAX_FLAWS:
            self._flaws.append(f"{message.camera_id}: {message.text}")
        elif isinstance(message, TrackFollowed):
            self._track(message)
        elif isinstance(message, DoubtFound):
            self._doubts.take(message)
        elif isinstance(message, FilmExamined):
            self._end(message)
        else:
            raise InputError(f"a worker that examines a film says {type(message).__name__}", remedy=REMEDY)

    def _probe(self, message: ProbeMade) -> None:
        _check_time(self._looking, message.captured_at_ns)
        count = self._probes[message.track_id] = self._probes.get(message.track_id, 0) + 1
        if message.canary or not self._order.compared or count > _MAX_PROBES or len(self._probes) > _MAX_TRACKS:
            raise InputError("a worker tells of faces that it was not asked for", remedy=REMEDY)
        self._on_probe(probe_of(message, self._origin, self._model_id))

    def _track(self, message: TrackFollowed) -> None:
        for at_ns, _ in message.places:
            _check_time(self._looking, at_ns)
        if message.track_id in self._tracks or len(self._tracks) == _MAX_TRACKS:
            raise InputError("a worker tells of a track twice, or of too many", remedy=REMEDY)
        seen = Seen(message.track_id, message.best_score, message.sightings, message.places)
        self._tracks[message.track_id] = seen

    def _end(self, message: FilmExamined) -> None:
        if message.refusal:
            raise SourceError(f"{self._order.camera_id}: {message.refusal}", remedy="give other footage, or less")
        whole = message.tracks == len(self._tracks) and message.doubts >= len(self._doubts.told)
        if not whole or self._probes.keys() - self._tracks.keys():
            raise InputError("a worker told of other tracks than it counts", remedy=REMEDY)
        self.examination = Examination(
            request_id=self._order.request_id,
            looking=self._looking,
            pictures=message.pictures,
            size_wh=message.size_wh,
            tracks=self._tracks,
            doubts=tuple(self._doubts.told),
            doubts_in_all=message.doubts,
            flaws=tuple(self._flaws),
        )


class _HeardOfFilm:
    """What the worker says of an order to paint, checked."""

    def __init__(
        self, order: PaintFilm, examination: Examination, wish: Wish, on_piece: Callable[[bytes], None]
    ) -> None:
        self.redacted: Redacted | None = None
        self._order = order
        self._examination = examination
        self._wish = wish
        self._on_piece = on_piece
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self._doubts = _Doubts(examination.looking)

    def take(self, message: Message) -> None:
        """Take a message in.

        Raises:
            InputError: it is of another order, or cannot be.
            SourceError: nothing came of it.
        """
        if isinstance(message, Heartbeat):
            return
        if not isinstance(message, DoubtFound | FilmBytes | FilmDone):
            raise InputError(f"a worker that paints a film says {type(message).__name__}", remedy=REMEDY)
        _check_order(message.request_id == self._order.request_id)
        if isinstance(message, DoubtFound):
            self._doubts.take(message)
        elif isinstance(message, FilmBytes):
            self._piece(message.payload)
        else:
            self._end(message)

    def _piece(self, data: bytes) -> None:
        self._size_bytes += len(data)
        if self._size_bytes > MAX_RESULT_BYTES:
            raise InputError("a worker sends more of a film than it may", remedy=REMEDY)
        self._hash.update(data)
        self._on_piece(data)

    def _end(self, message: FilmDone) -> None:
        if message.refusal:
            raise SourceError(f"{self._examination.looking.camera_id}: {message.refusal}", remedy="give less of it")
        told = message.pictures, message.size_bytes, message.doubts >= len(self._doubts.told), bool(message.seen_again)
        known = message.shapes.keys() <= {why.value for why in Why}
        if not known or told != (self._examination.pictures, self._size_bytes, True, True):
            raise InputError("a worker made another film than it says", remedy=REMEDY)
        self.redacted = Redacted(
            pictures=message.pictures,
            size_bytes=message.size_bytes,
            sha256=self._hash.hexdigest(),
            shapes=dict(message.shapes),
            seen_again=message.seen_again,
            kept=self._order.keep,
            by_hand=self._wish.by_hand,
            doubts=tuple(self._doubts.told),
            doubts_in_all=message.doubts,
        )


def _check_order(fits: bool) -> None:
    if not fits:
        raise InputError("a worker speaks of what it was not asked", remedy=REMEDY)


def _check_time(looking: Looking, at_ns: int) -> None:
    if not looking.from_ns <= at_ns < looking.until_ns:
        raise InputError("a worker found something that is not in the footage", remedy=REMEDY)
