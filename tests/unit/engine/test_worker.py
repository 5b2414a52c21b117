"""The real worker, sealed, with the real networks; the node's end of its socket is held by the test or a supervisor."""

import dataclasses
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.workers import Heard, camera, film, supervisor, until

from habeas.app import App
from habeas.authority.canary import load_reference
from habeas.authority.references import Reference
from habeas.clock import ManualClock
from habeas.engine.cameras import FileCamera, LiveCamera, source_name
from habeas.engine.channel import Channel
from habeas.engine.messages import (
    MAX_CROP_PX,
    CameraEnded,
    CameraFlaw,
    Failed,
    Heartbeat,
    Hello,
    Message,
    StartCamera,
    StopCamera,
)
from habeas.engine.orders import CameraState, Timing, WorkerChange
from habeas.engine.relay import Relay
from habeas.engine.sandbox import APPLIED
from habeas.engine.spawning import clean_environment, configure_for, spawn
from habeas.engine.supervisor import Supervisor
from habeas.engine.telling import _small
from habeas.errors import HabeasError, ImageError, InputError, SourceError
from habeas.measure.dataset import Maker, central_face
from habeas.measure.heads import cut_out
from habeas.measure.scenes import Scene, draw_scene
from habeas.measure.walks import Walk
from habeas.settings import DetectSettings, LiveSettings, ModelSettings, Settings
from habeas.types import NS_PER_S, U8, Frame, OriginKind
from habeas.video import ArrayPicture
from habeas.video.encode import encode_h264
from habeas.video.masks import Mask

SUBJECT = "astronaut"
LASTS_S = 6.0


