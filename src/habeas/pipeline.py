"""The line, in the order in which a frame meets it; the matcher, where the gallery is.

    stage       takes                 gives                        state it owns
    Line: one a source, wherever its pictures are decoded; knows no gallery
    look        Frame                 Motion                       one small grey picture (video.gate)
    detect      Frame, part of it     Faces                        none
    track       Faces                 Tracks, best shots           boxes of open tracks (tracks.tracker)
    template    Frame, best shots     Templates                    none
    fuse        Templates             Probe of the track           templates of open tracks (here)
    Matcher: one for all sources, in the process that holds the gallery
    search      Probe, view           Candidates                   none
    decide      Candidates, threshold Alert                        which track alerted for whom (here)

Templates live as long as their track, in memory, and are gone with it; `TemplateLedger` counts that this is so.
A probe is dropped once it was compared.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from habeas.comparison import Calibration, check_fpir, search
from habeas.decision import Decision, decide
from habeas.errors import InputError
from habeas.faces import Detector, Look, Templater, fuse
from habeas.geometry import clip_box, expand
from habeas.ports import Clock
from habeas.settings import DetectSettings
from habeas.tracks import Tracker
from habeas.types import (
    F32,
    NS_PER_S,
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
    Probe,
    Templates,
    Threshold,
    Tracks,
)
from habeas.video import ArrayPicture, Motion, MotionGate, StreamPlan, plan_stream, regions
from habeas.video.canary import Box, CanaryShown, canary_origin, free_place, patch_side_px, planted

Event = Alert | AlertEnd
ViewOf = Callable[[Origin], GalleryView]
"""What may be compared on a source at this moment; asked again for every comparison."""
FloorOf = Callable[[str], float]
"""Least similarity of a subject's matches: reviewers raise it when somebody looks alike."""

_VIDEO_SIGHTINGS: Final = 2
"""Looks a face must be seen in before it is compared; stills are compared at once."""
_SNAPSHOT_MARGIN: Final = 0.4
_SNAPSHOT_PX: Final = 256
_OTHERS_MARGIN: Final = 0.25
_CANARY_NS: Final = 2 * NS_PER_S
"""A canary that is not found within this of the stream's time is taken out again."""
_PAINT: Final = 51
"""Grey over faces of others that a crop of a face would show."""


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
    """What one source's line came to. Counters only: nobody can be found in them.

    Each frame that the line takes is either analysed or gated: nothing moved in it, nobody was tracked.
    """

    frames_analysed: int = 0
    frames_gated: int = 0
    faces_detected: int = 0
    tracks: int = 0
    templates_made: int = 0
    templates_unusable: int = 0


@dataclass(frozen=True)
class Stages:
    """What all lines of a process share, used by one thread.

    Args:
        detector: finds faces.
        templater: makes templates.
        detect: how faces are looked for.
        ledger: counts templates.
    """

    detector: Detector
    templater: Templater
    detect: DetectSettings
    ledger: TemplateLedger = field(default_factory=TemplateLedger)


class _Lane:
    """The tracks of one origin, and their templates: of what a camera saw, or of a canary in its pictures."""

    def __init__(self, origin: Origin, sightings: int) -> None:
        self.origin = origin
        self.tracker = Tracker(sightings)
        self.shots: dict[int, list[Templates]] = {}

    def end(self, closed: tuple[ClosedTrack, ...]) -> Iterator[ClosedTrack]:
        """Yield tracks that ended, their templates gone."""
        for track in closed:
            self.shots.pop(track.track_id, None)
            yield track


@dataclass(eq=False)
class _Canary:
    """A canary that is in the pictures, at the same place until it is found or its time is over."""

    lane: _Lane
    box_xyxy_px: Box
    size_wh: tuple[int, int]
    since_ns: int
    found: bool = False

    def over(self, frame: Frame) -> bool:
        return self.found or frame.size_wh != self.size_wh or not 0 <= frame.pts_ns - self.since_ns < _CANARY_NS

    def covers(self, faces: Faces) -> npt.NDArray[np.bool_]:
        """Tell whose middle is on the patch, which hides whatever is behind it: (n,) bool."""
        left, top, right, bottom = self.box_xyxy_px
        boxes = faces.boxes_xyxy_px
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        return np.asarray((left <= x) & (x < right) & (top <= y) & (y < bottom), np.bool_)


