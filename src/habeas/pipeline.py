"""The line, in the order in which a frame meets it.

    stage       takes                 gives                        state it owns
    look        Frame                 Motion                       one small grey picture (video.gate)
    detect      Frame, part of it     Faces                        none
    track       Faces                 Tracks, best shots           boxes of open tracks (tracks.tracker)
    template    Frame, best shots     Templates                    none
    fuse        Templates             Templates of the track       templates of open tracks (here)
    search      Templates, view       Candidates                   none
    decide      Candidates, threshold Alert                        which track alerted for whom (here)

Templates live as long as their track, in memory, and are gone with it; `TemplateLedger` counts that this is so.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from habeas.comparison import Calibration, search
from habeas.decision import Decision, decide
from habeas.errors import InputError
from habeas.faces import Detector, Look, Templater, fuse
from habeas.geometry import clip_box, expand
from habeas.ports import Clock
from habeas.settings import DetectSettings
from habeas.tracks import Tracker
from habeas.types import (
    F32,
    U8,
    Alert,
    AlertEnd,
    Candidates,
    ClosedTrack,
    Faces,
    Frame,
    GalleryView,
    Origin,
    OriginKind,
    Templates,
    Threshold,
    Tracks,
)
from habeas.video import ArrayPicture, Motion, MotionGate, StreamPlan, plan_stream, regions

Event = Alert | AlertEnd
ViewOf = Callable[[Origin], GalleryView]
"""What may be compared on a source at this moment; asked again for every comparison."""

_VIDEO_SIGHTINGS: Final = 2
"""Looks a face must be seen in before it is compared; stills are compared at once."""
_SNAPSHOT_MARGIN: Final = 0.4
_SNAPSHOT_PX: Final = 256
_OTHERS_MARGIN: Final = 0.25
_PAINT: Final = 51
"""Grey over faces of others that a crop of an alert would show."""


class TemplateLedger:
    """Counts templates made, and those whose memory is still held, by finalisers on their arrays."""

    def __init__(self) -> None:
        self._entered = 0
        self._gone = 0

    def enter(self, templates: Templates) -> Templates:
        """Enter templates, also those of whole tracks; returns them."""
        self._entered += len(templates)
        weakref.finalize(_owner(templates.vectors), self._forget, len(templates))
        return templates

    def _forget(self, count: int) -> None:
        self._gone += count

    @property
    def kept(self) -> int:
        """Templates whose memory something still holds."""
        return self._entered - self._gone


def _owner(array: F32) -> F32:
    """Return the array that owns the memory, which every view of it keeps alive."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


@dataclass
class LineCounts:
    """What one source came to. Counters only: nobody can be found in them."""

    frames_analysed: int = 0
    faces_detected: int = 0
    tracks: int = 0
    templates_made: int = 0
    templates_unusable: int = 0
    alerts: int = 0


@dataclass(frozen=True)
class Stages:
    """What all lines of a process share, used by one thread.

    Args:
        detector: finds faces.
        templater: makes templates.
        calibration: says what a similarity means.
        fpir: promised share of non-mated tracks that alert.
        detect: how faces are looked for.
        clock: tells the time of each comparison.
        ledger: counts templates.
    """

    detector: Detector
    templater: Templater
    calibration: Calibration
    fpir: float
    detect: DetectSettings
    clock: Clock
    ledger: TemplateLedger = field(default_factory=TemplateLedger)


@dataclass
class _Fusion:
    """One open track's templates, and whom it alerted for."""

    shots: list[Templates] = field(default_factory=list)
    alerted: dict[str, float] = field(default_factory=dict)

    def note(self, candidates: Candidates) -> None:
        """Keep the latest similarity to whom the track alerted for."""
        subject_id, similarity = candidates.subject_ids[0, 0], candidates.similarities[0, 0]
        if subject_id in self.alerted:
            self.alerted[str(subject_id)] = float(similarity)


