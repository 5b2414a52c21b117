"""A database on a network drive is noticed, whatever it is called and wherever it is mounted."""

from pathlib import Path

import pytest

from habeas.errors import DiskError
from habeas.store import place
from habeas.store.place import check_place, network_kind

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
30 22 0:50 / /srv/office rw,relatime shared:9 - KIND server:/office rw,vers=4.2
31 30 8:2 / /srv/office/local rw - xfs /dev/sdb1 rw
32 22 8:3 / /srv/my\040disk rw - ext4 /dev/sdc1 rw
33 22 0:51 / /srv/my\040disk rw - cifs //server/share rw
34 22 0:52 / /srv/off rw - nfs server:/off rw
""".strip()
NETWORK = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse", "fuse.sshfs", "fuse.rclone", "fuse.unheard-of"]
LOCAL = ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.mergerfs", "fuse.gocryptfs"]


@pytest.mark.parametrize("kind", NETWORK + LOCAL)
def test_the_kind_of_the_mount_that_a_path_lies_on(kind: str) -> None:
    seen = network_kind(Path("/srv/office/city/habeas.db"), MOUNTS.replace("KIND", kind))
    assert seen == (kind if kind in NETWORK else "")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/office/city/habeas.db", "nfs4"),
        ("/srv/office/local/habeas.db", ""),
        ("/srv/office-too/habeas.db", ""),
        ("/srv/my disk/habeas.db", "cifs"),
        ("/home/habeas.db", ""),
    ],
)
def test_the_deepest_mount_counts_and_of_two_the_later(path: str, kind: str) -> None:
    assert network_kind(Path(path), MOUNTS.replace("KIND", "nfs4")) == kind


def test_a_file_on_a_network_drive_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'link' / 'habeas.db'}"
    (tmp_path / "drive").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "drive")
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(place, "MOUNTS", mounts)
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {tmp_path / 'drive'} rw - nfs server:/ rw\n")
    with pytest.raises(DiskError, match=r"network drive \(nfs\)") as refused:
        check_place(url)
    assert "PostgreSQL" in refused.value.remedy
    check_place("postgresql+psycopg://server/habeas")
    mounts.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    check_place(url)
