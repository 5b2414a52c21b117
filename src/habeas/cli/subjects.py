"""Who is to be looked for, as options or as a CSV file, and what became of each image."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from habeas.cli.client import Json
from habeas.cli.files import MAX_BYTES, file_text
from habeas.cli.tables import table
from habeas.cli.watch import parse_subjects
from habeas.errors import InputError, UsageError

_HEADINGS: Final = ("name", "born", "images")
MEASURES: Final = ("score", "eyes", "sharpness")
"""Headings of what `measures` returns."""
_CSV_REMEDY: Final = "write lines of name,born,images; several images are separated by semicolons"


def subjects_body(subject: Sequence[str], born: Sequence[str], file: Path | None) -> list[Json]:
    """Return the people of a request, with the bytes of their images.

    Args:
        subject: `NAME=IMAGE[,IMAGE...]`.
        born: `NAME=YYYY-MM-DD`, one for each of these.
        file: CSV with more of them.

    Raises:
        UsageError: nobody, or a name without birth date or the other way round.
        InputError: a file that cannot be read.
    """
    images = parse_subjects(list(subject))
    dates = _born(born)
    if set(images) != set(dates):
        odd = min(set(images) ^ set(dates))
        raise UsageError(
            f"{odd}: needs both an image and a birth date", remedy="give --subject NAME=IMAGE --born NAME=DATE"
        )
    people = [(name, dates[name], paths) for name, paths in images.items()]
    people += _from_csv(file) if file is not None else []
    if not people:
        raise UsageError(
            "this names nobody", remedy="give --subject NAME=IMAGE and --born NAME=DATE, or --subjects FILE"
        )
    return [{"name": name, "born": date, "images": [_image(path) for path in paths]} for name, date, paths in people]


def _born(given: Sequence[str]) -> Mapping[str, str]:
    dates: dict[str, str] = {}
    for text in given:
        name, separator, date = text.partition("=")
        if not separator or not name.strip() or not date.strip():
            raise UsageError(f"--born {text}: not NAME=DATE", remedy="write --born ada=1990-12-31")
        dates[name.strip()] = date.strip()
    return dates


def _from_csv(file: Path) -> list[tuple[str, str, list[Path]]]:
    """Return name, birth date and images of each line; images lie beside the file."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(f"{file}: cannot be read as CSV in UTF-8", remedy=_CSV_REMEDY) from None
    if lines and tuple(cell.strip().lower() for cell in lines[0]) == _HEADINGS:
        lines = lines[1:]
    return [_from_line(file, number, line) for number, line in enumerate(lines, 1)]


def _from_line(file: Path, number: int, line: list[str]) -> tuple[str, str, list[Path]]:
    cells = [cell.strip() for cell in line]
    if len(cells) != len(_HEADINGS) or not all(cells):
        raise InputError(f"{file}: person {number} is not name,born,images", remedy=_CSV_REMEDY)
    name, born, images = cells
    return name, born, [file.parent / image.strip() for image in images.split(";") if image.strip()]


def _image(path: Path) -> Json:
    return {"name": path.name, "data": file_text(path)}


def images_of(people: Sequence[Json]) -> int:
    """Return how many images there are in all."""
    return sum(len(person["images"]) for person in people)


def say_images(reports: Sequence[Mapping[str, Any]]) -> None:
    """Print what became of each image."""
    rows = [(one["image"], bool(one["taken"]), *measures(one), one["refused"]) for one in reports]
    table(("image", "taken", *MEASURES, "why not"), rows, none="no images")


def measures(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the quality gate measured of an image, in the order of `MEASURES`."""
    forms = (("score", "{:.2f}"), ("eyes_px", "{:.0f} px"), ("sharpness", "{:.3g}"))
    return tuple(_number(report.get(name), form) for name, form in forms)


def _number(value: object, form: str) -> str:
    return form.format(value) if isinstance(value, int | float) else "-"
