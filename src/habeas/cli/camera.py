"""`habeas camera`: add, list, test, find and remove cameras. Addresses go in, and are never printed with a password."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.login import ask_secret, read_secret_line
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import note, put, reporting, say
from habeas.cli.tables import facts, table
from habeas.cli.times import show_told
from habeas.errors import HabeasError, SourceError, UsageError

if TYPE_CHECKING:
    from habeas.video.address import AddressRules
    from habeas.video.onvif import FoundCamera, FoundStream

app = typer.Typer(
    help="The cameras of this installation, each with a written purpose.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Name = Annotated[str, typer.Argument(help="Of the camera.")]
_CORNERS: Final = 4
_TEST_S: Final = 90.0


@app.command(epilog="Example: `habeas camera add gate rtsp://10.0.0.7/main --purpose 'Who enters the north gate'`")
@connected
def add(
    client: Client,
    name: Name,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is there for, in a sentence; for the register.")],
    url: Annotated[
        list[str] | None,
        typer.Argument(
            help="rtsp:// address, one with a password better by --url-stdin; or file:///FOLDER/video.mp4 where "
            "cameras.folders in habeas.yaml lists FOLDER."
        ),
    ] = None,
    url_stdin: Annotated[
        bool, typer.Option("--url-stdin", help="Read the address from standard input, one line.")
    ] = False,
    zone: Annotated[str, typer.Option("--zone", help="The named set of cameras it belongs to.")] = "default",
    record: Annotated[
        str | None,
        typer.Option(
            "--record", help="Address of the stream to record; may be the same. Without it nothing is recorded."
        ),
    ] = None,
    mask: Annotated[
        list[str] | None, typer.Option("--mask", help="x0,y0,x1,y1 from 0 to 1: a part never looked at; repeat it.")
    ] = None,
    min_face: Annotated[int, typer.Option("--min-face", help="Smallest face looked for, pixels wide.")] = 32,
    reencode: Annotated[
        bool,
        typer.Option(
            "--reencode", help="Record it encoded anew, masks in the pixels: only H.264; half a core a 1080p stream."
        ),
    ] = False,
) -> None:
    """Add a camera. Its address is encrypted, and never shown again with its password."""
    body: Json = {
        "name": name,
        "url": _one_url(url or [], url_stdin=url_stdin),
        "record_url": record,
        "purpose": purpose,
        "zone": zone,
        "masks": [parse_mask(text) for text in mask or []],
        "min_face_px": min_face,
        "reencode": reencode,
    }
    done = client.post("cameras", body=body)
    client.tell(done, lambda: say(f"{done['camera']} is added to the zone {done['zone']}: {done['source']}"))
    if record and mask and not reencode:
        note("masks do not apply to what is recorded of it: --reencode paints them there, too, of H.264", "default")


def _one_url(given: list[str], *, url_stdin: bool) -> str:
    """Return the address. Several are taken as arguments only so that no message repeats one with its password.

    Raises:
        UsageError: none, several, or both an argument and standard input.
    """
    if url_stdin and not given:
        return read_secret_line("--url-stdin")
    if url_stdin or len(given) != 1:
        raise UsageError("a camera has one address", remedy="give it once: as the second argument, or by --url-stdin")
    _check_no_path(given[0])
    return given[0]


def _check_no_path(given: str) -> None:
    """Check that what was given is no file's path: that file may stand for a camera, but by its address.

    Raises:
        UsageError: it is; says which address, and which folder must be listed.
    """
    path = Path(given)
    if "://" in given or not path.is_file():
        return
    raise UsageError(
        f"{path} is a file, which is given by its address",
        remedy=f"list {path.resolve().parent} as cameras.folders in habeas.yaml, start the node again, and give "
        f"{path.resolve().as_uri()}",
    )


def parse_mask(text: str) -> tuple[float, ...]:
    """Return the corners of `x0,y0,x1,y1`.

    Raises:
        UsageError: not four numbers.
    """
    try:
        corners = tuple(float(part) for part in text.split(","))
    except ValueError:
        corners = ()
    if len(corners) != _CORNERS or not all(0 <= one <= 1 for one in corners):
        raise UsageError(f"--mask {text!r}: not x0,y0,x1,y1", remedy="four numbers from 0 to 1: --mask 0,0,0.5,0.25")
    return corners


@app.command("list", epilog="Example: `habeas camera list`")
@connected
def list_cameras(client: Client) -> None:
    """List cameras: where, why, and how they stand."""
    cameras: list[Json] = client.get("cameras")
    names = ("name", "zone", "state", "recorded", "last frames", "source", "purpose", "last trouble")
    rows = [
        (
            one["camera"],
            one["zone"],
            state_text(one["state"], one["suspended_by"]),
            "yes" if one["records"] else "",
            show_told(one["last_frames"]),
            one["source"],
            one["purpose"],
            one["flaws"][-1:],
        )
        for one in cameras
    ]
    client.tell_all(cameras, lambda: table(names, rows, none="no cameras: see `habeas camera add --help`"))


def state_text(state: str, suspended_by: Sequence[Json] = ()) -> str:
    """Return how a camera stands: since a file ends, and a suspension has an id and an end, they are said so."""
    told = "ended: its file is over, nothing of it is looked at" if state == "ended" else state
    bound = [f"{one['suspension']} until {show_told(one['ends'])}" for one in suspended_by]
    return f"{told} by {', '.join(bound)}" if state == "suspended" and bound else "; ".join([told, *bound])


@app.command(epilog="Example: `habeas camera test gate`")
@connected
def test(client: Client, name: Name) -> None:
    """Open a camera and say what its stream is. No face is looked for. Exit 4 where nothing comes."""
    done = client.post("cameras", name, "test", within_s=_TEST_S)
    client.tell(done, lambda: facts([(key.replace("_", " "), value) for key, value in done.items()]))
    if not done["flows"]:
        raise SourceError(f"{name}: {done['flaw'] or 'nothing comes'}", remedy=str(done["remedy"]))


@app.command(epilog="Example: `habeas camera remove gate`")
@connected
def remove(client: Client, name: Name) -> None:
    """Remove a camera: nothing is read from it any more, its addresses are destroyed."""
    done = client.post("cameras", name, "remove")
    client.tell(done, lambda: say(f"{name} is removed"))


@app.command(epilog="Example: `habeas camera find --user viewer`")
def find(
    user: Annotated[str, typer.Option("--user", help="Of the cameras: also lists their streams.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read that user's password from standard input, one line.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, max=60, help="How long to listen.")] = 3.0,
    interface: Annotated[
        str, typer.Option("--interface", help="IPv4 address of the network interface to ask on.")
    ] = "",
    to: Annotated[str, typer.Option("--to", help="Ask HOST[:PORT] alone, where multicast does not reach it.")] = "",
    network: Annotated[
        list[str] | None, typer.Option("--network", help="Cameras may also be in this network, 203.0.113.0/24.")
    ] = None,
    port: Annotated[list[int] | None, typer.Option("--port", help="ONVIF may also be on this port.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask the local network for ONVIF cameras, from this machine, and say how to add them. Changes nothing."""
    with reporting(as_json=as_json, debug=debug):
        # Imported late: `habeas --help` loads no video.
        from habeas.video.address import rules_with  # noqa: PLC0415
        from habeas.video.onvif import WS_DISCOVERY, discover  # noqa: PLC0415

        option = "--password-stdin"
        password = read_secret_line(option) if password_stdin else ""
        if user and not password:
            password = ask_secret("password", twice=False, option=option)
        rules = rules_with(network or [])
        target = _target(to, WS_DISCOVERY)
        found = discover(seconds, rules=rules, interface=interface, to=target)
        if not found and not as_json:
            note("no camera answered; is the interface right? See --interface and --to", "default")
        for camera in found:
            _tell_found(camera, _streams(camera, user, password, rules, tuple(port or ())), as_json=as_json)


