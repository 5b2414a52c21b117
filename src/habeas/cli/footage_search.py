"""`habeas footage search`: the one search of footage that an authorisation permits, followed to its end."""

from typing import Annotated, Final

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.following import Follow, follow
from habeas.cli.output import say
from habeas.errors import InputError

_RUNNING: Final = "running"


@connected
def search(
    client: Client,
    authorisation_id: Annotated[str, typer.Argument(help="Of an authorisation of --kind retrospective.")],
    wait: Follow = None,
) -> None:
    """Search the footage that an authorisation names, once; what is found are alerts, in `habeas review list`.

    The node does it: Ctrl-C leaves it running, and the same command shows again how far it is, and what it came to.
    """
    told = _began(client, authorisation_id)
    path = ("authorisations", authorisation_id, "search")
    told = follow(client, told, *path, while_state=_RUNNING, what="searching footage, seconds", asked=wait)
    client.tell(told, lambda: _say(told))


def _began(client: Client, authorisation_id: str) -> Json:
    """Begin it, unless that was done before."""
    try:
        told: Json = client.get("authorisations", authorisation_id, "search")
    except InputError:
        told = client.post("authorisations", authorisation_id, "search")
    return told


def _say(told: Json) -> None:
    say(f"{told['authorisation']}: {_STATES[told['state']]}")
    say(f"  searched        {_minutes(told['watched_s'])}: {told['tracks']} tracks, kept only where there is an alert")
    if told["suspended_s"]:
        say(f"  not searched    {_minutes(told['suspended_s'])}: suspended when it was captured")
    if told["missing_s"]:
        say(f"  no footage      {_minutes(told['missing_s'])}")
    if told["damaged"]:
        say(f"  damaged         {told['damaged']} segments")
    say(f"  alerts          {told['alerts']}: see `habeas review list`")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


_STATES: Final = {_RUNNING: "runs", "done": "done", "ended": "ended before it was done, with its authorisation"}
