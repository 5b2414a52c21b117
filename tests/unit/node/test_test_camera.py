"""A running node tests its cameras: what they are, who delivers, and that nobody is looked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cameras import RtspCamera, free_port
from tests.founded import founded, with_camera

from habeas.authority.cameras import camera_named, delivering
from habeas.clock import SystemClock
from habeas.errors import HabeasError, InputError
from habeas.models.pack import default_model_id
from habeas.node.node import Node
from habeas.settings import Settings


@pytest.fixture
def there() -> Iterator[RtspCamera]:
    with RtspCamera() as there:
        yield there


def test_a_camera_without_an_authorisation_is_told_and_not_analysed(
    there: RtspCamera, tmp_path: Path, settings: Settings
) -> None:
    assert settings.models  # the models are here
    problems: list[HabeasError] = []
    dead = free_port()
    lines = f"cameras: {{networks: [127.0.0.1/32], ports: [{there.port}, {dead}]}}\nworkers: {{count: 1}}"
    workspace = founded(tmp_path, settings=lines)
    gate = with_camera(workspace, "gate", there.url)
    gone = with_camera(workspace, "gone", f"rtsp://viewer:hunter2@127.0.0.1:{dead}/x")
    with Node(workspace, SystemClock(), default_model_id(), problems.append) as node:
        with node.store.read() as tx:
            assert delivering(tx) == 0
        told = node.test_camera(gate)
        refused = node.test_camera(gone)
        with node.store.read() as tx:
            assert delivering(tx) == 1
            assert camera_named(tx, "gate").delivered_at_ns is not None
            assert camera_named(tx, "gone").delivered_at_ns is None
        assert node.supervisor.running() == frozenset()
        assert node.supervisor.states() == {}
    assert (told["camera"], told["flows"], told["size"], told["codec"]) == ("gate", True, "160x120", "h264")
    assert (refused["flows"], refused["flaw"]) == (False, "cannot connect: connection refused")
    assert "hunter2" not in str(refused)
    assert problems == []


def test_an_address_that_is_no_longer_allowed_is_not_opened(tmp_path: Path, settings: Settings) -> None:
    assert settings.models
    lines = "cameras: {networks: [127.0.0.1/32]}\nworkers: {count: 1}"
    workspace = founded(tmp_path, settings=lines)
    gate = with_camera(workspace, "gate", "rtsp://127.0.0.1/x")
    narrower = founded(tmp_path / "other").settings.cameras
    changed = workspace.settings.model_copy(update={"cameras": narrower})
    object.__setattr__(workspace, "settings", changed)
    with (
        Node(workspace, SystemClock(), default_model_id(), lambda _error: None) as node,
        pytest.raises(InputError, match="in no network of cameras"),
    ):
        node.test_camera(gate)
