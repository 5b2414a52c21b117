"""`habeas access`: somebody asks for the footage of themself."""

import base64
from pathlib import Path
from typing import Annotated, Final

import typer

from habeas.cli.binding import Hash, Yes, agree, confirmed_hash
from habeas.cli.client import ANSWER_S, Client, Json, connected
from habeas.cli.faces import drop, keep_for_now, side_by_side
from habeas.cli.files import file_text
from habeas.cli.following import Follow, follow
from habeas.cli.output import bar, say
from habeas.cli.parsing import Commands
from habeas.cli.places import From, Until
from habeas.cli.subjects import say_images
from habeas.cli.tables import facts, table
from habeas.cli.times import show_told, window

app = typer.Typer(
    help="Access requests: somebody asks for the footage of themself.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    cls=Commands,
)
Id = Annotated[str, typer.Argument(help="As `habeas access list` shows it.")]
FindingId = Annotated[str, typer.Argument(help="As `habeas access findings` shows it.")]
_DAY_S: Final = 86_400
_IMAGE_S: Final = 30.0
_RUNNING: Final = "running"


@app.command(
    epilog="Example: `habeas access new --name 'Ada Doe' --born 1990-12-31 --contact ada@example.org --document "
    "passport --photo ada.jpg --camera gate --from '2026-05-01 10:00' --until '2026-05-01 11:00'`"
)
@connected
def new(
    client: Client,
    name: Annotated[str, typer.Option("--name", help="Of the person who asks.")],
    born: Annotated[str, typer.Option("--born", help="Birth date, YYYY-MM-DD.")],
    contact: Annotated[str, typer.Option("--contact", help="How they are answered.")],
    document: Annotated[
        str,
        typer.Option("--document", help="Checked: passport, identity-card, residence-permit or driving-licence."),
    ],
    photo: Annotated[list[Path], typer.Option("--photo", help="Taken in presence; repeat it, up to five.")],
    camera: Annotated[list[str], typer.Option("--camera", help="Where they were; repeat it.")],
    from_text: From,
    until: Until,
) -> None:
    """Open an access request: at most eight camera-hours of the last 120 h. Nothing is searched before two approve it.

    The person is photographed in presence. All that names or shows them is destroyed when the request is closed.
    """
    ends = window(from_text, until, client.now_ns())
    body: Json = {
        "name": name,
        "born": born,
        "contact": contact,
        "document": document,
        "photos": [{"name": path.name, "data": file_text(path)} for path in photo],
        "cameras": camera,
        "from_ns": ends[0],
        "until_ns": ends[1],
    }
    with bar(f"examining {len(photo)} photographs", None):
        done = client.post("access", body=body, within_s=ANSWER_S + _IMAGE_S * len(photo))

    def text() -> None:
        say_images(done["images"])
        say(f"opened: {done['access']}, to be answered by {show_told(done['due'])}")
        say(f"two approvers, who check who asks: habeas access approve {done['access']}")

    client.tell(done, text)


@app.command("list", epilog="Example: `habeas access list`")
@connected
def list_requests(client: Client) -> None:
    """List access requests, newest first, with the time that is left to answer each."""
    rows: list[Json] = client.get("access")
    told = [
        (
            one["access"],
            one["state"],
            one["cameras"],
            show_told(one["from"]),
            show_told(one["until"]),
            _searched(one),
            _left(one),
        )
        for one in rows
    ]
    headings = ("id", "state", "cameras", "from", "until", "searched", "to be answered")
    client.tell_all(rows, lambda: table(headings, told, none="no access requests"))


def _searched(told: Json) -> str:
    if told["search"] is None:
        return "no"
    return f"{told['search']}, {told['findings']} found"


