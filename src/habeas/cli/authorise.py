"""`habeas authorise`: ask to look for somebody, approve, refuse, end, and tell them afterwards."""

from pathlib import Path
from typing import Annotated, Final

import typer

from habeas.cli.asking import say_authorisation, say_list
from habeas.cli.binding import Hash, Yes, confirmed_hash
from habeas.cli.client import ANSWER_S, Client, Json, connected
from habeas.cli.files import file_text, save_private, say_copies
from habeas.cli.output import bar, say
from habeas.cli.places import Cameras, Until, Why, Zones
from habeas.cli.subjects import images_of, say_images, subjects_body
from habeas.cli.tables import table
from habeas.cli.times import ns_of, parse_moment, show_told, window
from habeas.errors import EnrolmentRefused, UsageError

app = typer.Typer(
    help="Requests to look for a person: drafted by one, approved by others, ended by the clock.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Id = Annotated[str, typer.Argument(help="As `habeas authorise list` shows it.")]
Because = Annotated[str, typer.Option("--why", help="The reason, in a sentence.")]
FromUnless = Annotated[str, typer.Option("--from", help="As `now`, +2h, '2026-05-01 10:00'. Not of evidence.")]
UntilUnless = Annotated[str, typer.Option("--until", help="First instant after, written as --from.")]
_IMAGE_S: Final = 35.0
"""What the node may take for one image, beside `ANSWER_S` for the rest."""
_CODE: Final = "habeas authorise end --code CODE"


@app.command(
    epilog="Example: `habeas authorise new --purpose consent --authority 'Ada herself' --reference V-1 "
    "--subject ada=ada.jpg --born ada=1990-12-31 --camera gate --from now --until +8h`"
)
@connected
def new(
    client: Client,
    purpose: Annotated[
        str,
        typer.Option(
            "--purpose", help="consent, missing-person, threat-to-life, serious-offence-suspect or court-order."
        ),
    ],
    authority: Annotated[str, typer.Option("--authority", help="Who issued it.")],
    reference: Annotated[str, typer.Option("--reference", help="Their reference number.")],
    from_text: FromUnless = "",
    until: UntilUnless = "",
    subject: Annotated[
        list[str] | None, typer.Option("--subject", help="NAME=IMAGE[,IMAGE...]; repeat it for each person.")
    ] = None,
    born: Annotated[list[str] | None, typer.Option("--born", help="NAME=YYYY-MM-DD, for each of them.")] = None,
    subjects: Annotated[
        Path | None, typer.Option("--subjects", help="CSV file: name,born,images; images separated by semicolons.")
    ] = None,
    zone: Zones = None,
    camera: Cameras = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="Search this evidence once, whole, instead of cameras.")
    ] = None,
    decision: Annotated[Path | None, typer.Option("--decision", help="The decision of a court or authority.")] = None,
    kind: Annotated[
        str,
        typer.Option("--kind", help="live, or retrospective: search footage once. Default: live; for evidence not."),
    ] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="One approver starts it, for 24 h at most.")] = False,
    minor: Annotated[bool, typer.Option("--minor", help="Somebody named is under age.")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Go on without images that are refused, if each keeps one.")
    ] = False,
) -> None:
    """Draft a request. Every image is examined first, and gets a line. Nobody is looked for yet."""
    ends = _interval(client, from_text, until, evidence=evidence is not None, places=bool(zone or camera))
    people = subjects_body(subject or [], born or [], subjects)
    body: Json = {
        "kind": kind or ("live" if evidence is None else "retrospective"),
        "purpose": purpose,
        "authority": authority,
        "reference": reference,
        "decision": file_text(decision) if decision is not None else None,
        "subjects": people,
        "zones": zone or [],
        "cameras": camera or [],
        "evidence": evidence,
        "from_ns": ends[0],
        "until_ns": ends[1],
        "urgent": urgent,
        "minor": minor,
        "skip_refused": skip_refused,
    }
    _say_drafted(client, _drafted(client, body, images_of(people)))


