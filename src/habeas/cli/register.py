"""`habeas register`: make the public register from an auditor's export, and check a published one against it."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from habeas.cli.options import AsJson, Debug
from habeas.cli.output import put, reporting, say
from habeas.errors import InputError, UsageError

if TYPE_CHECKING:
    from habeas.audit.checkpoint import SignedCheckpoint
    from habeas.audit.fetching import OpeningsFolder
    from habeas.register.document import Document

app = typer.Typer(
    help="The public register: make it from an auditor's export, and check a published one.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Export = Annotated[str, typer.Option("--from", help="Folder of an auditor's export, which you have verified.")]


@app.command(epilog="Example: `habeas register build public --from export`")
def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="For the pages; made if it is not there.")],
    export: Export,
    exact: Annotated[bool, typer.Option("--exact", help="Nothing is merged or held back: for auditors alone.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make the register of an export, without the node. What the operator states is in no log, and is left out."""
    with reporting(as_json=as_json, debug=debug), ExitStack() as stack:
        from habeas.register.publish import publish  # noqa: PLC0415 - loads templates

        document = _computed(export, stack, exact=exact)
        publish(folder, document)
        if as_json:
            put({"event": "built", "folder": str(folder), "entries": document["entries_now"], "made": document["made"]})
        else:
            say(f"{folder}: the register of {document['entries_now']} entries")


@app.command(epilog="Example: `habeas register check https://example.org/register.json --from export`")
def check(
    where: Annotated[str, typer.Argument(metavar="REGISTER", help="File or web address of register.json.")],
    export: Export,
    exact: Annotated[bool, typer.Option("--exact", help="Print the exact figures of that moment, too.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compute every number of a published register anew. What its operator states (who runs it) is in no log.

    Exit status 7: something differs; the first that does is named.
    """
    with reporting(as_json=as_json, debug=debug), ExitStack() as stack:
        from habeas.register.checking import check as compare  # noqa: PLC0415 - loads templates
        from habeas.register.document import parse  # noqa: PLC0415

        published = parse(_read(where, stack))
        checked = compare(published, _openings(export))
        if as_json:
            put({"event": "checked", "register": where, "entries": checked.entries, "made": published["made"]})
        else:
            say(f"holds: every number of the register of {published['made']}, from {checked.entries} entries")
        if exact:
            put(checked.exact)


def _openings(export: str) -> "OpeningsFolder":
    from habeas.audit.fetching import openings_at  # noqa: PLC0415 - loads HTTP

    openings = openings_at(export)
    if openings is None:
        raise UsageError(f"{export} has no openings", remedy="give the folder of an auditor's export")
    return openings


def _computed(export: str, stack: ExitStack, *, exact: bool) -> "Document":
    from habeas.clock import SystemClock  # noqa: PLC0415
    from habeas.register.checking import computed  # noqa: PLC0415 - loads templates
    from habeas.register.figures import Stated  # noqa: PLC0415
    from habeas.types import NS_PER_S  # noqa: PLC0415

    made_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S
    return computed(_openings(export), made_ns, Stated(), _head(export, stack), exact=exact)


def _head(export: str, stack: ExitStack) -> "SignedCheckpoint | None":
    """Return the last checkpoint of an export."""
    from habeas.audit.checkpoint import parse_checkpoint  # noqa: PLC0415
    from habeas.audit.fetching import Fetcher, source_at  # noqa: PLC0415 - loads HTTP
    from habeas.audit.inputs import logs_at  # noqa: PLC0415
    from habeas.audit.log import CHECKPOINT  # noqa: PLC0415
    from habeas.clock import SystemClock  # noqa: PLC0415

    fetcher = stack.enter_context(Fetcher(SystemClock()))
    logs = logs_at(source_at(export, fetcher), lambda name: source_at(f"{export}/{name}", fetcher))
    last = logs[-1].source
    return parse_checkpoint(last.read(CHECKPOINT)) if last.has(CHECKPOINT) else None


def _read(where: str, stack: ExitStack) -> bytes:
    from habeas.audit.fetching import Fetcher, checked_url, is_url  # noqa: PLC0415 - loads HTTP
    from habeas.clock import SystemClock  # noqa: PLC0415
    from habeas.register.document import MAX_BYTES  # noqa: PLC0415

    if is_url(where):
        return stack.enter_context(Fetcher(SystemClock())).get(checked_url(where), MAX_BYTES)
    try:
        with Path(where).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})", remedy="check the name") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{where} is longer than {MAX_BYTES} bytes", remedy="give register.json")
    return data
