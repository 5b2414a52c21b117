"""`habeas witness`: cosign the audit logs of others. It stands alone: no workspace, no database, no models."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from habeas.cli.options import AsJson, Debug
from habeas.cli.output import note, put, reporting, say
from habeas.cli.serve import Telling, printing
from habeas.cli.tables import table
from habeas.cli.writer import LogLines

if TYPE_CHECKING:
    from habeas.audit.witness import Cosigned, Told, Witness

app = typer.Typer(
    help="Cosign the audit logs of others, so that none can show two histories. Needs no installation.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder: its key, and what it cosigned.")]
_DAMAGED = "damaged: nothing of it is cosigned"


@app.command(epilog="Example: `habeas witness init /var/lib/witness --name witness.example.org/habeas`")
def init(
    folder: Folder,
    name: Annotated[
        str, typer.Option("--name", help="Of its key: a host of yours and a path. Unique in the world, for ever.")
    ],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make a witness with a key of its own, and print the verifier key that others know it by."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.audit.witness import Witness  # noqa: PLC0415 - loads cryptography
        from habeas.clock import SystemClock  # noqa: PLC0415

        key = Witness.found(folder, name, SystemClock()).key.encode()
        if as_json:
            put({"witness": name, "key": key, "folder": str(folder)})
            return
        say(key)
        note(
            "Give this line to who runs the log, and publish it where they cannot change it: on your own site.",
            "default",
        )
        note(f"Take the line of `habeas audit key` from them:  habeas witness add {folder} LOG_KEY", "default")
        note(f"Then:  habeas witness serve {folder}", "default")
        note(f"Keep {folder} out of every backup: a witness that was restored signs two histories.", "default")


@app.command(epilog="Example: `habeas witness add /var/lib/witness city.example/habeas+0123abcd+AQ...`")
def add(
    folder: Folder,
    log_key: Annotated[str, typer.Argument(metavar="LOG_KEY", help="What `habeas audit key` prints at the log.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Begin to cosign a log. A witness that is running knows it at once."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.audit.note import parse_key  # noqa: PLC0415 - loads cryptography

        witness, key = _opened(folder), parse_key(log_key.strip())
        witness.add_log(key)
        if as_json:
            put({"log": key.name, "key": key.encode()})
            return
        say(f"{witness.name} cosigns {key.name} from its next checkpoint on")


@app.command("list", epilog="Example: `habeas witness list /var/lib/witness --json`")
def show(folder: Folder, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show the witness's key, the logs that it cosigns, how far, and how many refused requests it kept."""
    with reporting(as_json=as_json, debug=debug):
        witness = _opened(folder)
        logs = witness.logs()
        if as_json:
            put({"witness": witness.name, "key": witness.key.encode(), "logs": [_as_json(one) for one in logs]})
            return
        say(witness.key.encode())
        rows = [(one.log, one.size if one.key else _DAMAGED, one.evidence) for one in logs]
        table(("log", "cosigned entries", "refusals kept"), rows, none="no logs yet: habeas witness add DIR LOG_KEY")


def _as_json(one: "Cosigned") -> dict[str, object]:
    key = one.key.encode() if one.key else None
    return {"log": one.log, "key": key, "damaged": one.key is None, "size": one.size, "evidence": one.evidence}


@app.command(epilog="Example: `habeas witness serve /var/lib/witness --listen 127.0.0.1:7380`")
def serve(
    folder: Folder,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT. Port 0: any that is free.")] = "127.0.0.1:7380",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Answer logs over HTTP, in the foreground. Others reach it through a web server that adds TLS.

    Prints a line when it is ready, for each request that it refused and kept, and for each problem. SIGTERM or Ctrl-C
    ends it within seconds; killed or without power it loses nothing that it answered.
    """
    with reporting(as_json=as_json, debug=debug), printing(as_json=as_json) as (telling, log):
        with suppress(KeyboardInterrupt):  # SIGTERM too: being asked to stop is how this ends
            _serve(_opened(folder), listen, telling, log)
        telling.tell({"event": "stopped"})


def _serve(witness: "Witness", place: str, telling: Telling, log: LogLines) -> None:
    from habeas.web.server import serve as answer  # noqa: PLC0415 - loads the web server
    from habeas.web.witness import (  # noqa: PLC0415
        FAREWELL_S,
        MAX_CLIENTS,
        address_of,
        listen_at,
        make_witness_api,
    )

    with listen_at(place) as listener:
        logs = witness.logs()
        for one in logs:
            if one.key is None:
                telling.tell({"event": "damaged", "file": one.log, "remedy": "see docs/witness.md"})
        ready = {"event": "listening", "witness": witness.name, "address": address_of(listener), "logs": len(logs)}
        telling.tell(ready)
        api = make_witness_api(witness, telling.problem, _refused(telling))
        answer(api, listener, log, clients=MAX_CLIENTS, farewell_s=FAREWELL_S)


def _refused(telling: Telling) -> "Callable[[Told], None]":
    def tell(told: "Told") -> None:
        why = "another tree of this size" if told.is_size else told.body.decode("ascii", "replace").strip()
        telling.tell({"event": "refused", "status": told.status, "why": why, "evidence": told.evidence})

    return tell


def _opened(folder: Path) -> "Witness":
    from habeas.audit.witness import Witness  # noqa: PLC0415 - loads cryptography
    from habeas.clock import SystemClock  # noqa: PLC0415

    return Witness(folder, SystemClock())
