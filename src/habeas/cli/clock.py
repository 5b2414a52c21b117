"""`habeas clock`: the time the installation goes by, and two people's word after the clock jumped."""

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.output import say
from habeas.cli.tables import facts
from habeas.cli.times import show_told

app = typer.Typer(
    help="The installation's time. While the clock is in doubt nothing is compared or shown.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command(epilog="Example: `habeas clock show`")
@connected
def show(client: Client) -> None:
    """Say what time the installation goes by, and whether the machine's clock jumped."""
    told: Json = client.get("clock")
    doubt = "the clock jumped: set it right, then two approvers run `habeas clock confirm`"
    pairs = [
        ("time here", show_told(told["now"])),
        ("machine ahead by", f"{told['off_by_s']:.3f} s"),
        ("trusted", doubt if told["jumped"] else True),
    ]
    client.tell(told, lambda: facts(pairs))


@app.command(epilog="Example: `habeas clock confirm`")
@connected
def confirm(client: Client) -> None:
    """Say that the machine's clock is right. The second approver who says so makes it count."""
    done = client.post("clock", "confirm")
    text = "the clock is trusted again" if done["confirmed"] else "noted: one more approver confirms it"
    client.tell(done, lambda: say(text))
