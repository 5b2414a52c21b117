from pathlib import Path

import pytest
from tests.databases import new_database

from habeas.clock import ManualClock
from habeas.errors import InputError
from habeas.store.upgrade import bring_up


def test_a_database_that_is_there_stays(tmp_path: Path, clock: ManualClock) -> None:
    url = new_database("sqlite", tmp_path)
    assert bring_up(url, tmp_path, clock) is None


@pytest.mark.parametrize("empty", [True, False])
def test_none_is_made_where_it_is_missing(tmp_path: Path, clock: ManualClock, empty: bool) -> None:
    file = tmp_path / "habeas.db"
    if empty:
        file.touch(mode=0o600)
    with pytest.raises(InputError, match="not there"):
        bring_up(f"sqlite:///{file}", tmp_path, clock)
    assert file.exists() is empty