@pytest.fixture(scope="module")
def street(app: App, portraits: dict[str, U8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's street, six seconds of it, in which the subject walks up to the camera."""
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    image_rgb = portraits[SUBJECT]
    face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
    head = cut_out(image_rgb, face.landmarks_xy_px[0])
    walk = Walk(SUBJECT, SUBJECT, head, 0.0, (-1.3, 7.6), (0.15, 0.95), pace_m_s=1.2)
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    draw_scene(Scene((walk,), duration_s=LASTS_S, seed=7), path)
    return path


@pytest.fixture(scope="module")
def reference(app: App, portraits: dict[str, U8]) -> Reference:
    (subject,) = app.enrol({SUBJECT: [portraits[SUBJECT]]})
    return subject.references[0]


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def workers(heard: Heard, settings: Settings) -> Iterator[Supervisor]:
    """One real worker."""
    with Relay() as relay, supervisor(heard, relay, settings=settings, timing=Timing()) as workers:
        until(lambda: bool(heard.news), 60)
        yield workers


def png(image_rgb: U8) -> bytes:
    written = BytesIO()
    Image.fromarray(image_rgb).save(written, "PNG")
    return written.getvalue()


# --- cameras ----------------------------------------------------------------------------------------------------------


def test_it_says_that_every_guard_holds(heard: Heard, workers: Supervisor, app: App) -> None:
    (news,) = heard.of(WorkerChange.STARTED)
    assert news.posture is not None
    assert news.posture.complete, news.posture
    assert news.model_id == app.templater.model_id
    assert news.pid == workers.workers()[0].pid


def test_the_subject_of_a_street_arrives_as_a_probe(
    heard: Heard, workers: Supervisor, street: Path, reference: Reference
) -> None:
    hidden = dataclasses.replace(film("hidden", street), masks=(Mask(0, 0, 1, 1),))
    began_ns = workers._slots[0]._wiring.clock.now_ns()
    workers.start(film("street", street))
    workers.start(hidden)
    workers.start(film("large faces", street, DetectSettings(min_face_px=512, rate_hz=2.0)))
    ids = ("street", "hidden", "large faces")
    until(lambda: all(workers.states()[each].state is CameraState.ENDED for each in ids), 60, workers.states)

    probes = [probe for probe in heard.probes if probe.origin.camera_id == "street"]
    similarities = [float(probe.templates.vectors[0] @ reference.vector) for probe in probes]
    assert max(similarities) > 0.5
    assert all(probe.origin.kind is OriginKind.FILE for probe in probes)
    assert all(max(probe.face_rgb.shape[:2]) <= MAX_CROP_PX for probe in probes)
    captured = [probe.captured_at_ns for probe in probes]
    assert captured == sorted(captured)
    assert began_ns < captured[0] < captured[-1] < began_ns + 30 * NS_PER_S
    # At its own pace: the pictures' time and the clock's go together.
    stream_ns, wall_ns = probes[-1].at_ns - probes[0].at_ns, captured[-1] - captured[0]
    assert abs(stream_ns - wall_ns) < NS_PER_S // 2

    assert {end.origin for end in heard.ends} >= {probe.origin for probe in probes}
    for each in ids:
        total = heard.last(each)
        assert total.decoded == total.analysed + total.gated + total.dropped == LASTS_S * 25
        assert LASTS_S - 0.1 < total.analysed_ns / NS_PER_S <= LASTS_S
    assert heard.last("street").faces > 5
    # The control of masks and of settings for each camera: the same film, and nobody in it.
    assert heard.last("hidden").faces == heard.last("large faces").faces == 0
    assert heard.last("large faces").analysed < heard.last("street").analysed
    assert {probe.origin.camera_id for probe in heard.probes} == {"street"}
    assert heard.flaws == []
    for each in ids:
        workers.stop(each)


@pytest.mark.rule("L11")
def test_a_canary_in_a_film_arrives_as_a_probe_of_its_own_origin(
    heard: Heard, workers: Supervisor, street: Path, app: App
) -> None:
    workers.start(film("planted", street))
    until(lambda: workers.states()["planted"].state is CameraState.RUNNING, 30, workers.states)
    workers.show_canary("planted")
    workers.show_canary("nobody knows it")
    until(lambda: bool(heard.canaries), 30, workers.states)
    until(lambda: workers.states()["planted"].state is CameraState.ENDED, 60, workers.states)
    assert heard.canaries == [("planted", True)]
    (canary,) = [probe for probe in heard.probes if probe.origin.kind is OriginKind.CANARY]
    assert canary.origin.camera_id == "planted"
    assert float(canary.templates.vectors[0] @ load_reference(app.pack.model_id)) > 0.8
    assert canary.face_rgb.shape == (1, 1, 3)
    assert all(end.origin is not canary.origin for end in heard.ends)
    workers.stop("planted")


def test_counters_of_an_epoch_only_grow(heard: Heard) -> None:
    for epoch in {each.epoch for each in heard.counters}:
        told = [each for each in heard.counters if each.epoch == epoch]
        assert [each.decoded for each in told] == sorted(each.decoded for each in told)
        for each in told:
            assert 0 <= each.decoded - each.analysed - each.gated - each.dropped <= 6  # what waits in the queue


def test_a_film_that_is_none_is_a_flaw_and_costs_the_worker_nothing(
    heard: Heard, workers: Supervisor, tmp_path: Path
) -> None:
    for name, content in {"text": b"no video" * 100, "empty": b"", "cut": b"\0\0\0\x18ftypmp42" + bytes(50)}.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        workers.start(film(name, path))
        until(lambda name=name: workers.states()[name].state is CameraState.ENDED)
        assert workers.states()[name].flaw
        assert str(tmp_path) not in workers.states()[name].flaw
        workers.stop(name)
    assert len(heard.of(WorkerChange.STARTED)) == 1


def test_a_camera_that_is_not_there_is_waited_for(heard: Heard, workers: Supervisor) -> None:
    before = len(heard.flaws)
    workers.start(camera("away", "rtsp://127.0.0.1:9/x"))
    until(lambda: workers.states()["away"].state is CameraState.STALLED, 20)
    assert "cannot connect" in " ".join(flaw.what for flaw in heard.flaws[before:])
    assert workers.states()["away"].epoch == max(report.epoch for report in workers.states().values())
    workers.stop("away")
    assert workers.states() == {}


# --- images -----------------------------------------------------------------------------------------------------------


def test_an_image_becomes_the_reference_that_the_node_would_make(
    workers: Supervisor, portraits_folder: Path, reference: Reference, app: App
) -> None:
    (path,) = [path for path in portraits_folder.iterdir() if path.stem.startswith(SUBJECT)]
    result = workers.enrol(path.read_bytes(), 20)
    assert result.refusal == ""
    assert result.reference is not None
    assert result.reference.model_id == app.templater.model_id
    assert float(result.reference.vector @ reference.vector) > 0.99
    assert set(result.report) == {"faces", "score", "eyes_px", "nose", "sharpness"}
    assert result.report["eyes_px"] >= 32
    assert min(result.size_wh) > 100
    assert "0." not in repr(result)


def test_images_that_may_not_become_references_are_refused_and_the_worker_stays(
    workers: Supervisor, portraits: dict[str, U8]
) -> None:
    rng = np.random.default_rng(0)
    nobody = workers.enrol(png(rng.integers(0, 256, (200, 200, 3), np.uint8)), 20)
    assert "no face" in nobody.refusal
    assert nobody.size_wh == (200, 200)
    two = np.concatenate([portraits[SUBJECT]] * 2, axis=1)
    both = workers.enrol(png(two), 20)
    assert "2 faces" in both.refusal
    assert both.reference is None
    assert both.remedy
    pid = workers._enrolment.pid
    for broken in (b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(100), png(two)[:5000], b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        refused = workers.enrol(broken, 20)
        assert refused.refusal
        assert refused.size_wh == (0, 0)
    assert workers._enrolment.pid == pid


def test_an_image_that_takes_too_long_ends_its_worker_and_the_next_gets_another(
    workers: Supervisor, portraits: dict[str, U8]
) -> None:
    large = png(np.zeros((7000, 7000, 3), np.uint8))
    workers.enrol(png(portraits[SUBJECT]), 20)
    pid, kills = workers._enrolment.pid, workers._enrolment.kills
    with pytest.raises(ImageError, match="silent"):
        workers.enrol(large, 0.05)
    assert workers._enrolment.pid is None
    assert workers._enrolment.kills == kills + 1
    assert not Path(f"/proc/{pid}").exists()
    assert workers.enrol(png(portraits[SUBJECT]), 20).reference is not None
    assert workers._enrolment.pid != pid


# --- one worker's socket ----------------------------------------------------------------------------------------------


def hear(channel: Channel) -> Message:
    """Return the next message that is no heartbeat."""
    while True:
        received = channel.receive()
        assert received is not None
        if not isinstance(received.message, Heartbeat):
            return received.message


def test_a_worker_told_nonsense_says_so_and_ends(settings: Settings) -> None:
    configure = configure_for(settings.models, "watch", doors=1)
    process = spawn(configure, 60)
    try:
        assert isinstance(hear(process.channel), Hello)
        process.channel.send(StopCamera(camera_id="x", epoch=1))  # of a camera that ended already: no nonsense
        process.channel.send(configure)
        said = hear(process.channel)
        assert isinstance(said, Failed)
        assert "not for this worker" in said.text
        assert process.popen.wait(10) == InputError.exit_code
    finally:
        process.kill()


def test_a_worker_takes_an_address_that_is_none_for_a_flaw(settings: Settings) -> None:
    process = spawn(configure_for(settings.models, "watch", doors=1), 60)
    try:
        hello = hear(process.channel)
        assert isinstance(hello, Hello)
        assert set(hello.guards.values()) == {APPLIED}
        order = StartCamera(
            camera_id="x", epoch=3, url="rtsp://u:hunter2@:9/x", detect=DetectSettings(), live=LiveSettings()
        )
        process.channel.send(order)
        flaw, ended = hear(process.channel), hear(process.channel)
        assert isinstance(flaw, CameraFlaw)
        assert "hunter2" not in flaw.text
        assert ended == CameraEnded(camera_id="x", epoch=3, failed=True)
        process.channel.close()  # the node is gone
        assert process.popen.wait(10) is not None
    finally:
        process.kill()


def test_models_that_are_missing_are_told_and_not_fetched(tmp_path: Path) -> None:
    process = spawn(configure_for(ModelSettings(folder=tmp_path), "watch", doors=1), 60)
    try:
        with pytest.raises(HabeasError, match="model files are missing"):
            process.hello()
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()


def test_its_environment_is_made_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_MASTER_KEY", "x")
    assert set(clean_environment()) == {"LANG", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TMPDIR"}


# --- parts ------------------------------------------------------------------------------------------------------------


def order_of(url: str, masks: tuple[tuple[float, float, float, float], ...] = ()) -> StartCamera:
    return StartCamera(
        camera_id="gate", epoch=4, url=url, detect=DetectSettings(), live=LiveSettings(transport="udp"), masks=masks
    )


def test_a_film_is_paced_by_the_clock_it_is_given(tmp_path: Path) -> None:
    encode_h264([np.full((64, 64, 3), 9 * n, np.uint8) for n in range(10)], tmp_path / "ten.mp4", 5)
    clock = ManualClock()
    began_ns = clock.now_ns()
    descriptor = os.open(tmp_path / "ten.mp4", os.O_RDONLY)
    with FileCamera(order_of("", ((0.0, 0.0, 0.5, 1.0),)), descriptor, clock) as film_camera:
        frames = list(film_camera.frames())
        assert [frame.captured_at_ns - began_ns for frame in frames] == [n * NS_PER_S // 5 for n in range(10)]
        assert {frame.camera_id for frame in frames} == {source_name(film_camera.order)} == {"gate#4"}
        assert film_camera.watched_ns == 9 * NS_PER_S // 5
        assert (frames[5].luma[:, :30] == 51).all()
        assert not (frames[5].luma[:, 34:] == 51).any()


def test_a_film_that_is_closed_ends(tmp_path: Path) -> None:
    encode_h264([np.zeros((64, 64, 3), np.uint8)] * 10, tmp_path / "ten.mp4", 5)
    film_camera = FileCamera(order_of(""), os.open(tmp_path / "ten.mp4", os.O_RDONLY), ManualClock())
    frames = film_camera.frames()
    next(frames)
    film_camera.close()
    assert list(frames) == []


def test_masks_and_addresses_that_are_none_are_refused() -> None:
    with pytest.raises(InputError):
        LiveCamera(order_of("rtsp://127.0.0.1:9/x", ((0.5, 0.0, 0.5, 1.0),)), ManualClock())
    with pytest.raises(SourceError):
        LiveCamera(order_of("rtsp://"), ManualClock())


def test_crops_are_made_to_fit_a_message() -> None:
    assert _small(np.zeros((100, 200, 3), np.uint8)).shape == (100, 200, 3)
    assert _small(np.zeros((1024, 10, 3), np.uint8)).shape == (512, 5, 3)
    assert _small(np.zeros((5000, 1, 3), np.uint8)).shape == (512, 1, 3)
