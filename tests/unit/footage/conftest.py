"""An installation at the beginning of an hour, and a bench on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.installation import Installation
from tests.unit.footage.bench import Bench, Tight
from tests.unit.footage.holder import Holder

from habeas.clock import ManualClock
from habeas.types import HOUR_NS


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    clock.advance(HOUR_NS - clock.now_ns() % HOUR_NS)
    with Installation(tmp_path, clock) as made:
        for name in ("c1", "c2"):
            made.camera(name)
        yield made


@pytest.fixture
def bench(place: Installation, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(place, Tight(tmp_path / "footage"))
    yield made
    made.stop()


@pytest.fixture
def holder(bench: Bench, tmp_path: Path) -> Holder:
    made = Holder(bench, tmp_path / "held")
    made.plenty()
    return made
