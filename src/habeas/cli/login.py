"""`habeas login | logout | whoami`: a login is kept in a file of this user, never in the workspace."""

import sys
from typing import Annotated, Final

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.faces import drop_all
from habeas.cli.logins import Kept, check_name
from habeas.cli.output import note, say
from habeas.cli.tables import facts
from habeas.cli.times import ns_of, show_told
from habeas.errors import InputError, UsageError
from habeas.types import DAY_NS

_MAX_SECRET: Final = 4096
_WARNED_NS: Final = 30 * DAY_NS
"""How long before an account's year is over its holder hears of it."""


def read_secret_line(option: str) -> str:
    """Return the first line of standard input, without its end.

    Args:
        option: that asked for it, for the message.

    Raises:
        InputError: it is empty, too long, or not UTF-8.
    """
    line = sys.stdin.buffer.readline(_MAX_SECRET + 1)
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(line) > _MAX_SECRET:
        raise InputError("standard input has no usable first line", remedy=f"with {option}, send it as one line")
    return text


def ask_secret(what: str, *, twice: bool, option: str) -> str:
    """Ask at the terminal, showing nothing of what is typed.

    Args:
        what: is asked for.
        twice: it is being set.
        option: to use where there is no terminal.

    Raises:
        UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the {what}", remedy=f"send it to standard input: {option}")
    asked: str = typer.prompt(what.capitalize(), hide_input=True, confirmation_prompt=twice, err=True)
    return asked


@connected
def login(
    client: Client,
    name: Annotated[str, typer.Argument(help="Of the account.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
    ] = False,
    setup_code: Annotated[
        str, typer.Option("--setup-code", help="Set the password first, once, with the code from an admin.")
    ] = "",
) -> None:
    """Log in to the installation. The login ends after an hour without use, or after twelve."""
    check_name(name)
    option = "--password-stdin"
    password = read_secret_line(option) if password_stdin else ""
    password = password or ask_secret("password", twice=bool(setup_code), option=option)
    body = {"name": name, "password": password, "setup_code": setup_code}
    done = client.without_login("POST", "/login", body)
    client.logins.keep(Kept(name, str(done.pop("secret"))))
    client.tell({**done, "name": name}, lambda: say(f"{name} is logged in until {show_told(done['ends'])}"))
    if ns_of(done["used_until"]) - client.now_ns() < _WARNED_NS:
        note(
            f"the year of this account is over on {show_told(done['used_until'])}: ask an admin for a new one",
            "default",
        )


@connected
def logout(client: Client) -> None:
    """End the login, here and in the node."""
    kept = client.kept
    if kept is None:
        raise UsageError("nobody is logged in here", remedy="habeas login NAME")
    done = client.post("logout")
    client.logins.forget(kept.name)
    drop_all(kept.name)
    client.tell({**done, "name": kept.name}, lambda: say(f"{kept.name} is logged out"))


@connected
def whoami(client: Client) -> None:
    """Say who is logged in, and with which roles."""
    who: Json = client.get("whoami")
    client.tell(who, lambda: _say_who(who))


def _say_who(who: Json) -> None:
    facts(
        [
            ("account", who["name"]),
            ("id in entries", who["account"]),
            ("person", who["person"]),
            ("used until", f"{show_told(who['used_until'])}{' (over)' if who['over'] else ''}"),
            ("roles", [role_text(role) for role in who["roles"]]),
            *([("API token for", who["scopes"])] if who["by_token"] else []),
        ]
    )


def role_text(role: Json) -> str:
    """Return a role with its zones, and from when it counts."""
    where = f" in {'+'.join(role['zones'])}" if role["zones"] else ""
    if role["usable"]:
        return f"{role['role']}{where}"
    since = f"usable from {show_told(role['usable_from'])}" if role["approved"] else "proposed, one more grants it"
    return f"{role['role']}{where} ({since})"