class Line:
    """One source's line. Used by one thread; `process` every sampled frame in order, then `finish`.

    `plant` puts a canary into its pictures, once: a face that takes the same way as every other from there on, under an
    origin of its own, which no view of people admits.

    Args:
        origin: the source.
        rate_hz: its nominal frame rate; 0 where it is not known.
        stages: shared.
    """

    def __init__(self, origin: Origin, rate_hz: float, stages: Stages) -> None:
        self.origin = origin
        self.counts = LineCounts()
        self._rate_hz = min(stages.detect.rate_hz, rate_hz) if rate_hz > 0 else stages.detect.rate_hz
        self._stages = stages
        self._plan: StreamPlan | None = None
        self._gate = MotionGate()
        self._stills = origin.kind is OriginKind.STILLS  # each image is a shot of its own
        self._sightings = 1 if self._stills else _VIDEO_SIGHTINGS
        self._seen = _Lane(origin, self._sightings)
        self._canary_due = False
        self._canaries = 0
        self._canary: _Canary | None = None
        self._whole_ns: int | None = None

    @property
    def every_ns(self) -> int:
        """Stream time between two frames worth handing to `process`."""
        return round(NS_PER_S / self._rate_hz)

    def plant(self) -> None:
        """Put a canary into the next pictures in which there is room. Callable from any thread."""
        self._canary_due = True

    def process(self, frame: Frame) -> Iterator[Probe | ClosedTrack | CanaryShown]:
        """Take one frame through the line; yield what is to be compared, and the tracks and canaries that ended."""
        plan = self._plan_for(frame)
        expected_xyxy_px = self._seen.tracker.expected_xyxy_px(frame.pts_ns)
        yield from self._step_canary(frame, expected_xyxy_px)
        canary = self._canary
        if canary is not None:
            frame = planted(frame, canary.box_xyxy_px)
            expected_xyxy_px = np.concatenate([expected_xyxy_px, np.array([canary.box_xyxy_px], np.float32)])
        motion = self._gate.look(frame.luma)
        ended = self._seen.tracker.close_all() if motion.cut or self._stills else ()
        looks = self._looks(frame, plan, motion, expected_xyxy_px)
        self._count(looks)
        yield from self._seen.end(ended)
        if not looks:
            return
        faces = self._detect(frame, looks)
        if canary is not None:
            on_patch = canary.covers(faces)
            yield from self._found(frame, faces[on_patch], canary)
            faces = faces[~on_patch]
        self.counts.faces_detected += len(faces)
        tracks = self._seen.tracker.update(faces, frame.pts_ns)
        self.counts.tracks = self._seen.tracker.count
        yield from self._probes(frame, tracks, self._seen)
        yield from self._seen.end(tracks.closed)

    def finish(self) -> Iterator[ClosedTrack]:
        """End every open track: the source ended."""
        yield from self._seen.end(self._seen.tracker.close_all())

    def _step_canary(self, frame: Frame, tracked_xyxy_px: F32) -> Iterator[CanaryShown]:
        """Take out the canary whose time is over, and put in the one that is due, where it hides nobody."""
        canary = self._canary
        if canary is not None and canary.over(frame):
            self._canary = None
            yield CanaryShown(self.origin, canary.found)
        if not self._canary_due or self._canary is not None:
            return
        side_px = patch_side_px(frame.size_wh, self._stages.detect.min_face_px)
        box_xyxy_px = free_place(frame.size_wh, side_px, tracked_xyxy_px, self._canaries)
        if box_xyxy_px is not None:
            self._canary_due, self._canaries = False, self._canaries + 1
            lane = _Lane(canary_origin(self.origin.camera_id), self._sightings)
            self._canary = _Canary(lane, box_xyxy_px, frame.size_wh, frame.pts_ns)

    def _found(self, frame: Frame, faces: Faces, canary: _Canary) -> Iterator[Probe]:
        """Yield the canary as it is to be compared, once."""
        frame = replace(frame, origin=canary.lane.origin)
        for probe in self._probes(frame, canary.lane.tracker.update(faces, frame.pts_ns), canary.lane):
            if not canary.found:
                canary.found = True
                yield probe

    def _count(self, looks: list[Look]) -> None:
        """Count a frame before anything is handed out: whoever stops listening leaves no frame uncounted."""
        if looks:
            self.counts.frames_analysed += 1
        else:
            self.counts.frames_gated += 1

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
        return self._stages.detector.detect(frame, looks, self._stages.detect.min_face_px / 2)

    def _probes(self, frame: Frame, tracks: Tracks, lane: _Lane) -> Iterator[Probe]:
        for row in np.flatnonzero(tracks.best_shots).tolist():
            track_id = int(tracks.track_ids[row])
            fused = self._fused(frame, tracks.faces[row : row + 1], lane.shots.setdefault(track_id, []))
            if fused is None:
                continue
            yield Probe(
                origin=frame.origin,
                track_id=track_id,
                templates=fused,
                box_xyxy_px=tracks.faces.boxes_xyxy_px[row],
                face_rgb=snapshot(frame, tracks.faces, row) if lane is self._seen else _NO_PICTURE,
                at_ns=frame.pts_ns,
                first_seen_ns=int(tracks.first_seen_ns[row]),
                captured_at_ns=frame.captured_at_ns,
                size_wh=frame.size_wh,
            )

    def _fused(self, frame: Frame, face: Faces, shots: list[Templates]) -> Templates | None:
        """Return the track's template so far; None where the networks gave nothing usable for this face."""
        try:
            made = self._stages.templater.template(frame, face)
        except InputError:
            self.counts.templates_unusable += 1
            return None
        ledger = self._stages.ledger
        shots.append(ledger.enter(made))
        self.counts.templates_made += 1
        vector = fuse([shot.vectors[0] for shot in shots])
        return ledger.enter(Templates(vector[None], made.model_id, made.origin))


