"""Waiting for work that the node does, with a bar that shows how far it is. Ctrl-C ends the waiting, not the work."""

import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from habeas.cli.client import Client, Json
from habeas.cli.output import bar, note

Follow = Annotated[
    bool | None, typer.Option("--follow/--no-follow", help="Wait until it is over. Default: unless --json.")
]
_LOOK_S: Final = 1.0


def follow(
    client: Client,
    told: Json,
    *path: str,
    while_state: str,
    what: str,
    asked: bool | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Json:
    """Wait until work is over, and return what the node tells of it last.

    Args:
        client: asks the node.
        told: what the node told of it when it began: `state`, and `of_s` where it is known how much there is.
        path: where the node tells of it: `state` and `done_s`, seconds of footage.
        while_state: its state while it goes on.
        what: is being done, in seconds of footage.
        asked: for; None: a person waits, a program does not.
        sleep: waits, seconds.

    Raises:
        HabeasError: as for `Client.get`.
    """
    if told["state"] != while_state or not (asked or (asked is None and not client.as_json)):
        return told
    of_s = told.get("of_s")
    total = None if of_s is None else round(of_s)
    try:
        with bar(what, total) as progress:
            while told["state"] == while_state:
                sleep(_LOOK_S)
                told = client.get(*path)
                done = told["done_s"] if total is None else min(told["done_s"], total)
                progress.update(progress.task_ids[0], completed=done)
    except KeyboardInterrupt:
        note("it goes on without this command")
    return told
