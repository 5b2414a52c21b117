"""What the doctor says of recording."""

from pathlib import Path

import pytest
from tests.founded import founded, with_camera

from habeas.clock import ManualClock
from habeas.footage.recorder import RESUMED, STOPPED
from habeas.node.findings import Finding, Health
from habeas.node.recordings import check_access, check_footage
from habeas.node.workspace import Workspace
from habeas.store import open_store
from habeas.store.footage_records import AccessRequest, Footage
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S


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


def test_cameras_are_told_of_which_nothing_was_recorded_for_long(tmp_path: Path, clock: ManualClock) -> None:
    workspace = with_reserve(tmp_path, clock, 0)
    for name, recorded in (("gate", True), ("door", True), ("yard", False)):
        with_camera(workspace, name, f"rtsp://10.1.1.1/{name}", recorded=recorded)
    with open_store(workspace.database_url, clock) as store:

        def silent() -> list[object]:
            with store.read() as tx:
                return [one.facts["camera"] for one in check_footage(tx, workspace) if one.health is Health.WARN]

        began_ns = clock.now_ns()
        assert silent() == []
        clock.advance(600 * NS_PER_S)
        assert silent() == ["door", "gate"]
        hour_ns = began_ns - began_ns % HOUR_NS
        with store.write() as tx:
            tx.add(Footage("gate/1", "gate", hour_ns, "k", began_ns + DAY_NS, began_ns + 90 * NS_PER_S, segments=1))
        assert silent() == ["door"]
        clock.advance(90 * NS_PER_S)
        assert silent() == ["door", "gate"]
        with store.read() as tx:
            texts = [one.text for one in check_footage(tx, workspace) if one.health is Health.WARN]
        assert texts[0] == "there is no footage of door"
        assert texts[1].startswith("nothing was recorded of gate since ")
        with store.write() as tx:
            tx.entry("node.started", "node", {})
        assert silent() == [], "a first segment takes its time"
        clock.advance(600 * NS_PER_S)
        assert silent() == ["door", "gate"]
        with store.write() as tx:
            tx.entry(STOPPED, "recorder", {"why": "its disk is full"})
        with store.read() as tx:
            (stopped,) = [one for one in check_footage(tx, workspace) if one.health is Health.WARN]
        assert "nothing was recorded since" in stopped.text, "the reason is one for all"


def test_cameras_are_told_whose_masks_do_not_apply_to_their_footage(tmp_path: Path, clock: ManualClock) -> None:
    workspace, masks = with_reserve(tmp_path, clock, 0), ((0.0, 0.0, 0.5, 0.5),)
    for name, recorded, covers, reencode in (
        ("plain", True, (), False),
        ("watched", False, masks, False),
        ("covered", True, masks, True),
        ("gate", True, masks, False),
    ):
        url = f"rtsp://10.1.1.1/{name}"
        with_camera(workspace, name, url, recorded=recorded, masks=covers, reencode=reencode)
    gate, well = told(workspace)
    assert (gate.health, gate.facts["camera"]) == (Health.WARN, "gate")
    assert gate.text == "the masks of gate do not apply to its footage: it is recorded as it comes"
    assert "--reencode" in gate.remedy
    assert well.health is Health.OK


@pytest.mark.rule("X6")
def test_access_requests_that_are_overdue_are_told_while_they_are_open(tmp_path: Path, clock: ManualClock) -> None:
    workspace = founded(tmp_path, clock)
    due_ns = clock.now_ns() + 30 * DAY_NS

    def asked(name: str, state: str, due_ns: int) -> AccessRequest:
        about = clock.now_ns(), due_ns, ("gate",), 1, 2
        return AccessRequest(name, state, "acc-1", *about, "passport", f"access-{name}", b"sealed", "")

    with open_store(workspace.database_url, clock) as store:

        def late() -> list[tuple[Health, object]]:
            with store.read() as tx:
                return [(one.health, one.facts.get("access")) for one in check_access(tx)]

        with store.write() as tx:
            rows = [asked("r1", "approved", due_ns), asked("r2", "opened", due_ns + 1), asked("r3", "closed", due_ns)]
            for row in rows:
                tx.add(row)
        assert late() == [(Health.OK, None)]
        clock.advance(30 * DAY_NS)
        assert late() == [(Health.WARN, "r1")]
        clock.advance(1)
        assert late() == [(Health.WARN, "r1"), (Health.WARN, "r2")]
