"""`habeas suspend`: recognition off for an assembly, a vigil, a polling day, a service."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from habeas.cli.binding import Yes
from habeas.cli.client import Client, Json, connected
from habeas.cli.output import note, put, say
from habeas.cli.places import Cameras, From, Until, Why, Zones
from habeas.cli.tables import facts, table
from habeas.cli.times import ns_of, show_moment, show_told, window
from habeas.errors import InputError, UsageError
from habeas.types import NS_PER_S

if TYPE_CHECKING:
    from habeas.cli.assemblies import Assembly

app = typer.Typer(
    help="Recognition off on some cameras for a while: a privacy officer imposes it at once, two lift it early.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
_BACK_NS: Final = (120 * 3600 - 300) * NS_PER_S
"""How far back one may begin, less five minutes for typing."""


@app.command(epilog="Example: `habeas suspend new --zone square --from now --until +6h --why 'Vigil'`")
@connected
def new(client: Client, from_text: From, until: Until, why: Why, zone: Zones = None, camera: Cameras = None) -> None:
    """Suspend recognition, at once or ahead, also up to 120 h back. Alerts captured in the window are destroyed."""
    if not (zone or camera):
        raise UsageError("a suspension says where", remedy="give --zone or --camera")
    ends = window(from_text, until, client.now_ns())
    done = _impose(client, zone or [], camera or [], ends, why)
    client.tell(done, lambda: _say(done))


def _impose(client: Client, zones: list[str], cameras: list[str], ends: tuple[int, int], why: str) -> Json:
    body = {"zones": zones, "cameras": cameras, "from_ns": ends[0], "until_ns": ends[1], "why": why}
    return client.post("suspensions", body=body)


def _say(row: Json) -> None:
    facts(
        [
            ("id", row["suspension"]),
            ("zones", row["zones"]),
            ("cameras", row["cameras"]),
            ("from", show_told(row["from"])),
            ("until", show_told(row["ends"])),
            ("state", row["state"]),
            ("why", row["why"]),
        ]
    )


@app.command(epilog="Example: `habeas suspend lift sus-0123456789abcdef`")
@connected
def lift(
    client: Client, suspension_id: Annotated[str, typer.Argument(help="As `habeas suspend list` shows it.")]
) -> None:
    """Say that a suspension should end early. The second privacy officer who says so ends it in an hour."""
    done = client.post("suspensions", suspension_id, "lift")
    lifted = f"ends at {show_told(done['ends'])}"
    client.tell(
        done,
        lambda: say(lifted if done["lift"] == "lifted" else "noted: one more privacy officer lifts it, in an hour"),
    )


@app.command("list", epilog="Example: `habeas suspend list`")
@connected
def list_suspensions(
    client: Client, ended: Annotated[bool, typer.Option("--ended", help="Those that are over, instead.")] = False
) -> None:
    """List suspensions in force and ahead."""
    rows: list[Json] = [one for one in client.get("suspensions") if (one["state"] == "over") == ended]
    told = [
        (
            one["suspension"],
            _state(one),
            [*one["zones"], *one["cameras"]],
            show_told(one["from"]),
            show_told(one["ends"]),
            one["why"],
        )
        for one in rows
    ]
    names = ("id", "state", "where", "from", "until", "why")
    client.tell_all(
        rows,
        lambda: table(
            names, told, none="no suspensions that are over" if ended else "no suspensions in force or ahead"
        ),
    )


def _state(one: Json) -> str:
    if one["lift"] == "proposed":
        return f"{one['state']}; lift proposed: one more officer lifts it"
    if one["lift"] == "lifted":
        return "lifted early" if one["state"] == "over" else f"{one['state']}, until the lift"
    return str(one["state"])


@app.command("import", epilog="Example: `habeas suspend import assemblies.ics --zone square`")
@connected
def import_calendar(
    client: Client,
    file: Annotated[Path, typer.Argument(help="iCalendar file of known assemblies.")],
    zone: Zones = None,
    camera: Cameras = None,
    yes: Yes = False,
) -> None:
    """Suspend recognition for each event of a calendar in the next 366 days. Lists them first, and asks.

    Without a terminal and without --yes it only lists.
    """
    from habeas.cli.assemblies import assemblies  # noqa: PLC0415 - `habeas --help` loads no calendar package

    if not (zone or camera):
        raise UsageError("a suspension says where", remedy="give --zone or --camera")
    now_ns = client.now_ns()
    wanted = assemblies(_content(file), now_ns)
    there = {_key(one) for one in client.get("suspensions") if one["lift"] != "lifted"}
    clipped = [(max(one.from_ns, now_ns - _BACK_NS), one.until_ns, one) for one in wanted]
    where = tuple(sorted(set(zone or []))), tuple(sorted(set(camera or [])))
    fresh = [(ends, one) for *ends, one in clipped if (*where, one.until_ns, one.title) not in there]
    if not client.as_json:
        _list(wanted, len(wanted) - len(fresh))
    imposing = bool(fresh) and (yes or _agreed(client, len(fresh)))
    for (from_ns, until_ns), one in fresh:
        if imposing:
            done = _impose(client, zone or [], camera or [], (from_ns, until_ns), one.title)
            client.tell({**done, "imposed": True}, lambda row=done: say(f"{row['suspension']}  {row['why']}"))  # type: ignore[misc]
        elif client.as_json:
            put({"from_ns": from_ns, "until_ns": until_ns, "why": one.title, "imposed": False})
    if not imposing and fresh:
        note("nothing is imposed: run again with --yes to impose these", "default")


def _content(file: Path) -> bytes:
    from habeas.cli.assemblies import MAX_BYTES  # noqa: PLC0415 - as above

    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})", remedy="give an iCalendar file") from None


def _key(row: Json) -> tuple[tuple[str, ...], tuple[str, ...], int, str]:
    """Return what tells that an occurrence is imposed already: where, its end, its title."""
    return tuple(row["zones"]), tuple(row["cameras"]), ns_of(row["until"]), row["why"]


def _list(wanted: "list[Assembly]", there: int) -> None:
    rows = [(show_moment(one.from_ns), show_moment(one.until_ns), one.title) for one in wanted]
    table(("from", "until", "event"), rows, none="no event in the next 366 days")
    if there:
        say(f"{there} of them are imposed already")


def _agreed(client: Client, count: int) -> bool:
    """Ask at the terminal; where there is none, nothing is agreed."""
    asking = sys.stdin.isatty() and not client.as_json
    return asking and typer.confirm(f"Impose {count} suspensions?", err=True)
