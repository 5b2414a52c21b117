from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from habeas.errors import UsageError
from habeas.settings import DetectSettings, LiveSettings, ModelSettings, Settings, load_settings


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
