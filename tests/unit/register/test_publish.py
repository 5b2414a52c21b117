"""The public folder: readable by others, whole at every moment, and told where it cannot be written."""

import json
import os
import stat
from pathlib import Path

import pytest
from tests.unit.register.test_checking import HONEST

from habeas.errors import DiskError
from habeas.register.document import NAME
from habeas.register.pages import PAGES, STYLE
from habeas.register.publish import publish, publish_epochs


def test_everything_is_there_and_others_may_read_it(tmp_path: Path) -> None:
    public = tmp_path / "public"
    old = os.umask(0o077)
    try:
        publish(public, HONEST)
    finally:
        os.umask(old)
    assert {path.name for path in public.iterdir()} == {*PAGES, STYLE, NAME}
    assert {stat.S_IMODE(path.stat().st_mode) for path in public.iterdir()} == {0o644}
    assert stat.S_IMODE(public.stat().st_mode) == 0o755
    assert json.loads((public / NAME).read_bytes()) == HONEST


def test_the_document_comes_last(tmp_path: Path) -> None:
    (tmp_path / "statistics.html").mkdir()  # what cannot be replaced
    with pytest.raises(DiskError):
        publish(tmp_path, HONEST)
    assert not (tmp_path / NAME).exists()


def test_the_list_of_epochs_is_written_where_it_changed(tmp_path: Path) -> None:
    publish_epochs(tmp_path, b"[]\n")
    path = tmp_path / "log" / "epochs.json"
    before = path.stat().st_ino
    publish_epochs(tmp_path, b"[]\n")
    assert path.stat().st_ino == before
    publish_epochs(tmp_path, b"[1]\n")
    assert path.read_bytes() == b"[1]\n"
