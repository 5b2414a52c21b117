"""`habeas footage hold` and what follows: footage that outlives its deadline, when two approve it, and is played."""

from pathlib import Path
from typing import Annotated, Final

import typer

from habeas.cli import exports, playbacks
from habeas.cli.binding import Hash, Yes, confirmed_hash
from habeas.cli.client import Client, Json, connected
from habeas.cli.files import file_text
from habeas.cli.following import Follow
from habeas.cli.output import put, say
from habeas.cli.places import Cameras, Why
from habeas.cli.player import Player
from habeas.cli.tables import facts, table
from habeas.cli.times import parse_moment, show_told
from habeas.clock import SystemClock
from habeas.errors import UsageError

app = typer.Typer()
Id = Annotated[str, typer.Argument(help="As `habeas footage holds` shows it.")]
_RELEASED: Final = "what it held is destroyed"


@app.command(
    epilog="Example: `habeas footage hold --asked-by 'Police of Somewhere' --reference 26/117 --why 'a fall on the "
    "stairs' --camera gate --from '2026-05-01 10:00' --until '2026-05-01 10:20' --end +20d`"
)
@connected
def hold(
    client: Client,
    asked_by: Annotated[str, typer.Option("--asked-by", help="Who asks: an authority, a court, one of the public.")],
    reference: Annotated[str, typer.Option("--reference", help="Their reference number.")],
    why: Why,
    ends: Annotated[str, typer.Option("--end", help="When the hold ends, 31 days from now at most: +20d, or a time.")],
    camera: Cameras = None,
    from_text: Annotated[str, typer.Option("--from", help="First instant. Default: as alert or request says.")] = "",
    until: Annotated[str, typer.Option("--until", help="First instant after it; it has passed.")] = "",
    alert: Annotated[str | None, typer.Option("--alert", help="A confirmed alert that it is about.")] = None,
    authorisation: Annotated[
        str | None, typer.Option("--authorisation", help="The only one that may search what is held.")
    ] = None,
    request: Annotated[str | None, typer.Option("--request", help="The request of the public it is for.")] = None,
    decision: Annotated[
        Path | None, typer.Option("--decision", help="The court document that orders more than 93 days in all.")
    ] = None,
) -> None:
    """Propose that footage is held beyond its deadline. Nothing is, before two have approved it."""
    now_ns = client.now_ns()
    body: Json = {
        "asked_by": asked_by,
        "reference": reference,
        "why": why,
        "cameras": camera or [],
        "from_ns": parse_moment(from_text, now_ns) if from_text else None,
        "until_ns": parse_moment(until, now_ns) if until else None,
        "ends_ns": parse_moment(ends, now_ns),
        "decision": file_text(decision) if decision is not None else None,
        "authorisation": authorisation,
        "alert": alert,
        "request": request,
    }
    done = client.post("holds", body=body)

    def text() -> None:
        say(f"proposed: {done['hold']}, of {show_told(done['from'])} to {show_told(done['until'])}")
        say(f"two approvers: habeas footage approve {done['hold']}")

    client.tell(done, text)


@app.command("holds", epilog="Example: `habeas footage holds --all`")
@connected
def list_holds(
    client: Client, everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False
) -> None:
    """List holds, newest first."""
    rows: list[Json] = client.get("holds", everything="true" if everything else "false")
    told = [
        (
            one["hold"],
            one["state"],
            one["cameras"],
            show_told(one["from"]),
            show_told(one["until"]),
            show_told(one["ends"]),
        )
        for one in rows
    ]
    headings = ("id", "state", "cameras", "from", "until", "ends")
    client.tell_all(rows, lambda: table(headings, told, none="no holds"))


@app.command(epilog="Example: `habeas footage show hold-0123456789abcdef`")
@connected
def show(client: Client, hold_id: Id) -> None:
    """Show a hold, or an export, as far as your role may see it."""
    if hold_id.startswith(exports.PREFIX):
        exports.show(client, hold_id)
        return
    told: Json = client.get("holds", hold_id)
    client.tell(told, lambda: _say_hold(told))


def _say_hold(told: Json) -> None:
    pairs: list[tuple[str, object]] = [
        ("id", told["hold"]),
        ("state", told["state"]),
        ("cameras", told["cameras"]),
        ("from", show_told(told["from"])),
        ("until", show_told(told["until"])),
        ("ends", show_told(told["ends"])),
        ("searched by", told["authorisation"]),
        ("request", told["request"]),
        *_how_much(told),
    ]
    if "content_hash" in told:
        pairs += [(name.replace("_", " "), told.get(name)) for name in ("asked_by", "reference", "why")]
        pairs += [
            ("alert", told["alert"]),
            ("decision", told["decision"]),
            ("proposed by", told["requester_name"] or told["requester"]),
            ("approved by", [one["name"] or one["account"] for one in told["approvals"]]),
        ]
    facts(pairs)
    if "content_hash" in told:
        say("")
        say(f"hash of exactly this: {told['content_hash']}")


