"""The node as a whole, with the real workers: what one failing step does to the others, and whose database it is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.founded import with_camera
from tests.workers import until

from habeas.accounts.roles import Role
from habeas.authority.cameras import note_delivery
from habeas.authority.policy import Ceilings, policy_now
from habeas.clock import ManualClock
from habeas.engine.orders import WorkerChange, WorkerNews
from habeas.errors import DiskError, HabeasError, UsageError
from habeas.footage.rows import row_of
from habeas.keys import Scope
from habeas.models.pack import default_model_id
from habeas.node.founding import Founder, found
from habeas.node.node import Node
from habeas.node.workspace import SETTINGS, Workspace, load_workspace
from habeas.settings import Settings
from habeas.store import open_store
from habeas.store.footage_records import AccessRequest
from habeas.store.records import Entry, Heartbeat, Meta
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S
from habeas.video.parts import Part

PEOPLE = [
    Founder("ann", (Role.ADMIN,)),
    Founder("rex", (Role.REQUESTER,)),
    Founder("ava", (Role.APPROVER, Role.OPERATOR)),
    Founder("abe", (Role.APPROVER, Role.OPERATOR)),
    Founder("pia", (Role.PRIVACY,)),
]


@pytest.fixture
def workspace(tmp_path: Path, clock: ManualClock, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HABEAS_MODELS__FOLDER", str(settings.models.folder))
    monkeypatch.setenv("HABEAS_WORKERS__COUNT", "1")
    return found(tmp_path / "city", PEOPLE, clock).workspace


@pytest.fixture
def problems() -> list[HabeasError]:
    return []


@pytest.fixture
def node(workspace: Workspace, clock: ManualClock, problems: list[HabeasError]) -> Iterator[Node]:
    with Node(workspace, clock, default_model_id(), problems.append) as running:
        yield running


def kinds(node: Node) -> list[str]:
    with node.store.read() as tx:
        return [entry.kind for entry in tx.find(Entry)]


def test_a_node_says_that_it_starts_and_stops(workspace: Workspace, clock: ManualClock) -> None:
    with Node(workspace, clock, default_model_id(), pytest.fail) as node:
        assert "node.started" in kinds(node)
        assert node.status()["watched"] == []
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        assert tx.find(Entry)[-1].kind == "node.stopped"


def test_a_step_that_fails_keeps_no_other_from_its_work(
    node: Node, clock: ManualClock, problems: list[HabeasError]
) -> None:
    def full(_now_ns: int) -> list[str]:
        raise DiskError("no room for keys")

    node.keys.reap = full  # type: ignore[method-assign]
    clock.jump(3600 * NS_PER_S)
    node.tick()
    assert [error.message for error in problems][:1] == ["no room for keys"]
    assert "clock.jumped" in kinds(node), "the clock is looked at all the same"
    assert node.gallery.view("gate", node.time.now_ns()) is None


def test_what_was_committed_holds_although_what_follows_fails(node: Node) -> None:
    seen: list[str] = []
    node.changed = lambda: seen.append("refreshed")  # type: ignore[method-assign]

    def fail() -> None:
        raise DiskError("no room for keys")

    def command() -> None:
        with node.command() as tx:
            tx.entry("test.durable", "test", {})
            tx.after_commit(fail)

    with pytest.raises(DiskError):
        command()
    assert seen == ["refreshed"]
    assert "test.durable" in kinds(node)


def test_a_database_of_another_installation_is_not_touched(workspace: Workspace, clock: ManualClock) -> None:
    with workspace.open_keys() as keys:
        before = keys.ids()
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        tx.change(tx.get(Meta, "workspace_id"), value="w-another")
    with pytest.raises(UsageError, match="another installation"):
        Node(workspace, clock, default_model_id(), pytest.fail)
    with workspace.open_keys() as keys:
        assert keys.ids() == before


def test_time_goes_on_across_restarts(workspace: Workspace, clock: ManualClock) -> None:
    with Node(workspace, clock, default_model_id(), pytest.fail):
        clock.advance(60 * NS_PER_S)
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        assert tx.find(Heartbeat)[0].steady_ns == clock.now_ns()
    clock.jump(-3600 * NS_PER_S)
    with Node(workspace, clock, default_model_id(), lambda _error: None) as node:
        assert node.time.jumped
        assert node.why_not_watched("gate").startswith("off: the clock")


def test_a_policy_that_names_another_pack_stops_comparing(workspace: Workspace, clock: ManualClock) -> None:
    with Node(workspace, clock, default_model_id(), pytest.fail) as node:
        assert node.wrong_pack() == ""
        node._calibration = "another"
        assert "calibration" in node.wrong_pack()


def test_the_settings_that_init_writes_are_read(workspace: Workspace) -> None:
    assert load_workspace(workspace.folder).workspace_id == workspace.workspace_id
    assert (workspace.folder / SETTINGS).stat().st_mode & 0o777 == 0o600
    assert json.dumps(workspace.settings.model_dump(mode="json"))


def test_a_camera_that_falls_silent_is_an_entry_also_where_the_node_was_off(
    workspace: Workspace, clock: ManualClock
) -> None:
    with_camera(workspace, "gate", "rtsp://10.1.1.1/live")
    with Node(workspace, clock, default_model_id(), pytest.fail) as node:
        with node.store.write() as tx:
            note_delivery(tx, "gate")
        clock.advance(3600 * NS_PER_S)
        node.tick()
        assert [kind for kind in kinds(node) if kind.startswith("camera.")] == ["camera.added", "camera.delivers"]
    clock.advance(24 * 3600 * NS_PER_S)
    with Node(workspace, clock, default_model_id(), pytest.fail) as node:
        node.tick()
        clock.advance(60 * NS_PER_S)
        node.tick()
        assert kinds(node).count("camera.silent") == 1


@pytest.mark.rule("N1")
def test_no_word_of_a_worker_gets_into_the_log(node: Node) -> None:
    """Its words could be a template: it is the process that reads strangers' video."""
    words = "a face, in 500 letters"
    for change in (WorkerChange.STOPPED, WorkerChange.KILLED):
        node._heard_worker(WorkerNews(0, change, words, 7))
    with node._doing:
        node._next_beat_ns = 0
        node._note()
    with node.store.read() as tx:
        told = [entry for entry in tx.find(Entry) if entry.kind in ("worker.stopped", "worker.killed")]
    assert {entry.kind for entry in told} == {"worker.stopped", "worker.killed"}
    assert all(words not in entry.body for entry in told)
    assert '"why":"it ended"' in next(entry.body for entry in told if entry.kind == "worker.stopped")