def _interval(
    client: Client, from_text: str, until: str, *, evidence: bool, places: bool
) -> tuple[int, int] | tuple[None, None]:
    """Return both ends of the interval; evidence has its own, and stands for itself.

    Raises:
        UsageError: it says where and when twice, or not at all.
    """
    if evidence:
        if places or from_text or until:
            raise UsageError(
                "evidence is searched whole, by itself", remedy="leave --zone, --camera, --from and --until out"
            )
        return None, None
    if not places:
        raise UsageError("there is no `everywhere`", remedy="name where to look: --zone or --camera")
    if not (from_text and until):
        raise UsageError("a request says an interval", remedy="give --from and --until")
    return window(from_text, until, client.now_ns())


def _drafted(client: Client, body: Json, images: int) -> Json:
    """Send a draft; where images are refused, print a line for each before the error.

    Raises:
        HabeasError: as the node raised it.
    """
    try:
        with bar(f"examining {images} images", None):
            return client.post("authorisations", body=body, within_s=ANSWER_S + _IMAGE_S * images)
    except EnrolmentRefused as error:
        if not client.as_json:
            say_images(error.images)
        raise


def _say_drafted(client: Client, done: Json) -> None:
    def text() -> None:
        if "images" in done:
            say_images(done["images"])
            say("")
        say(f"drafted: {done['id']}, {show_told(done['from'])} to {show_told(done['until'])}")
        if done["consent_code"]:
            say(f"code for the subject, shown once: {done['consent_code']}")
            say(f"  it ends this at any time, without an account: {_CODE}")
        say(f"next: habeas authorise submit {done['id']}")

    client.tell(done, text)


@app.command(epilog="Example: `habeas authorise submit aut-0123456789abcdef`")
@connected
def submit(client: Client, authorisation_id: Id) -> None:
    """Ask for approval of your own draft."""
    done = client.post("authorisations", authorisation_id, "submit")
    client.tell(done, lambda: say(f"{done['id']} waits for approval"))


@app.command(epilog="Example: `habeas authorise approve aut-0123456789abcdef --hash 1f2e3d4c5b6a`")
@connected
def approve(client: Client, authorisation_id: Id, content_hash: Hash = "", yes: Yes = False) -> None:
    """Show exactly what is asked, ask, and approve that. Without a terminal, --hash says what you were shown before.

    With --yes nobody is asked: what is printed is approved, and nothing else, should it change meanwhile.
    """
    told: Json = client.get("authorisations", authorisation_id)
    if not client.as_json:
        say_authorisation(told)
    if "content_hash" not in told:
        raise UsageError("this is not yours to see", remedy="an approver approves it")
    bound = confirmed_hash(str(told["content_hash"]), content_hash, yes=yes)
    done = client.post("authorisations", authorisation_id, "approve", body={"content_hash": bound})

    def text() -> None:
        say(f"approved exactly this: {bound}")
        say(_approved(done))

    client.tell({**done, "approved": told} if yes else done, text)


def _approved(done: Json) -> str:
    if done["state"] != "active":
        return f"{done['id']}: approved; it takes another approver"
    ends = f"{done['id']} is active until {show_told(done['ends'])}"
    return ends if done["confirmed"] else f"{ends}: urgent, it ends then unless another approver confirms it"


@app.command(epilog="Example: `habeas authorise refuse aut-0123456789abcdef --why 'no reason is given'`")
@connected
def refuse(client: Client, authorisation_id: Id, why: Because) -> None:
    """Refuse a request, or an urgent one that runs unconfirmed. Its references are destroyed."""
    done = client.post("authorisations", authorisation_id, "refuse", body={"why": why})
    client.tell(done, lambda: say(f"{done['id']} is refused"))


@app.command(epilog="Example: `habeas authorise revoke aut-0123456789abcdef --why found`")
@connected
def revoke(client: Client, authorisation_id: Id, why: Because = "") -> None:
    """End one at once. From now on nothing of it is compared; its references are destroyed."""
    done = client.post("authorisations", authorisation_id, "revoke", body={"why": why})
    client.tell(done, lambda: say(f"{done['id']} has ended"))


@app.command(epilog="Example: `habeas authorise renew aut-0123456789abcdef --until +7d`")
@connected
def renew(client: Client, authorisation_id: Id, until: Until, zone: Zones = None, camera: Cameras = None) -> None:
    """Draft a request that goes on where yours ends, on the same cameras or others. It takes approvals of its own."""
    body = {"until_ns": parse_moment(until, client.now_ns()), "zones": zone or [], "cameras": camera or []}
    _say_drafted(client, client.post("authorisations", authorisation_id, "renew", body=body))


