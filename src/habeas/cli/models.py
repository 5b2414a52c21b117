"""`habeas models pull | list | verify`."""

from pathlib import Path
from typing import Annotated

import typer

from habeas.cli.options import AsJson, Debug
from habeas.cli.output import note, put, reporting, say, tell_pull
from habeas.models.checks import check_file
from habeas.models.manifest import DEFAULT_PACK, PackagedFile
from habeas.models.pull import copy_from, download_mb, fetch, is_present, missing
from habeas.settings import load_settings

app = typer.Typer(
    help="The networks Habeas runs: fetch, list, check.", no_args_is_help=True, rich_markup_mode="markdown"
)


@app.command(epilog="Example: `habeas models pull --from /media/usb/models`")
def pull(
    from_folder: Annotated[
        Path | None, typer.Option("--from", help="Take files or packages from a folder: no network needed.")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="Fetch files by name below this web address instead.")] = "",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Fetch the model files, check their hashes, keep them in the user's cache. Files already there are left alone."""
    with reporting(as_json=as_json, debug=debug):
        settings = load_settings().models
        lacking = missing(DEFAULT_PACK.files, settings.folder)
        if lacking and not from_folder and not as_json:
            note(f"fetching {len(lacking)} files, about {download_mb(lacking)} MB, into {settings.folder}")
        if from_folder:
            copy_from(from_folder, lacking, settings.folder, report=tell_pull)
        else:
            fetch(DEFAULT_PACK.files, settings.folder, report=tell_pull, base_url=url or settings.base_url)
        _show(settings.folder, as_json)


@app.command("list", epilog="Example: `habeas models list --json`")
def list_files(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the model files: where they come from, licence, whether they are here."""
    with reporting(as_json=as_json, debug=debug):
        _show(load_settings().models.folder, as_json)


@app.command(epilog="Example: `habeas models verify`")
def verify(as_json: AsJson = False, debug: Debug = False) -> None:
    """Check every model file against its pinned hash. Exit 5 if one is missing or wrong."""
    with reporting(as_json=as_json, debug=debug):
        folder = load_settings().models.folder
        for file in DEFAULT_PACK.files:
            check_file(folder / file.name, file)
        if as_json:
            put({"event": "verified", "folder": str(folder), "files": [file.name for file in DEFAULT_PACK.files]})
        else:
            say(f"{len(DEFAULT_PACK.files)} files in {folder} are the pinned ones")


def _show(folder: Path, as_json: bool) -> None:
    for file in DEFAULT_PACK.files:
        state = _state(folder, file)
        if as_json:
            put({"event": "model", "pack": DEFAULT_PACK.name, "state": state, **_described(file)})
        else:
            package = f"{file.carrier.value} {file.requirement}"
            say(f"{state:8} {file.name:22} {file.size / 1e6:5.1f} MB  {file.licence:5} {package}")
    if not as_json:
        say(f"in {folder}")


def _described(file: PackagedFile) -> dict[str, object]:
    return {
        "name": file.name,
        "carrier": file.carrier.value,
        "package": file.requirement,
        "licence": file.licence,
        "sha256": file.sha256,
        "bytes": file.size,
    }


def _state(folder: Path, file: PackagedFile) -> str:
    if is_present(file, folder):
        return "present"
    return "wrong" if (folder / file.name).exists() else "missing"
