"""`habeas footage request`: somebody outside asks that footage be preserved."""

from typing import Annotated

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.output import say
from habeas.cli.places import Cameras, From, Until, Why
from habeas.cli.tables import table
from habeas.cli.times import show_told, window
from habeas.errors import UsageError

app = typer.Typer(
    help="Requests of the public: they preserve nothing, but for a day once the contact is verified.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Id = Annotated[str, typer.Argument(help="As `habeas footage request list` shows it.")]


@app.command(
    epilog="Example: `habeas footage request new --contact 'Ada Doe, ada@example.org' --why 'a fall on the stairs' "
    "--camera gate --from '2026-05-01 10:00' --until '2026-05-01 10:20'`"
)
@connected
def new(
    client: Client,
    contact: Annotated[str, typer.Option("--contact", help="Who asks, and how they are reached.")],
    why: Why,
    from_text: From,
    until: Until,
    camera: Cameras = None,
) -> None:
    """Write down what somebody asks for. Nothing is preserved; the contact goes when the request is over."""
    if not camera:
        raise UsageError("a request says which camera", remedy="give --camera")
    ends = window(from_text, until, client.now_ns())
    body = {"contact": contact, "why": why, "cameras": camera, "from_ns": ends[0], "until_ns": ends[1]}
    done = client.post("requests", body=body)

    def text() -> None:
        say(f"{done['request']}: its footage goes by {show_told(done['due'])}")
        say(f"once the contact is verified: habeas footage request verify {done['request']}")

    client.tell(done, text)


@app.command(epilog="Example: `habeas footage request verify req-0123456789abcdef`")
@connected
def verify(client: Client, request_id: Id) -> None:
    """Say that whoever asks can be reached. The footage can be held for a day after its deadline; nobody sees it."""
    done = client.post("requests", request_id, "verify")

    def text() -> None:
        say(f"{done['request']}: {done['segments']} segments can be held until {show_told(done['due'])} at the latest")
        if done["given_before"]:
            say(f"{done['given_before']} had their day for an earlier request, and go on time")
        say(f"propose a hold before that: habeas footage hold --request {done['request']}")

    client.tell(done, text)


@app.command(epilog="Example: `habeas footage request refuse req-0123456789abcdef`")
@connected
def refuse(client: Client, request_id: Id) -> None:
    """Refuse a request that is not verified. The contact is destroyed."""
    done = client.post("requests", request_id, "refuse")
    client.tell(done, lambda: say(f"{done['request']} is refused"))


@app.command("list", epilog="Example: `habeas footage request list`")
@connected
def list_requests(client: Client) -> None:
    """List requests, newest first."""
    rows: list[Json] = client.get("requests")
    told = [
        (
            one["request"],
            one["state"],
            one["cameras"],
            show_told(one["from"]),
            show_told(one["until"]),
            show_told(one["due"]),
            one.get("contact"),
        )
        for one in rows
    ]
    headings = ("id", "state", "cameras", "from", "until", "over at", "contact")
    client.tell_all(rows, lambda: table(headings, told, none="no requests"))
