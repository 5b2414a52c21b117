"""`habeas user`: accounts, roles that two people grant, API tokens."""

from typing import Annotated, Final

import typer

from habeas.cli.binding import Yes, agree
from habeas.cli.client import Client, Json, connected
from habeas.cli.login import role_text
from habeas.cli.output import note, say
from habeas.cli.tables import table
from habeas.cli.times import show_told
from habeas.errors import UsageError

ROLES: Final = """Roles:

- operator: looks at alerts and gives verdicts, in own zones; makes receipts.
- requester: drafts authorisations, submits and ends own ones.
- approver: approves or refuses what others ask for.
- privacy: suspends recognition; two lift it. Combines with no other role.
- auditor: reads the log of all zones, the register, statistics. Not with operator.
- admin: runs cameras and accounts, sees no face, approves nothing. Combines with no other role.
"""
app = typer.Typer(
    help=f"Accounts: an admin makes them, two holders of roles grant roles.\n\n{ROLES}",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Name = Annotated[str, typer.Argument(help="Of the account.")]
RoleName = Annotated[
    str, typer.Argument(help="operator, requester, approver, privacy, auditor or admin: see `habeas user --help`.")
]


@app.command(epilog="Example: `habeas user add ines`")
@connected
def add(
    client: Client,
    name: Name,
    person: Annotated[
        str | None, typer.Option("--person", help="Who it is, if they have another account. Default: the name.")
    ] = None,
) -> None:
    """Make an account without roles, and print the code with which its holder sets a password, once."""
    _say_code(client, client.post("users", body={"name": name, "person": person}))


@app.command(epilog="Example: `habeas user reset ines --yes`")
@connected
def reset(client: Client, name: Name, yes: Yes = False) -> None:
    """Give a new code to somebody who forgot the password. Asks first: their roles, logins and tokens end.

    Two holders of roles who are not admins grant each role anew; it is usable a day later.
    """
    found = [user for user in client.get("users") if user["name"] == name]
    held = [role_text(role) for user in found for role in user["roles"]]
    note(f"{name}: logins and tokens end, and {_lapsing(held, 'these roles lapse')}", "default")
    if not yes:
        agree(f"Reset {name}?")
    done = client.post("users", name, "reset")
    _say_code(client, done, f"{_lapsing(done['roles_lapsed'], 'these roles have lapsed')}")


def _lapsing(roles: list[str], what: str) -> str:
    again = "two people grant each anew, usable 24 h later"
    return f"{what}: {', '.join(roles)}; {again}" if roles else "there is no role that lapses"


def _say_code(client: Client, made: Json, also: str = "") -> None:
    def text() -> None:
        say(f"{made['name']} sets a password within 72 h: habeas login {made['name']} --setup-code CODE")
        say(f"code, shown once: {made['setup_code']}")
        if also:
            say(also)

    client.tell(made, text)


@app.command("list", epilog="Example: `habeas user list --json`")
@connected
def list_users(client: Client) -> None:
    """List accounts and their roles."""
    users: list[Json] = client.get("users")
    rows = [
        (user["name"] or "-", user["account"], [role_text(role) for role in user["roles"]], _state(user))
        for user in users
    ]
    client.tell_all(users, lambda: table(("name", "id in entries", "roles", "state"), rows, none="no accounts"))


def _state(user: Json) -> str:
    if user["disabled"]:
        return "closed" if user["name"] is not None else "forgotten"
    if user["over"]:
        return "its year is over"
    return "open" if user["password_set"] else "waits for its password"


@app.command(epilog="Example: `habeas user grant ines operator --zone centre`")
@connected
def grant(
    client: Client,
    name: Name,
    role: RoleName,
    zone: Annotated[
        list[str] | None, typer.Option("--zone", help="Only there, of an operator; repeat it. Default: everywhere.")
    ] = None,
) -> None:
    """Propose a role, or grant what somebody else proposed. It is usable 24 h after the second yes."""
    done = client.post("users", name, "roles", body={"role": role, "zones": zone or []})
    client.tell({**done, "name": name}, lambda: say(f"{name}: {role_text(done)}"))


@app.command(epilog="Example: `habeas user revoke ines operator`")
@connected
def revoke(client: Client, name: Name, role: RoleName) -> None:
    """Take a role away, at once."""
    done = client.post("users", name, "roles", role, "revoke")
    client.tell({**done, "name": name}, lambda: say(f"{name} is no {role} any more"))


@app.command(epilog="Example: `habeas user disable ines`")
@connected
def disable(client: Client, name: Name) -> None:
    """Close an account at once: its logins, tokens and roles end."""
    done = client.post("users", name, "disable")
    client.tell(done, lambda: say(f"{name} is closed"))


@app.command(epilog="Example: `habeas user token ines --scope read --days 30`")
@connected
def token(
    client: Client,
    name: Annotated[str, typer.Argument(help="Of your own account: a token acts for whoever made it.")],
    scope: Annotated[list[str], typer.Option("--scope", help="read, draft or cameras; repeat it.")],
    days: Annotated[int, typer.Option("--days", help="Until it ends; at most 365.")],
) -> None:
    """Make an API token of your own, shown once. It cannot approve, lift, or give verdicts."""
    who: Json = client.get("whoami")
    if who["name"] != name:
        raise UsageError(f"you are {who['name']}, not {name}", remedy="a token is made by who it acts for")
    made = client.post("tokens", body={"scopes": scope, "days": days})

    def text() -> None:
        note(f"token {made['token']} ends {show_told(made['ends'])}; shown once, keep it in a file with mode 600")
        say(made["secret"])

    client.tell(made, text)
