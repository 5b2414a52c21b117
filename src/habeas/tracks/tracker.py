"""Faces over time: one track is one face over consecutive frames of one shot."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from habeas.tracks.association import associate
from habeas.tracks.best_shot import Shots, taken, worth
from habeas.types import F32, NS_PER_S, ClosedTrack, Faces, Tracks

MAX_GAP_NS: Final = NS_PER_S
"""A track that was not seen for this long has ended."""
_BREAK_NS: Final = 3 * NS_PER_S
"""Nobody looked for this long (the slowest rate looks every 2 s): whoever is there now is not taken for who was."""
_VELOCITY_SHARE: Final = 0.6
"""Weight of the newest movement in the smoothed velocity."""
_COAST_NS: Final = NS_PER_S // 2
"""Movement is extrapolated no further than this."""


@dataclass
class _Open:
    """An open track. Owned by one `Tracker`; positions are of its last sighting."""

    track_id: int
    first_seen_ns: int
    last_seen_ns: int
    box_xyxy_px: F32
    velocity_px_s: F32 = field(default_factory=lambda: np.zeros(2, np.float32))
    shots: Shots = field(default_factory=Shots)
    sightings: int = 1

    def predicted(self, pts_ns: int) -> F32:
        ahead_s = min(pts_ns - self.last_seen_ns, _COAST_NS) / NS_PER_S
        return self.box_xyxy_px + np.tile(self.velocity_px_s, 2) * np.float32(ahead_s)

    def seen(self, box_xyxy_px: F32, pts_ns: int) -> None:
        elapsed_s = (pts_ns - self.last_seen_ns) / NS_PER_S
        if elapsed_s > 0:
            moved = (box_xyxy_px[:2] + box_xyxy_px[2:] - self.box_xyxy_px[:2] - self.box_xyxy_px[2:]) / 2
            newest = moved / np.float32(elapsed_s)
            share = 1.0 if self.first_seen_ns == self.last_seen_ns else _VELOCITY_SHARE
            self.velocity_px_s = share * newest + (1 - share) * self.velocity_px_s
        self.box_xyxy_px = box_xyxy_px.copy()
        self.last_seen_ns = pts_ns
        self.sightings += 1


class Tracker:
    """Tracks the faces of one source. Holds boxes and times, no pixels and no templates.

    Args:
        min_sightings: frames a track is seen in before its first best shot; what is seen in one frame of a video only
            is often no face, or half of one behind a cut.
    """

    def __init__(self, min_sightings: int = 1) -> None:
        self._min_sightings = min_sightings
        self._open: list[_Open] = []
        self._next_id = 1

    @property
    def count(self) -> int:
        """Tracks begun so far."""
        return self._next_id - 1

    def expected_xyxy_px(self, pts_ns: int) -> F32:
        """Return where open tracks are expected at a time: (t, 4) float32."""
        boxes = [track.predicted(pts_ns) for track in self._open]
        return np.stack(boxes).astype(np.float32) if boxes else np.zeros((0, 4), np.float32)

    def update(self, faces: Faces, pts_ns: int) -> Tracks:
        """Add one frame.

        Args:
            faces: the frame's faces.
            pts_ns: the stream's time, never before the last one's.

        Returns:
            The tracks of the frame's faces, and those that ended.
        """
        left = self._lose(pts_ns, _BREAK_NS)
        rows = associate(self.expected_xyxy_px(pts_ns), faces.boxes_xyxy_px)
        known = list(self._open)
        tracks = [
            self._continue(known[row], box, pts_ns) if row >= 0 else self._begin(box, pts_ns)
            for row, box in zip(rows.tolist(), faces.boxes_xyxy_px, strict=True)
        ]
        best = [self._shoot(track, float(q), pts_ns) for track, q in zip(tracks, faces.quality, strict=True)]
        lost = left + self._lose(pts_ns, MAX_GAP_NS)
        return Tracks(
            track_ids=np.array([track.track_id for track in tracks], np.int64),
            first_seen_ns=np.array([track.first_seen_ns for track in tracks], np.int64),
            faces=faces,
            best_shots=np.array(best, np.bool_),
            closed=tuple(lost),
        )

    def close_all(self) -> tuple[ClosedTrack, ...]:
        """End every track: the shot changed, or the source ended."""
        ended = tuple(_closed(track) for track in self._open)
        self._open = []
        return ended

    def _lose(self, pts_ns: int, gap_ns: int) -> list[ClosedTrack]:
        """End the tracks that were not seen for `gap_ns`."""
        lost = [_closed(track) for track in self._open if pts_ns - track.last_seen_ns >= gap_ns]
        self._open = [track for track in self._open if pts_ns - track.last_seen_ns < gap_ns]
        return lost

    def _begin(self, box_xyxy_px: F32, pts_ns: int) -> _Open:
        track = _Open(self._next_id, pts_ns, pts_ns, box_xyxy_px.copy())
        self._next_id += 1
        self._open.append(track)
        return track

    @staticmethod
    def _continue(track: _Open, box_xyxy_px: F32, pts_ns: int) -> _Open:
        track.seen(box_xyxy_px, pts_ns)
        return track

    def _shoot(self, track: _Open, quality: float, pts_ns: int) -> bool:
        if track.sightings < self._min_sightings or not worth(track.shots, quality, pts_ns):
            return False
        track.shots = taken(track.shots, quality, pts_ns)
        return True


def _closed(track: _Open) -> ClosedTrack:
    return ClosedTrack(track.track_id, track.first_seen_ns, track.last_seen_ns)
