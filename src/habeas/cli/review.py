"""`habeas review`: alerts that wait for a verdict, and those of the past."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.faces import drop, keep_for_now, side_by_side
from habeas.cli.files import save_private, say_copies
from habeas.cli.output import say
from habeas.cli.tables import facts, table
from habeas.cli.times import parse_moment, show_told

app = typer.Typer(
    help="Alerts and verdicts: two people judge each, neither sees what the other said.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
AlertId = Annotated[str, typer.Argument(help="As `habeas review list` shows it.")]
_EVIDENCE = "evidence"
"""The zone of alerts from evidence, in which no camera is."""
_COLUMNS = ("id", "state", "camera", "captured", "seen", "similarity", "false a day")


@app.command("list", epilog="Example: `habeas review list --limit 10`")
@connected
def list_alerts(
    client: Client,
    limit: Annotated[int, typer.Option("--limit", help="How many at most, up to 500.")] = 50,
    skip: Annotated[int, typer.Option("--skip", help="Leave out so many of the first.")] = 0,
) -> None:
    """List the alerts that wait for your verdict: the urgent first, of the same urgency the newest."""
    alerts, more = client.page("review", limit=limit, offset=skip)

    def text() -> None:
        table(_COLUMNS, _rows(alerts), none="no alert waits for you")
        if more:
            say(f"and {more} more: --limit, --skip")

    client.tell_all(alerts, text)


def _rows(alerts: list[Json]) -> list[tuple[Any, ...]]:
    return [
        (
            one["alert_id"],
            one["state"],
            one["camera_id"],
            _captured(one),
            f"{one['sightings']} times",
            _number(one["similarity"]),
            f"{one['false_a_day']:.2g}",
        )
        for one in alerts
    ]


def _captured(told: Json) -> str:
    return show_told(told["captured_at"]) + _origin(told)


def _origin(told: Json) -> str:
    """Say what an alert is from, but for live cameras: the time of evidence is only stated."""
    if not told["from_footage"]:
        return ""
    return ", from evidence, as stated" if told["zone"] == _EVIDENCE else ", from footage"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@app.command(epilog="Example: `habeas review show alert-0123456789abcdef`")
@connected
def show(
    client: Client,
    alert_id: AlertId,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write the picture into this folder, where it stays until you remove it."),
    ] = None,
) -> None:
    """Show an alert: references and live face side by side, in a picture whose path is printed.

    Who looked is an entry of the log; a verdict takes a look. The picture goes with your verdict or your logout.
    """
    told: Json = client.get("alerts", alert_id)
    image, references = told.pop("image"), told.pop("references")
    path = _picture(client, alert_id, image, references, save) if image is not None and references else None
    told["picture"] = str(path) if path is not None else None

    def text() -> None:
        _say_alert(told)
        if told["pictures_until"] is None:
            say("its pictures are destroyed: its time is over, or its authorisation")
        elif told["state"] in {"open", "unconfirmed"} and told["zone"] != _EVIDENCE:
            say(f"the 30 s around it, if they were recorded: habeas footage play --alert {alert_id}")
        say_copies([path] if save is not None and path is not None else [], told["pictures_until"])

    client.tell(told, text)


def _picture(client: Client, alert_id: str, image: str, references: list[str], save: Path | None) -> Path:
    picture = side_by_side([base64.b64decode(one) for one in references], base64.b64decode(image))
    if save is not None:
        return save_private(save, alert_id, picture)
    return keep_for_now(_account(client), alert_id, picture)


def _account(client: Client) -> str:
    """Return whose login is used; a token is shown no picture, and gives no verdict."""
    return client.kept.name if client.kept is not None else ""


def _say_alert(told: Json) -> None:
    measured = "extrapolated" if told["extrapolated"] else "measured"
    facts(
        [
            ("id", told["alert_id"]),
            ("state", told["state"]),
            ("where", f"{told['camera_id']} in {told['zone']}"),
            ("captured", _captured(told)),
            ("last seen", f"{show_told(told['last_seen'])}, {told['sightings']} times"),
            ("authorisation", told["authorisation_id"]),
            ("subject", told["subject_id"]),
            ("similarity", f"{_number(told['similarity'])}, threshold {_number(told['threshold'])} ({measured})"),
            (
                "chance",
                f"{told['expected_fpir']:.1g} of strangers' tracks alert; {told['false_a_day']:.2g} false a day",
            ),
            ("picture", told["picture"] or "gone"),
        ]
    )


@app.command(epilog="Example: `habeas review verdict alert-0123456789abcdef different`")
@connected
def verdict(
    client: Client,
    alert_id: AlertId,
    answer: Annotated[str, typer.Argument(help="same, different or cannot-tell.")],
    look_alike: Annotated[
        bool, typer.Option("--look-alike", help="Never again for this face, with `different`.")
    ] = False,
) -> None:
    """Say whether it is the same person, once you have opened its pictures with `habeas review show`.

    What others said stays unseen until the alert is decided.
    """
    done = client.post("alerts", alert_id, "verdict", body={"verdict": answer, "lookalike": look_alike})
    drop(_account(client), alert_id)
    client.tell(done, lambda: say("taken"))


@app.command(epilog="Example: `habeas review search --camera gate --from -3d --outcome confirmed`")
@connected
def search(
    client: Client,
    camera: Annotated[str, typer.Option("--camera", help="Only of this camera.")] = "",
    from_text: Annotated[str, typer.Option("--from", help="Captured from here on, as in `habeas suspend new`.")] = "",
    until: Annotated[str, typer.Option("--until", help="Captured before this.")] = "",
    outcome: Annotated[
        str, typer.Option("--outcome", help="open, unconfirmed, withdrawn, confirmed, false or unresolved.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many at most, up to 500.")] = 100,
) -> None:
    """Find past alerts, without faces, the latest first."""
    now_ns = client.now_ns()
    asked: dict[str, str | int] = {"camera": camera, "state": outcome, "limit": limit}
    asked |= {name: parse_moment(text, now_ns) for name, text in (("from_ns", from_text), ("until_ns", until)) if text}
    alerts: list[Json] = client.get("alerts", **asked)
    client.tell_all(alerts, lambda: table(_COLUMNS, _rows(alerts), none="no such alert"))


@app.command(epilog="Example: `habeas review receipt alert-0123456789abcdef`")
@connected
def receipt(client: Client, alert_id: AlertId) -> None:
    """Make a receipt for whoever was stopped after an alert: a code, shown once, that freezes and disputes it."""
    done = client.post("alerts", alert_id, "receipt")

    def text() -> None:
        say(f"code for the person stopped, shown once: {done['code']}")
        say("  it needs no account: habeas receipt show | freeze | dispute | record CODE")

    client.tell(done, text)


@app.command(epilog="Example: `habeas review disputes`")
@connected
def disputes(client: Client) -> None:
    """List disputed alerts of which everybody who was told is still to be corrected."""
    duties: list[Json] = client.get("disputes")
    rows = [
        (one["alert_id"], one["outcome"], one["zone"], show_told(one["at"]), one["why"] or "gone") for one in duties
    ]
    client.tell_all(
        duties, lambda: table(("id", "outcome", "zone", "disputed", "why"), rows, none="no correction is due")
    )


@app.command(epilog="Example: `habeas review correct alert-0123456789abcdef --recipient 'Patrol 7'`")
@connected
def correct(
    client: Client,
    alert_id: AlertId,
    recipients: Annotated[list[str], typer.Option("--recipient", help="Who was told; repeat it for each of them.")],
) -> None:
    """Note that everybody who was told of a disputed alert was told how it stands. It closes the duty."""
    done = client.post("alerts", alert_id, "correct", body={"recipients": recipients})
    client.tell(done, lambda: say(f"{alert_id} is corrected"))
