"""Founding: everything or nothing, with a failure planted at each step; who must be there; the settings it writes."""

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.databases import KINDS, empty_database, postgres
from tests.founded import STAFF, founded, staff

from habeas.accounts.people import account_named
from habeas.accounts.roles import Role
from habeas.accounts.sessions import usable_roles
from habeas.accounts.staff import names_of
from habeas.authority.policy import ceilings_now
from habeas.clock import ManualClock
from habeas.errors import DiskError, HabeasError, InputError, RuleError, UsageError
from habeas.keys import KeyStore, MasterKey, Scope
from habeas.keys.oversight import new_identity
from habeas.models.pack import default_model_id
from habeas.node import founding
from habeas.node.founding import (
    Founder,
    advisable_people,
    check_people,
    found,
    missing_people,
    read_people,
    settings_text,
)
from habeas.node.workspace import SETTINGS, load_workspace, master_file
from habeas.review.images import OVERSIGHT
from habeas.settings import Settings, known_keys, load_settings
from habeas.store import open_store
from habeas.store.records import Account, Entry, Grant, Meta

AGE = new_identity().recipient


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys that nobody places land here."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def location(kind: str) -> str:
    return postgres().empty() if kind == "postgresql" else ""


# --- what is made -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_installation_is_complete(kind: str, tmp_path: Path, clock: ManualClock) -> None:
    made = found(
        tmp_path / "w", staff(), clock, database=location(kind), oversight=AGE, keys=tmp_path / "elsewhere" / "keys"
    )
    workspace = load_workspace(tmp_path / "w")
    assert workspace == made.workspace
    assert re.fullmatch(r"w-[0-9a-f]{12}", workspace.workspace_id)
    assert workspace.keys_folder == tmp_path / "elsewhere" / "keys"
    with workspace.open_keys() as keys:
        assert keys.ids() == keys.ids(Scope.STAFF), "what opens the names of staff, and nothing else"
        with open_store(workspace.database_url, clock) as store, store.read() as tx:
            assert set(names_of(tx, keys).values()) == set(STAFF)
    with open_store(workspace.database_url, clock) as store, store.read() as tx:
        assert {role for account in tx.find(Account) for role in usable_roles(tx, account.account_id)} == set(
            STAFF.values()
        )
        assert ceilings_now(tx).model_id == default_model_id()
        assert {meta.name: meta.value for meta in tx.find(Meta)} == {
            "workspace_id": workspace.workspace_id,
            OVERSIGHT: AGE,
        }
        kinds = [entry.kind for entry in tx.find(Entry)]
        assert kinds.count("role.granted-first") == len(STAFF)
    codes = {account.setup_code for account in made.accounts}
    assert len(codes) == len(STAFF)
    assert not any(code in repr(made) for code in codes)


def test_what_is_secret_is_for_its_owner_only(tmp_path: Path, clock: ManualClock) -> None:
    workspace = founded(tmp_path, clock)
    modes = {
        workspace.folder: 0o711,
        workspace.folder / SETTINGS: 0o600,
        workspace.folder / "habeas.db": 0o600,
        workspace.keys_folder: 0o700,
        master_file(workspace.settings.keys, workspace.workspace_id): 0o600,
    }
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in modes} == modes


def test_without_a_place_keys_are_in_the_users_data_folder(tmp_path: Path, clock: ManualClock) -> None:
    workspace = found(tmp_path / "w", staff(), clock).workspace
    assert workspace.keys_folder == tmp_path / "data" / "habeas" / "keys" / workspace.workspace_id


# --- all or nothing ---------------------------------------------------------------------------------------------------

STEPS: dict[str, Callable[[], tuple[Any, str]]] = {
    "settings": lambda: (founding, "_write_settings"),
    "master key": lambda: (MasterKey, "create_file"),
    "key store": lambda: (KeyStore, "create"),
    "reading back": lambda: (founding, "load_workspace"),
    "policy": lambda: (founding, "first_policy"),
    "account": lambda: (founding, "insert_account"),
    "grant": lambda: (founding, "grant_first"),
    "model": lambda: (founding, "default_model_id"),
}


