"""Recording by a real, sealed worker, of a real RTSP camera: parts that play, and nothing of anybody looked for."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from tests.cameras import RtspCamera
from tests.workers import Heard, camera, film, supervisor, until

from habeas.engine.messages import PartMade
from habeas.engine.orders import CameraState, Timing, WorkerChange
from habeas.engine.relay import Relay
from habeas.engine.supervisor import Supervisor
from habeas.errors import InputError
from habeas.settings import Settings
from habeas.types import NS_PER_S

pytestmark = pytest.mark.timeout(200)
PATIENT = Timing(start_s=60, silence_s=30, message_s=10, farewell_s=3, backoff_s=0.1, backoff_max_s=0.3)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def workers(heard: Heard, settings: Settings) -> Iterator[Supervisor]:
    with Relay() as relay, supervisor(heard, relay, settings=settings, timing=PATIENT) as made:
        yield made


@pytest.fixture
def street() -> Iterator[RtspCamera]:
    with RtspCamera() as made:
        yield made


def pictures(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_what_a_camera_sends_arrives_in_parts_that_play(heard: Heard, workers: Supervisor, street: RtspCamera) -> None:
    assert len(workers.workers()) == 1, "no worker records where nothing is recorded"
    workers.record(camera("gate", street.url))
    assert workers.recorded() == {"gate"}
    assert workers.running() == frozenset(), "nobody is looked for on it"
    until(lambda: len(heard.parts) >= 5, 60, workers.recordings)
    assert workers.recordings()["gate"].state is CameraState.RUNNING
    (started,) = [news for news in heard.of(WorkerChange.STARTED) if news.worker == 1]
    assert started.model_id == "none"
    assert started.posture is not None
    assert started.posture.complete, started.posture
    assert {(name, part.segment) for name, _, part in heard.parts} == {("gate", 0)}
    parts = [part for _, _, part in heard.parts]
    assert [part.index for part in parts] == list(range(len(parts)))
    assert pictures(b"".join(part.data for part in parts)) >= 50
    assert all(part.lasts_ns <= 1.2 * NS_PER_S for part in parts)
    assert heard.probes == heard.ends == heard.counters == []
    workers.stop_recording("gate")
    assert workers.recorded() == frozenset()
    with pytest.raises(InputError, match="not recorded"):
        workers.stop_recording("gate")


def test_an_outage_begins_another_segment(heard: Heard, workers: Supervisor, street: RtspCamera) -> None:
    workers.record(camera("gate", street.url))
    until(lambda: len(heard.parts) >= 3, 60, workers.recordings)
    street.kill()
    until(lambda: bool(heard.flaws), 60, workers.recordings)
    street.start()
    until(lambda: any(part.segment == 1 and part.index >= 2 for _, _, part in heard.parts), 60, workers.recordings)
    for segment in (0, 1):
        data = [part.data for _, _, part in heard.parts if part.segment == segment]
        assert pictures(b"".join(data)) > 0


def test_a_killed_worker_records_again_as_another_epoch(heard: Heard, workers: Supervisor, street: RtspCamera) -> None:
    workers.record(camera("gate", street.url))
    until(lambda: len(heard.parts) >= 2, 60, workers.recordings)
    (slot,) = workers._recorders
    slot.kill()
    until(lambda: len({epoch for _, epoch, _ in heard.parts}) == 2, 60, workers.recordings)
    assert heard.parts[-1][2].segment == 0


def test_a_file_is_not_recorded_and_no_camera_twice(workers: Supervisor, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="cannot be recorded"):
        workers.record(film("a", path))
    workers.record(camera("gate"))
    with pytest.raises(InputError, match="cannot be recorded"):
        workers.record(camera("gate"))


@pytest.mark.parametrize("data", [b"", b"x" * (4 << 20) + b"y"])
def test_a_part_has_content_and_a_limit(data: bytes) -> None:
    made = PartMade(
        camera_id="gate", epoch=1, segment=0, index=0, captured_at_ns=0, lasts_ns=0, codec="h264", size_wh=(2, 2)
    )
    with pytest.raises(InputError, match="empty or too large"):
        made.with_payload(data)
    assert "payload" not in repr(made.with_payload(b"x"))
