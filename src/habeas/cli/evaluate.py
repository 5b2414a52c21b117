"""`habeas evaluate pairs | open-set | calibrate`: measure on your own folder of people."""

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from habeas import __version__
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import bar, pull_report, put, reporting, say
from habeas.errors import DiskError

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.measure.dataset import Image, TemplateSet
    from habeas.comparison import Calibration

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
            put({"protocol": "pairs", "model_id": loaded.pack.model_id, **asdict(result), "missed": len(data.missed)})
            return
        say(f"{result.pairs} pairs: accuracy {result.accuracy:.2%} (± {result.accuracy_std:.2%} over ten folds)")
        for far, tar in result.tar:
            say(f"  TAR {tar:.2%} at FAR {far:g}")
        _say_missed(data)


@app.command("open-set", epilog="Example: `habeas evaluate open-set lfw/ --json`")
def open_set_command(
    folder: Folder,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the DET curve as a PNG.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Search a gallery: how often enrolled people are missed (FNIR) at a rate of false candidates (FPIR)."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.measure.open_set import open_set  # noqa: PLC0415 - loads inference

        _, data, loaded = _templates(folder)
        result = open_set(data, loaded.clock)
        if plot:
            _plot(plot, result)
        if as_json:
            fnir = [asdict(miss) for miss in result.misses]
            put(
                {
                    "protocol": "open-set",
                    "model_id": loaded.pack.model_id,
                    "gallery": result.gallery,
                    "mates": result.mates,
                    "nonmates": result.nonmates,
                    "rank1": result.rank1,
                    "fnir": fnir,
                    "missed": len(data.missed),
                }
            )
            return
        say(f"gallery {result.gallery}, mates {result.mates}, non-mates {result.nonmates}, rank-1 {result.rank1:.2%}")
        say("   FPIR    FNIR   95 % interval      by identity   threshold")
        for miss in result.misses:
            interval = f"{miss.low:6.2%} to {miss.high:6.2%}"
            say(f"{miss.fpir:7.1%} {miss.fnir:7.2%}   {interval:18} {miss.fnir_by_identity:8.2%}      {miss.threshold:.3f}")
        _say_missed(data)


@app.command(epilog="Example: `habeas evaluate calibrate lfw/ --out table.json`")
def calibrate(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", help="Write the table here.")] = None,
    note: Annotated[str, typer.Option("--note", help="What the images are; printed with the table.")] = "",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make the table that turns similarities into FPIR, and list suspected label errors, with results without them."""
    with reporting(as_json=as_json, debug=debug):
        from habeas.measure.calibrate import calibrate as make  # noqa: PLC0415 - loads inference
        from habeas.measure.calibrate import collect, suspects, without  # noqa: PLC0415
        from habeas.measure.promise import check_promise  # noqa: PLC0415

        loaded, images, where = _opened(folder)
        people = len({image.person for image in images})
        with bar("tracks", people) as progress:
            impostors = collect(
                images,
                where,
                loaded.detector(),
                loaded.templater,
                loaded.clock,
                report=lambda done: progress.update(progress.task_ids[0], completed=done),
            )
        listed = suspects(impostors)
        made = f"habeas {__version__} evaluate calibrate, {datetime.date.today()}, {len(impostors.people)} people; {note or folder.name}"  # noqa: DTZ011
        table = make(impostors, loaded.pack.model_id, made)
        cleaned = make(without(impostors, listed), loaded.pack.model_id, made)
        promises = check_promise(without(impostors, listed))
        if out:
            _write(out, cleaned)
        if as_json:
            put(
                {
                    "protocol": "calibration",
                    "made": made,
                    "suspected_label_errors": [asdict(suspect) for suspect in listed],
                    "with_suspects": _thresholds(table),
                    "without_suspects": _thresholds(cleaned),
                    "promise": [asdict(promise) for promise in promises],
                }
            )
            return
        _say_table("without suspected label errors (shipped)", cleaned)
        _say_table("with them", table)
        say(f"suspected label errors: {len(listed)}")
        for suspect in listed:
            say(f"  {suspect.similarity:.2f}  {suspect.one} = {suspect.other} ?")
        say("FPIR observed on people the threshold was not made with, over promised:")
        for promise in promises:
            say(
                f"  N {promise.gallery_size:4}  promised {promise.fpir:.1%}  observed {promise.observed:.2%} "
                f"({promise.low:.2%} to {promise.high:.2%}): {'inside' if promise.held else 'OUTSIDE'}"
            )


def _opened(folder: Path) -> "tuple[App, list[Image], Origin]":
    from habeas.app import App  # noqa: PLC0415
    from habeas.measure.dataset import list_images, still_origin  # noqa: PLC0415

    images = list_images(folder)
    return App(before_pull=pull_report), images, still_origin(folder)


def _templates(folder: Path) -> "tuple[list[Image], TemplateSet, App]":
    from habeas.measure.dataset import MIN_SCORE, templates_of  # noqa: PLC0415

    loaded, images, where = _opened(folder)
    with bar("templates", len(images)) as progress:
        data = templates_of(
            images,
            where,
            loaded.detector(MIN_SCORE),
            loaded.templater,
            loaded.clock,
            report=lambda done: progress.update(progress.task_ids[0], completed=done),
        )
    return images, data, loaded


def _say_missed(data: "TemplateSet") -> None:
    if data.missed:
        say(f"no face found in {len(data.missed)} images, for example {data.missed[0].path}")


def _say_table(title: str, table: "Calibration") -> None:
    say(title)
    say("  gallery  " + "".join(f"{point.fpir:>10g}" for point in table.rows[0][1]))
    for size, points in table.rows:
        say(f"  {size:7}  " + "".join(f"{point.similarity:9.3f}{'*' if point.extrapolated else ' '}" for point in points))
    say("  (* extrapolated: fewer than 30 people in error behind it)")


def _thresholds(table: "Calibration") -> list[dict[str, object]]:
    return [{"gallery_size": size, "points": [asdict(point) for point in points]} for size, points in table.rows]


def _write(path: Path, table: "Calibration") -> None:
    from habeas.comparison.calibration import to_json  # noqa: PLC0415

    try:
        path.write_text(to_json(table))
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="choose another place") from error