class Line:
    """One source's line. Used by one thread; `process` every sampled frame in order, then `finish`.

    Args:
        origin: the source.
        rate_hz: its nominal frame rate.
        stages: shared.
        view_of: asked before every comparison.
    """

    def __init__(self, origin: Origin, rate_hz: float, stages: Stages, view_of: ViewOf) -> None:
        self.origin = origin
        self.counts = LineCounts()
        self._rate_hz = rate_hz
        self._stages = stages
        self._view_of = view_of
        self._plan: StreamPlan | None = None
        self._gate = MotionGate()
        self._stills = origin.kind is OriginKind.STILLS  # each image is a shot of its own
        self._tracker = Tracker(1 if self._stills else _VIDEO_SIGHTINGS)
        self._fusions: dict[int, _Fusion] = {}
        self._whole_ns: int | None = None

    def process(self, frame: Frame) -> Iterator[Event]:
        """Take one frame through the line.

        Raises:
            RuleError: the gallery view does not permit this source, or has ended.
        """
        plan = self._plan_for(frame)
        motion = self._gate.look(frame.luma)
        if motion.cut or self._stills:
            yield from self._end(self._tracker.close_all())
        expected = self._tracker.expected_xyxy_px(frame.pts_ns)
        looks = self._looks(frame, plan, motion, expected)
        if not looks:
            return
        faces = self._detect(frame, looks)
        tracks = self._tracker.update(faces, frame.pts_ns)
        self.counts.tracks = self._tracker.count
        yield from self._match(frame, tracks)
        yield from self._end(tracks.closed)

    def finish(self) -> Iterator[Event]:
        """End every open track: the source ended."""
        yield from self._end(self._tracker.close_all())

    def _looks(self, frame: Frame, plan: StreamPlan, motion: Motion, expected_xyxy_px: F32) -> list[Look]:
        """Return what to look at: all of it now and then, else what moved and what is tracked, if anything."""
        if self._stills or self._whole_ns is None or not 0 <= frame.pts_ns - self._whole_ns < plan.idle_every_ns:
            self._whole_ns = frame.pts_ns
            return [Look(*part) for part in regions(plan, (), expected_xyxy_px[:0])]
        if not motion.moved and not len(expected_xyxy_px):
            return []
        return [Look(*part) for part in regions(plan, motion.boxes_xyxy_px, expected_xyxy_px)]

    def _plan_for(self, frame: Frame) -> StreamPlan:
        """Return how to look at this stream; a stream that changes its size is planned anew (the gate calls a cut)."""
        if self._plan is None or self._plan.size_wh != frame.size_wh:
            self._plan = plan_stream(frame.size_wh, self._rate_hz, self._stages.detect)
        return self._plan

    def _detect(self, frame: Frame, looks: list[Look]) -> Faces:
        self.counts.frames_analysed += 1
        faces = self._stages.detector.detect(frame, looks, self._stages.detect.min_face_px / 2)
        self.counts.faces_detected += len(faces)
        return faces

    def _match(self, frame: Frame, tracks: Tracks) -> Iterator[Alert]:
        for row in np.flatnonzero(tracks.best_shots).tolist():
            fusion = self._fusions.setdefault(int(tracks.track_ids[row]), _Fusion())
            fused = self._fused(frame, tracks.faces[row : row + 1], fusion)
            if fused is None:
                continue
            view = self._view_of(frame.origin)
            candidates = search(fused, view, at_ns=self._stages.clock.now_ns())
            threshold = self._stages.calibration.threshold(self._stages.fpir, len(view))
            fusion.note(candidates)
            for decision in decide(candidates, threshold):
                if decision.subject_id not in fusion.alerted:
                    fusion.alerted[decision.subject_id] = decision.similarity
                    self.counts.alerts += 1
                    yield _alert(frame, tracks, row, decision, threshold, view)

    def _fused(self, frame: Frame, face: Faces, fusion: _Fusion) -> Templates | None:
        """Return the track's template so far; None where the networks gave nothing usable for this face."""
        try:
            made = self._stages.templater.template(frame, face)
        except InputError:
            self.counts.templates_unusable += 1
            return None
        ledger = self._stages.ledger
        fusion.shots.append(ledger.enter(made))
        self.counts.templates_made += 1
        vector = fuse([shot.vectors[0] for shot in fusion.shots])
        return ledger.enter(Templates(vector[None], made.model_id, made.origin))

    def _end(self, closed: tuple[ClosedTrack, ...]) -> Iterator[AlertEnd]:
        for track in closed:
            fusion = self._fusions.pop(track.track_id, None)
            for subject_id, similarity in sorted(fusion.alerted.items()) if fusion else ():
                yield AlertEnd(
                    origin=self.origin,
                    track_id=track.track_id,
                    subject_id=subject_id,
                    similarity=similarity,
                    first_seen_ns=track.first_seen_ns,
                    last_seen_ns=track.last_seen_ns,
                )


def _alert(
    frame: Frame, tracks: Tracks, row: int, decision: Decision, threshold: Threshold, view: GalleryView
) -> Alert:
    return Alert(
        origin=frame.origin,
        track_id=int(tracks.track_ids[row]),
        subject_id=decision.subject_id,
        similarity=decision.similarity,
        threshold=threshold,
        box_xyxy_px=tracks.faces.boxes_xyxy_px[row],
        face_rgb=_snapshot(frame, tracks.faces, row),
        at_ns=frame.pts_ns,
        first_seen_ns=int(tracks.first_seen_ns[row]),
        captured_at_ns=frame.captured_at_ns,
        view_id=view.view_id,
        model_id=view.model_id,
    )


def _snapshot(frame: Frame, faces: Faces, row: int) -> U8:
    """Return one face with margin, at most 256 px wide, every other face in it painted over: (h, w, 3) uint8."""
    own = faces.boxes_xyxy_px[row]
    box = clip_box(expand(own[None], _SNAPSHOT_MARGIN)[0], frame.size_wh)
    width, height = max(1, box[2] - box[0]), max(1, box[3] - box[1])
    crop_rgb = frame.picture.rgb(box, (width, height)).copy()
    kept_rgb = crop_rgb.copy()
    inside = np.tile(np.array(box[:2], np.float32), 2)
    for other in np.delete(faces.boxes_xyxy_px, row, axis=0):
        left, top, right, bottom = clip_box(expand(other[None], _OTHERS_MARGIN)[0] - inside, (width, height))
        crop_rgb[top:bottom, left:right] = _PAINT
    x0, y0, x1, y1 = clip_box(own - inside, (width, height))
    crop_rgb[y0:y1, x0:x1] = kept_rgb[y0:y1, x0:x1]
    scale = min(1.0, _SNAPSHOT_PX / width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return ArrayPicture(crop_rgb).rgb((0, 0, width, height), size_wh)
