"""Measuring a file in a real sealed worker without models; and workers that misbehave."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cameras import moving_pictures, write_video
from tests.workers import QUICK

from habeas.engine.measurement import Measurement
from habeas.errors import HabeasError, SourceError
from habeas.settings import ModelSettings
from habeas.types import NS_PER_S

LATER = r"""
import os, socket, sys
from habeas.engine.channel import Channel
from habeas.engine.film_messages import *
from habeas.engine.messages import *
from habeas.engine.vocabulary import TO_WORKER
from habeas.engine.sandbox import Posture
channel = Channel(socket.socket(fileno=int(sys.argv[1])), TO_WORKER)
channel.receive()
guards = dict.fromkeys(Posture.__dataclass_fields__, "unavailable: a fake")
channel.send(Hello(pid=os.getpid(), model_id="none", guards=guards, ports=()))
channel.receive()
"""
HOSTILE = {
    "dies": "os._exit(3)",
    "is killed": "os.kill(os.getpid(), 9)",
    "says something else": "channel.send(Heartbeat())",
    "answers another": "channel.send(FilmMeasured(request_id=7, lasts_ns=9, flaw=''))",
    "says nothing": "channel.send(FilmMeasured(request_id=1, lasts_ns=0, flaw=''))",
    "says a face": "channel.send(FilmMeasured(request_id=1, lasts_ns=9, flaw='words of its own'))",
    "sends garbage": "os.write(int(sys.argv[1]), os.urandom(4096)); channel.receive()",
}


@pytest.fixture
def measurement(tmp_path: Path) -> Iterator[Measurement]:
    made = Measurement(ModelSettings(folder=tmp_path))
    yield made
    made.close()


def measured(measurement: Measurement, path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return measurement.measure(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.rule("D1")
@pytest.mark.rule("D8")
def test_a_sealed_worker_says_how_long_a_file_is_and_another_follows_a_broken_one(
    measurement: Measurement, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", moving_pictures(50), rate_hz=25)
    assert 2 <= measured(measurement, path) / NS_PER_S <= 3
    for name, content in (("text", b"no video" * 99), ("cut", path.read_bytes()[:-900]), ("zeros", bytes(9999))):
        broken = tmp_path / name
        broken.write_bytes(content)
        with pytest.raises(SourceError, match="cannot be read as video"):
            measured(measurement, broken)
    assert measured(measurement, path)


@pytest.mark.rule("D8")
@pytest.mark.parametrize("how", HOSTILE)
def test_a_worker_that_misbehaves_is_the_files_fault_and_none_of_its_words_come_out(tmp_path: Path, how: str) -> None:
    program = (sys.executable, "-I", "-c", LATER + HOSTILE[how])
    path = write_video(tmp_path / "a.mp4", moving_pictures(5))
    with pytest.raises(SourceError) as refused:
        measured(Measurement(ModelSettings(folder=tmp_path), QUICK, program), path)
    assert "words" not in refused.value.message


def test_a_measurement_that_was_closed_starts_none(measurement: Measurement, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_pictures(5))
    measurement.close()
    with pytest.raises(HabeasError):
        measured(measurement, path)
