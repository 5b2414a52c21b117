"""`habeas footage redact|exports|export|discard|open`: footage for somebody outside, others unrecognisable in it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from habeas.cli.audit import Keys, Known, Quorum, given_keys, given_policy, read_file, write_file
from habeas.cli.binding import confirmed_hash
from habeas.cli.client import Client, Json, connected
from habeas.cli.files import file_text
from habeas.cli.following import Follow, follow
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import check_writable, note, put, reporting, say
from habeas.cli.places import Cameras
from habeas.cli.player import Player
from habeas.cli.tables import facts, table
from habeas.cli.times import parse_moment, show_moment, show_told
from habeas.clock import SystemClock
from habeas.errors import DiskError, InputError, UsageError
from habeas.types import NS_PER_S

if TYPE_CHECKING:
    from habeas.audit.parcel import Parcel

app = typer.Typer()
PREFIX: Final = "exp-"
"""Ids of exports begin so."""
Id = Annotated[str, typer.Argument(help="As `habeas footage exports` shows it.")]
_FETCH_S: Final = 600.0
_REDACTING: Final = "redacting"
_FAILED: Final = "failed"
_READY: Final = "ready"
_BOX_PARTS: Final = 7
_SHOWN: Final = 20
_NS_PER_MS: Final = 1_000_000


@app.command(
    epilog="Example: `habeas footage redact hold-0123456789abcdef`, `habeas footage redact exp-0123456789abcdef --box "
    "'gate,2026-05-01 10:00:03,2026-05-01 10:00:09,400,120,480,220'`"
)
@connected
def redact(
    client: Client,
    about: Annotated[str, typer.Argument(help="A hold, an access request, or an export that gets boxes by hand.")],
    camera: Cameras = None,
    from_text: Annotated[str, typer.Option("--from", help="First instant. Default: that of the hold or request.")] = "",
    until: Annotated[str, typer.Option("--until", help="First instant after. Default: as above.")] = "",
    box: Annotated[
        list[str] | None,
        typer.Option("--box", help="Paint over: CAMERA,FROM,UNTIL,LEFT,TOP,RIGHT,BOTTOM, pixels; repeat it."),
    ] = None,
    spare: Annotated[
        list[str] | None, typer.Option("--spare", help="Spare faces whose middle is in this box; written as --box.")
    ] = None,
    decision: Annotated[
        Path | None, typer.Option("--decision", help="A court document: nobody is made unrecognisable.")
    ] = None,
    wait: Follow = None,
) -> None:
    """Make everybody but the person concerned unrecognisable in footage of a hold or access request, for an export.

    Of an access request the findings that were confirmed are spared; of a hold nobody but whom --spare marks. Look at
    the films (`habeas footage play EXPORT`) and at what the machine was unsure of (`habeas footage show EXPORT`).
    """
    now_ns = client.now_ns()
    boxes = [_box(text, now_ns, spare=False) for text in box or []] + [
        _box(one, now_ns, spare=True) for one in spare or []
    ]
    if about.startswith(PREFIX):
        if camera or from_text or until or decision is not None:
            raise UsageError(
                "an export that is made gets boxes, and nothing else changes",
                remedy="leave --camera, --from, --until and --decision out, or have another made",
            )
        told = client.post("exports", about, "boxes", body={"boxes": boxes})
    else:
        body: Json = {
            "about": about,
            "cameras": camera or [],
            "from_ns": parse_moment(from_text, now_ns) if from_text else None,
            "until_ns": parse_moment(until, now_ns) if until else None,
            "boxes": boxes,
            "decision": file_text(decision) if decision is not None else None,
        }
        told = client.post("exports", body=body)
    path = ("exports", str(told["export"]))
    told = follow(client, told, *path, while_state=_REDACTING, what="redacting, seconds of footage", asked=wait)
    if told["state"] == _FAILED:
        look = "access findings" if str(told["about"]).startswith("acr-") else "footage show"
        raise InputError(
            f"{told['export']} could not be made: {told['failure']}",
            remedy=f"see what there is of it: habeas {look} {told['about']}; then have another made",
        )
    client.tell(told, lambda: _say_made(told))


def _box(text: str, now_ns: int, *, spare: bool) -> Json:
    parts = [part.strip() for part in text.split(",")]
    try:
        camera, from_text, until, *edges = parts
        left, top, right, bottom = (float(edge) for edge in edges)
    except ValueError:
        remedy = "write CAMERA,FROM,UNTIL,LEFT,TOP,RIGHT,BOTTOM"
        raise UsageError(f"{text}: {len(parts)} parts are no box of {_BOX_PARTS}", remedy=remedy) from None
    times = {"from_ns": parse_moment(from_text, now_ns), "until_ns": parse_moment(until, now_ns)}
    return {"camera": camera, **times, "box": [left, top, right, bottom], "spare": spare}


def _say_made(told: Json) -> None:
    export_id = told["export"]
    if told["state"] == _REDACTING:
        say(f"{export_id} is redacting: habeas footage show {export_id} says when it is ready")
        return
    say(f"{export_id} is {told['state']}, {told['films']} films")
    _say_damaged(told["damaged"])
    doubts = sum(int(one["doubts_in_all"]) for one in told.get("reports", {}).values())
    if doubts:
        say(f"{doubts} places to look at: habeas footage show {export_id}")
    if told["state"] == _READY:
        say(f"look at it: habeas footage play {export_id}; then: habeas footage export {export_id} --to age1...")


def _say_damaged(segments: int) -> None:
    if segments:
        say(f"{segments} segments of the footage could not be read, and are in no film")


@app.command("exports", epilog="Example: `habeas footage exports --all`")
@connected
def list_exports(
    client: Client, everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False
) -> None:
    """List exports, newest first."""
    rows: list[Json] = client.get("exports", everything="true" if everything else "false")
    told = [(one["export"], one["state"], one["about"], one["films"], show_told(one["ends"])) for one in rows]
    client.tell_all(rows, lambda: table(("id", "state", "of", "films", "gone at"), told, none="no exports"))


def show(client: Client, export_id: str) -> None:
    """Show an export: what it is of, and what the machine was unsure of."""
    told: Json = client.get("exports", export_id)
    client.tell(told, lambda: _say_export(told))


def _say_export(told: Json) -> None:
    pairs: list[tuple[str, object]] = [
        ("id", told["export"]),
        ("state", told["state"]),
        ("of", told["about"]),
        ("cameras", told["cameras"]),
        ("from", show_told(told["from"])),
        ("until", show_told(told["until"])),
        ("whole", "yes, by court document" if told["unredacted"] else "no: others are unrecognisable"),
        ("document", told.get("decision")),
        ("recipient", told.get("recipient")),
        ("proposed by", told.get("requester")),
        ("approved by", [one["name"] for one in told.get("approvals", ())]),
        ("gone at", show_told(told["ends"])),
    ]
    if told.get("failure"):
        pairs.append(("failed", told["failure"]))
    if told.get("content_hash"):
        pairs.append(("hash", told["content_hash"]))
    facts(pairs)
    _say_damaged(told["damaged"])
    for name, report in told.get("reports", {}).items():
        _say_report(name, report)


def _say_report(name: str, report: Json) -> None:
    """Say what came of a film: who is spared, and what a person had better look at (docs/formats.md)."""
    shapes = sum(report["shapes"].values())
    kept = f"{len(report['kept'])} tracks spared"
    say(f"{name}: {report['pictures']} pictures, {shapes} shapes, {kept}, {report['doubts_in_all']} to look at")
    if report["suspended"]:
        say("  recognition was suspended in it: nobody is spared but by hand")
    if any(report["seen_again"][-1:]):
        say(f"  {report['seen_again'][-1]} faces are seen uncovered in it still")
    if report["flaws"]:
        say(f"  {report['flaws']} flaws in the footage: damaged packets, and the like")
    spared = [("spared by hand", *_where(one)) for one in report["by_hand"] if one["spare"]]
    doubts = [(f"{one['what']}, track {one['track_id']}", *_where(one)) for one in report["doubts"][:_SHOWN]]
    if spared or doubts:
        table(("what", "from", "until", "box"), [*spared, *doubts], none="")
    if report["doubts_in_all"] > len(doubts):
        say(f"  and {report['doubts_in_all'] - len(doubts)} more: --json")


def _where(one: Json) -> tuple[str, str, str]:
    """Return when and where something is: times that hold all of it, as --box takes them."""
    until_ns = -(-int(one["until_ns"]) // _NS_PER_MS) * _NS_PER_MS
    return _instant(int(one["from_ns"])), _instant(until_ns), _edges(one["box_xyxy_px"])


def _instant(ns: int) -> str:
    """Return a moment to the millisecond: `2026-05-01 10:00:00.250+02:00`."""
    day, time, offset = show_moment(ns).split(" ")
    return f"{day} {time}.{ns % NS_PER_S // _NS_PER_MS:03d}{offset}"


def _edges(box: Any) -> str:
    return ",".join(f"{edge:.0f}" for edge in box)


def play(client: Client, export_id: str, *, browser: bool) -> None:
    """Play the films of an export in a browser of this machine."""
    told: Json = client.get("exports", export_id)
    films = [{**one, "skip_s": 0} for one in told.get("list", ())]
    if not films:
        raise UsageError(f"this export is {told['state']}: it has no films", remedy="see `habeas footage exports`")

    def fetch(number: int) -> bytes:
        return client.content("exports", export_id, "films", str(number))

    with Player(films, fetch, SystemClock()) as player:
        if client.as_json:
            put({"address": player.address, "export": export_id, "films": len(films)})
        else:
            say(f"{len(films)} films at {player.address}, on this machine only; Ctrl-C ends it")
        player.play(browser=browser)


def approve(client: Client, export_id: str, content_hash: str, *, yes: bool) -> None:
    """Show exactly what is to be given to whom, ask, and approve that."""
    told: Json = client.get("exports", export_id)
    if not client.as_json:
        _say_export(told)
    if not told.get("content_hash"):
        raise UsageError(f"this export is {told['state']}, not proposed", remedy="see `habeas footage exports`")
    bound = confirmed_hash(str(told["content_hash"]), content_hash, yes=yes)
    done = client.post("exports", export_id, "approve", body={"content_hash": bound})
    waits = done["state"] == "proposed"
    client.tell(done, lambda: say(f"{export_id}: approved; {'it takes another approver' if waits else 'fetch it'}"))


def refuse(client: Client, export_id: str) -> None:
    """Refuse an export that is proposed: its films are destroyed."""
    done = client.post("exports", export_id, "refuse")
    client.tell(done, lambda: say(f"{export_id} is {done['state']}; its films are destroyed"))


@app.command(epilog="Example: `habeas footage discard exp-0123456789abcdef`")
@connected
def discard(client: Client, export_id: Id) -> None:
    """Discard an export that you had made and nobody has fetched: its films are destroyed, and another may be made."""
    done = client.post("exports", export_id, "discard")
    client.tell(done, lambda: say(f"{export_id} is {done['state']}; its films are destroyed"))


@app.command(
    epilog="Example: `habeas footage export exp-0123456789abcdef --to age1...`, `habeas footage export "
    "exp-0123456789abcdef --out footage.age`"
)
@connected
def export(
    client: Client,
    export_id: Id,
    to: Annotated[str, typer.Option("--to", help="Propose it for this age key: age1...")] = "",
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Propose or fetch it with a passphrase.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Once approved: write it here, encrypted.")] = None,
) -> None:
    """Propose an export for a recipient (--to, or --passphrase); once two approved it, fetch it (--out).

    What is written is encrypted to the recipient; `habeas footage open` opens and checks it, anywhere.
    """
    if out is not None and to:
        raise UsageError("--out fetches it for whom it was approved", remedy="leave --to out")
    if out is None:
        if bool(to) is passphrase:
            raise UsageError("an export has one recipient", remedy="give --to age1..., or --passphrase")
        done = client.post("exports", export_id, "propose", body={"recipient": to or "passphrase"})
        client.tell(done, lambda: say(f"{export_id} is proposed; two approvers: habeas footage approve {export_id}"))
        return
    check_writable(out, "--out")
    if out.is_file() or out.is_symlink():
        raise _there(out)
    secret = _passphrase(twice=True) if passphrase else ""
    data = client.made("exports", export_id, "fetch", within_s=_FETCH_S, body={"passphrase": secret})
    _write_new(out, data)
    client.tell({"export": export_id, "file": str(out), "bytes": len(data)}, lambda: say(f"{out}: encrypted"))


def _write_new(out: Path, data: bytes) -> None:
    try:
        with out.open("wb" if out.exists() and not out.is_file() else "xb") as file:  # a device is written to
            file.write(data)
    except FileExistsError:
        raise _there(out) from None
    except OSError as error:
        raise DiskError(f"cannot write {out}: {error.strerror}", remedy="choose another place") from error


def _there(out: Path) -> UsageError:
    return UsageError(f"{out} is there already", remedy="give --out another name, or remove it")


@app.command("open", epilog="Example: `habeas footage open footage.age --identity key.txt --out films --key '...'`")
def open_export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="From `habeas footage export`.")],
    out: Annotated[Path, typer.Option("--out", help="A folder for the films; made.")],
    identity: Annotated[
        Path | None,
        typer.Option("--identity", help="File with AGE-SECRET-KEY-1...; else a passphrase."),
    ] = None,
    keys: Keys = None,
    witnesses: Known = None,
    quorum: Quorum = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Open an export that you were given, and check it, anywhere: no network, no installation.

    With --key it is proven that the films are what two people approved, as the log says. Without it they only fit an
    entry that came with them, and whoever makes up films can make up that, too. Exit status 7: it does not hold.
    """
    with reporting(as_json=as_json, debug=debug):
        from habeas.audit.parcel import MAX_BYTES, check  # noqa: PLC0415 - loads cryptography

        plain = _opened(read_file(path, 2 * MAX_BYTES), identity)
        given = given_keys(keys) if keys else ()
        parcel = check(plain, given, given_policy(witnesses, quorum))
        _save(parcel, out)
        if as_json:
            put({"event": "footage-export", **_told(parcel)})
        else:
            _say_parcel(parcel, out)


