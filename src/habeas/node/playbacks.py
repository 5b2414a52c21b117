"""Makes the films of alerts in a sealed worker, one after another, and removes them when they end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from habeas.authority.suspensions import free_of, is_free
from habeas.engine.playing import Playing
from habeas.engine.screening import Looking, Reel, reels_of
from habeas.errors import HabeasError, InputError, KeyDestroyed, SourceError
from habeas.footage import playback
from habeas.footage.copying import Source, found_once
from habeas.footage.files import FootageFolder
from habeas.footage.films import Film, put_film, read_film
from habeas.footage.reading import Damage, Stretch, Window
from habeas.footage.uncovering import Where
from habeas.keys import Scope
from habeas.node.alerting import Means
from habeas.review.alerts import place_of
from habeas.settings import DetectSettings
from habeas.store.footage_records import Playback
from habeas.store.records import Alert, Camera
from habeas.types import NS_PER_S
from habeas.video.masks import Mask

FOLLOW_HZ: Final = 12.5
"""At least so often faces are looked for, whatever the camera's rate: less may move between two looks."""
_CANNOT: Final = "its footage cannot be shown"
"""In place of what a worker says: who reads strangers' video could put a face into its words."""


@dataclass
class _Made:
    """What came of one film so far. Used by one thread."""

    films: list[Film] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    found: bool = False
    shown_ns: int = 0
    damaged: int = 0


