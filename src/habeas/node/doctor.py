"""`habeas doctor`: look at everything an installation needs, say what is wrong, and what to do about it.

Changes nothing. Where the node runs it holds the key store, and cameras are tested through it; else the doctor opens
the key store itself and inspects the cameras as the node would: in a sealed worker, through a relay.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from habeas.accounts.sessions import usable_roles
from habeas.accounts.staff import WARNED_NS, is_over, named, over_at_ns
from habeas.authority.cameras import source_text
from habeas.authority.policy import ceilings_now
from habeas.comparison import load_calibration
from habeas.comparison.calibration import calibration_digest
from habeas.engine.inspection import Inspection
from habeas.engine.orders import Timing
from habeas.engine.relay import Relay
from habeas.errors import DiskError, HabeasError, UsageError
from habeas.keys import KeyStore
from habeas.models.pack import default_model_id
from habeas.node.canaries import ALARM, BREACH
from habeas.node.canaries import REMEDY as CANARY_REMEDY
from habeas.node.comparing import OF_BACKUP, settings_difference
from habeas.node.drifting import REMEDY
from habeas.node.findings import Finding, fail, guarded, ok, warn
from habeas.node.founding import Founder, advisable_people, missing_people
from habeas.node.inspecting import INSPECT_S, camera_facts
from habeas.node.machine import check_limits, check_models, check_sandbox, check_time_server
from habeas.node.reach import BASIS
from habeas.node.recordings import check_access, check_footage
from habeas.node.restoring import node_runs
from habeas.node.timekeeper import CONFIRM, Timekeeper, last_beat, restored
from habeas.node.witnesses import check_witnesses
from habeas.node.workspace import SETTINGS, Workspace, find_workspace, load_workspace, master_file
from habeas.ports import Clock
from habeas.settings import load_settings, settings_problems
from habeas.store import Store, open_store
from habeas.store.connection import database_file
from habeas.store.health import health
from habeas.store.place import check_place
from habeas.store.records import Account, Camera, Canary, Drift
from habeas.types import DAY_NS, NS_PER_S, utc
from habeas.video.address import parse_address

AskNode = Callable[[str], Mapping[str, object]]
"""Camera's name -> what the running node says of it (`Node.test_camera`). Raises `HabeasError` where it does not."""
AGAIN: Final = "it begins anew when the node starts, or once another authorisation names it; or remove it"
_OTHERS: Final = 0o077
_ALARMED_NS: Final = 31 * DAY_NS
"""An alarm of drift is told for so long."""
_LITTLE_MB: Final = 1000
_TOO_LITTLE_MB: Final = 100


