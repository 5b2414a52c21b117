"""Founding an installation: folder, settings, database, keys, policy, first people. All of it, or nothing."""

import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from habeas.accounts.grants import grant_first
from habeas.accounts.naming import words_of
from habeas.accounts.people import NewAccount, insert_account
from habeas.accounts.roles import EVERYWHERE, ZONED, Role, check_combination
from habeas.authority.policy import Ceilings, first_policy
from habeas.comparison.calibration import calibration_digest
from habeas.errors import DiskError, InputError, UsageError
from habeas.keys import KeyStore, MasterKey
from habeas.keys.oversight import seal
from habeas.models.pack import default_model_id
from habeas.node.workspace import SETTINGS, Workspace, keys_folder, load_workspace, master_file, master_key
from habeas.ports import Clock
from habeas.review.images import OVERSIGHT
from habeas.settings import Settings, load_settings
from habeas.store import Tx
from habeas.store.first import first_transaction
from habeas.store.place import check_place
from habeas.store.records import Meta

_PRIVATE: Final = 0o711
_SECRET: Final = 0o600
_TWO: Final = 2


@dataclass(frozen=True)
class Founder:
    """One of the first people.

    Args:
        name: to log in with.
        roles: at once, without waiting; said so in the log.
        zones: where; none: everywhere.
        person: where somebody has several accounts; empty: the name.
    """

    name: str
    roles: tuple[Role, ...]
    zones: tuple[str, ...] = ()
    person: str = ""


def read_people(file: Path) -> list[Founder]:
    """Read the first people from YAML: a list of `name`, `roles`, and if wanted `zones` and `person`.

    Raises:
        UsageError: it is something else.
    """
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as YAML", remedy="see docs/story.md for an example") from error
    people = given.get("people", given) if isinstance(given, dict) else given
    if not isinstance(people, list):
        raise UsageError(f"{file}: no list of people", remedy="write `- name: ann` and `roles: [admin]` for each")
    return [_founder(file, one) for one in people]


def _founder(file: Path, given: Any) -> Founder:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or set(given) - _KEYS:
        raise UsageError(
            f"{file}: {given!r} is no person", remedy="each has a name and roles, and if wanted zones and person"
        )
    roles, zones = given.get("roles", []), given.get("zones", [])
    if not isinstance(roles, list) or not isinstance(zones, list):
        raise UsageError(f"{file}: roles and zones of {given['name']} are lists", remedy="write [operator, approver]")
    return Founder(
        given["name"],
        tuple(role_named(str(role)) for role in roles),
        tuple(map(str, zones)),
        str(given.get("person", "")),
    )


_KEYS: Final = frozenset({"name", "roles", "zones", "person"})


def role_named(name: str) -> Role:
    """Return a role by name.

    Raises:
        UsageError: there is none.
    """
    try:
        return Role(name.strip())
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise UsageError(f"no such role: {name}", remedy=f"one of {known}") from None


def missing_people(people: Sequence[Founder]) -> list[str]:
    """Return what an installation cannot do without, and does not have: empty, it can be founded."""
    persons = {role: {_person(one) for one in people if role in one.roles} for role in Role}
    requesters, approvers = persons[Role.REQUESTER], persons[Role.APPROVER]
    lacking = []
    if not persons[Role.ADMIN]:
        lacking.append("an admin, to run cameras and accounts")
    if not requesters:
        lacking.append("a requester, to draft authorisations")
    if not any(len(approvers - {requester}) >= _TWO for requester in requesters or {""}):
        lacking.append("two approvers who are not the requester")
    if len(persons[Role.OPERATOR]) < _TWO:
        lacking.append("two operators, to give verdicts")
    if not persons[Role.PRIVACY]:
        lacking.append("a privacy officer, to suspend recognition")
    return lacking


def advisable_people(people: Sequence[Founder]) -> list[str]:
    """Return whom an installation can be founded without, but will miss."""
    persons = {role: {_person(one) for one in people if role in one.roles} for role in Role}
    wanted = {
        Role.OPERATOR: (3, "a third operator, for verdicts that differ"),
        Role.PRIVACY: (2, "a second privacy officer: one alone cannot lift a suspension early"),
        Role.APPROVER: (3, "a third approver, for minors and long chains"),
        Role.AUDITOR: (1, "an auditor"),
    }
    return [why for role, (count, why) in wanted.items() if len(persons[role]) < count]


