"""Settings: one frozen tree, unknown keys refused, a unit and bounds on each field.

An installation has them in `habeas.yaml`. Every key can also be set by environment, which wins: `HABEAS_` before and
`__` between levels, as in `HABEAS_MODELS__FOLDER=/srv/models`. `HABEAS_DATABASE_FILE` names a file that holds the
database's address, which may carry a password. What policy decides (FPIR, ceilings, model pack) is not a setting.
"""

import difflib
import ipaddress
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import platformdirs
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from habeas.errors import UsageError
from habeas.wording import Wrong, refusal, wrongs

_NOT_SETTINGS: Final = frozenset({"HABEAS_TEST_DATA", "HABEAS_WORKSPACE", "HABEAS_DATABASE_FILE"})
"""What the tests use, which folder is meant, and a secret in a file: read elsewhere."""
_OF_POLICY: Final = frozenset(
    {
        "authorisation_h",
        "cameras_all",
        "cameras_one",
        "footage_h",
        "fpir",
        "model_id",
        "oversight",
        "policy",
        "purposes",
    }
    | {"calibration", "quorum", "share_all", "share_one", "subjects", "witnesses"}
)
"""What two people decide, and no file."""
_DEEP: Final = 4
"""Deeper than any setting: an anchor in YAML may hold itself."""
_LISTS: Final = frozenset(
    {("cameras", "folders"), ("cameras", "networks"), ("cameras", "ports"), ("keys", "master_command")}
)
"""Settings that are lists: by environment, JSON."""


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


class KeySettings(_Part):
    """Where keys are. Never in the workspace, never in a backup."""

    folder: Path | None = Field(
        default=None,
        description="The key store. Default: below the user's data folder, by the workspace's id.",
    )
    master_file: Path | None = Field(
        default=None,
        description="File with the master key, readable by its owner only. Default: beside the key store.",
    )
    master_env: str = Field(default="", description="Environment variable with the master key, instead of a file.")
    master_command: tuple[str, ...] = Field(
        default=(), description="Program and arguments that print the master key (a KMS), instead of a file."
    )


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise refusal("is no network", "write it as 192.168.7.0/24, host bits zero") from None
    return text


def _absolute(folder: Path) -> Path:
    if not folder.is_absolute():
        raise refusal("is not an absolute path", "write it from the root: /srv/video")
    return folder