@app.command(epilog="Example: `habeas authorise amend aut-0123456789abcdef --camera gate --until +4h`")
@connected
def amend(
    client: Client,
    authorisation_id: Id,
    until: Annotated[str, typer.Option("--until", help="Another end. Default: as it is.")] = "",
    zone: Zones = None,
    camera: Cameras = None,
) -> None:
    """Change the end or the cameras of your own request. Approvals given so far are void."""
    if not (until or zone or camera):
        raise UsageError("nothing is to be changed", remedy="give --until, --zone or --camera")
    told: Json = client.get("authorisations", authorisation_id)
    body = {
        "until_ns": parse_moment(until, client.now_ns()) if until else ns_of(told["until"]),
        "zones": zone or [],
        "cameras": camera or ([] if zone else told["cameras"]),
    }
    done = client.post("authorisations", authorisation_id, "amend", body=body)
    client.tell(done, lambda: say_list([done], none=""))


@app.command(epilog="Example: `habeas authorise show aut-0123456789abcdef`")
@connected
def show(
    client: Client,
    authorisation_id: Id,
    save_images: Annotated[
        Path | None, typer.Option("--save-images", help="Write the references into this folder; each look is an entry.")
    ] = None,
) -> None:
    """Show a request as far as your role may see it. A look at who is named is an entry of the log."""
    told: Json = client.get("authorisations", authorisation_id)
    if save_images is not None:
        told["saved"] = [
            str(save_private(save_images, one["id"], client.content("references", one["id"])))
            for person in told.get("people", [])
            for one in person["references"]
        ]

    def text() -> None:
        say_authorisation(told)
        for path in told.get("saved", []):
            say(f"saved: {path}")
        say_copies(told.get("saved", []), told["ends"] or told["until"])

    client.tell(told, text)


@app.command("list", epilog="Example: `habeas authorise list --all`")
@connected
def list_authorisations(
    client: Client,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
) -> None:
    """List requests and running authorisations, newest first; and say how many have ended, and are not shown."""
    if ended and everything:
        raise UsageError("--ended and --all exclude each other", remedy="give one of them")
    which = "ended" if ended else "all" if everything else "open"
    rows, more = client.page("authorisations", which=which)

    def text() -> None:
        say_list(rows, none="no authorisations")
        if more:
            say(f"{more} that {'are open' if ended else 'have ended'} are not shown: --all")

    client.tell_all(rows, text)


@app.command(epilog="Example: `habeas authorise end --code ABCDE-FGHJK-LMNPQ-RSTUV`")
@connected
def end(client: Client, code: Annotated[str, typer.Option("--code", help="That the subject was given.")]) -> None:
    """End a consent with its subject's code. No account is needed."""
    done = client.without_login("POST", "/consent/end", {"code": code})
    client.tell(done, lambda: say("it has ended: nothing is compared any more, the references are destroyed"))


@app.command(epilog="Example: `habeas authorise notices`")
@connected
def notices(client: Client) -> None:
    """List whose people are still to be told that they were looked for."""
    rows: list[Json] = client.get("notices")
    told = [(one["authorisation"], show_told(one["due"])) for one in rows]
    client.tell_all(rows, lambda: table(("id", "due"), told, none="nobody is to be told"))


@app.command(epilog="Example: `habeas authorise notified aut-0123456789abcdef`")
@connected
def notified(client: Client, authorisation_id: Id) -> None:
    """Note that the people named were told."""
    done = client.post("authorisations", authorisation_id, "notified")
    client.tell(done, lambda: say(f"{done['id']}: noted"))


@app.command(epilog="Example: `habeas authorise defer aut-0123456789abcdef --days 30 --why 'the case is open'`")
@connected
def defer(
    client: Client,
    authorisation_id: Id,
    days: Annotated[int, typer.Option("--days", help="From now; at most 90.")],
    why: Why,
) -> None:
    """Approve that the notice waits. It takes two approvers who give the same days and reason."""
    done = client.post("authorisations", authorisation_id, "defer", body={"days": days, "why": why})
    client.tell(done, lambda: say(f"{done['id']}: notice due {show_told(done['notice_due'])}"))
