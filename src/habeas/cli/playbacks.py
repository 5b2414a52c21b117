"""The footage around an alert, as `habeas footage play --alert` shows it: one head, and all else a mosaic."""

from typing import Final

from habeas.cli.client import Client, Json
from habeas.cli.following import follow
from habeas.cli.output import put, say
from habeas.cli.player import Player
from habeas.cli.times import show_told
from habeas.clock import SystemClock, ns_of_utc
from habeas.errors import InputError

_MAKING: Final = "making"
_FAILED: Final = "failed"


def play(client: Client, alert_id: str, *, browser: bool, wait: bool | None) -> None:
    """Have the film of an alert made, wait for it, and play it in a browser of this machine."""
    path = ("alerts", alert_id, "playback")
    told = client.post(*path)
    if told["state"] == _MAKING and not client.as_json and ns_of_utc(told["recorded_at"]) > client.now_ns():
        say(f"it is made once all of it is recorded: {show_told(told['recorded_at'])}")
    told = follow(client, told, *path, while_state=_MAKING, what="making, seconds of footage", asked=wait)
    if told["state"] == _FAILED:
        remedy = f"judge it by its pictures: habeas review show {alert_id}"
        raise InputError(f"nothing of this alert can be played: {told['failure']}", remedy=remedy)
    if not told["films"]:
        again = f"habeas footage play --alert {alert_id}"
        how = "it is being made still" if told["state"] == _MAKING else "it was made, and ended meanwhile"
        client.tell(told, lambda: say(f"{how}; ask again: {again}"))
        return
    _play(client, told, path, browser=browser)


def _play(client: Client, told: Json, path: tuple[str, ...], *, browser: bool) -> None:
    films = [{**one, "skip_s": 0} for one in told["films"]]

    def fetch(number: int) -> bytes:
        return client.content(*path, str(number))

    with Player(films, fetch, SystemClock()) as player:
        if client.as_json:
            put({"address": player.address, **told})
        else:
            _say(told)
            say(f"{len(films)} films at {player.address}, on this machine only; Ctrl-C ends it")
        player.play(browser=browser)


def _say(told: Json) -> None:
    """Say what of it can be seen."""
    if told["found"]:
        say(f"the head of whoever the alert is of can be seen for {told['shown_s']:.0f} s; all else is a mosaic")
    else:
        say("the alert's face was not found again, or was too near another: all of it is a mosaic")
    if told["damaged"]:
        say(f"{told['damaged']} segments of the footage could not be read, and are left out")