class CameraSettings(_Part):
    """What a camera's address may be, beside private networks and the usual ports."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(), description="More networks that cameras may be in, such as 203.0.113.0/24."
    )
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        default=(), description="More ports than 554, 322, 8554, 7447 and 10554."
    )
    folders: tuple[Annotated[Path, AfterValidator(_absolute)], ...] = Field(
        default=(),
        description="Folders, from the root, below which video files may stand for cameras: `camera add NAME "
        "file:///FOLDER/video.mp4`. Empty: none may.",
    )


class WorkerSettings(_Part):
    """Processes that decode and detect."""

    count: int = Field(
        default_factory=lambda: max(1, os.cpu_count() or 1), ge=1, le=256, description="How many. Default: one a core."
    )


class AlertSettings(_Part):
    """When an alert is a new one."""

    cooldown_s: float = Field(
        default=60.0,
        ge=0,
        le=120,
        description="Seen again on the same camera within this time, and no more alike, a person is a further sighting "
        "of the open alert.",
    )


class FootageSettings(_Part):
    """Recorded footage. For how long it is kept is in the policy."""

    reserve_gb: float = Field(
        default=5.0,
        ge=0,
        le=10_000,
        description="Room on the disk of the workspace that footage leaves to alerts and the log: with less than this "
        "nothing is recorded.",
    )

    @property
    def reserve_bytes(self) -> int:
        """Return the same in bytes."""
        return round(self.reserve_gb * 1e9)


class LogSettings(_Part):
    """The audit log. Who must witness it is in the policy; here is where they answer."""

    origin: str = Field(
        default="",
        max_length=200,
        pattern=r"^[^\s+]*$",
        description="Name of the log, unique in the world, such as city.example/habeas. Default: made of the "
        "installation's id. It is fixed once the log began.",
    )
    beat_s: float = Field(
        default=30.0, ge=1, le=60, description="From one checkpoint to the next. Each adds the same number of leaves."
    )
    batch: int = Field(
        default=8, ge=4, le=4096, description="Leaves that each checkpoint adds, padded where there are fewer entries."
    )
    witness_urls: dict[str, str] = Field(
        default_factory=dict,
        description="Where witnesses answer: name of the key, and web address, such as "
        "{court.example/habeas: https://witness.court.example}.",
    )
    witness_timeout_s: float = Field(default=10.0, gt=0, le=30, description="How long a witness is waited for.")


class PublicSettings(_Part):
    """The public register. What is stated here is shown as it is; everything else in it comes from the log."""

    operator: str = Field(default="", max_length=200, description="Who runs this installation. Empty: not stated.")
    contact: str = Field(default="", max_length=200, description="Where people turn to: a postal or e-mail address.")
    url: str = Field(
        default="", max_length=500, pattern=r"^(https?://\S+)?$", description="Web address of who runs it."
    )
    description: str = Field(default="", max_length=4000, description="What this installation is for, in plain words.")
    listen: str = Field(
        default="",
        pattern=r"^(\S+:\d{1,5})?$",
        description="Where `habeas serve` serves the register, such as 127.0.0.1:8700, plain HTTP. Empty: not at all; "
        "any web server can serve the folder `public` of the workspace.",
    )


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(env_prefix="HABEAS_", env_nested_delimiter="__", frozen=True, extra="forbid")

    workspace_id: str = Field(default="", description="Of this installation; written by `habeas init`.")
    database: str = Field(
        default="",
        repr=False,
        description="`postgresql+psycopg://USER@HOST/NAME`. Empty: a SQLite file in the workspace.",
    )

    keys: KeySettings = Field(default_factory=KeySettings, description="Keys.")
    cameras: CameraSettings = Field(default_factory=CameraSettings, description="Addresses of cameras.")
    workers: WorkerSettings = Field(default_factory=WorkerSettings, description="Worker processes.")
    alerts: AlertSettings = Field(default_factory=AlertSettings, description="Alerts.")
    footage: FootageSettings = Field(default_factory=FootageSettings, description="Recorded footage.")
    log: LogSettings = Field(default_factory=LogSettings, description="The audit log.")
    public: PublicSettings = Field(default_factory=PublicSettings, description="The public register.")
    models: ModelSettings = Field(default_factory=ModelSettings, description="Model files.")
    detect: DetectSettings = Field(default_factory=DetectSettings, description="Detection.")
    live: LiveSettings = Field(default_factory=LiveSettings, description="Live streams.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


@dataclass
class _File:
    """A file of settings as it was read: its values, and on which line each is. Filled by `_read`."""

    path: Path | None
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    problems: list[UsageError] = field(default_factory=list)


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings from a file, if one is given, and the environment.

    Args:
        file: `habeas.yaml`.

    Raises:
        UsageError: an unknown key, a value of the wrong kind or out of bounds; names the line or the variable. The
            first of them; `settings_problems` returns all.
    """
    settings, problems = _examined(file)
    if settings is None or problems:
        first, more = problems[0], len(problems) - 1
        told = f"{first.remedy}; and {more} more: `habeas doctor` tells all" if more else first.remedy
        raise UsageError(first.message, remedy=told)
    return settings


def settings_problems(file: Path | None = None) -> list[UsageError]:
    """Return everything that is wrong with the settings, each with line or variable, and remedy."""
    return _examined(file)[1]


def _examined(path: Path | None) -> tuple[Settings | None, list[UsageError]]:
    file = _File(path)
    settings = None
    try:
        if path is not None:
            _read(path, file)
        secret = os.environ.get("HABEAS_DATABASE_FILE")
        if secret:
            file.values = {**file.values, "database": _secret(Path(secret))}
        settings = Settings(**file.values)
    except UsageError as error:
        file.problems.append(error)
    except ValidationError as error:
        file.problems += [_wrong(one, file) for one in wrongs(error.errors())]
    except SettingsError:
        remedy = 'a list is written as JSON: ["192.0.2.0/24"]'
        file.problems.append(UsageError(f"{_not_json()}: this is not JSON", remedy=remedy))
    named = settings.keys.master_env if settings is not None else _named_variable(file)
    return settings, [*file.problems, *_misspelt(named)]


def _named_variable(file: _File) -> str:
    """Return which variable holds the master key, of settings that are wrong elsewhere."""
    keys = file.values.get("keys")
    named = keys.get("master_env") if isinstance(keys, dict) else None
    return os.environ.get("HABEAS_KEYS__MASTER_ENV", str(named or ""))