def _person(founder: Founder) -> str:
    return words_of(founder.person or founder.name)


def check_people(people: Sequence[Founder]) -> None:
    """Check that these people can run an installation.

    Raises:
        InputError: somebody is missing, two have one name, or zones are named for roles that are for all of them.
        RuleError: roles that do not combine.
    """
    for person in {_person(one) for one in people}:
        check_combination([role for one in people if _person(one) == person for role in one.roles])
    for one in people:
        if one.zones and not ZONED & set(one.roles):
            raise InputError(f"the roles of {one.name} are for every zone", remedy="name no zones with them")
    if len({one.name for one in people}) < len(people):
        raise InputError("two people have the same name", remedy="names are for logging in: one each")
    lacking = missing_people(people)
    if lacking:
        raise InputError(f"missing: {'; '.join(lacking)}", remedy="name more people; one may hold several roles")


@dataclass(frozen=True, repr=False)
class Founded:
    """What was founded.

    Args:
        workspace: the new one.
        accounts: with the code with which each sets a password.
    """

    workspace: Workspace
    accounts: tuple[NewAccount, ...]


def found(
    folder: Path,
    people: Sequence[Founder],
    clock: Clock,
    *,
    database: str = "",
    oversight: str = "",
    keys: Path | None = None,
) -> Founded:
    """Found an installation.

    Args:
        folder: new, or empty.
        people: the first ones.
        clock: tells when.
        database: address of a PostgreSQL database; empty: a file in the folder.
        oversight: age recipient of the outside body that confirmed alerts are sealed to; empty: none.
        keys: where the key store goes; None: below the user's data folder.

    Raises:
        InputError: people are missing; the folder, the database or the place of the keys has something in it.
        RuleError: roles that do not combine.
        UsageError: the environment says something else than what is asked for.
        DiskError: it cannot be written, or lies on a network drive.
    """
    check_people(people)
    if oversight:
        seal(oversight, b"")  # a mistyped key would be noticed with the first alert, which is then lost
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} is there, and not an empty folder", remedy="choose a new folder")
    workspace_id = f"w-{secrets.token_hex(6)}"
    wanted = _wanted(workspace_id, database, keys)
    _check_apart(folder, wanted)
    check_place(Workspace(folder, wanted).database_url)
    with ExitStack() as undo:
        try:
            return _found(Workspace(folder, wanted), people, clock, oversight, settings_text(*_given(wanted)), undo)
        except OSError as error:
            raise DiskError(
                f"{error.filename or folder} cannot be made: {error.strerror}", remedy="choose a folder of yours"
            ) from error


def _wanted(workspace_id: str, database: str, keys: Path | None) -> Settings:
    """Return the settings to be: those of the environment, which will win, with what was asked for.

    Raises:
        UsageError: the environment says something else than what was asked for.
    """
    environment = load_settings()
    asked = {"workspace_id": (environment.workspace_id, workspace_id)}
    if database:
        asked["database"] = (environment.database, database)
    if keys is not None:
        asked["keys.folder"] = (str(environment.keys.folder or ""), str(keys.resolve()))
    for name, (there, wanted) in asked.items():
        if there not in ("", wanted):
            variable = f"HABEAS_{name.replace('.', '__').upper()}"
            raise UsageError(f"{variable} is set, and would win over what is asked for", remedy=f"unset {variable}")
    places = environment.keys if keys is None else environment.keys.model_copy(update={"folder": keys.resolve()})
    return environment.model_copy(
        update={"workspace_id": workspace_id, "database": database or environment.database, "keys": places}
    )


def _check_apart(folder: Path, settings: Settings) -> None:
    """Check that the keys come to lie outside the workspace, at a place where nothing is.

    Raises:
        InputError: they do not.
    """
    store, master = keys_folder(settings.keys, settings.workspace_id), _master_file_of(settings)
    for place in (store, master):
        if place is None:
            continue
        if place.resolve().is_relative_to(folder) or folder.is_relative_to(place.resolve()):
            raise InputError(
                f"{place} is not apart from the workspace",
                remedy="a copy of one must not be a copy of both: --keys DIR",
            )
        if place.exists():
            raise InputError(f"there is {place} already", remedy="choose another place for the keys: --keys DIR")


