"""`habeas init`: found an installation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from habeas.cli.options import AsJson, Debug
from habeas.cli.output import note, put, reporting, say
from habeas.errors import HabeasError, UsageError

if TYPE_CHECKING:
    from habeas.node.founding import Founded, Founder


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new workspace.")],
    people: Annotated[
        Path | None, typer.Option("--people", help="The first people, as YAML: a list of name, roles, zones.")
    ] = None,
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Ask nothing.")] = False,
    database: Annotated[
        str, typer.Option("--database", help="postgresql+psycopg://USER@HOST/NAME instead of a file.")
    ] = "",
    oversight: Annotated[
        str, typer.Option("--oversight", help="Public key (age1...) of the outside body that alerts are sealed to.")
    ] = "",
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Where the key store goes. Default: the user's data folder.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make an installation: settings, database, key store, and the first people with their roles.

    Prints a code for each person, with which they set a password once: hand it over in person.

        habeas init city --people people.yaml
    """
    with reporting(as_json=as_json, debug=debug):
        from habeas.clock import SystemClock  # noqa: PLC0415 - loads the database
        from habeas.node.founding import found, read_people  # noqa: PLC0415

        if people is None and non_interactive:
            raise UsageError("nobody is named", remedy="give --people FILE.yaml")
        founders = read_people(people) if people is not None else _asked()
        made = found(folder, founders, SystemClock(), database=database, oversight=oversight, keys=keys)
        _tell(made, founders, as_json=as_json)


def _asked() -> "list[Founder]":
    """Ask for people at the terminal until an installation can run.

    Raises:
        UsageError: there is no terminal.
    """
    from habeas.node.founding import missing_people  # noqa: PLC0415 - as above

    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at", remedy="name people in a file: --people FILE.yaml")
    people: list[Founder] = []
    while lacking := missing_people(people):
        note(f"still missing: {'; '.join(lacking)}", "default")
        try:
            people.append(_one_asked({one.name for one in people}))
        except HabeasError as error:
            note(f"{error.message}: {error.remedy}", "default")
    return people


def _one_asked(taken: set[str]) -> "Founder":
    from habeas.accounts.roles import check_combination  # noqa: PLC0415 - as above
    from habeas.node.founding import Founder, role_named  # noqa: PLC0415 - as above

    name = typer.prompt("name to log in with", err=True).strip()
    if name in taken:
        raise UsageError(f"{name} is named already", remedy="one name for each")
    told = typer.prompt(f"roles of {name} (operator, requester, approver, privacy, auditor, admin)", err=True)
    roles = tuple(role_named(role) for role in told.replace(",", " ").split())
    check_combination(roles)
    return Founder(name, roles)


def _tell(made: "Founded", founders: "list[Founder]", *, as_json: bool) -> None:
    from habeas.node.founding import advisable_people  # noqa: PLC0415 - as above
    from habeas.node.workspace import log_origin  # noqa: PLC0415 - as above

    workspace = made.workspace
    advice = advisable_people(founders)
    if as_json:
        accounts: list[dict[str, Any]] = [
            {"account": one.account_id, "name": one.name, "setup_code": one.setup_code} for one in made.accounts
        ]
        put(
            {"workspace": workspace.workspace_id, "folder": str(workspace.folder), "people": accounts, "advice": advice}
        )
        return
    say(f"{workspace.folder}: installation {workspace.workspace_id}; keys in {workspace.keys_folder}")
    say("Codes for the first login, once, within 72 hours:")
    for one in made.accounts:
        say(f"  {one.name:<20} {one.setup_code}")
    for why in advice:
        note(f"advisable: {why}", "default")
    note(
        f"before the first start: the log's name is fixed from then on (log.origin in {workspace.folder}/habeas.yaml); "
        f"now it is {log_origin(workspace.settings.log, workspace.workspace_id)}",
        "default",
    )
    say(f"Next: habeas serve -w {workspace.folder}   then each: habeas login NAME --setup-code CODE")
