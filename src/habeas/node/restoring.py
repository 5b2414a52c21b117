"""Backup and restore of an installation. A restored database is an old one: it says again what was taken back since.

So a restore ends every login and token, and nothing is compared, started or shown until two approvers have said that
it is right (`habeas clock confirm`), as after a clock that jumped. That is done in the transaction that restores: there
is no instant at which the old database is trusted. What was discarded stays so: keys are in no backup.

Settings stay as they are: those of a backup may name another database, and other keys.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.errors import InputError
from habeas.node.timekeeper import Timekeeper, last_beat
from habeas.node.workspace import SETTINGS, Workspace, socket_path
from habeas.ports import Clock
from habeas.store import Tx
from habeas.store.archive import backup
from habeas.store.records import Meta, Session, Token
from habeas.store.restore import restore

OF_BACKUP: Final = f"{SETTINGS}.of-backup"


@dataclass(frozen=True)
class Restored:
    """What a restore left beside the database.

    Args:
        aside: what was there before: files, or a schema of the server.
        settings: the backup's settings, where they differ from those in force.
    """

    aside: tuple[str, ...]
    settings: Path | None


def back_up(workspace: Workspace, target: Path, clock: Clock) -> None:
    """Write database and settings into one file; the node may run.

    Raises:
        InputError: there is such a file.
        DiskError: it could not be written.
    """
    backup(workspace.database_url, workspace.folder / SETTINGS, target, clock)


def bring_back(workspace: Workspace, archive: Path, clock: Clock) -> Restored:
    """Put a backup in the place of the database, which is moved aside.

    Raises:
        InputError: the node runs, or the backup is damaged or another installation's.
        DiskError: it could not be done; what was there is as it was.
    """
    if node_runs(workspace.folder):
        raise InputError("the node of this workspace runs", remedy="stop it first")

    def distrust(tx: Tx) -> None:
        _check_own(tx, workspace.workspace_id)
        _distrust(tx, clock)

    beside = workspace.folder / OF_BACKUP
    aside = restore(archive, workspace.database_url, beside, clock, first=distrust)
    if beside.exists() and beside.read_bytes() == (workspace.folder / SETTINGS).read_bytes():
        beside.unlink()
    return Restored(aside, beside if beside.exists() else None)


def _check_own(tx: Tx, workspace_id: str) -> None:
    named = [meta.value for meta in tx.find(Meta, name="workspace_id")]
    if named != [workspace_id]:
        raise InputError(
            f"this is a backup of another installation ({', '.join(named) or 'without a name'})",
            remedy=f"give a backup of {workspace_id}; nothing was changed",
        )


def _distrust(tx: Tx, clock: Clock) -> None:
    for session in tx.find(Session):
        tx.remove(session)
    for token in tx.find(Token, revoked_at_ns=None):
        tx.change(token, revoked_at_ns=tx.now_ns)
    time = Timekeeper(clock, last_beat(tx))
    time.distrust()
    time.beat(tx)
    tx.entry("database.restored", "restore", {})


def node_runs(folder: Path) -> bool:
    """Tell whether a node answers for this workspace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(socket_path(folder)))
        except OSError:
            return False
    return True
