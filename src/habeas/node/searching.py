"""What was searched: counted per camera, gallery view and hour, and an entry once the hour is over.

Who may be looked for changes the view, and so does anything else that decides what a search is: from these entries it
can be told what was compared with whom, also where nothing was found. Nobody who was compared can be found in them.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from habeas.store import Tx, queries
from habeas.store.records import Camera, Search
from habeas.types import HOUR_NS, GalleryView, Threshold, utc

ACTOR: Final = "matcher"


@dataclass(frozen=True)
class _Key:
    camera_id: str
    view_id: str
    hour_ns: int


@dataclass
class _Tally:
    """Searches with one view on one camera in one hour."""

    view: GalleryView
    threshold: Threshold
    first_ns: int
    last_ns: int
    searches: int = 0
    alerts: int = 0


class Searching:
    """Gathers searches in memory until they are written, every few seconds. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[_Key, _Tally] = {}

    def add(self, view: GalleryView, threshold: Threshold, at_ns: int, alerts: int) -> None:
        """Count one search.

        Args:
            view: what was compared.
            threshold: what a similarity had to exceed.
            at_ns: when, Unix ns.
            alerts: subjects above the threshold.
        """
        key = _Key(view.camera_id or "", view.view_id, at_ns - at_ns % HOUR_NS)
        with self._lock:
            tally = self._tallies.setdefault(key, _Tally(view, threshold, at_ns, at_ns))
            tally.last_ns = at_ns
            tally.searches += 1
            tally.alerts += alerts

    @contextmanager
    def taken(self) -> Iterator[Mapping[_Key, _Tally]]:
        """Hand out what was gathered; where the block fails, it is gathered still."""
        with self._lock:
            taken, self._tallies = self._tallies, {}
        try:
            yield taken
        except BaseException:
            with self._lock:
                for key, tally in taken.items():
                    later = self._tallies.get(key)
                    if later is not None:
                        tally.last_ns = later.last_ns
                        tally.searches += later.searches
                        tally.alerts += later.alerts
                    self._tallies[key] = tally
            raise


def write_searches(tx: Tx, taken: Mapping[_Key, _Tally], *, calibration: str, build: str) -> None:
    """Add what was gathered to the rows of the hour, and write an entry of each hour that is over.

    Args:
        tx: the transaction.
        taken: from `Searching.taken`.
        calibration: digest of the table that made the thresholds.
        build: digest of this program.
    """
    for key, tally in taken.items():
        found = tx.find(Search, camera_id=key.camera_id, view_id=key.view_id, hour_ns=key.hour_ns)
        if found:
            row = found[0]
            searches, alerts = row.searches + tally.searches, row.alerts + tally.alerts
            tx.change(row, last_ns=tally.last_ns, searches=searches, alerts=alerts)
        else:
            tx.add(_row(key, tally, calibration, build))
    for row in queries.searches_before(tx, tx.now_ns - tx.now_ns % HOUR_NS):
        tx.entry("search.counted", ACTOR, _body(tx, row))
        tx.remove(row)


def _row(key: _Key, tally: _Tally, calibration: str, build: str) -> Search:
    view, threshold = tally.view, tally.threshold
    return Search(
        camera_id=key.camera_id,
        view_id=key.view_id,
        hour_ns=key.hour_ns,
        first_ns=tally.first_ns,
        last_ns=tally.last_ns,
        searches=tally.searches,
        alerts=tally.alerts,
        authorisations=tuple(sorted(set(view.authorisation_ids.tolist()))),
        subjects=len(view.subjects),
        gallery_size=len(view),
        model_id=view.model_id,
        calibration=calibration,
        expected_fpir=threshold.expected_fpir,
        threshold=threshold.similarity,
        build=build,
    )


def _body(tx: Tx, row: Search) -> dict[str, object]:
    zones = [camera.zone for camera in tx.find(Camera, without=("record_sealed",), camera_id=row.camera_id)]
    return {
        "alerts": row.alerts,
        "authorisations": list(row.authorisations),
        "build": row.build,
        "calibration": row.calibration,
        "camera": row.camera_id,
        "expected_fpir": row.expected_fpir,
        "from": utc(row.first_ns),
        "gallery_size": row.gallery_size,
        "model": row.model_id,
        "searches": row.searches,
        "subjects": row.subjects,
        "threshold": row.threshold,
        "until": utc(row.last_ns),
        "view": row.view_id,
        "zone": next(iter(zones), ""),
    }