def _target(text: str, usual: tuple[str, int]) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        raise UsageError(f"--to {text!r}: not HOST[:PORT]", remedy="write --to 10.0.0.7")
    return (host or usual[0], int(port) if port else usual[1])


def _streams(
    camera: "FoundCamera", user: str, password: str, rules: "AddressRules", ports: tuple[int, ...]
) -> "list[FoundStream] | HabeasError":
    """Return a camera's streams, or what is wrong with it: the others are listed all the same."""
    from habeas.video.onvif import ONVIF_PORTS, streams  # noqa: PLC0415 - as above

    if not user:
        return []
    try:
        return streams(camera.host, camera.port, user, password, rules=rules, ports=(*ONVIF_PORTS, *ports))
    except HabeasError as error:
        return error


def _tell_found(camera: "FoundCamera", streams: "list[FoundStream] | HabeasError", *, as_json: bool) -> None:
    problem = streams if isinstance(streams, HabeasError) else None
    offered = [] if isinstance(streams, HabeasError) else streams
    if as_json:
        told: Json = {**asdict(camera), "streams": [asdict(one) for one in offered]}
        put(told if problem is None else {**told, "error": problem.as_json()})
        return
    say(f"{camera.host}:{camera.port}  {camera.name or 'without a name'}")
    if problem is not None:
        say(f"  {problem.message}: {problem.remedy}")
    for one in offered:
        size = "x".join(map(str, one.size_wh)) if one.size_wh else "size not said"
        say(f"  {one.profile or 'stream'}  {size}  {one.encoding}")
        say(f"    {one.refused}" if one.refused else f"    {add_command(one.url)}")


def add_command(url: str) -> str:
    """Return the command that adds a camera; user and password go to its standard input, with the address."""
    return f"habeas camera add NAME --purpose TEXT {shlex.quote(url)}"
