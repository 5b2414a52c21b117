"""The workspace: one installation's folder, and what is found from there. Keys lie elsewhere on purpose.

habeas.yaml   settings          habeas.db    database, unless it is on a server
node.sock     the running node, or a short path named in `node.path` where this one is too long
"""

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from habeas.errors import InputError, UsageError
from habeas.keys import KeyStore, MasterKey
from habeas.settings import KeySettings, Settings, load_settings
from habeas.store.database import database_url
from habeas.video.address import AddressRules, rules_with

SETTINGS: Final = "habeas.yaml"
_SOCKET: Final = "node.sock"
_LONGEST_SOCKET: Final = 100
"""Bytes: the kernel takes 107."""
_OTHERS: Final = 0o077
_SOURCES: Final = "sources.json"


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

    def open_keys(self) -> KeyStore:
        """Open the key store, which one process at a time may.

        Raises:
            UsageError: another process has it, or there is none.
            InputError: the master key is another's.
        """
        return KeyStore(self.keys_folder, master_key(self.settings.keys, self.workspace_id))

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
    settings = load_settings(folder / SETTINGS)
    if not settings.workspace_id:
        raise UsageError(
            f"{folder / SETTINGS}: no workspace_id", remedy="put back the line that `habeas init` wrote, from a backup"
        )
    return Workspace(folder, settings)


def check_private(folder: Path) -> None:
    """Check that nobody else may write into a workspace's folder.

    Raises:
        UsageError: others may.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS & ~0o011:
        raise UsageError(f"others may read or change {folder}", remedy=f"chmod 711 {folder}")


def socket_path(folder: Path) -> Path:
    """Return where the node of a workspace answers: in it, or where that path is too long, in a short one."""
    path = folder / _SOCKET
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"habeas-{os.getuid()}"
    short.mkdir(mode=0o711, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise InputError(f"{short} belongs to somebody else", remedy="move the workspace to a shorter path")
    return short / f"{name}.sock"


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


# --- cameras of installations on this machine, for commands that run without one ----------------------------------


def note_source(workspace_id: str, digest: str) -> None:
    """Note that a source is an installation's camera: `watch` refuses it from then on, for this user."""
    known = _sources()
    salted = _salted(workspace_id, digest)
    if salted not in known:
        _write_sources([*known, salted])


def is_workspace_source(digest: str) -> bool:
    """Tell whether a source is a camera of an installation of this user."""
    return any(_salted(entry.partition(":")[0], digest) == entry for entry in _sources())


def _salted(workspace_id: str, digest: str) -> str:
    return f"{workspace_id}:{hashlib.sha256(f'{workspace_id} {digest}'.encode()).hexdigest()}"


def _sources_file() -> Path:
    return Path(platformdirs.user_state_path("habeas")) / _SOURCES


def _sources() -> list[str]:
    try:
        return [str(entry) for entry in json.loads(_sources_file().read_text())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"{_sources_file()} cannot be read", remedy="repair or remove it") from error


def _write_sources(entries: Iterable[str]) -> None:
    file = _sources_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
        json.dump(sorted(entries), new)
    Path(new.name).replace(file)
