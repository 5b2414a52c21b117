"""Counters per camera and day, gathered in memory and written every few seconds. Nobody can be found in them."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from habeas.authority.evidence import is_evidence
from habeas.engine.messages import Counters
from habeas.store import Tx, queries
from habeas.store.records import Camera, Count
from habeas.types import DAY_NS, NS_PER_S

ACTOR: Final = "counting"
_TRAFFIC_DAYS: Final = 7
Tally = Counter[str]
"""What came since it was last written, by field of `Count`."""

_FROM_WORKER: Final[Mapping[str, str]] = {
    "analysed_ns": "analysed_ns",
    "frames_decoded": "decoded",
    "frames_analysed": "analysed",
    "frames_gated": "gated",
    "frames_dropped": "dropped",
    "faces": "faces",
    "tracks": "tracks",
}
COUNTED: Final = (*_FROM_WORKER, "searches", "alerts")
"""What is counted, by field of `Count`."""


def day_text(ns: int) -> str:
    """Return the UTC day of an instant, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).date().isoformat()


class Counting:
    """Gathers what workers, the matcher and the alert writer count. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = defaultdict(Tally)
        self._last: dict[str, Counters] = {}

    def heard(self, counters: Counters) -> None:
        """Take in a camera's totals: what they grew by since the last of the same epoch."""
        with self._lock:
            before = self._last.get(counters.camera_id)
            same = before is not None and before.epoch == counters.epoch
            tally = self._tallies[counters.camera_id]
            for name, theirs in _FROM_WORKER.items():
                tally[name] += getattr(counters, theirs) - (getattr(before, theirs) if same else 0)
            self._last[counters.camera_id] = counters

    def add(self, camera_id: str, *, searches: int = 0, alerts: int = 0) -> None:
        """Count searches and alerts of a camera; evidence is none, and has entries of its own."""
        if is_evidence(camera_id):
            return
        with self._lock:
            self._tallies[camera_id].update(searches=searches, alerts=alerts)

    @contextmanager
    def taken(self) -> Iterator[Mapping[str, Tally]]:
        """Hand out what was gathered, by camera; where the block fails, it is gathered still."""
        with self._lock:
            tallies, self._tallies = self._tallies, defaultdict(Tally)
        try:
            yield tallies
        except BaseException:
            with self._lock:
                for camera_id, tally in tallies.items():
                    self._tallies[camera_id].update(tally)
            raise


def delivering(tallies: Mapping[str, Tally]) -> list[str]:
    """Return the cameras that gave frames."""
    return [camera_id for camera_id, tally in tallies.items() if tally["frames_decoded"]]


def write_counts(tx: Tx, tallies: Mapping[str, Tally]) -> None:
    """Add what was gathered to the rows of the day."""
    day = day_text(tx.now_ns)
    rows = {row.camera_id: row for row in tx.find(Count, day=day)}
    for camera_id, tally in tallies.items():
        row = rows.get(camera_id)
        if row is None:
            tx.add(Count(camera_id, day, **dict[str, Any](tally)))
        else:
            tx.change(row, **{name: getattr(row, name) + value for name, value in tally.items()})


def log_counts(tx: Tx) -> None:
    """Write an entry of each camera's counters of each day that is over."""
    zones = {camera.camera_id: camera.zone for camera in tx.find(Camera, without=("record_sealed",))}
    for row in queries.counts_before(tx, day_text(tx.now_ns)):
        counted = {name: getattr(row, name) for name in COUNTED}
        tx.entry(
            "camera.counted", ACTOR, {"camera": row.camera_id, "day": row.day, "zone": zones[row.camera_id], **counted}
        )
        tx.change(row, logged=True)


def false_a_day(tx: Tx, camera_id: str, expected_fpir: float) -> float:
    """Return how many false alerts to expect a day on a camera, by its traffic of the last seven days.

    Args:
        tx: the transaction.
        camera_id: the camera.
        expected_fpir: promised share of non-mated tracks that alert.

    Returns:
        tracks a day, were it analysed all day, times that share; 0 before anything was counted.
    """
    today = datetime.fromtimestamp(tx.now_ns // NS_PER_S, tz=UTC).date()
    days = {(today - timedelta(days=back)).isoformat() for back in range(_TRAFFIC_DAYS)}
    rows = tx.find(Count, camera_id=camera_id, day=days)
    analysed_ns = sum(row.analysed_ns for row in rows)
    tracks = sum(row.tracks for row in rows)
    return expected_fpir * tracks * DAY_NS / analysed_ns if analysed_ns else 0.0