def test_footage_ends_though_the_scheduler_is_stuck(node: Node, clock: ManualClock) -> None:
    """And no authorisation's end waits for that of footage: the scheduler takes no part in it."""
    hour_ns = clock.now_ns() - clock.now_ns() % HOUR_NS
    with node._doing:
        with node.store.write() as tx:
            row_of(tx, node.keys, "gate", hour_ns)
        clock.advance(120 * HOUR_NS)
        until(lambda: "footage.destroyed" in kinds(node))
        assert node.keys.ids(Scope.FOOTAGE) == frozenset()


def test_a_camera_is_recorded_unless_the_policy_keeps_no_footage(workspace: Workspace, clock: ManualClock) -> None:
    with_camera(workspace, "gate", "rtsp://10.1.1.1/live", recorded=True)
    with Node(workspace, clock, default_model_id(), lambda _error: None) as node:
        node.tick()
        assert node.supervisor.recorded() == {"gate"}, "the control"
        with node.store.write() as tx:
            policy = policy_now(tx)
            tx.change(policy, body=replace(Ceilings.load(policy.body), footage_h=0).dump())
        node.tick()
        assert node.supervisor.recorded() == frozenset()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_recorder_that_died_is_told_by_the_next_tick(node: Node, problems: list[HabeasError]) -> None:
    def gone() -> int:
        raise SystemExit

    node.footage.folder.free_bytes = gone  # type: ignore[method-assign]
    node.recorder.take("gate", 1, Part(0, 0, 0, 0, "h264", (64, 48), b"x"))
    until(lambda: not node.recorder._thread.is_alive())
    node.tick()
    assert "footage is not recorded: the thread that writes it died" in [error.message for error in problems]
    assert node.recorder.stopped


@pytest.mark.rule("X6")
def test_an_access_request_that_is_overdue_is_told(node: Node, clock: ManualClock) -> None:
    assert node.status()["access_overdue"] == []
    now_ns = clock.now_ns()
    key_id = node.keys.new(Scope.ACCESS, now_ns + DAY_NS)
    about = now_ns, now_ns, ("gate",), now_ns - 2, now_ns - 1
    with node.store.write() as tx:
        tx.add(AccessRequest("r1", "opened", "acc-1", *about, "passport", key_id, b"sealed", ""))
    assert node.status()["access_overdue"] == ["r1"]
