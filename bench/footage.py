"""What footage costs: to record a camera, and to search what was recorded."""

import dataclasses
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from habeas.app import App
from habeas.clock import SystemClock
from habeas.engine.messages import Counters
from habeas.engine.playing import Playing
from habeas.engine.screening import Looking, Screening, reels_of
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch
from habeas.footage.uncovering import Where
from habeas.measure.dataset import Maker, central_face
from habeas.measure.heads import cut_out
from habeas.measure.portraits import PORTRAITS, load_portraits
from habeas.measure.scenes import Scene, demo_scene, draw_scene, render_frames
from habeas.models.pull import fetch
from habeas.node.playbacks import FOLLOW_HZ
from habeas.node.sweeping import LOOKS_HZ
from habeas.settings import DetectSettings
from habeas.types import NS_PER_S, Frame, Probe
from habeas.video import ArrayPicture
from habeas.video.masks import Mask
from habeas.video.remux import remux_file

FULL_HD = (1920, 1080)
EMPTY_S = 80.0
"""Of an empty street after the demo's 20 s, its tree and its light moving: somebody is in it 20 % of the time."""
RECORDED_S = 40.0
BIT_RATE = 4_000_000


def _scene(app: App, seed: int = 7) -> Scene:
    folder = app.settings.models.folder / "portraits"
    fetch([portrait.file for portrait in PORTRAITS], folder)
    maker = Maker.of(Path("portraits"), app.detector(), app.templater, app.clock)
    heads = {}
    for name, image_rgb in load_portraits(folder).items():
        face = central_face(Frame(maker.origin, 0, 0, 0, ArrayPicture(image_rgb)), maker.detector)
        heads[name] = cut_out(image_rgb, face.landmarks_xy_px[0])
    return dataclasses.replace(demo_scene(heads, seed), size_wh=FULL_HD)


def cpu_s(pid: int) -> float:
    """Return what a process has used of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def retrospective() -> dict[str, object]:
    """Search the demo's scene at 1080p, people in it all the time or a fifth of it: real times a core."""
    app = App()
    scene = _scene(app)
    with tempfile.TemporaryDirectory() as folder:
        busy = _recorded(scene, Path(folder) / "busy.mp4")
        empty = _recorded(dataclasses.replace(scene, walks=(), duration_s=EMPTY_S), Path(folder) / "empty.mp4")
    return {
        "size_wh": FULL_HD,
        "busy": _searched(app, [busy]),
        "a_fifth_of_the_time": _searched(app, [busy, empty]),
    }


def _recorded(scene: Scene, path: Path) -> tuple[Record, ...]:
    draw_scene(scene, path)
    return tuple(Record(Kind.PART, part.captured_at_ns, part.lasts_ns, part.data) for part in remux_file(path))


def _searched(app: App, films: Sequence[tuple[Record, ...]]) -> dict[str, object]:
    began_ns = at_ns = 1_790_000_000 * NS_PER_S
    stretches = []
    for parts in films:
        header = Header("gate", began_ns, began_ns, "footage-1", f"s{len(stretches)}", "h264", FULL_HD, at_ns)
        stretches.append(Stretch(header, parts))
        at_ns += sum(part.lasts_ns for part in parts)
    looking = Looking("gate", began_ns, began_ns + 600 * NS_PER_S, DetectSettings(rate_hz=LOOKS_HZ))
    with Screening(app.settings.models) as screening:
        loaded_s, began_s = cpu_s(screening.process.pid), time.monotonic()
        found = [one for reel in reels_of(stretches) for one in _screened(screening, reel, looking)]
        wall_s, used_s = time.monotonic() - began_s, cpu_s(screening.process.pid) - loaded_s
    last = [one for one in found if isinstance(one, Counters)][-1]
    video_s = (at_ns - began_ns) / NS_PER_S
    return {
        "video_s": round(video_s, 1),
        "bytes": sum(len(part.data) for parts in films for part in parts),
        "cpu_s": round(used_s, 2),
        "wall_s": round(wall_s, 2),
        "real_times_a_core": round(video_s / used_s, 1),
        "frames": last.decoded,
        "analysed": last.analysed,
        "tracks": last.tracks,
        "probes": sum(isinstance(one, Probe) for one in found),
    }


def _screened(screening: Screening, reel: object, looking: Looking) -> Iterator[object]:
    with reel:  # type: ignore[attr-defined]
        yield from screening.search(reel, looking)  # type: ignore[arg-type]


# --- the film of an alert --------------------------------------------------------------------------------------------


