"""Backup and restore of an installation: what was ended stays ended, and the old database is trusted by nobody yet."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.databases import KINDS, postgres
from tests.founded import ADMIN, founded, with_camera

from habeas.accounts import people, staff
from habeas.accounts.credentials import digest
from habeas.accounts.grants import revoke_role
from habeas.accounts.roles import Actor, Role
from habeas.accounts.sessions import actor_of, usable_roles
from habeas.accounts.tokens import make_token
from habeas.audit.note import Algorithm, VerifierKey
from habeas.authority.cameras import camera_named, remove_camera, source_text
from habeas.authority.jumps import approve_clock
from habeas.authority.listing import listings
from habeas.authority.policy import Ceilings, ceilings_now
from habeas.authority.suspensions import suspended
from habeas.clock import ManualClock, SystemClock
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.keys.signing import SigningKey
from habeas.models.pack import default_model_id
from habeas.node import restoring
from habeas.node.comparing import OF_BACKUP
from habeas.node.node import Node
from habeas.node.restoring import back_up, bring_back, node_runs
from habeas.node.workspace import SETTINGS, Workspace, load_workspace, socket_path
from habeas.settings import Settings
from habeas.store import Tx, open_store
from habeas.store.footage_records import (
    AccessPhoto,
    AccessRequest,
    Evidence,
    Finding,
    FootageSearch,
    Hold,
    PublicRequest,
)
from habeas.store.records import (
    Account,
    Authorisation,
    Entry,
    Grant,
    Heartbeat,
    Meta,
    Policy,
    Reference,
    Session,
    Subject,
    Suspension,
    Token,
)
from habeas.types import NS_PER_S, utc

T = TypeVar("T")
HOUR = 3600 * NS_PER_S
OLD, NEW = "old hash", "new hash"


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


def named(workspace: Workspace, tx: Tx, name: str) -> Account:
    with workspace.open_keys() as keys:
        return people.account_named(tx, keys, name)


def acting(workspace: Workspace, tx: Tx, secret: str) -> Actor:
    with workspace.open_keys() as keys:
        return actor_of(tx, keys, secret)


def keyed(workspace: Workspace, command: Callable[..., object], tx: Tx, *given: object) -> None:
    with workspace.open_keys() as keys:
        command(tx, keys, *given)


def let_in(workspace: Workspace, clock: ManualClock) -> str:
    """Log somebody in, and make them a token; return that."""
    made: list[str] = []

    def enter(tx: Tx) -> None:
        ann = named(workspace, tx, "ann")
        tx.change(ann, credential_at_ns=tx.now_ns)
        tx.add(Session(digest("login"), ann.account_id, tx.now_ns, tx.now_ns, tx.now_ns + 12 * HOUR))
        actor = Actor(ann.account_id, frozenset({ann.account_id}), {Role.APPROVER: ()})
        made.append(make_token(tx, actor, ["read"], 24 * HOUR).secret)

    change(workspace, clock, enter)
    return made[0]


def check_distrusted(workspace: Workspace, clock: ManualClock, token: str) -> None:
    """Nobody is let in, and the clock is in doubt."""
    assert look(workspace, clock, lambda tx: tx.find(Session)) == []
    assert all(one.revoked_at_ns is not None for one in look(workspace, clock, lambda tx: tx.find(Token)))
    with pytest.raises(RuleError):
        look(workspace, clock, lambda tx: acting(workspace, tx, token))
    (beat,) = look(workspace, clock, lambda tx: tx.find(Heartbeat))
    assert beat.jumped
    assert look(workspace, clock, lambda tx: tx.find(Entry)[-1].kind) == "database.restored"


def test_a_restore_ends_every_login_and_token_and_keeps_what_was_there(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    token = let_in(workspace, clock)
    assert look(workspace, clock, lambda tx: acting(workspace, tx, token)).by_token  # the control
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
    assert look(large, clock, lambda tx: tx.find(Account)) == look(small, clock, lambda tx: tx.find(Account))
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
    assert look(workspace, clock, lambda tx: acting(workspace, tx, token)).by_token
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


def clock_of(node: Node) -> dict[str, object]:
    told = node.status()["clock"]
    assert isinstance(told, dict)
    return told


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
            accounts = {name: people.account_named(tx, node.keys, name) for name in ("ann", "bert")}
        actors = {
            name: Actor(one.account_id, frozenset({one.account_id}), {Role.APPROVER: ()})
            for name, one in accounts.items()
        }
        node.tick()
        assert node.gallery._stopped
        with pytest.raises(RuleError, match="was restored: nothing is compared") as refused:
            node.time.require_trust()
        assert (refused.value.rule, refused.value.remedy) == ("restored", "two approvers confirm: habeas clock confirm")
        told = clock_of(node)
        assert (told["jumped"], told["restored"]) == (True, True)
        assert node.why_not_watched("any") == "off: restored, two approvers confirm"
        for name, done in (("ann", False), ("ann", False), ("bert", True)):  # one person twice is one
            with suppress(RuleError), node.command() as tx:
                assert approve_clock(tx, actors[name], node.time.off_by_ns()) is done
                if done:
                    node.confirm_clock(tx, actors[name])
            node.tick()
            assert node.gallery._stopped is not done
        node.time.require_trust()
    with running() as node:
        assert not node.time.jumped, "and it stays so"
        node.time.distrust()
        assert not node.time.restored, "a later jump is one of the clock"
        with pytest.raises(RuleError, match="clock jumped"):
            node.time.require_trust()


# --- what the database in force says more strictly --------------------------------------------------------------------


def body(workspace: Workspace, clock: ManualClock) -> dict[str, object]:
    """Return what the last entry says."""
    last = look(workspace, clock, lambda tx: tx.find(Entry)[-1])
    assert last.kind == "database.restored"
    said: dict[str, object] = json.loads(last.body)
    return said


def suspension(number: int, now_ns: int, **changes: object) -> Suspension:
    made = Suspension(f"sus-{number}", ("default",), (), (), now_ns, now_ns + 90 * HOUR, "a vote", "acc-1", now_ns)
    return replace(made, **changes)  # type: ignore[arg-type]


def authorisation(name: str, state: str, now_ns: int, started_ns: int | None = None) -> Authorisation:
    window = (now_ns, now_ns + 90 * HOUR)
    asked = ("live", "missing-person", "Police", "MP-1", None, "missing", "acc-1", (("gate", "d"),))
    return Authorisation(name, state, *asked, *window, True, False, now_ns, started_at_ns=started_ns)


def subject(authorisation_id: str, **changes: object) -> Subject:
    made = Subject(f"s-{authorisation_id}", authorisation_id, "key", b"sealed", "c", "tag", "tag-key", minor=False)
    return replace(made, **changes)  # type: ignore[arg-type]


def listed(tx: Tx, name: str, state: str, started_ns: int | None = None) -> None:
    tx.add(authorisation(name, state, tx.now_ns, started_ns))
    tx.add(subject(name))
    tx.add(Reference(f"r-{name}", f"s-{name}", "m", "c", b"image", b"template", "{}"))


def test_a_restore_takes_no_suspension_back_and_opens_no_account(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    camera = with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    let_in(workspace, clock)
    back_up(workspace, tmp_path / "b.habeas", clock)
    clock.advance(25 * HOUR)

    def since(tx: Tx) -> None:
        tx.add(suspension(1, tx.now_ns))
        for name in ("ann", "bert"):
            keyed(workspace, people.disable_account, tx, ADMIN, name)

    change(workspace, clock, since)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    assert suspended(look(workspace, clock, lambda tx: tx.find(Suspension)), camera, clock.now_ns())
    for name in ("ann", "bert"):
        account = look(workspace, clock, lambda tx, name=name: named(workspace, tx, name))
        assert account.disabled_at_ns is not None
        assert account.setup_hash is account.password_hash is None
        assert look(workspace, clock, lambda tx, one=account: usable_roles(tx, one.account_id)) == {}, "nor confirms"
    olga = look(workspace, clock, lambda tx: named(workspace, tx, "olga"))
    assert olga.disabled_at_ns is None, "the control"
    assert Role.OPERATOR in look(workspace, clock, lambda tx: usable_roles(tx, olga.account_id))
    counts = {"accounts": 2, "authorisations": 0, "grants": 2, "policies": 0, "subjects": 0, "suspensions": 1}
    counts |= {"access": 0, "evidence": 0, "exports": 0, "holds": 0, "requests": 0, "searches": 0}
    assert body(workspace, clock) == {"v": 1, "carried_over": True, **counts}


@pytest.mark.rule("T5")
@pytest.mark.rule("T6")
def test_a_restore_takes_back_no_hold_nor_its_end_and_no_request_s_day(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    """What runs goes on, since its copies are there; what is over stays over; nothing has its day twice."""
    now_ns = clock.now_ns()

    def hold(name: str, state: str, **more: Any) -> Hold:
        about = ("gate",), now_ns - 2, now_ns - 1, now_ns + HOUR, now_ns
        return Hold(name, state, "acc-1", *about, f"hold-{name}", None, "", **more)

    def request(name: str, state: str, **more: Any) -> PublicRequest:
        about = now_ns, ("gate",), now_ns - 2, now_ns - 1, now_ns + HOUR
        return PublicRequest(name, state, "acc-1", *about, f"identity-{name}", None, **more)

    before = [hold("h1", "held"), hold("h2", "proposed"), hold("h3", "proposed"), request("r1", "received")]
    change(workspace, clock, lambda tx: [tx.add(one) for one in before])
    back_up(workspace, tmp_path / "b.habeas", clock)

    def since(tx: Tx) -> None:
        tx.change(tx.get(Hold, "h1"), state="released", over_at_ns=now_ns)
        tx.change(tx.get(Hold, "h2"), state="held", since_ns=now_ns)
        tx.change(tx.get(PublicRequest, "r1"), state="graced", segments=("a",))
        for one in (hold("h4", "held"), hold("h5", "proposed"), request("r2", "graced", segments=("b",))):
            tx.add(one)

    change(workspace, clock, since)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    holds = look(workspace, clock, lambda tx: {one.hold_id: one.state for one in tx.find(Hold)})
    assert holds == {"h1": "released", "h2": "held", "h3": "proposed", "h4": "held"}, "nobody approved what is proposed"
    requests = look(workspace, clock, lambda tx: {one.request_id: one.segments for one in tx.find(PublicRequest)})
    assert requests == {"r1": ("a",), "r2": ("b",)}
    assert (body(workspace, clock)["holds"], body(workspace, clock)["requests"]) == (3, 2)


def asked(name: str, state: str, now_ns: int, **more: Any) -> AccessRequest:
    about = now_ns, now_ns + HOUR, ("gate",), now_ns - 2, now_ns - 1
    return AccessRequest(name, state, "acc-1", *about, "passport", f"access-{name}", b"sealed", "", **more)


def photo(name: str) -> AccessPhoto:
    return AccessPhoto(f"p-{name}", name, "model", "", b"sealed", b"sealed")


@pytest.mark.rule("X3")
@pytest.mark.rule("X5")
def test_a_restore_opens_no_access_request_again_and_lets_none_be_searched_twice(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    """What is over stays over; what the backup does not know is over; nobody's approval is made up."""
    now_ns = clock.now_ns()
    names = {"r1": "opened", "r2": "approved", "r3": "approved", "r4": "opened"}

    def before(tx: Tx) -> None:
        for name, state in names.items():
            tx.add(asked(name, state, now_ns))
            tx.add(photo(name))
        tx.add(Finding("f1", "r1", "open", b"sealed", b"sealed"))
        tx.add(FootageSearch("r3", "running", "acc-1", now_ns))

    change(workspace, clock, before)
    back_up(workspace, tmp_path / "b.habeas", clock)

    def since(tx: Tx) -> None:
        tx.change(tx.get(AccessRequest, "r1"), state="refused", closed_at_ns=now_ns, asked_sealed=None)
        tx.change(tx.get(AccessRequest, "r4"), state="approved", approved_at_ns=now_ns)
        tx.change(tx.get(FootageSearch, "r3"), done=(("gate", 7),))
        tx.add(FootageSearch("r2", "running", "acc-1", now_ns))
        tx.add(Finding("f2", "r2", "same", b"sealed", b"sealed", ("acc-1",)))
        tx.add(asked("r5", "approved", now_ns))
        tx.add(photo("r5"))

    change(workspace, clock, since)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    rows = {one.access_id: one for one in look(workspace, clock, lambda tx: tx.find(AccessRequest))}
    assert {name: row.state for name, row in rows.items()} == {**names, "r1": "refused", "r5": "closed"}
    assert [name for name, row in rows.items() if row.asked_sealed is None] == ["r1", "r5"]
    assert all(row.destroyed_at_ns is None for row in rows.values()), "the clock destroys their keys"
    photos = look(workspace, clock, lambda tx: tx.find(AccessPhoto))
    assert {one.access_id for one in photos if one.image_sealed and one.template_sealed} == {"r2", "r3", "r4"}
    findings = look(workspace, clock, lambda tx: {one.finding_id: one for one in tx.find(Finding)})
    assert (findings["f1"].found_sealed, findings["f1"].image_sealed) == (None, None)
    assert findings["f2"].looked == ("acc-1",)
    searches = look(workspace, clock, lambda tx: {one.about_id: one for one in tx.find(FootageSearch)})
    assert (searches["r2"].state, searches["r3"].state, searches["r3"].done) == ("ended", "running", (("gate", 7),))
    assert (body(workspace, clock)["access"], body(workspace, clock)["searches"]) == (3, 2)
    kinds = [one.kind for one in look(workspace, clock, lambda tx: tx.find(Entry))]
    assert "access.refused" in kinds, "the log that goes on says it"


