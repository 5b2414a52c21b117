"""`habeas evaluate pairs | open-set | calibrate`: measure on your own folder of people."""

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from habeas import __version__
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import bar, check_writable, pull_report, put, reporting, say
from habeas.errors import DiskError

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.comparison import Calibration
    from habeas.measure.calibrate import Impostors
    from habeas.measure.dataset import Image, TemplateSet
    from habeas.measure.open_set import Miss
    from habeas.measure.report import CalibrationReport

app = typer.Typer(
    help="Measure recognition on a folder that holds one folder of images per person. Templates stay in memory.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Folder = Annotated[Path, typer.Argument(help="DIR/PERSON/IMAGE.jpg")]


@app.command(epilog="Example: `habeas evaluate pairs lfw/`")
def pairs(folder: Folder, as_json: AsJson = False, debug: Debug = False) -> None:
    """Verify 6,000 pairs: accuracy, and TAR at FAR."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.measure.pairs import draw_pairs, measure_pairs  # noqa: PLC0415 - loads inference

        images, data, loaded = _templates(folder)
        result = measure_pairs(images, data, draw_pairs([image.person for image in images]))
        if as_json:
            put({"protocol": "pairs", **asdict(result), **_ran(loaded, data)})
            return
        say(f"{result.pairs} pairs: accuracy {result.accuracy:.2%} (± {result.accuracy_std:.2%} over ten folds)")
        for far, tar in result.tar:
            say(f"  TAR {tar:.2%} at FAR {far:g}")
        _say_missed(data)


@app.command("open-set", epilog="Example: `habeas evaluate open-set lfw/ --json`")
def open_set_command(
    folder: Folder,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the DET curve into this PNG.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Search a gallery: how often enrolled people are missed (FNIR) at a rate of false candidates (FPIR)."""
    with reporting(as_json=as_json, debug=debug):
        if plot:
            check_writable(plot, "--plot")
        from habeas.measure.open_set import curve, open_set, search_all  # noqa: PLC0415 - loads inference
        from habeas.measure.plot import draw_det  # noqa: PLC0415

        _, data, loaded = _templates(folder)
        scores = search_all(data, loaded.clock)
        result = open_set(scores)
        if plot:
            draw_det(curve(scores), plot)
        if as_json:
            listed = {**asdict(result), "fnir": [_miss_json(miss) for miss in result.fnir]}
            put({"protocol": "open-set", **listed, **_ran(loaded, data)})
            return
        say(f"gallery {result.gallery}, mates {result.mates}, non-mates {result.nonmates}, rank-1 {result.rank1:.2%}")
        say("   FPIR    FNIR   95 % interval      by identity   threshold")
        for miss in result.fnir:
            interval = f"{miss.low:6.2%} to {miss.high:6.2%}"
            person = f"{miss.fnir_by_identity:8.2%}"
            say(f"{miss.fpir:7.1%} {miss.fnir:7.2%}   {interval:18} {person}      {miss.threshold:.3f}")
        _say_missed(data)


@app.command(epilog="Example: `habeas evaluate calibrate lfw/ --out table.json`")
def calibrate(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", help="Write the table here.")] = None,
    source: Annotated[str, typer.Option("--source", help="What the images are; kept with the table.")] = "",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make the table that turns similarities into FPIR; list suspected label errors, with results with and without."""
    with reporting(as_json=as_json, debug=debug):
        if out:
            check_writable(out, "--out")
        from habeas.measure.report import report_calibration  # noqa: PLC0415 - loads inference

        impostors, model_id = _impostors(folder)
        people = len(impostors.people)
        made = f"habeas {__version__} evaluate calibrate, {_today()}, {people} people of {source or folder.name}"
        report = report_calibration(impostors, model_id, made)
        if out:
            _write(out, report.whole)
        if as_json:
            put(report.as_json())
        else:
            _say_calibration(report)


def _miss_json(miss: "Miss") -> dict[str, float]:
    """Return the FNIR at one FPIR; the threshold last."""
    listed = asdict(miss)
    return {**{key: listed[key] for key in ("fpir", "fnir", "low", "high", "fnir_by_identity")}, **listed}


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _opened(folder: Path) -> "tuple[App, list[Image]]":
    from habeas.app import App  # noqa: PLC0415
    from habeas.measure.dataset import list_images  # noqa: PLC0415
    from habeas.settings import exact, load_settings  # noqa: PLC0415

    images = list_images(folder)
    return App(exact(load_settings()), before_pull=pull_report), images


def _templates(folder: Path) -> "tuple[list[Image], TemplateSet, App]":
    from habeas.measure.dataset import MIN_SCORE, Maker, templates_of  # noqa: PLC0415

    loaded, images = _opened(folder)
    maker = Maker.of(folder, loaded.detector(MIN_SCORE), loaded.templater, loaded.clock)
    with bar("templates", len(images)) as progress:
        data = templates_of(images, maker, lambda done: progress.update(progress.task_ids[0], completed=done))
    return images, data, loaded


def _impostors(folder: Path) -> "tuple[Impostors, str]":
    from habeas.measure.calibrate import collect  # noqa: PLC0415
    from habeas.measure.dataset import Maker  # noqa: PLC0415

    loaded, images = _opened(folder)
    maker = Maker.of(folder, loaded.detector(), loaded.templater, loaded.clock)
    with bar("tracks", len({image.person for image in images})) as progress:
        told = lambda done: progress.update(progress.task_ids[0], completed=done)  # noqa: E731 - a callback
        return collect(images, maker, report=told), loaded.pack.model_id


def _ran(loaded: "App", data: "TemplateSet") -> dict[str, object]:
    """Return what every measurement says of itself."""
    return {"model_id": loaded.pack.model_id, "missed": len(data.missed), "accounted": False}


def _say_missed(data: "TemplateSet") -> None:
    if data.missed:
        say(f"no face found in {len(data.missed)} images, for example {data.missed[0].path}")


def _say_calibration(report: "CalibrationReport") -> None:
    _say_table("similarity thresholds, suspected label errors included (the table)", report.whole)
    _say_table("without them", report.cleaned)
    say(f"suspected label errors: {len(report.suspects)}")
    for suspect in report.suspects:
        say(f"  {suspect.similarity:.2f}  {suspect.one} = {suspect.other} ?")
    say("FPIR observed, on people that the threshold was not made with, against FPIR promised:")
    for promise in report.promises:
        inside = "inside" if promise.held else "OUTSIDE"
        found = f"observed {promise.observed:.2%} ({promise.low:.2%} to {promise.high:.2%})"
        say(f"  gallery {promise.gallery_size:4}  promised {promise.fpir:.1%}  {found}: {inside}")


def _say_table(title: str, table: "Calibration") -> None:
    say(title)
    say("  gallery  " + "".join(f"{point.fpir:>10g}" for point in table.rows[0][1]))
    for size, points in table.rows:
        cells = (f"{point.similarity:9.3f}{'*' if point.extrapolated else ' '}" for point in points)
        say(f"  {size:7}  " + "".join(cells))
    say("  (* extrapolated: fewer than 30 people in error behind it)")


def _write(path: Path, table: "Calibration") -> None:
    from habeas.comparison.calibration import to_json  # noqa: PLC0415

    try:
        path.write_text(to_json(table))
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="choose another place") from error
