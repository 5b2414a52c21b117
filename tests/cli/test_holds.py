"""A hold of what a real camera recorded, by the commands: proposed, approved by two, played, released."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from tests.cameras import RtspCamera
from tests.cli.nodes import RunningNode, new_workspace

from habeas.app import App
from habeas.clock import SystemClock
from habeas.footage.files import hour_of, read_segment
from habeas.footage.rows import row_of
from habeas.keys import new_identity
from habeas.node.workspace import SETTINGS, load_workspace
from habeas.store import open_store
from habeas.types import HOUR_NS

pytestmark = pytest.mark.timeout(300)
_SOON_S = 90


def plenty(folder: Path) -> None:
    """Let much have been recorded an hour ago, of which one part in a hundred is minutes."""
    workspace = load_workspace(folder)
    with (
        workspace.open_keys() as keys,
        open_store(workspace.database_url, SystemClock()) as store,
        store.write() as tx,
    ):
        row = row_of(tx, keys, "gate", tx.now_ns - tx.now_ns % HOUR_NS - HOUR_NS)
        assert row is not None
        tx.change(row, lasts_ns=100 * HOUR_NS)


def wait(node: RunningNode, until: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + _SOON_S
    while not until():
        assert time.monotonic() < deadline, node.log.read_text()
        threading.Event().wait(0.2)


def has_seconds(folder: Path, count: int) -> bool:
    """Whether a segment has so many parts."""
    for path in (folder / "footage").glob("gate/*/*.habf"):
        hour_ns = hour_of(path.parent.name)
        if hour_ns is not None and len(read_segment(path, "gate", hour_ns).records) > count:
            return True
    return False


@pytest.fixture
def node(app: App, tmp_path: Path) -> Iterator[RunningNode]:
    """A node that has recorded some seconds of a camera."""
    assert app.settings
    folder, codes = new_workspace(tmp_path)
    with RtspCamera() as camera:
        settings = (folder / SETTINGS).read_text().replace("cameras: {", f"cameras: {{ports: [{camera.port}], ")
        (folder / SETTINGS).write_text(settings)
        node = RunningNode(folder, tmp_path, app.settings)
        try:
            node.wait_ready()
            node.login({name: codes[name] for name in ("adam", "rita", "ann", "bert", "pia", "olga", "aud")})
            words = ["camera", "add", "gate", "--url-stdin", "--purpose", "Who walks through the test"]
            assert node.run(*words, "--record", camera.url, who="adam", stdin=camera.url + "\n").row
            wait(node, lambda: has_seconds(folder, 6))
            node.restart(lambda: plenty(folder))
            yield node
        finally:
            if node.process.poll() is None:
                node.stop()


def test_a_hold_by_the_commands(node: RunningNode) -> None:
    (hour, *_rest) = [one for one in node.run("footage", "list", who="pia").row["hours"] if one["segments"]]
    words = ["--camera", "gate", "--from", hour["hour"], "--until", hour["until"]]
    asked = ["--asked-by", "Police of Somewhere", "--reference", "26/117", "--why", "a fall on the stairs"]
    proposed = node.run("footage", "hold", *asked, *words, "--end", "+2d", who="rita").row
    name = proposed["hold"]
    assert proposed["state"] == "proposed"
    assert node.run("footage", "hold", *asked, *words, "--end", "+32d", who="rita").error["rule"] == "hold-term"
    assert node.run("footage", "play", name, "--no-browser", who="rita").error["kind"] == "gone"
    shown = node.run("footage", "show", name, who="ann").row
    assert (shown["asked_by"], shown["reference"]) == ("Police of Somewhere", "26/117")
    assert shown["counted_s"] > 3
    assert "asked_by" not in node.run("footage", "show", name, who="olga").row
    assert "a fall on the stairs" in node.text("footage", "show", name, who="ann")
    assert node.run("footage", "approve", name, "--hash", shown["content_hash"][:12], who="ann").row["state"] == (
        "proposed"
    )
    assert node.run("footage", "approve", name, "--yes", who="ann").error["rule"] == "two-persons"
    assert node.run("footage", "approve", name, "--yes", who="bert").row["state"] == "approved"
    wait(node, lambda: node.run("footage", "show", name, who="ann").row["state"] == "held")
    kept = node.run("footage", "show", name, who="ann").row
    assert kept["segments"] >= 1
    assert kept["held_s"] > 3
    assert kept["counted_s"] is None
    play(node, name)
    exported(node, name)
    assert node.run("footage", "play", name, who="olga").error["rule"] == "playback"
    assert "held" in node.text("footage", "holds", who="olga")
    request(node, words)
    for who, expected in (("ann", "held"), ("bert", "released")):
        assert node.run("footage", "release", name, "--yes", who=who).row["state"] == expected
    assert node.run("footage", "play", name, "--no-browser", who="rita").error["kind"] == "gone"
    assert node.run("footage", "holds", who="rita").rows == []
    assert [one["hold"] for one in node.run("footage", "holds", "--all", who="rita").rows] == [name]
    kinds = node.kinds("aud")
    for kind in ("hold.proposed", "hold.approved", "hold.kept", "footage.played", "hold.released", "request.verified"):
        assert kind in kinds
    assert "26/117" not in node.log.read_text()


def exported(node: RunningNode, name: str) -> None:
    """Redact it, propose it for a key, approve it twice, fetch it, and open it as its recipient does."""
    assert node.run("footage", "redact", name, who="ann").error["rule"] == "role"
    made = node.run("footage", "redact", name, "--follow", who="rita").row
    export, identity = made["export"], new_identity()
    assert (made["state"], made["films"]) == ("ready", len(made["list"])), made
    assert made["films"] >= 1
    assert f"{export}" in node.text("footage", "exports", who="olga")
    assert node.run("footage", "export", export, "--to", "age1nobody", who="rita").error["kind"] == "input"
    key = node.home / "key.txt"
    key.write_text(f"# of the recipient\n{identity.secret}\n")
    out = node.home / "footage.age"
    assert node.run("footage", "export", export, "--out", out, who="rita").error["rule"] == "state"
    assert node.run("footage", "export", export, "--to", identity.recipient, who="rita").row["state"] == "proposed"
    assert node.run("footage", "approve", export, "--yes", who="ann").row["state"] == "proposed"
    assert node.run("footage", "approve", export, "--yes", who="ann").error["rule"] == "two-persons"
    assert node.run("footage", "approve", export, "--yes", who="bert").row["state"] == "approved"
    wait(node, lambda: node.run("footage", "export", export, "--out", out, who="rita").status == 0)
    log_key = node.run("audit", "key", who="pia").rows[0]["vkey"]
    opened = node.run("footage", "open", out, "--identity", key, "--out", node.home / "films", "--key", log_key).row
    assert opened["proven"]
    films = sorted((node.home / "films").glob("*.mp4"))
    assert [path.name for path in films] == sorted(one["name"] for one in opened["films"])
    with av.open(str(films[0])) as film:
        assert len(film.streams) == 1
        assert sum(1 for _ in film.decode(video=0)) > 25
    other = node.home / "other.txt"
    other.write_text(new_identity().secret)
    wrong = node.run("footage", "open", out, "--identity", other, "--out", node.home / "no", "--key", log_key)
    assert "not sealed to that identity" in wrong.error["message"]
    assert node.run("footage", "play", export, "--no-browser", who="olga").error["rule"] == "playback"


def play(node: RunningNode, name: str) -> None:
    """Play it in a process of its own: what comes is video, and nothing of it is written."""
    before = set(node.home.rglob("*"))
    _told, first = node.played(name, who="rita")
    with av.open(io.BytesIO(first)) as video:
        assert sum(1 for _ in video.decode(video=0)) > 20
    written = {path for path in set(node.home.rglob("*")) - before if path.suffix not in {".habf", ".part"}}
    assert not [path for path in written if path.suffix in {".mp4", ".html"}], "nothing is written"


def request(node: RunningNode, words: list[str]) -> None:
    """Somebody outside asks for the same."""
    contact = ["--contact", "Ada Doe, ada@example.org", "--why", "a fall"]
    made = node.run("footage", "request", "new", *contact, *words, who="rita").row
    assert made["state"] == "received"
    assert node.run("footage", "request", "verify", made["request"], who="rita").error["rule"] == "role"
    assert node.run("footage", "request", "verify", made["request"], who="pia").row["segments"] >= 1
    assert "ada@example.org" in node.text("footage", "request", "list", who="pia")
    assert "ada@example.org" not in node.text("footage", "request", "list", who="ann")
    again = node.run("footage", "request", "new", *contact, *words, who="pia").row["request"]
    assert node.run("footage", "request", "verify", again, who="pia").error["rule"] == "request-once"
    assert node.run("footage", "request", "refuse", again, who="pia").row["state"] == "refused"
