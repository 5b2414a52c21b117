"""Recording by a real, sealed worker, of a real RTSP camera: parts that play, and nothing of anybody looked for."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from tests.cameras import RtspCamera, moving_pictures, write_video
from tests.workers import Heard, camera, film, supervisor, until

from habeas.engine.messages import PartMade
from habeas.engine.orders import CameraOrder, CameraState, Timing, WorkerChange
from habeas.engine.relay import Relay
from habeas.engine.supervisor import Supervisor
from habeas.errors import InputError
from habeas.settings import Settings
from habeas.types import NS_PER_S, U8
from habeas.video.masks import Mask
from habeas.video.remux import nal_units

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


# --- encoded anew -----------------------------------------------------------------------------------------------------

LEFT = Mask(0.0, 0.0, 0.5, 0.75)


def masked_camera(url: str, camera_id: str = "gate") -> CameraOrder:
    return replace(camera(camera_id, url), masks=(LEFT,))


def shown(heard: Heard, camera_id: str = "gate", epoch: int | None = None, segment: int = 0) -> list[U8]:
    """Return the brightness under the mask, of each picture of a segment."""
    parts = [
        part.data
        for name, number, part in list(heard.parts)
        if name == camera_id and epoch in (None, number) and part.segment == segment
    ]
    with av.open(io.BytesIO(b"".join(parts))) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return [np.asarray(frame[: int(frame.shape[0] * 0.7), : int(frame.shape[1] * 0.45)], np.uint8) for frame in frames]


def solid(pictures: list[U8]) -> bool:
    return bool(pictures) and all(picture.max() - picture.min() <= 4 for picture in pictures)


@pytest.mark.rule("T14")
def test_a_sealed_worker_encodes_anew_and_no_picture_shows_what_is_under_a_mask(
    heard: Heard, workers: Supervisor, street: RtspCamera
) -> None:
    workers.record(masked_camera(street.url), reencode=True)
    workers.record(masked_camera(street.url, "plain"))
    assert len(workers.workers()) == 3, "what is recorded as it comes has a worker of its own"
    for name in ("gate", "plain"):
        until(lambda name=name: sum(one[0] == name for one in heard.parts) >= 5, 60, workers.recordings)  # type: ignore[misc]
    report = workers.recordings()["gate"]
    assert report.state is CameraState.RUNNING
    assert report.counters is not None
    assert report.counters.decoded >= 50
    assert all(news.posture is not None and news.posture.complete for news in heard.of(WorkerChange.STARTED))
    parts = [part for name, _, part in heard.parts if name == "gate"]
    assert {(part.segment, part.codec, part.size_wh, part.lost) for part in parts} == {(0, "h264", (160, 120), "")}
    assert [part.index for part in parts] == list(range(len(parts)))
    assert len(shown(heard)) >= 50
    assert solid(shown(heard))
    assert not solid(shown(heard, "plain")), "the control: as it comes, masks do not apply"
    assert heard.probes == heard.ends == heard.counters == heard.flaws == []


@pytest.mark.rule("T14")
def test_an_outage_of_what_is_encoded_anew_ends_its_segment_at_once(
    heard: Heard, workers: Supervisor, street: RtspCamera
) -> None:
    workers.record(masked_camera(street.url), reencode=True)
    until(lambda: len(heard.parts) >= 3, 60, workers.recordings)
    street.kill()
    until(lambda: bool(heard.flaws), 60, workers.recordings)
    ended = sum(part.lasts_ns for _, _, part in heard.parts)
    assert len(shown(heard)) * NS_PER_S / 25 == pytest.approx(ended, abs=NS_PER_S / 10)
    street.start()
    until(lambda: any(part.segment == 1 and part.index >= 2 for _, _, part in heard.parts), 60, workers.recordings)
    assert solid(shown(heard, segment=0))
    assert solid(shown(heard, segment=1))


@pytest.mark.rule("T14")
def test_a_worker_killed_while_it_encodes_leaves_parts_that_play_and_begins_anew(
    heard: Heard, workers: Supervisor, street: RtspCamera
) -> None:
    workers.record(masked_camera(street.url), reencode=True)
    until(lambda: len(heard.parts) >= 3, 60, workers.recordings)
    (slot,) = workers._recorders
    slot.kill()
    until(lambda: len({epoch for _, epoch, _ in heard.parts}) == 2, 60, workers.recordings)
    first, second = sorted({epoch for _, epoch, _ in heard.parts})
    until(lambda: sum(epoch == second for _, epoch, _ in heard.parts) >= 3, 60, workers.recordings)
    assert len(shown(heard, epoch=first)) >= 45
    assert solid(shown(heard, epoch=first))
    assert solid(shown(heard, epoch=second))
    workers.stop_recording("gate")
    until(lambda: not workers.recordings(), 30, workers.recordings)


@pytest.mark.rule("T14")
def test_a_stream_that_cannot_be_decoded_is_told_and_nothing_of_it_comes(
    heard: Heard, workers: Supervisor, tmp_path: Path
) -> None:
    """Its key pictures are damaged: as it comes it would be recorded."""
    clip = write_video(tmp_path / "a.mp4", moving_pictures(100), codec_options={"bf": "0", "g": "100"})
    with RtspCamera(without_pictures(clip, tmp_path / "b.mp4")) as damaged:
        workers.record(masked_camera(damaged.url), reencode=True)
        workers.record(masked_camera(damaged.url, "plain"))
        until(lambda: sum(name == "plain" for name, _, _ in heard.parts) >= 3, 60, workers.recordings)
        until(lambda: any("cannot be decoded" in flaw.what for flaw in heard.flaws), 60, lambda: heard.flaws)
    assert {name for name, _, _ in heard.parts} == {"plain"}
    counters = workers.recordings()["gate"].counters
    assert counters is None or counters.decoded == 0


@pytest.mark.rule("T14")
def test_a_camera_of_whose_codec_damage_is_not_found_is_told_and_nothing_of_it_comes(
    heard: Heard, workers: Supervisor, tmp_path: Path
) -> None:
    options = {"x265-params": "log-level=none:bframes=0:keyint=25"}
    clip = write_video(tmp_path / "a.mp4", moving_pictures(100), codec="libx265", codec_options=options)
    with RtspCamera(clip) as other:
        workers.record(masked_camera(other.url), reencode=True)
        workers.record(masked_camera(other.url, "plain"))
        until(lambda: sum(name == "plain" for name, _, _ in heard.parts) >= 3, 60, workers.recordings)
        until(lambda: any("set the camera to H.264" in flaw.what for flaw in heard.flaws), 60, lambda: heard.flaws)
    assert {name for name, _, _ in heard.parts} == {"plain"}


def without_pictures(clip: Path, target: Path) -> Path:
    """Write a clip anew whose key pictures say that they are such, and hold rubbish."""
    with av.open(str(clip)) as source, av.open(str(target), "w", format="mp4") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            if packet.is_keyframe:
                units = [unit[:1] + b"\xff" * (len(unit) - 1) for unit in nal_units(bytes(packet), lengths=True)]
                harmed = av.Packet(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))
                harmed.pts, harmed.dts, harmed.time_base = packet.pts, packet.dts, packet.time_base
                harmed.is_keyframe = True
                packet = harmed  # noqa: PLW2901 - the rest is as it was
            packet.stream = stream
            container.mux(packet)
    return target


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
