"""Footage of a real camera, recorded by a running node: encrypted, listed, and whole after it is stopped or killed."""

import signal
import threading
import time
from pathlib import Path

import pytest
from tests.cameras import RtspCamera
from tests.cli.nodes import RunningNode, new_workspace

from habeas.app import App
from habeas.footage.files import FootageFolder, read_segment
from habeas.node.workspace import SETTINGS, load_workspace
from habeas.types import HOUR_NS

pytestmark = pytest.mark.timeout(300)
_SOON_S = 90


def recorded(node: RunningNode, parts: int) -> Path:
    """Wait until a segment is so many records long, and return its file."""
    deadline = time.monotonic() + _SOON_S
    while True:
        assert time.monotonic() < deadline, (node.run("footage", "list", who="pia").out, node.log.read_text())
        for path in sorted((node.folder / "footage").glob("gate/*/*.habf"), reverse=True):
            hour_ns = int(time.time_ns()) // HOUR_NS * HOUR_NS
            if len(read_segment(path, "gate", hour_ns).records) >= parts:
                return path
        threading.Event().wait(0.2)


def test_a_camera_is_recorded_with_nobody_looked_for(app: App, tmp_path: Path) -> None:
    assert app.settings
    folder, codes = new_workspace(tmp_path)
    with RtspCamera() as camera:
        settings = (folder / SETTINGS).read_text().replace("cameras: {", f"cameras: {{ports: [{camera.port}], ")
        (folder / SETTINGS).write_text(settings)
        node = RunningNode(folder, tmp_path, app.settings)
        try:
            node.wait_ready()
            node.login({name: codes[name] for name in ("adam", "pia", "aud")})
            words = ["camera", "add", "gate", "--url-stdin", "--purpose", "Who walks through the test"]
            words += ["--record", camera.url]
            assert node.run(*words, who="adam", stdin=camera.url + "\n").row["camera"] == "gate"
            path = recorded(node, 4)
            told = node.run("footage", "list", who="pia").row
            assert told["recording"] == {"gate": "running"}
            assert told["stopped"] is None
            (hour,) = told["hours"]
            assert (hour["camera"], hour["zone"]) == ("gate", "default")
            assert "gate: recording is running" in node.text("footage", "list", who="pia")
            assert node.run("footage", "list", "--camera", "other", who="pia").row["hours"] == []
            assert node.run("status", who="pia").row["watched"] == [], "nobody is looked for"
            assert b"ftyp" not in path.read_bytes(), "what is on the disk is encrypted"
            node.stop(signal.SIGKILL)
            node.log.unlink()
            node = RunningNode(folder, tmp_path, app.settings)
            node.wait_ready()
            counted = node.run("footage", "list", who="pia").row["hours"][0]
            assert counted["segments"] >= 1
            assert counted["seconds"] >= 2
            kinds = {row["opening"]["type"] for row in node.run("audit", "show", "--limit", "4000", who="aud").rows}
            assert "footage.began" in kinds
        finally:
            node.stop()
    workspace = load_workspace(folder)
    with workspace.open_keys() as keys:
        for file in FootageFolder(folder / "footage").hours()[0].glob("*.habf"):
            stored = read_segment(file, "gate", time.time_ns() // HOUR_NS * HOUR_NS)
            assert stored.is_ended(keys)
            boxes = [record.data for record in stored.parts(keys, time.time_ns())]
            assert boxes[0][4:8] == b"ftyp"
            assert all(data[4:8] == b"moof" for data in boxes[1:])