def _master_file_of(settings: Settings) -> Path | None:
    """Return the file to make for the master key; None: it comes from elsewhere."""
    if settings.keys.master_command or settings.keys.master_env:
        return None
    return master_file(settings.keys, settings.workspace_id)


def _given(settings: Settings) -> tuple[str, str, Path | None]:
    """Return what is to be written down: what the environment says is not, for it may hold secrets."""
    environment = load_settings()
    database = settings.database if settings.database != environment.database else ""
    keys = settings.keys.folder if settings.keys.folder != environment.keys.folder else None
    return settings.workspace_id, database, keys


def _found(
    wanted: Workspace, people: Sequence[Founder], clock: Clock, oversight: str, settings: str, undo: ExitStack
) -> Founded:
    """Make everything; the database's one transaction is the last step, so that nothing can fail after it."""
    folder = wanted.folder
    _make_folder(folder, undo)
    _write_settings(folder / SETTINGS, settings)
    _make_keys(wanted.settings, undo)
    workspace = load_workspace(folder)
    if workspace != wanted:
        raise InputError("the settings that were written read as others", remedy="report this")
    with workspace.open_keys() as keys, first_transaction(workspace.database_url, clock) as tx:
        accounts = _fill(tx, keys, workspace.workspace_id, people, oversight)
    undo.pop_all()
    return Founded(workspace, accounts)


def _fill(
    tx: Tx, keys: KeyStore, workspace_id: str, people: Sequence[Founder], oversight: str
) -> tuple[NewAccount, ...]:
    model_id = default_model_id()
    first_policy(tx, Ceilings(model_id=model_id, calibration=calibration_digest(model_id)))
    tx.add(Meta("workspace_id", workspace_id))
    if oversight:
        tx.add(Meta(OVERSIGHT, oversight))
    accounts = []
    for one in people:
        account = insert_account(tx, keys, "init", one.name, one.person or None)
        for role in one.roles:
            grant_first(tx, keys, account.account_id, role, one.zones if role in ZONED else EVERYWHERE)
        accounts.append(account)
    return tuple(accounts)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(made):
        undo.callback(path.rmdir)
    undo.callback(_empty, folder)
    undo.callback(folder.chmod, stat.S_IMODE(folder.stat().st_mode))
    folder.chmod(_PRIVATE)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _make_keys(settings: Settings, undo: ExitStack) -> None:
    folder, file = keys_folder(settings.keys, settings.workspace_id), _master_file_of(settings)
    for path in (folder, *([file] if file else [])):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file is not None:
        undo.callback(file.unlink, missing_ok=True)
        MasterKey.create_file(file)
    undo.callback(shutil.rmtree, folder, ignore_errors=True)
    KeyStore.create(folder, master_key(settings.keys, settings.workspace_id)).close()


def _write_settings(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def settings_text(workspace_id: str, database: str = "", keys: Path | None = None) -> str:
    """Return a commented `habeas.yaml`: every setting with what it means, all but the given ones commented out."""
    given: dict[tuple[str, ...], str] = {("workspace_id",): workspace_id}
    if database:
        given[("database",)] = database
    if keys is not None:
        given[("keys", "folder")] = str(keys)
    lines = ["# Settings of this installation. Environment variables win: HABEAS_LIVE__STALL_S=5.", ""]
    for name, field in Settings.model_fields.items():
        part = field.annotation
        lines.append(f"# {field.description}")
        if isinstance(part, type) and issubclass(part, BaseModel):
            inner = [key for key in given if key[0] == name]
            lines.append(f"{name}:" if inner else f"# {name}:")
            lines += _part_lines(part, given, name, commented=not inner)
        else:
            value = given.get((name,))
            lines.append(
                f"{name}: {_scalar(value)}" if value is not None else f"# {name}: {_scalar(field.get_default())}"
            )
        lines.append("")
    return "\n".join(lines)


def _part_lines(part: type[BaseModel], given: dict[tuple[str, ...], str], name: str, *, commented: bool) -> list[str]:
    lines = []
    for key, field in part.model_fields.items():
        value = given.get((name, key))
        shown = value if value is not None else field.get_default(call_default_factory=True)
        text = f"  {key}: {_scalar(shown)}"
        lines += [f"{'# ' if commented else ''}  # {field.description}", text if value is not None else f"# {text}"]
    return lines


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    if plain == "":
        return '""'
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
