"""`habeas watch`: look for up to three people who consent, in files, folders of images and streams."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from habeas.cli.events import Printer
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import bar, pull_report, reporting
from habeas.comparison.calibration import DEFAULT_FPIR
from habeas.errors import InputError, UsageError


def watch(
    sources: Annotated[list[str], typer.Argument(help="Video files, folders of images, rtsp:// addresses.")],
    subject: Annotated[
        list[str], typer.Option("--subject", help="NAME=IMAGE[,IMAGE...]; at most three people, each of whom consents.")
    ],
    basis: Annotated[str, typer.Option("--basis", help="`consent`: without a workspace there is no other.")],
    fpir: Annotated[
        float, typer.Option("--fpir", help="Share of strangers' tracks that may alert; at most 1e-3.")
    ] = DEFAULT_FPIR,
    snapshots: Annotated[
        Path | None,
        typer.Option("--snapshots", help="Write a crop of each alert's face into this folder; of nobody else's."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Look for people who consent, and print an alert the first time each is seen.

    Opens an authorisation for this run only: at most 3 subjects, 2 live sources, 8 hours. Nothing about anybody else
    is written anywhere.
    """
    with reporting(as_json=as_json, debug=debug):
        began = time.perf_counter(), time.process_time()
        wanted = parse_subjects(subject)
        # Imported late: `habeas --help` loads no video and no inference.
        from habeas.app import App  # noqa: PLC0415
        from habeas.watching import Watch, check_limits  # noqa: PLC0415

        check_limits(sources, len(wanted), basis=basis, fpir=fpir)
        printer = Printer(as_json=as_json, snapshots=snapshots)
        with ExitStack() as stack:
            app = App(before_pull=pull_report)
            watching = stack.enter_context(Watch(app, sources, wanted, basis=basis, fpir=fpir, began=began))
            printer.opened(watching)
            progress = stack.enter_context(bar("watching", watching.length_s))
            watching.on_progress = lambda seconds: progress.update(progress.task_ids[0], completed=seconds)
            printer.follow(watching)


def parse_subjects(given: list[str]) -> dict[str, list[Path]]:
    """Read `NAME=IMAGE[,IMAGE...]`.

    Raises:
        UsageError: not of that form.
        InputError: a name given twice.
    """
    wanted: dict[str, list[Path]] = {}
    for text in given:
        name, separator, images = text.partition("=")
        paths = [Path(image) for image in images.split(",") if image]
        if not separator or not name.strip() or not paths:
            raise UsageError(f"--subject {text}: not NAME=IMAGE", remedy="write --subject ada=ada.jpg,ada2.jpg")
        if any(0xD800 <= ord(char) <= 0xDFFF for char in name):  # noqa: PLR2004 - bytes that are no text arrive so
            raise UsageError(f"--subject {name}: the name is not text", remedy="write the name in UTF-8")
        if name.strip() in wanted:
            raise InputError(f"--subject {name} is given twice", remedy="join one person's images by commas")
        wanted[name.strip()] = paths
    return wanted
