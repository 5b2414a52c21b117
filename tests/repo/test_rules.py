"""Rules of the tree itself: what may be imported, claimed, caught, and how long a function may be.

Each scan has a positive control: a planted fault that it sees.
"""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import habeas

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "habeas"

PUBLIC = [
    "Alert",
    "AlertEnd",
    "Candidates",
    "Decision",
    "Faces",
    "Flaw",
    "Frame",
    "GalleryView",
    "HabeasError",
    "InputError",
    "ModelError",
    "RuleError",
    "Templates",
    "Tracks",
    "__version__",
    "decide",
    "detect",
    "enrol",
    "forget",
    "open_source",
    "search",
    "template",
    "track",
    "watch",
]


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, path.read_text(encoding="utf-8")


def where(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


# --- the public API -------------------------------------------------------------------------------------------------


def test_the_public_api_is_this_list() -> None:
    assert sorted(habeas.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(habeas, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = habeas.no_such_name


def test_every_public_name_is_documented() -> None:
    undocumented = [name for name in PUBLIC if name != "__version__" and not getattr(habeas, name).__doc__]
    assert undocumented == []


HEAVY = ("av", "openvino", "lap", "PIL", "typer", "numpy", "pydantic", "rich", "pooch", "requests")
LOOK = """
import sys, threading
before = threading.active_count()
{code}
print(threading.active_count() - before, *sorted(set({heavy}) & set(sys.modules)))
"""


def started_by(code: str) -> list[str]:
    """Threads started and heavy modules loaded, by a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(code=code, heavy=HEAVY)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_habeas_starts_nothing_and_loads_nothing_heavy() -> None:
    assert started_by("import habeas") == ["0"]


def test_the_commands_help_loads_no_video_and_no_inference() -> None:
    assert not {"av", "openvino", "lap"} & set(started_by("import habeas.cli.main"))


def test_that_check_sees_a_heavy_import_and_a_thread() -> None:
    code = "import habeas, PIL; threading.Thread(target=threading.Event().wait, daemon=True).start(); habeas.Faces"
    assert {"1", "PIL", "numpy"} <= set(started_by(code))


# --- seals ----------------------------------------------------------------------------------------------------------

OWNERS = {
    "GALLERY_VIEW": "authority/views.py",
    "SOURCE": "video/edge.py",
    "SCENE": "measure/scene_source.py",
}


def claims(text: str) -> list[str]:
    """Which seals a file claims, by whatever name it calls the function; `?` where that cannot be told."""
    names = {"claim_seal"}
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.name == "claim_seal" and alias.asname}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in names:
            (asked,) = node.args or [None]
            found.append(asked.attr if isinstance(asked, ast.Attribute) else "?")
    return found


def test_each_seal_is_claimed_by_its_owner_and_nobody_else() -> None:
    found = {(seal, where(path)) for path, text in sources() for seal in claims(text)}
    assert found == set(OWNERS.items())


@pytest.mark.parametrize("name", ["_claimed", "_check_seal"])
def test_nobody_reaches_for_the_seals_themselves(name: str) -> None:
    assert [where(path) for path, text in sources() if re.search(rf"\b{name}\b", text)] == ["types.py"]


def test_those_scans_see_a_stolen_seal() -> None:
    assert claims("from habeas.types import claim_seal as c, Seal\nx = c(Seal.SCENE)") == ["SCENE"]
    assert claims("import habeas.types as t\nx = t.claim_seal(t.Seal.SOURCE)") == ["SOURCE"]
    assert claims("x = claim_seal(kind)") == ["?"]


def builders(text: str, names: set[str]) -> set[str]:
    """Which of these records a file builds."""
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {name for func in calls if (name := getattr(func, "id", "") or getattr(func, "attr", "")) in names}


def test_only_authority_builds_a_gallery_view_and_only_sources_an_origin() -> None:
    built = {
        (name, where(path))
        for path, text in sources()
        for name in builders(text, {"GalleryView", "Origin", "build_view"})
    }
    assert built == {
        ("GalleryView", "authority/views.py"),
        ("build_view", "authority/access.py"),
        ("build_view", "authority/canary.py"),
        ("build_view", "authority/gallery.py"),
        ("build_view", "authority/runs.py"),
        ("Origin", "video/edge.py"),
        ("Origin", "measure/scene_source.py"),
    }


# --- habits ---------------------------------------------------------------------------------------------------------


def broad_excepts(text: str) -> list[int]:
    """Lines of handlers that catch everything."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            caught = {getattr(kind, "id", None) for kind in types if kind} or {"BaseException"}
            # Handing on what was caught, after tidying up, catches nothing.
            hands_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if caught & {"Exception", "BaseException"} and not hands_on:
                found.append(node.lineno)
    return found


CATCH_EVERYTHING = [
    "cli/output.py",
    "engine/recording.py",
    "engine/run.py",
    "footage/recorder.py",
    "node/matching.py",
    "node/node.py",
]
"""The command's top level, the loops of readers, matcher and recorder, and the scheduler that keeps deadlines."""


def test_only_top_loops_catch_everything() -> None:
    assert [where(path) for path, text in sources() for _line in broad_excepts(text)] == CATCH_EVERYTHING


def test_that_scan_sees_each_way_to_catch_everything() -> None:
    for clause in ("except:", "except Exception:", "except (ValueError, BaseException) as error:"):
        assert broad_excepts(f"try:\n    x()\n{clause}\n    pass\n")
    assert not broad_excepts("try:\n    x()\nexcept BaseException:\n    tidy()\n    raise\n")
    assert not broad_excepts("try:\n    x()\nexcept ValueError:\n    pass\n")


def lengths(text: str) -> list[tuple[int, str]]:
    """Lines of each function, its docstring apart."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            total = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                total -= (first.end_lineno or first.lineno) - first.lineno + 1
            found.append((total, node.name))
    return found


def test_functions_keep_to_their_budget() -> None:
    written = [(where(path), text) for path, text in sources() if "/versions/" not in where(path)]  # tables, generated
    found = sorted((lines, f"{path}:{name}") for path, text in written for lines, name in lengths(text))
    counts = [lines for lines, _ in found]
    assert statistics.median(counts) <= 12
    assert counts[int(0.95 * len(counts))] <= 50, found[int(0.95 * len(counts)) :]
    assert counts[-1] <= 100, found[-1]


def test_modules_keep_to_their_budget() -> None:
    """`types.py` holds every record, and is the longest; migrations are tables, generated."""
    counted = [(where(path), text.count("\n")) for path, text in sources() if "/versions/" not in where(path)]
    long = [(path, lines) for path, lines in counted if lines > 600]
    assert long == []


def test_that_scan_counts_lines() -> None:
    body = "\n".join(["    x = 1"] * 9)
    assert lengths(f'def f():\n    """Text\n\n    more.\n    """\n{body}\n') == [(10, "f")]


def unfinished(text: str) -> list[int]:
    """Lines whose comment says that something is left to do."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.start[0] for token in tokens if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string)]


def test_nothing_is_left_to_do() -> None:
    assert [(where(path), line) for path, text in sources() for line in unfinished(text)] == []
    assert unfinished("x = 1  # TO" + "DO: more") == [1]


def loose(text: str) -> list[str]:
    """Functions that take or return a dictionary of anything."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            hints = [argument.annotation for argument in every] + [node.returns]
            if any(hint and re.search(r"(dict|Mapping)\[str, Any\]", ast.unparse(hint)) for hint in hints):
                found.append(node.name)
    return found


EDGES = (
    "audit/abstract.py",
    "audit/bundle.py",
    "audit/history.py",
    "audit/openings.py",
    "cli/",
    "store/",
    "web/",
    "settings.py",
    "wording.py",
)
"""Where JSON, YAML and rows of a database come in or go out."""


def test_no_dictionary_stands_for_a_record() -> None:
    inside = [(where(path), text) for path, text in sources() if not where(path).startswith(EDGES)]
    assert [(path, name) for path, text in inside for name in loose(text)] == []


def test_that_scan_sees_a_loose_dictionary() -> None:
    assert loose("def f(x: dict[str, Any]): ...") == ["f"]
    assert loose("def f() -> list[Mapping[str, Any]]: ...") == ["f"]


PRIVATE_HOMES = {"av": "video/", "openvino": "models/"}


def test_video_and_inference_are_imported_in_one_place() -> None:
    for module, home in PRIVATE_HOMES.items():
        pattern = rf"^\s*(import {module}\b|from {module}[ .])"
        users = [where(path) for path, text in sources() if re.search(pattern, text, re.MULTILINE)]
        assert users
        assert [user for user in users if not user.startswith(home)] == []


def test_no_test_sleeps_or_mocks() -> None:
    asleep = re.compile(r"\btime\.sleep\(|unittest\.mock|\bmocker\b")
    found = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and asleep.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_import_contract_holds() -> None:
    pytest.importorskip("importlinter", reason="the import contract needs the extra [check]")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
