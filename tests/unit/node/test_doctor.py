"""The doctor, on an installation that is well, and on one with each fault planted."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cameras import RtspCamera, free_port, moving_pictures, write_video
from tests.databases import postgres
from tests.founded import founded, staff, with_camera

from habeas.accounts import grants, people
from habeas.accounts.roles import Role
from habeas.authority.policy import Ceilings
from habeas.clock import ManualClock, SystemClock
from habeas.errors import DiskError, InputError
from habeas.node import doctor as doctors
from habeas.node import machine
from habeas.node.doctor import Doctor
from habeas.node.findings import Finding, Health
from habeas.node.founding import Founder, found
from habeas.node.node import Node
from habeas.node.restoring import back_up, bring_back
from habeas.node.timekeeper import Timekeeper
from habeas.node.workspace import SETTINGS, Workspace, load_workspace, master_file, socket_path
from habeas.settings import ModelSettings, Settings
from habeas.store import open_store, place
from habeas.store.records import Account, Canary, Grant, Policy
from habeas.types import NS_PER_S

LOOPBACK = "cameras: {networks: [127.0.0.1/32]}\nworkers: {count: 1}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def workspace(tmp_path: Path, clock: ManualClock) -> Workspace:
    return founded(tmp_path, clock, settings=LOOPBACK)


@pytest.fixture
def doctor(workspace: Workspace, clock: ManualClock) -> Iterator[Doctor]:
    """One that has looked at the folder."""
    with Doctor(workspace.folder, clock) as made:
        assert healths(made._check_workspace()) == {"workspace": "ok", "settings": "ok"}
        yield made


def healths(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the worst of each check."""
    worst: dict[str, str] = {}
    for one in findings:
        assert "\n" not in one.text
        assert bool(one.remedy) == (one.health is not Health.OK)
        order = ["ok", "warn", "fail"]
        worst[one.check] = max(worst.get(one.check, "ok"), one.health.value, key=order.index)
    return worst


def only(findings: Iterable[Finding]) -> Finding:
    (one,) = findings
    return one


def test_an_installation_that_is_well(workspace: Workspace, clock: ManualClock, settings: Settings) -> None:
    assert settings.models  # the models are here
    with Doctor(workspace.folder, clock) as made:
        found_ = list(made.findings())
    seen = healths(found_)
    asked = ["workspace", "settings", "files", "database", "free space", "keys"]
    asked += [
        "drift",
        "canaries",
        "footage",
        "access requests",
        "witnesses",
        "models",
        "calibration",
        "clock",
        "time server",
        "open files",
        "memory",
        "cores",
        "sandbox",
        "people",
        "cameras",
    ]
    assert list(seen) == asked
    assert "fail" not in seen.values()
    assert {name for name, health in seen.items() if health == "warn"} <= {
        "time server",
        "memory",
        "open files",
        "sandbox",
        "people",
        "cameras",
        "free space",
    }
    database = next(one for one in found_ if one.check == "database")
    assert database.facts["journal_mode"] == "wal"
    assert database.facts["synchronous"] == "2"
    assert all(one.as_json()["event"] == "check" for one in found_)


def test_where_there_is_no_workspace_the_machine_is_looked_at_all_the_same(tmp_path: Path, clock: ManualClock) -> None:
    with Doctor(tmp_path, clock) as made:
        seen = healths(made.findings())
    assert seen["workspace"] == "fail"
    assert "database" not in seen
    assert {"models", "calibration", "sandbox", "cores"} <= set(seen)


@pytest.mark.parametrize(
    "line", ["workers: {count: 0}", "no_such: 1", "fpir: 0.5", "workers: [", "workers: {count: 1}"]
)
def test_a_wrong_setting_is_found_with_its_line(workspace: Workspace, clock: ManualClock, line: str) -> None:
    with (workspace.folder / SETTINGS).open("a") as file:
        file.write(line + "\n")
    with Doctor(workspace.folder, clock) as made:
        first = next(made.findings())
    assert first.health is Health.FAIL
    assert f"{SETTINGS}:" in first.text


