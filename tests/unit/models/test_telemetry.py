"""The inference library reports each import to a web analytics service. Ours must not."""

import os
import subprocess
import sys
from pathlib import Path

_WATCH = """
import sys
def hook(event, args):
    if event == "socket.connect" or event == "socket.getaddrinfo" or (event == "subprocess.Popen"):
        print("CONTACT", event)
sys.addaudithook(hook)
"""
_OURS = _WATCH + "from habeas.models.session import _openvino; print(_openvino().__name__)"
_THEIRS = _WATCH + "import openvino; print(openvino.__name__)"


def _run(code: str, home: Path) -> str:
    # Whatever is sent goes to a closed port on this machine: the control must not report us either.
    nowhere = "http://127.0.0.1:9"
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
    }  # not CI: it sends nothing there
    environment = {**kept, "HOME": str(home), "http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_loading_the_engine_contacts_nobody_and_leaves_nothing(tmp_path: Path) -> None:
    assert _run(_OURS, tmp_path).split() == ["openvino"]
    assert list(tmp_path.iterdir()) == []


def test_control_the_library_alone_leaves_its_analytics_identity(tmp_path: Path) -> None:
    _run(_THEIRS, tmp_path)
    assert list(tmp_path.rglob("openvino_ga_cid"))
