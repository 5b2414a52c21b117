"""On which kind of file system a database lies: SQLite's write-ahead log is not safe on a network drive.

It shares memory between connections and trusts locks; on network file systems neither is sure, and a commit that was
confirmed can be lost, or the file damaged (https://www.sqlite.org/wal.html: "does not work over a network filesystem").
"""

import re
from pathlib import Path
from typing import Final

from habeas.errors import DiskError
from habeas.store.connection import database_file

MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"gfs2", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs"}
)
"""Types in Linux. `9p` is also how Windows' drives appear in its subsystem for Linux."""
_LOCAL_FUSE: Final = frozenset(
    {"bindfs", "cryfs", "encfs", "exfat", "fuse-overlayfs", "gocryptfs", "mergerfs", "ntfs-3g", "zfs"}
)
"""What lies on this machine's disks, of the programs that may be behind FUSE; any other may be a network."""


def network_kind(path: Path, mounts: str) -> str:
    """Return the type of the network file system that a path lies on; empty: it lies on this machine.

    Args:
        path: absolute, without links.
        mounts: text of `/proc/self/mountinfo` (proc(5)): what was mounted later over the same place comes later.
    """
    found, depth = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        where = Path(_plain(before.split()[4]))
        if path.is_relative_to(where) and len(where.parts) >= depth:
            found, depth = after.split()[0], len(where.parts)
    return found if _is_network(found) else ""


def _is_network(kind: str) -> bool:
    name, _, program = kind.partition(".")
    return program not in _LOCAL_FUSE if name == "fuse" else name in _NETWORK


def _plain(escaped: str) -> str:
    """Return a path in which spaces and the like stood as a backslash and three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), escaped)


def check_place(url: str) -> None:
    """Check that a database is on a server, or on a disk of this machine.

    Raises:
        DiskError: it is a file on a network drive.
    """
    file = database_file(url)
    if file is None:
        return
    kind = network_kind(file.resolve(), MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    if kind:
        raise DiskError(
            f"{file} lies on a network drive ({kind}), where what was confirmed can be lost",
            remedy="move the workspace to a disk of this machine, or use PostgreSQL: the setting `database`",
        )
