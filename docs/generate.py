"""Write settings.md, api.md and openapi.json from the source, measured figures into two pages.

Run as `python docs/generate.py [--check]`.

`--check` writes nothing, prints what differs, and exits 1 if anything does.
"""
# ruff: noqa: INP001 - a script beside the pages it writes, not a package

import argparse
import ast
import difflib
import importlib
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import habeas
from habeas.comparison.calibration import from_json
from habeas.settings import Settings
from habeas.web.api import document

_Definition = ast.FunctionDef | ast.ClassDef
HERE: Final = Path(__file__).resolve().parent
_HOMES: Final = ("habeas.api", "habeas.decision.above", "habeas.types", "habeas.errors")
_BEGIN: Final = "<!-- measured:begin -->"
_END: Final = "<!-- measured:end -->"
_UNITS: Final = {"px": "px", "hz": "1/s", "s": "s"}

_SIGNS: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def pages() -> dict[str, str]:
    """Return what each generated page should hold, by file name."""
    return {
        "settings.md": settings_page(),
        "api.md": api_page(),
        "openapi.json": openapi_document(),
        "model-card.md": _with_figures("model-card.md", accuracy()),
        "calibration.md": _with_figures("calibration.md", thresholds()),
    }


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not current")
    check = parser.parse_args().check
    stale = 0
    for name, wanted in pages().items():
        path = HERE / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        if present == wanted:
            continue
        stale += 1
        if check:
            old, new = present.splitlines(keepends=True), wanted.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(old, new, f"docs/{name}", f"docs/{name} (generated)"))
        else:
            path.write_text(wanted, encoding="utf-8")
    return 1 if check and stale else 0


# --- figures --------------------------------------------------------------------------------------------------------


def _with_figures(name: str, lines: list[str]) -> str:
    """Return a hand-written page with its figures, between two marks, brought up to date."""
    before, _, rest = (HERE / name).read_text(encoding="utf-8").partition(_BEGIN)
    return "\n".join([f"{before}{_BEGIN}", *lines, _END]) + rest.partition(_END)[2]


def _result(name: str) -> Mapping[str, Any]:
    result: Mapping[str, Any] = json.loads((HERE.parent / "bench/results" / f"{name}.json").read_text())["result"]
    return result


def accuracy() -> list[str]:
    """Return the accuracy of the default pack, as the committed results have it."""
    found, pairs = _result("open-set"), _result("pairs")
    rows = [
        f"| {100 * miss['fpir']:g} % | {100 * miss['fnir']:.1f} % "
        f"| {100 * miss['low']:.1f} to {100 * miss['high']:.1f} % "
        f"| {100 * miss['fnir_by_identity']:.1f} % | {miss['threshold']:.3f} |"
        for miss in found["fnir"]
    ]
    tars = ", ".join(f"{100 * tar:.1f} % at FAR {100 * far:g} %" for far, tar in pairs["tar"])
    return [
        f"Half of Labeled Faces in the Wild (deep-funneled): {found['gallery']} people enrolled,",
        f"{found['mates']:,} mates, {found['nonmates']:,} non-mates (`bench/results/open-set.json`):",
        "",
        "| FPIR | FNIR | 95 % interval | averaged over people | similarity needed |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Rank 1: {100 * found['rank1']:.1f} %. Pairs (`bench/results/pairs.json`):",
        f"{100 * pairs['accuracy']:.1f} % over ten folds; TAR {tars}.",
    ]


def thresholds() -> list[str]:
    """Return some of the shipped thresholds."""
    (table,) = (HERE.parent / "src/habeas/comparison/tables").glob("*.json")
    lines = ["| N | 1e-3 | 1e-4 | 95 % interval of the FPIR at the 1e-4 threshold | 1e-5 |", "|---|---|---|---|---|"]
    for size, points in from_json(table.read_text(encoding="utf-8")).rows:
        at = {point.fpir: point for point in points}
        cells = [f"{at[fpir].similarity:.3f}{' *' if at[fpir].extrapolated else ''}" for fpir in (1e-3, 1e-4, 1e-5)]
        interval = f"{at[1e-4].fpir_low * 1e4:.2f}e-4 to {at[1e-4].fpir_high * 1e4:.2f}e-4"
        lines.append(f"| {size} | {cells[0]} | {cells[1]} | {interval} | {cells[2]} |")
    return lines