def test_every_wrong_setting_is_found_that_would_stop_the_node(workspace: Workspace, clock: ManualClock) -> None:
    file = workspace.folder / SETTINGS
    lines = len(file.read_text().splitlines())
    text = file.read_text().replace(LOOPBACK, "cameras:\n  networks: [127.0.0.1/8]\n  ports: [0]\n  folders: [video]\n")
    file.write_text(text + "live: {stall_s: often}\n")
    with Doctor(workspace.folder, clock) as made:
        seen = list(made.findings())
    wrong = [one for one in seen if one.check == "settings"]
    assert [one.text.split(":")[1] for one in wrong] == [str(lines), str(lines + 1), str(lines + 2), str(lines + 4)]
    assert all(one.health is Health.FAIL and one.remedy for one in wrong)
    assert "workspace" not in healths(seen)
    assert "time server" in healths(seen), "what needs no settings is looked at"


def test_a_misspelt_variable_is_found_without_a_workspace(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HABEAS_WORKER__COUNT", "1")
    with Doctor(tmp_path, clock) as made:
        seen = healths(made.findings())
    assert (seen["settings"], seen["workspace"]) == ("fail", "fail")


def test_others_who_may_read_or_change_are_found(workspace: Workspace, doctor: Doctor, clock: ManualClock) -> None:
    (workspace.folder / SETTINGS).chmod(0o644)
    (workspace.folder / "habeas.db").chmod(0o660)
    exposed = list(doctor._check_files(workspace))
    assert [one.health for one in exposed] == [Health.FAIL, Health.FAIL]
    assert exposed[0].remedy == f"chmod 600 {workspace.folder / SETTINGS}"
    workspace.keys_folder.chmod(0o750)
    assert any("chmod 700" in one.remedy for one in doctors._exposed([workspace.keys_folder]))
    workspace.folder.chmod(0o777)
    with Doctor(workspace.folder, clock) as made:
        assert next(made.findings()).health is Health.FAIL


def test_a_full_disk_is_found(workspace: Workspace, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(workspace.folder)
    for free_mb, health in ((50, "fail"), (500, "warn"), (5000, "ok")):
        left = usage._replace(free=free_mb * 1_000_000)
        monkeypatch.setattr(doctors.shutil, "disk_usage", lambda _path, left=left: left)
        assert healths(doctor._check_space(workspace)) == {"free space": health}


def test_a_database_that_is_not_there_or_of_another_schema_is_found(workspace: Workspace, doctor: Doctor) -> None:
    file = workspace.folder / "habeas.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    connection.close()
    newer = only(doctors.guarded("database", doctor._check_database(workspace)))
    assert (newer.health, "newer Habeas" in newer.text) == (Health.FAIL, True)
    file.unlink()
    gone = only(doctors.guarded("database", doctor._check_database(workspace)))
    assert gone.health is Health.FAIL
    assert doctor._store is None
    assert list(doctor._check_people()) == []


def test_a_database_on_a_server_is_told_with_its_settings(tmp_path: Path, clock: ManualClock) -> None:
    workspace = founded(tmp_path, clock, database=postgres().empty(), settings=LOOPBACK)
    with Doctor(workspace.folder, clock) as made:
        list(made._check_workspace())
        told = only(made._check_database(workspace))
    assert told.facts["kind"] == "postgresql"
    assert told.facts["fsync"] == "on"
    assert told.facts["synchronous_commit"] == "on"


def test_keys_inside_the_workspace_are_found(workspace: Workspace, clock: ManualClock) -> None:
    inside = workspace.folder / "keys"
    shutil.move(workspace.keys_folder, inside)
    shutil.move(master_file(workspace.settings.keys, "").as_posix(), workspace.folder / "keys.master")
    text = (workspace.folder / SETTINGS).read_text().replace(str(workspace.keys_folder), str(inside))
    (workspace.folder / SETTINGS).write_text(text)
    moved = load_workspace(workspace.folder)
    with Doctor(workspace.folder, clock) as made:
        list(made._check_workspace())
        seen = list(made._check_keys(moved))
    assert [one.health for one in seen] == [Health.FAIL, Health.FAIL, Health.OK]
    assert "not apart" in seen[0].text


@pytest.mark.parametrize("what", ["gone", "readable", "another"])
def test_a_master_key_that_does_not_open_is_found(workspace: Workspace, doctor: Doctor, what: str) -> None:
    file = master_file(workspace.settings.keys, workspace.workspace_id)
    if what == "gone":
        file.unlink()
    elif what == "readable":
        file.chmod(0o644)
    else:
        file.write_text("A" * 43 + "=\n")
    assert healths(doctors.guarded("keys", doctor._check_keys(workspace))) == {"keys": "fail"}


def test_while_the_node_runs_its_keys_are_left_alone(workspace: Workspace, clock: ManualClock) -> None:
    with socket.socket(socket.AF_UNIX) as node, workspace.open_keys(), Doctor(workspace.folder, clock) as made:
        node.bind(str(socket_path(workspace.folder)))
        node.listen()
        assert next(iter(made._check_workspace())).facts["runs"] is True
        assert only(made._check_keys(workspace)).text.endswith("the running node holds it")
        list(made._check_database(workspace))
        assert made._keys is None


def test_models_that_are_missing_or_changed_are_found(settings: Settings, tmp_path: Path) -> None:
    assert only(machine.check_models(settings.models)).health is Health.OK
    for file in settings.models.folder.glob("*"):
        if file.is_file():
            shutil.copy(file, tmp_path)
    (tmp_path / "centerface.onnx").write_bytes(b"changed")
    changed = only(machine.check_models(ModelSettings(folder=tmp_path)))
    assert (changed.health, changed.remedy) == (Health.FAIL, "habeas models pull")
    assert "centerface.onnx" in changed.text
    assert "MobileFaceNet" not in changed.text


def test_a_policy_for_another_model_is_found(workspace: Workspace, doctor: Doctor, clock: ManualClock) -> None:
    list(doctor._check_database(workspace))
    assert only(doctor._check_calibration()).health is Health.OK
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        (policy,) = tx.find(Policy)
        tx.change(policy, body=policy.body.replace(Ceilings().model_id or "centerface-mfn-fr", "other"))
    assert only(doctor._check_calibration()).health is Health.FAIL


def test_a_clock_that_jumped_is_found(workspace: Workspace, doctor: Doctor, clock: ManualClock) -> None:
    list(doctor._check_database(workspace))
    assert "not run yet" in only(doctor._check_clock()).text
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        Timekeeper(clock, None).beat(tx)
    clock.advance(60 * NS_PER_S)
    assert only(doctor._check_clock()).health is Health.OK
    clock.jump(3600 * NS_PER_S)
    jumped = only(doctor._check_clock())
    assert (jumped.health, jumped.facts["off_by_s"]) == (Health.FAIL, 3600)
    assert "restored" not in jumped.text


def test_a_restore_that_waits_for_a_word_is_found_and_not_called_a_clock_that_jumped(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    back_up(workspace, tmp_path / "b.habeas", clock)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    with Doctor(workspace.folder, clock) as made:
        list(made._check_workspace())
        list(made._check_database(workspace))
        told = only(made._check_clock())
    assert (told.health, told.remedy) == (Health.FAIL, "two approvers confirm: habeas clock confirm")
    assert "this installation was restored" in told.text
    assert "wall clock" not in told.text


# --- the machine ------------------------------------------------------------------------------------------------------


def test_more_workers_than_the_machine_carries_are_told(settings: Settings) -> None:
    few = settings.model_copy(update={"workers": settings.workers.model_copy(update={"count": 1})})
    many = settings.model_copy(update={"workers": settings.workers.model_copy(update={"count": 256})})
    assert healths(machine.check_limits(few))["cores"] == "ok"
    assert healths(machine.check_limits(many)) == {"open files": "warn", "memory": "warn", "cores": "warn"}


def test_memory_is_what_the_machine_and_the_group_leave(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  8000000 kB\nMemAvailable:    4096000 kB\n")
    assert machine.available_mb(tmp_path / "meminfo", tmp_path) == 4000
    (tmp_path / "memory.max").write_text(f"{1000 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{400 << 20}\n")
    assert machine.available_mb(tmp_path / "meminfo", tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_mb(tmp_path / "meminfo", tmp_path) == 4000


def test_the_kernel_is_asked_for_the_clock() -> None:
    assert machine.synchronised() in (True, False, None)
    assert healths(machine.check_time_server()).keys() == {"time server"}


def test_a_worker_is_really_started_for_its_posture(settings: Settings, tmp_path: Path) -> None:
    for models in (settings.models, ModelSettings(folder=tmp_path)):  # without models, too
        seen = list(machine.check_sandbox(models))
        assert set(seen[0].facts) == set(machine._GUARDS)


def test_each_missing_guard_has_its_remedy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dict.fromkeys(machine._GUARDS, "unavailable: planted")
    monkeypatch.setattr(machine, "_posture_of_a_worker", lambda *_args, **_kwargs: machine.Posture(**missing))
    seen = list(machine.check_sandbox(settings.models))
    assert healths(seen) == {"sandbox": "warn"}
    assert len(seen) == len({one.remedy for one in seen}) == len(missing)
    assert any("libseccomp" in one.remedy for one in seen)


def test_a_worker_that_cannot_start_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    never: Any = lambda *_args: (_ for _ in ()).throw(InputError("no worker", remedy="none"))  # noqa: E731 - one line
    monkeypatch.setattr(machine, "spawn", never)
    assert healths(doctors.guarded("sandbox", machine.check_sandbox(settings.models))) == {"sandbox": "fail"}


# --- people -----------------------------------------------------------------------------------------------------------


def test_who_is_missing_for_acts_of_two_is_told(workspace: Workspace, doctor: Doctor, clock: ManualClock) -> None:
    list(doctor._check_database(workspace))
    assert healths(doctor._check_people()) == {"people": "warn"}  # advice, and nobody has a password yet
    list(doctor._check_keys(workspace))
    assert doctor._keys is not None
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        bert = people.account_named(tx, doctor._keys, "bert")
        (grant,) = tx.find(Grant, account_id=bert.account_id)
        tx.change(grant, revoked_at_ns=tx.now_ns)
    lacking = [one for one in doctor._check_people() if one.health is Health.FAIL]
    assert [one.text for one in lacking] == ["missing: two approvers who are not the requester"]


def test_a_disabled_account_and_a_second_one_of_a_person_do_not_count(
    workspace: Workspace, doctor: Doctor, clock: ManualClock
) -> None:
    list(doctor._check_database(workspace))
    list(doctor._check_keys(workspace))
    assert doctor._keys is not None
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        tx.change(people.account_named(tx, doctor._keys, "otto"), disabled_at_ns=tx.now_ns)
        again = people.insert_account(tx, doctor._keys, "init", "olga-2", "olga")
        grants.grant_first(tx, doctor._keys, again.account_id, Role.OPERATOR)
    assert any(one.text == "missing: two operators, to give verdicts" for one in doctor._check_people())


def test_with_everybody_all_is_well(tmp_path: Path, clock: ManualClock) -> None:
    more = [
        Founder(f"{role.value}-{n}", (role,)) for role in (Role.OPERATOR, Role.APPROVER, Role.PRIVACY) for n in (1,)
    ]
    made = found(tmp_path / "w", [*staff(), *more, Founder("aud", (Role.AUDITOR,))], clock, keys=tmp_path / "keys")
    with open_store(made.workspace.database_url, clock) as store, store.write() as tx:
        for account in made.accounts:
            tx.change(tx.get(Account, account.account_id), credential_at_ns=tx.now_ns)
    with Doctor(made.workspace.folder, clock) as doctor:
        list(doctor._check_workspace())
        list(doctor._check_database(made.workspace))
        assert healths(doctor._check_people()) == {"people": "ok"}


# --- cameras ----------------------------------------------------------------------------------------------------------


def test_each_camera_is_told_and_what_to_do_about_it(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", moving_pictures(30, (1280, 720)))
    with RtspCamera() as small:
        dead = free_port()
        lines = f"cameras: {{networks: [127.0.0.1/32], ports: [{small.port}, {dead}], folders: [{tmp_path}]}}"
        workspace = founded(tmp_path, settings=lines)
        with_camera(workspace, "dead", f"rtsp://viewer:hunter2@127.0.0.1:{dead}/x")
        with_camera(workspace, "large", f"file://{film}")
        with_camera(workspace, "small", small.url)
        with Doctor(workspace.folder, SystemClock()) as doctor:
            for check in (doctor._check_workspace(), doctor._check_database(workspace), doctor._check_keys(workspace)):
                list(check)
            seen = {one.check: one for one in doctor._check_cameras()}
    assert list(seen) == ["camera dead", "camera large", "camera small", "load"]
    assert seen["camera dead"].health is Health.FAIL
    assert "connection refused" in seen["camera dead"].text
    assert "address and port" in seen["camera dead"].remedy
    assert seen["camera large"].health is Health.OK
    assert seen["camera large"].facts["size"] == "1280x720"
    assert seen["camera small"].health is Health.WARN  # 160x120: nobody's face is large enough
    assert "larger stream" in seen["camera small"].remedy
    assert seen["load"].facts["busy_cores"] > seen["load"].facts["idle_cores"] > 0
    assert "hunter2" not in repr(seen)


def test_an_address_that_is_no_longer_allowed_is_found(tmp_path: Path) -> None:
    workspace = founded(tmp_path, settings=LOOPBACK)
    with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    text = (workspace.folder / SETTINGS).read_text().replace("127.0.0.1/32", "127.0.0.9/32")
    (workspace.folder / SETTINGS).write_text(text)
    workspace = load_workspace(workspace.folder)
    with Doctor(workspace.folder, SystemClock()) as doctor:
        for check in (doctor._check_workspace(), doctor._check_database(workspace), doctor._check_keys(workspace)):
            list(check)
        first = next(iter(doctor._check_cameras()))
    assert first.health is Health.FAIL
    assert "in no network of cameras" in first.text


def test_through_a_running_node_cameras_are_tested_by_whoever_may(tmp_path: Path, clock: ManualClock) -> None:
    workspace = founded(tmp_path, clock, settings=LOOPBACK)
    with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    asked: list[str] = []

    def ask(name: str) -> dict[str, object]:
        asked.append(name)
        return {"flows": True, "size": "1920x1080", "rate_hz": 25.0, "codec": "h264", "remedy": ""}

    for ask_node, health in ((None, "warn"), (ask, "ok")):
        with Doctor(workspace.folder, clock, ask_node) as doctor:
            list(doctor._check_workspace())
            list(doctor._check_database(workspace))
            doctor._runs = True
            assert set(healths(doctor._check_cameras()).values()) == {health}
    assert asked == ["gate"]


def test_more_than_the_cores_can_do_is_told() -> None:
    cores = len(os.sched_getaffinity(0))
    for busy, health in ((cores - 0.1, "ok"), (cores + 0.1, "warn")):
        assert healths(doctors._load([{"idle_cores": 0.1, "busy_cores": busy}])) == {"load": health}


def test_what_cannot_be_read_ends_no_other_check(workspace: Workspace) -> None:
    def broken() -> Iterator[Finding]:
        yield from ()
        raise PermissionError(13, "Permission denied", str(workspace.folder))

    one = only(doctors.guarded("files", broken()))
    assert (one.health, one.check) == (Health.FAIL, "files")


def test_a_network_drive_is_refused_by_whoever_writes_there_and_told(
    workspace: Workspace, doctor: Doctor, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    assert healths(doctor._check_database(workspace)) == {"database": "ok"}
    mounts.write_text("1 0 8:1 / / rw - cifs //server/share rw\n")
    told = [one for one in doctor._check_database(workspace) if one.health is Health.FAIL]
    assert "network drive (cifs)" in only(told).text
    with pytest.raises(DiskError, match="network drive"):
        Node(workspace, clock, "m", pytest.fail)
    with pytest.raises(DiskError, match="network drive"):
        found(tmp_path / "other", staff(), clock, keys=tmp_path / "other keys")
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "other keys").exists()


def test_canaries_that_were_missed_or_answered_where_they_must_not_are_told(
    workspace: Workspace, clock: ManualClock
) -> None:
    def told() -> dict[str, str]:
        with Doctor(workspace.folder, clock) as made:
            return {one.text: one.health.value for one in made.findings() if one.check == "canaries"}

    assert list(told().values()) == ["ok"]
    with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    rows = {
        "warn": Canary("gate", missed=2, missed_at_ns=clock.now_ns()),
        "fail": Canary("gate", leaked_at_ns=clock.now_ns()),
        "ok": Canary("gate", seen_at_ns=clock.now_ns(), similarity=0.9, missed=1),
    }
    for health, row in rows.items():
        with open_store(workspace.database_url, clock) as store, store.write() as tx:
            for old in tx.find(Canary):
                tx.remove(old)
            tx.add(row)
            tx.add(Canary("removed long ago", missed=9))
        assert list(told().values()) == [health]
