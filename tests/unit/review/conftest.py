from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.installation import Installation

from habeas.clock import ManualClock


@pytest.fixture
def place(tmp_path: Path, clock: ManualClock) -> Iterator[Installation]:
    """A founded installation with the cameras c1, c2 and c3 at the gate."""
    with Installation(tmp_path, clock) as made:
        for name in ("c1", "c2", "c3"):
            made.camera(name)
        yield made
