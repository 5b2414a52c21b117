"""Cameras through a running node: their secrets go in, and never come out."""

import json
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Habeas
from tests.cli.nodes import URL_SECRET, RunningNode
from tests.unit.video.onvif_device import PASSWORD, RECORDED, USER, OnvifDevice, Responder
from tests.unit.video.test_onvif import needs_extra

from habeas.cli.camera import add_command, parse_mask
from habeas.errors import UsageError
from habeas.models.pull import fetch
from habeas.settings import Settings


def test_a_camera_comes_and_goes_and_its_password_is_never_shown(node: RunningNode) -> None:
    node.camera("come", zone="go")
    listed = {row["camera"]: row for row in node.run("camera", "list", who="adam").rows}
    assert listed["come"]["zone"] == "go"
    assert listed["come"]["masks"] == []
    assert "come" in node.text("camera", "list", who="ann")
    assert node.run("camera", "remove", "come", who="adam").row == {"removed": "come"}
    assert "come" not in node.text("camera", "list", who="ann").split()
    assert URL_SECRET not in node.everything()


def test_masks_and_smallest_face_go_along(node: RunningNode) -> None:
    words = ["camera", "add", "masked", "rtsp://127.0.0.1:8554/m", "--purpose", "Who walks by the gate"]
    words += ["--mask", "0,0,0.5,0.25", "--mask", "0.5,0.5,1,1", "--min-face", "48", "--record", "rtsp://127.0.0.1/r"]
    assert node.run(*words, who="adam").status == 0
    row = next(row for row in node.run("camera", "list", who="adam").rows if row["camera"] == "masked")
    assert (row["masks"], row["min_face_px"], row["records"]) == ([[0, 0, 0.5, 0.25], [0.5, 0.5, 1, 1]], 48, True)
    assert row["reencode"] is False


def test_masks_and_recording_without_encoding_anew_is_told(node: RunningNode) -> None:
    words = ["--purpose", "Who walks by the gate", "--record", "rtsp://127.0.0.1/r", "--mask", "0,0,0.5,0.25"]
    for name, more, told in (("bare", [], True), ("anew", ["--reencode"], False)):
        said = node.run("camera", "add", name, f"rtsp://127.0.0.1/{name}", *words, *more, who="adam")
        assert said.status == 0
        assert ("masks do not apply to what is recorded" in said.err) is told
    rows = {row["camera"]: row["reencode"] for row in node.run("camera", "list", who="adam").rows}
    assert (rows["bare"], rows["anew"]) == (False, True)


@pytest.mark.parametrize(
    ("words", "what", "remedy"),
    [
        (["--record", "rtsp://127.0.0.1/r"], "without masks it is recorded as it comes", "--mask x0,y0,x1,y1"),
        (["--mask", "0,0,0.5,0.25"], "what is not recorded is not encoded anew", "--record"),
    ],
)
def test_encoding_anew_is_for_masks_of_what_is_recorded(
    node: RunningNode, words: list[str], what: str, remedy: str
) -> None:
    purpose = ["--purpose", "Who walks by the gate", "--reencode"]
    said = node.run("camera", "add", "vain", "rtsp://127.0.0.1/vain", *purpose, *words, who="adam")
    assert said.status == 4
    assert what in said.error["message"]
    assert remedy in said.error["remedy"]


@pytest.mark.parametrize(
    "words",
    [
        [f"rtsp://v:{URL_SECRET}@127.0.0.1/a", f"rtsp://v:{URL_SECRET}@127.0.0.1/b"],
        [f"rtsp://v:{URL_SECRET}@127.0.0.1/a", "--url-stdin"],
        [f"rtsp://v:{URL_SECRET}@127.0.0.1:1/a"],
        [f"rtsp://v:{URL_SECRET}@127.0.0.1:x/a"],
        [f"http://v:{URL_SECRET}@127.0.0.1/a"],
        [f"rtsp://v:{URL_SECRET}@@8.8.8.8/a"],
        [f"rtsp://v:{URL_SECRET}@169.254.169.254/a"],
        [f"v:{URL_SECRET}@127.0.0.1"],
        [],
    ],
)
def test_no_refusal_repeats_a_password(node: RunningNode, words: list[str]) -> None:
    for as_json in (True, False):
        said = node.run(
            "camera", "add", "bad", "--purpose", "Who walks by the gate", *words, who="adam", json_too=as_json
        )
        assert said.status in {2, 4}
        assert URL_SECRET not in said.out + said.err


