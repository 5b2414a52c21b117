"""`habeas review`: alerts that wait for a verdict, and those of the past."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from habeas.cli.client import Client, Json, connected
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
            show_told(one["captured_at"]),
            f"{one['sightings']} times",
            _number(one["similarity"]),
            f"{one['false_a_day']:.2g}",
        )
        for one in alerts
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@app.command(epilog="Example: `habeas review show alert-0123456789abcdef --save faces`")
@connected
def show(
    client: Client,
    alert_id: AlertId,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the face and the references into this folder.")
    ] = None,
) -> None:
    """Show an alert. Who looked is an entry of the log. Its pictures are written only where --save says."""
    told: Json = client.get("alerts", alert_id)
    image, references = told.pop("image"), told.pop("references")
    told["saved"] = [str(path) for path in _save(save, alert_id, image, references)] if save else []

    def text() -> None:
        _say_alert(told, faces=len(references) + (image is not None))
        say_copies(told["saved"], told["pictures_until"])

    client.tell(told, text)


def _save(folder: Path, alert_id: str, image: str | None, references: list[str]) -> list[Path]:
    named = [(f"{alert_id}-face", image)] if image is not None else []
    named += [(f"{alert_id}-reference-{number}", one) for number, one in enumerate(references, 1)]
    return [save_private(folder, name, base64.b64decode(data)) for name, data in named]


def _say_alert(told: Json, faces: int) -> None:
    measured = "extrapolated" if told["extrapolated"] else "measured"
    facts(
        [
            ("id", told["alert_id"]),
            ("state", told["state"]),
            ("where", f"{told['camera_id']} in {told['zone']}"),
            ("captured", show_told(told["captured_at"])),
            ("last seen", f"{show_told(told['last_seen'])}, {told['sightings']} times"),
            ("authorisation", told["authorisation_id"]),
            ("subject", told["subject_id"]),
            ("similarity", f"{_number(told['similarity'])}, threshold {_number(told['threshold'])} ({measured})"),
            (
                "chance",
                f"{told['expected_fpir']:.1g} of strangers' tracks alert; {told['false_a_day']:.2g} false a day",
            ),
            ("pictures", told["saved"] or f"{faces}: write them with --save FOLDER"),
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
    """Say whether it is the same person. What others said stays unseen until the alert is decided."""
    done = client.post("alerts", alert_id, "verdict", body={"verdict": answer, "lookalike": look_alike})
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
