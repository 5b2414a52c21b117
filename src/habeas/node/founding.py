"""Founding an installation: folder, settings, database, keys, policy, first people. All of it, or nothing."""

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from habeas.accounts.grants import grant_first
from habeas.accounts.people import NewAccount, insert_account
from habeas.accounts.roles import Role, check_combination
from habeas.authority.policy import Ceilings, first_policy
from habeas.comparison.calibration import calibration_digest
from habeas.errors import InputError, UsageError
from habeas.keys import KeyStore, MasterKey
from habeas.models.pack import default_model_id
from habeas.node.workspace import SETTINGS, Workspace, keys_folder, load_workspace, master_file, master_key
from habeas.ports import Clock
from habeas.review.images import OVERSIGHT
from habeas.settings import KeySettings, Settings
from habeas.store import open_store
from habeas.store.database import database_url
from habeas.store.records import Meta
from habeas.store.upgrade import upgrade

_PRIVATE: Final = 0o711
_SECRET: Final = 0o600
_TWO: Final = 2
_AGE: Final = "age1"


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
        given = yaml.safe_load(file.read_text())
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
    return (founder.person or founder.name).strip().casefold()


def check_people(people: Sequence[Founder]) -> None:
    """Check that these people can run an installation.

    Raises:
        InputError: somebody is missing, or two have one name.
        RuleError: roles that do not combine.
    """
    for person in {_person(one) for one in people}:
        check_combination([role for one in people if _person(one) == person for role in one.roles])
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
        InputError: people are missing, or the folder has something in it.
        RuleError: roles that do not combine.
        DiskError: it cannot be written.
    """
    check_people(people)
    if oversight and not oversight.startswith(_AGE):
        raise InputError("the oversight key is an age recipient: age1...", remedy="ask that body for its public key")
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} has something in it", remedy="choose a new folder")
    with ExitStack() as undo:
        return _found(folder, people, clock, database, oversight, keys, undo)


def _found(
    folder: Path,
    people: Sequence[Founder],
    clock: Clock,
    database: str,
    oversight: str,
    keys: Path | None,
    undo: ExitStack,
) -> Founded:
    workspace_id = f"w-{secrets.token_hex(6)}"
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_PRIVATE)
    undo.callback(_remove, folder, keep=existed)
    settings = KeySettings(folder=keys)
    undo.callback(shutil.rmtree, keys_folder(settings, workspace_id), ignore_errors=True)
    undo.callback(lambda: master_file(settings, workspace_id).unlink(missing_ok=True))
    _write_settings(folder / SETTINGS, settings_text(workspace_id, database, keys))
    _make_keys(settings, workspace_id)
    url = database_url(database, folder)
    upgrade(url, folder, clock)
    accounts = []
    with open_store(url, clock) as store, store.write() as tx:
        if tx.find(Meta, name="workspace_id"):
            raise InputError("this database belongs to an installation", remedy="name an empty one")
        model_id = default_model_id()
        first_policy(tx, Ceilings(model_id=model_id, calibration=calibration_digest(model_id)))
        tx.add(Meta("workspace_id", workspace_id))
        if oversight:
            tx.add(Meta(OVERSIGHT, oversight))
        for one in people:
            account = insert_account(tx, "init", one.name, one.person or None)
            for role in one.roles:
                grant_first(tx, account.account_id, role, one.zones)
            accounts.append(account)
    workspace = load_workspace(folder)
    undo.pop_all()
    return Founded(workspace, tuple(accounts))


def _remove(folder: Path, *, keep: bool) -> None:
    for path in folder.iterdir():
        path.unlink()
    if not keep:
        folder.rmdir()


def _make_keys(settings: KeySettings, workspace_id: str) -> None:
    folder = keys_folder(settings, workspace_id)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    MasterKey.create_file(master_file(settings, workspace_id))
    KeyStore.create(folder, master_key(settings, workspace_id)).close()


def _write_settings(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w") as out:
        out.write(text)


def settings_text(workspace_id: str, database: str = "", keys: Path | None = None) -> str:
    """Return a commented `habeas.yaml`: every setting with what it means, all but the given ones commented out."""
    given: dict[tuple[str, ...], str] = {("workspace_id",): workspace_id}
    if database:
        given[("database",)] = database
    if keys is not None:
        given[("keys", "folder")] = str(keys.resolve())
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
        shown = value if value is not None else None if field.default_factory else field.get_default()
        text = f"  {key}: {_scalar(shown)}"
        lines += [f"{'# ' if commented else ''}  # {field.description}", text if value is not None else f"# {text}"]
    return lines


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
