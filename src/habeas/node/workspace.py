"""The workspace: one installation's folder, and what is found from there. Keys lie elsewhere on purpose.

habeas.yaml   settings          habeas.db    database, unless it is on a server
node.sock     the running node, or a short path named in `node.path` where this one is too long
"""

import hashlib
import os
import stat
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from habeas.errors import InputError, UsageError
from habeas.keys import KeyStore, MasterKey
from habeas.settings import KeySettings, LogSettings, Settings, load_settings
from habeas.store.database import database_url
from habeas.video.address import AddressRules, rules_with

SETTINGS: Final = "habeas.yaml"
_SOCKET: Final = "node.sock"
_LONGEST_SOCKET: Final = 100
"""Bytes: the kernel takes 107."""
_AGAIN_S: Final = 0.1
_OTHERS: Final = 0o077


@dataclass(frozen=True, repr=False)
class Workspace:
    """An installation as its folder and settings say.

    Args:
        folder: of the workspace, absolute.
        settings: read from it and the environment.
    """

    folder: Path
    settings: Settings

    @property
    def workspace_id(self) -> str:
        """Of this installation."""
        return self.settings.workspace_id

    @property
    def database_url(self) -> str:
        """Where the database is; may carry a password."""
        return database_url(self.settings.database, self.folder)

    @property
    def keys_folder(self) -> Path:
        """Where the key store is."""
        return keys_folder(self.settings.keys, self.workspace_id)

    def open_keys(self, patience_s: float = 0.0) -> KeyStore:
        """Open the key store, which one process at a time may.

        Args:
            patience_s: so long another process is waited for: the warden has it for an instant each minute.

        Raises:
            UsageError: another process has it, or there is none.
            InputError: the master key is another's.
        """
        master = master_key(self.settings.keys, self.workspace_id)
        until_s, pause = time.monotonic() + patience_s, threading.Event()
        while True:
            try:
                return KeyStore(self.keys_folder, master)
            except UsageError:
                if time.monotonic() >= until_s:
                    raise
            pause.wait(_AGAIN_S)

    def address_rules(self) -> AddressRules:
        """Return where cameras may be."""
        cameras = self.settings.cameras
        return rules_with(cameras.networks, cameras.ports, cameras.folders)

    def __repr__(self) -> str:
        return f"Workspace({self.workspace_id!r}, {str(self.folder)!r})"


def find_workspace(where: Path | None) -> Path:
    """Return the folder that is meant: the option, else HABEAS_WORKSPACE, else the current one if it is a workspace.

    Raises:
        UsageError: none of them is.
    """
    named = where or (Path(os.environ["HABEAS_WORKSPACE"]) if os.environ.get("HABEAS_WORKSPACE") else None)
    folder = (named or Path.cwd()).resolve()
    if not (folder / SETTINGS).is_file():
        raise UsageError(
            f"{folder} is no workspace", remedy="name one with -w DIR or HABEAS_WORKSPACE, or make one: habeas init DIR"
        )
    return folder


def load_workspace(folder: Path) -> Workspace:
    """Read a workspace's settings.

    Raises:
        UsageError: a setting is wrong, or others may read or change the folder.
    """
    check_private(folder)
    check_private(folder / SETTINGS)
    settings = load_settings(folder / SETTINGS)
    if not settings.workspace_id:
        raise UsageError(
            f"{folder / SETTINGS}: no workspace_id", remedy="put back the line that `habeas init` wrote, from a backup"
        )
    return Workspace(folder, settings)


def check_private(path: Path) -> None:
    """Check that a workspace's folder, or its settings, are this user's, and nobody else may read or change them.

    Settings name programs (`keys.master_command`): with another's workspace, they would run as this user.

    Raises:
        UsageError: they are another's, or others may.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="make an installation with `habeas init DIR`") from error
    if found.st_uid != os.geteuid():
        raise UsageError(f"{path} belongs to another user", remedy="run this as the user who founded it")
    if stat.S_IMODE(found.st_mode) & _OTHERS & (~0o011 if path.is_dir() else ~0):
        raise UsageError(f"others may read or change {path}", remedy=f"chmod go-rw {path}")


def socket_path(folder: Path) -> Path:
    """Return where the node of a workspace answers: in it, or where that path is too long, in a short one.

    Raises:
        InputError: the short one lies in a folder that is not the node's user's alone.
    """
    path = folder / _SOCKET
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    owner = folder.stat().st_uid  # the node's user: clients of others look in the same place
    short = Path(tempfile.gettempdir()) / f"habeas-{owner}"
    if owner == os.getuid():
        with suppress(FileExistsError):
            short.mkdir(mode=0o711)
    if os.path.lexists(short):
        _check_short(short, owner)
    return short / f"{name}.sock"


def _check_short(folder: Path, owner: int) -> None:
    """Check a folder that lies where everybody may write: a link, or one that others may change, may be a trap."""
    status = folder.lstat()
    open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or open_to_others:
        raise InputError(f"{folder} is somebody else's", remedy="remove it, or move the workspace to a shorter path")


def log_origin(settings: LogSettings, workspace_id: str) -> str:
    """Return the name of an installation's log."""
    return settings.origin or f"habeas/{workspace_id}"


def keys_folder(settings: KeySettings, workspace_id: str) -> Path:
    """Return the folder of the key store."""
    return settings.folder or Path(platformdirs.user_data_path("habeas")) / "keys" / workspace_id


def master_file(settings: KeySettings, workspace_id: str) -> Path:
    """Return the file of the master key."""
    folder = keys_folder(settings, workspace_id)
    return settings.master_file or folder.with_name(f"{folder.name}.master")


def master_key(settings: KeySettings, workspace_id: str) -> MasterKey:
    """Read the master key from where the settings say.

    Raises:
        InputError: it cannot be read.
    """
    if settings.master_command:
        return MasterKey.from_command(settings.master_command)
    if settings.master_env:
        return MasterKey.from_environment(settings.master_env)
    return MasterKey.from_file(master_file(settings, workspace_id))
