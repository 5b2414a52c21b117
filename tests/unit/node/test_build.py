"""The digest of this program changes with any of its files, and with nothing else."""

import shutil
from pathlib import Path

import habeas
from habeas.node.build import build_digest, digest_of


def test_a_changed_renamed_or_added_file_is_another_build(tmp_path: Path) -> None:
    shutil.copytree(Path(habeas.__file__).parent, tmp_path / "habeas", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "habeas"
    assert digest_of(folder) == build_digest(), "wherever it lies"
    (folder / "notes.txt").write_text("no part of the program")
    assert digest_of(folder) == build_digest()
    (folder / "clock.py").write_text((folder / "clock.py").read_text() + "\n")
    changed = digest_of(folder)
    (folder / "clock.py").rename(folder / "clock2.py")
    renamed = digest_of(folder)
    assert len({build_digest(), changed, renamed}) == 3