_NO_PICTURE: Final = np.full((1, 1, 3), _PAINT, np.uint8)
"""Of a canary nothing is shown: people may stand beside it."""


def _no_floor(_subject_id: str) -> float:
    return -1.0


class Matcher:
    """Compares what lines found with what may be compared, for any number of sources. Used by one thread.

    Of a track it keeps whom it alerted for, until the track closes; of a track without an alert, nothing.

    Args:
        view_of: asked before every comparison.
        calibration: says what a similarity means.
        fpir: promised share of non-mated tracks that alert, at most 1e-3.
        clock: tells the time of each comparison.
        floor_of: the similarity that a subject's matches need at least, whatever the threshold.

    Raises:
        RuleError: a higher FPIR.
    """

    def __init__(
        self, view_of: ViewOf, calibration: Calibration, fpir: float, clock: Clock, floor_of: FloorOf = _no_floor
    ) -> None:
        check_fpir(fpir)
        self.alerts = 0
        self.fpir = fpir
        self.last: tuple[GalleryView, Threshold] | None = None
        """What was compared last, and what a similarity had to exceed."""
        self._floor_of = floor_of
        self._view_of = view_of
        self._calibration = calibration
        self._clock = clock
        self._alerted: dict[tuple[Origin, int], dict[str, float]] = {}

    def compare(self, probe: Probe) -> Iterator[Alert]:
        """Compare a probe, once; yield an alert for each subject that its track matches for the first time.

        Raises:
            RuleError: the gallery view does not permit this source, or has ended.
            InputError: the gallery is of another model.
        """
        view = self._view_of(probe.origin)
        candidates = search(probe.templates, view, at_ns=self._clock.now_ns(), k=max(1, len(view.subjects)))
        threshold = self._calibration.threshold(self.fpir, len(view))
        self.last = view, threshold
        key = probe.origin, probe.track_id
        self._note(key, candidates)
        for decision in decide(candidates, threshold):
            if decision.similarity < self._floor_of(decision.subject_id):
                continue
            if decision.subject_id not in self._alerted.get(key, {}):
                self._alerted.setdefault(key, {})[decision.subject_id] = decision.similarity
                self.alerts += 1
                yield _alert(probe, decision, threshold, view)

    def close(self, origin: Origin, track: ClosedTrack) -> Iterator[AlertEnd]:
        """End a track: yield the end of each of its alerts, and forget it. Nothing is compared."""
        for subject_id, similarity in sorted(self._alerted.pop((origin, track.track_id), {}).items()):
            yield AlertEnd(
                origin=origin,
                track_id=track.track_id,
                subject_id=subject_id,
                similarity=similarity,
                first_seen_ns=track.first_seen_ns,
                last_seen_ns=track.last_seen_ns,
            )

    def _note(self, key: tuple[Origin, int], candidates: Candidates) -> None:
        """Keep the latest similarity to whom the track alerted for."""
        alerted = self._alerted.get(key, {})
        for subject_id, similarity in zip(candidates.subject_ids[0], candidates.similarities[0], strict=True):
            if subject_id in alerted:
                alerted[str(subject_id)] = float(similarity)


def _alert(probe: Probe, decision: Decision, threshold: Threshold, view: GalleryView) -> Alert:
    return Alert(
        origin=probe.origin,
        track_id=probe.track_id,
        subject_id=decision.subject_id,
        similarity=decision.similarity,
        threshold=threshold,
        box_xyxy_px=probe.box_xyxy_px,
        face_rgb=probe.face_rgb,
        at_ns=probe.at_ns,
        first_seen_ns=probe.first_seen_ns,
        captured_at_ns=probe.captured_at_ns,
        view_id=view.view_id,
        model_id=view.model_id,
        size_wh=probe.size_wh,
    )


def snapshot(frame: Frame, faces: Faces, row: int) -> U8:
    """Return one face with margin, at most 256 px wide, every other face in it painted over: (h, w, 3) uint8."""
    own = faces.boxes_xyxy_px[row]
    box = clip_box(expand(own[None], _SNAPSHOT_MARGIN)[0], frame.size_wh)
    width, height = box[2] - box[0], box[3] - box[1]
    if not width * height:  # the detector may put a box beside the picture; that must not end the line
        return _NO_PICTURE
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
