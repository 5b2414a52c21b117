"""What was searched: counted per camera, gallery view and hour, and an entry once the hour is over.

Who may be looked for changes the view, and so does anything else that decides what a search is: from these entries it
can be told what was compared with whom, also where nothing was found. Nobody who was compared can be found in them, and
no time of less than an hour: one search would be one passer-by. That there was an alert is the alert's entry.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from habeas.authority.evidence import ZONE, is_evidence
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
    searches: int = 0


class Searching:
    """Gathers searches in memory until they are written, every few seconds. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[_Key, _Tally] = {}

    def add(self, view: GalleryView, threshold: Threshold, at_ns: int) -> None:
        """Count one search.

        Args:
            view: what was compared.
            threshold: what a similarity had to exceed.
            at_ns: when, Unix ns.
        """
        key = _Key(view.camera_id or "", view.view_id, at_ns - at_ns % HOUR_NS)
        with self._lock:
            self._tallies.setdefault(key, _Tally(view, threshold)).searches += 1

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
                        tally.searches += later.searches
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
            tx.change(found[0], searches=found[0].searches + tally.searches)
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
        searches=tally.searches,
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
    zones += [ZONE] if is_evidence(row.camera_id) else []
    return {
        "authorisations": list(row.authorisations),
        "build": row.build,
        "calibration": row.calibration,
        "camera": row.camera_id,
        "expected_fpir": row.expected_fpir,
        "gallery_size": row.gallery_size,
        "hour": utc(row.hour_ns),
        "model": row.model_id,
        "searches": row.searches,
        "subjects": row.subjects,
        "threshold": row.threshold,
        "view": row.view_id,
        "zone": next(iter(zones), ""),
    }
