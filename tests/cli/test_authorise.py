"""Requests through a running node, from draft to end, by distinct people, with real images."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.cli.nodes import RunningNode

from habeas.cli.binding import confirmed_hash
from habeas.cli.subjects import subjects_body
from habeas.cli.times import show_told
from habeas.errors import EnrolmentRefused, HabeasError, InputError, RuleError, UsageError

BORN = "1990-12-31"


def draft(node: RunningNode, camera: str, image: Path, *more: str | Path, **options: Any) -> Any:
    words: list[str | Path] = ["authorise", "new", "--purpose", options.get("purpose", "missing-person")]
    words += ["--authority", "District court", "--reference", "R-17", "--from", "now", "--until", "+8h"]
    words += ["--camera", camera, "--subject", f"Ada={image}", "--born", f"Ada={BORN}", *more]
    return node.run(*words, who=options.get("who", "rita"))


@pytest.fixture(scope="module")
def camera(node: RunningNode) -> str:
    return node.camera("asked")


def test_two_distinct_approvers_make_it_active(node: RunningNode, camera: str, astronaut: Path, tmp_path: Path) -> None:
    made = draft(node, camera, astronaut).row
    assert made["state"] == "draft"
    assert made["consent_code"] is None
    assert [(one["image"], one["taken"]) for one in made["images"]] == [("astronaut.png", True)]
    asked = made["id"]
    assert node.run("authorise", "submit", asked, who="rita").row["state"] == "submitted"
    shown = node.run("authorise", "show", asked, who="ann").row
    assert [(one["name"], one["born"]) for one in shown["people"]] == [("Ada", BORN)]
    saved = node.run("authorise", "show", asked, "--save-images", tmp_path / "faces", who="ann").row["saved"]
    assert Path(saved[0]).read_bytes() == astronaut.read_bytes()
    assert stat.S_IMODE(Path(saved[0]).stat().st_mode) == 0o600
    words = ["authorise", "approve", asked, "--hash", shown["content_hash"][:12]]
    own = node.run(*words, who="rita")
    assert (own.status, own.error["rule"]) == (3, "role")
    assert node.run(*words, who="ann").row["state"] == "submitted"
    twice = node.run(*words, who="ann")
    assert (twice.status, twice.error["rule"]) == (3, "two-persons")
    done = node.run(*words, who="bert").row
    assert (done["state"], done["confirmed"]) == ("active", True)
    assert asked in node.text("authorise", "list", who="pia")
    renewed = node.run("authorise", "renew", asked, "--until", "+20h", who="rita").row
    assert renewed["from"] == done["until"]
    assert node.run("authorise", "revoke", asked, "--why", "found", who="rita").row["state"] == "revoked"
    assert asked not in {row["id"] for row in node.run("authorise", "list", who="pia").rows}
    assert asked in {row["id"] for row in node.run("authorise", "list", "--ended", who="pia").rows}
    assert asked in node.text("authorise", "notices", who="rita")
    assert node.run("authorise", "notified", asked, who="rita").row["notice_due"] is None
    late = node.run("authorise", "defer", asked, "--days", "30", "--why", "the case is open", who="ann")
    assert (late.status, late.error["rule"]) == (3, "state")


def test_what_people_read_before_they_approve(node: RunningNode, camera: str, astronaut: Path) -> None:
    asked = draft(node, camera, astronaut).row["id"]
    node.run("authorise", "submit", asked, who="rita")
    text = node.text("authorise", "show", asked, who="ann")
    for part in ("Ada", BORN, camera, "8 h", "missing-person", "District court", "look-alikes", "hash of exactly this"):
        assert part in text
    assert "Ada" not in node.text("authorise", "show", asked, who="pia")
    assert "District court" not in node.text("authorise", "show", asked, who="adam")
    assert node.run("authorise", "approve", asked, who="ann").error["kind"] == "usage", "no terminal, no hash"
    assert "1 images; to see them: habeas authorise show" in text
    report = node.run("authorise", "show", asked, who="ann").row["people"][0]["references"][0]["report"]
    assert re.search(rf"{report['score']:.2f} +{report['eyes_px']:.0f} px", text)
    other = node.run("authorise", "approve", asked, "--hash", "0" * 12, who="ann")
    assert (other.status, other.error["rule"]) == (3, "content-changed")
    assert node.run("authorise", "refuse", asked, "--why", "no reason", who="ann").row["state"] == "refused"


def test_yes_needs_no_terminal_and_approves_what_is_printed(
    node: RunningNode, camera: str, astronaut: Path, tmp_path: Path
) -> None:
    asked = draft(node, camera, astronaut).row["id"]
    node.run("authorise", "submit", asked, who="rita")
    shown = node.run("authorise", "show", asked, who="ann").row
    text = node.text("authorise", "approve", asked, "--yes", who="ann")
    for part in ("Ada", camera, "R-17", f"approved exactly this: {shown['content_hash']}"):
        assert part in text
    done = node.run("authorise", "approve", asked, "--yes", who="bert").row
    assert (done["state"], done["approved"]["content_hash"]) == ("active", shown["content_hash"])
    again = node.run("authorise", "approve", asked, "--yes", who="rita")
    assert (again.status, again.error["rule"]) == (3, "role"), "whoever may not approve may not so either"
    saved = node.text("authorise", "show", asked, "--save-images", tmp_path / "faces", who="ann")
    assert (
        f"What you saved is yours to destroy, at once when the authorisation ends, and by {show_told(done['ends'])}"
        in saved
    )
    node.run("authorise", "revoke", asked, "--why", "found", who="rita")


def test_what_has_ended_is_counted_and_shown_where_asked(node: RunningNode, camera: str, astronaut: Path) -> None:
    gone, here = (draft(node, camera, astronaut).row["id"] for _ in range(2))
    node.run("authorise", "submit", gone, who="rita")
    assert node.run("authorise", "refuse", gone, "--why", "no reason", who="ann").row["state"] == "refused"
    ended = len(node.run("authorise", "list", "--ended", who="pia").rows)
    shown = node.text("authorise", "list", who="pia")
    assert (gone in shown, here in shown) == (False, True)
    assert f"{ended} that have ended are not shown: --all" in shown
    both = node.text("authorise", "list", "--all", who="pia")
    assert (gone in both, here in both, "not shown" in both) == (True, True, False)
    assert "that are open are not shown" in node.text("authorise", "list", "--ended", who="pia")
    assert node.run("authorise", "list", "--ended", "--all", who="pia").error["kind"] == "usage"


def test_an_amended_request_is_other_content(node: RunningNode, camera: str, astronaut: Path) -> None:
    asked = draft(node, camera, astronaut).row["id"]
    node.run("authorise", "submit", asked, who="rita")
    before = node.run("authorise", "show", asked, who="ann").row["content_hash"]
    amended = node.run("authorise", "amend", asked, "--until", "+4h", who="rita").row
    assert amended["cameras"] == [camera]
    assert node.run("authorise", "approve", asked, "--hash", before, who="ann").error["rule"] == "content-changed"
    moved = node.run("authorise", "amend", asked, "--camera", node.camera("other"), who="rita").row
    assert (moved["cameras"], moved["until"]) == (["other"], amended["until"])
    assert node.run("authorise", "amend", asked, who="rita").error["kind"] == "usage"


def test_a_consent_ends_with_its_code_and_no_account(node: RunningNode, camera: str, astronaut: Path) -> None:
    made = draft(node, camera, astronaut, purpose="consent").row
    assert re.fullmatch(r"([2-9A-Z]{5}-){3}[2-9A-Z]{5}", made["consent_code"])
    node.run("authorise", "submit", made["id"], who="rita")
    shown = node.run("authorise", "show", made["id"], who="ann")
    assert made["consent_code"] not in shown.out, "shown once"
    words = ["authorise", "approve", made["id"], "--hash", shown.row["content_hash"]]
    assert node.run(*words, who="ann").row["state"] == "active", "one approver is enough"
    assert node.run("authorise", "end", "--code", "AAAAA-AAAAA-AAAAA-AAAAA").error["rule"] == "consent-code"
    assert node.run("authorise", "end", "--code", made["consent_code"].lower()).row == {"ended": made["id"]}


def test_refused_images_are_listed_each(node: RunningNode, camera: str, astronaut: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no image")
    refused = draft(node, camera, astronaut, "--subject", f"Bob={junk}", "--born", f"Bob={BORN}")
    assert (refused.status, refused.error["kind"]) == (4, EnrolmentRefused.kind)
    assert [(one["image"], one["taken"]) for one in refused.error["images"]] == [
        ("astronaut.png", True),
        ("junk.png", False),
    ]
    words = ["--subject", f"Bob={astronaut},{junk}", "--born", f"Bob={BORN}", "--skip-refused"]
    both = node.run(*_new(camera), *words, who="rita", json_too=False)
    assert both.status == 0, both.err
    assert "junk.png" in both.out
    assert "drafted: aut-" in both.out


def _new(camera: str) -> list[str]:
    words = ["authorise", "new", "--purpose", "missing-person", "--authority", "Court", "--reference", "R-18"]
    return [*words, "--from", "now", "--until", "+2h", "--camera", camera]


def test_people_come_from_a_file_too(node: RunningNode, camera: str, astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(astronaut.read_bytes())
    file = tmp_path / "people.csv"
    file.write_text('name,born,images\n"Lovelace, Ada",1990-12-31,one.png\n', encoding="utf-8")
    made = node.run(*_new(camera), "--subjects", file, who="rita").row
    shown = node.run("authorise", "show", made["id"], who="rita").row
    assert [one["name"] for one in shown["people"]] == ["Lovelace, Ada"]


def test_a_minor_is_a_rule(node: RunningNode, camera: str, astronaut: Path) -> None:
    words = ["--subject", f"Kid={astronaut}", "--born", "Kid=2015-01-01"]
    said = node.run(*_new(camera), *words, who="rita")
    assert (said.status, said.error["rule"]) == (3, "minor")


def test_names_that_steer_a_terminal_are_refused(node: RunningNode, camera: str, astronaut: Path) -> None:
    words = ["--subject", f"\x1b[31mEve\u202e={astronaut}", "--born", f"\x1b[31mEve\u202e={BORN}"]
    assert node.run(*_new(camera), *words, who="rita").status != 0


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--from", "now", "--until", "-2h"], "usage"),
        (["--from", "yesterday", "--until", "+2h"], "usage"),
        (["--from", "now", "--until", "+800h"], "rule"),
        (["--from", "-3d", "--until", "+2h"], "input"),
    ],
)
def test_windows_that_cannot_be(node: RunningNode, camera: str, astronaut: Path, words: list[str], kind: str) -> None:
    rest = ["--camera", camera, "--subject", f"Ada={astronaut}", "--born", f"Ada={BORN}"]
    start = ["authorise", "new", "--purpose", "missing-person", "--authority", "Court", "--reference", "R-18"]
    assert node.run(*start, *words, *rest, who="rita").error["kind"] == kind


def test_there_is_no_everywhere(node: RunningNode) -> None:
    words = ["authorise", "new", "--purpose", "consent", "--authority", "x", "--reference", "y"]
    said = node.run(*words, "--from", "now", "--until", "+1h", who="rita")
    assert (said.status, said.error["kind"]) == (2, "usage")


@pytest.mark.parametrize(
    ("subject", "born", "csv"),
    [
        ([], [], None),
        (["ada=a.png"], [], None),
        ([], ["ada=1990-01-01"], None),
        (["ada=a.png"], ["bob=1990-01-01"], None),
        (["ada=a.png"], ["ada"], None),
        (["ada=none.png"], ["ada=1990-01-01"], None),
        ([], [], b"name,born\n"),
        ([], [], b"ada,1990-01-01,\n"),
        ([], [], b"\xff\xfe"),
        ([], [], b'"ada'),
        ([], [], b""),
    ],
)
def test_people_that_cannot_be_read(tmp_path: Path, subject: list[str], born: list[str], csv: bytes | None) -> None:
    file = None
    if csv is not None:
        file = tmp_path / "people.csv"
        file.write_bytes(csv)
    with pytest.raises(HabeasError) as caught:
        subjects_body(subject, born, file)
    assert isinstance(caught.value, InputError | UsageError)


def test_a_hash_is_resolved_against_what_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "1f2e3d4c5b6a" + "0" * 52
    assert confirmed_hash(shown, "1F2E3D4C5B6A", yes=False) == shown
    assert confirmed_hash(shown, shown, yes=False) == shown
    for given in ("1f2e3d4c5b6", "zz" * 6, shown + "0"):
        with pytest.raises(UsageError):
            confirmed_hash(shown, given, yes=True)
    with pytest.raises(UsageError, match="no terminal"):
        confirmed_hash(shown, "", yes=False)
    assert confirmed_hash(shown, "", yes=True) == shown, "of what was just printed"
    with pytest.raises(RuleError, match="not what you were shown"):
        confirmed_hash(shown, "2f2e3d4c5b6a", yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert confirmed_hash(shown, "", yes=True) == shown
