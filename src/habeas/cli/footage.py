"""`habeas footage`: what is recorded, and until when it is kept."""

from typing import Annotated

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.footage_search import search
from habeas.cli.output import say
from habeas.cli.parsing import Commands
from habeas.cli.tables import table
from habeas.cli.times import show_told

app = typer.Typer(
    help="Recorded footage: encrypted as it is written, gone at its deadline.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    cls=Commands,
)
_MB = 1e6

app.command(epilog="Example: `habeas footage search aut-0123456789abcdef`")(search)


@app.command("list", epilog="Example: `habeas footage list --camera gate`")
@connected
def list_footage(
    client: Client,
    camera: Annotated[str | None, typer.Option("--camera", help="Of this camera only.")] = None,
) -> None:
    """List the camera-hours of which there is footage, and until when each is kept."""
    told: Json = client.get("footage")
    hours = [one for one in told["hours"] if camera in (None, one["camera"])]
    client.tell(told | {"hours": hours}, lambda: _say(told, hours))


def _say(told: Json, hours: list[Json]) -> None:
    if told["stopped"]:
        say(f"nothing is recorded now: {told['stopped']}")
    for name, state in told["recording"].items():
        dropped = told["dropped"].get(name, 0)
        slow = f"; {dropped} pictures came faster than they were encoded, and are missing" if dropped else ""
        say(f"{name}: recording is {state}{slow}")
    rows = [
        (
            one["camera"],
            show_told(one["hour"]),
            f"{one['seconds'] / 60:.1f} min",
            f"{one['bytes'] / _MB:.1f} MB",
            show_told(one["deadline"]),
        )
        for one in hours
    ]
    table(("camera", "hour", "footage", "size", "gone at"), rows, none="no footage: give a camera --record ADDRESS")
