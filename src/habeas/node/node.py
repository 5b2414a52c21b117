"""The node: everything that an installation does while it runs, and in which order it begins and ends.

Begin   1. The key store opens; nothing of another installation's database is ever done with it.
        2. The database is brought up to date and opens, if it is this installation's; time goes on from where it was.
        3. What ended meanwhile is ended and destroyed; the gallery is compiled.
        4. Workers start; cameras that may be searched are watched, and no others.
Each second: clock, ends, destruction, cameras, counters. A change by command does the same at once.
Each few seconds: one camera that nobody watches, whether it gives frames (`node.liveness`).
End     Cameras stop, what was found is compared and written, workers end, time is noted, all is closed.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from habeas.accounts.roles import Actor
from habeas.accounts.throttle import Throttle
from habeas.audit.asking import Witnesses
from habeas.authority.cameras import note_delivery, note_silence, source_text
from habeas.authority.canary import load_reference
from habeas.authority.gallery import Gallery
from habeas.authority.jumps import MOVED_NS
from habeas.comparison import load_calibration
from habeas.comparison.calibration import calibration_digest
from habeas.engine.orders import CameraOrder, CameraReport, CameraState, WorkerChange, WorkerNews
from habeas.engine.relay import Relay
from habeas.engine.supervisor import Supervisor
from habeas.errors import HabeasError, InputError, UsageError
from habeas.footage.access import overdue
from habeas.footage.recorder import Recorder
from habeas.footage.rows import kept_for_ns
from habeas.node.alerting import Means
from habeas.node.build import build_digest
from habeas.node.canaries import Canaries, told_canaries
from habeas.node.counting import Counting, delivering, log_counts, write_counts
from habeas.node.drifting import step_days, told_drift
from habeas.node.footage import FootageWork
from habeas.node.inspecting import INSPECT_S, camera_facts
from habeas.node.liveness import PAUSE_S, Liveness
from habeas.node.matching import Matching
from habeas.node.publishing import Publishing
from habeas.node.refusals import Refusals
from habeas.node.register import PUBLIC, Registering
from habeas.node.searching import Searching, write_searches
from habeas.node.tick import tick
from habeas.node.timekeeper import Timekeeper, last_beat, restored
from habeas.node.trees import LOGS
from habeas.node.witnessed import hear_time
from habeas.node.workspace import Workspace, log_origin
from habeas.ports import Clock
from habeas.store import Store, Tx, open_store
from habeas.store.place import check_place
from habeas.store.records import Camera, Meta
from habeas.store.upgrade import bring_up
from habeas.types import NS_PER_S, Flaw, utc
from habeas.video.address import parse_address
from habeas.video.masks import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK_S: Final = 1.0
_REAP_S: Final = 30.0
_PATIENCE_S: Final = 10.0
"""The warden has the key store for as long as the database takes to open."""
_BEAT_NS: Final = 10 * NS_PER_S
_FLAWS: Final = 100
SYSTEM: Final = "node"
"""Who acts, in entries, where nobody did."""


class Node:
    """One installation, running. A context manager.

    Args:
        workspace: whose.
        clock: the machine's.
        model_id: of the pack whose references are compared.
        on_problem: hears of what could not be done and is tried again.
        on_alert: hears of alerts that wait for reviewers: `alert` or `on-call`, and the alert's id. Returns soon.
    """

    def __init__(
        self,
        workspace: Workspace,
        clock: Clock,
        model_id: str,
        on_problem: Callable[[HabeasError], None],
        on_alert: Callable[[str, str], None] = lambda _what, _alert_id: None,
    ) -> None:
        self.workspace = workspace
        self.tell: Final = on_problem
        self._on_alert = on_alert
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._doing = threading.Lock()
        self._next_beat_ns = 0
        self._jump_told_ns: int | None = None
        self._flaws: dict[str, list[Flaw]] = {}
        self._news: list[WorkerNews] = []
        with ExitStack() as stack:
            self.keys = stack.enter_context(workspace.open_keys(_PATIENCE_S))
            self.time = _time_of(workspace, clock)
            self.store: Store = stack.enter_context(open_store(workspace.database_url, self.time))
            self.gallery = Gallery(self.store, self.keys, model_id)
            self.calibration, self._calibration = load_calibration(model_id), calibration_digest(model_id)
            self.counting, self.searching = Counting(), Searching()
            self.throttle = Throttle()
            self.refusals = Refusals(self.store, self.time)
            self._begin_entries()
            self.relay = stack.enter_context(Relay())
            canary = load_reference(model_id)
            self.dimensions: Final = len(canary)
            self.canaries = Canaries(self.store, self.time, self.gallery, canary, on_problem)
            self.means: Final = Means(
                self.store,
                self.keys,
                self.gallery,
                self.calibration,
                self.dimensions,
                self.time,
                self.counting,
                self.searching,
                cooldown_ns=round(workspace.settings.alerts.cooldown_s * NS_PER_S),
                on_problem=on_problem,
                on_alert=lambda alert_id: on_alert("alert", alert_id),
            )
            matching = Matching(self.means, canary=canary, on_canary=self.canaries.answered)
            self.matching = stack.enter_context(matching)
            self.footage = FootageWork(self.means, workspace)
            self.recorder = stack.enter_context(
                Recorder(
                    self.store,
                    self.keys,
                    self.time,
                    self.footage.folder,
                    reserve_bytes=workspace.settings.footage.reserve_bytes,
                    tell=on_problem,
                )
            )
            self.supervisor = stack.enter_context(self._supervisor())
            self.log = stack.enter_context(self._publishing())
            self._liveness = Liveness(self.store, self.time, self.test_camera, self.supervisor.running)
            self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
            self._beside = [
                self._repeating("liveness", self._liveness.step, PAUSE_S),
                self._repeating("reaper", self._reap, _REAP_S),
                *(self._repeating(*each) for each in self.footage.repeated()),
            ]
            self._open = stack.pop_all()
        for thread in (self._thread, *self._beside):
            thread.start()
        self.log.start()

    def _supervisor(self) -> Supervisor:
        return Supervisor(
            workers=self.workspace.settings.workers.count,
            settings=self.workspace.settings,
            clock=self.time,
            relay=self.relay,
            on_probe=self.matching.take,
            on_end=self.matching.take,
            on_counters=self.counting.heard,
            on_flaw=self._heard_flaw,
            on_worker=self._heard_worker,
            on_canary=self.canaries.shown,
            on_part=self.recorder.take,
        )

    def _publishing(self) -> Publishing:
        settings, workspace_id = self.workspace.settings.log, self.workspace.workspace_id
        return Publishing(
            self.store,
            self.keys,
            self.time,
            self.log_folder,
            settings,
            log_origin(settings, workspace_id),
            Witnesses(settings.witness_urls, settings.witness_timeout_s),
            self._guarded,
            lambda now_ns: hear_time(now_ns, self.time, self.gallery, self.store),
            self.gallery.close_starts,
            Registering(
                self.store, self.time, self.log_folder, self.workspace.folder / PUBLIC, self.workspace.settings.public
            ).step,
        )

    @property
    def log_folder(self) -> Path:
        """Where the trees of the log are, one folder an epoch."""
        return self.workspace.folder / LOGS

    def _begin_entries(self) -> None:
        with self.store.write() as tx:
            body = {"build": build_digest(), "clock_trusted": not self.time.jumped, "model": self.gallery.model_id}
            tx.entry("node.started", SYSTEM, body)
        self._settle()

    # --- commands -----------------------------------------------------------------------------------------------------

    @contextmanager
    def command(self) -> "Iterator[Tx]":
        """Hand out a writing transaction; what it changed holds for every comparison before this returns."""
        try:
            with self.store.write() as tx:
                yield tx
        finally:  # what follows a commit may fail; what was committed holds all the same
            self.changed()

    def changed(self) -> None:
        """Compile anew what may be compared, and open or close cameras soon."""
        self.gallery.refresh()
        self._wake.set()

    def confirm_clock(self, tx: Tx, actor: Actor) -> None:
        """Take over the wall clock once the transaction commits: its second approver said that it is right."""
        tx.entry("clock.confirmed", actor.account_id, {"off_by_s": round(self.time.off_by_ns() / NS_PER_S)})
        tx.after_commit(self.time.confirm)

    # --- each second --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            self.tick()
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def _repeating(self, name: str, step: Callable[[], object], pause_s: float) -> threading.Thread:
        """Make a thread that does something again and again: nothing of the scheduler waits for it."""

        def run() -> None:
            while not self._ending.wait(pause_s):
                self._guarded(step)

        return threading.Thread(target=run, name=name, daemon=True)

    def _reap(self) -> None:
        """Destroy keys that have expired, whatever becomes of the scheduler, which does so each second."""
        self.keys.reap(self.time.now_ns())

    def tick(self) -> None:
        """Do what is due now. No step waits for another to succeed: cameras close while a disk is full."""
        with self._doing:
            self.matching.forget_old()
            self._guarded(self._check_clock)
            self._settle()
            for step in (self._follow_gallery, self._follow_recording, self.recorder.check):
                self._guarded(step)
            for step in (self._step_canaries, self.refusals.write_due, self._note):
                self._guarded(step)

    def _settle(self) -> None:
        """End, destroy and compile what the clock asks for."""
        tick(self.store, self.keys, self.gallery, self.time, self._guarded, self._called)

    def _called(self, alert_id: str) -> None:
        self._on_alert("on-call", alert_id)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except HabeasError as error:
            self.tell(error)
        except Exception as error:  # noqa: BLE001 - scheduler top loop: deadlines are kept whatever else fails
            self.tell(HabeasError(f"{type(error).__name__}: {error}", remedy="report this bug"))

    def _check_clock(self) -> None:
        if self.time.check():
            self._follow_policy()
            self._jump_told_ns = None
            return
        self.gallery.stop()
        off_by_ns = self.time.off_by_ns()
        if self._jump_told_ns is None or abs(off_by_ns - self._jump_told_ns) > MOVED_NS:  # each is confirmed by itself
            with self.store.write() as tx:
                tx.entry("clock.jumped", SYSTEM, {"off_by_s": round(off_by_ns / NS_PER_S)})
            self._jump_told_ns = off_by_ns

    def _follow_policy(self) -> None:
        """Compare, if the policy in force names what this program would compare with."""
        if self.wrong_pack() or self.canaries.breached:
            self.gallery.stop()
        else:
            self.gallery.go()

    def wrong_pack(self) -> str:
        """Say how model and calibration differ from the policy's; empty: they do not."""
        ceilings, model_id = self.gallery.ceilings, self.gallery.model_id
        if ceilings.model_id != model_id:
            return f"the policy names the model {ceilings.model_id or '-'}, this program has {model_id}"
        if ceilings.calibration != self._calibration:
            return "the policy names another calibration"
        return ""

    def _follow_gallery(self) -> None:
        """Open the cameras on which something may be compared, and close the others."""
        wanted = self.gallery.watched(self.time.now_ns())
        running = self.supervisor.running()
        for camera_id in running - wanted:
            self.supervisor.stop(camera_id)
        for camera_id in sorted(wanted - running):
            try:
                self._start_camera(camera_id)
            except InputError as error:
                self._heard_flaw(Flaw(camera_id, error.message, 0))

    def _follow_recording(self) -> None:
        """Record the cameras that are to be recorded, and no others: whether anybody is looked for on them or not.

        Where the policy lets no footage be kept, none is recorded.
        """
        with self.store.read() as tx:
            there = tx.find(Camera, removed_at_ns=None) if kept_for_ns(tx) else []
        wanted = {camera.camera_id: camera for camera in there if camera.record_sealed is not None}
        recorded = self.supervisor.recorded()
        for camera_id in recorded - wanted.keys():
            self.supervisor.stop_recording(camera_id)
        for camera_id in sorted(wanted.keys() - recorded):
            try:
                camera = wanted[camera_id]
                self.supervisor.record(self.order_of(camera, "record"), reencode=camera.reencode)
            except InputError as error:
                self._heard_flaw(Flaw(camera_id, f"recording: {error.message}", 0))

    def _step_canaries(self) -> None:
        compare = self.matching.take if self.matching.has_room else None  # deadlines do not wait for the matcher
        self.canaries.step(self.camera_states(), self.supervisor.show_canary, compare)

    def _start_camera(self, camera_id: str) -> None:
        camera = self.gallery.camera(camera_id)
        if camera is not None:
            self.supervisor.start(self.order_of(camera))

    def order_of(self, camera: Camera, stream: str = "detect") -> CameraOrder:
        """Return what a worker is told of a camera: its address, whose name is not asked for here, and how to look.

        Args:
            camera: which.
            stream: `detect` or `record`.

        Raises:
            InputError: its address may not be opened any more.
        """
        settings, rules = self.workspace.settings, self.workspace.address_rules()
        address = parse_address(source_text(self.keys, camera, stream), rules, resolve=None)
        masks = tuple(Mask(*box) for box in camera.masks)
        detect = settings.detect.model_copy(update={"min_face_px": camera.min_face_px})
        return CameraOrder(camera.camera_id, address, rules, detect, settings.live, masks)

    def _note(self) -> None:
        """Write counters and the time, every ten seconds, also after the clock was set back."""
        if self.time.monotonic_ns() < self._next_beat_ns:
            return
        self._next_beat_ns = self.time.monotonic_ns() + _BEAT_NS
        with self._taken_news() as news, self._counted() as tx:
            for one in news:
                _note_worker(tx, one)
            self._beat(tx)

    @contextmanager
    def _counted(self) -> "Iterator[Tx]":
        """Write what was counted, and whatever else the block does; where that fails, it is counted still."""
        with (
            self.counting.taken() as counted,
            self.searching.taken() as searched,
            self.store.write() as tx,
        ):
            write_counts(tx, counted)
            log_counts(tx)
            write_searches(tx, searched, calibration=self._calibration, build=build_digest())
            step_days(tx, self.tell)
            for camera_id in delivering(counted):
                note_delivery(tx, camera_id)
            yield tx

    def _beat(self, tx: Tx) -> None:
        """Write what the time is, and which cameras fell silent since it last was written, before this start too."""
        last = last_beat(tx)
        if last is not None:
            note_silence(tx, last.steady_ns)
        self.time.beat(tx)

    # --- what workers say ---------------------------------------------------------------------------------------------

    def _heard_flaw(self, flaw: Flaw) -> None:
        flaws = self._flaws.setdefault(flaw.camera_id, [])
        flaws.append(flaw)
        del flaws[:-_FLAWS]

    def _heard_worker(self, news: WorkerNews) -> None:
        self._news.append(news)

    @contextmanager
    def _taken_news(self) -> "Iterator[list[WorkerNews]]":
        """Hand out what was heard so far; it is forgotten once the block succeeds."""
        taken = list(self._news)
        yield taken
        del self._news[: len(taken)]

    def camera_states(self) -> dict[str, CameraReport]:
        """Return how each camera that is watched stands."""
        return self.supervisor.states()

    def flaws(self, camera_id: str) -> list[str]:
        """Return what last went wrong with a camera."""
        return [flaw.what for flaw in self._flaws.get(camera_id, [])]

    def why_not_watched(self, camera_id: str) -> str:
        """Say in a word or two why a camera is not analysed."""
        if self.time.jumped:
            return "off: restored, two approvers confirm" if self.time.restored else "off: the clock is in doubt"
        if self.wrong_pack():
            return f"off: {self.wrong_pack()}"
        if self.canaries.breached:
            return "off: recognition answered where nothing may be compared"
        if not self.gallery.captured_freely(camera_id, self.time.now_ns()):
            return "suspended"
        return "off: no authorisation"

    def status(self) -> dict[str, object]:
        """Return how everything stands, JSON values; no face, no name."""
        states = self.camera_states()
        over = {name for name, report in states.items() if report.state is CameraState.ENDED}
        watched = self.gallery.watched(self.time.now_ns()) - over
        with self.store.read() as tx:
            drift, canaries, late = told_drift(tx), told_canaries(tx), overdue(tx)
        return {
            "clock": {
                "now": utc(self.time.now_ns()),
                "jumped": self.time.jumped,
                "restored": self.time.restored,
            },
            "model": self.gallery.model_id,
            "references_of_another_model": self.gallery.other_model,
            "references_unreadable": self.gallery.unreadable,
            "probes_dropped": self.matching.dropped,
            "cameras": {name: report.state.value for name, report in states.items()},
            "watched": sorted(watched),
            "drift": drift,
            "canaries": canaries,
            "access_overdue": [row.access_id for row in late],
            "workers": [
                {"worker": one.worker, "pid": one.pid, "cameras": one.cameras, "starts": one.starts, "kills": one.kills}
                for one in self.supervisor.workers()
            ],
        }

    def test_camera(self, row: Camera) -> dict[str, object]:
        """Open a camera and say what its stream is: nothing is decoded for analysis, no face looked for.

        That packets came is noted, as of a camera that is watched.

        Args:
            row: the camera.

        Returns:
            JSON values: `camera`, what `node.inspecting.camera_facts` says, and `ended`: it is to be watched, but its
            file is over.

        Raises:
            InputError: its address may not be opened any more.
            HabeasError: no worker can be started.
        """
        order = self.order_of(row)
        report = self.supervisor.inspect(order.address, INSPECT_S)
        if report.packets:
            with self.store.write() as tx:
                note_delivery(tx, row.camera_id)
        now = self.camera_states().get(row.camera_id)
        ended = now is not None and now.state is CameraState.ENDED
        return {"camera": row.camera_id, **camera_facts(report, order.detect), "ended": ended}

    # --- end ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop within seconds, and lose nothing that was found."""
        self._ending.set()
        self._wake.set()
        self._thread.join(_TICK_S * 2)
        self._open.push(lambda *_: self.gallery.stop())
        with self._open:
            self.matching.stop_waiting()
            self.log.close()
            self.footage.stop()
            self.supervisor.close()  # and with it an inspection that runs
            for thread in self._beside:
                thread.join(_TICK_S * 2)
            self.matching.close()
            self._guarded(lambda: self.refusals.write_due(everything=True))
            with self._doing, self._counted() as tx:
                self._beat(tx)
                tx.entry("node.stopped", SYSTEM, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Node({self.workspace.workspace_id})"


def _time_of(workspace: Workspace, clock: Clock) -> Timekeeper:
    check_place(workspace.database_url)
    bring_up(workspace.database_url, workspace.folder, clock)
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        _check_owner(workspace, tx)
        return Timekeeper(clock, last_beat(tx), restored=restored(tx))


def _check_owner(workspace: Workspace, tx: Tx) -> None:
    """Check that a database is this installation's: with another's, every key would seem to belong to nobody.

    Raises:
        UsageError: it is another's.
    """
    if [meta.value for meta in tx.find(Meta, name="workspace_id")] != [workspace.workspace_id]:
        raise UsageError(
            "this database belongs to another installation", remedy="see `database` and `workspace_id` in habeas.yaml"
        )


def _note_worker(tx: Tx, news: WorkerNews) -> None:
    """Write what became of a worker. Not in its own words: who reads strangers' video could put a face into them."""
    posture = news.posture.as_json() if news.posture is not None else None
    if news.change is not WorkerChange.STOPPED or news.why:
        body = {"worker": news.worker, "why": news.cause, "posture": posture}
        tx.entry(f"worker.{news.change.value}", SYSTEM, body)