def _left(told: Json) -> str:
    if told["left_s"] is None:
        return "-"
    days = int(abs(told["left_s"]) // _DAY_S)  # whole ones: nobody is told of more time than there is
    text = "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"
    return f"OVERDUE by {text}" if told["overdue"] else f"in {text}"


@app.command(epilog="Example: `habeas access show acr-0123456789abcdef`")
@connected
def show(client: Client, access_id: Id) -> None:
    """Show who asks, with the photographs, to a privacy officer or an approver. The look is an entry."""
    told = _shown(client, access_id)
    client.tell(told, lambda: _say_request(told))


def _shown(client: Client, access_id: str) -> Json:
    """Return a request; its photographs are kept in this user's memory until the logout."""
    told: Json = client.get("access", access_id)
    photos = [base64.b64decode(one) for one in told.pop("photos")]
    path = keep_for_now(_account(client), access_id, side_by_side(photos, None)) if photos else None
    return {**told, "picture": None if path is None else str(path)}


def _account(client: Client) -> str:
    """Return whose login is used; a token is shown no picture."""
    return client.kept.name if client.kept is not None else ""


def _say_request(told: Json) -> None:
    facts(
        [
            ("id", told["access"]),
            ("state", told["state"]),
            ("name", told["name"]),
            ("born", told["born"]),
            ("contact", told["contact"]),
            ("document", told["document"]),
            ("cameras", told["cameras"]),
            ("from", show_told(told["from"])),
            ("until", show_told(told["until"])),
            ("opened by", told["opened_by"]),
            ("to be answered", _left(told)),
            ("approved by", [one["name"] for one in told["approvals"]]),
            ("photographs", told["picture"]),
            ("hash", told["content_hash"]),
        ]
    )


@app.command(epilog="Example: `habeas access approve acr-0123456789abcdef`")
@connected
def approve(client: Client, access_id: Id, content_hash: Hash = "", yes: Yes = False) -> None:
    """Say that you checked who asks, in presence, and that these are photographs of them. Two approve it."""
    told = _shown(client, access_id)
    if not client.as_json:
        _say_request(told)
    bound = confirmed_hash(str(told["content_hash"]), content_hash, yes=yes)
    done = client.post("access", access_id, "approve", body={"content_hash": bound})
    waits = done["state"] == "opened"
    client.tell(done, lambda: say(f"{access_id}: approved; {'it takes another approver' if waits else 'search it'}"))


@app.command(epilog="Example: `habeas access refuse acr-0123456789abcdef`")
@connected
def refuse(client: Client, access_id: Id) -> None:
    """Refuse a request that is not approved: what it holds is destroyed."""
    done = client.post("access", access_id, "refuse")
    client.tell(done, lambda: say(f"{access_id} is {done['state']}; what named or showed the person is destroyed"))


@app.command(epilog="Example: `habeas access close acr-0123456789abcdef`")
@connected
def close(client: Client, access_id: Id, yes: Yes = False) -> None:
    """Close a request: photographs, templates, findings, copies and exports are destroyed, at once and for good."""
    if not yes:
        agree(f"Close {access_id}, and destroy its findings, copies and exports?")
    done = client.post("access", access_id, "close")
    client.tell(done, lambda: say(f"{access_id} is {done['state']}; what named or showed the person is destroyed"))


# --- searching --------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: `habeas access search acr-0123456789abcdef`")
@connected
def search(
    client: Client,
    access_id: Id,
    wait: Follow = None,
) -> None:
    """Search the footage of an approved request, once. The node does it: Ctrl-C leaves it running."""
    told: Json = client.post("access", access_id, "search")
    path = ("access", access_id, "search")
    told = follow(client, told, *path, while_state=_RUNNING, what="searching footage, seconds", asked=wait)
    client.tell(told, lambda: _say_search(told))


def _say_search(told: Json) -> None:
    say(f"{told['access']}: the search is {told['state']}, {told['findings']} findings")
    for name, what in (("suspended_s", "was suspended when it was captured"), ("missing_s", "was not recorded")):
        if told[name]:
            say(f"  {told[name] / 60:.1f} min {what}")
    if told["damaged"]:
        say(f"  {told['damaged']} segments are damaged")
    say(f"each is judged by somebody who looked: habeas access findings {told['access']}")


@app.command("findings", epilog="Example: `habeas access findings acr-0123456789abcdef`")
@connected
def list_findings(client: Client, access_id: Id) -> None:
    """List what was found: where, when, and how it was judged."""
    rows: list[Json] = client.get("access", access_id, "findings")
    told = [
        (
            one["finding"],
            one["state"],
            one.get("camera", "-"),
            show_told(one["captured"]) if "captured" in one else "-",
            f"{one['similarity']:.3f}" if "similarity" in one else "-",
        )
        for one in rows
    ]
    headings = ("id", "state", "camera", "captured", "similarity")
    client.tell_all(rows, lambda: table(headings, told, none="nothing was found"))


@app.command(epilog="Example: `habeas access look acr-0123456789abcdef fnd-0123456789abcdef`")
@connected
def look(client: Client, access_id: Id, finding_id: FindingId) -> None:
    """Show the picture of a finding beside the photographs; it lies in this user's memory until the logout."""
    told = _looked(client, access_id, finding_id)
    client.tell(told, lambda: say(f"{finding_id}: {told['picture']}"))


def _looked(client: Client, access_id: str, finding_id: str) -> Json:
    told: Json = client.get("access", access_id, "findings", finding_id)
    photos = [base64.b64decode(one) for one in told["photos"]]
    picture = side_by_side(photos, base64.b64decode(told["image"]))
    return {"finding": finding_id, "picture": str(keep_for_now(_account(client), finding_id, picture))}


@app.command(epilog="Example: `habeas access confirm acr-0123456789abcdef fnd-0123456789abcdef --different`")
@connected
def confirm(
    client: Client,
    access_id: Id,
    finding_id: FindingId,
    different: Annotated[bool, typer.Option("--different", help="It is somebody else.")] = False,
) -> None:
    """Say whether a finding shows whoever asks; look at it first. Of what does the footage is copied at once."""
    done = client.post("access", access_id, "findings", finding_id, body={"same": not different})
    drop(_account(client), finding_id)

    def text() -> None:
        if done["state"] == "same":
            say(
                f"{finding_id} shows the person: {done['kept_s']:.0f} s of footage are kept until the request is closed"
            )
        else:
            say(f"{finding_id} shows somebody else: nothing of it is kept")

    client.tell(done, text)


@app.command(epilog="Example: `habeas access listed acr-0123456789abcdef --from=-90d --until now`")
@connected
def listed(client: Client, access_id: Id, from_text: From, until: Until) -> None:
    """Answer whether the person was looked for between two instants, as far as it may be told."""
    ends = window(from_text, until, client.now_ns())
    told: Json = client.get("access", access_id, "listed", from_ns=ends[0], until_ns=ends[1])

    def text() -> None:
        rows = [
            (one["authorisation"], one["purpose"], one["kind"], show_told(one["from"]), show_told(one["until"]))
            for one in told["listings"]
        ]
        table(("authorisation", "purpose", "kind", "from", "until"), rows, none="no listing that may be told")
        say(told["deferred"])

    client.tell(told, text)