def playback(at_s: float = 8.5) -> dict[str, object]:
    """Make the film of an alert in the demo's scene at 1080p: what the worker uses, and how long a head is shown."""
    app = App()
    scene = _scene(app)
    with tempfile.TemporaryDirectory() as folder:
        parts = _recorded(scene, Path(folder) / "busy.mp4")
    faces = next(
        faces for number, (_, faces) in enumerate(render_frames(scene)) if number == round(at_s * scene.rate_hz)
    )
    face = max(faces, key=lambda one: (one.visible_fraction, one.eye_distance_px))
    left, top, right, bottom = (edge / side for edge, side in zip(face.box_xyxy_px, 2 * FULL_HD, strict=True))
    began_ns = 1_790_000_000 * NS_PER_S
    where = Where(began_ns + round(at_s * NS_PER_S), (left, top, right, bottom))
    (reel,) = reels_of(
        [Stretch(Header("gate", began_ns, began_ns, "footage-1", "s", "h264", FULL_HD, began_ns), parts)]
    )
    until_ns = began_ns + round(scene.duration_s * NS_PER_S)
    looking = Looking("gate", began_ns, until_ns, DetectSettings(rate_hz=FOLLOW_HZ))
    with Playing(app.settings.models) as worker, reel:
        loaded_s, began_s = cpu_s(worker.process.pid), time.monotonic()
        made = worker.play(reel, looking, where, lambda _done_ns: None, lambda: None)
        wall_s, used_s = time.monotonic() - began_s, cpu_s(worker.process.pid) - loaded_s
    return {
        "size_wh": FULL_HD,
        "video_s": scene.duration_s,
        "pictures": made.pictures,
        "cpu_s": round(used_s, 1),
        "wall_s": round(wall_s, 1),
        "found": made.found,
        "shown_s": round(made.shown_ns / NS_PER_S, 1),
        "bytes": len(made.data),
    }


# --- recording --------------------------------------------------------------------------------------------------------


def recording() -> dict[str, object]:
    """Record cameras of 1080p, 25 pictures a second, 4 Mbit/s, over RTSP: what worker and writer use of a core."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        _write_clip(clip)
        return {
            "size_wh": FULL_HD,
            "as_it_comes": _kept(clip, cameras=4),
            "encoded_anew": _kept(clip, cameras=1, masks=(Mask(0.0, 0.0, 0.5, 0.5),)),
        }


def _kept(clip: Path, cameras: int, masks: tuple[Mask, ...] = ()) -> dict[str, object]:
    """Record cameras that send a clip; with masks, encoded anew."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the camera is what the tests use
    from tests.cameras import RtspCamera
    from tests.installation import Installation
    from tests.workers import LIVE, Heard

    from habeas.engine.orders import CameraOrder
    from habeas.engine.relay import Relay
    from habeas.engine.supervisor import Supervisor
    from habeas.footage.files import FootageFolder
    from habeas.footage.recorder import Recorder
    from habeas.settings import Settings
    from habeas.video.address import parse_address, rules_with

    folder = Path(tempfile.mkdtemp())
    heard = Heard()
    with RtspCamera(clip) as camera, Installation(folder, SystemClock()) as place, Relay() as relay:  # type: ignore[arg-type]
        for number in range(cameras):
            place.camera(f"c{number}")
        recorder = Recorder(
            place.store, place.keys, place.clock, FootageFolder(folder / "footage"), reserve_bytes=10**6, tell=print
        )
        written: list[int] = []

        def take(camera_id: str, epoch: int, part: object) -> None:
            recorder.take(camera_id, epoch, part)  # type: ignore[arg-type]
            written.append(len(part.data))  # type: ignore[attr-defined]

        rules = rules_with(["127.0.0.0/8"], [camera.port])
        workers = Supervisor(
            workers=1,
            settings=Settings(),
            clock=SystemClock(),
            relay=relay,
            on_probe=heard.probes.append,
            on_end=heard.ends.append,
            on_counters=heard.counters.append,
            on_flaw=heard.flaws.append,
            on_worker=heard.news.append,
            on_canary=lambda _camera_id, _found: None,
            on_part=take,
        )
        with recorder, workers:
            for number in range(cameras):
                address = parse_address(camera.url, rules)
                order = CameraOrder(f"c{number}", address, rules, DetectSettings(), LIVE, masks)
                workers.record(order, reencode=bool(masks))
            threading.Event().wait(10)
            pid = workers.workers()[-1].pid
            assert pid is not None
            before = cpu_s(pid), _own_s(), len(written), sum(written)
            threading.Event().wait(RECORDED_S)
            after = cpu_s(pid), _own_s(), len(written), sum(written)
            told = [one.counters for one in workers.recordings().values() if one.counters]
    shutil.rmtree(folder)
    worker_s, node_s, parts, size = (late - early for late, early in zip(after, before, strict=True))
    return {
        "cameras": cameras,
        "seconds": RECORDED_S,
        "mbit_s_a_camera": round(size * 8 / 1e6 / RECORDED_S / cameras, 2),
        "parts": parts,
        "worker_percent_of_a_core_a_camera": round(100 * worker_s / RECORDED_S / cameras, 2),
        "node_percent_of_a_core_a_camera": round(100 * node_s / RECORDED_S / cameras, 2),
        "dropped": sum(one.dropped for one in told),
    }


def _own_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _write_clip(path: Path) -> None:
    """Write ten seconds of a street with grain, which takes the bits that a camera of this rate sends."""
    app = App()
    rng = np.random.default_rng(3)
    scene = dataclasses.replace(_scene(app), duration_s=4.0)
    with av.open(str(path), "w", format="mp4") as container:
        options = {"preset": "ultrafast", "nal-hrd": "cbr", "maxrate": "4M", "bufsize": "4M"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.bit_rate, stream.pix_fmt, stream.gop_size = BIT_RATE, "yuv420p", 50
        stream.width, stream.height = FULL_HD
        for image_rgb, _truth in render_frames(scene):
            grain = rng.normal(0, 6, image_rgb.shape[:2])[..., None]
            noisy = np.clip(image_rgb + grain, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode(None))
