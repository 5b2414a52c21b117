"""A camera added again under another spelling of its address is the same source."""

from pathlib import Path

import pytest
from tests.installation import Installation

from habeas.authority.cameras import delivering
from habeas.authority.suspensions import covers

SPELLINGS = ["/live?", "/live?x=1", "/%6Cive", "/live/", "/./live", "//live", ":554/live"]


@pytest.mark.parametrize("tail", SPELLINGS)
def test_a_suspension_covers_a_camera_however_its_address_is_spelled(tail: str, tmp_path: Path) -> None:
    with Installation(tmp_path) as it:
        it.camera_at("c1", "rtsp://10.1.0.1/live")
        suspension = it.suspend(zones=["gate"])
        it.remove_camera("c1")
        again = it.camera_at("c2", f"rtsp://10.1.0.1{tail}", "yard")
        other = it.camera_at("c3", "rtsp://10.1.0.2/live", "yard")
        assert covers(suspension, again)
        assert not covers(suspension, other), "the control"


def test_a_source_counts_once_however_often_it_is_spelled(tmp_path: Path) -> None:
    with Installation(tmp_path) as it:
        for number, tail in enumerate(["/live", *SPELLINGS]):
            it.camera_at(f"c{number}", f"rtsp://10.1.0.1{tail}")
        with it.store.read() as tx:
            assert delivering(tx) == 1
        it.camera_at("other", "rtsp://10.1.0.1/other")
        with it.store.read() as tx:
            assert delivering(tx) == 2
