"""`habeas backup` and `habeas restore`."""

from pathlib import Path
from typing import Annotated

import typer

from habeas.cli.client import Where
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import note, put, reporting, say


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup; there must be no such file yet.")],
    where: Where = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write database and settings into one file. The keys are not in it, on purpose; the node may run."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.clock import SystemClock  # noqa: PLC0415 - loads the database
        from habeas.node.restoring import back_up  # noqa: PLC0415
        from habeas.node.workspace import find_workspace, load_workspace  # noqa: PLC0415

        workspace = load_workspace(find_workspace(where))
        back_up(workspace, file, SystemClock())
        if as_json:
            put({"backup": str(file), "keys": str(workspace.keys_folder)})
            return
        say(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
        note(f"The keys are not in it: they are in {workspace.keys_folder}, and what they no longer open is gone.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `habeas backup` wrote.")],
    where: Where = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put a backup in the place of the database, which is moved aside.

    Settings stay as they are. What was discarded since stays discarded. Every login and token ends, and nothing is
    compared until two approvers have said that this is right: habeas clock confirm.
    """
    with reporting(as_json=as_json, debug=debug):
        from habeas.clock import SystemClock  # noqa: PLC0415 - loads the database
        from habeas.node.restoring import bring_back  # noqa: PLC0415
        from habeas.node.workspace import find_workspace, load_workspace  # noqa: PLC0415

        done = bring_back(load_workspace(find_workspace(where)), file, SystemClock())
        if as_json:
            settings = None if done.settings is None else str(done.settings)
            told = {"restored": str(file), "aside": list(done.aside), "settings_of_backup": settings}
            put({**told, "settings_difference": list(done.difference)})
            return
        say(f"restored {file}")
        for path in done.aside:
            note(f"kept aside: {path}")
        if done.settings is not None:
            say(f"The settings stay as they are. The backup's are in {done.settings}; they differ:")
            for line in done.difference:
                say(f"  {line}")
            say("Take over by hand what is meant, then remove that file.")
        say("Restored: nothing is compared until two approvers confirm. Each runs: habeas clock confirm")
