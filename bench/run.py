"""Measure, and write the result with machine and commit: `python bench/run.py NAME... --data DIR`.

Names: open-set, pairs, calibration, canary, sharpness, concert, install, nothing-kept, redaction, rtsp, scale;
retrospective, recording, playback, access and log, which take no data; log takes --entries. Results go to
bench/results/NAME.json.
"""

import argparse
import base64
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def habeas(*args: str, cpus: str = "") -> list[dict[str, object]]:
    """Run the command line with --json; return its objects."""
    command = [*(["taskset", "-c", cpus] if cpus else []), sys.executable, "-m", "habeas", *args, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def open_set(data: Path) -> dict[str, object]:
    return habeas("evaluate", "open-set", str(data / "lfw-dev"))[0]


def pairs(data: Path) -> dict[str, object]:
    return habeas("evaluate", "pairs", str(data / "lfw-dev"))[0]


def calibration(data: Path) -> dict[str, object]:
    tables = ROOT / "src" / "habeas" / "comparison" / "tables"
    (table,) = tables.glob("*.json")  # made anew, and shipped
    source = "the even half of Labeled Faces in the Wild (deep-funneled), one degraded track a person"
    return habeas("evaluate", "calibrate", str(data / "lfw-dev"), "--out", str(table), "--source", source)[0]


def canary(_data: Path) -> dict[str, object]:
    """Make the canary's template anew, which is shipped, of its drawing as a camera's picture would show it."""
    from habeas.app import App
    from habeas.authority.canary import SCHEMA
    from habeas.measure.canary import canary_template

    app = App()
    vector, model_id = canary_template(app.detector(), app.templater), app.pack.model_id
    told = {"schema": SCHEMA, "model_id": model_id, "template": base64.b64encode(vector.astype("<f4")).decode()}
    path = ROOT / "src" / "habeas" / "authority" / "canaries" / f"{model_id}.json"
    path.write_text(json.dumps(told, indent=1) + "\n", "ascii")
    return {"model_id": model_id, "template_sha256": hashlib.sha256(vector.astype("<f4").tobytes()).hexdigest()}


def concert(data: Path) -> dict[str, object]:
    """The concert clip on one core, for each reference; real time means wall_s below video_s."""
    clip = data / "clips" / "concert.mp4"
    out: dict[str, object] = {}
    for name in ("performer", "pianist"):
        reference = f"{name}={data / 'clips' / name}.png"
        out[name] = habeas("watch", str(clip), "--subject", reference, "--basis", "consent", cpus="0")
    return out


def sharpness(data: Path) -> dict[str, object]:
    """The percentiles behind the quality gate's limits (authority.references)."""
    import numpy as np

    from habeas.app import App
    from habeas.faces.align import align
    from habeas.faces.quality import eye_distances_px, nose_positions, sharpness
    from habeas.measure.dataset import Maker, central_face, list_images

    folder = data / "lfw-dev"
    app = App()
    maker = Maker.of(folder, app.detector(), app.templater, app.clock)
    values = []
    for image in list_images(folder):
        frame = maker.frame(image.path)
        face = central_face(frame, maker.detector)
        if len(face):
            crop = align(frame.picture, face.landmarks_xy_px[0])
            eyes, nose = eye_distances_px(face.landmarks_xy_px)[0], nose_positions(face.landmarks_xy_px)[0]
            values.append((sharpness(crop), float(eyes), float(nose), float(face.quality[0])))
    columns = np.array(values).T
    names = ("sharpness", "eyes_px", "nose", "quality")
    percentiles = (0.5, 1, 5, 50, 95, 99)
    return {
        "images": len(values),
        **{
            name: {str(p): round(float(np.percentile(column, p)), 3) for p in percentiles}
            for name, column in zip(names, columns, strict=True)
        },
    }


def install(_data: Path) -> dict[str, object]:
    """From nothing to the demo's first alert: fresh virtual environment, fresh home, package caches empty."""
    with tempfile.TemporaryDirectory() as folder:
        home, venv = Path(folder) / "home", Path(folder) / "venv"
        home.mkdir()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HABEAS_")} | {"HOME": str(home)}
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, env=environment)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", str(ROOT)], check=True, env=environment)
        installed_s = time.monotonic() - began
        size = sum(path.lstat().st_blocks * 512 for path in venv.rglob("*"))
        command = [str(venv / "bin" / "habeas"), "demo", "--headless", "--json"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)
        assert demo.stdout is not None
        events = []
        first_alert_s = None
        for line in demo.stdout:
            events.append(json.loads(line))
            if first_alert_s is None and events[-1]["event"] == "alert":
                first_alert_s = time.monotonic() - began
        return {
            "installed_s": round(installed_s, 1),
            "first_alert_s": round(first_alert_s or -1, 1),
            "ended_s": round(time.monotonic() - began, 1),
            "virtual_environment_mb": round(size / 1e6),
            "exit": demo.wait(),
            "events": events,
        }