@pytest.mark.parametrize(("kind", "existed"), [("sqlite", False), ("sqlite", True), ("postgresql", False)])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_nothing(
    step: str, after: bool, existed: bool, kind: str, tmp_path: Path, clock: ManualClock
) -> None:
    folder, url = tmp_path / "deep" / "w", location(kind)
    (tmp_path / "keys").mkdir()
    if existed:
        folder.mkdir(parents=True)
        folder.chmod(0o750)
    before = everything(tmp_path)
    owner, name = STEPS[step]()
    with pytest.MonkeyPatch.context() as patch:
        real = getattr(owner, name)

        def failing(*args: Any, **options: Any) -> Any:
            if after:
                done = real(*args, **options)
                if isinstance(done, KeyStore):
                    done.close()
            raise DiskError("planted", remedy="none")

        patch.setattr(owner, name, failing)
        with pytest.raises(DiskError, match="planted"):
            found(folder, staff(), clock, database=url, keys=tmp_path / "keys" / "store")
    assert everything(tmp_path) == before
    if existed:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    if url:
        assert (
            postgres().sql(
                "SELECT 1 FROM pg_tables WHERE schemaname='public'", url.partition("?")[0].rpartition("/")[2]
            )
            == []
        )
    # The control: the same call, nothing planted.
    assert found(folder, staff(), clock, database=url, keys=tmp_path / "keys" / "store").accounts


def test_a_failure_at_the_commit_leaves_nothing(tmp_path: Path, clock: ManualClock) -> None:
    from habeas.store.transaction import Tx  # noqa: PLC0415 - used here only

    def refusing(_tx: Tx) -> None:
        raise DiskError("planted", remedy="none")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tx, "check", refusing)
        with pytest.raises(DiskError, match="planted"):
            found(tmp_path / "w", staff(), clock, keys=tmp_path / "keys")
    assert everything(tmp_path) == set()


def test_a_bad_name_leaves_nothing(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(HabeasError):
        found(tmp_path / "w", [*staff(), Founder("no\nname", (Role.AUDITOR,))], clock, keys=tmp_path / "keys")
    assert everything(tmp_path) == set()


# --- what is there stays ----------------------------------------------------------------------------------------------


def test_the_keys_of_another_installation_survive_an_attempt_to_use_their_place(
    tmp_path: Path, clock: ManualClock
) -> None:
    first = founded(tmp_path, clock)
    before = {path: path.read_bytes() for path in everything(tmp_path) if path.is_file()}
    with pytest.raises(InputError, match="already"):
        found(tmp_path / "second", staff(), clock, keys=first.keys_folder)
    assert {path: path.read_bytes() for path in everything(tmp_path) if path.is_file()} == before
    with first.open_keys():
        pass
    # The same with only its master key left.
    first.keys_folder.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="already"):
        found(tmp_path / "second", staff(), clock, keys=first.keys_folder)
    assert master_file(first.settings.keys, "").exists()


@pytest.mark.parametrize("what", ["file", "filled", "link"])
def test_a_folder_with_something_in_it_stays(what: str, tmp_path: Path, clock: ManualClock) -> None:
    folder = tmp_path / "w"
    if what == "file":
        folder.write_text("mine")
    elif what == "filled":
        folder.mkdir()
        (folder / "mine").write_text("mine")
    else:
        (tmp_path / "real").write_text("mine")
        folder.symlink_to(tmp_path / "real")
    before = everything(tmp_path)
    with pytest.raises(InputError, match="empty folder"):
        found(folder, staff(), clock, keys=tmp_path / "keys")
    assert everything(tmp_path) == before


def test_a_server_database_of_an_installation_stays(tmp_path: Path, clock: ManualClock) -> None:
    url = empty_database("postgresql", tmp_path)
    first = founded(tmp_path / "first", clock, database=url)
    with pytest.raises(InputError, match="belongs to an installation"):
        found(tmp_path / "second", staff(), clock, database=url, keys=tmp_path / "keys")
    assert not (tmp_path / "second").exists()
    with open_store(first.database_url, clock) as store, store.read() as tx:
        assert tx.find(Meta, name="workspace_id")[0].value == first.workspace_id


