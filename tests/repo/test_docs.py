"""The documents are true: examples run, commands parse, JSON has the keys shown, generated pages are current."""

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.unit.audit.exports import files_of, plain_leaves
from tests.unit.audit.signers import LOG, WITNESSES
from typer.testing import CliRunner

import habeas
from habeas.app import App
from habeas.cli.main import app as command_line
from habeas.comparison.calibration import Calibration, Point, to_json
from habeas.measure.calibrate import Suspect
from habeas.measure.heads import EYES_XY_PX, HEAD_SIZE_WH, Head
from habeas.measure.promise import Promise
from habeas.measure.report import CalibrationReport
from habeas.measure.scenes import Scene, write_scene
from habeas.measure.walks import Walk
from habeas.settings import known_keys

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(DOCS / "decisions").glob("*.md"), *ROOT.glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

Shape = str | list["Shape"] | dict[str, "Shape"]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [text for name, text in FENCE.findall(path.read_text(encoding="utf-8")) if name == language]


# --- Python -----------------------------------------------------------------------------------------------------------


def test_the_tutorials_python_runs(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workshop)
    names: dict[str, object] = {}
    examples = blocks(DOCS / "tutorial.md", "python")
    assert len(examples) >= 8
    for number, text in enumerate(examples):
        exec(compile(text, f"tutorial.md, example {number + 1}", "exec"), names)  # noqa: S102 - our own page
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"ada 0\.\d+ 0\.9\d?", printed[0])
    assert printed[-1].startswith("window this gallery view has ended")
    assert any(line.startswith("0 ada 0.9") for line in printed), "the decision"


def test_the_readmes_python_runs(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workshop)
    (example,) = blocks(DOCS.parent / "README.md", "python")
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own page
    view = names["view"]
    assert isinstance(view, habeas.GalleryView)
    habeas.forget(view)
    assert re.search(r"^\d+ ada 0\.\d+$", capsys.readouterr().out, re.MULTILINE), "she is found"


# --- commands ---------------------------------------------------------------------------------------------------------


def commands(path: Path) -> Iterator[str]:
    """Every `habeas ...` of a page: lines of shell blocks, and code within sentences."""
    text = path.read_text(encoding="utf-8")
    for language in ("bash", "sh", "console"):
        for block in blocks(path, language):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|;", line.partition(" #")[0]):
                    words = part.removeprefix("$ ").strip()
                    yield from [words.removeprefix(".venv/bin/")] if re.match(r"(\.venv/bin/)?habeas ", words) else []
    for span in re.findall(r"`(habeas\s[^`]+)`", FENCE.sub("", text)):
        if "..." not in span and "|" not in span and not re.match(r"habeas\s[\d.]+", span):
            yield " ".join(span.split())


def refusal(command: str) -> str:
    """What the option parser says against a command; empty where it parses."""
    done = CliRunner().invoke(command_line, [*shlex.split(command)[1:], "--help"])
    return done.output if done.exit_code else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_parses(page: Path) -> None:
    wrong = {command: said for command in commands(page) if (said := refusal(command))}
    assert not wrong


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert refusal("habeas watch street.mp4 --record everything")
    assert refusal("habeas spy")
    assert not refusal("habeas watch street.mp4")
    assert sum(1 for _ in commands(DOCS / "tutorial.md")) > 10


def run(folder: Path, *words: str) -> list[dict[str, object]]:
    """Run a command in a folder; its objects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(command_line, [*words, "--json"])
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- JSON -------------------------------------------------------------------------------------------------------------


def shape(value: object) -> Shape:
    """Keys and kinds of a JSON value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def kind(example: dict[str, object]) -> str:
    """What an object is an example of."""
    error = example.get("error")
    if isinstance(error, dict):
        return f"error {error['kind']}"
    return str(example.get("event") or example.get("protocol") or example.get("schema"))


