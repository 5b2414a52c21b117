"""The logins of one user of the machine with one installation: a file for each account, for this user's eyes only.

A login remembers on which socket it was made, so that another node that calls itself the same installation is not
handed its secret.
"""

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from habeas.errors import DiskError, UsageError

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_PRIVATE: Final = 0o700


def check_name(name: str) -> str:
    """Return an account's name, which is also the name of a file.

    Raises:
        UsageError: it is no account's name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no account name", remedy="letters, digits, dots, hyphens and underscores")
    return name


@dataclass(frozen=True, repr=False)
class Kept:
    """One login.

    Args:
        name: of the account.
        secret: what the node gave.
    """

    name: str
    secret: str


@dataclass(frozen=True)
class Logins:
    """What is kept for one installation.

    Args:
        folder: of the files.
        socket: of the node.
    """

    folder: Path
    socket: Path

    @classmethod
    def of(cls, workspace_id: str, socket: Path) -> "Logins":
        """Return those of an installation, in the user's configuration folder."""
        return cls(platformdirs.user_config_path("habeas") / "logins" / workspace_id, socket.resolve())

    def keep(self, login: Kept) -> None:
        """Write a login down, in place of an older one of the same account.

        Raises:
            DiskError: it cannot be written.
        """
        text = json.dumps({"socket": str(self.socket), "secret": login.secret})
        try:
            self.folder.mkdir(_PRIVATE, parents=True, exist_ok=True)
            self.folder.chmod(_PRIVATE)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".new-", delete=False) as file:  # mode 0600
                file.write(text)
            Path(file.name).replace(self.folder / check_name(login.name))
        except OSError as error:
            raise DiskError(
                f"{self.folder}: cannot be written ({error.strerror})", remedy="make room, or check its owner"
            ) from None

    def forget(self, name: str) -> None:
        """Remove a login; one that is not there is removed already."""
        (self.folder / check_name(name)).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return who is logged in, by name."""
        try:
            found = os.listdir(self.folder)  # noqa: PTH208 - names only
        except OSError:
            return []
        return sorted(name for name in found if _NAME.fullmatch(name) and self.read(name) is not None)

    def read(self, name: str) -> Kept | None:
        """Return an account's login with the node at this socket; None: there is none."""
        try:
            kept = json.loads((self.folder / check_name(name)).read_text("utf-8"))
            here = kept["socket"] == str(self.socket)
            return Kept(name, str(kept["secret"])) if here else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def chosen(self, name: str) -> Kept | None:
        """Return the login to use: of this account, or the only one; None: nobody is logged in.

        Args:
            name: of the account; empty: not said.

        Raises:
            UsageError: not said, and there are several.
        """
        if name:
            return self.read(name)
        there = self.names()
        if len(there) > 1:
            raise UsageError(f"several are logged in here: {', '.join(there)}", remedy=f"say who: --as {there[0]}")
        return self.read(there[0]) if there else None