@pytest.mark.parametrize("inside", ["w/keys", "w", "."])
def test_keys_and_workspace_are_apart(inside: str, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(InputError, match=r"apart|already"):
        found(tmp_path / "w", staff(), clock, keys=tmp_path / inside)
    assert everything(tmp_path) == set()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_disk(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        found(tmp_path / "file" / "w", staff(), clock, keys=tmp_path / "keys")
    assert everything(tmp_path) == {tmp_path / "file"}


# --- the environment --------------------------------------------------------------------------------------------------


def test_the_environment_may_say_where_and_is_not_written_down(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database("postgresql", tmp_path)
    secret = tmp_path / "secret"
    secret.write_text(url + "\n")
    monkeypatch.setenv("HABEAS_DATABASE_FILE", str(secret))
    monkeypatch.setenv("HABEAS_KEYS__FOLDER", str(tmp_path / "keys"))
    made = found(tmp_path / "w", staff(), clock)
    assert made.workspace.database_url == url
    text = (tmp_path / "w" / SETTINGS).read_text()
    assert url not in text
    assert load_settings(tmp_path / "w" / SETTINGS).keys.folder == tmp_path / "keys"
    assert not (tmp_path / "w" / "habeas.db").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HABEAS_WORKSPACE_ID", "w-other"), ("HABEAS_DATABASE", "sqlite:///x"), ("HABEAS_KEYS__FOLDER", "/srv/keys")],
)
def test_an_environment_that_would_win_is_told_before_anything_is_made(
    variable: str, value: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=variable):
        found(tmp_path / "w", staff(), clock, database="sqlite:///other", keys=tmp_path / "keys")
    assert everything(tmp_path) == set()


def test_a_master_key_may_come_from_elsewhere(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = MasterKey.create_file(tmp_path / "kms")
    assert key
    monkeypatch.setenv("HABEAS_KEYS__MASTER_COMMAND", f'["cat", "{tmp_path / "kms"}"]')
    workspace = found(tmp_path / "w", staff(), clock, keys=tmp_path / "keys").workspace
    assert not (tmp_path / "keys.master").exists()
    with workspace.open_keys():
        pass


# --- people -----------------------------------------------------------------------------------------------------------

LACKING = {
    "adam": "an admin",
    "rita": "a requester",
    "ann": "two approvers",
    "olga": "two operators",
    "pia": "a privacy officer",
}


@pytest.mark.parametrize("who", LACKING)
def test_without_somebody_there_is_no_installation(who: str, tmp_path: Path, clock: ManualClock) -> None:
    assert missing_people(staff()) == []
    (lacking,) = missing_people(staff(who))
    assert LACKING[who] in lacking
    with pytest.raises(InputError, match=LACKING[who]):
        found(tmp_path / "w", staff(who), clock, keys=tmp_path / "keys")
    assert everything(tmp_path) == set()


def test_persons_count_not_accounts() -> None:
    twice = [*staff("otto"), Founder("olga-2", (Role.OPERATOR,), person="Olga ")]
    assert missing_people(twice) == ["two operators, to give verdicts"]


def test_a_requester_may_approve_others_requests_but_never_is_the_second() -> None:
    people = [*staff("bert", "rita"), Founder("rita", (Role.REQUESTER, Role.APPROVER))]
    assert missing_people(people) == ["two approvers who are not the requester"]
    assert missing_people([*people, Founder("bert", (Role.APPROVER,))]) == []
    another = [*people, Founder("rob", (Role.REQUESTER,))]
    assert missing_people(another) == [], "ann and rita approve what rob asks for"


def test_what_is_advisable() -> None:
    assert len(advisable_people(staff())) == 4
    more = [Founder(f"{role.value}-2", (role,)) for role in (Role.OPERATOR, Role.PRIVACY, Role.APPROVER, Role.AUDITOR)]
    assert advisable_people([*staff(), *more]) == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.PRIVACY])
def test_lonely_roles_combine_with_no_other_also_over_two_accounts(role: Role) -> None:
    with pytest.raises(RuleError, match="combines with no other"):
        check_people([*staff(), Founder("x", (role, Role.OPERATOR))])
    with pytest.raises(RuleError, match="combines with no other"):
        check_people([*staff(), Founder("x", (role,)), Founder("y", (Role.OPERATOR,), person="X")])


def test_two_people_of_one_name_and_zones_for_everywhere_are_refused() -> None:
    with pytest.raises(InputError, match="same name"):
        check_people([*staff(), Founder("ann", (Role.APPROVER,))])
    with pytest.raises(InputError, match="for every zone"):
        check_people([*staff("ann"), Founder("ann", (Role.APPROVER,), ("north",))])


def test_zones_go_to_the_roles_that_have_them(tmp_path: Path, clock: ManualClock) -> None:
    both = Founder("olga", (Role.OPERATOR, Role.APPROVER), ("north",))
    workspace = found(tmp_path / "w", [*staff("olga"), both], clock, keys=tmp_path / "keys").workspace
    opened = open_store(workspace.database_url, clock), workspace.open_keys()
    with opened[0] as store, opened[1] as keys, store.read() as tx:
        olga = account_named(tx, keys, "olga")
        zones = {grant.role: grant.zones for grant in tx.find(Grant, account_id=olga.account_id)}
    assert zones == {"operator": ("north",), "approver": ()}


@pytest.mark.parametrize(
    "key",
    ["AGE-SECRET-KEY-1", AGE[:-1], AGE.replace(AGE[20], "q" if AGE[20] != "q" else "p"), "x"],
    ids=["secret", "short", "another letter", "x"],
)
def test_an_oversight_key_is_a_public_one_without_a_mistake(key: str, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(InputError, match="no age recipient"):
        found(tmp_path / "w", staff(), clock, oversight=key, keys=tmp_path / "keys")
    assert everything(tmp_path) == set()


def test_people_are_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(
        "- name: ann\n  roles: [admin]\n- {name: olga, roles: [operator], zones: [north], person: Olga K}\n"
    )
    wanted = [Founder("ann", (Role.ADMIN,)), Founder("olga", (Role.OPERATOR,), ("north",), "Olga K")]
    assert read_people(file) == wanted
    file.write_text("people:\n" + "".join(f"  {line}\n" for line in file.read_text().splitlines()))
    assert read_people(file) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "- ann",
        "- {roles: [admin]}",
        "- {name: 7}",
        "- {name: ann, role: admin}",
        "- {name: ann, roles: admin}",
        "- {name: ann, roles: [king]}",
        "- {name: ann, roles: [admin], zones: north}",
        "- [",
        "- {name: ann, roles: }",
        "\x00",
    ],
)
def test_what_is_no_list_of_people_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_people(file)
    assert refused.value.remedy
    with pytest.raises(UsageError):
        read_people(tmp_path / "none.yaml")


