"""The page that plays: for this machine alone, under an address that nobody can guess, as long as it is used."""

import json
import re

import httpx
import pytest
from tests.workers import until

from habeas.cli.player import IDLE_NS, Player
from habeas.clock import ManualClock
from habeas.errors import KeyDestroyed

SEGMENTS = [
    {"camera": "gate", "segment": "a", "began": "2026-05-01T10:00:00Z", "skip_s": 1.5},
    {"camera": "</script>", "segment": "b", "began": "2026-05-01T10:01:00Z", "skip_s": 0},
]


def fetched(number: int) -> bytes:
    if number == 1:
        raise KeyDestroyed("this hold is over")
    return b"moov"


@pytest.mark.rule("T13")
def test_a_page_and_its_segments(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    with Player(SEGMENTS, fetched, clock) as player, httpx.Client(base_url=player.address) as client:
        page = client.get("")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        told = re.search(r"const segments = (.*);", page.text)
        assert told is not None
        assert [one["camera"] for one in json.loads(told[1])] == ["gate", "</script>"]
        assert page.text.count("</script>") == 1, "names of cameras end no script"
        nonce = re.search(r'<script nonce="([^"]+)"', page.text)
        assert nonce is not None
        assert f"script-src 'nonce-{nonce[1]}'" in page.headers["content-security-policy"]
        played = client.get("0")
        assert (played.content, played.headers["content-type"]) == (b"moov", "video/mp4")
        for answer in (page, played):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
        gone = client.get("1")
        assert (gone.status_code, gone.text) == (502, "this hold is over")
        assert "this hold is over" in capsys.readouterr().err
        assert [client.get(name).status_code for name in ("2", "-1", "x", "٣")] == [404] * 4


@pytest.mark.rule("T13")
def test_nobody_else_is_answered(clock: ManualClock) -> None:
    asked: list[int] = []

    def fetch(number: int) -> bytes:
        asked.append(number)
        return b"moov"

    with Player(SEGMENTS, fetch, clock) as player, httpx.Client() as client:
        assert client.get(f"{player.address}0").status_code == 404, "who has not opened the page"
        assert client.get(player.address).status_code == 200
        for path in ("", "0"):
            assert httpx.get(player.address + path).status_code == 404, "another browser, which came later"
        assert player.host.startswith("127.0.0.1:")
        guessed = [f"http://{player.host}/", f"http://{player.host}/0", f"{player.address[:-2]}x/0"]
        assert [client.get(url).status_code for url in guessed] == [404] * 3
        for host in ("evil.example", "localhost", f"evil.example:{player.host.rpartition(':')[2]}"):
            assert client.get(f"{player.address}0", headers={"host": host}).status_code == 404, "another name for it"
        assert client.post(f"{player.address}0").status_code == 501
        assert asked == []
        assert client.get(f"{player.address}0").status_code == 200, "the control"
        assert asked == [0]
        another = Player(SEGMENTS, fetch, clock)
        with another:
            assert another.address != player.address


def test_it_ends_when_nothing_was_asked_for_in_ten_minutes(clock: ManualClock) -> None:
    with Player(SEGMENTS, fetched, clock) as player:
        clock.advance(IDLE_NS - 1)
        assert not player.is_idle()
        httpx.get(player.address)
        clock.advance(IDLE_NS - 1)
        assert not player.is_idle()
        httpx.get(f"http://{player.host}/guessed/0")
        clock.advance(1)
        until(player.is_idle)
        player.play(browser=False)


def test_a_page_that_plays_a_long_film_keeps_it_alive(clock: ManualClock) -> None:
    with Player(SEGMENTS, fetched, clock) as player, httpx.Client(base_url=player.address) as client:
        page = client.get("")
        (asked,) = re.findall(r'setInterval\(.*video\.paused.*fetch\("(\w+)"\).*, (\d+)\);', page.text)
        assert "connect-src 'self'" in page.headers["content-security-policy"]
        assert int(asked[1]) * 1_000_000 < IDLE_NS
        clock.advance(IDLE_NS - 1)
        assert (client.get(asked[0]).status_code, client.get(asked[0]).content) == (200, b"")
        clock.advance(IDLE_NS - 1)
        assert not player.is_idle()
        assert httpx.get(player.address + asked[0]).status_code == 404, "another browser keeps nothing alive"
        clock.advance(1)
        until(player.is_idle)


def test_idle_time_counts_from_the_end_of_a_fetch(clock: ManualClock) -> None:
    idle_meanwhile: list[bool] = []

    def fetch(_number: int) -> bytes:
        clock.advance(2 * IDLE_NS)
        idle_meanwhile.append(player.is_idle())
        return b"moov"

    with Player(SEGMENTS, fetch, clock) as player, httpx.Client(base_url=player.address) as client:
        client.get("")
        assert client.get("0").content == b"moov"
        assert idle_meanwhile == [False]
        clock.advance(IDLE_NS - 1)
        assert not player.is_idle()
        clock.advance(1)
        assert player.is_idle()


@pytest.mark.rule("T13")
def test_a_browser_that_seeks_gets_ranges_of_what_is_fetched_once(clock: ManualClock) -> None:
    asked: list[int] = []

    def fetch(number: int) -> bytes:
        asked.append(number)
        return bytes(range(10))

    with Player(SEGMENTS, fetch, clock) as player, httpx.Client(base_url=player.address) as client:
        client.get("")
        for span, first, last in (("0-", 0, 9), ("3-5", 3, 5), ("8-99", 8, 9)):
            part = client.get("0", headers={"Range": f"bytes={span}"})
            assert (part.status_code, part.content) == (206, bytes(range(first, last + 1)))
            assert part.headers["content-range"] == f"bytes {first}-{last}/10"
        beyond = client.get("0", headers={"Range": "bytes=10-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
        assert asked == [0], "a browser that seeks goes on with what was fetched"
        for other in ("bytes=-3", "bytes=0-1,4-5", "lines=1-2", "bytes=5-2x"):
            assert client.get("0", headers={"Range": other}).status_code == 200, "of another form: all of it"
        assert asked == [0] * 5


@pytest.mark.rule("T13")
def test_whoever_plays_it_again_is_asked_again(clock: ManualClock) -> None:
    over: list[int] = []

    def fetch(_number: int) -> bytes:
        if over:
            raise KeyDestroyed("this hold is over")
        return bytes(range(10))

    with Player(SEGMENTS, fetch, clock) as player, httpx.Client(base_url=player.address) as client:
        client.get("")
        assert client.get("0", headers={"Range": "bytes=0-"}).status_code == 206
        over.append(1)
        for span in ("bytes=0-", "bytes=4-"):
            assert client.get("0", headers={"Range": span}).status_code == 502, "and what was fetched is forgotten"
