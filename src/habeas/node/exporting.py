"""Makes the films of exports: redacted in a sealed worker, reel by reel, and kept under the export's key until it ends.

Who is spared, the node decides: of an access request the tracks that somebody who looked said to be whoever asked, of a
hold nobody but whom a person marked by hand. What was captured in a suspension spares only whom a person marked.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from habeas.audit.bundle import Exhibit
from habeas.audit.inputs import EpochLog
from habeas.audit.openings import open_entry
from habeas.audit.parcel import MAX_BYTES, pack
from habeas.audit.proof import InclusionProof
from habeas.audit.proving import prove
from habeas.authority.suspensions import is_free
from habeas.engine.redacting import Examination, Redacting, Seen
from habeas.engine.screening import Looking, Reel, reels_of
from habeas.errors import HabeasError, InputError, KeyDestroyed, SourceError
from habeas.footage import exports
from habeas.footage.copying import Source, found_once
from habeas.footage.exports import OVER, PASSPHRASE, Reports, State
from habeas.footage.files import FootageFolder, compact
from habeas.footage.films import Film, put_film, read_film
from habeas.footage.findings import AROUND_NS, SAME, Found, found_of
from habeas.footage.reading import Damage, Stretch, Window
from habeas.footage.redaction import ByHand, Wish
from habeas.geometry import iou
from habeas.keys import Scope, seal, seal_with_passphrase
from habeas.node.alerting import Means
from habeas.node.trees import files_of
from habeas.settings import DetectSettings
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Export, Finding
from habeas.store.records import Camera, Entry, Epoch
from habeas.types import F32, NS_PER_S, Probe
from habeas.video.masks import Mask

ACTOR: Final = "clock"
_OVER: Final = [state.value for state in OVER]
_OPEN: Final = [state.value for state in set(State) - OVER]
_SAME_PLACE: Final = 0.3
"""How much two boxes of one face overlap at least (intersection over union)."""
_MOST_SPARED: Final = 0.15
"""Of a picture, in one box that spares."""
_LOOKS: Final = 25
_CANNOT: Final = "its footage cannot be redacted"
"""In place of what a worker says: who reads strangers' video could put a face into its words."""

_Made = tuple[Film, dict[str, object]]
"""A film, and the report of its redaction; empty: it is whole."""