class Playbacks:
    """Makes and ends the films of alerts. Its two steps are called by one thread each.

    Args:
        means: the database, keys, and the time.
        footage: where what was recorded lies.
        held: where what holds preserve lies.
        folder: where the films lie: a folder an alert.
        worker: starts a worker that makes them.
        detect: how faces are looked for, but for the camera's smallest face.
        reserve_bytes: room on the disk that films leave to alerts and the log.
    """

    def __init__(
        self,
        means: Means,
        footage: FootageFolder,
        held: Path,
        folder: Path,
        worker: Callable[[], Playing],
        detect: DetectSettings,
        *,
        reserve_bytes: int,
    ) -> None:
        self._means = means
        self._footage = footage
        self._held = held
        self._folder = folder
        self._worker = worker
        self._detect = detect
        self._reserve_bytes = reserve_bytes
        self._lock = threading.Lock()
        self._ending = False
        self._playing: Playing | None = None
        self._making = ""
        """Of which alert the worker makes the film."""
        self._done_ns = 0

    def progress(self, alert_id: str) -> int:
        """Return how many seconds of a film are made."""
        return self._done_ns // NS_PER_S if self._making == alert_id else 0

    def stop(self) -> None:
        """Stop soon, from any thread: what was not made is made after a restart, if it is still wanted."""
        with self._lock:
            self._ending = True
            if self._playing is not None:
                self._playing.kill()

    def step(self) -> None:
        """Make the films that were asked for, and whose time is recorded.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        with self._means.store.read() as tx:
            asked = playback.due(tx)
        for alert, row in asked:
            if not self._ending and not self._means.time.jumped:
                self._make(alert, row)

    def end_due(self) -> None:
        """End films whose footage is gone, and remove all that are over; nothing that is made is waited for.

        Raises:
            DiskError: the disk or database failed: call it again.
        """
        if self._ending:
            return
        with self._means.store.read() as tx:
            lost = any(not playback.is_there(tx, self._means.keys, row) for row in _made(tx.find(Playback)))
        if lost:
            with self._means.store.write() as tx:
                playback.end_lost(tx, self._means.keys)
        self._sweep()

    def _sweep(self) -> None:
        """Remove the films of alerts that nobody judges any more, and stop making one."""
        folders = sorted(self._folder.glob("*"))  # before the rows: a folder is never there before its row
        with self._lock:  # before the rows: what is begun after them is not stopped
            with self._means.store.read() as tx:
                wanted = {row.alert_id for row in tx.find(Playback)}
            if self._playing is not None and self._making not in wanted:
                self._playing.kill()
        for folder in folders:
            if folder.name not in wanted:
                FootageFolder.remove(folder)

    # --- making -------------------------------------------------------------------------------------------------------

    def _make(self, alert: Alert, row: Playback) -> None:
        """Make a film, or note why not."""
        made = _Made()
        try:
            self._work(alert, row, made)
            self._keep(alert, made)
        except KeyDestroyed:
            return  # it ended meanwhile
        except HabeasError as error:
            if not self._ending:
                self._note_failed(alert, error)

    def _note_failed(self, alert: Alert, error: HabeasError) -> None:
        why = _CANNOT if isinstance(error, SourceError) else error.message
        with self._means.store.write() as tx:
            playback.note_failed(tx, self._means.keys, alert.alert_id, why)

    def _work(self, alert: Alert, row: Playback, made: _Made) -> None:
        """Have a worker make the parts of a film.

        Raises:
            InputError: nothing is there to make it of, or the worker failed.
            SourceError: nothing came of it.
        """
        with self._means.store.read() as tx:
            parts = free_of(tx, alert.camera_id, row.from_ns, row.until_ns)
            camera = tx.get(Camera, alert.camera_id)
        with self._worker() as playing:
            with self._lock:
                self._playing, self._making, self._done_ns = playing, alert.alert_id, 0
                if self._ending:
                    playing.kill()
            try:
                for from_ns, until_ns in parts:
                    window = Window(alert.camera_id, from_ns, until_ns)
                    for reel in reels_of(self._stretches(alert, window, made)):
                        with reel:
                            self._part(alert, camera, window, reel, playing, made)
            finally:
                with self._lock:
                    self._playing, self._making = None, ""
        if not made.films:
            raise InputError(playback.NOTHING, remedy="see: habeas footage list")

    def _stretches(self, alert: Alert, window: Window, made: _Made) -> Iterator[Stretch]:
        """Yield what there is of a part; nothing in which a suspension ends, since it is decoded from its beginning."""
        means = self._means
        with means.store.read() as tx:
            holds = sorted(hold.hold_id for hold in playback.holds_for(tx, alert))
        held = (Source(FootageFolder(self._held / name), Scope.HOLD) for name in holds)
        sources = [Source(self._footage, Scope.FOOTAGE), *held]
        for one in found_once(sources, means.keys, window, means.time.now_ns()):
            if isinstance(one, Damage):
                made.damaged += 1
            elif self._is_free(window.camera_id, one.header.began_ns, window.from_ns):
                yield one

    def _is_free(self, camera_id: str, from_ns: int, until_ns: int) -> bool:
        if until_ns <= from_ns:
            return True
        with self._means.store.read() as tx:
            return is_free(tx, camera_id, from_ns, until_ns)

    def _part(self, alert: Alert, camera: Camera, window: Window, reel: Reel, playing: Playing, made: _Made) -> None:
        from_ns, until_ns = max(window.from_ns, reel.places[0].began_ns), min(window.until_ns, reel.until_ns)
        if until_ns <= from_ns:
            return
        place = place_of(self._means.keys, alert) if from_ns <= alert.captured_at_ns < until_ns else None
        where = None if place is None else Where(alert.captured_at_ns, place)
        before_ns = self._done_ns

        def tell(done_ns: int) -> None:
            self._done_ns = before_ns + done_ns

        def go_on() -> None:
            self._check(camera.camera_id, from_ns, until_ns, reel)

        came = playing.play(reel, self._looking(camera, from_ns, until_ns), where, tell, go_on)
        made.films.append(Film(alert.camera_id, from_ns, until_ns, came.data))
        made.sources |= reel.key_ids
        made.found |= came.found
        made.shown_ns += came.shown_ns

    def _check(self, camera_id: str, from_ns: int, until_ns: int, reel: Reel) -> None:
        """Check that what is in memory may be looked at still: asked at each message of the worker.

        Raises:
            KeyDestroyed: a suspension binds it, a key of it is gone or over, or the time is in doubt.
        """
        means = self._means
        over = means.time.now_ns() >= playback.ends_at_ns(means.keys, reel.key_ids)
        if over or means.time.jumped or not self._is_free(camera_id, from_ns, until_ns):
            raise KeyDestroyed("the footage may not be looked at any more", remedy="it is made of what is left")

    def _looking(self, camera: Camera, from_ns: int, until_ns: int) -> Looking:
        rate_hz = max(FOLLOW_HZ, self._detect.rate_hz)
        detect = self._detect.model_copy(update={"min_face_px": camera.min_face_px, "rate_hz": rate_hz})
        return Looking(camera.camera_id, from_ns, until_ns, detect, tuple(Mask(*box) for box in camera.masks))

    def _keep(self, alert: Alert, made: _Made) -> None:
        """Write the parts of a film under a key of its own, and note that it can be played."""
        means = self._means
        folder = FootageFolder(self._folder / alert.alert_id)
        folder.remove(folder.path)  # what an earlier attempt left
        folder.check_room(self._reserve_bytes)
        with means.store.write() as tx:
            row = playback.begin_keeping(tx, means.keys, alert.alert_id, made.sources, made.films)
        if row is None:
            return
        for film in made.films:
            put_film(folder, means.keys, film, row.key_id, row.ends_at_ns)
        with suppress(KeyDestroyed), means.store.write() as tx:
            found, shown_ns, damaged = made.found, made.shown_ns, made.damaged
            playback.note_made(tx, means.keys, row, made.films, found=found, shown_ns=shown_ns, damaged=damaged)

    # --- playing ------------------------------------------------------------------------------------------------------

    def film(self, alert: Alert, row: Playback, number: int) -> bytes:
        """Return one part of a film; one that is missing or was changed ends, so that it can be made again.

        Raises:
            InputError: there is none of this number, or it was changed.
            KeyDestroyed: it is over.
            DiskError: the disk or database failed.
        """
        if not 0 <= number < len(row.films):
            raise InputError("there is no such part of this film", remedy="see: habeas footage play --alert ALERT")
        from_ns, until_ns, sha256 = row.films[number]
        window, now_ns = Window(alert.camera_id, from_ns, until_ns), self._means.time.now_ns()
        folder = FootageFolder(self._folder / alert.alert_id)
        try:
            return read_film(folder, self._means.keys, Scope.PLAYBACK, window, sha256, now_ns)
        except InputError:
            with self._means.store.write() as tx:
                playback.end_damaged(tx, self._means.keys, row)
            raise


def _made(rows: list[Playback]) -> list[Playback]:
    return [row for row in rows if row.state == playback.State.READY.value]
