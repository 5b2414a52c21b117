"""`habeas receipt`: what whoever was stopped after an alert can do with the code in hand. No account is needed."""

from pathlib import Path
from typing import Annotated

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.files import save_private
from habeas.cli.output import say
from habeas.cli.tables import facts
from habeas.cli.times import show_told

app = typer.Typer(
    help="With the code of a receipt: see how the alert stands, freeze it, dispute it, take its record to oversight.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Code = Annotated[str, typer.Argument(help="As the receipt says.")]
_EXAMPLE = "23456-789AB-CDEFG-HJKLM"


def _say(told: Json) -> None:
    facts(
        [
            ("alert", told["alert_id"]),
            ("outcome", told["outcome"]),
            ("decided", _moment(told["decided_at"], "not yet")),
            ("frozen", _moment(told["frozen_at"], "no")),
            ("sealed to oversight until", _moment(told["sealed_until"], "nothing is sealed")),
            ("disputed", _moment(told["disputed_at"], "no")),
            ("recipients corrected", _moment(told["corrected_at"], "no")),
        ]
    )


def _moment(told: str | None, none: str) -> str:
    return none if told is None else show_told(told)


@app.command(epilog=f"Example: `habeas receipt show {_EXAMPLE}`")
@connected
def show(client: Client, code: Code) -> None:
    """Say how the alert stands; no picture, no name."""
    told = client.without_login("POST", "/receipts/show", {"code": code})
    client.tell(told, lambda: _say(told))


@app.command(epilog=f"Example: `habeas receipt freeze {_EXAMPLE}`")
@connected
def freeze(client: Client, code: Code) -> None:
    """Keep what is sealed of the alert to oversight for six months from now, once. No other deadline moves."""
    told = client.without_login("POST", "/receipts/freeze", {"code": code})
    client.tell(told, lambda: _say(told))


@app.command(epilog=f"Example: `habeas receipt dispute {_EXAMPLE} --why 'It was not me.'`")
@connected
def dispute(
    client: Client,
    code: Code,
    why: Annotated[str, typer.Option("--why", help="In your words; approvers and privacy officers read it.")],
) -> None:
    """Say that the alert was wrong: it is frozen, and everybody who was told of it must be told so."""
    told = client.without_login("POST", "/receipts/dispute", {"code": code, "why": why})
    client.tell(told, lambda: _say(told))


@app.command(epilog=f"Example: `habeas receipt record {_EXAMPLE} --save mine`")
@connected
def record(
    client: Client,
    code: Code,
    save: Annotated[Path, typer.Option("--save", help="Folder to write it into.")],
) -> None:
    """Take the sealed record of a frozen alert: only oversight can open it. Bring it to them."""
    sealed = client.content_without_login("/receipts/record", {"code": code})
    path = save_private(save, "sealed-alert", sealed)
    client.tell({"record": str(path), "bytes": len(sealed)}, lambda: say(f"{path}: for oversight, who alone opens it"))
