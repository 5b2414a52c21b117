"""Backup and restore of an installation. A restored database is an old one: it says again what was taken back since.

So a restore ends every login and token, and nothing is compared, started or shown until two approvers have said that
it is right (`habeas clock confirm`), as after a clock that jumped. What was discarded stays so: keys are in no backup.
"""

import socket
from pathlib import Path

from habeas.errors import InputError
from habeas.node.timekeeper import Timekeeper, last_beat
from habeas.node.workspace import SETTINGS, Workspace, socket_path
from habeas.ports import Clock
from habeas.store import Tx, open_store
from habeas.store.archive import backup
from habeas.store.records import Session, Token
from habeas.store.restore import restore


def back_up(workspace: Workspace, target: Path, clock: Clock) -> None:
    """Write database and settings into one file; the node may run.

    Raises:
        InputError: there is such a file.
        DiskError: it could not be written.
    """
    backup(workspace.database_url, workspace.folder / SETTINGS, target, clock)


def bring_back(workspace: Workspace, archive: Path, clock: Clock) -> tuple[str, ...]:
    """Put a backup in the place of the database; returns what was moved aside.

    Raises:
        InputError: the node runs, or the backup is damaged.
        DiskError: it could not be done; what was there is as it was.
    """
    if node_runs(workspace.folder):
        raise InputError("the node of this workspace runs", remedy="stop it first")
    aside = restore(archive, workspace.database_url, workspace.folder / SETTINGS, clock)
    with open_store(workspace.database_url, clock) as store, store.write() as tx:
        _distrust(tx, clock)
    return aside


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