def scene_truth(folder: Path) -> dict[str, object]:
    image = Image.new("RGBA", HEAD_SIZE_WH, (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((50, 30, 190, 240), fill=(220, 60, 60, 255))
    x, y = EYES_XY_PX
    points = np.array([(x - 28, y), (x + 28, y), (x, y + 29), (x - 23, y + 55), (x + 23, y + 55)], np.float32)
    walk = Walk("near", "Near", Head(np.array(image), points), 0.0, (-0.2, 3.0), (0.6, 2.6))
    write_scene(Scene((walk,), size_wh=(320, 180), rate_hz=10, duration_s=0.2, seed=3), folder)
    truth: dict[str, object] = json.loads((folder / "truth.json").read_text())
    return truth


def calibration_report() -> CalibrationReport:
    """A report with one of everything in it."""
    table = Calibration("m", "made", ((1, (Point(0.1, 0.2, 99, 0.09, 0.11),)),))
    return CalibrationReport("made", table, table, (Suspect("a", "b", 0.6),), (Promise(10, 0.01, 0.01, 0.009, 0.011),))


def audited(folder: Path) -> list[str]:
    """A log in a folder; the command that verifies it."""
    for name, data in files_of(plain_leaves(3)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    known = [word for witness in WITNESSES[:3] for word in ("--witness", witness.verifier.encode())]
    return ["audit", "verify", str(folder), "--key", LOG.verifier.encode(), *known]


@pytest.fixture(scope="module")
def real(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shape]:
    """The shape of every object Habeas prints, from real runs."""
    ada, consent = ("--subject", "ada=ada.jpg"), ("--basis", "consent")
    objects = [
        *run(workshop, "watch", "street.mp4", *ada, *consent),
        *run(workshop, "watch", "pictures", *ada, *consent),
        *run(workshop, "watch", "street.mp4", *ada, "--subject", "eve=ada.jpg", *consent),
        *run(workshop, "watch", "street.mp4", *ada, "--basis", "police"),
        *run(workshop, "watch", "--everybody"),
        *run(workshop, "evaluate", "pairs", "people"),
        *run(workshop, "evaluate", "open-set", "people"),
        *run(workshop, "models", "list"),
        *run(workshop, "models", "verify"),
        *run(workshop, *audited(tmp_path_factory.mktemp("log"))),
        calibration_report().as_json(),
        json.loads(to_json(calibration_report().whole)),
        scene_truth(tmp_path_factory.mktemp("scene")),
    ]
    return {kind(example): shape(json.loads(json.dumps(example))) for example in objects}


def examples() -> list[tuple[str, dict[str, object]]]:
    return [
        (f"{page.name}: {kind(json.loads(line))}", json.loads(line))
        for page in PAGES
        for block in blocks(page, "json")
        for line in block.splitlines()
    ]


@pytest.mark.parametrize(("name", "example"), [pytest.param(*entry, id=entry[0]) for entry in examples()])
def test_json_examples_have_the_keys_of_real_output(
    name: str, example: dict[str, object], real: dict[str, Shape]
) -> None:
    del name
    if kind(example) == "demo":
        pytest.skip("20 s: test_the_demos_json")
    assert shape(example) == real[kind(example)]


def test_every_kind_of_object_is_documented(real: dict[str, Shape]) -> None:
    shown = {kind(example) for name, example in examples() if name.startswith("formats.md")}
    assert set(real) <= shown
    assert shape({"a": [{"b": 1}]}) != shape({"a": [{"c": 1}]}), "a missing key is noticed"


@pytest.mark.long
def test_the_demos_json(workshop: Path) -> None:
    printed = run(workshop, "demo", "--headless")
    (wanted,) = (example for name, example in examples() if name == "formats.md: demo")
    assert shape(printed[-1]) == shape(wanted)
    assert [entry["event"] for entry in printed][-2:] == ["summary", "demo"]


# --- generated pages, rules, links ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("habeas_docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(generator: ModuleType) -> None:
    for name, wanted in generator.pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == wanted, f"run python docs/generate.py: {name} is stale"


def test_every_public_name_and_setting_has_a_heading(generator: ModuleType) -> None:
    headings = set(re.findall(r"^### (\S+)$", "\n".join(generator.pages().values()), re.MULTILINE))
    assert {".".join(key) for key in known_keys()} <= headings
    assert set(habeas.__all__) - {"__version__"} <= headings


def marked(source: str) -> set[str]:
    """The rules that a test file's marks name."""
    return {
        argument.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "rule"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def rules() -> set[str]:
    """The IDs of docs/rules.md."""
    return set(re.findall(r"^\| ([A-Z]\d+) \|", (DOCS / "rules.md").read_text(encoding="utf-8"), re.MULTILINE))


def marks() -> set[str]:
    """Every rule that some test guards."""
    return set().union(*(marked(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py")))


def test_every_rule_has_a_test() -> None:
    assert len(rules()) > 20
    assert rules() - marks() == set()
    assert marked('@pytest.mark.rule("X1")\ndef test_it(): ...') == {"X1"}


def test_every_mark_names_a_rule() -> None:
    assert marks() - rules() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8")))
    inside = [link.partition("#") for link in links if "://" not in link and not link.startswith("#")]
    for target, _, anchor in inside:
        assert (page.parent / target).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (page.parent / target).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_model_card_is_about_these_templates(app: App) -> None:
    card = (DOCS / "model-card.md").read_text(encoding="utf-8")
    grey = app.templater.from_crops([np.full((112, 112, 3), 128, np.uint8)], None)
    assert f"{grey.vectors.shape[1]} numbers of unit length" in card
    assert app.pack.model_id in card