def test_only_an_admin_adds_and_tests(node: RunningNode) -> None:
    words = ["camera", "add", "mine", "rtsp://127.0.0.1/m", "--purpose", "Who walks by the gate"]
    assert node.run(*words, who="rita").error["rule"] == "role"
    node.camera("tested")
    assert node.run("camera", "test", "tested", who="rita").error["rule"] == "role"


def test_a_camera_that_does_not_answer_is_said_so(node: RunningNode) -> None:
    node.camera("silent")
    said = node.run("camera", "test", "silent", who="adam")
    assert (said.status, said.rows[0]["flows"], said.error["kind"]) == (4, False, "source")
    assert URL_SECRET not in said.out + said.err


def test_a_file_that_may_not_be_a_camera_is_told_what_to_set(node: RunningNode, tmp_path: Path, clip: Path) -> None:
    elsewhere = tmp_path / "street.mp4"
    elsewhere.write_bytes(clip.read_bytes())
    for given, status in ((f"file://{elsewhere}", 4), (str(elsewhere), 2)):
        said = node.run("camera", "add", "street", given, "--purpose", "Who walks by the gate", who="adam")
        assert said.status == status
        assert "cameras.folders in habeas.yaml" in said.error["remedy"]
        assert f"list {tmp_path} as" in said.error["remedy"]
    assert f"file://{elsewhere}" in said.error["remedy"]
    dots = node.run("camera", "add", "street", f"file://{tmp_path}/../x.mp4", "--purpose", "Who walks", who="adam")
    assert str(tmp_path) not in dots.error["remedy"]


@pytest.mark.parametrize("text", ["", "1,2,3", "0,0,1,2", "a,b,c,d", "nan,0,1,1", "0,0,1,1,1", "-1,0,1,1"])
def test_a_mask_is_four_parts_of_the_picture(text: str) -> None:
    with pytest.raises(UsageError):
        parse_mask(text)


def test_the_offered_command_is_quoted() -> None:
    assert add_command("rtsp://h/a?b=1&c=$(x)").endswith("'rtsp://h/a?b=1&c=$(x)'")


@needs_extra
def test_cameras_of_the_network_are_found_with_the_command_that_adds_them(habeas: Habeas, settings: Settings) -> None:
    folder = settings.models.folder / "onvif-answers"
    fetch(RECORDED, folder)
    with (
        OnvifDevice(folder) as device,
        Responder(lambda asked: [_probe_answer(folder, asked, device.port)]) as responder,
    ):
        to = f"127.0.0.1:{responder.to[1]}"
        words = ["camera", "find", "--to", to, "--network", "127.0.0.1/32", "--seconds", "0.6"]
        (row,) = habeas(*words, "--json").events
        assert (row["host"], row["port"], row["streams"]) == ("127.0.0.1", device.port, [])
        words += ["--user", USER, "--password-stdin", "--port", str(device.port)]
        (row,) = habeas_with(words, PASSWORD)
    assert row["streams"][0]["url"] == "rtsp://127.0.0.1:554/h264main"
    assert PASSWORD not in json.dumps(row)


def habeas_with(words: list[str], stdin: str) -> list[dict[str, object]]:
    from typer.testing import CliRunner  # noqa: PLC0415 - the shared runner gives no input

    from habeas.cli.main import app as command  # noqa: PLC0415 - as above

    done = CliRunner().invoke(command, [*words, "--json"], input=stdin + "\n")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def _probe_answer(recorded: Path, message_id: str, port: int) -> bytes:
    service = f"http://127.0.0.1:{port}/onvif/device_service"
    answer = (recorded / "Probe.xml").read_text(encoding="utf-8")
    return answer.replace("RELATES_TO", message_id).replace("SERVICE_URI", service).encode()


def test_saved_pictures_are_for_their_user_only(tmp_path: Path) -> None:
    from habeas.cli.files import save_private  # noqa: PLC0415 - one use
    from habeas.errors import DiskError, InputError  # noqa: PLC0415 - one use

    path = save_private(tmp_path / "faces", "ref-1", b"\xff\xd8\xff...")
    assert path.name == "ref-1.jpg"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(DiskError):
        save_private(tmp_path / "faces", "ref-1", b"\xff\xd8\xff other")
    for name in ("../x", "", "a/b", ".x", "a\n"):
        with pytest.raises(InputError):
            save_private(tmp_path / "faces", name, b"x")
