"""What was recorded plays in a real browser, on the page of `habeas footage play`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.browser import chromium
from tests.cameras import CLIP_RATE_HZ, RtspCamera, moving_pictures, write_video
from tests.workers import Heard, camera, supervisor, until

from habeas.cli.player import Player
from habeas.clock import SystemClock
from habeas.engine.relay import Relay
from habeas.settings import Settings
from habeas.video.parts import Part
from habeas.video.remux import remux_file

pytestmark = pytest.mark.timeout(200)
SECONDS = 6
SAY = """
    window.said = [];
    const say = ({type, target: video}) => window.said.push({
        type, at: video.currentTime, width: video.videoWidth, height: video.videoHeight,
        error: video.error && video.error.message, pictures: video.getVideoPlaybackQuality().totalVideoFrames,
        line: document.querySelector("p").textContent });
    for (const type of ["seeked", "ended"]) addEventListener(type, say, true);
    addEventListener("error", event => setTimeout(say, 0, event), true);  // once the page has said so
"""
"""What the page's video does, told as it happens."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def recorded(settings: Settings) -> list[Part]:
    """What a sealed worker records of a camera, which is killed in the middle."""
    heard = Heard()
    with RtspCamera() as street, Relay() as relay, supervisor(heard, relay, settings=settings) as workers:
        workers.record(camera("gate", street.url))
        until(lambda: len(heard.parts) > SECONDS, 60, workers.recordings)
        street.kill()
    return [part for _, _, part in heard.parts if part.segment == 0]


def played(browser: Browser, *segments: bytes, skip_s: float = 0.0) -> list[dict[str, Any]]:
    """Open the page, and return what its video says until the last segment is over, or one cannot be played."""
    listed = [{"camera": "gate", "began": f"segment {number}", "skip_s": skip_s} for number in range(len(segments))]
    over = f'said.filter(({{type}}) => type === "ended").length === {len(segments)}'
    with Player(listed, lambda number: segments[number], SystemClock()) as player, browser.new_page() as page:
        page.add_init_script(SAY)
        page.goto(player.address)
        page.wait_for_function(f'() => {over} || said.some(({{type}}) => type === "error")')
        return list(page.evaluate("said"))


def film(parts: Sequence[Part]) -> bytes:
    return b"".join(part.data for part in parts)


def lasts_s(parts: Sequence[Part]) -> float:
    return sum(part.lasts_ns for part in parts) / 1e9


def test_what_a_camera_sent_plays_from_its_first_picture_to_its_last(browser: Browser, recorded: list[Part]) -> None:
    said = played(browser, film(recorded))
    assert [one["error"] for one in said] == [None] * len(said)
    assert (said[-1]["width"], said[-1]["height"]) == recorded[0].size_wh
    assert said[-1]["at"] == pytest.approx(lasts_s(recorded), abs=0.1)
    assert said[-1]["pictures"] >= 0.8 * CLIP_RATE_HZ * said[-1]["at"]


@pytest.mark.parametrize("count", [2, 4])
def test_as_many_parts_play_as_were_written_before_a_kill(browser: Browser, recorded: list[Part], count: int) -> None:
    said = played(browser, film(recorded[:count]))
    assert (said[-1]["type"], said[-1]["error"]) == ("ended", None)
    assert said[-1]["at"] == pytest.approx(lasts_s(recorded[:count]), abs=0.1)


@pytest.mark.rule("T13")
def test_segments_follow_one_another_each_from_where_the_hold_begins(browser: Browser, recorded: list[Part]) -> None:
    data = film(recorded[:4])
    said = played(browser, data, data, skip_s=1.5)
    assert [one["type"] for one in said] == ["seeked", "ended"] * 2
    assert [one["at"] >= 1.5 for one in said] == [True] * 4
    assert (said[0]["line"], said[2]["line"]) == ("1 of 2: gate, segment 0", "2 of 2: gate, segment 1")


def test_what_is_no_film_is_said_on_the_page(browser: Browser, recorded: list[Part]) -> None:
    (said,) = played(browser, film(recorded)[:-1].replace(b"avc1", b"xxxx"))
    assert (said["type"], said["line"]) == ("error", "1 of 1: gate, segment 0 cannot be played here")


def test_h265_plays_or_the_page_says_that_this_browser_does_not(browser: Browser, tmp_path: Path) -> None:
    """Debian's Chromium decodes H.265 only where the hardware does; a picture without an error is never nothing."""
    options = {"x265-params": "log-level=none:bframes=0:keyint=25"}
    path = write_video(tmp_path / "a.mp4", moving_pictures(50), codec="libx265", codec_options=options)
    last = played(browser, film(list(remux_file(path))))[-1]
    if last["type"] == "ended":
        assert (last["at"], last["error"]) == (pytest.approx(2.0, abs=0.1), None)
    else:
        assert last["line"].endswith("cannot be played here")
