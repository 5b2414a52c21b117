"""The folders of footage."""

from pathlib import Path

from habeas.footage.files import FootageFolder


def test_folders_are_for_their_owner_only_and_so_are_those_above_them(tmp_path: Path) -> None:
    FootageFolder(tmp_path / "held" / "hold-1").free_bytes()
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("held", "held/hold-1")] == [0o700] * 2