# --- settings -------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Return the page of every setting."""
    lines = [
        "# Settings",
        "",
        "<!-- generated by docs/generate.py: edit src/habeas/settings.py instead -->",
        "",
        "An installation has its settings in `habeas.yaml`, which `habeas init` writes with every one of them in it.",
        "Each is also an environment variable, which wins: `HABEAS_`, then the key in capitals, `__` between levels.",
        "`HABEAS_DATABASE_FILE` names a file that holds the setting `database`, which may carry a password. A value of",
        "the wrong kind or out of bounds, an unknown key and a key that is there twice are refused with exit status 2",
        "and the line. What two people decide (FPIR, ceilings, model pack) is not a setting: `habeas policy`.",
        "",
        "## The installation",
    ]
    for name, field in Settings.model_fields.items():
        part = field.annotation
        if not (inspect.isclass(part) and issubclass(part, BaseModel)):
            lines += ["", f"### {name}", "", field.description or "", "", *_facts((name,), field)]
            continue
        lines += ["", f"## {name}", "", inspect.cleandoc(part.__doc__ or "")]
        for key, inner in part.model_fields.items():
            lines += ["", f"### {name}.{key}", "", inner.description or "", "", *_facts((name, key), inner)]
    return "\n".join(lines) + "\n"


def _facts(path: tuple[str, ...], field: FieldInfo) -> Iterator[str]:
    variable = f"HABEAS_{'__'.join(path).upper()}"
    as_json = {tuple: ", as JSON: `[...]`", dict: ", as JSON: `{...}`"}.get(get_origin(field.annotation), "")
    yield f"- environment: `{variable}`{as_json}"
    yield f"- default: {_default(field)}"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    bounds = [
        f"{sign} {getattr(entry, name):g}"
        for entry in field.metadata
        for name, sign in _SIGNS.items()
        if getattr(entry, name, None) is not None
    ]
    if choices:
        yield f"- one of: {', '.join(f'`{choice}`' for choice in choices)}"
    if bounds:
        yield f"- bounds: {', '.join(bounds)}"
    unit = _UNITS.get(path[-1].rpartition("_")[2])
    if unit:
        yield f"- unit: {unit}"


def _default(field: FieldInfo) -> str:
    if field.default_factory is dict:
        return "empty"
    if field.default is PydanticUndefined:
        return "depends on the machine, see above"
    return f"`{field.default}`" if field.default not in ("", (), None) else "empty"


# --- the node's API -------------------------------------------------------------------------------------------------


def openapi_document() -> str:
    """Return the OpenAPI 3.1 document of the node's API."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


# --- public names ---------------------------------------------------------------------------------------------------


def api_page() -> str:
    """Return the page of every public name."""
    lines = [
        "# Python API",
        "",
        "<!-- generated by docs/generate.py: edit the docstrings instead -->",
        "",
        "Everything in `habeas.__all__`. How the functions follow each other: [tutorial](tutorial.md). Records are",
        "frozen; their arrays are read-only. What is not listed here may change without notice.",
    ]
    functions: list[tuple[str, _Definition]] = []
    classes: list[tuple[str, _Definition]] = []
    for name in sorted(habeas.__all__):
        if name != "__version__":
            node = _definition(name)
            (classes if isinstance(node, ast.ClassDef) else functions).append((name, node))
    lines += ["", "## Functions"]
    for name, node in functions:
        lines += ["", f"### {name}", "", "```text", *_signature(node), "```", "", *_docstring(node)]
    lines += ["", "## Records and errors"]
    for name, node in classes:
        lines += ["", f"### {name}", "", *_docstring(node), *_members(node)]
    return "\n".join(lines) + "\n"


def _definition(name: str) -> _Definition:
    """Return the definition of a public name in its home's source."""
    for home in _HOMES:
        module = importlib.import_module(home)
        if getattr(getattr(module, name, None), "__module__", "") != home:
            continue
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return node
    raise LookupError(name)


def _signature(node: _Definition) -> Iterator[str]:
    if not isinstance(node, ast.FunctionDef):
        raise TypeError(node.name)
    yield f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else 'None'}"


def _docstring(node: _Definition) -> Iterator[str]:
    """Yield a docstring: prose as prose, sections and what is below them as they stand."""
    text = (ast.get_docstring(node) or "").splitlines()
    start = next(
        (row for row, line in enumerate(text) if line in {"Args:", "Returns:", "Yields:", "Raises:"}), len(text)
    )
    yield from _trimmed(text[:start])
    if start < len(text):
        yield from ("", "```text", *_trimmed(text[start:]), "```")


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _members(node: _Definition) -> Iterator[str]:
    """Yield a line for each public method and property of a class."""
    methods = [entry for entry in node.body if isinstance(entry, ast.FunctionDef) and not entry.name.startswith("_")]
    if methods:
        yield ""
    for method in methods:
        marks = {ast.unparse(mark) for mark in method.decorator_list}
        arguments = "" if "property" in marks else f"({ast.unparse(method.args)})"
        first = (ast.get_docstring(method) or "").partition("\n")[0]
        yield f"- `{method.name}{arguments}`: {first}"


if __name__ == "__main__":
    sys.exit(main())
