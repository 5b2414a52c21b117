import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from habeas import open_source
from habeas.app import App
from habeas.authority import runs
from habeas.cli.main import app as command
from habeas.errors import HabeasError, InputError, ReferenceRefused, RuleError, SourceError, UsageError
from habeas.node.sources import note_source
from habeas.types import U8, Alert, AlertEnd, Flaw
from habeas.video.address import parse_address, rules_with
from habeas.watching import Watch, check_limits


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """The limits count over the process."""
    assert runs._open_runs == []
    yield
    assert runs._open_runs == []


@pytest.fixture
def album(portraits: dict[str, U8], tmp_path: Path) -> Path:
    """Two people, one picture each, and one of nobody."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number, name in enumerate(("biden", "obama-2")):
        picture = Image.fromarray(portraits[name])
        picture.thumbnail((500, 500))
        picture.save(folder / f"{number}.png")
    Image.new("RGB", (320, 240), (90, 120, 90)).save(folder / "2.png")
    return folder


def refused(app: App, sources: list[str], people: dict[str, list[U8]], **options: object) -> HabeasError:
    with pytest.raises(HabeasError) as error:
        Watch(app, sources, people, **{"basis": "consent", **options})  # type: ignore[arg-type]
    assert error.value.remedy
    return error.value


def test_a_person_is_found_in_a_folder_of_images(app: App, portraits: dict[str, U8], album: Path) -> None:
    with Watch(app, [str(album)], {"barack": [portraits["obama"]]}, basis="consent") as watching:
        assert watching.length_s == 3
        assert watching.camera_ids == [str(album)]
        events = list(watching.events())
        watching.raise_failure()
        gc.collect()
        summary = watching.summary()
    alert, end = events
    assert isinstance(alert, Alert)
    assert isinstance(end, AlertEnd)
    assert (alert.subject_id, alert.at_ns) == ("barack", 10**9)
    assert (summary.alerts, summary.tracks, summary.faces_detected) == (1, 2, 2)
    assert (summary.frames_decoded, summary.frames_dropped, summary.frames_analysed) == (3, 0, 3)
    assert (summary.templates_made, summary.templates_kept) == (2, 0)
    assert summary.video_s == 3
    assert min(summary.cpu_s, summary.wall_s, summary.cpu_start_s) >= 0


def test_the_summary_says_that_nobody_accounts_for_it(app: App, portraits: dict[str, U8], album: Path) -> None:
    with Watch(app, [str(album)], {"joe": [portraits["biden"]]}, basis="consent") as watching:
        list(watching.events())
        summary = watching.summary()
    shown = json.loads(json.dumps(summary.as_json()))
    assert (shown["event"], shown["accounted"]) == ("summary", False)
    wanted = (
        "video_s frames_decoded frames_analysed faces_detected tracks templates_made templates_kept alerts cpu_s "
        "cpu_start_s wall_s"
    )
    assert set(wanted.split()) <= set(shown)
    assert "not accounted" in summary.as_text()


def test_an_unreadable_image_is_noted_and_the_rest_read(app: App, portraits: dict[str, U8], album: Path) -> None:
    (album / "3.png").write_bytes(b"no image")
    with Watch(app, [str(album)], {"joe": [portraits["biden"]]}, basis="consent") as watching:
        events = list(watching.events())
    assert [type(event) for event in events if not isinstance(event, Flaw)] == [Alert, AlertEnd]
    (flaw,) = [event for event in events if isinstance(event, Flaw)]
    assert flaw.camera_id == str(album)
    assert "3.png" in flaw.what


def test_a_source_of_which_nothing_could_be_read_is_a_failure(
    app: App, portraits: dict[str, U8], tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    with Watch(app, [str(tmp_path)], {"joe": [portraits["biden"]]}, basis="consent") as watching:
        assert all(isinstance(event, Flaw) for event in watching.events())
        with pytest.raises(SourceError):
            watching.raise_failure()


def test_the_limits_without_a_workspace(app: App, portraits: dict[str, U8], album: Path) -> None:
    joe = {"joe": [portraits["biden"]]}
    three = [f"rtsp://127.0.0.1:9/{number}" for number in range(3)]
    for error, rule in [
        (refused(app, three, joe), "live-source-limit"),
        (refused(app, [str(album)], joe, fpir=2e-3), "fpir"),
        (refused(app, [str(album)], joe, basis="court-order"), "basis"),
    ]:
        assert isinstance(error, RuleError)
        assert error.rule == rule


def test_a_fourth_person_is_refused(app: App, portraits: dict[str, U8], album: Path) -> None:
    names = ("astronaut", "grace-hopper", "obama")
    with Watch(app, [str(album)], {name: [portraits[name]] for name in names}, basis="consent"):
        error = refused(app, [str(album)], {"joe": [portraits["biden"]]})
        assert isinstance(error, RuleError)
        assert error.rule == "subject-limit"


def test_what_cannot_be_used_is_refused_and_leaves_nothing_open(
    app: App, portraits: dict[str, U8], album: Path, tmp_path: Path
) -> None:
    joe = {"joe": [portraits["biden"]]}
    for error, kind in [
        (refused(app, [], joe), InputError),
        (refused(app, [str(tmp_path / "none.mp4")], joe), SourceError),
        (refused(app, [str(album), "ftp://host/x"], joe), UsageError),
        (refused(app, [str(album)], {}), InputError),
        (refused(app, [str(album)], {"a": [portraits["obama"]], "b": [portraits["obama-2"]]}), InputError),
        (refused(app, [str(album)], {"a": [np.zeros((99, 99, 3), np.uint8)]}), ReferenceRefused),
    ]:
        assert isinstance(error, kind)


def test_stopping_ends_the_events_and_open_tracks(app: App, portraits: dict[str, U8], album: Path) -> None:
    with Watch(app, [str(album)], {"joe": [portraits["biden"]]}, basis="consent") as watching:
        events = watching.events()
        assert isinstance(next(events), Alert)
        watching.stop()
        assert [type(event) for event in events] == [AlertEnd]
        assert watching.summary().alerts == 1


def test_an_interrupt_before_a_reader_started_still_ends_with_the_summary(
    app: App, portraits: dict[str, U8], album: Path
) -> None:
    """Ctrl-C in the instant between making a reader's thread and starting it once ended as a bug, exit 70."""
    with Watch(app, [str(album)], {"barack": [portraits["obama"]]}, basis="consent") as watching:
        watching._run._feeds[0].thread = threading.Thread(target=print)
        assert watching.summary().tracks == 0