def _passphrase(*, twice: bool) -> str:
    """Ask at the terminal, showing nothing of what is typed.

    Raises:
        UsageError: there is none.
    """
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the passphrase", remedy="run it at one, or use a key")
    asked: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return asked


def _opened(sealed: bytes, identity: Path | None) -> bytes:
    from habeas.keys import unseal, unseal_with_passphrase  # noqa: PLC0415 - loads cryptography

    if identity is None:
        return unseal_with_passphrase(_passphrase(twice=False), sealed)
    lines = read_file(identity, 1 << 16).decode("ascii", "replace").splitlines()
    secret = next((line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-1")), "")
    return unseal(secret, sealed)


def _save(parcel: "Parcel", out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{out}: cannot be made ({error.strerror})", remedy="give another --out") from None
    for name, data in parcel.films.items():
        write_file(out / name, data)


def _told(parcel: "Parcel") -> dict[str, Any]:
    content = parcel.content
    names = ("export", "about", "films", "damaged", "unredacted", "decision")
    return {**{name: content[name] for name in names}, "proven": parcel.proven, "witnesses": parcel.witnesses}


def _say_parcel(parcel: "Parcel", out: Path) -> None:
    """Say what was opened; that it holds is said only where a key of the log has proven it."""
    films = f"{len(parcel.films)} films in {out}"
    say(f"holds: {films}, which two approved, as the log says" if parcel.proven else f"not proven: {films}")
    rows = [
        (one["name"], one["camera"], show_told(one["from"]), show_told(one["until"])) for one in parcel.content["films"]
    ]
    table(("film", "camera", "from", "until"), rows, none="no films")
    _say_damaged(len(parcel.content["damaged"]))
    if not parcel.proven:
        note("an entry that came with them says that two approved them; that the log holds it was not proven", "bold")
        note("  prove it: --key, the log's key from another place than this file", "default")