def _misspelt(master_env: str) -> Iterator[UsageError]:
    """Yield the variables that are misspelt: one that is not read would be missed silently.

    Args:
        master_env: the variable that holds the master key, which the operator names.
    """
    known = {f"HABEAS_{name}".upper() for name in Settings.model_fields}
    for key in sorted(os.environ):
        upper = key.upper()
        if not upper.startswith("HABEAS_") or upper in _NOT_SETTINGS or key == master_env:
            continue
        if upper.split("__")[0] not in known:
            yield UsageError(f"{key}: no such setting", remedy="see docs/settings.md")


def _not_json() -> str:
    """Return the first variable that should hold JSON and does not."""
    for key in sorted(os.environ):
        path = tuple(key.upper().removeprefix("HABEAS_").lower().split("__"))
        if key.upper().startswith("HABEAS_") and (path in _LISTS or (len(path) == 1 and path in _groups())):
            try:
                json.loads(os.environ[key])
            except ValueError:
                return key
    return "HABEAS_..."


def _groups() -> set[tuple[str, ...]]:
    return {path[:1] for path in known_keys() if len(path) > 1}


def _secret(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:  # empty would mean the file in the workspace
        raise UsageError(
            f"HABEAS_DATABASE_FILE: {file} holds no text", remedy="name a file that holds the database's address"
        )
    return text


def _read(path: Path, file: _File) -> None:
    """Read a file of settings.

    Raises:
        UsageError: it cannot be read, or is no YAML of that form.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="make an installation with `habeas init DIR`") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not text"
        raise UsageError(f"{where}: this is not YAML: {problem}", remedy="mind indentation and colons") from error
    values = {} if values is None else values
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{path}: settings are `key: value` lines", remedy="see docs/settings.md")
    file.values = values
    _note_lines(node, (), file)


def _note_lines(node: yaml.Node | None, at: tuple[str, ...], file: _File) -> None:
    """Note on which line each key, and each entry of a list, stands; a key that is there twice is a problem."""
    if len(at) >= _DEEP:
        return
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            file.lines[*at, str(number)] = value.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            if here in file.lines:
                line = key.start_mark.line + 1
                what = f"{file.path}:{line}: {'.'.join(here)} is there twice"
                file.problems.append(UsageError(what, remedy="keep one of them"))
            file.lines[here] = key.start_mark.line + 1
            _note_lines(value, here, file)


def _wrong(one: Wrong, file: _File) -> UsageError:
    path, lines = one.path, file.lines
    line = next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), None)
    variable = _variable(path)
    in_file = line is not None and variable is None
    where = f"{file.path}:{line}: {'.'.join(path)}" if in_file else variable or _spelt(path)
    if path[-1] in _OF_POLICY:
        return UsageError(
            f"{where}: two people decide this, not a setting", remedy="see `habeas policy propose --help`"
        )
    known = any(path[: len(key)] == key for key in known_keys()) or path in _groups()
    what = one.what if known else "there is no such setting"
    return UsageError(f"{where}: {what}", remedy=one.remedy if known else _nearest(path))


def _spelt(path: tuple[str, ...]) -> str:
    return "HABEAS_" + "__".join(path).upper()


def _variable(path: tuple[str, ...]) -> str | None:
    """Return the environment variable that a setting comes from, itself, its group or its list; None: from none."""
    there = {key.upper(): key for key in os.environ}
    found = (there.get(_spelt(path[:depth])) for depth in range(len(path), 0, -1))
    return next((key for key in found if key is not None), None)


def _nearest(path: tuple[str, ...]) -> str:
    """Say which setting may be meant by one that there is not."""
    close = difflib.get_close_matches(".".join(path), [".".join(key) for key in known_keys()], 1)
    return f"did you mean {close[0]}?" if close else "leave it out; docs/settings.md lists all"


def known_keys() -> list[tuple[str, ...]]:
    """Return the path of every setting, in order."""
    keys: list[tuple[str, ...]] = []
    for name, setting in Settings.model_fields.items():
        part = setting.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            keys += [(name, inner) for inner in part.model_fields]
        else:
            keys.append((name,))
    return keys


def exact(settings: Settings) -> Settings:
    """Return the settings with every network in f32: figures then agree between processors."""
    return settings.model_copy(update={"models": settings.models.model_copy(update={"detector_precision": "f32"})})
