"""`habeas doctor` as a user meets it: without a node, and beside one that runs."""

from pathlib import Path

from tests.cameras import RtspCamera
from tests.cli.conftest import Habeas
from tests.cli.nodes import RunningNode
from tests.founded import founded, with_camera

from habeas.app import App
from habeas.node.workspace import SETTINGS

LOOPBACK = "cameras: {networks: [127.0.0.1/32]}\nworkers: {count: 1}"


def test_an_installation_that_is_well_ends_with_0(app: App, habeas: Habeas, tmp_path: Path) -> None:
    assert app  # the models are here
    with RtspCamera() as there:
        lines = LOOPBACK.replace("32]", f"32], ports: [{there.port}]")
        workspace = founded(tmp_path, settings=lines)
        with_camera(workspace, "gate", there.url, min_face_px=16)
        ran = habeas("doctor", "-w", workspace.folder, "--json")
    assert ran.status == 0, ran.out
    *checks, summary = ran.events
    assert summary["event"] == "summary"
    assert summary["fail"] == 0
    assert summary["ok"] + summary["warn"] == len(checks)
    assert {one["check"] for one in checks} >= {"workspace", "database", "keys", "sandbox", "people", "camera gate"}
    assert all(set(one) == {"event", "check", "health", "text", "remedy", "facts"} for one in checks)
    (gate,) = (one for one in checks if one["check"] == "camera gate")
    assert gate["facts"]["size"] == "160x120"


def test_a_failed_check_ends_with_4_and_says_what_to_do(app: App, habeas: Habeas, tmp_path: Path) -> None:
    assert app
    workspace = founded(tmp_path, settings=LOOPBACK)
    (workspace.folder / SETTINGS).chmod(0o644)
    ran = habeas("doctor", "-w", workspace.folder)
    assert ran.status == 4
    lines = ran.out.splitlines()
    (failed,) = (number for number, line in enumerate(lines) if line.startswith("FAIL"))
    assert lines[failed].split()[1] == "workspace"
    assert f"chmod go-rw {workspace.folder / SETTINGS}" in lines[failed + 1]
    assert "1 checks failed" in ran.err


def test_where_there_is_no_workspace(habeas: Habeas, tmp_path: Path) -> None:
    ran = habeas("doctor", "-w", tmp_path, "--json")
    assert ran.status == 4
    assert ran.events[0]["health"] == "fail"
    assert "is no workspace" in ran.events[0]["text"]
    assert "habeas init" in ran.events[0]["remedy"]


def test_beside_a_running_node_an_admin_tests_cameras_through_it(node: RunningNode) -> None:
    gate = node.camera("doctor-gate", "doctor")
    said = node.run("doctor", "-w", node.folder)  # many are logged in, an admin among them
    by_check = {row["check"]: row for row in said.rows if row["event"] == "check"}
    assert by_check["workspace"]["facts"]["runs"] is True
    assert "running node holds it" in by_check["keys"]["text"]
    assert "connect" in by_check[f"camera {gate}"]["text"]
    assert said.status == 4  # nobody answers there
    node.run("camera", "remove", gate, who="adam")


def test_beside_a_running_node_others_are_told_who_may(node: RunningNode) -> None:
    gate = node.camera("doctor-gate-2", "doctor")
    for who in ("rita", "nora"):
        said = node.run("doctor", "-w", node.folder, who=who)
        cameras = [row for row in said.rows if str(row.get("check", "")).startswith("camera")]
        assert [row["health"] for row in cameras] == ["warn"]
        assert "habeas login" in cameras[0]["remedy"]
    node.run("camera", "remove", gate, who="adam")
