"""`habeas audit ...` of a node that runs: how its log stands, what is in it, an auditor's export, a new epoch."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from habeas.cli.binding import Hash, Yes, confirmed_hash
from habeas.cli.client import Client, Json, connected
from habeas.cli.names import named, names_by_account
from habeas.cli.output import bar, note, say
from habeas.cli.tables import facts, table
from habeas.cli.times import show_told
from habeas.errors import DiskError, InputError

_PAGE: Final = 4096
_TRIES: Final = 3
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
    _make(folder)
    _put(folder / "epochs.json", json.dumps(epochs, indent=1).encode())
    entries = 0
    for row in epochs:
        entries = int(row["first_seq"]) + _export_epoch(client, folder / str(row["number"]), int(row["number"]))
    _export_openings(client, folder, entries)
    told = {"folder": str(folder), "epochs": len(epochs), "entries": entries}
    client.tell(told, lambda: say(f"{folder}: {entries} entries; see `habeas audit verify {folder} --key ...`"))


def _export_epoch(client: Client, folder: Path, number: int) -> int:
    """Fetch an epoch's files; return its size. The log goes on meanwhile: a partial file may have grown away."""
    for _try in range(_TRIES):
        try:
            return _fetch_epoch(client, folder, number)
        except InputError:
            continue
    return _fetch_epoch(client, folder, number)


def _fetch_epoch(client: Client, folder: Path, number: int) -> int:
    from habeas.audit.checkpoint import parse_checkpoint  # noqa: PLC0415 - loads cryptography
    from habeas.audit.tiles import tiles_of, written_tiles  # noqa: PLC0415

    checkpoint = client.content("log", "epochs", str(number), "file", name="checkpoint")
    size = parse_checkpoint(checkpoint).checkpoint.size
    names = [tile.path for tile in written_tiles(0, size)] + [tile.bundle_path for tile in tiles_of(0, 0, size)]
    with bar(f"epoch {number}", len(names)) as progress:
        for name in names:
            if not (folder / name).is_file():
                _put(folder / name, client.content("log", "epochs", str(number), "file", name=name))
            progress.advance(progress.task_ids[0])
    _put(folder / "checkpoint", checkpoint)
    return size


def _export_openings(client: Client, folder: Path, entries: int) -> None:
    from habeas.audit.openings import A_FILE, openings_file  # noqa: PLC0415 - loads cryptography

    with bar("openings", entries) as progress:
        for start in range(0, entries, A_FILE):
            end = min(start + A_FILE, entries)
            lines = "".join(_lines(client, start, end))
            _put(folder / openings_file(start), lines.encode())
            progress.advance(progress.task_ids[0], end - start)


def _lines(client: Client, first: int, end: int) -> Iterator[str]:
    for start in range(first, end, _PAGE):
        for row in client.get("log", "entries", first=start, limit=min(_PAGE, end - start)):
            yield json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder}: {error.strerror}", remedy="choose another place") from error


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
