"""`habeas clock`: the time the installation goes by, and two people's word after a jump or a restore."""

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.output import say
from habeas.cli.tables import facts
from habeas.cli.times import show_told

app = typer.Typer(
    help="The installation's time. While the clock is in doubt, or after a restore, nothing is compared or shown.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command(epilog="Example: `habeas clock show`")
@connected
def show(client: Client) -> None:
    """Say what time the installation goes by, and whether the machine's clock jumped or the database was restored."""
    told: Json = client.get("clock")
    pairs = [
        ("time here", show_told(told["now"])),
        ("machine ahead by", f"{told['off_by_s']:.3f} s"),
        ("trusted", doubt(told) or True),
    ]
    client.tell(told, lambda: facts(pairs))


def doubt(clock: Json) -> str:
    """Say why nothing is compared, and what to do; empty: the time is trusted."""
    if clock["restored"]:
        return "restored: nothing is compared; two approvers confirm with `habeas clock confirm`"
    if clock["jumped"]:
        return "jumped: nothing is compared; set it right, then two approvers run `habeas clock confirm`"
    return ""


@app.command(epilog="Example: `habeas clock confirm`")
@connected
def confirm(client: Client) -> None:
    """Say that the machine's clock is right, or that the restore is. The second approver who says so makes it count."""
    done = client.post("clock", "confirm")
    text = "confirmed: comparing goes on" if done["confirmed"] else "noted: one more approver confirms it"
    client.tell(done, lambda: say(text))