class Doctor:
    """Looks at one installation. A context manager.

    Args:
        where: of the workspace, as `find_workspace` takes it.
        clock: the machine's.
        ask_node: tests a camera through the node that runs; None: nobody is logged in who could.
    """

    def __init__(self, where: Path | None, clock: Clock, ask_node: AskNode | None = None) -> None:
        self._where = where
        self._clock = clock
        self._ask_node = ask_node
        self._workspace: Workspace | None = None
        self._store: Store | None = None
        self._keys: KeyStore | None = None
        self._runs = False
        self._open = ExitStack()

    def findings(self) -> Iterator[Finding]:
        """Yield what each check found, in an order in which the later build on the earlier."""
        yield from guarded("workspace", self._check_workspace())
        settings = self._workspace.settings if self._workspace is not None else None
        if self._workspace is not None:
            yield from guarded("files", self._check_files(self._workspace))
            yield from guarded("database", self._check_database(self._workspace))
            yield from guarded("free space", self._check_space(self._workspace))
            yield from guarded("keys", self._check_keys(self._workspace))
            yield from guarded("drift", self._check_drift())
            yield from guarded("canaries", self._check_canaries())
            yield from guarded("footage", self._check_footage(self._workspace))
            yield from guarded("access requests", self._check_access())
            yield from guarded("witnesses", self._check_witnesses(self._workspace))
        if settings is None and not settings_problems():
            settings = load_settings()
        if settings is not None:
            yield from guarded("models", check_models(settings.models))
        yield from guarded("calibration", self._check_calibration())
        yield from guarded("clock", self._check_clock())
        yield from guarded("time server", check_time_server())
        if settings is not None:
            yield from guarded("limits", check_limits(settings))
            yield from guarded("sandbox", check_sandbox(settings.models))
        yield from guarded("people", self._check_people())
        yield from guarded("cameras", self._check_cameras())

    # --- the folder ---------------------------------------------------------------------------------------------------

    def _check_workspace(self) -> Iterator[Finding]:
        try:
            folder = find_workspace(self._where)
        except UsageError:
            yield from _wrong_settings(None)
            raise
        wrong = list(_wrong_settings(folder / SETTINGS))
        if wrong:
            yield from wrong
            return
        workspace = load_workspace(folder)
        self._runs = node_runs(folder)
        self._workspace = workspace
        runs = "its node runs" if self._runs else "its node does not run"
        yield ok("workspace", f"{folder}: installation {workspace.workspace_id}; {runs}", runs=self._runs)
        yield ok("settings", f"{folder / SETTINGS} is understood")
        yield from _of_backup(folder)

    def _check_files(self, workspace: Workspace) -> Iterator[Finding]:
        files = [workspace.folder / SETTINGS]
        database = database_file(workspace.database_url)
        if database is not None:
            files += [database.with_name(database.name + tail) for tail in ("", "-wal", "-shm")]
        wrong = list(_exposed(file for file in files if file.exists()))
        yield from wrong
        if not wrong:
            yield ok("files", "settings and database are for their owner only")

    def _check_space(self, workspace: Workspace) -> Iterator[Finding]:
        for what, folder in (("workspace", workspace.folder), ("key store", workspace.keys_folder)):
            free_mb = shutil.disk_usage(folder).free // 1_000_000
            text, remedy = f"{free_mb} MB free for the {what}", "make room: without it no alert can be written"
            if free_mb < _TOO_LITTLE_MB:
                yield fail("free space", text, remedy, free_mb=free_mb)
            elif free_mb < _LITTLE_MB:
                yield warn("free space", text, remedy, free_mb=free_mb)
            else:
                yield ok("free space", text, free_mb=free_mb)

    # --- what is durable ----------------------------------------------------------------------------------------------

    def _check_database(self, workspace: Workspace) -> Iterator[Finding]:
        try:
            check_place(workspace.database_url)
        except DiskError as error:  # what else is wrong with it is told all the same
            yield fail("database", error.message, error.remedy)
        found = health(workspace.database_url)
        self._store = self._open.enter_context(open_store(workspace.database_url, self._clock))
        settings = ", ".join(f"{name}={value}" for name, value in found.durability.items())
        text = f"{found.kind}, schema {found.schema}; {settings}"
        yield ok("database", text, kind=found.kind, schema=found.schema, **found.durability)

    def _check_keys(self, workspace: Workspace) -> Iterator[Finding]:
        settings, folder = workspace.settings.keys, workspace.keys_folder.resolve()
        places = [folder]
        if not settings.master_command and not settings.master_env:
            places.append(master_file(settings, workspace.workspace_id).resolve())
        for place in places:
            if place.is_relative_to(workspace.folder) or workspace.folder.is_relative_to(place):
                yield fail(
                    "keys",
                    f"{place} is not apart from the workspace: a copy of it takes the keys along",
                    "stop the node, move it elsewhere, and set keys.folder or keys.master_file",
                )
        yield from _exposed([folder])
        if self._runs:
            yield ok("keys", f"{folder}: the running node holds it")
            return
        self._keys = self._open.enter_context(workspace.open_keys())
        yield ok("keys", f"{folder} opens: {len(self._keys.ids())} keys", keys=len(self._keys.ids()))

    def _check_drift(self) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            rows = tx.find(Drift)
        since_ns = self._clock.now_ns() - _ALARMED_NS
        alarmed = [row for row in rows if row.alarmed_at_ns is not None and row.alarmed_at_ns > since_ns]
        for row in alarmed:
            when = utc(row.alarmed_at_ns or 0)
            yield warn("drift", f"the monitor of {row.monitor} alarmed at {when}", REMEDY, monitor=row.monitor)
        if not alarmed:
            yield ok("drift", "false alerts come as the policy and the calibration promise, as far as is known")

    def _check_canaries(self) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            there = {camera.camera_id for camera in tx.find(Camera, without=("record_sealed",), removed_at_ns=None)}
            rows = [row for row in tx.find(Canary) if row.camera_id in there]
        for row in rows:
            if row.leaked_at_ns is not None:
                what = f"{row.camera_id} answered at {utc(row.leaked_at_ns)} though nothing might be compared on it"
                yield fail("canaries", what, BREACH, camera=row.camera_id)
            elif row.missed >= ALARM:
                what = f"{row.camera_id} did not recognise its last {row.missed} canaries"
                yield warn("canaries", what, CANARY_REMEDY, camera=row.camera_id, missed=row.missed)
        well = sum(row.leaked_at_ns is None and row.missed < ALARM and row.seen_at_ns is not None for row in rows)
        if well or not rows:
            yield ok("canaries", f"{well} cameras recognised their last canary", cameras=well)

    def _check_footage(self, workspace: Workspace) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            yield from check_footage(tx, workspace)

    def _check_access(self) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            yield from check_access(tx)

    def _check_witnesses(self, workspace: Workspace) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            policy = ceilings_now(tx).witness_policy()
        yield from check_witnesses(policy, workspace.settings.log)

    def _check_calibration(self) -> Iterator[Finding]:
        model_id = default_model_id()
        load_calibration(model_id)
        if self._store is None:
            yield ok("calibration", f"there is one for {model_id}")
            return
        with self._store.read() as tx:
            ceilings = ceilings_now(tx)
        if (ceilings.model_id, ceilings.calibration) == (model_id, calibration_digest(model_id)):
            yield ok("calibration", f"the policy names {model_id} and its calibration", model=model_id)
            return
        named = ceilings.model_id or "none"
        text = f"the policy names the model {named}, or another calibration; this program has {model_id}"
        yield fail("calibration", text, "nothing is compared until two people adopt it: habeas policy propose --help")

    def _check_clock(self) -> Iterator[Finding]:
        if self._store is None:
            return
        with self._store.read() as tx:
            last, is_restored = last_beat(tx), restored(tx)
        if last is None:
            yield ok("clock", "the node has not run yet: there is no time to compare with")
            return
        time = Timekeeper(self._clock, last, restored=is_restored)
        if time.restored:
            yield fail("clock", "this installation was restored: nothing is compared", CONFIRM, restored=True)
            return
        off_s = round(time.off_by_ns() / NS_PER_S)
        if time.jumped:
            yield fail(
                "clock",
                f"the wall clock is {off_s} s ahead of elapsed time: nothing is compared",
                f"set the clock right; then {CONFIRM}",
                off_by_s=off_s,
            )
            return
        yield ok("clock", "the wall clock agrees with the last heartbeat", off_by_s=off_s)

    # --- people -------------------------------------------------------------------------------------------------------

    def _check_people(self) -> Iterator[Finding]:
        if self._store is None:
            return
        people, waiting = _people(self._store, self._keys)
        lacking, advice = missing_people(people), advisable_people(people)
        grant = "habeas user add NAME, then two holders: habeas user grant NAME ROLE"
        for what in lacking:
            yield fail("people", f"missing: {what}", grant)
        for what in advice:
            yield warn("people", f"advisable: {what}", grant)
        if waiting:
            text = f"no password set yet: {', '.join(waiting)}"
            yield warn("people", text, "habeas login NAME --setup-code CODE; a lost code: habeas user reset NAME")
        yield from _ending(self._store, self._keys)
        if not lacking and not advice:
            yield ok("people", f"{len(people)} people with roles: every act of two persons is possible")

    # --- cameras ------------------------------------------------------------------------------------------------------

    def _check_cameras(self) -> Iterator[Finding]:
        if self._store is None or self._workspace is None:
            return
        with self._store.read() as tx:
            rows = tx.find(Camera, removed_at_ns=None)
        if not rows:
            yield warn("cameras", "there is no camera", "habeas camera add --help")
            return
        test = self._tester(self._workspace)
        if test is None:
            remedy = "habeas login NAME of an admin, then again; or stop the node"
            yield warn(
                "cameras", f"{len(rows)} cameras are not tested: the node runs, and no admin is logged in here", remedy
            )
            return
        tested: list[Mapping[str, object]] = []
        for row in rows:
            try:
                told = test(row)
            except HabeasError as error:
                yield fail(f"camera {row.camera_id}", error.message, error.remedy)
                continue
            tested.append(told)
            yield _of_camera(row.camera_id, told)
        yield from _load(tested)

    def _tester(self, workspace: Workspace) -> Callable[[Camera], Mapping[str, object]] | None:
        """Return what tests a camera; None: nothing can."""
        if self._runs:
            ask = self._ask_node
            return None if ask is None else lambda row: ask(row.camera_id)
        keys = self._keys
        if keys is None:
            raise UsageError("the cameras' addresses cannot be read without the key store", remedy="see keys, above")
        relay = self._open.enter_context(Relay())
        inspection = Inspection(workspace.settings.models, Timing(), relay)
        self._open.callback(inspection.close)

        def test(row: Camera) -> Mapping[str, object]:
            address = parse_address(source_text(keys, row), workspace.address_rules())
            detect = workspace.settings.detect.model_copy(update={"min_face_px": row.min_face_px})
            return camera_facts(inspection.inspect(address, INSPECT_S), detect)

        return test

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()


