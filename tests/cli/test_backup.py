"""`habeas backup` and `habeas restore`, also beside a running node."""

import re
from pathlib import Path

import pytest
from tests.cli.conftest import Habeas
from tests.cli.nodes import RunningNode
from tests.founded import founded

from habeas.clock import SystemClock
from habeas.node.comparing import OF_BACKUP
from habeas.node.workspace import SETTINGS, Workspace
from habeas.store import open_store
from habeas.store.records import Meta


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return founded(tmp_path)


def since(workspace: Workspace) -> bool:
    with open_store(workspace.database_url, SystemClock()) as store, store.read() as tx:
        return bool(tx.find(Meta, name="since"))


def note(workspace: Workspace) -> None:
    with open_store(workspace.database_url, SystemClock()) as store, store.write() as tx:
        tx.add(Meta("since", "then"))


def test_there_and_back(habeas: Habeas, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "monday.habeas"
    ran = habeas("backup", file, "-w", workspace.folder)
    assert ran.status == 0
    assert str(file) in ran.out
    assert f"they are in {workspace.keys_folder}" in ran.err
    assert file.stat().st_mode & 0o077 == 0
    note(workspace)
    ran = habeas("restore", file, "-w", workspace.folder)
    assert ran.status == 0, ran.err
    assert "habeas clock confirm" in ran.out
    assert "kept aside" in ran.err
    assert not since(workspace)


def test_for_programs(habeas: Habeas, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "monday.habeas"
    (done,) = habeas("backup", file, "-w", workspace.folder, "--json").events
    assert done == {"backup": str(file), "keys": str(workspace.keys_folder)}
    with (workspace.folder / SETTINGS).open("a") as settings:
        settings.write("alerts: {cooldown_s: 30}\n")
    (done,) = habeas("restore", file, "-w", workspace.folder, "--json").events
    assert done["restored"] == str(file)
    assert all(Path(path).exists() for path in done["aside"])
    assert done["settings_of_backup"] == str(workspace.folder / OF_BACKUP)
    assert "cooldown_s: 30" in (workspace.folder / SETTINGS).read_text()
    assert "-alerts: {cooldown_s: 30}" in done["settings_difference"]


def test_how_the_settings_differ_is_printed_and_told_by_doctor_without_secrets(
    habeas: Habeas, workspace: Workspace, tmp_path: Path
) -> None:
    settings, file = workspace.folder / SETTINGS, tmp_path / "monday.habeas"
    with settings.open("a") as out:
        out.write("alerts: {cooldown_s: 20}\nmodels: {base_url: 'https://u:hunter2@host/m'}\n")
    habeas("backup", file, "-w", workspace.folder)
    settings.write_text(settings.read_text().replace("20}", "30}").replace("hunter2", "hunter3"))
    ran = habeas("restore", file, "-w", workspace.folder)
    told = habeas("doctor", "-w", workspace.folder)
    for text in (ran.out, told.out):
        lines = [line.strip() for line in text.splitlines()]
        assert "-alerts: {cooldown_s: 30}" in lines
        assert "+alerts: {cooldown_s: 20}" in lines
        assert "-models: {base_url: (secret 1)}" in lines
        assert any(re.fullmatch(r"\+models: {base_url: \(secret [2-9]\)}", line) for line in lines)
        assert "hunter" not in text
    assert any(line.startswith("warn  settings") for line in told.out.splitlines())
    (workspace.folder / OF_BACKUP).unlink()
    assert "since a restore" not in habeas("doctor", "-w", workspace.folder).out


def test_what_goes_wrong_is_one_line(habeas: Habeas, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "monday.habeas"
    file.write_bytes(b"mine")
    assert habeas("backup", file, "-w", workspace.folder, "--json").error["remedy"]
    assert file.read_bytes() == b"mine"
    note(workspace)
    assert habeas("restore", file, "-w", workspace.folder, "--json").status == 4
    assert habeas("restore", tmp_path / "none", "-w", workspace.folder, "--json").error["remedy"]
    assert habeas("backup", tmp_path / "x", "-w", tmp_path, "--json").status == 2
    assert since(workspace)


def test_beside_a_running_node_a_backup_is_made_and_a_restore_refused(node: RunningNode, tmp_path: Path) -> None:
    file = tmp_path / "monday.habeas"
    assert node.run("backup", file, "-w", node.folder).row["backup"] == str(file)
    refused = node.run("restore", file, "-w", node.folder)
    assert refused.status == 4
    assert "runs" in refused.error["message"]