class Exporting:
    """Makes and ends exports. Its two methods are called by one thread each.

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
        self._making = ""
        """Which export the worker is busy with."""
        self._now_ns: dict[str, int] = {}
        self._packing = threading.Lock()
        """Held while films are packed: their bytes lie in memory, and then once more."""

    def progress(self, export_id: str) -> int:
        """Return how many seconds of an export's footage are done; of what is examined and not painted, half."""
        return self._now_ns.get(export_id, 0) // NS_PER_S

    def stop(self) -> None:
        """Stop soon, from any thread: what was not made whole is made anew after a restart."""
        with self._lock:
            self._ending = True
            if self._redacting is not None:
                self._redacting.kill()

    def step(self) -> None:
        """Make the films of what was asked for.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        with self._means.store.read() as tx:
            asked = tx.find(Export, state=State.REDACTING.value)
        for row in asked:
            if not self._ending and not self._means.time.jumped:
                self._make(row)

    def end_due(self) -> None:
        """End exports whose hold or request is over, and remove their films; nothing that is made is waited for.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        if not self._ending:
            self._end_due()
            self._stop_over()
            self._sweep()

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _end_due(self) -> None:
        """End exports whose hold or request is over; destroy the keys of all that is over."""
        means = self._means
        with means.store.read() as tx:
            over = tx.find(Export, state=_OVER, destroyed_at_ns=None)
            due = [row for row in tx.find(Export, state=_OPEN) if self._is_due(tx, row)]
            stray = means.keys.ids(Scope.EXPORT) - {row.key_id for row in tx.find(Export)}
        if stray:
            self._destroy_stray()
        if not (over or due):
            return
        means.keys.destroy([row.key_id for row in over])
        with means.store.write() as tx:
            for row in over:
                tx.change(row, destroyed_at_ns=tx.now_ns)
            for row in tx.find(Export, export_id={one.export_id for one in due}, state=_OPEN):
                exports.end(tx, means.keys, row, State.ENDED, ACTOR)

    def _stop_over(self) -> None:
        """Stop working on an export that is over: others wait."""
        with self._means.store.read() as tx, self._lock:
            if self._redacting is not None and not tx.find(Export, export_id=self._making, state=_OPEN):
                self._redacting.kill()

    def _destroy_stray(self) -> None:
        """Destroy keys of exports that no row knows: an older database, the current keys."""
        means = self._means
        with means.store.write() as tx:  # nobody begins one meanwhile: writers take turns
            means.keys.destroy(means.keys.ids(Scope.EXPORT) - {row.key_id for row in tx.find(Export)})

    def _is_due(self, tx: Tx, row: Export) -> bool:
        return not self._means.keys.has(row.key_id) or not exports.is_open(tx, row)

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
        damaged: list[str] = []
        try:
            folder = self._place(row)
            folder.remove(folder.path)
            films, reports = self._written(row, folder, damaged)
        except KeyDestroyed:
            return  # it ended meanwhile
        except HabeasError as error:
            if not self._ending:
                self._note_failed(row, error)
            return
        finally:
            self._now_ns.pop(row.export_id, None)
        with self._means.store.write() as tx:
            exports.note_made(tx, self._means.keys, row.export_id, films, reports, damaged)

    def _written(
        self, row: Export, folder: FootageFolder, damaged: list[str]
    ) -> tuple[list[tuple[str, str, int, int, str]], Reports]:
        """Write each film as it is made, and return what they are, and the reports.

        Raises:
            InputError: there is nothing, or too much of it, or the worker failed.
            DiskError: the disk is full, or fails.
            KeyDestroyed: it ended.
        """
        films: list[tuple[str, str, int, int, str]] = []
        reports: Reports = {}
        size = 0
        for film, report in (made for camera_id in row.cameras for made in self._of_camera(row, camera_id, damaged)):
            size += len(film.data)
            if size > MAX_BYTES:
                raise InputError("its films are larger than 512 MB", remedy="export less at once")
            name = f"{film.camera_id}-{compact(film.from_ns)}-{len(films) + 1}.mp4"
            self._keep(row, film, folder)
            films.append((name, film.camera_id, film.from_ns, film.until_ns, film.sha256))
            if report:
                reports[name] = report
        if not films:
            raise InputError("there is no footage of it", remedy="see `habeas footage show`, `habeas access findings`")
        return films, reports

    def _note_failed(self, row: Export, error: HabeasError) -> None:
        why = _CANNOT if isinstance(error, SourceError) else error.message
        with self._means.store.write() as tx:
            exports.note_failed(tx, row.export_id, why)

    def _of_camera(self, row: Export, camera_id: str, damaged: list[str]) -> Iterator[_Made]:
        stretches = self._stretches(row, camera_id, damaged)
        if row.unredacted:
            for one in stretches:
                yield Film(camera_id, one.header.began_ns, one.until_ns, one.data), {}
            return
        with self._worker() as redacting:
            with self._lock:
                self._redacting, self._making = redacting, row.export_id
                if self._ending:
                    redacting.kill()
            try:
                for reel in reels_of(stretches):
                    with reel:
                        shown = self._shown(row, camera_id, reel)
                        if shown is not None:
                            yield self._redacted(row, camera_id, reel, shown, redacting)
            finally:
                with self._lock:
                    self._redacting = None

    def _stretches(self, row: Export, camera_id: str, damaged: list[str]) -> Iterator[Stretch]:
        """Yield what is preserved of a camera for the hold or request: nothing else is exported."""
        held = not exports.is_for_request(row.about)
        place = self._held if held else self._copies
        source = Source(FootageFolder(place / row.about), Scope.HOLD if held else Scope.ACCESS)
        window = Window(camera_id, row.from_ns, row.until_ns)
        now_ns = self._means.time.now_ns()
        for one in found_once([source], self._means.keys, window, now_ns):
            if isinstance(one, Damage):
                damaged.append(one.name)
            else:
                yield one

    def _shown(self, row: Export, camera_id: str, reel: Reel) -> tuple[int, int] | None:
        """Return from when to when a reel is exported; of a request, only what is around confirmed findings."""
        began_ns, until_ns = max(row.from_ns, reel.places[0].began_ns), min(row.until_ns, reel.until_ns)
        if exports.is_for_request(row.about):
            around = [(one.from_ns - AROUND_NS, one.until_ns + AROUND_NS) for one in self._found(row, camera_id)]
            within = [(first, last) for first, last in around if first < until_ns and began_ns < last]
            if not within:
                return None
            began_ns = max(began_ns, min(first for first, _ in within))
            until_ns = min(until_ns, max(last for _, last in within))
        return began_ns, until_ns

    def _redacted(self, row: Export, camera_id: str, reel: Reel, shown: tuple[int, int], redacting: Redacting) -> _Made:
        began_ns, until_ns = shown
        with self._means.store.read() as tx:
            masks = tuple(Mask(*box) for box in tx.get(Camera, camera_id).masks)
            free = is_free(tx, camera_id, began_ns, until_ns)
        looking = Looking(camera_id, began_ns, until_ns, DetectSettings(), masks)
        before_ns = self._now_ns.get(row.export_id, 0)

        def tell(done_ns: int) -> None:
            self._now_ns[row.export_id] = before_ns + done_ns

        examination = redacting.examine(reel, looking, _dropped, tell, compared=False)
        boxes = exports.boxes_of(self._means.keys, row)
        found = self._found(row, camera_id) if free else []
        by_hand = tuple(box.by_hand() for box in boxes if box.camera_id == camera_id)
        check_spared(examination, by_hand)
        pieces: list[bytes] = []
        redacted = redacting.paint(examination, Wish(kept_tracks(examination, found), by_hand), pieces.append, tell)
        tell(until_ns - began_ns)
        report = {**redacted.as_json(examination), "suspended": not free}
        return Film(camera_id, began_ns, until_ns, b"".join(pieces)), report

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

    def _keep(self, row: Export, film: Film, folder: FootageFolder) -> None:
        """Write a film."""
        folder.check_room(self._reserve_bytes)
        put_film(folder, self._means.keys, film, row.key_id, row.ends_at_ns)

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
        _name, camera_id, from_ns, until_ns, sha256 = row.films[number]
        window, now_ns = Window(camera_id, from_ns, until_ns), self._means.time.now_ns()
        return read_film(self._place(row), self._means.keys, Scope.EXPORT, window, sha256, now_ns)

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
        content, reports = exports.content(means.keys, row), exports.told_reports(means.keys, row)
        with self._packing:
            plain = pack(content, reports, self.films(row), exhibit, first)
            return seal_with_passphrase(passphrase, plain) if passphrase else seal(row.recipient, plain)


