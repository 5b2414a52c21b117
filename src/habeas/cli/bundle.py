"""`habeas audit bundle`: what the log holds of one alert or authorisation, for a court; and checking it there."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from habeas.cli.audit import Keys, Known, Quorum, given_keys, given_policy, read_file, write_file
from habeas.cli.client import Client, connected
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import check_writable, note, put, reporting, say
from habeas.cli.tables import facts
from habeas.errors import UsageError

if TYPE_CHECKING:
    from habeas.audit.bundle import Checked

app = typer.Typer(rich_markup_mode="markdown")
_MAKE_S: Final = 600.0


@app.command(epilog="Example: `habeas audit bundle alert-0123456789abcdef --out alert.zip`")
@connected
def bundle(
    client: Client,
    out: Annotated[Path, typer.Option("--out", help="The file.")],
    alert_id: Annotated[str, typer.Argument(metavar="ALERT", help="As `habeas review search` shows it.")] = "",
    authorisation: Annotated[
        str, typer.Option("--authorisation", help="Instead: all searches under it, also those that found nothing.")
    ] = "",
) -> None:
    """Write what the log holds of an alert, with proofs, into one file that can be checked anywhere.

    For auditors and approvers; that you made it is an entry. No face is in it.
    """
    if bool(alert_id) == bool(authorisation):
        raise UsageError("a bundle is about one alert, or one authorisation", remedy="give ALERT or --authorisation ID")
    check_writable(out, "--out")
    path = ("alerts", alert_id) if alert_id else ("authorisations", authorisation)
    data = client.made(*path, "bundle", within_s=_MAKE_S)
    write_file(out, data)
    client.tell({"bundle": str(out), "bytes": len(data)}, lambda: say(f"{out}: see README.txt in it"))


@app.command("open-bundle", epilog="Example: `habeas audit open-bundle alert.zip --key 'example.org/log+...'`")
def open_bundle(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="From `habeas audit bundle`.")],
    keys: Keys = None,
    witnesses: Known = None,
    quorum: Quorum = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check a bundle offline: every file, proof, opening and verdict, and print what it comes to.

    Exit status 7: it does not hold.
    """
    with reporting(as_json=as_json, debug=debug):
        from habeas.audit.bundle import MAX_BYTES, check  # noqa: PLC0415 - loads cryptography

        found = check(read_file(path, MAX_BYTES), given_keys(keys), given_policy(witnesses, quorum))
        if as_json:
            put(_as_json(found))
        else:
            _say(found)


def _as_json(found: "Checked") -> dict[str, object]:
    told = found.told
    return {
        "event": "audit-bundle",
        "of": told["of"],
        "made_at": told["made_at"],
        "entries": len(told["entries"]),
        "proven": found.proven,
        "unproven": list(found.unproven),
        "witnesses": found.witnesses,
        "abstract": told["abstract"],
    }


def _say(found: "Checked") -> None:
    told, abstract = found.told, found.told["abstract"]
    say(f"holds: {found.proven} entries are proven, of {len(told['entries'])}")
    rows: list[tuple[str, object]] = [(f"bundle of the {name}", value) for name, value in told["of"].items()]
    for name, one in abstract["authorisations"].items():
        rows += [
            ("authorisation", name),
            ("purpose", one["purpose"]),
            ("decision", f"{one['decision_status']} {one['decision'] or ''}".strip()),
        ]
    rows.append(("approvals", len(abstract["approvals"])))
    rows += _searches(abstract["searches"])
    for name, one in abstract["alerts"].items():
        rows += [
            ("alert", name),
            ("outcome", one["outcome"] or "undecided"),
            ("threshold", f"{one['threshold']}, gallery of {one['gallery_size']}, {one['model']}"),
        ]
    facts(rows)
    if found.unproven:
        note(f"{len(found.unproven)} entries were in no checkpoint yet: nothing vouches for them")
    if found.proven and not found.witnesses:
        note("no witness signed some checkpoint: nothing here shows that others see the same log")


def _searches(told: Mapping[str, Any]) -> list[tuple[str, object]]:
    return [("searches", told["number"])]
