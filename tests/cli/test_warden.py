"""`habeas warden` as a process: beside a node it waits, without one it destroys, and it ends when asked to."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.founded import founded

from habeas.clock import SystemClock
from habeas.keys import Scope

pytestmark = pytest.mark.timeout(120)


def test_it_destroys_what_is_due_and_ends_when_asked_to(tmp_path: Path) -> None:
    workspace = founded(tmp_path)
    with workspace.open_keys() as keys:
        keys.new(Scope.FOOTAGE, SystemClock().now_ns() - 1)
        kept = keys.new(Scope.FOOTAGE, SystemClock().now_ns() + 10**15)
    words = [sys.executable, "-m", "habeas", "warden", "-w", str(workspace.folder), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        try:
            events = []
            while not events or events[-1]["event"] != "destroyed":
                ready, _, _ = select.select([process.stdout], [], [], 60)
                assert ready, events
                events.append(json.loads(process.stdout.readline()))
            assert events[-1]["keys"] == 1
        finally:
            process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.readlines()[-1])["event"] == "stopped"
        assert process.wait(10) == 0
    with workspace.open_keys() as keys:
        assert keys.ids(Scope.FOOTAGE) == {kept}
