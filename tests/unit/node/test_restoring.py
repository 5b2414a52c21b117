"""Backup and restore of an installation: what was ended stays ended, and the old database is trusted by nobody yet."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from tests.databases import KINDS, postgres
from tests.founded import ADMIN, founded, with_camera

from habeas.accounts.credentials import digest
from habeas.accounts.roles import Actor, Role
from habeas.accounts.sessions import actor_of
from habeas.accounts.tokens import make_token
from habeas.authority.cameras import camera_named, remove_camera, source_text
from habeas.authority.jumps import approve_clock
from habeas.clock import ManualClock, SystemClock
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.models.pack import default_model_id
from habeas.node import restoring
from habeas.node.node import Node
from habeas.node.restoring import OF_BACKUP, back_up, bring_back, node_runs
from habeas.node.workspace import SETTINGS, Workspace, load_workspace, socket_path
from habeas.settings import Settings
from habeas.store import Tx, open_store
from habeas.store.records import Account, Entry, Heartbeat, Meta, Session, Token
from habeas.types import NS_PER_S

T = TypeVar("T")
HOUR = 3600 * NS_PER_S


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def workspace(kind: str, tmp_path: Path, clock: ManualClock) -> Workspace:
    url = postgres().empty() if kind == "postgresql" else ""
    return founded(tmp_path, clock, database=url, settings="cameras: {networks: [127.0.0.1/32]}\nworkers: {count: 1}")


def change(workspace: Workspace, clock: ManualClock, what: Callable[[Tx], object]) -> None:
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        what(tx)


def look(workspace: Workspace, clock: ManualClock, what: Callable[[Tx], T]) -> T:
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        return what(tx)


def let_in(workspace: Workspace, clock: ManualClock) -> str:
    """Log somebody in, and make them a token; return that."""
    made: list[str] = []

    def enter(tx: Tx) -> None:
        (ann,) = tx.find(Account, name="ann")
        tx.change(ann, credential_at_ns=tx.now_ns)
        tx.add(Session(digest("login"), ann.account_id, tx.now_ns, tx.now_ns, tx.now_ns + 12 * HOUR))
        actor = Actor(ann.account_id, ann.person, {Role.APPROVER: ()})
        made.append(make_token(tx, actor, ["read"], 24 * HOUR).secret)

    change(workspace, clock, enter)
    return made[0]


def check_distrusted(workspace: Workspace, clock: ManualClock, token: str) -> None:
    """Nobody is let in, and the clock is in doubt."""
    assert look(workspace, clock, lambda tx: tx.find(Session)) == []
    assert all(one.revoked_at_ns is not None for one in look(workspace, clock, lambda tx: tx.find(Token)))
    with pytest.raises(RuleError):
        look(workspace, clock, lambda tx: actor_of(tx, token))
    (beat,) = look(workspace, clock, lambda tx: tx.find(Heartbeat))
    assert beat.jumped
    assert look(workspace, clock, lambda tx: tx.find(Entry)[-1].kind) == "database.restored"


def test_a_restore_ends_every_login_and_token_and_keeps_what_was_there(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    token = let_in(workspace, clock)
    assert look(workspace, clock, lambda tx: actor_of(tx, token)).by_token  # the control
    back_up(workspace, tmp_path / "b.habeas", clock)
    change(workspace, clock, lambda tx: tx.add(Meta("since", "then")))
    clock.advance(HOUR)
    done = bring_back(workspace, tmp_path / "b.habeas", clock)
    assert len(done.aside) == 1
    assert done.settings is None
    assert look(workspace, clock, lambda tx: tx.find(Meta, name="since")) == []
    check_distrusted(workspace, clock, token)


def test_from_a_file_to_a_server(tmp_path: Path, clock: ManualClock) -> None:
    small = founded(tmp_path, clock)
    token = let_in(small, clock)
    back_up(small, tmp_path / "b.habeas", clock)
    text = (small.folder / SETTINGS).read_text()
    (small.folder / SETTINGS).write_text(text + f"\ndatabase: {postgres().empty()}\n")
    large = load_workspace(small.folder)
    done = bring_back(large, tmp_path / "b.habeas", clock)
    # The settings in force stay: the backup's name the file, whose logins nobody ended.
    assert load_workspace(small.folder) == large
    assert done.settings == small.folder / OF_BACKUP
    assert done.settings.read_text() == text
    check_distrusted(large, clock, token)
    names = [account.name for account in look(small, clock, lambda tx: tx.find(Account))]
    assert [account.name for account in look(large, clock, lambda tx: tx.find(Account))] == names
    assert "postgresql" in large.database_url


@pytest.mark.parametrize("fault", ["own", "distrust"])
def test_a_restore_that_fails_changes_nothing_and_trusts_nothing(
    fault: str, workspace: Workspace, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = let_in(workspace, clock)
    back_up(workspace, tmp_path / "b.habeas", clock)
    change(workspace, clock, lambda tx: tx.add(Meta("since", "then")))
    with monkeypatch.context() as patch:
        if fault == "own":
            change(workspace, clock, lambda tx: tx.change(tx.get(Meta, "workspace_id"), value="w-other"))
            back_up(workspace, tmp_path / "other.habeas", clock)
            change(workspace, clock, lambda tx: tx.change(tx.get(Meta, "workspace_id"), value=workspace.workspace_id))
            with pytest.raises(InputError, match="another installation"):
                bring_back(workspace, tmp_path / "other.habeas", clock)
        else:

            def failing(_tx: Tx, _clock: ManualClock) -> None:
                raise DiskError("planted", remedy="none")

            patch.setattr(restoring, "_distrust", failing)
            with pytest.raises(DiskError, match="planted"):
                bring_back(workspace, tmp_path / "b.habeas", clock)
    assert look(workspace, clock, lambda tx: tx.find(Meta, name="since"))
    assert look(workspace, clock, lambda tx: actor_of(tx, token)).by_token
    assert sorted(path.name for path in workspace.folder.iterdir() if not path.name.endswith(("-wal", "-shm"))) == (
        ["habeas.db", SETTINGS] if "sqlite" in workspace.database_url else [SETTINGS]
    )


def test_what_was_destroyed_since_stays_so(workspace: Workspace, clock: ManualClock, tmp_path: Path) -> None:
    with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    back_up(workspace, tmp_path / "b.habeas", clock)
    with workspace.open_keys() as keys:
        assert source_text(keys, look(workspace, clock, lambda tx: camera_named(tx, "gate")))  # the control
        change(workspace, clock, lambda tx: remove_camera(tx, keys, ADMIN, "gate"))
    bring_back(workspace, tmp_path / "b.habeas", clock)
    with workspace.open_keys() as keys, pytest.raises(KeyDestroyed):
        source_text(keys, look(workspace, clock, lambda tx: camera_named(tx, "gate")))


def test_while_the_node_runs_nothing_is_restored(tmp_path: Path, clock: ManualClock) -> None:
    workspace = founded(tmp_path, clock)
    back_up(workspace, tmp_path / "b.habeas", clock)
    assert not node_runs(workspace.folder)
    with socket.socket(socket.AF_UNIX) as node:
        node.bind(str(socket_path(workspace.folder)))
        assert not node_runs(workspace.folder), "bound, and nobody listens: it was killed"
        node.listen()
        assert node_runs(workspace.folder)
        with pytest.raises(InputError, match="runs"):
            bring_back(workspace, tmp_path / "b.habeas", clock)


def test_what_is_no_backup_is_refused(workspace: Workspace, clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "b.habeas").write_bytes(b"none")
    with pytest.raises(InputError):
        bring_back(workspace, tmp_path / "b.habeas", clock)
    with pytest.raises(InputError):
        back_up(workspace, tmp_path / "b.habeas", clock)  # never overwritten


def test_nothing_is_compared_until_two_approvers_say_that_it_is_right(tmp_path: Path, settings: Settings) -> None:
    assert settings.models  # the models are here
    workspace = founded(tmp_path, settings="workers: {count: 1}")
    clock = SystemClock()

    def running() -> Node:
        return Node(workspace, clock, default_model_id(), lambda _error: None)

    with running() as node:
        node.tick()
        assert not node.time.jumped
        assert not node.gallery._stopped  # the control
    back_up(workspace, tmp_path / "b.habeas", clock)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    with running() as node:
        with node.store.read() as tx:
            accounts = {name: tx.find(Account, name=name)[0] for name in ("ann", "bert")}
        people = {name: Actor(one.account_id, one.person, {Role.APPROVER: ()}) for name, one in accounts.items()}
        node.tick()
        assert node.gallery._stopped
        with pytest.raises(RuleError, match="clock jumped"):
            node.time.require_trust()
        for name, done in (("ann", False), ("ann", False), ("bert", True)):  # one person twice is one
            with suppress(RuleError), node.command() as tx:
                assert approve_clock(tx, people[name], node.time.off_by_ns()) is done
                if done:
                    node.confirm_clock(tx, people[name])
            node.tick()
            assert node.gallery._stopped is not done
        node.time.require_trust()
    with running() as node:
        assert not node.time.jumped, "and it stays so"