# --- cameras of an installation ---------------------------------------------------------------------------------------


@pytest.fixture
def of_an_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, album: Path) -> Path:
    """A camera and a film that stands for one, noted as `camera add` does it; returns the film."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    film = album / "film.mp4"
    film.write_bytes(b"a film")
    rules = rules_with(["127.0.0.1/32"], folders=[album])
    for url in ("rtsp://viewer:hunter2@127.0.0.1/main", f"file://{film}"):
        note_source("w-1", parse_address(url, rules).digest())
    return film


@pytest.mark.rule("W11")
def test_a_camera_of_an_installation_is_refused_however_it_is_written(
    app: App, portraits: dict[str, U8], of_an_installation: Path
) -> None:
    joe = {"joe": [portraits["biden"]]}
    cameras = ["rtsp://127.0.0.1/main", "RTSP://other:pw@127.0.0.1:554/main", str(of_an_installation)]
    for source in cameras:
        error = refused(app, [source], joe)
        assert isinstance(error, RuleError)
        assert error.rule == "workspace-camera"
        assert "habeas authorise" in error.remedy
        assert "pw" not in error.message
        with pytest.raises(RuleError, match="camera of an installation"):
            open_source(source)
    # The control: others are not refused.
    check_limits(["rtsp://127.0.0.1/sub", str(of_an_installation.parent)], 1, basis="consent", fpir=1e-4)


@pytest.mark.rule("W11")
def test_where_nobody_can_tell_whose_cameras_are_nothing_is_watched(
    app: App, portraits: dict[str, U8], album: Path, of_an_installation: Path, tmp_path: Path
) -> None:
    assert of_an_installation
    (tmp_path / "state" / "habeas" / "sources.json").write_text("{")
    assert isinstance(refused(app, [str(album)], {"joe": [portraits["biden"]]}), InputError)


@pytest.mark.rule("W11")
def test_the_command_line_refuses_it_before_models_are_fetched(of_an_installation: Path, tmp_path: Path) -> None:
    assert of_an_installation
    words = ["watch", "rtsp://127.0.0.1/main", "--subject", "joe=joe.jpg", "--basis", "consent", "--json"]
    done = CliRunner().invoke(command, words, env={"HABEAS_MODELS__FOLDER": str(tmp_path / "none")})
    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"]["rule"] == "workspace-camera"