def _how_much(told: Json) -> list[tuple[str, object]]:
    """Say what is held, or before it is, what there is to be held."""
    if told.get("counted_s") is not None:
        counted = f"{told['counted_s'] / 60:.1f} min of all cameras at most, beside what is being written"
        return [("recorded", f"{counted}, or kept by others")]
    held = f"{told['held_s'] / 60:.1f} min in {told['segments']} segments, {told['damaged']} damaged"
    return [("held", held), ("missing", f"{told['missing_s'] / 60:.1f} min")]


def _shown_hash(client: Client, hold_id: str, content_hash: str, *, yes: bool) -> str:
    """Show a hold, and return the hash that an approval binds."""
    told: Json = client.get("holds", hold_id)
    if not client.as_json:
        _say_hold(told)
    if "content_hash" not in told:
        raise UsageError("this is not yours to see", remedy="an approver approves it")
    return confirmed_hash(str(told["content_hash"]), content_hash, yes=yes)


@app.command(epilog="Example: `habeas footage approve hold-0123456789abcdef --hash 1f2e3d4c5b6a`")
@connected
def approve(client: Client, hold_id: Id, content_hash: Hash = "", yes: Yes = False) -> None:
    """Show exactly what is to be held, ask, and approve that; with the second approver it is copied at once."""
    if hold_id.startswith(exports.PREFIX):
        exports.approve(client, hold_id, content_hash, yes=yes)
        return
    bound = _shown_hash(client, hold_id, content_hash, yes=yes)
    done = client.post("holds", hold_id, "approve", body={"content_hash": bound})
    waits = done["state"] == "proposed"
    client.tell(done, lambda: say(f"{hold_id}: approved; {'it takes another approver' if waits else 'it is copied'}"))


@app.command(epilog="Example: `habeas footage refuse hold-0123456789abcdef`")
@connected
def refuse(client: Client, hold_id: Id) -> None:
    """Refuse a proposal, of a hold or an export; one approver is enough."""
    if hold_id.startswith(exports.PREFIX):
        exports.refuse(client, hold_id)
        return
    done = client.post("holds", hold_id, "refuse")
    client.tell(done, lambda: say(f"{hold_id} is refused"))


@app.command(epilog="Example: `habeas footage release hold-0123456789abcdef --hash 1f2e3d4c5b6a`")
@connected
def release(client: Client, hold_id: Id, content_hash: Hash = "", yes: Yes = False) -> None:
    """Say that a hold should end early: with the second approver who says so, what it holds is destroyed."""
    bound = _shown_hash(client, hold_id, content_hash, yes=yes)
    done = client.post("holds", hold_id, "release", body={"content_hash": bound})
    over = done["state"] == "released"
    client.tell(done, lambda: say(f"{hold_id}: {_RELEASED if over else 'it takes another approver'}"))


@app.command(
    epilog="Example: `habeas footage play hold-0123456789abcdef --camera gate`, "
    "`habeas footage play --alert alert-0123456789abcdef`"
)
@connected
def play(
    client: Client,
    hold_id: Annotated[
        str, typer.Argument(help="As `habeas footage holds` or `habeas footage exports` shows it.")
    ] = "",
    camera: Cameras = None,
    alert: Annotated[str, typer.Option("--alert", help="15 s before to 15 s after an alert that is undecided.")] = "",
    browser: Annotated[bool, typer.Option(help="Open a browser; else only the address is printed.")] = True,
    wait: Follow = None,
) -> None:
    """Play what is held in a browser of this machine, until Ctrl-C or ten idle minutes. Each segment is an entry.

    Of an alert the head of whoever it is of is shown, where that track was seen; everything else is a coarse mosaic.
    Nothing is written to the disk. H.265 plays in browsers that have a decoder for it.
    """
    if bool(hold_id) is bool(alert):
        raise UsageError("one thing is played", remedy="give a hold, an export, or --alert ALERT")
    if alert:
        if camera:
            raise UsageError("an alert is of one camera", remedy="leave --camera out")
        playbacks.play(client, alert, browser=browser, wait=wait)
        return
    if hold_id.startswith(exports.PREFIX):
        exports.play(client, hold_id, browser=browser)
        return
    found: list[Json] = client.get("holds", hold_id, "segments")
    segments = [one for one in found if not camera or one["camera"] in camera]
    if not segments:
        raise UsageError("nothing is held of this camera", remedy="see `habeas footage show`")

    def fetch(number: int) -> bytes:
        one = segments[number]
        return client.content("holds", hold_id, "segments", one["camera"], one["segment"])

    with Player(segments, fetch, SystemClock()) as player:
        told = {"address": player.address, "hold": hold_id, "segments": len(segments)}
        if client.as_json:
            put(told)
        else:
            say(f"{len(segments)} segments at {player.address}, on this machine only; Ctrl-C ends it")
        player.play(browser=browser)