def _of_backup(folder: Path) -> Iterator[Finding]:
    """Say how the settings differ that a restore laid beside those in force, while they lie there."""
    file = folder / OF_BACKUP
    if file.exists():
        lines = settings_difference(folder)
        text = (
            f"{file} lies there since a restore: it differs in {len(lines)} lines" if lines else f"{file} is the same"
        )
        yield warn("settings", text, "take over by hand what is meant, then remove that file", difference=lines)


def _wrong_settings(file: Path | None) -> Iterator[Finding]:
    """Yield everything that is wrong in a file of settings and the environment."""
    for one in settings_problems(file):
        yield fail("settings", one.message, one.remedy)


def _exposed(paths: "Iterator[Path] | Sequence[Path]") -> Iterator[Finding]:
    """Yield what others may read or change, or what is another user's."""
    for path in paths:
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.geteuid():
            yield fail("files", f"{path} belongs to another user", "run as its user, or chown it")
        elif mode & _OTHERS:
            closed = mode & ~_OTHERS
            yield fail("files", f"others may use {path} (mode {mode:03o})", f"chmod {closed:03o} {path}")


def _people(store: Store, keys: KeyStore | None) -> tuple[list[Founder], list[str]]:
    """Return the people with the roles that they may use now, and who holds one without a password.

    Without the keys, which the running node holds, an account stands for a person, and its id for its name.
    """
    people, waiting = [], []
    with store.read() as tx:
        for account in tx.find(Account, disabled_at_ns=None):
            if is_over(account, tx.now_ns):
                continue
            told = None if keys is None else named(keys, account)
            name, person = (told.name, told.person) if told is not None else (account.account_id, account.account_id)
            roles = usable_roles(tx, account.account_id)
            if roles:
                people.append(Founder(name, tuple(roles), person=person))
            if account.credential_at_ns is None:
                waiting.append(name)
    return people, sorted(waiting)