def suite(*options: str) -> dict[str, object]:
    """Run part of the tests; return what pytest said of each."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    kept = ("PASSED", "FAILED", "ERROR", "SKIPPED")
    lines = done.stdout.splitlines()
    told = [line.lstrip(".") for line in lines if line.startswith(kept) or "noticed after" in line]
    return {"exit": done.returncode, "tests": told, "summary": done.stdout.strip().splitlines()[-1]}


def nothing_kept(_data: Path) -> dict[str, object]:
    """200 strangers rendered and 200 photographed, 20 kills, every encoding planted and found."""
    return suite("-m", "long or shared or not long", "tests/privacy")


def rtsp(_data: Path) -> dict[str, object]:
    """Cameras killed, frozen, restarted, at the default settings."""
    return suite("-s", "-m", "long or not long", "tests/fault")


def scale(data: Path) -> dict[str, object]:
    """An installation as large as one node takes: each second, each command, many ends at once."""
    sys.path.insert(0, str(ROOT))  # it is founded and filled by what the tests use
    from scale import scale

    return scale(data)


def retrospective(_data: Path) -> dict[str, object]:
    """Footage of the demo's scene at 1080p, searched: real times a core."""
    from footage import retrospective

    return retrospective()


def recording(_data: Path) -> dict[str, object]:
    """What recording a camera of 1080p takes of a core."""
    from footage import recording

    return recording()


def playback(_data: Path) -> dict[str, object]:
    """The film of an alert in the demo's scene at 1080p: what it takes."""
    from footage import playback

    return playback()


def access(_data: Path) -> dict[str, object]:
    """Access requests of 50 invented people who walk past a camera twice: what is found, and what else is."""
    from access import measure

    return measure()


def redaction(data: Path) -> dict[str, object]:
    """Faces that redaction misses: in scenes whose truth is known, and in the concert clip."""
    from redaction import measure

    return measure(data)


def log(_data: Path, entries: int = 1_000_000) -> dict[str, object]:
    """A log of many entries, verified on one core."""
    sys.path.insert(0, str(ROOT))  # it is founded and filled by what the tests use
    from log import measure

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return measure(entries)


BENCHES: dict[str, Callable[[Path], dict[str, object]]] = {
    "open-set": open_set,
    "pairs": pairs,
    "calibration": calibration,
    "canary": canary,
    "sharpness": sharpness,
    "concert": concert,
    "install": install,
    "nothing-kept": nothing_kept,
    "rtsp": rtsp,
    "redaction": redaction,
    "access": access,
    "scale": scale,
    "retrospective": retrospective,
    "recording": recording,
    "playback": playback,
    "log": log,
}


def machine() -> dict[str, object]:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def commit() -> str:
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    elsewhere = ("--", ".", ":!bench/results")
    dirty = subprocess.run(
        [*git, "status", "--porcelain", *elsewhere], capture_output=True, text=True, check=True
    ).stdout
    return head.strip() + ("+changes" if dirty.strip() else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(BENCHES))
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder with lfw-dev/ and clips/")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the log")
    given = parser.parse_args()
    benches = {**BENCHES, "log": partial(log, entries=given.entries)}
    for name in given.names:
        result = {"bench": name, "commit": commit(), "machine": machine(), "result": benches[name](given.data)}
        text = json.dumps(result, indent=1).replace(str(given.data), "DATA")
        (HERE / "results" / f"{name}.json").write_text(text + "\n")
        print(f"{name}: bench/results/{name}.json")


if __name__ == "__main__":
    main()
