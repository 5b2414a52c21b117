"""Makes the films of exports: redacted in a sealed worker, reel by reel, and kept under the export's key until it ends.

Who is spared, the node decides: of an access request the tracks that somebody who looked said to be whoever asked, of a
hold nobody but whom a person marked by hand. What was captured in a suspension spares only whom a person marked.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from habeas.audit.bundle import Exhibit
from habeas.audit.inputs import EpochLog
from habeas.audit.openings import open_entry
from habeas.audit.parcel import MAX_BYTES, pack
from habeas.audit.proof import InclusionProof
from habeas.audit.proving import prove
from habeas.engine.redacting import Examination, Redacting, Seen
from habeas.engine.screening import Looking, Reel, reels_of
from habeas.errors import HabeasError, InputError, KeyDestroyed
from habeas.footage import exports
from habeas.footage.access import State as AccessState
from habeas.footage.copying import Source, found_once
from habeas.footage.exports import OVER, PASSPHRASE, State
from habeas.footage.files import FootageFolder, compact, new_segment_id
from habeas.footage.findings import SAME, Found, found_of
from habeas.footage.form import Header, Kind, Record
from habeas.footage.holding import is_kept
from habeas.footage.reading import Damage, Stretch, Window, read_window
from habeas.footage.redaction import Wish
from habeas.geometry import iou
from habeas.keys import Scope, seal, seal_with_passphrase
from habeas.node.alerting import Means
from habeas.node.trees import files_of
from habeas.settings import DetectSettings
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Export, Finding, Hold
from habeas.store.records import Entry, Epoch
from habeas.types import HOUR_NS, NS_PER_S, Probe
from habeas.video.masks import Mask

ACTOR: Final = "clock"
_OVER: Final = [state.value for state in OVER]
_OPEN: Final = [state.value for state in set(State) - OVER]
_PIECE_BYTES: Final = 1 << 20
_SAME_PLACE: Final = 0.3
"""How much two boxes of one face overlap at least (intersection over union)."""


@dataclass(frozen=True, repr=False)
class _Film:
    """One film of an export.

    Args:
        name: of the file that the recipient gets.
        camera_id: of the footage.
        from_ns: first instant, Unix ns.
        until_ns: first instant after.
        data: MP4.
        report: of the redaction; empty: it is whole.
    """

    name: str
    camera_id: str
    from_ns: int
    until_ns: int
    data: bytes
    report: dict[str, Any]

    @property
    def row(self) -> tuple[str, str, int, int, str]:
        """As `Export.films` has it."""
        return self.name, self.camera_id, self.from_ns, self.until_ns, hashlib.sha256(self.data).hexdigest()


class Exporting:
    """Makes and ends exports. `step` is called again and again by one thread.

    Args:
        means: the database, keys, what is suspended.
        held: where what holds preserve lies.
        copies: where what shows somebody who asked is kept.
        folder: where films of exports lie: a folder an export.
        worker: starts a worker that redacts.
        reserve_bytes: room on the disk that films leave to alerts and the log.
    """

    def __init__(
        self,
        means: Means,
        held: Path,
        copies: Path,
        folder: Path,
        worker: Callable[[], Redacting],
        *,
        reserve_bytes: int,
    ) -> None:
        self._reserve_bytes = reserve_bytes
        self._means = means
        self._held = held
        self._copies = copies
        self._folder = folder
        self._worker = worker
        self._lock = threading.Lock()
        self._ending = False
        self._redacting: Redacting | None = None
        self._now: dict[str, int] = {}

    def progress(self, export_id: str) -> int:
        """Return how many seconds of an export's footage are redacted."""
        return self._now.get(export_id, 0)

    def stop(self) -> None:
        """Stop soon, from any thread: what was not made whole is made anew after a restart."""
        with self._lock:
            self._ending = True
            if self._redacting is not None:
                self._redacting.kill()

    def step(self) -> None:
        """End what is due, and make the films of what was asked for.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        if self._ending:
            return
        self._end_due()
        self._sweep()
        with self._means.store.read() as tx:
            asked = tx.find(Export, state=State.REDACTING.value)
        for row in asked:
            if not self._ending:
                self._make(row)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _end_due(self) -> None:
        """End exports whose hold or request is over; destroy the keys of all that is over."""
        means = self._means
        with means.store.read() as tx:
            over = tx.find(Export, state=_OVER, destroyed_at_ns=None)
            due = [row for row in tx.find(Export, state=_OPEN) if self._is_due(tx, row)]
        if not (over or due):
            return
        means.keys.destroy([row.key_id for row in over])
        with means.store.write() as tx:
            for row in over:
                tx.change(row, destroyed_at_ns=tx.now_ns)
            for row in tx.find(Export, export_id={one.export_id for one in due}, state=_OPEN):
                exports.end(tx, means.keys, row, State.ENDED, ACTOR)

    def _is_due(self, tx: Tx, row: Export) -> bool:
        if tx.now_ns >= row.ends_at_ns or not self._means.keys.has(row.key_id):
            return True
        holds = tx.find(Hold, hold_id=row.about)
        if holds:
            return not is_kept(holds[0], tx.now_ns)
        requests = tx.find(AccessRequest, access_id=row.about)
        return not requests or requests[0].state != AccessState.APPROVED.value

    def _sweep(self) -> None:
        """Remove the films of exports that are over, or that no row knows."""
        folders = sorted(self._folder.glob("*"))  # before the rows: a folder is never there before its row
        with self._means.store.read() as tx:
            kept = {row.export_id for row in tx.find(Export, state=_OPEN)}
        for folder in folders:
            if folder.name not in kept:
                FootageFolder.remove(folder)

    # --- making -------------------------------------------------------------------------------------------------------

    def _make(self, row: Export) -> None:
        """Make an export's films, or note why not."""
        try:
            films = list(self._films(row))
            self._keep(row, films)
        except KeyDestroyed:
            return  # it ended meanwhile
        except HabeasError as error:
            if not self._ending:
                self._note_failed(row, error)
            return
        finally:
            self._now.pop(row.export_id, None)
        reports = {film.name: film.report for film in films if film.report}
        with self._means.store.write() as tx:
            exports.note_made(tx, self._means.keys, row.export_id, [film.row for film in films], reports)

    def _note_failed(self, row: Export, error: HabeasError) -> None:
        with self._means.store.write() as tx:
            exports.note_failed(tx, row.export_id, error.message)

    def _films(self, row: Export) -> Iterator[_Film]:
        """Yield the films of an export.

        Raises:
            InputError: there is nothing, or too much of it, or the worker failed.
        """
        made, size = 0, 0
        for camera_id in row.cameras:
            for film in self._of_camera(row, camera_id):
                made, size = made + 1, size + len(film.data)
                if size > MAX_BYTES:
                    raise InputError("its films are larger than 1 GiB", remedy="export less at once")
                yield film
        if not made:
            raise InputError("there is no footage of it", remedy="see `habeas footage show`, `habeas access findings`")

    def _of_camera(self, row: Export, camera_id: str) -> Iterator[_Film]:
        stretches = self._stretches(row, camera_id)
        if row.unredacted:
            for one in stretches:
                yield _film(camera_id, one.header.began_ns, one.until_ns, one.data, {})
            return
        with self._worker() as redacting:
            with self._lock:
                self._redacting = redacting
                if self._ending:
                    redacting.kill()
            try:
                for reel in reels_of(stretches):
                    with reel:
                        yield self._redacted(row, camera_id, reel, redacting)
            finally:
                with self._lock:
                    self._redacting = None

    def _stretches(self, row: Export, camera_id: str) -> Iterator[Stretch]:
        """Yield what is preserved of a camera for the hold or request: nothing else is exported."""
        held = not row.about.startswith("acr-")
        place = self._held if held else self._copies
        source = Source(FootageFolder(place / row.about), Scope.HOLD if held else Scope.ACCESS)
        window = Window(camera_id, row.from_ns, row.until_ns)
        now_ns = self._means.time.now_ns()
        for one in found_once([source], self._means.keys, window, now_ns):
            if not isinstance(one, Damage):
                yield one

    def _redacted(self, row: Export, camera_id: str, reel: Reel, redacting: Redacting) -> _Film:
        began_ns = max(row.from_ns, reel.places[0].began_ns)
        looking = Looking(
            camera_id, began_ns, min(row.until_ns, reel.until_ns), DetectSettings(), self._masks(camera_id)
        )
        free = self._means.gallery.free(camera_id, looking.from_ns, looking.until_ns)
        compared = free == ((looking.from_ns, looking.until_ns),)
        examination = redacting.examine(reel, looking, _dropped, compared=False)
        found = self._found(row, camera_id) if compared else []
        by_hand = tuple(box.by_hand() for box in exports.boxes_of(self._means.keys, row) if box.camera_id == camera_id)
        wish = Wish(kept_tracks(examination, found), by_hand)
        pieces: list[bytes] = []
        redacted = redacting.paint(examination, wish, pieces.append)
        self._now[row.export_id] = self._now.get(row.export_id, 0) + (looking.until_ns - looking.from_ns) // NS_PER_S
        report = {**redacted.as_json(), "flaws": list(examination.flaws), "suspended": not compared}
        return _film(camera_id, looking.from_ns, looking.until_ns, b"".join(pieces), report)

    def _masks(self, camera_id: str) -> tuple[Mask, ...]:
        camera = self._means.gallery.camera(camera_id)
        return () if camera is None else tuple(Mask(*box) for box in camera.masks)

    def _found(self, row: Export, camera_id: str) -> list[Found]:
        """Return the findings of a request that somebody who looked said to be whoever asked."""
        with self._means.store.read() as tx:
            requests = tx.find(AccessRequest, access_id=row.about)
            confirmed = tx.find(Finding, access_id=row.about, state=SAME)
        found = [found_of(self._means.keys, request, one) for request in requests for one in confirmed]
        return [one for one in found if one is not None and one.camera_id == camera_id]

    # --- films --------------------------------------------------------------------------------------------------------

    def _place(self, row: Export) -> FootageFolder:
        return FootageFolder(self._folder / row.export_id)

    def _keep(self, row: Export, films: Sequence[_Film]) -> None:
        """Write the films, in the place of those that were made before."""
        folder = self._place(row)
        folder.remove(folder.path)
        folder.check_room(self._reserve_bytes)
        for film in films:
            header = Header(
                camera=film.camera_id,
                hour_ns=film.from_ns - film.from_ns % HOUR_NS,
                deadline_ns=row.ends_at_ns,
                key=row.key_id,
                segment=new_segment_id(),
                codec="h264",
                size_wh=(0, 0),
                began_ns=film.from_ns,
            )
            folder.put(self._means.keys, header, _records(film))

    def films(self, row: Export) -> dict[str, bytes]:
        """Return the films of an export, by name, each checked against its row.

        Raises:
            InputError: one is missing or was changed.
            KeyDestroyed: it is over.
        """
        return {name: self.film(row, number) for number, (name, *_) in enumerate(row.films)}

    def film(self, row: Export, number: int) -> bytes:
        """Return one film of an export.

        Raises:
            InputError: there is none of this number, or it was changed.
            KeyDestroyed: it is over.
        """
        if not 0 <= number < len(row.films):
            raise InputError("there is no such film in this export", remedy="see `habeas footage exports`")
        name, camera_id, from_ns, until_ns, sha256 = row.films[number]
        window = Window(camera_id, from_ns, until_ns)
        now_ns = self._means.time.now_ns()
        for one in read_window(self._place(row), self._means.keys, Scope.EXPORT, window, now_ns, whole=True):
            if isinstance(one, Stretch) and hashlib.sha256(one.data).hexdigest() == sha256:
                return one.data
        raise InputError(f"{name} is missing, or was changed", remedy="have it made again")

    # --- parcels ------------------------------------------------------------------------------------------------------

    def parcel(self, row: Export, log_folder: Path, passphrase: str) -> bytes:
        """Return an approved export as its recipient gets it, encrypted.

        Args:
            row: approved.
            log_folder: of the trees.
            passphrase: for a recipient who is told one; else empty.

        Raises:
            InputError: the log has not published its approval yet, or the passphrase is too short, or not wanted.
            KeyDestroyed: it is over.
        """
        if bool(passphrase) is not (row.recipient == PASSPHRASE):
            wanted = "a passphrase" if row.recipient == PASSPHRASE else "the recipient's key, and no passphrase"
            raise InputError(f"this export was approved for {wanted}", remedy="fetch it as it was approved")
        means = self._means
        with means.store.read() as tx:
            (entry,) = tx.find(Entry, seq=row.approved_seq)
            epochs = tx.find(Epoch)
        logs = tuple(EpochLog(files_of(log_folder, one), one.number, one.first_seq) for one in epochs)
        exhibit = Exhibit(entry.seq, open_entry(means.keys, entry).opening, None, _proof(logs, entry.seq))
        first = {epoch.origin: epoch.first_seq for epoch in epochs}
        plain = pack(
            exports.content(means.keys, row), exports.told_reports(means.keys, row), self.films(row), exhibit, first
        )
        return seal_with_passphrase(passphrase, plain) if passphrase else seal(row.recipient, plain)


