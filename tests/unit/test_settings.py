from pathlib import Path
from typing import get_origin

import pytest
from pydantic import BaseModel, ValidationError

from habeas.errors import UsageError
from habeas.settings import (
    _LISTS,
    DetectSettings,
    LiveSettings,
    ModelSettings,
    Settings,
    known_keys,
    load_settings,
    settings_problems,
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine."""
    for name in ("HABEAS_MODELS__FOLDER", "HABEAS_MODELS__BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_environment_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    loaded = load_settings()
    assert loaded.models.folder == tmp_path / "cache" / "habeas" / "models"
    assert not loaded.models.folder.exists()
    assert loaded.detect.min_face_px == 32


def test_each_key_is_set_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_MODELS__FOLDER", "/srv/models")
    monkeypatch.setenv("HABEAS_DETECT__RATE_HZ", "2.5")
    monkeypatch.setenv("HABEAS_LIVE__TRANSPORT", "udp")
    loaded = load_settings()
    assert loaded.models.folder == Path("/srv/models")
    assert loaded.detect.rate_hz == 2.5
    assert loaded.live.transport == "udp"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HABEAS_DETECT__RATE_HZ", "0"),
        ("HABEAS_DETECT__RATE_HZ", "often"),
        ("HABEAS_DETECT__MIN_SCORE", "0.1"),
        ("HABEAS_DETECT__MIN_FACE_PX", "8"),
        ("HABEAS_DETECT__MAX_SIDE_PX", "100000"),
        ("HABEAS_LIVE__STALL_S", "-1"),
        ("HABEAS_LIVE__TRANSPORT", "http"),
        ("HABEAS_MODELS__DETECTOR_PRECISION", "int8"),
        ("HABEAS_DETECT__NO_SUCH_KEY", "1"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        load_settings()
    assert refused.value.message.startswith(f"{name}:")
    assert "\n" not in refused.value.message
    assert refused.value.remedy


def test_what_policy_decides_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_FPIR", "0.5")
    with pytest.raises(UsageError, match="HABEAS_FPIR: no such setting"):
        load_settings()
    with pytest.raises(ValidationError):
        Settings(fpir=0.5)


def test_settings_are_frozen() -> None:
    loaded = load_settings()
    with pytest.raises(ValidationError):
        loaded.detect.rate_hz = 1
    with pytest.raises(ValidationError):
        loaded.detect = DetectSettings()


@pytest.mark.parametrize("part", [Settings, ModelSettings, DetectSettings, LiveSettings])
def test_every_setting_is_described_and_every_number_bounded(part: type[BaseModel]) -> None:
    for name, field in part.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            bounds = {type(bound).__name__ for bound in field.metadata}
            assert bounds & {"Ge", "Gt"}, name
            assert "Le" in bounds, name


# --- habeas.yaml ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "habeas.yaml"


def refusal(file: Path | None) -> UsageError:
    with pytest.raises(UsageError) as refused:
        load_settings(file)
    assert refused.value.remedy
    assert "\n" not in refused.value.message
    return refused.value


def test_a_file_is_read_and_the_environment_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("workspace_id: w-1\nlive:\n  stall_s: 4\n  backoff_s: 2\ncameras:\n  ports: [80]\n")
    loaded = load_settings(file)
    assert (loaded.workspace_id, loaded.live.stall_s, loaded.cameras.ports) == ("w-1", 4, (80,))
    monkeypatch.setenv("HABEAS_LIVE__STALL_S", "5")
    monkeypatch.setenv("habeas_workspace_id", "w-2")
    monkeypatch.setenv("HABEAS_CAMERAS__NETWORKS", '["10.0.0.0/8"]')
    loaded = load_settings(file)
    assert (loaded.workspace_id, loaded.live.stall_s, loaded.live.backoff_s) == ("w-2", 5, 2)
    assert (loaded.cameras.networks, loaded.cameras.ports) == (("10.0.0.0/8",), (80,))


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("live:\n  stall_s: 4\n  backoff_s: -1\n", 3, "live.backoff_s"),
        ("\n\nno_such: 1\n", 3, "no_such"),
        ("live:\n  stal_s: 4\n", 2, "live.stal_s"),
        ("live: 7\n", 1, "live"),
        ("cameras:\n  ports: [80, many]\n", 2, "cameras.ports.1: is no whole number"),
        ("cameras:\n  ports:\n  - 80\n  - 70000\n", 4, "cameras.ports.1: is too large"),
        ("cameras:\n  networks:\n  - 10.0.0.0/8\n  - 10.0.0.7/8\n", 4, "cameras.networks.1: is no network"),
        ("cameras: {folders: [video]}\n", 1, "cameras.folders.0: is not an absolute path"),
        ("a: [\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("live:\n  stall_s: 4\nlive:\n  stall_s: 5\n", 3, "there twice"),
        ("live:\n  stall_s: 4\n  stall_s: 5\n", 3, "live.stall_s is there twice"),
        ("!!python/object/apply:os.system ['true']\n", 1, "not YAML"),
        ("---\na: 1\n---\nb: 2\n", 3, "not YAML"),
        ("a: &a\n  b: *a\n", 1, "a"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(file: Path, text: str, line: int, what: str) -> None:
    file.write_text(text)
    error = refusal(file)
    assert error.message.startswith(f"{file}:{line}:")
    assert what in error.message


@pytest.mark.parametrize("content", [b"- a\n", b"just text", b"7", b"false", b"1: 2\n", b"\xff\xfe\x00", b"a\x00b"])
def test_what_is_no_file_of_settings_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert str(file) in refusal(file).message


def test_an_empty_file_is_the_defaults_and_none_is_an_error(file: Path) -> None:
    file.write_text("# nothing\n")
    assert load_settings(file) == load_settings()
    file.unlink()
    assert "habeas init" in refusal(file).remedy


@pytest.mark.parametrize(
    ("text", "meant"),
    [("live:\n  stal_s: 4\n", "live.stall_s"), ("worker: {count: 2}\n", "workers.count"), ("datbase: x\n", "database")],
)
def test_a_misspelt_key_is_told_which_may_be_meant(file: Path, text: str, meant: str) -> None:
    file.write_text(text)
    assert refusal(file).remedy == f"did you mean {meant}?"


@pytest.mark.parametrize("text", ["live:\n  stall_s: often\n", "cameras:\n  ports: [many]\n", "live: 7\n"])
def test_a_key_that_is_right_is_not_said_to_be_misspelt(file: Path, text: str) -> None:
    file.write_text(text)
    assert "did you mean" not in refusal(file).remedy


@pytest.mark.parametrize("key", ["fpir", "policy", "purposes", "footage_h", "cameras_one", "witnesses", "oversight"])
def test_what_two_people_decide_is_refused_in_a_file_and_a_group(file: Path, key: str) -> None:
    for text in (f"{key}: 1\n", f"alerts:\n  {key}: 1\n"):
        file.write_text(text)
        error = refusal(file)
        assert "two people decide this" in error.message
        assert "habeas policy" in error.remedy


def test_a_wrong_variable_is_named_where_the_file_has_the_key_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("live:\n  stall_s: 4\n")
    for name, value in (
        ("HABEAS_LIVE__STALL_S", "-1"),
        ("habeas_live__stall_s", "-1"),
        ("HABEAS_LIVE", '{"stall_s": -1}'),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert refusal(file).message.startswith(f"{name}:")
    # The control: what is wrong in the file is the file's.
    file.write_text("live:\n  stall_s: -4\n")
    assert refusal(file).message.startswith(f"{file}:2:")


@pytest.mark.parametrize("name", ["HABEAS_CAMERAS__NETWORKS", "HABEAS_CAMERAS", "HABEAS_KEYS__MASTER_COMMAND"])
def test_a_list_that_is_not_json_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "10.0.0.0/8")
    assert refusal(None).message.startswith(f"{name}:")


def test_the_databases_address_may_be_in_a_file_of_its_own(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("database: from-the-file\n")
    secret = tmp_path / "secret"
    secret.write_text("postgresql+psycopg://u:hunter2@h/n\n")
    monkeypatch.setenv("HABEAS_DATABASE_FILE", str(secret))
    loaded = load_settings(file)
    assert loaded.database == "postgresql+psycopg://u:hunter2@h/n"
    assert "hunter2" not in repr(loaded)
    monkeypatch.setenv("HABEAS_DATABASE", "from-the-environment")
    assert load_settings(file).database == "from-the-environment"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_a_secret_file_without_an_address_is_refused_and_means_no_local_file(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    monkeypatch.setenv("HABEAS_DATABASE_FILE", str(secret))
    assert refusal(None).message.startswith("HABEAS_DATABASE_FILE:")


def test_the_variable_of_the_master_key_may_have_any_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_MASTER", "secret")
    assert refusal(None).message == "HABEAS_MASTER: no such setting"
    file.write_text("keys: {master_env: HABEAS_MASTER}\n")
    assert load_settings(file).keys.master_env == "HABEAS_MASTER"


def test_every_list_is_known_to_be_one() -> None:
    lists = {
        path
        for path in known_keys()
        if len(path) == 2
        and get_origin(Settings.model_fields[path[0]].annotation.model_fields[path[1]].annotation) is tuple  # type: ignore[union-attr]
    }
    assert lists == _LISTS


# --- all of them, in our words ----------------------------------------------------------------------------------------


def test_every_problem_is_told_with_its_line_and_remedy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_ODD", "1")
    file.write_text("live:\n  stall_s: -1\n  stall_s: often\nno_such: 1\ncameras:\n  ports: [0]\nfpir: 1\n")
    problems = settings_problems(file)
    told = [problem.message for problem in problems]
    assert told == [
        f"{file}:3: live.stall_s is there twice",
        f"{file}:6: cameras.ports.0: is too small",
        f"{file}:3: live.stall_s: is no number",
        f"{file}:4: no_such: there is no such setting",
        f"{file}:7: fpir: two people decide this, not a setting",
        "HABEAS_ODD: no such setting",
    ]
    assert all(problem.remedy for problem in problems)
    assert refusal(file).message == told[0]
    assert "5 more" in refusal(file).remedy
    file.write_text("live:\n  stall_s: 4\n")
    monkeypatch.delenv("HABEAS_ODD")
    assert settings_problems(file) == []


def test_no_value_that_was_given_is_repeated(file: Path) -> None:
    file.write_text(
        "database: [hunter2]\nlive: hunter2\nkeys: {master_command: hunter2}\nalerts: {cooldown_s: hunter2}"
    )
    problems = settings_problems(file)
    assert len(problems) == 4
    assert not any("hunter2" in problem.message + problem.remedy for problem in problems)
