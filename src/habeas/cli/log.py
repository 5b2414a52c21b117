"""`habeas audit ...` of a node that runs: how its log stands, what is in it, an auditor's export, a new epoch."""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from habeas.cli.binding import Hash, Yes, confirmed_hash
from habeas.cli.client import Client, Json, connected
from habeas.cli.names import named, names_by_account
from habeas.cli.output import bar, note, say
from habeas.cli.tables import facts, table
from habeas.cli.times import show_told
from habeas.errors import DiskError, InputError

if TYPE_CHECKING:
    from habeas.audit.checkpoint import SignedCheckpoint

_PAGE: Final = 4096
_TRIES: Final = 3
_EPOCHS: Final = "epochs.json"
app = typer.Typer(rich_markup_mode="markdown")
epoch_app = typer.Typer(
    help="A log that cannot go on, since it or its database was set back, begins anew: two approvers say so.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(epoch_app, name="epoch")


@app.command(epilog="Example: `habeas audit status`")
@connected
def status(client: Client) -> None:
    """Say how far the log is signed, who has witnessed it, and whether it is in doubt."""
    told: Json = client.get("log")

    def text() -> None:
        facts(
            [
                ("log", told["origin"]),
                ("signed", told["signed"]),
                ("witnessed", _witnessed(told)),
                ("in doubt", told["doubt"] or False),
            ]
        )
        for one in told["witnesses"]:
            say(f"  {one['name']}: {'cosigned' if one['cosigned'] else one['problem']}")

    client.tell(told, text)


def _witnessed(told: Json) -> str:
    if not told["quorum"]:
        return "self-witnessed: the policy names nobody"
    signed = sum(one["cosigned"] for one in told["witnesses"])
    last = show_told(told["witnessed"]) if told["witnessed"] else "never"
    return f"{last} ({signed} of {len(told['witnesses'])} cosigned the last checkpoint, {told['quorum']} are needed)"


@app.command(epilog="Example: `habeas audit key`")
@connected
def key(client: Client) -> None:
    """Print the log's public keys, one an epoch: to be published where the log is not, and given to witnesses."""
    rows: list[Json] = client.get("log", "epochs")
    client.tell_all(rows, lambda: _say_keys(rows))


def _say_keys(rows: list[Json]) -> None:
    for row in rows:
        say(row["vkey"])
    if not rows:
        note("the log begins within a minute of `habeas serve`")


@app.command(epilog="Example: `habeas audit show --from 7300 --limit 20`")
@connected
def show(
    client: Client,
    first: Annotated[int, typer.Option("--from", min=0, help="Number of the first entry.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_PAGE, help="How many at most.")] = 50,
) -> None:
    """Show entries, opened as far as they still can be. For auditors; that you looked is an entry too.

    Entries name people by pseudonym; who that is is shown beside it for as long as it can be read, and only here.
    """
    rows: list[Json] = client.get("log", "entries", first=first, limit=limit)
    names = names_by_account(client)
    told = [_shown(row["opening"], row["hidden"], names) for row in rows]
    client.tell_all(
        rows, lambda: table(["entry", "at", "type", "by", "what"], told, none="there are none from there on")
    )


def _shown(one: Json, hidden: Json | None, names: Mapping[str, str]) -> tuple[object, ...]:
    said = _said(one["body"], hidden, one["hidden"], names)
    return one["seq"], show_told(one["at"]), one["type"], named(one["actor"], names), said


def _said(body: Json, hidden: Json | None, commitment: str | None, names: Mapping[str, str]) -> str:
    fields = {name: value for name, value in body.items() if name != "v"}
    if hidden is not None:
        fields |= {name: value for name, value in hidden.items() if name != "salt"}
    lost = " (the rest is destroyed)" if commitment is not None and hidden is None else ""
    return ", ".join(f"{name}={named(value, names)}" for name, value in fields.items()) + lost


# --- an auditor's export ----------------------------------------------------------------------------------------------


@app.command(epilog="Example: `habeas audit export audit-2026-11`")
@connected
def export(
    client: Client, folder: Annotated[Path, typer.Argument(metavar="DIR", help="New, or of an export to go on with.")]
) -> None:
    """Write the whole log with its openings into a folder, for auditors: to be verified anywhere, without the node.

    It can be broken off and begun again. It holds who did what; where alerts were, while they have their keys.
    """
    epochs: list[Json] = client.get("log", "epochs")
    if not epochs:
        raise InputError("the log has not begun", remedy="it begins within a minute of `habeas serve`: try again")
    heads = [_export_epoch(client, folder / str(row["number"]), int(row["number"])) for row in epochs]
    ends = [int(row["first_seq"]) + head.checkpoint.size for row, head in zip(epochs, heads, strict=True)]
    lacking = sum(_export_left(client, folder, row, end) for row, end in _left(epochs, ends))
    _export_openings(client, folder, ends[-1])
    _put(folder / _EPOCHS, json.dumps(epochs, indent=1).encode())  # last: it says until when an export goes
    named = [str(one["name"]) for one in client.get("log")["witnesses"]]
    signed = len({one.name for one in heads[-1].note.signatures} & set(named))
    told = {"folder": str(folder), "epochs": len(epochs), "entries": ends[-1], "lacking": lacking}
    client.tell({**told, "witnesses": signed}, lambda: _say_export(folder, ends[-1], lacking, signed, len(named)))


def _say_export(folder: Path, entries: int, lacking: int, signed: int, named: int) -> None:
    witnesses = f" --witness ... ({signed} of {named} witnesses signed it)" if signed else ""
    say(f"{folder}: {entries} entries; see `habeas audit verify {folder} --key ...`{witnesses}")
    if not signed:
        why = "none of its witnesses signed its last checkpoint" if named else "the policy names no witness"
        note(f"unwitnessed: {why}. It verifies, and does not show that others see the same log", "yellow")
    if lacking:
        note(
            f"{lacking} entries of earlier epochs were lost here, and are not in it: an older export has them", "yellow"
        )


def _export_epoch(client: Client, folder: Path, number: int) -> "SignedCheckpoint":
    """Fetch an epoch's files; return its checkpoint. The log goes on meanwhile: a partial file may have grown away."""
    for _try in range(_TRIES):
        try:
            return _fetch_epoch(client, folder, number)
        except InputError:
            continue
    return _fetch_epoch(client, folder, number)


def _fetch_epoch(client: Client, folder: Path, number: int) -> "SignedCheckpoint":
    from habeas.audit.checkpoint import parse_checkpoint  # noqa: PLC0415 - loads cryptography
    from habeas.audit.tiles import tiles_of, written_tiles  # noqa: PLC0415

    checkpoint = client.content("log", "epochs", str(number), "file", name="checkpoint")
    head = parse_checkpoint(checkpoint)
    size = head.checkpoint.size
    names = [tile.path for tile in written_tiles(0, size)] + [tile.bundle_path for tile in tiles_of(0, 0, size)]
    with bar(f"epoch {number}", len(names)) as progress:
        for name in names:
            if not (folder / name).is_file():
                _put(folder / name, client.content("log", "epochs", str(number), "file", name=name))
            progress.advance(progress.task_ids[0])
    _put(folder / "checkpoint", checkpoint)
    return head


def _left(epochs: list[Json], ends: list[int]) -> Iterator[tuple[Json, tuple[int, int]]]:
    """Yield each epoch that has entries which no later one has, and from which number to which."""
    for (row, end), (after, _) in itertools.pairwise(zip(epochs, ends, strict=True)):
        first = int(after["first_seq"])
        if first < end:
            yield row, (first, end)


def _export_left(client: Client, folder: Path, row: Json, span: tuple[int, int]) -> int:
    """Write what only this epoch has; return how many entries lack. The node has it all, or what it has is gone.

    Then the export that is in the folder, if it was made before, may have some: it is not written over.
    """
    from habeas.audit.openings import left_file  # noqa: PLC0415 - loads cryptography

    (first, end), path, number = span, folder / left_file(int(row["number"])), int(row["number"])
    with bar(f"left behind by epoch {number}", None):
        told = list(_lines(client, first, end, "epochs", str(number), "left-behind"))
    kept = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    lines = max(told, kept, _older(folder, number, first, end), key=len)
    if lines:
        _put(path, b"".join(lines))
    return end - first - len(lines)


def _older(folder: Path, number: int, first: int, end: int) -> list[bytes]:
    """Return the openings of an older export in this folder, if it was made while this epoch was the last."""
    from habeas.audit.openings import A_FILE, openings_file  # noqa: PLC0415

    try:
        if len(json.loads((folder / _EPOCHS).read_bytes())) != number:
            return []
        files = {start: folder / openings_file(start) for start in range(first // A_FILE * A_FILE, end, A_FILE)}
        lines = {start: path.read_bytes().splitlines(keepends=True) for start, path in files.items()}
    except (OSError, ValueError):
        return []
    return [line for start in lines for seq, line in enumerate(lines[start], start) if first <= seq < end]


def _export_openings(client: Client, folder: Path, entries: int) -> None:
    from habeas.audit.openings import A_FILE, openings_file  # noqa: PLC0415 - loads cryptography

    with bar("openings", entries) as progress:
        for start in range(0, entries, A_FILE):
            end = min(start + A_FILE, entries)
            _put(folder / openings_file(start), b"".join(_lines(client, start, end, "entries")))
            progress.advance(progress.task_ids[0], end - start)


def _lines(client: Client, first: int, end: int, *path: str) -> Iterator[bytes]:
    for start in range(first, end, _PAGE):
        for row in client.get("log", *path, first=start, limit=min(_PAGE, end - start)):
            yield json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _put(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise DiskError(f"{path}: {error.strerror}", remedy="choose another place") from error


# --- a new epoch ------------------------------------------------------------------------------------------------------


@epoch_app.command("show", epilog="Example: `habeas audit epoch show`")
@connected
def show_epoch(client: Client) -> None:
    """Show after which checkpoint a new epoch would begin. For approvers, where the log is in doubt."""
    told: Json = client.get("log", "epoch")
    client.tell(told, lambda: _say_epoch(told))


def _say_epoch(told: Json) -> None:
    origin, size, root = (*str(told["prior"]).split("\n"), "", "", "")[:3]
    facts(
        [
            ("last checkpoint of", origin),
            ("entries", size),
            ("root", root),
            ("entries not in it begin at", told["first_seq"]),
            ("hash", told["content_hash"]),
        ]
    )


@epoch_app.command("approve", epilog="Example: `habeas audit epoch approve`")
@connected
def approve_epoch(client: Client, given: Hash = "", yes: Yes = False) -> None:
    """Say that the log begins anew after that checkpoint. With the second approver it does; witnesses need its new key.

    First make sure why it is in doubt: a copy that runs elsewhere must be stopped, not continued.
    """
    told: Json = client.get("log", "epoch")
    if not client.as_json:
        _say_epoch(told)
    bound = confirmed_hash(told["content_hash"], given, yes=yes)
    done = client.post("log", "epoch", body={"content_hash": bound})
    text = (
        "a new epoch begins: give its key to the witnesses (habeas audit key)"
        if done["begun"]
        else ("noted: one more approver begins it")
    )
    client.tell(done, lambda: say(text))