def _proof(logs: Sequence[EpochLog], seq: int) -> InclusionProof | None:
    try:
        return prove(logs, seq)
    except InputError:
        return None  # in no checkpoint yet


def _dropped(_probe: Probe) -> None:
    """Take a probe that nobody compares."""


def _film(camera_id: str, from_ns: int, until_ns: int, data: bytes, report: dict[str, Any]) -> _Film:
    return _Film(f"{camera_id}-{compact(from_ns)}.mp4", camera_id, from_ns, until_ns, data, report)


def _records(film: _Film) -> list[Record]:
    """Return a film as records: its pieces, whose times say nothing, and the end."""
    starts = range(0, len(film.data), _PIECE_BYTES)
    lasts_ns = film.until_ns - film.from_ns
    parts = [Record(Kind.PART, film.from_ns, 0, b"")]
    parts += [
        Record(Kind.PART, film.from_ns, lasts_ns if not at else 0, film.data[at : at + _PIECE_BYTES]) for at in starts
    ]
    return [*parts, Record(Kind.END, film.until_ns, len(parts), b"")]


def kept_tracks(examination: Examination, found: Sequence[Found]) -> frozenset[int]:
    """Return the tracks of a film that are where somebody who looked said that whoever asked is. Pure."""
    tracks = examination.tracks.values()
    return frozenset(track.track_id for track in tracks if any(_is_at(track, one) for one in found))


def _is_at(track: Seen, found: Found) -> bool:
    """Tell whether a track is where and when a finding is; between its places it moves straight."""
    times_ns = np.array([at_ns for at_ns, _box in track.places], np.float64)
    if not times_ns[0] <= found.captured_at_ns <= times_ns[-1]:
        return False
    boxes = np.array([box for _at_ns, box in track.places], np.float64)
    box = [np.interp(found.captured_at_ns, times_ns, boxes[:, edge]) for edge in range(4)]
    overlap = iou(np.array([box], np.float32), np.array([found.box_xyxy_px], np.float32))
    return float(overlap[0, 0]) >= _SAME_PLACE
