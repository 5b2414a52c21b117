"""`habeas watch` on files, in the order a user reads it."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Habeas, Ran, empty_street

from habeas.video import load_image

ALERT = [
    "event",
    "camera",
    "subject",
    "track",
    "at_s",
    "first_seen_s",
    "similarity",
    "threshold",
    "expected_fpir",
    "extrapolated",
    "box_xyxy_px",
]
ALERT_END = ["event", "camera", "subject", "track", "first_seen_s", "last_seen_s", "similarity"]
SUMMARY = [
    "accounted",
    "video_s",
    "frames_decoded",
    "frames_analysed",
    "faces_detected",
    "tracks",
    "templates_made",
    "templates_kept",
    "alerts",
    "cpu_s",
    "cpu_start_s",
    "wall_s",
]


def watch(source: Path, image: Path, *options: str | Path, name: str = "ada") -> list[str | Path]:
    return ["watch", source, "--subject", f"{name}={image}", "--basis", "consent", *options]


@pytest.mark.rule("W1")
@pytest.mark.rule("F4")
@pytest.mark.rule("F5")
def test_alert_then_its_end_then_the_summary(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(clip, astronaut, "--json"))
    assert ran.status == 0
    assert [event["event"] for event in ran.events] == ["alert", "alert-end", "summary"]
    alert, end, summary = ran.events
    assert list(alert)[: len(ALERT)] == ALERT
    assert list(end)[: len(ALERT_END)] == ALERT_END
    assert [key for key in summary if key in SUMMARY] == SUMMARY
    assert (alert["camera"], alert["subject"]) == (end["camera"], end["subject"]) == (str(clip), "ada")
    assert alert["track"] == end["track"]
    assert alert["similarity"] > alert["threshold"]
    assert alert["expected_fpir"] == pytest.approx(1e-4)
    assert isinstance(alert["extrapolated"], bool)
    x0, y0, x1, y1 = alert["box_xyxy_px"]
    assert 150 < x0 < x1 < 300
    assert 30 < y0 < y1 < 200
    assert summary["accounted"] is False
    assert summary["templates_kept"] == 0
    assert summary["alerts"] == 1
    assert 1 <= summary["templates_made"] <= 5 * summary["tracks"]
    assert summary["frames_decoded"] == 24


def test_seconds_are_the_streams_own_time(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    alert, end, summary = habeas(*watch(clip, astronaut, "--json")).events
    assert 1.0 <= alert["first_seen_s"] <= alert["at_s"] < 1.5
    assert end["first_seen_s"] == alert["first_seen_s"]
    assert 1.5 <= end["last_seen_s"] < 2.0
    assert summary["video_s"] == pytest.approx(3.0)


def test_lines_for_people(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(clip, astronaut))
    alert, end, summary = ran.out.splitlines()
    assert alert.startswith("ALERT")
    assert "ada" in alert
    assert end.strip().startswith("end")
    assert str(clip) in alert
    assert str(clip) in end
    assert "0 kept" in summary
    assert "not accounted" in summary
    assert "for this run only" in ran.err


def test_nobody_is_no_error(habeas: Habeas, empty_clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(empty_clip, astronaut, "--json"))
    assert ran.status == 0
    assert [event["event"] for event in ran.events] == ["summary"]
    assert ran.events[0]["tracks"] == ran.events[0]["templates_made"] == 0


def test_several_sources_are_told_apart(habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    ran = habeas(*watch(clip, astronaut, "--json", "--snapshots", tmp_path / "s"), copy)
    cameras = [event["camera"] for event in ran.events if event["event"] == "alert"]
    assert sorted(cameras) == sorted([str(clip), str(copy)])
    assert len(list((tmp_path / "s").iterdir())) == 2
    assert ran.events[-1]["video_s"] == pytest.approx(6.0)


def test_two_people_and_two_images_of_one(
    habeas: Habeas, clip: Path, astronaut: Path, hopper: Path, tmp_path: Path
) -> None:
    mirrored = tmp_path / "mirrored.png"
    Image.fromarray(np.ascontiguousarray(load_image(astronaut)[:, ::-1])).save(mirrored)
    both = f"ada={astronaut},{mirrored}"
    ran = habeas("watch", clip, "--subject", both, "--subject", f"grace={hopper}", "--basis", "consent", "--json")
    assert [event["subject"] for event in ran.events if event["event"] == "alert"] == ["ada", "grace"]


def test_a_folder_of_images_is_a_source(habeas: Habeas, astronaut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(empty_street(1)).save(folder / "1.png")
    (folder / "2.png").write_bytes(astronaut.read_bytes())
    (folder / "3.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    ran = habeas(*watch(folder, astronaut, "--json"))
    assert ran.status == 0
    told = {event["event"]: event for event in ran.events}
    assert sorted(told) == sorted(event["event"] for event in ran.events) == ["alert", "alert-end", "flaw", "summary"]
    assert ran.events[-1] == told["summary"]
    assert list(told["flaw"]) == ["event", "camera", "flaw", "at_s"]
    assert told["flaw"]["camera"] == str(folder)
    assert "3.jpg" in told["flaw"]["flaw"]
    assert told["alert"]["at_s"] == pytest.approx(1.0)
    shown = habeas(*watch(folder, astronaut))
    assert "3.jpg" in shown.err
    assert "3.jpg" not in shown.out


def test_stills_of_two_people_at_the_same_place_are_two_tracks(
    habeas: Habeas, astronaut: Path, hopper: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    faces = [(astronaut, (130, 0, 330, 250)), (hopper, (120, 60, 420, 435))]
    for number, (path, box) in enumerate(faces):
        still = Image.fromarray(empty_street(1))  # nothing but the face differs
        with Image.open(path) as image:
            still.paste(image.convert("RGB").crop(box).resize((200, 250)), (150, 120))
        still.save(folder / f"{number}.png")
    ran = habeas(*watch(folder, astronaut, "--json", "--subject", f"grace={hopper}"))
    assert ran.status == 0
    *events, summary = ran.events
    assert [(event["event"], event["subject"]) for event in events] == [
        ("alert", "ada"),
        ("alert-end", "ada"),
        ("alert", "grace"),
        ("alert-end", "grace"),
    ]
    assert len({event["track"] for event in events}) == summary["tracks"] == 2
    boxes = np.array([event["box_xyxy_px"] for event in events if event["event"] == "alert"])
    assert (boxes[:, :2].max(0) < boxes[:, 2:].min(0)).all()  # the control: they are at the same place


def test_one_bad_source_does_not_stop_the_other(habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"nothing")
    ran = habeas(*watch(clip, astronaut, "--json"), folder)
    assert (ran.status, ran.error["kind"]) == (4, "source")
    assert "1.jpg" in ran.error["message"]
    summary = ran.events[-2]
    assert (summary["event"], summary["alerts"]) == ("summary", 1)
    flaws = [event for event in ran.events if event["event"] == "flaw"]
    assert {flaw["camera"] for flaw in flaws} == {str(folder)}
    assert ran.error["message"] in [flaw["flaw"] for flaw in flaws]
    told = habeas(*watch(clip, astronaut), folder)
    assert told.status == 4
    assert "1 alerts" in told.out.splitlines()[-1]


# --- snapshots and names --------------------------------------------------------------------------------------------

NAMES = ["../../x", "/etc/x", "..", "a\x00b", "a/b", "C:\\x", "a" * 300, "zoë \u200f", "-rf *", ".hidden", "\x1b[31m"]


def test_snapshots_are_of_alerts_only(habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path) -> None:
    crops = tmp_path / "deep" / "crops"
    assert habeas(*watch(clip, astronaut, "--snapshots", crops)).status == 0
    (snapshot,) = crops.iterdir()
    with Image.open(snapshot) as image:
        assert image.format == "PNG"
        assert 40 < image.width <= 256


@pytest.mark.rule("W8")
def test_no_snapshots_unless_asked_for(
    habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert habeas(*watch(clip, astronaut)).status == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("W8")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_never_leads_out_of_the_snapshots_folder(
    habeas: Habeas, astronaut: Path, tmp_path: Path, name: str
) -> None:
    crops = tmp_path / "one" / "two" / "crops"
    ran = habeas(*watch(astronaut, astronaut, "--snapshots", crops, name=name))
    assert ran.status == 0, ran.err
    (snapshot,) = crops.iterdir()
    assert snapshot.is_file()
    assert not snapshot.name.startswith(("-rf", "."))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [snapshot]


@pytest.mark.parametrize(
    "name", ["\x1b]0;owned\x07", "\x1b[2J", "a\nALERT 1 s  b", "a\rb", "\x9b31m", "\u202eevil", "\u2028x"]
)
def test_names_cannot_speak_to_the_terminal(habeas: Habeas, clip: Path, astronaut: Path, name: str) -> None:
    ran = habeas(*watch(clip, astronaut, name=f"x{name}y"))
    assert ran.status == 0, ran.err
    assert len(ran.out.splitlines()) == 3
    assert len(ran.err.splitlines()) == 1
    assert set((ran.out + ran.err).replace("\n", "")).isdisjoint(char for char in name if not char.isprintable())


def test_a_name_that_is_no_text_is_refused(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    for options in ((), ("--json",)):
        ran = habeas(*watch(clip, astronaut, *options, name="x\udc80y"))
        assert ran.status == 2
        assert "not text" in ran.out + ran.err


def test_names_in_any_script_stay_readable(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    name = "Zoë 王小明 محمد Ελένη می\u200cروم"
    assert f"  {name}  " in habeas(*watch(clip, astronaut, name=name)).out


def test_file_names_cannot_speak_to_the_terminal(habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cam\x1b[31m\x1b]0;owned\x07"
    folder.mkdir()
    (folder / "1.png").write_bytes(astronaut.read_bytes())
    (folder / "2\x1b[2J\n.png").write_bytes(b"no picture")
    for arguments in (
        watch(folder, astronaut),
        watch(folder / "2\x1b[2J\n.png", astronaut),
        watch(clip, folder / "2\x1b[2J\n.png"),
        watch(folder / "missing\x1b[2J", astronaut),
        ["evaluate", "pairs", folder],
        ["demo", "--headless", "--out", folder / "missing\x1b" / "x.png"],
    ):
        ran = habeas(*arguments)
        assert "\x1b" not in ran.out + ran.err
        assert "\x07" not in ran.out + ran.err


def test_names_survive_json(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    name = 'a"b\\c\x1b[31m\u202eé\n'
    ran = habeas(*watch(clip, astronaut, "--json", name=f"{name}y"))
    assert ran.events[0]["subject"] == f"{name}y"
    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) == 3


def test_no_line_of_json_holds_a_number_that_json_does_not_know(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    for line in habeas(*watch(clip, astronaut, "--json")).out.splitlines():
        json.loads(line, parse_constant=refuse)


# --- what each option refuses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["ada"], "NAME=IMAGE"),
        (["=x.png"], "NAME=IMAGE"),
        (["ada="], "NAME=IMAGE"),
        ([" =x.png"], "NAME=IMAGE"),
        (["ada=,"], "NAME=IMAGE"),
    ],
)
def test_a_subject_that_is_none_is_a_usage_error(habeas: Habeas, clip: Path, given: list[str], said: str) -> None:
    options = itertools.chain.from_iterable(("--subject", text) for text in given)
    ran = habeas("watch", clip, *options, "--basis", "consent")
    assert ran.status == 2
    assert said in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["watch"],
        ["watch", "x.mp4"],
        ["watch", "x.mp4", "--subject", "a=b"],
        ["watch", "x.mp4", "--subject", "a=b", "--basis", "consent", "--everybody"],
        ["watch", "x.mp4", "--subject", "a=b", "--basis", "consent", "--fpir", "many"],
        ["nonsense"],
        ["evaluate", "nonsense"],
        ["models", "pull", "--from"],
        ["demo", "extra"],
    ],
)
def test_what_is_no_command_is_a_usage_error(habeas: Habeas, arguments: list[str]) -> None:
    ran = habeas(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert ran.err


def test_a_setting_that_is_none_is_a_usage_error(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(clip, astronaut, "--json"), env={"HABEAS_DETECT__MIN_FACE_PX": "lots"})
    assert ran.status == 2
    assert ran.error["kind"] == "usage"
    assert "HABEAS_DETECT__MIN_FACE_PX" in ran.error["message"]


def test_an_address_of_another_kind_is_a_usage_error(habeas: Habeas, astronaut: Path) -> None:
    for address in ("http://user:secret@example.org/x.mp4", "file:///etc/passwd", "concat://a|b", "pipe://0"):
        ran = habeas("watch", address, "--subject", f"a={astronaut}", "--basis", "consent", "--json")
        assert (ran.status, ran.error["kind"]) == (2, "usage")
        assert "secret" not in ran.out + ran.err


# --- rules ----------------------------------------------------------------------------------------------------------


def refused(ran: Ran) -> str:
    assert ran.status == 3
    error = ran.error
    assert list(error) == ["kind", "message", "remedy", "rule"]
    assert error["kind"] == "rule"
    assert error["remedy"]
    return str(error["rule"])


@pytest.mark.rule("W6")
@pytest.mark.rule("W9")
@pytest.mark.parametrize("basis", ["court-order", "missing-person", "evaluate", "demo", "", "Consent"])
def test_other_bases_need_a_workspace(
    habeas: Habeas, clip: Path, empty_clip: Path, astronaut: Path, basis: str
) -> None:
    for source in (clip, empty_clip):
        ran = habeas("watch", source, "--subject", f"ada={astronaut}", "--basis", basis, "--json")
        assert refused(ran) == "basis"


@pytest.mark.rule("W2")
@pytest.mark.usefixtures("astronaut")
def test_four_subjects_are_too_many(habeas: Habeas, clip: Path, portraits_folder: Path) -> None:
    images = ["astronaut.png", "grace_hopper.jpg", "obama.jpg", "biden.jpg"]
    paths = [portraits_folder / image for image in images]
    options = [option for n, path in enumerate(paths) for option in ("--subject", f"p{n}={path}")]
    assert refused(habeas("watch", clip, *options, "--basis", "consent", "--json")) == "subject-limit"
    assert habeas("watch", clip, *options[:6], "--basis", "consent", "--json").status == 0


@pytest.mark.rule("W5")
@pytest.mark.parametrize("fpir", ["0.01", "0.0011", "0", "-1", "nan", "inf"])
def test_an_fpir_above_the_limit_is_refused(habeas: Habeas, clip: Path, astronaut: Path, fpir: str) -> None:
    assert refused(habeas(*watch(clip, astronaut, "--json", "--fpir", fpir))) == "fpir"


def test_a_stricter_fpir_is_a_higher_threshold(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    thresholds = [
        habeas(*watch(clip, astronaut, "--json", "--fpir", fpir)).events[0]["threshold"] for fpir in ("1e-3", "1e-4")
    ]
    assert thresholds[0] < thresholds[1]


@pytest.mark.rule("W3")
def test_three_cameras_are_too_many(habeas: Habeas, astronaut: Path) -> None:
    cameras = [f"rtsp://127.0.0.1:9/{n}" for n in range(3)]
    ran = habeas("watch", *cameras, "--subject", f"ada={astronaut}", "--basis", "consent", "--json")
    assert refused(ran) == "live-source-limit"


def test_a_rule_is_told_to_people_in_one_line_and_its_remedy(habeas: Habeas, clip: Path, astronaut: Path) -> None:
    ran = habeas(*watch(clip, astronaut, "--fpir", "0.01"))
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 2
    assert "0.001" in ran.err


# --- sources that cannot be used ------------------------------------------------------------------------------------


def test_sources_that_cannot_be_used(habeas: Habeas, astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    (tmp_path / "nothing.mp4").touch()
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("missing.mp4", "no such file"),
        ("text.mp4", "cannot be read"),
        ("nothing.mp4", ""),
        ("empty", "no image"),
    ):
        ran = habeas(*watch(tmp_path / name, astronaut, "--json"))
        assert ran.status == 4
        assert list(ran.error) == ["kind", "message", "remedy"]
        assert (ran.error["kind"], bool(ran.error["remedy"])) == ("source", True)
        assert name in ran.error["message"]
        assert said in ran.error["message"]
        told = habeas(*watch(tmp_path / name, astronaut))
        assert len(told.err.splitlines()) <= 3
        assert told.out == ""


def test_a_good_source_before_a_missing_one_is_closed(
    habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path
) -> None:
    opened_before = {path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    assert habeas(*watch(clip, astronaut), tmp_path / "missing.mp4").status == 4
    links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    opened = {path.readlink() for path in links if path.exists()}
    assert clip not in opened - opened_before


@pytest.mark.parametrize("options", [[], ["--json"], ["--debug"]])
def test_an_unreachable_camera_is_named_without_its_password(
    habeas: Habeas, astronaut: Path, options: list[str]
) -> None:
    address = "rtsp://operator:s3cret@127.0.0.1:9/street?token=s3cret"
    ran = habeas(
        "watch",
        address,
        "--subject",
        f"ada={astronaut}",
        "--basis",
        "consent",
        *options,
        env={"HABEAS_LIVE__STALL_S": "0.5", "HABEAS_LIVE__BACKOFF_S": "0.2"},
    )
    assert ran.status == 4
    assert "127.0.0.1:9/street" in ran.out + ran.err
    assert "s3cret" not in ran.out + ran.err
    assert "operator" not in ran.out + ran.err


# --- references -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def poor_references(astronaut: Path, hopper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("references")
    with Image.open(astronaut) as image, Image.open(hopper) as other:
        face = image.convert("RGB").crop((130, 0, 330, 250))
        Image.fromarray(empty_street(4)).save(folder / "nobody.png")
        face.resize((60, 75)).save(folder / "small.png")
        face.resize((25, 31)).resize((400, 500), Image.Resampling.BICUBIC).save(folder / "blurred.png")
        pair = Image.new("RGB", (700, 420), (90, 90, 90))
        pair.paste(face.resize((320, 400)), (5, 10))
        pair.paste(other.convert("RGB").crop((120, 60, 420, 435)).resize((320, 400)), (370, 10))
        pair.save(folder / "two.png")
    (folder / "text.png").write_text("hello")
    return folder


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("nobody.png", "reference", "no face"),
        ("two.png", "reference", "2 faces"),
        ("small.png", "reference", "small"),
        ("blurred.png", "reference", "blurred"),
        ("text.png", "image", "not an image"),
        ("missing.png", "image", "no such file"),
    ],
)
def test_a_reference_that_will_not_do_says_which_why_and_what_to_do(
    habeas: Habeas, clip: Path, astronaut: Path, poor_references: Path, name: str, kind: str, said: str
) -> None:
    bad = poor_references / name
    both = f"ada={astronaut},{bad}"
    ran = habeas("watch", clip, "--subject", both, "--basis", "consent", "--json")
    assert (ran.status, ran.error["kind"]) == (4, kind)
    assert str(bad) in ran.error["message"]
    assert said in ran.error["message"]
    assert ran.error["remedy"]
    told = habeas("watch", clip, "--subject", both, "--basis", "consent")
    assert told.status == 4
    assert len(told.err.splitlines()) == 2


@pytest.mark.rule("R2")
def test_one_face_under_two_names_is_refused(habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.jpg"
    with Image.open(astronaut) as image:
        image.convert("RGB").save(again, quality=80)
    ran = habeas(*watch(clip, astronaut, "--json", "--subject", f"eve={again}"))
    assert ran.status == 4
    assert "ada and eve have the same face" in ran.error["message"]


@pytest.mark.rule("R2")
def test_two_people_under_one_name_are_refused(habeas: Habeas, clip: Path, astronaut: Path, hopper: Path) -> None:
    ran = habeas("watch", clip, "--subject", f"ada={astronaut},{hopper}", "--basis", "consent", "--json")
    assert ran.status == 4
    assert "ada" in ran.error["message"]
    assert ran.error["remedy"]


def test_one_name_twice_is_refused(habeas: Habeas, clip: Path, astronaut: Path, hopper: Path) -> None:
    ran = habeas(*watch(clip, astronaut, "--json", "--subject", f"ada={hopper}"))
    assert ran.status in (2, 4)
    assert "twice" in ran.error["message"]


# --- disk -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_snapshots_below_a_file_are_a_disk_error(
    habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "file").touch()
    ran = habeas(*watch(clip, astronaut, "--snapshots", tmp_path / "file" / "crops", *options))
    assert ran.status == 6
    if options:
        assert ran.error["kind"] == "disk"
        assert "--snapshots" in ran.error["remedy"]
    else:
        assert "--snapshots" in ran.err
    assert (tmp_path / "file").stat().st_size == 0
    assert ran.out.count("\n") == bool(options)  # refused at the start: nothing was watched


def test_the_snapshots_folder_is_made_at_the_start(
    habeas: Habeas, empty_clip: Path, astronaut: Path, tmp_path: Path
) -> None:
    assert habeas(*watch(empty_clip, astronaut, "--snapshots", tmp_path / "deep" / "crops")).status == 0
    assert list((tmp_path / "deep" / "crops").iterdir()) == []
    ran = habeas(*watch(empty_clip, astronaut, "--json", "--snapshots", "/proc"))
    assert (ran.status, ran.error["kind"]) == (6, "disk")
    assert len(ran.events) == 1


def test_a_snapshot_that_cannot_be_written_costs_no_alert(habeas: Habeas, astronaut: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "crops" / "ada-track1-000000000ms.png"
    (in_the_way / "x").mkdir(parents=True)
    ran = habeas(*watch(astronaut, astronaut, "--json", "--snapshots", in_the_way.parent))
    assert (ran.status, ran.error["kind"]) == (6, "disk")
    assert ran.events[0]["event"] == "alert"
    assert list(in_the_way.parent.iterdir()) == [in_the_way]
