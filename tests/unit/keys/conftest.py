"""A store on a real folder, and its master key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from habeas.keys import KeyStore, MasterKey


@pytest.fixture
def master(tmp_path: Path) -> MasterKey:
    return MasterKey.create_file(tmp_path / "master")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `store` is."""
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path, master: MasterKey) -> Iterator[KeyStore]:
    """An empty store, open."""
    with KeyStore.create(folder, master) as made:
        yield made
