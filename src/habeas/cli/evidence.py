"""`habeas footage evidence`: a video file that is to be searched once, under one authorisation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from habeas.cli.client import Client, Json, connected
from habeas.cli.output import bar, say
from habeas.cli.tables import table
from habeas.cli.times import parse_moment, show_told
from habeas.errors import InputError

app = typer.Typer(
    help="Video files that are handed in: each is searched once, under one authorisation, and gone with it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Id = Annotated[str, typer.Argument(help="As `habeas footage evidence list` shows it.")]
MAX_BYTES: Final = 512 << 20
_PIECE_BYTES: Final = 1 << 18
_ANSWER_S: Final = 300.0
"""The node reads all of the file before it answers."""
_MB: Final = 1e6


@app.command(
    epilog="Example: `habeas footage evidence add shop.mp4 --from '2026-05-01 10:00' --note 'camera of the shop at 12 "
    "High Street, handed over by its owner'`"
)
@connected
def add(
    client: Client,
    file: Annotated[Path, typer.Argument(help="A video file, at most 512 MB.")],
    from_text: Annotated[
        str, typer.Option("--from", help="When its first picture was taken: '2026-05-01 10:00', -3d, or RFC 3339.")
    ],
    note: Annotated[str, typer.Option("--note", help="Where it comes from, in a sentence or two.")],
) -> None:
    """Hand in a video file. It is encrypted as it comes, and nobody is looked for in it yet.

    When it was taken is what you say. What of it falls into any suspension of this installation is not searched.
    """
    from_ns = parse_moment(from_text, client.now_ns())
    size = _size(file)
    with bar("handing in, bytes", size) as progress:

        def pieces() -> Iterator[bytes]:
            with file.open("rb") as opened:
                while piece := opened.read(_PIECE_BYTES):
                    yield piece
                    progress.update(progress.task_ids[0], advance=len(piece))

        done = client.upload("evidence", content=pieces(), size=size, within_s=_ANSWER_S, from_ns=from_ns, note=note)

    def text() -> None:
        say(f"{done['evidence']}: {show_told(done['from'])} to {show_told(done['until'])}, SHA-256 {done['sha256']}")
        say(f"gone at {show_told(done['deadline'])} at the latest")
        say(f"next: habeas authorise new --evidence {done['evidence']} ...")

    client.tell(done, text)


def _size(file: Path) -> int:
    try:
        size = file.stat().st_size
        with file.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})", remedy="check the name") from None
    if not size or size > MAX_BYTES:
        what = "is empty" if not size else f"is larger than {MAX_BYTES >> 20} MB"
        raise InputError(f"{file}: {what}", remedy="give another file, or cut it")
    return size


@app.command("list", epilog="Example: `habeas footage evidence list --all`")
@connected
def list_evidence(
    client: Client,
    everything: Annotated[bool, typer.Option("--all", help="What is gone, too.")] = False,
) -> None:
    """List evidence, newest first: a requester's own; all of it for approvers, privacy officers and auditors."""
    rows: list[Json] = client.get("evidence", everything="true" if everything else "false")
    told = [
        (
            one["evidence"],
            one["state"] if not one["why"] else f"{one['state']}: {one['why']}",
            show_told(one["from"]),
            show_told(one["until"]),
            f"{one['bytes'] / _MB:.1f} MB",
            one["authorisation"] or "-",
            show_told(one["deadline"]),
        )
        for one in rows
    ]
    headings = ("id", "state", "from", "until", "size", "authorisation", "gone at")
    client.tell_all(rows, lambda: table(headings, told, none="no evidence"))


@app.command(epilog="Example: `habeas footage evidence discard evd-0123456789abcdef`")
@connected
def discard(client: Client, evidence_id: Id) -> None:
    """Destroy evidence of your own, that no request names."""
    done = client.post("evidence", evidence_id, "discard")
    client.tell(done, lambda: say(f"{done['evidence']} is destroyed"))
