"""`habeas models`, and what the other commands do when the models are not here."""

import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Habeas

from habeas.cli.models import DEFAULT_PACK
from habeas.settings import Settings

NAMES = [file.name for file in DEFAULT_PACK.files]


@pytest.fixture
def offline() -> dict[str, str]:
    """Variables under which neither client of the package indexes reaches one."""
    nowhere = "http://127.0.0.1:9"
    return {
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
        "npm_config_registry": nowhere,
        "npm_config_fetch_retries": "0",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
    }


@pytest.fixture
def cache(app: object, settings: Settings) -> Path:
    """The folder that holds the models, all of them."""
    assert app
    return settings.models.folder


def at(folder: Path) -> dict[str, str]:
    return {"HABEAS_MODELS__FOLDER": str(folder)}


def test_list_says_what_is_here(habeas: Habeas, cache: Path, tmp_path: Path) -> None:
    present = habeas("models", "list", "--json", env=at(cache))
    missing = habeas("models", "list", "--json", env=at(tmp_path / "none"))
    assert present.status == missing.status == 0
    assert [(model["name"], model["state"]) for model in present.events] == [(name, "present") for name in NAMES]
    assert {model["state"] for model in missing.events} == {"missing"}
    for model in present.events:
        assert model["event"] == "model"
        assert model["licence"]
        assert len(model["sha256"]) == 64
    assert not (tmp_path / "none").exists()


def test_list_for_people(habeas: Habeas, cache: Path) -> None:
    told = habeas("models", "list", env=at(cache)).out
    assert all(name in told for name in NAMES)
    assert str(cache) in told


def test_verify(habeas: Habeas, cache: Path) -> None:
    ran = habeas("models", "verify", "--json", env=at(cache))
    assert ran.status == 0
    assert ran.events == [{"event": "verified", "folder": str(cache), "files": NAMES}]
    assert habeas("models", "verify", env=at(cache)).status == 0


@pytest.mark.parametrize("name", NAMES)
def test_verify_refuses_a_file_with_one_wrong_bit(habeas: Habeas, cache: Path, tmp_path: Path, name: str) -> None:
    for file in DEFAULT_PACK.files:
        shutil.copy(cache / file.name, tmp_path)
    changed = bytearray((tmp_path / name).read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / name).write_bytes(changed)
    ran = habeas("models", "verify", "--json", env=at(tmp_path))
    assert (ran.status, ran.error["kind"]) == (5, "model")
    assert name in ran.error["message"]
    assert "SHA-256" in ran.error["message"]
    states = {model["name"]: model["state"] for model in habeas("models", "list", "--json", env=at(tmp_path)).events}
    assert states == dict.fromkeys(NAMES, "present") | {name: "wrong"}


def test_verify_without_the_files(habeas: Habeas, tmp_path: Path) -> None:
    ran = habeas("models", "verify", env=at(tmp_path))
    assert ran.status == 5
    assert "models pull" in ran.err


def test_pull_from_a_folder_needs_no_network(
    habeas: Habeas, cache: Path, tmp_path: Path, offline: dict[str, str]
) -> None:
    target = tmp_path / "deep" / "cache"
    ran = habeas("models", "pull", "--from", cache, "--json", env={**offline, **at(target)})
    assert ran.status == 0
    assert {model["state"] for model in ran.events} == {"present"}
    assert sorted(path.name for path in target.iterdir()) == sorted(NAMES)
    again = habeas("models", "pull", "--json", env={**offline, **at(target)})
    assert again.status == 0
    assert habeas("models", "verify", env=at(target)).status == 0


def test_pull_from_a_folder_without_them(habeas: Habeas, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for folder, said in (("from", "holds neither"), ("missing", "not a folder")):
        ran = habeas("models", "pull", "--from", tmp_path / folder, "--json", env=at(tmp_path / "to"))
        assert (ran.status, ran.error["kind"]) == (4, "input")
        assert said in ran.error["message"]
    assert not list((tmp_path / "to").glob("*"))


def test_pull_from_a_folder_of_wrong_files_stores_none(habeas: Habeas, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for file in DEFAULT_PACK.files[:-1]:
        shutil.copy(cache / file.name, tmp_path / "from")
    (tmp_path / "from" / NAMES[-1]).write_bytes(b"\x80\x04 a pickle")
    ran = habeas("models", "pull", "--from", tmp_path / "from", "--json", env=at(tmp_path / "to"))
    assert (ran.status, ran.error["kind"]) == (5, "model")
    assert not list((tmp_path / "to").glob("*"))


def test_without_models_and_network_it_says_so(
    habeas: Habeas, clip: Path, astronaut: Path, tmp_path: Path, offline: dict[str, str]
) -> None:
    watch = ["watch", clip, "--subject", f"ada={astronaut}", "--basis", "consent", "--json"]
    for command in (["models", "pull", "--json"], watch):
        ran = habeas(*command, env={**offline, **at(tmp_path / "cache")})
        assert (ran.status, ran.error["kind"]) == (5, "network")
        assert "--from" in ran.error["remedy"]
    assert "MB" in ran.err
    assert not list((tmp_path / "cache").glob("*"))


def test_a_wrong_model_is_never_run(
    habeas: Habeas, cache: Path, clip: Path, astronaut: Path, tmp_path: Path, offline: dict[str, str]
) -> None:
    for file in DEFAULT_PACK.files:
        shutil.copy(cache / file.name, tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"\x80\x04 a pickle")
    watch = ["watch", clip, "--subject", f"ada={astronaut}", "--basis", "consent", "--json"]
    ran = habeas(*watch, env={**offline, **at(tmp_path)})
    assert ran.status == 5
    assert (tmp_path / NAMES[0]).read_bytes().startswith(b"\x80\x04")


def test_a_cache_below_a_file_is_a_disk_error(habeas: Habeas, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = habeas("models", "pull", "--from", cache, "--json", env=at(tmp_path / "file" / "cache"))
    assert (ran.status, ran.error["kind"]) == (6, "disk")
    assert "HABEAS_MODELS__FOLDER" in ran.error["remedy"]
