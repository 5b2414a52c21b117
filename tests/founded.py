"""An installation founded in a folder, as `habeas init` does it, and cameras added to it without a node."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.authority.cameras import Box, NewCamera, add_camera
from habeas.clock import ManualClock, SystemClock
from habeas.node.founding import Founder, found
from habeas.node.workspace import SETTINGS, Workspace, load_workspace
from habeas.ports import Clock
from habeas.store import open_store
from habeas.store.records import Camera
from habeas.video.address import parse_address

STAFF: Final[Mapping[str, Role]] = {
    "adam": Role.ADMIN,
    "rita": Role.REQUESTER,
    "ann": Role.APPROVER,
    "bert": Role.APPROVER,
    "pia": Role.PRIVACY,
    "olga": Role.OPERATOR,
    "otto": Role.OPERATOR,
}
"""The fewest with whom an installation can be founded, nobody with two roles."""
ADMIN: Final = Actor("a-test", frozenset({"a-test"}), {Role.ADMIN: ()})


def staff(*without: str) -> list[Founder]:
    """Return the people, some left out."""
    return [Founder(name, (role,)) for name, role in STAFF.items() if name not in without]


def founded(parent: Path, clock: Clock | None = None, *, database: str = "", settings: str = "") -> Workspace:
    """Found an installation below a folder, its keys beside it.

    Args:
        parent: gets `workspace` and `keys`.
        clock: tells when.
        database: address; empty: a file.
        settings: lines for its `habeas.yaml`.
    """
    made = found(parent / "workspace", staff(), clock or SystemClock(), database=database, keys=parent / "keys")
    folder = made.workspace.folder
    with (folder / SETTINGS).open("a", encoding="utf-8") as file:
        file.write(f"\n{settings}\n")
    return load_workspace(folder)


def with_camera(
    workspace: Workspace,
    name: str,
    url: str,
    *,
    min_face_px: int = 32,
    recorded: bool = False,
    masks: tuple[Box, ...] = (),
    reencode: bool = False,
) -> Camera:
    """Add a camera, as its admin would; one that is recorded is from the same address."""
    address = parse_address(url, workspace.address_rules())
    new = NewCamera(
        name,
        "default",
        "Who walks through the test",
        (url, address),
        (url, address) if recorded else None,
        masks,
        min_face_px,
        reencode,
    )
    with (
        workspace.open_keys() as keys,
        open_store(workspace.database_url, ManualClock()) as store,
        store.write() as tx,
    ):
        return add_camera(tx, keys, ADMIN, new)
