"""What the doctor says of recording."""

from pathlib import Path

from tests.founded import founded, with_camera

from habeas.clock import ManualClock
from habeas.footage.recorder import RESUMED, STOPPED
from habeas.node.findings import Finding, Health
from habeas.node.recordings import check_footage
from habeas.node.workspace import Workspace
from habeas.store import open_store


def with_reserve(tmp_path: Path, clock: ManualClock, reserve_gb: int) -> Workspace:
    return founded(tmp_path, clock, settings=f"footage: {{reserve_gb: {reserve_gb}}}\n")


def told(workspace: Workspace, *entries: str) -> list[Finding]:
    with open_store(workspace.database_url, ManualClock()) as store:
        with store.write() as tx:
            for kind in entries:
                tx.entry(kind, "recorder", {"why": "its disk is full"})
        with store.read() as tx:
            return list(check_footage(tx, workspace))


def test_why_nothing_is_recorded_is_told_until_something_is(tmp_path: Path, clock: ManualClock) -> None:
    workspace = with_reserve(tmp_path, clock, 0)
    (nothing,) = told(workspace, STOPPED)
    assert (nothing.health, nothing.text) == (Health.OK, "no camera is recorded")
    with_camera(workspace, "gate", "rtsp://10.1.1.1/live", recorded=True)
    (stopped,) = told(workspace)
    assert stopped.health is Health.WARN
    assert stopped.text.endswith("its disk is full")
    (well,) = told(workspace, RESUMED)
    assert well.health is Health.OK


def test_a_disk_below_the_reserve_is_told(tmp_path: Path, clock: ManualClock) -> None:
    workspace = with_reserve(tmp_path, clock, 10_000)
    with_camera(workspace, "gate", "rtsp://10.1.1.1/live", recorded=True)
    (little,) = told(workspace)
    assert little.health is Health.WARN
    assert "less than footage.reserve_gb leaves" in little.text
