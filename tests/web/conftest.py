"""The installation of these tests: founded once, its node run for the session."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.founding import founded
from tests.web.matrix import PREFIX
from tests.web.world import World, api_of, served

from habeas.app import App


@pytest.fixture(scope="session")
def world(app: App, portraits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An installation with everybody and everything in it."""
    folder = tmp_path_factory.mktemp("node")
    portrait = (portraits_folder / "astronaut.png").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))  # where sources of cameras are noted
        with founded(folder, app.settings, app.pack.model_id, portrait) as made:
            yield made


@pytest.fixture(scope="session")
def client(world: World) -> Iterator[httpx.Client]:
    """A client of the real application on its Unix socket."""
    with served(api_of(world), world.folder / "node.sock") as made:
        yield made


@pytest.fixture
def lives(world: World, client: httpx.Client) -> Iterator[None]:
    """The node answers afterwards as before, and its database is as it was."""
    before = world.digests()
    yield
    assert client.get(f"{PREFIX}/healthz").json()["running"] is True
    assert world.digests() == before
    world.restore()