def _ending(store: Store, keys: KeyStore | None) -> Iterator[Finding]:
    """Say whose account is about to be over, or is, while nothing takes its place."""
    with store.read() as tx:
        for account in tx.find(Account, disabled_at_ns=None):
            if tx.now_ns < over_at_ns(account) - WARNED_NS or not usable_roles(tx, account.account_id):
                continue
            told = None if keys is None else named(keys, account)
            name = account.account_id if told is None else told.name
            when = "is over since" if is_over(account, tx.now_ns) else "is over on"
            yield warn(
                "people",
                f"the year of the account {name} {when} {utc(over_at_ns(account))}",
                "an admin: habeas user add NAME, once it is over with the same name; two holders: habeas user grant",
            )


def _of_camera(name: str, told: Mapping[str, object]) -> Finding:
    check, remedy = f"camera {name}", str(told.get("remedy", ""))
    told = {key: value for key, value in told.items() if key not in ("camera", "remedy")}
    if told.get("ended"):
        return warn(check, "its file is over, or cannot be read: nothing of it is looked at any more", AGAIN, **told)
    if not told.get("flows"):
        return fail(check, f"no packets: {told.get('flaw') or 'none came'}", remedy, **told)
    text = f"{told['size']} at {told['rate_hz']} Hz, {told['codec']}"
    if "faces" in told:
        text += f"; {told['faces']}; {told['idle_cores']} to {told['busy_cores']} cores"
    return ok(check, text, **told) if not remedy else warn(check, text, remedy, **told)


def _load(tested: Sequence[Mapping[str, object]]) -> Iterator[Finding]:
    """Compare what looking at all cameras costs with the cores there are."""
    idle, busy = (sum(_number(told.get(name)) for told in tested) for name in ("idle_cores", "busy_cores"))
    cores = len(os.sched_getaffinity(0))
    text = f"about {idle:.1f} cores while nothing moves, {busy:.1f} while everything does, of {cores}; {BASIS}"
    facts = {"idle_cores": round(idle, 2), "busy_cores": round(busy, 2), "cores": cores}
    if busy <= cores:
        yield ok("load", text, **facts)
        return
    remedy = "overload drops frames, and counts them: lower detect.rate_hz, raise --min-face, or take smaller streams"
    yield warn("load", text, remedy, **facts)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
