"""Where an installation is, and what is found from there."""

import os
import stat
from pathlib import Path

import pytest
from tests.founded import founded

from habeas.clock import ManualClock
from habeas.errors import InputError, UsageError
from habeas.keys import Scope
from habeas.node.workspace import (
    SETTINGS,
    check_private,
    find_workspace,
    keys_folder,
    load_workspace,
    master_file,
    master_key,
    socket_path,
)
from habeas.settings import KeySettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "w"
    made.mkdir(0o711)
    (made / SETTINGS).write_text("workspace_id: w-1\n")
    (made / SETTINGS).chmod(0o600)
    return made


def test_the_option_wins_then_the_variable_then_the_current_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / SETTINGS).write_text("")
    monkeypatch.delenv("HABEAS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no workspace"):
        find_workspace(None)
    monkeypatch.chdir(other)
    assert find_workspace(None) == other
    monkeypatch.setenv("HABEAS_WORKSPACE", str(folder))
    assert find_workspace(None) == folder
    assert find_workspace(Path("../other")) == other
    with pytest.raises(UsageError, match="no workspace"):
        find_workspace(tmp_path)


@pytest.mark.parametrize("mode", [0o711, 0o710, 0o700, 0o701])
def test_a_folder_that_others_may_only_pass_through_is_private(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    check_private(folder)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o717, 0o731, 0o777])
def test_a_folder_that_others_may_read_or_change_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(UsageError, match="others may read or change"):
        load_workspace(folder)


def test_settings_without_an_id_are_refused(folder: Path) -> None:
    (folder / SETTINGS).write_text("live: {stall_s: 4}\n")
    with pytest.raises(UsageError, match="no workspace_id"):
        load_workspace(folder)


def test_a_workspace_shows_no_password(folder: Path) -> None:
    (folder / SETTINGS).write_text("workspace_id: w-1\ndatabase: postgresql+psycopg://u:hunter2@h/n\n")
    workspace = load_workspace(folder)
    assert "hunter2" in workspace.database_url
    assert "hunter2" not in repr(workspace)
    assert "hunter2" not in repr(workspace.settings)


def test_the_database_is_a_file_in_the_folder_unless_it_is_on_a_server(folder: Path) -> None:
    assert load_workspace(folder).database_url == f"sqlite:///{folder}/habeas.db"


def test_the_socket_is_in_the_folder_or_where_a_short_path_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert socket_path(Path("/srv/habeas")) == Path("/srv/habeas/node.sock")
    deep, other = tmp_path / ("x" * 100), tmp_path / ("y" * 100)
    deep.mkdir()
    other.mkdir()
    path = socket_path(deep)
    assert path.parent == tmp_path / f"habeas-{os.getuid()}"
    assert path != socket_path(other)
    assert path == socket_path(deep)
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o022 == 0


@pytest.mark.parametrize("what", ["writable", "link", "file"])
def test_a_short_path_that_others_could_change_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep, short = tmp_path / ("x" * 100), tmp_path / f"habeas-{os.getuid()}"
    deep.mkdir()
    if what == "writable":
        short.mkdir()
        short.chmod(0o777)
    elif what == "link":
        (tmp_path / "real").mkdir()
        short.symlink_to(tmp_path / "real")
    else:
        short.write_text("")
    with pytest.raises(InputError, match="somebody else's"):
        socket_path(deep)


def test_keys_are_by_the_users_data_folder_or_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    usual = KeySettings()
    assert keys_folder(usual, "w-1") == tmp_path / "habeas" / "keys" / "w-1"
    assert master_file(usual, "w-1") == tmp_path / "habeas" / "keys" / "w-1.master"
    placed = KeySettings(folder=tmp_path / "k", master_file=tmp_path / "m")
    assert (keys_folder(placed, "w-1"), master_file(placed, "w-1")) == (tmp_path / "k", tmp_path / "m")


def test_the_master_key_comes_from_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = founded(tmp_path, ManualClock())
    file = master_file(workspace.settings.keys, workspace.workspace_id)
    monkeypatch.setenv("MASTER", file.read_text())
    secrets = [
        master_key(settings, workspace.workspace_id).secret_bytes()
        for settings in (
            workspace.settings.keys,
            KeySettings(master_env="MASTER"),
            KeySettings(master_command=("cat", str(file))),
        )
    ]
    assert len(set(secrets)) == 1
    with pytest.raises(InputError):
        master_key(KeySettings(folder=tmp_path / "none"), "w-1")


def test_two_processes_do_not_hold_one_key_store(tmp_path: Path) -> None:
    workspace = founded(tmp_path, ManualClock())
    with workspace.open_keys(), pytest.raises(UsageError, match="open"):
        workspace.open_keys()
    with workspace.open_keys() as keys:
        assert keys.ids() == keys.ids(Scope.STAFF), "the names of those who founded it"


def test_cameras_may_be_where_the_settings_say(tmp_path: Path) -> None:
    lines = f"cameras: {{networks: [192.0.2.0/24], ports: [80], folders: [{tmp_path}]}}"
    rules = founded(tmp_path, ManualClock(), settings=lines).address_rules()
    assert "192.0.2.0/24" in [str(network) for network in rules.networks]
    assert 80 in rules.ports
    assert rules.folders == (tmp_path,)


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640])
def test_settings_that_others_may_read_or_change_are_refused(tmp_path: Path, mode: int) -> None:
    """They name programs that would run as this user."""
    folder = tmp_path / "city"
    folder.mkdir(mode=0o711)
    (folder / SETTINGS).write_text("workspace_id: w-1\n")
    (folder / SETTINGS).chmod(mode)
    with pytest.raises(UsageError, match="others may read or change"):
        load_workspace(folder)
    (folder / SETTINGS).chmod(0o600)
    assert load_workspace(folder).workspace_id == "w-1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize("what", ["folder", "settings"])
def test_a_workspace_of_another_user_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "city"
    folder.mkdir(mode=0o711)
    (folder / SETTINGS).write_text("workspace_id: w-1\n")
    (folder / SETTINGS).chmod(0o600)
    os.chown(folder if what == "folder" else folder / SETTINGS, 65534, 65534)
    with pytest.raises(UsageError, match="another user"):
        load_workspace(folder)