def test_a_suspension_is_lifted_only_where_it_is_in_both(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    now_ns = clock.now_ns()
    proposed = {"lift_proposed_at_ns": now_ns, "lift_proposed_by": "acc-1"}
    before = {1: {"sources": ("a",)}, 2: {"lifted_from_ns": now_ns + 5, **proposed}, 3: proposed, 4: {}}
    after = {1: {"lifted_from_ns": now_ns + 7, "sources": ("b",), **proposed}, 2: {"lifted_from_ns": now_ns + 9}}
    change(workspace, clock, lambda tx: [tx.add(suspension(n, now_ns, **more)) for n, more in before.items()])
    back_up(workspace, tmp_path / "b.habeas", clock)

    def since(tx: Tx) -> None:
        for number, more in after.items():
            tx.change(tx.get(Suspension, f"sus-{number}"), **more)
        tx.add(suspension(5, now_ns, lifted_from_ns=now_ns + 3))

    change(workspace, clock, since)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    found = look(workspace, clock, lambda tx: tx.find(Suspension))
    assert [one.lifted_from_ns for one in found] == [None, now_ns + 9, None, None, now_ns + 3]
    assert found[0].sources == ("a", "b")
    assert found[0].lift_proposed_by is found[2].lift_proposed_by is None, "no half of a lifting stays"
    assert body(workspace, clock)["suspensions"] == 4


def test_credentials_and_revoked_roles_stay_as_they_are(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    def before(tx: Tx) -> None:
        for name in ("ann", "otto", "olga"):
            tx.change(named(workspace, tx, name), password_hash=OLD, credential_at_ns=1, setup_hash=None)
        tx.change(named(workspace, tx, "olga"), disabled_at_ns=7, password_hash=None)

    change(workspace, clock, before)
    back_up(workspace, tmp_path / "b.habeas", clock)
    clock.advance(HOUR)

    def since(tx: Tx) -> None:
        tx.change(named(workspace, tx, "ann"), password_hash=NEW, credential_at_ns=tx.now_ns)
        keyed(workspace, people.renew_setup, tx, ADMIN, "olga")
        keyed(workspace, revoke_role, tx, ADMIN, "otto", Role.OPERATOR)
        pia = named(workspace, tx, "pia")
        tx.add(Grant("grant-new", pia.account_id, Role.AUDITOR.value, (), "a", 1, "b", 1))
        keyed(workspace, people.add_account, tx, ADMIN, "new")

    change(workspace, clock, since)
    then_ns = clock.now_ns()
    bring_back(workspace, tmp_path / "b.habeas", clock)
    with workspace.open_keys() as keys:
        rows = look(workspace, clock, lambda tx: tx.find(Account))
        accounts = {told.name: one for one in rows if (told := staff.named(keys, one)) is not None}
    assert (accounts["ann"].password_hash, accounts["ann"].credential_at_ns) == (NEW, then_ns)
    assert accounts["otto"].password_hash == OLD, "the control"
    assert (accounts["olga"].disabled_at_ns, accounts["olga"].setup_hash) == (7, None), "closed in one of them"
    assert "new" not in accounts
    roles = {
        name: look(workspace, clock, lambda tx, one=one: usable_roles(tx, one.account_id))
        for name, one in accounts.items()
    }
    assert roles["otto"] == {}
    assert Role.APPROVER in roles["ann"]
    assert set(roles["pia"]) == {Role.PRIVACY}, "nothing that permits more"
    counts = body(workspace, clock)
    assert (counts["accounts"], counts["grants"]) == (2, 2)


def test_a_role_held_for_fewer_zones_since_is_not_wide_again(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    back_up(workspace, tmp_path / "b.habeas", clock)
    clock.advance(HOUR)

    def since(tx: Tx) -> None:
        for name, role, zones in (("otto", Role.OPERATOR, ("gate",)), ("ann", Role.APPROVER, ())):
            account_id = named(workspace, tx, name).account_id
            tx.add(Grant(f"grant-{name}", account_id, role.value, zones, "a", tx.now_ns, "b", tx.now_ns))

    change(workspace, clock, since)
    clock.advance(HOUR)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    roles = look(
        workspace,
        clock,
        lambda tx: [usable_roles(tx, named(workspace, tx, name).account_id) for name in ("otto", "ann")],
    )
    assert roles == [{}, {Role.APPROVER: ()}], "the second is the control: the same again"
    assert body(workspace, clock)["grants"] == 1


def test_what_started_or_ended_since_is_over_and_counts(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    start_ns = clock.now_ns()

    def before(tx: Tx) -> None:
        for name, state, started_ns in (
            *(("runs", "active", start_ns), ("ended", "active", start_ns), ("draft", "draft", None)),
            *(("starts", "submitted", None), ("refused", "submitted", None)),
        ):
            listed(tx, name, state, started_ns)

    change(workspace, clock, before)
    back_up(workspace, tmp_path / "b.habeas", clock)
    clock.advance(HOUR)

    def since(tx: Tx) -> None:
        tx.change(tx.get(Subject, "s-runs"), raised_to=0.7, tag="later", tag_key_id="later-key")
        ended = {"state": "revoked", "ended_at_ns": tx.now_ns, "ended_why": "enough"}
        tx.change(tx.get(Authorisation, "ended"), **ended)
        tx.change(tx.get(Authorisation, "refused"), **ended | {"state": "refused"})
        tx.change(tx.get(Authorisation, "starts"), state="active", started_at_ns=tx.now_ns)
        listed(tx, "new", "active", tx.now_ns)
        listed(tx, "new-draft", "draft")

    change(workspace, clock, since)
    since_ns = clock.now_ns()
    clock.advance(HOUR)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    rows = {one.authorisation_id: one for one in look(workspace, clock, lambda tx: tx.find(Authorisation))}
    assert {name: row.state for name, row in rows.items()} == {
        "runs": "active",
        "draft": "draft",
        "ended": "revoked",
        "refused": "refused",
        "starts": "expired",
        "new": "expired",
    }
    assert (rows["new"].started_at_ns, rows["new"].ended_at_ns) == (since_ns, clock.now_ns())
    assert rows["new"].notify_due_ns is not None
    subjects = {one.authorisation_id: one for one in look(workspace, clock, lambda tx: tx.find(Subject))}
    sealed = {name for name, one in subjects.items() if one.identity_sealed is not None}
    assert sealed == {"runs", "draft"}
    references = look(workspace, clock, lambda tx: tx.find(Reference))
    assert {one.reference_id for one in references if one.image_sealed or one.template_sealed} == {"r-runs", "r-draft"}
    assert (subjects["runs"].raised_to, subjects["runs"].tag) == (0.7, "later")
    counted = look(workspace, clock, lambda tx: listings(tx, ["tag", "later"]))
    assert {one.authorisation_id for one in counted} == {"runs", "ended", "starts", "new"}, "urgent starts and chains"
    assert body(workspace, clock)["authorisations"] == 4


def test_a_raised_threshold_is_never_lowered(workspace: Workspace, clock: ManualClock, tmp_path: Path) -> None:
    change(workspace, clock, lambda tx: listed(tx, "runs", "active", tx.now_ns))
    change(workspace, clock, lambda tx: tx.change(tx.get(Subject, "s-runs"), raised_to=0.8))
    back_up(workspace, tmp_path / "b.habeas", clock)
    change(workspace, clock, lambda tx: tx.change(tx.get(Subject, "s-runs"), raised_to=0.6))
    bring_back(workspace, tmp_path / "b.habeas", clock)
    assert look(workspace, clock, lambda tx: tx.get(Subject, "s-runs")).raised_to == 0.8


@pytest.mark.parametrize("fault", ["gone", "damaged", "another", "page"])
def test_what_cannot_be_read_is_not_carried_over_and_the_entry_says_so(
    fault: str, clock: ManualClock, tmp_path: Path
) -> None:
    workspace = founded(tmp_path, clock)
    back_up(workspace, tmp_path / "b.habeas", clock)
    change(workspace, clock, lambda tx: tx.add(suspension(1, tx.now_ns)))
    file, log = (workspace.folder / name for name in ("habeas.db", "habeas.db-wal"))
    if fault == "gone":
        file.unlink()
    elif fault == "damaged":
        file.write_bytes(b"x" * 8192)
        log.write_bytes(b"what was written last")
    elif fault == "page":
        file.write_bytes(file.read_bytes()[:4096] + bytes(file.stat().st_size - 4096))
    else:
        change(workspace, clock, lambda tx: tx.change(tx.get(Meta, "workspace_id"), value="w-other"))
    done = bring_back(workspace, tmp_path / "b.habeas", clock)
    assert body(workspace, clock) == {"v": 1, "carried_over": False}
    assert look(workspace, clock, lambda tx: tx.find(Suspension)) == []
    if fault == "damaged":  # whoever repairs it needs the log
        assert Path(f"{done.aside[0]}-wal").read_bytes() == b"what was written last"
    assert not list(workspace.folder.glob(".*.kept"))


def in_force(workspace: Workspace, clock: ManualClock) -> Ceilings:
    return look(workspace, clock, ceilings_now)


def put_in_force(workspace: Workspace, clock: ManualClock, **values: Any) -> None:
    """Another policy, as two approvers would have made it."""

    def make(tx: Tx) -> None:
        body = replace(ceilings_now(tx), **values).dump()
        tx.add(Policy("pol-2", 2, 1, body, "active", "acc", tx.now_ns, tx.now_ns))

    change(workspace, clock, make)


def test_tighter_ceilings_and_the_witnesses_are_carried_over(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    """Otherwise a restore would drop the witnesses without two approvers and a day."""
    key = VerifierKey("w.example", Algorithm.COSIGNATURE, SigningKey(bytes(32)).public_bytes).encode()
    back_up(workspace, tmp_path / "b.habeas", clock)
    clock.advance(HOUR)
    put_in_force(workspace, clock, subjects=7, witnesses=(key,), purposes=("consent",))
    clock.advance(HOUR)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    now = in_force(workspace, clock)
    assert (now.subjects, now.witnesses, now.purposes) == (7, (key,), ("consent",))
    kinds = [entry.kind for entry in look(workspace, clock, lambda tx: tx.find(Entry))]
    assert kinds[-2:] == ["policy.carried", "database.restored"]


def test_looser_ceilings_of_since_are_not(workspace: Workspace, clock: ManualClock, tmp_path: Path) -> None:
    put_in_force(workspace, clock, subjects=7)
    back_up(workspace, tmp_path / "b.habeas", clock)
    change(workspace, clock, lambda tx: tx.change(tx.get(Policy, "pol-2"), state="void"))
    assert in_force(workspace, clock).subjects == 100, "control"
    bring_back(workspace, tmp_path / "b.habeas", clock)
    assert in_force(workspace, clock).subjects == 7


@pytest.mark.rule("D2")
def test_evidence_that_was_shortened_since_is_so_in_the_log(
    workspace: Workspace, clock: ManualClock, tmp_path: Path
) -> None:
    """What ended meanwhile is not: the entry of its end, that comes, says enough."""
    now_ns = clock.now_ns()

    def kept(name: str) -> Evidence:
        about = now_ns - 9, now_ns - 8, "0" * 64, 7, f"evidence-{name}", now_ns + 99 * HOUR
        return Evidence(name, "kept", "acc-1", now_ns, *about, b"sealed", "0" * 64)

    change(workspace, clock, lambda tx: [tx.add(kept(name)) for name in ("evd-1", "evd-2", "evd-3")])
    back_up(workspace, tmp_path / "b.habeas", clock)

    def since(tx: Tx) -> None:
        tx.change(tx.get(Evidence, "evd-1"), deadline_ns=now_ns + 50 * HOUR)
        tx.change(tx.get(Evidence, "evd-2"), deadline_ns=now_ns + 1)

    change(workspace, clock, since)
    clock.advance(HOUR)
    bring_back(workspace, tmp_path / "b.habeas", clock)
    entries = look(workspace, clock, lambda tx: tx.find(Entry))
    told = [(one.actor, json.loads(one.body)) for one in entries if one.kind == "evidence.shortened"]
    assert told == [("restore", {"deadline": utc(now_ns + 50 * HOUR), "evidence": "evd-1", "v": 1})]
    rows = look(workspace, clock, lambda tx: [one.deadline_ns - now_ns for one in tx.find(Evidence)])
    assert rows == [50 * HOUR, 1, 99 * HOUR]
    assert body(workspace, clock)["evidence"] == 2