def _proof(logs: Sequence[EpochLog], seq: int) -> InclusionProof | None:
    try:
        return prove(logs, seq)
    except InputError:
        return None  # in no checkpoint yet


def _dropped(_probe: Probe) -> None:
    """Take a probe that nobody compares."""


def kept_tracks(examination: Examination, found: Sequence[Found]) -> frozenset[int]:
    """Return the tracks of a film that are where somebody who looked said that whoever asked is. Pure.

    One for each finding: where two faces are at that place in that moment, neither is spared.
    """
    kept = set()
    for one in found:
        near = [track.track_id for track in examination.tracks.values() if _is_at(track, one)]
        kept |= set(near) if len(near) == 1 else set()
    return frozenset(kept)


def _is_at(track: Seen, found: Found) -> bool:
    """Tell whether a track is where and when a finding is; between its places it moves straight."""
    box = _place(track, found.captured_at_ns)
    if box is None:
        return False
    return float(iou(box[None], np.array([found.box_xyxy_px], np.float32))[0, 0]) >= _SAME_PLACE


def _place(track: Seen, at_ns: int) -> F32 | None:
    """Return where a track is at an instant: (4,) float32; None: it is not there then."""
    times_ns = np.array([one_ns for one_ns, _box in track.places], np.float64)
    if not times_ns[0] <= at_ns <= times_ns[-1]:
        return None
    boxes = np.array([box for _at_ns, box in track.places], np.float64)
    return np.array([np.interp(at_ns, times_ns, boxes[:, edge]) for edge in range(4)], np.float32)


def check_spared(examination: Examination, by_hand: Sequence[ByHand]) -> None:
    """Check that boxes which spare are for one head each: nobody spares a whole picture, or two people, by a box.

    Raises:
        InputError: one is too large, or two faces are in it at one moment.
    """
    width, height = examination.size_wh
    for box in (one for one in by_hand if one.spare):
        left, top, right, bottom = box.box_xyxy_px
        wide = max(0.0, min(right, width) - max(left, 0.0))
        high = max(0.0, min(bottom, height) - max(top, 0.0))
        if wide * high > _MOST_SPARED * width * height:
            raise InputError("a box that spares is larger than a head", remedy="draw it around one face")
        for at_ns in np.linspace(box.from_ns, box.until_ns, _LOOKS).astype(np.int64).tolist():
            places = [_place(track, at_ns) for track in examination.tracks.values()]
            if sum(one is not None and _is_inside(one, box) for one in places) > 1:
                raise InputError("two faces are in a box that spares", remedy="draw it around one face, for less time")


def _is_inside(place_xyxy_px: F32, box: ByHand) -> bool:
    left, top, right, bottom = box.box_xyxy_px
    x, y = (place_xyxy_px[0] + place_xyxy_px[2]) / 2, (place_xyxy_px[1] + place_xyxy_px[3]) / 2
    return bool(left <= x < right and top <= y < bottom)
