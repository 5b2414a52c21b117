"""A worker that goes through recorded footage: what is found in it is told as of a camera, and kept nowhere."""

from habeas.engine.channel import Channel, Received
from habeas.engine.examining import SEEN_SCORE, Examined, Turn, examine
from habeas.engine.film_messages import FilmTurned, SearchFilm
from habeas.engine.messages import CameraEnded, Counters, Heartbeat, Shutdown
from habeas.engine.mosaicking import play
from habeas.engine.painting import paint
from habeas.engine.play_messages import PlayFilm
from habeas.engine.redact_messages import ExamineFilm, PaintFilm
from habeas.engine.run import Found, Run, SourceReport, TrackEnd
from habeas.engine.telling import film_flaw, probe_made, track_ended
from habeas.errors import InputError
from habeas.faces import Detector, Templater
from habeas.models.pack import LoadedPack
from habeas.pipeline import Stages
from habeas.ports import Clock
from habeas.types import NS_PER_S, Flaw, Probe


def serve(channel: Channel, pack: LoadedPack, templater: Templater, clock: Clock) -> None:
    """Do what is asked, one order after another, until told to end.

    Raises:
        InputError: the node said something that it does not say.
    """
    redaction = _Redaction(channel, pack, templater, clock)
    while (received := channel.receive()) is not None and not isinstance(received.message, Shutdown):
        if isinstance(received.message, SearchFilm):
            _Search(channel, received, pack, templater, clock).run()
        elif isinstance(received.message, ExamineFilm):
            redaction.examine(received.message, received.descriptors[0])
        elif isinstance(received.message, PaintFilm):
            redaction.paint(received.message)
        elif isinstance(received.message, PlayFilm):
            redaction.play(received.message, received.descriptors[0])
        else:
            received.close()
            what = f"{type(received.message).__name__} is not for this worker"
            raise InputError(what, remedy="start workers through the node")


class _Redaction:
    """Films made anew. Of the one examined last, until the next is: boxes and times, no pixels and no templates."""

    def __init__(self, channel: Channel, pack: LoadedPack, templater: Templater, clock: Clock) -> None:
        self._channel = channel
        self._detector = Detector(pack.detector, SEEN_SCORE)
        self._templater = templater
        self._clock = clock
        self._examined: Examined | None = None

    def examine(self, order: ExamineFilm, descriptor: int) -> None:
        if self._examined is not None:
            self._examined.close()
            self._examined = None
        self._examined = examine(
            self._channel, order, descriptor, self._detector, self._templater, self._clock, self._turn(order.request_id)
        )

    def paint(self, order: PaintFilm) -> None:
        paint(self._channel, order, self._examined, self._detector, self._clock, self._turn(order.request_id))

    def play(self, order: PlayFilm, descriptor: int) -> None:
        play(self._channel, order, descriptor, self._detector, self._clock, self._turn(order.request_id))

    def _turn(self, request_id: int) -> Turn:
        """Return what tells, at once and then every second, how far an order is: this worker lives."""
        told_ns = self._clock.monotonic_ns() - NS_PER_S

        def turn(done_ns: int) -> None:
            nonlocal told_ns
            now_ns = self._clock.monotonic_ns()
            if now_ns - told_ns >= NS_PER_S:
                told_ns = now_ns
                self._channel.send(FilmTurned(request_id=request_id, done_ns=done_ns))

        return turn


class _Search:
    """One order to search: the line, from the first picture to the last."""

    def __init__(
        self, channel: Channel, received: Received, pack: LoadedPack, templater: Templater, clock: Clock
    ) -> None:
        order = received.message
        assert isinstance(order, SearchFilm)
        self._channel = channel
        self._order = order
        self._clock = clock
        self._told_ns = clock.monotonic_ns()
        self._film = order.film(received.descriptors[0], clock)
        self._stages = Stages(Detector(pack.detector, order.detect.min_score), templater, order.detect)

    def run(self) -> None:
        order = self._order
        with Run([self._film], self._stages, self._on_turn) as run:
            self._report = run.reports[0]
            for found in run.events():
                self._tell(found)
                del found  # a probe is gone once it was told
        self._channel.send(_counters(order, self._report, self._film.watched_ns))
        failed = self._report.failure is not None
        self._channel.send(CameraEnded(camera_id=order.camera_id, epoch=order.request_id, failed=failed))

    def _tell(self, found: Found) -> None:
        order = self._order
        if isinstance(found, Probe):
            self._channel.send(probe_made(order.camera_id, order.request_id, found))
        elif isinstance(found, TrackEnd):
            self._channel.send(track_ended(order.camera_id, order.request_id, found.track))
        elif isinstance(found, Flaw):
            self._channel.send(film_flaw(order.camera_id, order.request_id, found.what, found.at_ns))

    def _on_turn(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns >= NS_PER_S:
            self._told_ns = now_ns
            self._channel.send(Heartbeat())
            self._channel.send(_counters(self._order, self._report, self._film.watched_ns))


def _counters(order: SearchFilm, report: SourceReport, watched_ns: int) -> Counters:
    """Return how far it is. What was decoded is read last: its reader goes on counting."""
    analysed, gated, dropped = report.frames_analysed, report.frames_gated, report.frames_dropped
    return Counters(
        camera_id=order.camera_id,
        epoch=order.request_id,
        analysed=analysed,
        gated=gated,
        dropped=dropped,
        decoded=report.frames_decoded,
        faces=report.counts.faces_detected,
        tracks=report.counts.tracks,
        analysed_ns=watched_ns,
    )
