"""An access request by the commands: a real camera's footage, searched for whoever asks; all of it gone at its end."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cameras import RtspCamera
from tests.cli.nodes import RunningNode, new_workspace

from habeas.app import App
from habeas.clock import SystemClock
from habeas.footage.files import ACCESS, hour_of, read_segment
from habeas.node.workspace import SETTINGS, load_workspace
from habeas.store import open_store
from habeas.store.footage_records import AccessPhoto, AccessRequest, Finding

pytestmark = pytest.mark.timeout(300)
_SOON_S = 90
_NAME, _CONTACT = "Adamantine Doeplanted", "adamantine@planted.example"


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
        if hour_ns is not None and len(read_segment(path, "gate", hour_ns).records) >= count:
            return True
    return False


def naming(folder: Path) -> list[Path]:
    """The files that hold the name or the contact of whoever asks, in the clear."""
    marks = [text.encode(code) for text in (_NAME, _CONTACT) for code in ("utf-8", "utf-16-le")]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(mark in path.read_bytes() for mark in marks)]


@pytest.mark.rule("X4")
@pytest.mark.rule("X5")
def test_somebody_gets_the_footage_of_themself_and_nothing_of_it_stays(
    app: App, tmp_path: Path, clip: Path, astronaut: Path
) -> None:
    assert app.settings
    folder, codes = new_workspace(tmp_path)
    with RtspCamera(clip) as camera:
        settings = (folder / SETTINGS).read_text().replace("cameras: {", f"cameras: {{ports: [{camera.port}], ")
        (folder / SETTINGS).write_text(settings)
        node = RunningNode(folder, tmp_path, app.settings)
        try:
            node.wait_ready()
            node.login({name: codes[name] for name in ("adam", "pia", "ann", "bert", "olga", "aud")})
            words = ["camera", "add", "gate", "--url-stdin", "--purpose", "Who walks through the test"]
            assert node.run(*words, "--record", camera.url, who="adam", stdin=camera.url + "\n").row
            wait(node, lambda: has_seconds(folder, 4))
            asked = opened(node, astronaut)
            found(node, asked)
            answered(node, asked)
            assert node.log.read_text().count('"error"') == 0, node.log.read_text()
        finally:
            if node.process.poll() is None:
                node.stop(signal.SIGTERM)
    assert naming(folder) == [], "in the clear it was nowhere"
    planted = folder / "planted"
    planted.write_text(f"of {_NAME}")
    assert naming(folder) == [planted], "the control"
    nothing_is_left(folder, asked)
    assert _NAME not in node.log.read_text()


def nothing_is_left(folder: Path, asked: str) -> None:
    """Its key is gone, and what was under it."""
    workspace = load_workspace(folder)
    with (
        workspace.open_keys() as keys,
        open_store(workspace.database_url, SystemClock()) as store,
        store.read() as tx,
    ):
        row = tx.get(AccessRequest, asked)
        assert (row.asked_sealed, keys.has(row.key_id), row.destroyed_at_ns is None) == (None, False, False)
        assert [(one.image_sealed, one.template_sealed) for one in tx.find(AccessPhoto)] == [(None, None)]
        assert {(one.found_sealed, one.image_sealed) for one in tx.find(Finding)} == {(None, None)}


def opened(node: RunningNode, portrait: Path) -> str:
    """Open it, and let two approve it; return its id."""
    words = ["access", "new", "--name", _NAME, "--born", "1990-12-31", "--contact", _CONTACT, "--document", "passport"]
    words += ["--photo", str(portrait), "--camera", "gate", "--from=-10m", "--until", "now"]
    assert node.run(*words, who="ann").error["rule"] == "role"
    made = node.run(*words, who="pia").row
    asked = str(made["access"])
    assert (made["state"], made["overdue"], made["images"][0]["taken"]) == ("opened", False, True)
    assert node.run("access", "search", asked, who="pia").error["rule"] == "state"
    shown = node.run("access", "show", asked, who="ann").row
    assert (shown["name"], shown["contact"]) == (_NAME, _CONTACT)
    assert Path(shown["picture"]).read_bytes()
    assert node.run("access", "show", asked, who="olga").error["rule"] == "role"
    assert node.run("access", "approve", asked, "--yes", who="pia").error["rule"] == "role"
    for who, state in (("ann", "opened"), ("bert", "approved")):
        assert node.run("access", "approve", asked, "--hash", shown["content_hash"], who=who).row["state"] == state
    return asked


def found(node: RunningNode, asked: str) -> None:
    """Search, look at each finding, and say which show the person."""
    assert node.run("access", "list", who="pia").row["search"] is None
    assert f"{asked}: the search is done" in node.text("access", "search", asked, who="pia")
    assert node.run("access", "search", asked, who="pia").error["rule"] == "searched-once"
    rows = node.run("access", "findings", asked, who="pia").rows
    assert rows
    assert f"done, {len(rows)} found" in node.text("access", "list", who="pia")
    assert {(one["state"], one["camera"]) for one in rows} == {("open", "gate")}
    assert node.run("review", "list", who="olga").rows == [], "a finding is no alert"
    for number, one in enumerate(rows):
        words = [asked, one["finding"]]
        assert node.run("access", "confirm", *words, who="pia").error["rule"] == "look-first"
        picture = Path(node.run("access", "look", *words, who="pia").row["picture"])
        assert picture.read_bytes()
        if number:
            assert node.run("access", "confirm", *words, "--different", who="pia").row["state"] == "different"
        else:
            assert node.run("access", "confirm", *words, who="pia").row["kept_s"] > 0
        assert not picture.exists()
    assert list((node.folder / ACCESS / asked).rglob("*.habf"))


def answered(node: RunningNode, asked: str) -> None:
    """Answer what else they ask, and close it."""
    told = node.run("access", "listed", asked, "--from=-90d", "--until", "now", who="pia").row
    assert told["listings"] == []
    assert told["deferred"]
    assert "in 27 days" in node.text("access", "list", who="aud")
    assert node.run("status", who="pia").row["access_overdue"] == []
    assert "no terminal" in node.run("access", "close", asked, who="pia").error["message"]
    assert node.run("access", "close", asked, "--yes", who="pia").row["state"] == "closed"
    assert node.run("access", "show", asked, who="pia").error["rule"] == "state"
    assert node.run("access", "findings", asked, who="pia").error["rule"] == "state"
    assert [one["state"] for one in node.run("access", "list", who="aud").rows] == ["closed"]
    wait(node, lambda: not (node.folder / ACCESS / asked).exists())
    kinds = node.kinds("aud")
    order = ["opened", "approved", "search-began", "searched", "judged", "answered", "closed", "destroyed"]
    places = [kinds.index(f"access.{what}") for what in order]
    assert sorted(places) in (places, places[::-1])
