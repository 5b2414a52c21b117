from pathlib import Path

import pytest
from tests.databases import KINDS, new_database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> str:
    """A database with tables and nothing in them, of each kind."""
    return new_database(kind, tmp_path)