# --- habeas.yaml ------------------------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """Every setting in force: a setting's line begins with its key, a sentence does not."""
    lines = text.splitlines()
    return "\n".join(
        re.sub(r"^# ", "", line, count=1) if re.match(r"^# ( *)[a-z_]+:( |$)", line) else line for line in lines
    )


def test_the_settings_written_are_valid_and_complete(tmp_path: Path) -> None:
    for text in (settings_text("w-1"), settings_text("w-1", "postgresql+psycopg://u:p@h/n", Path("/srv/keys"))):
        file = tmp_path / SETTINGS
        file.write_text(text)
        loaded = load_settings(file)
        assert loaded.workspace_id == "w-1"
        whole = uncommented(text)
        file.write_text(whole)
        named = yaml.safe_load(whole)
        keys = {
            (name, key) if isinstance(part, dict) else (name,)
            for name, part in named.items()
            for key in (part if isinstance(part, dict) else [""])
        }
        assert keys == set(known_keys())
        assert load_settings(file) == loaded, "what is commented out is the default"
        assert max(len(line) for line in text.splitlines()) < 250


def test_each_setting_is_described_where_it_stands() -> None:
    text = settings_text("w-1")
    for name, field in Settings.model_fields.items():
        assert f"# {field.description}\n" in text, name


@pytest.mark.parametrize("odd", ["postgresql+psycopg://u:p#x@h/n", "a: b", "- x", "'quoted\"", "ü", "{x}", "*a", "#"])
def test_odd_text_is_written_as_it_is(odd: str, tmp_path: Path) -> None:
    file = tmp_path / SETTINGS
    file.write_text(settings_text("w-1", odd, Path(f"/srv/{odd}")), encoding="utf-8")
    loaded = load_settings(file)
    assert (loaded.database, loaded.keys.folder) == (odd, Path(f"/srv/{odd}"))
