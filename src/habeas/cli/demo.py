"""`habeas demo`: a generated street, one person to find, nothing to set up."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from habeas.cli.events import Printer
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import bar, check_writable, note, pull_report, put, reporting, say
from habeas.errors import DiskError, InputError
from habeas.types import Alert, seconds

if TYPE_CHECKING:
    from habeas.app import App
    from habeas.measure.heads import Head
    from habeas.measure.scene_source import SceneSource
    from habeas.measure.sheet import Found
    from habeas.types import U8
    from habeas.watching import Watch

_SEED = 7
_STAR = "astronaut"


def demo(
    faces: Annotated[
        Path | None,
        typer.Option("--faces", help="Your own faces instead: one image a person; the first is looked for."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the contact sheet goes.")] = Path("habeas-demo.png"),
    headless: Annotated[bool, typer.Option("--headless", help="Open no window.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Watch a generated street for 20 seconds, find one person, and show that nothing of the others is kept.

    Fetches the models (about 60 MB) and a few openly licensed portraits (about 30 MB) the first time. Writes one
    file: the contact sheet.
    """
    with reporting(as_json=as_json, debug=debug):
        began = time.perf_counter(), time.process_time()
        check_writable(out, "--out")
        from habeas.app import App  # noqa: PLC0415 - loads inference
        from habeas.measure.scene_source import SceneSource  # noqa: PLC0415
        from habeas.measure.scenes import demo_scene  # noqa: PLC0415
        from habeas.watching import Watch  # noqa: PLC0415

        app = App(before_pull=pull_report)
        portraits = _portraits(app, faces)
        star = _STAR if _STAR in portraits else next(iter(portraits))
        scene = demo_scene(_heads(app, portraits), _SEED)
        with ExitStack() as stack:
            with bar("drawing a street", 100) as progress:
                task = progress.task_ids[0]
                source = SceneSource(
                    scene,
                    camera_id="demo",
                    real_time=True,
                    report=lambda s: progress.update(task, completed=round(100 * s)),
                )
            wanted = {star: [portraits[star]]}
            watching = stack.enter_context(Watch(app, [source], wanted, basis="demo", began=began))
            found = _play(watching, source, as_json)
            _sheet(out, portraits[star], found)
            _tell(watching, star, found, len(scene.walks) - 1, out, as_json)
        if not headless and not as_json and sys.stdout.isatty():
            typer.launch(str(out))


def _portraits(app: "App", faces: Path | None) -> "dict[str, U8]":
    """Return one image a person."""
    from habeas.measure.portraits import PORTRAITS, load_faces_dir, load_portraits  # noqa: PLC0415
    from habeas.models.pull import download_mb, fetch, missing  # noqa: PLC0415

    if faces is not None:
        return load_faces_dir(faces)
    folder = app.settings.models.folder / "portraits"
    files = [portrait.file for portrait in PORTRAITS]
    lacking = missing(files, folder)
    if lacking:
        note(f"fetching {len(lacking)} openly licensed portraits, about {download_mb(lacking)} MB, once")
        fetch(files, folder)
    images = load_portraits(folder)
    return {portrait.person_id: images[portrait.portrait_id] for portrait in reversed(PORTRAITS)}


def _heads(app: "App", portraits: "dict[str, U8]") -> "dict[str, Head]":
    """Cut the heads out, by the landmarks that the detector finds.

    Raises:
        InputError: a picture without a face.
    """
    from habeas.measure.dataset import Maker, central_face  # noqa: PLC0415
    from habeas.measure.heads import cut_out  # noqa: PLC0415
    from habeas.types import Frame  # noqa: PLC0415
    from habeas.video import ArrayPicture  # noqa: PLC0415

    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    heads = {}
    for name, image_rgb in portraits.items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
        if not len(face):
            raise InputError(f"{name}: no face found", remedy="give portraits from the front")
        heads[name] = cut_out(image_rgb, face.landmarks_xy_px[0])
    return heads


def _play(watching: "Watch", source: "SceneSource", as_json: bool) -> "list[Found]":
    """Watch in real time, printing; return what was found, held against the truth of the scene."""
    found: list[Found] = []
    printer = Printer(as_json=as_json, snapshots=None, on_alert=lambda alert: found.append(_found(alert, source)))
    printer.opened(watching)
    with bar("watching, in real time", watching.length_s) as progress:
        task = progress.task_ids[0]
        watching.on_progress = lambda seconds: progress.update(task, completed=seconds)
        printer.follow(watching)
    return found


def _found(alert: Alert, source: "SceneSource") -> "Found":
    from habeas.measure.sheet import Found  # noqa: PLC0415

    image_rgb, truth = source.still(alert.at_ns)
    return Found.judged(alert, image_rgb, truth)


def _sheet(out: Path, reference_rgb: "U8", found: "list[Found]") -> None:
    from habeas.measure.sheet import contact_sheet  # noqa: PLC0415

    verdict = "found" if any(one.right for one in found) else "not found"
    title = f"Habeas demo: {verdict}. Everybody else is painted over; nothing of them is kept."
    try:
        contact_sheet(title, reference_rgb, found).save(out, "PNG")
    except OSError as error:
        raise DiskError(f"cannot write {out}: {error.strerror}", remedy="give --out another place") from error


def _tell(watching: "Watch", star: str, found: "list[Found]", others: int, out: Path, as_json: bool) -> None:
    kept = watching.summary().templates_kept
    right = [one for one in found if one.right]
    if as_json:
        put(
            {
                "event": "demo",
                "subject": star,
                "found": bool(right),
                "false_alerts": len(found) - len(right),
                "others_passed": others,
                "templates_kept": kept,
                "contact_sheet": str(out),
                "accounted": False,
            }
        )
        return
    verdict = f"found {star} at {seconds(right[0].alert.at_ns):.1f} s" if right else f"did not find {star}"
    false = f", {len(found) - len(right)} false alerts" if len(found) > len(right) else ""
    held = "nothing of them kept" if not kept else f"{kept} templates still held"
    say(f"{verdict}{false}; {others} others passed, {held}. Contact sheet: {out}")
