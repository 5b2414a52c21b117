"""Footage of a real camera, recorded by a running node: encrypted, listed, and whole after it is stopped or killed."""

import io
import signal
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from tests.cameras import RtspCamera
from tests.cli.nodes import RunningNode, new_workspace

from habeas.app import App
from habeas.footage.files import FootageFolder, read_segment
from habeas.node.workspace import SETTINGS, load_workspace
from habeas.types import HOUR_NS

pytestmark = pytest.mark.timeout(300)
_SOON_S = 90


def recorded(node: RunningNode, parts: int, camera_id: str = "gate") -> Path:
    """Wait until a segment is so many records long, and return its file."""
    deadline = time.monotonic() + _SOON_S
    while True:
        assert time.monotonic() < deadline, (node.run("footage", "list", who="pia").out, node.log.read_text())
        for path in sorted((node.folder / "footage").glob(f"{camera_id}/*/*.habf"), reverse=True):
            hour_ns = int(time.time_ns()) // HOUR_NS * HOUR_NS
            if len(read_segment(path, camera_id, hour_ns).records) >= parts:
                return path
        threading.Event().wait(0.2)


def searched(node: RunningNode, picture: Path) -> str:
    """Search what was recorded for somebody who is in it; return an alert of that."""
    words = ["authorise", "new", "--kind", "retrospective", "--purpose", "missing-person", "--authority", "Police"]
    words += ["--reference", "MP-7", "--from=-10m", "--until", "now", "--camera", "gate", "--born", "Ada=1990-12-31"]
    asked = node.run(*words, "--subject", f"Ada={picture}", who="rita").row["id"]
    node.run("authorise", "submit", asked, who="rita")
    assert node.run("footage", "search", asked, who="rita").error["rule"] == "state"
    bound = node.run("authorise", "show", asked, who="ann").row["content_hash"]
    for who in ("ann", "bert"):
        assert node.run("authorise", "approve", asked, "--hash", bound, who=who).status == 0
    text = node.text("footage", "search", asked, who="rita")
    assert f"{asked}: done" in text, node.log.read_text()
    told = node.run("footage", "search", asked, who="rita").row
    assert (told["state"], told["damaged"], told["suspended_s"]) == ("done", 0, 0)
    assert told["watched_s"] >= 2
    assert told["alerts"] >= 1
    (alert, *_) = node.run("review", "list", who="olga").rows
    assert (alert["camera_id"], alert["from_footage"]) == ("gate", True)
    assert ", from footage" in node.text("review", "list", who="olga")
    assert node.run("status", who="pia").row["watched"] == [], "nobody is looked for live"
    return str(alert["alert_id"])


def played(node: RunningNode, alert: str) -> None:
    """Play the seconds around it: whoever it is of can be seen, and is all that can."""
    for who, rule in (("aud", "role"), ("rita", "role")):
        assert node.run("footage", "play", "--alert", alert, who=who).error["rule"] == rule
    assert node.run("footage", "play", "--alert", alert, "--no-follow", who="olga").row["state"] == "making"
    told, film = node.played("--alert", alert, "--follow", who="olga")
    assert (told["state"], told["found"], told["damaged"]) == ("ready", True, 0)
    assert told["shown_s"] > 0.3
    with av.open(io.BytesIO(film)) as video:
        assert len(video.streams) == 1
        assert sum(1 for _ in video.decode(video=0)) > 8
    for name in ("alert.playback-asked", "alert.playback-made", "alert.played"):
        assert name in node.kinds("aud")


def test_a_camera_is_recorded_with_nobody_looked_for_and_searched_later(
    app: App, tmp_path: Path, clip: Path, astronaut: Path
) -> None:
    assert app.settings
    folder, codes = new_workspace(tmp_path)
    with RtspCamera(clip) as camera:
        settings = (folder / SETTINGS).read_text().replace("cameras: {", f"cameras: {{ports: [{camera.port}], ")
        (folder / SETTINGS).write_text(settings)
        node = RunningNode(folder, tmp_path, app.settings)
        try:
            node.wait_ready()
            node.login({name: codes[name] for name in ("adam", "pia", "aud", "rita", "ann", "bert", "olga")})
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
            alert = searched(node, astronaut)
            node.stop(signal.SIGKILL)
            node.log.unlink()
            node = RunningNode(folder, tmp_path, app.settings)
            node.wait_ready()
            counted = node.run("footage", "list", who="pia").row["hours"][0]
            assert counted["segments"] >= 1
            assert counted["seconds"] >= 2
            assert "footage.began" in node.kinds("aud")
            played(node, alert)
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


@pytest.mark.rule("T14")
def test_the_masks_of_a_camera_are_in_every_picture_of_its_footage_even_if_the_node_is_killed(
    app: App, tmp_path: Path
) -> None:
    folder, codes = new_workspace(tmp_path)
    with RtspCamera() as camera:
        settings = (folder / SETTINGS).read_text().replace("cameras: {", f"cameras: {{ports: [{camera.port}], ")
        (folder / SETTINGS).write_text(settings)
        node = RunningNode(folder, tmp_path, app.settings)
        try:
            node.wait_ready()
            node.login({name: codes[name] for name in ("adam", "pia")})
            words = ["camera", "add", "--url-stdin", "--purpose", "Who walks through the test", "--record", camera.url]
            words += ["--mask", "0,0,0.5,0.75"]
            for name, more in (("gate", ["--reencode"]), ("plain", [])):
                assert node.run(*words, name, *more, who="adam", stdin=camera.url + "\n").status == 0
            for name in ("plain", "gate"):
                recorded(node, 5, name)
            told = node.run("footage", "list", who="pia").row
            assert told["recording"] == {"gate": "running", "plain": "running"}
            assert told["dropped"] == {"gate": 0, "plain": 0}
        finally:
            node.stop(signal.SIGKILL)
    assert max(under_the_mask(folder, "gate")) <= 4
    assert min(under_the_mask(folder, "plain")) > 40, "the control: as it comes, all is to be seen"


def under_the_mask(folder: Path, camera_id: str) -> list[int]:
    """Return how much differs under the mask, of each picture of a camera's footage."""
    workspace, spreads = load_workspace(folder), []
    with workspace.open_keys() as keys:
        for path in sorted((folder / "footage").glob(f"{camera_id}/*/*.habf")):
            stored = read_segment(path, camera_id, time.time_ns() // HOUR_NS * HOUR_NS)
            boxes = b"".join(record.data for record in stored.parts(keys, time.time_ns()))
            with av.open(io.BytesIO(boxes)) as container:
                frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
            spreads += [
                int(np.ptp(frame[: int(frame.shape[0] * 0.7), : int(frame.shape[1] * 0.45)])) for frame in frames
            ]
    assert len(spreads) >= 70
    return spreads
