"""What the commands of exports say and refuse, against a node that answers as a test says."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from tests.cli.conftest import Habeas
from tests.unit.audit.parcels import FILM, NAME, packed
from tests.unit.audit.signers import LOG, OTHER_LOG

from habeas.cli import access, exports
from habeas.cli.client import Asked, Client
from habeas.cli.following import follow
from habeas.cli.times import parse_moment
from habeas.engine.redacting import Examination, Redacted
from habeas.engine.screening import Looking
from habeas.errors import InputError, UsageError
from habeas.keys import new_identity, seal
from habeas.types import NS_PER_S

BEGAN_NS = 1_777_622_403 * NS_PER_S + 250_400_000
"""2026-05-01 08:00:03.2504 UTC"""
BOX = "gate,2026-05-01T10:00:03Z,2026-05-01T10:00:09Z,400,120,480,220"
EXPORT = {
    "export": "exp-1",
    "state": "ready",
    "about": "hold-1",
    "cameras": ["gate"],
    "from": "2026-05-01T10:00:00Z",
    "until": "2026-05-01T10:20:00Z",
    "unredacted": False,
    "films": 1,
    "damaged": 0,
    "failure": None,
    "ends": "2026-05-21T10:00:00Z",
    "done_s": 0,
    "of_s": 60.0,
}


@dataclass
class Answering:
    """A node: answers of each method and path, one after the other; the last one again and again."""

    answers: Mapping[str, list[dict[str, Any]]]
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path.removeprefix('/api/v1/')}"
        if name == "GET healthz":
            return httpx.Response(200, json={"now_ns": BEGAN_NS})
        self.asked.append((name, json.loads(request.content) if request.content else None))
        left = self.answers[name]
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text("a-token")
    return path


Ask = Callable[..., Answering]


@pytest.fixture
def ask(token: Path) -> Ask:
    """Call what a command does, against a node that answers so."""

    def call(command: Any, answers: Mapping[str, list[dict[str, Any]]], *, as_json: bool = False, **how: Any) -> Any:
        node = Answering(answers)
        with httpx.Client(transport=httpx.MockTransport(node)) as http:
            client = Client(Asked(None, "", token, as_json=as_json), http, Path("node.sock"))
            getattr(command, "__wrapped__", command)(client, **how)
        return node

    return call


def report(**changes: Any) -> dict[str, Any]:
    """A report of a redaction, as the node tells it."""
    redacted = Redacted(25, 8, "ab" * 32, {"detected": 3, "by-hand": 1}, (2, 0), (7,), (), (), 0)
    examination = Examination(1, cast("Looking", None), 25, (64, 48), {}, (), 0, ())
    told = {**redacted.as_json(examination), "suspended": False}
    assert changes.keys() <= told.keys()
    return dict(json.loads(json.dumps({**told, **changes})))


def place(number: int = 0, **more: Any) -> dict[str, Any]:
    from_ns = BEGAN_NS + number * NS_PER_S
    return {"from_ns": from_ns, "until_ns": from_ns + 600_000, "box_xyxy_px": [1.0, 2.0, 30.0, 40.0], **more}


# --- showing ----------------------------------------------------------------------------------------------------------


def shown(ask: Ask, capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    told = {**EXPORT, "reports": {"gate-1.mp4": report(**changes)}}
    ask(exports.show, {"GET exports/exp-1": [told]}, export_id="exp-1")
    return capsys.readouterr().out


def test_what_was_spared_by_hand_is_shown_with_its_times(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(ask, capsys, by_hand=[place(spare=True), place(60, spare=False)])
    (line,) = [line for line in out.splitlines() if line.startswith("spared by hand")]
    _what, from_text, until_text, box = re.split(r"  +", line)
    assert parse_moment(from_text, 0) == BEGAN_NS - 400_000, "to the millisecond, as --box takes it"
    assert parse_moment(until_text, 0) == BEGAN_NS + 600_000, "and nothing is cut off"
    assert box == "1,2,30,40"


def test_what_a_person_had_better_know_of_a_film_is_shown(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    doubts = [place(number, what="long-gap", track_id=number) for number in range(30)]
    out = shown(ask, capsys, doubts=doubts, doubts_in_all=2100, seen_again=[3, 2], suspended=True, flaws=3)
    assert out.count("long-gap, track") == 20
    assert "and 2080 more: --json" in out
    assert "2 faces are seen uncovered in it still" in out
    assert "nobody is spared but by hand" in out
    assert "3 flaws in the footage" in out


def test_what_could_not_be_read_is_told(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    told = {**EXPORT, "damaged": 3}
    ask(exports.show, {"GET exports/exp-1": [told]}, export_id="exp-1")
    ask(exports.redact, {"POST exports": [told]}, about="hold-1")
    assert capsys.readouterr().out.count("3 segments of the footage could not be read") == 2


def test_what_there_is_nothing_of_is_not_shown(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(ask, capsys)
    assert "25 pictures, 4 shapes, 1 tracks spared, 0 to look at" in out
    for word in ("more: --json", "uncovered", "by hand", "flaw", "could not be read"):
        assert word not in out


def test_a_whole_film_is_shown_with_the_hash_of_its_document(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    told = {**EXPORT, "unredacted": True, "decision": "ab" * 32, "content_hash": "cd" * 32, "reports": {}}
    ask(exports.show, {"GET exports/exp-1": [told]}, export_id="exp-1")
    out = capsys.readouterr().out
    assert "ab" * 32 in out
    assert "cd" * 32 in out


# --- making -----------------------------------------------------------------------------------------------------------


def test_a_redaction_that_failed_is_an_error(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    failed = {**EXPORT, "state": "failed", "failure": "it cannot be read"}
    with pytest.raises(InputError, match="exp-1 could not be made: it cannot be read") as error:
        ask(exports.redact, {"POST exports": [failed]}, about="hold-1")
    assert "habeas footage show hold-1" in error.value.remedy
    with pytest.raises(InputError) as error:
        ask(exports.redact, {"POST exports": [{**failed, "about": "acr-1"}]}, about="acr-1")
    assert "habeas access findings acr-1" in error.value.remedy
    ask(exports.show, {"GET exports/exp-1": [failed]}, export_id="exp-1")
    assert "it cannot be read" in capsys.readouterr().out


def test_nobody_is_told_to_look_at_what_is_not_made(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    ask(exports.redact, {"POST exports": [{**EXPORT, "state": "redacting", "films": 0}]}, about="hold-1", wait=False)
    assert "look at it" not in capsys.readouterr().out
    ask(exports.redact, {"POST exports": [EXPORT]}, about="hold-1")
    assert "look at it: habeas footage play exp-1" in capsys.readouterr().out


def test_an_export_that_is_made_gets_boxes_and_nothing_else(ask: Ask, tmp_path: Path) -> None:
    answers = {"POST exports/exp-1/boxes": [EXPORT]}
    node = ask(exports.redact, answers, about="exp-1", box=[BOX])
    ((_name, body),) = node.asked
    assert [one["spare"] for one in body["boxes"]] == [False]
    for more in (
        {"camera": ["gate"]},
        {"from_text": "-1h"},
        {"until": "now"},
        {"decision": tmp_path},
    ):
        with pytest.raises(UsageError, match="gets boxes"):
            ask(exports.redact, answers, about="exp-1", box=[BOX], **more)


def test_fetching_names_no_recipient(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for whom it was approved"):
        ask(exports.export, {}, export_id="exp-1", to="age1x", out=tmp_path / "x.age")
    assert not (tmp_path / "x.age").exists()


# --- opening ----------------------------------------------------------------------------------------------------------


def open_words(tmp_path: Path) -> list[str | Path]:
    """The words that open a parcel of one film, encrypted to a key of this recipient."""
    me = new_identity()
    (tmp_path / "key.txt").write_text(me.secret)
    (tmp_path / "footage.age").write_bytes(seal(me.recipient, packed()))
    words = ["footage", "open", tmp_path / "footage.age", "--identity", tmp_path / "key.txt"]
    return [*words, "--out", tmp_path / "films"]


@pytest.mark.rule("E9")
def test_only_with_a_key_of_the_log_it_is_said_to_hold(habeas: Habeas, tmp_path: Path) -> None:
    words = open_words(tmp_path)
    unproven = habeas(*words)
    assert unproven.status == 0
    assert "not proven: 1 films" in unproven.out
    assert "holds" not in unproven.out
    assert "an entry that came with them says that two approved them" in unproven.err
    assert not habeas(*words, "--json").events[0]["proven"]
    key = f"--key={LOG.verifier.encode()}"
    proven = habeas(*words, key)
    assert "holds: 1 films" in proven.out
    assert "1 segments of the footage could not be read" in proven.out
    assert "not proven" not in proven.out + proven.err
    assert habeas(*words, key, "--json").events[0]["proven"]
    assert (tmp_path / "films" / NAME).read_bytes() == FILM
    assert habeas(*words, f"--key={OTHER_LOG.verifier.encode()}").status == 7


def test_films_are_put_into_a_folder_that_can_be_made(habeas: Habeas, tmp_path: Path) -> None:
    *words, _out = open_words(tmp_path)
    (tmp_path / "file").touch()
    assert habeas(*words, tmp_path / "file").status == 6


def test_what_was_fetched_before_is_not_written_over(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "footage.age").write_bytes(b"of another export")
    with pytest.raises(UsageError, match="there already"):
        ask(exports.export, {}, export_id="exp-1", out=tmp_path / "footage.age")
    assert (tmp_path / "footage.age").read_bytes() == b"of another export"


# --- waiting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_json", "asked", "waits"),
    [(False, None, True), (True, None, False), (True, True, True), (False, False, False)],
)
def test_a_person_waits_and_a_program_does_not_unless_they_say_so(
    ask: Ask, as_json: bool, asked: bool | None, waits: bool
) -> None:
    slept: list[float] = []
    runs = {"state": "running", "done_s": 3, "of_s": 5.0}
    answers = {"GET a/search": [runs, {**runs, "done_s": 9}, {**runs, "state": "done"}]}
    came: list[Any] = []

    def command(client: Client) -> None:
        how: Any = {"while_state": "running", "what": "searching", "asked": asked, "sleep": slept.append}
        came.append(follow(client, runs, "a", "search", **how))

    node = ask(command, answers, as_json=as_json)
    assert came[0]["state"] == ("done" if waits else "running")
    assert len(node.asked) == len(slept) == (3 if waits else 0)


def test_ctrl_c_ends_the_waiting_and_tells_what_is_known(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    def command(client: Client) -> None:
        told = follow(client, EXPORT, "x", while_state="ready", what="", asked=True, sleep=interrupted)
        assert told == EXPORT

    assert ask(command, {}).asked == []
    assert "it goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("left_s", "text"),
    [
        (28 * 86_400 - 1, "in 27 days"),
        (86_400, "in 1 day"),
        (86_399, "in less than a day"),
        (-1, "OVERDUE by less than a day"),
        (-3 * 86_400, "OVERDUE by 3 days"),
        (None, "-"),
    ],
)
def test_nobody_is_told_of_more_time_than_there_is(left_s: float | None, text: str) -> None:
    assert access._left({"left_s": left_s, "overdue": left_s is not None and left_s < 0}) == text
