"""`habeas canary`: whether recognition answers where it may, and two people's word where it answered elsewhere."""

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.output import say
from habeas.cli.status import canary_text
from habeas.cli.tables import table

app = typer.Typer(
    help="The canary, a drawn face in the pictures of each analysed camera: recognised there, and nowhere else.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("list", epilog="Example: `habeas canary list`")
@connected
def list_canaries(client: Client) -> None:
    """Say when each camera last recognised its canary, and whether recognition answered where it must not."""
    told: Json = client.get("canaries")
    rows = [(name, canary_text(one)) for name, one in sorted(told["cameras"].items())]
    client.tell(told, lambda: table(("camera", "canary"), rows, none="no canary yet: no camera was analysed"))


@app.command(epilog="Example: `habeas canary clear`")
@connected
def clear(client: Client) -> None:
    """Say that recognition may compare again, having looked why it answered. The second approver makes it count."""
    done = client.post("canaries", "clear")
    text = "cleared: comparing goes on" if done["cleared"] else "noted: one more approver clears it"
    client.tell(done, lambda: say(text))
